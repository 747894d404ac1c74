"""The texts of a scenario: read or made, divided into those to train on and those to test on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.scenario_check import Address, Problem
from sim.scenario_fields import GENERATED
from sim.scenario_texts import ONCE, DistilbertPlatform, GeneratedCorpus
from sim.toml_text import shown
from sim.trained import BadData, Masks, canonical, content_hash, kept, reason, unreadable

if TYPE_CHECKING:
    from learners.texts.corpus import Corpus
    from learners.texts.generated import GeneratedTexts

READ = ("text", "labels", "separator", "group", "encoding")
DIVIDED = ("drop_words", "train", "test", "shuffle", "by_group", "label_noise")
SPLIT, NOISE = 0, 1  # purposes of random numbers; append, never renumber


@dataclass(frozen=True, eq=False)
class Texts:
    """What a platform of texts is given.

    Attributes
    ----------
    train : Corpus, the people, noise in their labels included
    test : Corpus
    single : every text of the data has exactly one label
    key : says what they were made from
    """

    train: Corpus
    test: Corpus
    single: bool
    key: tuple[Any, ...]


class TextPoints:
    """The texts to train on as the data points that people are; their labels are a column."""

    def __init__(self, corpus: Corpus, column: str) -> None:
        self.corpus, self.column = corpus, column

    @property
    def weight(self) -> NDArray[np.float64]:
        return np.full(len(self.corpus), 1.0 / len(self.corpus))

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def values(self, column: str) -> tuple[str, ...]:
        return self.corpus.names

    def having(self, column: str, value: Any) -> Masks:
        """Who has this label, among others perhaps; ValueError where it is none."""
        return self.corpus.labels[:, self.corpus.names.index(value)]


def texts_of(platform: DistilbertPlatform, folder: Path, seed: int) -> Texts:
    """The texts as the platform gets them.

    Raises
    ------
    BadData
        They cannot be read, or there are not as many as are asked for.
    """
    source, how = _source(platform, folder)
    settings = canonical(platform.model_dump(mode="json", include=set(DIVIDED)))
    key = ("texts", how, settings, seed)
    return kept(key, lambda: _divided(platform, kept(how, source), seed, key))


def generator_of(made: GeneratedCorpus) -> GeneratedTexts:
    """The law of generated texts; BadData at the key of what does not fit."""
    from learners.texts.generated import GeneratedTexts

    settings = made.model_dump(exclude={"texts", "seed"})
    if settings["signal_every"] == ONCE:
        settings["signal_every"] = None
    try:
        return GeneratedTexts(**settings)
    except ValueError as error:
        key, _, said = str(error).partition(": ")
        here: Address = ("platform", "generated", key)
        known = key in settings
        raise BadData(
            [Problem(here if known else here[:2], said if known else reason(error))]
        ) from None


def _source(platform: DistilbertPlatform, folder: Path) -> tuple[Any, tuple[Any, ...]]:
    """How the whole corpus is had, and what that depends on."""
    if platform.dataset == GENERATED:
        made = platform.generated or GeneratedCorpus()
        law = generator_of(made)
        key = ("generated texts", canonical(made.model_dump()))
        return lambda: law.corpus(made.texts, made.seed), key
    path = folder / platform.dataset
    try:
        digest = content_hash(path)
    except (OSError, ValueError) as error:
        must = "a file or folder of texts"
        raise BadData([unreadable("dataset", platform.dataset, error, must)]) from None
    how = canonical(platform.model_dump(mode="json", include=set(READ)))
    return lambda: _read(platform, path), ("corpus", str(path), digest, how)


def _read(platform: DistilbertPlatform, path: Path) -> Corpus:
    from learners.texts.corpus import CorpusError
    from learners.texts.readers import read_corpus

    try:
        return read_corpus(path, **platform.model_dump(include=set(READ)))
    except CorpusError as error:
        written = [
            (key, what.replace(f'"{path}"', shown(platform.dataset)))
            for key, what in error.problems
        ]
        raise BadData([Problem(("platform", key), what) for key, what in written]) from None


def _divided(
    platform: DistilbertPlatform, corpus: Corpus, seed: int, key: tuple[Any, ...]
) -> Texts:
    corpus = corpus.without_first_words(platform.drop_words)
    try:
        train, test = corpus.split(
            platform.train,
            platform.test,
            np.random.default_rng([seed, SPLIT]),
            by_group=platform.by_group,
            shuffle=platform.shuffle,
        )
    except ValueError as error:
        at = "test" if platform.train is None else "train"
        text = reason(error).removeprefix("split: ").removeprefix("by_group: ")
        raise BadData([Problem(("platform", at), text)]) from None
    noisy = corpus.take(train).with_random_labels(
        platform.label_noise, np.random.default_rng([seed, NOISE])
    )
    return Texts(noisy, corpus.take(test), corpus.single, key)
