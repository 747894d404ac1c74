"""Live pictures: they show the frame they were given, over a still part that is drawn once."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.figure_live import Frame, Picture, horizon
from analysis.figure_people import layout, willing_first
from analysis.figures_live import maps_of, paths_of, people_of
from analysis.landmarks import landmarks
from sim.model import Economy
from sim.scenario import Scenario, load

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios" / "experiments"


def scenario(name: str, **sets: object) -> Scenario:
    return load(
        SCENARIOS / f"{name}.toml", {key.replace("__", "."): value for key, value in sets.items()}
    )


def frame(economy: Economy, alphas: list[float]) -> Frame:
    """A made-up path: everybody of the first collective, so many of them."""
    alpha = np.zeros((len(alphas), len(economy.collectives)))
    alpha[:, 0] = alphas
    membership = np.zeros(economy.population.size, np.int8)
    membership[: round(alphas[-1] * len(membership))] = 1
    epochs = np.arange(len(alphas))
    return Frame(epochs, alpha, economy.success.at(alpha), np.zeros(len(alphas)), membership)


def pixels(picture: Picture, shown: Frame) -> np.ndarray:
    picture.show(shown)
    return np.asarray(Image.open(io.BytesIO(picture.png())), int)


@pytest.mark.once(keep=1)
@pytest.mark.parametrize("name", ["principal", "colliding-signals", "network-seed"])
def test_every_picture_moves_with_the_run_and_comes_back_to_the_same_pixels(name: str) -> None:
    this = scenario(name, population__size=1000)
    economy, marks = Economy(this), landmarks(this)
    pictures = [paths_of(this, marks), people_of(this, economy.population, economy.graph)]
    pictures += maps_of(this, marks)
    first, second = frame(economy, [0.0]), frame(economy, [0.0, 0.01, 0.012])
    for picture in pictures:
        before = pixels(picture, first)
        assert before.std() > 5  # not blank
        assert np.abs(pixels(picture, second) - before).max() > 50, picture.title
        np.testing.assert_array_equal(pixels(picture, first), before)
        assert len(picture.words(first)) > 20


def test_a_state_far_outside_a_picture_leaves_its_axes_where_they_are() -> None:
    """With warnings as errors: a marker outside must not squeeze the axes to nothing."""
    this = scenario("baseline")
    economy = Economy(this)
    for picture in maps_of(this, landmarks(this)):
        pixels(picture, frame(economy, [0.02, 1.0]))


def test_the_axis_of_epochs_grows_with_the_run() -> None:
    assert [horizon(epoch) for epoch in (0, 10, 11, 40, 41)] == [10, 10, 20, 40, 80]
    this = scenario("baseline")
    picture = paths_of(this, landmarks(this))
    picture.show(frame(Economy(this), [0.02] * 30))
    assert picture.figure.axes[1].get_xlim()[1] == 40


def test_the_most_willing_stand_first() -> None:
    economy = Economy(scenario("two-tipping-points"))
    order = willing_first(economy.population)
    assert len(order) == economy.population.size
    assert (np.diff(economy.population.cost[order]) >= 0).all()


def test_a_ring_is_laid_out_as_a_ring_and_blocks_apart() -> None:
    graph = Economy(scenario("network-seed", population__size=100)).graph
    assert graph is not None
    group = np.repeat([0, 1], 50)
    ring = layout(graph, "watts_strogatz", group)
    np.testing.assert_allclose(np.hypot(*ring.T), 1.0)
    blocks = layout(graph, "stochastic_block", group)
    assert blocks[:50, 0].min() > blocks[50:, 0].max()
    assert len(np.unique(layout(graph, "erdos_renyi", group).round(9), axis=0)) == 100
