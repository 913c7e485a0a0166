#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The declarations of the Python package are those of the headers, and a header that changed is noticed. Skipped, which
# it says, where there is no Python 3; the package itself is tested by tests/python.sh.   python.sh [ROOT]
set -eu
root=$(cd "${1:-$(dirname "$0")/../..}" && pwd)
command -v python3 > /dev/null || { echo "SKIP: no python3"; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
python3 "$root/bindings/python/generate.py" --check
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$root/include" "$work"
mkdir "$work/bindings"
cp -r "$root/bindings/python" "$work/bindings"
sed -i 's/^PEFT_API int64_t *peft_loader_batches(/PEFT_API int peft_loader_batches(/' "$work/include/peft/loader.h"
if python3 "$work/bindings/python/generate.py" --check 2> "$work/said"; then echo "a change is not noticed"; exit 1; fi
grep -q 'run bindings/python/generate.py' "$work/said"
