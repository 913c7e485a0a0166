#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each header compiles by itself without a warning: public headers as C99, C11 and C++11 with gcc and clang as far as
# they are installed, headers of src as C11 with one of them.
#   headers.sh [ROOT]
#   headers.sh --self-test   a header that needs another one before it, or is not valid C++, must be refused
set -eu
project=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Reads lines "HEADER COMPILER FLAGS.." and compiles each header, several at a time; prints those that fail.
compile_all() {
    # shellcheck disable=SC2016  # the dollars are the inner shell's
    xargs -P "$(nproc)" -I '{}' sh -c '
        set -- {}
        header=$1
        shift
        echo "#include <$header>" | "$@" -Wall -Wextra -Werror -fsyntax-only - ||
            { echo "headers.sh: $header fails with $*"; exit 255; }'
}

# Prints such lines for the headers of $1/$2; the other arguments are compiler and flags. Nothing if the compiler is not
# installed.
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
        bytes='-mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512vnni -mfma -DPK_ISA=avx512_vnni'
        dot='-mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512bf16 -mfma -DPK_ISA=avx512_bf16'
        case $("$c" -dumpmachine) in x86_64*) ;; *) simd= ;; esac
        for part in "$root"/src/*; do
            [ -d "$part" ] || continue
            [ "$(basename "$part")" != mpi ] || continue    # needs <mpi.h>; each file there includes its header first
            # shellcheck disable=SC2086  # the flags are words of their own
            lines "$root/src" "$(basename "$part")" "$c" -x c -std=c11 -D_GNU_SOURCE $simd -I"$root/src"
        done | if [ -n "$simd" ]; then sed "/^kernels\/dot\//s/$simd/$dot/; /^kernels\/bytes\//s/$simd/$bytes/"
          else grep -vE '^kernels/(simd|dot|bytes|tiles|rounded|whole|attention)/'; fi
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
