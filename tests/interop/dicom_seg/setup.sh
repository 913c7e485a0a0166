#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Python environments of tests/interop/dicom_seg and prints the path of that with highdicom
# (scripts/venv.sh).  setup.sh --old prints that with pydicom-seg, which needs pydicom 2.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "${1-}" = --old ]; then
    exec "$here/../../../scripts/venv.sh" "$here/requirements_old.txt" pydicom_seg "${PEFT_PYDICOM_SEG_VENV-}"
fi
exec "$here/../../../scripts/venv.sh" "$here/requirements.txt" dicom_seg "${PEFT_DICOM_SEG_VENV-}"
