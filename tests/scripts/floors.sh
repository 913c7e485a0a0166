#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The floors, read from the #include lines: a lower floor includes no higher one.
#   floors.sh [ROOT]      checks the tree
#   floors.sh --self-test breaks copies of the tree in every way the check knows and wants each one refused
set -eu
export LC_ALL=C
project=$(cd "$(dirname "$0")/../.." && pwd)

# Prints each bad include of the tree $1; fails when there is one.
check() {
    # shellcheck disable=SC2016  # the dollars are awk's
    (cd "$1" && find src include examples -name '*.[ch]' -o -name '*.def' | sort | xargs awk '
    # The floor of a path that starts at src/ or at the root of the tree; "" for none of ours.
    function floor_of(path) {
        sub(/^src\//, "", path)
        if (path ~ /^core\/(base|graph|model|train)\//) { split(path, part, "/"); return part[2] }
        if (path ~ /^include\/peft\//) return "public"
        if (match(path, /^(kernels|methods|io|examples)\//)) return substr(path, 1, RLENGTH - 1)
        return ""
    }
    function bad(why) { printf "%s:%d: %s: %s\n", FILENAME, FNR, why, $0; failed = 1 }
    BEGIN {
        split("kernels base graph model train", order, " ")
        for (i in order) rank[order[i]] = i + 0
    }
    FNR == 1 { here = floor_of(FILENAME); folder = FILENAME; sub(/[^\/]*$/, "", folder) }
    !/^[ \t]*#[ \t]*include[ \t]*["<]/ { next }
    {
        target = $0
        sub(/^[ \t]*#[ \t]*include[ \t]*/, "", target)
        open = substr(target, 1, 1)
        target = substr(target, 2)
        sub(/[">].*/, "", target)
    }
    here == "" { bad("a file on no floor"); next }
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
    here == "io" || here == "examples" { bad(here " sees <peft/...> and its own headers only"); next }
    !(there in rank) || rank[there] > rank[here] { bad(here " includes " there) }
    END { exit failed }')
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

if [ "${1-}" = --self-test ]; then
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    cp -r "$project/src" "$project/include" "$project/examples" "$copy"
    check "$copy"
    must_refuse src/kernels/ref/broken.c '#include "core/base/error.h"'
    must_refuse src/kernels/broken.c     '#include <peft/status.h>'
    must_refuse src/core/base/broken.c   '#include "core/graph/graph.h"'
    must_refuse src/core/graph/broken.c  '#include "core/model/model.h"'
    must_refuse src/core/graph/ops/broken.c '#include "core/model/model.h"'
    must_refuse src/core/model/broken.c  '#include "core/train/trainer.h"'
    must_refuse src/core/train/broken.c  '#include "io/image.h"'
    must_refuse src/methods/broken.c     '#include "core/graph/graph.h"'
    must_refuse src/methods/broken.c     '#include <peft/adapter.h>'
    must_refuse src/io/broken.c          '#include "core/base/error.h"'
    must_refuse src/io/broken.c          '# include "../core/base/error.h"'
    must_refuse examples/broken.c        '#include "kernels/pk.h"'
    must_refuse include/peft/broken.h    '#include "core/base/error.h"'
    must_refuse src/core/broken.c        '#include <stdio.h>'
else
    check "${1:-$project}"
fi
