# SPDX-License-Identifier: Apache-2.0
"""Small ViTs of timm, transformers, open_clip and torchvision with random configurations and parameters, saved by their
library with or without the configuration file. libpeft must compute the library's features and logits, or refuse the
file with a message, or, without a configuration file, log the values that it assumed."""
import json
import os
import sys
import tempfile
import warnings

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import peft
from vit import randomise, relative

COUNT = int(os.environ.get("PEFT_INTEROP_BACKBONES", "300"))
LIMIT = 2e-5
warnings.filterwarnings("ignore")


class Case:
    """A saved model: its path, the features and logits that it computes, and the configuration that was drawn."""

    def __init__(self, kind, path, want, images, text, configured, **options):
        self.kind, self.path, self.want, self.images, self.text = kind, path, want, images, text
        self.configured, self.options = configured, options


def random_images(rng, size):
    """size: the side, or (height, width)."""
    sides = size if isinstance(size, tuple) else (size, size)
    return rng.normal(size=(2, 3, *sides)).astype(np.float32)


def timm_case(rng, folder):
    import timm
    from timm.models._hub import save_for_hf
    side, patch = int(rng.choice([32, 48])), int(rng.choice([8, 16]))
    heads = int(rng.choice([2, 3, 4]))
    args = dict(img_size=side, patch_size=patch, embed_dim=heads * int(rng.choice([16, 32, 64])), num_heads=heads,
                depth=int(rng.integers(1, 4)), mlp_ratio=float(rng.choice([2, 4])), num_classes=int(rng.choice([0, 5])),
                global_pool=str(rng.choice(["token", "token", "avg", "avg", "max", "avgmax", "map"])))
    extra = {"init_values": 1e-2, "qkv_bias": False, "qk_norm": True, "class_token": False, "no_embed_class": True,
             "reg_tokens": 4, "pre_norm": True, "final_norm": False, "fc_norm": True, "dynamic_img_size": True,
             "pool_include_prefix": True,
             "act_layer": str(rng.choice(["relu", "silu", "quick_gelu", "gelu_tanh", "gelu"])),
             "norm_layer": "layernorm"}
    for name in rng.permutation(list(extra))[: int(rng.choice([0, 1, 1, 2, 3]))]:
        args[name] = extra[name]
    if args.get("class_token") is False and args["global_pool"] == "token":
        args["global_pool"] = "avg"
    name = str(rng.choice(["vit_tiny_patch16_224", "vit_base_patch16_224", "deit3_small_patch16_224",
                           "vit_base_patch16_clip_224", "vit_base_patch16_clip_quickgelu_224"]))
    model = randomise(timm.create_model(name, pretrained=False, **args), rng)
    new = side
    config = rng.random() < 0.6
    if rng.random() < 0.2:
        new = side + patch * int(rng.choice([-1, 1, 2]))
    elif rng.random() < 0.2:
        new = side + patch * int(rng.choice([-1, 1])), side + patch * 2
    save_for_hf(model, folder, model_args=args, safe_serialization=True)
    images = random_images(rng, new)
    resized = model
    if new != side:
        resized = timm.create_model(name, pretrained=False, **dict(args, img_size=new)).eval()
        from timm.models.vision_transformer import checkpoint_filter_fn
        resized.load_state_dict(checkpoint_filter_fn(model.state_dict(), resized))
    if not config:
        os.remove(os.path.join(folder, "config.json"))
    with torch.no_grad():
        x = torch.tensor(images)
        feature = resized.forward_head(resized.forward_features(x), pre_logits=True)
        logits = resized(x) if args["num_classes"] else None
    options = {"image_size": "x".join(map(str, new)) if isinstance(new, tuple) else new} if new != side else {}
    return Case("timm", os.path.join(folder, "model.safetensors"), (feature, logits), images,
                f"{name} {args} config={config} side={new}", config, **options)


def hf_case(rng, folder):
    import transformers as T
    heads = int(rng.choice([2, 3, 4]))
    side, patch = int(rng.choice([32, 48])), int(rng.choice([8, 16]))
    args = dict(image_size=side, patch_size=patch, hidden_size=heads * int(rng.choice([16, 32, 64])),
                num_attention_heads=heads, num_hidden_layers=int(rng.integers(1, 4)))
    args["intermediate_size"] = args["hidden_size"] * 2
    act = str(rng.choice(["gelu"] * 4 + ["relu", "silu", "gelu_new", "quick_gelu", "gelu_pytorch_tanh"]))
    kind = str(rng.choice(["ViTModel", "ViTForImageClassification", "Dinov2Model", "Dinov2ForImageClassification",
                           "Dinov2WithRegistersModel", "CLIPVisionModel", "CLIPForImageClassification", "ViTMAEModel",
                           "ViTMSNModel", "ViTMSNForImageClassification", "DeiTModel", "SiglipVisionModel", "IJepaModel"]))
    eps = float(rng.choice([1e-12, 1e-6, 1e-5]))
    if "Dinov2" in kind:
        args.pop("intermediate_size")
        args.update(mlp_ratio=int(rng.choice([2, 4])), layer_norm_eps=eps, hidden_act=act)
        if rng.random() < 0.3:
            args["use_swiglu_ffn"] = True
        config = (T.Dinov2WithRegistersConfig if "Registers" in kind else T.Dinov2Config)(**args)
    elif "CLIP" in kind:
        args.update(hidden_act=act if rng.random() < 0.5 else "quick_gelu", layer_norm_eps=eps)
        config = T.CLIPVisionConfig(**args)
        if kind == "CLIPForImageClassification":
            small = dict(hidden_size=32, num_attention_heads=2, num_hidden_layers=1, intermediate_size=64, vocab_size=99)
            config = T.CLIPConfig(text_config=small, vision_config=args, projection_dim=16)
    else:
        base = kind.replace("ForImageClassification", "").replace("Model", "").replace("Vision", "")
        args.update(hidden_act=act, layer_norm_eps=eps)
        if base == "ViT" and rng.random() < 0.2:
            args["qkv_bias"] = False
        config = getattr(T, ("SiglipVision" if base == "Siglip" else base) + "Config")(**args)
    if "Classification" in kind:
        config.num_labels = 5
    if kind == "ViTMAEModel":
        config.mask_ratio = 0.0
    model = randomise(getattr(T, kind)(config), rng)
    model.save_pretrained(folder, safe_serialization=True)
    with_config = rng.random() < 0.7
    new = side + patch if rng.random() < 0.2 and kind in ("ViTModel", "Dinov2Model", "ViTForImageClassification",
                                                         "Dinov2WithRegistersModel", "ViTMSNModel") else side
    images = random_images(rng, new)
    x, more = torch.tensor(images), {"interpolate_pos_encoding": True} if new != side and "Dinov2" not in kind else {}
    with torch.no_grad():
        logits = None
        if "Classification" in kind:
            logits = model(x, **more).logits
            inner = getattr(model, "vit", None) or getattr(model, "dinov2", None) or getattr(model, "vision_model", None)
            feature = None
        elif kind == "ViTMAEModel":
            noise = torch.arange((side // patch) ** 2).float().expand(2, -1)
            feature = model(x, noise=noise).last_hidden_state[:, 0]
        elif "CLIP" in kind or "Siglip" in kind:
            feature = model(x, **more).pooler_output
        elif kind == "IJepaModel":
            feature = model(x, **more).last_hidden_state.mean(1)
        else:
            feature = model(x, **more).last_hidden_state[:, 0]
    if not with_config:
        os.remove(os.path.join(folder, "config.json"))
    options = {"image_size": new} if new != side else {}
    return Case("transformers", os.path.join(folder, "model.safetensors"), (feature, logits), images,
                f"{kind} {args} config={with_config} side={new}", with_config, **options)


def open_clip_case(rng, folder):
    import open_clip
    heads, width = int(rng.choice([2, 3])), int(rng.choice([32, 64]))
    side, patch = 32, int(rng.choice([8, 16]))
    vision = dict(image_size=side, patch_size=patch, width=heads * width, head_width=width, layers=int(rng.integers(1, 4)),
                  mlp_ratio=2.0)
    quick = rng.random() < 0.5
    extra = {"ls_init_value": 1e-2, "no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True,
             "attentional_pool": True, "norm_kwargs": {"eps": 1e-6}, "act_kwargs": {"approximate": "tanh"}}
    for name in rng.permutation(list(extra))[: int(rng.choice([0, 0, 1, 2]))]:
        vision[name] = extra[name]
    if "act_kwargs" in vision:
        quick = False
    text = dict(context_length=8, vocab_size=99, width=32, heads=2, layers=1)
    config = dict(embed_dim=24, vision_cfg=vision, text_cfg=text, quick_gelu=bool(quick))
    model = randomise(open_clip.CLIP(embed_dim=24, vision_cfg=dict(vision), text_cfg=dict(text), quick_gelu=quick), rng)
    path = os.path.join(folder, "open_clip_model.safetensors")
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
    with_config = rng.random() < 0.6
    if with_config:
        preprocess = dict(mean=[0.48, 0.45, 0.40], std=[0.26, 0.26, 0.27], interpolation="bicubic", resize_mode="shortest")
        with open(os.path.join(folder, "open_clip_config.json"), "w") as f:
            json.dump({"model_cfg": config, "preprocess_cfg": preprocess}, f)
    images = random_images(rng, side)
    with torch.no_grad():
        model.visual.proj = None
        feature = model.visual(torch.tensor(images))
    return Case("open_clip", path, (feature, None), images, f"{config} config={with_config}", with_config)


def torchvision_case(rng, folder):
    from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings
    heads, side, patch = int(rng.choice([2, 3, 4])), 32, int(rng.choice([8, 16]))
    args = dict(image_size=side, patch_size=patch, num_layers=int(rng.integers(1, 4)), num_heads=heads,
                hidden_dim=heads * int(rng.choice([32, 64, 64])), mlp_dim=96, num_classes=5)
    if rng.random() < 0.2:
        args["representation_size"] = 24
    model = randomise(VisionTransformer(**args), rng)
    path = os.path.join(folder, "model.safetensors")
    save_file(model.state_dict(), path)
    new = side + patch if rng.random() < 0.3 else side
    if new != side:
        resized = VisionTransformer(**dict(args, image_size=new)).eval()
        resized.load_state_dict(interpolate_embeddings(new, patch, model.state_dict()))
        model = resized
    images = random_images(rng, new)
    options = {"image_size": new} if new != side else {}
    heads_given = rng.random() < 0.5 or args["hidden_dim"] % 64 != 0
    if heads_given:
        options["heads"] = heads
    with torch.no_grad():
        logits = model(torch.tensor(images))
    return Case("torchvision", path, (None, logits), images, f"{args} side={new} heads given={heads_given}", False, **options)


def compare(case, tally):
    context = peft.Context()
    try:
        backbone = peft.Backbone(context, case.path, **case.options)
        classes = backbone.get("classes")
        model = peft.Model(backbone, classes=0 if classes > 0 else 2)
        session = peft.Session(model, batch=2, taps="feature")
        logits = session.predict(case.images)
        feature = session.tap("feature").reshape(len(case.images), -1)
    except peft.PeftError as e:
        explained = len(str(e)) > 20 and e.status in ("PEFT_E_UNSUPPORTED", "PEFT_E_FORMAT", "PEFT_E_OPTION")
        tally.count(f"{case.kind} refused")
        tally.check(explained, f"{case.kind} {case.text}: {e.status}: {e}")
        return
    errors = []
    for got, want in zip((feature, logits if classes > 0 else None), case.want):
        if want is not None and got is not None:
            want = want.numpy()
            errors.append(relative(got, want) if got.shape == want.shape else float("inf"))
    if case.want[1] is not None and classes <= 0:
        errors.append(float("inf"))                           # libpeft did not load the classifier
    worst = max(errors)
    warned = [m for level, m in context.log if level <= 1]
    if worst <= LIMIT:
        tally.count(f"{case.kind} equal")
        tally.check(True, "")
    else:
        tally.count(f"{case.kind} assumed" if warned else f"{case.kind} wrong")
        circumstances = f"with its configuration (log: {warned})" if case.configured else "without a warning"
        tally.check(warned and not case.configured, f"{case.kind} {case.text}: relative error {worst:.1e} {circumstances}")
        if warned and os.environ.get("PEFT_INTEROP_VERBOSE"):
            print("assumed", case.kind, case.text, f"{worst:.1e}", warned)


def main():
    torch.set_num_threads(1)
    import transformers
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    tally = peft.Tally("backbones")
    makers = [timm_case] * 4 + [hf_case] * 4 + [open_clip_case] + [torchvision_case]
    for seed in range(COUNT):
        rng = np.random.default_rng(seed)
        with tempfile.TemporaryDirectory() as folder:
            try:
                case = makers[seed % len(makers)](rng, folder)
            except (ValueError, AssertionError, NotImplementedError, TypeError) as e:
                tally.count("refused by its own library")
                if os.environ.get("PEFT_INTEROP_VERBOSE"):
                    print("refused by its own library:", seed, type(e).__name__, str(e)[:200])
                continue
            compare(case, tally)
    for kind in ("timm", "transformers", "open_clip", "torchvision"):       # else a fault could refuse every file
        equal = tally.kinds.get(f"{kind} equal", 0)
        tally.check(equal, f"{kind}: no backbone gave equal features")
    return tally.close()


sys.exit(main())
