"""Batches of texts of about the same length, so that little is padded.

A text is cut to the first ``length − 2`` tokens and stands between the network's two special ones:

    [CLS] t₁ … t_m [SEP] [PAD] … [PAD]            one row of a batch, as long as its longest text

An epoch shuffles all texts, cuts the order into stretches of ``STRETCH`` batches, sorts each by
length and deals out batches in random order. Whoever is not at random in a batch is so only within
a stretch; every text comes exactly once, and the last, smaller batch is kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from learners.texts.encoded import Encoded

__all__ = ["SPECIAL", "STRETCH", "epoch_batches", "even_batches", "padded", "row_lengths"]

SPECIAL = 2  # [CLS] and [SEP]
STRETCH = 50  # batches that are sorted together, as HuggingFace's Trainer takes at most

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def row_lengths(encoded: Encoded, length: int) -> Integers:
    """Tokens of each text in the network, special ones included, shape (n,), 2 to ``length``."""
    return np.minimum(np.diff(encoded.offsets), length - SPECIAL) + SPECIAL


def epoch_batches(lengths: Integers, batch: int, rng: np.random.Generator) -> list[Integers]:
    """Rows of each batch of one epoch.

    Parameters
    ----------
    lengths : int array, shape (n,)
    batch : int, ≥ 1
        Texts of a batch.
    rng : numpy.random.Generator
        Draws the order of the texts and of the batches.

    Returns
    -------
    list of int arrays
        ceil(n / batch) of them; all but one have ``batch`` rows.
    """
    order = rng.permutation(len(lengths))
    last = order[len(order) - len(order) % batch :]  # the smaller batch is drawn at random too
    order = order[: len(order) - len(last)]
    batches: list[Integers] = []
    for start in range(0, len(order), batch * STRETCH):
        stretch = order[start : start + batch * STRETCH]
        by_length = stretch[np.argsort(lengths[stretch], kind="stable")]
        batches += list(by_length.reshape(-1, batch))
    if len(last):
        batches.append(last)
    return [batches[place] for place in rng.permutation(len(batches))]


def even_batches(lengths: Integers, tokens: int) -> list[Integers]:
    """All rows from the shortest to the longest, in batches of at most ``tokens`` with padding.

    A text longer than ``tokens`` is a batch of its own. Nothing is random: for answering only.
    """
    order = np.argsort(lengths, kind="stable")
    batches: list[Integers] = []
    start = 0
    for end in range(1, len(order) + 1):
        full = end < len(order) and (end + 1 - start) * lengths[order[end]] > tokens
        if full or end == len(order):
            batches.append(order[start:end])
            start = end
    return batches


def padded(
    encoded: Encoded, rows: Integers, length: int, *, cls: int, sep: int, pad: int
) -> tuple[Integers, Booleans | None]:
    """What the network reads of some texts.

    Parameters
    ----------
    encoded : Encoded
    rows : int array, shape (B,)
    length : int, ≥ 2
        Tokens of a text at most, special ones included.
    cls, sep, pad : int
        Token ids.

    Returns
    -------
    ids : int array, shape (B, T)
        T is the length of the longest of these texts.
    mask : bool array, shape (B, T), or None
        Which are no padding; None where nothing is padded, which lets attention go faster.
    """
    begins = encoded.offsets[rows]  # (B,)
    kept = np.minimum(encoded.offsets[rows + 1] - begins, length - SPECIAL)  # (B,)
    place = np.arange(int(kept.max(initial=0)) + SPECIAL)  # (T,)
    inside = (place >= 1) & (place <= kept[:, None])  # (B, T)
    ids = np.full(inside.shape, pad, dtype=np.int64)
    ids[:, 0] = cls
    ids[np.arange(len(rows)), kept + 1] = sep
    ids[inside] = encoded.ids[(begins[:, None] + place - 1)[inside]]
    mask = place <= kept[:, None] + 1  # (B, T)
    return ids, None if mask.all() else mask
