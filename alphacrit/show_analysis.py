"""An analysis of a sweep as tables for a terminal of 80 columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from alphacrit.analyzing import CRITICAL, records
from alphacrit.terminal import number, say, say_prose, show_table
from alphacrit.terminal import table as table_of

if TYPE_CHECKING:
    import pandas as pd

    from alphacrit.analyzing import Analysis

SHOWN = 20  # points; --csv writes all
ROOMY = 3  # most addresses beside which there is room for intervals


def show(found: Analysis) -> None:
    """The analysis as tables for a terminal."""
    data, table = found.data, found.summary
    say(f"{data.scenario.name} ({data.scenario.digest}) in {found.folder}", style="bold")
    counts = table[["runs", "failed", "missing"]].sum()
    say(
        f"{len(table):,} points: {counts['runs']:,} runs ended well, {counts['failed']:,} failed, "
        f"{counts['missing']:,} are missing"
    )
    rule = CRITICAL if found.ask.formed is None else f"at {found.ask.formed:g} or more at the end"
    say_prose(f"A collective counts as formed {rule}.")
    for name in data.scenario.names:
        say()
        _show_points(found, name)
    for each in found.sensitivity:
        say()
        _show_table(
            each.table, f"{each.outcome}: indices, {number(each.variance, 3)} of variance "
            f"({each.design}, {each.points} rows × {each.replicates})",
        )  # fmt: skip
    for line in found.regression:
        say()
        kept = ["term", "standardised", "standardised.low", "standardised.high", "coefficient"]
        _show_table(
            line.table[kept], f"{line.outcome}: regression on {line.points} points, "
            f"R² = {number(line.r_squared, 3)}",
        )  # fmt: skip


def _show_points(found: Analysis, name: str) -> None:
    """Points with what became of one collective there, the first few of them."""
    data, table = found.data, found.summary.head(SHOWN)
    payer = data.scenario.principal
    plain = {f"tipping.{name}": "epochs", f"alpha_crit.{name}": "α_crit"}
    if payer is not None and payer.collective == name:
        plain |= {"spent": "spent", "bound": "B"}
    ranged = {f"formed.{name}": "forms", f"alpha.{name}": "α"}
    if len(data.addresses) > ROOMY:
        ranged, plain = {}, ranged | plain
    heads = [*_shortened(data.addresses), "runs", *ranged.values(), *plain.values()]
    look = table_of(*(f">{head}" for head in heads), title=name)
    for row in records(table):
        cells = [_word(row[address]) for address in data.addresses] + [str(row["runs"])]
        cells += [_estimate(row, column) for column in ranged]
        look.add_row(*cells, *(number(row[column], 4) for column in plain))
    show_table(look)
    if len(found.summary) > SHOWN:
        say(f"… and {len(found.summary) - SHOWN:,} more points; --csv writes them all")


def _show_table(table: pd.DataFrame, title: str) -> None:
    """A table of estimates, each with its interval in brackets."""
    ends = (".low", ".high")
    columns = [name for name in table.columns if not name.endswith(ends)]
    look = table_of(columns[0], *(f">{name}" for name in columns[1:]), title=title)
    for row in records(table):
        look.add_row(_word(row[columns[0]]), *(_estimate(row, name) for name in columns[1:]))
    show_table(look)


def _estimate(row: dict[str, Any], name: str) -> str:
    """``0.35 [0.2, 0.5]``; no brackets where there is no interval."""
    value, low = number(row[name], 3), row.get(f"{name}.low")
    high = row.get(f"{name}.high")
    if low is None or high is None or math.isnan(low) or low == high:
        return value
    return f"{value} [{number(low, 3)}, {number(high, 3)}]"


def _word(value: Any) -> str:
    return number(value, 4) if isinstance(value, float) else str(value)


def _shortened(addresses: tuple[str, ...]) -> list[str]:
    """The shortest ends of addresses that tell them apart."""
    shorts = []
    for address in addresses:
        parts = address.split(".")
        for many in range(1, len(parts) + 1):
            short = ".".join(parts[-many:])
            if sum(f".{other}".endswith(f".{short}") for other in addresses) == 1:
                break
        shorts.append(short)
    return shorts
