"""How good a set of motions is, from embeddings alone: pure functions, float64.

Embeddings are rows [N, D] of one space that motions and words share. All distances are Euclidean.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr, svdvals
from scipy.spatial.distance import cdist, pdist
from scipy.stats import rankdata

from synth.rotation import Array


def frechet(a: Array, b: Array) -> float:
    """Frechet distance of two sets, as Gaussians: |mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)).

    Heusel et al. 2017 (FID), Dowson and Landau 1982; covariances over N - 1. With A = Xa' Xa of the centred, scaled
    sets, tr (A B)^(1/2) is the sum of the singular values of Xa Xb': no root of a matrix product is taken, which loses
    half the digits and turns complex where a covariance is singular (fewer items than dimensions). It grows as sets
    get smaller: compare only sets of equal size.

    Args:
        a, b: [N, D] and [M, D]; at least two rows each.
    """
    first, second = _rows(a), _rows(b)
    if first.shape[1] != second.shape[1] or min(len(first), len(second)) < 2:
        raise ValueError(f"frechet: found {first.shape} and {second.shape}; expected two or more rows of one width")
    shift = first.mean(0) - second.mean(0)
    x, y = (_root(rows) for rows in (first, second))
    cross = svdvals(x @ y.T).sum()
    return float(max(0.0, shift @ shift + (x * x).sum() + (y * y).sum() - 2 * cross))


def _root(rows: Array) -> Array:
    """Some X of at most D rows with X' X = the covariance: triangular by QR where the set is larger than that."""
    centred = (rows - rows.mean(0)) / np.sqrt(len(rows) - 1)
    if len(centred) <= centred.shape[1]:
        return centred
    return qr(centred, mode="r")[0][: centred.shape[1]]


def r_precision(
    motions: Array, texts: Array, own: np.ndarray, rng: np.random.Generator, differs: np.ndarray | None = None,
    pool: int = 32, repeats: int = 20, top: int = 3,
) -> Array:  # fmt: skip
    """How often each motion's own text is among the 1, 2, ... `top` nearest of a pool of texts, [N, top].

    Guo et al. 2022 (HumanML3D): the pool is the own text and `pool` - 1 mismatched ones, here drawn anew for every
    motion and repeat from those that differ in meaning. Equal distances count as a random order would, so that an
    encoder that says the same of everything is at chance, k / pool. R-precision is the mean over motions.

    Args:
        motions: [N, D]. texts: [M, D], the texts that there are, each once. own: [N] row in `texts`.
        differs: bool [M, M], texts that mean something else; by default all others.
    """
    x, y, own = _rows(motions), _rows(texts), np.asarray(own)
    if differs is None:
        differs = ~np.eye(len(y), dtype=bool)
    fewest = int(differs[own].sum(1).min(initial=len(y)))
    if fewest < pool - 1 or pool <= top:
        raise ValueError(f"r_precision: found {fewest} texts that differ; expected {pool - 1} for pools of {pool}")
    distance = cdist(x, y)
    mine = distance[np.arange(len(x)), own][:, None]
    hits = np.zeros((len(x), top))
    for _ in range(repeats):
        keys = np.where(differs[own], rng.random(distance.shape), 2.0)
        drawn = np.argpartition(keys, pool - 2, axis=1)[:, : pool - 1]
        others = np.take_along_axis(distance, drawn, 1)
        nearer, equal = (others < mine).sum(1), (others == mine).sum(1)
        for k in range(top):
            hits[:, k] += np.clip((k + 1 - nearer) / (equal + 1), 0, 1)
    return hits / repeats


def interval(values: Array, groups: np.ndarray, rng: np.random.Generator, draws: int = 1000) -> Array:
    """Half the width of the 95 % interval of the mean over rows [N, K], [K]: by bootstrap over whole groups.

    Efron 1979; Field and Welsh 2007 for groups: what was cut from one recording errs together, so rows are not
    independent and their plain standard error is too small.

    Args:
        groups: [N] which recording, or text.
    """
    rows = _rows(values)
    _, number = np.unique(np.asarray(groups), return_inverse=True)
    count = np.bincount(number).astype(float)
    total = np.stack([np.bincount(number, rows[:, k]) for k in range(rows.shape[1])], -1)
    weights = rng.multinomial(len(count), np.full(len(count), 1 / len(count)), draws)
    means = (weights @ total) / (weights @ count)[:, None]
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return np.asarray((high - low) / 2)


def multimodal_distance(motions: Array, texts: Array) -> float:
    """Mean distance of motions [N, D] and their texts [N, D] (Guo et al. 2022)."""
    return float(np.linalg.norm(_rows(motions) - _rows(texts), axis=-1).mean())


def diversity(motions: Array) -> float:
    """Mean distance of two motions of a set [N, D].

    Guo et al. 2020 (Action2Motion) take 200 or 300 random pairs; this is what they estimate, over all pairs. 0 of one.
    """
    return float(pdist(_rows(motions)).mean()) if len(motions) > 1 else 0.0


def multimodality(motions: Array, groups: np.ndarray) -> float | None:
    """Mean distance of two motions made of the same words, every text alike (Guo et al. 2020).

    Args:
        motions: [N, D]. groups: [N] which text. None where no text has two motions.
    """
    rows, groups = _rows(motions), np.asarray(groups)
    found = [pdist(rows[groups == group]).mean() for group in np.unique(groups) if (groups == group).sum() > 1]
    return float(np.mean(found)) if found else None


def nearest(motions: Array, others: Array) -> tuple[Array, np.ndarray]:
    """Distance of each motion [N, D] to the nearest of the others [M, D], and which that is; [N] each."""
    x, y = _rows(motions), _rows(others)
    distance, index = np.zeros(len(x)), np.zeros(len(x), np.int64)
    for start in range(0, len(x), 1024):  # so that no N x M table is held
        table = cdist(x[start : start + 1024], y)
        index[start : start + 1024] = table.argmin(1)
        distance[start : start + 1024] = table.min(1)
    return distance, index


def copying(made: Array, held: Array, training: Array) -> float:
    """The chance that a made motion is nearer to the training set than one held out is, 0 to 1.

    Meehan, Chaudhuri and Dasgupta 2020 (data copying; the Mann-Whitney U over its largest): 0.5 where made motions are
    as far from the training set as real new ones, 1 where all are copies, 0 where all are far from everything known.
    """
    near, known = nearest(made, training)[0], nearest(held, training)[0]
    ranks = rankdata(np.concatenate([near, known]))[: len(near)]
    farther = ranks.sum() - len(near) * (len(near) + 1) / 2  # pairs in which the made one is farther
    return float(1 - farther / (len(near) * len(known)))


def coverage(real: Array, made: Array, neighbours: int = 5) -> float:
    """Share of real motions [N, D] with a made one [M, D] within the distance of their k-th real neighbour.

    Naeem et al. 2020 (density and coverage); 0 to 1, and about 1 - 2^-k for two equal sets of the same kind.
    """
    x = _rows(real)
    if len(x) <= neighbours:
        raise ValueError(f"coverage: found {len(x)} motions; expected more than {neighbours}")
    radius = np.partition(cdist(x, x), neighbours, axis=1)[:, neighbours]  # itself is the 0th
    return float((nearest(x, made)[0] <= radius).mean())


def _rows(values: Array) -> Array:
    rows = np.asarray(values, np.float64)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError(f"found an array of shape {rows.shape}; expected finite embeddings [N, D]")
    return rows
