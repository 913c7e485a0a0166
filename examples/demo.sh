#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Few-shot learning on two real data sets, breast ultrasound and chest X-ray: a DeiT-Ti trained by linear probing and by
# EPT on 10 images a class, three draws each, and judged on 120 held-out images a class. Writes models and logs to demo/.
# PEFT_DATA: the folder with the data, by default ../shared/data beside the checkout; without it, says where to get it.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
"$root/scripts/deps.sh" build
cmake -G Ninja -S "$root" -B "$root/build" -DCMAKE_BUILD_TYPE=Release -DPEFT_TESTS=OFF > /dev/null
cmake --build "$root/build" --target finetune predict inspect > /dev/null
bin=$root/build/examples
data=${PEFT_DATA:-$root/../shared/data}
vit=$data/vit/deit_tiny_patch16_224.safetensors

if [ ! -f "$vit" ] || [ ! -d "$data/busi" ] || [ ! -d "$data/chest_xray" ]; then
    cat << END
The demonstration needs these public files; set PEFT_DATA to the folder they are in.
  vit/deit_tiny_patch16_224.safetensors
      DeiT-Ti/16, ImageNet-1k (Apache-2.0): model.safetensors of
      https://huggingface.co/timm/deit_tiny_patch16_224.fb_in1k
  busi/{benign,malignant,normal}/*.png
      Breast Ultrasound Images, Al-Dhabyani et al., Data in Brief 28 (2020) 104863 (CC BY 4.0 as MedMNIST gives it
      on): https://scholar.cu.edu.eg/?q=afahmy/pages/dataset, without the *_mask*.png files
  chest_xray/{train,test}/{NORMAL,PNEUMONIA}/*.jpeg
      Paediatric chest X-rays, Kermany et al., Mendeley Data rscbjbr9sj (CC BY 4.0):
      https://data.mendeley.com/datasets/rscbjbr9sj
What can be trained:
END
    "$bin/inspect" --methods
    exit 0
fi

out=$root/demo
mkdir -p "$out"
rm -f "$out/results"
# $1 data set, $2 method, $3 learning rate, $4 options of the method
train() {
    for seed in 1 2 3; do
        log=$out/$1-$2-$seed
        printf '%s, %s, draw %s\n' "$1" "$2" "$seed"
        "$bin/finetune" --backbone "$vit" --data "$data/$1" --shots 10 --test-per-class 120 --seed $seed --method "$2" \
            ${4:+--options "$4"} --lr "$3" --epochs 20 --batch 4 --out "$log.safetensors" > "$log.log"
        awk -v row="$1 $2 $seed" '{ v[$1] = $2 }
            END { print row, v["accuracy"], v["auroc_macro"], v["trainable_parameters"], v["seconds_per_step"],
                  v["planned_mib"], v["peak_mib"] }' "$log.log" >> "$out/results"
    done
}
train busi linear 1e-3
train busi ept 0.1 length=100
train chest_xray linear 1e-3
train chest_xray ept 0.01 length=100

awk '
function mean(x, k) { return (x[k, 1] + x[k, 2] + x[k, 3]) / 3 }
function sd(x, k,  m) { m = mean(x, k); return sqrt(((x[k, 1] - m)^2 + (x[k, 2] - m)^2 + (x[k, 3] - m)^2) / 2) }
function row(x, k) { printf " %6.1f %6.1f %6.1f  %5.1f +- %4.1f |", x[k, 1], x[k, 2], x[k, 3], mean(x, k), sd(x, k) }
{
    k = $1 " " $2
    if (!(k in parameters)) order[++rows] = k
    accuracy[k, $3] = 100 * $4
    auroc[k, $3] = 100 * $5
    parameters[k] = $6
    step[k] += $7 / 3
    planned[k] = $8
    peak[k] = $9
}
END {
    printf "\n%-18s | %-35s | %-35s | %9s %7s %8s %8s\n", "", "accuracy of draws 1 2 3, mean +- sd",
           "AUROC of draws 1 2 3, mean +- sd", "trained", "s/step", "planned", "peak MiB"
    for (i = 1; i <= rows; i++) {
        k = order[i]
        printf "%-18s |", k
        row(accuracy, k)
        row(auroc, k)
        printf " %9d %7.3f %8.1f %8.1f\n", parameters[k], step[k], planned[k], peak[k]
    }
}' "$out/results"

printf '\nThe first ultrasound model on two images a class:\n'
for class in benign malignant normal; do
    find "$data/busi/$class" -name '*.png' | sort | head -2
done | tr '\n' '\0' | xargs -0 "$bin/predict" --backbone "$vit" --model "$out/busi-ept-1.safetensors"
