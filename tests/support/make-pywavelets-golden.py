"""Writes pywavelets-golden.json beside this file: small transforms by PyWavelets, for the cases the Matlab data lacks.

Run with Debian's python3-pywt: /usr/bin/python3 tests/support/make-pywavelets-golden.py, then prettier --write on the result.
"""
import json
import pathlib
import numpy as np
import pywt

WAVELETS = ["haar", "db3", "bior2.2"]


def ramp(*shape):
    """Values that any language can repeat exactly: element i is (7919 i mod 101 - 50) / 8."""
    i = np.arange(np.prod(shape))
    return ((7919 * i % 101 - 50) / 8.0).reshape(shape)


def flat(array):
    return [float(f"{v:.13g}") for v in np.ravel(array)]


cases = []
for mode in pywt.Modes.modes:
    for wavelet in WAVELETS:
        levels = 2
        coeffs = pywt.wavedec2(ramp(7, 10), wavelet, mode, levels)
        bands = [coeffs[0]] + [band for level in coeffs[1:] for band in level]
        cases.append(
            dict(what="wavedec2", mode=mode, wavelet=wavelet, input=[7, 10], levels=levels,
                 bands=[dict(shape=list(b.shape), data=flat(b)) for b in bands])
        )
    for n in (1, 2, 3):
        if n == 1 and "reflect" in mode:
            continue  # PyWavelets 1.1.1 does not return
        bands = pywt.dwt(ramp(n), "db4", mode)
        cases.append(
            dict(what="dwt", mode=mode, wavelet="db4", input=[n], levels=1,
                 bands=[dict(shape=list(b.shape), data=flat(b)) for b in bands])
        )

out = dict(madeWith=f"PyWavelets {pywt.__version__}", cases=cases)
path = pathlib.Path(__file__).with_name("pywavelets-golden.json")
path.write_text("{\n" + f'"madeWith": {json.dumps(out["madeWith"])},\n"cases": [\n'
                + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n}\n")
