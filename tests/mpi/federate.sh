#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# federate-mpi on 1, 2 and 3 ranks, more than a round has clients: the files and rows of federate; the same noise in all
# ranks; only rank 0 writes; an error of a client ends all.
#   federate.sh MPIRUN FEDERATE_MPI FOLDER    FOLDER: of the other programs
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/launch.sh"
run=$1 program=$(readlink -f "$2") bin=$(cd "$3" && pwd)
vit=$here/../../examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "federate.sh: $1"
    cat log
    exit 1
}
flags="--backbone $vit --data scans --shots 2 --test-per-class 1 --clients 3 --share 0.7 --alpha 0.5 --threads 1"
flags="$flags --rounds 2"
# shellcheck disable=SC2086  # the flags are words of their own
one() { "$bin/federate" $flags "$@" > log 2>&1 || fail "one process fails"; }
# shellcheck disable=SC2086
ranks() {
    n=$1
    shift
    launch "$run" "$n" "$program" $flags "$@" > log 2>&1
}
# The figures of a run, without those of MPI.
figures() { grep -v -e '^ranks' -e '^bytes_sent' log; }

"$bin/phantom" --out scans --images 4 --side 32 > log
lora="--method lora --options r=2,dropout=0.1"
mkdir by.0
# shellcheck disable=SC2086
one $lora --by by.0 --csv 0.csv
figures > 0.txt
for n in 1 2 3; do
    mkdir by.$n
    # shellcheck disable=SC2086
    ranks $n $lora --by by.$n --csv $n.csv --out $n.peft || fail "$n ranks fail"
    figures > $n.txt
    diff 0.txt $n.txt > differs || fail "$n ranks print other figures: $(cat differs)"
    cmp 0.csv $n.csv || fail "$n ranks: other rows"
    diff -r by.0 by.$n || fail "$n ranks: other files"
    cmp $n.peft by.0/round2.peft || fail "$n ranks: another global model"
done

# What was sent: on 2 ranks, the global model of each round from rank 0; the second client's file of each round to it.
bytes() { sed -n "s/^$1 *//p" log; }
# shellcheck disable=SC2086
ranks 2 $lora --by by.2 --force || fail "2 ranks fail"
globals=$(cat by.2/round1.peft by.2/round2.peft | wc -c)
[ "$(bytes bytes_sent_by_rank_0)" -gt "$globals" ] || fail "rank 0 has sent fewer bytes than the global models have"
[ "$(bytes bytes_sent_by_all)" -gt "$((2 * globals))" ] || fail "the ranks have sent fewer bytes than the files have"

# Sites with images of their own, from a given file.
mkdir sites
cp -r scans sites/a
"$bin/phantom" --out sites/b --images 3 --side 32 --seed 2 > log
sites="--backbone $vit --sites --data sites --test scans --model by.0/round1.peft --rounds 1 --threads 1"
# shellcheck disable=SC2086
"$bin/federate" $sites --out 0.sites > log 2>&1 || fail "one process fails with sites"
# shellcheck disable=SC2086
launch "$run" 2 "$program" $sites --out 2.sites > log 2>&1 || fail "2 ranks fail with sites"
cmp 0.sites 2.sites || fail "2 ranks with sites: another global model"

# Noise of the system's random numbers is that of rank 0.
ranks 2 --method linear --clip 1 --noise 0.1 --out noise.peft || fail "2 ranks with noise fail"

# The second rank has broken pictures.
mkdir -p other
cp -r scans other
find other -name '*.png' | while read -r picture; do
    head -c 60 "$picture" > head
    mv head "$picture"
done
cat > in_rank.sh << 'IN_RANK'
[ "${OMPI_COMM_WORLD_RANK-${PMI_RANK-0}}" != 1 ] || cd other
exec "$@"
IN_RANK
# shellcheck disable=SC2086
if launch "$run" 2 sh in_rank.sh "$program" $flags $lora --out broken.peft > log 2>&1; then
    fail "an error of one rank: the run ends well"
fi
grep -q '^federate: rank 1: round 1, client [0-2]: .*png' log || fail "an error of one rank: no message with its number"
[ ! -e broken.peft ] || fail "an error of one rank: a model is written"
