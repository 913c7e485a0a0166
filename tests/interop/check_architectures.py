# SPDX-License-Identifier: Apache-2.0
"""One small random model of each architecture of transformers, open_clip and timm's pooling kinds, saved by its library
with its configuration. libpeft must compute the library's features and logits. Prints a table."""
import json
import os
import sys
import tempfile
import warnings

import numpy as np
import torch
from safetensors.torch import save_file

import peft
from vit import randomise, relative

LIMIT = 2e-5
SIDE, PATCH, CLASSES = 32, 8, 5
warnings.filterwarnings("ignore")
SIZES = dict(image_size=SIDE, patch_size=PATCH, hidden_size=48, num_attention_heads=3, num_hidden_layers=2)
MLP = dict(intermediate_size=96)


def saved(model, folder):
    model.save_pretrained(folder, safe_serialization=True)
    return os.path.join(folder, "model.safetensors")


def hf(model_class, config_class, feature, labels=CLASSES, **settings):
    """A model of transformers: the class by name, and a function of the model and images that gives its feature."""
    def make(rng, folder):
        import transformers as T
        config = getattr(T, config_class)(**{**SIZES, **settings})
        config.num_labels = labels
        model = randomise(getattr(T, model_class)(config), rng)
        classifies = "Classification" in model_class
        return saved(model, folder), {}, lambda x: feature(model, x), (lambda x: model(x).logits) if classifies else None
    make.model_name, make.feature = model_class, feature
    return make


def tokens(model, x):
    inner = [m for name, m in model.named_children() if name not in ("classifier", "cls_classifier",
                                                                     "distillation_classifier")]
    return (inner[0] if hasattr(model, "classifier") or hasattr(model, "cls_classifier") else model)(x).last_hidden_state


def class_token(model, x):
    return tokens(model, x)[:, 0]


def mean(model, x):
    return tokens(model, x).mean(1)


def two_tokens(model, x):
    return tokens(model, x)[:, :2].flatten(1)


def token_and_mean(registers=0):
    def feature(model, x):
        t = tokens(model, x)
        return torch.cat([t[:, 0], t[:, 1 + registers:].mean(1)], 1)
    return feature


def pooler(model, x):
    return model(x).pooler_output


def siglip(model_class, **vision):
    """SiglipVisionModel, or the classifier, which takes the whole model's configuration."""
    def make(rng, folder):
        import transformers as T
        sizes = dict(SIZES, **MLP, **vision)
        config = T.SiglipVisionConfig(**sizes)
        if model_class == "SiglipForImageClassification":
            text = dict(hidden_size=32, num_attention_heads=2, num_hidden_layers=1, intermediate_size=64, vocab_size=99)
            config = T.SiglipConfig(text_config=text, vision_config=sizes, num_labels=CLASSES)
            model = randomise(T.SiglipForImageClassification(config), rng)
            return saved(model, folder), {}, lambda x: mean(model, x), lambda x: model(x).logits
        model = randomise(getattr(T, model_class)(config), rng)
        return saved(model, folder), {}, lambda x: pooler(model, x), None
    return make


def siglip_whole(rng, folder):
    import transformers as T
    text = dict(hidden_size=32, num_attention_heads=2, num_hidden_layers=1, intermediate_size=64, vocab_size=99)
    model = randomise(T.SiglipModel(T.SiglipConfig(text_config=text, vision_config=dict(SIZES, **MLP))), rng)
    return saved(model, folder), {}, lambda x: model.vision_model(x).pooler_output, None


def clip(model_class, act):
    def make(rng, folder):
        import transformers as T
        sizes = dict(SIZES, **MLP, hidden_act=act)
        if model_class == "CLIPVisionModel":
            model = randomise(T.CLIPVisionModel(T.CLIPVisionConfig(**sizes)), rng)
            return saved(model, folder), {}, lambda x: pooler(model, x), None
        text = dict(hidden_size=32, num_attention_heads=2, num_hidden_layers=1, intermediate_size=64, vocab_size=99)
        config = T.CLIPConfig(text_config=text, vision_config=sizes, projection_dim=16, num_labels=CLASSES)
        model = randomise(T.CLIPForImageClassification(config), rng)
        return saved(model, folder), {}, lambda x: tokens(model, x)[:, 1:].mean(1), lambda x: model(x).logits
    return make


def mae(rng, folder):
    import transformers as T
    model = randomise(T.ViTMAEModel(T.ViTMAEConfig(**SIZES, **MLP, mask_ratio=0.0)), rng)
    noise = torch.arange((SIDE // PATCH) ** 2).float().expand(2, -1)
    return saved(model, folder), {}, lambda x: model(x, noise=noise).last_hidden_state[:, 0], None


def dinov3(**settings):
    return hf("DINOv3ViTModel", "DINOv3ViTConfig", pooler, **{**MLP, "num_register_tokens": 4, **settings})


def dinov3_without_config(**settings):
    """The tensors of DINOv3 alone; options state what they do not tell."""
    def make(rng, folder):
        path, _, feature, logits = dinov3(**settings)(rng, folder)
        os.remove(os.path.join(folder, "config.json"))
        return path, dict(heads=3, image_size=SIDE, act=settings.get("hidden_act", "gelu")), feature, logits
    return make


def facebook_names(state):
    """The tensors of transformers' DINOv3 under the names of Facebook's code. qkv.bias_mask is 0 at k, whose bias there
    is not 0."""
    top = {"embeddings.cls_token": "cls_token", "embeddings.register_tokens": "storage_tokens",
           "embeddings.patch_embeddings.": "patch_embed.proj.", "embeddings.mask_token": "mask_token"}
    inner = {"attention.o_proj": "attn.proj", "layer_scale1.lambda1": "ls1.gamma", "layer_scale2.lambda1": "ls2.gamma",
             "mlp.gate_proj": "mlp.w1", "mlp.up_proj": "mlp.w2", "mlp.down_proj": "mlp.w3"}
    out = {}
    for name, tensor in state.items():
        for theirs, ours in top.items():
            name = name.replace(theirs, ours)
        name = name.replace("model.layer.", "blocks.")
        for theirs, ours in inner.items():
            name = name.replace(theirs, ours)
        if "attention." in name:
            continue
        out[name if "mask_token" not in name else "mask_token"] = tensor[0] if "mask_token" in name else tensor
    for i in range(SIZES["num_hidden_layers"]):
        q, k, v = (f"model.layer.{i}.attention.{part}_proj." for part in "qkv")
        bias = state[q + "bias"]
        out[f"blocks.{i}.attn.qkv.weight"] = torch.cat([state[p + "weight"] for p in (q, k, v)])
        out[f"blocks.{i}.attn.qkv.bias"] = torch.cat([bias, torch.full_like(bias, 7.0), state[v + "bias"]])
        out[f"blocks.{i}.attn.qkv.bias_mask"] = torch.cat([torch.ones_like(bias), torch.zeros_like(bias),
                                                           torch.ones_like(bias)])
    return out


def dinov3_by(naming):
    """The weights of transformers' DINOv3 (S+: gated) under the names of Facebook's code or timm's."""
    def make(rng, folder):
        import timm
        import transformers as T
        from timm.models._hub import save_for_hf
        from timm.models.eva import checkpoint_filter_fn
        config = T.DINOv3ViTConfig(**SIZES, **MLP, num_register_tokens=4, use_gated_mlp=True, hidden_act="silu")
        model = randomise(T.DINOv3ViTModel(config), rng)
        theirs = facebook_names(model.state_dict())
        path = os.path.join(folder, "model.safetensors")
        if naming == "facebook":
            save_file({k: v.contiguous() for k, v in theirs.items()}, path)
            return path, dict(heads=3, image_size=SIDE, act="silu"), lambda x: pooler(model, x), None
        args = dict(img_size=SIDE, patch_size=PATCH, embed_dim=48, num_heads=3, depth=2, mlp_ratio=2, num_classes=0,
                    swiglu_align_to=8, global_pool="token")
        copy = timm.create_model("vit_small_plus_patch16_dinov3_qkvb", pretrained=False, **args).eval()
        copy.load_state_dict(checkpoint_filter_fn(theirs, copy))
        save_for_hf(copy, folder, model_args=args, safe_serialization=True)
        return path, {}, lambda x: pooler(model, x), None
    return make


def timm(name, feature=None, **settings):
    def make(rng, folder):
        import timm
        from timm.models._hub import save_for_hf
        args = dict(img_size=SIDE, patch_size=PATCH, embed_dim=48, num_heads=3, depth=2, num_classes=CLASSES, **settings)
        model = randomise(timm.create_model(name, pretrained=False, **args), rng)
        save_for_hf(model, folder, model_args=args, safe_serialization=True)
        usual = lambda model, x: model.forward_head(model.forward_features(x), pre_logits=True)
        return (os.path.join(folder, "model.safetensors"), {}, lambda x: (feature or usual)(model, x),
                None if feature and "distilled" not in name else model)
    return make


def distilled(model, x):
    return model.forward_features(x)[:, :2].flatten(1)


def virchow(model, x):
    t = model.forward_features(x)
    return torch.cat([t[:, 0], t[:, 1:].mean(1)], 1)


def with_options(make, **options):
    def made(rng, folder):
        path, _, feature, logits = make(rng, folder)
        return path, options, feature, logits
    made.__dict__.update(make.__dict__)
    return made


TEXT = dict(context_length=8, vocab_size=99, width=32, heads=2, layers=1)


def open_clip(quick=False, size=24, **settings):
    """open_clip's own tower; its feature is what the projection reads."""
    def make(rng, folder):
        import open_clip
        vision = dict(image_size=SIDE, patch_size=PATCH, width=48, head_width=16, layers=2, mlp_ratio=2.0, **settings)
        if "timm_model_name" in settings:
            vision = dict(image_size=224, **settings)
        config = dict(embed_dim=size, vision_cfg=dict(vision), text_cfg=dict(TEXT), quick_gelu=quick)
        model = randomise(open_clip.CLIP(**{k: (dict(v) if isinstance(v, dict) else v) for k, v in config.items()}), rng)
        path = os.path.join(folder, "open_clip_model.safetensors")
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
        with open(os.path.join(folder, "open_clip_config.json"), "w") as f:
            json.dump({"model_cfg": config, "preprocess_cfg": {}}, f)
        if "timm_model_name" in settings:
            return path, {"image_size": 224}, lambda x: model.visual.trunk(x), None
        model.visual.proj = None
        return path, {}, lambda x: model.visual(x), None
    return make


def coca(size=24):
    def make(rng, folder):
        import open_clip
        vision = dict(image_size=SIDE, patch_size=PATCH, width=48, head_width=16, layers=2, mlp_ratio=2.0,
                      attentional_pool=True, attn_pooler_heads=4, output_tokens=True)
        text = dict(TEXT, embed_cls=True, output_tokens=True)
        multimodal = dict(context_length=8, vocab_size=99, width=32, heads=2, layers=1)
        config = dict(embed_dim=size, vision_cfg=vision, text_cfg=text, multimodal_cfg=multimodal)
        model = randomise(open_clip.CoCa(**{k: (dict(v) if isinstance(v, dict) else v) for k, v in config.items()}), rng)
        path = os.path.join(folder, "open_clip_model.safetensors")
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
        with open(os.path.join(folder, "open_clip_config.json"), "w") as f:
            json.dump({"model_cfg": config, "preprocess_cfg": {}}, f)
        model.visual.proj = None
        return path, {}, lambda x: model.visual(x)[0], None
    return make


def conch(size=24):
    """CONCH: timm's ViT, whose tokens after the norm open_clip's AttentionalPooler reads with one query, then a norm."""
    def make(rng, folder):
        import timm
        from open_clip.transformer import AttentionalPooler
        trunk = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=0, img_size=SIDE, patch_size=PATCH,
                                  embed_dim=48, num_heads=3, depth=2)
        visual = torch.nn.Module()
        visual.trunk, visual.ln_contrast = trunk, torch.nn.LayerNorm(size)
        visual.attn_pool_contrast = AttentionalPooler(size, 48, n_head=8, n_queries=1)
        visual.attn_pool_caption, visual.ln_caption = AttentionalPooler(16, 48, n_head=8), torch.nn.LayerNorm(16)
        visual.proj_contrast = torch.nn.Parameter(torch.randn(size, size))
        whole = torch.nn.Module()
        whole.visual, whole.logit_scale = visual, torch.nn.Parameter(torch.zeros([]))
        randomise(whole, rng)
        path = os.path.join(folder, "model.safetensors")
        save_file({k: v.contiguous() for k, v in whole.state_dict().items()}, path)
        options = dict(heads=3, pool_heads=8)
        return (path, options,
                lambda x: visual.ln_contrast(visual.attn_pool_contrast(trunk.forward_features(x))[:, 0]), None)
    return make


BIOMED = dict(timm_model_name="vit_tiny_patch16_224", timm_pool="", timm_proj="linear", timm_model_pretrained=False)

ARCHITECTURES = {
    "transformers": {
        "ViTModel": hf("ViTModel", "ViTConfig", class_token, **MLP),
        "ViTForImageClassification": hf("ViTForImageClassification", "ViTConfig", class_token, **MLP),
        "ViTMAEModel": mae,
        "DeiTModel": hf("DeiTModel", "DeiTConfig", class_token, **MLP),
        "DeiTForImageClassification": hf("DeiTForImageClassification", "DeiTConfig", class_token, **MLP),
        "DeiTForImageClassificationWithTeacher": hf("DeiTForImageClassificationWithTeacher", "DeiTConfig", two_tokens,
                                                    **MLP),
        "Dinov2Model": hf("Dinov2Model", "Dinov2Config", class_token, mlp_ratio=2),
        "Dinov2Model (cls_mean, Midnight)": with_options(
            hf("Dinov2Model", "Dinov2Config", token_and_mean(), mlp_ratio=2, use_swiglu_ffn=True), pool="cls_mean"),
        "Dinov2ForImageClassification": hf("Dinov2ForImageClassification", "Dinov2Config", token_and_mean(), mlp_ratio=2),
        "Dinov2WithRegistersModel": hf("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", class_token, mlp_ratio=2),
        "Dinov2WithRegistersForImageClassification": hf(
            "Dinov2WithRegistersForImageClassification", "Dinov2WithRegistersConfig", token_and_mean(4), mlp_ratio=2),
        "DINOv3ViTModel": dinov3(),
        "DINOv3ViTModel (no registers, no biases)": dinov3(
            num_register_tokens=0, query_bias=False, value_bias=False, proj_bias=False, mlp_bias=False),
        "DINOv3ViTModel (bias of k alone, gelu-tanh, eps)": dinov3(
            query_bias=False, key_bias=True, value_bias=False, proj_bias=False, hidden_act="gelu_pytorch_tanh",
            layer_norm_eps=1e-3),
        "DINOv3ViTModel (gated, rope_theta 37.5)": dinov3(use_gated_mlp=True, hidden_act="silu", rope_theta=37.5),
        "DINOv3ViTModel (gated by GELU, 6 heads, 48 pixels)": with_options(
            dinov3(use_gated_mlp=True, num_attention_heads=6, num_register_tokens=1), image_size=48),
        "DINOv3ViTModel (without config.json)": dinov3_without_config(),
        "DINOv3ViTModel (gated, without config.json)": dinov3_without_config(use_gated_mlp=True, hidden_act="silu"),
        "DINOv3ViTModel's weights in Facebook's names": dinov3_by("facebook"),
        "DINOv3ViTModel's weights in timm's names": dinov3_by("timm"),
        "CLIPVisionModel": clip("CLIPVisionModel", "quick_gelu"),
        "CLIPVisionModel (gelu)": clip("CLIPVisionModel", "gelu"),
        "CLIPForImageClassification": clip("CLIPForImageClassification", "quick_gelu"),
        "SiglipVisionModel": siglip("SiglipVisionModel"),
        "SiglipModel": siglip_whole,
        "SiglipForImageClassification": siglip("SiglipForImageClassification"),
        "IJepaModel": hf("IJepaModel", "IJepaConfig", mean, **MLP),
        "IJepaForImageClassification": hf("IJepaForImageClassification", "IJepaConfig", mean, **MLP),
    },
    "open_clip": {
        "ViT": open_clip(),
        "ViT (QuickGELU)": open_clip(quick=True),
        "ViT (gelu-tanh, eps, LayerScale, no ln_pre)": open_clip(
            act_kwargs={"approximate": "tanh"}, norm_kwargs={"eps": 1e-6}, ls_init_value=0.1, no_ln_pre=True),
        "CLIPA": open_clip(pool_type="avg", final_ln_after_pool=True),
        "mean after ln_post": open_clip(pool_type="avg"),
        "CoCa": coca(),
        "CoCa (pool as wide as the tokens)": coca(size=48),
        "CONCH": conch(),
        "CONCH (pool as wide as the tokens)": conch(size=48),
        "BiomedCLIP (timm trunk)": open_clip(**BIOMED),
    },
    "timm": {
        "deit_tiny_distilled": timm("deit_tiny_distilled_patch16_224", distilled),
        "map pooling": timm("vit_tiny_patch16_224", global_pool="map"),
        "map pooling, no class token": timm("vit_tiny_patch16_224", global_pool="map", class_token=False),
        "avg before the norm (fc_norm)": timm("vit_tiny_patch16_224", global_pool="avg"),
        "avg after the norm": timm("vit_tiny_patch16_224", global_pool="avg", fc_norm=False),
        "class token and mean (Virchow)": with_options(timm("vit_tiny_patch16_224", virchow), pool="cls_mean"),
    },
}


def whole(model_class, config_class, **settings):
    def make(rng, folder):
        import transformers as T
        return saved(getattr(T, model_class)(getattr(T, config_class)(**settings)), folder)
    return make


STAGES = dict(image_size=SIDE, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4)
# What is no plain ViT, and a word of the error that names it.
REFUSED = {
    "BeitModel": (whole("BeitModel", "BeitConfig", **SIZES, **MLP, use_relative_position_bias=True), "BEiT"),
    "Data2VecVisionModel": (whole("Data2VecVisionModel", "Data2VecVisionConfig", **SIZES, **MLP,
                                  use_relative_position_bias=True), "BEiT"),
    "SwinModel": (whole("SwinModel", "SwinConfig", **STAGES), "Swin"),
    "ConvNextModel": (whole("ConvNextModel", "ConvNextConfig", hidden_sizes=[8, 16], depths=[1, 1], num_stages=2),
                      "ConvNeXt"),
    "ResNetModel": (whole("ResNetModel", "ResNetConfig", embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1],
                          layer_type="basic"), "ResNet"),
    "SamVisionModel": (whole("SamVisionModel", "SamVisionConfig", **SIZES, output_channels=8, global_attn_indexes=[1],
                             window_size=2), "SAM"),
    "YolosModel": (whole("YolosModel", "YolosConfig", **{**SIZES, "image_size": [SIDE, SIDE]}, **MLP,
                         num_detection_tokens=3), "YOLOS"),
    "Siglip2VisionModel": (whole("Siglip2VisionModel", "Siglip2VisionConfig", hidden_size=48, num_attention_heads=3,
                                 num_hidden_layers=2, patch_size=PATCH, num_patches=16, **MLP), "NaFlex"),
}


def refuse(name, make, word, tally):
    """The error with which libpeft refuses the model."""
    with tempfile.TemporaryDirectory() as folder:
        path = make(None, folder)
        try:
            peft.Backbone(peft.Context(), path)
        except peft.PeftError as e:
            known = e.status in ("PEFT_E_UNSUPPORTED", "PEFT_E_FORMAT") and word in str(e)
            tally.check(known, f"{name}: {e.status}: {e}")
            return str(e).split(": ", 1)[-1]
        tally.check(False, f"{name}: loaded")
        return "loaded"


def saved_again(backbone, model_name, folder, x, feature_of, want, tally, name):
    """The errors of feature and logits of transformers' own class, which loads what libpeft saved; no other keys may be
    missing or unexpected. "-": libpeft says what the class lacks, or the model is of another library."""
    import transformers as T
    if model_name is None:
        return "-"
    try:
        backbone.save_as(folder, naming="hf5")
    except peft.PeftError as e:
        tally.count("not saved for transformers")
        tally.check(e.status == "PEFT_E_UNSUPPORTED" and "no model of the hf5 naming has it" in str(e), f"{name}: {e}")
        return "refused"
    model, info = getattr(T, model_name).from_pretrained(folder, output_loading_info=True)
    lists = {k: v for k, v in info.items() if v and not all("pooler" in key or "mask_token" in key for key in v)}
    tally.check(not lists, f"{name}: saved for transformers: {lists}")
    model.eval()
    got = [feature_of(model, x), model(x).logits if want[1] is not None else None]
    errors = [relative(g.numpy(), w) for g, w in zip(got, want) if w is not None]
    tally.check(max(errors) <= LIMIT, f"{name}: saved for transformers: relative errors {errors}")
    return f"{max(errors):.1e}"


def compare(name, make, rng, tally):
    """The errors of feature and logits as texts."""
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path, options, feature_of, logits_of = make(rng, folder)
        side = options.get("image_size", SIDE)
        images = rng.normal(size=(2, 3, side, side)).astype(np.float32)
        x = torch.tensor(images)
        want = (feature_of(x).numpy(), logits_of(x).numpy() if logits_of else None)
        try:
            backbone = peft.Backbone(peft.Context(), path, **options)
            model = peft.Model(backbone, classes=0 if logits_of else 2)
            session = peft.Session(model, batch=2, taps="feature")
            logits = session.predict(images)
            got = (session.tap("feature").reshape(2, -1), logits)
        except peft.PeftError as e:
            tally.check(False, f"{name}: {e.status}: {e}")
            return "refused", "-", "-", "-"
        errors = [relative(g, w) if w is not None and g.shape == w.shape else None if w is None else float("inf")
                  for g, w in zip(got, want)]
        tally.check(all(e is None or e <= LIMIT for e in errors), f"{name}: relative errors {errors}")
        again = getattr(make, "model_name", None), getattr(make, "feature", None)
        with tempfile.TemporaryDirectory() as other:
            written = saved_again(backbone, again[0], other, x, again[1], want, tally, name)
        return ("yes", *("-" if e is None else f"{e:.1e}" for e in errors), written)


def main():
    import open_clip as oc
    import timm as ti
    import transformers as T
    torch.set_num_threads(1)
    T.utils.logging.set_verbosity_error()
    T.utils.logging.disable_progress_bar()
    tally = peft.Tally("architectures")
    print(f"transformers {T.__version__}, open_clip {oc.__version__}, timm {ti.__version__}, torch {torch.__version__}")
    print(f"{'architecture':58} {'loads':8} {'features':9} {'logits':9} saved for transformers")
    wanted = os.environ.get("PEFT_INTEROP_ARCHITECTURE", "")
    for library, models in ARCHITECTURES.items():
        for i, (name, make) in enumerate(models.items()):
            if wanted not in name:
                continue
            row = compare(f"{library} {name}", make, np.random.default_rng(i), tally)
            print(f"{library + ': ' + name:58} {row[0]:8} {row[1]:9} {row[2]:9} {row[3]}", flush=True)
    for name, (make, word) in REFUSED.items():
        if wanted in name:
            print(f"{'transformers: ' + name:40} refused: {refuse(name, make, word, tally)[:100]}", flush=True)
    return tally.close()


sys.exit(main())
