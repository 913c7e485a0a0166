#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Duplicated code: no two places in src and examples have more than ten equal lines in a row. Lines are compared by
# shape: all names count as equal, and so do all numbers and all strings. Comments, blank lines and #include lines are
# ignored. Eleven lines of fewer than six different shapes are rows of a table, and permitted.
#   doubles.sh [ROOT]       checks the tree
#   doubles.sh --self-test  checks that duplicates in test files are reported
set -eu
export LC_ALL=C
project=$(cd "$(dirname "$0")/../.." && pwd)

# Known duplicates that are permitted, and shorter ones: "FILE FILE LINES". Delete those that are gone.
known='src/io/dataset/dataset.c src/io/transform/transform.c 11'

# Prints "FILE:LINE-LINE FILE:LINE-LINE COUNT" for each duplicate in the tree $1.
doubles() {
    # shellcheck disable=SC2016  # the dollars are awk's
    (cd "$1" && find src examples -name '*.[ch]' | sort | xargs awk '
    BEGIN {
        words = "auto bool break case char const continue default do double else enum extern float for goto if"
        words = words " inline int long register return short signed sizeof static struct switch typedef union unsigned"
        n = split(words " void volatile while", list, " ")
        for (i = 1; i <= n; i++) keyword[list[i]]
        window = 11
    }
    # The shape of a line: keywords and signs, I for a name, N for a number, S for a string. comment: the line begins
    # inside a comment.
    function shape(rest, out, t, i) {
        while (rest != "") {
            if (comment) {
                i = index(rest, "*/")
                if (!i) break
                comment = 0
                rest = substr(rest, i + 2)
                continue
            }
            if (rest ~ /^\/\//) break
            if (rest ~ /^\/\*/) {
                comment = 1
                rest = substr(rest, 3)
                continue
            }
            if (match(rest, /^[ \t]+/)) t = ""
            else if (match(rest, /^"([^"\\]|\\.)*"/)) t = " S"
            else if (match(rest, /^\047([^\047\\]|\\.)*\047/)) t = " N"
            else if (match(rest, /^\.?[0-9][A-Za-z0-9_.]*([eEpP][-+][0-9]+)?[fFlL]?/)) t = " N"
            else if (match(rest, /^[A-Za-z_][A-Za-z0-9_]*/)) {
                t = substr(rest, 1, RLENGTH)
                t = t in keyword ? " " t : " I"
            } else {
                match(rest, /^./)
                t = " " substr(rest, 1, 1)
            }
            out = out t
            rest = substr(rest, RLENGTH + 1)
        }
        return out
    }
    FNR == 1 { comment = 0 }
    !comment && /^[ \t]*#[ \t]*include/ { next }
    {
        s = shape($0)
        if (s != "") {
            line[++count] = s
            file[count] = FILENAME
            number[count] = FNR
        }
    }
    function report() {
        if (length_now)
            print file[one] ":" number[one] "-" number[one + length_now - 1], file[other] ":" number[other] "-" \
                  number[other + length_now - 1], length_now
        length_now = 0
    }
    END {
        for (i = 1; i + window - 1 <= count; i++) {
            if (file[i] != file[i + window - 1]) continue
            key = ""
            different = 0
            split("", seen)
            for (k = i; k < i + window; k++) {
                key = key "\n" line[k]
                if (!(line[k] in seen)) different++
                seen[line[k]]
            }
            if (different < 6) continue
            if (!(key in first)) {
                first[key] = i
                continue
            }
            f = first[key]
            if (file[f] == file[i] && i - f < window) continue
            if (length_now && f == one + length_now - window + 1 && i == other + length_now - window + 1) {
                length_now++
                continue
            }
            report()
            one = f
            other = i
            length_now = window
        }
        report()
    }')
}

# $1: tree, $2: permitted duplicates. Prints the others and longer ones; fails if there are any.
check() {
    doubles "$1" | awk -v known="$2" '
        BEGIN {
            n = split(known, line, "\n")
            for (i = 1; i <= n; i++) {
                split(line[i], part, " ")
                most[part[1], part[2]] = part[3]
            }
        }
        {
            split($1, a, ":")
            split($2, b, ":")
            if ($3 <= most[a[1], b[1]]) next
            print $3 " lines twice: " $1 " and " $2
            failed = 1
        }
        END { exit failed }'
}

must_say() {
    if check "$work" "$2" > "$work/log"; then
        echo "doubles.sh: not reported: $1"
        exit 1
    fi
    grep -qxF -- "$1" "$work/log" || { echo "doubles.sh: expected '$1', got:"; cat "$work/log"; exit 1; }
}

# A function of $1 lines, each of another shape; its names begin with $2; $3 is appended to each statement.
text() {
    awk -v lines="$1" -v name="$2" -v end="$3" 'BEGIN {
        print "int " name "_f(int " name "_n)\n{"
        for (i = 6; i < lines; i++) {
            sum = sum " + " name "_a[" i "]"
            print "    " name "_n +=" sum ";" end
        }
        print "    for (;;) {\n    }\n    return " name "_n;\n}"
    }'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "${1-}" = --self-test ]; then
    mkdir -p "$work/src/deep" "$work/examples"
    text 10 one '' > "$work/src/one.c"
    text 10 two '' > "$work/src/deep/two.h"
    check "$work" ''
    text 11 one ' /* said */' > "$work/src/one.c"
    {
        printf '#include <one.h>\n/* more\n'
        text 6 x ''
        printf '*/\n'
        text 11 two '  // "other"'
    } > "$work/src/deep/two.h"
    must_say '11 lines twice: src/deep/two.h:10-20 and src/one.c:1-11' ''
    check "$work" 'src/deep/two.h src/one.c 11'
    text 14 one '' > "$work/src/one.c"
    text 14 two '' > "$work/src/deep/two.h"
    must_say '14 lines twice: src/deep/two.h:1-14 and src/one.c:1-14' 'src/deep/two.h src/one.c 13'
    mv "$work/src/deep/two.h" "$work/examples/two.c"
    must_say '14 lines twice: examples/two.c:1-14 and src/one.c:1-14' ''
    rm "$work/examples/two.c"
    { text 12 one ''; echo; text 12 two ''; } > "$work/src/one.c"
    must_say '12 lines twice: src/one.c:1-12 and src/one.c:14-25' ''
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "    { \"row $i\", $i, 'c', one_$i },"; done > "$work/src/one.c"
    cp "$work/src/one.c" "$work/src/two.c"
    check "$work" ''
else
    check "${1:-$project}" "$known"
fi
