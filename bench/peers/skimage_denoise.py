"""Classical denoisers of scikit-image on the noisy pictures that `subband study local --dump DIR` wrote.

Usage: /usr/bin/python3 bench/peers/skimage_denoise.py DIR. Writes DIR/results.csv, for `--peers`, and beside it what each
method made of each picture, float32. All methods are told the deviation of the noise, which blind networks are not; one
thread. Strengths and patch sizes are those of scikit-image's own examples and defaults; none is fitted to these pictures.
"""
import csv
import math
import os
import sys
import time
import zlib

import numpy as np
import pywt
from skimage.restoration import cycle_spin, denoise_nl_means, denoise_wavelet


# Scikit-image's default is three levels less than fit, too few for long filters: noise of low frequency would stay.
LEVELS = 5


def wavelet(name):
    """BayesShrink (Chang, Yu, Vetterli 2000), soft thresholds."""

    def denoise(x, sigma, axis):
        levels = min(LEVELS, pywt.dwt_max_level(min(x.shape[:2]), name))
        return denoise_wavelet(
            x, sigma, name, "soft", levels, method="BayesShrink", rescale_sigma=True, channel_axis=axis
        )

    return denoise


def spun(name, shifts):
    """The mean over circular shifts of 0..shifts pixels along each axis (Coifman, Donoho 1995)."""
    once = wavelet(name)
    return lambda x, sigma, axis: cycle_spin(
        x, once, max_shifts=shifts, num_workers=1, func_kw={"sigma": sigma, "axis": axis}, channel_axis=axis
    )


def nl_means(fast, patch, distance, strength):
    """Non-local means (Buades, Coll, Morel 2005): patches within a distance, h = strength * sigma."""
    return lambda x, sigma, axis: denoise_nl_means(
        x, patch, distance, strength * sigma, sigma=sigma, fast_mode=fast, channel_axis=axis
    )


METHODS = {
    "BayesShrink db1": wavelet("db1"),
    "BayesShrink sym8": wavelet("sym8"),
    "BayesShrink sym8 4x4 spins": spun("sym8", 3),
    "non-local means 5x5": nl_means(False, 5, 6, 0.6),
    "non-local means 7x7 fast": nl_means(True, 7, 11, 0.8),
}


def read(folder, name, shape):
    with open(os.path.join(folder, name), "rb") as file:
        data = file.read()
    values = np.frombuffer(data, "<f4").reshape(shape)
    # Planar to scikit-image's order; gray without an axis of channels.
    return (values[0] if shape[0] == 1 else np.moveaxis(values, 0, -1)), zlib.crc32(data)


def main(folder):
    with open(os.path.join(folder, "noisy.csv"), newline="") as file:
        noisy_pictures = list(csv.DictReader(file))
    rows = []
    for m, (method, denoise) in enumerate(METHODS.items()):
        for k, row in enumerate(noisy_pictures):
            shape = tuple(int(row[name]) for name in ("channels", "height", "width"))
            clean, _ = read(folder, row["clean"], shape)
            noisy, crc = read(folder, row["noisy"], shape)
            if crc != int(row["crc32"]):
                sys.exit(f"{row['noisy']} is not the file of the list: dump the pictures again")
            axis = None if shape[0] == 1 else -1
            start = time.perf_counter()
            found = denoise(noisy.astype(np.float64), float(row["sigma"]) / 255, axis)
            ms = 1e3 * (time.perf_counter() - start)
            planar = found[None] if axis is None else np.moveaxis(found, -1, 0)
            name = f"peer{m}-{k}.f32"
            np.ascontiguousarray(planar, "<f4").tofile(os.path.join(folder, name))
            psnr = -10 * math.log10(np.mean((found - clean.astype(np.float64)) ** 2))
            rows.append([method, row["picture"], row["sigma"], crc, f"{ms:.1f}", f"{psnr:.4f}", name])
            print(f"{method}, {row['picture']}, sigma {row['sigma']}: {psnr:.2f} dB, {ms:.0f} ms", flush=True)
    with open(os.path.join(folder, "results.csv"), "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["method", "picture", "sigma", "crc32", "ms", "psnr_out", "file"])
        writer.writerows(rows)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: skimage_denoise.py DIR, the folder of subband study local --dump DIR")
    main(sys.argv[1])
