#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Segmentation of phantoms by several methods, beside the decoder SETR-PUP: Dice of 60 test images after training on 16,
# mean over draws of the training images.   table.sh PROGRAMS OUT [DRAWS [HEAD]]
# PROGRAMS: folder of the programs. OUT: folder of the results, OUT/runs.csv and OUT/table.md; a run that was stopped is
# continued by the same command. DRAWS: 5. HEAD: setr_pup. The example network of 32 x 32 pixels, 30 epochs, about 30
# CPU minutes.
set -eu
export LC_ALL=C
programs=$(cd "$1" && pwd)
vit=$(cd "$(dirname "$0")/../../.." && pwd)/examples/data/vit_cifar10.safetensors
mkdir -p "$2"
cd "$2"
draws=${3-5} head=${4-setr_pup}
phantoms() {                       # FOLDER IMAGES SEED: lesions only
    [ ! -d "$1" ] || return 0
    "$programs/phantom" --out "$1.part" --images "$2" --side 64 --masks --seed "$3" > /dev/null
    rm -r "$1.part/images/normal-like" "$1.part/masks/normal-like"
    mv "$1.part" "$1"
}
phantoms train 40 1
phantoms test 30 99

# number NAME: the number behind NAME in what finetune printed
number() { awk -v name="$1" '$1 == name { print $2 }' last.log; }

# run LABEL METHOD LR FLAGS
run() {
    label=$1 method=$2 lr=$3
    shift 3
    for seed in $(seq "$draws"); do
        if grep -Fq "$label,$seed," runs.csv 2> /dev/null; then continue; fi
        "$programs/finetune" --backbone "$vit" --data train/images --masks train/masks --test test/images \
            --test-masks test/masks --mask-options classes=tissue:benign:malignant --head "head=$head" \
            --method "$method" --lr "$lr" --shots 8 --epochs 30 --seed "$seed" --threads 2 --force \
            --out "$method-$seed.safetensors" "$@" > last.log 2>&1 || { echo "$label: $(tail -n 1 last.log)"; return; }
        echo "$label,$seed,$(number test_dice),$(number trainable_parameters),$(number seconds_per_step),$(number peak_mib)" \
            >> runs.csv
    done
    echo "$label: done"
}
run "full" full 3e-4
run "head" linear 3e-3
run "VPT" vpt 3e-3 --options tokens=8
run "LoRA" lora 3e-3
run "EPT" ept 3e-3
run "Adapter" adapter 3e-3

# Means over the draws with 95 % intervals by Student's t.
awk -F, '
BEGIN {
    split("12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262", t, " ")
    print "| method | mean Dice, % | trained parameters | seconds a step | peak memory, MiB |"
    print "|---|---|---|---|---|"
}
{
    if (!($1 in n)) order[++rows] = $1
    n[$1]++
    d[$1] += 100 * $3; dd[$1] += 1e4 * $3 * $3; p[$1] = $4; s[$1] += $5; m[$1] += $6
}
END {
    for (i = 1; i <= rows; i++) {
        k = order[i]; c = n[k]; mean = d[k] / c
        half = c > 1 ? t[c - 1] * sqrt((dd[k] - c * mean * mean) / (c - 1) / c) : 0
        printf "| %s | %.1f +- %.1f | %d | %.3f | %.0f |\n", k, mean, half, p[k], s[k] / c, m[k] / c
    }
}' runs.csv > table.md
cat table.md
