"""On which line of a TOML text each value stands; the standard library's parser does not say.

``toml_lines`` is called only on texts that ``tomllib`` has accepted, so it need not judge anything:
it walks over keys, tables, inline tables and arrays and notes where each begins.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Address = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*""")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\n#]*")


def toml_lines(text: str) -> dict[Address, int]:
    """Line (from 1) at which each key, table and array item of a valid TOML text begins.

    Parameters
    ----------
    text : str
        TOML that ``tomllib.loads`` accepts.

    Returns
    -------
    dict
        ``("population", "cost", "values", 0) -> line``. A table that is only implied by a longer
        name has the line of its first mention.
    """
    return _Walk(text).lines


class _Walk:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.breaks = [m.start() for m in re.finditer("\n", text)]
        self.lines: dict[Address, int] = {}
        self.document()

    def note(self, address: Address, at: int) -> None:
        line = bisect_right(self.breaks, at - 1) + 1
        for depth in range(1, len(address) + 1):
            self.lines.setdefault(address[:depth], line)

    def blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def document(self) -> None:
        table: Address = ()
        arrays: dict[Address, int] = {}
        self.blank()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                start, double = self.at, self.text.startswith("[[", self.at)
                self.at += 2 if double else 1
                table = self.inside(self.key(), arrays)
                self.at += 2 if double else 1
                if double:
                    arrays[table] = arrays.get(table, -1) + 1
                    table = (*table, arrays[table])
                self.note(table, start)
            else:
                self.pair(table)
            self.blank()

    def inside(self, names: Address, arrays: dict[Address, int]) -> Address:
        """The address of a table header: below an array of tables its last item is meant."""
        address: Address = ()
        for i, name in enumerate(names):
            address = (*address, name)
            if address in arrays and i < len(names) - 1:
                address = (*address, arrays[address])
        return address

    def key(self) -> Address:
        names: list[str | int] = []
        while match := _KEY.match(self.text, self.at):
            word = match[1]
            names.append(tomllib.loads(f"k = {word}")["k"] if word[0] in "\"'" else word)
            self.at = match.end()
            if not self.text.startswith(".", self.at):
                break
            self.at += 1
        return tuple(names)

    def pair(self, table: Address) -> None:
        start = self.at
        address = (*table, *self.key())
        self.note(address, start)
        self.at += 1  # the equals sign
        self.value(address)

    def value(self, address: Address) -> None:
        self.blank()
        opening = self.text[self.at : self.at + 1]
        if opening in ("[", "{"):
            self.several(address, "]" if opening == "[" else "}")
            return
        match = (_STRING if opening in ('"', "'") else _SCALAR).match(self.text, self.at)
        # A scalar always moves on, so that the walk ends whatever the text is.
        self.at = max(match.end() if match else 0, self.at + 1)

    def several(self, address: Address, closing: str) -> None:
        self.at += 1
        index = 0
        self.blank()
        while self.at < len(self.text) and self.text[self.at] != closing:
            if closing == "}":
                self.pair(address)
            else:
                self.note((*address, index), self.at)
                self.value((*address, index))
                index += 1
            self.blank()
            if self.text.startswith(",", self.at):
                self.at += 1
                self.blank()
        self.at += 1
