#!/bin/sh
# make-secrets.sh [FILE]: random secrets for compose.yaml, into .env unless told otherwise; never over an existing file.
set -eu
file=${1:-.env}
[ ! -e "$file" ] || { echo "$file is there already; move it away first: it may be the only copy" >&2; exit 1; }
umask 077
for name in MYSQL_ROOT MYSQL_OWNER MYSQL_API MYSQL_TICKER MYSQL_PROJECTOR \
    REDIS_API REDIS_TICKER REDIS_WORKER REDIS_PROJECTOR; do
    printf '%s_PASSWORD=%s\n' "$name" "$(od -An -N 18 -t x1 /dev/urandom | tr -d ' \n')"
done >"$file"
echo "made $file; only its owner can read it"
