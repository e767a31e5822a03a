"""The U-Net of Nichol & Dhariwal 2021 in PyTorch, written from its definition and named as the product names its parameters,
so that a state of ours loads with strict=True. Peer of bench/training-step.ts; tests/support/make-iddpm-golden.py takes
its values.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

from torch_networks import Conv, Embedding, Linear, weights


class Resize(Conv):
    """A 3 x 3 convolution that halves the extents, or that follows their doubling."""

    def __init__(self, channels, down):
        super().__init__(channels, channels, 3)
        self.down = down

    def forward(self, x):
        if self.down:
            return F.conv2d(x, self.weight, self.bias, stride=2, padding=1)
        return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))


class Norm(nn.Module):
    """Group normalisation with the largest group count up to 32 that divides the channels."""

    def __init__(self, channels):
        super().__init__()
        self.scale, self.shift = weights(channels), weights(channels)
        self.groups = next(g for g in range(min(32, channels), 0, -1) if channels % g == 0)

    def forward(self, x):
        return F.group_norm(x, self.groups, self.scale, self.shift)


class Block(nn.Module):
    def __init__(self, inputs, outputs, embedding, scale_shift):
        super().__init__()
        self.norm1, self.conv1 = Norm(inputs), Conv(inputs, outputs, 3)
        self.time = Linear(embedding, 2 * outputs if scale_shift else outputs)
        self.norm2, self.conv2 = Norm(outputs), Conv(outputs, outputs, 3)
        self.skip = None if inputs == outputs else Conv(inputs, outputs, 1)
        self.scale_shift = scale_shift

    def forward(self, x, embedding):
        h = self.conv1(F.silu(self.norm1(x)))
        time = self.time(embedding)[..., None, None]
        if self.scale_shift:
            scale, shift = time.chunk(2, 1)
            h = self.norm2(h) * (1 + scale) + shift
        else:
            h = self.norm2(h + time)
        return (x if self.skip is None else self.skip(x)) + self.conv2(F.silu(h))


class Attention(nn.Module):
    """Of every head the channels of its queries, keys and values follow one another."""

    def __init__(self, channels, heads):
        super().__init__()
        self.norm, self.qkv, self.out = Norm(channels), Conv(channels, 3 * channels, 1), Conv(channels, channels, 1)
        self.heads = heads

    def forward(self, x):
        n, c, h, w = x.shape
        d = c // self.heads
        q, k, v = self.qkv(self.norm(x)).reshape(n * self.heads, 3 * d, h * w).split(d, 1)
        weight = torch.softmax(torch.bmm(q.transpose(1, 2), k) / math.sqrt(d), -1)
        return x + self.out(torch.bmm(v, weight.transpose(1, 2)).reshape(n, c, h, w))


class Level(nn.Module):
    def __init__(self, inputs, size, config, attends, resize):
        super().__init__()
        e, scale_shift = 4 * config["width"], config["scaleShiftNorm"]
        self.blocks = nn.ModuleList(Block(n, size, e, scale_shift) for n in inputs)
        self.attention = nn.ModuleList(Attention(size, config["heads"]) for _ in inputs if attends)
        self.resize = resize

    def run(self, index, h, embedding):
        h = self.blocks[index](h, embedding)
        return self.attention[index](h) if self.attention else h


class Middle(nn.Module):
    def __init__(self, size, config):
        super().__init__()
        e, scale_shift = 4 * config["width"], config["scaleShiftNorm"]
        self.first, self.second = Block(size, size, e, scale_shift), Block(size, size, e, scale_shift)
        self.attention = Attention(size, config["heads"])

    def forward(self, h, embedding):
        return self.second(self.attention(self.first(h, embedding)), embedding)


class IddpmUnet(nn.Module):
    def __init__(self, **config):
        super().__init__()
        width, channels, blocks = config["width"], config["channels"], config["blocks"]
        sizes = [m * width for m in config["multipliers"]]
        last = len(sizes) - 1
        self.width = width
        self.embedding = Embedding(width, 4 * width)
        self.input = Conv(channels + config["conditioning"], sizes[0], 3)
        skips, ch = [sizes[0]], sizes[0]
        self.down = nn.ModuleList()
        for i, size in enumerate(sizes):
            inputs = [ch] + [size] * (blocks - 1)
            resize = Resize(size, down=True) if i < last else None
            skips += [size] * (blocks + (i < last))
            self.down.append(Level(inputs, size, config, i in config["attention"], resize))
            ch = size
        self.middle = Middle(ch, config)
        up = []
        for i, size in reversed(list(enumerate(sizes))):
            inputs = []
            for _ in range(blocks + 1):
                inputs.append(ch + skips.pop())
                ch = size
            resize = Resize(size, down=False) if i > 0 else None
            up.append(Level(inputs, size, config, i in config["attention"], resize))
        self.up = nn.ModuleList(reversed(up))
        self.norm, self.output = Norm(sizes[0]), Conv(sizes[0], channels, 3)

    def forward(self, x, time, conditioning=None):
        half = self.width // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=x.dtype) / half)
        phase = time[:, None] * frequencies
        e = self.embedding(torch.cat([phase.cos(), phase.sin()], 1))
        h = self.input(x if conditioning is None else torch.cat([x, conditioning], 1))
        skips = [h]
        for level in self.down:
            for b in range(len(level.blocks)):
                h = level.run(b, h, e)
                skips.append(h)
            if level.resize is not None:
                h = level.resize(h)
                skips.append(h)
        h = self.middle(h, e)
        for level in reversed(self.up):
            for b in range(len(level.blocks)):
                h = level.run(b, torch.cat([h, skips.pop()], 1), e)
            if level.resize is not None:
                h = level.resize(h)
        return self.output(F.silu(self.norm(h)))
