#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Folders of the installation: DESTDIR is put before the prefix, and a program links and runs with the files there;
# peft.pc gives the prefix relative to its own folder, for lib and for lib/<triplet>, and as an absolute path if that of
# the libraries is absolute.
#   layout.sh BUILD WORK [CC]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$1 work=$2 cc=${3:-cc}
rm -rf "$work"
mkdir -p "$work"
work=$(cd "$work" && pwd)

DESTDIR=$work/dest cmake --install "$build" --prefix /usr/some > "$work/log"
if [ "$(ls "$work/dest")" != usr ] || [ "$(ls "$work/dest/usr")" != some ]; then
    echo "layout.sh: files outside of DESTDIR/usr/some"
    exit 1
fi
echo '#include <peft/peft.h>
int main(void) { return !peft_version_number(); }' > "$work/app.c"
pc=$(dirname "$(find "$work/dest" -name peft.pc)")
# shellcheck disable=SC2046  # flags are meant to be split
PKG_CONFIG_PATH=$pc "$cc" "$work/app.c" -o "$work/app" $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs peft)
LD_LIBRARY_PATH=$(dirname "$pc") "$work/app"
if grep -rl "$work\|$build" "$pc" "$pc/../cmake"; then echo "layout.sh: these files name the build folder"; exit 1; fi

# With CMAKE_INSTALL_LIBDIR=$1, peft.pc must have the prefix $2 and the libdir $3.
libdir() {
    rm -rf "$work/build"
    cmake -G Ninja -S "$root" -B "$work/build" -DCMAKE_C_COMPILER="$cc" -DPEFT_TESTS=OFF -DPEFT_EXAMPLES=OFF \
        -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR="$1" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    for line in "prefix=$2" "libdir=$3"; do
        grep -qxF "$line" "$work/build/peft.pc" ||
            { cat "$work/build/peft.pc"; echo "layout.sh: with $1, peft.pc lacks '$line'"; exit 1; }
    done
}
# shellcheck disable=SC2016  # the dollars are pkg-config's
{
    libdir lib '${pcfiledir}/../..' '${prefix}/lib'
    libdir lib/x86_64-linux-gnu '${pcfiledir}/../../..' '${prefix}/lib/x86_64-linux-gnu'
    libdir /opt/libs /usr /opt/libs
}
