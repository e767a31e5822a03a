"""Makes torch-features.onnx and torch-features.json beside it: a small network as PyTorch exports one, of any batch and
any extents, and what it answers to two images. Run with Debian's python3-torch, then prettier --write on the JSON.

The weights are 0.3 sin(0.37 i + k) of the k-th parameter; element i of the images [2, 3, 12, 10] is sin(0.0137 i^2).
Pixels are given as networks for ImageNet want them.
"""
import json
import math
import pathlib

import torch
from torch import nn

HERE = pathlib.Path(__file__).parent


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.head = nn.Conv2d(4, 6, 3), nn.Linear(6, 5)

    def forward(self, x):
        inner = torch.relu(self.norm(self.conv1(x)))
        pooled = nn.functional.adaptive_avg_pool2d(torch.relu(self.conv2(inner)), 1).flatten(1)
        return self.head(pooled), pooled


net = Network().eval()
for k, p in enumerate(net.parameters()):
    p.data = 0.3 * torch.sin(0.37 * torch.arange(p.numel()) + k).reshape(p.shape)
images = torch.sin(0.0137 * torch.arange(720, dtype=torch.float64) ** 2).float().reshape(2, 3, 12, 10)
mean, deviation = (torch.tensor(v).reshape(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
fed = ((images + 1) / 2 - mean) / deviation
torch.onnx.export(
    net,
    fed,
    str(HERE / "torch-features.onnx"),
    input_names=["pixels"],
    output_names=["scores", "pooled"],
    opset_version=17,
    dynamic_axes={"pixels": {0: "n", 2: "h", 3: "w"}, "scores": {0: "n"}, "pooled": {0: "n"}},
)
scores, pooled = net(fed)
inner = torch.relu(net.norm(net.conv1(fed))).mean((2, 3))
digits = lambda t: [float(f"{v:.7g}") for v in t.detach().flatten().tolist()]
out = dict(madeWith=f"PyTorch {torch.__version__}", scores=digits(scores), pooled=digits(pooled), inner=digits(inner))
(HERE / "torch-features.json").write_text(json.dumps(out) + "\n")
