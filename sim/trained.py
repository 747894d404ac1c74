"""Platforms that are trained on people's data: from a scenario to the learner, and back to keys.

Reading the data can go wrong where no single value of the file is wrong: a column that the data do
not have, a target that is no label, a signal that changes nobody. ``problems_of`` finds this out
when a scenario is loaded, and says at which key it belongs; ``success_of`` makes the learner. What
was read is kept for the scenarios that come next with the same data.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from learners.errors import AlphacritError, MissingError, ResultsError
from sim import scenario_platforms as kinds
from sim.scenario_check import Address, Problem, did_you_mean
from sim.scenario_fields import listed, quoted
from sim.toml_text import shown

if TYPE_CHECKING:
    from learners.measured.table import MeasuredTable
    from learners.success import SuccessFunction
    from sim.scenario import Scenario

Masks = NDArray[np.bool_]
MOST_VALUES = 12  # of a column are listed in a message
KEPT = 8  # things read or built are kept for the next scenario


class BadData(Exception):  # noqa: N818 - becomes a ScenarioError with the places of the file
    """What is wrong with the data of a scenario, each at the key where it belongs."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.text for problem in problems))
        self.problems = problems


class DataPoints(Protocol):
    """The data points that people are, as far as groups have to know them."""

    @property
    def weight(self) -> NDArray[np.float64]:
        """(P,) probability of each point under the base law P₀."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, the label's among them."""

    def values(self, column: str) -> tuple[str, ...]:
        """The values that a column has; empty for a column of numbers."""

    def having(self, column: str, value: Any) -> Masks:
        """(P,) which points have this value there."""


@dataclass(frozen=True)
class Prepared:
    """Data that were read and strategies that fit them.

    Attributes
    ----------
    points : the data points that people are; None where success goes by sizes
    make : makes the success function
    key : says what it was made from
    """

    points: DataPoints | None
    make: Callable[[], SuccessFunction]
    key: Hashable


# --- what is kept ---------------------------------------------------------------------------------

Thing = TypeVar("Thing")
_kept: OrderedDict[Hashable, Any] = OrderedDict()


def kept(key: Hashable, make: Callable[[], Thing]) -> Thing:
    """What was made for this key, made anew where it is not at hand; only the last few are."""
    if key not in _kept:
        _kept[key] = make()
        while len(_kept) > 4 * KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


def content_hash(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder, in hexadecimal."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    hashed = hashlib.sha256()
    for file in files:
        if path.is_dir():
            hashed.update(file.relative_to(path).as_posix().encode() + b"\0")
        hashed.update(file.read_bytes())
    return hashed.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file; OSError where it is none."""
    with path.open("rb"):
        return content_hash(path)


def canonical(value: Any) -> str:
    """JSON text that is the same for the same content; mappings keep their order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def asked(s: Scenario) -> str:
    """What the collectives ask for, as text."""
    return canonical(
        [
            [name, c.strategy, c.signal.model_dump(mode="json"), target_of(s, name)]
            for name, c in s.collectives.items()
        ]
    )


# --- from the scenario to the learner -------------------------------------------------------------


def prepare(s: Scenario, folder: Path) -> Prepared:
    """Read the data of a scenario whose platform is trained and fit the strategies to them.

    Raises
    ------
    BadData
        With everything that does not fit.
    ResultsError
        A table of measurements is of another scenario.
    MissingError
        What the platform needs is not there: an extra, a model.
    """
    try:
        match s.platform:
            case kinds.BayesPlatform():
                from sim.trained_bayes import prepare_bayes

                return prepare_bayes(s, s.platform, folder)
            case kinds.LogisticPlatform() | kinds.GradientPlatform():
                from sim.trained_rows import prepare_rows

                return prepare_rows(s, s.platform, folder)
            case kinds.DistilbertPlatform():
                from sim.trained_texts import prepare_texts

                return prepare_texts(s, s.platform, folder)
            case kinds.TablePlatform():
                from sim.trained_table import prepare_table

                return prepare_table(s, s.platform, folder)
    except (ResultsError, MissingError):
        raise
    except (ValueError, AlphacritError) as error:  # what no key was found for
        raise BadData([Problem(("platform",), reason(error))]) from None
    raise TypeError(f"no trained platform: {s.platform.learner}")


def success_of(s: Scenario) -> SuccessFunction:
    """The success function of a scenario whose platform is trained.

    Raises
    ------
    ScenarioError
        The data do not fit (any more).
    """
    prepared = _prepared(s)
    return kept(("success", prepared.key), prepared.make)


def key_of(s: Scenario) -> Hashable:
    """What the success function of a scenario is made from: the same for the same function."""
    return _prepared(s).key


def points_of(s: Scenario) -> DataPoints:
    """The data points that people are, for a platform that sees people."""
    points = _prepared(s).points
    assert points is not None
    return points


def table_of(s: Scenario) -> MeasuredTable:
    """The table of measurements that is the platform."""
    from sim.trained_table import read

    assert isinstance(s.platform, kinds.TablePlatform)
    return read(s, s.platform, s.folder)[0]


def _prepared(s: Scenario) -> Prepared:
    from sim.scenario_file import Places

    try:
        return prepare(s, s.folder)
    except BadData as bad:
        raise Places("").error(bad.problems) from None


def problems_of(s: Scenario, folder: Path) -> list[Problem]:
    """Everything that is wrong with the data of a scenario and with the groups made by them."""
    try:
        prepared = prepare(s, folder)
        if prepared.points is not None:
            _masks(s, prepared.points)
    except BadData as bad:
        return bad.problems
    return []


def facts_of(s: Scenario) -> dict[str, dict[str, Any]]:
    """What is known of the collectives' signals before anything is trained; empty: nothing."""
    if not isinstance(s.platform, kinds.DistilbertPlatform):
        return {}
    from sim.text_facts import facts

    return facts(s, s.platform)


def machine_of(s: Scenario) -> dict[str, Any]:
    """What trainings depend on beside scenario and data: weights, device, precision; else empty.

    Raises
    ------
    MissingError
        Of these, what the scenario asks for is not here.
    """
    if not isinstance(s.platform, kinds.DistilbertPlatform):
        return {}
    from sim.trained_texts import machine_of

    return machine_of(s, s.platform)


# --- groups by data -------------------------------------------------------------------------------


def group_of_points(s: Scenario) -> NDArray[np.unsignedinteger]:
    """(P,) which group the people at each data point are in; 0 for none."""
    prepared = _prepared(s)
    assert prepared.points is not None
    return kept(("groups", prepared.key, _wheres(s)), lambda: _numbers(s, prepared.points))


def _numbers(s: Scenario, points: DataPoints | None) -> NDArray[np.unsignedinteger]:
    assert points is not None
    masks = _masks(s, points)
    number = np.zeros(len(points.weight), np.min_scalar_type(len(masks)))
    for g, mask in enumerate(masks, start=1):
        number[mask] = g
    number.flags.writeable = False
    return number


def group_shares(s: Scenario) -> list[float]:
    """The share of the population that each group is expected to have, in file order."""
    groups = s.population.groups.values()
    shares = [group.share for group in groups if group.share is not None]
    if len(shares) == len(groups):
        return shares
    return shares_by_data(s, s.folder)


def shares_by_data(s: Scenario, folder: Path) -> list[float]:
    """The shares of groups that are made by data; BadData where the data do not fit."""
    points = prepare(s, folder).points
    assert points is not None
    return [float(points.weight[mask].sum()) for mask in _masks(s, points)]


def _wheres(s: Scenario) -> str:
    return canonical([[n, dict(g.where or {})] for n, g in s.population.groups.items()])


def _masks(s: Scenario, points: DataPoints) -> list[Masks]:
    """Which points each group holds; BadData for what is unknown, empty or overlaps."""
    problems: list[Problem] = []
    masks: list[Masks] = []
    for name, group in s.population.groups.items():
        if group.where is None:
            continue
        here: Address = ("population", "groups", name, "where")
        mask, wrong = _mask(points, group.where, here)
        problems += wrong
        if wrong:
            continue
        if not points.weight[mask].sum() > 0:
            text = f"got {shown(dict(group.where))}, which nobody is"
            problems.append(Problem(here, f"{text}; must describe some of the people"))
        for other, taken in zip(s.population.groups, masks, strict=False):
            if points.weight[mask & taken].sum() > 0:
                text = f"got {shown(dict(group.where))}, which some of {other} are too; must not "
                why = "overlap with another group (name one more column to tell them apart)"
                problems.append(Problem(here, text + why))
        masks.append(mask)
    if problems:
        raise BadData(problems)
    return masks


def _mask(
    points: DataPoints, where: Mapping[str, Any], here: Address
) -> tuple[Masks, list[Problem]]:
    """Points that have all these values, and what is unknown."""
    mask = np.ones(len(points.weight), bool)
    problems = []
    for column, value in where.items():
        if column not in points.columns:
            text = f"unknown column; {must_be_one(column, points.columns, 'a column of the data')}"
            problems.append(Problem((*here, column), text))
            continue
        try:
            mask &= points.having(column, value)
        except ValueError:
            known = points.values(column)
            must = must_be_one(value, known, "a value of this column")
            problems.append(Problem((*here, column), f"got {shown(value)}; {must}"))
    return mask, problems


# --- words ----------------------------------------------------------------------------------------


def must_be_one(got: Any, known: tuple[str, ...], what: str) -> str:
    """``must be a label of the data ("a" or "b"); did you mean "a"?``"""
    if not known:
        return f"must be {what}"
    words = quoted(known[:MOST_VALUES])
    names = listed(words) if len(known) <= MOST_VALUES else f"{', '.join(words)}, …"
    return f"must be {what} ({names}){did_you_mean(got, known)}"


def target_problem(s: Scenario, name: str, labels: tuple[str, ...]) -> Problem:
    """The problem of a target that is no label."""
    target = target_of(s, name)
    own = ", its own name, for none is given" if target == name else ""
    must = must_be_one(target, labels, "a label of the data")
    return Problem(("collectives", name, "target"), f"got {shown(target)}{own}; {must}")


def target_of(s: Scenario, name: str) -> str:
    """The target of a collective, its own name where none is given."""
    return s.collectives[name].target or name


def unreadable(
    key: str, path: str, error: Exception, must: str = "a CSV or Parquet file"
) -> Problem:
    """The problem of a file that cannot be read."""
    why = getattr(error, "strerror", None) or reason(error)
    what = "which does not exist" if isinstance(error, FileNotFoundError) else f"which fails: {why}"
    text = f"got {shown(path)}, {what}; must be {must}"
    return Problem(("platform", key), text)


def reason(error: Exception) -> str:
    """What a library said, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
