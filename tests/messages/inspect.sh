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
says 'read as: 32x32 (height x width), grey, 8 bits, values '
lacks 'orientation'
"$bin/inspect" --image-options region=1:2:3:4 scans/benign-like/0000.png > log
says 'read with region=1:2:3:4 as: 4x3 (height x width), grey'
printf 'P5 2 1 65535\n\1\0\2\0' > deep.pgm
"$bin/inspect" deep.pgm > log
says 'read as: 1x2 (height x width), grey, 16 bits, values 256 to 512'

# A folder: 6 pictures of 8 bits, one of 16, one that is broken, and a text.
cp deep.pgm scans
printf 'P5 2 1 255\n' > scans/cut.pgm
if "$bin/inspect" scans > log; then fail 'a broken picture gives status 0'; fi
says 'scans: 20 pictures; not read: 1 .txt'
says 'cannot be read: scans/cut.pgm: '
says 'cannot be read: 1 in all'
says 'formats: PNG (18), PNM (P5, P6) (1)'
says 'sizes (height x width): 32x32 grey (18), 1x2 grey (1)'
says 'bits: 8 bits (18), 16 bits (1)'

# A zip, also with its ending in upper case; files of other kinds, and folders without anything.
if command -v zip > /dev/null; then
    (cd scans && zip -qr ../SCANS.ZIP benign-like)
    "$bin/inspect" SCANS.ZIP > log
    says 'SCANS.ZIP: 6 pictures'
    says 'formats by their endings: .png (6)'
fi
refused() {                                                   # refused TEXT FILE
    if "$bin/inspect" "$2" > log 2>&1; then fail "$2 is taken"; fi
    says "$1"
    lacks 'backbone'
    lacks 'header length'
}
printf 'image;label\na.png;x\n' > list.csv
mkdir nothing
refused 'list.csv: a text file; expected a file of weights' list.csv
refused 'nothing: a folder without weights' nothing
refused 'missing: No such file or directory; expected a file of weights' missing

# The first slice of a file of several.
printf '\223NUMPY\1\0v\0%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 1, 2, 1), }" > three.npy
printf '123456' >> three.npy
"$bin/inspect" three.npy > log
says 'slices: 3'
says 'read with slice=0 as: 1x2 (height x width), grey, 8 bits, values 49 to 50'
"$bin/inspect" --image-options slice=2 three.npy > log
says 'read with slice=2 as: 1x2 (height x width), grey, 8 bits, values 53 to 54'

# A TIFF file of 2 x 1 pixels: also the sizes of its levels, from which a region can be chosen.
entry() { printf "\\$1\\001\\$2\\000\\001\\000\\000\\000\\$3\\000\\000\\000"; }   # tag 256 + octal, type, value
{
    printf 'II*\000\010\000\000\000\010\000'
    entry 000 003 002
    entry 001 003 001
    entry 002 003 010
    entry 003 003 001
    entry 006 003 001
    entry 021 004 156
    entry 026 003 001
    entry 027 004 002
    printf '\000\000\000\00012'
} > two.tif
if "$bin/inspect" two.tif > log; then
    says 'level 0: 1x2 (height x width)'
    says 'read as: 1x2 (height x width), grey, 8 bits, values 49 to 50'
    if "$bin/inspect" --image-options max_side=1 two.tif > log; then fail 'a limit is not kept'; fi
    says 'level 0: 1x2 (height x width)'
    says 'cannot be read with max_side=1: '
    says 'region=x:y:width:height'
    says 'level=N'
else
    says 'this build of libpeft-io has no libtiff'
fi
if [ -d "${PEFT_SHARED:-/none}/data/medmnist" ]; then
    "$bin/inspect" "$PEFT_SHARED/data/medmnist/breastmnist.npz" > log
    says 'breastmnist.npz: data set of MedMNIST'
    says '  train: 546 pictures, 28x28 (height x width), grey, 8 bits; classes 0 (147), 1 (399)'
    "$bin/inspect" "$PEFT_SHARED/data/nifti/example4d.nii.gz" > log
    says 'several volumes: '
    says 'read with slice=0,volume=0 as: '
else
    echo 'inspect.sh: PEFT_SHARED is not set: MedMNIST and volumes are left out'
fi

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
