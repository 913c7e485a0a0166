# SPDX-License-Identifier: Apache-2.0
"""Maps over an image that show what a model looks at."""

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ._c.arrays import Array, Floats, Integers, Wrapped, floats, integers
from ._c.declarations import peft_maps_fn
from ._c.handles import Object
from ._c.library import check, lib, names, text
from ._c.options import Value, append, documented, make
from ._c.training import Call, Keep
from .model import Model


def map_kinds() -> list[str]:
    """The names of the kinds of maps."""
    return names(lib.peft_maps_kind_name)


def _kind_help(i: int, kind: str) -> str:
    return f"    {kind} ({text(lib.peft_maps_kind_options(i))}): {text(lib.peft_maps_kind_summary(i))}"


@documented("Options of all kinds", lib.peft_maps_option)
class Maps(Object):
    """A model compiled for one kind of map: numbers for the cells of a grid over the image (include/peft/maps.h).

        maps = libpeft.Maps(model, kind="cam", batch=8)
        grids, classes = maps.compute(images)        # images: float32 (n, 3, height, width), prepared by a Transform

    n may be any number; results are the same for any `batch`. Maps reads the model's current values in each call, as a
    Session does. It is used by one thread at a time, others wait."""

    _c_name = "peft_maps"
    model: Model
    kind: str

    def __init__(self, model: Model, kind: str = "rollout", **options: Value) -> None:
        self.model, self.kind = model, kind
        self._lock, self._keep = threading.RLock(), Keep()
        self._own(model._context, lib.peft_maps_create, model._c, make(model._context, {"kind": kind, **options}))
        h, w = ctypes.c_int64(), ctypes.c_int64()
        lib.peft_maps_size(self._c, ctypes.byref(h), ctypes.byref(w))
        self._input, self._size = (None, *model.input_shape), (h.value, w.value)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a map."""
        return self._size

    @property
    def of_class(self) -> bool:
        """Whether a map is of a class; maps of other kinds depend on none."""
        return bool(lib.peft_maps_kind_of_class(map_kinds().index(self.kind)))

    def compute(
        self, images: Array, classes: Array | None = None, *, on_batch: Callable[[int, int], Any] | None = None
    ) -> tuple[Floats, Integers]:
        """Maps (n, rows, columns) and the class that each is of (n,), -1 for kinds that depend on none.

        classes: the class of each map, -1 for the predicted one; None: the predicted one of each. on_batch(done, of) is
        called after each batch with the predictions done so far; a true result stops the call: CancelledError."""
        images = floats("images", images, self._input)
        n = len(images)
        wanted = None if classes is None else integers("classes", classes, n)
        maps, chosen = np.empty((n, *self._size), np.float32), np.empty(n, np.int64)

        def after(done: int, of: int) -> int:
            return int(bool(on_batch and on_batch(done, of)) or Call.interrupted(self._keep))

        progress = peft_maps_fn(lambda done, of, _: Call.guard(self._keep, lambda: after(done, of)))
        with self._lock, Call(self._keep):
            check(
                lib.peft_maps_compute(
                    self._c,
                    Wrapped(self._context, images),
                    None if wanted is None else wanted.ctypes.data,
                    Wrapped(self._context, maps),
                    chosen.ctypes.data,
                    progress,
                    None,
                )
            )
        return maps, chosen

    @property
    def memory(self) -> int:
        """Bytes of all memory that it uses."""
        return int(lib.peft_maps_memory(self._c))

    def __repr__(self) -> str:
        return "Maps(closed)" if self.closed else f"Maps({self.model!r}, kind={self.kind!r})"


append(Maps, "Kinds, with the options that each reads", "\n".join(_kind_help(i, k) for i, k in enumerate(map_kinds())))
