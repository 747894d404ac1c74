"""Labelled texts as people: the base law P₀ of a platform that reads texts.

A person is one text x with the set of labels y that she has; every text counts once, so P₀ is the
uniform law on the corpus. Nothing here reads files (`learners.texts.readers`) or knows tokens.

References
----------
Hardt et al. (2023), section 2 (an individual is one data point) and section 5 (texts).
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from learners.curves import Array, require_range

__all__ = ["Corpus", "CorpusError", "Indices"]

Indices = npt.NDArray[np.int64]


class CorpusError(ValueError):
    """Texts cannot be read: everything that is wrong, each with the argument that is to blame.

    Attributes
    ----------
    problems : tuple of (str, str)
        The argument of `learners.texts.readers.read_corpus` ("dataset" is the file itself, else
        "text", "labels", "separator", "group" or "encoding"), and what is wrong with it.
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(f"{argument}: {what}" for argument, what in self.problems)


@dataclass(frozen=True, eq=False)
class Corpus:
    """n texts, each with some of L labels.

    Parameters
    ----------
    texts : sequence of n str
    labels : bool array of shape (n, L)
        Who has which label; a text may have none. Kept as a read-only copy.
    names : sequence of L str, none twice
        What the labels are called.
    groups : integer array of shape (n,), optional
        Texts of one number are near-duplicates of each other.

    Raises
    ------
    ValueError
        There is no text or no label, shapes do not match, or a name comes twice.

    Examples
    --------
    >>> corpus = Corpus(["a b c", "d"], [[True, False], [True, True]], ["x", "y"])
    >>> corpus.frequency.tolist(), corpus.single, corpus.without_first_words(2).texts
    ([1.0, 0.5], False, ('c', 'd'))
    """

    texts: tuple[str, ...]
    labels: npt.NDArray[np.bool_]
    names: tuple[str, ...]
    groups: Indices | None = None

    def __post_init__(self) -> None:
        texts, names = tuple(self.texts), tuple(self.names)
        labels = np.array(self.labels, dtype=bool)
        if not texts or not names or labels.shape != (len(texts), len(names)):
            raise ValueError(
                f"corpus: got {len(texts)} texts, {len(names)} names and labels of shape "
                f"{labels.shape}; must be n ≥ 1, L ≥ 1 and (n, L)"
            )
        if len(set(names)) < len(names):
            raise ValueError(f"names: got {', '.join(names)}; must be labels, none twice")
        groups = None if self.groups is None else np.array(self.groups, dtype=np.int64)
        if groups is not None and groups.shape != (len(texts),):
            raise ValueError(f"groups: got shape {groups.shape}; must be ({len(texts)},)")
        for array in (labels, groups):
            if array is not None:
                array.flags.writeable = False
        for field, value in zip(
            ("texts", "labels", "names", "groups"), (texts, labels, names, groups), strict=True
        ):
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def single(self) -> bool:
        """Whether every text has exactly one label."""
        return bool((self.labels.sum(axis=1) == 1).all())

    @cached_property
    def frequency(self) -> Array:
        """P₀(y ∋ l), the share of texts that have each label; shape (L,)."""
        return self.labels.mean(axis=0)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of texts, labels, names and groups, in hexadecimal."""
        hashed = hashlib.sha256()
        for words in (self.names, self.texts):
            hashed.update(len(words).to_bytes(8, "little"))
            for word in words:
                written = word.encode("utf-8", "surrogatepass")
                hashed.update(len(written).to_bytes(8, "little") + written)
        hashed.update(np.packbits(self.labels).tobytes())
        if self.groups is not None:
            hashed.update(self.groups.astype("<i8").tobytes())
        return hashed.hexdigest()

    def label(self, name: str) -> int:
        """The index 0 … L−1 of a label."""
        if name in self.names:
            return self.names.index(name)
        close = difflib.get_close_matches(str(name), self.names, 1)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        raise ValueError(f"label: got {name!r}; must be one of {', '.join(self.names)}{hint}")

    def take(self, rows: npt.ArrayLike) -> Corpus:
        """These rows in this order; a row may come several times. Labels keep their indices."""
        rows = np.asarray(rows)
        groups = None if self.groups is None else self.groups[rows]
        texts = tuple(self.texts[row] for row in rows.tolist())
        return Corpus(texts, self.labels[rows], self.names, groups)

    def without_first_words(self, k: int) -> Corpus:
        """Each text without its first k whitespace-delimited words.

        Titles in the first words give labels away (H23 removes 20). A text of k words or fewer
        keeps its last word, so that nobody is left without a text.
        """
        if isinstance(k, bool) or k != int(k) or k < 0:
            raise ValueError(f"drop_words: got {k!r}; must be a whole number ≥ 0 (words)")
        return self if k == 0 else replace(self, texts=tuple(_after(t, k) for t in self.texts))

    def with_random_labels(self, share: float, rng: np.random.Generator | int) -> Corpus:
        """The same texts, a random share of them with labels that say nothing about the text.

        Their labels are uniform over all that labels can be: over the L labels where every text
        has exactly one, else over all 2^L sets of labels (each label is there with probability ½).
        So P(l|x) becomes (1 − share)·P₀(l|x) + share/L, or share/2 for sets: every label gets a
        floor p of at least that on every text, which is what the randomised labels of H23 are
        for (positivity, Theorem 3.5).

        Parameters
        ----------
        share : float in [0, 1]
            Exactly round(share·n) texts, drawn without replacement.
        rng : numpy Generator or seed
        """
        share = require_range("label_noise", share, 0.0, 1.0, meaning="share of the texts")
        rng = np.random.default_rng(rng)
        count = round(share * len(self))
        rows = rng.permutation(len(self))[:count]
        width = len(self.names)
        labels = self.labels.copy()
        if self.single:
            labels[rows] = np.eye(width, dtype=bool)[rng.integers(width, size=count)]
        else:
            labels[rows] = rng.integers(2, size=(count, width), dtype=np.uint8)
        return replace(self, labels=labels)

    def split(
        self,
        train: int | None,
        test: int,
        rng: np.random.Generator | int = 0,
        *,
        by_group: bool = False,
        shuffle: bool = True,
    ) -> tuple[Indices, Indices]:
        """Rows to train on and rows to test on, none in both.

        Parameters
        ----------
        train, test : int ≥ 1
            Numbers of texts; ``train=None`` takes all that the test leaves.
        rng : numpy Generator or seed
        by_group : bool
            Whether a group is on one side only. The groups are gone through once, and each goes
            whole to the test while it fits there, else to the training, else to neither: the
            numbers are as near to those asked for as this allows, and never above.
        shuffle : bool
            Whether rows (or groups) are taken in random order; else the test comes after the
            training, in the order of the corpus.

        Returns
        -------
        (train, test) : int64 arrays of rows, in the order in which they were taken

        Raises
        ------
        ValueError
            There are not as many texts, a side would be empty, or groups are not known.
        """
        wanted = self._sizes(train, test, by_group)
        rng = np.random.default_rng(rng)
        if by_group:
            room = [len(self) if train is None else train, test]
            return self._split_groups(room, rng if shuffle else None)
        rows = rng.permutation(len(self)) if shuffle else np.arange(len(self))
        return rows[: wanted[0]], rows[wanted[0] : sum(wanted)]

    def _sizes(self, train: int | None, test: int, by_group: bool) -> tuple[int, int]:
        if by_group and self.groups is None:
            raise ValueError("by_group: got true; must be false for texts without groups")
        left = len(self) - test if train is None else train
        if test < 1 or left < 1 or left + test > len(self):
            asked = f"train = {train} and " if train is not None else ""
            raise ValueError(
                f"split: got {asked}test = {test}; must be ≥ 1 each and together at most the "
                f"{len(self)} texts that there are"
            )
        return left, test

    def _split_groups(
        self, room: list[int], rng: np.random.Generator | None
    ) -> tuple[Indices, Indices]:
        assert self.groups is not None
        _, first, number = np.unique(self.groups, return_index=True, return_inverse=True)
        order = np.argsort(first)[::-1] if rng is None else rng.permutation(len(first))
        members = np.split(np.argsort(number, kind="stable"), np.cumsum(np.bincount(number))[:-1])
        sides: tuple[list[Indices], list[Indices]] = ([], [])
        for group in order:
            side = next((s for s in (1, 0) if len(members[group]) <= room[s]), None)
            if side is not None:
                sides[side].append(members[group])
                room[side] -= len(members[group])
        if not all(sides):
            raise ValueError(
                "split: got no whole group on one side; must leave room for one on each (the "
                f"largest has {np.bincount(number).max()} of the {len(self)} texts)"
            )
        if rng is None:
            sides = (sides[0][::-1], sides[1][::-1])
        return np.concatenate(sides[0]), np.concatenate(sides[1])


def _after(text: str, k: int) -> str:
    """The text from its word k on, or its last word where there are no more than k."""
    parts = text.split(maxsplit=k)
    return parts[k] if len(parts) > k else parts[-1] if parts else text
