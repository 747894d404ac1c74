"""The scenario library: which files there are, and a scenario by its bare name."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from learners.errors import MissingError, ScenarioError


@dataclass(frozen=True)
class Entry:
    """One scenario file of the library; ``problem`` is set where it is not TOML."""

    name: str
    title: str
    cites: tuple[str, ...]
    path: Path
    problem: str = ""


def folders() -> list[Path]:
    """Where scenarios are looked for: ``./scenarios``, then that of the checkout."""
    places = [Path("scenarios"), Path(__file__).resolve().parent.parent / "scenarios"]
    if places[0].resolve() == places[1].resolve():
        places.pop(0)
    return places


def entries() -> list[Entry]:
    """Every scenario of the library in order of folder and file; ``MissingError`` if none."""
    found = [_entry(path) for folder in folders() for path in sorted(folder.rglob("*.toml"))]
    if not found:
        raise MissingError(f"no scenario library here: {_looked()}")
    return found


def find(file: str) -> Path:
    """The path that FILE means: a path, or the bare name of a scenario of the library.

    A bare name has no ``/`` and no ``.toml``. ``NAME.toml`` here goes first, then the names of
    the library's scenarios, then its files' names. ``ScenarioError`` says where it looked, and
    what comes close.
    """
    path = Path(file)
    if path.exists() or path.suffix == ".toml" or len(path.parts) != 1:
        return path
    if (here := Path(f"{file}.toml")).exists():
        return here
    found = [_entry(each) for folder in folders() for each in sorted(folder.rglob("*.toml"))]
    known = {e.path.stem: e.path for e in reversed(found)}
    known |= {e.name: e.path for e in reversed(found)}  # of equal names the first counts
    if file in known:
        return known[file]
    close = difflib.get_close_matches(file, known, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    raise ScenarioError(f"{file}: no such file, and no scenario of that name; {_looked()}{hint}")


def _looked() -> str:
    return "looked in " + " and ".join(str(folder.absolute()) for folder in folders())


def _entry(path: Path) -> Entry:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Entry(path.stem, "", (), path, problem=str(error))
    cites = document.get("cites", ())
    cites = tuple(map(str, cites)) if isinstance(cites, list) else ()
    name, title = document.get("name", path.stem), document.get("title", "")
    return Entry(str(name), str(title), cites, path)
