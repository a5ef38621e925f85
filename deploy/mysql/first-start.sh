#!/bin/sh
# What the MySQL image runs when it makes its data folder: the users of users.sh.
set -eu
sh /deploy/users.sh | MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql --user=root --host=localhost
