"""What must hold within a platform of texts, before the texts are read.

Nothing is accepted and then ignored: a key that says nothing about the texts at hand is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sim.scenario_check import Problem
from sim.scenario_fields import GENERATED, Unchecked
from sim.scenario_platform_rules import nothing_made
from sim.scenario_texts import DistilbertPlatform, InsertedSignal, TextData
from sim.toml_text import shown

if TYPE_CHECKING:
    from sim.scenario import Scenario

Found = Iterator[Problem]
TINY, MINILM = "tiny", "minilm"
OF_FILES = ("text", "labels", "separator", "group", "encoding")


def texts(s: Scenario) -> Found:
    """What is said of texts, network and signals must be used and go together."""
    platform = s.platform
    if not isinstance(platform, DistilbertPlatform):
        return
    if platform.dataset == GENERATED:
        yield from _made_to_order(platform)
    else:
        yield from nothing_made(platform, "dataset")
    if platform.by_group and platform.group is None:
        text = "got true; must be false without group, which says who is a near-duplicate"
        yield Problem(("platform", "by_group"), text)
    elif platform.group is not None and not platform.by_group:
        text = f"got {shown(platform.group)}; must be absent with by_group = false"
        yield Problem(("platform", "group"), text)
    yield from _network(platform)
    for name in s.collectives:
        try:
            yield from _signal(s, name)
        except Unchecked:
            continue


def _made_to_order(platform: TextData) -> Found:
    """Keys that say where in a file things are."""
    for key in OF_FILES:
        usual, given = TextData.model_fields[key].default, getattr(platform, key)
        if given != usual:
            must = "absent" if usual is None else shown(usual)
            text = f'got {shown(given)}; must be {must} with dataset = "{GENERATED}"'
            yield Problem(("platform", key), text)


def _network(platform: DistilbertPlatform) -> Found:
    tiny = platform.tiny
    if tiny is None:
        return
    if platform.model != TINY:
        text = f"got a table; must be absent with model = {shown(platform.model)}"
        yield Problem(("platform", "tiny"), f'{text}, or model must be "{TINY}"')
    elif tiny.width % tiny.heads:
        text = f"got {tiny.width}; must be a multiple of heads = {tiny.heads} (units)"
        yield Problem(("platform", "tiny", "width"), text)


def _signal(s: Scenario, name: str) -> Found:
    """One way to say which token."""
    signal, here = s.collectives[name].signal, ("collectives", name, "signal")
    if not isinstance(signal, InsertedSignal):
        return
    if signal.token is None and signal.character is None:
        text = 'missing; must be a whole number ≥ 0, or character = "…" in its place'
        yield Problem((*here, "token"), text)
    elif signal.token is not None and signal.character is not None:
        yield Problem((*here, "character"), "got token as well; must be one of the two")


def local_model(platform: DistilbertPlatform, folder: Path) -> Path | None:
    """The folder of a model that lies beside the scenario file, if it is such a one."""
    path = folder / platform.model
    return path if platform.model not in (TINY, MINILM) and path.is_dir() else None
