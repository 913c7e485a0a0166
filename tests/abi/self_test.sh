#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs check.sh on changed copies of this source tree: additions must pass, every kind of incompatible change must fail.
#   self_test.sh [CC]
set -eu
cc=${1:-cc}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
command -v abidiff > /dev/null || { echo "self_test.sh: abidiff is missing (Debian: abigail-tools)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The first copy, with two headers of this test, becomes the baseline of the others.
mkdir -p "$work/base/tests" "$work/base/src/io"
cp -r "$root/include" "$work/base"
cp "$root/src/peft.map" "$work/base/src"
cp "$root/src/io/peft_io.map" "$work/base/src/io"
cp -r "$here" "$work/base/tests/abi"
mkdir -p "$work/base/tests/scripts" "$work/base/tests/install"
cp -r "$root/tests/install/cpp" "$work/base/tests/install"
cat > "$work/base/include/peft/sample.h" <<'CODE'
#ifndef PEFT_SAMPLE_H
#define PEFT_SAMPLE_H
#include <peft/export.h>
#define PEFT_SAMPLE_MAX 8
typedef enum peft_sample_kind { PEFT_SAMPLE_A = 0, PEFT_SAMPLE_B = 1 } peft_sample_kind;
typedef struct peft_sample { int64_t rows; float scale; } peft_sample;
typedef struct peft_unnamed { int32_t a, b; } peft_unnamed;
PEFT_API int peft_sample_one(const peft_sample *p, peft_sample_kind kind);
PEFT_API int peft_sample_two(int64_t n);
typedef int (*peft_sample_fn)(const peft_sample *p, double *sum);
#include <peft/metrics.h>
#endif
CODE
sed -i 's/^PEFT_1 {$/&\nglobal:\n    peft_sample_one;\n    peft_sample_two;/' "$work/base/src/peft.map"
cat > "$work/base/include/peft/sys/sample.h" <<'CODE'
#ifndef PEFT_SYS_SAMPLE_H
#define PEFT_SYS_SAMPLE_H
#include <peft/sys/method.h>
typedef struct peft_sys_sample { int64_t rows; } peft_sys_sample;
#endif
CODE
"$work/base/tests/abi/update.sh" --force "$cc" > "$work/log"

# $1: pass or fail, $2: part of the message, or unchanged, $3 and $4: a file and the sed command for it, $5 and $6: a
# second file and command.
try() {
    rm -rf "$work/copy"
    cp -r "$work/base" "$work/copy"
    sed -i "$4" "$work/copy/$3"
    if [ "$2" != unchanged ] && cmp -s "$work/copy/$3" "$work/base/$3"; then
        echo "self_test.sh: the edit changes nothing: $4"
        exit 1
    fi
    [ -z "${5-}" ] || sed -i "$6" "$work/copy/$5"
    got=pass
    case $3 in *.hpp) cxx=${CXX:-c++} ;; *) cxx=none ;; esac  # check.sh leaves the C++ headers out without a compiler
    CXX=$cxx "$work/base/tests/abi/check.sh" --strict "$work/copy" - "$cc" > "$work/log" 2>&1 || got=fail
    grep -q "^check.sh: " "$work/log" || { cat "$work/log"; echo "self_test.sh: check.sh did not finish: $4"; exit 1; }
    if [ $got != "$1" ] || { [ "$2" != unchanged ] && ! grep -qi "$2" "$work/log"; }; then
        cat "$work/log"
        echo "self_test.sh: '$4' on $3: $got, expected $1 with '$2'"
        exit 1
    fi
}
h=include/peft/sample.h
map=src/peft.map
try pass unchanged $h ''
try pass "has all of the baseline" $h 's/^PEFT_API int peft_sample_two.*/&\nPEFT_API int peft_sample_three(void);/' \
    $map 's/^    peft_sample_two;/&\n    peft_sample_three;/'
try pass "has all of the baseline" $h 's/PEFT_SAMPLE_B = 1/&, PEFT_SAMPLE_C = 2/'
try pass "has all of the baseline" $h 's/^#define PEFT_SAMPLE_MAX.*/&\n#define PEFT_SAMPLE_MIN 1/'
try pass "has all of the baseline" $h \
    's/^typedef struct peft_unnamed.*/&\ntypedef struct peft_more { int a; } peft_more;/'
try fail "symbol is gone.*peft_sample_two" $h '/peft_sample_two/d' $map '/peft_sample_two/d'
try fail "peft_sample_two" $h 's/peft_sample_two(int64_t n)/peft_sample_two(int32_t n)/'
try fail "peft_sample_two" $h 's/peft_sample_two(int64_t n)/peft_sample_two(int64_t n, int m)/'
try fail "peft_sample_two" $h 's/int peft_sample_two/int64_t peft_sample_two/'
try fail "declared in another way" $h 's/peft_sample_one(const peft_sample/peft_sample_one(peft_sample/'
try fail "declared in another way" $h 's/(\*peft_sample_fn)(const /(*peft_sample_fn)(/'
try fail "peft_sample_fn" $h 's/double \*sum/float *sum/'
try fail "sample.h no longer gives: f peft_metric" $h '/include <peft.metrics.h>/d'
try fail "data member insertion" $h 's/float scale;/& int more;/'
try fail "peft_sample" $h 's/float scale;/int scale;/'
try fail "peft_unnamed" $h 's/int32_t a, b;/int32_t a, b, c;/'
try fail "peft_unnamed" $h '/struct peft_unnamed/d'
try fail "PEFT_SAMPLE_B" $h 's/PEFT_SAMPLE_B = 1/PEFT_SAMPLE_B = 2/'
try fail "PEFT_SAMPLE_B" $h 's/, PEFT_SAMPLE_B = 1//'
try fail "macro.*PEFT_SAMPLE_MAX" $h 's/PEFT_SAMPLE_MAX 8/PEFT_SAMPLE_MAX 9/'
try fail "macro.*PEFT_SAMPLE_MAX" $h '/PEFT_SAMPLE_MAX/d'
try fail "another version node" $map \
    '/^    peft_sample_two;/d; s/^PEFT_SYS_[0-9]* {/PEFT_1.1 {\nglobal:\n    peft_sample_two;\n} PEFT_1;\n&/'
try fail "another version node" $map 's/^PEFT_1 {/PEFT_2 {/; s/} PEFT_1;/} PEFT_2;/'
s=include/peft/sys/sample.h
try fail "C++ headers: .*no member named .set_lr" include/peft/trainer.hpp "/void set_lr/d"
try fail "PEFT_METHOD_ABI did not" $s 's/int64_t rows;/& int64_t columns;/'
try pass "PEFT_METHOD_ABI with it" $s 's/int64_t rows;/& int64_t columns;/' include/peft/sys/method.h \
    's/^\(#define PEFT_METHOD_VERSION\) .*/\1 99u/'
rm "$work/base/include/peft/sys/sample.h"
cp -r "$work/base" "$work/gone"
if "$work/base/tests/abi/check.sh" --strict "$work/gone" - "$cc" > "$work/log" 2>&1; then exit 1; fi
grep -q "header is gone: peft/sys/sample.h" "$work/log"

# Incompatible changes are permitted below 1.0 and between major versions, and fail within one.
check_versions() { # $1: pass or fail, $2: version of the baseline, $3: of the project
    echo "$2" > "$work/base/tests/abi/baseline/version"
    rm -rf "$work/copy"
    cp -r "$work/base" "$work/copy"
    sed -i '/PEFT_SAMPLE_MAX/d' "$work/copy/$h"
    part=1
    for name in MAJOR MINOR PATCH; do
        number=$(echo "$3" | cut -d . -f $part)
        sed -i "s/^\(#define PEFT_VERSION_$name\) .*/\1 $number/" "$work/copy/include/peft/status.h"
        part=$((part + 1))
    done
    got=pass
    "$work/base/tests/abi/check.sh" "$work/copy" - "$cc" > "$work/log" 2>&1 || got=fail
    [ $got = "$1" ] || { cat "$work/log"; echo "self_test.sh: $2 to $3: $got, expected $1"; exit 1; }
}
check_versions pass 0.1.0 0.2.0
check_versions pass 0.9.0 1.0.0
check_versions pass 1.4.0 2.0.0
check_versions fail 1.4.0 1.5.0
echo "self_test.sh: every incompatible change was reported"
