# SPDX-License-Identifier: Apache-2.0
"""Compares decoded pictures with Pillow and tifffile: random JPEG (EXIF orientation, CMYK), PNG, BMP, WebP and TIFF files
of all modes and compressions must have the same pixels to the bit."""
import io as bytes_io
import os
import sys
import tempfile
import warnings

import numpy as np
import tifffile
from PIL import Image, ImageOps

import peft

CASES = int(os.environ.get("PEFT_INTEROP_FORMATS", "60"))     # of each kind
warnings.filterwarnings("ignore")


def picture(rng, channels=3):
    """Coarse shapes and noise, [height, width, channels] of u8."""
    w, h = int(rng.integers(1, 90)), int(rng.integers(1, 90))
    coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), np.uint8)).resize((w, h), Image.BICUBIC)
    a = np.asarray(coarse).astype(int)[..., np.arange(channels) % 3] + rng.integers(-20, 21, (h, w, channels))
    return np.clip(a, 0, 255).astype(np.uint8)


def of_mode(rng, mode):
    channels = {"RGB": 3, "RGBA": 4, "CMYK": 4, "LA": 2}.get(mode, 1)
    a = picture(rng, channels)
    if mode == "1":
        return Image.fromarray(a[..., 0]).convert("1")
    if mode == "P":
        return Image.fromarray(picture(rng)).quantize(int(rng.choice([2, 3, 9, 16, 100, 256])))
    if mode == "I;16":
        return Image.fromarray(a[..., 0].astype(np.uint16) * 251 + 7)
    if mode == "I":
        return Image.fromarray(a[..., 0].astype(np.int32) * 3001 - 400000)
    if mode == "F":
        return Image.fromarray(a[..., 0].astype(np.float32) / 7 - 3)
    return Image.fromarray(a[..., 0] if channels == 1 else a, mode)


def seen(im):
    """Pillow's pixels as they are seen, without alpha."""
    im = ImageOps.exif_transpose(im)
    if im.mode == "1":
        im = im.convert("L")
    if im.mode in ("P", "CMYK", "RGBA", "RGBX"):
        im = im.convert("RGBA").convert("RGB") if im.mode == "P" and "transparency" in im.info else im
        if im.mode == "RGBA":
            return np.asarray(im)[..., :3]
        im = im.convert("RGB")
    a = np.asarray(im)
    return a[..., 0] if im.mode == "LA" else a


def exif_of(rng):
    exif = Image.Exif()
    exif[274] = int(rng.integers(1, 9))
    exif[271] = "maker"
    return exif


KINDS = {
    "JPEG": (["L", "RGB", "CMYK"], lambda rng, mode: {"quality": int(rng.integers(20, 96)),
                                                     "progressive": bool(rng.random() < 0.5), "exif": exif_of(rng)}),
    "PNG": (["1", "L", "P", "RGB", "RGBA", "LA", "I;16"], lambda rng, mode: {"exif": exif_of(rng)}),
    "BMP": (["1", "L", "P", "RGB", "RGBA"], lambda rng, mode: {}),
    "WEBP": (["RGB", "RGBA", "L"], lambda rng, mode: {"lossless": bool(rng.random() < 0.5), "exact": True,
                                                      "quality": int(rng.integers(20, 100)), "exif": exif_of(rng)}),
    "TIFF": (["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"], lambda rng, mode: {
        "compression": str(rng.choice([c for c in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4")
                                       if (c != "group4" or mode == "1") and (c != "jpeg" or mode in ("L", "RGB"))])),
        "exif": exif_of(rng)}),
}


def same(tally, text, got, want):
    good = got.shape == want.shape and np.array_equal(got.astype(np.float64), want.astype(np.float64))
    detail = f"{got.shape}, expected {want.shape}" if got.shape != want.shape else f"{(got != want).sum()} samples differ"
    tally.check(good, f"{text}: {detail}")


def load(data, ending, options=None):
    with tempfile.NamedTemporaryFile(suffix=ending) as f:
        f.write(data)
        f.flush()
        return peft.Image(path=f.name, options=options).pixels()


def pillow(tally, rng, kind):
    modes, options = KINDS[kind]
    mode = str(rng.choice(modes))
    arguments = options(rng, mode)
    data = bytes_io.BytesIO()
    of_mode(rng, mode).save(data, kind, **arguments)
    text = f"{kind} {mode} {arguments}"
    tally.count(kind)
    try:
        got = load(data.getvalue(), "." + kind.lower())
    except peft.PeftError as e:
        tally.check(False, f"{text}: {e}")
        return
    im = Image.open(bytes_io.BytesIO(data.getvalue()))
    want = seen(im)
    if want.ndim == 2 and got.ndim == 3:                      # a palette of greys
        want = np.repeat(want[..., None], 3, 2)
    elif want.ndim == 3 and got.ndim == 2:
        got = np.repeat(got[..., None], 3, 2)
    same(tally, text, got, want)


def with_tifffile(tally, rng):
    kind = rng.choice(["u1", "u2", "i1", "i2", "i4", "u4", "f2", "f4", "f8"])
    rgb, pages = bool(rng.random() < 0.4), int(rng.integers(1, 4))
    h, w = int(rng.integers(1, 100)), int(rng.integers(1, 100))
    shape = (pages, h, w, 3) if rgb else (pages, h, w)
    v = rng.integers(0, 1 << 23, shape)
    data = ((v % 20011 - 9999) / 8).astype(kind) if kind[0] == "f" else v.astype(kind)
    tile = (int(rng.choice([16, 32, 48])), int(rng.choice([16, 32]))) if rng.random() < 0.5 else None
    planar = rgb and rng.random() < 0.4
    white = not rgb and kind in ("u1", "u2") and rng.random() < 0.3
    arguments = dict(photometric="rgb" if rgb else "miniswhite" if white else "minisblack", tile=tile,
                     planarconfig="separate" if planar else "contig" if rgb else None,
                     compression=str(rng.choice(["none", "lzw", "zlib", "packbits"])), bigtiff=bool(rng.random() < 0.3),
                     byteorder=str(rng.choice(["<", ">"])), rowsperstrip=None if tile else int(rng.integers(1, h + 1)))
    if arguments["compression"] in ("lzw", "zlib") and kind[0] in "ui":
        arguments["predictor"] = bool(rng.random() < 0.5)
    order = arguments.pop("byteorder")
    big = arguments.pop("bigtiff")
    text = f"tifffile {kind} {shape} {arguments} {order}"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.tif")
        with tifffile.TiffWriter(path, byteorder=order, bigtiff=big) as t:
            for page in data:
                t.write(np.moveaxis(page, 2, 0) if planar else page, metadata=None, **arguments)
        tally.count("tifffile")
        try:
            tally.check(peft.slices(path) == pages, f"{text}: {peft.slices(path)} slices")
            for i in range(pages):
                want = data[i].astype(np.float64)
                if white:
                    want = np.iinfo(kind).max - want
                got = peft.Image(path=path, options=f"slice={i}").pixels()
                same(tally, text, got, want)
                x, y = int(rng.integers(0, w)), int(rng.integers(0, h))
                a, b = int(rng.integers(1, w - x + 1)), int(rng.integers(1, h - y + 1))
                got = peft.Image(path=path, options=f"slice={i} region={x}:{y}:{a}:{b}").pixels()
                same(tally, text + " region", got, want[y:y + b, x:x + a])
        except peft.PeftError as e:
            tally.check(False, f"{text}: {e}")


def pyramid(tally, rng):
    """A slide in levels, as OME-TIFF (sub-directories) or as reduced pages, with JPEG tiles: regions of each level."""
    sub = bool(rng.random() < 0.5)
    base = np.kron(rng.integers(0, 256, (12, 16, 3), np.uint8), np.ones((40, 40, 1), np.uint8))
    levels = [base, base[::2, ::2], base[::4, ::4]]
    arguments = dict(photometric="rgb", tile=(64, 64), compression=str(rng.choice(["jpeg", "lzw"])), metadata=None)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.tif")
        with tifffile.TiffWriter(path) as t:
            t.write(levels[0], subifds=2 if sub else None, **arguments)
            for level in levels[1:]:
                t.write(level, subfiletype=1, **arguments)
        with tifffile.TiffFile(path) as t:
            stored = t.series[0].levels if sub else t.pages
            wants = [np.asarray(level.asarray()) for level in stored]
        tally.count("pyramid")
        for i, want in enumerate(wants):
            h, w = want.shape[:2]
            x, y = int(rng.integers(0, w - 20)), int(rng.integers(0, h - 20))
            got = peft.Image(path=path, options=f"level={i} region={x}:{y}:20:17").pixels()
            same(tally, f"pyramid {sub} {arguments} level {i}", got, want[y:y + 17, x:x + 20])


def main():
    tally = peft.Tally("formats")
    for case in range(CASES):
        rng = np.random.default_rng(case)
        for kind in KINDS:
            pillow(tally, rng, kind)
        with_tifffile(tally, rng)
        if case % 4 == 0:
            pyramid(tally, rng)
    return tally.close()


sys.exit(main())
