#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Python environment of tests/interop/segmentation over that of tests/interop, which has torch, and
# prints its path (scripts/venv.sh).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
base=$("$here/../setup.sh")
exec "$here/../../../scripts/venv.sh" "$here/requirements.txt" segmentation "${PEFT_SEGMENTATION_VENV-}" "$base"
