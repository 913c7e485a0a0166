# SPDX-License-Identifier: Apache-2.0
"""libpeft: parameter-efficient fine-tuning of Vision Transformers with few labels, on CPUs.

    import libpeft
    vit = libpeft.Backbone.open("deit_tiny_patch16_224.safetensors")
    data = libpeft.Dataset.open("scans", "train")
    trainer = libpeft.Trainer(vit, libpeft.Adapter(vit, "lora", r=8), data, epochs=20, batch=8, lr=2e-3)
    trainer.fit()
    trainer.model.save("scans.safetensors")
    print(libpeft.Predictor(trainer.model).predict("new.png"))

`help(libpeft.Trainer)`, `help(libpeft.Adapter)` and the others list the options of the loaded library with defaults,
bounds and help. A call that fails raises a subclass of PeftError with the library's message."""

from . import analysis, metrics
from ._c.declarations import Status
from ._c.errors import (
    CancelledError,
    DTypeError,
    FileError,
    FormatError,
    InvalidError,
    MismatchError,
    NonFiniteError,
    NotFoundError,
    OptionError,
    OutOfMemoryError,
    PeftError,
    ShapeError,
    StateError,
    UnsupportedError,
)
from ._c.library import lib as _lib
from ._c.options import Option
from .adaptor import Adaptor, adaptation_kinds
from .backbone import Backbone
from .case_pool import CasePool
from .context import Context, default_context, manual_seed, set_num_threads
from .dataset import Dataset
from .early_stop import EarlyStop
from .federated import Aggregator, dp_epsilon
from .file import File, npz_to_safetensors
from .images import DicomHeader, Image, Transform
from .importance import Importance
from .loader import DataLoader
from .maps import Maps, map_kinds
from .model import Adapter, Model, method_help, methods
from .predictor import Predictor
from .probe import Probe
from .segmentation import Segment, Segmentation
from .segmenter import Segmenter
from .session import Session
from .trainer import Trainer

__version__: str = _lib.peft_version_string().decode()


def build_info() -> str:
    """One line for bug reports: version, compiler, BLAS and instruction sets of the loaded library."""
    return str(_lib.peft_build_info().decode())


__all__ = [
    "Adapter",
    "Adaptor",
    "Aggregator",
    "Backbone",
    "CancelledError",
    "CasePool",
    "Context",
    "DTypeError",
    "DataLoader",
    "Dataset",
    "DicomHeader",
    "EarlyStop",
    "File",
    "FileError",
    "FormatError",
    "Image",
    "Importance",
    "InvalidError",
    "Maps",
    "MismatchError",
    "Model",
    "NonFiniteError",
    "NotFoundError",
    "Option",
    "OptionError",
    "OutOfMemoryError",
    "PeftError",
    "Predictor",
    "Probe",
    "Segment",
    "Segmentation",
    "Segmenter",
    "Session",
    "ShapeError",
    "StateError",
    "Status",
    "Trainer",
    "Transform",
    "UnsupportedError",
    "adaptation_kinds",
    "analysis",
    "build_info",
    "default_context",
    "dp_epsilon",
    "manual_seed",
    "map_kinds",
    "method_help",
    "methods",
    "metrics",
    "npz_to_safetensors",
    "set_num_threads",
]
