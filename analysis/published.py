"""Measurements that papers published, to be put beside one's own.

References
----------
Hardt et al. (2023), section 5: distilbert on 25,000 resumes.
Karan et al. (2025), figure 3: distilbert on 20,000 resumes, read off the figure, ±2 points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["HARDT_2023", "KARAN_2025", "PublishedCurve", "PublishedRange"]


@dataclass(frozen=True)
class PublishedCurve:
    """Success at sizes, as published.

    Attributes
    ----------
    label : str
    sizes : shares of the data, each collective's own
    success : in [0, 1]
    """

    label: str
    sizes: tuple[float, ...]
    success: tuple[float, ...]


@dataclass(frozen=True)
class PublishedRange:
    """Sizes between which success sets in, as published in words.

    Attributes
    ----------
    label : str
    low, high : shares of the data
    """

    label: str
    low: float
    high: float


_SIZES = (0.00125, 0.0025, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.0175, 0.02)
_FEW = (0.00125, 0.0025, 0.005, 0.01, 0.02)


def _curve(label: str, percent: tuple[float, ...]) -> PublishedCurve:
    sizes = _SIZES if len(percent) == len(_SIZES) else _FEW
    return PublishedCurve(label, sizes, tuple(each / 100 for each in percent))


KARAN_2025: Mapping[str, tuple[PublishedCurve, ...]] = {
    "one token": (
        _curve("A100 with B101", (51, 90, 97, 87, 88, 83, 81, 76, 83)),
        _curve("B101 with A100", (0, 0, 3, 13, 12, 17, 14, 24, 17)),
        _curve("A100 alone", (47.5, 49, 98, 100, 100)),
        _curve("B101 alone", (0, 10, 49, 90, 100)),
    ),
    "a token each": (
        _curve("A0 with B1", (47, 74, 94, 100, 100, 100, 100, 100, 100)),
        _curve("B1 with A0", (0, 1, 86, 100, 100, 100, 100, 100, 100)),
        _curve("A0 alone", (47, 63, 91, 100, 100)),
        _curve("B1 alone", (0, 0, 62, 100, 100)),
    ),
}

HARDT_2023: Mapping[str, tuple[PublishedRange, ...]] = {
    "feature–label": (PublishedRange("first success to consistent success", 0.001, 0.005),),
    "feature-only": (
        PublishedRange("database administrator", 0.01, 0.01),
        PublishedRange("web developer", 0.02, 0.02),
        PublishedRange("software developer", 0.05, 0.05),
    ),
}
