"""A scenario: one economy, written down in a TOML file, checked, frozen, with a digest.

>>> scenario = loads('''
... name = "olson"
... [population]
... size = 1000
... cost = 0.3
... [collectives.union]
... strategy = "feature_label"
... signal = { uniqueness = 0.01, gap = 1.0 }
... [platform]
... learner = "bound"
... ''')
>>> scenario.replace({"population.cost": 0.4}).population.cost
0.4
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, PrivateAttr, ValidationInfo, field_validator, model_validator

from learners.errors import ScenarioError
from sim.scenario_check import Problems, check_fields, partial, set_aside_later
from sim.scenario_docs import FieldDoc, documented, markdown
from sim.scenario_fields import FrozenDict, Part, param
from sim.scenario_file import (
    Overrides,
    Places,
    override,
    parse,
    places_in,
    read_text,
    split_key,
)
from sim.scenario_parts import (
    Collective,
    Population,
    Principal,
    Revision,
    Settled,
    Stop,
)
from sim.scenario_platforms import Name, Platform
from sim.scenario_rules import broken_rules, referenced_files
from sim.scenario_sweep import Sweep
from sim.scenario_sweep_rules import broken_sweep_rules
from sim.toml_text import document, dotted
from sim.trained import content_hash


class Scenario(Part):
    """Everything that a run depends on, besides the version of the program."""

    schema_: int = param("version of the file format", default=1, ge=1, le=1, alias="schema")
    name: str = param(
        "name of the scenario; results are kept under it",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        must='letters, digits, ".", "_" and "-", at most 100, for it names a folder',
    )
    title: str = param("one line for people", default="")
    cites: tuple[str, ...] = param("where it comes from", default=(), must="a list of texts")
    seed: int = param("seed of all random streams", default=0, ge=0, le=2**63 - 1)
    epochs: int = param("most epochs of a run", unit="epochs", default=300, ge=1, le=1_000_000_000)
    stop: Stop = param("when a run ends before", default=lambda: Settled(when="settled"))
    population: Population = param("the people")
    collectives: Annotated[dict[Name, Collective], AfterValidator(FrozenDict)] = param(
        "collectives by name; of several equally good ones people join the first in the file"
    )
    platform: Platform = param("the firm that learns")
    revision: Revision = param("how people reconsider", default=Revision)
    principal: Principal | None = param("who pays for a collective to form", default=None)
    sweep: Sweep | None = param("what varies in a sweep; a single run ignores it", default=None)

    _source: str | None = PrivateAttr(default=None)
    _folder: Path = PrivateAttr(default=Path())
    _files: dict[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("collectives")
    @classmethod
    def _own_target(cls, collectives: dict[str, Collective]) -> dict[str, Collective]:
        return FrozenDict(
            {
                name: c if c.target else c.model_copy(update={"target": name})
                for name, c in collectives.items()
            }
        )

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Scenario:
        context = info.context or {}
        self._folder = context.get("folder", Path())
        self._source = context.get("source")
        if not context.get("checked"):
            problems = broken_rules(self, self._folder)
            if problems:
                raise Places("").error(problems)
        for key, path in referenced_files(self).items():
            self._files[key] = content_hash(self._folder / path)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the collectives in the order of the file."""
        return tuple(self.collectives)

    @property
    def folder(self) -> Path:
        """Folder to which paths in the scenario are relative."""
        return self._folder

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of the content of each file that the scenario names, by address."""
        return dict(self._files)

    @property
    def source(self) -> str:
        """The text as it was given; composed where the scenario was made in Python."""
        return self.to_toml() if self._source is None else self._source

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name the content.

        The same for any order of keys, spelling of numbers, comments and spelt-out defaults;
        another one for any change of content. The order of collectives and of groups is content:
        people who are indifferent between collectives join the first, and groups fill the rows in
        order. Files that the scenario names count by their content.
        """
        return hashlib.sha256(self._canonical().encode()).hexdigest()[:12]

    def _canonical(self) -> str:
        content = {
            "scenario": self.resolved(),
            "order": [list(self.collectives), list(self.population.groups)],
            "files": self._files,
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scenario):
            return False
        return self._canonical() == other._canonical() and self.sweep == other.sweep

    def __hash__(self) -> int:
        return hash(self._canonical())

    def require_people(self) -> None:
        """Raise ``ScenarioError`` unless there is a number of people: whoever runs them asks."""
        self.population.size  # noqa: B018 - says so itself

    def eligible(self) -> NDArray[np.bool_]:
        """Who may join what: bool (G + 1, K), row 0 people in no group, row g the g-th group."""
        groups = list(self.population.groups)
        table = np.ones((len(groups) + 1, len(self.collectives)), dtype=bool)
        for k, collective in enumerate(self.collectives.values()):
            if collective.recruits is not None:
                table[:, k] = [False, *(group in collective.recruits for group in groups)]
        return table

    def resolved(self) -> dict[str, Any]:
        """What a run depends on, as plain tables with every default filled in; ready for JSON.

        Keys that have no value (no network, no truncation, no recruits) are absent, and so is the
        sweep.
        """
        tables: dict[str, Any] = self.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude={"sweep"}
        )
        return tables

    def resolved_sweep(self) -> dict[str, Any] | None:
        """The ``[sweep]`` table with every default filled in; None where there is none."""
        if self.sweep is None:
            return None
        return self.sweep.model_dump(mode="json", by_alias=True, exclude_none=True)

    def flat(self) -> dict[str, Any]:
        """Every number and word by its dotted address; lists as JSON text."""
        return flat_tables(self.resolved())

    def replace(self, changes: Overrides) -> Scenario:
        """A new scenario with some values changed: ``{"population.size": 100}``.

        ``None`` takes an optional key away. Values are Python values (a table is a dict). The
        new scenario has no sweep, unless a change is one of the sweep: what varied there may be
        what was changed here.

        Raises
        ------
        ScenarioError
            If the changed scenario is not valid.
        """
        places, raw = Places(""), self.resolved()
        changes = list(changes.items() if isinstance(changes, Mapping) else changes)
        if self.sweep and any((split_key(key) or ("",))[0] == "sweep" for key, _ in changes):
            raw["sweep"] = self.resolved_sweep()
        raw = override(raw, changes, places, verb="replace", as_toml=False)
        return build(raw, places, folder=self.folder)

    def to_toml(self) -> str:
        """A scenario file with every default filled in, which loads to an equal scenario."""
        raw = self.resolved()
        if self.sweep:
            raw["sweep"] = self.resolved_sweep()
        groups = raw["population"].pop("groups", {})
        collectives = raw.pop("collectives")
        later = ("platform", "revision", "principal", "sweep")
        tables: dict[tuple[str, ...], Any] = {
            (): {k: v for k, v in raw.items() if k not in (*later, "population")},
            ("population",): raw["population"],
        }
        tables |= {("population", "groups", name): group for name, group in groups.items()}
        tables |= {("collectives", name): table for name, table in collectives.items()}
        tables |= {(name,): raw[name] for name in later if name in raw}
        return document(tables)


def flat_tables(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Every number and word of resolved tables by its dotted address; lists as JSON text."""
    flat: dict[str, Any] = {}
    _flatten(tables, (), flat)
    return flat


_dotted = lru_cache(maxsize=4096)(dotted)  # the points of a sweep have the same addresses


def _flatten(tables: Mapping[str, Any], above: tuple[str, ...], flat: dict[str, Any]) -> None:
    for key, value in tables.items():
        if isinstance(value, dict):
            _flatten(value, (*above, key), flat)
        else:
            flat[_dotted((*above, key))] = json.dumps(value) if isinstance(value, list) else value


def load(path: str | Path, overrides: Overrides = (), seed: int | None = None) -> Scenario:
    """Read a scenario file.

    Parameters
    ----------
    path : str or Path
        A TOML file.
    overrides : mapping or pairs, optional
        Dotted key → value, as ``--set`` gives them: a text is read as a TOML value if it is one.
    seed : int, optional
        In place of the file's seed.

    Raises
    ------
    ScenarioError
        With all problems of the file at once, each with its line.
    """
    text = read_text(path)
    return loads(text, where=str(path), folder=Path(path).parent, overrides=overrides, seed=seed)


def loads(
    text: str,
    where: str = "<text>",
    folder: str | Path | None = None,
    overrides: Overrides = (),
    seed: int | None = None,
) -> Scenario:
    """Read a scenario from a text; ``where`` stands for the file's name in messages."""
    raw = parse(text, where)
    places = places_in(text, where)
    raw = override(raw, overrides, places, verb="--set", as_toml=True)
    if seed is not None:
        raw["seed"] = seed
        places.overrides[("seed",)] = f"--seed {seed}"
    return build(raw, places, folder=Path(folder or "."), source=text)


def fields() -> tuple[FieldDoc, ...]:
    """A record for every field of a scenario: address, type, default, range, unit, meaning."""
    return documented(Scenario)


def fields_markdown() -> str:
    """All fields as Markdown tables, for the documentation."""
    return markdown(Scenario)


def from_resolved(tables: Mapping[str, Any], folder: str | Path = ".") -> Scenario:
    """A scenario from plain tables such as ``scenario.resolved()`` (after JSON, too)."""
    return build(dict(tables), Places(""), folder=Path(folder))


def build(
    raw: dict[str, Any], places: Places, *, folder: Path, source: str | None = None
) -> Scenario:
    """Check tables and make the scenario, or raise with all problems."""
    problems = Problems()
    raw = set_aside_later(raw, problems)
    values, broken = check_fields(Scenario, raw, (), problems)
    problems += broken_rules(partial(Scenario, _by_name(values), broken), folder)
    if values.get("sweep") is not None:
        problems += broken_sweep_rules(Scenario, raw, values["sweep"], folder)
    if problems:
        raise places.error(problems)
    context = {"folder": folder, "source": source, "checked": True}
    return Scenario.model_validate(values, context=context)


def _by_name(values: Mapping[str, Any]) -> dict[str, Any]:
    return {("schema_" if key == "schema" else key): value for key, value in values.items()}


__all__ = [
    "Scenario",
    "ScenarioError",
    "fields",
    "fields_markdown",
    "from_resolved",
    "load",
    "loads",
]
