#!/bin/sh
# make-venv.sh DIR: a virtualenv in DIR with the pinned, hashed requirements and this project, editable.
# Needs nothing but a Python >= 3.11; on a Debian without python3-venv it installs that as root, or says how.
set -eu
dir=${1:?usage: make-venv.sh DIR}
python=${PYTHON:-python3}

say() { printf '==> %s\n' "$*"; }
fail() { printf 'make venv: %s\n' "$*" >&2; exit 1; }

install_packages() { # install_packages PACKAGE...
    command -v apt-get >/dev/null 2>&1 || fail "needs $*; install it with your system's package manager"
    [ "$(id -u)" = 0 ] || fail "needs $*; run: sudo apt-get install -y $*"
    say "installing $* with apt-get"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >/dev/null
}

command -v "$python" >/dev/null 2>&1 || install_packages python3 python3-venv
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "needs Python 3.11 or newer, $python is $("$python" --version 2>&1); set PYTHON=/path/to/python3.11"
"$python" -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv

say "virtualenv in $dir ($("$python" --version))"
[ -x "$dir/bin/python" ] && [ -x "$dir/bin/pip" ] || "$python" -m venv --clear "$dir"
say "installing the pinned requirements (a minute on a slow line)"
"$dir/bin/python" -m pip install -qq --disable-pip-version-check --no-input --require-hashes -r requirements/dev.txt
say "installing this project, editable"
"$dir/bin/python" -m pip install -qq --disable-pip-version-check --no-input --no-deps --no-build-isolation --editable .
say "ready: $dir/bin/taskservice"
