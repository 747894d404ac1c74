"""Sizes given on the command line, and the success of each collective there."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import numpy as np

from alphacrit import terminal

if TYPE_CHECKING:
    from learners.success import SuccessFunction
    from sim.scenario import Scenario


class SizesError(ValueError):
    """Sizes that cannot be read; a mistake of usage, not of the scenario."""


def evaluate(scenario: Scenario, at: list[str]) -> dict[str, Any]:
    """S(α) at the sizes in ``at`` (``"union=0.02,guild=0.1"``), as the contract's document.

    Raises ``SizesError`` where a size cannot be read, is no share, or they sum to more than 1.
    """
    from sim.success_of import success_function
    from sim.trained import facts_of

    function = success_function(scenario)
    names = function.collectives
    alpha = np.array([_parse(text, names) for text in at])  # (P, K)
    value, interval = _measured(function, alpha)
    points = []
    for i in range(len(alpha)):
        bounds = None
        if interval is not None:
            bounds = {
                name: [float(interval[0][i, k]), float(interval[1][i, k])]
                for k, name in enumerate(names)
            }
        points.append(
            {
                "alpha": dict(zip(names, alpha[i].tolist(), strict=True)),
                "success": dict(zip(names, value[i].tolist(), strict=True)),
                "interval": bounds,
            }
        )
    document = {"scenario": scenario.name, "kind": function.kind, "points": points}
    signals = facts_of(scenario)
    return document | ({"signals": signals} if signals else {})


def _measured(function: SuccessFunction, alpha: Any) -> tuple[Any, Any]:
    """S at each of the sizes (P, K), and the intervals, with progress where it takes long."""
    value = np.empty(alpha.shape)
    with terminal.watch("sizes", len(alpha)) as watch:
        for i, sizes in enumerate(alpha):
            value[i] = function.at(sizes)
            watch.advance()
        return value, function.interval(alpha)


def _parse(text: str, names: tuple[str, ...]) -> list[float]:
    sizes = dict.fromkeys(names, 0.0)
    seen = set()
    for part in text.split(","):
        name, equals, number = (each.strip() for each in part.partition("="))
        if not equals:
            raise SizesError(f"got {part!r}; must be NAME=SIZE, for example {names[0]}=0.02")
        if name not in sizes:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f'; did you mean "{close[0]}"?' if close else ""
            raise SizesError(f"no collective {name!r}; there is {', '.join(names)}{hint}")
        if name in seen:
            raise SizesError(f"{name} is given twice in {text!r}")
        seen.add(name)
        sizes[name] = _share(name, number)
    if sum(sizes.values()) > 1.0 + 1e-9:
        raise SizesError(f"{text!r}: the sizes sum to {sum(sizes.values()):g}; at most 1")
    return list(sizes.values())


def _share(name: str, number: str) -> float:
    try:
        size = float(number)
    except ValueError:
        size = float("nan")
    if not 0.0 <= size <= 1.0:
        raise SizesError(f"{name}: got {number}; must be a share of the population, 0 to 1")
    return size
