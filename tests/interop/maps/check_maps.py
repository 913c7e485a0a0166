# SPDX-License-Identifier: Apache-2.0
"""<peft/maps.h> on small random ViTs of timm, and on DeiT-Ti where PEFT_SHARED has it: attention roll-out against torch,
Grad-CAM against pytorch-grad-cam, occlusion against captum."""
import ctypes as C
import os
import sys
import tempfile
import warnings

import numpy as np
import timm
import torch
from captum.attr import Occlusion
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from timm.models._hub import save_for_hf

import peft
from vit import randomise, relative

COUNT = int(os.environ.get("PEFT_INTEROP_MAPS", "40"))
LIMIT = 1e-4
warnings.filterwarnings("ignore")
lib = peft.lib


def maps_of(context, model, images, classes=None, **options):
    """The maps [n,h,w] of images [n,3,S,S]."""
    s, h, w = C.c_void_p(), C.c_int64(), C.c_int64()
    peft.ok(lib.peft_maps_create(model, context.options(**options), C.byref(s)))
    try:
        lib.peft_maps_size(s, C.byref(h), C.byref(w))
        out = np.empty((len(images), h.value, w.value), np.float32)
        named = None if classes is None else np.ascontiguousarray(classes, np.int64)
        pointer = None if named is None else named.ctypes.data_as(C.c_void_p)
        peft.ok(lib.peft_maps_compute(s, context.tensor(images), pointer, context.tensor(out), None, None, None))
    finally:
        lib.peft_maps_free(s)
    return out


def attentions(net, x):
    """The softmax [n,heads,t,t] of each block."""
    kept, hooks = [], []
    for block in net.blocks:
        block.attn.fused_attn = False
        hooks.append(block.attn.attn_drop.register_forward_pre_hook(lambda m, a: kept.append(a[0].detach().double())))
    net(x)
    for hook in hooks:
        hook.remove()
    return kept


def rollout(net, x, grid, fuse, discard, class_row):
    own = None
    for a in attentions(net, x):
        a = {"mean": a.mean(1), "max": a.amax(1), "min": a.amin(1)}[fuse]
        for one in a:
            flat = one.view(-1)
            flat[flat.argsort(stable=True)[: int(discard * flat.numel())]] = 0
        a = (a + torch.eye(a.shape[-1])) / 2
        a = a / a.sum(-1, keepdim=True)
        own = a if own is None else a @ own
    patches = grid * grid
    row = own[:, 0] if class_row else own[:, -patches:].mean(1)
    return row[:, -patches:].reshape(-1, grid, grid).numpy()


def grad_cam(net, x, grid, classes):
    """pytorch-grad-cam's map before it is rectified and scaled."""
    def reshape(t):
        return t[:, -grid * grid:].reshape(len(t), grid, grid, -1).permute(0, 3, 1, 2)
    layer = net.blocks[-1].norm1
    with GradCAM(net, [layer], reshape) as cam:
        targets = [ClassifierOutputTarget(int(c)) for c in classes]
        cam(input_tensor=x, targets=targets)
        store = cam.activations_and_grads
        a, d = store.activations[0].numpy(), store.gradients[0].numpy()
        return cam.get_cam_image(x, layer, targets, a, d, False)


def blurred(x, width):
    """The mean of the square of side width around each pixel, as far as it lies in the image."""
    out, side = x.clone(), x.shape[-1]
    before = width // 2
    for i in range(side):
        lo, hi = max(0, i - before), min(side, i - before + width)
        out[..., i, :] = x[..., lo:hi, :].mean(-2)
    half = out.clone()
    for i in range(side):
        lo, hi = max(0, i - before), min(side, i - before + width)
        out[..., i] = half[..., lo:hi].mean(-1)
    return out


def occlusion(net, x, classes, patch, stride, fill, score):
    def scores(v):
        return net(v).softmax(-1) if score == "probability" else net(v)
    base = {"mean": x.mean((2, 3), keepdim=True).expand_as(x), "zero": torch.zeros_like(x), "blur": blurred(x, patch)}[fill]
    with torch.no_grad():
        got = Occlusion(scores).attribute(x, (3, patch, patch), (3, stride, stride), base, target=torch.tensor(classes),
                                          perturbations_per_eval=8)
    cells = x.shape[-1] // stride
    return got[:, 0].reshape(len(x), cells, stride, cells, stride).double().mean((2, 4)).numpy()


def compare(tally, context, model, net, images, grid, rng, name, class_row, settings):
    x, patch = torch.from_numpy(images), images.shape[-1] // grid
    classes = rng.integers(0, net.num_classes, len(images))
    for fuse, discard in settings["rollout"]:
        got = maps_of(context, model, images, kind="rollout", fuse=fuse, discard=discard, batch=2)
        error = relative(got, rollout(net, x, grid, fuse, discard, class_row))
        tally.check(error <= LIMIT, f"{name}: roll-out fuse={fuse} discard={discard} differs by {error:.1e}")
    got = maps_of(context, model, images, classes, kind="cam", rectify=False, batch=2)
    error = relative(got, grad_cam(net, x, grid, classes))
    tally.check(error <= LIMIT, f"{name}: Grad-CAM differs by {error:.1e}")
    for p, s, fill, score in settings["occlusion"]:
        p, s = p * patch // 2, s * patch // 2
        got = maps_of(context, model, images, classes, kind="occlusion", patch=p, stride=s, fill=fill, score=score, batch=8)
        want = occlusion(net, x, classes, p, s, fill, score)
        error = relative(got, want)
        tally.check(error <= LIMIT, f"{name}: occlusion patch={p} stride={s} fill={fill} score={score} differs by {error:.1e}")


def random_case(tally, context, rng, folder):
    side, patch, heads = int(rng.choice([32, 48])), 8, int(rng.choice([2, 3]))
    mean = rng.random() < 0.4
    args = dict(img_size=side, patch_size=patch, embed_dim=heads * 16, num_heads=heads, depth=int(rng.integers(2, 5)),
                num_classes=5, global_pool="avg" if mean else "token", reg_tokens=int(rng.choice([0, 0, 4])))
    if mean and rng.random() < 0.5:
        args["class_token"] = False
    if rng.random() < 0.3:
        args["init_values"] = 0.5
    if rng.random() < 0.3:
        args["qk_norm"] = True
    net = randomise(timm.create_model("vit_tiny_patch16_224", pretrained=False, **args), rng)
    save_for_hf(net, folder, model_args=args, safe_serialization=True)
    backbone = peft.Backbone(context, folder)
    model = peft.Model(backbone)
    images = rng.normal(size=(2, 3, side, side)).astype(np.float32)
    settings = {"rollout": [(str(rng.choice(["mean", "max", "min"])), float(rng.choice([0, 0.3, 0.9])))],
                "occlusion": [(int(rng.choice([2, 3, 4])), int(rng.choice([1, 2])), str(rng.choice(["mean", "zero", "blur"])),
                               str(rng.choice(["logit", "probability"])))]}
    compare(tally, context, model, net, images, side // patch, rng, str(args), not mean, settings)


def deit(tally, context, rng):
    shared = os.environ.get("PEFT_SHARED")
    path = shared and os.path.join(shared, "data", "vit", "deit_tiny_patch16_224.safetensors")
    if not path or not os.path.exists(path):
        print("SKIP: DeiT-Ti: PEFT_SHARED does not have it")
        return
    net = timm.create_model("deit_tiny_patch16_224", pretrained=False, checkpoint_path=path).eval()
    model = peft.Model(peft.Backbone(context, path))
    images = rng.normal(size=(1, 3, 224, 224)).astype(np.float32)
    settings = {"rollout": [("mean", 0.0), ("max", 0.5), ("min", 0.9)],
                "occlusion": [(4, 4, "mean", "logit")]}
    compare(tally, context, model, net, images, 14, rng, "DeiT-Ti", True, settings)


def main():
    tally, rng = peft.Tally("maps"), np.random.default_rng(20)
    context = peft.Context(seed=1)
    for _ in range(COUNT):
        with tempfile.TemporaryDirectory() as folder:
            random_case(tally, context, rng, folder)
    deit(tally, context, rng)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
