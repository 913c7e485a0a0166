# SPDX-License-Identifier: Apache-2.0
"""Compares slices of NIfTI files with nibabel: random volumes of all types of voxels, byte orders and orientations, the
files that nibabel's tests read, and those of PEFT_SHARED. Prints a line for each real file."""
import glob
import os
import sys
import tempfile
import warnings

import nibabel as nib
import numpy as np

import peft

CASES = int(os.environ.get("PEFT_INTEROP_NIFTI", "150"))
warnings.filterwarnings("ignore")
AXES = {0: (1, 2), 1: (0, 2), 2: (0, 1)}                      # of a picture: column and row


def volumes_of(image):
    """Stored numbers as [volumes][3 axes] (RGB: and 3 channels), and the scale."""
    slope, inter = image.dataobj.slope, image.dataobj.inter
    raw = np.asanyarray(image.dataobj.get_unscaled() if hasattr(image.dataobj, "get_unscaled") else image.dataobj)
    if raw.dtype.names:
        raw = np.stack([raw[name] for name in raw.dtype.names], -1)
        shape = raw.shape[:-1]
        tail = (raw.shape[-1],)
        slope, inter = 1.0, 0.0
    else:
        shape, tail = raw.shape, ()
    shape = tuple(shape) + (1,) * (3 - len(shape))
    raw = raw.reshape(shape[:3] + (-1,) + tail, order="F") if not tail else raw.reshape(shape[:3] + (1,) + tail)
    return np.moveaxis(raw, 3, 0), slope, inter


def compare(path, orient):
    """The number of slices that were compared, of at most 12 a volume and axis. Raises AssertionError or PeftError."""
    image = nib.load(path)
    if isinstance(image, nib.Cifti2Image):                    # a matrix in the fifth and sixth axis of a NIfTI-2 file
        image = nib.Nifti2Image.from_filename(path)
    volumes, slope, inter = volumes_of(image)
    if orient == "ras":                                       # as nibabel.as_closest_canonical, without its scaling
        volumes = [nib.apply_orientation(v, nib.io_orientation(image.affine)) for v in volumes]
    compared = 0
    for t in range(0, len(volumes), max(1, len(volumes) // 3)):
        volume = np.asarray(volumes[t])
        for axis, (column, row) in AXES.items():
            n = volume.shape[axis]
            options = f"axis={axis} orient={orient}"
            assert peft.slices(path, options) == n, f"{options}: {peft.slices(path, options)} slices, expected {n}"
            for s in sorted({0, n - 1, *range(0, n, max(1, n // 10))}):
                im = peft.Image(path=path, options=f"{options} slice={s} volume={t}")
                want = np.take(volume, s, axis)
                want = np.swapaxes(want, 0, 1)
                got = im.pixels()
                assert got.shape == want.shape, f"{options} slice={s}: {got.shape}, expected {want.shape}"
                exact = want if want.dtype.itemsize < 8 or want.dtype.kind != "f" else want.astype(np.float32)
                assert np.array_equal(got.astype(np.float64), exact.astype(np.float64), equal_nan=True), \
                    f"{options} slice={s} volume={t}: {(got != want).sum()} samples differ"
                values = exact.astype(np.float64) * slope + inter
                assert np.array_equal(im.values(), values, equal_nan=True), f"{options} slice={s}: values differ"
                compared += 1
    return compared


def random_file(rng, folder, case):
    kinds = [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64,
             np.complex64, "rgb"]
    kind = kinds[case % len(kinds)]
    shape = tuple(int(n) for n in rng.integers(1, 9, int(rng.integers(2, 6))))
    if kind == "rgb":
        shape = (shape + (2, 3))[:3]
        data = rng.integers(0, 256, shape + (3,)).astype(np.uint8).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    elif kind is np.complex64:
        data = rng.normal(size=shape).astype(kind)
    elif np.dtype(kind).kind == "f":
        data = rng.normal(0, 100, shape).astype(kind)
    else:
        info = np.iinfo(kind)
        data = rng.integers(max(info.min, -(1 << 24)), min(info.max, 1 << 24) + 1, shape).astype(kind)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] @ np.diag(rng.uniform(0.3, 3, 3))
    if rng.random() < 0.5:                                    # an exact order of axes
        affine[:3, :3] = np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3) * rng.uniform(0.3, 3)
    if rng.random() < 0.3:                                    # sheared
        affine[:3, :3] += rng.normal(0, 0.15, (3, 3))
    form = nib.Nifti2Image if rng.random() < 0.5 else nib.Nifti1Image
    header = form.header_class(endianness=str(rng.choice(["<", ">"])))
    image = form(data, affine, header, dtype=data.dtype)
    if rng.random() < 0.3:
        image.set_sform(None, 0)
    elif rng.random() < 0.3:
        image.set_qform(None, 0)
    if kind != "rgb" and rng.random() < 0.5:
        image.header.set_slope_inter(float(np.float32(rng.uniform(-3, 3))), float(np.float32(rng.normal(0, 1000))))
    path = os.path.join(folder, "v" + str(rng.choice([".nii", ".nii.gz"])))
    nib.save(image, path) if kind == "rgb" else write_raw(image, data, path)
    return path, kind


def write_raw(image, data, path):
    """The numbers of data as they are, whatever the scale in the header."""
    header = image.header.copy()
    header["vox_offset"] = 544 if isinstance(image, nib.Nifti2Image) else 352
    header["scl_slope"], header["scl_inter"] = image.header["scl_slope"], image.header["scl_inter"]
    header["magic"] = b"n+2" if isinstance(image, nib.Nifti2Image) else b"n+1"
    header.set_data_shape(data.shape)
    body = header.binaryblock + b"\0\0\0\0" + data.astype(data.dtype.newbyteorder(header.endianness)).tobytes(order="F")
    if path.endswith(".gz"):
        import gzip
        body = gzip.compress(body)
    with open(path, "wb") as f:
        f.write(body)


def real_files():
    files = sorted(glob.glob(os.path.join(os.path.dirname(nib.__file__), "tests", "data", "*.nii*")))
    files += sorted(glob.glob(os.path.join(os.path.dirname(nib.__file__), "tests", "data", "nifti*.hdr")))
    shared = os.environ.get("PEFT_SHARED")
    if shared:
        files += sorted(glob.glob(os.path.join(shared, "data", "nifti", "*.nii*")))
    else:
        print("SKIP: PEFT_SHARED is not set: without its volumes")
    return files


def main():
    tally = peft.Tally("nifti")
    for case in range(CASES):
        rng = np.random.default_rng(case)
        with tempfile.TemporaryDirectory() as folder:
            path, kind = random_file(rng, folder, case)
            for orient in ("stored", "ras"):
                text = f"case {case}, {kind if isinstance(kind, str) else kind.__name__}, {orient}"
                try:
                    compare(path, orient)
                    tally.check(kind is not np.complex64, f"{text}: complex voxels are read")
                except peft.PeftError as e:
                    header = nib.load(path).header
                    unknown = orient == "ras" and not header["sform_code"] and not header["qform_code"]
                    reason = "complex64" if kind is np.complex64 else "neither an sform nor a qform" if unknown else None
                    tally.check(reason is not None and reason in str(e), f"{text}: {e}")
                except AssertionError as e:
                    tally.check(False, f"{text}: {e}")
    for path in real_files():
        cells = []
        for orient in ("stored", "ras"):
            try:
                cells.append(f"{compare(path, orient)} slices equal")
                tally.check(True, "")
            except peft.PeftError as e:
                tally.check(orient == "ras" and "neither an sform nor a qform" in str(e), f"{path}, {orient}: {e}")
                cells.append("refused: " + str(e).split(": ", 1)[-1])
            except FileNotFoundError:                         # a header without its voxels
                try:
                    peft.Image(path=path)
                    tally.check(False, f"{path}: a header without voxels is read")
                except peft.PeftError as e:
                    tally.check("a pair .hdr and .img" in str(e), f"{path}: {e}")
                    cells.append("refused: " + str(e).split(": ", 1)[-1])
            except AssertionError as e:
                tally.check(False, f"{path}, {orient}: {e}")
                cells.append(f"DIFFERENT: {e}")
        print(f"  {os.path.basename(path):32} stored: {cells[0]}; ras: {cells[1]}")
    return tally.close()


sys.exit(main())
