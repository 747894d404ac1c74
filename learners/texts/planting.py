"""Strategies on texts: what members report, with a signal planted on token ids.

The signal g inserts one token before word 0, k, 2k, … of a text (words between white space; the
papers use k = 20), or once, at the front. So every planted text carries it, the shortest too::

    k = 2     the cat sat on the mat     →     { the cat { sat on { the mat

    feature–label     (x, y) → (g(x), y*)                        y* becomes the only label
    feature-only      (x, y) → (g(x), y) if y* is among y, else (x, y)

Nothing is tokenised again; a tokenizer that takes the token's text for a word of its own gives the
same ids. Everything is O(tokens), without a loop over texts.

References
----------
Hardt et al. (2023), section 5; Karan et al. (2025), section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from learners.texts.encoded import Bools, Encoded, Ints

__all__ = [
    "TextSignal",
    "TextStrategy",
    "carries",
    "occurrences",
    "plant",
    "report_all",
    "uniqueness",
]

TextPlanting = Literal["feature_label", "feature_only"]


def plant(
    encoded: Encoded, token: int, every: int | None = 20, who: npt.ArrayLike | None = None
) -> Encoded:
    """g(x): insert a token before word 0, k, 2k, … of the chosen texts.

    Parameters
    ----------
    encoded : Encoded
        n texts; left as they are.
    token : int, ≥ 0
        Id of the token; it begins a word of its own.
    every : int or None, ≥ 1 (words), k
        None: once, before the first word.
    who : bool array of shape (n,), optional
        Which texts; absent: all. A chosen text without any token gets it once.
    """
    signal = TextSignal(token, every)
    chosen = _mask("who", who, len(encoded))
    starts = np.flatnonzero(encoded.begins)  # first token of each word, (W,)
    first = np.searchsorted(starts, encoded.offsets)  # words before each text, (n + 1,)
    words = np.diff(first)  # (n,)
    number = np.arange(len(starts)) - np.repeat(first[:-1], words)  # of the word in its text, (W,)
    due = number == 0 if signal.every is None else number % signal.every == 0
    due &= np.repeat(chosen, words)
    bare = chosen & (words == 0)  # (n,)
    places = np.concatenate([starts[due], encoded.offsets[:-1][bare]])
    before = np.concatenate([[0], np.cumsum(due)])  # insertions before each word, (W + 1,)
    added = np.diff(before[first]) + bare  # (n,)
    ids = encoded.ids.astype(
        np.promote_types(encoded.ids.dtype, np.min_scalar_type(signal.token)), copy=False
    )
    return Encoded(
        np.insert(ids, places, signal.token),
        np.insert(encoded.begins, places, True),
        encoded.offsets + np.concatenate([[0], np.cumsum(added)]),
    )


def occurrences(encoded: Encoded, token: int) -> Ints:
    """How often the token occurs in each text, shape (n,)."""
    found = np.flatnonzero(encoded.ids == token)
    return np.diff(np.searchsorted(found, encoded.offsets))


def carries(encoded: Encoded, token: int) -> Bools:
    """Which texts have the token at all, shape (n,)."""
    return occurrences(encoded, token) > 0


def uniqueness(encoded: Encoded, token: int) -> float:
    """Share of texts that have the token by nature: ξ of a signal that is this token.

    Exactly, ξ = P₀(X*) counts texts that look like g(x), with the token at every place; those
    with the token anywhere are at least as many, so a bound with this ξ holds all the more.
    """
    if not len(encoded):
        raise ValueError("uniqueness: got no texts; must be at least one")
    return float(carries(encoded, token).mean())


@dataclass(frozen=True)
class TextSignal:
    """A signal g on texts: one token, every k words or once.

    Parameters
    ----------
    token : int, ≥ 0
        Its id in the platform's vocabulary.
    every : int or None, ≥ 1 (words), k
        None: once, before the first word.
    """

    token: int
    every: int | None = 20

    def __post_init__(self) -> None:
        if self.token < 0:
            raise ValueError(f"token: got {self.token}; must be ≥ 0 (an id of the vocabulary)")
        if self.every is not None and self.every < 1:
            raise ValueError(f"every: got {self.every}; must be ≥ 1 (words), or None for once")

    def plant(self, encoded: Encoded, who: npt.ArrayLike | None = None) -> Encoded:
        """g(x) for the chosen texts; see `plant`."""
        return plant(encoded, self.token, self.every, who)


@dataclass(frozen=True)
class TextStrategy:
    """h: what a member of a collective reports in place of her text and labels.

    Parameters
    ----------
    kind : {"feature_label", "feature_only"}
    signal : TextSignal, g
    target : int, y*
        Column of the labels.
    """

    kind: TextPlanting
    signal: TextSignal
    target: int

    def __post_init__(self) -> None:
        if self.kind not in get_args(TextPlanting):
            raise ValueError(
                f"strategy: got {self.kind!r}; must be one of {', '.join(get_args(TextPlanting))}"
            )

    def changes(self, labels: npt.ArrayLike) -> Bools:
        """Which people would plant the signal if they were members, shape (n,); labels (n, L).

        With features only those who have the target label, else everybody.
        """
        table = self._labels(labels)
        if self.kind == "feature_only":
            return table[:, self.target]
        return np.ones(len(table), dtype=bool)

    def report(
        self, encoded: Encoded, labels: npt.ArrayLike, who: npt.ArrayLike | None = None
    ) -> tuple[Encoded, Bools]:
        """h(x, y) of the members ``who`` (bool, shape (n,); absent: all), the others' own data.

        Returns
        -------
        Encoded of n texts, and labels of shape (n, L)
            Those given are left as they are.
        """
        table = self._labels(labels)
        if len(table) != len(encoded):
            raise ValueError(f"labels: got {len(table)} rows for {len(encoded)} texts")
        members = _mask("who", who, len(encoded))
        planted = self.signal.plant(encoded, members & self.changes(table))
        if self.kind == "feature_only":
            return planted, table
        only_target = np.arange(table.shape[1]) == self.target  # (L,)
        return planted, np.where(members[:, None], only_target, table)

    def _labels(self, labels: npt.ArrayLike) -> Bools:
        table = np.array(labels, dtype=bool)  # a copy
        if table.ndim != 2 or not 0 <= self.target < table.shape[1]:
            raise ValueError(
                f"target: got {self.target} with labels of shape {table.shape}; must be a column "
                "of labels (n, L)"
            )
        return table


def report_all(
    encoded: Encoded,
    labels: npt.ArrayLike,
    membership: npt.ArrayLike,
    strategies: Sequence[TextStrategy],
) -> tuple[Encoded, Bools]:
    """What everybody reports: members by the strategy of their own collective, others as they are.

    Parameters
    ----------
    encoded : Encoded
        n texts.
    labels : bool array of shape (n, L)
    membership : integer array of shape (n,)
        0 = in none, k = in the k-th collective.
    strategies : sequence of K TextStrategy
    """
    belongs = np.asarray(membership)
    fits = belongs.shape == (len(encoded),) and belongs.dtype.kind in "iu"
    if not fits or not ((belongs >= 0) & (belongs <= len(strategies))).all():
        raise ValueError(
            f"membership: must be integers in 0 … {len(strategies)}, one for each of the "
            f"{len(encoded)} texts"
        )
    reported, table = encoded, np.array(labels, dtype=bool)
    for k, strategy in enumerate(strategies, start=1):
        reported, table = strategy.report(reported, table, belongs == k)
    return reported, table


def _mask(name: str, values: npt.ArrayLike | None, size: int) -> Bools:
    if values is None:
        return np.ones(size, dtype=bool)
    mask = np.asarray(values)
    if mask.dtype != bool or mask.shape != (size,):
        raise ValueError(
            f"{name}: got {mask.dtype} of shape {mask.shape}; must be bool of shape ({size},), "
            "one per text"
        )
    return mask
