# SPDX-License-Identifier: Apache-2.0
"""Trains until validation images are predicted no better, and keeps the values of the best epoch."""

import libpeft

vit = libpeft.Backbone.open("vit.safetensors", context=libpeft.Context(seed=1))
rest, test = libpeft.Dataset.open("scans").split(0.8, seed=1)
train, validation = rest.split(0.8, seed=2)

trainer = libpeft.Trainer(vit, libpeft.Adapter(vit, "lora", r=8), train, epochs=10, batch=8, lr=2e-3)
stop = libpeft.EarlyStop(trainer.model, patience=3)
predictor = libpeft.Predictor(trainer.model)
for epoch in range(1, 11):
    trainer.fit(epoch)
    figures = libpeft.metrics.evaluate(predictor.logits(validation), validation.labels)
    if stop.offer(epoch, figures["balanced_accuracy"]):
        break
stop.restore()
print(f"epoch {stop.best_epoch}:", libpeft.metrics.evaluate(predictor.logits(test), test.labels))
