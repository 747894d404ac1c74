"""Random finite universes in batches, and what the Bayes or a worst-case classifier does on them.

Shapes: B universes, X feature values, Y labels. base (B, X, Y) = P₀, signal (B, X) = g as indices,
target (B,) = y*. A classifier loses ties, and a margin below 1e-13 counts as a tie, so that every
success computed here is the least that exact arithmetic could give.
"""

from __future__ import annotations

from itertools import product

import numpy as np

TIE = 1e-13


def random_bases(rng, batch, points, labels):
    """P₀ (B, X, Y): peaked and flat ones, a tenth of the feature values without any mass."""
    spread = rng.choice([0.1, 0.5, 3.0], size=(batch, 1, 1))
    base = rng.gamma(spread, size=(batch, points, labels)) + 1e-12
    base *= (rng.random((batch, points, 1)) > 0.1) | (np.arange(points) == 0)[None, :, None]
    base *= rng.choice([1e-3, 0.1, 1.0], size=(batch, points, 1))
    return base / base.sum(axis=(1, 2), keepdims=True)


def random_signals(rng, batch, points):
    """g (B, X), any map, with images from one value to all of them."""
    image = rng.integers(1, points + 1, size=(batch, 1))
    order = rng.permuted(np.tile(np.arange(points), (batch, 1)), axis=1)
    return np.take_along_axis(order, rng.integers(0, image, size=(batch, points)), axis=1)


def idempotent(rng, batch, points):
    """g (B, X) with g(g(x)) = g(x): each value is fixed, or goes to a fixed one."""
    signal = random_signals(rng, batch, points)
    fixed = np.zeros((batch, points), dtype=bool)
    np.put_along_axis(fixed, signal, True, axis=1)
    return np.where(fixed, np.arange(points), signal)


def law_of(signal, weights):
    """Law of g(x) under `weights` (B, X): (B, X)."""
    hits = signal[:, :, None] == np.arange(weights.shape[1])  # (B, X from, X to)
    return (hits * weights[:, :, None]).sum(axis=1)


def one_hot(target, labels):
    """(…,) label indices to (…, Y)."""
    return (np.asarray(target)[..., None] == np.arange(labels)).astype(float)


def label_mass(table, target):
    """table[b, :, target[b]]: (B, X)."""
    return np.take_along_axis(table, target[:, None, None], axis=2)[..., 0]


def margins(table, target):
    """P(x, y*) − max_{y≠y*} P(x, y): (B, X)."""
    rivals = np.where(one_hot(target, table.shape[2])[:, None, :] > 0, -np.inf, table)
    return label_mass(table, target) - rivals.max(axis=2)


def feature_label_law(base, signal, target):
    """P* when a member reports (g(x), y*)."""
    planted = law_of(signal, base.sum(axis=2))
    return planted[:, :, None] * one_hot(target, base.shape[2])[:, None, :]


def feature_only_law(base, signal, target):
    """P* when a member reports (g(x), y*) if her label is y*, else (x, y)."""
    own = one_hot(target, base.shape[2])[:, None, :]
    return base * (1 - own) + law_of(signal, label_mass(base, target))[:, :, None] * own


def at_signal(signal, values):
    """values[b, g(x), …] for every x."""
    return values[np.arange(len(signal))[:, None], signal]


def conditional(base):
    """P₀(y|x), 0 where x has no mass."""
    mass = base.sum(axis=2, keepdims=True)
    return np.divide(base, mass, out=np.zeros_like(base), where=mass > 0)


def erasure_law(base, signal):
    """P* when a member reports (x, argmax_y P₀(y|g(x)))."""
    reported = at_signal(signal, base.argmax(axis=2))
    return base.sum(axis=2)[:, :, None] * one_hot(reported, base.shape[2])


def planting_parameters(base, signal, target):
    """ξ, Δ, p of theory section 1, each (B,); X* is the image of what has mass."""
    planted = law_of(signal, base.sum(axis=2)) > 0
    given, mass = conditional(base), base.sum(axis=2)
    gap = np.where(planted & (mass > 0), given.max(axis=2) - label_mass(given, target), 0.0)
    floor = np.where(mass > 0, label_mass(given, target), 1.0).min(axis=1)
    unit = [np.minimum(value, 1.0) for value in ((mass * planted).sum(axis=1), gap.max(axis=1))]
    return unit[0], unit[1], floor


def sensitivity(base, signal):
    """τ of theory section 1, (B,)."""
    given = conditional(base)
    change = np.abs(given - at_signal(signal, given)).max(axis=2)
    return np.minimum((base.sum(axis=2) * change).sum(axis=1), 1.0)


def worst_joint(weights, margin, suboptimality):
    """Least Σ weights·1{f(x) = y*} over f optimal for some P′ with TV(P, P′) ≤ ε, exactly.

    Undoing y* at x takes total variation margin/2 (half taken from y*, half given to the runner-up,
    all of it at x), so this is a knapsack; all 2^X sets are tried.
    """
    sets = np.array(list(product([0.0, 1.0], repeat=weights.shape[1])))  # (2^X, X)
    price = np.maximum(margin, 0.0) @ sets.T  # (B, 2^X)
    wins = weights * (margin > TIE)
    lost = np.where(price <= 2 * suboptimality[:, None] + TIE, wins @ sets.T, 0.0)
    return wins.sum(axis=1) - lost.max(axis=1)


def worst_conditional(weights, margin, mass, suboptimality):
    """The same when TV(P(·|x), P′(·|x)) ≤ ε at every x: y* is lost where the margin is ≤ 2εP(x)."""
    holds = margin > 2 * suboptimality[:, None] * mass + TIE
    return (weights * holds).sum(axis=1)


def worst_erasure(base, signal, table, suboptimality):
    """Least Pr_{x~P₀}{f(x) = f(g(x))} when f(x) may be any label within 2ε of the best at each x.

    g must be idempotent: the adversary then picks a label at every fixed point and disagrees with
    it wherever she can.
    """
    mass = table.sum(axis=2, keepdims=True)
    slack = 2 * suboptimality[:, None, None] * mass + TIE
    open_to = table >= table.max(axis=2, keepdims=True) - slack  # labels f(x) can take
    others = open_to.sum(axis=2, keepdims=True) - open_to > 0  # can differ from y
    moved = signal != np.arange(base.shape[1])
    loss = others * (base.sum(axis=2) * moved)[:, :, None]  # (B, X, Y)
    hits = signal[:, :, None] == np.arange(base.shape[1])  # (B, X, Z)
    at_fixed = np.einsum("bxz,bxy->bzy", hits, loss)
    return 1.0 - np.where(open_to, at_fixed, 0.0).max(axis=2).sum(axis=1)
