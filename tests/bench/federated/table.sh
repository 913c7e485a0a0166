#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Federated table: methods and rules of aggregation on phantoms and PneumoniaMNIST, with equal and unequal sites.
#   table.sh PROGRAMS OUT [SEEDS]
# PROGRAMS: folder of the programs. OUT: folder of the results, OUT/rounds.csv and OUT/table.md; a run that was stopped is
# continued by the same command. SEEDS: 5. PEFT_SHARED: the folder with data/medmnist; without it phantoms alone.
# 5 clients, 20 rounds of one local epoch, the example network of 32 x 32 pixels. About 40 CPU minutes.
set -eu
export LC_ALL=C
programs=$(cd "$1" && pwd)
. "$(dirname "$0")/../student.sh"
vit=$(cd "$(dirname "$0")/../../.." && pwd)/examples/data/vit_cifar10.safetensors
mkdir -p "$2"
cd "$2"
seeds=${3-5}
[ -d phantoms ] || "$programs/phantom" --out phantoms --images 60 --side 32 > /dev/null
pneumonia=${PEFT_SHARED-}/data/medmnist/pneumoniamnist.npz

# run DATA-NAME DATA SHOTS ALPHA LABEL FLAGS: one entry, all seeds but those whose rows are in rounds.csv.
run() {
    name=$1 data=$2 shots=$3 alpha=$4 label=$5
    shift 5
    for seed in $(seq "$seeds"); do
        if grep -Fq "$name $label,$alpha,$seed," rounds.csv 2> /dev/null; then continue; fi
        "$programs/federate" --backbone "$vit" --data "$data" --shots "$shots" --test-per-class 40 --clients 5 \
            --alpha "$alpha" --rounds 20 --judge-every 20 --batch 8 --seed "$seed" --threads 1 --label "$name $label" \
            --csv rounds.csv "$@" > last.log 2>&1 || { echo "$name, $label, alpha $alpha: $(tail -n 1 last.log)"; return; }
    done
    echo "$name, $label, alpha $alpha: done"
}

# entries DATA-NAME DATA SHOTS ALPHA
entries() {
    run "$@" "linear" --method linear --lr 1e-2
    run "$@" "VPT" --method vpt --options tokens=8 --lr 1e-2
    run "$@" "VPT rank 2" --method vpt --options tokens=8,rank=2 --lr 1e-2
    run "$@" "LoRA factors" --method lora --options r=4 --lr 3e-3 --lora factors
    run "$@" "LoRA product" --method lora --options r=4 --lr 3e-3 --lora product
    run "$@" "LoRA + VPT" --method lora --options r=4 --also vpt,tokens=8 --lr 3e-3
    run "$@" "2 blocks of attention" --method partial --options layers=all,part=attention --blocks 2 --lr 1e-3
    run "$@" "EPT" --method ept --lr 1e-2
    run "$@" "EPT mass" --method ept --lr 1e-2 --ept mass
    run "$@" "LoRA FedProx" --method lora --options r=4 --lr 3e-3 --trainer proximal=0.1
}
for alpha in 0 0.5 0.1; do
    entries phantoms phantoms 20 "$alpha"
    if [ -f "$pneumonia" ]; then entries pneumonia "$pneumonia" 30 "$alpha"; fi
done

# Means over the seeds with 95 % intervals by Student's t; bytes in a run, of all clients in one direction.
awk -F, -v student="$student" '
BEGIN {
    split(student, t, " ")
    print "| images, method | alpha | balanced accuracy, % | macro AUROC, % | kB up in a run | drift |"
    print "|---|---|---|---|---|---|"
}
FNR > 1 && $4 == 20 {
    k = $1 "," $2
    if (!(k in n)) order[++rows] = k
    n[k]++
    b[k] += $8; bb[k] += $8 * $8; a[k] += $9; aa[k] += $9 * $9; up[k] = $10 * 20; d[k] += $12
}
function interval(sum, squares, count, half) {
    if (count < 2) return sprintf("%.1f", 100 * sum / count)
    half = t[count - 1] * sqrt((squares - sum * sum / count > 0 ? squares - sum * sum / count : 0) / (count - 1) / count)
    return sprintf("%.1f +- %.1f", 100 * sum / count, 100 * half)
}
END {
    for (i = 1; i <= rows; i++) {
        k = order[i]
        split(k, part, ",")
        printf "| %s | %s | %s | %s | %.0f | %.3g |\n", part[1], part[2] == 0 ? "IID" : part[2],
               interval(b[k], bb[k], n[k]), interval(a[k], aa[k], n[k]), up[k] / 1000, d[k] / n[k]
    }
}' rounds.csv > table.md
cat table.md
