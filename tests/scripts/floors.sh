#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The floors, read from the #include lines and from the symbols of a build: a lower floor includes no higher one, and
# uses no name that a higher one defines. A floor is a folder, in the order below; the folders inside src/core/graph are
# one floor with it.
#   floors.sh [ROOT]         checks the #include lines of the tree
#   floors.sh --objects LIST checks the objects of a build; LIST: a file with one path a line
#   floors.sh --self-test CC adds each kind of violation to a copy of the tree and checks that it is reported
set -eu
export LC_ALL=C
project=$(cd "$(dirname "$0")/../.." && pwd)

# Lowest first. library joins the pieces and sees all; methods, io and examples see public headers and their own; see
# below.
core="base bits options os format graph vit arch describe weights weights/load adapt model store interop metrics
train/session train/cache train"
io="io io/archive io/image io/format io/transform io/dataset io/source io/loader io/weights io/predictor"

# What both checks know: rank[floor], and the floor of a path that starts at src/ or at the root of the tree ("" for
# none of ours).
# shellcheck disable=SC2016  # the dollars are awk's
floors='
function floor_of(path, part, n) {
    sub(/^src\//, "", path)
    n = split(path, part, "/")
    if (n > 3 && part[1] == "core" && part[2] "/" part[3] in rank) return part[2] "/" part[3]
    if (n > 2 && part[1] == "core" && part[2] in rank) return part[2]
    if (n > 2 && part[1] == "io") return "io/" part[2]
    if (path ~ /^include\/peft\//) return "public"
    if (path ~ /^(kernels|methods|library|io|examples)\//) return part[1]
    return ""
}
BEGIN {
    n = split("kernels " core " methods library", order, /[ \n]+/)
    for (i = 1; i <= n; i++) rank[order[i]] = i
    n = split(io, order, /[ \n]+/)
    for (i = 1; i <= n; i++) rank[order[i]] = 100 + i
}'

# Prints each bad include of the tree $1; fails when there is one.
check() {
    # shellcheck disable=SC2016  # the dollars are awk's
    (cd "$1" && find src include examples -name '*.[ch]' -o -name '*.def' | sort | xargs awk -v core="$core" -v io="$io" "$floors"'
    function bad(why) { printf "%s:%d: %s: %s\n", FILENAME, FNR, why, $0; failed = 1 }
    FNR == 1 { here = floor_of(FILENAME); folder = FILENAME; sub(/[^\/]*$/, "", folder) }
    !/^[ \t]*#[ \t]*include[ \t]*["<]/ { next }
    {
        target = $0
        sub(/^[ \t]*#[ \t]*include[ \t]*/, "", target)
        open = substr(target, 1, 1)
        target = substr(target, 2)
        sub(/[">].*/, "", target)
    }
    here == "" || (here ~ /^io/ && !(here in rank)) { bad("a file on no floor"); next }
    open == "<" {
        if (target ~ /^peft\// && here == "kernels") bad(here " sees no public header")
        if (target ~ /^peft\// && here == "methods" && target != "peft/sys/method.h")
            bad("methods see <peft/sys/method.h> only")
        next
    }
    here == "public" { bad("a public header includes <peft/...> only"); next }
    {
        # A name without a floor in front is a neighbour in the same folder.
        there = floor_of(target)
        if (there == "") {
            path = folder target
            while (sub(/[^\/]+\/\.\.\//, "", path)) { }
            there = floor_of(path)
        }
    }
    there == here { next }
    here == "methods" { bad("methods see <peft/sys/method.h> only"); next }
    here == "examples" || (here ~ /^io/ && there !~ /^io/) { bad(here " sees <peft/...> and its own headers only"); next }
    !(there in rank) || rank[there] > rank[here] || (there ~ /^io/ && here !~ /^io/) { bad(here " includes " there) }
    END { exit failed }')
}

# Prints each name that an object of the list $1 takes from a higher floor; fails when there is one.
check_objects() {
    # shellcheck disable=SC2016  # the dollars are awk's
    "$project/tests/scripts/references.sh" "$1" | awk -v core="$core" -v io="$io" "$floors"'
    { here = floor_of($1); there = floor_of($3) }
    !(here in rank) || !(there in rank) || rank[there] > rank[here] {
        printf "%s (%s) uses %s, which %s (%s) defines\n", $1, here, $2, $3, there
        failed = 1
    }
    here ~ /^(io|methods)/ && there != here && there !~ /^io/ && $2 !~ /^peft_/ {
        printf "%s uses %s, which is not public\n", $1, $2
        failed = 1
    }
    END {
        if (!NR) print "floors.sh: no object uses a name of another: expected the objects of a build"
        exit failed || !NR
    }'
}

# The line $2, added to a file of its own at $1 of a copy, must be refused.
must_refuse() {
    mkdir -p "$copy/$(dirname "$1")"
    printf '%s\n' "$2" > "$copy/$1"
    if check "$copy" > /dev/null; then
        echo "floors.sh: not refused: $1 with $2"
        exit 1
    fi
    rm "$copy/$1"
}

# Compiles a definition of $3 (left out: pf_high) at $1 and a use of it at $2 into the objects that $copy/objects lists.
objects_of() {
    rm -rf "$copy/x.dir"
    mkdir -p "$copy/x.dir/$(dirname "$1")" "$copy/x.dir/$(dirname "$2")"
    high=${3:-pf_high}
    echo "int $high(void); int $high(void) { return 1; }" > "$copy/high.c"
    echo "int $high(void); int pf_low(void); int pf_low(void) { return $high(); }" > "$copy/low.c"
    "$cc" -c "$copy/high.c" -o "$copy/x.dir/$1.o"
    "$cc" -c "$copy/low.c" -o "$copy/x.dir/$2.o"
    printf '%s\n' "$copy/x.dir/$1.o" "$copy/x.dir/$2.o" > "$copy/objects"
}

must_refuse_objects() {
    objects_of "$1" "$2"
    if check_objects "$copy/objects" > /dev/null; then
        echo "floors.sh: not refused: $2 with a name of $1"
        exit 1
    fi
}

if [ "${1-}" = --self-test ]; then
    cc=${2:-cc}
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    cp -r "$project/src" "$project/include" "$project/examples" "$copy"
    check "$copy"
    must_refuse src/kernels/ref/broken.c '#include "core/base/error.h"'
    must_refuse src/kernels/broken.c     '#include <peft/status.h>'
    must_refuse src/core/base/broken.c   '#include "core/options/options.h"'
    must_refuse src/core/base/broken.c   '#include "methods/methods.h"'
    must_refuse src/core/format/broken.c '#include "core/graph/graph.h"'
    must_refuse src/core/graph/broken.c  '#include "core/weights/backbone.h"'
    must_refuse src/core/graph/ops/broken.c '#include "core/model/model.h"'
    must_refuse src/core/weights/broken.c '#include "core/weights/load/load.h"'
    must_refuse src/core/weights/load/broken.c '#include "core/adapt/adapter.h"'
    must_refuse src/core/adapt/broken.c  '#include "core/model/model.h"'
    must_refuse src/core/model/broken.c  '#include "core/store/state.h"'
    must_refuse src/core/interop/broken.c '#include "core/train/trainer.h"'
    must_refuse src/core/train/cache/broken.c '#include "core/train/trainer.h"'
    must_refuse src/core/train/broken.c  '#include "io/image/image.h"'
    must_refuse src/methods/broken.c     '#include "core/graph/graph.h"'
    must_refuse src/methods/broken.c     '#include <peft/adapter.h>'
    must_refuse src/io/broken.c          '#include "core/base/error.h"'
    must_refuse src/io/broken.c          '# include "../core/base/error.h"'
    must_refuse src/io/image/broken.c    '#include "io/dataset/dataset.h"'
    must_refuse src/io/new/broken.c      '#include <stdio.h>'
    must_refuse examples/broken.c        '#include "kernels/pk.h"'
    must_refuse include/peft/broken.h    '#include "core/base/error.h"'
    must_refuse src/core/broken.c        '#include <stdio.h>'
    must_refuse src/core/new/broken.c    '#include <stdio.h>'
    objects_of src/core/base/a.c src/core/train/b.c
    check_objects "$copy/objects"
    objects_of src/core/base/a.c src/io/image/b.c peft_high
    check_objects "$copy/objects"
    must_refuse_objects src/core/train/b.c   src/core/base/a.c
    must_refuse_objects src/core/base/b.c    src/io/image/a.c
    must_refuse_objects src/core/base/b.c    src/methods/a.c
    must_refuse_objects src/methods/b.c      src/core/model/a.c
    must_refuse_objects src/library/b.c      src/methods/a.c
    must_refuse_objects src/io/loader/b.c    src/io/image/a.c
    must_refuse_objects src/core/new/b.c     src/core/train/a.c
    : > "$copy/objects"
    if check_objects "$copy/objects" > /dev/null 2>&1; then echo "floors.sh: not refused: no objects"; exit 1; fi
elif [ "${1-}" = --objects ]; then
    check_objects "$2"
else
    check "${1:-$project}"
fi
