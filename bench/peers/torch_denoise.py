"""PyTorch's side of bench/denoise.ts: multi-scale and flat local denoisers and our U-Net, written from their definition.

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
            self.convolutions.append(convolution(weight))

    def forward(self, x):
        last = len(self.convolutions) - 1
        for i, each in enumerate(self.convolutions):
            x = each(x)
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


class Block(torch.nn.Module):
    """x + second(relu(first(x) + bias))."""

    def __init__(self, tensors, prefix):
        super().__init__()
        self.first = convolution(tensors[f"{prefix}.first"], tensors[f"{prefix}.bias"])
        self.second = convolution(tensors[f"{prefix}.second"])

    def forward(self, x):
        return x + self.second(F.relu(self.first(x)))


class BandUnet(torch.nn.Module):
    """The U-Net over Haar bands in units of the noise; gray, like everything here."""

    def __init__(self, tensors):
        super().__init__()

        def module(name):
            return convolution(tensors[f"unet.{name}"]) if f"unet.{name}" in tensors else None

        def blocks(name):
            found = torch.nn.ModuleList()
            while f"unet.{name}.{len(found)}.first" in tensors:
                found.append(Block(tensors, f"unet.{name}.{len(found)}"))
            return torch.nn.Sequential(*found)

        self.entries, self.downs, self.ups = (torch.nn.ModuleList() for _ in range(3))
        self.encoders, self.decoders = torch.nn.ModuleList(), torch.nn.ModuleList()
        while f"unet.levels.{len(self.entries)}.entry" in tensors:
            level = f"levels.{len(self.entries)}"
            self.entries.append(module(f"{level}.entry"))
            self.downs.append(module(f"{level}.down"))
            self.ups.append(module(f"{level}.up"))
            self.encoders.append(blocks(f"{level}.encoder"))
            self.decoders.append(blocks(f"{level}.decoder"))
        self.exit = module("exit")
        signs = torch.tensor([[1.0, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]).reshape(4, 1, 2, 2)
        self.register_buffer("analysis", signs / 4)
        self.register_buffer("synthesis", signs)

    def forward(self, x):
        low, scale, skips = x, None, []
        for j, (entry, down, encoder) in enumerate(zip(self.entries, self.downs, self.encoders)):
            bands = F.conv2d(low, self.analysis, stride=2)
            low, details = bands[:, :1], bands[:, 1:]
            if scale is None:
                scale = details[:, 2:].abs().mean((1, 2, 3), keepdim=True) * (torch.pi / 2) ** 0.5 + 1e-6
            even = low - F.avg_pool2d(F.pad(low, (1, 1, 1, 1), mode="replicate"), 3, 1)
            h = entry(torch.cat((even, details), 1) / (scale * 0.5**j))
            if down is not None:
                h = h + down(F.avg_pool2d(skips[-1], 2))
            skips.append(encoder(h))
        for j in reversed(range(len(skips))):
            if self.ups[j] is not None:
                h = skips[j] + F.interpolate(self.ups[j](h), scale_factor=2, mode="nearest")
            else:
                h = skips[j]
            h = self.decoders[j](h)
        noise = self.exit(h)
        noise = noise / torch.sqrt((noise / 8) ** 2 + 1) * scale
        return x - F.conv_transpose2d(noise, self.synthesis, stride=2)


def convolution(weight, bias=None):
    out, inputs, side, _ = weight.shape
    made = torch.nn.Conv2d(inputs, out, side, padding=side // 2, bias=bias is not None)
    made.weight.data.copy_(weight)
    if bias is not None:
        made.bias.data.copy_(bias)
    return made


def variants(tensors, layout, wanted):
    """Functions without arguments by name, in one layout; `wanted` forms only."""
    architecture = BandUnet if "unet.exit" in tensors else Denoiser
    network = architecture(tensors).eval().requires_grad_(False).to(memory_format=LAYOUTS[layout])
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
