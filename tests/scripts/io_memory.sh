#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libpeft-io allocates memory by its contexts: none of its object files calls an allocating function of the C library.
#   io_memory.sh LIST          LIST: a file with the objects of a build, one path a line
#   io_memory.sh --self-test CC   an object that calls strdup, and a list without objects of libpeft-io, must be refused
set -eu
export LC_ALL=C

check() {
    objects=$(grep '/src/io/' "$1") || { echo "io_memory.sh: $1: no object of libpeft-io"; return 1; }
    names='malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|getline|getdelim|posix_memalign'
    # shellcheck disable=SC2086  # the list is meant to be split
    found=$(nm -A -u $objects | grep -wE "$names|aligned_alloc|open_memstream" || true)
    [ -z "$found" ] && return 0
    echo "$found"
    echo "io_memory.sh: use io_alloc, io_copy and peft_sys_free (src/io/io.h, peft/sys/memory.h)"
    return 1
}

if [ "$1" != --self-test ]; then
    check "$1"
    exit
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/src/io"
echo '#include <string.h>
char *copy(const char *s) { return strdup(s); }' > "$work/copy.c"
echo 'int one(void) { return 1; }' > "$work/one.c"
"$2" -D_GNU_SOURCE -O1 -c "$work/copy.c" -o "$work/src/io/copy.o"
"$2" -O1 -c "$work/one.c" -o "$work/src/io/one.o"
echo "$work/src/io/one.o" > "$work/list"
check "$work/list"
echo "$work/src/io/copy.o" >> "$work/list"
if check "$work/list" > "$work/log"; then echo "io_memory.sh: not refused: strdup"; exit 1; fi
grep -q 'copy.o: *U strdup' "$work/log" || { cat "$work/log"; exit 1; }
echo /elsewhere/one.o > "$work/list"
if check "$work/list" > "$work/log"; then echo "io_memory.sh: not refused: no object of libpeft-io"; exit 1; fi
