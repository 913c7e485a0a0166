#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two builds of the library give the same bits: every method and the settings of tests/same_bits/cases.h are trained for
# three steps with both; steps, gradients, adapters, models, states, merged backbones and predictions are compared byte
# for byte, for each instruction set of this CPU, with one thread and with three; where both builds have
# libpeft-io, so is what it makes of pictures.
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

# The program $1 of tests/same_bits, compiled as $2 with the library $3 and further ones, and the public headers that
# belong to it.
compile() {
    source=$root/tests/same_bits/$1.c program=$2 library=$3
    shift 3
    tree=$(tree_of "$library")
    "$cc" -std=gnu11 -O1 "$source" -o "$program" -I"$tree/include" -I"$tree/examples" "$@" "$library" \
        -Wl,-rpath,"$(dirname "$library")" -Wl,-rpath,"$(dirname "$library")/src/io"
}

# The same for the program of libpeft-io, where the library $2 stands beside one in a build folder.
compile_io() {
    io=$(dirname "$2")/src/io/libpeft-io.so
    [ ! -f "$io" ] || compile same_pictures "$1" "$2" "$io"
}

# run FOLDER PROGRAM ARGUMENTS.., which follow the folder
run() {
    folder=$1 program=$2
    shift 2
    rm -rf "$folder"
    mkdir "$folder"
    "$program" "$folder" "$@" || { echo "same_bits.sh: $program failed with $*"; exit 1; }
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
compile same_bits "$work/before" "$before"
compile same_bits "$work/after" "$after"
compile_io "$work/before-io" "$before"
compile_io "$work/after-io" "$after"
alone=false
if [ "$before" = "$after" ]; then alone=true; fi
failed=0
last=
for isa in $("$work/after" isas); do
    $alone || "$work/before" isas | grep -qx "$isa" || continue
    run "$work/of-$isa" "$work/before" "$isa" 1
    for threads in 1 3; do
        if $alone && [ $threads = 1 ]; then continue; fi
        run "$work/now" "$work/after" "$isa" $threads
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
if [ -x "$work/before-io" ] && [ -x "$work/after-io" ]; then
    run "$work/of-io" "$work/before-io" 1
    for threads in 0 3; do
        run "$work/now" "$work/after-io" $threads
        same "$work/of-io" "$work/now" "pictures, threads=$threads" || failed=1
        echo "pictures, threads=$threads: $(wc -l < "$work/before.list") files compared"
    done
fi
exit $failed
