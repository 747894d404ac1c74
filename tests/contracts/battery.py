"""What a trained platform owes of the claims about success functions, at few sizes.

Left out are the claims that it does not make: that a million sizes are quick, that training on more
members never harms (it may, by the seed), and relabelling.
"""

from __future__ import annotations

import pytest

from . import test_success_functions as claims

OF_TRAINED_PLATFORMS = (
    claims.test_it_says_what_it_is,
    claims.test_one_row_equals_many,
    claims.test_nobody_gets_nothing,
    claims.test_pickles,
    claims.test_inputs_are_left_alone_and_the_answer_is_the_callers,
    claims.test_outside_the_simplex_is_refused,
    claims.test_membership_equals_sizes,
)


def few(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """The claims' sizes, at most so many rows of them."""
    full = claims.sizes
    monkeypatch.setattr(
        claims,
        "sizes",
        lambda success, *shape, seed=0: full(success, *(min(n, rows) for n in shape), seed=seed),
    )
