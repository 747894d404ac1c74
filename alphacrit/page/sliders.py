"""Which fields of a scenario a slider moves: their ranges, units and symbols as declared.

A slider rests on the scenario's own value: a value of the file that lies between two steps of its
slider is kept exactly until the slider is moved. Of two scenarios side by side a field that has the
same value in both has one slider, and one that differs has one for each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sim.scenario import Scenario
from sim.scenario_docs import FieldDoc, field_at

SIDES = ("first/", "second/")
"""Before the address of a slider that moves only one of two scenarios."""

OF_DIST = ("mean", "sd", "median", "sigma", "a", "b", "low", "high")
DIST = rf"(\.({'|'.join(OF_DIST)}))?"

ADDRESSES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"population\.cost{DIST}",
        rf"population\.free_riding{DIST}",
        rf"population\.groups\.[^.]+\.(cost|free_riding){DIST}",
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
FINEST = 1e-4  # step of a slider
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
        if abs(value - self._rest) <= 1e-6 * self.step:
            value = self.value
        return round(value) if self.whole else float(f"{value:.12g}")

    @property
    def _rest(self) -> float:
        """Where the browser puts a slider with the scenario's own value: on the nearest step."""
        offset = math.fmod(self.low, self.step)
        return math.floor((self.value - offset) / self.step + 0.5) * self.step + offset

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
    flat = scenario.flat()
    numbers = {
        address: value
        for address, value in flat.items()
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
            field = _field(address, flat) if pattern.fullmatch(address) else None
            if field is not None:
                found[address] = _knob(address, value, field, scenario)
    return found


def _field(address: str, flat: Mapping[str, Any]) -> FieldDoc | None:
    """Where the address is declared: ``cost.high`` of a beta distribution is not a normal's."""
    kind = flat.get(f"{address.rpartition('.')[0]}.dist")
    return field_at(Scenario, address, when=f'dist = "{kind}"' if kind else "")


def _knob(address: str, value: float, field: FieldDoc, scenario: Scenario) -> Knob:
    whole = "whole number" in field.type
    if address == "seed":
        ends: tuple[float, float] = (max(0, value - SEEDS), value + SEEDS)
        step: float = 1
    else:
        ends, step = _span(address, value, field, whole, scenario.population.size)
    ends = min(ends[0], value), max(ends[1], value)
    return Knob(address, _label(address, field, scenario), value, *ends, step, whole)


def _span(
    address: str, value: float, field: FieldDoc, whole: bool, size: int
) -> tuple[tuple[float, float], float]:
    """Ends and step: the declared range, with an end around the value where it has none."""
    low, low_in, high, high_in = field.limits
    if address == "population.size":
        return (10, LARGEST_SIZE), 1 if value % 10 else 10
    if whole:
        return (1, max(10, 4 * value)), 1
    if field.unit in SHARES:
        low, high = low or 0.0, 1.0 if high is None else high
    lowest, highest = low or 0.0, high
    if highest is None:
        least = size / 10 if "budget" in address else 1.0  # utility
        highest = max(least, (4.0 if "budget" in address else 2.0) * value)
    fine = address.endswith(".start") or ".signal." in address
    step = 0.001 if fine else 0.01 if highest - lowest <= 20 else 1.0
    while step > FINEST and abs(value / step - round(value / step)) > 1e-6:
        step /= 10  # the slider shows a number, and it should be this one
    return (lowest + step * (not low_in), highest - step * (not high_in)), step


def _label(address: str, field: FieldDoc, scenario: Scenario) -> str:
    """``union: share of members at epoch 0, α₀ (share of the population)``, but shorter."""
    steps = address.split(".")
    name = steps[-1].replace("_", " ")
    if name in OF_DIST:
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
