"""The settings of a page as a URL, and back: ``?scenario=baseline&set=population.cost:0.3``.

Only names of the page's own library and only fields that have a slider can be named, so a URL can
make a page read no file and no field that its reader could not reach with the mouse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from alphacrit.page.sliders import LARGEST_SIZE, Knob
from learners.errors import ScenarioError

LONGEST = 4000  # characters of a URL that are looked at


@dataclass(frozen=True)
class Request:
    """What a URL asks for: one or two names, and positions of sliders by their key."""

    names: tuple[str, ...] = ()
    values: dict[str, float] = field(default_factory=dict)


def query_of(names: Sequence[str], knobs: Sequence[Knob], values: Mapping[str, float]) -> str:
    """The query that brings these settings back; sliders at rest are left out."""
    pairs = list(zip(("scenario", "beside"), names, strict=False))
    for knob in knobs:
        value = knob.exact(values.get(knob.key, knob.value))
        if value != knob.value:
            pairs.append(("set", f"{knob.key}:{value!r}"))
    return "?" + urlencode(pairs, safe=":/")


def request_of(query: str) -> Request:
    """What a query (with or without its question mark) asks for.

    Raises
    ------
    ScenarioError
        It is malformed; with all problems at once.
    """
    if len(query) > LONGEST:
        raise ScenarioError([f"URL: got {len(query)} characters; must be at most {LONGEST}"])
    names: dict[str, str] = {}
    values: dict[str, float] = {}
    problems = []
    for key, text in parse_qsl(query.removeprefix("?"), keep_blank_values=True):
        if key == "set":
            problems += _read_value(text, values)
        elif key not in ("scenario", "beside"):
            problems.append(f"URL: got {key!r}; must be scenario, beside or set")
        elif key in names:
            problems.append(f"URL: {key} is given twice")
        else:
            names[key] = text
    if "beside" in names and "scenario" not in names:
        problems.append("URL: beside needs a scenario to stand beside")
    if problems:
        raise ScenarioError(problems)
    return Request(tuple(names[key] for key in ("scenario", "beside") if key in names), values)


def _read_value(text: str, values: dict[str, float]) -> list[str]:
    """Read ``address:number`` into ``values``; the problem with it, if any."""
    key, colon, word = text.rpartition(":")
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not colon or not key or not math.isfinite(value):
        return [f"URL: got set={text[:80]!r}; must be ADDRESS:NUMBER, like population.cost:0.3"]
    values[key] = value
    return []


def check_values(knobs: Sequence[Knob], values: Mapping[str, float]) -> None:
    """Raise ``ScenarioError`` unless each value belongs to a slider that can take it."""
    known = {knob.key: knob for knob in knobs}
    problems = []
    for key, value in values.items():
        knob = known.get(key)
        if knob is None:
            problems.append(f"URL: {key[:80]}: this page has no such slider")
        elif knob.whole and value != round(value):
            problems.append(f"{key}: got {value:g}; must be a whole number")
        elif key.endswith("population.size") and value > max(LARGEST_SIZE, knob.value):
            problems.append(f"{key}: got {value:g}; must be at most {knob.high:g} on this page")
    if problems:
        raise ScenarioError(problems)
