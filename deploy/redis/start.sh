#!/bin/sh
# start.sh [OPTION...]: Redis with one user a role (users.acl) and the options that the service asks for.
# The passwords come from REDIS_API_PASSWORD, REDIS_TICKER_PASSWORD, REDIS_WORKER_PASSWORD and REDIS_PROJECTOR_PASSWORD;
# only their hashes reach the server. Without a user anybody may PING, and nothing else.
set -eu
here=$(dirname "$0")
users=${REDIS_USERS_FILE:-$(mktemp)}
# Whoever may read the file of hashes could try passwords against them.
umask 077

hash_of() { # hash_of VARIABLE: sha256 of its value, which must be set
    eval "password=\${$1:?set $1 to a password of its own}"
    printf '%s' "$password" | sha256sum | cut -d ' ' -f 1
}

script=
for role in API TICKER WORKER PROJECTOR; do
    hash=$(hash_of "REDIS_${role}_PASSWORD")
    script="$script;s/#PASSWORD_$role/#$hash/"
done
sed "${script#;}" "$here/users.acl" >"$users"
exec "${REDIS_SERVER:-redis-server}" --aclfile "$users" \
    --appendonly yes --appendfsync always --save '' --maxmemory-policy noeviction "$@"
