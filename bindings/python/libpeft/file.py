# SPDX-License-Identifier: Apache-2.0
"""Looking into files: backbones, adapters, models, training states."""

from typing import NamedTuple

from ._c.handles import Object
from ._c.library import check, encoded, lib, text
from .backbone import Path
from .context import Context, default_context


class Entry(NamedTuple):
    """A tensor of a file: name, element type as in the file ("F32"), and shape."""

    name: str
    type: str
    shape: tuple[int, ...]


class File(Object):
    """The header of a file of this library, or of weights that it reads; no tensor is loaded.

    libpeft.File("scans.safetensors").kind       # backbone, adapter, model, trainer, or unknown"""

    _c_name = "peft_file"

    def __init__(self, path: Path, *, context: Context | None = None) -> None:
        c = (context or default_context())._c
        self._own(c, lib.peft_file_open, c, encoded(path))

    @property
    def kind(self) -> str:
        """ "backbone", "adapter", "model", "trainer" (a training state), or "unknown"."""
        return text(lib.peft_file_kind(self._c)) or ""

    @property
    def tensors(self) -> list[Entry]:
        """Its tensors."""
        c = self._c
        return [
            Entry(
                text(lib.peft_file_tensor_name(c, i)) or "",
                text(lib.peft_file_tensor_type(c, i)) or "",
                tuple(lib.peft_file_tensor_dim(c, i, k) for k in range(lib.peft_file_tensor_ndim(c, i))),
            )
            for i in range(lib.peft_file_tensor_count(c))
        ]

    @property
    def metadata(self) -> dict[str, str]:
        """Keys and values of its header."""
        c = self._c
        return {
            text(lib.peft_file_meta_key(c, i)) or "": text(lib.peft_file_meta_value(c, i)) or ""
            for i in range(lib.peft_file_meta_count(c))
        }


def npz_to_safetensors(npz: Path, safetensors: Path, *, context: Context | None = None) -> None:
    """Converts a ViT in Google's .npz to a safetensors file that Backbone.open reads."""
    check(lib.peft_npz_to_safetensors((context or default_context())._c, encoded(npz), encoded(safetensors)))
