#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libpeft added to another project by add_subdirectory does not change the options, variables and cache of that project,
# adds no tests and programs, and installs nothing. The project's -ffast-math has no effect on libpeft.
#   parent.sh WORK [CC]
#   parent.sh --self-test WORK [CC]     a copy of libpeft that sets a build type and adds a target must be refused
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
configure() { # $1: source tree of libpeft, $2: build folder
    rm -rf "$2"
    cmake -G Ninja -S "$root/tests/install/parent" -B "$2" -DLIBPEFT="$1" -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_C_FLAGS=-ffast-math > "$2.log" 2>&1
}

if [ "$1" = --self-test ]; then
    work=$2 cc=${3:-cc}
    rm -rf "$work"
    mkdir -p "$work/copy"
    cp -r "$root"/CMakeLists.txt "$root"/*.pc.in "$root"/cmake "$root"/src "$root"/include "$work/copy"
    {
        echo 'set(CMAKE_BUILD_TYPE Debug CACHE STRING "" FORCE)'
        echo 'set(OTHER 1 CACHE STRING "")'
        echo 'add_custom_target(check)'
    } >> "$work/copy/CMakeLists.txt"
    if configure "$work/copy" "$work/build"; then echo "parent.sh: not refused"; exit 1; fi
    for line in "CMAKE_BUILD_TYPE is 'Debug', was ''" "new entry OTHER" "target is called check"; do
        grep -q "$line" "$work/build.log" || { echo "parent.sh: not reported: $line"; cat "$work/build.log"; exit 1; }
    done
    exit 0
fi
work=$1 cc=${2:-cc}
rm -rf "$work"
mkdir -p "$work"
configure "$root" "$work/build" || { cat "$work/build.log"; exit 1; }
if grep -qE "^cmake_install|libpeft" "$work/build/libpeft/cmake_install.cmake" &&
    grep -q 'file(INSTALL' "$work/build/libpeft/cmake_install.cmake"; then
    echo "parent.sh: the parent would install libpeft"
    exit 1
fi
# Every compilation of libpeft has -fno-fast-math after the parent's flags.
ninja -C "$work/build" -t compdb > "$work/compdb"
grep '"command":.* -c ' "$work/compdb" > "$work/commands"
[ -s "$work/commands" ]
if grep -v -e '-ffast-math .*-fno-fast-math' "$work/commands"; then
    echo "parent.sh: compiled with -ffast-math"
    exit 1
fi
