#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs check.sh on changed copies of a small source tree: additions must pass, every kind of incompatible change must be
# reported. Each part of check.sh must fail at least one run alone. A last run changes a copy of this source tree.
#   self_test.sh [CC]
set -eu
cc=${1:-cc}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
command -v abidiff > /dev/null || { echo "self_test.sh: abidiff is missing (Debian: abigail-tools)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The small tree: one item for each kind of change.
base=$work/base
mkdir -p "$base/include/peft/sys" "$base/src/io" "$base/tests/abi" "$base/tests/scripts" "$base/tests/install/cpp"
cp "$here"/*.sh "$here/program.c" "$base/tests/abi"
cp "$root/include/peft/export.h" "$root/include/peft/status.h" "$base/include/peft"
cat > "$base/include/peft/sample.h" <<'CODE'
#ifndef PEFT_SAMPLE_H
#define PEFT_SAMPLE_H
#include <peft/export.h>
#include <peft/other.h>
#define PEFT_TEXT 8
#define PEFT_ABSENT 8
typedef enum peft_value { PEFT_VALUE_A = 0, PEFT_VALUE_B = 1 } peft_value;
typedef enum peft_fewer { PEFT_FEWER_A = 0, PEFT_FEWER_B = 1 } peft_fewer;
typedef struct peft_longer { int64_t rows; float scale; } peft_longer;
typedef struct peft_member { int64_t rows; float scale; } peft_member;
typedef struct peft_unnamed { int32_t a, b; } peft_unnamed;
typedef struct peft_absent { int32_t a, b; } peft_absent;
PEFT_API int peft_use(const peft_longer *p, const peft_member *q, peft_value value, peft_fewer fewer);
PEFT_API int peft_node(int64_t n);
PEFT_API int peft_gone(int64_t n);
PEFT_API int peft_parameter(int64_t n);
PEFT_API int peft_parameters(int64_t n);
PEFT_API int peft_returns(int64_t n);
PEFT_API int peft_const(const peft_member *p);
typedef int (*peft_const_fn)(const peft_member *p);
typedef int (*peft_sum_fn)(double *sum);
#endif
CODE
printf '%s\n' '#ifndef PEFT_OTHER_H' '#define PEFT_OTHER_H' '#include <peft/export.h>' \
    'PEFT_API int peft_other(int64_t n);' '#endif' > "$base/include/peft/other.h"
echo '#include <peft/export.h>' > "$base/include/peft/unused.h"
cp "$base/include/peft/unused.h" "$base/include/peft/sys/unused.h"
echo 'namespace peft { struct sample { int rows() const { return 1; } void set_lr() { } }; }' \
    > "$base/include/peft/sample.hpp"
printf '%s\n' '#include <peft/sample.hpp>' 'int main() { peft::sample s; s.set_lr(); return s.rows(); }' \
    > "$base/tests/install/cpp/sample.cpp"
cat > "$base/include/peft/sys/method.h" <<'CODE'
#ifndef PEFT_SYS_METHOD_H
#define PEFT_SYS_METHOD_H
#include <peft/export.h>
#define PEFT_METHOD_VERSION 1u
#define PEFT_METHOD_ABI PEFT_METHOD_VERSION
typedef struct peft_sys_sample { int64_t rows; } peft_sys_sample;
PEFT_API int peft_sys_one(int64_t n);
#endif
CODE
{
    printf '%s {\nglobal:\n' PEFT_1
    sed -n 's/^PEFT_API int \(peft_[a-z]*\)(.*/    \1;/p' "$base/include/peft/sample.h"
    printf '};\n\n%s {\nglobal:\n    peft_sys_one;\n} PEFT_1;\n' PEFT_SYS_1
} > "$base/src/peft.map"
printf '%s {\nglobal:\n    peft_other;\n};\n' PEFT_1 > "$base/src/io/peft_io.map"
"$base/tests/abi/update.sh" --force "$cc" > "$work/log"
cp -r "$base" "$work/copy"

change() { # $1: a file, $2: the sed command that changes it
    cp "$work/copy/$1" "$work/before"
    sed -i "$2" "$work/copy/$1"
    if cmp -s "$work/copy/$1" "$work/before"; then echo "self_test.sh: the edit changes nothing: $2"; exit 1; fi
}
# Checks the changed copy, and makes it a copy of the small tree again. $1: pass or fail, $2: what was changed, then the
# messages that must appear. `strict`: the flag for check.sh; `baseline`: the folder with check.sh and the baseline.
strict=--strict baseline=$base/tests/abi
expect() {
    wanted=$1 what=$2 got=pass
    shift 2
    # shellcheck disable=SC2086  # empty: no argument
    "$baseline/check.sh" $strict "$work/copy" - "$cc" > "$work/log" 2>&1 || got=fail
    for message in "^check.sh: " "$@"; do
        grep -q "$message" "$work/log" || got="no message '$message'"
    done
    if [ "$got" != "$wanted" ]; then
        cat "$work/log"
        echo "self_test.sh: $what: expected $wanted: $got"
        exit 1
    fi
    rm -rf "$work/copy"
    cp -r "$base" "$work/copy"
}

h=include/peft/sample.h map=src/peft.map method=include/peft/sys/method.h
expect pass "no change" "has all of the baseline"

change $h 's/^PEFT_API int peft_node.*/&\nPEFT_API int peft_new(void);/'
change $map 's/^    peft_node;/&\n    peft_new;/'
change $h 's/PEFT_VALUE_B = 1/&, PEFT_VALUE_C = 2/'
change $h 's/^#define PEFT_TEXT.*/&\n#define PEFT_NEW 1/'
change $h 's/^typedef struct peft_unnamed.*/&\ntypedef struct peft_more { int a; } peft_more;/'
expect pass "additions" "has all of the baseline"

# Changes that only one part of check.sh reports.
change $map '/^    peft_node;/d; s/^PEFT_SYS_[0-9]* {/PEFT_1.1 {\nglobal:\n    peft_node;\n} PEFT_1;\n&/'
change src/io/peft_io.map 's/^PEFT_1 {/PEFT_2 {/'
expect fail "version nodes" "another version node: peft_node PEFT_1$" "another version node: peft_other PEFT_1$"

change $h '/peft_longer;/s/float scale;/& int more;/'
change $h '/peft_member;/s/float scale;/int scale;/'
change $h 's/int32_t a, b; } peft_unnamed/int32_t a, b, c; } peft_unnamed/'
change $h 's/PEFT_VALUE_B = 1/PEFT_VALUE_B = 2/'
change $h 's/, PEFT_FEWER_B = 1//'
expect fail "types" "struct peft_longer.* changed" "data member insertion" "struct peft_member.* changed" \
    "type of 'float scale' changed" "struct peft_unnamed.* changed" "PEFT_VALUE_B.* from value '1' to '2'" \
    "enumerator deletion" "PEFT_FEWER_B"

change $h 's/PEFT_TEXT 8/PEFT_TEXT 9/'
expect fail "text of a macro" "macro is gone or changed:.*PEFT_TEXT 8"

change $h '/include <peft.other.h>/d'
rm "$work/copy/include/peft/unused.h"
expect fail "headers" "sample.h no longer gives: f peft_other" "header is gone: peft/unused.h"

change $h 's/peft_const(const /peft_const(/'
change $h 's/(\*peft_const_fn)(const /(*peft_const_fn)(/'
change $method 's/PEFT_METHOD_VERSION 1u/PEFT_METHOD_VERSION 99u/'     # so that it is not this interface that fails
# clang names the types of a typedef that differ, and not the typedef.
expect fail "const" "another way: .*peft_const\>" "another way: .*\(peft_const_fn\|int (\*)(const peft_member\)"

change include/peft/sample.hpp 's/void set_lr() { }//'
expect fail "C++ headers" "C++ headers: .*no member named .set_lr"

change $method 's/int64_t rows;/& int64_t columns;/'
expect fail "struct of the systems interface" "data member insertion" "PEFT_METHOD_ABI did not"

rm "$work/copy/include/peft/sys/unused.h"
expect fail "header of the systems interface" "header is gone: peft/sys/unused.h" "PEFT_METHOD_ABI did not"

change $method 's/int64_t rows;/& int64_t columns;/; s/PEFT_METHOD_VERSION 1u/PEFT_METHOD_VERSION 99u/'
expect pass "struct and PEFT_METHOD_ABI" "PEFT_METHOD_ABI with it"

# Changes that several parts report.
change $h '/peft_gone/d'
change $map '/peft_gone/d'
change $h 's/peft_parameter(int64_t n)/peft_parameter(int32_t n)/'
change $h 's/peft_parameters(int64_t n)/peft_parameters(int64_t n, int m)/'
change $h 's/int peft_returns/int64_t peft_returns/'
change $h 's/double \*sum/float *sum/'
change $h '/struct peft_absent/d'
change $h '/PEFT_ABSENT/d'
expect fail "other changes" "symbol is gone.*peft_gone" "no longer gives: f peft_gone" \
    "function int peft_parameter(int64_t)" "another way: .*peft_parameter\>" \
    "function int peft_parameters(int64_t)" "another way: .*peft_parameters" \
    "function int peft_returns(int64_t)" "another way: .*peft_returns" \
    "peft_type_of_peft_sum_fn" "another way: .*\(peft_sum_fn\|int (\*)(double\)" \
    "no longer gives: t peft_absent" "peft_type_of_peft_absent" \
    "macro is gone or changed:.*PEFT_ABSENT" "no longer gives: m PEFT_ABSENT"

# Incompatible changes are permitted below 1.0 and between major versions, and fail within one.
strict=
versions() { # $1: pass or fail, $2: version of the baseline, $3: of the project, $4: the message
    echo "$2" > "$baseline/baseline/version"
    change $h '/PEFT_ABSENT/d'
    echo "$3" | tr . '\n' | paste -d ' ' - - - | while read -r major minor patch; do
        sed -i "s/^\(#define PEFT_VERSION_MAJOR\) .*/\1 $major/; s/^\(#define PEFT_VERSION_MINOR\) .*/\1 $minor/
                s/^\(#define PEFT_VERSION_PATCH\) .*/\1 $patch/" "$work/copy/include/peft/status.h"
    done
    expect "$1" "$2 to $3" "$4"
}
versions pass 0.1.0 0.2.0 "of 0.2.0 differs from the baseline, 0.1.0, which is permitted"
versions pass 0.9.0 1.0.0 "which is permitted"
versions pass 1.4.0 2.0.0 "which is permitted"
versions fail 1.4.0 1.5.0 "differs from the baseline, 1.4.0, in more than additions"

# This source tree and its baseline.
strict=--strict baseline=$here
rm -rf "$work/copy"
mkdir -p "$work/copy/src/io"
cp -r "$root/include" "$work/copy"
cp "$root/src/peft.map" "$work/copy/src"
cp "$root/src/io/peft_io.map" "$work/copy/src/io"
change include/peft/trainer.hpp '/void set_lr/d'
change $method 's/^\(#define PEFT_METHOD_VERSION\) .*/\1 99u/'
change include/peft/peft.h '/include <peft.metrics.h>/d'
expect fail "changes of this source tree" "C++ headers: .*no member named .set_lr" "PEFT_METHOD_ABI with it" \
    "peft.h no longer gives: f peft_metric"
echo "self_test.sh: every incompatible change was reported"
