"""Makes scaled-images-golden.json beside it: an image of 7 x 5 made smaller by local means (scikit-image) and larger
bilinearly (PyTorch). Run with Debian's python3-skimage and python3-torch, then prettier --write on the result.
"""
import json
import pathlib

import numpy as np
import torch
from skimage.transform import resize_local_mean

image = np.sin(0.0137 * np.arange(35.0) ** 2).reshape(7, 5)


def digits(values):
    return [float(f"{v:.9g}") for v in np.asarray(values).flatten()]


def bilinear(height, width):
    return torch.nn.functional.interpolate(torch.tensor(image)[None, None], (height, width), mode="bilinear")


out = dict(
    smaller=[dict(extents=list(to), values=digits(resize_local_mean(image, to))) for to in ((3, 2), (6, 4), (1, 1))],
    larger=[dict(extents=list(to), values=digits(bilinear(*to))) for to in ((14, 10), (9, 11))],
)
pathlib.Path(__file__).with_name("scaled-images-golden.json").write_text(json.dumps(out) + "\n")
