# SPDX-License-Identifier: Apache-2.0
"""Small random models of each architecture of transformers, open_clip and timm. ARCHITECTURES[library][name] is a
function of a random generator that returns a Net."""
import json
import os
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import torch
from safetensors.torch import save_file

from vit import randomise

SIDE, PATCH, CLASSES = 32, 8, 5
SIZES = dict(image_size=SIDE, patch_size=PATCH, hidden_size=48, num_attention_heads=3, num_hidden_layers=2)
MLP = dict(intermediate_size=96)
TEXT_MODEL = dict(hidden_size=32, num_attention_heads=2, num_hidden_layers=1, intermediate_size=64, vocab_size=99)


@dataclass
class Net:
    """A model of a library. The functions take the model as an argument, so that they also serve for copies of it, and
    for the model that PEFT has changed in place."""
    model: Any
    save: Callable                       # (model, folder): saves it as its library does; returns the weights' path
    feature: Callable                    # (model, images): what a head reads
    logits: Optional[Callable] = None    # (model, images); None: it has no classifier that reads the feature
    naming: str = "hf5"                  # of the names of its modules in PEFT directories
    tower: str = ""                      # prefix of the image tower's modules, if the model has others as well
    options: dict = field(default_factory=dict)        # of loading
    model_class: Optional[str] = None    # of transformers, that loads a backbone of this network
    alone: Optional[Callable] = None     # feature of a model of that class, if it is another one than model's
    side: int = SIDE


def save_pretrained(model, folder):
    model.save_pretrained(folder, safe_serialization=True)
    return os.path.join(folder, "model.safetensors")


def save_state(name, config_name=None, config=None):
    """Saves the tensors as a safetensors file, and a configuration beside it."""
    def save(model, folder):
        path = os.path.join(folder, name)
        save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, path)
        if config_name:
            with open(os.path.join(folder, config_name), "w") as f:
                json.dump(config, f)
        return path
    return save


def with_options(make, **options):
    def made(rng):
        net = make(rng)
        net.options.update(options)
        net.side = options.get("image_size", net.side)
        return net
    return made


# --- transformers -----------------------------------------------------------------------------------------------------
def answer(model, x):
    return model(x).logits


def hf(model_class, config_class, feature, naming="hf5", labels=CLASSES, **settings):
    """A model of transformers: the class by name, and a function of the model and images that gives its feature."""
    def make(rng):
        import transformers as T
        config = getattr(T, config_class)(**{**SIZES, **settings})
        config.num_labels = labels
        model = randomise(getattr(T, model_class)(config), rng)
        return Net(model, save_pretrained, feature, answer if "Classification" in model_class else None, naming,
                   model_class=model_class)
    return make


def tokens(model, x):
    inner = [m for name, m in model.named_children() if name not in ("classifier", "cls_classifier",
                                                                     "distillation_classifier")]
    classifies = hasattr(model, "classifier") or hasattr(model, "cls_classifier")
    return (inner[0] if classifies else model)(x).last_hidden_state


def class_token(model, x):
    return tokens(model, x)[:, 0]


def mean(model, x):
    return tokens(model, x).mean(1)


def mean_of_patches(model, x):
    return tokens(model, x)[:, 1:].mean(1)


def two_tokens(model, x):
    return tokens(model, x)[:, :2].flatten(1)


def token_and_mean(registers=0):
    def feature(model, x):
        t = tokens(model, x)
        return torch.cat([t[:, 0], t[:, 1 + registers:].mean(1)], 1)
    return feature


def pooler(model, x):
    return model(x).pooler_output


def two_towers(model_class, config_class, feature, logits=None, tower="", **vision):
    """A model of transformers that is made from the configurations of both towers."""
    def make(rng):
        import transformers as T
        config = getattr(T, config_class)(text_config=TEXT_MODEL, vision_config=dict(SIZES, **MLP, **vision),
                                          num_labels=CLASSES)
        if config_class == "CLIPConfig":
            config.projection_dim = 16
        return Net(randomise(getattr(T, model_class)(config), rng), save_pretrained, feature, logits, "hf-clip", tower,
                   model_class=model_class.replace("PModel", "PVisionModel").replace("pModel", "pVisionModel"),
                   alone=pooler if feature is vision_pooler else None)
    return make


def vision_pooler(model, x):
    return model.vision_model(x).pooler_output


def mae(rng):
    import transformers as T
    model = randomise(T.ViTMAEModel(T.ViTMAEConfig(**SIZES, **MLP, mask_ratio=0.0)), rng)
    noise = torch.arange((SIDE // PATCH) ** 2).float().expand(2, -1)
    return Net(model, save_pretrained, lambda m, x: m(x, noise=noise).last_hidden_state[:, 0],
               model_class="ViTMAEModel")


def dinov3(**settings):
    return hf("DINOv3ViTModel", "DINOv3ViTConfig", pooler, "hf-dinov3",
              **{**MLP, "num_register_tokens": 4, **settings})


def without_config(make):
    """The tensors of DINOv3 alone; options state what they do not tell."""
    def made(rng):
        net = make(rng)

        def save(model, folder):
            path = save_pretrained(model, folder)
            os.remove(os.path.join(folder, "config.json"))
            return path
        net.save, net.options = save, dict(heads=3, image_size=SIDE, act=net.model.config.hidden_act)
        return net
    return made


def facebook_names(model):
    """The tensors of transformers' DINOv3 under the names of Facebook's code. qkv.bias_mask is 0 at k, whose bias there
    is not 0."""
    state, out = model.state_dict(), {}
    top = {"embeddings.cls_token": "cls_token", "embeddings.register_tokens": "storage_tokens",
           "embeddings.patch_embeddings.": "patch_embed.proj.", "embeddings.mask_token": "mask_token",
           "model.layer.": "blocks.", "attention.o_proj": "attn.proj", "layer_scale1.lambda1": "ls1.gamma",
           "layer_scale2.lambda1": "ls2.gamma", "mlp.gate_proj": "mlp.w1", "mlp.up_proj": "mlp.w2",
           "mlp.down_proj": "mlp.w3"}
    for name, tensor in state.items():
        for theirs, ours in top.items():
            name = name.replace(theirs, ours)
        if "attention." not in name:
            out[name] = tensor[0] if name == "mask_token" else tensor
    for i in range(SIZES["num_hidden_layers"]):
        q, k, v = (f"model.layer.{i}.attention.{part}_proj." for part in "qkv")
        bias = state[q + "bias"]
        out[f"blocks.{i}.attn.qkv.weight"] = torch.cat([state[p + "weight"] for p in (q, k, v)])
        out[f"blocks.{i}.attn.qkv.bias"] = torch.cat([bias, torch.full_like(bias, 7.0), state[v + "bias"]])
        out[f"blocks.{i}.attn.qkv.bias_mask"] = torch.cat([torch.ones_like(bias), torch.zeros_like(bias),
                                                           torch.ones_like(bias)])
    return out


def dinov3_by(naming):
    """transformers' DINOv3 (S+: gated), saved under the names of Facebook's code, or by timm's model of its weights."""
    def save_facebook(model, folder):
        path = os.path.join(folder, "model.safetensors")
        save_file({k: v.contiguous() for k, v in facebook_names(model).items()}, path)
        return path

    def save_timm(model, folder):
        import timm as library
        from timm.models._hub import save_for_hf
        from timm.models.eva import checkpoint_filter_fn
        args = dict(img_size=SIDE, patch_size=PATCH, embed_dim=48, num_heads=3, depth=2, mlp_ratio=2, num_classes=0,
                    swiglu_align_to=8, global_pool="token")
        copy = library.create_model("vit_small_plus_patch16_dinov3_qkvb", pretrained=False, **args).eval()
        copy.load_state_dict(checkpoint_filter_fn(facebook_names(model), copy))
        save_for_hf(copy, folder, model_args=args, safe_serialization=True)
        return os.path.join(folder, "model.safetensors")

    def make(rng):
        net = dinov3(use_gated_mlp=True, hidden_act="silu")(rng)
        net.save = save_facebook if naming == "facebook" else save_timm
        if naming == "facebook":
            net.options = dict(heads=3, image_size=SIDE, act="silu")
        return net
    return make


# --- timm -------------------------------------------------------------------------------------------------------------
def pre_logits(model, x):
    return model.forward_head(model.forward_features(x), pre_logits=True)


def distilled(model, x):
    return model.forward_features(x)[:, :2].flatten(1)


def token_and_patches(model, x):
    """The feature of Virchow and Virchow2."""
    t = model.forward_features(x)
    return torch.cat([t[:, 0], t[:, model.num_prefix_tokens:].mean(1)], 1)


def timm(name, feature=pre_logits, logits=True, mlp=None, naming="timm", options=(), classes=CLASSES, **settings):
    """timm's architecture with other sizes and flags. mlp: the name of a class of timm.layers, which config.json cannot
    hold, so that options have to say what the tensors do not."""
    def make(rng):
        import timm as library
        from timm.models._hub import save_for_hf
        args = dict(img_size=SIDE, patch_size=PATCH, embed_dim=48, num_heads=3, depth=2, num_classes=classes,
                    **settings)
        more = dict(mlp_layer=getattr(library.layers, mlp)) if mlp else {}
        model = randomise(library.create_model(name, pretrained=False, **args, **more), rng)
        model._model_args.pop("mlp_layer", None)              # timm would save it as an argument, if JSON could hold it

        def save(model, folder):
            save_for_hf(model, folder, model_args=args, safe_serialization=True)
            return os.path.join(folder, "model.safetensors")
        return Net(model, save, feature, (lambda m, x: m(x)) if logits else None, naming, options=dict(options))
    return make


# --- open_clip --------------------------------------------------------------------------------------------------------
TEXT = dict(context_length=8, vocab_size=99, width=32, heads=2, layers=1)
BIOMED = dict(timm_model_name="vit_tiny_patch16_224", timm_pool="", timm_proj="linear", timm_model_pretrained=False)


def unprojected(model, x):
    """What the projection into the space of images and texts reads."""
    projection, model.visual.proj = model.visual.proj, None
    try:
        out = model.visual(x)
    finally:
        model.visual.proj = projection
    return out[0] if isinstance(out, tuple) else out


def trunk(model, x):
    return model.visual.trunk(x)


def open_clip(size=24, kind="CLIP", quick=False, text=(), multimodal=None, **vision):
    def make(rng):
        import open_clip as library
        is_timm = "timm_model_name" in vision
        tower = dict(image_size=224 if is_timm else SIDE, **vision)
        if not is_timm:
            tower.update(patch_size=PATCH, width=48, head_width=16, layers=2, mlp_ratio=2.0)
        config = dict(embed_dim=size, vision_cfg=tower, text_cfg=dict(TEXT, **dict(text)), quick_gelu=quick)
        if multimodal:
            config["multimodal_cfg"] = multimodal
        model = randomise(getattr(library, kind)(**json.loads(json.dumps(config))), rng)
        save = save_state("open_clip_model.safetensors", "open_clip_config.json",
                          {"model_cfg": config, "preprocess_cfg": {}})
        if is_timm:
            return Net(model, save, trunk, None, "timm", "visual.", dict(image_size=224), side=224)
        return Net(model, save, unprojected, None, "clip", "visual.")
    return make


def coca(size=24):
    return open_clip(size, "CoCa", text=dict(embed_cls=True, output_tokens=True),
                     multimodal=dict(context_length=8, vocab_size=99, width=32, heads=2, layers=1),
                     attentional_pool=True, attn_pooler_heads=4, output_tokens=True)


def openai(rng):
    """A file of OpenAI's CLIP, which has no configuration beside it; open_clip makes its model from the tensors."""
    import open_clip as library
    tower = dict(image_size=SIDE, patch_size=PATCH, width=128, head_width=64, layers=2)
    model = library.CLIP(32, tower, dict(TEXT, width=64, heads=1), quick_gelu=True)
    state = randomise(model, rng).state_dict()
    state.update(input_resolution=torch.tensor(SIDE), context_length=torch.tensor(8), vocab_size=torch.tensor(99))
    rebuilt = library.model.build_model_from_openai_state_dict(dict(state), cast_dtype=torch.float32).float()

    def save(model, folder):
        path = os.path.join(folder, "ViT-B-32.pt")
        torch.save({**state, **model.state_dict()}, path)
        return path
    return Net(rebuilt, save, unprojected, None, "clip", "visual.")


def conch(size=24):
    """CONCH: timm's ViT, whose tokens after the norm open_clip's AttentionalPooler reads with one query; a norm."""
    def feature(model, x):
        v = model.visual
        return v.ln_contrast(v.attn_pool_contrast(v.trunk.forward_features(x))[:, 0])

    def make(rng):
        import timm as library
        from open_clip.transformer import AttentionalPooler
        visual = torch.nn.Module()
        visual.trunk = library.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=0, img_size=SIDE,
                                            patch_size=PATCH, embed_dim=48, num_heads=3, depth=2)
        visual.ln_contrast = torch.nn.LayerNorm(size)
        visual.attn_pool_contrast = AttentionalPooler(size, 48, n_head=8, n_queries=1)
        visual.attn_pool_caption, visual.ln_caption = AttentionalPooler(16, 48, n_head=8), torch.nn.LayerNorm(16)
        visual.proj_contrast = torch.nn.Parameter(torch.randn(size, size))
        whole = torch.nn.Module()
        whole.visual, whole.logit_scale = visual, torch.nn.Parameter(torch.zeros([]))
        return Net(randomise(whole, rng), save_state("model.safetensors"), feature, None, "timm", "visual.trunk.",
                   dict(heads=3, pool_heads=8))
    return make


# --- the table --------------------------------------------------------------------------------------------------------
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
        "Dinov2ForImageClassification": hf("Dinov2ForImageClassification", "Dinov2Config", token_and_mean(),
                                           mlp_ratio=2),
        "Dinov2WithRegistersModel": hf("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", class_token,
                                       mlp_ratio=2),
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
        "DINOv3ViTModel (without config.json)": without_config(dinov3()),
        "DINOv3ViTModel (gated, without config.json)": without_config(dinov3(use_gated_mlp=True, hidden_act="silu")),
        "DINOv3ViTModel's weights in Facebook's names": dinov3_by("facebook"),
        "DINOv3ViTModel's weights in timm's names": dinov3_by("timm"),
        "CLIPVisionModel": hf("CLIPVisionModel", "CLIPVisionConfig", pooler, "hf-clip", hidden_act="quick_gelu", **MLP),
        "CLIPVisionModel (gelu)": hf("CLIPVisionModel", "CLIPVisionConfig", pooler, "hf-clip", hidden_act="gelu",
                                     **MLP),
        "CLIPModel": two_towers("CLIPModel", "CLIPConfig", vision_pooler, tower="vision_model."),
        "CLIPForImageClassification": two_towers("CLIPForImageClassification", "CLIPConfig", mean_of_patches, answer),
        "SiglipVisionModel": hf("SiglipVisionModel", "SiglipVisionConfig", pooler, "hf-clip", **MLP),
        "SiglipModel (MedSigLIP)": two_towers("SiglipModel", "SiglipConfig", vision_pooler, tower="vision_model."),
        "SiglipForImageClassification": two_towers("SiglipForImageClassification", "SiglipConfig", mean, answer),
        "IJepaModel": hf("IJepaModel", "IJepaConfig", mean, **MLP),
        "IJepaForImageClassification": hf("IJepaForImageClassification", "IJepaConfig", mean, **MLP),
    },
    "open_clip": {
        "ViT": open_clip(),
        "ViT (QuickGELU)": open_clip(quick=True),
        "ViT (gelu-tanh, eps, LayerScale, no ln_pre)": open_clip(
            act_kwargs={"approximate": "tanh"}, norm_kwargs={"eps": 1e-6}, ls_init_value=0.1, no_ln_pre=True),
        "OpenAI's CLIP": openai,
        "CLIPA": open_clip(pool_type="avg", final_ln_after_pool=True),
        "mean after ln_post": open_clip(pool_type="avg"),
        "CoCa": coca(),
        "CoCa (pool as wide as the tokens)": coca(size=48),
        "CONCH": conch(),
        "CONCH (pool as wide as the tokens)": conch(size=48),
        "BiomedCLIP (timm trunk)": open_clip(**BIOMED),
    },
    "timm": {
        "class token": timm("vit_tiny_patch16_224"),
        "no class token": timm("vit_tiny_patch16_224", class_token=False, global_pool="avg"),
        "registers, no_embed_class (UNI2-h)": timm("vit_tiny_patch16_224", reg_tokens=4, no_embed_class=True),
        "norm before the blocks (CLIP)": timm("vit_base_patch16_clip_224"),
        "norms of q and k": timm("vit_tiny_patch16_224", qk_norm=True),
        "sub-LayerNorms": timm("vit_tiny_patch16_224", scale_attn_norm=True, scale_mlp_norm=True),
        "no biases": timm("vit_tiny_patch16_224", qkv_bias=False, proj_bias=False),
        "LayerScale, registers (DINOv2)": timm("vit_small_patch14_reg4_dinov2"),
        "LayerScale, no class position (DeiT-III)": timm("deit3_small_patch16_224"),
        "distillation token (DeiT)": timm("deit_tiny_distilled_patch16_224", distilled),
        "SwiGLU packed (Virchow)": timm("vit_tiny_patch16_224", mlp="SwiGLUPacked", options=dict(act="silu"),
                                        act_layer="silu", init_values=0.1),
        "SwiGLU not packed": timm("vit_tiny_patch16_224", mlp="SwiGLU", options=dict(act="silu"), act_layer="silu"),
        "GluMlp (gate last)": timm("vit_tiny_patch16_224", mlp="GluMlp", options=dict(gate="last", act="gelu")),
        "map pooling": timm("vit_tiny_patch16_224", global_pool="map"),
        "map pooling, no class token (SigLIP)": timm("vit_base_patch16_siglip_224", global_pool="map"),
        "avg before the norm (fc_norm)": timm("vit_tiny_patch16_224", global_pool="avg"),
        "avg after the norm": timm("vit_tiny_patch16_224", global_pool="avg", fc_norm=False),
        "class token and mean (Virchow)": with_options(
            timm("vit_tiny_patch16_224", token_and_patches, logits=False, classes=0), pool="cls_mean"),
        "class token and mean, registers (Virchow2)": with_options(
            timm("vit_tiny_patch16_224", token_and_patches, logits=False, classes=0, reg_tokens=4), pool="cls_mean"),
        "EVA (split q and v biases)": timm("eva_giant_patch14_224"),
        "EVA-02 (axial rotary, gated, q, k and v apart)": timm("eva02_base_patch14_224", naming="timm-unfused"),
        "EVA-02 tiny (axial rotary, packed)": timm("eva02_tiny_patch14_224"),
        "EVA-02 CLIP (sub-LayerNorms)": timm("eva02_base_patch16_clip_224", naming="timm-unfused"),
        "DINOv3": timm("vit_small_patch16_dinov3"),
        "DINOv3 S+ (gated, biases)": timm("vit_small_plus_patch16_dinov3_qkvb"),
        "axial rotary": timm("vit_small_patch16_rope_224"),
        "mixed rotary, positions": timm("vit_small_patch16_rope_mixed_ape_224"),
        "rotary, register, mean": timm("vit_medium_patch16_rope_reg1_gap_256"),
        "PE-spatial (no final norm)": timm("vit_pe_spatial_tiny_patch16_512"),
        "PE-core (map pooling of all tokens)": timm("vit_pe_core_small_patch16_384"),
        "BEiT-3": timm("beit3_base_patch16_224"),
    },
}


def whole(model_class, config_class, **settings):
    def make(folder):
        import transformers as T
        return save_pretrained(getattr(T, model_class)(getattr(T, config_class)(**settings)), folder)
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
