"""Hyper-parameters, the schedule of the rate, devices and precision."""

from __future__ import annotations

import sys

import pytest

from learners.errors import MissingError
from learners.texts.recipe import Recipe, device_of, precision_of, rate_at, steps_of


def test_the_defaults_are_those_of_the_trainer():
    """Those that H23 and K25 trained with, read off transformers itself."""
    transformers = pytest.importorskip("transformers", reason="the extra learners is not installed")
    theirs, ours = transformers.TrainingArguments, Recipe()
    found = {name: field.default for name, field in theirs.__dataclass_fields__.items()}
    assert ours.epochs == found["num_train_epochs"]
    assert ours.batch == found["per_device_train_batch_size"]
    assert ours.learning_rate == found["learning_rate"]
    assert ours.weight_decay == found["weight_decay"]
    assert ours.max_norm == found["max_grad_norm"]
    assert ours.warmup == found["warmup_steps"] == 0
    assert found["lr_scheduler_type"] == "linear"


def test_steps_and_rates_by_hand():
    recipe = Recipe(epochs=2, batch=8, learning_rate=1.0, warmup=0.5)
    assert steps_of(17, recipe) == 6  # 8 + 8 + 1, twice
    assert [rate_at(step, 4, recipe) for step in range(4)] == [0.0, 0.5, 1.0, 0.5]


def test_the_rate_rises_and_falls_as_transformers_has_it():
    recipe = Recipe(learning_rate=0.5, warmup=0.15)
    torch = pytest.importorskip("torch", reason="the extra learners is not installed")
    transformers = pytest.importorskip("transformers", reason="the extra learners is not installed")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, 3, 20)
    for step in range(20):
        assert rate_at(step, 20, recipe) == pytest.approx(schedule.get_last_lr()[0], abs=1e-15)
        optimizer.step()
        schedule.step()


def test_devices(monkeypatch):
    torch = pytest.importorskip("torch", reason="the extra learners is not installed")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("auto") == device_of("cpu") == "cpu"
    with pytest.raises(MissingError, match=r"device: got 'cuda'; torch finds 0 .* use"):
        device_of("cuda")
    with pytest.raises(ValueError, match="device: got 'tpu'; must be"):
        device_of("tpu")
    assert precision_of("auto", "cpu", 64) == "fp32"
    assert precision_of("bf16", "cpu", 64) == "bf16"


def test_without_torch_no_device_is_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingError, match=r'pip install "alphacrit\[learners\]"'):
        device_of("auto")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "epochs: got 0; must be a whole number ≥ 1"),
        ({"learning_rate": 0.0}, "learning_rate: got 0.0; must be > 0"),
        ({"learning_rate": float("nan")}, "learning_rate: got nan; must be > 0"),
        ({"warmup": 1.0}, r"warmup: got 1.0; must be in \[0, 1\)"),
        ({"precision": "fp16"}, "precision: got 'fp16'; must be one of auto, fp32, bf16"),
    ],
)
def test_recipes_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**arguments)
