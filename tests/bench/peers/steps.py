# SPDX-License-Identifier: Apache-2.0
"""Measures a row of bench in PyTorch, in one way, and prints it as a line of JSON. --compute: f32; bf16, which is
autocast; bf16_all, where weights, trained tensors and moments are bf16 too. --mode: eager; compiled (torch.compile);
frozen (the same with the weights as constants, inference only); tuned (compiled with max-autotune). --attention: math
or fused."""
import contextlib

import record
import torch
import torch.nn.functional as F
import vit


def step_of(a):
    """A function without arguments that does one step of the row, or one inference of a batch."""
    if a.mode == "frozen":
        import torch._inductor.config as config
        config.freezing = True
    model = vit.make(a.network, a.image, a.row, a.attention == "fused")
    images, labels = vit.batch_of(a.batch, a.image)
    if a.compute == "bf16_all":
        model, images = model.bfloat16(), images.bfloat16()
    autocast = contextlib.nullcontext
    if a.compute == "bf16":
        def autocast():
            return torch.autocast("cpu", torch.bfloat16)

    def forward(x):
        with autocast():
            return model(x)

    def loss(x, y):
        return F.cross_entropy(forward(x).float(), y)

    function = forward if a.row == "infer" else loss
    if a.mode != "eager":
        tuned = {"mode": "max-autotune-no-cudagraphs"} if a.mode == "tuned" else {}
        function = torch.compile(function, dynamic=False, **tuned)
    if a.row == "infer":
        def infer():
            with torch.no_grad():
                function(images)
        return infer
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        function(images, labels).backward()
        optimizer.step()
    return step


def main():
    a = record.arguments(__doc__, mode="eager", attention="fused")
    torch.set_num_threads(a.threads)
    torch.set_num_interop_threads(1)
    times = record.measure(a.rounds, step_of(a))
    names = {"f32": "", "bf16": "autocast ", "bf16_all": "all in bf16 "}
    record.write(a, "PyTorch " + torch.__version__, f"{names[a.compute]}{a.mode} {a.attention}", times)


if __name__ == "__main__":
    main()
