#!/bin/sh
# users.sh: print the statements that make one database user a role, each with the rights it needs and no others.
# Reads MYSQL_DATABASE, and MYSQL_OWNER_PASSWORD, MYSQL_API_PASSWORD, MYSQL_TICKER_PASSWORD, MYSQL_PROJECTOR_PASSWORD.
# The statements may be repeated; a changed password takes effect then. Run them as an administrator:
#     sh users.sh | mysql -uroot -p
# Workers have no user: they never speak to the database.
set -eu
database=${MYSQL_DATABASE:?set MYSQL_DATABASE}

quoted() { # quoted VARIABLE: its value as an SQL string; it must be set
    eval "value=\${$1:?set $1 to a password of its own}"
    printf "'%s'" "$(printf '%s' "$value" | sed "s/\\\\/\\\\\\\\/g; s/'/''/g")"
}

user() { # user NAME VARIABLE
    password=$(quoted "$2")
    printf "CREATE USER IF NOT EXISTS '%s'@'%%' IDENTIFIED BY %s;\n" "$1" "$password"
    printf "ALTER USER '%s'@'%%' IDENTIFIED BY %s;\n" "$1" "$password"
}

grant() { # grant NAME RIGHTS TABLE
    printf "GRANT %s ON \`%s\`.%s TO '%s'@'%%';\n" "$2" "$database" "$3" "$1"
}

prefix=${MYSQL_USER_PREFIX:-task_}

# Migrations, and the command line that makes tenants and keys.
user "${prefix}owner" MYSQL_OWNER_PASSWORD
grant "${prefix}owner" "ALL" "*"
# Reads read models, keys and tenants.
user "${prefix}api" MYSQL_API_PASSWORD
grant "${prefix}api" "SELECT" "*"
# Loads its state, and takes epochs. CREATE, or a grant on a table that is not made yet would be refused.
user "${prefix}ticker" MYSQL_TICKER_PASSWORD
grant "${prefix}ticker" "SELECT" "*"
grant "${prefix}ticker" "CREATE, INSERT, UPDATE" "scheduler_leases"
grant "${prefix}ticker" "CREATE, INSERT" "scheduler_losses"
# Writes what the log says.
user "${prefix}projector" MYSQL_PROJECTOR_PASSWORD
grant "${prefix}projector" "SELECT, INSERT, UPDATE, DELETE" "*"
