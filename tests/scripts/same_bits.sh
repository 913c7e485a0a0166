#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two builds of the library give the same bits: every method and the settings of tests/same_bits/cases.h are trained for
# three steps with both; steps, gradients, adapters, models, states, merged backbones and predictions are compared byte
# for byte, for each instruction set of this CPU, with one thread and with three.
#   same_bits.sh BEFORE AFTER [CC]   build folders, or paths of a libpeft.so
#   same_bits.sh BUILD BUILD [CC]    one build with itself: threads change no bit, instruction sets do
#   same_bits.sh --self-test         a changed bit, a missing file and an additional file are found
set -eu
export LC_ALL=C
root=$(cd "$(dirname "$0")/../.." && pwd)
unset PEFT_ISA PEFT_GEMM
if [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints what differs between the folders $1 and $2 as lines "$3: FILE: why"; fails when something does.
same() {
    (cd "$1" && find . -type f | sort) > "$work/before.list"
    (cd "$2" && find . -type f | sort) > "$work/after.list"
    [ -s "$work/before.list" ] || { echo "$3: no file at all"; return 1; }
    {
        comm -23 "$work/before.list" "$work/after.list" | sed "s|^\./\(.*\)|$3: \1: missing|"
        comm -13 "$work/before.list" "$work/after.list" | sed "s|^\./\(.*\)|$3: \1: not there before|"
        comm -12 "$work/before.list" "$work/after.list" | while read -r file; do
            cmp -s "$1/$file" "$2/$file" || echo "$3: ${file#./}: differs"
        done
    } > "$work/differences"
    cat "$work/differences"
    [ ! -s "$work/differences" ]
}

# The source tree that the build folder of the library $1 was made from; this tree when nothing says.
tree_of() {
    tree=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$(dirname "$1")/CMakeCache.txt" 2> /dev/null || true)
    [ -f "$tree/include/peft/peft.h" ] || tree=$root
    echo "$tree"
}

# The path of the library that $1, a build folder or a libpeft.so, means.
library_of() {
    library=$1
    [ ! -d "$library" ] || library=$library/libpeft.so
    [ -f "$library" ] || { echo "same_bits.sh: $1: no build folder and no libpeft.so" >&2; exit 2; }
    echo "$(cd "$(dirname "$library")" && pwd)/$(basename "$library")"
}

# The program $1, compiled with the library $2 and the public headers that belong to it.
compile() {
    tree=$(tree_of "$2")
    "$cc" -std=gnu11 -O1 "$root/tests/same_bits/same_bits.c" -o "$1" -I"$tree/include" -I"$tree/examples" "$2" \
        -Wl,-rpath,"$(dirname "$2")"
}

# train PROGRAM FOLDER ISA THREADS
train() {
    rm -rf "$2"
    mkdir "$2"
    "$1" "$2" "$3" "$4" || { echo "same_bits.sh: $1 failed with $3 and $4 threads"; exit 1; }
}

must_refuse() {
    if same "$work/a" "$work/b" test > "$work/said"; then
        echo "same_bits.sh: not found: $1"
        exit 1
    fi
    grep -qx "$1" "$work/said" || { echo "same_bits.sh: expected '$1', got:"; cat "$work/said"; exit 1; }
}

if [ "${1-}" = --self-test ]; then
    mkdir "$work/a" "$work/b" "$work/a/folder" "$work/b/folder"
    for folder in a b; do printf 'abc' > "$work/$folder/one"; printf 'xyz' > "$work/$folder/folder/two"; done
    same "$work/a" "$work/b" test
    printf 'xyy' > "$work/b/folder/two"                             # y and z: one bit less
    must_refuse 'test: folder/two: differs'
    rm "$work/b/folder/two"
    must_refuse 'test: folder/two: missing'
    printf 'xyz' > "$work/b/folder/two"
    : > "$work/b/three"
    must_refuse 'test: three: not there before'
    rm -r "$work/a" "$work/b"
    mkdir "$work/a" "$work/b"
    must_refuse 'test: no file at all'
    exit 0
fi

[ $# -ge 2 ] || { echo "usage: same_bits.sh BEFORE AFTER [CC]"; exit 2; }
cc=${3:-cc}
before=$(library_of "$1")
after=$(library_of "$2")
compile "$work/before" "$before"
compile "$work/after" "$after"
alone=false
if [ "$before" = "$after" ]; then alone=true; fi
failed=0
last=
for isa in $("$work/after" isas); do
    $alone || "$work/before" isas | grep -qx "$isa" || continue
    train "$work/before" "$work/of-$isa" "$isa" 1
    for threads in 1 3; do
        if $alone && [ $threads = 1 ]; then continue; fi
        train "$work/after" "$work/now" "$isa" $threads
        same "$work/of-$isa" "$work/now" "$isa, threads=$threads" || failed=1
        echo "$isa, threads=$threads: $(wc -l < "$work/before.list") files compared"
    done
    if [ -n "$last" ]; then
        if cmp -s "$work/of-$last/wide-full.predicted" "$work/of-$isa/wide-full.predicted"; then
            echo "same_bits.sh: $last and $isa have the same bits: the instruction set was not changed"
            failed=1
        fi
        rm -rf "$work/of-$last"
    fi
    last=$isa
done
exit $failed
