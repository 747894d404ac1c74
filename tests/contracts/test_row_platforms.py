"""Platforms trained on rows owe what every success function owes (see `battery`)."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from learners.tabular.control import Control, pool_of
from learners.tabular.convex import ConvexModel
from learners.tabular.convex_platform import LogisticPlatform
from learners.tabular.gradient import Network
from learners.tabular.gradient_platform import ControlPlatform, GradientPlatform
from learners.tabular.row_strategies import Plant, Steer
from learners.tabular.rows import SetColumns, generated_rows
from learners.tabular.steering import neutralise

from . import battery
from . import test_success_functions as claims

ROWS = generated_rows(np.random.default_rng(0), 120, 4, unused=1)
REAL = generated_rows(np.random.default_rng(1), 120, 4, real_labels=True)
MARK = SetColumns((3,), (1.0,))


def planting_two():
    plans = {"a": Plant("feature_label", MARK, 1), "b": Plant("feature_only", MARK, 0)}
    return LogisticPlatform(ConvexModel("logistic", 0.01), ROWS, plans)


def steering():
    model = ConvexModel("logistic", 0.02)
    target = 0.5 * model.fit(ROWS).theta
    return LogisticPlatform(model, ROWS, {"union": Steer(neutralise(model, ROWS, target))})


def trained():
    plant = {"union": Plant("feature_label", MARK, 1)}
    return GradientPlatform(Network(4, (3,)), ROWS, plant, 0.5, 20, replicates=2)


def controlled():
    rng = np.random.default_rng(2)
    network = Network(4, (2,), "squared")
    control = Control(network.initial(rng), 1.0, pool_of(rng, network))
    return ControlPlatform(network, REAL, "union", control, 0.5, 3, replicates=2)


MADE = {"plant": planting_two, "steer": steering, "gradient": trained, "control": controlled}


@pytest.fixture(params=list(MADE))
def platform(request):
    if request.param in ("gradient", "control"):
        if importlib.util.find_spec("torch") is None:
            pytest.skip("torch (the extra learners) is not installed")
        import torch

        torch.set_num_threads(1)
    return MADE[request.param]()


@pytest.mark.parametrize("claim", battery.OF_TRAINED_PLATFORMS, ids=lambda claim: claim.__name__)
def test_the_battery(platform, claim, monkeypatch):
    battery.few(monkeypatch, rows=6)
    claim(platform)


@pytest.mark.parametrize("shape", [(), (1,), (3, 2), (2, 0), (0,)])
def test_shapes_type_and_range(platform, shape):
    claims.test_shapes_type_and_range(platform, shape)


def test_an_economy_can_use_it(platform):
    rng = np.random.default_rng(3)
    assert platform.sees_people
    points = platform.draw_people(50, rng)
    assert points.shape == (50,) and points.dtype.kind == "i"
    attached = platform.attach(points)
    assert type(attached) is type(platform) and attached is not platform
    members = rng.integers(0, platform.size + 1, 50)
    value = attached.by_membership(members)
    assert value.shape == (platform.size,) and np.all((value >= 0) & (value <= 1))
    np.testing.assert_array_equal(attached.by_membership(np.zeros(50, dtype=int)), 0.0)
    for wrong, message in (
        ([0] * 49, "membership: got 49 people; 50 are attached"),
        ([0] * 49 + [9], r"membership: got 9; must be in 0 … "),
        ([0.5] * 50, "of float64; must be integers"),
    ):
        with pytest.raises(ValueError, match=message):
            attached.by_membership(wrong)
    for wrong in ([-1], [120], [], [0.5], [[1]]):
        with pytest.raises(ValueError, match="points: got"):
            platform.attach(wrong)
