#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs one check of tests/interop in its Python environment.   check.sh BUILD LOGS CHECK
# LOGS: a folder, which gets CHECK.log (what the check printed) and CHECK.status (its exit status).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1 logs=$2 check=$3
file=$(find "$here" -name "check_$check.py")
python=$("$("$here/environment.sh" "$check")")/bin/python
status=0
PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 PEFT_LIBRARIES="$build" OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 \
    HF_HUB_DISABLE_PROGRESS_BARS=1 "$python" "$file" > "$logs/$check.log" 2>&1 || status=$?
echo "$status" > "$logs/$check.status"
echo "== interop: $check, status $status"
cat "$logs/$check.log"
