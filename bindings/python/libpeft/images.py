# SPDX-License-Identifier: Apache-2.0
"""Pictures, and transforms that turn them into network input."""

import ctypes
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from ._c.arrays import Array, Floats, Integers, contiguous, output, over
from ._c.declarations import PEFT_FLOAT_32, PEFT_SIGNED_16
from ._c.errors import DTypeError, InvalidError, ShapeError
from ._c.handles import Object
from ._c.library import check, encoded, lib, text
from ._c.options import Value, documented, settings
from .backbone import Backbone, Path
from .context import Context, default_context

_KINDS = {8: "u1", 16: "u2", PEFT_SIGNED_16: "i2", PEFT_FLOAT_32: "f4"}
_DEPTHS = {np.dtype(kind): depth for depth, kind in _KINDS.items()}
# What the programs use where no file says how a network's images are prepared.
_IMAGENET = {"mean": "0.485:0.456:0.406", "std": "0.229:0.224:0.225"}


@documented("Options of open()", lib.peft_image_option)
class Image(Object):
    """A picture of 1 or 3 channels, whose samples are uint8, uint16, int16 or float32; it does not change.

        image = libpeft.Image.open("scan.png")
        image.array                                  # (height, width, channels), over the image's memory

    docs/formats.md lists the formats: PNG, JPEG, PNM, NumPy, BMP, TIFF, WebP, NIfTI, DICOM."""

    _c_name = "peft_image"

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("use Image.open(path) or Image.from_array(array)")

    @classmethod
    def open(cls, path: Path, *, context: Context | None = None, **options: Value) -> Self:
        """Reads a picture file; its format is recognised by the content."""
        c = (context or default_context())._c
        return cls._new(c, lib.peft_image_load, c, encoded(path), encoded(settings(options)))

    @classmethod
    def from_bytes(cls, data: bytes, *, context: Context | None = None, **options: Value) -> Self:
        """The same for the content of a file."""
        c = (context or default_context())._c
        return cls._new(c, lib.peft_image_load_memory, c, data, len(data), encoded(settings(options)))

    @classmethod
    def from_array(cls, array: Array, *, context: Context | None = None) -> Self:
        """Copies samples (height, width), (height, width, 1) or (height, width, 3) of uint8, uint16, int16 or
        float32."""
        array = contiguous("array", array)
        if array.dtype not in _DEPTHS:
            raise DTypeError(f"array: given {array.dtype}, expected uint8, uint16, int16 or float32")
        if array.ndim not in (2, 3) or array.ndim == 3 and array.shape[2] not in (1, 3):
            raise ShapeError(
                f"array: given shape {array.shape}, expected (height, width), or that with 1 or 3 channels"
            )
        c = (context or default_context())._c
        height, width = array.shape[:2]
        return cls._new(
            c,
            lib.peft_image_from_buffer,
            c,
            array.ctypes.data,
            width,
            height,
            1 if array.ndim == 2 else array.shape[2],
            _DEPTHS[array.dtype],
            0,
        )

    @staticmethod
    def slices(path: Path, *, context: Context | None = None, **options: Value) -> int:
        """The number of images in a file (of NumPy, TIFF, NIfTI and DICOM files it may be more than 1)."""
        n = ctypes.c_int64()
        check(
            lib.peft_image_slices(
                (context or default_context())._c, encoded(path), encoded(settings(options)), ctypes.byref(n)
            )
        )
        return n.value

    @staticmethod
    def format(data: bytes) -> str | None:
        """The format of a picture whose file begins with these bytes, of which 4096 are enough; None: none that is
        read."""
        return text(lib.peft_image_format(data, len(data)))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)"""
        c = self._c
        return lib.peft_image_height(c), lib.peft_image_width(c), lib.peft_image_channels(c)

    @property
    def array(self) -> Array:
        """The samples (height, width, channels), over the image's memory, which cannot be written."""
        return over(self._c, lib.peft_image_pixels(self._c), _KINDS[lib.peft_image_depth(self._c)], self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self.array
        return array.astype(dtype or array.dtype) if copy or dtype not in (None, array.dtype) else array

    @property
    def slope(self) -> float:
        """A sample v has the value slope * v + intercept."""
        return float(lib.peft_image_slope(self._c))

    @property
    def intercept(self) -> float:
        """See slope."""
        return float(lib.peft_image_intercept(self._c))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between slices of the volume, rows and columns; 0: not known."""
        mm = (ctypes.c_double * 3)()
        lib.peft_image_spacing(self._c, mm)
        return mm[0], mm[1], mm[2]

    @property
    def directions(self) -> str:
        """To where columns, rows and slices count up in the body, as "LAS"; empty: not known."""
        return str(lib.peft_image_directions(self._c).decode())

    def _derived(self, function: Any, *arguments: Any) -> "Image":
        return Image._new(self._context, function, self._c, *arguments)

    def rescale(self, slope: float, intercept: float) -> "Image":
        """A copy whose samples v have the value slope * v + intercept."""
        return self._derived(lib.peft_image_rescale, slope, intercept)

    def resize(self, width: int, height: int, filter: str = "bicubic") -> "Image":
        """A resized copy, with the pixels of Pillow; filter: bicubic, bilinear, box, hamming, lanczos, nearest."""
        return self._derived(lib.peft_image_resize, width, height, encoded(filter))

    def crop(self, left: int, top: int, width: int, height: int) -> "Image":
        """A copy of a box, which may reach beyond the image: samples outside are 0."""
        return self._derived(lib.peft_image_crop, left, top, width, height)

    def centre_crop(self, width: int, height: int) -> "Image":
        """A copy of the centre."""
        return self._derived(lib.peft_image_centre_crop, width, height)

    def flip(self) -> "Image":
        """A copy with left and right exchanged."""
        return self._derived(lib.peft_image_flip)

    def save_png(self, path: Path) -> None:
        """Writes a PNG file."""
        check(lib.peft_image_save_png(self._c, encoded(path)))

    def __repr__(self) -> str:
        return "Image(closed)" if self.closed else f"Image{self.shape} of {self.array.dtype}"


class DicomHeader(Object):
    """The header of a DICOM file; no pixels are read.

    libpeft.DicomHeader("scan.dcm")["patient"]   # patient, study, series, instance, number, modality, ..."""

    _c_name = "peft_dicom_header"

    def __init__(self, path: Path, *, context: Context | None = None) -> None:
        c = (context or default_context())._c
        self._own(c, lib.peft_dicom_header_read, c, encoded(path))

    def __getitem__(self, field: str) -> str:
        value = text(lib.peft_dicom_header_text(self._c, encoded(field)))
        if value is None:
            raise KeyError(field)
        return value

    @property
    def frames(self) -> int:
        """The number of frames."""
        return int(lib.peft_dicom_header_frames(self._c))

    @staticmethod
    def sort(headers: "Sequence[DicomHeader | None]") -> tuple[Integers, Integers]:
        """The order of files, series by series and by slice, and the number of the series of each place; None, a file
        that could not be read, comes last, in series -1."""
        n = len(headers)
        pointers = (ctypes.c_void_p * max(n, 1))(*(None if h is None else h._c._as_parameter_ for h in headers))
        order, series = np.empty(n, np.int64), np.empty(n, np.int64)
        c = default_context()._c
        check(lib.peft_dicom_header_sort(c, pointers, n, order.ctypes.data, series.ctypes.data))
        return order, series


@documented("Settings", lib.peft_transform_option)
class Transform(Object):
    """Turns pictures into network input, float32 (3, size, size), as a text of settings says. include/peft/transform.h
    explains each setting.

        prepare = libpeft.Transform(size=224, resize="shorter")
        prepare = libpeft.Transform.of(vit, flip=0.5)            # as the backbone's files say

    text: settings "name=value,.."; base: a text whose settings they replace; keywords are further settings, in which
    lists are numbers: mean=[0.5, 0.5, 0.5]."""

    _c_name = "peft_transform"

    def __init__(
        self, text: str = "", *, base: str | None = None, context: Context | None = None, **values: Value
    ) -> None:
        c = (context or default_context())._c
        self._own(
            c,
            lib.peft_transform_parse_over,
            c,
            None if base is None else encoded(base),
            encoded(settings(values, text)),
        )

    @classmethod
    def of(cls, backbone: Backbone, *, context: Context | None = None, **values: Value) -> Self:
        """The preparation that the backbone's files state, at its image size, without the augmentations of its
        training. Where they state none, the mean and std of its family of networks, else ImageNet's, as the programs
        do."""
        if str(values.setdefault("size", backbone._size)) != backbone._size:
            raise InvalidError(
                f"size: given {values['size']}, expected that of the backbone, {backbone._size}; "
                "Backbone.open(path, image_size=..) changes it"
            )
        base = backbone.note("preprocess")
        if base is None:
            known = {key: backbone.note(key) for key in ("mean", "std", "interpolation", "crop_pct")}
            if known["mean"] is None:
                known.update(_IMAGENET)
            base = settings(dict(known, resize="shorter" if known["crop_pct"] else None))
        plain: dict[str, Value] = {
            "random_crop": False,
            "flip": 0,
            "brightness": 0,
            "contrast": 0,
            "saturation": 0,
            "pad": 0,
            "erase": 0,
        }
        return cls(base=base, context=context or backbone.context, **{**plain, **values})

    @property
    def text(self) -> str:
        """All settings: what a model's note "preprocess" holds."""
        return text(lib.peft_transform_text(self._c)) or ""

    @property
    def size(self) -> int:
        """The side of the output in pixels; -1 if it is not square."""
        return int(lib.peft_transform_size(self._c))

    @property
    def height(self) -> int:
        """Rows of the output."""
        return int(lib.peft_transform_height(self._c))

    @property
    def width(self) -> int:
        """Columns of the output."""
        return int(lib.peft_transform_width(self._c))

    def __call__(self, image: Image | Array, out: Floats | None = None) -> Floats:
        """Network input (3, height, width) of a picture or an array of samples, without augmentations."""
        if not isinstance(image, Image):
            image = Image.from_array(image)
        out = output("out", out, (3, self.height, self.width))
        check(lib.peft_transform_apply(self._c, image._c, out.ctypes.data))
        return out

    def train(self, image: Image | Array, *, seed: int, epoch: int, sample: int, out: Floats | None = None) -> Floats:
        """The same with augmentations, which depend on seed, epoch and sample alone."""
        if not isinstance(image, Image):
            image = Image.from_array(image)
        out = output("out", out, (3, self.height, self.width))
        check(lib.peft_transform_apply_train(self._c, image._c, seed, epoch, sample, out.ctypes.data))
        return out

    def __repr__(self) -> str:
        return "Transform(closed)" if self.closed else f"Transform({self.text!r})"
