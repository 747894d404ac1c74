"""What a run is asked to reach: ``final.union.alpha>=0.5``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from learners.errors import ScenarioError
from sim.scenario_check import did_you_mean
from sim.scenario_fields import listed
from sim.toml_text import shown

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
PLAIN = ("spent", "welfare", "epochs")  # of a run's summary, beside final.<collective>.*
_TEXT = re.compile(r"\s*(?P<key>[^<>=\s]+)\s*(?P<sign>>=|<=|>|<)\s*(?P<bound>\S+)\s*")


@dataclass(frozen=True)
class Target:
    """An outcome of a run, compared with a number.

    Attributes
    ----------
    key : str
        ``final.<collective>.alpha``, ``final.<collective>.success``, ``spent`` (utility),
        ``welfare`` (utility per person) or ``epochs``.
    sign : str
        ``>=``, ``<=``, ``>`` or ``<``.
    bound : float
    """

    key: str
    sign: str
    bound: float

    def reached(self, summary: Mapping[str, Any]) -> bool:
        """Whether a run's summary (``RunResult.summary``) reaches it; NaN reaches nothing."""
        value: Any = summary
        for step in self.key.split("."):
            value = value[step]
        return OPERATORS[self.sign](float(value), self.bound)

    def __str__(self) -> str:
        return f"{self.key} {self.sign} {self.bound:g}"


def target_of(text: str, collectives: Sequence[str]) -> Target:
    """Read a target such as ``final.union.alpha>=0.5``.

    Raises
    ------
    ScenarioError
        It is not one, or the scenario has no such outcome.
    """
    match = _TEXT.fullmatch(text)
    bound = _number(match["bound"]) if match else None
    if match is None or bound is None:
        must = f"an outcome, {listed(list(OPERATORS))}, and a number: final.union.alpha>=0.5"
        raise ScenarioError(f"--target: got {shown(text)}; must be {must}")
    outcomes = [f"final.{name}.{what}" for name in collectives for what in ("alpha", "success")]
    outcomes += PLAIN
    if match["key"] not in outcomes:
        close = did_you_mean(match["key"], outcomes)
        must = f"must be about {listed(outcomes)}{close}"
        raise ScenarioError(f"--target: got {shown(match['key'])}; {must}")
    return Target(match["key"], match["sign"], bound)


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
