"""The few entries of a platform's table that can decide success.

With sizes α the platform trains on P = (1−ᾱ)P₀ + Σα_k P*_k. Only points where somebody's success
is measured matter; and of the labels there, only those that some collective reports. All other
labels keep their proportions, whatever the sizes are, so the best of them under P₀ stands for all.
What is left at each point is a few *slots*: a label and its value under P₀ and under each P*_k.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from learners.curves import Array
from learners.finite.plans import Plan
from learners.finite.staircase import TIE
from learners.finite.universe import Ints

CHUNK = 1 << 18  # values of the table in memory at a time (2 MiB), so that they stay in the cache
TIED, ABSENT = -1, -2  # labels of a slot: several are equally good; not there


@dataclass(frozen=True, eq=False)
class Slots:
    """S slots at R points, for K collectives.

    Attributes
    ----------
    points : (R,) integers, ascending
    label : (R, S) integers, the label, TIED or ABSENT
    value : (S, K+1, R), P₀ first, then P*_k, at that label; 0 where absent
    """

    points: Ints
    label: Ints
    value: Array

    def tables(self, mix: Array) -> Iterator[tuple[slice, list[Array]]]:
        """For a few rows at a time: which, and P at each slot, S arrays of shape (rows, R).

        Parameters
        ----------
        mix : array of shape (rows, K+1), the weights 1−ᾱ, α₁ … α_K
        """
        step = max(1, CHUNK // max(1, self.label.size))
        for first in range(0, len(mix), step):
            rows = slice(first, first + step)
            yield rows, [mix[rows] @ value for value in self.value]

    def where(self, points: Ints) -> Ints:
        """Positions of points among the slots' own."""
        return np.searchsorted(self.points, points)


def make_slots(plans: Sequence[Plan], points: Ints) -> Slots:
    """The slots at these points: the labels that collectives report there, and the best other.

    Parameters
    ----------
    plans : one per collective, on the same universe
    points : (R,) integers, ascending
    """
    base = plans[0].universe.base
    R, Y = len(points), base.shape[1]
    row = np.arange(R)
    targets = sorted({plan.target for plan in plans if plan.target >= 0})
    named = [np.full(R, target) for target in targets]
    named += [plan.move[points * Y] % Y for plan in plans if plan.kind == "erasure"]
    taken, labels = np.zeros((R, Y), dtype=bool), []
    for label in named:
        labels.append(np.where(taken[row, label], ABSENT, label))
        taken[row, label] = True
    others = np.where(taken, -1.0, base[points])
    best = others.argmax(axis=1)
    top = np.maximum(others[row, best], 0.0)
    others[row, best] = -1.0
    unclear = top - others.max(axis=1, initial=-1.0) <= TIE * top
    labels.append(np.where(unclear, TIED, best))
    full = taken.all(axis=1)
    value = np.empty((len(labels), len(plans) + 1, R))
    for s, label in enumerate(labels):
        column = best if s == len(named) else np.maximum(label, 0)
        there = ~full if s == len(named) else label != ABSENT
        for j, table in enumerate([base, *(plan.law for plan in plans)]):
            value[s, j] = np.where(there, table[points, column], 0.0)
    return Slots(points, np.stack(labels, axis=1), value)


def best_of(tables: Sequence[Array]) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Highest value over the slots, and whether one slot alone has it: two arrays (rows, R)."""
    top = tables[0].copy()
    second = np.zeros_like(top)
    below = np.empty_like(top)
    for table in tables[1:]:
        np.minimum(top, table, out=below)
        np.maximum(second, below, out=second)
        np.maximum(top, table, out=top)
    np.multiply(top, 1.0 - TIE, out=below)
    return top, second < below


def best_labels(slots: Slots, tables: Sequence[Array]) -> Ints:
    """f(x), shape (rows, R): the label of the one best slot, TIED where there is none."""
    top, clear = best_of(tables)
    labels = np.full(top.shape, TIED)
    for s, table in enumerate(tables):
        np.copyto(labels, slots.label[:, s], where=clear & (table == top))
    return labels


class Uncontested:
    """Points in one signal set only, where all collectives play feature_label.

    Collective k wins there if and only if α_k/(1−ᾱ) > (max_{y≠y*} P₀(x,y) − P₀(x,y*))/G_k(x): one
    look-up among sorted thresholds per size.

    Attributes
    ----------
    settled : (X,) bool, the points that this takes care of
    """

    def __init__(self, plans: tuple[Plan, ...]) -> None:
        landing = np.stack([plan.landing for plan in plans])
        self.settled = (landing > 0.0).sum(axis=0) == 1
        if any(plan.kind != "feature_label" for plan in plans):
            self.settled[:] = False
        self._stairs = []
        for plan, lands in zip(plans, landing, strict=True):
            points = np.flatnonzero(self.settled & (lands > 0.0))
            rivals = np.delete(plan.universe.base[points], plan.target, axis=1).max(axis=1)
            short = rivals - plan.universe.base[points, plan.target]
            threshold = short / lands[points]
            order = np.argsort(threshold)
            won = np.cumsum(lands[points][order], dtype=np.longdouble).astype(np.float64)
            self._stairs.append((threshold[order], np.concatenate([[0.0], won])))

    def at(self, rows: Array, free: Array) -> Array:
        """What is won there at sizes (rows, K), free = 1 − ᾱ."""
        success = np.empty_like(rows)
        for k, (threshold, won) in enumerate(self._stairs):
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = rows[:, k] / free * (1.0 - TIE)
            success[:, k] = won[np.searchsorted(threshold, ratio, side="left")]
        return success
