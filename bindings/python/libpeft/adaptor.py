# SPDX-License-Identifier: Apache-2.0
"""Test-time adaptation: a model that goes on learning from the images it predicts, which have no labels."""

import ctypes
import threading

from ._c.arrays import Array, Floats, Wrapped, floats, output
from ._c.handles import Object
from ._c.library import check, encoded, lib, names, text
from ._c.options import Value, append, documented, make, paragraph, table
from .backbone import Path
from .model import Model
from .session import describe


def adaptation_kinds() -> list[str]:
    """The names of the kinds of adaptation."""
    return names(lib.peft_adaptor_kind_name)


def _kind_help(kind: str) -> str:
    name = encoded(kind)
    rows = paragraph(table(lib.peft_adaptor_kind_option, name))
    return f"{kind}: {text(lib.peft_adaptor_kind_summary(name))} ({text(lib.peft_adaptor_kind_paper(name))})\n{rows}"


@documented("Options of all kinds", lib.peft_adaptor_option)
class Adaptor(Object):
    """Adapts to images while it predicts them. It never changes the model: what it learns is its own.

        adaptor = libpeft.Adaptor(model, kind="tent", batch=64)
        for images in batches:
            logits = adaptor.predict(images)

    One call is one batch of the method, so that the results depend on which images are in a call. An adaptor is used by
    one thread at a time, others wait."""

    _c_name = "peft_adaptor"

    def __init__(self, model: Model, **options: Value) -> None:
        self.model, self._lock = model, threading.RLock()
        self._own(model._context, lib.peft_adaptor_create, model._c, make(model._context, options))
        self._input, self._output = (None, *model.input_shape), model.output_shape

    def predict(self, images: Array, out: Floats | None = None) -> Floats:
        """Adapts on images float32 (n, 3, height, width), n at most the option batch, and predicts them: logits."""
        images = floats("images", images, self._input)
        out = output("out", out, (len(images), *self._output))
        with self._lock:
            check(lib.peft_adaptor_predict(self._c, Wrapped(self._context, images), Wrapped(self._context, out)))
        return out

    def source(self, images: Array) -> None:
        """Gives images of the training distribution to kinds that compare test images with them."""
        images = floats("images", images, self._input)
        with self._lock:
            check(lib.peft_adaptor_source(self._c, Wrapped(self._context, images)))

    def store_source(self) -> None:
        """Stores their statistics in the model, whose file then has them."""
        with self._lock:
            check(lib.peft_adaptor_store_source(self._c))

    def reset(self) -> None:
        """Drops what was learned."""
        with self._lock:
            check(lib.peft_adaptor_reset(self._c))

    def save(self, path: Path) -> None:
        """Saves its state: an adaptor that restores it goes on with the same bits."""
        with self._lock:
            check(lib.peft_adaptor_save(self._c, encoded(path)))

    def restore(self, path: Path) -> None:
        """Goes on with a saved state."""
        with self._lock:
            check(lib.peft_adaptor_restore(self._c, encoded(path)))

    def get(self, name: str) -> float:
        """A figure by name: batches, images, updates, loss, seconds, .."""
        value = ctypes.c_double()
        with self._lock:
            check(lib.peft_adaptor_get_float(self._c, encoded(name), ctypes.byref(value)))
        return value.value

    @property
    def kind(self) -> str:
        """The kind of adaptation."""
        return text(lib.peft_adaptor_kind(self._c)) or ""

    def describe(self) -> str:
        """What one pass computes, a line for each operation."""
        with self._lock:
            return describe(lib.peft_adaptor_describe, self._c)


append(Adaptor, "Kinds and their options", "\n".join(map(_kind_help, adaptation_kinds())))
