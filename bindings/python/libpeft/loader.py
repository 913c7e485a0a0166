# SPDX-License-Identifier: Apache-2.0
"""Loaders: batches of a data set as arrays."""

import ctypes
import threading
from collections.abc import Iterator

import numpy as np

from ._c.arrays import Array, Floats, Integers, Wrapped
from ._c.handles import Object
from ._c.library import check, encoded, lib
from ._c.options import Value, documented, settings
from .dataset import Dataset
from .images import Transform

Batch = tuple[Floats, Array]


@documented("Options", lib.peft_loader_option)
class DataLoader(Object):
    """Batches of a data set, whose pictures a transform turns into network input.

        for images, labels in libpeft.DataLoader(data, prepare, batch=16, shuffle=True):

    images: float32 (n, 3, height, width); labels: int64 (n,), of a multi-label set float32 (n, classes). Each iteration
    is an epoch, counted from 0, with its own order and augmentations. A batch depends on epoch and number alone: `read`
    gets one again. A loader is used by one thread at a time, others wait; its option threads prepares batches ahead."""

    _c_name = "peft_loader"

    def __init__(self, data: Dataset, transform: Transform, **options: Value) -> None:
        self.data, self.transform, self.epoch = data, transform, 0
        self._lock = threading.RLock()
        self._own(data._context, lib.peft_loader_create, data._c, transform._c, encoded(settings(options)))
        self._targets = len(data.classes) if data.multi_label else 0
        self._sides = transform.height, transform.width

    @property
    def batch(self) -> int:
        """Samples in a batch; the last one may have fewer."""
        return int(lib.peft_loader_batch_size(self._c))

    def __len__(self) -> int:
        return int(lib.peft_loader_batches(self._c))

    def read(self, epoch: int, batch: int) -> tuple[Floats, Array, Integers]:
        """Images, labels and sample ids of a batch, both numbers counted from 0; of 0 samples behind the last one."""
        n = self.batch
        images = np.empty((n, 3, *self._sides), np.float32)
        labels: Array = np.empty((n, self._targets), np.float32) if self._targets else np.empty(n, np.int64)
        ids, count = np.full(n, -1, np.int64), ctypes.c_int64()
        with self._lock:
            check(
                lib.peft_loader_read(
                    self._c,
                    epoch,
                    batch,
                    Wrapped(self._context, images),
                    Wrapped(self._context, labels),
                    ids.ctypes.data,
                    ctypes.byref(count),
                )
            )
        return images[: count.value], labels[: count.value], ids[: count.value]

    def samples(self, epoch: int, batch: int) -> Integers:
        """The samples of that batch, as indices in the data set."""
        out, count = np.empty(self.batch, np.int64), ctypes.c_int64()
        with self._lock:
            check(lib.peft_loader_samples(self._c, epoch, batch, out.ctypes.data, ctypes.byref(count)))
        return out[: count.value]

    def __iter__(self) -> Iterator[Batch]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        for batch in range(len(self)):
            images, labels, _ = self.read(epoch, batch)
            yield images, labels

    def __repr__(self) -> str:
        return "DataLoader(closed)" if self.closed else f"DataLoader({self.data!r}, {len(self)} batches)"
