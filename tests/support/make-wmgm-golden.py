"""Makes wmgm-golden.json beside it: losses and parameters of three adversarial steps of the default WMGM's details in
PyTorch, in float64, from formulas for weights, images and noise that any language can repeat.

Run with Debian's python3-torch: /usr/bin/python3 tests/support/make-wmgm-golden.py, then prettier --write on the result.

The k-th parameter of a network by name holds b sin(0.0137 i^2 + k), with b = sqrt(2 / (elements a slice of the first axis)),
or 0.1 for vectors, plus 1 for scales. The losses are those of Xiao et al. 2024 as the product changed them: energy score
(Gneiting and Raftery 2007, eq. 22) over patches, relativistic pairing (Jolicoeur-Martineau 2019), R1 (Mescheder et al.
2018, eq. 9) every so many steps.
"""
import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "peers"))
from torch_networks import DetailGenerator, Discriminator, energy_score, haar, judged_by

torch.set_default_dtype(torch.float64)
CHANNELS, HEIGHT, WIDTH, LEVELS, BATCH = 3, 32, 16, 2, 8
WIDTHS, NOISES = [8, 16], {"input": 4, "middle": 16}
ADVERSARIAL, REPULSION, GAMMA, EVERY = 0.3, 1.0, 10.0, 8
LR, DISCRIMINATOR_LR, BETAS, DECAY = 4e-3, 2e-3, (0.5, 0.99), 0.998
PENALISED = [True, False, False]


def chirp(*shape, k=0.0):
    return torch.sin(0.0137 * torch.arange(math.prod(shape), dtype=torch.float64) ** 2 + k).reshape(shape)


def filled(net):
    for k, (name, p) in enumerate(sorted(net.named_parameters())):
        size = 0.1 if p.dim() == 1 else math.sqrt(2 / (p.numel() / p.shape[0]))
        p.data = size * chirp(*p.shape, k=k) + (1 if name.endswith("scale") else 0)
    return net


def digits(values):
    return [float(f"{v:.9g}") for v in values]


def scale_of(level):
    """Root mean squares of the details of a level."""
    return torch.tensor([0.1 * level + 0.02 * band for band in range(3 * CHANNELS)])


def scales(step, noise_at):
    """Level, noisy low band, true details and noise of each scale; the finest shows half the images."""
    image = 0.6 * chirp(BATCH, CHANNELS, HEIGHT, WIDTH, k=step)
    for level in range(1, LEVELS + 1):
        samples = BATCH >> (LEVELS - level)
        low, detail = haar(image)
        image = low / 2
        h, w = image.shape[2:]
        augmentation = 0.1 * chirp(samples, k=step + level).abs()
        jitter = chirp(samples, CHANNELS, h, w, k=10 + step + level)
        yield (
            torch.tensor([float(level)]),
            image[:samples] + jitter * augmentation[:, None, None, None],
            (detail / scale_of(level)[:, None, None])[:samples],
            augmentation,
            1.5 * chirp(2 * samples, NOISES[noise_at], *noise_extents(noise_at, h, w), k=20 + step + level),
        )


def noise_extents(noise_at, h, w):
    factor = 1 if noise_at == "input" else 2 ** (len(WIDTHS) - 1)
    return h // factor, w // factor


def pairing(own, other):
    return F.softplus(other - own).mean()


def train(step, judged_is, noise_at, generator, discriminator, average, optimisers):
    def judge(detail, low, level):
        return discriminator(judged_by(judged_is, low, detail, scale_of(int(level))), level)

    energies, fooled, judged = [], [], []
    for level, low, detail, augmentation, noise in scales(step, noise_at):
        twice = torch.cat([low, low]), noise, level, torch.cat([augmentation, augmentation])
        first, second = generator(*twice).chunk(2)
        patches = [p for p in (1, 2, 4) if all(extent % p == 0 for extent in detail.shape[2:])]
        energies.append(energy_score(first, second, detail, patches, REPULSION))
        fooled.append(pairing(judge(first, low, level), judge(detail, low, level).detach()))
        truth = detail.clone().requires_grad_()
        scores = judge(truth, low, level)
        loss = pairing(scores, judge(first.detach(), low, level))
        if PENALISED[step]:
            (slope,) = torch.autograd.grad(scores.mean((1, 2, 3)).sum(), truth, create_graph=True)
            loss = loss + GAMMA / 2 * EVERY * slope.square().sum((1, 2, 3)).mean()
        judged.append(loss)
    energy, fooled, judged = (sum(terms) / len(terms) for terms in (energies, fooled, judged))
    # Both gradients are of the networks as they were before the step.
    for net, loss in ((generator, energy + ADVERSARIAL * fooled), (discriminator, judged)):
        parameters = list(net.parameters())
        for p, g in zip(parameters, torch.autograd.grad(loss, parameters)):
            p.grad = g
    for each in optimisers:
        each.step()
    done = step + 1
    decay = min(DECAY, (1 + done) / (10 + done))
    for name, p in generator.named_parameters():
        average[name] += (1 - decay) * (p.detach() - average[name])
    return digits([energy.item(), fooled.item(), judged.item()])


def watched(parameters):
    """Of every parameter its sum and its product with a chirp."""
    return {n: digits([p.sum().item(), (p * chirp(*p.shape)).sum().item()]) for n, p in sorted(parameters)}


def trained(judged_is, noise_at, critic_widths):
    generator = filled(DetailGenerator(CHANNELS, noise_at, NOISES[noise_at], WIDTHS, blocks=1))
    discriminator = filled(Discriminator(CHANNELS, judged_is, critic_widths))
    average = {name: p.detach().clone() for name, p in generator.named_parameters()}
    optimisers = [
        torch.optim.Adam(generator.parameters(), LR, BETAS),
        torch.optim.Adam(discriminator.parameters(), DISCRIMINATOR_LR, BETAS),
    ]
    nets = generator, discriminator, average, optimisers
    losses = [train(step, judged_is, noise_at, *nets) for step in range(len(PENALISED))]
    return dict(
        losses=losses,
        params=watched(generator.named_parameters()),
        average=watched(average.items()),
        critic=watched(discriminator.named_parameters()),
    )


out = dict(
    madeWith=f"PyTorch {torch.__version__}",
    image=trained("image", "input", [WIDTHS[0] // 2, *WIDTHS]),
    bands=trained("bands", "middle", WIDTHS),
)
pathlib.Path(__file__).with_name("wmgm-golden.json").write_text(json.dumps(out, indent=1) + "\n")
