#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds and runs a program with the installed libraries: as C and C++, with CMake and pkg-config, shared and static,
# with -fvisibility=hidden and --as-needed.
#   consumer.sh TREE WORK [CC CXX]     TREE: made by tree.sh
set -eu
tree=$(cd "$1" && pwd) work=$2 cc=${3:-cc} cxx=${4:-c++}
here=$(cd "$(dirname "$0")" && pwd)/consumer
rm -rf "$work"
mkdir -p "$work"
pc=$(cd "$tree/shared" && dirname "$(find . -name peft.pc)")
lib=$tree/shared/$(dirname "$pc")
version=$(PKG_CONFIG_PATH=$tree/shared/$pc pkg-config --modversion peft-io)
major=${version%%.*}

# $1: the program, $2: shared or static
run_it() {
    if [ "$2" = shared ]; then
        ldd "$1" | grep -q "libpeft\.so\.$major => not found" ||
            { echo "$1 does not need libpeft.so.$major"; exit 1; }
        LD_LIBRARY_PATH=$lib "$1"
    else
        ldd "$1" | grep libpeft && { echo "$1 is not static"; exit 1; }
        "$1"
    fi
}

# $1: build folder, $2: shared or static, $3: version for find_package
configure() {
    rm -rf "$1"
    cmake -G Ninja -S "$here" -B "$1" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -DWANTED="$3" \
        -DCMAKE_PREFIX_PATH="$tree/$2" -DSUFFIX="$([ "$2" = shared ] || echo _static)" -DCMAKE_SKIP_RPATH=ON \
        > "$work/log" 2>&1
}

for kind in shared static; do
    configure "$work/cmake_$kind" $kind "${version%.*}" || { cat "$work/log"; exit 1; }
    cmake --build "$work/cmake_$kind" > "$work/log" || { cat "$work/log"; exit 1; }
    PKG_CONFIG_PATH=$tree/$kind/$pc
    export PKG_CONFIG_PATH
    static=$([ $kind = shared ] || echo --static)
    # shellcheck disable=SC2086  # nothing, or one word
    flags=$(pkg-config $static --cflags --libs peft-io)
    strict="-fvisibility=hidden -Wl,--as-needed -Wl,--no-undefined"
    # shellcheck disable=SC2086  # flags are meant to be split
    "$cc" -std=c99 $strict "$here/consumer.c" -o "$work/c_$kind" $flags
    # shellcheck disable=SC2086
    "$cxx" -std=c++11 $strict "$here/consumer.cpp" -o "$work/cpp_$kind" $flags
    for program in "$work/cmake_$kind/consumer_c" "$work/cmake_$kind/consumer_cpp" "$work/c_$kind" "$work/cpp_$kind"; do
        run_it "$program" $kind
    done
done

# find_package refuses versions with another interface, and names the version that it found.
next=$((major + 1))
for wanted in "$next.0" "$major.99" "$([ "$major" -gt 0 ] && echo $((major - 1)).0 || echo 9.9)"; do
    if configure "$work/refused" shared "$wanted"; then
        echo "consumer.sh: find_package($wanted) accepted $version"
        exit 1
    fi
    grep -q "version: $version" "$work/log" || { cat "$work/log"; exit 1; }
done

# A program that calls only libpeft-io is not linked with libpeft: libpeft-io finds libpeft in its own folder.
cat > "$work/io.c" <<'CODE'
#include <peft/io.h>
int main(void) { return peft_io_probe(); }
CODE
# peft_io_probe stands for any function of libpeft-io: the first one that frees an object, called with NULL.
first=$("$here/../../scripts/exports.sh" --names io | grep -m 1 '_free$')
sed -i "s/return peft_io_probe()/$first(NULL); return 0/" "$work/io.c"
PKG_CONFIG_PATH=$tree/shared/$pc
# shellcheck disable=SC2046
"$cc" -std=c99 "$work/io.c" -o "$work/io" -Wl,--as-needed -Wl,-rpath,"$lib" $(pkg-config --cflags --libs peft-io) \
    -Wl,--allow-shlib-undefined
if readelf -d "$work/io" | grep -q 'NEEDED.*libpeft\.so'; then echo "consumer.sh: io.c needs libpeft itself"; exit 1; fi
env -u LD_LIBRARY_PATH "$work/io"
