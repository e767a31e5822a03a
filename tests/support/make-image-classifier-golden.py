"""Makes image-classifier-golden.json beside it: features, logits, running statistics and gradients of a small image
classifier in PyTorch, in float64, from formulas for weights and images that any language can repeat.

Run with Debian's python3-torch: /usr/bin/python3 tests/support/make-image-classifier-golden.py, then prettier --write on
the result.

The k-th parameter by name holds b sin(0.0137 i^2 + k), with b = sqrt(2 / (elements a slice of the first axis)), or 0.1 for
vectors, plus 1 for scales. The loss is the sum of logits x sin(i) and of features x cos(i).
"""
import json
import math
import pathlib

import torch

from torch_image_classifier import ImageClassifier

torch.set_default_dtype(torch.float64)
CONFIG = dict(channels=2, classes=3, widths=[2, 3, 4, 5])


def index(*shape):
    return torch.arange(math.prod(shape), dtype=torch.float64).reshape(shape)


def chirp(*shape, k=0):
    return torch.sin(0.0137 * index(*shape) ** 2 + k)


def digits(tensor):
    return [float(f"{v:.9g}") for v in tensor.detach().flatten().tolist()]


def ours(name):
    """The name that the parameter has in the product."""
    return name.replace("norm.weight", "norm.scale").replace("norm.bias", "norm.shift")


net = ImageClassifier(**CONFIG)
parameters = sorted((ours(name), p) for name, p in net.named_parameters())
for k, (name, p) in enumerate(parameters):
    size = 0.1 if p.dim() == 1 else math.sqrt(2 / (p.numel() / p.shape[0]))
    values = size * chirp(*p.shape, k=k) + (1 if name.endswith("scale") else 0)
    if name == "classes.weight":  # [in, out] in the product
        values = size * chirp(*reversed(p.shape), k=k).T * math.sqrt(p.shape[1] / p.shape[0])
    p.data = values
x = chirp(2, CONFIG["channels"], 16, 8).requires_grad_()
features, logits = net(x)
((logits * torch.sin(index(*logits.shape))).sum() + (features * torch.cos(index(*features.shape))).sum()).backward()


def watched(gradient, name):
    """Its sum and its product with a chirp."""
    gradient = gradient.T.contiguous() if name == "classes.weight" else gradient
    return digits(torch.stack([gradient.sum(), (gradient * chirp(*gradient.shape)).sum()]))


gradients = {name: watched(p.grad, name) for name, p in parameters}
last = net.blocks[1][1].norm
out = dict(
    madeWith=f"PyTorch {torch.__version__}",
    config=CONFIG,
    features=digits(features),
    logits=digits(logits),
    inputGradient=digits(torch.stack([x.grad.sum(), (x.grad * chirp(*x.shape)).sum()])),
    gradients=gradients,
    lastStatistics=dict(mean=digits(last.running_mean), variance=digits(last.running_var)),
)
net.eval()
out["inference"] = dict(zip(("features", "logits"), map(digits, net(x))))
pathlib.Path(__file__).with_name("image-classifier-golden.json").write_text(json.dumps(out, indent=1) + "\n")
