#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The layers ("floors") of the source tree: a folder includes no header and uses no symbol of a folder above it. The
# order is below; folders inside src/core/graph belong to its floor.
#   floors.sh [ROOT]         checks the #include lines of the tree
#   floors.sh --objects LIST checks the objects of a build; LIST: a file with one path a line
#   floors.sh --self-test CC adds each kind of violation to a copy of the tree and checks that it is reported
set -eu
export LC_ALL=C
project=$(cd "$(dirname "$0")/../.." && pwd)

# Lowest first. library may include all others; methods, io, mpi and examples may include public headers and their own, as
# the checks below say.
core="base bits options os format graph vit arch describe weights weights/load weights/save adapt model store federated interop
metrics statistics probe train/session cases maps train/cache train tta/cma tta"
io="io io/archive io/image io/format io/transform io/dataset io/csv io/table io/source io/loader io/weights io/predictor
io/segmenter"

# awk code of both checks: rank[floor], and floor_of(path) for a path from src/ or from the root of the tree; "": the
# path belongs to no floor.
# shellcheck disable=SC2016  # the dollars are awk's
floors='
function floor_of(path, part, n) {
    sub(/^src\//, "", path)
    n = split(path, part, "/")
    if (n > 3 && part[1] == "core" && part[2] "/" part[3] in rank) return part[2] "/" part[3]
    if (n > 2 && part[1] == "core" && part[2] in rank) return part[2]
    if (n > 2 && part[1] == "io") return "io/" part[2]
    if (path ~ /^include\/peft\//) return "public"
    if (path ~ /^(kernels|methods|library|io|mpi|examples)\//) return part[1]
    return ""
}
BEGIN {
    n = split("kernels " core " methods library", order, /[ \n]+/)
    for (i = 1; i <= n; i++) rank[order[i]] = i
    n = split(io, order, /[ \n]+/)
    for (i = 1; i <= n; i++) rank[order[i]] = 100 + i
    rank["mpi"] = 200
}'

# Prints each forbidden #include in the tree $1; fails if there are any.
check() {
    # shellcheck disable=SC2016  # the dollars are awk's
    (cd "$1" && find src include examples -name '*.[ch]' -o -name '*.def' | sort |
        xargs awk -v core="$core" -v io="$io" "$floors"'
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
        if (target ~ /^peft\// && here == "kernels") bad(here " includes no public header")
        if (target ~ /^peft\// && here == "methods" && target != "peft/sys/method.h")
            bad("methods include <peft/sys/method.h> only")
        next
    }
    here == "public" { bad("a public header includes <peft/...> only"); next }
    {
        # A name without a floor is relative to the folder of the including file.
        there = floor_of(target)
        if (there == "") {
            path = folder target
            while (sub(/[^\/]+\/\.\.\//, "", path)) { }
            there = floor_of(path)
        }
    }
    there == here { next }
    here == "methods" { bad("methods include <peft/sys/method.h> only"); next }
    here == "examples" || here == "mpi" || (here ~ /^io/ && there !~ /^io/) {
        bad(here " includes <peft/...> and its own headers only")
        next
    }
    !(there in rank) || rank[there] > rank[here] || (there ~ /^io/ && here !~ /^io/) { bad(here " includes " there) }
    END { exit failed }')
}

# Prints each use of a symbol of a higher floor in the objects that the file $1 lists; fails if there are any.
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

# A new file $1 in the copy with the line $2 must be refused.
must_refuse() {
    mkdir -p "$copy/$(dirname "$1")"
    printf '%s\n' "$2" > "$copy/$1"
    if check "$copy" > /dev/null; then
        echo "floors.sh: not refused: $1 with $2"
        exit 1
    fi
    rm "$copy/$1"
}

# Compiles a file $1 that defines the function $3 (default: pf_high) and a file $2 that calls it; lists both objects in
# $copy/objects.
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
    must_refuse src/core/weights/broken.c '#include "core/weights/save/save.h"'
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
