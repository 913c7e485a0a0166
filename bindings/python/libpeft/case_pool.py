# SPDX-License-Identifier: Apache-2.0
"""Case pools: attention over the slices of a case."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from ._c.arrays import Array, Doubles, Floats, Integers, floats, integers, over, targets_like
from ._c.declarations import peft_case_pool_fn
from ._c.errors import CancelledError, InvalidError
from ._c.handles import Object
from ._c.library import check, encoded, lib, text
from ._c.options import Value, documented, make
from ._c.training import Call, Keep
from .backbone import Path
from .context import Context, default_context

Cases = Sequence[int] | Sequence[str] | Array


@documented("Options", lib.peft_case_pool_option)
class CasePool(Object):
    """A small network that reads the features of all slices of a case, weighs them, and predicts the case
    (include/peft/case_pool.h).

        features, labels = libpeft.analysis.features(model, data)
        pool = libpeft.CasePool(features.shape[1], classes=2, seed=1)
        names = pool.fit(features, data.cases, labels)                 # one label for each slice, or for each case
        probabilities, weights = pool.predict(features, data.cases)

    cases: the case of each slice, as numbers from 0 on, or as names such as Dataset.cases, which are numbered in the
    order of their first slices. A pool is used by one thread at a time, others wait."""

    _c_name = "peft_case_pool"
    _lock: threading.RLock
    _keep: Keep

    def __init__(self, width: int, classes: int, *, context: Context | None = None, **options: Value) -> None:
        c = (context or default_context())._c
        self._lock, self._keep = threading.RLock(), {}
        self._own(c, lib.peft_case_pool_create, c, width, classes, make(c, options))

    @classmethod
    def load(cls, path: Path, *, context: Context | None = None) -> Self:
        """Loads a pool that save() wrote."""
        c = (context or default_context())._c
        return cls._new(c, lib.peft_case_pool_load, c, encoded(path), _lock=threading.RLock(), _keep={})

    def save(self, path: Path) -> None:
        """Saves the pool with its options and notes; nothing is replaced on failure."""
        with self._lock:
            check(lib.peft_case_pool_save(self._c, encoded(path)))

    def get(self, name: str) -> int:
        """A figure: width, classes, hidden, gated, multi_label, parameters, or epochs (trained so far)."""
        value = int(lib.peft_case_pool_get(self._c, encoded(name)))
        if value == -1:
            raise InvalidError(f"a case pool has no figure '{name}'; the text of get lists them")
        return value

    @property
    def values(self) -> Doubles:
        """The parameters (parameters,), over the pool's memory."""
        return over(self._c, lib.peft_case_pool_values(self._c), "f8", (self.get("parameters"),), writable=True)

    def _cases(self, features: Array, cases: Cases) -> tuple[Floats, Integers, int, list[Any]]:
        rows = floats("features", features, (None, self.get("width")))
        array = np.asarray(cases)
        if array.dtype.kind not in "UO":
            numbers = integers("cases", array, len(rows))
            return rows, numbers, int(numbers.max(initial=-1)) + 1, list(range(int(numbers.max(initial=-1)) + 1))
        if array.shape != (len(rows),):
            raise InvalidError(f"cases: given {array.shape}, expected one for each of {len(rows)} slices")
        names = list(dict.fromkeys(array.tolist()))
        if "" in names:
            raise InvalidError("cases: given a slice without a case, expected one for each slice")
        where = {name: i for i, name in enumerate(names)}
        return rows, np.array([where[name] for name in array.tolist()], np.int64), len(names), names

    def _targets(self, truth: Array, numbers: Integers, cases: int) -> Array:
        """Targets (cases, classes) of labels or targets of cases, or of slices, which agree within a case."""
        classes, array = self.get("classes"), np.asarray(truth)
        if len(array) == len(numbers) != cases:
            first = np.full(cases, -1, np.int64)
            first[numbers[::-1]] = np.arange(len(numbers))[::-1]
            if (array[first[numbers]] != array).any():
                raise InvalidError("truth: slices of a case have different labels")
            array = array[first]
        if array.ndim == 1:
            chosen = integers("truth", array, cases)
            if chosen.size and not 0 <= chosen.min() <= chosen.max() < classes:
                raise InvalidError(f"truth: given labels {chosen.min()} to {chosen.max()}, expected 0 to {classes - 1}")
            return np.eye(classes, dtype=np.float32)[chosen]
        return targets_like("truth", array, (cases, classes))

    def fit(
        self, features: Array, cases: Cases, truth: Array, *, on_epoch: Callable[[int, float], Any] | None = None
    ) -> list[Any]:
        """Trains from the initial values on features float32 (slices, width). truth: the label of each case or slice,
        or targets (cases or slices, classes). on_epoch gets epoch and loss; if its result is true, training stops.
        Returns the names of the cases in the order of their numbers."""
        rows, numbers, count, names = self._cases(features, cases)
        targets, stopped = self._targets(truth, numbers, count), [False]

        def after(epoch: int, loss: float) -> int:
            stopped[0] = stopped[0] or bool(on_epoch is not None and on_epoch(epoch, loss))
            return int(stopped[0] or Call.interrupted(self._keep))

        progress = peft_case_pool_fn(lambda epoch, loss, _: Call.guard(self._keep, lambda: after(epoch, loss)))
        try:
            with self._lock, Call(self._keep):
                check(
                    lib.peft_case_pool_fit(
                        self._c,
                        rows.ctypes.data,
                        numbers.ctypes.data,
                        len(rows),
                        count,
                        targets.ctypes.data,
                        progress,
                        None,
                    )
                )
        except CancelledError:
            if not stopped[0]:
                raise
        return names

    def predict(self, features: Array, cases: Cases) -> tuple[Doubles, Doubles]:
        """Probabilities (cases, classes), and the weight of each slice in its case (slices,)."""
        rows, numbers, count, _ = self._cases(features, cases)
        probabilities, weights = np.empty((count, self.get("classes"))), np.empty(len(rows))
        with self._lock:
            check(
                lib.peft_case_pool_predict(
                    self._c,
                    rows.ctypes.data,
                    numbers.ctypes.data,
                    len(rows),
                    count,
                    probabilities.ctypes.data,
                    weights.ctypes.data,
                )
            )
        return probabilities, weights

    def note(self, key: str) -> str | None:
        """A text that is stored in the file; None: there is none."""
        return text(lib.peft_case_pool_note(self._c, encoded(key)))

    def set_note(self, key: str, value: str) -> None:
        """Stores a text, such as what model the features are of."""
        with self._lock:
            check(lib.peft_case_pool_set_note(self._c, encoded(key), encoded(value)))

    def __repr__(self) -> str:
        if self.closed:
            return "CasePool(closed)"
        return f"CasePool(width={self.get('width')}, classes={self.get('classes')}, {self.get('epochs')} epochs)"
