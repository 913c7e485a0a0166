#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A BLAS in a folder of its own: what is installed names it, linked (PEFT_BLAS=link) or opened; words and libraries that
# cannot be are refused when the build is configured. blas.sh [CC]
set -eu
cc=${1:-cc}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/lib"
echo 'void cblas_sgemm(void) { } void cblas_dgemm(void) { }' > "$work/own.c"
"$cc" -shared -fPIC "$work/own.c" -o "$work/lib/libown.so"
"$cc" -c "$work/own.c" -o "$work/own.o"
ar rc "$work/lib/libown.a" "$work/own.o"

# $1 the library, $2 PEFT_BLAS; the log in $work/log, the build in $work/build
configure() {
    rm -rf "$work/build"
    cmake -G Ninja -S "$root" -B "$work/build" -DCMAKE_C_COMPILER="$cc" -DPEFT_TESTS=OFF -DPEFT_EXAMPLES=OFF \
        -DPEFT_IO=OFF -DPEFT_BLAS_LIBRARY="$work/lib/$1" -DPEFT_BLAS="$2" > "$work/log" 2>&1
}
must_have() {
    grep -q -e "$2" "$1" || { echo "blas.sh: $1 lacks '$2'"; cat "$1"; exit 1; }
}

for library in libown.so libown.a; do
    configure $library link || { cat "$work/log"; exit 1; }
    must_have "$work/build/peft.pc" "-L$work/lib -lown"
    must_have "$work/build/build.ninja" "$work/lib/$library"
done
configure libown.so dlopen || { cat "$work/log"; exit 1; }
must_have "$work/build/peft.pc" "-ldl"
if grep -q "lown" "$work/build/peft.pc"; then echo "blas.sh: peft.pc links what is opened"; exit 1; fi
must_have "$work/build/build.ninja" "PK_BLAS_FIRST=.*$work/lib/libown.so"
if configure libown.a dlopen; then echo "blas.sh: a static library cannot be opened"; exit 1; fi
must_have "$work/log" "set PEFT_BLAS=link"
if configure libown.so static; then echo "blas.sh: PEFT_BLAS=static was taken"; exit 1; fi
must_have "$work/log" "expected dlopen or link"

# A prefix of CMAKE_PREFIX_PATH comes before the system's folders, under any of the names that are looked for.
mkdir -p "$work/prefix/lib" "$work/prefix/include"
cp "$work/lib/libown.so" "$work/prefix/lib/libopenblas.so"
echo 'void cblas_sgemm(void);' > "$work/prefix/include/cblas.h"
rm -rf "$work/build"
cmake -G Ninja -S "$root" -B "$work/build" -DCMAKE_C_COMPILER="$cc" -DPEFT_TESTS=OFF -DPEFT_EXAMPLES=OFF -DPEFT_IO=OFF \
    -DCMAKE_PREFIX_PATH="$work/prefix" -DPEFT_BLAS=link > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
must_have "$work/build/peft.pc" "-L$work/prefix/lib -lopenblas"
must_have "$work/build/CMakeCache.txt" "PEFT_CBLAS_INCLUDE:PATH=$work/prefix/include"
must_have "$work/build/build.ninja" "$work/prefix/lib/libopenblas.so"
# The installed library finds it there by itself.
must_have "$work/build/cmake_install.cmake" "$work/prefix/lib"
