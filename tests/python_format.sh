#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The declarations of bindings/python, which generate.py writes, its format by ruff, and its types by mypy. Nothing is
# built. The tools come from the environment of tests/python.sh; without one, and without a package index, ends with
# status 77.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
cd "$root/bindings/python"
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
"${PYTHON:-python3}" generate.py --check
tools=$("$root/scripts/venv.sh" "$PWD/tests/requirements.txt" python)
export PATH="$tools/bin:$PATH"
ruff check -q --no-cache .
ruff format -q --no-cache --check .
mypy --cache-dir "$cache"
