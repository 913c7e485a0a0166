#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares libpeft with the Python libraries whose files it reads and whose results it reproduces.
#   run.sh BUILD [CHECK..]    BUILD: a build folder with both shared libraries
#                             CHECK: metrics, statistics, labels, conformal, probes, analysis, training, backbones, flags,
#                             torch_files, adapters, pixels, cma, architectures, dicom, series, formats, nifti, maps,
#                             report or federated (minutes); default: all but federated
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: run.sh BUILD [CHECK..]}" && pwd)
shift
[ $# -gt 0 ] || set -- metrics statistics labels conformal probes analysis training backbones flags torch_files \
    adapters pixels cma architectures dicom series formats nifti maps report
failed=0 passed=0 skipped=0
for check in "$@"; do
    echo "== interop: $check"
    file=$(find "$here" -name "check_$check.py")
    [ -n "$file" ] || { echo "run.sh: no check '$check'"; exit 2; }
    setup=$(dirname "$file")/setup.sh              # folders whose checks need other packages have their own
    [ -e "$setup" ] || setup=$here/setup.sh
    python=$("$setup")/bin/python
    if PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 PEFT_LIBRARIES="$build" OMP_NUM_THREADS=2 HF_HUB_OFFLINE=1 HF_HUB_DISABLE_PROGRESS_BARS=1 \
        "$python" "$file"; then status=0; else status=$?; fi
    case $status in
        0) passed=$((passed + 1)) ;;
        77) skipped=$((skipped + 1)) ;;                # it has said what is missing
        *) failed=$((failed + 1)) ;;
    esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
