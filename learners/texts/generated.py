"""A corpus with a known base law P₀: pseudo-words of topics, labels that follow them or chance.

How a text comes about, each step independent of the others::

    1. topics Z     a main topic m ~ q with q_l ∝ decline^l; each other topic with probability c
    2. words        N ~ log-normal; at least one word of each topic in Z, each further word of
                    some topic in Z with probability `topical`, else a common word
    3. labels y     y = Z; with probability a (the ambiguity) drawn anew as in step 1
    4. signal       with probability ξ for each character of `signals` (never two in a text) the
                    character stands before the words 0, k, 2k, …

Topics have no words in common, so a text shows its topics, and for every text x

    P₀(l | x) = (1 − a)·1{l ∈ Z(x)} + a·f_l,     f_l = q_l + (1 − q_l)·c.

The signal says nothing about labels. Uniqueness ξ, gap Δ and positivity p follow in closed form
for whoever plants the same character in the same places (`GeneratedTexts.facts`).

References
----------
Hardt et al. (2023), sections 2 and 3: ξ, Δ and p of Theorems 3.3 and 3.5.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from learners.curves import Array, require_range
from learners.texts.corpus import Corpus

__all__ = ["GeneratedTexts", "Measure", "TextFacts", "pseudo_words"]

Masks = npt.NDArray[np.bool_]
Measure = Literal["top1", "included"]

SYLLABLES = tuple(c + v for c in "bcdfghjklmnpqrstvwxz" for v in "aeiou")  # 100
STRIDE = 3719  # no common factor with 100, so that each word comes once and neighbours differ


@dataclass(frozen=True)
class TextFacts:
    """What the bounds of H23 need to know about a signal and a target.

    Attributes
    ----------
    target : str
    measure : {"top1", "included"}
    uniqueness : float, ξ
        Share of the texts that carry the signal by nature.
    gap : float in [0, 1], Δ
        How far the target is behind, at most, on a text with the signal: behind the likeliest
        label ("top1"), or behind its own absence ("included").
    positivity : float in [0, 1], p
        A floor, over all texts, on the probability of the target ("included"), or of having it
        without a given other label ("top1").
    """

    target: str
    measure: Measure
    uniqueness: float
    gap: float
    positivity: float


@dataclass(frozen=True)
class GeneratedTexts:
    """The law of texts and labels that this module describes.

    Parameters
    ----------
    labels : int ≥ 2, L
        They are called ``topic_1`` (the most frequent) to ``topic_L``.
    decline : float in (0, 1]
        q_{l+1}/q_l of the main topic.
    also : float in [0, 1), c
        Probability of each further topic. With 0 every text has exactly one label.
    ambiguity : float in [0, 1], a
        Share of the texts whose labels are independent of their words.
    words : float ≥ 1, words
        Mean number of words a text before rounding; never fewer than L.
    spread : float ≥ 0
        Standard deviation of the logarithm of the number of words.
    topical : float in [0, 1]
        Share of words that belong to a topic, among those left to chance.
    topic_words, common_words : int ≥ 1
        Vocabulary of each topic, and that of all texts.
    signals : sequence of str
        Characters that texts carry by nature; not letters, none twice.
    signal_rate : float, ξ
        Share of the texts that carry each of them; together at most 1.
    signal_every : int ≥ 1 or None, words
        k, or once at the front.

    Examples
    --------
    >>> texts = GeneratedTexts(labels=2, also=0.0, decline=1.0, ambiguity=0.4, signal_rate=0.01)
    >>> facts = texts.facts("topic_2")
    >>> facts.uniqueness, round(facts.gap, 9), round(facts.positivity, 9)
    (0.01, 0.6, 0.2)
    """

    labels: int = 5
    decline: float = 0.6
    also: float = 0.1
    ambiguity: float = 0.1
    words: float = 25.0
    spread: float = 0.2
    topical: float = 0.5
    topic_words: int = 20
    common_words: int = 100
    signals: Sequence[str] = ("{", "}")
    signal_rate: float = 0.005
    signal_every: int | None = 20

    def __post_init__(self) -> None:
        for name, least in (("labels", 2), ("topic_words", 1), ("common_words", 1)):
            _require_whole(name, getattr(self, name), least)
        if self.signal_every is not None:
            _require_whole("signal_every", self.signal_every, 1)
        require_range("decline", self.decline, 0.0, 1.0, low_open=True, meaning="ratio")
        require_range("also", self.also, 0.0, 1.0, high_open=True, meaning="probability, c")
        require_range("ambiguity", self.ambiguity, 0.0, 1.0, meaning="share of the texts, a")
        require_range("topical", self.topical, 0.0, 1.0, meaning="share of the words")
        require_range("words", self.words, 1.0, meaning="words a text")
        require_range("spread", self.spread, 0.0, meaning="sd of the logarithm")
        object.__setattr__(self, "signals", tuple(self.signals))
        odd = [s for s in self.signals if len(s) != 1 or s.isalnum() or s.isspace()]
        if odd or len(set(self.signals)) < len(self.signals):
            raise ValueError(
                f"signals: got {', '.join(self.signals)}; must be single characters that are "
                "neither letters nor digits nor blanks, none twice"
            )
        most = 1.0 / max(len(self.signals), 1)
        require_range("signal_rate", self.signal_rate, 0.0, most, meaning="share of texts, ξ")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the L labels; their order by the alphabet is their order."""
        digits = len(str(self.labels))
        return tuple(f"topic_{number:0{digits}d}" for number in range(1, self.labels + 1))

    @cached_property
    def main(self) -> Array:
        """q, the law of the main topic; shape (L,), falling, sums to 1."""
        weights = np.power(self.decline, np.arange(self.labels))
        return weights / weights.sum()

    @cached_property
    def frequency(self) -> Array:
        """f_l = q_l + (1 − q_l)·c, the share of texts with each label; shape (L,)."""
        return self.main + (1.0 - self.main) * self.also

    @cached_property
    def vocabulary(self) -> tuple[tuple[str, ...], ...]:
        """L + 1 lists of words: of each topic, and the common ones; none in two of them."""
        total = self.common_words + self.labels * self.topic_words
        words = pseudo_words(total)
        cuts = [self.topic_words * topic for topic in range(self.labels + 1)] + [total]
        return tuple(words[a:b] for a, b in itertools.pairwise(cuts))

    def facts(self, target: str, measure: Measure = "top1", label_noise: float = 0.0) -> TextFacts:
        """ξ, Δ and p of planting one of the signals for this target.

        With r the `label_noise` (`Corpus.with_random_labels`) a label's probability on x is
        (1 − r)·P₀(l|x) + r·u, where u = ½, or 1/L where texts have one label. So with t the target

            top1       Δ = (1−r)[(1 − a) + a(max_{l≠t} f_l − f_t)]₊
                       p = (1−r)·a·min_{l≠t} P(t, not l) + r·v,  v = ¼, or 1/L
            included   Δ = [1 − 2p]₊,  p = (1−r)·a·f_t + r·u

        where P(t, not l) = q_t(1−c) + (1 − q_t − q_l)·c(1−c). Texts with one label have one
        likeliest label, so for them "included" is "top1".

        Parameters
        ----------
        target : str
        measure : {"top1", "included"}
        label_noise : float in [0, 1], r

        Notes
        -----
        For a strategy with another spacing than `signal_every` the texts it makes do not occur in
        P₀ at all: ξ is then an upper bound, and the guaranteed success stays a lower bound.
        """
        if target not in self.names:
            raise ValueError(f"target: got {target!r}; must be one of {', '.join(self.names)}")
        if measure not in get_args(Measure):
            raise ValueError(f"measure: got {measure!r}; must be one of {get_args(Measure)}")
        r = require_range("label_noise", label_noise, 0.0, 1.0, meaning="share of the texts")
        t = self.names.index(target)
        others = np.arange(self.labels) != t
        a, c, q, f, single = self.ambiguity, self.also, self.main, self.frequency, self.also == 0.0
        if measure == "included" and not single:
            p = (1.0 - r) * a * f[t] + r / 2.0
            gap = 1.0 - 2.0 * p
        else:
            alone = q[t] * (1.0 - c) + (1.0 - q[t] - q[others]) * c * (1.0 - c)  # P(t, not l)
            p = (1.0 - r) * a * alone.min() + r * (1.0 / self.labels if single else 0.25)
            gap = (1.0 - r) * (1.0 - a + a * (f[others].max() - f[t]))
        return TextFacts(target, measure, self.signal_rate, max(0.0, float(gap)), float(p))

    # --- drawing ----------------------------------------------------------------------------------

    def corpus(self, size: int, seed: np.random.Generator | int) -> Corpus:
        """`size` texts drawn from the law; the same for the same seed. O(size·words)."""
        _require_whole("size", size, 1)
        rng = np.random.default_rng(seed)
        topics = self._topics(size, rng)
        anew = rng.random(size) < self.ambiguity
        labels = np.where(anew[:, None], self._topics(size, rng), topics)
        words, lengths = self._words(topics, rng)
        texts = self._written(words, lengths, self._carried(size, rng))
        return Corpus(texts, labels, self.names)

    def _topics(self, size: int, rng: np.random.Generator) -> Masks:
        """Z of each text, (size, L)."""
        main = rng.choice(self.labels, size=size, p=self.main)
        return (rng.random((size, self.labels)) < self.also) | np.eye(self.labels, dtype=bool)[main]

    def _words(
        self, topics: Masks, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Words of all texts one after another as indices of the vocabulary, and how many each."""
        size = len(topics)
        mean_log = math.log(self.words) - self.spread**2 / 2.0
        drawn = np.rint(np.exp(rng.normal(mean_log, self.spread, size))).astype(np.int64)
        lengths = np.maximum(drawn, self.labels)
        row = np.repeat(np.arange(size), lengths)  # (T,) whose word
        place = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        how_many = topics.sum(axis=1)[row]  # |Z| of that text
        chance = (rng.random(len(row)) * how_many).astype(np.int64)
        rank = np.where(place < how_many, place, chance)  # the first words show each topic once
        topic = np.argsort(~topics, axis=1, kind="stable")[row, rank]
        common = (place >= how_many) & (rng.random(len(row)) >= self.topical)
        word = topic * self.topic_words + rng.integers(self.topic_words, size=len(row))
        word[common] = self.labels * self.topic_words + rng.integers(
            self.common_words, size=np.count_nonzero(common)
        )
        return word[np.lexsort((rng.random(len(row)), row))], lengths

    def _carried(self, size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Which of the signals each text carries, −1 for none; (size,)."""
        if not self.signals or self.signal_rate == 0.0:
            return np.full(size, -1)
        which = np.floor(rng.random(size) / self.signal_rate).astype(np.int64)
        return np.where(which < len(self.signals), which, -1)

    def _written(
        self,
        words: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int64],
        carried: npt.NDArray[np.int64],
    ) -> tuple[str, ...]:
        vocabulary = np.array([word for part in self.vocabulary for word in part], dtype=object)
        spelled = vocabulary[words].tolist()
        ends = np.cumsum(lengths).tolist()
        texts = []
        for start, end, signal in zip([0, *ends[:-1]], ends, carried.tolist(), strict=True):
            text = spelled[start:end]
            if signal >= 0:
                every = self.signal_every or len(text)
                for place in reversed(range(0, len(text), every)):
                    text.insert(place, self.signals[signal])
            texts.append(" ".join(text))
        return tuple(texts)


def pseudo_words(count: int) -> tuple[str, ...]:
    """`count` distinct lower-case words that can be pronounced, always the same ones.

    >>> pseudo_words(4)
    ('baba', 'fuki', 'kosu', 'pide')
    """
    base = len(SYLLABLES)
    length = 2
    while base**length < count:
        length += 1
    numbers = (number * STRIDE % base**length for number in range(count))
    return tuple(
        "".join(SYLLABLES[number // base**place % base] for place in range(length))
        for number in numbers
    )


def _require_whole(name: str, value: int, least: int) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}: got {value!r}; must be a whole number ≥ {least}")
