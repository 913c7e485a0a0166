#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Symbols of a shared library: it exports the PEFT_API functions of its headers and nothing else, and its version map
# agrees with the headers. libpeft imports no function that prints, ends the process or changes its global state.
#   symbols.sh core|io|mpi LIBRARY MAP
#   symbols.sh --self-test [CC]     a library that breaks each of these rules must be refused for each
set -eu
export LC_ALL=C
scripts=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Functions that libpeft must not import; snprintf and vsnprintf are permitted.
refused='_?exit|_Exit|quick_exit|abort|__assert.*|v?[fd]?printf|__v?[fd]?printf_chk|f?puts|f?putc|putchar|perror'
refused="$refused|stdout|stderr|rand|srand|random|srandom|drand48|setlocale|signal|sigaction|s?longjmp|__longjmp_chk"
refused="$refused|setenv|putenv|unsetenv|fesetround|fesetenv|openblas_set_num_threads|strtok|system|popen"

# $1: core, io or mpi, $2: the library, $3: its version map
check() {
    bad=0
    "$scripts/exports.sh" "$1" > "$work/map"
    if ! diff -u "$3" "$work/map"; then
        echo "symbols.sh: $3 differs from the headers (expected the lines with +)"
        bad=1
    fi
    "$scripts/exports.sh" --names "$1" > "$work/declared"
    nm -D --defined-only "$2" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort > "$work/exported"
    if ! diff -u "$work/declared" "$work/exported"; then
        echo "symbols.sh: $2 exports other symbols than declared"
        bad=1
    fi
    nm -D --undefined-only "$2" | awk '{ sub(/@.*/, "", $2); print $2 }' | sort -u > "$work/imported"
    if [ "$1" = core ] && grep -xE "$refused" "$work/imported"; then
        echo "symbols.sh: $2 imports these functions, which are forbidden"
        bad=1
    fi
    echo "symbols.sh: $2 exports $(wc -l < "$work/exported") functions"
    return $bad
}

if [ "$1" = --self-test ]; then
    echo 'int abort(void); int peft_other(void); int peft_other(void) { return abort(); }' > "$work/bad.c"
    "${2:-cc}" -w -fno-builtin -shared -fPIC "$work/bad.c" -o "$work/bad.so"
    echo 'PEFT_1 { local: *; };' > "$work/bad.map"
    if check core "$work/bad.so" "$work/bad.map" > "$work/log"; then exit 1; fi
    for line in "bad.map differs" "exports other symbols" "^+peft_other" "^abort"; do
        grep -q "$line" "$work/log" || { echo "symbols.sh: not reported: $line"; exit 1; }
    done
else
    check "$@"
fi
