"""PyWavelets' side of bench/wavelet.ts: for each line `repeats` on stdin, prints the milliseconds of as many transforms.

Planar [3, 512, 512] float32 is PyWavelets' faster layout; [512, 512, 3] takes longer.
"""
import json
import sys
import time

import numpy as np
import pywt

i = np.arange(3 * 512 * 512)
x = ((7919 * i % 101 - 50) / 8.0).astype(np.float32).reshape(3, 512, 512)


def transform(wavelet, mode):
    return pywt.wavedec2(x, wavelet, mode, level=3)


def energy(coeffs):
    bands = [coeffs[0]] + [band for level in coeffs[1:] for band in level]
    return [float(np.sum(band.astype(np.float64) ** 2)) for band in bands]


versions = f"PyWavelets {pywt.__version__}, NumPy {np.__version__}, Python {sys.version.split()[0]}"
print(json.dumps({"versions": versions}), flush=True)
for line in sys.stdin:
    wavelet, mode, repeats = line.split()
    times = []
    for _ in range(int(repeats)):
        start = time.perf_counter()
        transform(wavelet, mode)
        times.append(1e3 * (time.perf_counter() - start))
    print(json.dumps({"ms": times, "energy": energy(transform(wavelet, mode))}), flush=True)
