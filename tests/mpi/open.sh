#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The cases of check_open.c; the variables are those of a launcher whose processes this MPI does not know.
#   open.sh CHECK_OPEN VARIABLE
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/launch.sh"
allow_root
for what in finalised level; do
    "$1" $what || { echo "open.sh: $what"; exit 1; }
done
env "$2=3" "$1" launcher || { echo "open.sh: launcher"; exit 1; }
