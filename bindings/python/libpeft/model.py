# SPDX-License-Identifier: Apache-2.0
"""Adapters and models: what is trained, and what it is trained in."""

import ctypes
from collections.abc import Sequence
from typing import Any, Self

from ._c.arrays import Array, view
from ._c.declarations import PEFT_MAX_DIMS
from ._c.errors import DTypeError, NotFoundError
from ._c.handles import Object, new
from ._c.library import check, encoded, lib, names, text
from ._c.options import Option, Value, append, documented, make, paragraph, table
from .backbone import Backbone, Path


def methods() -> list[str]:
    """The names of the fine-tuning methods."""
    return names(lib.peft_method_name)


def method_help(method: str) -> str:
    """What a method does: a line about it, its paper, and its options with defaults, bounds and help."""
    name = encoded(method)
    if (summary := text(lib.peft_method_summary(name))) is None:
        raise NotFoundError(f"there is no method '{method}'; expected one of {', '.join(methods())}")
    paper, rows = text(lib.peft_method_paper(name)), table(lib.peft_method_option, name)
    lines = [f"{method}: {summary}" + (f" ({paper})" if paper else "")]
    return "\n".join(lines + ([paragraph(rows)] if rows else []))


def _tensors(owner: Object, count: int, at: Any, value: Any, name: Any) -> dict[str, Array]:
    found = {}
    for i in range(count):
        item = at(owner._c, i)
        found[text(name(item)) or ""] = view(owner._handle, value(item), writable=True)
    return found


class Adapter(Object):
    """One fine-tuning method with its trainable tensors, made for one backbone.

        lora = libpeft.Adapter(vit, "lora", r=8, alpha=16)

    Initial values depend on the seed of the backbone's context. `libpeft.methods()` lists the methods,
    `print(libpeft.method_help("lora"))` explains one."""

    _c_name = "peft_adapter"
    backbone: Backbone

    def __init__(self, backbone: Backbone, method: str, **options: Value) -> None:
        self.backbone = backbone
        self._own(
            backbone._context, lib.peft_adapter_create, backbone._c, encoded(method), make(backbone._context, options)
        )

    @classmethod
    def load(cls, backbone: Backbone, path: Path) -> Self:
        """Loads an adapter file. MismatchError: it was saved for another backbone."""
        return cls._new(backbone._context, lib.peft_adapter_load, backbone._c, encoded(path), backbone=backbone)

    @classmethod
    def load_hf(cls, backbone: Backbone, folder: Path) -> Self:
        """Loads an adapter of Hugging Face's PEFT library, a folder with adapter_config.json."""
        return cls._new(backbone._context, lib.peft_adapter_load_hf, backbone._c, encoded(folder), backbone=backbone)

    def save(self, path: Path) -> None:
        """Saves the adapter; nothing is replaced on failure."""
        check(lib.peft_adapter_save(self._c, encoded(path)))

    @documented("Options", lib.peft_save_hf_option)
    def save_hf(self, folder: Path, **options: Value) -> None:
        """Saves the adapter as a folder that Hugging Face's PEFT library loads."""
        check(lib.peft_adapter_save_hf(self._c, encoded(folder), make(self._context, options)))

    def merge(self) -> Backbone:
        """A new backbone whose weights include the adapter; the first one does not change. UnsupportedError: the
        method does more than change weights (ept, vpt, adapter, ..)."""
        with Model(self.backbone, self, head=None if self.backbone["classes"] else "none") as model:
            return model.merge()

    @property
    def method(self) -> str:
        """The name of its method."""
        return text(lib.peft_adapter_method(self._c)) or ""

    @property
    def options(self) -> dict[str, str]:
        """The values of its method's options that it uses, as text."""
        c = self._c
        return {
            o.name: text(lib.peft_adapter_option_value(c, encoded(o.name))) or ""
            for o in table(lib.peft_adapter_option, c)
        }

    @property
    def trainable_count(self) -> int:
        """How many numbers it trains."""
        return int(lib.peft_adapter_trainable_count(self._c))

    def parameters(self) -> dict[str, Array]:
        """Its trainable tensors by name: arrays over the library's memory. Write to them between steps only, while no
        thread predicts or saves with them."""
        return _tensors(
            self,
            lib.peft_adapter_param_count(self._c),
            lib.peft_adapter_param,
            lib.peft_param_value,
            lib.peft_param_name,
        )

    def __repr__(self) -> str:
        return "Adapter(closed)" if self.closed else f"Adapter({self.method}, {self.trainable_count} parameters)"


append(Adapter, "Methods and their options", "\n".join(map(method_help, methods())))


@documented("Options", lib.peft_model_option)
class Model(Object):
    """A backbone, adapters in order, and a head that gives the logits.

        model = libpeft.Model(vit, lora, classes=3)

    Without `classes` it has the backbone's own classifier. It is used by Trainer, Session and Predictor, and saved
    with adapters, head and notes in one file."""

    _c_name = "peft_model"
    backbone: Backbone

    def __init__(self, backbone: Backbone, adapters: Adapter | Sequence[Adapter] = (), **options: Value) -> None:
        self.backbone = backbone
        adapters = [adapters] if isinstance(adapters, Adapter) else list(adapters)
        for adapter in adapters:
            if not isinstance(adapter, Adapter):
                raise DTypeError(f"adapters: given {type(adapter).__name__}, expected an Adapter or a list of them")
            head = text(lib.peft_method_head(encoded(adapter.method)))
            if head:
                options.setdefault("head", head)
        self._own(backbone._context, lib.peft_model_create, backbone._c, make(backbone._context, options))
        for adapter in adapters:
            self.attach(adapter)

    @classmethod
    def load(cls, backbone: Backbone, path: Path) -> Self:
        """Loads what save() or the program finetune wrote. MismatchError: it is of another backbone."""
        return cls._new(backbone._context, lib.peft_model_load, backbone._c, encoded(path), backbone=backbone)

    @classmethod
    def from_bytes(cls, backbone: Backbone, data: bytes) -> Self:
        """A model of what to_bytes() gave, or of the bytes of a model's file."""
        return cls._new(backbone._context, lib.peft_model_load_bytes, backbone._c, data, len(data), backbone=backbone)

    def to_bytes(self) -> bytes:
        """The bytes of the file that save() writes."""
        tensor = new(self._context, lib.peft_tensor_free, lib.peft_model_save_bytes, self._c)
        return ctypes.string_at(lib.peft_tensor_cdata(tensor), lib.peft_tensor_count(tensor))

    @classmethod
    def load_hf(cls, backbone: Backbone, folder: Path) -> Self:
        """Loads a folder of Hugging Face's PEFT library with its classifier."""
        return cls._new(backbone._context, lib.peft_model_load_hf, backbone._c, encoded(folder), backbone=backbone)

    def save(self, path: Path) -> None:
        """Saves adapters, head and notes; nothing is replaced on failure."""
        check(lib.peft_model_save(self._c, encoded(path)))

    def save_hf(self, folder: Path, **options: Value) -> None:
        """Saves its one adapter and the classifier as a folder of Hugging Face's PEFT; options as Adapter.save_hf."""
        check(lib.peft_model_save_hf(self._c, encoded(folder), make(self._context, options)))

    def attach(self, adapter: Adapter) -> None:
        """Adds an adapter, which acts behind those before it. StateError: a trainer or session of the model exists."""
        check(lib.peft_model_attach(self._c, adapter._c))

    def detach(self, adapter: Adapter) -> None:
        """Takes an adapter out again."""
        check(lib.peft_model_detach(self._c, adapter._c))

    def merge(self) -> Backbone:
        """A new backbone whose weights include all adapters and the linear head."""
        return Backbone._new(self._context, lib.peft_model_merge, self._c, context=self.backbone.context)

    @property
    def classes(self) -> int:
        """The number of classes; 0 with head=none."""
        return int(lib.peft_model_classes(self._c))

    @property
    def feature_width(self) -> int:
        """Columns of the feature that the head reads."""
        return int(lib.peft_model_feature_width(self._c))

    @property
    def link(self) -> str | None:
        """The function from logits to probabilities, "softmax" or "sigmoid"; None: no note says."""
        return text(lib.peft_model_link(self._c))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """The shape of one prepared image, (3, height, width)."""
        c = lib.peft_model_backbone(self._c)
        return 3, int(lib.peft_backbone_get(c, b"image_height")), int(lib.peft_backbone_get(c, b"image_width"))

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one sample's logits: (classes,), or (h, w, classes) with a head of maps."""
        dims = (ctypes.c_int64 * PEFT_MAX_DIMS)()
        return tuple(dims[: lib.peft_model_output(self._c, dims)])

    @property
    def trainable_count(self) -> int:
        """How many numbers are trained, the head's among them."""
        return int(lib.peft_model_trainable_count(self._c))

    @property
    def class_names(self) -> list[str]:
        """The names of the classes: of its note "class_names", the backbone's if it has the backbone's own classifier,
        else "0", "1", .."""
        stored = self.note("class_names")
        found = stored.splitlines() if stored else self.backbone.class_names or []
        return found if len(found) == self.classes else [str(i) for i in range(self.classes)]

    def note(self, key: str) -> str | None:
        """A text that is stored in the model's file; None: there is none."""
        return text(lib.peft_model_note(self._c, encoded(key)))

    def set_note(self, key: str, value: str) -> None:
        """Stores a text: "preprocess", "class_names", or any other."""
        check(lib.peft_model_set_note(self._c, encoded(key), encoded(value)))

    def parameters(self) -> dict[str, Array]:
        """The trainable tensors by name, the adapters' and then the head's, as Adapter.parameters()."""
        return _tensors(
            self, lib.peft_model_param_count(self._c), lib.peft_model_param, lib.peft_param_value, lib.peft_param_name
        )

    def __repr__(self) -> str:
        if self.closed:
            return "Model(closed)"
        c = self._c
        adapters = [
            text(lib.peft_adapter_method(lib.peft_model_adapter(c, i))) or ""
            for i in range(lib.peft_model_adapter_count(c))
        ]
        return (
            f"Model({', '.join(adapters) or 'no adapters'}; {self.classes} classes, {self.trainable_count} parameters)"
        )


def model_options() -> list[Option]:
    """The options of models."""
    return table(lib.peft_model_option)
