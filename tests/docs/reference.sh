#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Doxygen finds no public function, type, member, value or macro without a comment, and no other fault in the comments
# of the headers.   reference.sh DOXYFILE DOXYGEN [--self-test]
set -eu
settings=$1 doxygen=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# $1 the folder of headers
reference() {
    failed=
    mkdir -p "$work/out"
    {
        cat "$settings"
        printf '%s\n' "OUTPUT_DIRECTORY = $work/out" "INPUT = $1" "STRIP_FROM_PATH = $1" "STRIP_FROM_INC_PATH = $1"
    } > "$work/Doxyfile"
    "$doxygen" "$work/Doxyfile" 2>&1 || failed=1
    # Doxygen 1.9.4 does not warn of values of an enum: the filter writes one a line, behind its comment if it has one.
    find "$1" -name '*.h' | sort | while read -r header; do
        awk -f "$root/docs/doxygen.awk" "$header" |
            sed -n "s|^\\(PEFT_[A-Z0-9_]*\\)\\( = .*\\)*,\$|$header: value \\1 is not documented|p"
    done > "$work/values"
    cat "$work/values"
    [ -z "$failed" ] && [ ! -s "$work/values" ]
}

if [ "${3-}" != --self-test ]; then
    reference "$root/include" || { echo "docs/doxygen.awk says how a comment belongs to a declaration"; exit 1; }
    [ -f "$work/out/html/trainer_8h.html" ]
    grep -q 'Threads that compute, the calling one among them' "$work/out/html/context_8h.html"
    exit
fi

# Each of these, at the end of a header, is found; with comments none is.
breaks() {
    rm -rf "$work/include"
    cp -r "$root/include" "$work"
    sed -i '/^PEFT_END_DECLS/d; $d' "$work/include/peft/session.h"
    printf '%s\n' "$1" PEFT_END_DECLS '#endif' >> "$work/include/peft/session.h"
    if reference "$work/include" > "$work/said"; then [ -z "$2" ] || { echo "not found: $1"; exit 1; }
    elif [ -z "$2" ] || ! grep -q "$2.*not documented" "$work/said"; then echo "$1"; cat "$work/said"; exit 1; fi
}
breaks '
PEFT_API int peft_session_bare(void);' peft_session_bare
breaks '
#define PEFT_BARE 1' PEFT_BARE
breaks '
typedef int (*peft_bare_fn)(void);' peft_bare_fn
breaks '
typedef struct peft_bare { int one; } peft_bare;' peft_bare
breaks '
/* A struct. */
typedef struct peft_bare {
    int one;    /* the first */

    int two;
} peft_bare;' two
breaks '
/* Values. */
typedef enum peft_bare {
    PEFT_BARE_ONE,
    PEFT_BARE_TWO   /* the second */
} peft_bare;' PEFT_BARE_ONE
breaks '
/* Two functions, and a macro. */
PEFT_API int peft_session_one(void);
PEFT_API int peft_session_two(int a, int b);    /* with <marks>, "quotes" and @signs */
#define PEFT_BARE 1

PEFT_API int       /* within */
peft_session_three(int (*fn)(int, void *), void *user);
/* ONE is the first. */
typedef enum peft_bare { PEFT_BARE_ONE, PEFT_BARE_TWO = 3 /* the second */ } peft_bare;
/* A struct with one, two, and fn. */
typedef struct peft_bares { int one, *two; int (*fn)(int, void *); double three[3]; /* the third */ } peft_bares;' ''
echo "undocumented symbols of six kinds are found"
