#!/bin/sh
# lock.sh VENV: requirements/{run,dev}.txt anew from pyproject.toml, pinned and hashed for every platform.
set -eu
venv=${1:?usage: lock.sh VENV}
uv=$venv/bin/uv
if [ ! -x "$uv" ]; then
    [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check uv
fi
compile() { # compile OUTPUT [EXTRA...]
    out=$1; shift
    echo "==> requirements/$out.txt"
    "$uv" pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
        --no-emit-find-links --no-annotate "$@" pyproject.toml -o "requirements/$out.txt"
}
compile run
compile dev --extra dev
