# SPDX-License-Identifier: Apache-2.0
"""Which of an adapter's prompts matter, and adapters without those that matter least."""

import ctypes
from collections.abc import Sequence

import numpy as np

from ._c.arrays import Array, Floats, Integers, Wrapped
from ._c.declarations import PEFT_MAX_DIMS
from ._c.handles import Object
from ._c.library import check, encoded, lib
from ._c.options import Value, make, paragraph, table
from .model import Adapter
from .trainer import Trainer


class Importance(Object):
    """The importance of each element of an adapter's trained masks (method e2vpt; include/peft/prune.h).

    adapter = libpeft.Adapter(vit, "e2vpt", mask_tokens="trained")
    trainer = libpeft.Trainer(vit, adapter, data, epochs=5)
    trainer.fit()
    importance = libpeft.Importance(adapter)
    for images, labels in loader:
        importance.add(trainer, images, labels)
    pruned = importance.prune(mask_tokens=50)  # half of the tokens; it begins with its initial values"""

    _c_name = "peft_importance"
    adapter: Adapter

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self._own(adapter._context, lib.peft_importance_create, adapter._c)

    def add(
        self, trainer: Trainer, images: Array | None, labels: Array, ids: Sequence[int] | Integers | None = None
    ) -> None:
        """Adds a batch: computes the gradients as Trainer.backward does, and drops them; nothing is trained."""
        arguments = trainer._batch(images, labels, ids)
        addresses = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
        with trainer._lock:
            check(lib.peft_importance_add(self._c, trainer._c, *addresses))

    @property
    def batches(self) -> int:
        """How many batches were added."""
        return int(lib.peft_importance_batches(self._c))

    def scores(self, mask: str, **options: Value) -> Floats:
        """The importance of each element of a mask, "mask_tokens" (tokens,) or "mask_pieces" (tokens, pieces). Options:
        score, "signed" or "absolute"; norm, whether to divide each row by its length."""
        dims = (ctypes.c_int64 * PEFT_MAX_DIMS)()
        count = lib.peft_importance_shape(self._c, encoded(mask), dims)
        out = np.empty(tuple(dims[:count]), np.float32)
        made = make(self._context, options)
        check(lib.peft_importance_scores(self._c, encoded(mask), made, Wrapped(self._context, out)))
        return out

    def prune(self, **options: Value) -> Adapter:
        """A new, untrained adapter of the same method, whose masks are 0 for the least important elements. Options: for
        each trained mask the percentage that is pruned, and those that options() explains."""
        return Adapter._new(
            self._context, lib.peft_adapter_prune, self._c, make(self._context, options), backbone=self.adapter.backbone
        )

    def options(self) -> str:
        """The options of prune(), with defaults, bounds and help."""
        return paragraph(table(lib.peft_importance_option, self._c))

    def __repr__(self) -> str:
        return "Importance(closed)" if self.closed else f"Importance({self.adapter!r}, {self.batches} batches)"
