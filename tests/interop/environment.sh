#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the script that makes the Python environment of a check: setup.sh in the folder of the check, whose packages
# are its own, or else tests/interop/setup.sh.   environment.sh CHECK
set -eu
here=$(cd "$(dirname "$0")" && pwd)
file=$(find "$here" -name "check_$1.py")
[ -n "$file" ] || { echo "environment.sh: no check '$1'" >&2; exit 2; }
setup=$(dirname "$file")/setup.sh
[ -e "$setup" ] || setup=$here/setup.sh
echo "$setup"
