#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares the interface with the baseline in this folder. Additions pass; other changes fail: a symbol that is gone or
# has another version node, another signature, struct or enumerator value, another text of a macro, a missing header,
# or one that no longer declares what it declared when it is included alone.
# A program compiled with the baseline's headers must run with the libraries of the build.
# The systems interface (peft/sys) may change if PEFT_METHOD_ABI changes too.
#   check.sh [--strict] ROOT BUILD [CC]     BUILD: "-": check headers and version maps only
# Without --strict, changes are printed but permitted if the baseline's major version is 0 or is not the project's.
set -eu
export LC_ALL=C
strict=
if [ "$1" = --strict ]; then strict=1; shift; fi
root=$(cd "$1" && pwd) build=$2 cc=${3:-cc} cxx=${CXX:-c++}
here=$(cd "$(dirname "$0")" && pwd)
baseline=$here/baseline
command -v abidiff > /dev/null || { echo "check.sh: abidiff is missing (Debian: abigail-tools)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/probe.sh" "$root" "$work/now" "$cc"
mkdir "$work/old"
tar -xzf "$baseline/headers.tar.gz" -C "$work/old"

old_version=$(cat "$baseline/version") new_version=$(cat "$work/now/version")
if [ "${old_version%%.*}" -gt 0 ] && [ "${old_version%%.*}" = "${new_version%%.*}" ]; then strict=1; fi

# Prints the lines of the sorted file $1 that $2 does not have, with the prefix "$3"; fails if there are any.
none_missing() {
    comm -23 "$1" "$2" > "$work/gone"
    sed "s|^|$3 |" "$work/gone"
    [ ! -s "$work/gone" ]
}
# Compares types and functions of $1 (core, io or sys).
types() {
    abidiff --no-default-suppression --no-added-syms --no-show-locs "$baseline/$1.abi" "$work/now/$1.abi"
}
# What a program sees that includes header $2 of tree $1 alone; as names: "f NAME", "t NAME", "m NAME" for functions,
# typedefs and macros.
text() { echo "#include <$2>" | "$cc" -std=gnu11 -E -dD -P -I"$1/include" -x c -; }
names() {
    "$here/declarations.sh" "$1/include" "$cc" "$2" | cut -d ' ' -f 1,2 | grep -v '^d' || true
    echo "#include <$2>" | "$cc" -std=gnu11 -E -dM -I"$1/include" -x c - |
        sed -n 's/^#define \(PEFT_[A-Z0-9_]*\).*/m \1/p' | grep -v '_H$' || true
}
# The headers that differ in the two trees, or include one that does, at any depth: to preprocess all takes longer.
touched() {
    (cd "$root/include" && find peft -name '*.h' | sort) | while read -r header; do
        cmp -s "$work/old/include/$header" "$root/include/$header" || echo "$header"
    done > "$work/touched"
    while :; do
        sed 's/.*/#include <&>/' "$work/touched" > "$work/includes"
        (cd "$root/include" && grep -rlFf "$work/includes" --include='*.h' peft) | sort -u - "$work/touched" \
            > "$work/more"
        cmp -s "$work/more" "$work/touched" && break
        mv "$work/more" "$work/touched"
    done
    cat "$work/touched"
}
headers() { # $1: pattern of header paths
    gone=0
    (cd "$work/old/include" && find peft -name '*.h*' | grep "$1" | sort) > "$work/old_headers"
    (cd "$root/include" && find peft -name '*.h*' | sort) > "$work/now_headers"
    none_missing "$work/old_headers" "$work/now_headers" "header is gone:" || gone=1
    comm -12 "$work/old_headers" "$work/now_headers" > "$work/both_headers"
    for header in $(touched | comm -12 - "$work/both_headers"); do
        text "$work/old" "$header" > "$work/old_text"
        text "$root" "$header" | cmp -s - "$work/old_text" && continue
        names "$work/old" "$header" | sort > "$work/old_names"
        names "$root" "$header" | sort > "$work/now_names"
        none_missing "$work/old_names" "$work/now_names" "$header no longer gives:" || gone=1
    done
    return $gone
}
# The baseline's declarations of functions and callbacks behind today's headers: a compiler refuses those that differ,
# also by a const, which abidiff does not count. $1 a pattern of the headers that declare them.
redeclared() {
    (cd "$root/include" && find peft -name '*.h' | sort | sed 's/.*/#include <&>/') > "$work/both.c"
    # shellcheck disable=SC2046  # the list is meant to be split
    "$here/declarations.sh" "$work/old/include" "$cc" $(cd "$work/old/include" && find peft -name '*.h' | grep "$1") |
        sed -n 's/^[fd] [^ ]* \(.*\)/\1;/p' >> "$work/both.c"
    "$cc" -std=gnu2x -w -fsyntax-only -I"$root/include" "$work/both.c" 2> "$work/errors" && return 0
    sed -n 's/.*error: /declared in another way: /p' "$work/errors"
    return 1
}

bad=0
for part in core io; do
    none_missing "$baseline/$part.symbols" "$work/now/$part.symbols" "symbol is gone or has another version node:" ||
        bad=1
    types $part || bad=1
done
none_missing "$baseline/stable.macros" "$work/now/stable.macros" "macro is gone or changed:" || bad=1
headers '^peft/[a-z_]*\.h' || bad=1
redeclared '^peft/[a-z_]*\.h$' || bad=1

# The C++ headers still have all that the baseline's program uses of them, which is every class.
if command -v "$cxx" > /dev/null; then
    "$cxx" -std=c++17 -w -fsyntax-only -I"$root/include" "$baseline/classes.cpp" 2> "$work/errors" ||
        { sed -n 's/.*error: /C++ headers: /p' "$work/errors"; bad=1; }
fi

sys=0
none_missing "$baseline/sys.symbols" "$work/now/sys.symbols" "symbol is gone or has another version node:" || sys=1
types sys || sys=1
none_missing "$baseline/sys.macros" "$work/now/sys.macros" "macro is gone or changed:" || sys=1
headers '^peft/sys/' || sys=1
[ $bad -eq 1 ] || redeclared . || sys=1
if [ $sys -eq 1 ] && cmp -s "$baseline/method_abi" "$work/now/method_abi"; then
    echo "check.sh: the systems interface changed and PEFT_METHOD_ABI did not: raise PEFT_METHOD_VERSION"
    bad=1
elif [ $sys -eq 1 ]; then
    echo "check.sh: the systems interface changed, and PEFT_METHOD_ABI with it: permitted"
fi

# The libraries of the build export the baseline's symbols, and the program of the baseline runs.
if [ "$build" != - ]; then
    build=$(cd "$build" && pwd)
    sed 's/\(.*\) \(.*\)/\1@@\2/' "$baseline/core.symbols" "$baseline/io.symbols" | sort > "$work/wanted"
    nm -D --defined-only "$build/libpeft.so" "$build/src/io/libpeft-io.so" | awk 'NF == 3 { print $3 }' | sort \
        > "$work/exported"
    none_missing "$work/wanted" "$work/exported" "no library exports" || bad=1
    if "$cc" -std=c11 -I"$work/old/include" "$baseline/program.c" -o "$work/program" -L"$build" -lpeft \
        -L"$build/src/io" -lpeft-io -Wl,-rpath,"$build:$build/src/io" -Wl,-z,now; then
        "$work/program" || { echo "check.sh: a program compiled with the headers of $old_version fails"; bad=1; }
    else
        bad=1
    fi
fi

if [ $bad -eq 0 ]; then
    echo "check.sh: the interface of $new_version has all of the baseline, $old_version"
elif [ -n "$strict" ]; then
    echo "check.sh: the interface differs from the baseline, $old_version, in more than additions"
    exit 1
else
    echo "check.sh: the interface of $new_version differs from the baseline, $old_version, which is permitted here"
fi
