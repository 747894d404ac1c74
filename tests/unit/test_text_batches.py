"""Batches: every text once, little padding, and what the network reads of each."""

from __future__ import annotations

import numpy as np
import pytest

from learners.texts.batches import epoch_batches, even_batches, padded, row_lengths
from learners.texts.encoded import Encoded

CLS, SEP, PAD = 101, 102, 0


def texts_of(lengths, seed=0) -> Encoded:
    """Random ids from 200 on, one text of each length."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = np.random.default_rng(seed).integers(200, 900, offsets[-1])
    return Encoded(ids, np.ones(len(ids), dtype=bool), offsets)


def share_padded(lengths, batches) -> float:
    """Padding among all the tokens that the network reads."""
    read = sum(len(rows) * lengths[rows].max() for rows in batches)
    return 1.0 - lengths.sum() / read


@pytest.fixture
def lengths():
    rng = np.random.default_rng(3)
    return np.clip(rng.lognormal(5.0, 0.6, 1_003), 3, 512).astype(np.int64)


def test_an_epoch_has_every_text_once(lengths):
    batches = epoch_batches(lengths, 8, np.random.default_rng(0))
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert sorted(len(rows) for rows in batches) == [3] + [8] * 125


def test_the_order_is_the_generators(lengths):
    def order(seed):
        return np.concatenate(epoch_batches(lengths, 8, np.random.default_rng(seed)))

    assert (order(1) == order(1)).all()
    assert (order(1) != order(2)).mean() > 0.9


def test_batches_by_length_pad_little(lengths):
    batches = epoch_batches(lengths, 8, np.random.default_rng(0))
    shuffled = np.random.default_rng(0).permutation(len(lengths))
    plain = [shuffled[i : i + 8] for i in range(0, len(lengths), 8)]
    assert share_padded(lengths, batches) < 0.05
    assert share_padded(lengths, plain) > 0.3  # what they are there to avoid


def test_short_and_long_batches_are_mixed(lengths):
    """Else the last steps, with the smallest rate, would always see the longest texts."""
    batches = epoch_batches(lengths, 8, np.random.default_rng(0))
    mean = np.array([lengths[rows].mean() for rows in batches])
    assert abs(np.corrcoef(mean, np.arange(len(mean)))[0, 1]) < 0.3


def test_the_network_reads_each_text_between_its_special_tokens():
    texts = texts_of([4, 0, 9, 1])
    ids, mask = padded(texts, np.array([2, 0, 1]), 8, cls=CLS, sep=SEP, pad=PAD)
    for row, text in zip(range(3), (2, 0, 1), strict=True):  # the plain way, one by one
        begin, end = texts.offsets[text], texts.offsets[text + 1]
        whole = [CLS, *texts.ids[begin:end][:6], SEP]
        assert ids[row].tolist() == whole + [PAD] * (8 - len(whole))
        assert mask[row].tolist() == [True] * len(whole) + [False] * (8 - len(whole))
    assert row_lengths(texts, 8).tolist() == [6, 2, 8, 3]


def test_no_mask_where_nothing_is_padded():
    texts = texts_of([4, 9, 12])
    assert padded(texts, np.array([1, 2]), 8, cls=CLS, sep=SEP, pad=PAD)[1] is None
    assert padded(texts, np.array([0, 2]), 8, cls=CLS, sep=SEP, pad=PAD)[1] is not None


def test_texts_that_are_only_answered_come_once_in_limited_batches(lengths):
    batches = even_batches(lengths, 2_000)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert max(len(rows) * lengths[rows].max() for rows in batches) <= 2_000
    assert len(even_batches(lengths, 1)) == len(lengths)  # longer than the limit: alone
    assert even_batches(lengths[:0], 10) == []
