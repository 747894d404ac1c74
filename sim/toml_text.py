"""Values and tables written as TOML: for messages ("got ...") and for ``scenario.to_toml()``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any

BARE = re.compile(r"[A-Za-z0-9_-]+")


def key_text(key: str) -> str:
    """A key as it is written in TOML, quoted where it must be."""
    return key if BARE.fullmatch(key) else text(key)


def text(value: str) -> str:
    """A TOML basic string."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def inline(value: Any) -> str:
    """Any value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        items = ", ".join(f"{key_text(str(k))} = {inline(v)}" for k, v in value.items())
        return f"{{ {items} }}" if items else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(inline, value))}]"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return repr(value)


def shown(value: Any, limit: int = 60) -> str:
    """A value as a message shows it: on one line and not too long."""
    words = inline(value)
    return words if len(words) <= limit else words[: limit - 1] + "…"


def dotted(address: Iterable[str | int]) -> str:
    """An address as it is written: ``population.cost.values[3]``."""
    words = ""
    for step in address:
        words += f"[{step}]" if isinstance(step, int) else f".{key_text(step)}"
    return words.removeprefix(".")


def document(tables: Mapping[tuple[str, ...], Mapping[str, Any]]) -> str:
    """A whole file: tables by address, the unnamed one first; everything deeper is inline."""
    blocks = []
    for address, table in tables.items():
        lines = [f"[{dotted(address)}]"] if address else []
        lines += [f"{key_text(key)} = {inline(value)}" for key, value in table.items()]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"
