# SPDX-License-Identifier: Apache-2.0
"""Keyword arguments as options of the library, which checks them, and its tables of options as documentation."""

import ctypes
import inspect
import numbers
import os
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import DTypeError, InvalidError
from .handles import Handle, new
from .library import check, encoded, lib, text

Value = Any  # bool, int, float, str, a path, or a list of numbers or texts; None: the option is not given
C = TypeVar("C")


def _plain(name: str, value: Value, separator: str, brackets: bool) -> bool | int | float | str:
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if hasattr(value, "tolist"):  # arrays and numpy's scalars, numpy.bool too
        return _plain(name, value.tolist(), separator, brackets)
    if isinstance(value, (list, tuple)):
        items = separator.join(_text(_plain(name, v, separator, brackets)) for v in value)
        return f"[{items}]" if brackets else items
    raise DTypeError(f"option {name}: given {type(value).__name__}, expected a number, a text, a path, or a list")


def _text(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def seed_number(value: Any) -> int:
    """A seed, which ctypes would take modulo 2**64."""
    if not isinstance(value, numbers.Integral) or not 0 <= int(value) < 2**64:
        raise InvalidError(f"seed: given {value!r}, expected a whole number from 0 to 2**64 - 1")
    return int(value)


def make(context: Handle, values: Mapping[str, Value], lists: frozenset[str] = frozenset()) -> Handle:
    """A peft_options of the given values. lists: options whose lists are written without brackets, "1,2.5"."""
    handle = new(context, lib.peft_options_free, lib.peft_options_create, context)
    for name, value in values.items():
        if value is None:
            continue
        plain = _plain(name, value, ",", name not in lists)
        key = encoded(name)
        if isinstance(plain, (bool, str)):
            check(lib.peft_options_set_string(handle, key, encoded(_text(plain))))
        elif isinstance(plain, int):
            if not -(2**63) <= plain < 2**63:
                check(lib.peft_options_set_string(handle, key, str(plain).encode()))
            else:
                check(lib.peft_options_set_int(handle, key, plain))
        else:
            check(lib.peft_options_set_float(handle, key, plain))
    return handle


def settings(values: Mapping[str, Value], more: str = "") -> str:
    """The same as a text for libpeft-io, name=value,.., in which lists of numbers are a:b:c. more: such a text."""
    parts = [more] if more else []
    for name, value in values.items():
        if value is None:
            continue
        written = _text(_plain(name, value, ":", False))
        if any(c in written for c in ', \t"\\[]') or not written:
            written = '"' + written.replace("\\", "\\\\").replace('"', '\\"') + '"'
        parts.append(f"{name}={written}")
    return ",".join(parts)


@dataclass(frozen=True)
class Option:
    """One row of a table of options: name, type ("integer", "float", "boolean" or "text"), default as text, bounds of
    a number, and help."""

    name: str
    type: str
    default: str
    low: float | None
    high: float | None
    help: str

    def line(self) -> str:
        """The option as a line of documentation."""
        bounds = f", {self.low:g} to {self.high:g}" if self.low is not None and self.high is not None else ""
        default = f" = {self.default}" if self.default else ""
        return f"{self.name}{default} ({self.type}{bounds}): {self.help}"


def table(function: Callable[..., Any], *arguments: Any) -> list[Option]:
    """The rows that function(.., 0), function(.., 1), .. return, up to NULL."""
    rows: list[Option] = []
    low, high = ctypes.c_double(), ctypes.c_double()
    while row := function(*arguments, len(rows)):
        bounded = lib.peft_option_bounds(row, ctypes.byref(low), ctypes.byref(high))
        rows.append(
            Option(
                text(lib.peft_option_name(row)) or "",
                text(lib.peft_option_type(row)) or "",
                text(lib.peft_option_fallback(row)) or "",
                low.value if bounded else None,
                high.value if bounded else None,
                text(lib.peft_option_help(row)) or "",
            )
        )
    return rows


def paragraph(rows: list[Option], indent: int = 4) -> str:
    """Rows as text of 120 columns."""
    blank = " " * indent
    return "\n".join(
        textwrap.fill(row.line(), 112, initial_indent=blank, subsequent_indent=blank + "    ", break_on_hyphens=False)
        for row in rows
    )


def append(what: Any, title: str, body: str) -> None:
    """Appends a part to the text of a class or function."""
    what.__doc__ = f"{inspect.cleandoc(what.__doc__ or '')}\n\n{title}:\n{body}"


def documented(title: str, function: Callable[..., Any], *arguments: Any) -> Callable[[C], C]:
    """A decorator that appends a table of the loaded library to the text of a class or function."""

    def decorate(what: C) -> C:
        append(what, title, paragraph(table(function, *arguments)))
        return what

    return decorate
