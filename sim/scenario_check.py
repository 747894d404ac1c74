"""From the raw tables of a file to checked parts, collecting every problem on the way.

Pydantic judges each single value (strictly: ``true`` is not 1, ``"0.3"`` is not a number); this
module walks the tables, so that an address is the file's own and a message is in the reader's
words. A table with broken fields is still returned, without these fields, so that the rules that
look at several fields (sim.scenario_rules) can say what else is wrong.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import numpy as np
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from sim.scenario_fields import (
    CHECK,
    INHERITED,
    Part,
    adapter,
    choices,
    extra_of,
    key_of,
    leaves,
    listed,
    must_be,
    parts_of,
    plain_of,
    quoted,
    range_text,
)
from sim.scenario_parts import NAME_WORDS, SIGNALS, Collective
from sim.scenario_platforms import Name
from sim.scenario_sweep import Varying
from sim.toml_text import shown

Address = tuple[str | int, ...]
SKIP = object()  # in raw tables: reported already, neither check nor miss it
BROKEN = object()  # in results: there is no valid value
SHOWN = 5  # a list of a million bad items is described by its first few


@dataclass(frozen=True)
class Problem:
    """Something wrong at an address: ``got ...; must be ...``."""

    address: Address
    text: str


class Problems(list[Problem]):
    """What was found so far; knows the platform's learner, which decides what a signal is."""

    learner: str = ""
    """Empty where the file says none that there is."""


def check_table(
    part: type[Part], raw: Mapping[str, Any], address: Address, problems: Problems, unit: str = ""
) -> Any:
    """One table as a ``part``; complete if nothing is wrong with it, else without broken fields."""
    before = len(problems)
    values, broken = check_fields(part, raw, address, problems, unit)
    if len(problems) == before and not broken:
        return part(**values)
    return partial(part, values, broken)


def partial(part: type[Part], values: dict[str, Any], broken: Iterable[str]) -> Any:
    """A part without its broken fields; asking it for one raises ``Unchecked``."""
    made = part.model_construct(**values)
    for name in broken:
        made.__dict__.pop(name, None)
    return made


def require_complete(value: Any) -> None:
    """Raise ``Unchecked`` where a table, or one inside it, has broken fields."""
    if isinstance(value, Part):
        for name in type(value).model_fields:
            require_complete(getattr(value, name))
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            require_complete(inner)


def check_fields(
    part: type[Part], raw: Mapping[str, Any], address: Address, problems: Problems, unit: str = ""
) -> tuple[dict[str, Any], set[str]]:
    """The valid fields of a table by name, and the names of those that are missing or broken."""
    keys = {key_of(name, field): name for name, field in part.model_fields.items()}
    for key in raw:
        if key not in keys:
            problems.append(Problem((*address, key), unknown_key(key, list(keys), part, raw)))
    values: dict[str, Any] = {}
    broken: set[str] = set()
    for key, name in keys.items():
        field = part.model_fields[name]
        here = (*address, key)
        own_unit = extra_of(field, "unit").replace(INHERITED, unit)
        if key in raw:
            options = None
            if part is Collective and name == "signal":
                options = signal_class(values, raw[key], problems.learner)
            value = check_value(part, name, raw[key], here, problems, own_unit, options)
        elif field.is_required():
            problems.append(Problem(here, f"missing; {must_be(field, unit=unit)}"))
            value = BROKEN
        else:
            continue
        if value is BROKEN:
            broken.add(name)
        else:
            values[key] = value
    return values, broken


def signal_class(values: Mapping[str, Any], raw: Any, learner: str) -> list[type[Part]]:
    """Which signal a collective has is said by its strategy and the platform's learner.

    None if the strategy is broken. Where there are several kinds (the learner is not known,
    or it is a table, which can be measured on any platform) the keys that are given decide.
    """
    if "strategy" not in values:
        return []
    learners = [learner] if learner else list(SIGNALS)
    kinds = [kind for each in learners for kind in SIGNALS[each].get(values["strategy"], ())]
    given = set(raw) if isinstance(raw, Mapping) else set()
    return sorted(kinds, key=lambda kind: -len(given & set(kind.model_fields)))[:1]


def check_value(
    part: type[Part],
    name: str,
    raw: Any,
    address: Address,
    problems: Problems,
    unit: str,
    options: list[type[Part]] | None = None,
) -> Any:
    """One value: a table of a known or tagged kind, tables by name, or something plain."""
    field = part.model_fields[name]
    if raw is SKIP or options == []:
        return BROKEN
    members = parts_of(field.annotation) if options is None else options
    if isinstance(raw, Mapping):
        if members:
            member: type[Part] | None = members[0]
            if members[0].tag is not None:
                member = tagged(members, raw, address, problems)
            return check_table(member, raw, address, problems, unit) if member else BROKEN
        if any(get_origin(t) is dict for t in plain_of(field.annotation)):
            return check_named(field, raw, address, problems, unit)
    return check_plain(part, name, raw, address, problems, unit)


def tagged(
    members: list[type[Part]], raw: Mapping[str, Any], address: Address, problems: Problems
) -> type[Part] | None:
    """The variant that a table says it is (``dist = "normal"``)."""
    tag = members[0].tag or ""
    by_word = {choices(m.model_fields[tag])[0]: m for m in members}
    must = f"must be {listed(quoted(by_word))}"
    if tag not in raw:
        default = [m for m in members if not m.model_fields[tag].is_required()]
        if not default:
            problems.append(Problem((*address, tag), f"missing; {must}"))
        return default[0] if default else None
    word = raw[tag]
    if isinstance(word, str) and word in by_word:
        return by_word[word]
    text = f"got {shown(word)}; {must}{did_you_mean(word, by_word)}"
    problems.append(Problem((*address, tag), text))
    return None


def check_named(
    field: FieldInfo, raw: Mapping[str, Any], address: Address, problems: Problems, unit: str
) -> Any:
    """Tables or numbers by name: groups, collectives, overlap. Every name stays known."""
    ((names, inner),) = [get_args(t) for t in plain_of(field.annotation) if get_origin(t) is dict]
    members = parts_of(inner)
    name_words = NAME_WORDS if names == Name else "text of at least one character"
    values: dict[str, Any] = {}
    before = len(problems)
    for key, value in raw.items():
        here = (*address, key)
        if not is_valid(names, key):
            problems.append(Problem(here, f"got the name {shown(key)}; must be {name_words}"))
        if isinstance(value, Mapping) and members:
            values[key] = check_table(members[0], value, here, problems, unit)
        elif members and not plain_of(inner):
            if value is not SKIP:
                problems.append(Problem(here, f"got {shown(value)}; must be a table"))
            values[key] = partial(members[0], {}, members[0].model_fields)
        else:
            plain = tuple(value) if isinstance(value, list) else value
            good = is_valid(inner, plain)
            if not good:
                must = must_be(FieldInfo.from_annotation(inner), value)
                in_unit = f" ({unit})" if unit else ""
                problems.append(Problem(here, f"got {shown(value)}; {must}{in_unit}"))
            if good or names != Varying:
                values[key] = plain
    if not raw and any(getattr(m, "min_length", 0) for m in field.metadata):
        problems.append(Problem(address, f"got {{}}; {must_be(field)}"))
    # Of collectives, groups and overlaps the names are good for more checks, of what varies in a
    # sweep the rest is; of cells nothing is.
    return values if names in (Name, Varying) or len(problems) == before else BROKEN


def is_valid(annotation: Any, value: Any) -> bool:
    """Whether pydantic's strict check accepts a value."""
    try:
        TypeAdapter(annotation, config=CHECK).validate_python(value)
    except (ValidationError, OverflowError):
        return False
    return True


def check_plain(
    part: type[Part], name: str, raw: Any, address: Address, problems: Problems, unit: str
) -> Any:
    """A number, text, word of a vocabulary or list, by pydantic's strict rules."""
    field = part.model_fields[name]
    raw = plain_python(raw)
    try:
        return adapter(part, name).validate_python(tuple(raw) if isinstance(raw, list) else raw)
    except (ValidationError, OverflowError):
        pass
    item = item_type(field)
    wrong = [i for i, x in enumerate(raw) if not is_valid(item, x)] if is_list(raw, item) else []
    for i in wrong[:SHOWN]:
        noun = item_noun(item)
        more = f"; so with {len(wrong) - SHOWN} more" if len(wrong) > SHOWN == i + 1 else ""
        text = f"got {shown(raw[i])}; must be {noun}{f' ({unit})' if unit else ''}{more}"
        problems.append(Problem((*address, i), text))
    if not wrong:
        text = f"got {shown(raw)}; {must_be(field, raw, unit=unit)}"
        problems.append(Problem(address, text + did_you_mean(raw, choices(field))))
    return BROKEN


def item_noun(item: Any) -> str:
    """What each item of a list must be."""
    (kind, _), *_ = leaves(item)
    span = range_text(FieldInfo.from_annotation(item))
    return {str: "text", int: f"a whole number {span}".strip()}.get(kind, "a finite number")


def plain_python(value: Any) -> Any:
    """A numpy number or array, as a caller in Python may give it, as Python's own."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def item_type(field: FieldInfo) -> Any:
    """Type of the items of a field that takes a list, else None."""
    lists = [t for t in plain_of(field.annotation) if get_origin(t) is tuple]
    return get_args(lists[0])[0] if lists else None


def is_list(value: Any, item: Any) -> bool:
    """Whether a list came where a list is wanted."""
    return item is not None and isinstance(value, list | tuple)


def unknown_key(key: str, allowed: list[str], part: type[Part], raw: Mapping[str, Any]) -> str:
    """Message for a key that a table does not have."""
    tag = part.tag
    which = f"with {tag} = {shown(raw[tag])} " if tag and tag in raw else part.says
    return f"unknown key; {which}must be one of {', '.join(allowed)}{did_you_mean(key, allowed)}"


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """``; did you mean "size"?`` where something similar exists."""
    if not isinstance(word, str):
        return ""
    folded = {k.lower(): k for k in known}
    close = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return f'; did you mean "{folded[close[0]]}"?' if close else ""


def set_aside_later(raw: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """Report once what a later version brings, and set aside all keys that come with it."""
    raw = dict(raw)
    platform, principal = raw.get("platform"), raw.get("principal")
    word = platform.get("learner") if isinstance(platform, Mapping) else None
    problems.learner = word if isinstance(word, str) and word in SIGNALS else ""
    policy = principal.get("policy") if isinstance(principal, Mapping) else None
    if isinstance(policy, str) and policy != "subsidy":
        text = f'got {shown(policy)}; must be "subsidy" (other policies arrive in a later version)'
        problems.append(Problem(("principal", "policy"), text + did_you_mean(policy, ["subsidy"])))
        raw["principal"] = SKIP
    return raw
