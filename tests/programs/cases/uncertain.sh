#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# report: the images whose two largest probabilities differ least, in this order, right and wrong ones.
#   uncertain.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir records
cat > records/study.csv << 'END'
libpeft,1.0.0
isa,ref
command,compare --records
data,none
backbone,vit.safetensors
fingerprint,0
width,192
depth,6
patch,4
image_size,32
shots,2
test_per_class,0
samplings,1
runs,1
seed,1
jobs,1
train_images,6
test_images,8
class,a
class,b
class,c
entry,one,0000000000000001,lora,rank=1
END
run=records/0000000000000001-1-1
cat > $run.run.csv << END
label,method,sampling,run,draw_seed,run_seed,test_images,accuracy,balanced_accuracy,f1_macro,auroc_macro,map,loss,\
trainable_parameters,steps,seconds_per_step,planned_bytes,peak_bytes,seconds,data,settings
one,lora,1,1,1,1,8,0.6,0.6,0.6,0.7,,0.5,10,10,0.1,1000,1000,1,none,rank
END
printf 'epoch,loss,balanced_accuracy\n1,1,0.5\n' > $run.curve.csv
cat > $run.test.csv << 'END'
name,index,true,a,b,c
sure,0,0,0.9,0.06,0.04
tie-right,1,0,0.45,0.44,0.11
tie-wrong,2,1,0.40,0.2,0.40
third,3,2,0.1,0.43,0.47
fourth,4,1,0.3,0.4,0.3
fifth,5,2,0.05,0.35,0.6
sixth,6,0,0.6,0.3,0.1
seventh,7,0,0.7,0.2,0.1
END
"$bin/report" --out page.html records > log 2>&1 || { cat log; exit 1; }
awk '/Most uncertain/ { on = 1 } on' page.html | grep -oE 'tie-[a-z]*|sure|third|fourth|fifth|sixth|seventh' > got
printf '%s\n' tie-wrong tie-right third fourth fifth sixth > wanted
diff wanted got || { echo 'uncertain.sh: other images than the six of the least margin'; exit 1; }
