# SPDX-License-Identifier: Apache-2.0
"""Files that the real torch and transformers write: both forms of torch.save, alone and inside checkpoints with
optimiser, argparse namespace and NumPy scalars; half precision, transposed and shared views, dictionaries, shards. Each
must give the library's own logits, and bit for bit those of the safetensors file with the same tensors. At last the
memory and the time of loading a ViT-B as .pth and as safetensors."""
import argparse
import ctypes as C
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import peft

LIMIT = 2e-5
SIDE, CLASSES = 32, 5
FACTS = dict(heads=3, eps=1e-6, act="gelu", pool="cls")
warnings.filterwarnings("ignore")
peft.lib.peft_context_memory_peak.restype = C.c_size_t
peft.lib.peft_context_memory_used.restype = C.c_size_t


def timm_model(seed, dtype=torch.float32):
    """A small ViT whose parameters are all random and representable in dtype."""
    import timm
    torch.manual_seed(seed)
    model = timm.create_model("vit_tiny_patch16_224", img_size=SIDE, depth=2, num_classes=CLASSES)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_((torch.randn(p.shape) * 0.1 + (1 if "norm" in name and "weight" in name else 0)).to(dtype).float())
    return model.eval()


def wanted(model, images):
    with torch.no_grad():
        return model(torch.tensor(images)).numpy()


def logits_of(path, images, **options):
    context = peft.Context()
    model = peft.Model(peft.Backbone(context, path, **options), classes=0)
    return peft.Session(model, batch=len(images)).predict(images)


def training_state(model):
    """What a training script saves beside the weights."""
    twin = timm_model(0)
    twin.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(twin.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10)
    twin(torch.randn(2, 3, SIDE, SIDE)).square().sum().backward()
    optimiser.step()
    return dict(optimizer=optimiser.state_dict(), lr_scheduler=schedule.state_dict(), epoch=7, best=np.float64(0.5),
                seeds=np.arange(3), device=torch.device("cpu"), scaler=torch.amp.GradScaler("cpu").state_dict(),
                args=argparse.Namespace(lr=1e-3, data="x", crop=(1, 2), layers=[1, 2], flags={"a", "b"}),
                rng=torch.get_rng_state(), done=torch.tensor(True), steps=torch.tensor(3))


class Malicious:
    """Pickled as a call of os.system that makes the file `path`."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def flat_views(state):
    """The same tensors as views of one storage, at odd places."""
    flat = torch.zeros(sum(t.numel() for t in state.values()) + 1)
    out, at = {}, 1
    for name, t in state.items():
        flat[at:at + t.numel()] = t.reshape(-1)
        out[name] = flat[at:at + t.numel()].view(t.shape)
        at += t.numel()
    return out


def prefixed(state, prefix):
    return {prefix + name: t for name, t in state.items()}


def contents(model):
    """What is saved, by name, and the options by which it loads."""
    state = model.state_dict()
    other = timm_model(99).state_dict()
    training = training_state(model)
    yield "state dict", state, {}
    yield "parameters", {n: torch.nn.Parameter(t) for n, t in state.items()}, {}
    yield "checkpoint", dict(training, model=state), {}
    yield "in module.", dict(training, state_dict=prefixed(state, "module.")), {}
    yield "transposed views", {n: t.t().contiguous().t() if t.ndim == 2 else t for n, t in state.items()}, {}
    yield "views of one storage", flat_views(state), {}
    yield "DINO", {"teacher": prefixed(state, "backbone."), "student": prefixed(other, "module.backbone."),
                   "dino_loss": {"center": torch.zeros(1, 8)}}, {}
    yield "teacher chosen", {"model": other, "model_ema": state}, dict(prefix="model_ema")
    yield "Lightning", {"epoch": 3, "global_step": 10, "pytorch-lightning_version": "2.0", "loops": {"fit_loop": {}},
                        "state_dict": prefixed(state, "model."), "callbacks": {"Checkpoint": {
                            "best_model_score": torch.tensor(0.5), "best_model_path": "x"}},
                        "optimizer_states": [training["optimizer"]], "lr_schedulers": [training["lr_scheduler"]],
                        "hparams_name": "kwargs", "hyper_parameters": {"lr": 1e-3, "net": argparse.Namespace(a=1)}}, {}


def check_contents(tally, folder, images):
    model = timm_model(1)
    want = wanted(model, images)
    reference = os.path.join(folder, "model.safetensors")
    save_file(model.state_dict(), reference)
    same = logits_of(reference, images, **FACTS)
    for name, value, options in contents(model):
        for form, settings in (("zip", {}), ("zip, protocol 5", dict(pickle_protocol=5)),
                               ("older", dict(_use_new_zipfile_serialization=False))):
            path = os.path.join(folder, "weights.pth")
            torch.save(value, path, **settings)
            compare(tally, f"{name}, {form}", path, images, want, same, **FACTS, **options)


def compare(tally, name, path, images, want, same=None, **options):
    try:
        got = logits_of(path, images, **options)
    except peft.PeftError as e:
        tally.check(False, f"{name}: {e.status}: {e}")
        return
    error = float(np.abs(got - want).max() / np.abs(want).max())
    tally.check(error <= LIMIT, f"{name}: relative error {error:.1e}")
    tally.check(same is None or np.array_equal(got, same), f"{name}: other bits than the safetensors file")
    tally.count("equal")


def check_types(tally, folder, images):
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        model = timm_model(2, dtype)
        state = {n: t.to(dtype) for n, t in model.state_dict().items()}
        state["step"] = torch.tensor(5, dtype=torch.int64)     # beside the weights, as batch norms have it
        for new in (True, False):
            path = os.path.join(folder, "typed.bin")
            torch.save({"model": {n: t for n, t in state.items() if n != "step"}, "step": state["step"]}, path,
                       _use_new_zipfile_serialization=new)
            compare(tally, f"{dtype}, {'zip' if new else 'older'}", path, images, wanted(model, images), **FACTS)


def check_shards(tally, folder):
    import transformers
    torch.manual_seed(3)
    config = transformers.ViTConfig(hidden_size=96, num_hidden_layers=3, num_attention_heads=3, intermediate_size=192,
                                    image_size=SIDE, patch_size=8, num_labels=CLASSES)
    model = transformers.ViTForImageClassification(config).eval()
    images = np.random.default_rng(4).normal(size=(2, 3, SIDE, SIDE)).astype(np.float32)
    with torch.no_grad():
        want = model(torch.tensor(images)).logits.numpy()
    model.save_pretrained(folder, max_shard_size="300KB")
    index = os.path.join(folder, "model.safetensors.index.json")
    shards = sorted(f for f in os.listdir(folder) if f.endswith(".safetensors"))
    tally.check(len(shards) > 2, f"transformers wrote {len(shards)} shards")
    compare(tally, "index of shards", index, images, want)
    compare(tally, "folder of shards", folder, images, want)
    os.remove(os.path.join(folder, shards[1]))
    refused(tally, "a missing shard", index, shards[1])
    names = sorted(model.state_dict())
    files = {n: f"pytorch_model-0000{1 + i % 2}-of-00002.bin" for i, n in enumerate(names)}
    for name in set(files.values()):
        torch.save({n: t for n, t in model.state_dict().items() if files[n] == name}, os.path.join(folder, name))
    os.remove(index)
    with open(os.path.join(folder, "pytorch_model.bin.index.json"), "w") as f:
        json.dump({"metadata": {}, "weight_map": files}, f)
    compare(tally, "folder of .bin shards", folder, images, want)


def refused(tally, name, path, expected, **options):
    try:
        peft.Backbone(peft.Context(), path, **options)
        tally.check(False, f"{name}: was loaded")
    except peft.PeftError as e:
        tally.check(expected in str(e), f"{name}: '{expected}' is not in: {e}")
        tally.count("refused")


def check_refusals(tally, folder, images):
    model = timm_model(5)
    path, made = os.path.join(folder, "refused.pt"), os.path.join(folder, "executed")
    for new in (True, False):
        torch.save({"model": model.state_dict(), "x": Malicious(made)}, path, _use_new_zipfile_serialization=new)
        compare(tally, "os.system beside the weights", path, images, wanted(model, images), **FACTS)
        torch.save(Malicious(made), path, _use_new_zipfile_serialization=new)
        refused(tally, "os.system alone", path, "holds no tensors")
        torch.save(model, path, _use_new_zipfile_serialization=new)
        refused(tally, "a whole model", path, "VisionTransformer): save its weights")
    tally.check(not os.path.exists(made), "a command of a pickle was executed")
    torch.save({"model": model.state_dict(), "model_ema": model.state_dict()}, path)
    refused(tally, "two dictionaries", path, "with the prefixes 'model.' and 'model_ema.'")
    torch.jit.save(torch.jit.trace(model, torch.tensor(images)), path)
    refused(tally, "TorchScript", path, "TorchScript")
    with open(path, "wb") as f:
        pickle.dump({n: t.numpy() for n, t in model.state_dict().items()}, f)
    refused(tally, "a pickle of arrays", path, "none of torch.save")
    torch.save(model.state_dict(), path)
    whole = open(path, "rb").read()
    for part in (0.1, 0.5, 0.99):
        with open(path, "wb") as f:
            f.write(whole[:int(len(whole) * part)])
        refused(tally, f"{part} of a file", path, "cut short")


def check_convert(tally, folder):
    """The program convert writes a checkpoint as the tensors that timm loads, bit for bit."""
    model = timm_model(6)
    path, out = os.path.join(folder, "checkpoint.pth"), os.path.join(folder, "out.safetensors")
    for dtype, text in ((torch.float32, "f32"), (torch.bfloat16, "bf16")):
        state = {n: t.to(dtype) for n, t in model.state_dict().items()}
        torch.save(dict(training_state(model) if text == "f32" else {}, model=state), path)
        program = os.path.join(os.environ["PEFT_LIBRARIES"], "examples", "convert")
        facts = ",".join(f"{k}={v}" for k, v in FACTS.items())
        done = subprocess.run([program, "--backbone", path, "--backbone-options", facts, "--out", out, "--force"],
                              capture_output=True, text=True)
        tally.check(done.returncode == 0, f"convert: {done.stderr}")
        if done.returncode:
            continue
        got = load_file(out)
        tally.check(set(got) == set(state), f"convert: other names: {set(got) ^ set(state)}")
        tally.check(all(got[n].dtype == dtype and torch.equal(got[n], t) for n, t in state.items()),
                    f"convert, {text}: other tensors")
        timm_model(0).load_state_dict({n: t.float() for n, t in got.items()})


def load_cost(path):
    """Seconds of the processor (of all threads), and bytes of the context's memory, of one load."""
    context = peft.Context()
    start = time.process_time()
    backbone = peft.Backbone(context, path, config="none")
    seconds = time.process_time() - start
    del backbone
    return seconds, peft.lib.peft_context_memory_peak(context)


def check_cost(tally, folder):
    import timm
    state = timm.create_model("vit_base_patch16_224").state_dict()
    paths = [os.path.join(folder, name) for name in ("b.safetensors", "b.pth")]
    save_file(state, paths[0])
    torch.save(state, paths[1])
    runs = [[load_cost(p) for p in paths] for _ in range(9)]
    ratio = statistics.median(pth[0] / st[0] for st, pth in runs[1:])
    memory = [runs[-1][i][1] for i in range(2)]
    print(f"ViT-B of {os.path.getsize(paths[1]) / 1e6:.0f} MB, .pth against safetensors: "
          f"time {ratio:.3f} (median of 8 pairs); memory beside the mapped file {memory[1] / 1e6:.2f} against {memory[0] / 1e6:.2f} MB")
    tally.check(ratio < 1.2, f"loading the .pth takes {ratio:.2f} times as long")
    tally.check(memory[1] < memory[0] + 2 ** 20, f"loading the .pth needs {memory[1]} bytes, safetensors {memory[0]}")


def main():
    torch.set_num_threads(1)
    print("torch", torch.__version__)
    tally = peft.Tally("torch_files")
    images = np.random.default_rng(0).normal(size=(2, 3, SIDE, SIDE)).astype(np.float32)
    for check in (check_contents, check_types, check_refusals):
        with tempfile.TemporaryDirectory() as folder:
            check(tally, folder, images)
    for check in (check_shards, check_convert, check_cost):
        with tempfile.TemporaryDirectory() as folder:
            check(tally, folder)
    return tally.close()


sys.exit(main())
