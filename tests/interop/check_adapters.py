# SPDX-License-Identifier: Apache-2.0
"""Adapters in both directions between libpeft and Hugging Face's PEFT, on small random ViTs of transformers and timm.
Read: an adapter that PEFT makes with a random configuration and random values, and saves, must give PEFT's logits here,
or be refused with a message that names the field, where the configuration asks for what libpeft does not have. Written:
an adapter of libpeft with random options and values must load in PEFT without a missing or unexpected tensor and give
the same logits, and a merged backbone must give them in transformers or timm. Networks without a classifier compare
their feature. PEFT_INTEROP_ADAPTERS: number of configurations read (60); PEFT_INTEROP_SEED: the first seed (0);
PEFT_INTEROP_TYPES: the methods of PEFT that are read, by default all of TUNERS."""
import ctypes as C
import importlib.util
import os
import re
import sys
import tempfile
import warnings

import numpy as np
import torch
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
_spec = importlib.util.spec_from_file_location("libpeft_bindings", os.path.join(HERE, "peft.py"))
lp = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lp)
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != HERE]       # else "peft" would be the bindings
import peft  # noqa: E402
import timm  # noqa: E402
import transformers as T  # noqa: E402
from timm.layers import SwiGLU, SwiGLUPacked  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402

COUNT = int(os.environ.get("PEFT_INTEROP_ADAPTERS", "60"))
SEED = int(os.environ.get("PEFT_INTEROP_SEED", "0"))
LIMIT = 2e-5
SIDE, PATCH = 32, 16
warnings.filterwarnings("ignore")


def pick(rng, items, low=1):
    """A random part of the list, in its order; at least `low` of its items."""
    items = list(items)
    chosen = rng.choice(len(items), size=int(rng.integers(low, len(items) + 1)), replace=False)
    return [items[i] for i in sorted(chosen)]


def randomise(named, rng):
    """Sets parameters to random values: with an initial 0 or 1 an error could stay hidden."""
    g = torch.Generator().manual_seed(int(rng.integers(2 ** 31)))
    with torch.no_grad():
        for name, p in named:
            noise = torch.randn(p.shape, generator=g)
            if "magnitude" in name:
                p.mul_(1 + 0.2 * noise)
                continue
            one = ("norm" in name.lower() or "ln_tuning" in name or "layrnorm" in name) and name.endswith("weight")
            one = one or "ia3_l" in name or "lambda_d" in name or "lambda1" in name or "gamma" in name
            small = p.ndim < 2 or "embed" in name or "token" in name or "ia3_l" in name
            scale = 0.05 if "oft_R" in name else 0.2 if small else (0.3 if "lora_" in name else 1.0) / np.sqrt(p.shape[-1] if p.ndim == 2 else p[0].numel())
            p.copy_(noise * scale + (1 if one else 0))


class Net:
    """A random model of another library. linear, norms: its modules that can be adapted, by the shortest names; blocks:
    the name of the list of blocks; mlp: its option for timm's MLP."""

    def __init__(self, rng, kind):
        heads = int(rng.choice([2, 3]))
        args = dict(hidden_size=heads * 16, num_attention_heads=heads, num_hidden_layers=int(rng.integers(2, 4)),
                    image_size=SIDE, patch_size=PATCH)
        self.kind, self.depth, self.width, self.head = kind, args["num_hidden_layers"], heads * 16, "classifier"
        self.naming, self.gated, self.options = "hf5", False, {}
        self.linear = ["q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"]
        self.conv, self.blocks = "projection", "layers"
        if kind == "vit":
            args.update(intermediate_size=96, num_labels=5, layer_norm_eps=1e-6)
            self.make = lambda: T.ViTForImageClassification(T.ViTConfig(**args))
            self.norms = ["layernorm_before", "layernorm_after", "layernorm"]
        elif kind == "dinov2":
            self.gated = bool(rng.random() < 0.4)
            args.update(mlp_ratio=2, layerscale_value=1.0, use_swiglu_ffn=self.gated)
            self.make = lambda: T.Dinov2Model(T.Dinov2Config(**args))
            self.norms, self.head, self.blocks = ["norm1", "norm2", "layernorm"], None, "layer"
            if self.gated:
                self.linear[4:] = ["gate_proj", "up_proj", "down_proj"]
        elif kind == "dinov2 classifier":                     # of the class token and the mean of the patches
            registers = int(rng.choice([0, 0, 3]))
            name = "Dinov2WithRegisters" if registers else "Dinov2"
            args.update(mlp_ratio=2, layerscale_value=1.0, num_labels=5)
            args.update(num_register_tokens=registers) if registers else None
            self.make = lambda: getattr(T, name + "ForImageClassification")(getattr(T, name + "Config")(**args))
            self.norms, self.blocks = ["norm1", "norm2", "layernorm"], "layer"
        elif kind == "clip":
            args.update(intermediate_size=96)
            small = dict(hidden_size=32, num_attention_heads=2, num_hidden_layers=1, intermediate_size=64, vocab_size=99)
            config = T.CLIPConfig(text_config=small, vision_config=args, projection_dim=16, num_labels=5)
            self.make = lambda: T.CLIPForImageClassification(config)
            self.linear[3], self.naming, self.conv = "out_proj", "hf-clip", "patch_embedding"
            self.norms = ["layer_norm1", "layer_norm2", "pre_layrnorm"]       # its classifier skips post_layernorm
        else:
            pool = str(rng.choice(["token", "avg"]))
            mlp = [None, None, SwiGLU, SwiGLUPacked][int(rng.integers(4))]
            extra = {} if mlp is None else {"mlp_layer": mlp}
            self.gated, split = mlp is not None, mlp is SwiGLU
            if self.gated:
                self.options["act"] = "silu"
                extra["act_layer"] = torch.nn.SiLU
            self.make = lambda: VisionTransformer(img_size=SIDE, patch_size=PATCH, embed_dim=heads * 16, depth=self.depth,
                                                  num_heads=heads, mlp_ratio=2, num_classes=5, global_pool=pool, **extra)
            self.options.update(heads=heads)
            self.linear = ["qkv", "attn.proj", *(["fc1_g", "fc1_x"] if split else ["fc1"]), "fc2"]
            self.norms, self.head = ["norm1", "norm2", "fc_norm" if pool == "avg" else ".*"], "head"
            self.naming, self.conv, self.blocks = "timm", "patch_embed.proj", "blocks"
            if pool != "avg":
                self.norms.pop()
        model = self.make()
        randomise(model.named_parameters(), rng)
        self.state = {k: v.clone() for k, v in model.state_dict().items()}
        self.text = f"{kind} width={self.width} depth={self.depth} gated={self.gated} {self.linear}"
        self.images = rng.normal(size=(2, 3, SIDE, SIDE)).astype(np.float32)

    def fresh(self):
        model = self.make()
        model.load_state_dict(self.state)
        return model.eval()

    def write(self, folder):
        """Saves the model as its library does; returns the path of the weights."""
        model = self.fresh()
        if self.kind != "timm":
            model.save_pretrained(folder)
            return os.path.join(folder, "model.safetensors")
        path = os.path.join(folder, "timm.safetensors")
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
        return path

    def save_options(self):
        options = {"naming": self.naming}
        if self.head is None:
            options["prefix"] = ""
        if self.kind == "timm":
            options["gated_mlp"] = "fc1_g" if "fc1_g" in self.linear else "fc1"
        return options

    def run(self, model):
        with torch.no_grad():
            x = torch.tensor(self.images)
            if self.kind == "timm":
                return model(x).numpy()
            out = model(pixel_values=x)
            return (out.last_hidden_state[:, 0] if self.head is None else out.logits).numpy()


# --- configurations of PEFT --------------------------------------------------------------------------------------------
def targets(rng, net, names):
    """The same modules as a list of names, a list of single modules, or a pattern."""
    kind = rng.integers(4)
    if kind == 0:
        return r".*\.(%s)" % "|".join(re.escape(n) for n in names)
    if kind == 1:                                             # other modules in each block
        return r".*\.(%s)" % "|".join(r"%d\..*%s" % (l, re.escape(n)) for n in names for l in pick(rng, range(net.depth)))
    return names


def lora_config(rng, net):
    names = pick(rng, net.linear + ([net.conv] if rng.random() < 0.2 else []))
    args = dict(r=int(rng.choice([1, 2, 3, 4, 8])), lora_alpha=float(rng.choice([1, 2.5, 8, 16])), use_dora=bool(rng.random() < 0.3),
                use_rslora=bool(rng.random() < 0.3), lora_dropout=float(rng.choice([0, 0.1])), init_lora_weights=False,
                bias=str(rng.choice(["none", "none", "lora_only", "all"])))
    args["target_modules"] = targets(rng, net, names)
    if isinstance(args["target_modules"], list) and rng.random() < 0.3:
        args.update(layers_to_transform=[int(l) for l in pick(rng, range(net.depth))], layers_pattern=net.blocks)
        args["target_modules"] = [n for n in args["target_modules"] if n != net.conv] or net.linear[:1]
    if rng.random() < 0.3:
        # in the order in which PEFT saves it; the anchored name alone matches no module, as paths are longer
        pattern = {net.linear[-1]: 2, f"{net.blocks}.0.*": 5, f"^.*{net.blocks}.1.*$": 6, f"^{net.linear[-1]}": 7}
        args["rank_pattern"] = dict(sorted(pattern.items()))
    if rng.random() < 0.3:
        args["alpha_pattern"] = {net.linear[0]: 3.5}
    if rng.random() < 0.2:
        args.update(target_modules="all-linear")
        for key in ("layers_to_transform", "layers_pattern"):
            args.pop(key, None)
    if net.head and rng.random() < 0.3:
        args["modules_to_save"] = [net.head]
    if rng.random() < 0.15 and args["target_modules"] != "all-linear":
        args["exclude_modules"] = r".*\.0\..*"
    return peft.LoraConfig(**args)


def ia3_config(rng, net):
    linear = net.linear
    names = pick(rng, linear + ([net.head] if net.head and rng.random() < 0.2 else []))
    args = dict(target_modules=targets(rng, net, names), feedforward_modules=pick(rng, names, 0), init_ia3_weights=False)
    if not isinstance(args["target_modules"], list):
        args["feedforward_modules"] = pick(rng, linear, 0)
    if net.head and net.head not in names and rng.random() < 0.3:
        args["modules_to_save"] = [net.head]
    return peft.IA3Config(**args)


def ln_config(rng, net):
    args = dict(target_modules=targets(rng, net, pick(rng, net.norms)))
    if net.head and rng.random() < 0.3:
        args["modules_to_save"] = [net.head]
    return peft.LNTuningConfig(**args)


def vera_config(rng, net):
    names = pick(rng, net.linear + ([net.head] if net.head and rng.random() < 0.2 else []))
    args = dict(target_modules=targets(rng, net, names), r=int(rng.choice([2, 8, 16])), save_projection=True,
                d_initial=0.3, projection_prng_key=int(rng.integers(100)))
    if net.head and net.head not in names and rng.random() < 0.3:
        args["modules_to_save"] = [net.head]
    return peft.VeraConfig(**args)


def oft_config(rng, net):
    names = pick(rng, net.linear + ([net.head] if net.head and rng.random() < 0.2 else []))
    size = dict(oft_block_size=int(rng.choice([4, 8, 16, 7]))) if rng.random() < 0.7 else dict(r=int(rng.choice([2, 4])),
                                                                                             oft_block_size=0)
    args = dict(target_modules=targets(rng, net, names), block_share=bool(rng.random() < 0.3),
                use_cayley_neumann=bool(rng.random() < 0.6), num_cayley_neumann_terms=int(rng.choice([5, 5, 2, 3, 4, 7])),
                **size)
    if net.head and net.head not in names and rng.random() < 0.3:
        args["modules_to_save"] = [net.head]
    return peft.OFTConfig(**args)


def unsupported_config(rng, net):
    """A configuration that libpeft must refuse, and the word that its message must contain."""
    first = net.linear[0]
    rows = [(peft.LoraConfig(target_modules=[first], lora_bias=True, init_lora_weights=False), "lora_bias"),
            (peft.LNTuningConfig(target_modules=[first]), "target_modules"),
            (peft.LoHaConfig(target_modules=[first]), "LOHA"), (peft.BOFTConfig(target_modules=[first], boft_block_size=4),
                                                                "BOFT"),
            (peft.OFTConfig(target_modules=[first], oft_block_size=4, coft=True), "coft"),
            (peft.VeraConfig(target_modules=[first], save_projection=False), "save_projection"),
            (peft.LoraConfig(target_modules=[first], modules_to_save=[net.norms[0]]), "modules_to_save")]
    return rows[int(rng.integers(len(rows)))]


TUNERS = {"LORA": lora_config, "IA3": ia3_config, "LN_TUNING": ln_config, "VERA": vera_config, "OFT": oft_config}


def relative(got, want):
    if got.shape != want.shape:
        return float("inf")
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-12))


class Loaded(lp.Handle):
    """A model of libpeft from a PEFT directory."""
    free = lp.lib.peft_model_free

    def __init__(self, backbone, folder):
        out = C.c_void_p()
        lp.ok(lp.lib.peft_model_load_hf(backbone, os.fsencode(folder), C.byref(out)))
        super().__init__(out)
        self.backbone, self.context = backbone, backbone.context


def predict(model, net):
    """Logits, or the feature of a network without a classifier."""
    session = lp.Session(model, batch=len(net.images))
    if net.head:
        return session.predict(net.images)
    out = np.empty((len(net.images), net.width), np.float32)
    context = model.context
    lp.ok(lp.lib.peft_session_features(session, context.tensor(net.images), context.tensor(out)))
    return out


def read_case(seed, folder, tally, kinds):
    rng = np.random.default_rng(seed)
    net = Net(rng, ["vit", "dinov2", "timm", "clip", "dinov2 classifier"][seed % 5])
    refused_for = None
    name = kinds[int(rng.integers(len(kinds)))]
    config = TUNERS[name](rng, net)
    if rng.random() < 0.1:
        config, refused_for = unsupported_config(rng, net)
        name = config.peft_type.value
    what = f"seed {seed}: {net.text} {name} { {k: v for k, v in config.to_dict().items() if v} }"
    path = net.write(folder)
    try:
        model = peft.get_peft_model(net.fresh(), config).eval()
    except (ValueError, RuntimeError, TypeError) as e:
        tally.count("refused by peft")
        if os.environ.get("PEFT_INTEROP_VERBOSE"):
            print("refused by peft:", what, str(e)[:200])
        return
    randomise([(n, p) for n, p in model.named_parameters() if p.requires_grad], rng)
    directory = os.path.join(folder, "adapter")
    torch_file = rng.random() < 0.25                          # adapter_model.bin, of torch.save
    model.save_pretrained(directory, safe_serialization=not torch_file)
    want = net.run(model)
    try:
        backbone = lp.Backbone(lp.Context(), path, **net.options)
        got = predict(Loaded(backbone, directory), net)
    except lp.PeftError as e:
        tally.count(f"{name} refused")
        tally.check(refused_for is not None and refused_for in str(e), f"{what}: {e.status}: {e}")
        return
    error = relative(got, want)
    tally.count(f"{name} read")
    if torch_file:
        tally.count("adapter_model.bin read")
    tally.check(refused_for is None and error <= LIMIT, f"{what}: relative error {error:.1e}")


# --- adapters of libpeft -----------------------------------------------------------------------------------------------
def write_options(rng, net, method):
    parts = ["attn.qkv", "attn.q", "attn.k", "attn.v", "attn.proj", "mlp.fc1", "mlp.fc2"]
    if net.gated and method == "lora":
        parts += ["mlp.fc1_g", "mlp.fc1_x"]
    names = pick(rng, parts)
    if "attn.qkv" in names:                                   # attn.qkv and its parts are one module for PEFT
        names = [n for n in names if n not in ("attn.q", "attn.k", "attn.v")]
    if "mlp.fc1" in names:
        names = [n for n in names if not n.startswith("mlp.fc1_")]
    if method in ("vera", "oft"):                                   # modules that PEFT's model has too
        own = {"qkv": "attn.qkv", "attn.proj": "attn.proj", "out_proj": "attn.proj", "o_proj": "attn.proj", "fc1": "mlp.fc1",
               "down_proj": "mlp.fc2", "fc2": "mlp.fc2", "q_proj": "attn.q", "k_proj": "attn.k", "v_proj": "attn.v",
               "gate_proj": "mlp.fc1_g", "up_proj": "mlp.fc1_x", "fc1_g": "mlp.fc1_g", "fc1_x": "mlp.fc1_x"}
        chosen = ",".join(pick(rng, [own[n] for n in net.linear]))
        if method == "oft":
            return dict(targets=chosen, block_size=int(rng.choice([4, 16])), terms=int(rng.choice([0, 5])))
        return dict(targets=chosen, r=int(rng.choice([3, 8])))
    if method == "ln_tune":
        return dict(targets=str(rng.choice(["all", "norm1", "norm2,0.norm1", *(["norm1,norm", "norm"] if net.kind != "clip" else [])])))
    if method == "ia3":
        forward = [n for n in names if n in ("attn.proj", "mlp.fc1", "mlp.fc2") and rng.random() < 0.5]
        return dict(targets=",".join(names), feedforward=",".join(forward))
    dora = rng.random() < 0.3
    options = dict(targets=",".join(names), r=int(rng.choice([1, 2, 3, 8])), alpha=float(rng.choice([1, 2.5, 8])),
                   rslora=bool(rng.random() < 0.3), dora=bool(dora), bias=str(rng.choice(["none", "none", "lora_only", "all"])))
    if rng.random() < 0.3:
        options["layers"] = "[0,1]" if rng.random() < 0.5 else "1"
    elif rng.random() < 0.3:
        options["targets"] += ",1.attn.proj" if "attn.proj" not in names else ""
    if rng.random() < 0.3:
        options["rank_pattern"] = f"{names[0]}=2"
    if rng.random() < 0.3:
        options["alpha_pattern"] = f"{names[-1]}=3.5"
    return options


def make_here(rng, net, backbone, method, options):
    has_head = net.head is not None
    model = lp.Model(backbone, method, options, **({"classes": int(rng.choice([0, 5]))} if has_head else {"head": "none"}))
    g = np.random.default_rng(int(rng.integers(2 ** 31)))
    for name, value in model.parameters().items():
        noise = g.normal(size=value.shape).astype(np.float32)
        if "oft_R" in name:
            value[...] = 0.05 * noise
        elif "magnitude" in name:
            value *= 1 + 0.2 * noise
        elif value.ndim == 1 or "ia3_l" in name or "lambda" in name:
            value += 0.2 * noise
        else:
            value[...] = 0.3 * noise / np.sqrt(value.shape[1])
    return model


def load_in_peft(net, directory):
    """The model with the adapter, and the names of tensors that are missing or that PEFT did not load."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = peft.PeftModel.from_pretrained(net.fresh(), directory).eval()
    problems = [str(w.message)[:300] for w in caught if "missing" in str(w.message).lower() or "unexpected" in str(w.message)]
    file = load_file(os.path.join(directory, "adapter_model.safetensors"))
    held = peft.get_peft_model_state_dict(model)
    for name in set(file) ^ set(held):
        # with bias="all" PEFT holds the biases of a classifier that libpeft did not train, and of the copies it makes
        unused = re.search(r"\.(%s|post_layernorm)\." % net.head, name) and name.endswith(".bias")
        if not (unused and name in held):
            problems.append(f"{name} only in {'the file' if name in file else 'peft'}")
    problems += [f"{name}: other values" for name in set(file) & set(held) if not torch.equal(file[name], held[name])]
    return model, problems


def write_case(seed, folder, tally, methods):
    rng = np.random.default_rng(100000 + seed)
    net = Net(rng, ["vit", "timm", "dinov2", "clip", "dinov2 classifier"][seed % 5])
    method = methods[int(rng.integers(len(methods)))]
    options = write_options(rng, net, method)
    what = f"write seed {seed}: {net.text} {method} {options}"
    directory, merged = os.path.join(folder, "adapter"), os.path.join(folder, "merged")
    try:
        context = lp.Context(seed)
        backbone = lp.Backbone(context, net.write(folder), **net.options)
        model = make_here(rng, net, backbone, method, options)
        lp.ok(lp.lib.peft_model_save_hf(model, os.fsencode(directory),
                                        context.options(**net.save_options())))
        want = predict(model, net)
    except lp.PeftError as e:
        tally.check(False, f"{what}: {e.status}: {e}")
        return
    theirs, problems = load_in_peft(net, directory)
    error = relative(want, net.run(theirs))
    tally.count(f"{method} written")
    tally.check(not problems and error <= LIMIT, f"{what}: relative error {error:.1e} {problems[:4]}")
    again = predict(Loaded(backbone, directory), net)
    error = relative(again, want)
    tally.check(error <= LIMIT, f"{what}: loaded here again: relative error {error:.1e}")
    merge_case(net, model, context, want, merged, what, tally)


def merge_case(net, model, context, want, merged, what, tally):
    """Merges the model and loads the folder in its own library."""
    if net.kind == "clip":
        return                                                # libpeft writes no backbones under these names
    os.mkdir(merged)
    out = C.c_void_p()
    lp.ok(lp.lib.peft_model_merge(model, C.byref(out)))
    class Merged(lp.Handle):
        free = lp.lib.peft_backbone_free
    backbone = Merged(out)
    if net.kind == "timm":
        path = os.path.join(merged, "m.safetensors")
        lp.ok(lp.lib.peft_backbone_save(backbone, os.fsencode(path)))
        theirs = net.fresh()
        state = load_file(path)
        for name in [n for n in state if "mlp.fc1." in n and any("fc1_g" in k for k in net.state)]:
            halves = state.pop(name).chunk(2)
            for k, half in zip("gx", halves):
                state[name.replace("fc1.", f"fc1_{k}.")] = half.contiguous()
        theirs.load_state_dict({k: v.reshape(net.state[k].shape) for k, v in state.items()})
    else:
        lp.ok(lp.lib.peft_backbone_save_as(backbone, os.fsencode(merged), context.options(naming="hf5")))
        theirs = type(net.fresh()).from_pretrained(merged).eval()
    error = relative(net.run(theirs), want)
    tally.count("merged")
    tally.check(error <= LIMIT, f"{what}: merged: relative error {error:.1e}")


def main():
    torch.set_num_threads(1)
    T.utils.logging.set_verbosity_error()
    T.utils.logging.disable_progress_bar()
    print(f"peft {peft.__version__}, transformers {T.__version__}, timm {timm.__version__}; seeds from {SEED}")
    tally = lp.Tally("adapters")
    kinds = os.environ.get("PEFT_INTEROP_TYPES", ",".join(TUNERS)).split(",")
    for seed in range(SEED, SEED + COUNT):
        with tempfile.TemporaryDirectory() as folder:
            read_case(seed, folder, tally, kinds)
    for seed in range(SEED, SEED + max(1, 2 * COUNT // 3)):
        with tempfile.TemporaryDirectory() as folder:
            write_case(seed, folder, tally, ["lora", "lora", "ia3", "ln_tune", "vera", "oft"])
    for name in kinds:                                        # else a fault could refuse every configuration
        tally.check(tally.kinds.get(f"{name} read"), f"{name}: no configuration was read")
    tally.check(tally.kinds.get("adapter_model.bin read"), "no adapter_model.bin was read")
    return tally.close()


sys.exit(main())
