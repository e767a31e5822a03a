"""PyTorch's side of bench/engine.ts: one class a workload, written from the definitions of network, loss and optimiser.

`setup` names a workload, its configuration and a safetensors file with the state, the feeds and the product's own output.
With `steps` the answer says how far the output here is from that one, and the losses of the first steps; without, nothing
but the training step in one layout is made, so that the peak of memory is that of a step.
"""
import torch
import torch.nn.functional as F

from torch_networks import ScoreUnet
from torch_peer import LAYOUTS, VERSIONS, Optimiser, faster, read_safetensors, serve


class Workload:
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

    def grads(self, loss):
        return torch.autograd.grad(loss, list(self.net.parameters()))


class W1(Workload):
    """Karras et al. 2022: preconditioning of eq. 7, loss of eq. 8 with sigma_data = 0.5."""

    sigma_data = 0.5

    def __init__(self, *args):
        super().__init__(*args)
        c = self.config
        self.net = self.load(ScoreUnet(**c["network"]), "state.params.")
        self.optimiser = Optimiser(self.net, c["lr"], (0.9, 0.999), c["emaDecay"], c["weightDecay"])

    def forward(self):
        return self.net(self.feeds["noise"], self.feeds["cNoise"])

    def step(self):
        clean, sigma, s = self.feeds["pixels"], self.feeds["sigma"][:, None, None, None], self.sigma_data
        total = sigma.square() + s**2
        noisy = clean + sigma * self.feeds["noise"]
        raw = self.net(noisy / total.sqrt(), sigma.flatten().log() / 4)
        denoised = s**2 / total * noisy + sigma * s / total.sqrt() * raw
        loss = (total / (sigma * s).square() * (denoised - clean).square()).mean()
        self.optimiser.step(self.grads(loss))
        return {"loss": float(loss)}


WORKLOADS = {"W1": W1}


def setup(settings):
    make = lambda layout: WORKLOADS[settings["workload"]](settings["config"], tensors, LAYOUTS[layout])
    tensors = read_safetensors(settings["tensors"])
    if "steps" not in settings:
        return {}, {"train": make(settings["layout"]).step}

    def forward(task):
        def run():
            with torch.inference_mode():
                return task.forward()

        return run

    checked = make("contiguous")
    output = forward(checked)()
    answer = {
        "versions": VERSIONS,
        "parameters": {"params": sum(p.numel() for p in checked.net.parameters())},
        "differences": {"params": float((output - tensors["expected.params"]).abs().max())},
        "losses": [checked.step() for _ in range(settings["steps"])],
    }
    del checked
    tasks = {layout: make(layout) for layout in LAYOUTS}
    answer["layout"], answer["trials"] = faster({name: task.step for name, task in tasks.items()})
    answer["forwardLayout"], answer["forwardTrials"] = faster({name: forward(task) for name, task in tasks.items()})
    return answer, {
        "train": tasks[answer["layout"]].step,
        "forward": forward(tasks[answer["forwardLayout"]]),
    }


serve(setup)
