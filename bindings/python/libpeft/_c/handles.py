# SPDX-License-Identifier: Apache-2.0
"""Objects of the library and their lifetime.

A Handle owns one C object and frees it when the last Python reference to it is gone. References are held by the object
that made it until it is closed, by calls that are under way, and by arrays over the object's memory: none of them can
see freed memory. C objects keep those that they are made from, so that they may be freed in any order."""

import collections
import ctypes
import threading
from types import TracebackType
from typing import Any, ClassVar, NoReturn, Self

from .errors import StateError
from .library import check, lib

_state = threading.local()
_postponed: "collections.deque[tuple[Any, int]]" = collections.deque()


class Handle:
    """The pointer to a C object, which ctypes takes as an argument, and the function that frees it. `keep`: what the
    C object uses and does not keep itself, the handle of its context, or the log function of a context."""

    __slots__ = ("_as_parameter_", "_free", "keep", "__weakref__")

    def __init__(self, pointer: int, free: Any, keep: object = None) -> None:
        self._as_parameter_ = pointer
        self._free = free
        self.keep = keep

    def __del__(self) -> None:
        if getattr(_state, "no_calls", False):
            _postponed.append((self._free, self._as_parameter_))
        else:
            self._free(self._as_parameter_)

    def __reduce__(self) -> NoReturn:
        raise TypeError("objects of libpeft cannot be pickled: save them to a file, or open them in each process")


class no_calls:
    """While a log function runs, which must not call the library, objects that the garbage collector finds are kept
    until the next object is made."""

    def __enter__(self) -> None:
        _state.no_calls = True

    def __exit__(self, *_: object) -> None:
        _state.no_calls = False


def new(context: Handle | None, free: Any, function: Any, *arguments: Any) -> Handle:
    """Calls function(arguments.., &pointer) and returns the handle of the new object."""
    while _postponed and not getattr(_state, "no_calls", False):
        try:
            release, pointer = _postponed.popleft()
        except IndexError:  # another thread was first
            break
        release(pointer)
    out = ctypes.c_void_p()
    check(function(*arguments, ctypes.byref(out)))
    assert out.value is not None
    return Handle(out.value, free, context)


class Object:
    """The base of the classes that own a C object: `close()` gives it back early, and a `with` block does so at its
    end. Closing twice is fine; a closed object raises StateError."""

    _c_name: ClassVar[str] = ""
    _handle: Handle | None = None
    _context: Handle

    def _own(self, context: Handle, function: Any, *arguments: Any) -> None:
        """Makes the C object by function(arguments.., &pointer), under a context."""
        self._context = context
        self._handle = new(context, getattr(lib, f"{self._c_name}_free"), function, *arguments)

    @classmethod
    def _new(cls, context: Handle, function: Any, /, *arguments: Any, **members: Any) -> Self:
        """An object that is made by another way than its __init__, with these members."""
        self = cls.__new__(cls)
        self._own(context, function, *arguments)
        for name, value in members.items():
            setattr(self, name, value)
        return self

    @property
    def _c(self) -> Handle:
        handle = self._handle
        if handle is None:
            raise StateError(f"this {type(self).__name__} is closed")
        return handle

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._handle is None

    def close(self) -> None:
        """Gives the object back, as soon as no array over its memory is left and no call uses it."""
        self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
