# SPDX-License-Identifier: Apache-2.0
"""Compares the order in which libpeft reads DICOM files with pydicom: the media that pydicom ships (DICOMDIR files in
four encodings, with names in other letters too), and folders of series, of pydicom and of PEFT_SHARED, whose slices are
sorted here by their positions."""
import ctypes as C
import os
import shutil
import tempfile
import warnings

import numpy as np
import pydicom
import pydicom.data
from pydicom.fileset import FileSet

import peft

warnings.filterwarnings("ignore")
MEDIA = os.path.join(os.path.dirname(pydicom.data.__file__), "test_files", "dicomdirtests")
peft.io.peft_dataset_name.restype = peft.io.peft_dataset_case.restype = C.c_char_p
peft.io.peft_dataset_count.restype = C.c_int64


def samples(path):
    """Names and cases of the samples of a path."""
    context, opened = C.c_void_p(), C.c_void_p()
    peft.ok(peft.lib.peft_context_create(None, None, None, C.byref(context)))
    peft.ok(peft.io.peft_dataset_open_pictures(context, os.fsencode(path), C.byref(opened)))
    found = [(os.fsdecode(peft.io.peft_dataset_name(opened, C.c_int64(i))),
              peft.io.peft_dataset_case(opened, C.c_int64(i))) for i in range(peft.io.peft_dataset_count(opened))]
    peft.io.peft_dataset_free(opened)
    peft.lib.peft_context_free(context)
    return [name for name, _ in found], [case and os.fsdecode(case) for _, case in found]


def check_medium(folder, name, lower):
    """The order of a DICOMDIR, in a copy of its folder as DICOMDIR, with names in small letters or as they are."""
    expected = ["/".join(i.node._record.ReferencedFileID) for i in FileSet(os.path.join(MEDIA, folder, name))]
    with tempfile.TemporaryDirectory() as work:
        for parent, _, files in os.walk(os.path.join(MEDIA, folder)):
            for file in files:
                inside = os.path.relpath(os.path.join(parent, file), os.path.join(MEDIA, folder))
                if inside.startswith("DICOMDIR") or (folder == "." and inside.startswith("TINY_ALPHA")):
                    continue
                to = os.path.join(work, inside.lower() if lower else inside)
                os.makedirs(os.path.dirname(to), exist_ok=True)
                shutil.copy(os.path.join(parent, file), to)
        medium = shutil.copy(os.path.join(MEDIA, folder, name), os.path.join(work, "dicomdir" if lower else "DICOMDIR"))
        want = [os.path.join(work, e.lower() if lower else e) for e in expected]
        for path in (medium, work):
            assert samples(path)[0] == want, (folder, name, lower)
    return len(expected)


def place(ds):
    """Distance of a slice along its normal, in micrometres, and its number."""
    row, column = np.array(ds.ImageOrientationPatient[:3], float), np.array(ds.ImageOrientationPatient[3:], float)
    normal = np.cross(row, column)
    return round(float(1000 * np.dot(normal / np.linalg.norm(normal), ds.ImagePositionPatient))), ds.InstanceNumber


def is_stack(sets):
    """Whether all slices have a position and one orientation."""
    if not all("ImagePositionPatient" in s and "ImageOrientationPatient" in s for s in sets):
        return False
    first = np.array(sets[0].ImageOrientationPatient, float)
    return all(np.allclose(np.array(s.ImageOrientationPatient, float), first, atol=1e-3) for s in sets)


def check_folder(folder):
    """The order of the slices of each series directly in a folder. Returns the numbers of those in stacks and of others.
    """
    names, cases = samples(folder)
    names = [n for n, c in zip(names, cases) if c and os.path.dirname(n) == folder]
    series = {}
    for name in names:
        ds = pydicom.dcmread(name, force=True, stop_before_pixels=True)
        series.setdefault(ds.SeriesInstanceUID, []).append((name, ds))
    stacked = others = 0
    assert [n for s in series.values() for n, _ in s] == names, folder       # a series is in one piece
    for files in series.values():
        in_order = sorted(files)
        if is_stack([ds for _, ds in files]):
            in_order.sort(key=lambda f: place(f[1]))
            stacked += len(files)
        else:
            others += len(files)
            if all(ds.get("InstanceNumber") is not None for _, ds in files):
                in_order.sort(key=lambda f: f[1].InstanceNumber)
        assert in_order == files, (folder, [f for f, _ in in_order], [f for f, _ in files])
    return stacked, others


def shuffled(folder, work, seed):
    """A copy of the DICOM files in a folder, with names that do not follow the slices."""
    os.makedirs(work)
    files = sorted(f for f in os.listdir(folder) if os.path.isfile(os.path.join(folder, f)))
    for k, i in enumerate(np.random.default_rng(seed).permutation(len(files))):
        shutil.copy(os.path.join(folder, files[i]), os.path.join(work, f"IM{k:05}"))
    return work


images = 0
for name in ("DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit", "DICOMDIR-reordered"):
    for lower in (False, True):
        images += check_medium(".", name, lower)
images += check_medium("TINY_ALPHA", "DICOMDIR", False) + check_medium("TINY_ALPHA", "DICOMDIR", True)
print(f"media: 10 with {images} images, in pydicom's order")
roots = [MEDIA]
if "PEFT_SHARED" in os.environ:
    roots.append(os.path.join(os.environ["PEFT_SHARED"], "data", "dicom"))
total = np.zeros(3, int)
with tempfile.TemporaryDirectory() as work:
    for root in roots:
        for folder, _, files in os.walk(root):
            if len(files) < 2:
                continue
            for seed in range(3):
                copy = shuffled(folder, os.path.join(work, str(total[0])), seed)
                total += (1, *check_folder(copy))
assert total[1] and total[2]
print(f"folders: {total[0]}, with {total[1]} slices in stacks and {total[2]} others, in their order")
