# SPDX-License-Identifier: Apache-2.0
"""Trainers: a model compiled for training, with its optimiser."""

import ctypes
import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from ._c.arrays import Array, Floats, Integers, Wrapped, as_floats, contiguous, floats, integers, output
from ._c.errors import CancelledError, DTypeError, InvalidError
from ._c.handles import Object
from ._c.library import check, encoded, lib
from ._c.options import Value, documented, make, table
from ._c.training import Call, Keep, Loss, Reduce, batch_function, loss_function, progress_function, reduce_function
from .backbone import Backbone, Path
from .dataset import Dataset
from .images import Transform
from .loader import DataLoader
from .model import Adapter, Model, model_options
from .session import describe

Batches = DataLoader | Sequence[tuple[Array, Array]] | Callable[[int, int], "tuple[Array, Array] | None"]


@documented("Options of the model, for Trainer(backbone, adapter, data, ..)", lib.peft_model_option)
@documented("Options", lib.peft_trainer_option)
class Trainer(Object):
    """Trains an adapter, and a head, on labelled pictures.

        trainer = libpeft.Trainer(vit, libpeft.Adapter(vit, "lora"), data, epochs=20, batch=8, lr=2e-3)
        trainer.fit()
        trainer.model.save("scans.safetensors")

    data: a Dataset, whose pictures are prepared by `transform` (default: Transform.of(backbone, flip=0.5)) and shuffled
    by the seed of the backbone's context; or a DataLoader. For these the model gets the number and names of the classes
    and the preparation of the pictures, and options that are not given fit the data: loss (bce for a multi-label set),
    samples, steps. Or a list of batches (images, labels), or a function of epoch and batch, both counted from 0, that
    returns such a pair or None behind the last batch; then give `classes`.

    Trainer.of(model, ..) trains a model that exists. `step(images, labels)` is one step on a batch of the program's
    own. A trainer is used by one thread at a time, others wait; sessions of the model may predict meanwhile."""

    _c_name = "peft_trainer"
    model: Model
    epochs: int
    data: "Batches | None"
    _lock: threading.RLock
    _keep: Keep

    def __init__(
        self,
        backbone: Backbone,
        adapter: Adapter | Sequence[Adapter],
        data: "Dataset | Batches | None" = None,
        *,
        epochs: int = 1,
        transform: Transform | None = None,
        **options: Value,
    ) -> None:
        of_model = {o.name: options.pop(o.name) for o in model_options() if o.name in options}
        known = data.data if isinstance(data, DataLoader) else data
        if isinstance(known, Dataset):
            of_model.setdefault("classes", len(known.classes))
        self._build(Model(backbone, adapter, **of_model), data, epochs, transform, options)
        if isinstance(self.data, DataLoader):
            if backbone.description:
                self.model.set_note("backbone", backbone.description)
            self.model.set_note("preprocess", self.data.transform.text)
            self.model.set_note("class_names", "\n".join(self.data.data.classes))
            self.model.set_note("link", "sigmoid" if self.data.data.multi_label else "softmax")

    @classmethod
    def of(
        cls,
        model: Model,
        data: "Dataset | Batches | None" = None,
        *,
        epochs: int = 1,
        transform: Transform | None = None,
        **options: Value,
    ) -> Self:
        """A trainer of a model that exists; its notes are left as they are."""
        self = cls.__new__(cls)
        self._build(model, data, epochs, transform, options)
        return self

    def _build(
        self,
        model: Model,
        data: "Dataset | Batches | None",
        epochs: int,
        transform: Transform | None,
        options: dict[str, Value],
    ) -> None:
        if transform is not None and not isinstance(data, Dataset):
            raise InvalidError("transform: is for data that is a Dataset; a DataLoader and batches have theirs already")
        self.model, self.epochs, self._lock, self._keep = model, epochs, threading.RLock(), {}
        if isinstance(data, Dataset):
            batch = options.get("batch") or next(o.default for o in table(lib.peft_trainer_option) if o.name == "batch")
            prepare = transform or Transform.of(model.backbone, flip=0.5)
            seed = lib.peft_context_seed(model._context)
            data = DataLoader(data, prepare, batch=batch, seed=seed, shuffle=True, train=True, threads=1)
        self.data = data
        if isinstance(data, DataLoader):
            updates = -(-len(data) // max(int(options.get("accumulate") or 1), 1))
            fitting = {
                "batch": data.batch,
                "samples": len(data.data),
                "steps": epochs * updates,
                "loss": "bce" if data.data.multi_label else "ce",
            }
            options = {**fitting, **options}
        self._own(
            model._context,
            lib.peft_trainer_create,
            model._c,
            make(model._context, options, frozenset({"class_weights", "pos_weight"})),
        )
        self._input = (None, *model.input_shape)
        self._output = model.output_shape

    def _batch(self, images: Array | None, labels: Array | None, ids: Any) -> tuple[Any, ...]:
        """The arguments of the library for a batch, which keep the arrays."""
        x = None if images is None else Wrapped(self._context, floats("images", images, self._input))
        y = None
        if labels is not None:
            array = np.asarray(labels)
            y = Wrapped(
                self._context,
                np.ascontiguousarray(array, np.int64) if array.dtype.kind in "iu" else contiguous("labels", array),
            )
        n = len(images) if images is not None else len(labels) if labels is not None else 0
        if images is not None and labels is not None and len(labels) != n:
            raise InvalidError(f"labels: given {len(labels)}, expected one for each of {n} images")
        return x, y, None if ids is None else integers("ids", ids, n)

    def step(self, images: Array | None, labels: Array, ids: Sequence[int] | Integers | None = None) -> float:
        """One training step; returns the loss. images float32 (n, 3, height, width), used where they lie; labels (n,)
        whole numbers (int64 is not copied) for ce, else float32 (n, classes); ids: for the feature cache, with which
        images may be None."""
        self._call(lib.peft_trainer_step, self._batch(images, labels, ids))
        return self.loss

    def backward(self, images: Array | None, labels: Array, ids: Sequence[int] | Integers | None = None) -> float:
        """The first half of a step: adds to the gradients; returns the loss."""
        self._call(lib.peft_trainer_backward, self._batch(images, labels, ids))
        return self.loss

    def update(self) -> None:
        """The second half: changes the parameters."""
        self._call(lib.peft_trainer_update, ())

    def forward(self, images: Array, ids: Sequence[int] | Integers | None = None) -> Floats:
        """The logits in training mode, for a loss of the program's own: then call backward_logits and update."""
        x, _, ids = self._batch(images, None, ids)
        self._call(lib.peft_trainer_forward, (x, ids))
        with self._lock:
            return as_floats(lib.peft_trainer_logits(self._c))

    def backward_logits(self, gradient: Floats, loss: float = 0.0) -> None:
        """Takes the derivative of the loss with respect to the logits of forward()."""
        gradient = floats("gradient", gradient, (None, *self._output))
        self._call(lib.peft_trainer_backward_logits, (Wrapped(self._context, gradient), loss))

    def _call(self, function: Any, arguments: tuple[Any, ...]) -> None:
        c = self._c
        addresses = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
        with self._lock, Call(self._keep):
            check(function(c, *addresses))

    def set_loss(self, loss: Loss | None) -> None:
        """A loss of the program's own: a function of logits and labels that returns the loss and its gradient with the
        shape of the logits. Its exceptions pass through step and fit. None: the loss of the options again."""
        function = loss_function(self._keep, loss) if loss else None
        with self._lock:
            check(lib.peft_trainer_set_loss(self._c, function, None))
            self._keep_function("loss", function)

    def set_reduce(self, reduce: Reduce | None, rank: int = 0, ranks: int = 1) -> None:
        """Adds the gradients of several trainers, as of processes that each train on a part of a batch: before each
        update, reduce(gradients, passes) replaces gradients float32 (n,), which lie in the library's memory for the
        time of the call, by the sum over all ranks, and returns the sum of their passes. Its exceptions pass through
        update, step and fit, and nothing has changed then. None: no reducer. include/peft/trainer.h has the details."""
        function = reduce_function(self._keep, reduce) if reduce else None
        with self._lock:
            check(lib.peft_trainer_set_reduce(self._c, rank, ranks, function, None))
            self._keep_function("reduce", function)

    def _keep_function(self, name: str, function: Any) -> None:
        """Keeps a callback with the C object, which may call it for as long as it exists."""
        before = self._c.keep
        functions = dict(before[1]) if isinstance(before, tuple) else {}
        self._c.keep = (self._context, {**functions, name: function})

    def fit(self, epochs: int | None = None, *, on_step: Callable[["Trainer"], Any] | None = None) -> bool:
        """Trains until `epochs` epochs (default: those of the trainer) are done, counted from the beginning of the run.
        on_step is called after each update; if its result is true, fit stops and returns False, and may be called
        again. Ctrl-C stops it after the step, too, and exceptions of on_step and data pass through."""
        if self.data is None:
            raise InvalidError("fit: the trainer has no data; give it a Dataset, a DataLoader, or batches")
        c, stopped = self._c, [False]

        def after_step() -> bool:
            if on_step is not None and on_step(self):
                stopped[0] = True
            return stopped[0]

        progress, user = progress_function(self._keep, after_step), None
        loader_lock: Any = threading.RLock()
        if isinstance(self.data, DataLoader):
            source, user, loader_lock = lib.peft_loader_next, self.data._c, self.data._lock
        elif callable(self.data):
            source = batch_function(self._keep, self.data)
        elif isinstance(self.data, Sequence):
            batches = self.data
            source = batch_function(self._keep, lambda _, batch: batches[batch] if batch < len(batches) else None)
        else:
            raise DTypeError(
                f"data: given {type(self.data).__name__}, expected a Dataset, a DataLoader, a list of "
                "batches, or a function of epoch and batch"
            )
        try:
            with self._lock, loader_lock, Call(self._keep):
                check(lib.peft_trainer_fit(c, self.epochs if epochs is None else epochs, source, progress, user))
        except CancelledError:
            if not stopped[0]:
                raise
            return False
        return True

    def evaluate(self, images: Array, out: Floats | None = None) -> Floats:
        """Logits in evaluation mode, of at most `batch` images."""
        images = floats("images", images, self._input)
        out = output("out", out, (len(images), *self._output))
        self._call(lib.peft_trainer_evaluate, (Wrapped(self._context, images), Wrapped(self._context, out)))
        return out

    def get(self, name: str) -> float:
        """A figure by name: loss, lr, grad_norm, step_seconds, step, epoch, batch_in_epoch, samples, planned_bytes,
        flops, cache_hits, ..; StateError: not known yet."""
        value = ctypes.c_double()
        with self._lock:
            check(lib.peft_trainer_get_float(self._c, encoded(name), ctypes.byref(value)))
        return value.value

    @property
    def loss(self) -> float:
        """The mean loss of the passes since the last update, or of this update; NaN before the first."""
        with self._lock:
            return float(lib.peft_trainer_get(self._c, b"loss"))

    @property
    def lr(self) -> float:
        """The learning rate of the last update. Setting it sets the base rate from the next update on."""
        return self.get("lr")

    @lr.setter
    def lr(self, value: float) -> None:
        with self._lock:
            check(lib.peft_trainer_set_lr(self._c, value))

    def group(self, pattern: str, *, lr_scale: float, weight_decay: float) -> None:
        """Parameters whose name matches pattern (* and ?, or "group:head") get lr * lr_scale and this weight decay."""
        with self._lock:
            check(lib.peft_trainer_group(self._c, encoded(pattern), lr_scale, weight_decay))

    def freeze(self, pattern: str, frozen: bool = True) -> None:
        """Parameters that match keep their values from the next update on, or are trained again."""
        with self._lock:
            check(lib.peft_trainer_freeze(self._c, encoded(pattern), int(frozen)))

    def set_input(self, name: str, value: Array) -> None:
        """A further input of the next steps, which is copied: "side_images" for fpt with side_input=given."""
        value = floats(name, value, tuple(np.shape(value)))
        self._call(lib.peft_trainer_input, (encoded(name), Wrapped(self._context, value)))

    def set_note(self, key: str, value: str) -> None:
        """A text that is stored in the training state; restore() refuses a state with other notes."""
        with self._lock:
            check(lib.peft_trainer_set_note(self._c, encoded(key), encoded(value)))

    def save(self, path: Path) -> None:
        """Saves the training state: a restored run ends with the same bits as one without a break."""
        with self._lock:
            check(lib.peft_trainer_save(self._c, encoded(path)))

    def restore(self, path: Path) -> None:
        """Goes on with a saved state of a trainer that was made in the same way."""
        with self._lock:
            check(lib.peft_trainer_restore(self._c, encoded(path)))

    def warm_start(self, path: Path) -> int:
        """Begins with what the run saved at path has learned; returns how many parameters were taken."""
        taken = ctypes.c_size_t()
        with self._lock:
            check(lib.peft_trainer_warm_start(self._c, encoded(path), ctypes.byref(taken)))
        return taken.value

    def describe(self) -> str:
        """What a step computes, a line for each operation (docs/verbose.md)."""
        with self._lock:
            return describe(lib.peft_trainer_describe, self._c)

    def __repr__(self) -> str:
        return "Trainer(closed)" if self.closed else f"Trainer({self.model!r}, step {self.get('step'):.0f})"
