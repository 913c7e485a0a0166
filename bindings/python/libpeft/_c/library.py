# SPDX-License-Identifier: Apache-2.0
"""Finds and loads libpeft and libpeft-io. `lib` has all their functions as attributes.

They are looked for in the folder that the environment variable PEFT_LIBRARIES names (an installed `lib` or a build
folder), else in the package, else where the system's loader looks. Every call releases the GIL; peft_last_error is
asked on the same thread, so that other threads cannot change the message."""

import ctypes
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from . import declarations
from .errors import error

NAMES = (f"libpeft.so.{declarations.PEFT_VERSION_MAJOR}", f"libpeft-io.so.{declarations.PEFT_VERSION_MAJOR}")


class _Functions:
    """The functions of both libraries; typed as Any."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"libpeft has no function {name}")


def _places() -> Iterator[tuple[str, str]]:
    """Paths of libpeft and libpeft-io."""
    core, io = NAMES
    given = os.environ.get("PEFT_LIBRARIES")
    package = pathlib.Path(__file__).resolve().parent.parent / "lib"
    folders = [pathlib.Path(given)] if given else [package]
    for folder in folders:
        for io_folder in (folder, folder / "src" / "io"):
            if (folder / core).exists() and (io_folder / io).exists():
                yield str(folder / core), str(io_folder / io)
    if not given:
        yield core, io


def _load() -> _Functions:
    failures = []
    for core_path, io_path in _places():
        try:
            core = ctypes.CDLL(core_path)
            io = ctypes.CDLL(io_path)
        except OSError as e:
            failures.append(str(e))
            continue
        dictionary = pathlib.Path(core_path).with_name("dicom.dic")  # of DCMTK; in wheels
        if dictionary.exists():
            os.environ.setdefault("DCMDICTPATH", str(dictionary))
        functions = _Functions()
        for library, path, table in ((core, core_path, declarations.CORE), (io, io_path, declarations.IO)):
            for name, (result, arguments) in table.items():
                try:
                    function = getattr(library, name)
                except AttributeError:
                    raise ImportError(
                        f"{path} has no function {name}: it is of an earlier version than this package"
                    ) from None
                function.restype, function.argtypes = result, arguments
                setattr(functions, name, function)
        return functions
    given = os.environ.get("PEFT_LIBRARIES")
    where = f"the folder PEFT_LIBRARIES={given}" if given else "the package and the system's folders"
    raise ImportError(f"cannot load {NAMES[0]} and {NAMES[1]} from {where}" + "".join(f"; {f}" for f in failures))


lib = _load()


def check(status: int) -> None:
    """Raises the exception of a status that is not PEFT_OK."""
    if status:
        raise error(status, text(lib.peft_last_error()) or "")


def text(value: bytes | None) -> str | None:
    """A text of the library. Bytes that are not UTF-8 (of paths) become surrogates, as os.fsdecode makes them."""
    return None if value is None else value.decode("utf-8", "surrogateescape")


def encoded(value: "str | os.PathLike[str]") -> bytes:
    """A path or text for the library."""
    return os.fspath(value).encode("utf-8", "surrogateescape")


def names(function: Any, *arguments: Any) -> list[str]:
    """The texts that function(.., 0), function(.., 1), .. return, up to NULL."""
    found: list[str] = []
    while (name := text(function(*arguments, len(found)))) is not None:
        found.append(name)
    return found
