# SPDX-License-Identifier: Apache-2.0
"""Figures of several labels an image that finetune prints against scikit-learn's, from the file of --predictions, whose
entries that are not judged are left out."""
import csv
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
from sklearn import metrics as sk

programs = pathlib.Path(os.environ["PEFT_LIBRARIES"]) / "examples"
LABELS = ["benign", "odd", "rare", "never"]


def run(*command):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout


def write_list(pictures, path, seed):
    draw = random.Random(seed)
    with open(path, "w") as f:
        f.write("image," + ",".join(LABELS) + ",patient\n")
        for i, picture in enumerate(sorted(pictures.rglob("*.png"))):
            values = ["benign" in str(picture), draw.choice([0, 1, 1, -1]), draw.random() < 0.1, 0]
            f.write(f"{picture},{','.join(str(int(v)) for v in values)},{seed}-{i // 2}\n")


def read_predictions(path):
    rows = list(csv.DictReader(open(path)))
    column = lambda name: np.array([float(r[name]) for r in rows])  # noqa: E731
    truth = np.stack([column(f"true {name}") for name in LABELS], 1)
    return truth, np.stack([column(name) for name in LABELS], 1), [r["predicted"].split("|") for r in rows]


def want(truth, p, thresholds):
    """The printed names and what scikit-learn has for them."""
    yes, judged = p >= thresholds, truth >= 0
    each = [(truth[judged[:, c], c], p[judged[:, c], c], yes[judged[:, c], c]) for c in range(len(LABELS))]
    flat = truth[judged], p[judged], yes[judged]
    found = {"f1_micro": sk.f1_score(flat[0], flat[2]), "precision_micro": sk.precision_score(flat[0], flat[2]),
             "recall_micro": sk.recall_score(flat[0], flat[2]), "auroc_micro": sk.roc_auc_score(*flat[:2]),
             "average_precision_micro": sk.average_precision_score(*flat[:2])}
    for name, score in ("f1", sk.f1_score), ("precision", sk.precision_score), ("recall", sk.recall_score):
        found[f"{name}_macro"] = np.mean([score(t, y, zero_division=0) for t, _, y in each])
    both = [(t, s) for t, s, _ in each if 0 < t.sum() < len(t)]
    found["auroc_macro"] = np.mean([sk.roc_auc_score(*ts) for ts in both])
    found["map"] = np.mean([sk.average_precision_score(t, s) for t, s, _ in each if t.any()])
    right = np.where(judged, (truth > 0) == yes, True).all(1)
    found["subset_accuracy"] = right[judged.any(1)].mean()
    if judged.all():                                 # then scikit-learn takes the matrix as a whole
        assert np.isclose(found["f1_macro"], sk.f1_score(truth, yes, average="macro", zero_division=0))
    return found, each


def same(printed, value):
    """Whether a number of four digits, or "-" for None, is the value."""
    return printed == "-" if value is None else printed != "-" and abs(float(printed) - value) < 5.1e-5


def block(text, heading):
    """The rows below a heading of the tables of classes: name to the numbers behind it."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if heading in line)
    return {line.split()[0]: line.split()[1:] for line in lines[at + 1 : at + 1 + len(LABELS)]}


def main():
    wrong = checked = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for seed, name in (1, "train"), (2, "test"):
            run(programs / "phantom", "--out", folder / name, "--images", 20, "--side", 32, "--seed", seed)
            write_list(folder / name, folder / f"{name}.csv", seed)
        run(programs / "pretrain", "--data", folder / "train", "--model",
            "image_size=32,patch=8,width=32,depth=2,heads=2,mlp=64", "--epochs", 1, "--warmup", 0, "--batch", 4,
            "--out", folder / "vit.safetensors")
        for threshold in 0.5, 0.4:
            text = run(programs / "finetune", "--backbone", folder / "vit.safetensors", "--data", folder / "train.csv",
                       "--test", folder / "test.csv", "--table", "label=" + ":".join(LABELS), "--method", "linear",
                       "--epochs", 3, "--lr", 0.01, "--threshold", threshold, "--out", folder / "m.safetensors",
                       "--predictions", folder / "p.csv", "--force")
            printed = {words[0]: words[1] for line in text.splitlines() if len(words := line.split()) > 1}
            truth, p, predicted = read_predictions(folder / "p.csv")
            figures, each = want(truth, p, threshold)
            for name, value in figures.items():
                checked += 1
                if not same(printed[name], value):
                    wrong += 1
                    print(f"{name} at {threshold}: finetune {printed[name]}, scikit-learn {value}")
            counts, rates = block(text, "not judged  threshold"), block(text, "sensitivity [")
            areas = block(text, "average_precision [")
            for c, (name, (t, s, y)) in enumerate(zip(LABELS, each)):
                expected = [
                    ("positive, negative, not judged", [int(v) for v in counts[name][:3]],
                     [int((t > 0).sum()), int((t == 0).sum()), int((truth[:, c] < 0).sum())]),
                    ("sensitivity", same(rates[name][0], sk.recall_score(t, y) if t.any() else None), True),
                    ("auroc", same(areas[name][0], sk.roc_auc_score(t, s) if t.any() else None), True),
                    ("decisions", [name in row for row in predicted], (p[:, c] >= threshold).tolist())]
                for what, given, right in expected:
                    checked += 1
                    if given != right:
                        wrong += 1
                        print(f"{what} of {name} at {threshold}: {given}, expected {right}")
    print(f"{checked} figures of several labels, {wrong} wrong")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
