"""The command line: ``alphacrit list | new | validate | show | run | success | equilibria``,
and in ``alphacrit.cli_learn`` ``learn | cache``, in ``alphacrit.cli_solve`` ``solve``,
in ``alphacrit.cli_sweep`` ``sweep | status``, in ``alphacrit.cli_analyze`` ``analyze``.

An answer goes to stdout (one JSON document with ``--json``), everything else to stderr.

Exit codes
----------
0 ok · 1 a bug of alphacrit · 2 usage · 3 invalid scenario · 4 a sweep ended with failed runs ·
5 no solution · 6 something is missing · 7 the results folder does not match · 130 interrupted
"""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphacrit import terminal
from learners.errors import AlphacritError, MissingError, ScenarioError

if TYPE_CHECKING:
    from sim.scenario import Scenario

INTERRUPTED = 130
BUG = 1

app = typer.Typer(
    name="alphacrit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 a bug of alphacrit, 2 usage, 3 invalid scenario, "
    "4 a sweep ended with failed runs, 5 no solution, 6 something is missing, "
    "7 the results folder does not match, 130 interrupted.",
)

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="A scenario file, or the name of one from 'alphacrit list'."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one number, by its dotted address; repeatable. "
        "The value is read as TOML, or as a string.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of all randomness.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]


def main(argv: list[str] | None = None) -> int:
    """Run the command line on ``argv`` (default: the process's own) and return its exit code."""
    for stream in (sys.stdout, sys.stderr):  # a terminal without Unicode gets '?', not a crash
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app(args=argv, prog_name="alphacrit", obj=sys.argv[1:] if argv is None else argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return _interrupted()
    return 0


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Turn what a command raises into a message on stderr and the contract's exit code."""

    @functools.wraps(command)
    def inner(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except AlphacritError as error:
            terminal.complain(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            raise typer.Exit(_interrupted()) from None
        except MemoryError as error:
            terminal.complain(f"not enough memory ({error}); nothing was written")
            raise typer.Exit(MissingError.exit_code) from None
        except BrokenPipeError:  # the reader (head, less) has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except Exception as error:  # ours, not the user's
            raise typer.Exit(_bug(error)) from None

    return inner


def _interrupted() -> int:
    terminal.complain("interrupted; nothing was written")
    return INTERRUPTED


def _bug(error: Exception) -> int:
    if os.environ.get("ALPHACRIT_DEBUG") == "1":
        traceback.print_exception(error, file=sys.stderr)
    what = " ".join(f"{type(error).__name__}: {error}".split())
    terminal.complain(
        f"this is a bug of alphacrit, please report it ({what}); "
        "ALPHACRIT_DEBUG=1 shows the traceback"
    )
    return BUG


def read(file: str, sets: list[str] | None, seed: int | None = None) -> Scenario:
    """The scenario that FILE, ``--set`` and ``--seed`` mean together."""
    from alphacrit import catalogue
    from sim import scenario

    return scenario.load(catalogue.find(file), overrides=_overrides(sets), seed=seed)


def check_sweep(scenario: Scenario, file: str) -> None:
    """Raise if points of the scenario's sweep, where it has one, are no valid scenarios."""
    if scenario.sweep is not None:
        from sim.sweep.plan import plan_of

        try:
            plan_of(scenario)
        except ScenarioError as error:
            raise ScenarioError([f"{file}: {problem}" for problem in error.problems]) from None


def noted(
    scenario: Scenario, silent: bool = False, signals_told: bool = False
) -> dict[str, list[str]]:
    """What a reader should know of a valid scenario: to stderr, and for the JSON document.

    A command that tells of signals in its answer has said which of them collide.
    """
    from sim.notes import COLLIDE, notes_of

    found = notes_of(scenario)
    for note in () if silent else found:
        if not (signals_told and note.endswith(COLLIDE)):
            terminal.complain(f"note: {note}")
    return {"notes": found}


def _overrides(sets: list[str] | None) -> list[tuple[str, str]]:
    pairs = []
    for each in sets or ():
        key, equals, value = each.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(
                f"got {each!r}; must be KEY=VALUE, for example population.cost=0.3",
                param_hint="--set",
            )
        pairs.append((key.strip(), value.strip()))
    return pairs


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        terminal.say(f"alphacrit {version('alphacrit')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """How collectives form on platforms that learn: tipping points, and what it costs to
    reach them.

    [bold]First steps:[/bold]  alphacrit list  ·  alphacrit equilibria baseline  ·
    alphacrit run baseline
    """


def examples(*lines: str) -> str:
    """The examples at the end of a command's help."""
    return "Examples:\n\n" + "\n\n".join(lines)


@app.command("list", epilog=examples("alphacrit list", "alphacrit list --json"))
@guarded
def list_(json: Json = False) -> None:
    """Show the scenarios that come with the project: name, title, source."""
    from alphacrit import catalogue, show

    found = catalogue.entries()
    if json:
        terminal.say_json({"scenarios": [show.entry_json(entry) for entry in found]})
    else:
        show.entries(found)


@app.command(epilog=examples("alphacrit new my-platform", "alphacrit new studies/first.toml"))
@guarded
def new(
    target: Annotated[
        str, typer.Argument(metavar="NAME_OR_PATH", help="Name of the scenario, or a .toml file.")
    ],
    json: Json = False,
) -> None:
    """Write a commented scenario to start from; an existing file is never overwritten."""
    from alphacrit.template import template
    from sim.scenario import loads

    path = Path(target) if target.endswith(".toml") else Path(f"{target}.toml")
    name = path.stem
    text = template(name)
    try:
        loads(text, where=str(path))  # a name that a scenario may not have
    except ScenarioError as error:
        raise typer.BadParameter(str(error), param_hint="NAME_OR_PATH") from None
    if path.exists():
        raise typer.BadParameter(
            f"{path} exists already and stays as it is; choose another name",
            param_hint="NAME_OR_PATH",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise typer.BadParameter(
            f"{path} cannot be written ({error.strerror})", param_hint="NAME_OR_PATH"
        ) from None
    if json:
        terminal.say_json({"scenario": name, "file": str(path)})
    else:
        terminal.say(f"wrote {path}; next: alphacrit equilibria {path}")


@app.command(
    epilog=examples(
        "alphacrit validate my-platform.toml",
        "alphacrit validate baseline --set population.cost=0.4",
    )
)
@guarded
def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Scenario files or names.")],
    set_: Set = None,
    json: Json = False,
) -> None:
    """Check scenario files and name every problem in them, with file, line and key."""
    from alphacrit.show import signals as show_signals
    from sim.trained import facts_of

    problems = 0
    answers = []
    for file in files:
        answer: dict[str, Any] = {"file": file, "valid": True, "problems": []}
        try:
            scenario = read(file, set_)
            check_sweep(scenario, file)
        except ScenarioError as error:
            problems += len(error.problems)
            answer |= {"valid": False, "problems": list(error.problems)}
            terminal.complain(str(error))
        else:
            answer |= {"scenario": scenario.name, "digest": scenario.digest}
            known = facts_of(scenario)
            if not json:
                terminal.say(f"ok  {file}  ({scenario.name}, {scenario.digest})")
                show_signals(known)
            answer |= {"signals": known} if known else {}
            answer |= noted(scenario, silent=json, signals_told=True)
        answers.append(answer)
    if json:
        terminal.say_json({"valid": problems == 0, "files": answers})
    if problems:
        raise typer.Exit(ScenarioError.exit_code)


@app.command(
    epilog=examples("alphacrit show baseline", "alphacrit show baseline --set population.size=500")
)
@guarded
def show(file: File, set_: Set = None, seed: Seed = None, json: Json = False) -> None:
    """Show a scenario with every default filled in, and what each number means."""
    from alphacrit import show as tables
    from sim.trained import facts_of

    scenario = read(file, set_, seed)
    notes = noted(scenario, silent=json, signals_told=True)
    if json:
        known = facts_of(scenario)
        terminal.say_json(
            {
                "scenario": scenario.name,
                "digest": scenario.digest,
                "file": file,
                "resolved": scenario.resolved(),
            }
            | ({"sweep": scenario.resolved_sweep()} if scenario.sweep else {})
            | notes
            | ({"signals": known} if known else {})
        )
    else:
        tables.scenario(scenario)


@app.command(
    epilog=examples(
        "alphacrit run baseline",
        "alphacrit run baseline --set collectives.union.start=0.015 --json",
        "alphacrit run my-platform.toml --replicates 20 --out results/first",
    )
)
@guarded
def run(
    context: typer.Context,
    file: File,
    set_: Set = None,
    seed: Seed = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where results go; default results/NAME/DIGEST."),
    ] = None,
    replicates: Annotated[
        int, typer.Option("--replicates", "-r", min=1, help="How many random worlds.")
    ] = 1,
    figures: Annotated[
        bool, typer.Option("--figures/--no-figures", help="Draw the figures.")
    ] = True,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Simulate the people of a scenario, and write tables and figures to a results folder."""
    from alphacrit import experiment
    from alphacrit import show as tables

    scenario = read(file, set_, seed)
    if scenario.population.infinite and replicates > 1:
        raise typer.BadParameter(
            f"got {replicates}; an infinite population has one path, without chance: leave it away",
            param_hint="--replicates",
        )
    experiment.require_memory(scenario)
    notes = noted(scenario, silent=json or quiet)
    command = ["alphacrit", *(context.obj or ())]
    done = experiment.perform(scenario, replicates, out, figures, quiet, command)
    if json:
        terminal.say_json(done.document() | notes)
    elif not quiet:
        tables.finished(done)


@app.command(
    epilog=examples(
        "alphacrit success baseline --at union=0.01 --at union=0.02",
        "alphacrit success two-collectives --at union=0.02,guild=0.1 --json",
    )
)
@guarded
def success(
    file: File,
    at: Annotated[
        list[str],
        typer.Option(
            "--at",
            metavar="NAME=SIZE,...",
            help="Sizes as shares of the population; repeatable. "
            "Collectives that are not named have size 0.",
        ),
    ],
    set_: Set = None,
    json: Json = False,
) -> None:
    """Evaluate the success of each collective at given sizes."""
    from alphacrit import show as tables
    from alphacrit import sizes

    scenario = read(file, set_)
    notes = noted(scenario, silent=json)
    try:
        document = sizes.evaluate(scenario, at)
    except sizes.SizesError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from None
    if json:
        terminal.say_json(document | notes)
    else:
        tables.success(document)


@app.command(
    epilog=examples(
        "alphacrit equilibria baseline",
        "alphacrit equilibria baseline --set population.free_riding=0.5 --json",
    )
)
@guarded
def equilibria(file: File, set_: Set = None, json: Json = False) -> None:
    """Find every equilibrium, the tipping point, and what it costs at most to get there."""
    from alphacrit import show as tables
    from analysis.report import equilibria_report

    scenario = read(file, set_)
    notes = noted(scenario, silent=json)["notes"]
    report = equilibria_report(scenario)
    if json:
        terminal.say_json(report | {"notes": [*notes, *report["notes"]]})
    else:
        tables.equilibria(report, scenario)


from alphacrit import (  # noqa: E402 - add their commands
    cli_analyze,  # noqa: F401
    cli_learn,  # noqa: F401
    cli_solve,  # noqa: F401
    cli_sweep,  # noqa: F401
    cli_view,  # noqa: F401
)
