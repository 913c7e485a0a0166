# SPDX-License-Identifier: Apache-2.0
"""Sessions: inference of prepared images."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ._c.arrays import Array, Floats, Integers, Wrapped, as_floats, floats, output
from ._c.declarations import peft_text_fn
from ._c.errors import NotFoundError
from ._c.handles import Object
from ._c.library import check, encoded, lib, text
from ._c.options import Value, documented, make
from .model import Model


def describe(function: Any, c: object) -> str:
    """The lines that a _describe function of the library gives."""
    lines: list[str] = []
    function(c, peft_text_fn(lambda line, _: lines.append(text(line) or "")), None)
    return "\n".join(lines)


@documented("Options", lib.peft_session_option)
class Session(Object):
    """A model compiled for inference. All memory is allocated when it is made.

        session = libpeft.Session(model, batch=8)
        logits = session.logits(images)              # images: float32 (n, 3, height, width), prepared by a Transform

    Images are used where they lie: an array of another type, or with gaps, is an error. n may be any number; more than
    `batch` images are predicted in several calls, with the same bits. A session is used by one thread at a time, others
    wait; two sessions of one model run at the same time in two threads. A Trainer may change the model meanwhile: each
    call sees the parameters after a whole update."""

    _c_name = "peft_session"
    model: Model

    def __init__(self, model: Model, **options: Value) -> None:
        self.model = model
        self._lock = threading.RLock()
        self._own(model._context, lib.peft_session_create, model._c, make(model._context, options))
        self._batch = int(lib.peft_session_batch(self._c))
        self._input = (None, *model.input_shape)
        self._output = model.output_shape
        self._feature = (model.feature_width,)

    @property
    def batch(self) -> int:
        """The largest number of images that are computed together."""
        return self._batch

    def _run(
        self, call: Callable[[Any, Any, Any], int], images: Array, out: Floats | None, shape: tuple[int, ...]
    ) -> Floats:
        images = floats("images", images, self._input)
        n = len(images)
        out = output("out", out, (n, *shape))
        c, context = self._c, self._context
        with self._lock:
            if 0 < n <= self._batch:
                check(call(c, Wrapped(context, images), Wrapped(context, out)))
            else:
                for i in range(0, n, self._batch):
                    check(
                        call(
                            c, Wrapped(context, images[i : i + self._batch]), Wrapped(context, out[i : i + self._batch])
                        )
                    )
        return out

    def logits(self, images: Array, out: Floats | None = None) -> Floats:
        """Logits (n, classes), or (n, h, w, classes) with a head of maps; written to `out` if it is given.
        NonFiniteError: a logit is NaN or Inf; `out` holds them all the same."""
        return self._run(lib.peft_session_predict, images, out, self._output)

    __call__ = logits

    def probabilities(self, images: Array, multi_label: bool | None = None, out: Floats | None = None) -> Floats:
        """Probabilities of the classes: softmax, or with multi_label the sigmoid of each class. None: as the model's
        `link` says, softmax if it says nothing."""
        sigmoid = self._link() == b"sigmoid" if multi_label is None else multi_label
        return self._run(
            lambda c, x, y: int(lib.peft_session_probabilities(c, x, int(sigmoid), y)), images, out, self._output
        )

    def labels(self, images: Array) -> Integers:
        """The class of the largest logit of each image, or patch."""
        classes: Integers = np.argmax(self.logits(images), axis=-1)
        return classes

    def features(self, images: Array, out: Floats | None = None) -> Floats:
        """What the head reads, the pooled feature (n, model.feature_width)."""
        return self._run(lib.peft_session_features, images, out, self._feature)

    def tap(self, name: str) -> Floats:
        """A copy of an intermediate value of the last call, if the session was made with it, taps=["block.0"]; of the
        last `batch` images."""
        with self._lock:
            tensor = lib.peft_session_tap(self._c, encoded(name))
            if not tensor:
                raise NotFoundError(text(lib.peft_last_error()) or "")
            return as_floats(tensor)

    def set_input(self, name: str, value: Array) -> None:
        """A further input of the next calls, which is copied: "side_images" for fpt with side_input=given."""
        value = floats(name, value, tuple(np.shape(value)))
        with self._lock:
            check(lib.peft_session_input(self._c, encoded(name), Wrapped(self._context, value)))

    def _link(self) -> bytes | None:
        link: bytes | None = lib.peft_model_link(lib.peft_session_model(self._c))
        return link

    @property
    def memory(self) -> int:
        """Bytes of all memory that it uses."""
        return int(lib.peft_session_memory(self._c))

    def describe(self) -> str:
        """What a prediction computes, a line for each operation (docs/verbose.md)."""
        return describe(lib.peft_session_describe, self._c)

    def __repr__(self) -> str:
        return "Session(closed)" if self.closed else f"Session({self.model!r}, batch={self._batch})"
