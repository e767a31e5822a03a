"""What the PyTorch peers share: a line of JSON for each line on stdin, safetensors, the optimiser and the choice of a layout.

Lines are `setup {...}`, `run k [program]` (milliseconds of each of k runs and of processor time) and `memory` (the peak
of resident memory of this process, bytes).
"""
import json
import sys
import time

import numpy as np
import torch

VERSIONS = f"PyTorch {torch.__version__}, Python {sys.version.split()[0]}"
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def read_safetensors(path):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        found = {}
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            file.seek(8 + length + start)
            values = np.fromfile(file, "<f4", (end - start) // 4)
            found[name] = torch.from_numpy(values.reshape(entry["shape"]))
        return found


class Optimiser:
    """Adam on a network (AdamW with a weight decay), and the moving average of its parameters where a decay is given."""

    def __init__(self, network, lr, betas, decay, weight_decay=0):
        self.params = list(network.parameters())
        kind = torch.optim.AdamW if weight_decay else torch.optim.Adam
        self.adam = kind(self.params, lr=lr, betas=betas, eps=1e-8, weight_decay=weight_decay, foreach=True)
        self.average = None if decay is None else [p.detach().clone() for p in self.params]
        self.decay, self.steps = decay, 0

    def step(self, grads, max_norm=None):
        for p, g in zip(self.params, grads):
            p.grad = g
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.params, max_norm)
        self.adam.step()
        for p in self.params:
            p.grad = None
        self.steps += 1
        if self.average is not None:
            d = min(self.decay, (self.steps + 1) / (self.steps + 10))
            with torch.no_grad():
                torch._foreach_mul_(self.average, d)
                torch._foreach_add_(self.average, [p.detach() for p in self.params], alpha=1 - d)


def timed(once, repeats):
    ms = []
    for _ in range(repeats):
        start = time.perf_counter()
        once()
        ms.append(1e3 * (time.perf_counter() - start))
    return ms


def faster(variants, repeats=2):
    """The name of the fastest function, and milliseconds of each; one run of each does not count."""
    for once in variants.values():
        once()
    trials = {name: min(timed(once, repeats)) for name, once in variants.items()}
    return min(trials, key=trials.get), trials


def peak_bytes():
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def serve(setup):
    """`setup` gives an answer and the programs by name; `run k` without a name runs the first."""
    programs = {}
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "setup":
            settings = json.loads(argument)
            torch.set_num_threads(settings["threads"])
            torch.set_flush_denormal(True)
            answer, programs = setup(settings)
        elif command == "run":
            repeats, _, name = argument.partition(" ")
            before = time.process_time()
            answer = {"ms": timed(programs[name] if name else next(iter(programs.values())), int(repeats))}
            answer["cpuMs"] = 1e3 * (time.process_time() - before)
        else:
            answer = {"peakBytes": peak_bytes()}
        print(json.dumps(answer), flush=True)
