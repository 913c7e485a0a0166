#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Validation images of finetune: the best epoch's values are saved, also by a run that was killed and resumed; no
# patient is in two sets.
#   validation.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
vit=$(cd "$(dirname "$0")/../../.." && pwd)/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "validation: $1"
    exit 1
}
method=bitfit
rate=1e-2
tune() { "$bin/finetune" --backbone "$vit" --method $method --lr $rate --schedule constant "$@"; }
# finetune must refuse the arguments after $1 with a message that contains $1, and write no model.
refused() {
    message=$1
    shift
    if tune --epochs 1 --out refused.safetensors "$@" > refused.log 2>&1; then fail "accepted: $*"; fi
    grep -q -e "$message" refused.log || fail "'$*' was refused with $(cat refused.log)"
    [ ! -e refused.safetensors ] || fail "'$*' wrote a model"
}
"$bin/phantom" --out pictures --images 9 --side 32 > /dev/null

refused 'give --stop FIGURE too' --data pictures --patience 3
refused "--stop: given 'aucroc', no such figure of images with one label; expected one of balanced_accuracy" \
    --data pictures --stop aucroc
refused "--stop: given '', no such figure" --data pictures --stop ''
refused "--val: given '', expected a path" --data pictures --val ''
refused 'between 0 and 1' --data pictures --val 1.5
refused "does not exist\|No such file" --data pictures --val nowhere
method=e2vpt
refused 'cannot be combined with --prune' --data pictures --prune 50 --stop loss
method=bitfit
refused 'all 27 validation images are also training images' --data pictures --test pictures --val pictures

# A rate that makes the logits infinite while the parameters are finite: no such model is saved.
method=linear
rate=1e6
refused '^finetune: pictures/[a-z-]*/[0-9]*.png: the model.s output is NaN or infinite' --data pictures --val 0.25 \
    --batch 8 --head head=mlp --weight-decay 1e6
method=bitfit
rate=1e-2

# The model is that of the best epoch: a run of so many epochs, whose rate is constant, has the same one.
early() { tune --data pictures --val 0.25 --stop loss --patience 2 --epochs 9 "$@"; }
early --out early.safetensors > early.log
best=$(sed -n 's/^best epoch: \([0-9]*\) of .*/\1/p' early.log)
trained=$(grep -c '^epoch' early.log)
[ "$trained" -eq $((best + 2)) ] || [ "$trained" -eq 9 ] || fail "trained $trained epochs, the best is $best"
[ "$best" -lt "$trained" ] || fail 'the last epoch is the best: nothing was restored'
tune --data pictures --val 0.25 --epochs "$best" --out whole.safetensors > whole.log
cmp early.safetensors whole.safetensors || fail "the model differs from that of a run of $best epochs"
[ "$(grep -c '^  validation' whole.log)" -eq "$best" ] || fail 'expected a line of validation for each epoch'
# The named epoch has the least loss of all.
least=$(sed -n 's/^  validation  loss \([0-9.]*\).*/\1/p' early.log | sort -n | head -n 1)
grep -q "^best epoch: $best of $trained .*by loss $least of" early.log || fail "$least is not the best loss"
[ ! -e early.safetensors.state ] && [ ! -e early.safetensors.state.best ] || fail 'states were left'

# Killed after the state of some epoch was written; stopped by a signal. Both end with the same model.
for signal in KILL TERM; do
    if [ $signal = KILL ]; then set -- --state again.state; else set --; fi
    # On a busy machine the run may end before the signal arrives: then it is repeated.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rm -f again.*
        : > again.log
        "$bin/finetune" --backbone "$vit" --method bitfit --lr 1e-2 --schedule constant --data pictures --val 0.25 \
            --stop loss --patience 2 --epochs 9 --out again.safetensors "$@" > again.log 2>&1 &
        child=$!
        while kill -0 $child 2> /dev/null && ! grep -q '^epoch 2' again.log; do sleep 0.01; done
        kill -$signal $child 2> /dev/null || true
        wait $child 2> /dev/null || true
        grep -q '^epoch 2' again.log || fail "not trained: $(cat again.log)"
        [ -e again.safetensors ] || break
    done
    [ ! -e again.safetensors ] || fail 'ten runs ended before they could be stopped'
    early --resume --out again.safetensors "$@" > resumed.log || fail "not resumed: $(cat resumed.log)"
    cmp early.safetensors again.safetensors || fail "the model of a run that was resumed after SIG$signal differs"
done
# The best values belong to the state.
rm -f again.state.best again.safetensors
tune --data pictures --val 0.25 --stop loss --epochs 2 --state again.state --out again.safetensors > again.log
rm again.state.best again.safetensors
refused 'are not beside the state' --data pictures --val 0.25 --stop loss --state again.state --resume
refused 'validation' --data pictures --val 0.3 --stop loss --state again.state --resume

# Patients: none is in two of the three sets; three pictures each.
{
    echo image,label,patient
    for class in benign malignant normal; do
        k=0
        for file in pictures/$class-like/*; do
            echo "$file,$class,$class$((k / 3))"
            k=$((k + 1))
        done
    done
} > table.csv
grep -q 'pictures/normal-like/.*,normal,normal1' table.csv || fail "no table: $(head -3 table.csv)"
tune --data table.csv --val 0.34 --stop auroc_macro --patience 0 --epochs 2 --out table.safetensors > table.log
[ "$(grep -c '^epoch' table.log)" -eq 2 ] || fail '--patience 0 did not train all epochs'
grep -q '^validation: .* patients; a share of 0.34 of the training images' table.log || fail 'no line of validation'
sed '1d' table.csv | sed -n '1,5p' | sed '1i image,label,patient' > val.csv
sed '1d' table.csv | sed -n '6,27p' | sed '1i image,label,patient' > rest.csv
refused '1 patient has both \(training and validation\|validation and test\) images' --data rest.csv --val val.csv \
    --stop loss
# The split 'val' is used when a figure is asked for, and is the test set where there is no other.
awk -F, 'NR == 1 { print $0 ",split"; next } { print $0 "," (NR % 6 < 3 ? "train" : NR % 6 < 5 ? "val" : "test") }' \
    OFS=, table.csv | sed 's/,[a-z]*[0-9],/,/; s/,patient,/,/' > splits.csv
tune --data splits.csv --stop loss --epochs 1 --out splits.safetensors > splits.log
grep -q "^validation: .*; the split 'val'\$" splits.log || fail "no split 'val': $(grep ^validation splits.log)"
grep -q "^test: .*; the split 'test'\$" splits.log || fail "no split 'test'"
grep -v ',test$' splits.csv > two.csv
tune --data two.csv --stop loss --epochs 1 --out two.safetensors > two.log
grep -q "^validation: .*; a share of 0.2 of the training images" two.log || fail 'no fifth of the training images'
