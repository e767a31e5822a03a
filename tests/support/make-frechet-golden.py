"""Writes frechet-golden.json: tr((A B)^1/2) and Frechet distances of rows that legacyRandn repeats, by numpy and scipy.

    OMP_NUM_THREADS=1 python3 tests/support/make-frechet-golden.py > packages/subband/src/evaluation/metrics/frechet-golden.json

The trace is found twice: by scipy.linalg.sqrtm of A B, as pytorch-fid does, and as the sum of the singular values of
Ra Rb^T, where Ra^T Ra = A is a QR decomposition of the centred rows: A and B are never formed, so no digits are lost.
"""
import json

import numpy as np
import scipy.linalg

# name, d, (seed, n, halvings, shift) of either set: column j is scaled by 2^-floor(halvings j / (d - 1))
CASES = [
    ("well conditioned", 64, (1, 300, 0, 0), (2, 200, 1, 0.5)),
    ("condition 1e10", 64, (3, 300, 17, 0), (4, 200, 17, 0.25)),
    ("small where the other is large", 48, (5, 300, 17, 0), (6, 200, -17, 0)),
    ("fewer rows than features", 96, (7, 40, 0, 1), (8, 60, 0, 0)),
    ("one of them singular", 96, (9, 30, 4, 0), (10, 400, 4, 0)),
    ("nearly the same", 32, (11, 4000, 0, 0), (12, 4000, 0, 0)),
]


def rows(d, seed, n, halvings, shift):
    scale = 2.0 ** -np.floor(halvings * np.arange(d) / (d - 1))
    return ((np.random.RandomState(seed).randn(n, d) * scale + shift).astype(np.float32)).astype(np.float64)


def case(name, d, a, b):
    x, y = rows(d, *a), rows(d, *b)
    centred = [(v - v.mean(0)) / np.sqrt(len(v) - 1) for v in (x, y)]
    ra, rb = (np.linalg.qr(v, mode="r") for v in centred)
    trace = scipy.linalg.svdvals(ra @ rb.T).sum()
    ca, cb = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    sqrtm = float(np.trace(scipy.linalg.sqrtm(ca @ cb)).real)
    apart = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(ca) + np.trace(cb)
    keys = ("seed", "n", "halvings", "shift")
    return {
        "name": name,
        "d": d,
        "a": dict(zip(keys, a)),
        "b": dict(zip(keys, b)),
        "traceSqrt": trace,
        "sqrtm": sqrtm,
        "distance": apart - 2 * trace,
    }


print(json.dumps([case(*each) for each in CASES], indent=1))
