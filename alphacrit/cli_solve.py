"""The inverse question: ``alphacrit solve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from alphacrit import terminal
from alphacrit.cli import File, Json, Quiet, Seed, Set, app, examples, guarded, read
from alphacrit.terminal import number

if TYPE_CHECKING:
    from sim.sweep.inverse import Solution


@app.command(
    epilog=examples(
        "alphacrit solve principal --find principal.budget=0:100 "
        "--target 'final.union.alpha>=0.5' --confidence 0.95",
        "alphacrit solve baseline --find population.cost=0.1:0.9 "
        "--target 'final.union.alpha>0' --largest",
    )
)
@guarded
def solve(
    file: File,
    find: Annotated[
        str,
        typer.Option("--find", metavar="KEY=LOW:HIGH", help="What may vary, and between what."),
    ],
    target: Annotated[
        str,
        typer.Option(
            "--target",
            metavar="OUTCOME>=NUMBER",
            help="What a run shall reach: final.NAME.alpha, final.NAME.success, spent, welfare or "
            "epochs, with >=, <=, > or <.",
        ),
    ],
    share: Annotated[
        float,
        typer.Option("--share", metavar="Q", help="Share of the random worlds that must reach it."),
    ] = 0.5,
    confidence: Annotated[
        float,
        typer.Option("--confidence", help="Probability that the whole answer is right."),
    ] = 0.95,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", help="Width of the answer; default a thousandth of the range."),
    ] = None,
    largest: Annotated[
        bool,
        typer.Option("--largest", help="Ask for the largest value, where more of it hinders."),
    ] = False,
    most_runs: Annotated[
        int, typer.Option("--most-runs", min=1, help="Runs at one value, at most.")
    ] = 1000,
    set_: Set = None,
    seed: Seed = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the smallest value of one number with which a target is reached."""
    from sim.sweep import inverse
    from sim.sweep.target import target_of

    scenario = read(file, set_, seed)
    address, low, high = _range(find)
    question = inverse.Question(
        address, low, high, target_of(target, scenario.names), share, confidence,
        tolerance, largest, most_runs,
    )  # fmt: skip
    whole = inverse.check_question(scenario, question)
    with terminal.watch("searching", 2 + inverse.halvings(question, whole), quiet) as progress:
        solution = inverse.solve(scenario, question, progress.advance)
    if json:
        head = {"scenario": scenario.name, "digest": scenario.digest, "seed": scenario.seed}
        terminal.say_json(head | solution.document())
    elif not quiet:
        _show(solution)


def _range(find: str) -> tuple[str, float, float]:
    """``principal.budget=0:100`` in its parts."""
    key, _, span = find.partition("=")
    low, _, high = span.partition(":")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = float("nan"), float("nan")
    if not key.strip() or not all(abs(end) < float("inf") for end in ends):
        raise typer.BadParameter(
            f"got {find!r}; must be KEY=LOW:HIGH, for example principal.budget=0:100",
            param_hint="--find",
        )
    return key.strip(), *ends


def _show(solution: Solution) -> None:
    """The answer, the candidates it rests on, and what is uncertain about it."""
    asked = solution.question
    which = "largest" if asked.largest else "smallest"
    terminal.say(f"{asked.address} = {number(solution.value, 9)}", style="bold")
    words = f"The {which} value in [{number(asked.low)}, {number(asked.high)}] with {asked.target} "
    words += f"in at least {number(100 * asked.share)} % of random worlds"
    if solution.short_of is not None:
        words += f": {number(solution.short_of, 9)} is not enough"
        words += f", {number(solution.value, 9)} is"
    elif not solution.undecided:
        words += ": the end of the range is enough"
    never = f"{'less' if asked.largest else 'more'} of it never hinders"
    sure = f"confidence {number(100 * asked.confidence)} %, supposing that {never}"
    terminal.say_prose(f"{words} ({sure}).")
    if solution.undecided:
        ends = [number(solution.undecided[i], 9) for i in (0, -1)]
        terminal.say_prose(
            f"{asked.most_runs} runs do not decide from {ends[0]} to {ends[1]}, where about "
            f"{number(100 * asked.share)} % of the worlds reach it; --most-runs narrows it down."
        )
    if solution.contradictions:
        terminal.say_prose(
            f"In {solution.contradictions} random worlds a worse value reached the target and a "
            "better one did not: it turns at several values, of which this is one."
        )
    look = terminal.table(f">{asked.address}", "enough?", ">reached", ">runs")
    answers = {True: "yes", False: "no", None: "undecided"}
    for trial in sorted(solution.trials, key=lambda each: each.value):
        row = (number(trial.value, 9), answers[trial.reached])
        look.add_row(*row, str(trial.hits), str(len(trial.outcomes)))
    terminal.say()
    terminal.show_table(look)
