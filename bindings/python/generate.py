#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes libpeft/_c/declarations.py, the ctypes form of the public headers in include/peft.

    generate.py            writes the file
    generate.py --check    fails if the file is not what the headers give

Needs nothing but Python. A declaration that this parser does not understand is an error."""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
HEADERS = HERE.parent.parent / "include" / "peft"
OUTPUT = HERE / "libpeft" / "_c" / "declarations.py"

SCALARS = {
    "int": "c_int",
    "unsigned": "c_uint",
    "int64_t": "c_int64",
    "uint64_t": "c_uint64",
    "uint8_t": "c_uint8",
    "size_t": "c_size_t",
    "double": "c_double",
    "float": "c_float",
    "peft_status": "c_int",
    "peft_dtype": "c_int",
    "void": "None",
}


class Header:
    """What one header declares: enums {name: [(member, value)]}, structs {name: [(member, type)]}, callbacks and
    functions [(name, result, arguments)], and macros that are whole numbers."""

    def __init__(self, text, opaque, callbacks, whole):
        """opaque: structs that only pointers lead to, and types of pointers' targets; callbacks and whole: names of
        callbacks and of structs with members; declarations of this header are added to all three."""
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
        self.numbers = [(m[1], int(m[2])) for m in re.finditer(r"^#define (PEFT_\w+)\s+\(?(-?\d+)\)?\s*$", text, re.M)]
        text = re.sub(r"^[ \t]*#(.*\\\n)*.*$", " ", text, flags=re.M)
        text = re.sub(r"\bPEFT_(BEGIN_DECLS|END_DECLS|API|NODISCARD)\b", " ", text)
        self.enums, self.structs, self.callbacks, self.functions = {}, {}, [], []
        self.opaque, self.known, self.whole = opaque, callbacks, whole
        for declaration in self.split(re.sub(r"\s+", " ", text)):
            self.read(declaration)

    @staticmethod
    def split(text):
        """The declarations: what semicolons outside of braces separate."""
        depth, begin = 0, 0
        for i, c in enumerate(text):
            depth += (c == "{") - (c == "}")
            if c == ";" and depth == 0:
                yield text[begin:i].strip()
                begin = i + 1
        if text[begin:].strip():
            raise SystemExit(f"generate.py: no semicolon behind: {text[begin:].strip()}")

    def read(self, text):
        if m := re.fullmatch(r"typedef struct (\w+) (\w+)", text):
            self.opaque.add(m[2])
        elif m := re.fullmatch(r"typedef struct \w+ \{(.*)\} (\w+)", text):
            parts = [part.strip() for part in m[1].split(";") if part.strip()]
            members = [re.fullmatch(r"(.*?)(\w+)", part) for part in parts]
            if None in members:
                raise SystemExit(f"generate.py: cannot read the members of {m[2]}: {m[1]}")
            self.structs[m[2]] = [(member[2], self.type(member[1])) for member in members]
            self.whole.add(m[2])
        elif m := re.fullmatch(r"typedef enum \w+ \{(.*)\} (\w+)", text):
            members = re.findall(r"(\w+) *= *(-?\d+)", m[1])
            if len(members) != len([part for part in m[1].split(",") if part.strip()]):
                raise SystemExit(f"generate.py: expected NAME = NUMBER for each member of {m[2]}")
            self.enums[m[2]] = [(name, int(value)) for name, value in members]
        elif m := re.fullmatch(r"typedef (.*?)\( ?\* ?(\w+)\) ?\((.*)\)", text):
            self.known.add(m[2])
            self.callbacks.append((m[2], self.type(m[1]), self.arguments(m[3])))
        elif m := re.fullmatch(r"([\w ]+?[ *]+)(peft_\w+) ?\((.*)\)", text):
            self.functions.append((m[2], self.type(m[1]), self.arguments(m[3])))
        else:
            raise SystemExit(f"generate.py: cannot read the declaration: {text}")

    def arguments(self, text):
        if text.strip() == "void":
            return []
        return [
            self.type(re.sub(r"\w+ ?(\[\w*\])?$", lambda m: "*" if m[1] else "", part.strip()))
            for part in text.split(",")
        ]

    def type(self, text):
        """The ctypes type. Pointers to anything but text are addresses, as arrays and handles give them."""
        words = re.findall(r"\w+|\*", text)
        stars = words.count("*")
        names = [w for w in words if w not in ("*", "const")]
        if len(names) != 1:
            raise SystemExit(f"generate.py: cannot read the type: {text}")
        if stars == 1 and names[0] == "char":
            return "c_char_p"
        if stars and (names[0] in SCALARS or names[0] in self.opaque | self.whole):
            return "c_void_p"
        if names[0] in self.whole:
            return names[0]
        if names[0] in self.known:
            return "c_void_p"  # so that None, NULL, can be given
        if not stars and names[0] in SCALARS:
            return SCALARS[names[0]]
        raise SystemExit(f"generate.py: unknown type: {text}")


def included(name):
    """The headers that peft.h or io.h includes, those they need first."""
    found = []

    def add(header):
        text = (HEADERS / header).read_text(encoding="utf-8")
        for other in re.findall(r"^#include <peft/(\w+\.h)>", text, re.M):
            add(other)
        if header not in found:
            found.append(header)

    add(name)
    return found


def enum(name, text, members, prefix):
    lines = [f"class {name}(enum.IntEnum):", f'    """{text}"""', ""]
    lines += [f"    {re.sub(prefix, '', member)} = {value}" for member, value in members]
    return lines


def call(result, arguments):
    return f"({result}, ({', '.join(arguments)}{',' if len(arguments) == 1 else ''}))"


def generated():
    opaque, callbacks, whole, headers = {"char"}, set(), set(), {}
    core = included("peft.h")
    for name in core + [h for h in included("io.h") if h not in core]:
        headers[name] = Header((HEADERS / name).read_text(encoding="utf-8"), opaque, callbacks, whole)
    enums = {name: members for h in headers.values() for name, members in h.enums.items()}
    unknown = set(enums) - {"peft_status", "peft_dtype"}
    if unknown:
        raise SystemExit(f"generate.py: enums without a Python name: {sorted(unknown)}")
    out = [
        "# SPDX-License-Identifier: Apache-2.0",
        '"""The public headers of libpeft and libpeft-io for ctypes. Written by generate.py; do not edit."""',
        "import enum",
        "from ctypes import CFUNCTYPE, Structure",
        f"from ctypes import {', '.join(sorted({'c_char_p', 'c_void_p', *SCALARS.values()} - {'None'}))}",
        "from typing import Any",
        "",
        "",
    ]
    out += enum(
        "Status", "The codes of failed calls: status.h says what each means.", enums["peft_status"], "^PEFT_(E_)?"
    ) + ["", ""]
    out += enum("DType", "Element types of tensors.", enums["peft_dtype"], "^PEFT_") + ["", ""]
    out += [f"{name} = {value}" for h in headers.values() for name, value in h.numbers] + ["", ""]
    for name, members in ((n, m) for h in headers.values() for n, m in h.structs.items()):
        out += [f"class {name}(Structure):", '    """As in the header."""', "", "    _fields_ = ["]
        out += [f'        ("{member}", {kind}),' for member, kind in members] + ["    ]", "", ""]
    out += [
        f"{name} = CFUNCTYPE({', '.join([result, *arguments])})"
        for h in headers.values()
        for name, result, arguments in h.callbacks
    ] + [""]
    for title, names in (("CORE", core), ("IO", [h for h in headers if h not in core])):
        out += [f"{title}: dict[str, tuple[Any, tuple[Any, ...]]] = {{"]
        for name in names:
            out += [f"    # {name}"] if headers[name].functions else []
            for function, result, arguments in headers[name].functions:
                line = f'    "{function}": {call(result, arguments)},'
                if len(line) > 120:
                    line = line.replace(": (", ":\n        (", 1)
                out.append(line)
        out += ["}"]
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    text = generated()
    if sys.argv[1:] == ["--check"]:
        if not OUTPUT.exists() or OUTPUT.read_text(encoding="utf-8") != text:
            sys.exit(f"{OUTPUT} is not what the headers give: run bindings/python/generate.py")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        OUTPUT.write_text(text, encoding="utf-8")
