"""The corpus of texts: sizes of splits, groups on one side, dropped words, random labels."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.texts.corpus import Corpus, CorpusError

WORDS = ("web page design", "  java   code\tfast ", "web", "network admin page extra")


def small(groups: list[int] | None = None) -> Corpus:
    labels = [[True, False], [False, True], [True, True], [False, False]]
    return Corpus(WORDS, labels, ("a", "b"), groups)


def many(n: int = 200, width: int = 3, single: bool = False) -> Corpus:
    rng = np.random.default_rng(1)
    labels = np.eye(width, dtype=bool)[rng.integers(width, size=n)]
    if not single:
        labels |= rng.random((n, width)) < 0.2
    return Corpus([f"text {i}" for i in range(n)], labels, [f"l{j}" for j in range(width)])


def test_what_a_corpus_says_of_itself():
    corpus = small()
    assert len(corpus) == 4 and not corpus.single and many(single=True).single
    assert corpus.frequency.tolist() == [0.5, 0.5]
    assert corpus.label("b") == 1
    with pytest.raises(ValueError, match="label: got 'l9'; must be one of l0, l1, l2"):
        many().label("l9")
    with pytest.raises(ValueError, match=r'Web; did you mean "Web"\?'):
        Corpus(["x"], [[True, False]], ["Java", "Web"]).label("web")


def test_arrays_are_copies_and_read_only():
    labels = np.array([[True, False], [False, True]])
    corpus = Corpus(["x", "y"], labels, ["a", "b"], np.array([3, 3]))
    labels[0] = False
    assert corpus.labels[0, 0]
    for array in (corpus.labels, corpus.groups):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("texts", "labels", "names", "groups", "message"),
    [
        ([], np.zeros((0, 2)), ["a", "b"], None, r"got 0 texts, 2 names and labels of shape"),
        (["x"], [[True]], ["a", "b"], None, r"shape \(1, 1\); must be n ≥ 1, L ≥ 1 and \(n, L\)"),
        (["x"], [[True, True]], ["a", "a"], None, "names: got a, a; must be labels, none twice"),
        (["x"], [[True, True]], ["a", "b"], [1, 2], r"groups: got shape \(2,\); must be \(1,\)"),
    ],
)
def test_shapes_that_do_not_match(texts, labels, names, groups, message):
    with pytest.raises(ValueError, match=message):
        Corpus(texts, labels, names, groups)


def test_take_repeats_and_orders():
    taken = small([7, 7, 8, 9]).take([2, 0, 2])
    assert taken.texts == ("web", "web page design", "web")
    assert taken.labels.tolist() == [[True, True], [True, False], [True, True]]
    assert taken.groups is not None and taken.groups.tolist() == [8, 7, 8]


def test_digest_tells_contents_apart_and_survives_pickling():
    corpus = small()
    others = [
        small([1, 2, 3, 4]),
        corpus.take([1, 0, 2, 3]),
        Corpus(WORDS, corpus.labels, ("a", "c")),
        Corpus(WORDS, ~corpus.labels, ("a", "b")),
        Corpus((WORDS[0] + WORDS[1], "", *WORDS[2:]), corpus.labels, ("a", "b")),
    ]
    assert len({corpus.digest, *(other.digest for other in others)}) == 6
    assert small().digest == corpus.digest == pickle.loads(pickle.dumps(corpus)).digest


# --- words and labels -----------------------------------------------------------------------------


def test_first_words_go_and_nobody_is_left_without_a_text():
    corpus = small()
    assert corpus.without_first_words(0) is corpus
    assert corpus.without_first_words(2).texts == ("design", "fast ", "web", "page extra")
    shorter = corpus.without_first_words(20)
    assert shorter.texts == ("design", "fast", "web", "extra")
    assert np.array_equal(shorter.labels, corpus.labels) and shorter.names == corpus.names
    for wrong in (-1, 1.5, True):
        with pytest.raises(ValueError, match=r"drop_words: got .*; must be a whole number ≥ 0"):
            corpus.without_first_words(wrong)


@given(k=st.integers(0, 8), words=st.lists(st.text("ab", min_size=1), min_size=1, max_size=10))
def test_dropping_words_is_slicing_them(k, words):
    corpus = Corpus([" ".join(words)], [[True]], ["a"])
    assert corpus.without_first_words(k).texts[0].split() == (words[k:] or words[-1:])


@pytest.mark.parametrize("single", [True, False])
def test_an_exact_share_of_texts_gets_random_labels(single):
    n, width, share = 20_000, 4, 0.3
    corpus = many(n, width, single)
    noisy = corpus.with_random_labels(share, 5)
    assert noisy.single is single and noisy.texts is corpus.texts
    changed = (noisy.labels != corpus.labels).any(axis=1).sum()
    sets = width if single else 2**width
    # all that are drawn anew, less those that happen to draw what they had: sd of the count < 45
    assert abs(changed - share * n * (1 - 1 / sets)) < 5 * 45
    assert changed <= round(share * n)
    floor = share / width if single else share / 2  # positivity, on texts without the label
    for label in range(width):
        without = ~corpus.labels[:, label]
        seen = noisy.labels[without, label].mean()
        assert abs(seen - floor) < 5 * np.sqrt(floor * (1 - floor) / without.sum())


def test_no_noise_and_all_noise():
    corpus = many(single=True)
    assert np.array_equal(corpus.with_random_labels(0.0, 1).labels, corpus.labels)
    everybody = Corpus(["x"] * 5_000, np.tile([True, False], (5_000, 1)), ["a", "b"])
    assert abs(everybody.with_random_labels(1.0, 2).frequency[1] - 0.5) < 5 * 0.5 / np.sqrt(5_000)
    a, b = (corpus.with_random_labels(0.5, seed).digest for seed in (3, 4))
    assert a != b and a == corpus.with_random_labels(0.5, np.random.default_rng(3)).digest
    with pytest.raises(ValueError, match=r"label_noise: got 1.1; must be in \[0, 1\]"):
        corpus.with_random_labels(1.1, 1)


# --- splits ---------------------------------------------------------------------------------------


def test_sizes_are_exact_and_nobody_is_on_both_sides():
    corpus = many(100)
    train, test = corpus.split(70, 25, 3)
    assert len(train) == 70 and len(test) == 25 and not set(train) & set(test)
    again = corpus.split(70, 25, np.random.default_rng(3))
    assert np.array_equal(train, again[0]) and np.array_equal(test, again[1])
    assert not np.array_equal(train, corpus.split(70, 25, 4)[0])
    rest, test = corpus.split(None, 25)
    assert sorted([*rest, *test]) == list(range(100))


def test_without_shuffling_the_order_stays():
    train, test = many(10).split(6, 3, shuffle=False)
    assert train.tolist() == [0, 1, 2, 3, 4, 5] and test.tolist() == [6, 7, 8]
    grouped = Corpus("abcdefgh", np.ones((8, 1)), ["l"], [5, 5, 2, 2, 9, 1, 1, 1])
    train, test = grouped.split(None, 3, shuffle=False, by_group=True)
    assert train.tolist() == [0, 1, 2, 3, 4] and test.tolist() == [5, 6, 7]


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=12, max_size=40), seed=st.integers(0, 99),
       rest=st.booleans(), shuffle=st.booleans())  # fmt: skip
def test_a_group_is_on_one_side_only(sizes, seed, rest, shuffle):
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(rng.permutation(len(sizes)) * 7, sizes))
    n = len(groups)
    corpus = Corpus(["x"] * n, np.ones((n, 1)), ["a"], groups)
    wanted = None if rest else n // 2
    train, test = corpus.split(wanted, n // 4 + 3, seed, by_group=True, shuffle=shuffle)
    assert not set(groups[train]) & set(groups[test])
    assert len(set(train.tolist()) | set(test.tolist())) == len(train) + len(test)
    whole = Counter(groups.tolist())
    assert Counter(groups[[*train, *test]].tolist()).items() <= whole.items()
    assert n // 4 + 3 - max(sizes) < len(test) <= n // 4 + 3
    assert len(train) == n - len(test) if rest else n // 2 - max(sizes) < len(train) <= n // 2


def test_a_random_split_does_tear_groups_apart():
    corpus = Corpus(["x"] * 60, np.ones((60, 1)), ["a"], np.repeat(np.arange(20), 3))
    train, test = corpus.split(40, 20, 1)
    assert set(corpus.groups[train]) & set(corpus.groups[test])
    train, test = corpus.split(40, 20, 1, by_group=True)
    assert (len(train), len(test)) == (39, 18)  # whole groups of 3, never above
    rest, test = corpus.split(None, 20, 1, by_group=True)
    assert (len(rest), len(test)) == (42, 18)  # all that the test leaves, nobody is lost


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (90, 11, "split: got train = 90 and test = 11; must be ≥ 1 each and together at most the "
                 "100 texts"),
        (None, 100, "split: got test = 100; must be ≥ 1 each and together at most the 100 texts"),
        (0, 5, "split: got train = 0 and test = 5"),
        (5, 0, "split: got train = 5 and test = 0"),
    ],
)  # fmt: skip
def test_more_than_there_is(train, test, message):
    with pytest.raises(ValueError, match=message):
        many(100).split(train, test)


def test_groups_that_are_not_there_or_too_large():
    with pytest.raises(ValueError, match="by_group: got true; must be false for texts without"):
        many(100).split(5, 5, by_group=True)
    corpus = Corpus(["x"] * 6, np.ones((6, 1)), ["a"], [0, 0, 0, 1, 1, 1])
    with pytest.raises(ValueError, match=r"room for one on each \(the largest has 3 of the 6"):
        corpus.split(3, 2, by_group=True)


def test_an_error_of_a_corpus_says_whom_to_blame():
    error = CorpusError([("text", "got x"), ("labels", "got y")])
    assert str(error) == "text: got x\nlabels: got y" and isinstance(error, ValueError)
    assert pickle.loads(pickle.dumps(error)).problems == error.problems
