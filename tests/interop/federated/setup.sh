#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Python environment of tests/interop/federated and prints its path (scripts/venv.sh).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../../scripts/venv.sh" "$here/requirements.txt" federated "${PEFT_FEDERATED_VENV-}"
