# SPDX-License-Identifier: Apache-2.0
"""Contexts: number of threads, seed, instruction set, and log of the objects that are made under them."""

import logging
import threading
from collections.abc import Callable

from ._c import declarations
from ._c.handles import Object, new, no_calls
from ._c.library import check, encoded, lib, text
from ._c.options import seed_number

Log = Callable[[int, str], None]
LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)


def _to_logging(level: int, message: str) -> None:
    logging.getLogger("libpeft").log(LEVELS[level], "%s", message)


class Context(Object):
    """The settings that objects are made under. Backbones and data sets take a context; what is made from these has
    theirs. Without one they have the context of `default_context()`.

    threads: threads that compute, 0 for all cores that the process may use. seed: of initial values, dropout and the
    order of samples. isa: instruction set of the kernels, such as "avx2". share_threads: sessions and trainers use one
    pool of threads in place of one each. log: a function that gets level (0 error, 1 warning, 2 information, 3 debug)
    and text of each message up to log_level; by default messages go to the logger "libpeft" of Python's logging. It
    must not call libpeft.

    Results do not depend on the number of threads. A session or trainer copies the settings when it is made; do not
    change them while another thread makes objects under the context."""

    _c_name = "peft_context"

    def __init__(
        self,
        *,
        threads: int | None = None,
        seed: int | None = None,
        isa: str | None = None,
        share_threads: bool = False,
        log: Log | None = None,
        log_level: int = 1,
    ) -> None:
        self._handle = self._context = new(None, lib.peft_context_free, lib.peft_context_create, None, None, None)
        self._set_log(log or _to_logging, log_level)
        if threads is not None:
            self.set_threads(threads)
        if seed is not None:
            self.seed = seed
        if isa is not None:
            check(lib.peft_context_set_isa(self._c, encoded(isa)))
        if share_threads:
            check(lib.peft_context_share_threads(self._c, 1))

    def _set_log(self, log: Log, level: int) -> None:
        def write(number: int, message: bytes, _: int | None) -> None:
            with no_calls():
                log(number, text(message) or "")

        # The C object may call this for as long as it exists, so that its handle keeps it.
        self._c.keep = declarations.peft_log_fn(write)
        check(lib.peft_context_set_log(self._c, self._c.keep, None, level))

    @property
    def seed(self) -> int:
        """The seed of all random numbers."""
        return int(lib.peft_context_seed(self._c))

    @seed.setter
    def seed(self, value: int) -> None:
        check(lib.peft_context_set_seed(self._c, seed_number(value)))

    def set_threads(self, threads: int) -> None:
        """The number of threads of sessions and trainers that are made from now on; 0: all cores."""
        check(lib.peft_context_set_threads(self._c, threads))

    @property
    def isa(self) -> str:
        """The instruction set in use, such as "avx512"."""
        return text(lib.peft_context_isa(self._c)) or ""

    @property
    def memory_used(self) -> int:
        """Bytes that the library has allocated now under this context (without mapped files)."""
        return int(lib.peft_context_memory_used(self._c))

    @property
    def memory_peak(self) -> int:
        """The largest number of these bytes so far."""
        return int(lib.peft_context_memory_peak(self._c))


_default: Context | None = None
_default_lock = threading.Lock()


def default_context() -> Context:
    """The context of objects that are made without one: seed 0, all cores. It is made at the first use."""
    global _default
    with _default_lock:
        if _default is None or _default.closed:
            _default = Context()
        return _default


def manual_seed(seed: int) -> None:
    """Sets the seed of the default context, as torch.manual_seed: call it before adapters, models, loaders and
    trainers are made."""
    default_context().seed = seed


def set_num_threads(threads: int) -> None:
    """Sets the number of threads of the default context, for sessions and trainers that are made from now on."""
    default_context().set_threads(threads)
