#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Python environment of tests/interop and prints its path (scripts/venv.sh). PEFT_INTEROP_VENV: the path;
# default: libpeft/interop in the user's cache folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../scripts/venv.sh" "$here/requirements.txt" interop "${PEFT_INTEROP_VENV-}"
