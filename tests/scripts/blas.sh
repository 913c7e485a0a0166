#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A BLAS outside the system's folders: peft.pc and the installed library refer to it, linked (PEFT_BLAS=link) or opened
# at run time (PEFT_BLAS=dlopen). CMake refuses a static library with dlopen, and other values of PEFT_BLAS.
#   blas.sh [CC]
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

# $1: the library, $2: the value of PEFT_BLAS. Writes $work/log and $work/build.
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
if grep -q "lown" "$work/build/peft.pc"; then echo "blas.sh: peft.pc links the opened BLAS"; exit 1; fi
must_have "$work/build/build.ninja" "PK_BLAS_FIRST=.*$work/lib/libown.so"
if configure libown.a dlopen; then echo "blas.sh: CMake accepted a static library with PEFT_BLAS=dlopen"; exit 1; fi
must_have "$work/log" "set PEFT_BLAS=link"
if configure libown.so static; then echo "blas.sh: CMake accepted PEFT_BLAS=static"; exit 1; fi
must_have "$work/log" "expected dlopen or link"

# A BLAS in CMAKE_PREFIX_PATH has precedence over the system's, under any of the names that CMake looks for.
mkdir -p "$work/prefix/lib" "$work/prefix/include"
cp "$work/lib/libown.so" "$work/prefix/lib/libopenblas.so"
echo 'void cblas_sgemm(void);' > "$work/prefix/include/cblas.h"
rm -rf "$work/build"
cmake -G Ninja -S "$root" -B "$work/build" -DCMAKE_C_COMPILER="$cc" -DPEFT_TESTS=OFF -DPEFT_EXAMPLES=OFF -DPEFT_IO=OFF \
    -DCMAKE_PREFIX_PATH="$work/prefix" -DPEFT_BLAS=link > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
must_have "$work/build/peft.pc" "-L$work/prefix/lib -lopenblas"
must_have "$work/build/CMakeCache.txt" "PEFT_CBLAS_INCLUDE:PATH=$work/prefix/include"
must_have "$work/build/build.ninja" "$work/prefix/lib/libopenblas.so"
# The installed library has that folder in its run path.
must_have "$work/build/cmake_install.cmake" "$work/prefix/lib"
