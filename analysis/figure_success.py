"""Families of success curves S(α), after Hardt et al. 2023, figure 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.by_size import success_by_size
from analysis.figure_style import DOUBLE, SINGLE, blank, end_labels, look, number, styled
from sim.scenario_fields import extra_of
from sim.scenario_parts import BOUND_SIGNALS
from sim.scenario_platforms import BoundPlatform

if TYPE_CHECKING:
    from sim.scenario import Scenario

Floats = NDArray[np.float64]

RARE = (0.001, 0.01, 0.1)
FAMILIES: dict[str, dict[str, tuple[float, ...]]] = {
    "feature_label": {
        "signal.uniqueness": RARE,
        "platform.suboptimality": (0.0, 0.1, 0.2, 0.3),
        "signal.gap": (0.1, 0.3, 1.0),
    },
    "feature_only": {
        "signal.uniqueness": RARE,
        "platform.suboptimality": (0.0, 0.1, 0.2, 0.3),
        "signal.positivity": (0.05, 0.2, 0.5),
    },
    "erasure": {
        "signal.sensitivity": RARE,
        "platform.suboptimality": (0.0, 0.1, 0.2, 0.3),
    },
    "gradient_neutralising": {"signal.own_gradient": (0.5, 1.0, 2.0, 5.0)},
    "gradient_control": {"signal.steps": (1, 3, 10, 30)},
}


@styled
def success_curves(
    scenario: Scenario,
    vary: Mapping[str, Sequence[float]] | None = None,
    collective: str | None = None,
) -> Figure:
    """Families of S(α) of a collective alone, one panel for each parameter that is varied.

    Parameters
    ----------
    scenario : Scenario
    vary : mapping of address to values, optional
        Address of a field as in ``--set``; one that begins with ``signal.`` is the collective's.
        By default the parameters of the strategy's bound, as `FAMILIES` says; none where the
        platform is trained on data. The scenario's own value is always among the curves, and drawn
        thicker.
    collective : str, optional
        By default the first of the file; where nothing is varied all, each alone.

    Returns
    -------
    Figure
        Labels stand on the curves; the axis of α is logarithmic where small sizes matter.

    References
    ----------
    Hardt et al. 2023, figure 1.
    """
    name = collective or scenario.names[0]
    if vary is None:
        closed = isinstance(scenario.platform, BoundPlatform)
        vary = FAMILIES[scenario.collectives[name].strategy] if closed else {}
    addresses = {key: _address(key, name) for key in vary}
    panels = max(1, len(vary))
    figure, axes = blank(
        SINGLE if panels == 1 else DOUBLE, 2.4, columns=panels, sharex=True, sharey=True
    )
    logarithmic = bool(_size_for(scenario, name, 0.5) < 0.1)
    grid = _sizes(logarithmic)
    for panel, (key, values) in zip(axes[0], vary.items(), strict=False):
        own = _value(scenario, addresses[key])
        family = {
            value: _alone(scenario.replace({addresses[key]: value}), name, grid)
            for value in sorted({*values, own})
        }
        if logarithmic:
            panel.set_xscale("log")
        panel.set(xlim=(grid[0], grid[-1]), ylim=(0, 1.03))
        draw_family(panel, grid, {number(v): s for v, s in family.items()}, number(own))
        panel.set_title(_words(scenario.collectives[name].strategy, key))
        panel.set_xlabel("size of the collective α")
    if not vary:
        panel = axes[0, 0]
        panel.set(xlim=(grid[0], grid[-1]), ylim=(0, 1.03))
        panel.set_xscale("log" if logarithmic else "linear")
        drawn = scenario.names if collective is None else (collective,)
        each_alone = {each: _alone(scenario, each, grid) for each in drawn}
        draw_family(panel, grid, each_alone, name if len(drawn) == 1 else None)
        panel.set_xlabel("size of the collective α")
    several = not vary and collective is None and len(scenario.names) > 1
    whose = "each collective alone" if several else name
    axes[0, 0].set_ylabel(f"success S(α) of {whose}")
    return figure


def draw_family(
    axes: Axes, alpha: Floats, family: Mapping[str, Floats], thick: str | None = None
) -> None:
    """Draw labelled curves S(α); labels at the right end where the ends differ, else on them."""
    for position, (label, success) in enumerate(family.items()):
        style = look(position)
        axes.plot(
            alpha,
            success,
            color=style.color,
            linestyle=style.dashes,
            linewidth=2.2 if label == thick else 1.2,
            gid=f"family-{label}",
        )
    ends = sorted(success[-1] for success in family.values())
    colors = [look(position).color for position in range(len(family))]
    if len(ends) > 1 and min(np.diff(ends)) > 0.02:
        tips = zip(family.items(), colors, strict=True)
        end_labels(axes, [(float(s[-1]), label, color) for (label, s), color in tips])
        return
    # Curves that lie side by side: the leftmost gets its label highest, the rightmost lowest.
    order = sorted(family, key=lambda label: -float(np.mean(family[label])))
    levels = np.linspace(0.84, 0.22, len(order)) if len(order) > 1 else [0.5]
    for label, level in zip(order, levels, strict=True):
        success = family[label]
        reached = int(np.searchsorted(success, level * success.max()))
        axes.text(
            alpha[min(reached, len(alpha) - 1)],
            level * success.max(),
            label,
            color=colors[list(family).index(label)],
            ha="center",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )


def _words(strategy: str, key: str) -> str:
    """Name and letter of a field, such as ``uniqueness ξ``; both are declared with the field."""
    table, _, field = key.rpartition(".")
    part = BOUND_SIGNALS[strategy] if table == "signal" else BoundPlatform
    if field not in part.model_fields:
        return key
    symbol = extra_of(part.model_fields[field], "symbol")
    return f"{field.replace('_', ' ')} {symbol}".strip()


def _address(key: str, name: str) -> str:
    return f"collectives.{name}.{key}" if key.startswith("signal.") else key


def _value(scenario: Scenario, address: str) -> float:
    return scenario.flat()[address]


def _alone(scenario: Scenario, name: str, sizes: Floats) -> Floats:
    """S of ``name`` at the given sizes when all others have size 0."""
    success, position = success_by_size(scenario), scenario.names.index(name)
    return success.at(sizes[:, None] * np.eye(success.size)[position])[:, position]


def _size_for(scenario: Scenario, name: str, target: float) -> float:
    """About the smallest size with success ``target``; 1 where none has."""
    grid = np.geomspace(1e-4, 1.0, 400)
    enough = np.flatnonzero(_alone(scenario, name, grid) >= target)
    return float(grid[enough[0]]) if len(enough) else 1.0


def _sizes(logarithmic: bool) -> Floats:
    return np.geomspace(1e-4, 1.0, 1201) if logarithmic else np.linspace(0.0, 1.0, 1201)
