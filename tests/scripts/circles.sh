#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# No source files depend on each other in a circle: neither by #include lines, nor by symbols, where the object of one
# file uses a function or variable of another file's object, which uses one of the first, directly or through others.
#   circles.sh LIST [ROOT]    LIST: a file with the paths of a build's objects, one a line; ROOT: the source tree
#   circles.sh --self-test CC  compiles files with circles and checks that each is reported
set -eu
export LC_ALL=C
project=$(cd "$(dirname "$0")/../.." && pwd)

# Known circles that are permitted, and parts of them: one a line, by their files. Delete those that are gone.
known=""

# "FILE FILE" for each #include "..." of a file under $1/src and $1/examples.
includes() {
    # shellcheck disable=SC2016  # the dollars are awk's
    (cd "$1" && find src examples -name '*.[ch]' -o -name '*.def' | sort | xargs awk '
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        target = $0
        sub(/^[^"]*"/, "", target)
        sub(/".*/, "", target)
        folder = top = FILENAME
        sub(/[^\/]*$/, "", folder)
        sub(/\/.*/, "/", top)
        print FILENAME, (target ~ /\// ? top : folder) target
    }')
}

# Reads lines "FROM TO ..." and prints the files of each circle on a line: the strongly connected components by Tarjan,
# SIAM J. Comput. 1 (1972) 146.
circles() {
    # shellcheck disable=SC2016  # the dollars are awk's
    awk '
    function visit(v, list, n, i, to) {
        number[v] = low[v] = ++clock
        stack[++top] = v
        open[v] = 1
        n = split(edges[v], list, " ")
        for (i = 1; i <= n; i++) {
            to = list[i]
            if (!(to in number)) {
                visit(to)
                if (low[to] < low[v]) low[v] = low[to]
            } else if (open[to] && number[to] < low[v]) low[v] = number[to]
        }
        if (low[v] == number[v]) leave(v)
    }
    function leave(v, i, k, from, line, swap) {
        for (from = top; stack[from] != v;) from--
        for (i = from; i <= top; i++) open[stack[i]] = 0
        for (i = from + 1; i <= top; i++)
            for (k = i; k > from && stack[k] < stack[k - 1]; k--) {
                swap = stack[k]
                stack[k] = stack[k - 1]
                stack[k - 1] = swap
            }
        for (i = from; i <= top; i++) line = line (i > from ? " " : "") stack[i]
        if (top > from) print line
        top = from - 1
    }
    $1 != $2 && !seen[$1, $2]++ { edges[$1] = edges[$1] " " $2; files[$1]; files[$2] }
    END { for (v in files) if (!(v in number)) visit(v) }'
}

# $1: list of objects, $2: source tree, $3: permitted circles. Prints the other circles; fails if there are any.
check() {
    "$project/tests/scripts/references.sh" "$1" > "$work/references"
    awk '{ print $1, $3 }' "$work/references" > "$work/names"
    includes "$2" > "$work/includes"
    if ! [ -s "$work/names" ] || ! [ -s "$work/includes" ]; then
        echo "circles.sh: no names or no #include lines: expected the objects and the tree of a build"
        return 1
    fi
    { circles < "$work/names"; circles < "$work/includes"; } | sort > "$work/found"
    awk -v known="$3" '
        BEGIN { lines = split(known, line, "\n") }
        {
            for (i = 1; i <= lines; i++) {
                for (k = 1; k <= NF && index(" " line[i] " ", " " $k " "); k++) { }
                if (k > NF) next
            }
            print
        }' "$work/found" > "$work/new"
    while read -r circle; do
        echo "files in a circle: $circle"
        awk -v circle=" $circle " '
            index(circle, " " $1 " ") && index(circle, " " $NF " ") && !seen[$1, $NF]++ {
                print "    " $1 (NF == 3 ? " uses " $2 " of " : " includes ") $NF
            }' "$work/references" "$work/includes"
    done < "$work/new"
    [ ! -s "$work/new" ]
}

# Compiles a file $1 that defines the function pf_$2 and calls pf_$3, pf_$4, ...
object() {
    file=$1 own=$2
    shift 2
    mkdir -p "$work/x.dir/$(dirname "$file")"
    {
        echo "int pf_$own(void);"
        for use; do echo "int pf_$use(void);"; done
        echo "int pf_$own(void) { return 0"
        for use; do echo "+ pf_$use()"; done
        echo "; }"
    } > "$work/one.c"
    "$cc" -w -c "$work/one.c" -o "$work/x.dir/$file.o"
    echo "$work/x.dir/$file.o" >> "$work/objects"
}

header() {
    mkdir -p "$work/tree/$(dirname "$1")"
    echo "#include \"$2\"" > "$work/tree/$1"
}

must_say() {
    text=$1
    if check "$work/objects" "$work/tree" "${2-}" > "$work/log"; then
        echo "circles.sh: not reported: $text"
        exit 1
    fi
    grep -qxF -- "$text" "$work/log" || { echo "circles.sh: expected '$text', got:"; cat "$work/log"; exit 1; }
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$1" = --self-test ]; then
    cc=${2:-cc}
    mkdir -p "$work/tree/src" "$work/tree/examples"
    object src/core/base/a.c a
    must_say 'circles.sh: no names or no #include lines: expected the objects and the tree of a build'
    object src/core/base/a.c a b c
    object src/core/base/b.c b c
    object src/core/base/c.c c
    header src/core/base/a.h b.h
    header src/core/base/b.h core/base/c.h
    check "$work/objects" "$work/tree" ''
    object src/core/base/c.c c a
    must_say 'files in a circle: src/core/base/a.c src/core/base/b.c src/core/base/c.c'
    must_say '    src/core/base/c.c uses pf_a of src/core/base/a.c'
    check "$work/objects" "$work/tree" "x.c y.c
src/core/base/a.c src/core/base/b.c src/core/base/c.c src/core/base/d.c"
    must_say 'files in a circle: src/core/base/a.c src/core/base/b.c src/core/base/c.c' \
        'src/core/base/a.c src/core/base/c.c'
    object src/core/base/c.c c
    header src/core/base/c.h a.h
    must_say 'files in a circle: src/core/base/a.h src/core/base/b.h src/core/base/c.h'
    must_say '    src/core/base/c.h includes src/core/base/a.h'
    object examples/common/a.c own other
    object examples/b.c other own
    must_say 'files in a circle: examples/b.c examples/common/a.c'
    header examples/common/a.h common/deep/b.h
    header examples/common/deep/b.h common/a.h
    must_say 'files in a circle: examples/common/a.h examples/common/deep/b.h'
else
    check "$1" "${2:-$project}" "$known"
fi
