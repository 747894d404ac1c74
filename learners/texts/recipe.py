"""How a text classifier is trained: hyper-parameters, device and precision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from learners.errors import MissingError
from learners.texts.pretrained import INSTALL

__all__ = [
    "PRECISIONS",
    "Precision",
    "Recipe",
    "device_of",
    "precision_of",
    "rate_at",
    "steps_of",
]

Precision = Literal["auto", "fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
BF16_WIDTH = 256  # on the processor; narrower networks lose more by converting than they gain
BF16_CPU = ("avx512_bf16", "amx_bf16")


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters; the defaults are those of HuggingFace's Trainer.

    AdamW with β = (0.9, 0.999), ε = 1e-8; the rate rises linearly in the first ``warmup`` of the
    steps, then falls linearly to 0.

    Parameters
    ----------
    epochs : int, ≥ 1
        Passes over the texts.
    batch : int, ≥ 1
        Texts of a step. Changes the model: fewer, larger steps.
    learning_rate : float, > 0, η
        The largest.
    weight_decay : float, ≥ 0
        Not of biases and layer norms.
    warmup : float in [0, 1)
        Share of the steps.
    max_norm : float, > 0
        A longer gradient is cut to this length.
    length : int, ≥ 3
        Tokens of a text at most, [CLS] and [SEP] included; the rest is cut off.
    attention_dropout : float in [0, 1), optional
        Default: the network's own (0.1). Changes the model; on the processor 0 is 2 to 4 times
        faster.
    precision : {"auto", "fp32", "bf16"}
        Of the matrix products; weights and optimiser are always fp32.
    device : str
        "auto" = a GPU where there is one, "cpu", "cuda", "cuda:1", "mps".
    """

    epochs: int = 3
    batch: int = 8
    learning_rate: float = 5e-5
    weight_decay: float = 0.0
    warmup: float = 0.0
    max_norm: float = 1.0
    length: int = 512
    attention_dropout: float | None = None
    precision: Precision = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        _require_whole("epochs", self.epochs, 1)
        _require_whole("batch", self.batch, 1)
        _require_whole("length", self.length, 3)
        _require("learning_rate", self.learning_rate, "> 0", self.learning_rate > 0.0)
        _require("max_norm", self.max_norm, "> 0", self.max_norm > 0.0)
        _require("weight_decay", self.weight_decay, "≥ 0", self.weight_decay >= 0.0)
        _require("warmup", self.warmup, "in [0, 1)", 0.0 <= self.warmup < 1.0)
        if self.attention_dropout is not None:
            inside = 0.0 <= self.attention_dropout < 1.0
            _require("attention_dropout", self.attention_dropout, "in [0, 1)", inside)
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision: got {self.precision!r}; must be one of {', '.join(PRECISIONS)}"
            )


def steps_of(texts: int, recipe: Recipe) -> int:
    """Steps of a training: epochs · ceil(n / batch)."""
    return recipe.epochs * math.ceil(texts / recipe.batch)


def rate_at(step: int, total: int, recipe: Recipe) -> float:
    """Learning rate of a step, counted from 0: up to η in the warm-up, then down to 0.

    >>> [rate_at(step, 4, Recipe(learning_rate=1.0)) for step in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    warm = math.ceil(recipe.warmup * total)
    if step < warm:
        return recipe.learning_rate * step / warm
    return recipe.learning_rate * (total - step) / max(1, total - warm)


def device_of(device: str) -> str:
    """The device that "auto" stands for, or the named one if it is there.

    Raises
    ------
    MissingError
        There is no such device on this machine, or no torch.
    ValueError
        No device is named like that.
    """
    try:
        import torch
    except ImportError as problem:
        raise MissingError(INSTALL.format("torch")) from problem
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda", "mps") or not (number.isdecimal() or not number):
        raise ValueError(
            f'device: got {device!r}; must be "auto", "cpu", "cuda", "cuda:1" or "mps"'
        )
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }[kind]
    if int(number or 0) >= there:
        raise MissingError(
            f"device: got {device!r}; torch finds {there} of this kind on this machine: use "
            '"auto" or "cpu", or install a torch that is built for the device'
        )
    return device


def precision_of(precision: Precision, device: str, width: int) -> Literal["fp32", "bf16"]:
    """The precision that "auto" stands for: bf16 where the device multiplies in it and it pays.

    Parameters
    ----------
    precision : {"auto", "fp32", "bf16"}
    device : str
        As `device_of` gives it.
    width : int
        Units of a token in the network.
    """
    if precision != "auto":
        return precision
    import torch

    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    able: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    pays = width >= BF16_WIDTH and any(able.get(name) for name in BF16_CPU)
    return "bf16" if device == "cpu" and pays else "fp32"


def _require(name: str, value: float, allowed: str, holds: bool) -> None:
    if not (holds and math.isfinite(value)):
        raise ValueError(f"{name}: got {value}; must be {allowed}")


def _require_whole(name: str, value: int, least: int) -> None:
    _require(name, value, f"a whole number ≥ {least}", value == int(value) and value >= least)
