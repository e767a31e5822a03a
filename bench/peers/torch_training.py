"""PyTorch's side of bench/training-step.ts: `setup {...}` and `run k` on stdin, one JSON line back for each.

`setup` names a program, the product's resolved configuration and a safetensors file with the state, the feeds and the
product's own output of each network. The answer says how far the outputs here are from those, and the losses of the
first steps. Both memory layouts are tried; the faster one is timed.
"""
import torch
import torch.nn.functional as F

from torch_iddpm_unet import IddpmUnet
from torch_networks import DetailGenerator, Discriminator, ScoreUnet, energy_score, haar, judged_by
from torch_peer import LAYOUTS, VERSIONS, Optimiser, faster, read_safetensors, serve


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

    def load(self, network, prefix):
        state = {k[len(prefix) :]: t for k, t in self.tensors.items() if k.startswith(prefix)}
        network.load_state_dict(state, strict=True)
        return network.to(memory_format=self.layout)

    @staticmethod
    def grads(loss, network, retain=False):
        return torch.autograd.grad(loss, list(network.parameters()), retain_graph=retain)


class Denoiser(Task):
    """Karras et al. 2022, eq. 8; cOut is fed as its reciprocal."""

    def train(self, net, decay):
        self.net = self.load(net, "state.params.")
        self.networks = {"params": self.net}
        self.optimiser = Optimiser(self.net, float(self.feeds["lr"]), (0.9, 0.99), decay)

    def forward(self):
        return {"params": self.net(self.feeds["noise"], self.feeds["cNoise"])}

    def step(self):
        f, clean = self.feeds, self.clean()
        each = {k: f[k][:, None, None, None] for k in ("sigma", "cSkip", "cIn", "cOut")}
        noisy = clean + f["noise"] * each["sigma"]
        target = (clean - noisy * each["cSkip"]) * each["cOut"]
        loss = (self.net(noisy * each["cIn"], f["cNoise"]) - target).square().mean()
        self.optimiser.step(self.grads(loss, self.net), max_norm=1.0)
        return {"loss": float(loss)}


class Low(Denoiser):
    def __init__(self, *args):
        super().__init__(*args)
        self.scaling = {k: torch.tensor(v) for k, v in self.model["scaling"].items()}
        low = self.model["low"]
        self.train(ScoreUnet(channels=self.model["channels"], **low), low["emaDecay"])

    def clean(self):
        s, low = self.scaling, self.feeds["pixels"]
        for _ in range(self.model["levels"]):
            low = haar(low)[0] / 2
        return (low - s["lowMean"][:, None, None]) / s["lowStd"][:, None, None]


class Unet(Denoiser):
    def __init__(self, *args):
        super().__init__(*args)
        self.train(IddpmUnet(**self.model["network"]), self.model["emaDecay"])

    def clean(self):
        return self.feeds["clean"]


class Score(Task):
    betas = (0.9, 0.99)

    def __init__(self, *args):
        super().__init__(*args)
        self.scaling = {k: torch.tensor(v) for k, v in self.model["scaling"].items()}
        detail, c = self.model["detail"], self.model["channels"]
        self.generator = self.load(DetailGenerator(channels=c, **detail), "state.params.")
        self.discriminator = self.load(Discriminator(channels=c, **detail), "state.critic.")
        self.networks = {"params": self.generator, "critic": self.discriminator}
        self.optimiser = Optimiser(self.generator, float(self.feeds["lr"]), self.betas, detail["emaDecay"])

    def forward(self):
        low, noise = self.feeds["jitter1"], self.feeds["noise1"]
        level, n = torch.tensor([1.0]), len(low)
        detail = self.generator(low, noise[:n], level, self.feeds["augmentation1"])
        return {"params": detail, "critic": self.judge(detail, low, level)}

    def judge(self, detail, low, level):
        rms = self.scaling["detailRms"][int(level) - 1]
        return self.discriminator(judged_by(self.model["detail"]["judged"], low, detail, rms), level)

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
        self.discriminator_optimiser = Optimiser(self.discriminator, float(self.feeds["discriminatorLr"]), self.betas, None)

    def step(self):
        scales, energy, fooled, pairing = self.scales(), 0, 0, 0
        for level, low, detail, augmentation, noise in scales:
            draws = self.draws(level, low, detail, augmentation, noise)
            draw = draws[: len(low)]
            real = self.judge(detail, low, level)
            # One pass of the discriminator over the draw serves both losses.
            made = self.judge(draw, low, level)
            energy = energy + self.score(draws, detail) / len(scales)
            fooled = fooled + F.softplus(real.detach() - made).mean() / len(scales)
            pairing = pairing + F.softplus(made - real).mean() / len(scales)
        loss = energy + self.model["detail"]["adversarial"] * fooled
        grads = self.grads(loss, self.generator, retain=True)
        discriminator_grads = self.grads(pairing, self.discriminator)
        self.optimiser.step(grads)
        self.discriminator_optimiser.step(discriminator_grads)
        return {"energy": float(energy), "fooled": float(fooled), "critic": float(pairing)}


TASKS = {"low": Low, "unet": Unet, "score": Score, "adversarial": Adversarial}


def setup(settings):
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
    steps = {layout: make(layout).step for layout in LAYOUTS}
    answer["layout"], answer["trials"] = faster(steps)
    return answer, {"step": steps[answer["layout"]]}


serve(setup)
