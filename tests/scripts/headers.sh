#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each header, alone, compiles without a warning: the public ones as C99, C11 and C++11 with every compiler that is here,
# those of src as C11 with the first one.
#   headers.sh [ROOT]
#   headers.sh --self-test   checks that a header is refused that needs another one in front, or is not valid C++
set -eu
project=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Runs "HEADER COMPILER FLAGS.." lines, several at a time; prints those that fail.
compile_all() {
    # shellcheck disable=SC2016  # the dollars are the inner shell's
    xargs -P "$(nproc)" -I '{}' sh -c '
        set -- {}
        header=$1
        shift
        echo "#include <$header>" | "$@" -Wall -Wextra -Werror -fsyntax-only - ||
            { echo "headers.sh: $header fails with $*"; exit 255; }'
}

# The lines for the headers of $2 under $1, with the compiler and flags of the rest; none when there is no such compiler.
lines() {
    folder=$1 part=$2
    shift 2
    command -v "$1" > /dev/null || return 0
    (cd "$folder" && find "$part" -name '*.h' | sort) | sed "s|\$| $* -I$root/include|"
}

check() {
    root=$1
    {
        for c in gcc clang; do
            for standard in c99 c11; do lines "$root/include" peft "$c" -x c -std=$standard -pedantic; done
        done
        for c in g++ clang++; do lines "$root/include" peft "$c" -x c++ -std=c++11 -pedantic; done
        c=gcc
        command -v gcc > /dev/null || c=clang
        simd='-mavx2 -mfma -DPK_ISA=avx2'
        case $("$c" -dumpmachine) in x86_64*) ;; *) simd= ;; esac
        for part in "$root"/src/*; do
            [ -d "$part" ] || continue
            # shellcheck disable=SC2086  # the flags are words of their own
            lines "$root/src" "$(basename "$part")" "$c" -x c -std=c11 -D_GNU_SOURCE $simd -I"$root/src"
        done | { if [ -n "$simd" ]; then cat; else grep -v '^kernels/simd/'; fi; }
    } > "$work/lines"
    compile_all < "$work/lines" || return 1
    echo "headers.sh: $(wc -l < "$work/lines") compilations"
    [ -s "$work/lines" ]
}

must_refuse() {
    if check "$work/tree" > "$work/log" 2>&1; then
        echo "headers.sh: not refused: $1"
        exit 1
    fi
    grep -q "^headers.sh: $1 fails" "$work/log" || { cat "$work/log"; exit 1; }
}

if [ "${1-}" = --self-test ]; then
    mkdir -p "$work/tree/include/peft" "$work/tree/src/core"
    echo 'int peft_one(void);' > "$work/tree/include/peft/one.h"
    echo 'bool pf_two(size_t n);' > "$work/tree/src/core/two.h"
    must_refuse core/two.h
    printf '#include <stdbool.h>\n#include <stddef.h>\nbool pf_two(size_t n);\n' > "$work/tree/src/core/two.h"
    check "$work/tree" > "$work/log"
    echo 'int peft_one(int class);' > "$work/tree/include/peft/one.h"
    if command -v g++ > /dev/null || command -v clang++ > /dev/null; then must_refuse peft/one.h; fi
else
    check "${1:-$project}"
fi
