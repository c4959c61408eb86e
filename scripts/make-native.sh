#!/bin/sh
# Builds the optional scanner and installs it into the environment of the Python given: make-native.sh PYTHON
# Without cargo it says so and carries on; a build that fails is an error.
set -eu
python=$1
if ! command -v cargo >/dev/null 2>&1; then
    echo "no cargo on this machine: the native scanner is not built, Regsight reads everything in Python" >&2
    exit 0
fi
"$python" -m pip install --quiet 'maturin>=1.9,<2'
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
"$(dirname "$python")/maturin" build --release --quiet --manifest-path native/Cargo.toml --out "$wheels"
"$python" -m pip install --quiet --force-reinstall --no-deps "$wheels"/*.whl
"$python" -c 'from collector.native import path_in_use; print(path_in_use())'
