# SPDX-License-Identifier: Apache-2.0
"""Segmenters: from a picture of any size to the class of each of its pixels."""

import threading
from collections.abc import Sequence

import numpy as np

from ._c.arrays import Array, Doubles, Floats, Wrapped, doubles, output
from ._c.handles import Object
from ._c.library import check, encoded, lib, text
from ._c.options import Value, documented, settings
from .adaptor import Adaptor
from .images import Image, Transform
from .model import Model
from .session import Session


@documented("Options", lib.peft_segmenter_option)
class Segmenter(Object):
    """Segments pictures by a model whose head gives a map (include/peft/segmenter.h).

        segmenter = libpeft.Segmenter(model, mode="tiles", overlap=0.5)
        segmenter.labels(picture)                # uint8 (height, width), the class of each pixel
        segmenter.probabilities(picture)         # float32 (height, width, classes)
        segmenter.targets(picture)               # uint8 (height, width, classes), of a model of several labels a pixel

    A picture is an Image or an array of samples, as for Image.from_array. The transform is that of the model's note
    "preprocess", else of the backbone's, unless one is given. A Session with options of its own may be given in place
    of a model, or an Adaptor, which adapts to the pictures that are segmented. A segmenter is used by one thread at a
    time, others wait."""

    _c_name = "peft_segmenter"

    def __init__(self, model: Model | Session | Adaptor, transform: Transform | None = None, **options: Value) -> None:
        network = Session(model) if isinstance(model, Model) else model
        self.model = network.model
        self._lock: threading.RLock = network._lock
        self._own(
            self.model._context,
            lib.peft_segmenter_create_adapting if isinstance(network, Adaptor) else lib.peft_segmenter_create,
            network._c,
            None if transform is None else transform._c,
            encoded(settings(options)),
        )
        self._c.keep = (self._context, network._c)  # the C object does not keep an adaptor

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(lib.peft_segmenter_classes(self._c))

    @property
    def link(self) -> str:
        """The function from logits to probabilities, "softmax" or "sigmoid"."""
        return text(lib.peft_segmenter_link(self._c)) or ""

    def tiles(self, width: int, height: int) -> int:
        """How many times the model is applied to a picture of this size."""
        return int(lib.peft_segmenter_tiles(self._c, width, height))

    def memory(self, width: int) -> int:
        """Bytes that a call needs for a picture of this width."""
        return int(lib.peft_segmenter_memory(self._c, width))

    def labels(self, picture: Image | Array) -> Array:
        """The class of each pixel, uint8 (height, width)."""
        image = self._image(picture)
        with self._lock:
            found = Image._new(self._context, lib.peft_segmenter_labels, self._c, image._c)
        return found.array[:, :, 0]

    def probabilities(self, picture: Image | Array, out: Floats | None = None) -> Floats:
        """The probabilities of all classes, float32 (height, width, classes)."""
        image = self._image(picture)
        out = output("out", out, (*image.shape[:2], self.classes))
        with self._lock:
            check(lib.peft_segmenter_probabilities(self._c, image._c, Wrapped(self._context, out)))
        return out

    def targets(self, picture: Image | Array, thresholds: "Sequence[float] | Doubles | None" = None) -> Array:
        """Which labels each pixel has, uint8 (height, width, classes): 1 where the probability of a label is at least
        its threshold, 0.5 unless thresholds (classes,) are given."""
        image = self._image(picture)
        limits = None if thresholds is None else doubles("thresholds", thresholds, 1, (self.classes,))
        out = np.empty((*image.shape[:2], self.classes), np.uint8)
        with self._lock:
            check(
                lib.peft_segmenter_targets(
                    self._c, image._c, None if limits is None else limits.ctypes.data, Wrapped(self._context, out)
                )
            )
        return out

    def _image(self, picture: Image | Array) -> Image:
        return picture if isinstance(picture, Image) else Image.from_array(picture, context=self.model.backbone.context)

    def __repr__(self) -> str:
        return "Segmenter(closed)" if self.closed else f"Segmenter({self.model!r}, {self.link})"
