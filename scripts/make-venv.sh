#!/bin/sh
# Makes a virtual environment: make-venv.sh PYTHON FOLDER. Says what to install where the machine lacks something.
set -eu
python=$1
folder=$2
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Regsight needs Python 3.11 or newer; '$python' is not. Try: make PYTHON=python3.12 demo" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    else
        echo "Python's venv module is missing: sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi
"$python" -m venv "$folder"
# Dependency groups need pip 25.1 or newer.
"$folder/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'
