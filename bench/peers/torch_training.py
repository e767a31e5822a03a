"""PyTorch's side of bench/training-step.ts: `setup {...}` and `run k` on stdin, one JSON line back for each.

`setup` names a program, the product's resolved configuration and a safetensors file with the state, the feeds and the
product's own output of each network. The answer says how far the outputs here are from those, and the losses of the
first steps. Both memory layouts are tried; the faster one is timed.
"""
import copy
import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from torch_networks import DetailGenerator, Discriminator, ScoreUnet, energy_score, haar

VERSIONS = f"PyTorch {torch.__version__}, Python {sys.version.split()[0]}"
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def read_safetensors(path):
    raw = open(path, "rb").read()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    return {
        name: torch.from_numpy(np.frombuffer(raw[start + a : start + b], "<f4").reshape(entry["shape"]).copy())
        for name, entry in header.items()
        for a, b in [entry["data_offsets"]]
    }


class Optimiser:
    """Adam on a network, and the moving average of its parameters where a decay is given."""

    def __init__(self, network, lr, betas, decay, foreach=True):
        self.params = list(network.parameters())
        self.adam = torch.optim.Adam(self.params, lr=lr, betas=betas, eps=1e-8, foreach=foreach)
        self.average = None if decay is None else [p.detach().clone() for p in self.params]
        self.decay, self.steps = decay, 0

    def step(self, grads, max_norm=None):
        for p, g in zip(self.params, grads):
            p.grad = g
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.params, max_norm)
        self.adam.step()
        self.steps += 1
        if self.average is not None:
            d = min(self.decay, (self.steps + 1) / (self.steps + 10))
            with torch.no_grad():
                torch._foreach_mul_(self.average, d)
                torch._foreach_add_(self.average, [p.detach() for p in self.params], alpha=1 - d)


class Task:
    """A program of the product: its networks and feeds, in one memory layout."""

    def __init__(self, settings, tensors, layout):
        self.settings, self.model = settings, settings["model"]
        self.feeds = {
            name[5:]: t.contiguous(memory_format=layout) if t.dim() == 4 else t
            for name, t in tensors.items()
            if name.startswith("feed.")
        }
        self.tensors, self.layout = tensors, layout
        self.scaling = {k: torch.tensor(v) for k, v in self.model["scaling"].items()}

    def load(self, network, prefix):
        state = {k[len(prefix) :]: t for k, t in self.tensors.items() if k.startswith(prefix)}
        network.load_state_dict(state, strict=True)
        return network.to(memory_format=self.layout)

    @staticmethod
    def grads(loss, network, retain=False):
        return torch.autograd.grad(loss, list(network.parameters()), retain_graph=retain)


class Low(Task):
    def __init__(self, *args):
        super().__init__(*args)
        low = self.model["low"]
        self.net = self.load(ScoreUnet(channels=self.model["channels"], **low), "state.params.")
        self.networks = {"params": self.net}
        self.optimiser = Optimiser(self.net, float(self.feeds["lr"]), (0.9, 0.99), low["emaDecay"])

    def forward(self):
        return {"params": self.net(self.feeds["noise"], self.feeds["cNoise"])}

    def step(self):
        f, s = self.feeds, self.scaling
        clean = f["pixels"]
        for _ in range(self.model["levels"]):
            clean = haar(clean)[0] / 2
        clean = (clean - s["lowMean"][:, None, None]) / s["lowStd"][:, None, None]
        each = {k: f[k][:, None, None, None] for k in ("sigma", "cSkip", "cIn", "cOut")}
        noisy = clean + f["noise"] * each["sigma"]
        target = (clean - noisy * each["cSkip"]) * each["cOut"]
        loss = (self.net(noisy * each["cIn"], f["cNoise"]) - target).square().mean()
        self.optimiser.step(self.grads(loss, self.net), max_norm=1.0)
        return {"loss": float(loss)}


class Score(Task):
    betas = (0.9, 0.99)

    def __init__(self, *args):
        super().__init__(*args)
        detail, c = self.model["detail"], self.model["channels"]
        self.generator = self.load(DetailGenerator(channels=c, **detail), "state.params.")
        self.critic = self.load(Discriminator(channels=c, **detail), "state.critic.")
        self.networks = {"params": self.generator, "critic": self.critic}
        self.optimiser = Optimiser(self.generator, float(self.feeds["lr"]), self.betas, detail["emaDecay"])

    def forward(self):
        low, noise = self.feeds["jitter1"], self.feeds["noise1"]
        level, n = torch.tensor([1.0]), len(low)
        detail = self.generator(low, noise[:n], level, self.feeds["augmentation1"])
        return {"params": detail, "critic": self.critic(detail, low, level)}

    def scales(self):
        image, found = self.feeds["pixels"], []
        for level in range(1, self.model["levels"] + 1):
            low, detail = haar(image)
            image = low / 2
            augmentation, jitter = self.feeds[f"augmentation{level}"], self.feeds[f"jitter{level}"]
            n = len(augmentation)
            detail = detail[:n] / self.scaling["detailRms"][level - 1][:, None, None]
            seen = image[:n] + jitter * augmentation[:, None, None, None]
            found.append((torch.tensor([float(level)]), seen, detail, augmentation, self.feeds[f"noise{level}"]))
        return found

    def draws(self, level, low, _, augmentation, noise):
        return self.generator(torch.cat([low, low]), noise, level, torch.cat([augmentation, augmentation]))

    def score(self, draws, detail):
        patches = [p for p in self.model["detail"]["patches"] if all(n % p == 0 for n in detail.shape[2:])]
        return energy_score(*draws.chunk(2), detail, patches, self.model["detail"]["repulsion"])

    def step(self):
        scales = self.scales()
        energy = sum(self.score(self.draws(*scale), scale[2]) for scale in scales) / len(scales)
        self.optimiser.step(self.grads(energy, self.generator))
        return {"energy": float(energy)}


class Adversarial(Score):
    betas = (0.5, 0.99)

    def __init__(self, *args):
        super().__init__(*args)
        self.critic_optimiser = Optimiser(self.critic, float(self.feeds["criticLr"]), self.betas, None)

    def step(self):
        scales, energy, fooled, pairing = self.scales(), 0, 0, 0
        for level, low, detail, augmentation, noise in scales:
            draws = self.draws(level, low, detail, augmentation, noise)
            draw = draws[: len(low)]
            real = self.critic(detail, low, level)
            # One pass of the critic over the draw serves both losses.
            made = self.critic(draw, low, level)
            energy = energy + self.score(draws, detail) / len(scales)
            fooled = fooled + F.softplus(real.detach() - made).mean() / len(scales)
            pairing = pairing + F.softplus(made - real).mean() / len(scales)
        loss = energy + self.model["detail"]["adversarial"] * fooled
        grads = self.grads(loss, self.generator, retain=True)
        critic_grads = self.grads(pairing, self.critic)
        self.optimiser.step(grads)
        self.critic_optimiser.step(critic_grads)
        return {"energy": float(energy), "fooled": float(fooled), "critic": float(pairing)}


TASKS = {"low": Low, "score": Score, "adversarial": Adversarial}


def timed(task, repeats):
    ms = []
    for _ in range(repeats):
        start = time.perf_counter()
        task.step()
        ms.append(1e3 * (time.perf_counter() - start))
    return ms


def setup(settings):
    torch.set_num_threads(settings["threads"])
    torch.set_flush_denormal(True)
    tensors = read_safetensors(settings["tensors"])
    make = lambda layout: TASKS[settings["program"]](settings, tensors, LAYOUTS[layout])
    checked = make("contiguous")
    with torch.no_grad():
        outputs = checked.forward()
    answer = {
        "versions": VERSIONS,
        "parameters": {k: sum(p.numel() for p in n.parameters()) for k, n in checked.networks.items()},
        "differences": {k: float((y - tensors[f"expected.{k}"]).abs().max()) for k, y in outputs.items()},
        "losses": [checked.step() for _ in range(settings["steps"])],
    }
    tasks = {layout: make(layout) for layout in LAYOUTS}
    for task in tasks.values():
        timed(task, 1)
    trials = {layout: min(timed(task, 3)) for layout, task in tasks.items()}
    answer["trials"] = trials
    answer["layout"] = min(trials, key=trials.get)
    return answer, tasks[answer["layout"]]


task = None
for line in sys.stdin:
    command, argument = line.split(maxsplit=1)
    if command == "setup":
        answer, task = setup(json.loads(argument))
    else:
        before = time.process_time()
        answer = {"ms": timed(task, int(argument))}
        answer["cpuMs"] = 1e3 * (time.process_time() - before)
    print(json.dumps(answer), flush=True)
