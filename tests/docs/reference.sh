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

# Adds declarations to the end of a header; $1: the declarations.
changed() {
    rm -rf "$work/include"
    cp -r "$root/include" "$work"
    sed -i '/^PEFT_END_DECLS/d; $d' "$work/include/peft/session.h"
    printf '%s\n' "$1" PEFT_END_DECLS '#endif' >> "$work/include/peft/session.h"
    reference "$work/include" > "$work/said"
}
if changed '
PEFT_API int peft_session_bare(void);

#define PEFT_BARE 1

typedef int (*peft_bare_fn)(void);

typedef struct peft_bare { int one; } peft_bare;

/* A struct. */
typedef struct peft_half {
    int first;  /* the first */

    int other;
} peft_half;

/* Values. */
typedef enum peft_values {
    PEFT_VALUES_ONE,
    PEFT_VALUES_TWO /* the second */
} peft_values;'; then echo "nothing is found"; exit 1; fi
for name in peft_session_bare PEFT_BARE peft_bare_fn 'Compound peft_bare ' other PEFT_VALUES_ONE; do
    grep -q "$name.*not documented" "$work/said" || { cat "$work/said"; echo "not found: $name"; exit 1; }
done
changed '
/* Two functions, and a macro. */
PEFT_API int peft_session_one(void);
PEFT_API int peft_session_two(int a, int b);    /* with <marks>, "quotes" and @signs */
#define PEFT_BARE 1

PEFT_API int       /* within */
peft_session_three(int (*fn)(int, void *), void *user);
/* ONE is the first. */
typedef enum peft_bare { PEFT_BARE_ONE, PEFT_BARE_TWO = 3 /* the second */ } peft_bare;
/* A struct with one, two, and fn. */
typedef struct peft_bares { int one, *two; int (*fn)(int, void *); double three[3]; /* the third */ } peft_bares;' ||
    { cat "$work/said"; exit 1; }
echo "undocumented symbols of six kinds are found"
