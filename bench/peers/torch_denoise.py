"""PyTorch's side of bench/denoise.ts: multi-scale and flat local denoisers, written from their definition.

`setup` names a safetensors file with a model as it is stored, the noisy tiles and the product's own output, and answers
how far the output here is from that. Normalisation is folded into the weights, as in the product; the fastest of two
layouts and three forms (eager, frozen trace, frozen and optimised for inference) is run. With `only` nothing else is
made, so that the peak of memory is that of denoising.
"""
import warnings

import torch
import torch.nn.functional as F

from torch_peer import LAYOUTS, VERSIONS, faster, read_safetensors, serve

# Tracing fixes shapes, which is what is wanted.
warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)


class BiasFree(torch.nn.Module):
    """Convolutions and ReLUs; gain / deviation is in the weights of all but the first and the last."""

    def __init__(self, tensors, prefix):
        super().__init__()
        self.convolutions = torch.nn.ModuleList()
        while (weight := tensors.get(f"{prefix}.params.weights.{len(self.convolutions)}")) is not None:
            i = len(self.convolutions) - 1
            gain = tensors.get(f"{prefix}.params.gains.{i}")
            if gain is not None:
                weight = weight * (gain / tensors[f"{prefix}.statistics.deviations.{i}"])[:, None, None, None]
            out, inputs, side, _ = weight.shape
            convolution = torch.nn.Conv2d(inputs, out, side, padding=side // 2, bias=False)
            convolution.weight.data.copy_(weight)
            self.convolutions.append(convolution)

    def forward(self, x):
        last = len(self.convolutions) - 1
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x)
            if 0 < i < last:
                x = F.relu(x)
        return x


class Denoiser(torch.nn.Module):
    """Kadkhodaie et al. 2023: the low-pass band first, then the details of each level beside what is denoised already."""

    def __init__(self, tensors):
        super().__init__()
        self.low = BiasFree(tensors, "low")
        self.details = torch.nn.ModuleList()
        while f"details.{len(self.details)}.params.weights.0" in tensors:
            self.details.append(BiasFree(tensors, f"details.{len(self.details)}"))
        signs = torch.tensor([[1.0, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]).reshape(4, 1, 2, 2)
        self.register_buffer("analysis", signs / 4)
        self.register_buffer("synthesis", signs)

    def forward(self, x):
        noisy = []
        for _ in self.details:
            bands = F.conv2d(x, self.analysis, stride=2)
            x = bands[:, :1]
            noisy.append(bands[:, 1:])
        x = x - self.low(x)
        for network, details in zip(reversed(self.details), reversed(noisy)):
            details = details - network(torch.cat((x, details), 1))
            x = F.conv_transpose2d(torch.cat((x, details), 1), self.synthesis, stride=2)
        return x


def variants(tensors, layout, wanted):
    """Functions without arguments by name, in one layout; `wanted` forms only."""
    network = Denoiser(tensors).eval().requires_grad_(False).to(memory_format=LAYOUTS[layout])
    x = tensors["noisy"].contiguous(memory_format=LAYOUTS[layout])

    def called(module):
        def run():
            with torch.inference_mode():
                return module(x)

        return run

    forms = {}
    if "eager" in wanted:
        forms["eager"] = network
    if len(wanted - {"eager"}) > 0:
        with torch.no_grad():
            frozen = torch.jit.freeze(torch.jit.trace(network, x, check_trace=False))
        if "frozen" in wanted:
            forms["frozen"] = frozen
        if "optimised" in wanted:
            forms["optimised"] = torch.jit.optimize_for_inference(frozen)
    return {f"{form} {layout}": called(module) for form, module in forms.items()}


def setup(settings):
    tensors = read_safetensors(settings["tensors"])
    if "only" in settings:
        form, layout = settings["only"].split(" ")
        return {}, variants(tensors, layout, {form})
    found = {}
    for layout in LAYOUTS:
        found.update(variants(tensors, layout, {"eager", "frozen", "optimised"}))
    outputs = {name: run() for name, run in found.items()}
    difference = max(float((y - tensors["denoised"]).abs().max()) for y in outputs.values())
    best, trials = faster(found, 1)
    answer = {"difference": difference, "best": best, "trials": trials, "versions": VERSIONS}
    return answer, {"denoise": found[best]}


serve(setup)
