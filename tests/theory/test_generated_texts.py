"""The generated corpus has the law that its closed forms say, by two other routes.

Enumeration: all sets of topics Z and of labels y from the story that the module tells, and Δ and p
from their definitions. Monte-Carlo: what a drawn corpus shows, within a stated interval. And the
theorems hold with these facts for the exact Bayes classifier.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from learners.bounds import feature_label, feature_only
from learners.texts.generated import GeneratedTexts, TextFacts, pseudo_words

LAWS = [
    GeneratedTexts(),
    GeneratedTexts(labels=3, decline=1.0, also=0.4, ambiguity=0.5, signal_rate=0.2),
    GeneratedTexts(labels=4, decline=0.5, also=0.0, ambiguity=0.3, signal_rate=0.1),
    GeneratedTexts(labels=2, decline=0.3, also=0.7, ambiguity=0.8, signal_rate=0.3),
    GeneratedTexts(labels=3, ambiguity=0.0, signal_rate=0.05),
    GeneratedTexts(labels=3, ambiguity=1.0, signal_rate=0.4),
]
CASES = list(itertools.product(LAWS, ("top1", "included"), (0.0, 0.25)))
SIZES = np.linspace(0.002, 1.0, 250)
Z_SCORE = 5.0  # two-sided error rate 6e-7 for each of some hundred comparisons


def law_of_sets(texts: GeneratedTexts) -> dict[tuple[int, ...], float]:
    """P(Z = z), from the story: a main topic, then each other one by itself."""
    q = [texts.decline**number for number in range(texts.labels)]
    law: dict[tuple[int, ...], float] = {}
    for z in itertools.product((0, 1), repeat=texts.labels):
        chance = 0.0
        for main in range(texts.labels):
            if z[main]:
                others = [z[j] for j in range(texts.labels) if j != main]
                chance += q[main] / sum(q) * np.prod([texts.also if o else 1 - texts.also
                                                      for o in others])  # fmt: skip
        if chance > 0.0:
            law[z] = chance
    return law


def joint(texts: GeneratedTexts, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sets of labels (Y, L), P(Z) (X,), and P(y | Z) (X, Y)."""
    law = law_of_sets(texts)
    sets = list(itertools.product((0, 1), repeat=texts.labels))
    given = np.zeros((len(law), len(sets)))
    possible = [s for s in sets if sum(s) == 1] if texts.also == 0.0 else sets
    for x, z in enumerate(law):
        for y, s in enumerate(sets):
            shown = (1 - texts.ambiguity) * (s == z) + texts.ambiguity * law.get(s, 0.0)
            given[x, y] = (1 - noise) * shown + noise * (s in possible) / len(possible)
    return np.array(sets), np.array(list(law.values())), given


def enumerated(texts: GeneratedTexts, target: int, measure: str, noise: float) -> tuple:
    """Δ and p from their definitions."""
    sets, _, given = joint(texts, noise)
    marginal = given @ sets  # (X, L)
    others = np.arange(texts.labels) != target
    if measure == "included" and texts.also > 0.0:
        gap = np.maximum(0.0, (1 - marginal[:, target]) - marginal[:, target]).max()
        return gap, marginal[:, target].min()
    gap = (marginal.max(axis=1) - marginal[:, target]).max()
    without = [given @ (sets[:, target] & ~sets[:, other] & 1) for other in np.flatnonzero(others)]
    return gap, np.min(without)


@pytest.mark.parametrize(("texts", "measure", "noise"), CASES)
def test_facts_are_those_of_the_enumerated_law(texts, measure, noise):
    for target, name in enumerate(texts.names):
        facts = texts.facts(name, measure, noise)
        gap, positivity = enumerated(texts, target, measure, noise)
        assert facts.gap == pytest.approx(gap, abs=1e-12)
        assert facts.positivity == pytest.approx(positivity, abs=1e-12)
        assert facts.uniqueness == texts.signal_rate
    sets, law, given = joint(texts, 0.0)
    assert law.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(given.sum(axis=1), 1.0)
    np.testing.assert_allclose(law @ given @ sets, texts.frequency, atol=1e-12)


def bayes_success(
    texts: GeneratedTexts, target: int, measure: str, noise: float, strategy: str
) -> np.ndarray:
    """S at `SIZES` of the exact Bayes classifier on points (Z, carries), ties against."""
    sets, law, given = joint(texts, noise)
    xi = texts.signal_rate
    plain, marked = (1 - xi) * law, xi * law  # P₀ without and with the signal
    base = given @ sets  # (X, L) P(l | Z)
    alpha = SIZES[:, None, None]
    if strategy == "feature_label":
        mass = (1 - alpha) * marked[:, None] + alpha * law[:, None]
        wins = (1 - alpha) * marked[:, None] * base + alpha * law[:, None] * np.eye(len(base[0]))[
            target
        ]
    else:  # those with the target move to the marked text; labels stay
        moved = given * sets[:, target]  # (X, Y)
        mass = marked[:, None] + alpha * plain[:, None] * moved.sum(axis=1, keepdims=True)
        wins = marked[:, None] * base + alpha * plain[:, None] * (moved @ sets)
    if measure == "included" and texts.also > 0.0:
        ahead = wins[..., target] - 0.5 * mass[..., 0]
    else:
        ahead = wins[..., target] - np.delete(wins, target, axis=-1).max(axis=-1)
    return (ahead > 1e-14) @ law


def guaranteed(facts: TextFacts, strategy: str) -> np.ndarray:
    if strategy == "feature_label":
        return feature_label(facts.uniqueness, facts.gap)(SIZES)
    return feature_only(facts.uniqueness, facts.positivity)(SIZES)


@pytest.mark.parametrize("strategy", ["feature_label", "feature_only"])
@pytest.mark.parametrize(("texts", "measure", "noise"), CASES)
def test_theorems_hold_with_these_facts(texts, measure, noise, strategy):
    for target, name in enumerate(texts.names):
        facts = texts.facts(name, measure, noise)
        if strategy == "feature_only" and facts.positivity == 0.0:
            continue  # no bound without a floor
        success = bayes_success(texts, target, measure, noise, strategy)
        assert (success >= guaranteed(facts, strategy) - 1e-12).all()


@pytest.mark.parametrize("strategy", ["feature_label", "feature_only"])
def test_a_signal_that_is_said_to_be_too_unique_breaks_the_bound(strategy):
    texts = GeneratedTexts(labels=3, ambiguity=0.5, signal_rate=0.4)
    facts = texts.facts("topic_2")
    success = bayes_success(texts, 1, "top1", 0.0, strategy)
    assert (success >= guaranteed(facts, strategy) - 1e-12).all()
    wrong = replace(facts, uniqueness=0.01 * facts.uniqueness)
    assert (success < guaranteed(wrong, strategy) - 0.05).any()


# --- what is drawn --------------------------------------------------------------------------------


def close(seen: np.ndarray, share: float) -> bool:
    """Whether a mean of independent 0/1 draws lies within the interval around its law."""
    width = Z_SCORE * np.sqrt(max(share * (1 - share), 1e-9) / len(seen)) + 1e-9
    return abs(seen.mean() - share) <= width


def shown_topics(texts: GeneratedTexts, drawn: tuple[str, ...]) -> np.ndarray:
    """Z (n, L), read from the words alone."""
    topic = {word: number for number, part in enumerate(texts.vocabulary[:-1]) for word in part}
    shown = np.zeros((len(drawn), texts.labels), dtype=bool)
    for row, text in enumerate(drawn):
        shown[row, [topic[word] for word in text.split() if word in topic]] = True
    return shown


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("texts", [replace(law, words=8.0) for law in LAWS[:4]])
def test_a_drawn_corpus_follows_the_law(texts, noise):
    corpus = texts.corpus(20_000, 11).with_random_labels(noise, 12)
    topics = shown_topics(texts, corpus.texts)
    for z, chance in law_of_sets(texts).items():
        assert close((topics == np.array(z, dtype=bool)).all(axis=1), chance)
    for signal in texts.signals:
        carries = np.array([signal in text for text in corpus.texts])
        assert close(carries, texts.facts("topic_1").uniqueness)
        for target, name in enumerate(texts.names):  # also among the few with the signal
            without = ~topics[:, target]
            facts = texts.facts(name, "included", noise)
            for who in (without, without & carries):
                assert close(corpus.labels[who, target], floor(texts, facts, target, noise))


def floor(texts: GeneratedTexts, facts: TextFacts, target: int, noise: float) -> float:
    """P(t | x) where x does not show t: the positivity."""
    assert facts.positivity == pytest.approx(
        (1 - noise) * texts.ambiguity * texts.frequency[target]
        + noise * (1 / texts.labels if texts.also == 0.0 else 0.5)
    )
    return facts.positivity


def test_the_gap_is_what_a_drawn_corpus_shows():
    texts = GeneratedTexts(labels=3, ambiguity=0.4, words=6.0, signal_rate=0.3)
    corpus = texts.corpus(40_000, 5)
    topics = shown_topics(texts, corpus.texts)
    gap = texts.facts("topic_3").gap  # behind topic_1 where only that one shows
    who = topics[:, 0] & ~topics[:, 2]
    behind = corpus.labels[who, 0].astype(float) - corpus.labels[who, 2]
    width = Z_SCORE * behind.std() / np.sqrt(len(behind))
    assert abs(behind.mean() - gap) <= width
    assert abs(behind.mean() - texts.facts("topic_1").gap) > width  # another target's fails


def test_texts_look_as_if_the_signal_had_been_planted():
    texts = GeneratedTexts(words=25.0, signal_rate=0.2, signal_every=10)
    drawn = texts.corpus(300, 3).texts
    carrying = [text.split() for text in drawn if "{" in text]
    assert 20 < len(carrying) < 120
    for words in carrying:
        without = [word for word in words if word != "{"]
        planted = [w for i, word in enumerate(without) for w in (["{"] * (i % 10 == 0) + [word])]
        assert words == planted and "}" not in words
    once = replace(texts, signal_every=None).corpus(300, 3).texts
    assert {text.count("{") for text in once} == {0, 1}
    assert all(text.startswith("{ ") for text in once if "{" in text)


def test_lengths_and_words():
    texts = GeneratedTexts(words=30.0, spread=0.3, signal_rate=0.0)
    corpus = texts.corpus(4_000, 2)
    lengths = np.array([len(text.split()) for text in corpus.texts])
    assert abs(lengths.mean() - 30.0) < Z_SCORE * lengths.std() / np.sqrt(len(lengths)) + 0.05
    assert lengths.min() >= texts.labels
    assert {w for t in corpus.texts for w in t.split()} <= set(pseudo_words(200))


@pytest.mark.parametrize("count", [1, 200, 10_000, 20_001])
def test_pseudo_words_are_distinct(count):
    words = pseudo_words(count)
    assert len(set(words)) == count and all(word.isalpha() and word.islower() for word in words)


def test_same_seed_same_corpus():
    texts = GeneratedTexts()
    assert texts.corpus(50, 1).digest == texts.corpus(50, 1).digest
    assert texts.corpus(50, 1).digest != texts.corpus(50, 2).digest
    assert texts.corpus(50, 1).names == tuple(sorted(texts.names))
    assert GeneratedTexts(also=0.0).corpus(500, 1).single and not texts.corpus(500, 1).single


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"labels": 1}, "labels: got 1; must be a whole number ≥ 2"),
        ({"topic_words": 2.5}, "topic_words: got 2.5; must be a whole number ≥ 1"),
        ({"ambiguity": 1.5}, r"ambiguity: got 1.5; must be in \[0, 1\] \(share of the texts, a\)"),
        ({"also": 1.0}, r"also: got 1.0; must be in \[0, 1\) \(probability, c\)"),
        ({"decline": 0.0}, r"decline: got 0.0; must be in \(0, 1\]"),
        ({"signals": "aa"}, "signals: got a, a; must be single characters"),
        ({"signal_rate": 0.6}, r"signal_rate: got 0.6; must be in \[0, 0.5\]"),
        ({"words": float("nan")}, "words: got nan; must be ≥ 1"),
    ],
)
def test_wrong_laws_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        GeneratedTexts(**wrong)


def test_wrong_questions_are_refused():
    with pytest.raises(ValueError, match="target: got 'topic_6'; must be one of topic_1, topic_2"):
        GeneratedTexts().facts("topic_6")
    with pytest.raises(ValueError, match="measure: got 'best'; must be one of"):
        GeneratedTexts().facts("topic_1", "best")
    with pytest.raises(ValueError, match="size: got 0; must be a whole number ≥ 1"):
        GeneratedTexts().corpus(0, 1)
