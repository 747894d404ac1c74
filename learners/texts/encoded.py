"""Texts as token ids: n texts in three flat arrays, which needs numpy only.

A word is what stands between white space, as in the papers that plant a character every 20 words;
a tokenizer may cut it into several tokens::

    text       Hello,  unbelievable              tokens   hello  ,  un  ##bel  ...
    words      Hello,  unbelievable              begins     1    0   1    0    ...

`learners.texts.tokens` makes them from texts, `learners.texts.planting` plants signals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Encoded", "concatenated"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Encoded:
    """n texts as token ids, one after the other, without [CLS] and [SEP].

    Text i has the tokens ``ids[offsets[i] : offsets[i + 1]]``. The arrays are taken over as
    they are, not copied, and cannot be written to through the record.

    Parameters
    ----------
    ids : array of unsigned integers, shape (T,)
        T tokens in all. Other integers ≥ 0 are stored in the smallest unsigned type that fits.
    begins : bool array of shape (T,)
        Whether the token is the first of a word (between white space); so is the first token
        of every text.
    offsets : int64 array of shape (n + 1,), from 0 up to T, never falling

    Raises
    ------
    ValueError
        Shapes do not match, offsets fall or do not end at T, an id is negative, or a text
        begins within a word.
    """

    ids: npt.NDArray[Any]
    begins: Bools
    offsets: Ints

    def __post_init__(self) -> None:
        ids = _unsigned(np.asarray(self.ids))
        begins = np.asarray(self.begins, dtype=bool)
        offsets = np.asarray(self.offsets, dtype=np.int64)
        if ids.ndim != 1 or begins.shape != ids.shape:
            raise ValueError(
                f"ids: got shape {ids.shape} and begins {begins.shape}; must both be (T,)"
            )
        rises = offsets.ndim == 1 and len(offsets) > 0 and bool((np.diff(offsets) >= 0).all())
        if not rises or offsets[0] != 0 or offsets[-1] != len(ids):
            raise ValueError(f"offsets: must rise from 0 to the {len(ids)} tokens there are")
        if not begins[offsets[:-1][np.diff(offsets) > 0]].all():
            raise ValueError("begins: the first token of a text must begin a word")
        for name, values in (("ids", ids), ("begins", begins), ("offsets", offsets)):
            frozen = values.view()
            frozen.flags.writeable = False
            object.__setattr__(self, name, frozen)

    def __len__(self) -> int:
        """n, the number of texts."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Ints:
        """Tokens of each text, shape (n,)."""
        return np.diff(self.offsets)

    @property
    def nbytes(self) -> int:
        """Bytes of the three arrays; 3 per token with a vocabulary of up to 65,536."""
        return self.ids.nbytes + self.begins.nbytes + self.offsets.nbytes

    def take(self, rows: npt.ArrayLike) -> Encoded:
        """These texts in this order; repeats are allowed, a bool mask of shape (n,) works too.

        O(tokens taken), with about 16 bytes per token on the way.
        """
        index = np.asarray(rows)
        chosen = np.arange(len(self))[index if index.size else index.astype(np.int64)]
        lengths = self.lengths[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        source = np.arange(offsets[-1])  # (tokens taken,)
        source += np.repeat(self.offsets[:-1][chosen] - offsets[:-1], lengths)
        return Encoded(self.ids[source], self.begins[source], offsets)

    def first(self, count: int) -> Encoded:
        """Of each text the first ``count`` tokens, or all where it has fewer."""
        lengths = np.minimum(self.lengths, count)
        place = np.arange(len(self.ids)) - np.repeat(self.offsets[:-1], self.lengths)  # (T,)
        kept = place < count
        return Encoded(self.ids[kept], self.begins[kept], np.concatenate([[0], np.cumsum(lengths)]))


def concatenated(parts: Sequence[Encoded]) -> Encoded:
    """Texts of several records one after the other; at least one record."""
    lengths = [np.zeros(1, dtype=np.int64), *(part.lengths for part in parts)]
    return Encoded(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.begins for part in parts]),
        np.cumsum(np.concatenate(lengths)),
    )


def _unsigned(ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if ids.dtype.kind == "u":
        return ids
    if ids.size and (ids.dtype.kind != "i" or ids.min() < 0):
        raise ValueError(f"ids: got {ids.dtype} from {ids.min()}; must be integers ≥ 0")
    return ids.astype(np.min_scalar_type(int(ids.max(initial=0))))
