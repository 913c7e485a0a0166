#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# finetune --val folds=K: a training for each fold, then one on all images for the median of the best epochs; a run that
# was killed goes on with the folds that it has.
#   folds.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
vit=$(cd "$(dirname "$0")/../../.." && pwd)/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "folds: $1"
    exit 1
}
exec=
tune() { $exec "$bin/finetune" --backbone "$vit" --data pictures --method bitfit --lr 1e-2 --schedule constant "$@"; }
folds() { tune --val folds=3 --stop loss --patience 1 --epochs 4 "$@"; }
refused() {
    message=$1
    shift
    if tune --epochs 1 --out refused.safetensors "$@" > refused.log 2>&1; then fail "accepted: $*"; fi
    grep -q -e "$message" refused.log || fail "'$*' was refused with $(cat refused.log)"
}
"$bin/phantom" --out pictures --images 7 --side 32 > /dev/null
refused 'with 2 or more folds' --val folds=1
refused 'cannot be combined with --then' --val folds=3 --then lora
refused 'has only 6 training images' --val folds=7

folds --out a.safetensors > a.log
[ "$(grep -c '^fold [123] of 3: [0-9]* images, [0-9]* held out' a.log)" -eq 3 ] || fail 'expected three folds'
all=$(sed -n 's/^training: \([0-9]*\) images.*/\1/p' a.log)
[ "$(sed -n 's/^fold .*, \([0-9]*\) held out/\1/p' a.log | awk '{ n += $1 } END { print n }')" -eq "$all" ] ||
    fail 'not every image is held out once'
grep -q "^out of fold: $all images" a.log || fail 'no pooled figures'
grep -q '^  balanced_accuracy  *[0-9.]* \[[0-9.]*, [0-9.]*\]' a.log || fail 'no interval'
median=$(sed -n 's/^best epoch: \([0-9]*\) .*/\1/p' a.log | sort -n | sed -n 2p)
grep -q "^training on all $all images: $median epoch" a.log || fail "the median is $median"
tune --epochs "$median" --out plain.safetensors > plain.log
cmp a.safetensors plain.safetensors || fail "the model differs from that of $median epochs on all images"
grep -q '"out_of_fold_figures": {' a.safetensors.record.json || fail 'the record lacks the figures of the folds'
[ ! -e a.safetensors.state.folds ] || fail 'the file of the folds was left'

# Killed in the second fold or later. On a busy machine the run may end first: then it is repeated.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    rm -f b.*
    exec=exec
    : > b.log
    folds --out b.safetensors > b.log 2>&1 &
    child=$!
    exec=
    while kill -0 $child 2> /dev/null && ! grep -q '^fold 2' b.log; do sleep 0.01; done
    kill -KILL $child 2> /dev/null || true
    wait $child 2> /dev/null || true
    grep -q '^fold 2' b.log || fail "not trained: $(cat b.log)"
    [ -e b.safetensors ] || break
done
[ ! -e b.safetensors ] || fail 'ten runs ended before they could be killed'
[ -e b.safetensors.state.folds ] || fail 'no file of the folds'
if folds --seed 2 --resume --out b.safetensors > other.log 2>&1; then fail 'folds of another seed were taken up'; fi
grep -q 'or of other images, folds, seed' other.log || fail "refused with $(cat other.log)"
state=b.safetensors.state.folds
cp "$state" whole
# Line 2 has the epoch of the first fold.
for damage in '2s/.*/nan/' '2s/.*/1e300/' '2s/.*/1.5/' '2s/.*/-1/' '2s/.*/5/' '2s/.*/99999999999999999999/' '5s/.*/x/' '$d' \
    '$a0x1p-1'; do
    sed "$damage" whole > "$state"
    if folds --resume --out b.safetensors > other.log 2>&1; then fail "a file with $damage was taken up"; fi
    grep -q "$state is damaged" other.log ||
        fail "refused with $(cat other.log)"
done
mv whole "$state"
folds --resume --out b.safetensors > b.log
[ "$(grep -c '^fold ' b.log)" -lt 3 ] || fail 'a finished fold was trained again'
cmp a.safetensors b.safetensors || fail 'the model of the resumed run differs'
