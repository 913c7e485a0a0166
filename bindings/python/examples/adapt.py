# SPDX-License-Identifier: Apache-2.0
"""Adapts a backbone to a folder of pictures by LoRA, saves the model, and predicts with it."""

import libpeft

vit = libpeft.Backbone.open("vit.safetensors", context=libpeft.Context(seed=1))
train, test = libpeft.Dataset.open("scans").split(0.8, seed=1)

lora = libpeft.Adapter(vit, "lora", r=8)
trainer = libpeft.Trainer(vit, lora, train, epochs=5, batch=8, lr=2e-3, schedule="cosine")
trainer.fit()
trainer.model.save("scans.safetensors")
print(f"{trainer.model.trainable_count} parameters trained, loss {trainer.loss:.4f}")

predictor = libpeft.Predictor(libpeft.Model.load(vit, "scans.safetensors"))
print(libpeft.metrics.evaluate(predictor.logits(test), test.labels))
print(predictor.predict(["new/1.png", "new/2.png"]))
