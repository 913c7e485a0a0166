#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# federate and aggregate: the same bits in memory, by files and by aggregate; threads do not matter; rules, refusals.
#   federate.sh FOLDER      FOLDER: of the programs
set -eu
here=$(cd "$(dirname "$0")" && pwd)
name=federate programs=$1
. "$here/common.sh"

federate() { "$bin/federate" --backbone "$vit" --data pictures --shots 4 --clients 3 --alpha 0.5 --test-per-class 2 "$@"; }
"$bin/phantom" --out pictures --images 8 --side 32 > /dev/null

mkdir rounds
federate --rounds 2 --method lora --options r=2 --threads 1 --by rounds --csv a.csv > by_files.log
federate --rounds 2 --method lora --options r=2 --threads 2 --out memory.peft --csv b.csv > memory.log
cmp rounds/round2.peft memory.peft || fail "other bits in memory than by files"
cmp a.csv b.csv || fail "other figures in memory than by files"
[ "$(wc -l < a.csv)" = 3 ] || fail "a.csv has other rows: $(cat a.csv)"

# The next global file by hand, as a consortium does it.
sites=$(sed -n 's/^client \([0-9]\): \([0-9]*\) images.*/rounds\/round2.client\1.peft:\2/p' by_files.log)
# shellcheck disable=SC2086  # words are wanted
"$bin/aggregate" --start rounds/round1.peft --out next.peft $sites > aggregate.log
cmp next.peft rounds/round2.peft || fail "aggregate gives other bits than federate"
grep -q '3 sites, 12 images' aggregate.log || fail "aggregate prints $(cat aggregate.log)"
# shellcheck disable=SC2086
for rule in product stack; do
    "$bin/aggregate" --start rounds/round1.peft --out $rule.peft --lora $rule $sites > $rule.log
    "$bin/predict" --backbone "$vit" --model $rule.peft pictures > /dev/null 2>&1 || fail "$rule.peft cannot be used"
done

# Blocks of a round, and a share of the clients.
federate --rounds 1 --method full --blocks 1 --share 0.4 --out blocks.peft > blocks.log
grep -q 'bytes up' blocks.log || fail "no bytes in $(cat blocks.log)"

refused 'exists already' "$bin/aggregate" --start rounds/round1.peft --out next.peft rounds/round2.client0.peft:1
refused 'there is no record' "$bin/aggregate" --out other.peft rounds/round2.client0.peft
ln -s memory.peft link.peft
cp memory.peft kept.peft
for same in memory.peft:1 memory.peft:2 ./memory.peft:1 link.peft:1; do
    refused 'given twice' "$bin/aggregate" --out other.peft memory.peft:1 $same
done
for same in memory.peft ./memory.peft link.peft; do
    refused 'names the same file' "$bin/aggregate" --out $same --force memory.peft:1 rounds/round2.client0.peft:1
done
cmp memory.peft kept.peft || fail "a site's file was changed"
refused 'holds files of a federation' federate --rounds 1 --method lora --by rounds
refused 'whole number' federate --rounds 1.9
for wrong in '' 0x1p-1 nan inf; do
    refused 'expected a decimal number from 1e-06 to 1' federate --rounds 1 --share "$wrong"
done
refused 'at most 6' federate --rounds 1 --blocks 7
# Noise: each round has its own, also from a seed: the changes by two rounds, of which the noise is nearly all, are not
# alike. Columns: the values before, between and after the rounds, the last of each file.
mkdir noise
federate --rounds 2 --method linear --clip 0.001 --noise 1000 --noise-seed 3 --by noise --threads 1 > noise.log
values() { tail -c 2000 "noise/round$1.peft" | od -An -v -tf4 -w4; }
for round in 0 1 2; do values $round > values$round; done
paste values0 values1 values2 | awk '
    { a = $2 - $1; b = $3 - $2; aa += a * a; bb += b * b; ab += a * b }
    END { if (!aa || !bb) exit 1; c = ab / sqrt(aa * bb); if (c > 0.5) exit 1 }' || fail "two rounds have the same noise"

# All images are counted with noise.
"$bin/aggregate" --start rounds/round1.peft --out noisy.peft --clip 1 --noise 1 --noise-seed 3 $sites > noisy.log
grep -q '3 sites, 12 images' noisy.log || fail "aggregate with noise prints $(cat noisy.log)"
refused 'blocks.*lora\|lora.*full\|method.*given' "$bin/aggregate" --out other.peft memory.peft:1 blocks.peft:1
refused 'clip_norm' "$bin/aggregate" --out other.peft --noise 1 memory.peft:1
refused 'rank by the number of clients' federate --rounds 2 --lora stack
refused 'sites is 50' "$bin/federate" --backbone "$vit" --data pictures --shots 4 --clients 50 --alpha 0.5
[ ! -e other.peft ] || fail "a refused aggregation wrote a file"

# A site's record gives the number of its training images.
"$bin/finetune" --backbone "$vit" --data pictures --shots 3 --method linear --epochs 1 --out site.peft > /dev/null
"$bin/aggregate" --out one.peft site.peft | grep -q 'site.peft: 9 images' || fail "the record's images are not read"
