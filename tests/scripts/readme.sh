#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The C program in README.md compiles without a warning and links. readme.sh BUILD [CC]
set -eu
build=$1 cc=${2:-cc}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$root/README.md" > "$work/readme.c"
grep -q 'int main' "$work/readme.c"
"$cc" -std=c11 -Wall -Wextra -Werror "$work/readme.c" -o "$work/readme" -I"$root/include" \
    -L"$build" -L"$build/src/io" -lpeft-io -lpeft -Wl,-rpath-link,"$build"
