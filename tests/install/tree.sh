#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs a build for the tests of this folder: TREE/shared has all files, TREE/static has no shared libraries. Both
# are moved or copied after the installation, which must not matter.
#   tree.sh BUILD TREE
set -eu
build=$1 tree=$2
rm -rf "$tree"
mkdir -p "$tree"
cmake --install "$build" --prefix "$tree/first" > "$tree/log"
mv "$tree/first" "$tree/shared"
cp -r "$tree/shared" "$tree/static"
find "$tree/static" -name 'libpeft*.so*' -delete
[ -n "$(find "$tree/shared" -name libpeft.so)" ] && [ -n "$(find "$tree/static" -name libpeft.a)" ]
