#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the tables of test-time adaptation in docs/results.md: the ViT of examples/data on CIFAR-10 test images with
# five corruptions at three strengths, and a model trained on phantoms on those of two other scanners. About 10 minutes
# on two cores.   table.sh BUILD [IMAGES [SEEDS]]
# PEFT_SHARED: a folder with data/cifar10/cifar10_jpeg.zip (train/<class>/*.jpg, test/<class>/*.jpg).
set -eu
bin=$1/examples
images=${2:-256}
seeds=${3:-3}
vit=$(dirname "$0")/../data/vit_cifar10.safetensors
cifar=${PEFT_SHARED-}/data/cifar10/cifar10_jpeg.zip
[ -f "$cifar" ] || { echo "table.sh: skipped, PEFT_SHARED has no data/cifar10/cifar10_jpeg.zip" >&2; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Kinds of this build, vptta one image at a time as published. A wrong kind makes adapt list those that it knows.
known=" $("$bin/adapt" --backbone none --data none --kind unknown 2>&1 | sed 's/,//g') "
kinds=
for kind in tent t3a foa foa_bp vptta,batch=1; do
    case $known in *" ${kind%,*} "*) kinds="${kinds:+$kinds;}$kind" ;; esac
done

adapt() {
    "$bin/adapt" --backbone "$vit" --kind "$kinds" --images "$images" --seeds "$seeds" --threads 1 "$@" \
        2> "$work/log" || { cat "$work/log" >&2; exit 1; }
}

# The two parts run at the same time, each on one core.
classes=airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck
adapt --data "$cifar" --class-names $classes --corrupt every > "$work/cifar" &
"$bin/phantom" --out "$work/train" --images 60 --difficulty 1.5 > "$work/log2"
"$bin/phantom" --out "$work/same" --images 200 --difficulty 1.5 --seed 2 > "$work/log2"
"$bin/finetune" --backbone "$vit" --data "$work/train" --test "$work/same" --shots 40 --method lora --epochs 10 \
    --out "$work/model.safetensors" --threads 1 > "$work/log2"
for shift in 1 2; do
    "$bin/phantom" --out "$work/shift$shift" --images 200 --difficulty 1.5 --seed 2 --shift $shift > "$work/log2"
done
for test in same shift1 shift2; do
    adapt --model "$work/model.safetensors" --data "$work/train" --test "$work/$test" > "$work/phantoms.$test"
done
wait $!
echo "CIFAR-10, $images images, $seeds repetitions:"
echo
cat "$work/cifar"
for test in same shift1 shift2; do
    echo
    echo "Phantoms, scanner: $test"
    echo
    cat "$work/phantoms.$test"
done
