"""The fields of a scenario as records and as Markdown, read from where they are declared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from sim.scenario_fields import (
    INHERITED,
    Part,
    bounds,
    choices,
    extra_of,
    key_of,
    listed,
    noun,
    parts_of,
    plain_of,
    quoted,
    range_text,
)
from sim.toml_text import inline, key_text

Limits = tuple[float | None, bool, float | None, bool]


@dataclass(frozen=True)
class FieldDoc:
    """What there is to know about one field of the scenario file.

    Attributes
    ----------
    address : str
        Dotted; ``<name>`` where a name of the file stands: ``collectives.<name>.start``.
    when : str
        The variant to which the field belongs, ``dist = "normal"``; empty if always there.
    type : str
        What kind of value, in words.
    default : str
        As TOML; empty if there is none; ``required`` if the field must be given.
    range, unit, symbol, meaning : str
        In words; empty where there is none.
    limits : (low, low included, high, high included)
        The range as numbers; None where there is no limit.
    """

    address: str
    when: str
    type: str
    default: str
    range: str
    unit: str
    symbol: str
    meaning: str
    limits: Limits = (None, True, None, True)

    @property
    def required(self) -> bool:
        """Whether a file must give it."""
        return self.default == "required"


def documented(root: type[Part]) -> tuple[FieldDoc, ...]:
    """A record for every field below ``root``, in the order of the file."""
    return tuple(_walk(root, "", "", ""))


def field_at(root: type[Part], address: str, when: str = "") -> FieldDoc | None:
    """The record of a concrete address such as ``collectives.union.start``.

    Variants may declare the same name; ``when`` says which is meant, otherwise the first.
    """
    steps = address.split(".")
    for record in documented(root):
        pattern = record.address.split(".")
        pairs = zip(pattern, steps, strict=False)
        fits = len(pattern) == len(steps) and all(p in (s, "<name>") for p, s in pairs)
        if fits and when in ("", record.when):
            return record
    return None


def _walk(part: type[Part], above: str, when: str, unit: str) -> Iterator[FieldDoc]:
    for name, field in part.model_fields.items():
        address = f"{above}{key_text(key_of(name, field))}"
        own_unit = extra_of(field, "unit").replace(INHERITED, unit)
        inner = _named(field)
        if inner is None or not parts_of(inner):
            yield _record(field, address + (".<name>" if inner else ""), when, own_unit)
        for member in parts_of(field.annotation if inner is None else inner):
            below = address + (".<name>." if inner else ".")
            yield from _walk(member, below, _variant(member) or when, own_unit)


def _named(field: FieldInfo) -> Any:
    """What stands under each name, for a field that holds things by name."""
    tables = [t for t in plain_of(field.annotation) if get_origin(t) is dict]
    return get_args(tables[0])[1] if tables else None


def _variant(part: type[Part]) -> str:
    from sim.scenario_parts import SIGNALS  # the parts import this module's neighbours only

    uses = [
        (strategy, learner)
        for learner, by_strategy in SIGNALS.items()
        for strategy, signals in by_strategy.items()
        if part in signals and learner != "table"
    ]
    if uses:
        return _signal_variant(uses)
    if part.tag is None:
        return ""
    return f'{part.tag} = "{choices(part.model_fields[part.tag])[0]}"'


def _signal_variant(uses: list[tuple[str, str]]) -> str:
    """With which strategies and learners a signal goes; just the strategy where it is a formula."""
    strategies, learners = (list(dict.fromkeys(words)) for words in zip(*uses, strict=True))
    which = f"strategy = {listed(quoted(strategies))}"
    return which if learners == ["bound"] else f"{which}, learner = {listed(quoted(learners))}"


def _record(field: FieldInfo, address: str, when: str, unit: str) -> FieldDoc:
    default = field.get_default(call_default_factory=True)
    if field.is_required():
        words = "required"
    elif default is None or default in ("", (), {}) or isinstance(default, Part):
        words = ""
    else:
        words = inline(default)
    kind = noun(field)
    if plain_of(field.annotation) and parts_of(field.annotation):
        kind += " or a distribution"
    special = extra_of(field, "must")
    span = (
        special.removeprefix("a list of ").removeprefix("text of ")
        if special
        else range_text(field)
    )
    symbol, meaning = extra_of(field, "symbol"), field.description or ""
    return FieldDoc(address, when, kind, words, span, unit, symbol, meaning, bounds(field))


def markdown(root: type[Part]) -> str:
    """All fields as Markdown tables, one for each kind of table in the file."""
    blocks = []
    for part, heading in _sections(root, "", {}).items():
        lines = [
            f"### {heading}",
            "",
            (part.__doc__ or "").strip().split("\n")[0],
            "",
            "| key | symbol | value | default | range | unit | meaning |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for name, field in part.model_fields.items():
            r = _record(field, key_text(key_of(name, field)), "", extra_of(field, "unit"))
            unit = "of the quantity" if r.unit == INHERITED else r.unit
            cells = (f"`{r.address}`", r.symbol, r.type, r.default, r.range, unit, r.meaning)
            lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _sections(
    part: type[Part], address: str, found: dict[type[Part], str]
) -> dict[type[Part], str]:
    """Every kind of table once, with the heading under which it is documented."""
    heading = f"`[{address}]`" if address else "The file"
    variant = _variant(part)
    found[part] = f"`{variant}`" if variant else heading
    for name, field in part.model_fields.items():
        inner = _named(field)
        below = ".".join(filter(None, (address, key_of(name, field), "<name>" if inner else "")))
        for member in parts_of(field.annotation if inner is None else inner):
            if member not in found:
                _sections(member, below, found)
    return found
