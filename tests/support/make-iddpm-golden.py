"""Makes iddpm-golden.json beside it: output and gradients of small improved-diffusion U-Nets in PyTorch, in float64, from
formulas for weights and inputs that any language can repeat.

Run with Debian's python3-torch: /usr/bin/python3 tests/support/make-iddpm-golden.py, then prettier --write on the result.

The k-th parameter by name holds b sin(0.0137 i^2 + k), with b = sqrt(2 / (elements a slice of the first axis)), or 0.1 for
vectors, plus 1 for scales. The loss is the sum of output x sin(i).
"""
import json
import math
import pathlib
import sys

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "peers"))
from torch_iddpm_unet import IddpmUnet

torch.set_default_dtype(torch.float64)
BASE = dict(channels=2, width=16, multipliers=[1, 3], blocks=2, attention=[1], heads=2)
CONFIGS = [
    dict(BASE, conditioning=1, scaleShiftNorm=True),
    dict(BASE, conditioning=0, scaleShiftNorm=False, blocks=1, attention=[0], multipliers=[2, 3]),
]


def index(*shape):
    return torch.arange(math.prod(shape), dtype=torch.float64).reshape(shape)


def chirp(*shape, k=0):
    return torch.sin(0.0137 * index(*shape) ** 2 + k)


def digits(tensor):
    return [float(f"{v:.9g}") for v in tensor.detach().flatten().tolist()]


def case(config):
    net = IddpmUnet(**config)
    parameters = sorted(net.named_parameters())
    for k, (name, p) in enumerate(parameters):
        size = 0.1 if p.dim() == 1 else math.sqrt(2 / (p.numel() / p.shape[0]))
        p.data = size * chirp(*p.shape, k=k) + (1 if name.endswith("scale") else 0)
    x = chirp(2, config["channels"], 4, 8).requires_grad_()
    given = chirp(2, config["conditioning"], 4, 8, k=1) if config["conditioning"] else None
    y = net(x, torch.tensor([3.0, 700.0]), given)
    (y * torch.sin(index(*y.shape))).sum().backward()
    # Of every gradient its sum and its product with a chirp.
    watched = {name: digits(torch.stack([p.grad.sum(), (p.grad * chirp(*p.shape)).sum()])) for name, p in parameters}
    return dict(config=config, output=digits(y), inputGradient=digits(x.grad), gradients=watched)


out = dict(madeWith=f"PyTorch {torch.__version__}", cases=[case(c) for c in CONFIGS])
pathlib.Path(__file__).with_name("iddpm-golden.json").write_text(json.dumps(out, indent=1) + "\n")
