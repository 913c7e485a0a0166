# SPDX-License-Identifier: Apache-2.0
# conv2d.py -- writes conv2d.safetensors beside it: convolutions of PyTorch in float64 with their gradients, stored as
# float32, in libpeft's layout (pixels in rows, channels last). Entry N of the metadata: maps height width in out kh kw.
#   python3 conv2d.py            (torch, safetensors)
import pathlib
import torch
from safetensors.torch import save_file

CASES = [(2, 5, 7, 3, 4, 3, 3), (1, 1, 1, 2, 3, 3, 3), (3, 1, 6, 4, 2, 5, 5), (1, 8, 3, 1, 5, 3, 1),
         (2, 4, 4, 6, 1, 1, 1)]


def rows(maps):
    """[b, c, h, w] as [b, h*w, c]."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2).float().contiguous()


torch.manual_seed(20)
tensors, metadata = {}, {}
for n, (b, h, w, cin, cout, kh, kw) in enumerate(CASES):
    x = torch.randn(b, cin, h, w).double().requires_grad_()
    weight = torch.randn(cout, cin, kh, kw).double().requires_grad_()
    bias = torch.randn(cout).double()
    y = torch.nn.functional.conv2d(x, weight, bias, padding=((kh - 1) // 2, (kw - 1) // 2))
    dy = torch.randn(b, cout, h, w).double()
    y.backward(dy)
    values = dict(x=rows(x.detach()), w=weight.detach().float(), b=bias.float(), dy=rows(dy), y=rows(y.detach()),
                  dx=rows(x.grad), dw=weight.grad.float())
    for name, value in values.items():
        tensors[f"{n}.{name}"] = value
    metadata[str(n)] = f"{b} {h} {w} {cin} {cout} {kh} {kw}"
save_file(tensors, pathlib.Path(__file__).with_name("conv2d.safetensors"), metadata)
