"""Networks and losses of bench/engine.ts in PyTorch that torch_networks.py lacks, written from their definitions and named
as the product names its parameters and statistics, so that a state of ours loads with strict=True.
"""
import torch
import torch.nn.functional as F
from torch import nn

from torch_networks import Conv, weights


class BatchNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.scale, self.shift = weights(channels), weights(channels)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x):
        return F.batch_norm(x, self.mean, self.variance, self.scale, self.shift, self.training, 0.1, 1e-5)


class Block(nn.Module):
    """Through the mean of inputs and outputs, beside a 1 x 1 shortcut without bias."""

    def __init__(self, inputs, outputs):
        super().__init__()
        middle = (inputs + outputs) // 2
        self.conv1, self.norm1 = Conv(inputs, middle, 3), BatchNorm(middle)
        self.conv2, self.norm2 = Conv(middle, outputs, 3), BatchNorm(outputs)
        self.shortcut = weights(outputs, inputs, 1, 1)

    def forward(self, x):
        h = F.leaky_relu(self.norm1(self.conv1(x)), 0.1)
        return F.leaky_relu(self.norm2(self.conv2(h)) + F.conv2d(x, self.shortcut), 0.1)


class NormalisedGate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        inner = channels // 2
        self.gating, self.gatingNorm = Conv(channels, inner, 1), BatchNorm(inner)
        self.skip, self.skipNorm = Conv(channels, inner, 1), BatchNorm(inner)
        self.psi, self.psiNorm = Conv(inner, 1, 1), BatchNorm(1)

    def forward(self, gating, skip):
        hidden = F.relu(self.gatingNorm(self.gating(gating)) + self.skipNorm(self.skip(skip)))
        return skip * torch.sigmoid(self.psiNorm(self.psi(hidden)))


class Up(nn.Module):
    def __init__(self, inputs, size):
        super().__init__()
        self.block, self.gate = Block(inputs, size), NormalisedGate(size)

    def forward(self, h, skip):
        y = self.block(F.interpolate(h, scale_factor=2.0, mode="bilinear", align_corners=False))
        return torch.cat([self.gate(y, skip), y], 1)


class AttentionUnet(nn.Module):
    def __init__(self, inputs, outputs, width):
        super().__init__()
        sizes = [width * 2**i for i in range(5)]
        self.down = nn.ModuleList(Block(a, b) for a, b in zip([inputs] + sizes, sizes))
        self.up = nn.ModuleList(Up((2 if i == 3 else 4) * sizes[i], sizes[i]) for i in reversed(range(4)))
        self.last, self.output = Block(2 * width, width // 2), Conv(width // 2, outputs, 1)

    def forward(self, h):
        skips = []
        for i, block in enumerate(self.down):
            h = block(F.max_pool2d(h, 2) if i > 0 else h)
            skips.append(h)
        skips.pop()
        for up in self.up:
            h = up(h, skips.pop())
        return torch.tanh(self.output(self.last(h)))


class BiasFreeCnn(nn.Module):
    """Features are divided by their deviation and multiplied by a gain; the running deviation serves at inference."""

    def __init__(self, inputs, outputs, kernels, width):
        super().__init__()
        sizes = [inputs] + [width] * (len(kernels) - 1) + [outputs]
        self.weights = nn.ParameterList(weights(b, a, k, k) for a, b, k in zip(sizes, sizes[1:], kernels))
        self.gains = nn.ParameterList(weights(width) for _ in kernels[1:-1])
        self.deviations = nn.Module()
        for i in range(len(self.gains)):
            self.deviations.register_buffer(str(i), torch.ones(width))

    def normalise(self, h, gain, running):
        if self.training:
            deviation = (h.var((0, 2, 3), unbiased=False) + 1e-5).sqrt()
            running.mul_(0.9).add_(deviation.detach(), alpha=0.1)
        else:
            deviation = running
        return h * (gain / deviation)[:, None, None]

    def forward(self, h):
        h = F.conv2d(h, self.weights[0], padding=1)
        for weight, gain, running in zip(self.weights[1:-1], self.gains, self.deviations.buffers()):
            h = F.relu(self.normalise(F.conv2d(h, weight, padding=1), gain, running))
        return F.conv2d(h, self.weights[-1], padding=1)

    def folded(self):
        """The same function at inference: gain / deviation multiplied into the weights."""
        scales = [1] + [(g / d)[:, None, None, None] for g, d in zip(self.gains, self.deviations.buffers())] + [1]
        layers = []
        for weight, scale in zip(self.weights, scales):
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, bias=False)
            layer.weight = nn.Parameter((weight * scale).detach(), requires_grad=False)
            layers += [layer, nn.ReLU()]
        del layers[1], layers[-1]
        return nn.Sequential(*layers).eval()


class Ssim:
    """Mean structural similarity of images in [0, 1]: 11 x 11 Gaussian window of deviation 1.5, zeros beyond the border."""

    def __init__(self, channels):
        line = torch.exp(-((torch.arange(11.0) - 5) ** 2) / (2 * 1.5**2))
        line = (line / line.sum()).expand(channels, 1, -1)
        self.down, self.across, self.channels = line[..., None].contiguous(), line[:, :, None].contiguous(), channels

    def blur(self, x):
        x = F.conv2d(x, self.down, padding=(5, 0), groups=self.channels)
        return F.conv2d(x, self.across, padding=(0, 5), groups=self.channels)

    def __call__(self, x, y):
        mx, my, xx, yy, xy = self.blur(torch.cat([x, y, x * x, y * y, x * y])).chunk(5)
        c1, c2 = 0.01**2, 0.03**2
        means, covariance, variances = mx * mx + my * my, xy - mx * my, xx + yy - mx * mx - my * my
        return ((2 * mx * my + c1) * (2 * covariance + c2) / ((means + c1) * (variances + c2))).mean()
