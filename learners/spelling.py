"""How values of a column are written, and when two ways of writing are the same value.

A file, a TOML scenario and a DataFrame write the same value differently: 1, 1.0 and "1.0"; true,
True and "TRUE". Values keep the spelling of the data; they are *compared* by what they mean:

    numbers    by value, as written in decimal: 1 = 1.0 = 1e0. Not so "007" and "1_0", which are
               codes that happen to be digits
    truths     true = True = TRUE; a truth is no number
    others     letter by letter
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
Meaning = tuple[str, int | float | bool | str]
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "none", "<NA>", "#N/A")
ENDLESS = ("inf", "+inf", "-inf", "Inf", "-Inf", "infinity", "-infinity", "Infinity", "-Infinity")


def as_text(value: object) -> str:
    """A value of a feature or label as it would stand in a CSV file; TOML's true is "true"."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    return repr(float(value)) if isinstance(value, (float, np.floating)) else str(value)


def meaning(text: str) -> Meaning:
    """What a spelling stands for: equal for two spellings of the same value.

    Examples
    --------
    >>> meaning("1.0") == meaning("1"), meaning("True") == meaning("true")
    (True, True)
    >>> meaning("007") == meaning("7"), meaning("true") == meaning("1")
    (False, False)
    """
    if text in TRUTHS:
        return "truth", TRUTHS[text]
    if NUMBER.fullmatch(text):
        whole = text.lstrip("+-").isdigit()  # exactly, however long: a float has 16 digits only
        return "number", int(text) if whole else float(text)
    return "text", text


def same(value: object, known: Sequence[str]) -> str | None:
    """The one of the known spellings that this value is; None where it is none of them.

    Letter by letter before by meaning.
    """
    text = as_text(value)
    if text in known:
        return text
    wanted = meaning(text)
    if wanted == ("text", text):
        return None
    return next((each for each in known if meaning(each) == wanted), None)


def number_of(value: object) -> float | None:
    """The finite number that a value is, a truth being 1 or 0; None where it is none."""
    kind, found = meaning(as_text(value).strip())
    number = float(found) if kind in ("truth", "number") else float("nan")
    return number if np.isfinite(number) else None


def numeric(texts: Iterable[str]) -> bool:
    """Whether all of these are numbers, at least one of them; words for missing set aside."""
    left = [text for text in texts if text not in MISSING and text not in ENDLESS]
    return bool(left) and all(NUMBER.fullmatch(text) for text in left)


def truths(texts: Iterable[str]) -> bool:
    """Whether all of these are truths, at least one of them; words for missing set aside."""
    left = [text for text in texts if text not in MISSING]
    return bool(left) and all(text in TRUTHS for text in left)


def spelled(column: pd.Series) -> pd.Series:
    """A column as text, each value in one spelling: the first in alphabetical order.

    Only in a column of numbers or of truths; among words "1" and "1.0" are two names.
    """
    import pandas as pd

    codes, values = pd.factorize(column)
    texts = [as_text(value) for value in values]
    if numeric(texts) or truths(texts):
        first: dict[Meaning, str] = {}
        for text in sorted(texts):
            first.setdefault(meaning(text), text)
        texts = [first[meaning(text)] for text in texts]
    return pd.Series(np.array(texts, dtype=object)[codes], index=column.index, name=column.name)
