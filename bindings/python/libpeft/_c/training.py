# SPDX-License-Identifier: Apache-2.0
"""Python functions as callbacks of the library. An exception must not pass through C code: it is kept, the library is
told to stop, and the call that the callback belongs to raises it again."""

import ctypes
import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np

from . import declarations
from .arrays import Array, Floats, as_floats, floats, integers, over, view
from .errors import DTypeError, ShapeError

Keep = dict[str, Any]
Loss = Callable[[Floats, Array | None], tuple[float, Floats]]
Reduce = Callable[[Floats, int], "int | None"]
_KEY, _CTRL_C = "exception", "Ctrl-C"


class Call:
    """Around a call of the library whose callbacks run Python: raises what they raised.

    Ctrl-C would raise KeyboardInterrupt at the entry of a callback, where nothing can keep it. In the main thread it is
    noted instead; progress_function then stops the training, and KeyboardInterrupt is raised behind the call."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep

    def __enter__(self) -> None:
        self._outer = self._keep.pop(_KEY, None)
        self._watches = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._watches:
            signal.signal(signal.SIGINT, lambda *_: self._keep.update({_CTRL_C: True}))

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watches:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if self._keep.pop(_CTRL_C, False):
                self._keep[_KEY] = KeyboardInterrupt()
        raised = self._keep.pop(_KEY, None)
        if self._outer is not None:
            self._keep[_KEY] = self._outer
        if raised is not None:
            raise raised from None

    @staticmethod
    def interrupted(keep: Keep) -> bool:
        """Whether Ctrl-C arrived during the call."""
        return bool(keep.get(_CTRL_C, False))

    @staticmethod
    def guard(keep: Keep, function: Callable[[], int]) -> int:
        """The result of function; -1 if it raised an exception, which is kept."""
        try:
            return function()
        except BaseException as e:  # KeyboardInterrupt too
            keep[_KEY] = e
            return -1


def progress_function(keep: Keep, after_step: Callable[[], bool]) -> Any:
    """A peft_progress_fn that stops the training where after_step returns True, and after Ctrl-C."""
    return declarations.peft_progress_fn(
        lambda t, user: Call.guard(keep, lambda: int(after_step() or Call.interrupted(keep)))
    )


def batch_function(keep: Keep, batches: Callable[[int, int], Any]) -> Any:
    """A peft_batch_fn that copies what batches(epoch, batch) returns: (images, labels), (images, labels, ids), or None
    behind the last batch."""

    def write(epoch: int, batch: int, images: int, labels: int, ids: int) -> int:
        given = batches(epoch, batch)
        if given is None:
            return 0
        n = len(given[0])
        for name, array, tensor in (("images", given[0], images), ("labels", given[1], labels)):
            out, array = view(None, tensor, writable=True), np.asarray(array)
            if len(array) != n or n > len(out) or array.shape[1:] != out.shape[1:]:
                raise ShapeError(
                    f"{name} of batch {batch}: given shape {array.shape}, expected "
                    f"({n if n <= len(out) else len(out)}, {', '.join(map(str, out.shape[1:]))})"
                )
            if array.dtype != out.dtype and not (out.dtype.kind == "i" and array.dtype.kind in "iu"):
                raise DTypeError(f"{name} of batch {batch}: given {array.dtype}, expected {out.dtype}")
            out[:n] = array
        if len(given) > 2:
            known = integers("ids", given[2], n)
            ctypes.memmove(ids, known.ctypes.data, known.nbytes)
        return n

    def call(epoch: int, batch: int, images: int, labels: int, ids: int, _: int | None) -> int:
        return Call.guard(keep, lambda: write(epoch, batch, images, labels, ids))

    return declarations.peft_batch_fn(call)


def loss_function(keep: Keep, loss: Loss) -> Any:
    """A peft_loss_fn of loss(logits, labels), which returns the loss and its gradient; both get copies."""

    def write(logits: int, labels: int | None, gradient: int, value: int) -> int:
        result, slope = loss(as_floats(logits), None if labels is None else view(None, labels).copy())
        out = view(None, gradient, writable=True)
        out[...] = floats("gradient of the loss", slope, out.shape)
        ctypes.c_double.from_address(value).value = float(result)
        return 0

    def call(logits: int, labels: int | None, gradient: int, value: int, _: int | None) -> int:
        return Call.guard(keep, lambda: write(logits, labels, gradient, value))

    return declarations.peft_loss_fn(call)


def reduce_function(keep: Keep, reduce: Reduce) -> Any:
    """A peft_reduce_fn of reduce(gradients, passes), which gets the gradients over the library's memory and returns the
    passes of all ranks (None: as many as were given)."""

    def add(gradients: int, count: int, passes: int) -> int:
        number = ctypes.c_int64.from_address(passes)
        given = reduce(over(None, gradients, "f4", (count,), writable=True), number.value)
        if given is not None:
            number.value = int(given)
        return 0

    def call(gradients: int, count: int, passes: int, _: int | None) -> int:
        return Call.guard(keep, lambda: add(gradients, count, passes))

    return declarations.peft_reduce_fn(call)
