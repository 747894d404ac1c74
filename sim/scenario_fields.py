"""What a field of a scenario is: declared once, read by messages, documentation and sliders.

A *part* is one table of the scenario file, a frozen pydantic model that refuses unknown keys. Each
of its fields carries its unit, symbol, range, default and meaning (``param``); the words "must
be ..." of an error message are composed from exactly these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

import annotated_types as at
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.fields import FieldInfo

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
CHECK = ConfigDict(strict=True, allow_inf_nan=False)
GENERATED = "generated"  # in place of a file name: data made to order
LEARNER = "how success comes about"  # the tag of every platform
INHERITED = "="  # the unit of a distribution's parameter is the unit of what is distributed


class Unchecked(Exception):  # noqa: N818 - a signal between the checks, never a user's error
    """A check asked for a value that is itself broken; the check is left out."""


class FrozenDict(dict[str, Any]):
    """A dictionary that cannot be changed after it was made; pickles and compares as a dict."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a scenario is frozen; use scenario.replace({...})")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = __ior__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return (FrozenDict, (dict(self),))


class Part(BaseModel):
    """One table of the scenario file."""

    model_config = STRICT

    tag: ClassVar[str | None] = None
    """The key that says which variant a table is (``dist``, ``kind``, ``when``), if any."""

    says: ClassVar[str] = ""
    """Where a table of this kind belongs, for messages about a key that it does not have."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Only a partly checked table (see sim.scenario_check) can lack one of its fields.
            if name in type(self).model_fields:
                raise Unchecked(name)
            return super().__getattr__(name)


def param(
    meaning: str,
    *,
    unit: str = "",
    symbol: str = "",
    default: Any = ...,
    must: str = "",
    **constraints: Any,
) -> Any:
    """Declare a field: meaning, unit, symbol, default and range, once.

    Parameters
    ----------
    meaning : str
        One sentence in the field's words.
    unit : str
        Unit of the value; ``INHERITED`` for a parameter that has the unit of the quantity.
    symbol : str
        The letter of theory.md.
    default : optional
        Absent: the field is required.
    must : str
        Words for a constraint that bounds cannot express (a pattern).
    **constraints
        ``ge``, ``gt``, ``le``, ``lt``, ``min_length``, ``pattern``, ``alias`` of pydantic.
    """
    extra: dict[str, Any] = {"unit": unit, "symbol": symbol, "must": must}
    if callable(default):
        return Field(
            default_factory=default, description=meaning, json_schema_extra=extra, **constraints
        )
    return Field(default, description=meaning, json_schema_extra=extra, **constraints)


def retrain_every() -> int:
    """The field that every platform has."""
    return param("epochs between trainings", unit="epochs", default=1, ge=1)


def extra_of(field: FieldInfo, key: str) -> str:
    """Unit, symbol or wording that ``param`` stored with a field."""
    extra = field.json_schema_extra
    return str(extra.get(key, "")) if isinstance(extra, dict) else ""


def key_of(name: str, field: FieldInfo) -> str:
    """The key in the file: the alias where there is one (``schema`` for ``schema_``)."""
    return field.alias or name


def leaves(annotation: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Members of a (nested) union, each with the constraints written next to it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        for member, own in leaves(inner):
            yield member, (*own, *metadata)
    elif origin in (Union, UnionType):
        for choice in get_args(annotation):
            yield from leaves(choice)
    else:
        yield annotation, ()


def parts_of(annotation: Any) -> list[type[Part]]:
    """The kinds of table that a field accepts."""
    return [t for t, _ in leaves(annotation) if isinstance(t, type) and issubclass(t, Part)]


def plain_of(annotation: Any) -> list[Any]:
    """The kinds of value other than a table (``None``, which a file cannot say, left out)."""
    parts = parts_of(annotation)
    return [t for t, _ in leaves(annotation) if t not in parts and t is not type(None)]


@cache
def adapter(part: type[Part], name: str) -> TypeAdapter[Any]:
    """Pydantic's own strict check of one field."""
    field = part.model_fields[name]
    annotation: Any = field.annotation
    if field.metadata:
        annotation = Annotated[annotation, *field.metadata]
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return TypeAdapter(annotation)  # which brings its own strictness
    return TypeAdapter(annotation, config=CHECK)


# --- words ---------------------------------------------------------------------------------------


def listed(words: list[str], last: str = "or") -> str:
    """``a, b or c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def quoted(words: Any) -> list[str]:
    """Texts in double quotes."""
    return [f'"{w}"' for w in words]


def bounds(field: FieldInfo) -> tuple[float | None, bool, float | None, bool]:
    """Range of a number field as (low, low included, high, high included)."""
    low: Any = None
    high: Any = None
    low_in = high_in = True
    inner = [m for _, own in leaves(field.annotation) for m in own]
    constraints: list[Any] = []
    for m in (*field.metadata, *inner):
        constraints += m.metadata if isinstance(m, FieldInfo) else [m]
    for m in constraints:
        if isinstance(m, at.Ge):
            low, low_in = m.ge, True
        elif isinstance(m, at.Gt):
            low, low_in = m.gt, False
        elif isinstance(m, at.Le):
            high, high_in = m.le, True
        elif isinstance(m, at.Lt):
            high, high_in = m.lt, False
    return low, low_in, high, high_in


def range_text(field: FieldInfo) -> str:
    """``≥ 0``, ``in (0, 1]``, ``from 1 to 10``, ``1``; empty where there is no bound."""
    low, low_in, high, high_in = bounds(field)
    if low is not None and low == high:
        return f"{low:g}"
    if low is not None and high is not None:
        if int in plain_of(field.annotation):
            return f"from {low} to {high}"
        return f"in {'[' if low_in else '('}{low:g}, {high:g}{']' if high_in else ')'}"
    if low is not None:
        return f"{'≥' if low_in else '>'} {low:g}"
    if high is not None:
        return f"{'≤' if high_in else '<'} {high:g}"
    return ""


def choices(field: FieldInfo) -> tuple[str, ...]:
    """The words that a field of a fixed vocabulary accepts."""
    return tuple(
        w for t in plain_of(field.annotation) if get_origin(t) is Literal for w in get_args(t)
    )


def noun(field: FieldInfo, span: str = "") -> str:
    """What kind of value a field takes, in words; a number with the range ``span``, if given."""
    words = []
    for t in plain_of(field.annotation):
        if t is int:
            words.append(f"a whole number {span}".strip())
        elif t is float:
            words.append(f"a number {span}".strip())
        elif t is bool:
            words.append("true or false")
        elif t is str:
            words.append("text")
        elif get_origin(t) is Literal:
            words.extend(quoted(get_args(t)))
        elif get_origin(t) is tuple:
            items = "texts" if str in leaf_types(t) else "numbers"
            words.append(f"a list of {items}")
        elif get_origin(t) is dict:
            words.append("a table")
    return listed(words) if words else "a table"


def leaf_types(annotation: Any) -> set[Any]:
    """Types of the items of a list or of the values of a table."""
    return {t for arg in get_args(annotation) if arg is not Ellipsis for t, _ in leaves(arg)}


def must_be(field: FieldInfo, value: Any = None, *, unit: str = "") -> str:
    """The sentence ``must be ...`` for a value that was refused (or is missing: ``None``)."""
    unit = extra_of(field, "unit").replace(INHERITED, unit)
    special, span = extra_of(field, "must"), range_text(field)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    wants_int = int in plain_of(field.annotation)
    if special:
        text = special
    elif not is_number or (wants_int and not isinstance(value, int)):
        text = noun(field, span)
    elif isinstance(value, float) and not math.isfinite(value):
        text = f"a finite number {span}".strip()
    else:
        text = listed([span, *quoted(choices(field))]) if span else noun(field)
    if not (is_number and span and plain_of(field.annotation)):
        text = _or_table(text, field)
    return f"must be {text}" + (f" ({unit})" if unit else "")


def _or_table(text: str, field: FieldInfo) -> str:
    """Add what a table would look like, for a field that takes one of several kinds."""
    member = next(iter(parts_of(field.annotation)), None)
    if member is None or member.tag is None:
        return text
    word = choices(member.model_fields[member.tag])[0]
    table = f'a table such as {{ {member.tag} = "{word}", … }}'
    return f"{text} or {table}" if plain_of(field.annotation) else table
