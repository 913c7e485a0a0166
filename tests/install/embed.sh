#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the programs of examples/embed with the installed libraries, runs them on phantoms, and checks their output.
#   embed.sh TREE WORK CC CXX     TREE: made by tree.sh
set -eu
tree=$(cd "$1" && pwd)/shared work=$2 cc=${3:-cc} cxx=${4:-c++}
root=$(cd "$(dirname "$0")/../.." && pwd)
vit=$root/examples/data/vit_cifar10.safetensors
rm -rf "$work"
mkdir -p "$work"
cd "$work"
PKG_CONFIG_PATH=$(dirname "$(find "$tree" -name peft.pc)")
export PKG_CONFIG_PATH
fail() { echo "embed.sh: $1"; cat out; exit 1; }

for example in adapt classify_picture own_loss own_schedule features; do
    # shellcheck disable=SC2046  # flags are meant to be split
    "$cc" -std=c99 -O1 -Wall -Wextra -Wpedantic -Werror "$root/examples/embed/$example.c" -o $example \
        $(pkg-config --cflags --libs peft-io) -lm -Wl,-rpath,"$(pkg-config --variable=libdir peft-io)"
done
cmake -G Ninja -S "$root/examples/embed/classify" -B classify_build -DCMAKE_CXX_COMPILER="$cxx" \
    -DCMAKE_PREFIX_PATH="$tree" > out 2>&1 && cmake --build classify_build >> out 2>&1 || fail "classify does not build"
for source in "$root"/examples/embed/*.c "$root"/examples/embed/classify/*.cpp; do
    [ "$(wc -l < "$source")" -le 80 ] || fail "$source has more than 80 lines"
done

"$tree/bin/peft-phantom" --out data --images 12 --side 48 > out
./adapt "$vit" data model.safetensors > out || fail "adapt"
awk '/^epoch/ { loss[++n] = $4 } END { exit !(n == 5 && loss[5] < loss[1]) }' out || fail "adapt: the loss does not fall"
./classify_build/classify "$vit" model.safetensors data/benign-like/0000.png data/normal-like/0001.png > out ||
    fail "classify"
awk '{ sum = $3 + $5 + $7; n += NF == 7 && $2 == "benign-like" && sum > 0.999 && sum < 1.001 } END { exit n != 2 }' out ||
    fail "classify: expected three classes whose probabilities add up to 1"
if ./classify_build/classify "$vit" none.safetensors x.png > out 2>&1; then fail "classify accepted a missing model"; fi
grep -q none.safetensors out || fail "classify: the message does not name the file"
# The most probable class and its probability are those that classify printed for the same picture.
for picture in data/benign-like/0000.png data/normal-like/0001.png; do
    ./classify_build/classify "$vit" model.safetensors $picture > all
    ./classify_picture "$vit" model.safetensors $picture > out || fail "classify_picture"
    awk '{ for (c = 1; c < 3; c++) if ($(2 * c + 3) > $(2 * best + 3)) best = c
           printf "%s: class %d, %s, probability %s\n", $1, best, $(2 * best + 2), $(2 * best + 3) }' all > wanted
    cmp -s wanted out || { cat wanted; fail "classify_picture: expected the line above"; }
done
if ./classify_picture "$vit" none.safetensors x.png > out 2>&1; then fail "classify_picture: no model"; fi
grep -q none.safetensors out || fail "classify_picture: the message does not name the file"
./own_loss "$vit" data > out && grep -Eq '^loss -?[0-9]+\.[0-9]+$' out || fail "own_loss"
./own_schedule "$vit" > out || fail "own_schedule"
awk '/^step/ { n++; rate = $4 + 0; up = rate < 0.01; loss[n] = $6 } END { exit !(n == 4 && up && loss[4] < loss[1]) }' out ||
    fail "own_schedule: expected 4 restarts from low rates and a falling loss"
./features "$vit" data features.npy > out || fail "features"
width=$(sed -n 's/.*of \([0-9]*\)$/\1/p' out)
[ "$(wc -c < features.npy)" -eq $((128 + 36 * width * 4)) ] || fail "features.npy has a wrong size"
head -c 6 features.npy | grep -q NUMPY || fail "features.npy is not a NumPy file"
