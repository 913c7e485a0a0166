#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two builds of the library give the same bits: both train every method and the cases of tests/same_bits/cases.h for
# three steps, and their results (steps, gradients, adapters, models, states, merged backbones, predictions) are
# compared byte for byte, for each instruction set of this CPU, with one thread and with three. If both builds have
# libpeft-io, the results of same_pictures.c are compared too.
#   same_bits.sh BEFORE AFTER [CC]   build folders, or paths of libpeft.so
#   same_bits.sh BUILD BUILD [CC]    one build: threads change no bit, and instruction sets do
#   same_bits.sh --self-test         a changed bit, a missing file and an additional file must be reported
set -eu
export LC_ALL=C
root=$(cd "$(dirname "$0")/../.." && pwd)
unset PEFT_ISA PEFT_GEMM
if [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Compares the folders $1 and $2; prints differences as "$3: FILE: REASON"; fails if there are any.
same() {
    (cd "$1" && find . -type f | sort) > "$work/before.list"
    (cd "$2" && find . -type f | sort) > "$work/after.list"
    [ -s "$work/before.list" ] || { echo "$3: no file at all"; return 1; }
    {
        comm -23 "$work/before.list" "$work/after.list" | sed "s|^\./\(.*\)|$3: \1: missing|"
        comm -13 "$work/before.list" "$work/after.list" | sed "s|^\./\(.*\)|$3: \1: additional|"
        comm -12 "$work/before.list" "$work/after.list" | while read -r file; do
            cmp -s "$1/$file" "$2/$file" || echo "$3: ${file#./}: differs"
        done
    } > "$work/differences"
    cat "$work/differences"
    [ ! -s "$work/differences" ]
}

# The source tree of the build folder in which the library $1 lies; this tree if it is not known.
tree_of() {
    tree=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$(dirname "$1")/CMakeCache.txt" 2> /dev/null || true)
    [ -f "$tree/include/peft/peft.h" ] || tree=$root
    echo "$tree"
}

# The path of libpeft.so for $1, a build folder or libpeft.so itself.
library_of() {
    library=$1
    [ ! -d "$library" ] || library=$library/libpeft.so
    [ -f "$library" ] || { echo "same_bits.sh: $1: neither a build folder nor a libpeft.so" >&2; exit 2; }
    echo "$(cd "$(dirname "$library")" && pwd)/$(basename "$library")"
}

# Compiles the program $1 of tests/same_bits as $2, with the library $3, the libraries behind it, and the public headers
# of the library's source tree. A tree with other public functions has its own version of the program.
compile() {
    name=$1 program=$2 library=$3
    shift 3
    tree=$(tree_of "$library")
    source=$tree/tests/same_bits/$name.c
    [ -f "$source" ] || source=$root/tests/same_bits/$name.c
    "$cc" -std=gnu11 -O1 "$source" -o "$program" -I"$tree/include" -I"$tree/examples" "$@" "$library" \
        -Wl,-rpath,"$(dirname "$library")" -Wl,-rpath,"$(dirname "$library")/src/io"
}

# Compiles same_pictures.c as $1, if the build folder of the library $2 has libpeft-io.
compile_io() {
    io=$(dirname "$2")/src/io/libpeft-io.so
    [ ! -f "$io" ] || compile same_pictures "$1" "$2" "$io"
}

# run FOLDER PROGRAM ARGUMENTS..: runs PROGRAM FOLDER ARGUMENTS.. with an empty folder
run() {
    folder=$1 program=$2
    shift 2
    rm -rf "$folder"
    mkdir "$folder"
    "$program" "$folder" "$@" || { echo "same_bits.sh: $program failed with $*"; exit 1; }
}

must_refuse() {
    if same "$work/a" "$work/b" test > "$work/output"; then
        echo "same_bits.sh: not reported: $1"
        exit 1
    fi
    grep -qx "$1" "$work/output" || { echo "same_bits.sh: expected '$1', got:"; cat "$work/output"; exit 1; }
}

if [ "${1-}" = --self-test ]; then
    mkdir "$work/a" "$work/b" "$work/a/folder" "$work/b/folder"
    for folder in a b; do printf 'abc' > "$work/$folder/one"; printf 'xyz' > "$work/$folder/folder/two"; done
    same "$work/a" "$work/b" test
    printf 'xyy' > "$work/b/folder/two"                             # y and z differ in bits
    must_refuse 'test: folder/two: differs'
    rm "$work/b/folder/two"
    must_refuse 'test: folder/two: missing'
    printf 'xyz' > "$work/b/folder/two"
    : > "$work/b/three"
    must_refuse 'test: three: additional'
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
one_build=false
if [ "$before" = "$after" ]; then one_build=true; fi
failed=0
last=
for isa in $("$work/after" isas); do
    $one_build || "$work/before" isas | grep -qx "$isa" || continue
    run "$work/before-results-$isa" "$work/before" "$isa" 1
    for threads in 1 3; do
        if $one_build && [ $threads = 1 ]; then continue; fi
        run "$work/after-results" "$work/after" "$isa" $threads
        same "$work/before-results-$isa" "$work/after-results" "$isa, threads=$threads" || failed=1
        echo "$isa, threads=$threads: $(wc -l < "$work/before.list") files compared"
    done
    if [ -n "$last" ]; then
        if cmp -s "$work/before-results-$last/wide-full.predicted" "$work/before-results-$isa/wide-full.predicted"; then
            echo "same_bits.sh: $last and $isa have the same bits: the instruction set has no effect"
            failed=1
        fi
        rm -rf "$work/before-results-$last"
    fi
    last=$isa
done
if [ -x "$work/before-io" ] && [ -x "$work/after-io" ]; then
    run "$work/before-results-io" "$work/before-io" 1
    for threads in 0 3; do
        run "$work/after-results" "$work/after-io" $threads
        same "$work/before-results-io" "$work/after-results" "pictures, threads=$threads" || failed=1
        echo "pictures, threads=$threads: $(wc -l < "$work/before.list") files compared"
    done
fi
exit $failed
