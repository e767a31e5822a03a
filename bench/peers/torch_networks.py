"""The networks and losses of the default WMGM in PyTorch, written from their definitions and named as the product names
its parameters, so that a state of ours loads with strict=True. Peer of bench/training-step.ts.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn


def weights(*shape):
    return nn.Parameter(torch.zeros(shape))


class Conv(nn.Module):
    def __init__(self, inputs, outputs, kernel):
        super().__init__()
        self.weight, self.bias = weights(outputs, inputs, kernel, kernel), weights(outputs)
        self.padding = kernel // 2

    def forward(self, x):
        return F.conv2d(x, self.weight, self.bias, padding=self.padding)


class Linear(nn.Module):
    """Weight [in, out]."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight, self.bias = weights(inputs, outputs), weights(outputs)

    def forward(self, x):
        return torch.addmm(self.bias, x, self.weight)


class Norm(nn.Module):
    """Group normalisation with the largest group count up to 8 that divides the channels."""

    def __init__(self, channels):
        super().__init__()
        self.scale, self.shift = weights(channels), weights(channels)
        self.groups = next(g for g in range(min(8, channels), 0, -1) if channels % g == 0)

    def forward(self, x):
        return F.group_norm(x, self.groups, self.scale, self.shift)

    def modulated(self, x, film):
        scale, shift = film.chunk(2, 1)
        y = F.group_norm(x, self.groups)
        return torch.addcmul((self.shift + shift)[..., None, None], y, (self.scale + scale)[..., None, None])


class Residual(nn.Module):
    def __init__(self, inputs, outputs, embedding):
        super().__init__()
        self.norm1, self.conv1 = Norm(inputs), Conv(inputs, outputs, 3)
        self.norm2, self.film = Norm(outputs), Linear(embedding, 2 * outputs)
        self.conv2 = Conv(outputs, outputs, 3)
        self.skip = None if inputs == outputs else Conv(inputs, outputs, 1)

    def forward(self, x, embedding):
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2.modulated(h, self.film(embedding))))
        return (x if self.skip is None else self.skip(x)) + h


class SelfAttention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm, self.qkv, self.out = Norm(channels), Conv(channels, 3 * channels, 1), Conv(channels, channels, 1)
        self.heads = channels // 32 if channels % 32 == 0 else 1

    def forward(self, x):
        n, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(n, 3, self.heads, c // self.heads, h * w).transpose(3, 4).unbind(1)
        mixed = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(c // self.heads), -1) @ v
        return x + self.out(mixed.transpose(2, 3).reshape(n, c, h, w))


class Gate(nn.Module):
    def __init__(self, gating, channels):
        super().__init__()
        inner = max(8, channels // 2)
        self.gate, self.skip, self.psi = Conv(gating, inner, 1), Conv(channels, inner, 1), Conv(inner, 1, 1)

    def forward(self, g, s):
        return s * torch.sigmoid(self.psi(F.relu(self.gate(g) + self.skip(s))))


class Embedding(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.first, self.second = Linear(inputs, width), Linear(width, width)

    def forward(self, x):
        return F.silu(self.second(F.silu(self.first(x))))


def fourier(x, features, top=64.0):
    frequencies = top ** torch.linspace(0, 1, features // 2)
    phase = x[:, None] * frequencies
    return torch.cat([phase.cos(), phase.sin()], 1)


class Level(nn.Module):
    def __init__(self, inputs, size, embedding, attends):
        super().__init__()
        self.blocks = nn.ModuleList(Residual(n, size, embedding) for n in inputs)
        self.attention = nn.ModuleList(SelfAttention(size) for _ in inputs if attends)

    def run(self, index, h, embedding):
        h = self.blocks[index](h, embedding)
        return self.attention[index](h) if self.attention else h


class Middle(nn.Module):
    def __init__(self, size, embedding):
        super().__init__()
        self.first, self.attention = Residual(size, size, embedding), SelfAttention(size)
        self.second = Residual(size, size, embedding)

    def forward(self, h, embedding):
        return self.second(self.attention(self.first(h, embedding)), embedding)


class ScoreUnet(nn.Module):
    def __init__(self, channels, width, multipliers, blocks, attention, **_):
        super().__init__()
        sizes = [m * width for m in multipliers]
        e = 4 * width
        before = [width] + sizes[:-1]
        above = sizes[1:] + [sizes[-1]]
        levels = range(len(sizes))
        self.embedding, self.input = Embedding(32, e), Conv(channels, width, 3)
        self.down = nn.ModuleList(
            Level([before[i]] + [sizes[i]] * (blocks - 1), sizes[i], e, i in attention) for i in levels
        )
        self.middle = Middle(sizes[-1], e)
        self.up = nn.ModuleList(
            Level([above[i] + sizes[i]] + [2 * sizes[i]] * (blocks - 1), sizes[i], e, i in attention) for i in levels
        )
        self.norm, self.output = Norm(sizes[0]), Conv(sizes[0], channels, 3)

    def forward(self, x, noise):
        e = self.embedding(fourier(noise, 32))
        h, skips = self.input(x), []
        for i, level in enumerate(self.down):
            if i > 0:
                h = F.avg_pool2d(h, 2)
            skips.append([])
            for b in range(len(level.blocks)):
                h = level.run(b, h, e)
                skips[i].append(h)
        h = self.middle(h, e)
        for i in reversed(range(len(self.up))):
            for b in range(len(self.up[i].blocks)):
                h = self.up[i].run(b, torch.cat([h, skips[i].pop()], 1), e)
            if i > 0:
                h = F.interpolate(h, scale_factor=2)
        return self.output(F.silu(self.norm(h)))


class DetailGenerator(nn.Module):
    def __init__(self, channels, noiseAt, noiseChannels, widths, blocks, **_):
        super().__init__()
        e = 2 * widths[0]

        def chain(size, first):
            return nn.ModuleList(Residual(first if b == 0 else size, size, e) for b in range(blocks))

        upper = range(len(widths) - 1)
        self.embedding, self.input = Embedding(32, e), Conv(channels, widths[0], 3)
        self.noise = Conv(noiseChannels, widths[0], 3) if noiseAt == "input" else Conv(noiseChannels, widths[-1], 1)
        self.middle = None if noiseAt == "input" else Residual(widths[-1], widths[-1], e)
        self.down = nn.ModuleList(chain(size, widths[max(i - 1, 0)]) for i, size in enumerate(widths))
        self.gates = nn.ModuleList(Gate(widths[i + 1], widths[i]) for i in upper)
        self.up = nn.ModuleList(chain(widths[i], widths[i + 1] + widths[i]) for i in upper)
        self.norm, self.output = Norm(widths[0]), Conv(widths[0], 3 * channels, 3)

    def forward(self, low, noise, level, augmentation):
        features = torch.cat([fourier(level, 16, 4.0).expand(len(augmentation), -1), fourier(augmentation, 16, 32.0)], 1)
        e = self.embedding(features)
        h, skips = self.input(low), []
        if self.middle is None:
            h = h + self.noise(noise)
        for i, blocks in enumerate(self.down):
            if i > 0:
                h = F.avg_pool2d(h, 2)
            for block in blocks:
                h = block(h, e)
            skips.append(h)
        if self.middle is not None:
            h = self.middle(h + self.noise(noise), e)
        for i in reversed(range(len(self.up))):
            h = F.interpolate(h, scale_factor=2)
            h = torch.cat([h, self.gates[i](h, skips[i])], 1)
            for block in self.up[i]:
                h = block(h, e)
        return self.output(F.silu(self.norm(h)))


class DiscriminatorStage(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1, self.conv2, self.skip = Conv(inputs, inputs, 3), Conv(inputs, outputs, 3), Conv(inputs, outputs, 1)

    def forward(self, h):
        y = F.leaky_relu(self.conv2(F.leaky_relu(self.conv1(h), 0.2)), 0.2)
        return (F.avg_pool2d(y, 2) + self.skip(F.avg_pool2d(h, 2))) * math.sqrt(0.5)


class Discriminator(nn.Module):
    def __init__(self, channels, judged, criticWidths, **_):
        super().__init__()
        widths = criticWidths
        self.embedding, self.shift = Embedding(16, widths[0]), Linear(widths[0], widths[0])
        self.input = Conv((2 if judged == "image" else 4) * channels, widths[0], 3)
        self.stages = nn.ModuleList(DiscriminatorStage(a, b) for a, b in zip(widths, widths[1:]))
        self.output = Conv(widths[-1], 1, 3)

    def forward(self, x, level):
        e = self.shift(self.embedding(fourier(level, 16, 4.0)))
        h = F.leaky_relu(self.input(x) + e[..., None, None], 0.2)
        for stage in self.stages:
            h = stage(h)
        return self.output(h)


def haar(x):
    """Orthonormal Haar analysis of [n, c, h, w]: low band, and LH, HL, HH joined along channels."""
    a, b, c, d = x[..., ::2, ::2], x[..., ::2, 1::2], x[..., 1::2, ::2], x[..., 1::2, 1::2]
    return (a + b + c + d) / 2, torch.cat([a + b - c - d, a - b + c - d, a - b - c + d], 1) / 2


def inverse_haar(low, detail):
    """The inverse of haar()."""
    lh, hl, hh = detail.chunk(3, 1)
    a, b, c, d = low + lh + hl + hh, low + lh - hl - hh, low - lh + hl - hh, low - lh - hl + hh
    rows = [torch.stack(pair, -1).flatten(-2) / 2 for pair in ((a, b), (c, d))]
    return torch.stack(rows, -2).flatten(-3, -2)


def judged_by(judged, low, detail, rms):
    """What a discriminator looks at: the image of a low band and details in units of rms beside its low band, or both."""
    if judged == "bands":
        return torch.cat([low, detail], 1)
    return torch.cat([F.interpolate(low, scale_factor=2), inverse_haar(2 * low, detail * rms[:, None, None])], 1)


def energy_score(first, second, truth, patches, repulsion):
    def distance(a, b, patch):
        squared = (a - b).square().mean(1, keepdim=True)
        return (F.avg_pool2d(squared, patch) + 1e-4).sqrt().mean()

    terms = [
        (distance(first, truth, p) + distance(second, truth, p)) / 2 - repulsion / 2 * distance(first, second, p)
        for p in patches
    ]
    return sum(terms) / len(terms)
