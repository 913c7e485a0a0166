# SPDX-License-Identifier: Apache-2.0
"""numpy arrays as tensors of the library, and the reverse, without copies."""

import ctypes
import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from .declarations import DType
from .errors import DTypeError, InvalidError, ShapeError
from .handles import Handle
from .library import check, lib

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# bf16 has no numpy type: its bits are u16.
_NUMPY = {
    DType.F32: "f4",
    DType.BF16: "u2",
    DType.F16: "f2",
    DType.I32: "i4",
    DType.I64: "i8",
    DType.U8: "u1",
    DType.F64: "f8",
    DType.U16: "u2",
    DType.I16: "i2",
    DType.I8: "i1",
}
_CODES = {np.dtype(n): int(code) for code, n in _NUMPY.items() if code != DType.BF16}
_FLOAT = np.dtype("f4")


@functools.lru_cache(maxsize=256)
def _dims(shape: tuple[int, ...]) -> Any:
    return (ctypes.c_int64 * max(len(shape), 1))(*shape)


class Wrapped:
    """A tensor over an array's memory, for the time of a `with` block or call. Use as an argument of the library."""

    __slots__ = ("_as_parameter_", "_array")

    def __init__(self, context: Handle, array: Array) -> None:
        out = ctypes.c_void_p()
        check(
            lib.peft_tensor_wrap(
                context,
                _CODES[array.dtype],
                array.ndim,
                _dims(array.shape),
                array.__array_interface__["data"][0],
                ctypes.byref(out),
            )
        )
        self._as_parameter_ = out.value
        self._array = array

    def __del__(self) -> None:
        pointer = getattr(self, "_as_parameter_", None)
        if pointer:
            lib.peft_tensor_free(pointer)


def contiguous(name: str, value: Any) -> Array:
    """value as an array without gaps, which is not copied: PyTorch tensors of the CPU too."""
    array = np.asarray(value)
    if not array.flags.c_contiguous:
        raise InvalidError(
            f"{name}: given an array of shape {array.shape} with strides {array.strides}, expected one "
            f"in row-major order without gaps; numpy.ascontiguousarray({name}) makes it"
        )
    if array.dtype not in _CODES:
        known = ", ".join(sorted(t.name for t in _CODES))
        raise DTypeError(f"{name}: given an array of {array.dtype}, expected one of {known}")
    return array


def floats(name: str, value: Any, shape: tuple[int | None, ...]) -> Floats:
    """value as an array of float32 with this shape (None: any extent); nothing is converted or copied."""
    array = contiguous(name, value)
    if array.dtype != _FLOAT:
        raise DTypeError(
            f"{name}: given an array of {array.dtype}, expected float32; {name}.astype(numpy.float32) makes it"
        )
    same = array.ndim == len(shape)
    for given, wanted in zip(array.shape, shape, strict=False):
        same = same and wanted in (None, given)
    if not same:
        wanted_text = ", ".join("n" if s is None else str(s) for s in shape)
        raise ShapeError(f"{name}: given an array of shape {array.shape}, expected ({wanted_text})")
    return array


def output(name: str, value: Floats | None, shape: tuple[int, ...]) -> Floats:
    """An array for results: the caller's, or a new one."""
    if value is None:
        return np.empty(shape, np.float32)
    array = floats(name, value, shape)
    if array is not value or not array.flags.writeable:
        raise InvalidError(
            f"{name}: given {'a read-only array' if array is value else type(value).__name__}, expected "
            "a numpy array that can be written"
        )
    return array


def integers(name: str, value: Any, count: int | None = None) -> Integers:
    """Whole numbers of any type as int64, copied unless they are int64 already."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"{name}: given {array.dtype}, expected whole numbers")
    if count is not None and array.shape != (count,):
        raise ShapeError(f"{name}: given an array of shape {array.shape}, expected ({count},)")
    return np.ascontiguousarray(array, np.int64)


def doubles(name: str, value: Any, ndim: int, shape: tuple[int, ...] | None = None) -> Doubles:
    """Numbers as float64 of so many axes, or this shape; copied unless they are float64 without gaps already."""
    array = np.ascontiguousarray(value, np.float64)
    if array.ndim != ndim:
        raise ShapeError(f"{name}: given an array of {array.ndim} axes, expected {ndim}")
    if shape is not None and array.shape != shape:
        raise ShapeError(f"{name}: given an array of shape {array.shape}, expected {shape}")
    return array


def targets_like(name: str, value: Any, shape: tuple[int, ...]) -> Floats:
    """Targets 0, 1 and -1 as float32 of this shape; copied unless they are so already."""
    array = np.ascontiguousarray(value, np.float32)
    if array.shape != shape:
        raise ShapeError(f"{name}: given an array of shape {array.shape}, expected {shape}")
    return array


class _Borrowed:
    """Memory of the library for numpy; keeps `owner`, whose memory it is."""

    def __init__(self, owner: object, address: int, kind: str, shape: tuple[int, ...], writable: bool) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "version": 3,
            "typestr": f"<{kind}" if kind[1] != "1" else f"|{kind}",
            "shape": shape,
            "data": (address, not writable),
        }


def over(owner: object, address: int, kind: str, shape: tuple[int, ...], writable: bool = False) -> Array:
    """An array over memory of the library, which lives as long as owner."""
    if not address or 0 in shape:
        return np.empty(shape, kind)
    return np.asarray(_Borrowed(owner, address, kind, shape, writable))


def view(owner: object, tensor: int, writable: bool = False) -> Array:
    """An array over the memory of a tensor that belongs to owner."""
    shape = tuple(lib.peft_tensor_dim(tensor, i) for i in range(lib.peft_tensor_ndim(tensor)))
    return over(owner, lib.peft_tensor_cdata(tensor), _NUMPY[DType(lib.peft_tensor_dtype(tensor))], shape, writable)


def as_floats(tensor: int) -> Floats:
    """The values of a tensor of any type as float32, copied."""
    shape = tuple(lib.peft_tensor_dim(tensor, i) for i in range(lib.peft_tensor_ndim(tensor)))
    out = np.empty(shape, np.float32)
    check(lib.peft_tensor_to_f32(tensor, out.ctypes.data, out.size))
    return out
