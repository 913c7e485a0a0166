#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The functions that public headers declare with PEFT_API, as a linker version script.
#   exports.sh core|io|mpi           prints the right content of src/peft.map, src/io/peft_io.map or src/mpi/peft_mpi.map
#   exports.sh --names core|io|mpi   prints the names only, sorted
set -eu
export LC_ALL=C
root=$(cd "$(dirname "$0")/../.." && pwd)
names_only=
if [ "${1-}" = --names ]; then names_only=1; shift; fi
# The headers of libpeft-io: io.h and those that it includes.
io_headers="io.h dicom_seg.h image.h transform.h dataset.h loader.h masks.h predictor.h segmenter.h"
case ${1-} in
    core)
        # shellcheck disable=SC2086  # the list is meant to be split
        headers=$(find "$root/include/peft" -name '*.h' $(printf '! -name %s ' $io_headers mpi.h)) ;;
    io)
        # shellcheck disable=SC2086
        headers=$(printf "$root/include/peft/%s " $io_headers) ;;
    mpi) headers=$root/include/peft/mpi.h ;;
    *) echo "usage: exports.sh [--names] core|io|mpi" >&2; exit 2 ;;
esac

# Removes comments and preprocessor lines; after each PEFT_API the first name before a "(" is the function's. awk reads
# all as one text, as some declarations span lines.
# shellcheck disable=SC2086  # the list of headers is meant to be split
names=$(sed '/^[[:space:]]*#/d' $headers | tr '\n' ' ' | awk '{
    text = $0
    while ((start = index(text, "/*")) > 0) {
        rest = substr(text, start + 2)
        end = index(rest, "*/")
        text = substr(text, 1, start - 1) " " substr(rest, end + 2)
    }
    count = split(text, part, /PEFT_API/)
    for (i = 2; i <= count; i++)
        if (match(part[i], /peft_[a-z0-9_]+[ ]*\(/))
            print substr(part[i], RSTART, RLENGTH - 1)
}' | tr -d ' ' | sort)
if [ -n "$(echo "$names" | uniq -d)" ]; then
    echo "exports.sh: declared twice: $(echo "$names" | uniq -d | tr '\n' ' ')" >&2
    exit 1
fi
if [ -n "$names_only" ]; then
    echo "$names"
else
    echo "/* SPDX-License-Identifier: Apache-2.0"
    echo " * What the shared library exports: tests/scripts/exports.sh $1 writes it from the headers. */"
    # The systems interface (peft/sys) has its own version node with the number PEFT_METHOD_VERSION: a program that uses
    # another version of it does not load; programs that do not use it are not affected.
    version=$(sed -n 's/^#define PEFT_METHOD_VERSION \([0-9]*\)u$/\1/p' "$root/include/peft/sys/method.h")
    [ "$1" != core ] || systems=$(echo "$names" | grep '^peft_sys_')
    echo "PEFT_1 {"
    echo "global:"
    echo "$names" | grep -v '^peft_sys_' | sed 's/.*/    &;/'
    echo "local:"
    echo "    *;"
    echo "};"
    if [ -n "${systems-}" ]; then
        echo "PEFT_SYS_$version {"
        echo "global:"
        echo "$systems" | sed 's/.*/    &;/'
        echo "} PEFT_1;"
    fi
fi
