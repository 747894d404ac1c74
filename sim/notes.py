"""What a reader should know of a scenario that is valid: one place for notes, for every command.

A note is no error: what it is about is allowed. Each begins with the address it is about.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sim import scenario_platforms as kinds
from sim.scenario_check import did_you_mean
from sim.scenario_fields import GENERATED, listed, quoted
from sim.toml_text import shown
from sim.trained import MOST_VALUES, DataPoints, facts_of, points_of, table_of, target_of

if TYPE_CHECKING:
    from learners.measured.table import MeasuredTable
    from sim.scenario import Scenario

Notes = Iterator[str]
MANY = 10_000_000  # people whose rows fit anywhere
ROW = 40  # bytes a person while a population is made
SORTED = 20  # bytes a person who is counted by her threshold
COLLIDE = "plant the same token: they collide"


def notes_of(s: Scenario) -> list[str]:
    """All notes on a scenario, in the order of its file."""
    return [*_people(s), *_on_platform(s)]


def _on_platform(s: Scenario) -> Notes:
    match s.platform:
        case kinds.BayesPlatform():
            yield from _planted(s, s.platform.universe)
        case kinds.LogisticPlatform() | kinds.GradientPlatform():
            yield from _planted(s, s.platform.data)
        case kinds.DistilbertPlatform():
            yield from _texts_each(s)
            yield from _targets(s)
            yield from _collisions(s)
        case kinds.TablePlatform():
            yield from _measured(s, table_of(s))


# --- people ---------------------------------------------------------------------------------------


def too_many_people(s: Scenario) -> str | None:
    """Why this machine's memory cannot hold the people; None where it can."""
    memory = _memory()
    if s.population.infinite or s.population.size * ROW <= max(memory, MANY * ROW):
        return None
    from sim.crowd_types import Types

    reason = _why_rows(s)
    each = ROW if reason is not None else SORTED if Types.why_not(s) is not None else 0
    needed = s.population.size * each
    if needed <= memory:
        return None
    how = "are a row each" if reason is not None else "have a threshold each"
    why = "" if reason is None else f"; they cannot be counted instead: {reason}"
    return (
        f"population.size: {s.population.size:,} people {how}, some {needed / 1e9:,.0f} GB, "
        f"and this machine has {memory / 1e9:,.0f}{why}"
    )


def _people(s: Scenario) -> Notes:
    """People who are too many for this machine's memory."""
    problem = too_many_people(s)
    if problem is not None:
        yield problem


def _memory() -> float:
    """Bytes of this machine's memory; infinite where it does not say."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _why_rows(s: Scenario) -> str | None:
    """Why no shortcut of ``sim.crowd`` fits; None where one does."""
    from sim.crowd import why_rows
    from sim.crowd_thresholds import Thresholds
    from sim.crowd_types import Types
    from sim.success_of import success_function

    if s.platform.learner in kinds.PEOPLE_LEARNERS:
        return "the platform is trained on rows of people"
    reason = why_rows(s, success_function(s), own_rules=False)
    each = [kind.why_not(s) for kind in (Types, Thresholds)]
    return reason or (None if None in each else "; ".join(why for why in each if why))


# --- signals --------------------------------------------------------------------------------------


def _planted(s: Scenario, data: str) -> Notes:
    """Values that a signal plants and nobody has: watermarks, or misspelt."""
    points = points_of(s)
    new = getattr(s.platform, "extra", ())
    for name, collective in s.collectives.items():
        for column, value in getattr(collective.signal, "set", {}).items():
            if column in new or points.weight[points.having(column, value)].sum() > 0.0:
                continue
            known = _had(points, column)
            if data == GENERATED and (not known or _made_to_be_planted(column, value)):
                continue
            where = "the data" if data == GENERATED else data
            yield (
                f"collectives.{name}.signal.set.{column}: {shown(value)} is a value that nobody "
                f"in {where} has{_instead(points, column, value, known)}"
            )


def _had(points: DataPoints, column: str) -> tuple[str, ...]:
    """The values of a column of words that somebody has; empty for a column of numbers."""
    values = points.values(column)
    return tuple(v for v in values if points.weight[points.having(column, v)].sum() > 0.0)


def _instead(points: DataPoints, column: str, value: Any, known: tuple[str, ...]) -> str:
    """What people have: words, with the nearest, or the range of the numbers."""
    from learners.tabular.tables import Table

    if isinstance(points, Table) and not known:
        low, high = points.span(column)
        return f" (theirs are from {low:g} to {high:g})"
    words = quoted(known[:MOST_VALUES])
    names = listed(words) if len(known) <= MOST_VALUES else f"{', '.join(words)}, …"
    return f" (theirs are {names}){did_you_mean(str(value), known)}"


def _made_to_be_planted(column: str, value: Any) -> bool:
    """A generated universe has the column signal to plant "yes" in, also where nobody has it."""
    return column == "signal" and value == "yes"


def _targets(s: Scenario) -> Notes:
    """Labels that no text to train on has: the model knows them from members only."""
    points = points_of(s)
    (column,) = points.columns
    for name in s.names:
        target = target_of(s, name)
        if not points.having(column, target).any():
            yield (
                f"collectives.{name}.target: {shown(target)} is a label that no text to train on "
                "has; only members teach it to the model"
            )


def _collisions(s: Scenario) -> Notes:
    """Collectives whose signals are the same token to the platform."""
    told = set()
    for name, fact in facts_of(s).items():
        told.add(name)
        for other in fact["same_as"]:
            if other not in told:
                yield f"collectives.{name}.signal: {name} and {other} {COLLIDE}"


def _texts_each(s: Scenario) -> Notes:
    """People who are not as many as the texts that they are."""
    people, texts = s.population.size, len(points_of(s).weight)
    times, rest = divmod(people, texts)
    if people > texts:
        each = f"{times:,} or {times + 1:,}" if rest else f"{times:,}"
        said = f"{people:,} people on {texts:,} texts: each text is {each} people"
    elif people < texts:
        left = texts - people
        whose = "most texts are" if left > people else f"{left:,} texts are"
        said = f"{people:,} people of {texts:,} texts: {whose} nobody's"
    else:
        return
    yield f"population.size: {said}"


# --- tables of measurements -----------------------------------------------------------------------


def _measured(s: Scenario, table: MeasuredTable) -> Notes:
    """On what a table was measured, and whether people were as many as here."""
    setup = table.meta.get("setup") or {}
    settings = setup.get("settings") or {}
    platform = settings.get("platform") or {}
    people = table.meta.get("people", settings.get("people"))
    source = next((platform[key] for key in ("universe", "data", "dataset") if key in platform), "")
    here = f"platform.table: {s.platform.table}"  # type: ignore[union-attr]  # by the kind of table
    if not platform and people is None:
        yield f"{here} does not say what it was measured on"
        return
    what = f'learner = "{platform["learner"]}"' if platform.get("learner") else "a platform"
    on = f" on {source}" if source else ""
    on += " data" if source == GENERATED else ""
    said = f" with {people:,} people" if people is not None else ""
    sizes = table.sizes.max(axis=1)
    span = f"{np.min(sizes[sizes > 0.0], initial=1.0):g} to {sizes.max():g}"
    yield f"{here} was measured on {what}{on}{said}, at sizes from {span}"
    if people is not None and not s.population.infinite and people != s.population.size:
        yield (
            f"population.size: got {s.population.size:,}, but the table was measured with "
            f"{people:,} people; who trains the platform is a sample of the data, so that success "
            "at the same share may differ"
        )
