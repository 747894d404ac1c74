"""A step that is broken off can be taken again, on every Mesa."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from sim.model import Economy
from sim.scenario import Scenario, loads


def scenario() -> Scenario:
    return loads("""
        name = "one"
        epochs = 6
        platform = { learner = "bound" }
        revision = { rate = 0.3 }
        stop = { when = "never" }
        [collectives.union]
        strategy = "feature_label"
        signal = { uniqueness = 0.01, gap = 1.0 }
        start = 0.1
        [population]
        size = 200
        cost = { dist = "uniform", low = 0.0, high = 0.5 }
        free_riding = 0.2
    """)


class Interrupted(Economy):
    """Somebody presses Ctrl-C in the third epoch, before anything has changed."""

    presses = 1

    def step(self) -> None:
        if self.epoch == 2 and self.presses:
            self.presses -= 1
            raise KeyboardInterrupt
        super().step()


def series(economy: Economy) -> Any:
    return economy.run().series


def pickled(economy: Economy) -> Economy:
    return pickle.loads(pickle.dumps(economy))


@pytest.mark.parametrize("again", [lambda economy: economy, copy.deepcopy, pickled])
def test_after_an_interrupt_the_run_goes_on_as_if_nothing_had_been(again: Any) -> None:
    economy = Interrupted(scenario())
    with pytest.raises(KeyboardInterrupt):
        economy.run()
    assert economy.epoch == 2
    economy = again(economy)
    for _ in range(4):
        economy.step()
    assert economy.epoch == 6 and not economy.running
    np.testing.assert_array_equal(series(economy)["alpha"], series(Economy(scenario()))["alpha"])


def test_every_interrupt_comes_through() -> None:
    economy = Interrupted(scenario())
    economy.presses = 3
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            while economy.running:
                economy.step()
    assert economy.run().summary["epochs"] == 6
