# SPDX-License-Identifier: Apache-2.0
"""Backbones: pretrained weights of a Vision Transformer."""

import os
from collections.abc import Iterator
from typing import Self

from ._c.arrays import Floats, as_floats
from ._c.errors import NotFoundError
from ._c.handles import Object
from ._c.library import check, encoded, lib, text
from ._c.options import Value, documented, make
from .context import Context, default_context

Path = str | os.PathLike[str]


@documented("Options of open()", lib.peft_backbone_option)
class Backbone(Object):
    """A Vision Transformer's pretrained weights, which never change: any number of models and threads share them.

        vit = libpeft.Backbone.open("deit_tiny_patch16_224.safetensors")

    `vit["image_size"]` and the other facts of peft_backbone_get (include/peft/backbone.h): width, depth, heads, mlp,
    patch, image_size, image_height, image_width, tokens, prefix, registers, classes, feature_width, parameters."""

    _c_name = "peft_backbone"
    context: Context
    path: str | None = None  # of the file or folder that it was opened from

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("use Backbone.open(path), or Backbone.random(..) for random weights")

    @classmethod
    def open(cls, path: Path, *, context: Context | None = None, **options: Value) -> Self:
        """Loads weights named as timm, Hugging Face, OpenAI's CLIP, torchvision or mmpretrain do, of a safetensors
        file, a file of torch.save, the index of a model in several files, or a folder with one of these."""
        context = context or default_context()
        return cls._new(
            context._c,
            lib.peft_backbone_load,
            context._c,
            encoded(path),
            make(context._c, options),
            context=context,
            path=os.fspath(path),
        )

    @classmethod
    @documented("Options", lib.peft_backbone_create_option)
    def random(cls, *, context: Context | None = None, **options: Value) -> Self:
        """Makes a backbone with random weights, for tests and training from scratch."""
        context = context or default_context()
        return cls._new(context._c, lib.peft_backbone_create, context._c, make(context._c, options), context=context)

    @documented("Options", lib.peft_backbone_save_option)
    def save(self, path: Path, **options: Value) -> None:
        """Saves the weights as safetensors, or as a folder of Hugging Face's; nothing is replaced on failure."""
        check(lib.peft_backbone_save_as(self._c, encoded(path), make(self._context, options)))

    def __getitem__(self, fact: str) -> int:
        value = int(lib.peft_backbone_get(self._c, encoded(fact)))
        if value == -1:
            raise NotFoundError(f"a backbone has no fact '{fact}'; the class's text lists them")
        return value

    def note(self, key: str) -> str | None:
        """A fact about images and classes from the backbone's files, such as "preprocess" or "class_names" (see
        peft_backbone_note); None: unknown."""
        return text(lib.peft_backbone_note(self._c, encoded(key)))

    @property
    def image_size(self) -> int:
        """The side of the images in pixels; NotFoundError if they are not square, whose sides are image_sides."""
        return self["image_size"]

    @property
    def image_sides(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        return self["image_height"], self["image_width"]

    @property
    def _size(self) -> str:
        """The value of the option image_size: "224", or "384x512"."""
        height, width = self.image_sides
        return str(height) if height == width else f"{height}x{width}"

    @property
    def class_names(self) -> list[str] | None:
        """The names of the classes of its own classifier; None: unknown."""
        names = self.note("class_names")
        return names.splitlines() if names else None

    @property
    def fingerprint(self) -> str:
        """SHA-256 over facts and weights: files of adapters name the backbone by it."""
        return text(lib.peft_backbone_fingerprint(self._c)) or ""

    @property
    def description(self) -> str | None:
        """Name of its file and sizes, the note "backbone" of models, by which programs say which one a model needs;
        None: it was not opened from a file."""
        if self.path is None:
            return None
        facts = " ".join(f"{f}={self[f]}" for f in ("width", "depth", "heads", "mlp", "patch"))
        return f"{os.path.basename(self.path.rstrip('/') or '/')}: {facts} image_size={self._size}"

    def names(self) -> list[str]:
        """The names of the tensors, which are timm's."""
        c = self._c
        return [text(lib.peft_backbone_tensor_name(c, i)) or "" for i in range(lib.peft_backbone_tensor_count(c))]

    def tensor(self, name: str) -> Floats:
        """A copy of a tensor as float32, whatever its type is."""
        c = self._c
        if name not in (names := self.names()):
            raise NotFoundError(f"the backbone has no tensor '{name}'; names() lists them")
        return as_floats(lib.peft_backbone_tensor(c, names.index(name)))

    def tensors(self) -> Iterator[tuple[str, Floats]]:
        """Names and copies of all tensors."""
        for name in self.names():
            yield name, self.tensor(name)

    def __repr__(self) -> str:
        if self.closed:
            return "Backbone(closed)"
        facts = ", ".join(f"{fact}={self[fact]}" for fact in ("patch", "width", "depth", "heads"))
        return f"Backbone(image_size={self._size}, {facts})"
