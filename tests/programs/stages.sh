#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# finetune in two stages: a second method beside the first (--then), and pruned prompts (--prune). Runs that are stopped
# in the second stage and resumed end with the same model.
#   stages.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
vit=$(cd "$(dirname "$0")/../.." && pwd)/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "stages: $1"
    exit 1
}
# finetune must refuse the arguments after $1 with a message that contains $1.
refused() {
    message=$1
    shift
    if "$bin/finetune" --backbone "$vit" --data pictures "$@" > refused.log 2>&1; then fail "accepted: $*"; fi
    grep -q -e "$message" refused.log || fail "'$*' was refused with $(cat refused.log)"
}
"$bin/phantom" --out pictures --images 10 --side 32 > /dev/null

refused 'give --then METHOD too' --then-options r=2
refused 'give --then METHOD too' --then-epochs 2
refused 'give --prune LIST too' --prune-score absolute
refused 'no method has this name' --then lorra
refused 'give one of them' --method e2vpt --prune 50 --then lora
refused 'method lora has no masks' --method lora --prune 50
for list in 10-101 90-10 x 1,,2 101 -5 ''; do refused 'expected a range' --method e2vpt --prune "$list"; done
refused 'expected signed or absolute' --method e2vpt --prune 50 --prune-score largest
# What the second stage needs is checked before the first one.
refused "unknown option 'ranks'" --then lora --then-options ranks=2 --method prefix
refused "--then-epochs: given '0', expected a whole number from 1 on" --then lora --then-epochs 0 --method prefix
refused "also has a tensor 'prompt_embeddings'" --method vpt --then e2vpt
refused "also has a tensor 'prefix'" --method prefix --then prefix
refused 'mask_tokens=\[1,0\]: a fixed mask' --method e2vpt --options 'tokens=2,mask_tokens=[1,0]' --prune 50
refused 'mask_pieces=\[\[1\]\]: a fixed mask' --method e2vpt --options 'tokens=1,pieces=1,mask_pieces=[[1]]' --prune 50
refused 'needs a mask to prune by' --method e2vpt --options 'mask_tokens=none,mask_pieces=none' --prune 50
refused 'leave none for validation' --method e2vpt --shots 2 --prune 50
if grep -q '^epoch' refused.log; then fail 'it trained before it refused'; fi
[ ! -e adapter.safetensors ] || fail 'a refused command wrote a model'

# Stops a run (the function and its arguments) as soon as its output has the text $1. The functions run finetune by
# $exec, so that in the background the process that gets the signal is finetune's.
exec=
stop_at() {
    text=$1
    shift
    : > stopped.log                                      # or an earlier run would be searched for the text
    exec=exec
    "$@" > stopped.log 2>&1 &
    child=$!
    exec=
    while kill -0 $child 2> /dev/null && ! grep -q "$text" stopped.log; do sleep 0.01; done
    kill -TERM $child 2> /dev/null || true
    wait $child || true
}

# Prefix tokens, then LoRA with them.
two() {
    $exec "$bin/finetune" --backbone "$vit" --data pictures --method prefix --options tokens=2 --epochs 2 --then lora \
        --then-options r=2 --then-epochs 6 "$@"
}
two --out a.safetensors > a.log
[ "$(grep -c 'effective rank' a.log)" -eq 3 ] || fail 'expected three lines of the effective rank'
grep -q '^second stage: lora beside prefix, 6 epochs' a.log
[ "$(grep -c '^epoch' a.log)" -eq 8 ] || fail 'expected 2 + 6 epochs'
"$bin/inspect" a.safetensors > a.txt
grep -q prefix a.txt && grep -q lora a.txt || fail 'the model lacks a method'
[ ! -e a.safetensors.state ] && [ ! -e a.safetensors.state.2 ] || fail 'states were left'
stop_at '^second stage' two --out b.safetensors
grep -q 'stopped after step' stopped.log && [ -e b.safetensors.state.2 ] || fail 'not stopped in the second stage'
two --resume --out b.safetensors > b.log || cat b.log
cmp a.safetensors b.safetensors || fail 'the resumed run has another model'

# Masks are trained, candidates tried, the best one trained.
pruned() {
    $exec "$bin/finetune" --backbone "$vit" --data pictures --method e2vpt --options tokens=4,kv_tokens=2 --epochs 1 \
        --prune 0,50 "$@"
}
pruned --out c.safetensors > c.log
grep -q '^pruning by signed importance over [0-9]* batches; 4 candidates' c.log
grep -q '^chosen: ' c.log
[ "$(wc -l < c.safetensors.prune.csv)" -eq 5 ] || fail 'expected a heading and four results'
# Half of 4 tokens, and of the 16 pieces of each of these two.
grep -q '^signed,50,50,.*,2,16$' c.safetensors.prune.csv || fail 'wrong numbers of tokens and pieces'
grep -q 'among 4 candidates, each trained for 1 epoch$' c.log
"$bin/inspect" c.safetensors > c.txt
grep -q 'mask_tokens="\[' c.txt || fail 'the model has no fixed mask'
refused 'exists' --method e2vpt --prune 0,50 --out c.safetensors
stop_at '^ *0 *0 ' pruned --out d.safetensors
[ "$(wc -l < d.safetensors.prune.csv)" -lt 5 ] || fail 'the run was not stopped among the candidates'
pruned --resume --out d.safetensors > d.log || cat d.log
cmp c.safetensors d.safetensors || fail 'the resumed search has another model'
cmp c.safetensors.prune.csv d.safetensors.prune.csv || fail 'the resumed search has another table'
# A table that no search wrote is refused, with the number of the line.
stop_at '^ *0 *0 ' pruned --out g.safetensors
cp g.safetensors.prune.csv good.csv
damaged_row() {
    head -n 1 good.csv > g.safetensors.prune.csv
    echo "$1" >> g.safetensors.prune.csv
    if pruned --resume --out g.safetensors > g.log 2>&1; then fail "accepted the row $1"; fi
    grep -q "g.safetensors.prune.csv: line 2: $2" g.log || fail "'$1' was refused with $(tail -1 g.log)"
}
damaged_row 'signed,50,50,nan,2,16' 'expected a figure from 0 to 1'
damaged_row 'signed,50,50,7,2,16' 'expected a figure from 0 to 1'
damaged_row 'signed,50,50' 'expected six fields'
damaged_row 'signed,50,50,0.5,-3,16' 'expected a whole number'
damaged_row 'signed,50,50,0.5,2,x' 'expected a whole number'
damaged_row 'signed,50,50,0.5,3,16' 'keeps 3 tokens and 16 pieces, expected 2 and 16'
cp good.csv g.safetensors.prune.csv
pruned --resume --out g.safetensors > g.log
cmp c.safetensors g.safetensors || fail 'the search has another model after a table was refused'

# A mask that is not trained is not searched. Parameters that a 0 multiplies: of 6 blocks, 2 of 4 tokens of 192
# channels.
"$bin/finetune" --backbone "$vit" --data pictures --method e2vpt --options tokens=4,kv_tokens=2,mask_pieces=none \
    --epochs 1 --prune 0,50 --out e.safetensors > e.log 2>&1
[ "$(grep -c '^signed,[0-9]*,-,.*,[24],-$' e.safetensors.prune.csv)" -eq 2 ] || fail 'a mask that is none was searched'
grep -q '^chosen: [0-9]* % of the tokens pruned$' e.log
grep -q 'warning: --prune: 6 validation images of 3 classes; with fewer than 10 a class' e.log
awk '$1 == "chosen:" { pruned = $2 ? 2304 : 0 } $1 == "trainable_parameters" { all = $2 }
    $1 == "not_masked_parameters" { found = 1; bad = all - $2 != pruned } END { exit !found || bad }' e.log ||
    fail 'wrong number of parameters that no mask leaves out'
# Equal candidates have equal results, which say nothing.
"$bin/finetune" --backbone "$vit" --data pictures --method e2vpt --options tokens=2,mask_tokens=none --epochs 1 \
    --prune 50,50 --out f.safetensors > f.log 2>&1
grep -q 'warning: all 2 candidates have the same balanced_accuracy' f.log || fail 'no warning of equal candidates'
