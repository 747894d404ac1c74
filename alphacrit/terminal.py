"""What the command line says, and where: answers to stdout, everything else to stderr.

No colour when piped; nothing wider than the terminal, 80 columns when there is none.
"""

from __future__ import annotations

import json
import math
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from learners.progress import listening

PATIENCE = 1.0  # seconds of work before a progress bar appears


def out() -> Console:
    """The console for answers; user's text is never read as markup."""
    return Console(file=sys.stdout, markup=False, emoji=False, highlight=False)


def err() -> Console:
    """The console for messages and progress."""
    return Console(file=sys.stderr, markup=False, emoji=False, highlight=False)


def say(text: str = "", style: str | None = None) -> None:
    """One line of the answer; not wrapped, so that paths and numbers can be copied."""
    console = out()
    with console.capture() as captured:
        console.print(text, style=style, soft_wrap=True)
    _write(captured.get())


def say_prose(text: str) -> None:
    """A sentence, wrapped to the terminal with a hanging indent."""
    _write(textwrap.fill(text, width=out().width, subsequent_indent="  ") + "\n")


def _write(text: str) -> None:
    """To stdout at once: rich itself would end the program when the reader has left."""
    sys.stdout.write(text)
    sys.stdout.flush()


def complain(text: str) -> None:
    """A message to stderr, not wrapped: editors find ``file:line`` in it."""
    err().print(text, soft_wrap=True)


def aside(on: str | None) -> AbstractContextManager[Any]:
    """While a cluster works: what Ray prints goes to stderr, for stdout is the document's."""
    return nullcontext() if on is None else redirect_stdout(sys.stderr)


def say_json(document: Any) -> None:
    """One JSON document on stdout; NaN and infinities become null, which JSON has."""
    _write(json.dumps(_plain(document), indent=2, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table in the one look of the command line; '>' before a name aligns right."""
    look = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    look.padding = (0, 2, 0, 0)
    for column in columns:
        right = column.startswith(">")
        name = column.removeprefix(">")
        look.add_column(name, justify="right" if right else "left", overflow="fold")
    return look


def show_table(look: Table) -> None:
    """Print a table without the blanks that pad its lines."""
    console = out()
    with console.capture() as captured:
        console.print(look)
    _write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def indented(lines: Iterable[str]) -> Table:
    """Lines under a heading, wrapped with their indent."""
    look = table("")
    look.show_header = False
    look.padding = (0, 0, 0, 4)
    look.pad_edge = True
    for line in lines:
        look.add_row(line)
    return look


def number(value: float | None, digits: int = 6) -> str:
    """A number as one reads it: no trailing zeros, '–' for none."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.{digits}g}"


class Watch:
    """Counts steps on a progress bar that appears only when the work takes long.

    A second bar shows what is heard of a training under way: samples done, samples per second
    and the time that is left. Nothing is shown when stderr is not a terminal, or when told to be
    quiet.
    """

    def __init__(self, what: str, total: int, quiet: bool) -> None:
        self._started = time.monotonic()
        self._total, self._what, self._done = total, what, 0
        self._heard: tuple[str, int] = ("", 0)
        self._bar: Progress | None = None
        self._task: Any = None
        self._training: Any = None
        self._quiet = quiet or not err().is_terminal

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        bar = self._visible()
        if bar is not None:
            bar.update(self._task, completed=min(self._done, self._total))

    def hear(self, what: str, done: int, total: int) -> None:
        """Show how far a training is (a listener of ``learners.progress``)."""
        bar = self._visible()
        if bar is None or not total:
            return
        if self._training is None:
            self._training = bar.add_task(what, total=total, unit="samples")
        elif self._heard[0] != what or done < self._heard[1]:  # another one has begun
            bar.reset(self._training, description=what, total=total)
        bar.update(self._training, completed=done)
        self._heard = (what, done)

    def _visible(self) -> Progress | None:
        """The bar, once the work has taken long."""
        if self._bar is None and not self._quiet:
            if time.monotonic() - self._started <= PATIENCE:
                return None
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            self._bar = Progress(
                *columns, Speed(), TimeRemainingColumn(), console=err(), transient=True
            )
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=self._total)
            self._bar.update(self._task, completed=min(self._done, self._total))
        return self._bar

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()


class Speed(ProgressColumn):
    """``1,234 samples/s`` for tasks that have a unit."""

    def render(self, task: Task) -> Text:
        unit, speed = task.fields.get("unit"), task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {unit}/s" if unit and speed else "")


@contextmanager
def watch(what: str, total: int, quiet: bool = False) -> Iterator[Watch]:
    """A ``Watch`` that hears of trainings, and is taken down whatever happens."""
    progress = Watch(what, total, quiet)
    try:
        with listening(progress.hear):
            yield progress
    finally:
        progress.stop()
