# SPDX-License-Identifier: Apache-2.0
"""Adapters and merged weights of one model of models.py, in both directions. Each function returns the largest
relative error; PeftError and Refused say why there is none."""
import copy
import os
import re
import warnings

import numpy as np
import peft
import torch
from safetensors.torch import load_file

from architectures.bindings import lp
from vit import relative

# The first block in the names of modules, by naming.
BLOCKS = {"hf5": r"(encoder\.layer|layers)\.0\.", "hf-clip": r"encoder\.layers\.0\.", "timm": r"blocks\.0\.",
          "timm-unfused": r"blocks\.0\.", "hf-dinov3": r"layer\.0\.", "clip": r"transformer\.resblocks\.0\."}


class Refused(Exception):
    """A library has no form for this. who: which one."""

    def __init__(self, who, reason):
        super().__init__(reason)
        self.who = who


def module_names(net):
    """The linear layers (and MultiheadAttentions) of the image tower's blocks, by the names behind the block's number,
    and the prefix of the blocks."""
    pattern = re.compile(re.escape(net.tower) + r"(.*?)" + BLOCKS[net.naming])
    names, prefix = [], None
    for path, module in net.model.named_modules():
        found = pattern.match(path)
        if not found or not isinstance(module, (torch.nn.Linear, torch.nn.MultiheadAttention)):
            continue
        prefix = net.tower + found.group(1)
        name = path[found.end():]
        if not any(name.startswith(m + ".") for m in names):  # out_proj of a MultiheadAttention is adapted with it
            names.append(name)
    return names, prefix


def randomise(parameters, rng):
    g = torch.Generator().manual_seed(int(rng.integers(2 ** 31)))
    with torch.no_grad():
        for p in parameters:
            p.copy_(torch.randn(p.shape, generator=g) * 0.3 / np.sqrt(p.shape[-1] if p.ndim else 1))


def errors(net, model, got, x, feature=None):
    """got: feature and logits of libpeft; the model's own are computed, the feature by a function other than net's if
    one is given."""
    with torch.no_grad():
        want = [(feature or net.feature)(model, x).numpy(), net.logits(model, x).numpy() if net.logits else None]
    out = [relative(g, w) if g.shape == w.shape else float("inf") for g, w in zip(got, want) if w is not None]
    return max(out)


def results(model, net, images):
    """Feature and logits of a model of libpeft."""
    session = lp.Session(model, batch=len(images), taps="feature")
    context = model.context
    if net.logits:
        logits = session.predict(images)
        return session.tap("feature").reshape(len(images), -1), logits
    width = lp.lib.peft_model_feature_width(model)
    out = np.empty((len(images), width), np.float32)
    lp.ok(lp.lib.peft_session_features(session, context.tensor(images), context.tensor(out)))
    return out, None


lp.lib.peft_model_feature_width.restype = __import__("ctypes").c_int64


class Loaded(lp.Handle):
    """A model of libpeft from a PEFT directory."""
    free = lp.lib.peft_model_free

    def __init__(self, backbone, folder):
        super().__init__(lp._new(lp.lib.peft_model_load_hf, backbone, os.fsencode(folder)))
        self.backbone, self.context = backbone, backbone.context


def not_called(net, x):
    """Those of module_names that the model does not call: timm's Eva with q_bias passes the weight of qkv to F.linear,
    so that an adapter of qkv has no effect until it is merged."""
    names, prefix = module_names(net)
    called = set()
    hooks = [m.register_forward_hook(lambda *_, path=path: called.add(path))
             for path, m in net.model.named_modules()]
    with torch.no_grad():
        net.feature(net.model, x)
    for hook in hooks:
        hook.remove()
    return [n for n in names if not any(path.startswith(prefix) and path.endswith("." + n) for path in called)]


def adapt(net, rng):
    """A copy of the model with LoRA of the real PEFT on all linear layers of the blocks."""
    names, prefix = module_names(net)
    pattern = "|".join(map(re.escape, names))
    elsewhere = any(re.search(rf"(^|\.)({pattern})$", path) and not re.search(r"\.\d+\.", path)
                    for path, _ in net.model.named_modules())
    targets = names
    if net.tower or elsewhere:                                # of another tower, or of attention pooling
        targets = re.escape(prefix) + r".*\.\d+\.(%s)" % "|".join(map(re.escape, names))
    model = copy.deepcopy(net.model)
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=3, lora_alpha=5, target_modules=targets))
    adapted.eval()
    randomise([p for p in adapted.parameters() if p.requires_grad], rng)
    return model, adapted


def read(net, backbone, folder, x, rng):
    """An adapter that PEFT saved, loaded by libpeft."""
    model, adapted = adapt(net, rng)
    adapted.save_pretrained(folder)
    if not_called(net, x):
        model = adapted.merge_and_unload()
    return errors(net, model, results(Loaded(backbone, folder), net, x.numpy()), x)


def read_merged(net, folder, x, rng):
    """A model that PEFT merged and its library saved, loaded by libpeft."""
    model, adapted = adapt(net, rng)
    merged = adapted.merge_and_unload()
    backbone = lp.Backbone(lp.Context(), net.save(merged, folder), **net.options)
    model = lp.Model(backbone, **(dict(classes=0) if net.logits else dict(head="none")))
    return errors(net, merged, results(model, net, x.numpy()), x)


def adapt_here(net, backbone, rng):
    """A model of libpeft with a random adapter."""
    model = lp.Model(backbone, "lora", dict(targets="attn.q,attn.v,attn.proj,mlp.fc1,mlp.fc2", r=3, alpha=5.0),
                     **(dict(classes=0) if net.logits else dict(head="none")))
    for value in model.parameters().values():
        value[...] = rng.normal(size=value.shape) * 0.3 / np.sqrt(value.shape[-1])
    return model


def problems_of(directory, model, caught):
    """What PEFT said of missing tensors, and tensors that it holds with other values than those of the file."""
    said = [str(w.message)[:200] for w in caught
            if "missing" in str(w.message).lower() or "unexpected" in str(w.message)]
    file = load_file(os.path.join(directory, "adapter_model.safetensors"))
    held = peft.get_peft_model_state_dict(model)
    said += [f"{k} only in {'the file' if k in file else 'PEFT'}" for k in sorted(set(file) ^ set(held))]
    return said + [f"{k}: other values" for k in set(file) & set(held) if not torch.equal(file[k], held[k])]


def written(net, here, folder, x):
    """An adapter that libpeft saved, loaded by PEFT."""
    names, prefix = module_names(net)
    options = dict(naming=net.naming, prefix=prefix)
    if net.naming.startswith("timm"):
        options["gated_mlp"] = "fc1_g" if "mlp.fc1_g" in names else "fc1"
    try:
        lp.ok(lp.lib.peft_model_save_hf(here, os.fsencode(folder), here.context.options(**options)))
    except lp.PeftError as e:
        if "the classifier reads pool=cls_dist" not in str(e):
            raise
        raise Refused("libpeft", "PEFT saves one classifier, a network with a distillation token has two") from e
    model = copy.deepcopy(net.model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        adapted = peft.PeftModel.from_pretrained(model, folder).eval()
    problems = problems_of(folder, adapted, caught)
    if problems:
        raise AssertionError("; ".join(problems[:4]))
    if not_called(net, x):
        model = adapted.merge_and_unload()
    return errors(net, model, results(here, net, x.numpy()), x)


class Merged(lp.Backbone):
    """The backbone into which a model of libpeft is merged."""

    def __init__(self, model):
        lp.Handle.__init__(self, lp._new(lp.lib.peft_model_merge, model))
        self.context = model.context


def load_again(net, path):
    """A model of other random weights that loads a file or folder of libpeft, and the tensors that are missing or
    unexpected. open_clip's projections and text tower, which a backbone lacks, are not counted."""
    if net.model_class:
        import transformers as T
        more = {"add_pooling_layer": False} if net.model_class in ("ViTModel", "DeiTModel", "IJepaModel") else {}
        model, info = getattr(T, net.model_class).from_pretrained(path, output_loading_info=True, **more)
        problems = {k: [str(i) for i in v][:4] for k, v in info.items() if v}
        return model.eval(), problems
    model, tensors = copy.deepcopy(net.model), load_file(path)
    randomise(model.parameters(), np.random.default_rng(99))
    if not net.tower:
        model.load_state_dict(tensors, strict=True)
        return model, {}
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    missing = [k for k in missing if k.startswith("visual.") and not k.startswith(("visual.proj", "visual.head."))]
    return model, {k: v[:4] for k, v in (("missing", missing), ("unexpected", unexpected)) if v}


def merged(net, here, folder, x):
    """A merged backbone that libpeft saved, loaded by its own library."""
    library = "hf5" if net.model_class else "clip" if net.tower else "timm"
    path = os.path.join(folder, "merged" if net.model_class else "merged.safetensors")
    try:
        Merged(here).save_as(path, naming=library, classifier=net.logits is not None)
    except lp.PeftError as e:
        if e.status != "PEFT_E_UNSUPPORTED" or "naming has it" not in str(e):
            raise
        raise Refused("libpeft", str(e))
    model, problems = load_again(net, path)
    if problems:
        raise AssertionError(str(problems)[:300])
    return errors(net, model, results(here, net, x.numpy()), x, net.alone)
