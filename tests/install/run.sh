#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs a build into a folder, moves it elsewhere, and builds and runs programs against it there: C and C++, with
# CMake and with pkg-config, shared and static. run.sh BUILD [CC CXX]
set -eu
build=$1 cc=${2:-cc} cxx=${3:-c++}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/first" > "$work/log"
mv "$work/first" "$work/shared"
cp -r "$work/shared" "$work/static"
find "$work/static" -name 'libpeft*.so*' -delete
pc=$(cd "$work/shared" && dirname "$(find . -name peft.pc)")
lib=$work/shared/$(dirname "$pc")

# $1 the program, $2 shared or static
run_it() {
    if [ "$2" = shared ]; then
        ldd "$1" | grep -q 'libpeft\.so\.0 => not found' || { echo "$1 does not ask for libpeft.so.0"; exit 1; }
        LD_LIBRARY_PATH=$lib "$1"
    else
        ldd "$1" | grep libpeft && { echo "$1 is not static"; exit 1; }
        "$1"
    fi
}

for kind in shared static; do
    suffix=$([ $kind = shared ] || echo _static)
    cmake -G Ninja -S "$here" -B "$work/cmake_$kind" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" \
        -DCMAKE_PREFIX_PATH="$work/shared" -DSUFFIX="$suffix" -DCMAKE_SKIP_RPATH=ON > "$work/log" ||
        { cat "$work/log"; exit 1; }
    cmake --build "$work/cmake_$kind" > "$work/log" || { cat "$work/log"; exit 1; }
    PKG_CONFIG_PATH=$work/$kind/$pc
    export PKG_CONFIG_PATH
    static=$([ $kind = shared ] || echo --static)
    # shellcheck disable=SC2086  # nothing, or one word
    flags=$(pkg-config $static --cflags --libs peft-io)
    # shellcheck disable=SC2086  # flags are meant to be split
    "$cc" -std=c99 "$here/consumer.c" -o "$work/c_$kind" $flags
    # shellcheck disable=SC2086
    "$cxx" -std=c++11 "$here/consumer.cpp" -o "$work/cpp_$kind" $flags
    for program in "$work/cmake_$kind/consumer_c" "$work/cmake_$kind/consumer_cpp" "$work/c_$kind" "$work/cpp_$kind"; do
        run_it "$program" $kind
    done
done
