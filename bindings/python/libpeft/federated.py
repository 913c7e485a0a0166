# SPDX-License-Identifier: Apache-2.0
"""Federated training: averages of the files that several sites have trained."""

import ctypes
import os
import threading

from ._c.handles import Object
from ._c.library import check, encoded, lib
from ._c.options import Value, documented, make
from .backbone import Path
from .context import Context, default_context


@documented("Options", lib.peft_aggregator_option)
class Aggregator(Object):
    """Joins the model or adapter files of several sites into the next global one, without backbone and images.

        round = libpeft.Aggregator(lora="product")
        round.start("global.peft")
        round.add("a.peft", samples=120)
        round.add("b.peft", samples=40)
        round.write("next.peft")

    Files are paths, or the bytes of files. Sums are in double, in the order of the calls, and rounded once to f32. An
    object is for one round; it is used by one thread at a time, others wait."""

    _c_name = "peft_aggregator"
    _lock: threading.RLock

    def __init__(self, *, context: Context | None = None, **options: Value) -> None:
        handle = (context or default_context())._handle
        assert handle is not None
        self._lock = threading.RLock()
        self._own(handle, lib.peft_aggregator_create, handle, make(handle, options))

    def start(self, file: Path | bytes) -> None:
        """The global file that the sites began the round with."""
        with self._lock:
            if isinstance(file, bytes):
                check(lib.peft_aggregator_start_bytes(self._c, file, len(file)))
            else:
                check(lib.peft_aggregator_start(self._c, encoded(file)))

    def add(self, file: Path | bytes, samples: float, name: str | None = None) -> None:
        """Adds the file of a site, which counts by its number of training images. name: stands for bytes in messages.
        MismatchError: it does not fit the start or the first site; then nothing was added."""
        with self._lock:
            if isinstance(file, bytes):
                label = None if name is None else encoded(name)
                check(lib.peft_aggregator_add_bytes(self._c, file, len(file), label, samples))
            else:
                check(lib.peft_aggregator_add(self._c, encoded(os.fspath(file)), samples))

    def write(self, path: Path) -> None:
        """Writes the next global file; nothing is replaced on failure."""
        with self._lock:
            check(lib.peft_aggregator_write(self._c, encoded(path)))

    def to_bytes(self) -> bytes:
        """The bytes of the next global file."""
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        with self._lock:
            check(lib.peft_aggregator_bytes(self._c, ctypes.byref(data), ctypes.byref(size)))
            assert data.value is not None
            return ctypes.string_at(data.value, size.value)

    @property
    def sites(self) -> int:
        """The number of sites so far."""
        return int(lib.peft_aggregator_sites(self._c))

    @property
    def weight(self) -> float:
        """The sum of their weights."""
        return float(lib.peft_aggregator_weight(self._c))

    @property
    def received(self) -> int:
        """The bytes of the values of their files together."""
        return int(lib.peft_aggregator_received(self._c))

    @property
    def clipped(self) -> int:
        """The sites whose change was shortened to clip_norm."""
        return int(lib.peft_aggregator_clipped(self._c))

    @property
    def drift(self) -> float:
        """How far the sites are from their mean: the root of the mean squared L2 distance. NaN: no site yet."""
        with self._lock:
            return float(lib.peft_aggregator_drift(self._c))

    @property
    def update(self) -> float:
        """The L2 norm of the mean change. NaN: no start, or no site yet."""
        with self._lock:
            return float(lib.peft_aggregator_update(self._c))

    def __repr__(self) -> str:
        return "Aggregator(closed)" if self.closed else f"Aggregator({self.sites} sites)"


def dp_epsilon(noise: float, rate: float, rounds: int, delta: float) -> float:
    """The epsilon of differential privacy of so many rounds with this noise (in units of clip_norm), in which each
    site takes part with probability rate."""
    epsilon = ctypes.c_double()
    check(lib.peft_dp_epsilon(noise, rate, rounds, delta, ctypes.byref(epsilon)))
    return epsilon.value
