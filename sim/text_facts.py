"""What is known of the signals of a platform of texts before anything is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from learners.texts.planting import uniqueness
from sim.scenario_fields import GENERATED
from sim.scenario_texts import DistilbertPlatform, GeneratedCorpus
from sim.text_data import generator_of
from sim.trained import target_of
from sim.trained_texts import encoded_of, made_of

if TYPE_CHECKING:
    from sim.scenario import Scenario

LOOKED_AT = 2_000  # texts whose tokens are counted


def facts(s: Scenario, platform: DistilbertPlatform) -> dict[str, dict[str, Any]]:
    """What can be said of each collective's signal before anything is trained.

    Returns
    -------
    dict of names to dicts
        token : its number; text : how it is written
        uniqueness : ξ, share of the base texts that have it, among `looked_at` of those to train on
        same_as : names of collectives whose signal is the same token
        gap, positivity : Δ and p, in closed form, where the texts are made to order
    """
    made = made_of(s, platform, s.folder)
    some = made.texts.train.take(range(min(LOOKED_AT, len(made.texts.train))))
    encoded = encoded_of(some, made, platform.length)
    tokens = {name: strategy.signal.token for name, strategy in made.strategies.items()}
    pairs = made.tokenizer.collisions(tokens)
    found: dict[str, dict[str, Any]] = {}
    for name, token in tokens.items():
        others = [b if a == name else a for a, b in pairs if name in (a, b)]
        found[name] = {
            "token": token,
            "text": made.tokenizer.token_of(token),
            "uniqueness": uniqueness(encoded, token),
            "looked_at": len(some),
            "same_as": others,
        } | _closed_form(s, platform, name)
    return found


def _closed_form(s: Scenario, platform: DistilbertPlatform, name: str) -> dict[str, float]:
    """Δ and p of a collective on generated texts."""
    if platform.dataset != GENERATED:
        return {}
    law = generator_of(platform.generated or GeneratedCorpus())
    known = law.facts(target_of(s, name), platform.measure, platform.label_noise)
    return {"gap": known.gap, "positivity": known.positivity}
