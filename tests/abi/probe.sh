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
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

includes() { (cd "$root/include" && find peft -name '*.h' | sort) | grep "$1" | sed 's/.*/#include <&>/'; }
{ includes '^peft/[a-z_]*\.h$' || true; } > "$work/stable.c"
{ cat "$work/stable.c"; includes '^peft/sys/'; } > "$work/all.c"
expand() { "$cc" -std=gnu11 -E -P "$@"; }

# The symbols of a version map as "NAME NODE".
symbols() {
    awk '/^[A-Z0-9_]+ \{/ { node = $1 } /^    peft_[a-z0-9_]+;/ { sub(/;/, "", $1); print $1, node }' "$1" | sort
}
symbols "$root/src/peft.map" > "$work/peft"
grep -v '^peft_sys_' "$work/peft" > "$out/core.symbols"
grep '^peft_sys_' "$work/peft" > "$out/sys.symbols" || true
symbols "$root/src/io/peft_io.map" > "$out/io.symbols"

# Reads preprocessed headers; prints "f NAME DECLARATION" for each exported function and "t NAME" for each typedef.
parse() {
    awk 'BEGIN { RS = "\001" } {
        gsub(/[ \t\n]+/, " ")
        mark = "__attribute__((visibility(\"default\")))"
        rest = $0
        while ((start = index(rest, mark)) > 0) {
            rest = substr(rest, start + length(mark))
            if (!match(rest, /peft_[a-z0-9_]+ ?\(/)) continue
            name = substr(rest, RSTART, RLENGTH)
            sub(/ ?\($/, "", name)
            depth = 1
            for (i = RSTART + RLENGTH; depth > 0 && i <= length(rest); i++) {
                c = substr(rest, i, 1)
                depth += (c == "(") - (c == ")")
            }
            print "f", name, substr(rest, 1, i - 1)
        }
        rest = $0
        while (match(rest, /typedef /)) {
            rest = substr(rest, RSTART + RLENGTH)
            depth = 0
            for (i = 1; i <= length(rest); i++) {
                c = substr(rest, i, 1)
                depth += (c == "{") - (c == "}")
                if (c == ";" && depth == 0) break
            }
            text = substr(rest, 1, i - 1)
            sub(/\{.*\}/, "", text)
            if (match(text, /\( ?\* ?peft_[a-z0-9_]+/)) text = substr(text, RSTART, RLENGTH)
            else sub(/ ?[\[(].*/, "", text)
            if (!match(text, /peft_[a-z0-9_]+ ?$/)) continue
            name = substr(text, RSTART, RLENGTH)
            sub(/ $/, "", name)
            print "t", name
        }
    }'
}
expand -I"$root/include" "$work/all.c" | parse | sort -u > "$work/parsed"
expand -I"$root/include" "$work/stable.c" | parse | sort -u | sed -n 's/^t //p' | grep -v '^peft_sys_' > "$work/types"
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
sed -n 's/^project(peft VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt" > "$out/version"
