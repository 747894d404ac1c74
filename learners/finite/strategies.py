"""Signals and strategies on a finite universe: what a member's data become.

A signal g maps points to points. A strategy h maps a person's cell (x, y) to what she reports as a
member::

    feature_label   (g(x), y*)                           plant a signal with a label
    feature_only    (g(x), y*) if y = y*, else (x, y)    plant it without touching labels
    erasure         (x, argmax_y P₀(y|g(x)))             make the label forget the signal

`plan_all` works strategies out on a universe; what then can be said of them is in
`learners.finite.plans`.

References
----------
Hardt et al. (2023), section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from learners.finite.plans import STRATEGIES, Plan, StrategyKind
from learners.finite.universe import Ints, Universe, one_of
from learners.spelling import as_text, same


@dataclass(frozen=True)
class SetColumns:
    """g: these columns take these values, ``signal = { set = { watermark = "yes" } }``.

    Setting twice is setting once, g(g(x)) = g(x). A combination that the universe does not have
    is added to it as a point without mass; a value that a column never had is a new level.
    """

    values: Mapping[str, object]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(
                "signal: got an empty set; must name at least one column and its value"
            )


@dataclass(frozen=True, eq=False)
class PointMap:
    """g as a table: point x becomes point image[x]; image is an integer array of shape (X,)."""

    image: npt.ArrayLike


Signal = SetColumns | PointMap


@dataclass(frozen=True, eq=False)
class Strategy:
    """A strategy, its signal and, for planting, its target label."""

    kind: StrategyKind
    signal: Signal
    target: object | None = None

    def __post_init__(self) -> None:
        if self.kind not in STRATEGIES:
            raise ValueError(
                f"strategy: got {self.kind!r}; must be one of {', '.join(STRATEGIES)} "
                "(on a finite universe)"
            )
        if self.kind == "erasure" and self.target is not None:
            raise ValueError(f"target: got {self.target!r}; erasure has none, leave it out")
        if self.kind != "erasure" and self.target is None:
            raise ValueError(f"target: got none; {self.kind} must name a label of the universe")


def plan_all(
    universe: Universe, strategies: Mapping[str, Strategy]
) -> tuple[Universe, tuple[Plan, ...]]:
    """The universe with every point that some signal needs, and a plan for each collective."""
    added, spelled, points = [], [], len(universe.base)
    for name, strategy in strategies.items():
        before = len(universe.base)
        try:
            universe, signal = _signal(universe, strategy.signal, points)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        added.append(len(universe.base) - before)
        spelled.append(signal)
    plans = []
    for (name, strategy), signal, new in zip(strategies.items(), spelled, added, strict=True):
        # points that came later, for others: nobody is there, and they stay where they are
        g = np.concatenate([signal, np.arange(len(signal), len(universe.base))])
        try:
            plans.append(_plan(universe, strategy, g, new))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return universe, tuple(plans)


def _plan(universe: Universe, strategy: Strategy, g: Ints, added: int) -> Plan:
    there = universe.mass > 0.0
    if (g[there] == np.flatnonzero(there)).all():
        raise ValueError(
            "signal: changes nobody, everybody carries it already; must move some person's "
            "features (set other columns or other values)"
        )
    Y = len(universe.labels)
    x, y = np.divmod(np.arange(universe.base.size), Y)
    target = -1
    if strategy.kind == "erasure":
        empty = np.unique(g[there][~there[g[there]]])
        if empty.size:
            raise ValueError(
                f"signal: erasure imitates the labels at g(x), but at {empty.size} of these points "
                "nobody is, so they have no labels; must map to points with people (fewer columns "
                "of features make them)"
            )
        move = x * Y + universe.base.argmax(axis=1)[g[x]]
    else:
        target = universe.label_index(strategy.target)
        move = g[x] * Y + target
        if strategy.kind == "feature_only":
            move = np.where(y == target, move, x * Y + y)
    return Plan(universe, strategy.kind, g, target, move, added)


def _signal(universe: Universe, signal: Signal, points: int) -> tuple[Universe, Ints]:
    """g as an integer array, on the universe with the points that it needs.

    The universe may have grown, by other collectives' signals, beyond the points it began with.
    """
    if isinstance(signal, SetColumns):
        return _set_columns(universe, signal)
    image = np.asarray(signal.image)
    if image.size == 0:
        raise ValueError("signal: got an empty map; must give the image of every point")
    if image.shape != (points,) or image.dtype.kind not in "iu":
        raise ValueError(
            f"signal: got a map of shape {image.shape} of {image.dtype}; must be ({points},) "
            "integers, the image of every point"
        )
    if image.min() < 0 or image.max() >= points:
        outside = image[(image < 0) | (image >= points)][0]
        raise ValueError(f"signal: got {outside}; must be a point, 0 … {points - 1}")
    return universe, np.concatenate([image.astype(np.int64), np.arange(points, len(universe.base))])


def _set_columns(universe: Universe, signal: SetColumns) -> tuple[Universe, Ints]:
    """Points with these columns set; combinations that were not there are added, without mass."""
    levels = list(universe.levels)
    wanted = universe.codes.copy()
    for name, value in signal.values.items():
        if name not in universe.columns:
            raise ValueError(
                f"signal.set: got {name!r}; must be a column of features"
                + one_of(name, universe.columns)
            )
        c = universe.columns.index(name)
        text = same(value, levels[c])  # 1 is the "1.0" of the file
        if text is None:
            text = as_text(value)
            levels[c] = (*levels[c], text)
        wanted[:, c] = levels[c].index(text)
    points = len(universe.base)
    wanted[universe.mass == 0.0] = universe.codes[universe.mass == 0.0]  # nobody is there to move
    _, first, which = np.unique(
        np.vstack([universe.codes, wanted]), axis=0, return_index=True, return_inverse=True
    )
    found = first[which.ravel()[points:]]  # where each image stands first, among points or images
    new, number = np.unique(found[found >= points], return_inverse=True)
    g = found.copy()
    g[found >= points] = points + number
    both = np.vstack([universe.codes, wanted])
    g = np.concatenate([g, np.arange(points, points + len(new))])
    return universe.extended(both[new], tuple(levels)), g
