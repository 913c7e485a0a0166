#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The example programs: --help, wrong flags, training that is stopped, resumed and repeated, prediction, merging.
#   examples.sh FOLDER      FOLDER: of the programs
set -eu
bin=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for program in finetune predict inspect custom_method merge convert compare report; do
    "$bin/$program" --help | grep -q "^usage: $program"
    "$bin/$program" --help | grep -q '^example:'
    "$bin/$program" --threads 7 --help > "$work/given" 2>&1 || true          # custom_method has no --threads
    if grep -q '^ *--threads.*default 7' "$work/given"; then
        echo "$program: --help prints what was given as the default"
        exit 1
    fi
    if "$bin/$program" 2> /dev/null || "$bin/$program" --no-such-flag 2> /dev/null; then
        echo "$program: wrong flags were accepted"
        exit 1
    fi
done
"$bin/inspect" --adaptation > "$work/kinds"
grep -q '^foa_bp$' "$work/kinds"
grep -q '^    predict .*before or after' "$work/kinds"
grep -q '^    batch .*1 to 65536, default 64$' "$work/kinds"
"$bin/inspect" --methods > "$work/methods_and_options"
grep '^[a-z]' "$work/methods_and_options" > "$work/methods"
grep -qx ept "$work/methods"
while read -r method; do
    grep -q "^| \[\`$method\`\](docs/methods/" "$(dirname "$0")/../../README.md" && continue
    echo "README.md lacks the method $method"
    exit 1
done < "$work/methods"

"$bin/custom_method" --out "$work/own.safetensors" | grep -q 'the same predictions'

# inspect --operations prints the operations of a plan; PEFT_VERBOSE=1 logs each operation with its time. Both change no
# output of a program.
small=$(dirname "$0")/../../examples/data/vit_cifar10.safetensors
"$bin/inspect" --operations 2 "$small" > "$work/table"
awk '$1 == "session:" && $3 == "operations," { said = $2 } $1 == "session" { rows++ }
    END { exit !rows || rows != said }' "$work/table"
grep -q ' linear+bias  *blocks.0.attn.qkv.weight,bias ' "$work/table"
# A backbone without a classifier has a table without a head.
"$bin/merge" --backbone "$small" --classifier false --out "$work/bare.safetensors" > "$work/log"
"$bin/inspect" --operations 1 "$work/bare.safetensors" > "$work/bare"
"$bin/inspect" --operations 1 --compute int8_all "$small" | grep -q 'int8 is for frozen weights'
grep -q '^  session: ' "$work/bare"
if grep -q ' head.weight,bias ' "$work/bare"; then exit 1; fi
"$bin/custom_method" --out "$work/own.safetensors" > "$work/quiet" 2> "$work/nothing"
PEFT_VERBOSE=1 "$bin/custom_method" --out "$work/own.safetensors" > "$work/loud" 2> "$work/lines"
cmp "$work/quiet" "$work/loud"
[ ! -s "$work/nothing" ]
awk '!/^libpeft: (session|train|evaluate) .* \| [0-9.]+ us / { exit 1 } END { exit !NR }' "$work/lines"
if PEFT_VERBOSE=yes "$bin/custom_method" --out "$work/own.safetensors" 2> "$work/error"; then exit 1; fi
grep -q "PEFT_VERBOSE: given 'yes', expected 0 or 1" "$work/error"

# The rest needs pretrained weights and images.
vit=${PEFT_SHARED-}/data/vit/deit_tiny_patch16_224.safetensors
[ -f "$vit" ] || { echo "SKIP: PEFT_SHARED has no data"; exit 0; }
"$bin/inspect" "$vit" | grep -q ': backbone'
data=$PEFT_SHARED/data/busi
image=$data/normal/normal_1.png
train() {
    "$bin/finetune" --backbone "$vit" --data "$data" --shots 2 --test-per-class 2 --epochs 3 --batch 2 --image-size 64 \
        --options "${options-length=10}" --state "$work/state" --force "$@"
}
predict() {
    "$bin/predict" --backbone "$vit" --model "$1" "$image" "$data/benign/benign_1.png"
}
# Two threads, one thread, and a run that is stopped after about an epoch and resumed give the same model.
train --threads 2 --out "$work/a.safetensors" > "$work/a.log"
grep -q '^auroc_macro' "$work/a.log"
train --threads 1 --out "$work/b.safetensors" > "$work/b.log"
cmp "$work/a.safetensors" "$work/b.safetensors"
train --out "$work/c.safetensors" > "$work/c.log" 2>&1 &
child=$!
while kill -0 $child 2> /dev/null && ! grep -q '^epoch' "$work/c.log"; do sleep 0.01; done
kill -INT $child 2> /dev/null || true
wait $child || true
train --resume --out "$work/c.safetensors" > "$work/c.log"
cmp "$work/a.safetensors" "$work/c.safetensors"

predict "$work/a.safetensors" > "$work/a.txt"
predict "$work/c.safetensors" > "$work/c.txt"
cmp "$work/a.txt" "$work/c.txt"
[ "$(wc -l < "$work/a.txt")" -eq 2 ]
"$bin/predict" --csv --backbone "$vit" --model "$work/a.safetensors" "$image" |
    grep -q '^image,predicted,benign,malignant,normal'
"$bin/inspect" "$work/a.safetensors" | grep -q ': model'

# inspect --operations of a trained model needs its backbone.
"$bin/inspect" --operations 1 --backbone "$vit" "$work/a.safetensors" | grep -q '^  session .* blocks.0.attn.qkv'
if "$bin/inspect" --operations 1 "$work/a.safetensors" > "$work/no.log" 2>&1; then exit 1; fi
grep -q 'give --backbone' "$work/no.log"

# FPT has its own network, which determines the head and the number of classes, also in predict.
options=side_image=32 train --method fpt --out "$work/fpt.safetensors" > "$work/fpt.log"
predict "$work/fpt.safetensors" > "$work/fpt.txt"
[ "$(grep -c 'benign=.* malignant=.* normal=' "$work/fpt.txt")" -eq 2 ]

# merge: the drift is rounding only, the saved folder names the classes, and a method that cannot be merged is refused.
options=r=2 train --method lora --out "$work/lora.safetensors" > "$work/lora.log"
merge() {
    "$bin/merge" --backbone "$vit" "$@"
}
merge --model "$work/lora.safetensors" --out "$work/merged.safetensors" > "$work/merge.txt"
awk '/^largest/ { exit !($(NF - 3) < 1e-4) }' "$work/merge.txt"
"$bin/inspect" --trainer | grep -q '^    weight_decay '
"$bin/inspect" --metrics | grep -q '^    balanced_accuracy '
"$bin/inspect" --preprocess | grep -q '^    interpolation '
"$bin/inspect" "$work/merged.safetensors" | grep -q ' blocks.0.attn.qkv.weight '
"$bin/inspect" "$work/merged.safetensors" > "$work/order"
awk '/^  settings: heads=.*,pool=cls/ { a = NR } /^  parts: class token, position/ { b = NR } /qkv.weight/ { c = NR; exit }
     END { exit !(a && b && a < b && b < c) }' "$work/order" || { echo 'inspect: no network before the tensors'; exit 1; }
one_tensor() { # $1: its name, of at most 150 bytes; the header's length is one byte
    header="{\"$1\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
    # shellcheck disable=SC2059  # the first byte is an escape of the format
    printf "\\$(printf %o ${#header})\\0\\0\\0\\0\\0\\0\\0%s\\0\\0\\0\\0" "$header" > "$work/one.safetensors"
}
one_tensor downsample_layers.0.0.weight                      # of ConvNeXt
if "$bin/inspect" "$work/one.safetensors" > "$work/reason"; then echo 'inspect: status 0'; exit 1; fi
grep -q 'cannot be loaded as a backbone: .*ConvNeXt' "$work/reason"
one_tensor ramp
"$bin/inspect" "$work/one.safetensors" > "$work/reason"
if grep -q 'cannot be loaded' "$work/reason"; then echo 'inspect takes any file for a network'; exit 1; fi
merge --model "$work/lora.safetensors" --naming hf --out "$work/hf" > "$work/merge.txt"
"$bin/inspect" "$work/hf/model.safetensors" | grep -q ' vit.encoder.layer.0.attention.attention.query.weight '
grep -q '"1": "malignant"' "$work/hf/config.json"
if merge --model "$work/a.safetensors" --out "$work/no.safetensors" 2> "$work/no.log"; then exit 1; fi
grep -q "'ept' cannot be merged" "$work/no.log"

# convert keeps the number format, writes what it reads bit for bit, and its f32 of f16 numbers has the same values.
convert() {
    "$bin/convert" "$@" > "$work/convert.txt"
}
convert --backbone "$vit" --out "$work/whole.safetensors"
grep -q 'parameters, f32$' "$work/convert.txt"
convert --backbone "$work/whole.safetensors" --naming hf5 --out "$work/whole"
convert --backbone "$work/whole" --out "$work/again.safetensors"
for file in whole again; do
    "$bin/inspect" "$work/$file.safetensors" | grep '^  fingerprint:' > "$work/$file.print"
done
cmp "$work/whole.print" "$work/again.print"
convert --backbone "$vit" --dtype f16 --out "$work/narrow.safetensors"
convert --backbone "$work/narrow.safetensors" --out "$work/kept.safetensors"
grep -q 'parameters, f16$' "$work/convert.txt"
cmp "$work/narrow.safetensors" "$work/kept.safetensors"
if convert --backbone "$vit" --out "$work/kept.safetensors" 2> "$work/no.log"; then exit 1; fi
grep -q 'exists already' "$work/no.log"
if convert --backbone "$work" --out "$work/no.safetensors" 2> "$work/no.log"; then exit 1; fi
grep -q 'no model.safetensors or pytorch_model.bin in this folder' "$work/no.log"

# merge without a model converts the backbone to f16.
merge --dtype f16 --out "$work/half.safetensors" > "$work/merge.txt"
"$bin/inspect" "$work/half.safetensors" | grep -q ' blocks.0.attn.qkv.weight  *F16'
