#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# finetune, compare, predict, merge and convert are killed at random moments. No file is lost or half written: an output
# does not exist or is the one of an undisturbed run, and what --resume completes has the same bytes.
#   kills.sh FOLDER [COUNT]      FOLDER: of the programs; COUNT: kills of each program, 8 unless given
set -eu
bin=$(cd "$1" && pwd)
count=${2-8}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
kills=0 landed=0

fail() {
    echo "kills.sh: $1"
    cat log
    exit 1
}
# Milliseconds that a command takes.
duration() {
    start=$(date +%s%N)
    "$@" > log 2>&1 || fail "failed: $*"
    echo $((($(date +%s%N) - start) / 1000000 + 1))
}
# Runs the command and kills it after a random part of $1 milliseconds.
killed() {
    limit=$1
    shift
    kills=$((kills + 1))
    "$@" > log 2>&1 &
    process=$!
    sleep "$(awk -v seed=$kills -v limit="$limit" 'BEGIN { srand(seed); print rand() * limit / 1000 }')"
    if kill -9 $process 2> /dev/null; then landed=$((landed + 1)); fi
    wait $process 2> /dev/null || true
}
# The file does not exist, or is the same as the reference.
intact() {
    [ ! -e "$1" ] || cmp "$1" "$2" > log 2>&1 || fail "$1 is not the file of an undisturbed run"
}
no_temporaries() {
    left=$(find . -name '*.tmp.*' -o -name '*.part' -o -name '*.trial*')
    [ -z "$left" ] || fail "left: $left"
}

"$bin/phantom" --out scans --images 12 --side 32 > log
cat > list.txt << 'END'
linear: --method linear
LoRA: --method lora
END
pretrain() {
    "$bin/pretrain" --data scans --model image_size=32,patch=8,width=64,depth=4,heads=4,mlp=256 --epochs 1 --warmup 0 \
        --batch 4 --out vit.safetensors
}
finetune() {
    out=$1
    shift
    exec_or_call "$bin/finetune" --backbone vit.safetensors --data scans --method lora --epochs 6 --threads 1 --state state \
        --out "$out" "$@"
}
predict() {
    out=$1
    shift
    exec_or_call "$bin/predict" --backbone vit.safetensors --model ref.safetensors --threads 1 --out "$out" scans scans scans "$@"
}
merge() {
    exec_or_call "$bin/merge" --backbone vit.safetensors --model ref.safetensors --out "$1" --force
}
convert() {
    exec_or_call "$bin/convert" --backbone vit.safetensors --naming hf5 --out "$1" --force
}
compare() {
    out=$1
    shift
    exec_or_call "$bin/compare" --backbone vit.safetensors --data scans --methods list.txt --shots 2 --test-per-class 2 \
        --samplings 2 --runs 2 --epochs 2 --jobs 1 --csv "$out.csv" --summary "$out-summary.csv" --svg "$out.svg" "$@"
}
# The columns except those of time and memory.
figures() { cut -d, -f1-15,17 "$1" | sort; }
# In the background the program itself gets the id $!, so that the kill meets it.
exec_or_call() { if [ -n "${background-}" ]; then exec "$@"; else "$@"; fi; }
in_background() { background=1; "$@"; }

pretrain > log 2>&1
time_finetune=$(duration finetune ref.safetensors)
rm -f state
time_predict=$(duration predict ref.csv)
time_merge=$(duration merge ref-merged.safetensors)
time_convert=$(duration convert ref-hf.safetensors)
time_compare=$(duration compare ref-compare)
figures ref-compare.csv > ref-figures

i=0
while [ $i -lt "$count" ]; do
    i=$((i + 1))
    killed "$time_finetune" in_background finetune m.safetensors
    intact m.safetensors ref.safetensors
    resume=
    if [ -e m.safetensors ]; then rm -f m.safetensors state; fi
    if [ -e state ]; then resume=--resume; fi
    finetune m.safetensors $resume > log 2>&1 || fail "finetune $resume after a kill"
    cmp m.safetensors ref.safetensors || fail "finetune $resume gives other bytes"
    rm -f m.safetensors state

    killed "$time_predict" in_background predict p.csv
    intact p.csv ref.csv
    resume=
    if [ -e p.csv.part ]; then resume=--resume; fi
    if [ -e p.csv ]; then resume=--force; fi
    predict p.csv $resume > log 2>&1 || fail "predict $resume after a kill"
    cmp p.csv ref.csv || fail "predict $resume gives other bytes"
    rm -f p.csv

    for program in merge convert; do
        eval "limit=\$time_$program"
        [ $program = merge ] && reference=ref-merged.safetensors || reference=ref-hf.safetensors
        killed "$limit" in_background $program o.safetensors
        intact o.safetensors $reference
        $program o.safetensors > log 2>&1 || fail "$program after a kill"
        cmp o.safetensors $reference || fail "$program gives other bytes"
        killed "$limit" in_background $program o.safetensors        # over an existing file: the old or the new one
        [ -e o.safetensors ] || fail "$program lost the old file"
        intact o.safetensors $reference
        $program o.safetensors > log 2>&1 || fail "$program after a kill"
        rm -f o.safetensors
    done

    killed "$time_compare" in_background compare c
    resume=
    if [ -e c.csv ]; then resume=--resume; fi
    compare c $resume > log 2>&1 || fail "compare $resume after a kill"
    figures c.csv > c-figures
    cmp c-figures ref-figures || fail "compare $resume gives other results"
    rm -f c.csv c-summary.csv c.svg
    no_temporaries
done
[ "$landed" -gt $((kills / 4)) ] || fail "only $landed of $kills kills met a running program"
echo "kills: $kills, $landed of them met a running program"
