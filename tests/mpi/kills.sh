#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# finetune-mpi on 2 ranks, one of which is killed by kill -9, when there is a state and then at random moments: the run
# ends with a message, and --resume, on 3, 1 or 2 ranks in turn, gives the file of an undisturbed run of one process
# and removes the temporary file of a save that was killed. Also an error that only one rank has: it ends all, with the
# number of the rank.
#   kills.sh MPIRUN FINETUNE_MPI FOLDER [COUNT]    FOLDER: of the other programs; COUNT: kills, 1 unless given
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/launch.sh"
run=$1 program=$(readlink -f "$2") bin=$(cd "$3" && pwd) count=${4-1}
vit=$here/../../examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir tmp
export TMPDIR=$work/tmp

fail() {
    echo "kills.sh: $1"
    cat log
    exit 1
}
flags="--backbone $vit --data scans --method lora --epochs 4 --threads 1 --batch 2 --trainer accumulate=6 --unchecked"
# shellcheck disable=SC2086  # the flags are words of their own
one() { "$bin/finetune" $flags --out one.safetensors "$@"; }
# shellcheck disable=SC2086
ranks() {
    n=$1
    shift
    launch "$run" "$n" "$program" $flags --out out.safetensors --state state "$@"
}
# The processes of the ranks of this test.
processes() {
    pgrep -f "^$program " | while read -r p; do
        if [ "$(readlink "/proc/$p/cwd")" = "$work" ]; then echo "$p"; fi
    done
}
# Resumes on $1 ranks, or begins anew where no state was saved yet, and compares. A rank that is killed when rank 0 has
# written everything, and has only to wait for the others, leaves the whole model and nothing to resume.
complete() {
    if [ -e out.safetensors ] && [ ! -e out.safetensors.unfinished ]; then
        rm -f out.safetensors* state*
        return
    fi
    more=--resume
    [ -e state ] || more=--force
    ranks "$1" $more > log 2>&1 || fail "$1 ranks do not continue"
    cmp out.safetensors one.safetensors || fail "$1 ranks continue to other bits"
    [ -z "$(find . -maxdepth 1 -name '*.tmp.*')" ] || fail "$1 ranks leave a temporary file"
    rm -f out.safetensors* state*
}

"$bin/phantom" --out scans --images 8 --side 32 > log
one > log 2>&1 || fail "one process fails"
start=$(date +%s%N)
ranks 2 > log 2>&1 || fail "2 ranks fail"
cmp out.safetensors one.safetensors || fail "2 ranks give other bits"
grep -q '^bytes_sent_in_a_round' log || fail "no number of bytes"
limit=$((($(date +%s%N) - start) / 1000000))
rm -f out.safetensors* state*

# The second rank finds no data, as on a machine that lacks a disk.
cat > in_rank.sh << 'END'
[ "${OMPI_COMM_WORLD_RANK-${PMI_RANK-0}}" != 1 ] || cd scans
exec "$@"
END
# shellcheck disable=SC2086
if launch "$run" 2 sh in_rank.sh "$program" $flags --out out.safetensors --state state > log 2>&1; then
    fail "an error of one rank: the run ends well"
fi
grep -q '^rank 1: finetune: .*scans' log || fail "an error of one rank: no message with its number"
[ ! -e out.safetensors ] || fail "an error of one rank: a model is written"
rm -f state*

landed=0 i=0
while [ $i -lt "$count" ]; do
    i=$((i + 1))
    ranks 2 > log 2>&1 &
    job=$!
    if [ $i -eq 1 ]; then                             # as soon as there is a state
        while [ ! -e state ] && kill -0 $job 2> /dev/null; do sleep 0.02; done
    else
        sleep "$(awk -v seed="$i" -v limit="$limit" 'BEGIN { srand(seed); print rand() * limit / 1000 }')"
    fi
    victim=$(processes | sed -n "$((i % 2 + 1))p")
    if [ -n "$victim" ] && kill -9 "$victim" 2> /dev/null; then
        landed=$((landed + 1))
        if wait $job; then fail "kill $i: the run ends without an error"; fi
        grep -qiE 'signal 9|killed|exit code: 9|KILLED BY SIGNAL|abort' log || fail "kill $i: no message"
    else
        wait $job || fail "the undisturbed run $i fails"
        rm -f state*
    fi
    [ ! -e out.safetensors ] || cmp out.safetensors one.safetensors || fail "kill $i: another model is written"
    complete $(((i + 1) % 3 + 1))
    [ -z "$(find tmp -name 'peft-rank-*')" ] || fail "folders of killed ranks are left"
    rm -rf tmp/*
done
[ "$landed" -gt 0 ] || fail "no kill came in time"
echo "kills.sh: $landed of $count kills came before the end; all runs continue to the same bits"
