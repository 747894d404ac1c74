"""A world of texts small enough to train a transformer on in a tenth of a second."""

from __future__ import annotations

from typing import Any

import numpy as np

from learners.texts.generated import GeneratedTexts
from learners.texts.network import Tiny
from learners.texts.plan import LabelledTexts, NetworkPlan
from learners.texts.planting import TextSignal, TextStrategy
from learners.texts.recipe import Recipe
from learners.texts.text_platform import TextPlatform
from learners.texts.tokens import tokenizer_of

PEOPLE, TESTED, LENGTH = 60, 20, 24
LAW = {"labels": 3, "words": 8.0, "topic_words": 4, "common_words": 10, "signal_rate": 0.0}
RECIPE = Recipe(
    epochs=1, batch=20, learning_rate=3e-3, length=LENGTH, attention_dropout=0.0, device="cpu"
)


def text_platform(
    collectives: dict[str, tuple[str, str, int | None, int]] | None = None,
    also: float = 0.2,
    recipe: Recipe = RECIPE,
    people: int = PEOPLE,
    **ways: Any,
) -> TextPlatform:
    """A platform; collectives by name as (strategy, character, every, target)."""
    given = collectives or {"union": ("feature_label", "{", 4, 2)}
    corpus = GeneratedTexts(**LAW, also=also).corpus(people + TESTED, seed=0)
    tokenizer = tokenizer_of("tiny", corpus.texts)
    encoded = tokenizer.encode(corpus.texts, LENGTH - 2)
    train, test = np.arange(people), np.arange(people, people + TESTED)
    strategies = {
        name: TextStrategy(kind, TextSignal(tokenizer.id_of(character), every), target)  # type: ignore[arg-type]
        for name, (kind, character, every, target) in given.items()
    }
    plan = NetworkPlan(
        "tiny",
        len(corpus.names),
        corpus.single,
        vocabulary=tokenizer.size,
        cls=tokenizer.cls,
        sep=tokenizer.sep,
        pad=tokenizer.pad,
        tiny=Tiny(layers=1, width=16, heads=2),
        length=LENGTH,
    )
    return TextPlatform(
        LabelledTexts(encoded.take(train), corpus.labels[train]),
        LabelledTexts(encoded.take(test), corpus.labels[test]),
        strategies,
        plan,
        recipe,
        **{"replicates": 2, **ways},
    )
