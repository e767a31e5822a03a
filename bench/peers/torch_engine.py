"""PyTorch's side of bench/engine.ts: one class a workload, written from the definitions of network, loss and optimiser.

`setup` names a workload, its configuration and a safetensors file with the state, the feeds and the product's own output.
With `steps` the answer says how far the output here is from that one, and the losses of the first steps; without, nothing
but the training step in one layout is made, so that the peak of memory is that of a step.
"""
import copy
import warnings

import torch
import torch.nn.functional as F

from torch_engine_networks import AttentionUnet, BiasFreeCnn, Ssim
from torch_networks import Discriminator, ScoreUnet
from torch_peer import LAYOUTS, VERSIONS, Optimiser, faster, read_safetensors, serve

# Tracing fixes shapes, which is what is wanted.
warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)


class Workload:
    """A network with its feeds in one memory layout; `arguments` are those of its inference."""

    def __init__(self, config, tensors, layout):
        self.config, self.tensors, self.layout = config, tensors, layout
        self.feeds = {
            name[5:]: t.contiguous(memory_format=layout) if t.dim() == 4 else t
            for name, t in tensors.items()
            if name.startswith("feed.")
        }

    def load(self, network, *prefixes):
        state = {k[len(p) :]: t for p in prefixes for k, t in self.tensors.items() if k.startswith(p)}
        network.load_state_dict(state, strict=True)
        return network.to(memory_format=self.layout)

    def inference(self):
        """The network to run at inference, with its present weights."""
        return copy.deepcopy(self.net).eval().requires_grad_(False)

    def grads(self, loss):
        return torch.autograd.grad(loss, list(self.net.parameters()))


class W1(Workload):
    """Karras et al. 2022: preconditioning of eq. 7, loss of eq. 8 with sigma_data = 0.5."""

    sigma_data = 0.5

    def __init__(self, *args):
        super().__init__(*args)
        c = self.config
        self.net = self.load(ScoreUnet(**c["network"]), "state.params.")
        self.arguments = (self.feeds["noise"], self.feeds["cNoise"])
        self.optimiser = Optimiser(self.net, c["lr"], (0.9, 0.999), c["emaDecay"], c["weightDecay"])

    def step(self):
        clean, sigma, s = self.feeds["pixels"], self.feeds["sigma"][:, None, None, None], self.sigma_data
        total = sigma.square() + s**2
        noisy = clean + sigma * self.feeds["noise"]
        raw = self.net(noisy / total.sqrt(), sigma.flatten().log() / 4)
        denoised = s**2 / total * noisy + sigma * s / total.sqrt() * raw
        loss = (total / (sigma * s).square() * (denoised - clean).square()).mean()
        self.optimiser.step(self.grads(loss))
        return {"loss": float(loss)}


class W2(Workload):
    """The released generator of WMGM; squared error plus 1 - SSIM of bands brought to [0, 1]."""

    def __init__(self, *args):
        super().__init__(*args)
        c = self.config
        self.net = self.load(AttentionUnet(**c["network"]), "state.params.", "state.statistics.")
        self.arguments = (self.feeds["x"],)
        self.optimiser = Optimiser(self.net, c["lr"], (0.9, 0.999), None, c["weightDecay"])
        self.ssim = Ssim(c["network"]["outputs"])

    def step(self):
        y, target = self.net(self.feeds["x"]), self.feeds["target"]
        similarity = self.ssim((y + 1) / 2, (target + 1) / 2)
        loss = F.mse_loss(y, target) + 1 - similarity
        self.optimiser.step(self.grads(loss))
        return {"loss": float(loss), "similarity": float(similarity)}


class W3(Workload):
    """Mohan et al. 2020: nothing is added anywhere; the loss is the sum of squared errors of the predicted noise."""

    def __init__(self, *args):
        super().__init__(*args)
        c = self.config
        self.net = self.load(BiasFreeCnn(**c["network"]), "state.params.", "state.statistics.")
        self.arguments = (self.feeds["pixels"],)
        self.optimiser = Optimiser(self.net, c["lr"], (0.9, 0.999), None)

    def inference(self):
        return self.net.folded().to(memory_format=self.layout)

    def step(self):
        noise = self.feeds["noise"] * self.feeds["sigma"][:, None, None, None]
        loss = F.mse_loss(self.net(self.feeds["pixels"] + noise), noise, reduction="sum")
        self.optimiser.step(self.grads(loss))
        return {"loss": float(loss)}


class W4(Workload):
    """Logistic discriminator loss with R1 (Mescheder et al. 2018, eq. 9) on the mean score of each sample's patches."""

    def __init__(self, *args):
        super().__init__(*args)
        c = self.config
        widths = c["network"]["widths"]
        self.net = self.load(Discriminator(3, "bands", widths), "state.params.")
        self.level = torch.tensor([1.0])
        self.arguments = (torch.cat([self.feeds["low"], self.feeds["real"]], 1), self.level)
        self.optimiser = Optimiser(self.net, c["lr"], c["betas"], None)

    def step(self):
        low, real = self.feeds["low"], self.feeds["real"].detach().requires_grad_()
        scores = self.net(torch.cat([low, real], 1), self.level)
        (slope,) = torch.autograd.grad(scores.mean((1, 2, 3)).sum(), real, create_graph=True)
        penalty = slope.square().sum((1, 2, 3)).mean()
        made = self.net(torch.cat([low, self.feeds["fake"]], 1), self.level)
        loss = F.softplus(-scores).mean() + F.softplus(made).mean() + self.config["gamma"] / 2 * penalty
        self.optimiser.step(self.grads(loss))
        return {"loss": float(loss), "penalty": float(penalty)}


WORKLOADS = {"W1": W1, "W2": W2, "W3": W3, "W4": W4}


def inferences(task):
    """Ways to run the network at inference: as it is, and traced with frozen weights and folded normalisation."""
    net = task.inference()

    def called(module):
        def run():
            with torch.inference_mode():
                return module(*task.arguments)

        return run

    with torch.no_grad():
        traced = torch.jit.freeze(torch.jit.trace(net, task.arguments, check_trace=False))
    return {"eager": called(net), "frozen": called(traced)}


def setup(settings):
    make = lambda layout: WORKLOADS[settings["workload"]](settings["config"], tensors, LAYOUTS[layout])
    tensors = read_safetensors(settings["tensors"])
    if "steps" not in settings:
        return {}, {"train": make(settings["layout"]).step}
    checked = make("contiguous")
    expected = tensors["expected.params"]
    differences = [float((run() - expected).abs().max()) for run in inferences(checked).values()]
    answer = {
        "versions": VERSIONS,
        "parameters": {"params": sum(p.numel() for p in checked.net.parameters())},
        "differences": {"params": max(differences)},
        "losses": [checked.step() for _ in range(settings["steps"])],
    }
    del checked
    tasks = {layout: make(layout) for layout in LAYOUTS}
    forwards = {f"{layout} {way}": run for layout, task in tasks.items() for way, run in inferences(task).items()}
    answer["layout"], answer["trials"] = faster({layout: task.step for layout, task in tasks.items()})
    answer["forwardLayout"], answer["forwardTrials"] = faster(forwards)
    return answer, {"train": tasks[answer["layout"]].step, "forward": forwards[answer["forwardLayout"]]}


serve(setup)
