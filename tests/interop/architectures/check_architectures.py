# SPDX-License-Identifier: Apache-2.0
"""A table of the architectures of transformers, open_clip and timm (architectures/models.py). Of each a small random
model is saved by its library and loaded here. Columns: whether it loads; the relative errors of feature and logits; of
an adapter that PEFT wrote and libpeft reads; of one that libpeft wrote and PEFT reads; of a merged backbone that
libpeft wrote and the library reads; of one that PEFT merged, the library wrote and libpeft reads. "-": the model has no
classifier for its feature. Any other text says who refuses, and the notes below the table say why. Then one training
step of every method on every architecture. PEFT_INTEROP_ARCHITECTURE: only names that contain it."""
import os
import sys
import tempfile
import warnings

from architectures.bindings import lp

import numpy as np
import torch

from architectures import adapted
from architectures.models import ARCHITECTURES, REFUSED
from vit import relative

LIMIT = 2e-5
COLUMNS = ("load", "features", "logits", "adapter read", "adapter written", "merged written", "merged read")
# Options that a method needs for these small networks: of the adapter, of the model.
NEEDS = {"vp": (dict(width=2), {}), "fpt": ({}, dict(head="side_encoder"))}
# Methods that some networks cannot have, and a word of the reason.
REFUSALS = {"cls_tune": "has no class token", "dvpt": "pools the tokens itself"}
warnings.filterwarnings("ignore")


class Table:
    """The rows as text, and the reasons of what is refused."""

    def __init__(self, tally):
        self.tally, self.notes = tally, []

    def head(self):
        print(f"{'architecture':64}" + "".join(f"{name:>16}" for name in COLUMNS), flush=True)

    def row(self, name, cells):
        print(f"{name:64}" + "".join(f"{cell:>16}" for cell in cells), flush=True)

    def note(self, text):
        """The number of a note below the table."""
        if text not in self.notes:
            self.notes.append(text)
        return f" [{self.notes.index(text) + 1}]"

    def error(self, name, column, compute):
        """The cell of a comparison; what is wrong is a failure."""
        try:
            with tempfile.TemporaryDirectory() as folder:
                error = compute(folder)
        except adapted.Refused as e:
            return f"{e.who}: no" + self.note(str(e))
        except lp.PeftError as e:
            self.tally.check(False, f"{name}, {column}: {e.status}: {e}")
            return "refused"
        except Exception as e:                                # PEFT and the libraries raise many kinds
            self.tally.check(False, f"{name}, {column}: {type(e).__name__}: {str(e)[:300]}")
            return "fails"
        self.tally.check(error <= LIMIT, f"{name}, {column}: relative error {error:.1e}")
        return f"{error:.1e}"


def compare(name, net, table, rng):
    """The cells of an architecture, and its backbone; NULL: it does not load."""
    images = rng.normal(size=(2, 3, net.side, net.side)).astype(np.float32)
    x = torch.tensor(images)
    with tempfile.TemporaryDirectory() as folder:
        path = net.save(net.model, folder)
        try:
            backbone = lp.Backbone(lp.Context(), path, **net.options)
            plain = lp.Model(backbone, **(dict(classes=0) if net.logits else dict(head="none")))
            got = adapted.results(plain, net, images)
        except lp.PeftError as e:
            table.tally.check(False, f"{name}: {e.status}: {e}")
            return ["refused"] + ["-"] * (len(COLUMNS) - 1), None
    with torch.no_grad():
        want = net.feature(net.model, x).numpy(), net.logits(net.model, x).numpy() if net.logits else None
    cells = ["yes"]
    for column, g, w in zip(COLUMNS[1:3], got, want):
        if w is None:
            cells.append("-")
            continue
        error = relative(g, w) if g.shape == w.shape else float("inf")
        table.tally.check(error <= LIMIT, f"{name}, {column}: relative error {error:.1e}")
        cells.append(f"{error:.1e}")
    here = adapted.adapt_here(net, backbone, rng)
    for column, compute in zip(COLUMNS[3:], (lambda folder: adapted.read(net, backbone, folder, x, rng),
                                             lambda folder: adapted.written(net, here, folder, x),
                                             lambda folder: adapted.merged(net, here, folder, x),
                                             lambda folder: adapted.read_merged(net, folder, x, rng))):
        cells.append(table.error(name, column, compute))
    ignored = adapted.not_called(net, x)
    if ignored:
        note = table.note(f"the model does not call {', '.join(ignored)}, so PEFT's adapter of it has an effect only "
                          "when merged: the errors are those of PEFT's merged model")
        cells[3:5] = [cell + note for cell in cells[3:5]]
    return cells, backbone


def train(name, backbone, side, table, reasons):
    """One training step of every method; those that refuse the network are added to reasons."""
    rng = np.random.default_rng(1)
    images = rng.normal(size=(2, 3, side, side)).astype(np.float32)
    for i in range(lp.lib.peft_method_count()):
        method = lp.lib.peft_method_name(lp.C.c_size_t(i)).decode()
        try:
            adapter, model = NEEDS.get(method, ({}, {}))
            trainer = lp.Trainer(lp.Model(backbone, method, adapter, classes=2, **model), batch=2)
            trainer.step(images, np.array([0, 1]))
        except lp.PeftError as e:
            known = e.status in ("PEFT_E_UNSUPPORTED", "PEFT_E_OPTION") and REFUSALS.get(method, "?") in str(e)
            table.tally.check(known, f"{name}, method {method}: {e.status}: {e}")
            reasons.setdefault(f"{method}: {e}", []).append(name)
            continue
        loss = trainer.get("loss")
        table.tally.check(np.isfinite(loss), f"{name}, method {method}: loss {loss}")
        table.tally.count("methods trained")


def refuse(name, make, word, tally):
    """The error with which libpeft refuses the model."""
    with tempfile.TemporaryDirectory() as folder:
        path = make(folder)
        try:
            lp.Backbone(lp.Context(), path)
        except lp.PeftError as e:
            known = e.status in ("PEFT_E_UNSUPPORTED", "PEFT_E_FORMAT") and word in str(e)
            tally.check(known, f"{name}: {e.status}: {e}")
            return str(e).split(": ", 1)[-1]
        tally.check(False, f"{name}: loaded")
        return "loaded"


def main():
    import open_clip as oc
    import peft
    import timm as ti
    import transformers as T
    torch.set_num_threads(1)
    T.utils.logging.set_verbosity_error()
    T.utils.logging.disable_progress_bar()
    tally = lp.Tally("architectures")
    table = Table(tally)
    print(f"transformers {T.__version__}, open_clip {oc.__version__}, timm {ti.__version__}, peft {peft.__version__}, "
          f"torch {torch.__version__}")
    reasons = {}
    wanted = os.environ.get("PEFT_INTEROP_ARCHITECTURE", "")
    table.head()
    for library, models in ARCHITECTURES.items():
        for i, (name, make) in enumerate(models.items()):
            name = f"{library}: {name}"
            if wanted in name:
                rng = np.random.default_rng(i)
                net = make(rng)
                cells, backbone = compare(name, net, table, rng)
                table.row(name, cells)
                if backbone:
                    train(name, backbone, net.side, table, reasons)
    for i, text in enumerate(table.notes):
        print(f"[{i + 1}] {text}")
    for reason, names in reasons.items():
        print(f"method {reason} ({len(names)} architectures: {', '.join(names)})")
    for name, (make, word) in REFUSED.items():
        if wanted in name:
            print(f"{'transformers: ' + name:40} refused: {refuse(name, make, word, tally)[:100]}", flush=True)
    return tally.close()


sys.exit(main())
