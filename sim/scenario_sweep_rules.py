"""What must hold of a ``[sweep]`` table, and of every value that it puts into the scenario.

Each value is judged alone, in the place of the scenario's own: its address must exist and the value
must be one that a file could have there. What several values do together is judged when the points
are made (``sim.sweep.plan``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sim import scenario_sweep as sweeps
from sim.scenario_check import (
    Address,
    Problem,
    Problems,
    check_fields,
    require_complete,
    set_aside_later,
)
from sim.scenario_fields import Part, Unchecked, listed
from sim.scenario_file import split_key
from sim.sweep.points_file import read_points
from sim.toml_text import dotted, shown

Found = Iterator[Problem]
Judge = Callable[[Address, Any], str]
"""(address, value) → what is wrong with the scenario with this value; empty if nothing."""

HERE: Address = ("sweep",)
LABELS = ("schema", "name", "title", "cites")
MOST_POINTS, MOST_RUNS = 1_000_000, 100_000_000
SHOWN = 5  # of a thousand wrong values, the first few are named


def broken_sweep_rules(
    root: type[Part], raw: Mapping[str, Any], sweep: sweeps.AnySweep, folder: Path
) -> list[Problem]:
    """Every rule that a sweep breaks; it may be a partly checked one.

    Parameters
    ----------
    root : type of Part
        The scenario's class.
    raw : mapping
        The tables of the file.
    sweep : one of the sweeps
    folder : Path
        To which the file of points is relative.
    """
    base = {key: table for key, table in raw.items() if key != "sweep"}
    judge = judge_of(root, base)
    problems: list[Problem] = []
    for rule in (
        addresses(sweep),
        ranges(sweep),
        values(sweep, judge),
        points(sweep, judge, folder),
        counts(sweep),
    ):
        try:
            problems.extend(rule)
        except Unchecked:
            continue
    return problems


# --- one value in the place of another -----------------------------------------------------------


def judge_of(root: type[Part], raw: Mapping[str, Any]) -> Judge:
    """The check of single values in these tables; what is wrong already is not said again."""
    before = _problems(root, raw)

    def judge(address: Address, value: Any) -> str:
        changed = exchanged(raw, address, value)
        if isinstance(changed, str):
            return changed
        for problem in _problems(root, changed):
            if problem not in before:
                same = problem.address == address
                return problem.text if same else f"{dotted(problem.address)}: {problem.text}"
        return ""

    return judge


def _problems(root: type[Part], raw: Mapping[str, Any]) -> list[Problem]:
    problems = Problems()
    check_fields(root, set_aside_later(dict(raw), problems), (), problems)
    return problems


def exchanged(raw: Mapping[str, Any], address: Address, value: Any) -> dict[str, Any] | str:
    """A copy of the tables with one value exchanged, or what is in its way."""
    copy = table = dict(raw)
    for depth, key in enumerate(address[:-1], start=1):
        inner = table.get(str(key), {})
        if not isinstance(inner, Mapping):
            here = dotted(address[:depth])
            return f"{here}: got {shown(inner)}; must be a table for {dotted(address)} to vary"
        table[str(key)] = table = dict(inner)  # the copy gets a copy of the inner table
    table[str(address[-1])] = list(value) if isinstance(value, tuple) else value
    return copy


def takes_whole_numbers(judge: Judge, address: Address, value: float) -> bool:
    """Whether an address takes 3 but not 3.0; ``value`` is one in its range, or nearly."""
    near = round(value)
    return bool(judge(address, float(near))) and not judge(address, near)


# --- rules ---------------------------------------------------------------------------------------


def addresses(sweep: sweeps.AnySweep) -> Found:
    """Addresses are dotted keys of what a run depends on; none is another one, or part of one."""
    if isinstance(sweep, sweeps.ListSweep):
        return
    seen: dict[tuple[str, ...], str] = {}
    for key in sweep.vary:
        text = address_problem(key, seen)
        if text:
            yield Problem((*HERE, "vary", key), text)


def address_problem(key: str, seen: dict[tuple[str, ...], str]) -> str:
    """What is wrong with an address; notes it in ``seen`` if nothing is."""
    address = split_key(key)
    if address is None:
        return f"got the address {shown(key)}; must be a dotted key such as population.cost"
    if address[0] in LABELS or address[0] == "sweep":
        return f"got the address {shown(key)}; must be something that a run depends on"
    for other, words in seen.items():
        depth = min(len(other), len(address))
        if other[:depth] == address[:depth]:
            return f"got {shown(key)} beside {shown(words)}; one must not be the other or in it"
    seen[address] = key
    return ""


def ranges(sweep: sweeps.AnySweep) -> Found:
    """Ranges go upwards, and logarithmic ones begin above 0."""
    if isinstance(sweep, sweeps.ListSweep):
        return
    for key, span in whole_entries(sweep):
        if not isinstance(span, sweeps.Levels | sweeps.Span):
            continue
        here = (*HERE, "vary", key)
        if span.to <= span.from_:
            yield Problem((*here, "to"), f"got {span.to:g}; must be > from = {span.from_:g}")
        if span.scale == "log" and span.from_ <= 0:
            yield Problem((*here, "from"), f'got {span.from_:g}; must be > 0 with scale = "log"')


def whole_entries(sweep: sweeps.GridSweep | sweeps.ZipSweep | sweeps.SampledSweep) -> Iterator[Any]:
    """What varies, without the ranges that are broken themselves."""
    for key, each in sweep.vary.items():
        try:
            require_complete(each)
        except Unchecked:
            continue
        yield key, each


def values(sweep: sweeps.AnySweep, judge: Judge) -> Found:
    """Every value of a list, and both ends of every range, may stand at the address."""
    if isinstance(sweep, sweeps.ListSweep):
        return
    for key, each in whole_entries(sweep):
        address, here = split_key(key), (*HERE, "vary", key)
        if address is None or address[0] == "sweep":
            continue
        if isinstance(each, sweeps.Levels | sweeps.Span):
            yield from _ends(each, address, here, judge)
        else:
            texts = [judge(address, value) for value in each]
            yield from _wrong_items(texts, here)


def _ends(
    span: sweeps.Levels | sweeps.Span, address: Address, here: Address, judge: Judge
) -> Found:
    texts = {}
    for end, value in (("from", span.from_), ("to", span.to)):
        text = judge(address, value)
        if text and value == round(value):  # it may be that a whole number is wanted
            text = judge(address, round(value))
        texts[end] = text
    if texts["from"] and texts["from"] == texts["to"]:
        yield Problem(here, texts["from"])
        return
    yield from (Problem((*here, end), text) for end, text in texts.items() if text)


def _wrong_items(texts: Sequence[str], here: Address) -> Found:
    """A problem for each wrong item, or one for all where they share what is wrong."""
    wrong = [(i, text) for i, text in enumerate(texts) if text]
    if len(wrong) == len(texts) and len(set(texts)) == 1:
        yield Problem(here, texts[0])
        return
    for i, text in wrong[:SHOWN]:
        more = f"; so with {len(wrong) - SHOWN} more" if len(wrong) > SHOWN == i + 1 else ""
        yield Problem((*here, i), text + more)


def points(sweep: sweeps.AnySweep, judge: Judge, folder: Path) -> Found:
    """A file of points is one, and its values may stand at their addresses."""
    if not isinstance(sweep, sweeps.ListSweep):
        return
    file = read_points(folder / sweep.points)
    here, came = (*HERE, "points"), f"got {shown(sweep.points)}"
    must = "must be CSV with addresses in its first line and a point in each of the others"
    for text in file.problems:
        yield Problem(here, f"{came}, {text}; {must}")
    seen: dict[tuple[str, ...], str] = {}
    for column, key in enumerate(file.addresses):
        text = address_problem(key, seen)
        if text:
            yield Problem(here, f"{came}, line 1 of it: {text}")
            continue
        address = split_key(key) or ()
        wrong = [(n, text) for n, row in file.rows if (text := judge(address, row[column]))]
        if len(wrong) == len(file.rows) and len({text for _, text in wrong}) == 1:
            wrong = [(1, wrong[0][1])]
        for line, text in wrong[:SHOWN]:
            yield Problem(here, f"{came}, line {line} of it: {key}: {text}")


def counts(sweep: sweeps.AnySweep) -> Found:
    """Lists of a zip are equally long, samples suit the design, and there is an end to it."""
    match sweep:
        case sweeps.ZipSweep():
            lengths = {key: length(each) for key, each in sweep.vary.items()}
            if len(set(lengths.values())) > 1:
                got = listed([f"{n} for {key}" for key, n in lengths.items()], last="and")
                yield Problem((*HERE, "vary"), f"got {got}; must be equally many values")
        case sweeps.SobolSweep() | sweeps.SaltelliSweep():
            n = sweep.samples
            if n & (n - 1):
                below = 1 << (n.bit_length() - 1)
                text = f"got {n}; must be a power of two such as {below} or {2 * below} (points)"
                yield Problem((*HERE, "samples"), text)
        case sweeps.MorrisSweep():
            if sweep.levels % 2:
                yield Problem((*HERE, "levels"), f"got {sweep.levels}; must be even (levels)")
    number = size(sweep)
    if number > MOST_POINTS:
        yield Problem(HERE, f"got {number:,} points; must be ≤ {MOST_POINTS:,} (points)")
    elif number * sweep.replications > MOST_RUNS:
        text = f"got {number:,} points × {sweep.replications:,} replications"
        yield Problem((*HERE, "replications"), f"{text}; must be ≤ {MOST_RUNS:,} together (runs)")


def length(each: sweeps.Levels | Sequence[Any]) -> int:
    """How many values an address of a grid takes."""
    return each.num if isinstance(each, sweeps.Levels) else len(each)


def size(sweep: sweeps.AnySweep) -> int:
    """How many points a design has, counted without making them; 1 for a file of points."""
    match sweep:
        case sweeps.GridSweep():
            return math.prod(length(each) for each in sweep.vary.values())
        case sweeps.ZipSweep():
            return max(length(each) for each in sweep.vary.values())
        case sweeps.SaltelliSweep():
            return sweep.samples * (len(sweep.vary) * (1 + sweep.second_order) + 2)
        case sweeps.MorrisSweep():
            return sweep.samples * (len(sweep.vary) + 1)
        case sweeps.LhsSweep() | sweeps.SobolSweep():
            return sweep.samples
    return 1
