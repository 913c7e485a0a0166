# SPDX-License-Identifier: Apache-2.0
"""Early stopping: the values that a model had in its best epoch."""

import ctypes
import threading

from ._c.handles import Object
from ._c.library import check, encoded, lib
from ._c.options import Value, documented, make
from .backbone import Path
from .model import Model


@documented("Options", lib.peft_early_stop_option)
class EarlyStop(Object):
    """Keeps a copy of the trained values of the epoch whose figure, of validation images, is the best.

        stop = libpeft.EarlyStop(trainer.model, patience=5)
        for epoch in range(1, 51):
            trainer.fit(epoch)
            if stop.offer(epoch, balanced_accuracy(trainer.model, validation)):
                break
        stop.restore()

    While it exists, adapters cannot be attached to the model or detached. It is used by one thread at a time, others
    wait."""

    _c_name = "peft_early_stop"
    model: Model
    _lock: threading.RLock

    def __init__(self, model: Model, **options: Value) -> None:
        self.model, self._lock = model, threading.RLock()
        self._own(model._context, lib.peft_early_stop_create, model._c, make(model._context, options))

    def offer(self, epoch: int, figure: float) -> bool:
        """Takes the figure of an epoch, whose number is larger than those before; copies the model's values if it is
        the best. True: `patience` epochs in a row were no better, so that the training should end."""
        stop = ctypes.c_int()
        with self._lock:
            check(lib.peft_early_stop_offer(self._c, epoch, figure, ctypes.byref(stop)))
        return bool(stop.value)

    @property
    def best_epoch(self) -> int | None:
        """The best epoch; None: there is none yet."""
        epoch = int(lib.peft_early_stop_best_epoch(self._c))
        return None if epoch < 0 else epoch

    @property
    def best_figure(self) -> float:
        """The figure of the best epoch; NaN: there is none yet."""
        return float(lib.peft_early_stop_best_figure(self._c))

    @property
    def waited(self) -> int:
        """The epochs since the best one."""
        return int(lib.peft_early_stop_waited(self._c))

    def restore(self) -> None:
        """Gives the model the values of the best epoch. StateError: there is none."""
        with self._lock:
            check(lib.peft_early_stop_restore(self._c))

    def save(self, path: Path) -> None:
        """Saves the best values with epoch and counters, beside Trainer.save; nothing is replaced on failure."""
        with self._lock:
            check(lib.peft_early_stop_save(self._c, encoded(path)))

    def load(self, path: Path) -> None:
        """Goes on with what save() wrote for the same model."""
        with self._lock:
            check(lib.peft_early_stop_load(self._c, encoded(path)))

    def __repr__(self) -> str:
        if self.closed:
            return "EarlyStop(closed)"
        best = self.best_epoch
        return "EarlyStop(no epoch yet)" if best is None else f"EarlyStop(best epoch {best}: {self.best_figure:.5g})"
