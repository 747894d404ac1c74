"""The scenarios that a page may open: those of its folders, by name, and no others.

A name is looked up in a table that was made by listing the folders; it is never joined to a path.
So no name that comes from a URL can reach a file outside them, nor can a link in a folder, nor a
scenario in a folder that names the data of others: its errors would quote them to the browser. A
scenario that is given on the command line may name what it likes.
"""

from __future__ import annotations

import difflib
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from alphacrit import catalogue
from alphacrit.page.settings import PageSettings
from learners.errors import ScenarioError
from sim.results import Results, load
from sim.results_files import ADDRESSES, text_at
from sim.scenario import Scenario

DEFAULT = "baseline"


class Library:
    """Names of what can be shown, in the order of the list on the page.

    Attributes
    ----------
    paths : scenario files and results folders by name
    first : names that are shown when no URL says otherwise
    """

    def __init__(self, settings: PageSettings) -> None:
        folders = settings.folders or tuple(catalogue.folders())
        opened = dict.fromkeys(path.resolve() for path in settings.opened)
        found = {path: folder for folder in folders for path in _below(folder)}
        found = {path: folder for path, folder in found.items() if path.resolve() not in opened}
        self.paths: dict[str, Path] = {}
        self._add({path: path.parent.parent for path in opened})
        self.first = tuple(self.paths)
        self._add(found)
        self._opened, self._roots = set(opened), [folder.resolve() for folder in folders]
        if not self.first:
            self.first = (DEFAULT if DEFAULT in self.paths else next(iter(self.paths), ""),)

    @property
    def names(self) -> list[str]:
        """All names."""
        return list(self.paths)

    def _add(self, found: Mapping[Path, Path]) -> None:
        """Name these files of those folders: the shortest name that no other one has."""
        short = Counter(_name(path) for path in found)
        for path, folder in found.items():
            inside = path.relative_to(folder)
            long = (inside if path.is_dir() else inside.with_suffix("")).as_posix()
            wanted = [_name(path)] if short[_name(path)] == 1 else []
            wanted += [long, f"{folder.name}/{long}", str(path)]
            self.paths[next(name for name in wanted if name not in self.paths)] = path

    def open(self, name: str) -> Scenario | Results:
        """The scenario, or the finished run, of this name.

        Raises
        ------
        ScenarioError
            There is none of this name here, or it is not valid.
        ResultsError
            The results folder is damaged.
        """
        if name not in self.paths:
            close = difflib.get_close_matches(name, self.paths, n=1)
            hint = f'; did you mean "{close[0]}"?' if close else ""
            raise ScenarioError([f"scenario: got {name!r}; there is none of this name here{hint}"])
        if self.paths[name] not in self._opened:
            self._require_inside(self.paths[name])
        found = load(self.paths[name])
        if not isinstance(found, Scenario | Results):
            raise ScenarioError([f"{name}: is a sweep; the page replays single runs"])
        return found

    def _require_inside(self, path: Path) -> None:
        """Refuse a file of a folder that lies outside by now, or names one that does."""
        named = {"scenario": path.name, **_named_files(path)}
        outside = [
            f"{path}: {address}: names a file outside the folders of this page; give the scenario "
            "itself on the command line"
            for address, file in named.items()
            if not any(_inside(path.parent / file, root) for root in self._roots)
        ]
        if outside:
            raise ScenarioError(outside)


def _named_files(path: Path) -> dict[str, str]:
    """Files that a scenario names, by address; none where it cannot be read."""
    if path.is_dir():
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # whoever loads it says what is wrong
    return {key: file for key in ADDRESSES if (file := text_at(tables, key))}


def _inside(path: Path, root: Path) -> bool:
    try:
        return path.resolve().is_relative_to(root)
    except (OSError, ValueError):  # no path at all
        return False


def _below(folder: Path) -> list[Path]:
    """Scenario files and finished runs in a folder, without what a link fetches from elsewhere."""
    inside = folder.resolve()
    runs = [path.parent for path in folder.rglob("meta.json")]
    files = [path for path in folder.rglob("*.toml") if not set(path.parents) & set(runs)]
    found = sorted(files) + sorted(runs)
    return [path for path in found if path.resolve().is_relative_to(inside)]


def _name(path: Path) -> str:
    """``baseline`` for a file; ``run of baseline`` for its results folder."""
    return f"run of {path.parent.name}" if path.is_dir() else path.stem
