#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Which source file uses a global symbol of which other file, by the symbols of object files. Prints sorted lines
# "USER SYMBOL DEFINER" with paths that begin with src/ or examples/.
#   references.sh LIST     LIST: a file with the path of one object a line, as CMake names them
set -eu
export LC_ALL=C
objects=$(mktemp)
trap 'rm -f "$objects"' EXIT
# shellcheck disable=SC2046  # paths of objects hold no blanks, else nm fails
nm -A -P $(cat "$1") > "$objects"
# build/src/io/CMakeFiles/peft_io_objects.dir/image/png.c.o: becomes src/io/image/png.c
sed -e 's|CMakeFiles/[^/]*\.dir/||' -e 's|/\./|/|' -e 's|^.*/src/|src/|' -e 's|^.*/examples/|examples/|' \
    -e 's|\.o: | |' "$objects" | awk '
    $3 == "U" { user[++uses] = $1; name[uses] = $2 }
    $3 ~ /^[ABCDRTVW]$/ { definer[$2] = $1 }
    END {
        for (i = 1; i <= uses; i++)
            if (name[i] in definer) print user[i], name[i], definer[name[i]]
    }' | sort
