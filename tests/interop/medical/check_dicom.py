# SPDX-License-Identifier: Apache-2.0
"""Compares the values of DICOM files with pydicom: of each file that its package ships and of those in the folder
data/dicom of PEFT_SHARED, the first and the last frame, through the first window and without a window. Expected:
pixel_array, then apply_color_lut, or apply_modality_lut and apply_voi_lut, then the inversion of MONOCHROME1, as
floats, to the bit. Decoders of lossy JPEG may differ: there by LOSSY_LEVELS. A file that libpeft refuses must be of a
kind in REFUSED, or one that pydicom refuses too. Prints a table."""
import copy
import glob
import gzip
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import pydicom
import pydicom.data
from pydicom import uid
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

warnings.filterwarnings("ignore")
PROGRAM = os.path.join(os.environ["PEFT_LIBRARIES"], "tests", "dicom_values")
LOSSY = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit}
LOSSY_LEVELS = 3                                              # of 255, or of as many as the bits have
# Words of messages about what libpeft does not read though pydicom does.
REFUSED = ["is not decoded; convert the file first", "JPEG-LS", "does not fit a float without loss"]


def ours(path, options, out):
    """Values, slices of the file and full range; or the message of a refusal."""
    run = subprocess.run([PROGRAM, path, options, out], capture_output=True, text=True, errors="replace")
    if run.stderr or run.returncode not in (0, 1):
        raise SystemExit(f"{path}: status {run.returncode}: {run.stderr}")
    if run.returncode:
        return run.stdout.strip().replace(path + ": ", "")
    w, h, c, slices, low, high = run.stdout.split()
    return np.fromfile(out, np.float32).reshape(int(h), int(w), int(c)), int(slices), (float(low), float(high))


def frame_view(ds, frame):
    """The data set with the rescale and windows of the frame's functional groups, which pydicom's functions do not look
    for."""
    groups = []
    if "PerFrameFunctionalGroupsSequence" in ds and frame < len(ds.PerFrameFunctionalGroupsSequence):
        groups.append(ds.PerFrameFunctionalGroupsSequence[frame])
    if "SharedFunctionalGroupsSequence" in ds and ds.SharedFunctionalGroupsSequence:
        groups.append(ds.SharedFunctionalGroupsSequence[0])
    view = copy.copy(ds)
    for name in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
        for group in groups:
            if name in group and group[name].value:
                for element in group[name].value[0]:
                    view[element.tag] = element
                break
    return view


def theirs(ds, frame, window, full):
    """full: the range inside which MONOCHROME1 is inverted."""
    a = pixel_array(ds, index=frame)
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        if not ds.original_encoding[1]:                       # apply_color_lut takes entries as little endian
            for colour in ("Red", "Green", "Blue"):
                entries = ds[colour + "PaletteColorLookupTableData"]
                entries.value = np.frombuffer(entries.value, ">u2").astype("<u2").tobytes()
        return apply_color_lut(a, ds)[..., :3]
    if not ds.PhotometricInterpretation.startswith("MONOCHROME"):
        return a
    view = frame_view(ds, frame)
    a = apply_modality_lut(a, view)
    if window == "first":
        a = apply_voi_lut(a, view)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        a = full[0] + full[1] - a.astype(np.float64)
    return a


def compare(path, frame, window, out):
    """Result of one frame: equal, refused, or what differs; and whether it is right."""
    options = f"window={window},slice={frame}"
    got = ours(path, options, out)
    try:
        ds = pydicom.dcmread(path, force=True)
        want = theirs(ds, frame, window, got[2] if isinstance(got, tuple) else (0, 0))
    except Exception as e:                                    # pydicom raises many kinds
        reason = str(e).splitlines()[0][:60] if str(e) else type(e).__name__
        return (f"refused, as by pydicom: {got[:90]}" if isinstance(got, str) else f"read; pydicom: {reason}"), True
    if isinstance(got, str):
        return "refused: " + got[:150], any(word in got for word in REFUSED)
    values = got[0]
    with np.errstate(over="ignore"):
        want = np.asarray(want).astype(np.float32).reshape(want.shape[0], want.shape[1], -1)
    if values.shape != want.shape:
        return f"shape {values.shape}, pydicom {want.shape}", False
    same = (values == want) | (np.isnan(values) & np.isnan(want))
    if same.all():
        return "equal", True
    levels = float(np.abs(values - want).max()) / ((got[2][1] - got[2][0]) / (2**ds.BitsStored - 1))
    text = f"{(~same).sum()} of {same.size} values differ, by up to {levels:.3g} levels"
    return text, ds.file_meta.TransferSyntaxUID in LOSSY and levels <= LOSSY_LEVELS


def files():
    shared = os.path.join(os.environ.get("PEFT_SHARED", "/nonexistent"), "data", "dicom")
    found = glob.glob(os.path.join(pydicom.data.DATA_ROOT, "test_files", "**", "*"), recursive=True)
    found += glob.glob(os.path.join(shared, "**", "*.dcm*"), recursive=True)
    names = {}
    for path in sorted(found):
        if path.endswith((".dcm", ".dcm.gz")):
            names.setdefault(os.path.basename(path), path)
    return names


def main():
    wrong = counts = 0
    tally = {}
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "values")
        for name, path in files().items():
            if path.endswith(".gz"):
                plain = os.path.join(folder, name[:-3])
                with gzip.open(path) as source, open(plain, "wb") as target:
                    target.write(source.read())
                path = plain
            got = ours(path, "slice=0", out)
            last = got[1] - 1 if isinstance(got, tuple) else 0
            for frame in sorted({0, last}):
                for window in ("first", "none"):
                    text, right = compare(path, frame, window, out)
                    kind = "wrong" if not right else text.split(",")[0].split(":")[0]
                    kind = "equal but for lossy decoding" if right and "differ" in text else kind
                    tally[kind] = tally.get(kind, 0) + 1
                    wrong += not right
                    counts += 1
                    if window == "first" or not right:
                        print(f"{'WRONG ' if not right else ''}{name} frame {frame} window={window}: {text}")
    print(", ".join(f"{n} {kind}" for kind, n in sorted(tally.items())))
    if not counts:
        raise SystemExit("no files")
    sys.exit(wrong > 0)


main()
