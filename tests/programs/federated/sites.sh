#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# federate --sites: the bits of a federation whose sites train by finetune and whose files aggregate joins; refusals.
#   sites.sh FOLDER      FOLDER: of the programs
set -eu
here=$(cd "$(dirname "$0")" && pwd)
name=sites programs=$1
. "$here/common.sh"

pictures() { "$bin/phantom" --out "$1" --images "$2" --seed "$3" --side 32 > /dev/null; }
finetune() { "$bin/finetune" --backbone "$vit" --test test --epochs 1 --threads 1 --force "$@" > /dev/null; }
federate() {
    "$bin/federate" --backbone "$vit" --sites --data sites --test test --rounds 2 --schedule cosine --threads 1 "$@"
}
mkdir sites
pictures test 1 99
for k in 1 2 3; do pictures "sites/Klinikum Süd $k" $((k + 1)) "1$k"; done
finetune --data "sites/Klinikum Süd 1" --method lora --options dropout=0.2 --out start.peft

mkdir by
federate --model start.peft --seed 7 --lr 0.01 --by by --out last.peft > log
for k in 1 2 3; do
    grep -q "^Klinikum Süd $k: [0-9]* images: " log || fail "no line with the name of site $k: $(cat log)"
done
cmp start.peft by/round0.peft || fail "the federation begins with another file than --model"
for round in 1 2; do
    sites=
    for k in 1 2 3; do
        finetune --data "sites/Klinikum Süd $k" --model by/round$((round - 1)).peft --seed $((7 + round)) \
            --trainer lr=0.01 --out site$k.peft
        cmp site$k.peft by/round$round.client$((k - 1)).peft || fail "round $round, site $k: other bits than finetune"
        sites="$sites site$k.peft"
    done
    # shellcheck disable=SC2086  # words are wanted
    "$bin/aggregate" --start by/round$((round - 1)).peft --out round$round.peft $sites > log
    cmp round$round.peft by/round$round.peft || fail "round $round: other bits than aggregate"
done
cmp last.peft round2.peft || fail "--out is another file than that of the last round"

refused '--test' "$bin/federate" --backbone "$vit" --sites --data sites
refused '--clients: divides' federate --clients 3
refused '--options: .*--model' federate --model start.peft --options r=2
refused 'names the same file' federate --model start.peft --out start.peft --force
touch sites/notes.txt
refused '--data sites: notes.txt is no folder' federate
rm sites/notes.txt
mkdir none
refused 'a folder for each site' "$bin/federate" --backbone "$vit" --sites --data none --test test
mv "sites/Klinikum Süd 3/normal-like" "sites/Klinikum Süd 3/other"
refused 'Süd 3: .*other' federate
