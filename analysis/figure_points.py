"""Figures of a sweep's points beside what theory says of them, and of what matters most."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figure_style import BLUE, GREY, INK, SINGLE, VERMILION, blank, styled
from analysis.sensitivity import Sensitivity
from analysis.sweep_data import SweepData, SweepResults, sweep_data
from analysis.sweeps import sweep_summary

What = SweepData | SweepResults | str | Path


@styled
def sensitivity_chart(found: Sensitivity) -> Figure:
    """Indices of one outcome with their intervals, the most important parameter on top.

    Of Sobol's indices the first order (filled) and the total (open): what lies between them is
    interaction. Of Morris's, μ* (filled) and σ (open): σ beside a large μ* is interaction or
    curvature.
    """
    sobol = found.design == "saltelli"
    main, second = ("first", "total") if sobol else ("mu_star", "sigma")
    table = found.table.sort_values("total" if sobol else "mu_star", ignore_index=True)
    figure, ((axes,),) = blank(SINGLE * 1.4, 0.9 + 0.36 * len(table))
    height = np.arange(len(table), dtype=float)
    for name, shift, face in ((main, 0.12, BLUE), (second, -0.12, "white")):
        if f"{name}.low" in table:
            axes.hlines(
                height + shift, table[f"{name}.low"], table[f"{name}.high"], color=BLUE,
                linewidth=1.0, gid=f"interval-{name}",
            )  # fmt: skip
        words = {"first": "first order", "mu_star": "μ*, mean size of effects", "sigma": "σ"}
        axes.plot(
            table[name], height + shift, marker="o", linestyle="none", markeredgecolor=BLUE,
            markerfacecolor=face, label=words.get(name, name), gid=name,
        )  # fmt: skip
    axes.axvline(0.0, color=GREY, linewidth=0.6, zorder=0)
    axes.set_yticks(height, table["address"].tolist())
    axes.set_ylim(-0.5, len(table) - 0.5)
    share = f"share of the variance of {found.outcome}"
    axes.set_xlabel(share if sobol else f"effect on {found.outcome} of the whole range")
    axes.set_title(f"{found.confidence:.0%} intervals")
    axes.legend(frameon=False, loc="lower right")
    return figure


@styled
def spending(what: What, summary: pd.DataFrame | None = None) -> Figure:
    """What the principal spent on average at each point, against the bound B(α_crit).

    Filled where her collective formed in at least half of the runs. On the diagonal she spends
    what theory says is enough from nothing.

    Parameters
    ----------
    what : an opened sweep (``alphacrit.load``), its folder, or ``SweepData``; with a principal
    summary : what ``analysis.sweeps.sweep_summary`` says of it, where that is known already

    Raises
    ------
    ValueError
        There is no principal.
    """
    data = sweep_data(what)
    payer = data.scenario.principal
    if payer is None:
        raise ValueError("spending: this sweep's scenario has no principal")
    table = sweep_summary(data) if summary is None else summary
    table = table[np.isfinite(table["bound"]) & np.isfinite(table["spent"])]
    figure, ((axes,),) = blank(SINGLE, 3.2)
    top = 1.05 * max(float(table[["bound", "spent"]].to_numpy().max(initial=0.0)), 1e-12)
    axes.plot([0, top], [0, top], color=GREY, linewidth=0.8, gid="diagonal")
    axes.vlines(
        table["bound"], table["spent.low"], table["spent.high"], color=INK, linewidth=0.7,
        gid="intervals",
    )  # fmt: skip
    forms = table[f"formed.{payer.collective}"] >= 0.5
    for some, face, words in (
        (forms, VERMILION, "forms"),
        (~forms, "white", "does not form"),
    ):
        axes.plot(
            table["bound"][some], table["spent"][some], marker="o", linestyle="none",
            markeredgecolor=VERMILION, markerfacecolor=face, label=f"{payer.collective} {words}",
            gid=words, clip_on=False,
        )  # fmt: skip
    axes.set(xlim=(0, top), ylim=(0, top), xlabel="bound B(α_crit), utility")
    axes.set_ylabel("spent, utility (mean of the runs)")
    axes.legend(frameon=False, loc="upper left")
    return figure
