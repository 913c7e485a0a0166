#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Demonstrates few-shot learning without any downloads: builds the programs, generates synthetic ultrasound pictures,
# adapts the small ViT of examples/data to 10 pictures per class (three random draws) by four methods, and writes
# demo/results.csv and demo/report.html; an existing folder demo is replaced. PEFT_DATA: a folder with real images and
# pretrained weights (default: ../shared/data beside the checkout). Those that exist are studied too, which takes about
# 15 minutes more on two cores; for the others it says at the end where to get the data.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
data=${PEFT_DATA:-$root/../shared/data}
"$root/scripts/deps.sh" build
echo "Building in $root/build (about a minute on two idle cores)"
cmake -G Ninja -S "$root" -B "$root/build" -DCMAKE_BUILD_TYPE=Release -DPEFT_TESTS=OFF > /dev/null
cmake --build "$root/build" --target phantom compare report > /dev/null
bin=$root/build/examples
small=$root/examples/data/vit_cifar10.safetensors
deit=$data/vit/deit_tiny_patch16_224.safetensors
out=$root/demo
rm -rf "$out"
mkdir "$out"
studied= missing=

# Runs compare on one data set. $1 name, $2 title, $3 note, $4 weights, $5 images, $6 test images per class (0: all), $7
# learning rate of ept, $8 learning rate of lora (docs/results.md)
study() {
    if [ ! -f "$4" ] || [ ! -e "$5" ]; then
        missing="$missing $1"
        return
    fi
    printf '\n%s (12 runs)\n' "$2"
    cat > "$out/$1.txt" << END
linear: --method linear --lr 1e-3
vpt: --method vpt --lr 1e-3
lora: --method lora --lr $8
ept: --method ept --lr $7
END
    "$bin/compare" --backbone "$4" --data "$5" --methods "$out/$1.txt" --shots 10 --test-per-class "$6" --samplings 3 \
        --runs 1 --judge-every 5 --analysis --title "$2" --note "$3" --records "$out/$1" \
        --csv "$out/results.csv" --resume \
        --summary "$out/$1-summary.csv" --svg "$out/$1.svg" > "$out/$1.log"
    sed -n '/ runs /,/^written/ { /^written/! p }' "$out/$1.log"
    studied="$studied $1"
}

"$bin/phantom" --out "$out/phantoms-images" --images 70 --difficulty 1.5 > /dev/null
study phantoms 'Phantoms' 'SYNTHETIC: made by a formula, see docs/phantoms.md. No medical images, no medical result.' \
    "$small" "$out/phantoms-images" 60 0.003 1e-3
study breastmnist 'BreastMNIST' 'Breast ultrasound of 28 x 28 pixels, 0 malignant, 1 benign or normal.' \
    "$small" "$data/medmnist/breastmnist.npz" 0 0.01 1e-3
study pneumoniamnist 'PneumoniaMNIST' 'Chest X-rays of 28 x 28 pixels, 0 normal, 1 pneumonia.' \
    "$small" "$data/medmnist/pneumoniamnist.npz" 0 0.01 1e-3
study busi 'Breast ultrasound' 'DeiT-Ti at 224 pixels.' "$deit" "$data/busi" 120 0.1 3e-3
study chest_xray 'Chest X-ray' 'DeiT-Ti at 224 pixels.' "$deit" "$data/chest_xray" 120 0.01 1e-3
# shellcheck disable=SC2086  # $studied is a list of folder names without blanks
(cd "$out" && "$bin/report" --title 'Few-shot adaptation with libpeft' --out report.html $studied > /dev/null)

if [ -n "$missing" ]; then
    cat << END

Optional studies with public data:$missing
Download their data sets and weights into one folder, set PEFT_DATA to it, and run this again:
  medmnist/{breastmnist,pneumoniamnist}.npz
      MedMNIST v2, Yang et al., Scientific Data 10 (2023) 41 (CC BY 4.0): https://zenodo.org/records/10519652
  vit/deit_tiny_patch16_224.safetensors
      DeiT-Ti/16, ImageNet-1k (Apache-2.0): model.safetensors of
      https://huggingface.co/timm/deit_tiny_patch16_224.fb_in1k
  busi/{benign,malignant,normal}/*.png
      Breast Ultrasound Images, Al-Dhabyani et al., Data in Brief 28 (2020) 104863 (CC BY 4.0 as MedMNIST gives it
      on): https://scholar.cu.edu.eg/?q=afahmy/pages/dataset, without the *_mask*.png files
  chest_xray/{train,test}/{NORMAL,PNEUMONIA}/*.jpeg
      Paediatric chest X-rays, Kermany et al., Mendeley Data rscbjbr9sj (CC BY 4.0):
      https://data.mendeley.com/datasets/rscbjbr9sj
END
fi
printf '\nResults of every run:  %s\nReport to open:        %s\n' "$out/results.csv" "$out/report.html"
echo 'For a model of your own: docs/tutorial.md'
