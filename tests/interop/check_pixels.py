# SPDX-License-Identifier: Apache-2.0
"""Compares resizing and JPEG decoding with Pillow, and preprocessing with timm, transformers and open_clip: each
library saves a small ViT with random preprocessing settings. The transform in libpeft's note "preprocess" must give the
values of the library's own preprocessing for random images, or libpeft must refuse the file or warn of the setting."""
import io as bytes_io
import json
import os
import sys
import tempfile
import warnings

import numpy as np
import torch
from PIL import Image

import peft

CASES = int(os.environ.get("PEFT_INTEROP_PIXELS", "60"))      # of each kind
warnings.filterwarnings("ignore")
FILTERS = {"nearest": Image.NEAREST, "box": Image.BOX, "bilinear": Image.BILINEAR, "hamming": Image.HAMMING,
           "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}


def picture(rng, mode="RGB"):
    """An image of coarse shapes and noise, for which different filters and roundings give different results."""
    w, h = int(rng.integers(17, 120)), int(rng.integers(17, 120))
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), np.uint8)).resize((w, h), Image.BICUBIC)
    a = np.asarray(coarse).astype(int)[..., [0, 1, 2, 0][:channels]] + rng.integers(-20, 21, (h, w, channels))
    a = np.clip(a, 0, 255).astype(np.uint8)
    return Image.fromarray(a[..., 0] if channels == 1 else a, mode)


# Modes of Pillow as files keep them, and the endings of the files.
STORED = [("L", "png"), ("RGB", "png"), ("RGBA", "png"), ("LA", "png"), ("P", "png"), ("1", "png"), ("L", "jpg"),
          ("RGB", "jpg"), ("CMYK", "jpg"), ("RGB", "tif"), ("CMYK", "tif"), ("RGB", "bmp"), ("P", "bmp"), ("RGB", "webp")]


def stored_pictures(rng, count):
    """Images of odd sizes and of all modes, written to files: as libpeft reads them, and as Pillow does."""
    with tempfile.TemporaryDirectory() as folder:
        for k in range(count):
            mode, ending = STORED[(int(rng.integers(len(STORED))) + k) % len(STORED)]
            path = os.path.join(folder, f"{k}.{ending}")
            im = picture(rng, "RGBA" if mode in ("RGBA", "LA") else "RGB").convert(mode)
            im.save(path, **({"quality": 92} if ending == "jpg" else {"lossless": True} if ending == "webp" else {}))
            yield f"{mode} {ending} {im.size}", peft.Image(path=path), Image.open(path)


def pillow(tally, rng):
    """Resized images and decoded JPEGs must be equal to the bit."""
    im = picture(rng, str(rng.choice(["L", "RGB"])))
    size = (int(rng.integers(1, 150)), int(rng.integers(1, 150)))
    for name, number in FILTERS.items():
        got = peft.resize(peft.Image(array=np.asarray(im)), *size, name)
        want = np.asarray(im.resize(size, number))
        tally.check(np.array_equal(got, want), f"Pillow {name} {im.size} to {size}: {(got != want).sum()} samples differ")
    data = bytes_io.BytesIO()
    options = {"quality": int(rng.integers(20, 96)), "progressive": bool(rng.random() < 0.5)}
    if im.mode == "RGB":
        options["subsampling"] = int(rng.integers(0, 3))
    im.save(data, "JPEG", **options)
    with tempfile.NamedTemporaryFile(suffix=".jpg") as f:
        f.write(data.getvalue())
        f.flush()
        got = peft.Image(path=f.name).pixels()
    want = np.asarray(Image.open(bytes_io.BytesIO(data.getvalue())))
    tally.check(np.array_equal(got, want), f"JPEG {im.mode} {im.size} {options}: {(got != want).sum()} samples differ")


def timm_case(rng, folder):
    import timm
    from timm.models._hub import save_for_hf
    size = int(rng.choice([32, 48]))
    cfg = dict(input_size=(3, size, size), crop_pct=float(rng.choice([0.875, 0.9, 0.95, 1.0])),
               crop_mode=str(rng.choice(["center", "center", "squash", "border"])),
               interpolation=str(rng.choice(["bilinear", "bicubic", "nearest", "lanczos"])),
               mean=tuple(float(v) for v in rng.uniform(0.3, 0.6, 3)), std=tuple(float(v) for v in rng.uniform(0.2, 0.5, 3)))
    args = dict(img_size=size, patch_size=16, embed_dim=32, depth=1, num_heads=2, num_classes=0)
    model = timm.create_model("vit_tiny_patch16_224", pretrained=False, pretrained_cfg_overlay=cfg, **args)
    save_for_hf(model, folder, model_args=args, safe_serialization=True)
    transform = timm.data.create_transform(**timm.data.resolve_data_config(model=model))
    return f"timm {cfg}", "model.safetensors", lambda im: transform(im.convert("RGB")).numpy()


def hf_case(rng, folder):
    import transformers as T
    size = int(rng.choice([32, 48]))
    kind = str(rng.choice(["ViTImageProcessorPil", "CLIPImageProcessorPil", "BitImageProcessorPil"]))
    args = dict(resample=int(rng.choice([2, 3])), image_mean=[float(v) for v in rng.uniform(0.3, 0.6, 3)],
                image_std=[float(v) for v in rng.uniform(0.2, 0.5, 3)])
    if kind == "ViTImageProcessorPil":
        args["size"] = {"height": size, "width": size}
        config, model_class = T.ViTConfig, T.ViTModel
    else:
        args["size"] = {"shortest_edge": size + int(rng.choice([0, 5, 11]))}
        args["crop_size"] = {"height": size, "width": size}
        config, model_class = (T.CLIPVisionConfig, T.CLIPVisionModel) if "CLIP" in kind else (T.Dinov2Config, T.Dinov2Model)
    for name in ("do_normalize", "do_rescale"):
        if rng.random() < 0.15:
            args[name] = False
    if rng.random() < 0.2:
        args["image_mean"], args["image_std"] = [0.5] * 3, [0.5] * 3
    small = dict(image_size=size, patch_size=16, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    if kind != "BitImageProcessorPil":
        small["intermediate_size"] = 64
    model_class(config(**small)).save_pretrained(folder, safe_serialization=True)
    processor = getattr(T, kind)(**args)
    processor.save_pretrained(folder)

    def library_transform(im):
        """A processor that does not convert pictures itself is given RGB; the others lay transparency on white."""
        rgb = im if getattr(processor, "do_convert_rgb", False) else im.convert("RGB")
        return processor(images=rgb, return_tensors="np").pixel_values[0]
    return f"{kind} {args}", "model.safetensors", library_transform


def open_clip_case(rng, folder):
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from safetensors.torch import save_file
    size = int(rng.choice([32, 48]))
    pre = dict(mean=[float(v) for v in rng.uniform(0.3, 0.6, 3)], std=[float(v) for v in rng.uniform(0.2, 0.5, 3)],
               interpolation=str(rng.choice(["bilinear", "bicubic"])),
               resize_mode=str(rng.choice(["shortest", "squash", "longest"])))
    vision = dict(image_size=size, patch_size=16, width=64, head_width=32, layers=1, mlp_ratio=2.0)
    text = dict(context_length=8, vocab_size=99, width=32, heads=2, layers=1)
    model = open_clip.CLIP(embed_dim=24, vision_cfg=dict(vision), text_cfg=dict(text))
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, os.path.join(folder, "open_clip_model.safetensors"))
    with open(os.path.join(folder, "open_clip_config.json"), "w") as f:
        json.dump({"model_cfg": dict(embed_dim=24, vision_cfg=vision, text_cfg=text), "preprocess_cfg": pre}, f)
    transform = image_transform_v2(PreprocessCfg(size=size, **pre), is_train=False)
    return f"open_clip {pre} {size}", "open_clip_model.safetensors", lambda im: transform(im.convert("RGB")).numpy()


def check_preprocessing(tally, rng, maker, images):
    with tempfile.TemporaryDirectory() as folder:
        text, name, library_transform = maker(rng, folder)
        kind = text.split()[0]
        context = peft.Context()
        try:
            backbone = peft.Backbone(context, os.path.join(folder, name))
        except peft.PeftError as e:
            tally.count(kind + " refused")
            tally.check(len(str(e)) > 20, f"{text}: {e}")
            return
        note = backbone.note("preprocess")
        warned = [m for level, m in context.log if level <= 1 and "assumed" not in m]
        if note is None:
            tally.count(kind + " without a note")
            tally.check(bool(warned), f"{text}: no note, and no warning with the reason")
            return
        transform, worst = peft.Transform(note), 0
        deviation = np.array(json.loads("[" + note.split("std=")[1].split(",")[0].replace(":", ",") + "]"))
        for name, ours, theirs in stored_pictures(rng, images):
            got, want = transform.apply(ours), library_transform(theirs)
            if got.shape != want.shape:
                worst = np.inf
                break
            levels = (np.abs(got - want) * deviation.reshape(-1, 1, 1) * 255).max()
            if levels > worst:
                worst, text = levels, f"{text}; {name}"
        tally.count(f"{kind} equal" if worst < 0.01 else f"{kind} warned" if warned else f"{kind} different")
        tally.check(worst < 0.01 or warned, f"{text}: differs by {worst:.3g} of 255 levels with '{note}'")


def main():
    torch.set_num_threads(1)
    import transformers
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    tally = peft.Tally("pixels")
    for case in range(CASES):
        rng = np.random.default_rng(case)
        pillow(tally, rng)
        for maker in (timm_case, hf_case, open_clip_case):
            check_preprocessing(tally, rng, maker, 20 if case < 4 else 4)
    return tally.close()


sys.exit(main())
