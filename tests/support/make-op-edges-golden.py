"""Writes packages/onnxgrad/src/testing/op-edges.json: values and gradients at the edges of every operation, by PyTorch.

Run with Debian's python3-torch: /usr/bin/python3 tests/support/make-op-edges-golden.py, then prettier --write on the result.
The gradient is that of sum(c * y) with c = 1, 1/2, 1/4, 1, 1/2, 1/4, ... over the elements of y. Where an input holds denormals,
`flushed` has the answers with zeros of their signs in their place, as far as they differ. `other` is what another function of
PyTorch gives for the same formula, by another order of its sums.
"""
import json
import pathlib
import numpy as np
import torch
import torch.nn.functional as F

INF, NAN = float("inf"), float("nan")
TINY, NORMAL, LARGE = 1.401298464324817e-45, 1.1754943508222875e-38, 3.4028234663852886e38
GRID = [0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, TINY, -TINY, NORMAL, -NORMAL, LARGE, -LARGE, 0.5, -0.5, 1.5, 2.5, -2.5,
        1e-20, -1e-20, 1e20, -1e20, 8.0, -8.0, 17.0, -20.0, 20.0, 88.0, -88.0, 89.0, -89.0, 104.0, -104.0]
PAIRS = [0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, TINY, NORMAL, LARGE, -LARGE, 2.0, -3.0, 0.5]
A, B = (list(side) for side in zip(*[(a, b) for a in PAIRS for b in PAIRS]))
ROWS = [  # rows of four, at the edges of reductions
    [1, 2, 3, 4], [2, 2, 1, 2], [0.0, -0.0, 0.0, -0.0], [-0.0, -0.0, -0.0, -0.0], [INF, 1, 2, 3], [-INF, 1, 2, 3],
    [INF, INF, 0, 1], [INF, -INF, 0, 1], [-INF] * 4, [NAN, 1, 2, 3], [3, 2, 1, NAN], [NAN, INF, -INF, 0], [NAN] * 4,
    [LARGE, 0, 0, 0], [LARGE, LARGE, 1, 0], [-LARGE, 0, LARGE, 0], [TINY, 0, 0, 0], [NORMAL, -NORMAL, NORMAL, 0],
    [100, 99, -100, 0], [-100, -100, -101, -100],
]


def t(values, dtype=torch.float32):
    return torch.tensor(values, dtype=dtype)


def flushed(x):
    if x.dtype != torch.float32:
        return x
    return torch.where(x.abs() < NORMAL, torch.copysign(torch.zeros_like(x), x), x)


def number(v):
    v = float(v)
    if v != v:
        return "NaN"
    if v in (INF, -INF):
        return "Infinity" if v > 0 else "-Infinity"
    if v == 0:
        return "-0" if np.signbit(v) else "0"
    return str(int(v)) if v == int(v) and abs(v) < 2**53 else f"{v:.9g}"


def flat(x):
    """Values as text, with spaces between them."""
    return " ".join(number(v) for v in x.detach().to(torch.float64).reshape(-1))


def answers(f, inputs, fixed):
    given = [x.clone() for x in inputs]
    for i, x in enumerate(given):
        if x.dtype == torch.float32 and i not in fixed:
            x.requires_grad_()
    y = f(*given)
    found = dict(y=flat(y))
    wanted = [x for x in given if x.requires_grad]
    if wanted and y.requires_grad:
        cotangent = torch.exp2(-torch.arange(y.numel(), dtype=torch.float32).remainder(3)).reshape(y.shape)
        grads = torch.autograd.grad(y, wanted, cotangent, allow_unused=True)
        found["grads"] = [flat(g if g is not None else torch.zeros_like(x)) for g, x in zip(grads, wanted)]
    return found


cases = []


def case(name, f, *inputs, fixed=(), other=None):
    given = [x if torch.is_tensor(x) else t(x) for x in inputs]
    whole = answers(f, given, fixed)
    made = dict(
        name=name,
        inputs=[dict(shape=list(x.shape), data=flat(x), **({"dtype": "int64"} if x.dtype == torch.int64 else {}),
                     **({"fixed": True} if i in fixed else {}))
                for i, x in enumerate(given)],
        **whole,
    )
    if other is not None:
        made["other"] = answers(other, given, fixed)
    small = answers(f, [flushed(x) for x in given], fixed)
    if json.dumps(small) != json.dumps(whole):
        made["flushed"] = small
    cases.append(made)


# Elementwise functions of one tensor.
# x ** 0.5 as IEEE 754 has it: PyTorch takes the root for a bare number, which differs at -0 and -inf.
raised = lambda exponent: lambda x: torch.pow(x, t(exponent))
leaky = lambda slope: lambda x: F.leaky_relu(x, slope)
for name, f in {
    "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "abs": torch.abs, "sin": torch.sin, "cos": torch.cos,
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "erf": torch.erf, "relu": F.relu, "softplus": F.softplus,
    "silu": F.silu, "gelu": F.gelu, "leakyRelu 0.2": leaky(0.2), "leakyRelu 0": leaky(0.0), "leakyRelu 2": leaky(2.0),
    "clamp -1 1": lambda x: x.clamp(-1, 1), "clamp 0 255": lambda x: x.clamp(0, 255), "neg": torch.neg, "square": torch.square,
    "pow 0": lambda x: x**0, "pow 1": lambda x: x**1, "pow 2": lambda x: x**2, "pow 3": lambda x: x**3,
    "pow -1": lambda x: x**-1, "pow 0.5": raised(0.5), "pow -0.5": raised(-0.5), "pow 2.5": raised(2.5), "pow inf": raised(INF),
    "2 pow": lambda x: t(2.0) ** x, "0 pow": lambda x: t(0.0) ** x,
    "div by 3": lambda x: x / 3, "div by 0": lambda x: x / 0, "div by the largest": lambda x: x / LARGE,
    "div by the smallest": lambda x: x / NORMAL, "1 div": lambda x: 1 / x,
    "scale by 1e30 twice": lambda x: (x * 1e30) * 1e30, "scale by 1e-30 twice": lambda x: (x * 1e-30) * 1e-30,
    "add 0": lambda x: x - (-0.0),
}.items():
    case(name, f, GRID)
case("sign", torch.sign, GRID, fixed=[0])
HALVES = [v + 0.5 for v in range(-3, 4)] + [0.49999997, -0.2, 8388609.0, -8388609.0]
case("round", torch.round, GRID + HALVES, fixed=[0])
ROUNDED = [v for v in GRID + HALVES if abs(v) < 1e6]
case("cast to int64", lambda x: x.to(torch.int64).to(torch.float32), ROUNDED, fixed=[0])
case("cast to bool", lambda x: x.to(torch.bool).to(torch.float32), GRID, fixed=[0])
case("cast to uint8", lambda x: x.to(torch.uint8).to(torch.float32), [0.0, -0.0, 0.9, 1.0, 254.9, 255.0], fixed=[0])
case("stopGradient", lambda x: x.detach() * x, GRID)
case("broadcastTo", lambda x: x.expand(2, len(GRID)), GRID)

# Elementwise functions of two tensors: every pair.
for name, f in {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow,
    "maximum": torch.maximum, "minimum": torch.minimum,
}.items():
    case(name, f, A, B)
for name, f in {
    "equal": torch.eq, "less": torch.lt, "greater": torch.gt, "lessEqual": torch.le, "greaterEqual": torch.ge,
}.items():
    case(name, lambda a, b, f=f: f(a, b).to(torch.float32), A, B, fixed=[0, 1])
LONG = [0, -1, 1, 2**31, -(2**31), 2**53 - 1, -(2**53) + 1]
LA, LB = (t(list(side), torch.int64) for side in zip(*[(a, b) for a in LONG for b in LONG]))
for name, f in {"equal int64": torch.eq, "less int64": torch.lt, "greaterEqual int64": torch.ge}.items():
    case(name, lambda a, b, f=f: f(a, b).to(torch.float32), LA, LB)
case("where", lambda a, b: torch.where(a > b, a, b), A, B)
case("where of a quotient", lambda a: torch.where(a > 0, a, torch.zeros_like(a)), GRID)

class LogSumExp(torch.autograd.Function):
    """PyTorch's logsumexp, with PyTorch's softmax for its gradient where the result is finite. Its own exp(x - result) is the
    same but for rounding, by which it sums to 2 for two equal numbers beyond 1e7, and beyond 1e16 in float64."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.logsumexp(-1)

    @staticmethod
    def backward(ctx, grad):
        x, = ctx.saved_tensors
        with torch.enable_grad():
            given = x.clone().requires_grad_()
            result = given.logsumexp(-1)
            own, = torch.autograd.grad(result, given, grad)
        return torch.where(result.isfinite()[:, None], grad[:, None] * x.softmax(-1), own)


# Reductions, over the last axis and over all.
for name, f in {
    "sum": lambda x: x.sum(-1), "mean": lambda x: x.mean(-1), "max": lambda x: x.amax(-1), "min": lambda x: x.amin(-1),
    "softmax": lambda x: x.softmax(-1), "logSumExp": LogSumExp.apply,
}.items():
    case(name, f, ROWS)
# Where the variance is beyond float32, layer_norm and instance_norm differ: NaN and 0 of the same four numbers. The gradient of
# instance_norm is NaN or 0 by the order of the four: in this one no sum of it overflows.
SWAPPED = [0, 2, 1, 3]
AFFINE = t([1.0, 2, 3, 4]), t([1.0, 0, -1, 0])
alone = lambda x: F.instance_norm(x[None, :, SWAPPED])[0][:, SWAPPED]
case("standardize", lambda x: F.layer_norm(x, [4]), ROWS, other=alone)
case("layerNorm", lambda x: F.layer_norm(x, [4], *AFFINE), ROWS, other=lambda x: alone(x) * AFFINE[0] + AFFINE[1])
for name, f in {"sum of all": torch.sum, "mean of all": torch.mean, "max of all": torch.amax, "min of all": torch.amin}.items():
    case(name, f, [[0.0, -0.0, -1.0, LARGE], [LARGE, -LARGE, 1.0, 2.0]])
    case(name + ", infinite", f, [[0.0, INF, -1.0], [INF, 1.0, 2.0]])
# Within float64, since PyTorch's squares are float32's.
for name, values in {
    "norm": [3.0, -4.0, 0.0, -0.0], "norm of zeros": [0.0, -0.0], "norm of large numbers": [3e20, -4e20, 1.0],
    "norm of the largest": [LARGE, 0.0], "norm of small numbers": [3e-30, 4e-30, 0.0], "norm of the smallest": [NORMAL, NORMAL],
    "norm, infinite": [INF, 1.0, -INF], "norm of NaN": [NAN, INF, 1.0],
}.items():
    case(name, lambda x: x.double().norm().float(), values)
case("norm, too large", lambda x: x.double().norm().float(), [LARGE, LARGE], fixed=[0])
ATTENTION = [t([[[0.0, 1], [1, 0]], [[1000, 0], [0, -1000]], [[0, 0], [NAN, 1]]])] * 3
case("scaledDotProductAttention", lambda q, k, v: ((q @ k.transpose(-1, -2)) / 2**0.5).softmax(-1) @ v, *ATTENTION)

# Normalisation of channels: constant, infinite, not a number, far from zero, as small as numbers get.
CHANNELS = t([[[[1.0, 2], [3, 4]], [[5, 5], [5, 5]], [[INF, 1], [2, 3]], [[NAN, 1], [2, 3]], [[100, 101], [102, 100]],
               [[TINY, 0], [0, 0]]]])
SCALE, SHIFT = t([1.0, 2, 3, 4, 0, INF]), t([0.0, 1, -1, 0, 5, 0])
case("channelMoments mean", lambda x: x.mean((0, 2, 3)), CHANNELS)
case("channelMoments variance", lambda x: x.var((0, 2, 3), unbiased=False), CHANNELS)
case("channelAffine", lambda x, a, b: x * a[:, None, None] + b[:, None, None], CHANNELS, SCALE, SHIFT)
case("groupNorm", lambda x: F.group_norm(x, 6), CHANNELS)
case("batchNormTraining", lambda x: F.batch_norm(x, None, None, t([1.0] * 6), t([0.0] * 6), True), CHANNELS)

# Windows.
IMAGE = t([[[[1.0, NAN, 3, 3], [2, 2, 3, 3], [-INF, -INF, INF, 1], [-INF, -INF, INF, NAN]],
            [[0.0, -0.0, TINY, -TINY], [-0.0, 0.0, -TINY, -NORMAL], [LARGE, LARGE, -LARGE, 1], [NAN, NAN, NAN, NAN]]]])
CLEAN = t([[[[1.0, 2, 3, 3], [2, 2, 3, 3], [-INF, -INF, -INF, 1], [-INF, -INF, 5, 5]]]])
case("maxPool2d 2", lambda x: F.max_pool2d(x, 2), IMAGE)
case("maxPool2d 2, numbers", lambda x: F.max_pool2d(x, 2), CLEAN)
case("maxPool2d 3 stride 1", lambda x: F.max_pool2d(x, 3, 1), IMAGE)
case("maxPool2d 3 stride 1, numbers", lambda x: F.max_pool2d(x, 3, 1), CLEAN)
case("maxPool2d 2 stride 3", lambda x: F.max_pool2d(x, 2, 3), IMAGE)
case("maxPool2d 1", lambda x: F.max_pool2d(x, 1), IMAGE)
case("avgPool2d 2", lambda x: F.avg_pool2d(x, 2), IMAGE)
case("upsampleNearest2d 2", lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), IMAGE)
ONES = torch.ones(1, 1, 3, 3)
SPOTS = t([[[[1.0, 2, 3, 4], [5, 6, 7, 8], [9, NAN, 1, 2], [3, 4, 5, INF]]]])
HUGE = t([[[[LARGE, 0, 0], [0, NORMAL, 0], [0, 0, -LARGE]]]])
case("conv2d", lambda x, w: F.conv2d(x, w, padding=1), SPOTS, ONES)
case("conv2d of channels", lambda x, w: F.conv2d(x, w), torch.cat([SPOTS, SPOTS.nan_to_num(0, 0, 0)], 1),
     torch.arange(36.0).reshape(2, 2, 3, 3))
case("conv2d, largest and smallest", lambda x, w: F.conv2d(x, w), HUGE, ONES)
case("conv2d stride 2", lambda x, w: F.conv2d(x, w, stride=2, padding=1), SPOTS, ONES)
case("convTranspose2d", lambda x, w: F.conv_transpose2d(x, w, padding=1), SPOTS, ONES)
case("convTranspose2d stride 2", lambda x, w: F.conv_transpose2d(x, w, stride=2), SPOTS, ONES)
case("matmul", torch.matmul, [[0.0, 1, INF], [1, NAN, 2], [LARGE, 1, 0], [NORMAL, 0, 0]], [[1.0, 0], [2, 1], [3, 0.5]])

# Moving and choosing.
TABLE = t([[1.0, NAN], [INF, -0.0], [TINY, LARGE]])
case("gather -1", lambda x, i: x[i], TABLE, t([0, -1, 2, -3, 1], torch.int64))
case("gather by a matrix", lambda x, i: x[i], t([0.0, -0.0, INF, NAN]), t([[3, -4], [-1, 2]], torch.int64))
case("scatterAdd -1", lambda u, i: torch.zeros(3, 2).index_put((i,), u, accumulate=True),
     [[1.0, 2], [INF, 1], [3, NAN], [LARGE, 1], [LARGE, -0.0]], t([0, -1, 1, -3, 0], torch.int64))
case("oneHot", lambda i: F.one_hot(i, 3).to(torch.float32), t([0, 2, 1, 0], torch.int64))
case("reshape", lambda x: x.reshape(3, 11), GRID)
case("transpose", lambda x: x.reshape(3, 11).t(), GRID)
case("slice", lambda x: x[1:20:3], GRID)
case("slice backwards", lambda x: x.flip(0)[2:9], GRID)
case("padZero", lambda x: F.pad(x, (1, 2)), GRID)
case("padReflect", lambda x: F.pad(x[None], (2, 3), mode="reflect")[0], GRID)
case("concat", lambda x, y: torch.cat([x, y, x]), GRID, [1.0, NAN])
case("split", lambda x: x.split([1, 12, 20])[1] * 2, GRID)
case("resizeBilinear2d", lambda x: F.interpolate(x, size=(5, 3), mode="bilinear"), [[[[0.0, 1, -1], [LARGE, NORMAL, 2]]]])

case("resizeBilinear2d of NaN", lambda x: F.interpolate(x, size=(5, 3), mode="bilinear"), [[[[0.0, NAN, -1], [1, 2, INF]]]])

# Nothing at all.
none = lambda *shape: torch.zeros(shape)
for name, f in {
    "exp": torch.exp, "softplus": F.softplus, "silu": F.silu, "leakyRelu": leaky(0.2), "abs": torch.abs,
    "clamp": lambda x: x.clamp(-1, 1), "pow 3": lambda x: x**3, "relu": F.relu, "gelu": F.gelu,
    "sum": lambda x: x.sum(), "sum over the other axis": lambda x: x.sum(1), "sum over the empty axis": lambda x: x.sum(0),
    "mean over the other axis": lambda x: x.mean(1),
    "max over the other axis": lambda x: x.amax(1), "min over the other axis": lambda x: x.amin(1),
    "softmax": lambda x: x.softmax(-1), "logSumExp": lambda x: x.logsumexp(-1), "standardize": lambda x: F.layer_norm(x, [3]),
    "reshape": lambda x: x.reshape(3, 0, 5), "transpose": lambda x: x.t(), "broadcastTo": lambda x: x.expand(2, 0, 3),
    "matmul by rows": lambda x: x @ torch.ones(3, 2), "matmul of nothing": lambda x: x.t() @ torch.ones(0, 2),
    "concat": lambda x: torch.cat([x, torch.ones(2, 3)]),
}.items():
    case("empty: " + name, f, none(0, 3))
for name, f in {"add": torch.add, "mul": torch.mul, "div": torch.div, "pow": torch.pow, "maximum": torch.maximum}.items():
    case("empty: " + name, f, none(0, 3), [1.0, 2, 3])
case("empty: gather of no rows", lambda x, i: x[i], TABLE, torch.zeros(0, dtype=torch.int64))
case("empty: scatterAdd of no rows", lambda u, i: torch.zeros(3, 2).index_put((i,), u, accumulate=True), none(0, 2),
     torch.zeros(0, dtype=torch.int64))
case("empty: oneHot", lambda i: F.one_hot(i, 3).to(torch.float32), torch.zeros(0, dtype=torch.int64))
case("empty: conv2d", lambda x, w: F.conv2d(x, w, padding=1), none(0, 1, 4, 4), ONES)
for name, f in {
    "maxPool2d": lambda x: F.max_pool2d(x, 2), "avgPool2d": lambda x: F.avg_pool2d(x, 2),
    "upsampleNearest2d": lambda x: F.interpolate(x, scale_factor=2, mode="nearest"),
}.items():
    case("empty: " + name, f, none(0, 2, 4, 4))

path = pathlib.Path(__file__).parents[2] / "packages/onnxgrad/src/testing/op-edges.json"
path.write_text("{\n" + f'"madeWith": {json.dumps("PyTorch " + torch.__version__.split("a")[0])},\n"cases": [\n'
                + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n}\n")
