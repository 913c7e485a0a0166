#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Python environment of tests/bench/peers and prints its path (scripts/venv.sh). PEFT_PEERS_VENV: the path;
# default: libpeft/peers in the user's cache folder. Where the index also has the CPU build of torch (2.13.0+cpu), pip
# takes that one, which is much smaller; on a CPU both run the same kernels.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../../scripts/venv.sh" "$here/requirements.txt" peers "${PEFT_PEERS_VENV-}"
