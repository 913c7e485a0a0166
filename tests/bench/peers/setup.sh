#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Python environment of tests/bench/peers, unless it exists and was made from the same requirements.txt, and
# prints its path. PEFT_PEERS_VENV: the path; default: libpeft/peers in the user's cache folder. Needs Python 3.11 or
# newer and a package index; without one it says so and ends with status 77. Where the index also has the CPU build of
# torch (2.13.0+cpu), pip takes that one, which is much smaller; on a CPU both run the same kernels.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${PEFT_PEERS_VENV:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/libpeft/peers}
if ! cmp -s "$here/requirements.txt" "$venv/made-from.txt"; then
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    "${PYTHON:-python3}" -m venv "$venv" >&2
    "$venv/bin/pip" install -q -r "$here/requirements.txt" >&2 || {
        rm -rf "$venv"
        echo "setup.sh: skipped: cannot install the packages of requirements.txt; expected a package index" >&2
        exit 77
    }
    cp "$here/requirements.txt" "$venv/made-from.txt"
fi
echo "$venv"
