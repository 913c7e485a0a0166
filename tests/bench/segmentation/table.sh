#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Segmentation of phantoms by several methods, beside the decoder SETR-PUP: Dice of 60 test images after training on 16,
# over draws of the training images, by compare --masks and report.   table.sh PROGRAMS OUT [DRAWS [HEAD [EPOCHS]]]
# PROGRAMS: folder of the programs. OUT: folder of the results: OUT/runs.csv, the page OUT/page.html and OUT/table.md; a
# study that was stopped is continued by the same command. DRAWS: 5. HEAD: setr_pup. EPOCHS: 30. The example network of
# 32 x 32 pixels, about 30 CPU minutes. One run at a time, so that times can be compared.
set -eu
export LC_ALL=C
programs=$(cd "$1" && pwd)
vit=$(cd "$(dirname "$0")/../../.." && pwd)/examples/data/vit_cifar10.safetensors
mkdir -p "$2"
cd "$2"
phantoms() {                       # FOLDER IMAGES SEED: lesions only
    [ ! -d "$1" ] || return 0
    "$programs/phantom" --out "$1.part" --images "$2" --side 64 --masks --seed "$3" > /dev/null
    rm -r "$1.part/images/normal-like" "$1.part/masks/normal-like"
    mv "$1.part" "$1"
}
phantoms train 40 1
phantoms test 30 99
cat > methods.txt << 'END'
full:    --method full --lr 3e-4
head:    --method linear --lr 3e-3
VPT:     --method vpt --lr 3e-3 --options tokens=8
LoRA:    --method lora --lr 3e-3
EPT:     --method ept --lr 3e-3
Adapter: --method adapter --lr 3e-3
END
"$programs/compare" --backbone "$vit" --data train/images --masks train/masks --test test/images \
    --test-masks test/masks --mask-options classes=tissue:benign:malignant --head "head=${4-setr_pup}" \
    --methods methods.txt --shots 8 --samplings "${3-5}" --runs 1 --epochs "${5-30}" --jobs 1 --csv runs.csv \
    --summary summary.csv --svg chart.svg --records records --resume
"$programs/report" --out page.html --csv figures --force records

# The table of docs/segmentation.md. Fields of the CSV file: method, runs, runs planned, Dice, its standard deviation, the
# ends of its intervals over draws and over images, .., trained parameters, seconds of a run, milliseconds of a step,
# memory.
awk -F, '
function grouped(n) { return n < 1000 ? n : grouped(int(n / 1000)) sprintf(",%03d", n % 1000) }
NR == 1 {
    print "| method | mean Dice, % | trained parameters | seconds a step | peak memory, MiB |"
    print "|---|---|---|---|---|"
    next
}
{ half = $6 == "" ? "" : sprintf(" +- %.1f", ($7 - $6) / 2)
  printf "| %s | %.1f%s | %s | %.2f | %.0f |\n", $1, $4, half, grouped($(NF - 3)), $(NF - 1) / 1000, $NF
}' figures/study-1-01-mean-results-of-each-method.csv > table.md
cat table.md
