"""Writes neighbours-golden.json: KID, sliced W2, precision, recall, density, coverage and nearest neighbours of rows that
legacyRandn repeats, in float64 by numpy, from their definitions, by nothing cleverer than all pairs.

    OMP_NUM_THREADS=1 python3 tests/support/make-neighbours-golden.py \\
        > packages/subband/src/evaluation/metrics/neighbours-golden.json

KID: Binkowski et al. 2018; its standard error by deleting block after block of both sets and counting again. Sliced W2:
each projected set is repeated until both have as many numbers. Precision and recall: Kynkaanniemi et al. 2019; density and
coverage: Naeem et al. 2020; all with balls that do not contain their surface.
"""
import json

import numpy as np

# name, d, blocks of the jackknife, seed of 20 directions, (seed, n, halvings, shift) of generated and of real images
CASES = [
    ("within one block", 16, 5, 21, (1, 300, 0, 0), (2, 200, 1, 0.5)),
    ("over several blocks of other sizes", 24, 50, 22, (3, 1100, 2, 0.1), (4, 700, 2, 0)),
    ("far from 0", 8, 10, 23, (5, 540, 1, 100), (6, 600, 0, 100.2)),
    ("three features of many rows", 3, 7, 24, (7, 1030, 0, 0), (8, 513, 1, 0.3)),
]
K = (1, 3, 5)


def rows(d, seed, n, halvings, shift):
    scale = 2.0 ** -np.floor(halvings * np.arange(d) / (d - 1))
    return ((np.random.RandomState(seed).randn(n, d) * scale + shift).astype(np.float32)).astype(np.float64)


def kernel_distance(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    def pairs(a):
        k = kernel(a, a)
        return (k.sum() - np.trace(k)) / (len(a) * (len(a) - 1))

    return pairs(x) + pairs(y) - 2 * kernel(x, y).mean()


def standard_error(x, y, blocks):
    def without(a, block):
        return a[np.arange(len(a)) * blocks // len(a) != block]

    left = np.array([kernel_distance(without(x, b), without(y, b)) for b in range(blocks)])
    return np.sqrt((blocks - 1) / blocks * ((left - left.mean()) ** 2).sum())


def sliced(x, y, seed):
    directions = np.random.RandomState(seed).randn(20, x.shape[1])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    common = np.lcm(len(x), len(y))
    squares = []
    for direction in directions:
        p, q = (np.repeat(np.sort(a @ direction), common // len(a)) for a in (x, y))
        squares.append(((p - q) ** 2).mean())
    return np.sqrt(np.mean(squares))


def distances(a, b):
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))


def radii(a, k):
    return np.sort(distances(a, a), axis=1)[:, k]  # column 0 is the row itself


def balls(fake, real, k):
    apart = distances(real, fake)
    in_real, in_fake = apart < radii(real, k)[:, None], apart < radii(fake, k)[None]
    return {
        "k": k,
        "precision": in_real.any(0).mean(),
        "recall": in_fake.any(1).mean(),
        "density": in_real.sum(0).mean() / k,
        "coverage": in_real.any(1).mean(),
    }


def memorisation(fake, training):
    """Trained on the second half; beside the first, held out, and beside each other."""
    held, rest = training[: len(training) // 2], training[len(training) // 2 :]
    apart = distances(fake, rest)
    found, real = apart.min(1), distances(held, rest).min(1)
    own = distances(rest, rest)
    np.fill_diagonal(own, np.inf)
    among = own.min(1)
    return {
        "heldOut": {
            "ratio": np.median(found) / np.median(real),
            "near": np.percentile(real, 1),
            "nearShare": (found < np.percentile(real, 1)).mean(),
        },
        "training": {
            "ratio": np.median(found) / np.median(among),
            "near": np.percentile(among, 1),
            "nearShare": (found < np.percentile(among, 1)).mean(),
        },
        "indices": apart.argmin(1)[:20].tolist(),
    }


def case(name, d, blocks, directions, a, b):
    x, y = rows(d, *a), rows(d, *b)
    keys = ("seed", "n", "halvings", "shift")
    return {
        "name": name,
        "d": d,
        "blocks": blocks,
        "directions": directions,
        "a": dict(zip(keys, a)),
        "b": dict(zip(keys, b)),
        "kid": kernel_distance(x, y),
        "standardError": standard_error(x, y, blocks),
        "sliced": sliced(x, y, directions),
        "balls": [balls(x, y, k) for k in K],
        "memorisation": memorisation(x, y),
    }


print(json.dumps([case(*each) for each in CASES], indent=1))
