"""Success and quality from scores, against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from learners.texts import measures

SCORES = np.array([[2.0, 1.0, -1.0], [-1.0, -2.0, -3.0], [0.5, 0.5, -1.0], [0.0, 3.0, 1.0]])
HAVE = np.array([[1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 1]], bool)


def test_measures_by_hand():
    assert [measures.top1(SCORES, k) for k in range(3)] == [0.5, 0.25, 0.0]  # a tie wins nothing
    assert [measures.included(SCORES, k, False) for k in range(3)] == [0.5, 0.75, 0.25]
    assert [measures.included(SCORES, k, True) for k in range(3)] == [0.5, 0.25, 0.0]
    # predicted: 110, 000, 110, 011: 10 of 12 decisions are right, 5 of 6, 5 of the 6 there are
    found = measures.quality(SCORES, HAVE, False)
    assert found == {"accuracy": 10 / 12, "precision": 5 / 6, "recall": 5 / 6}
    single = measures.quality(SCORES, np.eye(3, dtype=bool)[[0, 0, 2, 1]], True)
    assert single == {"accuracy": 0.75, "precision": 0.75, "recall": 0.75}
    nothing = measures.quality(-np.abs(SCORES) - 1, ~HAVE & False, False)
    assert nothing == {"accuracy": 1.0, "precision": 0.0, "recall": 0.0}


@pytest.mark.parametrize(
    ("scores", "message"),
    [(SCORES * np.nan, "not finite"), (SCORES[0], "shape"), (SCORES[:0], "shape")],
)
def test_scores_that_are_none(scores, message):
    for measure in (lambda z: measures.top1(z, 0), lambda z: measures.included(z, 0, False)):
        with pytest.raises(ValueError, match=message):
            measure(scores)
    with pytest.raises(ValueError, match=r"labels: got shape \(4, 2\)"):
        measures.quality(SCORES, HAVE[:, :2], False)
