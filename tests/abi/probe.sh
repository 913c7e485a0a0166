#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the interface of a source tree to files that can be compared.
#   probe.sh ROOT OUT [CC]
# OUT/core.abi, io.abi, sys.abi   types and functions of libpeft, libpeft-io and the systems interface (peft/sys), as
#                                 abidw of libabigail writes them
# OUT/core.symbols, ...           "NAME NODE": symbols and their version nodes, from the version maps
# OUT/stable.macros, sys.macros   macros of the headers and their texts
# OUT/method_abi, version         the value of PEFT_METHOD_ABI; the version of the project
#
# abidw reads shared libraries with debug information. Compiling the library for that would take minutes; instead a
# library of empty functions is made from the declarations in the headers. Their types are right, as the compiler
# refuses a definition that differs from its declaration. A further function for each typedef takes a pointer to it, so
# that types which no function uses (members of structs, macros) are compared too.
set -eu
export LC_ALL=C
root=$(cd "$1" && pwd) out=$2 cc=${3:-cc}
mkdir -p "$out"
out=$(cd "$out" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

headers() { (cd "$root/include" && find peft -name '*.h' | sort) | grep "$1"; }
includes() { headers "$1" | sed 's/.*/#include <&>/'; }
{ includes '^peft/[a-z_]*\.h$' || true; } > "$work/stable.c"
{ cat "$work/stable.c"; includes '^peft/sys/'; } > "$work/all.c"

# The symbols of a version map as "NAME NODE".
symbols() {
    awk '/^[A-Za-z0-9_.]+ \{/ { node = $1 }
        /^    peft_[a-z0-9_]+;/ { sub(/;/, "", $1); print $1, node }' "$1" | sort
}
symbols "$root/src/peft.map" > "$work/peft"
grep -v '^peft_sys_' "$work/peft" > "$out/core.symbols"
grep '^peft_sys_' "$work/peft" > "$out/sys.symbols" || true
symbols "$root/src/io/peft_io.map" > "$out/io.symbols"

# shellcheck disable=SC2046  # the lists are meant to be split
{
    "$here/declarations.sh" "$root/include" "$cc" $(headers .) > "$work/parsed"
    "$here/declarations.sh" "$root/include" "$cc" $(headers '^peft/[a-z_]*\.h$') | sed -n 's/^t //p' |
        grep -v '^peft_sys_' > "$work/types"
}
sed -n 's/^t //p' "$work/parsed" | grep -vxFf "$work/types" > "$work/sys_types" || true

# $1: core, io or sys; $2: file with the #include lines; $3: list of types
describe() {
    cut -d ' ' -f 1 "$out/$1.symbols" > "$work/names"
    awk 'NR == FNR { want[$1] = 1; next }
        $1 == "f" && ($2 in want) { sub(/^f [^ ]+ /, ""); print $0 " { __builtin_trap(); }" }' \
        "$work/names" "$work/parsed" > "$work/functions"
    if [ "$(wc -l < "$work/functions")" -ne "$(wc -l < "$work/names")" ]; then
        echo "probe.sh: $(wc -l < "$work/functions") declarations for the $(wc -l < "$work/names") symbols of $1" >&2
        exit 1
    fi
    {
        cat "$2" "$work/functions"
        sed 's/.*/void peft_type_of_&(& *p) { }/' "$3"
    } > "$work/$1.c"
    (cd "$work" &&                                      # a relative path, so that the output does not depend on $work
        "$cc" -std=gnu2x -w -g -O0 -gdwarf-4 -fPIC -shared -nostdlib -I"$root/include" "$1.c" -o "$1.so" &&
        abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed \
            --type-id-style hash --out-file "$out/$1.abi" "$1.so")
}
describe core "$work/stable.c" "$work/types"
: > "$work/none"
describe io "$work/stable.c" "$work/none"
describe sys "$work/all.c" "$work/sys_types"

macros() {
    "$cc" -std=gnu11 -E -dM -I"$root/include" "$1" | grep '^#define PEFT_' |
        grep -vE '_H ?$|^#define PEFT_VERSION' | sort
}
macros "$work/stable.c" > "$out/stable.macros"
macros "$work/all.c" | grep -vxFf "$out/stable.macros" > "$out/sys.macros" || true
{
    cat "$work/all.c"
    echo '#include <stdio.h>'
    echo 'int main(void) { printf("%llx", (unsigned long long)PEFT_METHOD_ABI); return 0; }'
} > "$work/value.c"
"$cc" -std=gnu11 -I"$root/include" "$work/value.c" -o "$work/value"
echo "$("$work/value")" > "$out/method_abi"
for part in MAJOR MINOR PATCH; do
    sed -n "s/^#define PEFT_VERSION_$part \([0-9]*\)$/\1/p" "$root/include/peft/status.h"
done | paste -sd . > "$out/version"
grep -qxE '[0-9]+\.[0-9]+\.[0-9]+' "$out/version" || { echo "probe.sh: no version in peft/status.h" >&2; exit 1; }
