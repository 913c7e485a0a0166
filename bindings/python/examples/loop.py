# SPDX-License-Identifier: Apache-2.0
"""A training loop of the program's own, with a loss in numpy."""

import numpy as np

import libpeft

vit = libpeft.Backbone.open("vit.safetensors", context=libpeft.Context(seed=1))
data = libpeft.Dataset.open("scans")
prepare = libpeft.Transform.of(vit, flip=0.5)
loader = libpeft.DataLoader(data, prepare, batch=8, shuffle=True, train=True, threads=1)

model = libpeft.Model(vit, libpeft.Adapter(vit, "ept", length=20), classes=len(data.classes))
model.set_note("preprocess", prepare.text)
trainer = libpeft.Trainer.of(model, batch=8, lr=0.03)


def focal(logits, labels):
    """The loss, and its derivative with respect to the logits."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    one_hot = np.eye(p.shape[1], dtype=np.float32)[labels]
    right = (p * one_hot).sum(axis=1, keepdims=True)
    slope = (1 - right) ** 2 - 2 * right * (1 - right) * np.log(right)
    return float((-((1 - right) ** 2) * np.log(right)).mean()), slope * (p - one_hot) / len(p)


trainer.set_loss(focal)
for epoch in range(3):
    losses = [trainer.step(images, labels) for images, labels in loader]
    trainer.lr = 0.03 * 0.5 ** (epoch + 1)
    print(f"epoch {epoch}: loss {np.mean(losses):.4f}")
