# SPDX-License-Identifier: Apache-2.0
"""A random walk over the flags of timm's VisionTransformer and Eva: models of one or two blocks with random parameters,
saved by timm with their configuration. libpeft must compute timm's features and logits, or refuse a flag by its name
that it does not support (REFUSED). PEFT_INTEROP_FLAGS: how many models; PEFT_INTEROP_SEED: the first seed.
Then every architecture of the two classes, with the sizes of a small network (KINDS)."""
import copy
import fnmatch
import os
import sys
import tempfile
import traceback
import warnings

import numpy as np
import torch
from safetensors.torch import load_file

import peft

COUNT = int(os.environ.get("PEFT_INTEROP_FLAGS", "200"))
SEED = int(os.environ.get("PEFT_INTEROP_SEED", "1"))
LIMIT = 2e-5
warnings.filterwarnings("ignore")

# What a model with this flag (value None: whatever it is) may be refused for, and the words of the message.
REFUSED = {
    ("global_pool", "max"): "global_pool", ("global_pool", "avgmax"): "global_pool",
    ("global_pool", "prr"): "global_pool",
    ("global_pool", "map"): "global_pool|attention pooling",
    ("pool_include_prefix", True): "pool_include_prefix", ("norm_layer", "rmsnorm"): "norm_layer|RMSNorm",
    ("embed_norm_layer", None): "embed_norm_layer|patch embedding", ("attn_layer", "diff"): "attn_layer|differential",
    ("act_layer", "mish"): "act_layer", ("act_layer", "hard_swish"): "act_layer", ("in_chans", 1): "in_chans|channels",
    ("use_post_norm", True): "use_post_norm", ("rope_type", "mrope"): "rope_type",
    ("num_kv_heads", None): "num_kv_heads",
    ("attn_only_layer_scale", True): "attn_only_layer_scale", ("base", "vit_base_patch16_rpn_224"): "rpn"}

# Architectures that may be refused, and the words of the message.
KINDS = {
    "aimv2_*": "patch embedding|RMSNorm|norm", "*_rpn_*": "rpn", "*_18x2_*": "parallel", "*_xp_*": "side by side",
    "vit_*_mci_*": "stem", "*_r26_*": "stem", "*_r50_*": "stem", "*_resnet*": "stem", "vit_tiny_r_*": "stem",
    "vit_small_r26*": "stem", "vit_d*wee_*": "differential|side by side", "vit_dlittle_*": "differential|side by side",
    "vit_pwee_*": "side by side", "*_siglip_*": "pool", "*_map_*": "pool", "vit_pe_core_*": "pool", "test_vit3": "pool",
    "test_vit4": "RMSNorm", "*_sapiens2": "RMSNorm", "eva02_enormous_*": "norms after", "*_distilled_*": "distillation"}


def pick(rng, *values):
    return values[int(rng.integers(len(values)))]


def some(rng, share, args, **values):
    """Adds each flag with the probability `share`."""
    for name, value in values.items():
        if rng.random() < share:
            args[name] = value


def sizes(rng):
    heads = int(pick(rng, 2, 3, 4))
    patch = int(pick(rng, 8, 16))
    return dict(img_size=patch * int(pick(rng, 3, 4)), patch_size=patch, embed_dim=heads * int(pick(rng, 16, 20, 32)),
                num_heads=heads, depth=int(rng.integers(1, 3)), num_classes=int(pick(rng, 0, 5)))


def vit_args(rng):
    args = sizes(rng)
    args["mlp_ratio"] = float(pick(rng, 2, 4))
    args["global_pool"] = pick(rng, *["token", "avg"] * 8, "max", "avgmax", "map", "prr")
    some(rng, 0.25, args, class_token=False, qkv_bias=False, qk_norm=True, scale_attn_norm=True, scale_mlp_norm=True,
         proj_bias=False, init_values=0.1, no_embed_class=True, pre_norm=True, dynamic_img_size=True,
         reg_tokens=int(pick(rng, 1, 4)), fc_norm=bool(pick(rng, True, False)),
         act_layer=pick(rng, "gelu", "gelu_tanh", "quick_gelu", "silu", "swish", "relu", "tanh", "sigmoid"))
    some(rng, 0.1, args, pos_embed="none", final_norm=False, norm_layer="layernorm")
    some(rng, 0.03, args, pool_include_prefix=True, norm_layer="rmsnorm", embed_norm_layer="layernorm",
         attn_layer="diff", in_chans=1, act_layer=pick(rng, "mish", "hard_swish"))
    if args.get("class_token") is False and args["global_pool"] == "token":
        args["global_pool"] = "avg"
    base = pick(rng, "vit_tiny_patch16_224", "vit_tiny_patch16_224", "vit_base_patch16_clip_224",
                "vit_base_patch16_siglip_gap_224", "vit_so400m_patch16_siglip_gap_256", "deit3_small_patch16_224",
                "vit_small_patch14_reg4_dinov2", "beit3_base_patch16_224", "vit_base_patch16_rpn_224")
    more, options = {}, {}
    if rng.random() < 0.3:                                    # a class: no configuration can hold it
        from timm.layers import GluMlp, SwiGLU, SwiGLUPacked
        more["mlp_layer"] = pick(rng, GluMlp, SwiGLU, SwiGLUPacked)
        options["gate"] = "last" if more["mlp_layer"] is GluMlp else "first"
        if "act_layer" not in args:
            options["act"] = "gelu_tanh" if "so400m_patch16" in base else "gelu"
        if more["mlp_layer"] is GluMlp:
            more["mlp_ratio"] = args["mlp_ratio"]
    return base, args, more, options


def eva_args(rng):
    args = sizes(rng)
    args["mlp_ratio"] = float(pick(rng, 2, 2.75, 4))
    args["global_pool"] = pick(rng, *["token", "avg"] * 8, "max", "map", "map")
    some(rng, 0.3, args, class_token=False, qkv_bias=bool(pick(rng, True, False)),
         qkv_fused=bool(pick(rng, True, False)), qk_norm=True, swiglu_mlp=bool(pick(rng, True, False)),
         scale_mlp=bool(pick(rng, True, False)),
         scale_attn_inner=True, init_values=0.1, num_reg_tokens=int(pick(rng, 1, 4)), no_embed_class=True,
         attn_type=pick(rng, "eva", "rope"), use_abs_pos_emb=bool(pick(rng, True, False)),
         use_rot_pos_emb=bool(pick(rng, True, True, False)), use_pre_transformer_norm=True,
         use_post_transformer_norm=bool(pick(rng, True, False)), use_fc_norm=bool(pick(rng, True, False)),
         swiglu_align_to=int(pick(rng, 8, 16)), dynamic_img_size=bool(pick(rng, True, False)),
         rope_type=pick(rng, "cat", "dinov3", "mixed"), rope_temperature=float(pick(rng, 10, 100, 10000)),
         rope_grid_offset=float(pick(rng, 0.5, 1, -1)), rope_grid_indexing=pick(rng, "ij", "xy"), rope_rotate_half=True,
         ref_feat_shape=pick(rng, 7, [16, 16]))
    some(rng, 0.03, args, use_post_norm=True, rope_type="mrope", num_kv_heads=args["num_heads"],
         attn_only_layer_scale=True)
    if args.get("class_token") is False and args["global_pool"] == "token":
        args["global_pool"] = "avg"
    if args["global_pool"] == "map":
        args["attn_pool_num_heads"] = pick(rng, None, 1, 2 * args["num_heads"])
    base = pick(rng, "eva02_tiny_patch14_224", "eva02_base_patch16_clip_224", "eva_giant_patch14_224",
                "vit_small_patch16_dinov3", "vit_small_plus_patch16_dinov3_qkvb", "vit_small_patch16_rope_224",
                "vit_small_patch16_rope_mixed_ape_224", "vit_pe_spatial_tiny_patch16_512",
                "vit_medium_patch16_rope_reg1_gap_256")
    return base, args, {}, {}


def randomise(model, rng):
    """Random values for every parameter: an initial 0 or 1 would hide errors."""
    g = torch.Generator().manual_seed(int(rng.integers(2 ** 31)))
    with torch.no_grad():
        for name, p in model.named_parameters():
            scale = 0.2 if p.ndim < 2 or "embed" in name or "token" in name else 1.2 / np.sqrt(p.shape[-1])
            scale = 0.7 if "freqs" in name else scale
            offset = 1 if "norm" in name and name.endswith("weight") else 0
            p.copy_(torch.randn(p.shape, generator=g) * scale + offset)
    return model.eval()


def make(rng, folder):
    """Returns the path, timm's feature and logits, the images, libpeft's options, all flags and the base's name."""
    import timm
    from timm.models import eva, vision_transformer
    from timm.models._hub import save_for_hf
    is_eva = rng.random() < 0.5
    base, args, more, options = (eva_args if is_eva else vit_args)(rng)
    model = randomise(timm.create_model(base, pretrained=False, **args, **more), rng)
    model._model_args.pop("mlp_layer", None)                  # timm would save it as an argument, if JSON could hold it
    save_for_hf(model, folder, model_args=args, safe_serialization=True)
    side = args["img_size"]
    if rng.random() < 0.25:
        side += args["patch_size"] * int(pick(rng, -1, 1, 2))
        options["image_size"] = side
        resized = timm.create_model(base, pretrained=False, **dict(args, img_size=side), **more).eval()
        library = eva if is_eva else vision_transformer
        resized.load_state_dict(library.checkpoint_filter_fn(model.state_dict(), resized))
        model = resized
    images = rng.normal(size=(2, args.get("in_chans", 3), side, side)).astype(np.float32)
    with torch.no_grad():
        x = torch.tensor(images)
        feature = model.forward_head(model.forward_features(x), pre_logits=True).numpy()
        logits = model(x).numpy() if args["num_classes"] else None
    flags = dict(args, base=base, **{k: v.__name__ if hasattr(v, "__name__") else str(v) for k, v in more.items()})
    return os.path.join(folder, "model.safetensors"), feature, logits, images, options, flags, model


def allowed(flags, message):
    if "architecture" in flags:
        return any(fnmatch.fnmatch(flags["architecture"], name) and any(word in message for word in words.split("|"))
                   for name, words in KINDS.items())
    return any((flags.get(name) == value or (value is None and flags.get(name) is not None))
               and any(word in message for word in words.split("|")) for (name, value), words in REFUSED.items())


def make_architecture(name, rng, folder):
    """The same for the architecture of this name: one block, three patches a side."""
    import timm
    from timm.models._hub import save_for_hf
    args = dict(img_size=24, patch_size=8, embed_dim=64, num_heads=2, depth=1, num_classes=5)
    model = randomise(timm.create_model(name, pretrained=False, **args), rng)
    save_for_hf(model, folder, model_args=args, safe_serialization=True)
    images = rng.normal(size=(2, 3, 24, 24)).astype(np.float32)
    with torch.no_grad():
        x = torch.tensor(images)
        feature = model.forward_head(model.forward_features(x), pre_logits=True).numpy()
        logits = model(x).numpy()
    return os.path.join(folder, "model.safetensors"), feature, logits, images, {}, {"architecture": name}, model


def architectures():
    import timm
    from timm.models._registry import model_entrypoint
    modules = ("timm.models.vision_transformer", "timm.models.eva", "timm.models.deit")
    return [name for name in timm.list_models() if model_entrypoint(name).__module__ in modules]


def saved_for_timm(backbone, path, model, images, rng):
    """The difference of the outputs of timm's model and of one that loads what libpeft saved: it must have all tensors
    of the model and no other."""
    backbone.save(path)
    new = randomise(copy.deepcopy(model), rng)
    new.load_state_dict(load_file(path), strict=True)
    with torch.no_grad():
        x = torch.tensor(images)
        want = model(x)
        return float((new(x) - want).abs().max() / want.abs().max())


def compare(path, feature, logits, images, options, flags, model, tally):
    context = peft.Context()
    what = f"{flags} {options}"
    try:
        backbone = peft.Backbone(context, path, **options)
        adapted = peft.Model(backbone, classes=0 if logits is not None else 2)
        session = peft.Session(adapted, batch=len(images), taps="feature")
        got = session.predict(images)
        ours = session.tap("feature").reshape(len(images), -1)
        errors = []
        if ours.shape == feature.shape:                       # a distilled DeiT's feature has both tokens here
            errors.append(np.abs(ours - feature).max() / np.abs(feature).max())
        if logits is not None:
            errors.append(np.abs(got - logits).max() / np.abs(logits).max())
    except peft.PeftError as e:
        tally.count("refused")
        tally.check(allowed(flags, str(e)), f"{what}: {e.status}: {e}")
        return
    tally.check(errors, f"{what}: nothing to compare")
    try:
        errors.append(saved_for_timm(backbone, path + ".saved", model, images, np.random.default_rng(99)))
    except RuntimeError as e:
        tally.check(False, f"{what}: timm does not load what was saved: {str(e)[:300]}")
    assumed = [text for level, text in context.log if level <= 1]
    tally.count("equal" if max(errors) <= LIMIT else "wrong")
    tally.check(max(errors) <= LIMIT, f"{what}: relative error {max(errors):.1e} (log: {assumed})")


def main():
    torch.set_num_threads(1)
    tally = peft.Tally("flags")
    print(f"flags: seeds {SEED} to {SEED + COUNT - 1}")
    made = seed = 0
    while made < COUNT:
        rng = np.random.default_rng(SEED + seed)
        seed += 1
        with tempfile.TemporaryDirectory() as folder:
            try:
                case = make(rng, folder)
            except (ValueError, AssertionError, NotImplementedError, TypeError, RuntimeError) as e:
                tally.count("refused by timm")
                if os.environ.get("PEFT_INTEROP_VERBOSE"):
                    traceback.print_exc()
                continue
            made += 1
            compare(*case, tally)
    tally.check(tally.kinds.get("equal", 0) > COUNT // 2, "fewer than half of the models gave equal features")
    rng = np.random.default_rng(SEED)
    for name in architectures():
        with tempfile.TemporaryDirectory() as folder:
            try:
                case = make_architecture(name, rng, folder)
            except (ValueError, AssertionError, NotImplementedError, TypeError, RuntimeError) as e:
                tally.count("architectures refused by timm")
                if os.environ.get("PEFT_INTEROP_VERBOSE"):
                    print(name, e)
                continue
            compare(*case, tally)
    return tally.close()


sys.exit(main())
