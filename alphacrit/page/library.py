"""The scenarios that a page may open: those of its folders, by name, and no others.

A name is looked up in a table that was made by listing the folders; it is never joined to a path.
So no name that comes from a URL can reach a file outside them, nor can a link in a folder.
"""

from __future__ import annotations

import difflib
from collections import Counter
from pathlib import Path

from alphacrit import catalogue
from alphacrit.page.settings import PageSettings
from learners.errors import ScenarioError
from sim.results import Results, load
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
        found = [(path, folder) for folder in folders for path in _below(folder)]
        stems = Counter(_name(path) for path, _ in found)
        self.paths: dict[str, Path] = {}
        for path in settings.opened:
            self.paths.setdefault(_name(path), path.resolve())
        self.first = tuple(self.paths)
        known = set(self.paths.values())
        for path, folder in found:
            if path.resolve() not in known:
                name = _name(path)
                if stems[name] > 1 or name in self.paths:
                    name = path.relative_to(folder).with_suffix("").as_posix()
                self.paths.setdefault(name, path)
        if not self.first:
            self.first = (DEFAULT if DEFAULT in self.paths else next(iter(self.paths), ""),)

    @property
    def names(self) -> list[str]:
        """All names."""
        return list(self.paths)

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
        found = load(self.paths[name])
        if not isinstance(found, Scenario | Results):
            raise ScenarioError([f"{name}: is a sweep; the page replays single runs"])
        return found


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
