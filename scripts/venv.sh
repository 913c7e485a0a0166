#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a Python environment, unless it exists and was made from the same requirements, and prints its path.
#   venv.sh REQUIREMENTS NAME [VENV [BASE]]   VENV: the path; default: libpeft/NAME in the user's cache folder. BASE:
#   another such environment, whose packages are used where VENV has no other version of them
# Needs Python 3.11 or newer and a package index; without one it says so and ends with status 77.
set -eu
requirements=$1
venv=${3:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/libpeft/$2}
if ! cmp -s "$requirements" "$venv/made-from.txt"; then
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    "${PYTHON:-python3}" -m venv "$venv" >&2
    if [ -n "${4-}" ]; then
        (cd "$4" && echo "$PWD"/lib/python3*/site-packages) > "$(echo "$venv"/lib/python3*/site-packages)/base.pth"
    fi
    "$venv/bin/pip" install -q --no-warn-conflicts -r "$requirements" >&2 || {
        rm -rf "$venv"
        echo "setup.sh: skipped: cannot install the packages of requirements.txt; expected a package index" >&2
        exit 77
    }
    cp "$requirements" "$venv/made-from.txt"
fi
echo "$venv"
