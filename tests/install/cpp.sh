#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the program of cpp/ with the installed peft.hpp and io.hpp, by CXX and, if installed, clang++, as C++17 and
# C++20 with strict warnings; links and runs what the first compiler made of C++17.
#   cpp.sh TREE WORK CXX     TREE: made by tree.sh
set -eu
tree=$(cd "$1" && pwd)/shared work=$2
here=$(cd "$(dirname "$0")" && pwd)/cpp
shift 2
rm -rf "$work"
mkdir -p "$work"
cd "$work"
PKG_CONFIG_PATH=$(dirname "$(find "$tree" -name peft.pc)")
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags peft-io)
link="$(pkg-config --libs peft-io) -Wl,-rpath,$(pkg-config --variable=libdir peft)"
strict="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
# Most of the time goes into reading the headers: one file in place of all reads them once.
printf '#include "%s"\n#undef EXPECT\n' "$here"/*.cpp > all.cpp
for compiler in "$@" clang++; do
    command -v "$compiler" > found || continue
    for standard in c++17 c++20; do
        # shellcheck disable=SC2086  # flags are meant to be split
        if [ -e handles ]; then
            "$compiler" -std=$standard -fsyntax-only $strict $flags all.cpp
        else
            "$compiler" -std=$standard -O1 $strict $flags "$here"/*.cpp -o handles $link
            ./handles
        fi
    done
done
