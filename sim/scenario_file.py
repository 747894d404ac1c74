"""Reading a scenario file: text, overrides, and where each problem is.

An address is a tuple of keys, ``("population", "cost", "mean")``. A problem is reported at its line
in the file, or at the override (``--set key=value``) that brought it.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from learners.errors import ScenarioError
from sim.scenario_check import Address, Problem
from sim.toml_lines import toml_lines
from sim.toml_text import dotted, shown

DEEPEST = 30
Overrides = Mapping[str, Any] | Iterable[tuple[str, Any]]


def read_text(path: str | Path) -> str:
    """The text of a scenario file, or ``ScenarioError`` saying why it cannot be read."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ScenarioError(f"{path}: no such file{_similar(path)}") from None
    except IsADirectoryError:
        raise ScenarioError(f"{path}: is a folder; must be a scenario file (TOML)") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError(f"{path}: cannot be read ({reason})") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"0x{data[error.start]:02x}"
        text = f"{path}:{line}: got the byte {byte}; must be text in UTF-8"
        raise ScenarioError(text) from None


def _similar(path: Path) -> str:
    names = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    return f'; did you mean "{path.parent / close[0]}"?' if close else ""


def parse(text: str, where: str) -> dict[str, Any]:
    """TOML to tables; a syntax error becomes ``ScenarioError`` with its line."""
    try:
        tables = tomllib.loads(text)
        if too_deep(tables):
            raise RecursionError
    except RecursionError:
        raise ScenarioError(f"{where}: nested more than {DEEPEST} tables or lists deep") from None
    except ValueError as error:
        raise ScenarioError(_syntax_problem(str(error), text, where)) from None
    return tables


def too_deep(value: Any) -> bool:
    """Whether a value is nested deeper than any scenario is (and than recursion can go)."""
    layer = [value]
    for _ in range(DEEPEST + 1):
        layer = [
            inner
            for outer in layer
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not layer:
            return False
    return True


def _syntax_problem(message: str, text: str, where: str) -> str:
    match = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if not match:
        return f"{where}: must be valid TOML ({message})"
    lines = text.splitlines() or [""]
    line = int(match[1]) if match[1] else len(lines)
    reason = message[: match.start()]
    if reason.startswith(("Cannot overwrite", "Cannot declare", "Duplicate", "Cannot mutate")):
        reason = f"a key or a table is given twice: {reason}"
    return f"{where}:{line}: got {shown(lines[line - 1])}; must be valid TOML ({reason})"


@dataclass
class Places:
    """Where each address comes from: a line of the file or an override."""

    where: str
    lines: Mapping[Address, int] = field(default_factory=dict)
    overrides: dict[Address, str] = field(default_factory=dict)

    def of(self, address: Address) -> tuple[int, str]:
        """Line (for sorting; overrides last) and the words before the address."""
        for depth in range(len(address), 0, -1):
            prefix = address[:depth]
            if prefix in self.overrides:
                return 1_000_000_000, self.overrides[prefix]
            if prefix in self.lines:
                return self.lines[prefix], f"{self.where}:{self.lines[prefix]}"
            below = [w for a, w in self.overrides.items() if a[:depth] == prefix]
            if below:
                return 1_000_000_000, below[-1]
        return 0, self.where

    def error(self, problems: Sequence[Problem]) -> ScenarioError:
        """All problems as one error, in the order of the file."""
        placed = [(*self.of(p.address), p) for p in problems]
        placed.sort(key=lambda item: item[0])
        # The same sentence can come from two rules; say it once.
        texts = dict.fromkeys(
            f"{words}: {dotted(p.address)}: {p.text}" if words else f"{dotted(p.address)}: {p.text}"
            for _, words, p in placed
        )
        return ScenarioError(list(texts))


def literal(word: Any) -> Any:
    """What ``--set key=word`` means: a TOML value if it is one, else the text itself."""
    if not isinstance(word, str):
        return word
    try:
        tables = tomllib.loads(f"value = {word}")
    except (ValueError, RecursionError):
        return word
    return tables["value"] if list(tables) == ["value"] and not too_deep(tables) else word


def override(
    raw: dict[str, Any], overrides: Overrides, places: Places, *, verb: str, as_toml: bool
) -> dict[str, Any]:
    """A copy of ``raw`` with overrides applied; ``None`` takes a key away.

    Parameters
    ----------
    raw : dict
        Tables of the file.
    overrides : mapping or pairs
        Dotted key and value.
    places : Places
        Is told where the new values come from.
    verb : str
        What the override is called in messages: ``--set`` or ``replace``.
    as_toml : bool
        Whether a text is a TOML value still to be read.
    """
    pairs = list(overrides.items() if isinstance(overrides, Mapping) else overrides)
    problems = []
    for key, word in pairs:
        label = f"{verb} {key}={word if isinstance(word, str) else shown(word)}"
        address = split_key(key)
        if address is None:
            problems.append(f"{label}: got the key {shown(key)}; must be a dotted key")
            continue
        value = literal(word) if as_toml else word
        blocked = _put(raw, address, value)
        if blocked:
            problems.append(f"{label}: {blocked}")
        for old in [a for a in places.overrides if a[: len(address)] == address]:
            del places.overrides[old]
        places.overrides[address] = label
    if problems:
        raise ScenarioError(problems)
    return raw


def split_key(key: Any) -> tuple[str, ...] | None:
    """``population.cost.mean`` as a tuple, quoted parts allowed; None if it is no dotted key."""
    return _parts(key) if isinstance(key, str) else None


@lru_cache(maxsize=1024)  # a sweep asks for the same few addresses at every point
def _parts(key: str) -> tuple[str, ...] | None:
    if "\n" in key or "=" in key or "#" in key:
        return None
    try:
        node: Any = tomllib.loads(f"{key} = 0")
    except (ValueError, RecursionError):
        return None
    address: list[str] = []
    while isinstance(node, dict) and len(node) == 1:
        ((name, node),) = node.items()
        address.append(name)
    return tuple(address) if node == 0 else None


def _put(raw: dict[str, Any], address: tuple[str, ...], value: Any) -> str:
    """Set one value in place, making tables on the way; says what is in the way, if anything."""
    table = raw
    for depth, key in enumerate(address[:-1], start=1):
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            here = dotted(address[:depth])
            return f"{here}: got {shown(inner)}; must be a table for {dotted(address)} to be set"
        table = inner
    if value is None:
        table.pop(address[-1], None)
    else:
        table[address[-1]] = value
    return ""


def places_in(text: str, where: str) -> Places:
    """Places of all keys of a text that parses."""
    return Places(where, toml_lines(text))
