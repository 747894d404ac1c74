"""A scenario with some values exchanged, fast where only numbers are: a sweep has many points.

The careful way goes through the tables of the file and finds words for whatever is wrong. Where a
number stands in the place of a number, the frozen parts on the way to it are copied instead, and
the same rules are asked; at the first doubt the careful way decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from learners.errors import ScenarioError
from sim.scenario import Scenario, from_resolved
from sim.scenario_fields import FrozenDict, Part, adapter, key_of
from sim.scenario_file import split_key
from sim.scenario_rules import broken_rules
from sim.scenario_sweep_rules import exchanged

KEPT = 2048  # copies that are kept: a point is checked, entered and run, and is made once for all
_made: dict[tuple[int, str], tuple[Scenario, Scenario]] = {}  # with the scenario that has this id


class _Doubt(Exception):  # noqa: N818 - a signal between the two ways, never a user's error
    """The careful way must decide."""


def varied(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """The scenario with these values, by dotted address; without a sweep.

    Parameters
    ----------
    scenario : Scenario
    changes : mapping
        Dotted address → Python value, as for ``Scenario.replace``.

    Raises
    ------
    ScenarioError
        If it is not valid; the messages name no file, for there is none.
    """
    # By their texts: 1 and 1.0, 0.0 and -0.0 are not the same content.
    name = (id(scenario), repr(tuple(changes.items())))
    base, made = _made.get(name, (None, None))
    if base is scenario and made is not None:
        return made
    try:
        made = _copied(scenario, changes)
    except _Doubt:
        return _rebuilt(scenario, changes)
    if len(_made) >= KEPT:
        _made.clear()
    _made[name] = scenario, made
    return made


def _rebuilt(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """The careful way."""
    tables = scenario.resolved()
    for key, value in changes.items():
        changed = exchanged(tables, split_key(key) or (key,), value)
        if isinstance(changed, str):
            raise ScenarioError(changed)
        tables = changed
    return from_resolved(tables, scenario.folder)


def _copied(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """The fast way: numbers in the place of numbers, and every rule kept."""
    copy = scenario.model_copy(update={"sweep": None})
    for key, value in changes.items():
        copy = _with_number(copy, split_key(key) or (key,), value)
    if broken_rules(copy, scenario.folder):
        raise _Doubt
    copy._source = None
    return copy


def _with_number(part: Any, address: tuple[str, ...], value: Any) -> Any:
    """A copy of a part in which a number is another one."""
    name = _names(type(part)).get(address[0])  # type: ignore[arg-type]
    if name is None or not (isinstance(part, Scenario) or _judges_by_fields_alone(type(part))):
        raise _Doubt
    inner = getattr(part, name)
    if len(address) == 1:
        return part.model_copy(update={name: _number(type(part), name, inner, value)})
    if isinstance(inner, Part):
        return part.model_copy(update={name: _with_number(inner, address[1:], value)})
    if isinstance(inner, Mapping) and len(address) > 2 and isinstance(inner.get(address[1]), Part):
        entry = _with_number(inner[address[1]], address[2:], value)
        return part.model_copy(update={name: FrozenDict({**inner, address[1]: entry})})
    raise _Doubt


@cache
def _names(part: type[Part]) -> dict[str, str]:
    """Names of a part's attributes by the keys of its table."""
    return {key_of(name, field): name for name, field in part.model_fields.items()}


def _number(part: type[Part], name: str, old: Any, new: Any) -> Any:
    if not (_is_number(old) and _is_number(new)):
        raise _Doubt
    try:
        return adapter(part, name).validate_python(new)
    except (ValidationError, OverflowError):
        raise _Doubt from None


def _judges_by_fields_alone(part: type[Part]) -> bool:
    """Whether a part has no rule of its own, which copying would pass by."""
    rules = part.__pydantic_decorators__
    return not (rules.field_validators or rules.model_validators or rules.root_validators)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
