#!/bin/sh
# lock.sh VENV: requirements/{run,dev}.txt anew from pyproject.toml, and build.txt (what makes the wheel of the image)
# from build.in; pinned and hashed for every platform.
set -eu
venv=${1:?usage: lock.sh VENV}
uv=$venv/bin/uv
if [ ! -x "$uv" ]; then
    [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check uv
fi
compile() { # compile OUTPUT SOURCE [OPTION...]
    out=$1; source=$2; shift 2
    echo "==> requirements/$out.txt"
    "$uv" pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
        --no-emit-find-links --no-annotate "$@" "$source" -o "requirements/$out.txt"
}
compile run pyproject.toml
compile dev pyproject.toml --extra dev
compile build requirements/build.in --constraint requirements/dev.txt
