"""Which fields of a scenario a slider moves: their ranges, units and symbols as declared.

A slider rests on the scenario's own value: a value of the file that lies between two steps of its
slider is kept exactly until the slider is moved. Of two scenarios side by side a field that has the
same value in both has one slider, and one that differs has one for each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sim.scenario import Scenario
from sim.scenario_docs import FieldDoc, field_at

SIDES = ("first/", "second/")
"""Before the address of a slider that moves only one of two scenarios."""

ADDRESSES = tuple(
    re.compile(pattern)
    for pattern in (
        r"population\.cost(\.(mean|median|low|high))?",
        r"population\.free_riding(\.(mean|median|low|high))?",
        r"population\.groups\.[^.]+\.(cost|free_riding)(\.(mean|median|low|high))?",
        r"collectives\.[^.]+\.start",
        r"collectives\.[^.]+\.signal\.[a-z_]+",
        r"collectives\.[^.]+\.signal\.overlap\.[^.]+",
        r"collectives\.[^.]+\.dues",
        r"platform\.suboptimality",
        r"revision\.(rate|noise)",
        r"principal\.budget",
        r"population\.size",
        r"seed",
    )
)
"""What a reader wants to move, in the order of the page."""

SEEDS = 50  # on either side of the scenario's own
LARGEST_SIZE = 100_000
SHARES = ("probability", "share of the success", "share of the population")
"""Units of quantities between 0 and 1."""


@dataclass(frozen=True)
class Knob:
    """One slider.

    Attributes
    ----------
    key : address, with the side before it where it moves one of two scenarios
    label : meaning, symbol and unit
    value : the scenario's own
    low, high, step : of the slider, within the declared range
    whole : whether it moves in whole numbers
    """

    key: str
    label: str
    value: float
    low: float
    high: float
    step: float
    whole: bool

    def exact(self, value: float) -> float:
        """What a position of the slider means: the scenario's own value where it rests."""
        if abs(value - self.value) <= self.step / 2:
            value = self.value
        return round(value) if self.whole else float(f"{value:.12g}")

    def parameter(self, value: float) -> dict[str, Any]:
        """As Mesa's ``model_params`` wants it, standing on ``value``."""
        kind = "SliderInt" if self.whole else "SliderFloat"
        return {
            "type": kind, "label": self.label, "value": value,
            "min": min(self.low, value), "max": max(self.high, value), "step": self.step,
        }  # fmt: skip


def knobs_of(scenarios: Sequence[Scenario]) -> tuple[Knob, ...]:
    """The sliders of one scenario, or of two side by side."""
    each = [_knobs(scenario) for scenario in scenarios]
    if len(each) == 1:
        return tuple(each[0].values())
    first, second = each
    found: list[Knob] = []
    for key in [*first, *(key for key in second if key not in first)]:
        here, there = first.get(key), second.get(key)
        if key == "seed" or (here and there and here.value == there.value):
            found.append(here or next(k for k in (here, there) if k))
            continue
        for side, scenario, knob in zip(SIDES, scenarios, (here, there), strict=True):
            if knob is not None:
                label = f"{scenario.name}: {knob.label}"
                found.append(replace(knob, key=side + key, label=label))
    return tuple(found)


def changes(knobs: Sequence[Knob], values: Mapping[str, float], side: int) -> dict[str, float]:
    """What the sliders change in the scenario on this side (0 or 1), by address."""
    changed = {}
    for knob in knobs:
        here = knob.key.removeprefix(SIDES[side])
        value = knob.exact(values.get(knob.key, knob.value))
        if "/" not in here and value != knob.value:
            changed[here] = value
    return changed


def _knobs(scenario: Scenario) -> dict[str, Knob]:
    numbers = {
        address: value
        for address, value in scenario.flat().items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    if scenario.revision.protocol != "logit":
        numbers.pop("revision.noise", None)
    for address in list(numbers):  # where a distribution is truncated is not for a slider
        table, _, end = address.rpartition(".")
        if end in ("low", "high") and not {f"{table}.low", f"{table}.high"} <= set(numbers):
            del numbers[address]
    found = {}
    for pattern in ADDRESSES:
        for address, value in numbers.items():
            field = field_at(Scenario, address) if pattern.fullmatch(address) else None
            if field is not None:
                found[address] = _knob(address, value, field, scenario)
    return found


def _knob(address: str, value: float, field: FieldDoc, scenario: Scenario) -> Knob:
    whole = "whole number" in field.type
    if address == "seed":
        ends: tuple[float, float] = (max(0, value - SEEDS), value + SEEDS)
        step: float = 1
    else:
        ends, step = _span(address, value, field, whole)
    ends = min(ends[0], value), max(ends[1], value)
    return Knob(address, _label(address, field, scenario), value, *ends, step, whole)


def _span(
    address: str, value: float, field: FieldDoc, whole: bool
) -> tuple[tuple[float, float], float]:
    """Ends and step: the declared range, with an end around the value where it has none."""
    low, low_in, high, high_in = field.limits
    if whole:
        ends = (10, LARGEST_SIZE) if address == "population.size" else (1, 4 * value)
        return ends, 10 if address == "population.size" else 1
    if field.unit in SHARES:
        low, high = low or 0.0, 1.0 if high is None else high
    lowest, highest = low or 0.0, high
    if highest is None:
        highest = 4.0 * value if "budget" in address else max(1.0, 2.0 * value)
    fine = address.endswith(".start") or ".signal." in address
    step = 0.001 if fine else 0.01 if highest - lowest <= 20 else 1.0
    return (lowest + step * (not low_in), highest - step * (not high_in)), step


def _label(address: str, field: FieldDoc, scenario: Scenario) -> str:
    """``union: share of members at epoch 0, α₀ (share of the population)``, but shorter."""
    steps = address.split(".")
    name = steps[-1].replace("_", " ")
    if name in ("mean", "median", "low", "high"):
        name = f"{steps[-2].replace('_', ' ')}, {name}"
    if "overlap" in steps:
        name = f"overlap with {name}"
    owner = steps[1] if steps[0] == "collectives" and len(scenario.names) > 1 else ""
    if steps[:2] == ["population", "groups"]:
        owner = steps[2]
    words = f"{owner}: {name}" if owner else name
    if field.symbol:
        words += f" {field.symbol}"
    return f"{words} ({field.unit})" if field.unit else words
