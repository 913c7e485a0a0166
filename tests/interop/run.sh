#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares libpeft with the Python libraries whose files it reads and whose results it reproduces.
#   run.sh BUILD [CHECK..]    BUILD: a build folder with both shared libraries
#                             CHECK: metrics, statistics, labels, conformal, probes, analysis, training, backbones, flags,
#                             torch_files, adapters, pixels, cma, architectures, dicom, dicom_seg, series, formats, nifti,
#                             maps, segmentation, report or federated (minutes); default: all but federated
# A check is a process of one thread: as many run at a time as there are cores, the longest first.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: run.sh BUILD [CHECK..]}" && pwd)
shift
[ $# -gt 0 ] || set -- report adapters training backbones architectures metrics statistics labels conformal probes \
    analysis flags torch_files pixels cma dicom dicom_seg series formats nifti maps \
    segmentation
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
for check in "$@"; do "$here/environment.sh" "$check"; done > "$logs/setups" || exit 2
for setup in $(sort -u "$logs/setups"); do
    "$setup" > "$logs/environment" || exit $?      # 77: no package index
done
printf '%s\n' "$@" | xargs -P "$(nproc)" -I CHECK "$here/check.sh" "$build" "$logs" CHECK || true
failed=0 passed=0 skipped=0
for check in "$@"; do
    case $(cat "$logs/$check.status" 2> /dev/null) in
        0) passed=$((passed + 1)) ;;
        77) skipped=$((skipped + 1)) ;;                # its log says what is missing
        *) failed=$((failed + 1)); echo "run.sh: check $check failed" ;;
    esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
