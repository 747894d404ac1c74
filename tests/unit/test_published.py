"""Published measurements beside one's own."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.figures import published_and_measured
from analysis.published import HARDT_2023, KARAN_2025
from learners.measured.table import MeasuredTable


def lines(figure, panel: int) -> dict[str, np.ndarray]:
    """What is drawn, by label: (n, 2)."""
    containers = figure.axes[panel].containers
    found = {each.get_label(): each[0].get_xydata() for each in containers}
    return found or {line.get_label(): line.get_xydata() for line in figure.axes[panel].lines}


def test_the_numbers_are_those_of_the_theory_page():
    one, each = KARAN_2025["one token"], KARAN_2025["a token each"]
    curves = (*one, *each)
    at = {c.label: dict(zip(c.sizes, c.success, strict=True)) for c in curves}
    assert (at["A100 with B101"][0.01], at["B101 with A100"][0.01]) == (0.88, 0.12)
    assert (at["B101 alone"][0.005], at["B1 with A0"][0.005]) == (0.49, 0.86)
    (label,) = HARDT_2023["feature–label"]
    assert (label.low * 25_000, label.high * 25_000) == (25, 125)


def test_what_was_measured_stands_beside_it_alone_and_together():
    table = MeasuredTable.of(
        ("a", "b"),
        [(0.1, 0.0), (0.1, 0.0), (0.0, 0.1), (0.1, 0.1), (0.1, 0.2)],
        [(0.5, 0.0), (0.7, 0.0), (0.0, 0.9), (0.3, 0.2), (0.25, 0.8)],
        [0, 1, 0, 0, 0],
        [1.0] * 5,
        {},
    )
    figure = published_and_measured("karan2025", "one token", {"ours": table})
    assert len(lines(figure, 0)) == 4
    drawn = lines(figure, 1)
    assert drawn["ours a alone"].tolist() == [[0.1, 0.6]]  # the mean of the replicates
    assert drawn["ours a together"].tolist() == [[0.1, 0.3]]  # equal sizes only
    assert drawn["ours b alone"].tolist() == [[0.1, 0.9]]


def test_an_unknown_study_or_part_is_refused():
    with pytest.raises(ValueError, match="karan2025: one token, a token each"):
        published_and_measured("karan2025", "two tokens")
