"""Finite populations against their limit: the distance falls as 1/√N where chance rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import figures
from analysis.finite_size import distances, root_mean_square, slope
from analysis.mean_field import mean_field_path
from sim.model import Economy
from tests.economies import scenario

CROWD = {
    "collectives.union.strategy": "gradient_control",
    "collectives.union.signal": {"pull": 1.0, "learning_rate": 1.0, "steps": 1},
    "population.free_riding": 0.0,
    "population.cost": {"dist": "normal", "mean": 0.25, "sd": 0.2},
    "epochs": 12,
}
NOISY = {
    **CROWD,
    "population.cost": {"dist": "values", "values": [0.1, 0.3, 0.5]},
    "revision.protocol": "logit",
    "revision.noise": 0.05,
}
SIZES = [1_000, 4_000, 16_000, 64_000]


@pytest.mark.once
@pytest.mark.parametrize("changes", [CROWD, NOISY], ids=["drawn costs", "noise"])
def test_the_distance_falls_as_one_over_root_n(changes: dict) -> None:
    """Fitted slope within four standard errors of −1/2, and an error that excludes 0 and −1.

    The standard error of a log root mean square of R runs is about 1/√(2R), here 0.11; over the
    factor 64 of sizes that of the slope is about 0.035. Four of them: one such test in 16,000
    fails.
    """
    table = distances(scenario(changes), SIZES, 40)
    assert table.groupby("size").size().tolist() == [40] * 4
    found, error = slope(table)
    assert found == pytest.approx(-0.5, abs=0.14)
    assert error < 0.1


def test_people_who_are_alike_differ_by_rounding_only() -> None:
    """A start of 0.35 is a whole number of 20 people, and 3 or 4 of 10."""
    alike = {**CROWD, "population.cost": 0.2, "collectives.union.start": 0.35}
    table = distances(scenario(alike), [20, 10], 1).set_index("size")["distance"]
    assert table[20] == pytest.approx(0.0, abs=1e-15)
    assert table[10] == pytest.approx(0.05, abs=1e-15)


def test_the_distance_is_the_largest_of_any_epoch() -> None:
    world = scenario({**CROWD, "population.size": 500, "stop": {"when": "never"}})
    path = mean_field_path(world)["alpha"].to_numpy()
    apart = [
        max(abs(a - b) for a, b in zip(Economy(world, r).run().series["alpha"], path, strict=True))
        for r in range(3)
    ]
    table = distances(scenario(CROWD), [500], 3)
    assert table["distance"].tolist() == pytest.approx(apart, abs=1e-15)
    assert set(table["engine"]) == {"rows"}


def made(power: float) -> pd.DataFrame:
    """Distances that fall exactly so."""
    size = np.repeat([10, 100, 1_000, 10_000], 2)
    return pd.DataFrame(
        {"size": size, "replicate": [0, 1] * 4, "engine": "rows", "distance": 3.0 * size**power}
    )


def test_slope_of_a_known_law() -> None:
    assert slope(made(-0.5)) == pytest.approx((-0.5, 0.0), abs=1e-9)
    assert slope(made(-1.0), 100) == pytest.approx((-1.0, 0.0), abs=1e-9)
    with pytest.raises(ValueError, match="at least three"):
        slope(made(-0.5), 1_000)


def test_the_figure_shows_the_numbers() -> None:
    tables = {"one": made(-0.5), "two": made(-1.0)}
    (axes,) = figures.finite_size(tables).axes
    drawn = {each.get_label(): each for each in axes.containers}
    for label, table in tables.items():
        means = root_mean_square(table)
        x, y = drawn[label].lines[0].get_data()
        assert x.tolist() == means["size"].tolist()
        assert y == pytest.approx(means["distance"])
    grey = [line for line in axes.get_lines() if line.get_gid() == "root"]
    for line in grey:
        (x0, x1), (y0, y1) = line.get_data()
        assert np.log(y1 / y0) / np.log(x1 / x0) == pytest.approx(-0.5)
    assert len(grey) == 2
    assert axes.get_xscale() == axes.get_yscale() == "log"
    with pytest.raises(ValueError, match="no distances"):
        figures.finite_size({})
    nothing = made(-1.0).assign(distance=0.0)
    with pytest.raises(ValueError, match="nothing is apart from the mean field"):
        figures.finite_size({"alike": nothing})
