#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the virtual environment that tests/interop needs and prints its path: setup.sh
# PEFT_INTEROP_VENV: where; by default libpeft/interop under the user's cache folder. Nothing is done when it is there
# and was made from the same requirements.txt. Needs a Python of version 3.11 and a package index.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${PEFT_INTEROP_VENV:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/libpeft/interop}
if ! cmp -s "$here/requirements.txt" "$venv/made-from.txt"; then
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    "${PYTHON:-python3}" -m venv "$venv" >&2
    "$venv/bin/pip" install -q -r "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$venv/made-from.txt"
fi
echo "$venv"
