#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# finetune --resume refuses what belongs to another training or is damaged, and ends a run that was stopped after its
# model had been saved.
#   resume.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
data=$(cd "$(dirname "$0")/../../.." && pwd)/examples/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "resume: $1"
    exit 1
}
tune() {
    "$bin/finetune" --backbone vit.safetensors --data pictures --method bitfit --lr 1e-2 --schedule constant \
        --threads 1 "$@"
}
refused() {
    message=$1
    shift
    if tune --resume "$@" > refused.log 2>&1; then fail "accepted: $*"; fi
    grep -q -e "$message" refused.log || fail "'$*' was refused with $(cat refused.log)"
}
"$bin/phantom" --out pictures --images 7 --side 32 > /dev/null
cp "$data/vit_cifar10.safetensors" vit.safetensors

# Another sampler.
tune --epochs 1 --balance sampler --state drawn.state --out drawn.safetensors > drawn.log
refused "note 'balance'" --epochs 2 --state drawn.state --out more.safetensors
tune --epochs 1 --state plain.state --out plain.safetensors > plain.log
refused "note 'balance'" --epochs 2 --balance sampler --state plain.state --out more.safetensors

# Folds: stopped after the first one.
set -- --val folds=2 --stop loss --patience 1 --epochs 2 --out a.safetensors
: > a.log
"$bin/finetune" --backbone vit.safetensors --data pictures --method bitfit --lr 1e-2 --schedule constant --threads 1 \
    "$@" > a.log 2>&1 &
child=$!
while kill -0 $child 2> /dev/null && ! grep -q '^fold 2' a.log; do sleep 0.01; done
kill -KILL $child 2> /dev/null || true
wait $child 2> /dev/null || true
folds=a.safetensors.state.folds
[ -e $folds ] || fail 'no file of the folds'
cp $folds good
for change in '2s/.*/9/' '2s/.*/1e300/' '5s/.*/0x1.4p+2/' '$d' '$p' '$s/^\(.*\)./\1x/'; do
    sed "$change" good > $folds
    ! cmp -s good $folds || fail "$change changed nothing"
    refused 'is damaged; train from the beginning without --resume' "$@"
done
cp good $folds
middle=$(($(wc -c < vit.safetensors) / 2 / 4 * 4 + 3))
printf '\277' | dd of=vit.safetensors bs=1 seek=$middle conv=notrunc 2> /dev/null
refused 'is of another backbone' "$@"
cp "$data/vit_cifar10.safetensors" vit.safetensors
tune --resume "$@" > a.log

# Stopped after the model was saved: the table of --predictions cannot be written. --resume evaluates the model.
evaluated() { tune --val 0.25 --stop loss --patience 0 --epochs 12 --predictions "$@"; }
evaluated whole.csv --out whole.safetensors > whole.log
mkdir folder
: > part.log
evaluated folder/part.csv --out part.safetensors > part.log 2>&1 &
child=$!
while kill -0 $child 2> /dev/null && ! grep -q '^epoch 1/' part.log; do sleep 0.01; done
rmdir folder
if wait $child; then fail 'a table was written into a folder that does not exist'; fi
[ -e part.safetensors ] || fail "the model was not saved: $(cat part.log)"
mkdir folder
if evaluated folder/part.csv --out part.safetensors --seed 2 --resume > other.log 2>&1; then fail 'another seed'; fi
grep -q 'part.safetensors: exists already' other.log || fail "refused with $(cat other.log)"
evaluated folder/part.csv --out part.safetensors --resume > part.log || fail "not resumed: $(cat part.log)"
for file in whole.safetensors:part.safetensors whole.csv:folder/part.csv; do
    cmp "${file%:*}" "${file#*:}" || fail "${file#*:} is not that of a run that was not stopped"
done

# Stopped while the last epoch is judged, and again while the resumed run judges it: many validation images take long.
# A run that would train a step behind an epoch that is not judged could not be resumed any more.
"$bin/phantom" --out judged --images 120 --side 32 --seed 9 > /dev/null
judged() { exec "$bin/finetune" --backbone vit.safetensors --data pictures --method bitfit --lr 1e-2 --threads 1 \
    --val judged --stop loss --epochs 2 --out "$@"; }
(judged judged.safetensors) > judged.log
stop_when() { # $1: a line of the output of "$@" behind it, at which the run is stopped
    line=$1
    shift
    : > stopped.log
    (judged "$@") > stopped.log 2>&1 &
    child=$!
    while kill -0 $child 2> /dev/null && ! grep -q "$line" stopped.log; do sleep 0.01; done
    sleep 0.1
    kill -INT $child 2> /dev/null || true
    if wait $child; then return 1; fi
    grep -q 'with --resume continues' stopped.log || fail "not stopped: $(cat stopped.log)"
}
# On a busy machine a signal may come late: then the run has judged the epoch, which is another case.
if stop_when '^epoch 1/' twice.safetensors && ! grep -q 'validation  loss' stopped.log; then
    if stop_when '^decoded .* all can be read' twice.safetensors --resume; then
        (judged twice.safetensors --resume) > twice.log 2>&1 || fail "stopped twice: $(cat twice.log)"
    fi
    cmp judged.safetensors twice.safetensors || fail 'stopped twice: another model'
fi

left=$(find . -name '*.state*' ! -name 'drawn*' ! -name 'plain*' -o -name '*.unfinished')
[ -z "$left" ] || fail "left: $left"
refused 'part.safetensors: exists already' --out part.safetensors
