# SPDX-License-Identifier: Apache-2.0
"""Data sets: pictures with labels."""

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

from ._c.arrays import Floats, Integers, integers
from ._c.handles import Handle, Object
from ._c.library import check, encoded, lib, text
from ._c.options import Value, documented, seed_number, settings
from .backbone import Path
from .context import Context, default_context
from .images import Image


@documented("Options of open_table()", lib.peft_dataset_table_option)
class Dataset(Object):
    """Pictures with one class each, or with a target of 0 or 1 for each class.

        data = libpeft.Dataset.open("scans", "train")            # folder, .zip, .npz of MedMNIST, list or table
        train, rest = data.split(0.8, seed=1)

    len(data) samples; data[i] is (Image, label), or (Image, targets) of a multi-label set. It does not change: split,
    few_shot, subset and others make new ones."""

    _c_name = "peft_dataset"

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("use Dataset.open(path, split) or another of its open functions")

    @classmethod
    def _open(cls, function: Any, path: Path, *arguments: object, context: Context | None) -> Self:
        c = (context or default_context())._c
        return cls._new(c, function, c, encoded(path), *arguments)

    @classmethod
    def open(cls, path: Path, split: str | None = None, *, context: Context | None = None) -> Self:
        """Opens what lies at path: a folder, a .zip or .npz, a table, or a list. split: "train", "val", "test", or None
        for all."""
        return cls._open(lib.peft_dataset_open, path, _optional(split), context=context)

    @classmethod
    def open_folder(cls, path: Path, split: str | None = None, *, context: Context | None = None) -> Self:
        """A folder of class folders, path/class/file or path/split/class/file."""
        return cls._open(lib.peft_dataset_open_folder, path, _optional(split), context=context)

    @classmethod
    def open_zip(cls, path: Path, split: str | None = None, *, context: Context | None = None) -> Self:
        """A zip of such a folder."""
        return cls._open(lib.peft_dataset_open_zip, path, _optional(split), context=context)

    @classmethod
    def open_npz(cls, path: Path, split: str, *, context: Context | None = None) -> Self:
        """A MedMNIST file."""
        return cls._open(lib.peft_dataset_open_npz, path, encoded(split), context=context)

    @classmethod
    def open_list(
        cls, path: Path, folder: Path | None = None, classes: int = 0, *, context: Context | None = None
    ) -> Self:
        """A text file with a sample on each line: name and class, or name and targets. folder: what names are relative
        to; None: the folder of the list."""
        return cls._open(
            lib.peft_dataset_open_list, path, None if folder is None else encoded(folder), classes, context=context
        )

    @classmethod
    def open_table(
        cls, path: Path, split: str | None = None, *, context: Context | None = None, **options: Value
    ) -> Self:
        """A CSV or TSV file with one picture on each line, with labels, patients and splits (docs/tables.md)."""
        return cls._open(
            lib.peft_dataset_open_table, path, _optional(split), encoded(settings(options)), context=context
        )

    @classmethod
    def open_pictures(cls, path: Path, *, context: Context | None = None) -> Self:
        """Pictures without labels: of a folder or zip at any depth, of a list or table, or a single one."""
        return cls._open(lib.peft_dataset_open_pictures, path, context=context)

    def __len__(self) -> int:
        return int(lib.peft_dataset_count(self._c))

    def _index(self, i: int) -> int:
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"sample {i} of a data set of {n}")
        return i % n

    def load(self, i: int) -> Image:
        """The picture of sample i."""
        return Image._new(self._context, lib.peft_dataset_load, self._c, self._index(i))

    def __getitem__(self, i: int) -> tuple[Image, "int | Floats"]:
        i = self._index(i)
        return self.load(i), self._targets(i) if self.multi_label else int(lib.peft_dataset_label(self._c, i))

    def __iter__(self) -> Iterator[tuple[Image, "int | Floats"]]:
        return (self[i] for i in range(len(self)))

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        c = self._c
        return [text(lib.peft_dataset_class_name(c, k)) or "" for k in range(lib.peft_dataset_classes(c))]

    @property
    def multi_label(self) -> bool:
        """Whether samples have a target for each class in place of one label."""
        return bool(lib.peft_dataset_multilabel(self._c))

    @property
    def labels(self) -> Integers:
        """The class of each sample; -1 in a multi-label set."""
        c = self._c
        return np.array([lib.peft_dataset_label(c, i) for i in range(len(self))], np.int64)

    def _targets(self, i: int) -> Floats:
        out = np.empty(int(lib.peft_dataset_classes(self._c)), np.float32)
        check(lib.peft_dataset_targets(self._c, i, out.ctypes.data))
        return out

    @property
    def targets(self) -> Floats:
        """The targets (samples, classes): 0, 1, or -1 for one that is missing."""
        out = np.empty((len(self), int(lib.peft_dataset_classes(self._c))), np.float32)
        for i, row in enumerate(out):
            check(lib.peft_dataset_targets(self._c, i, row.ctypes.data))
        return out

    @property
    def names(self) -> list[str]:
        """The path of each sample; "train/17" for a MedMNIST file."""
        return self._texts(lib.peft_dataset_name)

    @property
    def groups(self) -> list[str]:
        """The patient of each sample, "" where none is known. Parts of a split share no patient."""
        return self._texts(lib.peft_dataset_group)

    @property
    def cases(self) -> list[str]:
        """The case (study or volume) of each sample, "" where none is known."""
        return self._texts(lib.peft_dataset_case)

    def _texts(self, function: Any) -> list[str]:
        c = self._c
        return [text(function(c, i)) or "" for i in range(len(self))]

    @property
    def ids(self) -> Integers:
        """The number of each sample in the data set that was opened."""
        c = self._c
        return np.array([lib.peft_dataset_id(c, i) for i in range(len(self))], np.int64)

    @property
    def skipped(self) -> str:
        """What was found beside the samples, "12 .txt, 1 folder"."""
        return text(lib.peft_dataset_skipped(self._c)) or ""

    def digest(self) -> str:
        """SHA-256 over class names and samples."""
        hexadecimal = ctypes.create_string_buffer(65)
        check(lib.peft_dataset_digest(self._c, hexadecimal))
        return hexadecimal.value.decode()

    def subset(self, indices: Sequence[int] | Integers) -> "Dataset":
        """The samples with these indices, in this order."""
        chosen = integers("indices", indices)
        return self._part(lib.peft_dataset_subset, chosen.ctypes.data, chosen.size)

    def split(self, fraction: float, *, seed: int) -> tuple["Dataset", "Dataset"]:
        """A part with this fraction of every class, drawn by seed, and the rest; patients are not divided."""
        return self._parts(lib.peft_dataset_split, fraction, seed_number(seed))

    def fold(self, folds: int, fold: int, *, seed: int) -> tuple["Dataset", "Dataset"]:
        """Training and held-out part of one of `folds` folds, from 0 on; each sample and patient is held out once."""
        return self._parts(lib.peft_dataset_fold, folds, fold, seed_number(seed))

    def few_shot(self, shots: int, *, ways: int = 0, seed: int) -> tuple["Dataset", "Dataset"]:
        """`shots` samples of each class (of `ways` classes, 0: all), drawn by seed, and the rest."""
        return self._parts(lib.peft_dataset_few_shot, ways, shots, seed_number(seed))

    def with_groups(self, pattern: str) -> "Dataset":
        """The same samples with patients read from their names, "(person*)_*", or with pattern "dicom" from headers."""
        return self._part(lib.peft_dataset_with_groups, encoded(pattern))

    def with_image_options(self, **options: Value) -> "Dataset":
        """The same samples, read with these options of Image.open."""
        return self._part(lib.peft_dataset_with_image_options, encoded(settings(options)))

    def with_slices(self) -> "Dataset":
        """All slices of the samples: of volumes, DICOM files of several frames, and TIFF files of several pages."""
        return self._part(lib.peft_dataset_with_slices)

    def match_classes(self, like: "Dataset") -> "Dataset":
        """The same samples, with classes numbered as in `like`."""
        return self._part(lib.peft_dataset_match_classes, like._c)

    def overlap(self, other: "Dataset", *, pixels: bool = False) -> Integers:
        """Pairs (this set's sample, other's sample) with the same picture file, or with the same pixels."""
        return self._pairs(lib.peft_dataset_overlap_pixels if pixels else lib.peft_dataset_overlap, other)

    def shared_groups(self, other: "Dataset") -> Integers:
        """Pairs (this set's sample, other's sample) of each patient that both sets have."""
        return self._pairs(lib.peft_dataset_shared_groups, other)

    def _part(self, function: Any, *arguments: Any) -> "Dataset":
        return Dataset._new(self._context, function, self._c, *arguments)

    def _parts(self, function: Any, *arguments: Any) -> tuple["Dataset", "Dataset"]:
        out = ctypes.c_void_p()
        part = Dataset._new(self._context, lambda *a: function(*a[:-1], ctypes.byref(out), a[-1]), self._c, *arguments)
        # function wrote the drawn samples to out, and the rest to the new object's pointer
        assert out.value is not None
        drawn = Dataset.__new__(Dataset)
        drawn._context, drawn._handle = self._context, Handle(out.value, lib.peft_dataset_free, self._context)
        return drawn, part

    def _pairs(self, function: Any, other: "Dataset") -> Integers:
        room = len(self)
        pairs, count = np.empty((2, room), np.int64), ctypes.c_int64()
        check(function(self._c, other._c, room, pairs[0].ctypes.data, pairs[1].ctypes.data, ctypes.byref(count)))
        return pairs[:, : min(room, count.value)].T.copy()

    def __repr__(self) -> str:
        if self.closed:
            return "Dataset(closed)"
        return f"Dataset({len(self)} samples of {lib.peft_dataset_classes(self._c)} classes)"


def _optional(value: str | None) -> bytes | None:
    return None if value is None else encoded(value)
