# SPDX-License-Identifier: Apache-2.0
"""The exceptions: one class for each status, which is also Python's own class for such an error."""

from .declarations import Status


class PeftError(Exception):
    """A call of the library failed. `status` is its code (libpeft.Status), `message` what the library says: which
    argument was wrong, what was given, and what was expected."""

    status: Status | int = Status.INTERNAL

    def __init__(self, message: str, status: "Status | int | None" = None) -> None:
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status

    def __str__(self) -> str:
        return self.message


class InvalidError(PeftError, ValueError):
    """An argument is out of range or malformed."""

    status = Status.INVALID


class OutOfMemoryError(PeftError, MemoryError):
    """The allocator has no memory."""

    status = Status.NOMEM


class FileError(PeftError, OSError):
    """The system refused to open, read, write or map a file."""

    status = Status.IO


class FormatError(PeftError, ValueError):
    """A file is malformed, or not of the expected kind."""

    status = Status.FORMAT


class ShapeError(PeftError, ValueError):
    """Extents of an array do not fit."""

    status = Status.SHAPE


class DTypeError(PeftError, TypeError):
    """The elements of an array have another type than the one needed."""

    status = Status.DTYPE


class NotFoundError(PeftError, LookupError):
    """There is no such method, parameter, tensor, figure or split."""

    status = Status.NOTFOUND


class OptionError(PeftError, ValueError):
    """An option is unknown, has a wrong type, or is out of its bounds."""

    status = Status.OPTION


class StateError(PeftError, RuntimeError):
    """The call is not allowed in the present state; also: the object is closed."""

    status = Status.STATE


class UnsupportedError(PeftError, NotImplementedError):
    """This build, CPU or method cannot do it."""

    status = Status.UNSUPPORTED


class MismatchError(PeftError, ValueError):
    """A file or object belongs to another backbone or other settings."""

    status = Status.MISMATCH


class CancelledError(PeftError, RuntimeError):
    """A callback stopped the call."""

    status = Status.CANCELLED


class NonFiniteError(PeftError, ArithmeticError):
    """NaN or Inf: in a file, an image, a loss, a gradient, or a logit."""

    status = Status.NONFINITE


CLASSES: dict[int, type[PeftError]] = {
    int(c.status): c
    for c in (
        InvalidError,
        OutOfMemoryError,
        FileError,
        FormatError,
        ShapeError,
        DTypeError,
        NotFoundError,
        OptionError,
        StateError,
        UnsupportedError,
        MismatchError,
        CancelledError,
        NonFiniteError,
    )
}


def error(status: int, message: str) -> PeftError:
    """The exception for a status of the library; of a later version it may be one that Status does not have."""
    known: Status | int = Status(status) if status in Status._value2member_map_ else status
    return CLASSES.get(status, PeftError)(message, known)
