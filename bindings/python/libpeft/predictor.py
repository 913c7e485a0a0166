# SPDX-License-Identifier: Apache-2.0
"""Predictors: from pictures to logits, probabilities and labels."""

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ._c.arrays import Array, Floats, Integers, Wrapped, contiguous, output
from ._c.errors import DTypeError, InvalidError, ShapeError
from ._c.handles import Object
from ._c.library import check, encoded, lib, text
from ._c.options import Value
from .backbone import Path
from .dataset import Dataset
from .images import Image, Transform
from .model import Model
from .session import Session

Picture = Path | Image | Array
Pictures = Picture | Sequence[Picture] | Dataset


class Predictor(Object):
    """Predicts pictures as they were prepared in training.

        predictor = libpeft.Predictor(libpeft.Model.load(vit, "scans.safetensors"))
        predictor.probabilities(["a.png", "b.png"])          # float32 (2, classes)
        predictor.predict("a.png")                           # ["malignant"]

    Pictures are: a path, an Image, a list of them, a Dataset (its labels are not read), or samples in one array
    (n, height, width, 1 or 3) of uint8, uint16, int16 or float32, which is not copied. The transform is that of the
    model's note "preprocess", else of the backbone's, unless one is given. Options are those of Session; a Session may
    be given in place of a model. Results do not depend on the option batch."""

    _c_name = "peft_predictor"

    def __init__(self, model: Model | Session, transform: Transform | None = None, **options: Value) -> None:
        if isinstance(model, Session) and options:
            raise InvalidError(
                f"options {', '.join(options)}: a Session has its own; give them to it, or give the Model"
            )
        self.session = model if isinstance(model, Session) else Session(model, **options)
        self.model = self.session.model
        self._lock = self.session._lock
        self._names, self._image_options = self.model.class_names, encoded(self.model.note("image_options") or "")
        self._own(
            self.model._context, lib.peft_predictor_create, self.session._c, None if transform is None else transform._c
        )

    @property
    def link(self) -> str:
        """The function from logits to probabilities, "softmax" or "sigmoid"."""
        return text(lib.peft_predictor_link(self._c)) or ""

    @property
    def transform(self) -> str:
        """The settings of the transform in use."""
        return text(lib.peft_transform_text(lib.peft_predictor_transform(self._c))) or ""

    @property
    def class_names(self) -> list[str]:
        """The names of the classes."""
        return list(self._names)

    def logits(self, pictures: Pictures, out: Floats | None = None) -> Floats:
        """Logits (n, classes), or (n, h, w, classes) with a head of maps."""
        return self._run(pictures, out, lib.peft_predictor_pixels, lib.peft_predictor_images)

    __call__ = logits

    def probabilities(self, pictures: Pictures, out: Floats | None = None) -> Floats:
        """Probabilities of the classes, of the same shape: softmax or sigmoid, as `link` says."""
        return self._run(
            pictures, out, lib.peft_predictor_pixels_probabilities, lib.peft_predictor_images_probabilities
        )

    def labels(self, pictures: Pictures) -> Integers:
        """The most probable class of each picture (n,); with link "sigmoid" 1 for each class of probability 0.5 or
        more, else 0 (n, classes)."""
        if self.link == "sigmoid":
            return (self.probabilities(pictures) >= 0.5).astype(np.int64)
        classes: Integers = np.argmax(self.logits(pictures), axis=-1)
        return classes

    def predict(self, pictures: Pictures) -> list[Any]:
        """The name of the most probable class of each picture; with link "sigmoid" a list of names for each."""
        labels = self.labels(pictures)
        if self.link == "sigmoid":
            return [[name for name, yes in zip(self._names, row, strict=True) if yes] for row in labels]
        found: list[Any] = np.array(self._names, object)[labels].tolist()
        return found

    def _run(
        self, pictures: Pictures, out: Floats | None, pixels: Callable[..., int], images: Callable[..., int]
    ) -> Floats:
        if hasattr(pictures, "__array__") and not isinstance(pictures, (np.ndarray, Image)):
            pictures = np.asarray(pictures)  # a tensor of PyTorch
        if isinstance(pictures, np.ndarray) and pictures.ndim == 4:
            samples = contiguous("pictures", pictures)
            out = output("out", out, (len(samples), *self.session._output))
            with self._lock:
                check(pixels(self._c, Wrapped(self._context, samples), Wrapped(self._context, out)))
            return out
        several = self._several(pictures)
        out = output("out", out, (len(several), *self.session._output))
        at = 0
        for loaded in self._batches(several):
            addresses = (ctypes.c_void_p * len(loaded))(*(image._c._as_parameter_ for image in loaded))
            part = out[at : at + len(loaded)]
            with self._lock:
                check(images(self._c, addresses, len(loaded), Wrapped(self._context, part)))
            at += len(loaded)
        return out

    def _several(self, pictures: Pictures) -> "Sequence[Picture] | Dataset":
        if isinstance(pictures, Dataset):
            with_options = lib.peft_dataset_with_image_options
            return pictures._part(with_options, self._image_options) if self._image_options else pictures
        if isinstance(pictures, np.ndarray) and pictures.ndim not in (2, 3):
            raise ShapeError(
                f"pictures: given an array of shape {pictures.shape}, expected (n, height, width, "
                "channels), or for one picture (height, width) or (height, width, channels)"
            )
        return [pictures] if isinstance(pictures, (str, os.PathLike, Image, np.ndarray)) else pictures

    def _batches(self, pictures: "Sequence[Picture] | Dataset") -> Iterator[list[Image]]:
        size = self.session.batch
        for i in range(0, len(pictures), size):
            last = min(i + size, len(pictures))
            if isinstance(pictures, Dataset):
                yield [pictures.load(k) for k in range(i, last)]
            else:
                yield [self._load(pictures[k]) for k in range(i, last)]

    def _load(self, picture: Picture) -> Image:
        if isinstance(picture, Image):
            return picture
        if isinstance(picture, (str, os.PathLike)):
            return Image._new(self._context, lib.peft_image_load, self._context, encoded(picture), self._image_options)
        if isinstance(picture, np.ndarray):
            return Image.from_array(picture, context=self.model.backbone.context)
        raise DTypeError(
            f"pictures: given {type(picture).__name__}, expected a path, an Image, an array, a list of "
            "them, or a Dataset"
        )

    def __repr__(self) -> str:
        return "Predictor(closed)" if self.closed else f"Predictor({self.model!r}, {self.link})"
