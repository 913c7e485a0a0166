#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Mistakes of first-time users of the programs: each is refused before any work, with a message that names it and the
# cure; none loses a model, overwrites a file or gives a wrong result.
#   mistakes.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
vit=$root/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
count=0

fail() {
    echo "mistakes.sh: $mistake: $1"
    cat log
    exit 1
}
# The command after $1 must fail with a message that contains each part of $1 (separated by "|").
refused() {
    words=$1
    shift
    if "$@" > log 2>&1; then fail 'was accepted'; fi
    says "$words"
}
# The output must contain each part of $1.
says() {
    echo "$1" | tr '|' '\n' > words
    while read -r word; do
        grep -qF -- "$word" log || fail "no '$word' in the message"
    done < words
}
a_mistake() {
    mistake=$1
    count=$((count + 1))
}
finetune() {
    "$bin/finetune" --backbone "$vit" --method linear --epochs 2 --threads 1 "$@"
}
no_temporary() {
    [ -z "$(find . -name '*trial*' -o -name '*tmp*' -o -name '*.part')" ] || fail 'temporary files were left'
}

"$bin/phantom" --out scans --images 6 --side 32 > log
cp -r scans fresh
rm scans/README.txt fresh/README.txt
"$bin/phantom" --out new --images 3 --side 32 --seed 9 > log
rm new/README.txt
picture=new/normal-like/0000.png
finetune --data scans --test new --out good.safetensors > good.log
cp good.safetensors kept.safetensors

# --- paths -----------------------------------------------------------------------------------------------------------
a_mistake 'the folder of --out is missing'
refused "the folder 'nosuch' does not exist|mkdir -p 'nosuch'" finetune --data scans --out nosuch/m.safetensors
if grep -q '^epoch' log; then fail 'found only after training'; fi

a_mistake 'the folder of --state is missing'
refused "--state nosuch/s|does not exist" finetune --data scans --out m.safetensors --state nosuch/s

a_mistake 'a folder as --out'
refused 'is a folder; expected the path of a file' finetune --data scans --out new

a_mistake 'the data do not exist'
refused 'nosuch: No such file or directory|folder of class folders' finetune --data nosuch --out m.safetensors

a_mistake 'the backbone does not exist'
refused 'nosuch.safetensors: No such file or directory' \
    "$bin/finetune" --backbone nosuch.safetensors --data scans --out m.safetensors

a_mistake 'backbone and data swapped'
refused 'backbone scans: no model.safetensors or pytorch_model.bin in this folder' \
    "$bin/finetune" --backbone scans --data "$vit" --out m.safetensors

a_mistake 'the model given as backbone, and the backbone as model'
refused 'is a backbone; give it as --backbone' "$bin/predict" --backbone "$vit" --model "$vit" "$picture"
refused "of kind 'model'; give it as --model" "$bin/predict" --backbone good.safetensors --model good.safetensors "$picture"

a_mistake 'the training state given as model'
finetune --data scans --test new --out state-of.safetensors --state state > log 2>&1 || fail 'failed'
refused "training state|--out" "$bin/predict" --backbone "$vit" --model state "$picture"

# --- nothing is written over -----------------------------------------------------------------------------------------
a_mistake 'twice the same --out'
refused 'exists already; give another path, or --force' finetune --data scans --test new --out good.safetensors
cmp good.safetensors kept.safetensors

a_mistake '--out is the backbone'
cp "$vit" vit.safetensors
refused 'another option of this command names the same file' \
    "$bin/finetune" --backbone vit.safetensors --data scans --out vit.safetensors --force
ln -s vit.safetensors link.safetensors
refused 'another option of this command names the same file' \
    "$bin/merge" --backbone vit.safetensors --out ./link.safetensors --force
cmp "$vit" vit.safetensors

a_mistake 'a merge over an older file'
refused 'exists already' "$bin/merge" --backbone "$vit" --dtype f16 --out good.safetensors
cmp good.safetensors kept.safetensors

a_mistake 'a state of another run is there'
refused 'exists already; give --resume to continue from it, or --force' \
    finetune --data scans --test new --out m.safetensors --state state

a_mistake '--resume without a state'
refused 'no training state m.safetensors.state|leave --resume out' finetune --data scans --out m.safetensors --resume

a_mistake 'a report over an older page'
echo old > page.html
refused 'exists already' "$bin/report" --out page.html scans
[ "$(cat page.html)" = old ]

# --- options of the command line -------------------------------------------------------------------------------------
a_mistake 'a rate given twice'
refused 'lr is given twice|give it once' finetune --data scans --out m.safetensors --lr 0.1 --trainer lr=0.2
refused 'given twice' finetune --data scans --out m.safetensors --lr 0.1 --lr 0.2

a_mistake 'a flag without its value'
refused "is followed by '--force'" finetune --data scans --out --force

a_mistake 'a misspelt flag, method, option, or word of preprocessing'
refused "unrecognized option '--metod'" finetune --metod lora --data scans
refused "method 'lorra'" "$bin/finetune" --backbone "$vit" --data scans --method lorra --out m.safetensors
refused "unknown option 'rnk'" "$bin/finetune" --backbone "$vit" --data scans --method lora --options rnk=3 \
    --out m.safetensors
refused "unknown option 'learning_rate'" finetune --data scans --trainer learning_rate=1 --out m.safetensors
refused 'means' finetune --data scans --preprocess means=0.5 --out m.safetensors

a_mistake 'a head that classifies patches, which no data set of the programs has labels for'
refused '--head: head=patch_linear|8x8|leave it out' finetune --data scans --head head=patch_linear --out m.safetensors
if grep -q 'decoded' log || [ -e m.safetensors.state ]; then fail 'found only after decoding images'; fi
finetune --data scans --test new --head head=linear,head_init=normal:0.1 --out one.safetensors > log 2>&1 ||
    fail 'failed'
LC_ALL=C sed 's/head=\\"linear\\",head_init=\\"normal:0.1\\"/head=\\"patch_linear\\",head_init=\\"zero\\"/' \
    one.safetensors > patches.safetensors
refused '--task classify|patches.safetensors|8x8|leave --task out' \
    "$bin/predict" --csv --task classify --backbone "$vit" --model patches.safetensors "$picture"
refused '--per-case|leave it out' \
    "$bin/predict" --csv --per-case mean --backbone "$vit" --model patches.safetensors "$picture"
refused '--task segment|one.safetensors|patch_linear' \
    "$bin/predict" --csv --task segment --backbone "$vit" --model one.safetensors "$picture"
refused '--save-masks|leave it out' \
    "$bin/predict" --csv --save-masks masks --backbone "$vit" --model one.safetensors "$picture"
if grep -q '^image' log; then fail 'printed a header line first'; fi

a_mistake 'a file where a flag is expected'
refused "'scans' is not an option" finetune scans --data new --out m.safetensors

a_mistake 'a number that is none, or out of range: by one rule, before anything else'
refused "--seed: given 'ten', expected a whole number" finetune --data scans --seed ten --out m.safetensors
printf 'head: --method linear\n' > list.txt
printf 'head: --batch 4.5\n' > broken_list.txt
for number in 1e1 4.0 4.5 0x1 inf '' ' 4'; do
    for flag in epochs batch threads tune-folds; do
        refused "--$flag: given '$number', expected a whole number" \
            "$bin/finetune" --backbone "$vit" --data scans --$flag "$number" --out m.safetensors
    done
    refused "--batch: given '$number', expected a whole number" "$bin/compare" --backbone "$vit" --data scans \
        --methods list.txt --batch "$number"
    refused "--operations: given '$number', expected a whole number" "$bin/inspect" --operations "$number" "$vit"
    [ "$(wc -l < log)" -eq 1 ] || fail 'printed the file first'
done
refused "broken_list.txt:1: --batch: given '4.5', expected a whole number" "$bin/compare" --backbone "$vit" \
    --data scans --methods broken_list.txt
for number in 0 -1; do
    for flag in epochs batch; do
        refused "--$flag: given '$number', expected a whole number from 1 on" \
            "$bin/finetune" --backbone "$vit" --data scans --$flag $number --out m.safetensors
        refused "compare: --$flag: given '$number', expected a whole number from 1 on" "$bin/compare" --backbone "$vit" \
            --data scans --methods list.txt --$flag $number
    done
    for flag in samplings runs; do
        refused "--$flag: given '$number', expected a whole number from 1 to 100000" "$bin/compare" --backbone "$vit" \
            --data scans --methods list.txt --$flag $number
    done
    refused "--operations: given '$number', expected a whole number from 1 to" "$bin/inspect" --operations $number "$vit"
    [ "$(wc -l < log)" -eq 1 ] || fail 'printed the file first'
done
refused "--judge-every: given '-1', expected a whole number from 0 on" "$bin/compare" --backbone "$vit" \
    --data scans --methods list.txt --records records --judge-every -1

a_mistake 'two different image sizes'
refused '--image-size 32 and --preprocess size=64 differ' \
    finetune --data scans --image-size 32 --preprocess size=64 --out m.safetensors

# --- data ------------------------------------------------------------------------------------------------------------
a_mistake 'a broken test picture'
cp -r new broken
head -c 300 new/benign-like/0001.png > broken/benign-like/0001.png
echo 'no picture' > broken/normal-like/0002.png
refused 'broken/benign-like/0001.png|broken/normal-like/0002.png|2 of 27 pictures cannot be read' \
    finetune --data scans --test broken --out m.safetensors
if grep -q '^epoch' log; then fail 'found only after training'; fi

a_mistake 'a picture of signed samples among others, without a range'
cp -r scans signed
{
    printf '\223NUMPY\001\000\166\000'
    printf '%-117s\n' "{'descr': '<i2', 'fortran_order': False, 'shape': (4, 4), }"
    head -c 32 /dev/zero
} > signed/normal-like/0009.npy
refused 'signed/normal-like/0009.npy|range=lo:hi|1 of ' finetune --data signed --test new --out m.safetensors
if grep -q '^epoch' log || [ -e m.safetensors.state ]; then fail 'found only after training'; fi
finetune --data signed --test new --preprocess range=p0:p100 --out windowed.safetensors > log 2>&1 || fail 'failed'

a_mistake 'a picture that breaks while the model is trained'
if finetune --data scans --test broken --unchecked --out saved.safetensors > log 2>&1; then fail 'was accepted'; fi
says 'broken/benign-like/0001.png'
"$bin/predict" --backbone "$vit" --model saved.safetensors "$picture" > log 2>&1 ||
    fail 'the model is lost'

a_mistake 'an unknown arithmetic, and one beside --adapt'
refused "compute: given 'f16', expected f32, bf16x3, bf16, int8 or int8_all" \
    "$bin/predict" --compute f16 --backbone "$vit" --model good.safetensors "$picture"
refused "--adapt KIND,compute=bf16" \
    "$bin/predict" --compute bf16 --adapt tent --backbone "$vit" --model good.safetensors "$picture"
"$bin/predict" --compute bf16 --csv --backbone "$vit" --model good.safetensors "$picture" > bf16 2> log || fail 'refused'
"$bin/predict" --csv --backbone "$vit" --model good.safetensors "$picture" > f32 2> log || fail 'refused'
if cmp -s bf16 f32; then fail 'bf16 computed f32'; fi

a_mistake 'a broken picture among those to be predicted'
if "$bin/predict" --csv --backbone "$vit" --model good.safetensors "$picture" nosuch.png \
    broken/normal-like/0002.png new/normal-like/0001.png > table 2> log; then fail 'status 0'; fi
says 'nosuch.png|0002.png|2 of 4 pictures'
[ "$(wc -l < table)" -eq 3 ] || fail 'the others were not predicted'

a_mistake 'other class names in the test set'
cp -r new renamed
mv renamed/benign-like renamed/Benign
refused 'Benign|benign-like' finetune --data scans --test renamed --out m.safetensors

a_mistake 'a test set with fewer classes, or in another order'
mkdir fewer
cp -r new/normal-like new/malignant-like fewer
finetune --data scans --test fewer --force --out m.safetensors > log 2>&1 || fail 'refused'
says 'benign-like 0, malignant-like 3, normal-like 3'
for name in normal-like malignant-like benign-like; do
    for i in 0 1 2; do
        case $name in normal-like) n=0 ;; malignant-like) n=1 ;; *) n=2 ;; esac
        echo "new/$name/000$i.png $n"
    done
done > log

a_mistake 'a class without pictures'
mkdir -p empty
cp -r scans/normal-like scans/benign-like empty
mkdir empty/malignant-like
refused 'malignant-like' finetune --data empty --out m2.safetensors

a_mistake 'more images a class than there are'
refused "--shots 100|class 'benign-like' has 6 samples|give a smaller number" \
    finetune --data scans --test new --shots 100 --out m2.safetensors

a_mistake 'no images are left for the test'
refused '--shots 6: no images are left for the test; give at most 5, or test images by --test' \
    finetune --data scans --shots 6 --out m2.safetensors

a_mistake 'a single file as data'
refused 'scans/normal-like/0000.png' finetune --data scans/normal-like/0000.png --out m2.safetensors

a_mistake 'validation images and no test images'
mkdir -p split
cp -r scans split/train
cp -r new split/val
finetune --data split --out m2.safetensors > log 2>&1 || fail 'refused'
says "test: 9 images|the split 'val', as there is no 'test'|test_images            9"

a_mistake 'splits by other names'
mv split/train split/Training
mv split/val split/Testing
finetune --data split --out m3.safetensors > log 2>&1 || fail 'refused'
says "test: 9 images|the split 'test'"

a_mistake 'tested on the training images'
for same in scans fresh; do
    refused 'all 18 test images are also training images|--test other images' \
        finetune --data scans --test "$same" --out m4.safetensors
done
cp -r new partly
cp scans/normal-like/0003.png partly/normal-like/9.png
finetune --data scans --test partly --out m4.safetensors > log 2>&1 || fail 'refused'
says 'partly/normal-like/9.png is also a training image|1 of 10 test images are also training images'
says 'trained_on             1 of the test'

a_mistake 'a picture under two labels'
printf '%s 0\n%s 1\n' scans/normal-like/0000.png scans/normal-like/0000.png scans/normal-like/0001.png \
    scans/benign-like/0001.png > twice.txt
refused "scans/normal-like/0000.png' has another label than in line 1" \
    finetune --data twice.txt --test new --out m5.safetensors
cp -r scans double
cp scans/normal-like/0000.png double/benign-like/8.png
finetune --data double --test new --out m5.safetensors > log 2>&1 || fail 'refused'
says 'double/benign-like/8.png|are the same picture under two labels'

# --- disk and permission ---------------------------------------------------------------------------------------------
a_mistake 'no space for the model'
mkdir full
refused '--out full/m.safetensors: could not be written, so the work was not begun' \
    sh -c "ulimit -f 100; exec '$bin/finetune' --backbone '$vit' --method lora --data scans --out full/m.safetensors"
[ -z "$(ls full)" ] || fail 'a part of a file was left'

a_mistake 'no permission in the folder of --out'
mkdir closed
chmod 555 closed
if [ "$(id -u)" -ne 0 ]; then
    refused "the folder 'closed' cannot be written to (Permission denied)" \
        finetune --data scans --out closed/m.safetensors
elif command -v setpriv > log; then
    chmod 755 "$work"
    if setpriv --reuid 65534 --clear-groups test -x "$bin/finetune" -a -r "$vit"; then
        refused "the folder 'closed' cannot be written to (Permission denied)" \
            setpriv --reuid 65534 --clear-groups "$bin/finetune" --backbone "$vit" --data scans \
            --out closed/m.safetensors
    fi
fi

a_mistake 'standard output on a full disk'
if [ -w /dev/full ]; then
    if "$bin/predict" --backbone "$vit" --model good.safetensors new/*/*.png 2> log > /dev/full; then
        fail 'status 0'
    fi
    says 'not complete'
    if "$bin/inspect" --methods 2> log > /dev/full; then fail 'status 0'; fi
    says 'not complete'
fi

# --- stopped ---------------------------------------------------------------------------------------------------------
# Runs the command after $2 and sends it the signal $1 when a line of the log matches $2; it must exit with an error.
stopped() {
    signal=$1 when=$2
    shift 2
    : > log
    "$@" > log 2>&1 &
    child=$!
    while kill -0 $child 2> /dev/null && ! grep -q "$when" log; do sleep 0.01; done
    kill "-$signal" $child 2> /dev/null || true
    if wait $child; then fail 'status 0'; fi
}
long() {
    exec "$bin/finetune" --backbone "$vit" --data scans --test new --method lora --threads 1 \
        --epochs "${epochs:-6}" "$@"
}
(long --out whole.safetensors) > log 2>&1
for signal in INT TERM HUP; do
    a_mistake "SIG$signal while training, without --state"
    rm -f part.safetensors
    stopped $signal '^epoch' long --out part.safetensors
    says 'the same command with --resume continues from part.safetensors.state'
    [ ! -e part.safetensors ] || fail 'half a model was written'
    (long --out part.safetensors --resume) > log 2>&1 || fail 'did not go on'
    cmp part.safetensors whole.safetensors || fail 'another model than without the stop'
    [ ! -e part.safetensors.state ] || fail 'the state was left'
done

a_mistake 'the training was too short'
(epochs=2 long --out short.safetensors --state short.state) > log 2>&1
cp short.state other.state
(epochs=4 long --out longer.safetensors --state short.state --resume) > log 2>&1 || fail 'cannot be extended'
says 'epoch 3/4|epoch 4/4'

a_mistake 'resumed with other data'
if (epochs=4 long --seed 2 --out other.safetensors --state other.state --resume) > log 2>&1; then fail 'was taken'; fi
says "note 'seed'|--resume: |train from the beginning without --resume"
if (epochs=4 long --shots 5 --out other.safetensors --state other.state --resume) > log 2>&1; then fail 'was taken'; fi
says "note 'data'"
if (epochs=4 long --preprocess flip=0 --out other.safetensors --state other.state --resume) > log 2>&1; then
    fail 'was accepted'
fi
says "note 'preprocess'"

a_mistake 'SIGINT while predicting'
rm table
# shellcheck disable=SC2046  # a word for each picture
"$bin/predict" --csv --backbone "$vit" --model good.safetensors $(yes new/normal-like/0000.png | head -3000) > table \
    2> log &
child=$!
while kill -0 $child 2> /dev/null && [ ! -s table ]; do sleep 0.01; done
kill -INT $child
if wait $child; then fail 'status 0'; fi
says 'stopped after|of 3000 pictures'
awk -F, 'NF != 5 { exit 1 }' table || fail 'a line is not whole'
[ "$(tail -c 1 table | od -An -tu1 | tr -d ' ')" = 10 ] || fail 'half a line'

# --- wrong results ---------------------------------------------------------------------------------------------------
a_mistake 'a picture of another size'
"$bin/phantom" --out larger --images 1 --side 90 > log
"$bin/predict" --backbone "$vit" --model good.safetensors larger/normal-like/0000.png > log 2>&1 || fail 'refused'

a_mistake 'another backbone than that of training'
"$bin/pretrain" --data scans --model image_size=32,patch=8,width=32,depth=1,heads=2,mlp=64 --epochs 1 --batch 4 \
    --warmup 0 --checkpoint pre.state --out other-vit.safetensors --preprocess mean=0.5,std=0.5 > log 2>&1 ||
    fail 'failed'
refused 'trained on backbone|load the weights' \
    "$bin/predict" --backbone other-vit.safetensors --model good.safetensors "$picture"

a_mistake 'one most probable class for images of several labels'
for c in normal-like benign-like; do
    for i in 0 1 2 3 4 5; do echo "scans/$c/000$i.png 1,$((i % 2)),0"; done
done > labels.txt
finetune --data labels.txt --out several.safetensors > log 2>&1 || fail 'failed'
"$bin/predict" --csv --backbone "$vit" --model several.safetensors "$picture" > log
says 'image,predicted,decided_by,0,1,2'
says "$picture,0|1,0>=0.5|1>=0.5|2>=0.5,"

a_mistake 'weights of classes as the header writes them'
finetune --data scans --test new --trainer class_weights=1,2.5,1,clip_norm=1 --force --out m.safetensors > log 2>&1 ||
    fail 'refused'

a_mistake 'class names in another order than the file has them'
name_by() {
    "$bin/predict" --backbone "$vit" --model good.safetensors "$picture" --class-names "$1"
}
refused "'normal-like' is name 1 here, and class 3 of the file" name_by normal-like,malignant-like,benign-like
refused "'a' is given twice" name_by a,b,a
refused 'name 2 is empty' name_by a,,b
name_by gutartig,malignant-like,normal > log 2>&1 || fail 'a translation is refused'
says 'gutartig='

a_mistake 'two runs at once that write one file'
rm -f m.safetensors*
"$bin/finetune" --backbone "$vit" --method linear --threads 1 --data scans --test new --epochs 60 \
    --out m.safetensors > log 2>&1 &
first=$!
until grep -q '^epoch 1/' log; do sleep 0.01; done
cp kept.safetensors m.safetensors
if wait $first; then fail 'says nothing'; fi
says 'another process created this file|because --out m.safetensors could not be written'
cmp kept.safetensors m.safetensors || fail "the other run's model is lost"
"$bin/inspect" m.safetensors.[0-9]* > log || fail 'its own model is lost'
rm -f m.safetensors*

a_mistake 'an image size of 0'
refused '--preprocess size=0' finetune --data scans --preprocess size=0 --out m.safetensors

# --- the command line, and files in the wrong place ------------------------------------------------------------------
a_mistake 'a flag of another program'
refused "--learning-rate|see finetune --help" finetune --data scans --learning-rate 1

a_mistake 'short flags that most programs have'
"$bin/finetune" -h > log
says 'usage: finetune|example:'
"$bin/finetune" --version > log
says 'finetune (libpeft '

a_mistake 'the help of an installed program names programs that do not exist there'
ln -s "$bin/finetune" peft-finetune
./peft-finetune --help > log
says 'usage: peft-finetune|  peft-finetune --backbone|  peft-predict --backbone'
if [ "$(wc -L < log)" -gt 120 ]; then fail 'a line is longer than 120 columns'; fi

a_mistake 'no epochs'
refused "--epochs: given '0', expected a whole number from 1 on" \
    "$bin/finetune" --backbone "$vit" --data scans --epochs 0 --out none.safetensors

a_mistake 'a method that does not exist'
refused "did you mean 'lora'|expected one of linear, " "$bin/finetune" --backbone "$vit" --data scans --method Lora \
    --out none.safetensors

a_mistake 'the folder of one class as data'
refused 'no class folders, but 6 files|<class>/<picture>|give the one above' finetune --data scans/normal-like \
    --out none.safetensors

a_mistake 'a picture as data'
refused 'not a text file in UTF-8|folder of class folders' finetune --data "$picture" --out none.safetensors

a_mistake 'a trained model as the backbone'
refused "kind 'model'|load the backbone" "$bin/finetune" --backbone good.safetensors --data scans --out none.safetensors

a_mistake 'a letter as a list of pictures'
echo 'Dear colleague,' > letter.txt
refused 'letter.txt: neither a picture nor a list of pictures' \
    "$bin/predict" --backbone "$vit" --model good.safetensors letter.txt

no_temporary
[ $count -ge 30 ] || fail "only $count mistakes"
