#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# inspect prints what is known of pictures, and a summary of a folder or zip of them; ids of patients only with --ids.
#   inspect.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "inspect.sh: $*"
    cat log
    exit 1
}
says() { grep -qF -- "$1" log || fail "no '$1'"; }
lacks() { if grep -qF -- "$1" log; then fail "'$1' is there"; fi; }

"$bin/phantom" --out scans --images 6 --side 32 > log
"$bin/inspect" scans/benign-like/0000.png > log
says 'scans/benign-like/0000.png: picture, PNG'
says 'read as: 32 x 32, grey, 8 bits, values '
lacks 'orientation'
"$bin/inspect" --image-options region=1:2:3:4 scans/benign-like/0000.png > log
says 'read with region=1:2:3:4 as: 3 x 4, grey'
printf 'P5 2 1 65535\n\1\0\2\0' > deep.pgm
"$bin/inspect" deep.pgm > log
says 'read as: 2 x 1, grey, 16 bits, values 256 to 512'

# A folder: 6 pictures of 8 bits, one of 16, one that is broken, and a text.
cp deep.pgm scans
printf 'P5 2 1 255\n' > scans/cut.pgm
if "$bin/inspect" scans > log; then fail 'a broken picture gives status 0'; fi
says 'scans: 20 pictures; not read: 1 .txt'
says 'cannot be read: scans/cut.pgm: '
says 'cannot be read: 1 in all'
says 'formats: PNG (18), PNM (P5, P6) (1)'
says 'sizes: 32 x 32 grey (18), 2 x 1 grey (1)'
says 'bits: 8 bits (18), 16 bits (1)'

# The preprocessing of a model is printed whole.
rm scans/cut.pgm scans/deep.pgm
"$bin/finetune" --backbone "$root/examples/data/vit_cifar10.safetensors" --data scans --method linear --epochs 1 \
    --threads 1 --force --out m.safetensors > log 2>&1 || fail 'finetune'
"$bin/inspect" m.safetensors > log
says ',range=full'

"$bin/phantom" --dicom --out dicom --images 2 --side 32 > log
if ! "$bin/inspect" dicom/IM00001 > log; then
    says 'libpeft-dicom'
    echo 'inspect.sh: PNG and PNM; DICOM is left out, as libpeft-dicom is not installed'
    exit 0
fi
says 'dicom/IM00001: picture, DICOM'
says '  modality: US'
says '  photometric: MONOCHROME2'
says ' of 16, unsigned'
says '  syntax: '
lacks 'patient'
lacks 'study'
"$bin/inspect" --ids dicom/IM00001 > log
says '  patient: '
says '  study: '
"$bin/inspect" dicom > log
says 'formats: DICOM (6)'
says 'modalities: US (6)'
echo 'inspect.sh: pictures, folders, DICOM headers'
