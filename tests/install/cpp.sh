#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the program of cpp/ with the installed peft.hpp and io.hpp, by CXX and, if installed, clang++, as C++17 and
# C++20 with strict warnings, and runs it.
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
flags=$(pkg-config --cflags --libs peft-io)
for compiler in "$@" clang++; do
    command -v "$compiler" > found || continue
    for standard in c++17 c++20; do
        # shellcheck disable=SC2086  # flags are meant to be split
        "$compiler" -std=$standard -O1 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror "$here"/*.cpp -o handles \
            $flags -Wl,-rpath,"$(pkg-config --variable=libdir peft)"
        ./handles
    done
done
