"""Makes cifar-features-golden.json beside it: features of four synthetic images by the shipped classifier, computed by
PyTorch in float64 from the weights in its file.

Run with Debian's python3-torch: /usr/bin/python3 tests/support/make-cifar-features-golden.py, then prettier --write on
the result. Element (c, y, x) of image k is sin(0.3 (k + 1) x + 0.2 y + c) cos(0.1 k y).
"""
import json
import pathlib
import struct

import torch

from torch_image_classifier import ImageClassifier

torch.set_default_dtype(torch.float64)
MODEL = pathlib.Path(__file__).resolve().parents[2] / "packages/subband/models/features/cifar10.onnx"
# Where the file has each layer: its weight, and the variance, scale, mean and shift of its normalisation.
LAYERS = {
    "stem": (74, 65, 68, 70, 72),
    "down.0": (80, 56, 59, 61, 63),
    "blocks.0.0": (94, 47, 50, 52, 54),
    "blocks.0.1": (98, 38, 41, 43, 45),
    "down.1": (103, 29, 32, 34, 36),
    "down.2": (114, 20, 23, 25, 27),
    "blocks.1.0": (125, 11, 14, 16, 18),
    "blocks.1.1": (146, 1, 5, 7, 9),
}


def varint(data, at):
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value, shift = value | (byte & 127) << shift, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of a protobuf message."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            size, at = {1: (8, at), 5: (4, at)}.get(key & 7) or varint(data, at)
            value, at = data[at : at + size], at + size
        yield key >> 3, value


def initializers(model):
    """Stored float tensors by name: TensorProto has dims = 1, data_type = 2, name = 8, raw_data = 9."""
    graph = next(value for number, value in fields(model) if number == 7)
    found = {}
    for tensor in (value for number, value in fields(graph) if number == 5):
        parts = list(fields(tensor))
        one = dict(parts)
        shape = []
        for value in (value for number, value in parts if number == 1):
            at = 0
            while isinstance(value, bytes) and at < len(value):  # packed
                extent, at = varint(value, at)
                shape.append(extent)
            shape += [] if isinstance(value, bytes) else [value]
        if one[2] == 1:
            values = struct.unpack(f"<{len(one[9]) // 4}f", one[9])
            found[one[8].decode()] = torch.tensor(values).reshape(shape)
    return found


stored = initializers(MODEL.read_bytes())
state = {}
for layer, (weight, variance, scale, mean, shift) in LAYERS.items():
    state[f"{layer}.weight"] = stored[f"c{weight}"]
    state[f"{layer}.norm.running_var"], state[f"{layer}.norm.weight"] = stored[f"c{variance}"], stored[f"c{scale}"]
    state[f"{layer}.norm.running_mean"], state[f"{layer}.norm.bias"] = stored[f"c{mean}"], stored[f"c{shift}"]
    state[f"{layer}.norm.num_batches_tracked"] = torch.tensor(0)
state["classes.weight"], state["classes.bias"] = stored["c165"].T, stored["c167"]
net = ImageClassifier(3, 10, [24, 48, 96, 192])
net.load_state_dict(state)
net.eval()

k, c, y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (4, 3, 32, 32)), indexing="ij")
features, logits = net(torch.sin(0.3 * (k + 1) * x + 0.2 * y + c) * torch.cos(0.1 * k * y))
digits = lambda t: [float(f"{v:.6g}") for v in t.detach().flatten().tolist()]
out = dict(madeWith=f"PyTorch {torch.__version__}", features=digits(features), logits=digits(logits))
pathlib.Path(__file__).with_name("cifar-features-golden.json").write_text(json.dumps(out) + "\n")
