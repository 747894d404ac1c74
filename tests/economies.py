"""Scenarios in one line, for tests."""

from __future__ import annotations

from typing import Any

from sim.scenario import Scenario, loads

BASE = """
name = "test"
epochs = 200
[population]
size = 1000
cost = 0.3
free_riding = 0.2
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
[platform]
learner = "bound"
"""

SECOND = """
[collectives.guild]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
"""

THIRD = """
[collectives.club]
strategy = "feature_label"
signal = { uniqueness = 0.03, gap = 0.8 }
"""


def scenario(overrides: dict[str, Any] | None = None, collectives: int = 1) -> Scenario:
    """The baseline with up to three collectives and some keys set otherwise."""
    text = BASE + "".join([SECOND, THIRD][: collectives - 1])
    return loads(text, overrides=overrides or {})
