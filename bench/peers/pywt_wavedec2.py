"""PyWavelets' side of bench/wavelet.ts: `setup {"wavelet", "mode"}` and `run k` on stdin, one JSON line back for each.

Planar [3, 512, 512] float32 is PyWavelets' faster layout; [512, 512, 3] takes longer.
"""
import json
import sys
import time

import numpy as np
import pywt

i = np.arange(3 * 512 * 512)
x = ((7919 * i % 101 - 50) / 8.0).astype(np.float32).reshape(3, 512, 512)
VERSIONS = f"PyWavelets {pywt.__version__}, NumPy {np.__version__}, Python {sys.version.split()[0]}"


def energies(wavelet, mode):
    coeffs = pywt.wavedec2(x, wavelet, mode, level=3)
    bands = [coeffs[0]] + [band for level in coeffs[1:] for band in level]
    return [float(np.sum(band.astype(np.float64) ** 2)) for band in bands]


settings = {}
for line in sys.stdin:
    command, argument = line.split(maxsplit=1)
    if command == "setup":
        settings = json.loads(argument)
        answer = {"versions": VERSIONS, "energy": energies(**settings)}
    else:
        before = time.process_time()
        answer = {"ms": []}
        for _ in range(int(argument)):
            start = time.perf_counter()
            pywt.wavedec2(x, settings["wavelet"], settings["mode"], level=3)
            answer["ms"].append(1e3 * (time.perf_counter() - start))
        answer["cpuMs"] = 1e3 * (time.process_time() - before)
    print(json.dumps(answer), flush=True)
