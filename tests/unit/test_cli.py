"""The command line against its contract: answers, JSON, exit codes, messages, nothing torn."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from alphacrit import catalogue, experiment
from alphacrit.cli import main
from learners.errors import MissingError, NoSolutionError
from sim.scenario import load

LIBRARY = Path(__file__).resolve().parents[2] / "scenarios"
BASELINE = str(LIBRARY / "experiments" / "baseline.toml")
SMALL = ("--set", "population.size=200", "--set", "collectives.union.start=0.05")
TWO = """\
name = "two"
population = { size = 100, cost = 0.3, free_riding = 0.2 }
platform = { learner = "bound" }
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
[collectives.guild]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0, overlap = { union = 1.0 } }
"""


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Call = Callable[..., Answer]


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Call:
    """``alphacrit`` in this process, in an empty working directory, not on a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for variable in ("FORCE_COLOR", "GITHUB_ACTIONS", "ALPHACRIT_DEBUG"):
        monkeypatch.delenv(variable, raising=False)

    def run(*argv: str) -> Answer:
        code = main(list(argv))
        return Answer(code, *capsys.readouterr())

    return run


def plain(text: str) -> str:
    """The words of a message without the box that typer draws around it."""
    return " ".join(re.sub(r"[╭╮╰╯│─]", " ", text).split())


# ---------------------------------------------------------------- the front


def test_version(call: Call) -> None:
    answer = call("--version")
    assert answer.code == 0
    assert re.fullmatch(r"alphacrit \d+\.\d+\.\d+\n", answer.out)


@pytest.mark.parametrize(
    "command", ["list", "new", "validate", "show", "run", "success", "equilibria"]
)
def test_every_command_has_help_with_an_example(call: Call, command: str) -> None:
    answer = call(command, "--help")
    assert answer.code == 0
    assert f"alphacrit {command}" in plain(answer.out).split("Examples:")[1]
    assert command in call("--help").out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["run"], "Missing argument"),
        (["run", BASELINE, "--replicates", "0"], "--replicates"),
        (["run", BASELINE, "--nonsense"], "No such option"),
        (["show", BASELINE, "--set", "population.cost"], "must be KEY=VALUE, for example"),
        (["show", BASELINE, "--set", "=3"], "must be KEY=VALUE"),
        (["show", BASELINE, "--seed", "-1"], "--seed"),
    ],
)
def test_usage_errors_exit_2_without_touching_stdout(
    call: Call, argv: list[str], message: str
) -> None:
    answer = call(*argv)
    assert (answer.code, answer.out) == (2, "")
    assert message in plain(answer.err)


# ---------------------------------------------------------------- list, new, validate, show


def test_list_names_every_scenario_of_the_checkout(call: Call) -> None:
    files = sorted(LIBRARY.rglob("*.toml"))
    listed = call("list", "--json").json["scenarios"]
    assert sorted(each["file"] for each in listed) == [str(path) for path in files]
    for each in listed:
        head = tomllib.loads(Path(each["file"]).read_text(encoding="utf-8"))
        assert (each["name"], each["title"]) == (head["name"], head["title"])
        assert each["cites"] == head["cites"]
    text = call("list").out
    assert all(each["name"] in text for each in listed)


def test_list_without_a_library_exits_6(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "folders", lambda: [Path("nowhere")])
    answer = call("list")
    assert answer.code == MissingError.exit_code == 6
    assert "no scenario library here: looked in" in answer.err


def test_list_says_which_file_is_not_toml(call: Call, tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "torn.toml").write_text("name = ")
    (tmp_path / "scenarios" / "own.toml").write_text('name = "mine"\ncites = 3\n')
    listed = {each["name"]: each for each in call("list", "--json").json["scenarios"]}
    assert "Invalid value" in listed["torn"]["problem"]
    assert listed["mine"]["cites"] == []
    assert "not TOML" in call("list").out


@pytest.mark.parametrize("target", ["first", "first.toml", "studies/deep/first.toml"])
def test_new_writes_what_validates_and_runs(call: Call, target: str) -> None:
    answer = call("new", target)
    assert answer.code == 0
    path = Path(target if target.endswith(".toml") else target + ".toml")
    assert load(path).name == "first"
    assert call("validate", str(path)).code == 0
    run = call("run", str(path), "--json", "--no-figures").json
    assert run["final"]["union"]["alpha"] == 1.0


def test_the_commented_principal_of_the_template_works_too(call: Call, tmp_path: Path) -> None:
    call("new", "paid")
    head, tail = (tmp_path / "paid.toml").read_text().split("# [principal]")
    tail = "\n[principal]" + tail.replace("\n# ", "\n")
    (tmp_path / "paid.toml").write_text(head + tail)
    assert load(tmp_path / "paid.toml").principal is not None


def test_new_never_overwrites(call: Call, tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text("mine")
    answer = call("new", "first")
    assert answer.code == 2
    assert "first.toml exists already" in plain(answer.err)
    assert (tmp_path / "first.toml").read_text() == "mine"


@pytest.mark.parametrize("name", ["two words", "_hidden", "x" * 101])
def test_new_refuses_names_that_are_no_names(call: Call, tmp_path: Path, name: str) -> None:
    answer = call("new", name)
    assert answer.code == 2
    assert "must be letters, digits" in plain(answer.err)
    assert list(tmp_path.iterdir()) == []


def test_new_where_nothing_can_be_written(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = call("new", "file/first.toml")
    assert answer.code == 2
    assert "cannot be written" in plain(answer.err)


def test_validate_says_ok_or_every_problem(call: Call, tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(TWO)
    (tmp_path / "bad.toml").write_text(TWO.replace("0.3", "-0.3").replace("0.2", "1.2"))
    answer = call("validate", "good.toml", "bad.toml")
    assert answer.code == 3
    assert answer.out.startswith("ok  good.toml  (two, ")
    assert "bad.toml:2: population.cost: got -0.3" in answer.err
    assert "bad.toml:2: population.free_riding: got 1.2" in answer.err
    files = call("validate", "good.toml", "bad.toml", "--json").json["files"]
    assert [each["valid"] for each in files] == [True, False]
    assert len(files[1]["problems"]) == 2
    assert call("validate", "good.toml", "--json").json["valid"] is True


def test_show_gives_defaults_units_and_meanings(call: Call) -> None:
    answer = call("show", BASELINE, "--set", "population.size=77", "--seed", "4")
    assert answer.code == 0
    assert "77 people" in answer.out
    assert "cost of taking part (c)" in answer.out
    assert "retrain_every" in answer.out  # a default that the file does not name
    document = call("show", BASELINE, "--seed", "4", "--json").json
    scenario = load(BASELINE, seed=4)
    assert document["resolved"] == scenario.resolved()
    assert document["digest"] == scenario.digest


def without_transformers() -> list[catalogue.Entry]:
    """The library but for what needs a corpus, or hours: see tests/scenarios/test_texts.py."""
    return [e for e in catalogue.entries() if '"distilbert"' not in e.path.read_text("utf-8")]


def test_every_scenario_of_the_library_can_be_shown(call: Call) -> None:
    for entry in without_transformers():
        answer = call("show", entry.name)
        assert answer.code == 0, answer.err
        resolved = load(entry.path).resolved()
        assert all(f"[collectives.{name}]" in answer.out for name in resolved["collectives"])


def test_a_scenario_by_its_bare_name(call: Call, tmp_path: Path) -> None:
    assert call("show", "baseline", "--json").json["scenario"] == "baseline"
    (tmp_path / "own.toml").write_text(TWO)
    assert call("show", "own", "--json").json["scenario"] == "two"
    answer = call("show", "basline")
    assert answer.code == 3
    assert str(LIBRARY) in answer.err
    assert answer.err.rstrip().endswith('did you mean "baseline"?')


def test_a_file_of_the_working_directory_goes_before_the_library(
    call: Call, tmp_path: Path
) -> None:
    (tmp_path / "baseline.toml").write_text(TWO)
    assert call("show", "baseline", "--json").json["scenario"] == "two"


# ---------------------------------------------------------------- success


def test_success_follows_the_contract(call: Call, tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(TWO)
    document = call(
        "success", "two.toml", "--at", "union=0.02", "--at", "guild=0.1, union=0.02", "--json"
    ).json
    assert document["scenario"] == "two"
    assert document["kind"] == "lower_bound"
    alone, both = document["points"]
    assert alone["alpha"] == {"union": 0.02, "guild": 0.0}
    assert alone["success"]["union"] == pytest.approx(1 - (0.98 / 0.02) * 0.01, abs=1e-12)
    assert both["alpha"] == {"union": 0.02, "guild": 0.1}
    expected = 1 - 0.88 / 0.1 * 0.01 - 0.02 / 0.1  # theory section 3, ω = 1
    assert both["success"]["guild"] == pytest.approx(expected, abs=1e-12)
    assert alone["interval"] is None
    text = call("success", "two.toml", "--at", "union=0.02").out
    assert "0.51" in text
    assert "a lower bound" in text


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("unoin=0.1", "no collective 'unoin'; there is union; did you mean \"union\"?"),
        ("union", "must be NAME=SIZE, for example union=0.02"),
        ("union=x", "union: got x; must be a share of the population, 0 to 1"),
        ("union=1.5", "union: got 1.5; must be a share"),
        ("union=nan", "union: got nan; must be a share"),
        ("union=0.1,union=0.2", "union is given twice"),
        ("", "must be NAME=SIZE"),
    ],
)
def test_wrong_sizes_are_usage_errors(call: Call, at: str, message: str) -> None:
    answer = call("success", BASELINE, "--at", at)
    assert (answer.code, answer.out) == (2, "")
    assert message in plain(answer.err)


def test_sizes_beyond_the_population_are_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(TWO)
    answer = call("success", "two.toml", "--at", "union=0.6,guild=0.6")
    assert answer.code == 2
    assert "sum to 1.2; at most 1" in plain(answer.err)


# ---------------------------------------------------------------- equilibria


def test_equilibria_follow_the_contract(call: Call) -> None:
    document = call("equilibria", BASELINE, "--json").json
    assert document["scenario"] == "baseline"
    assert document["digest"] == load(BASELINE).digest
    assert document["success_kind"] == "lower_bound"
    union = document["collectives"]["union"]
    assert union["alpha_crit"] == pytest.approx(0.01 / 0.635, abs=1e-9)
    assert union["success_at_crit"] == pytest.approx(0.375, abs=1e-9)
    investment = union["investment"]
    assert investment["per_capita"] == pytest.approx(0.00371264, abs=1e-8)
    assert investment["total"] == pytest.approx(37.1264, abs=1e-4)
    assert (investment["unit"], investment["bound"]) == ("utility", "upper")
    points = document["equilibria"]
    assert [point["stable"] for point in points] == [True, False, True]
    assert [point["alpha"]["union"] for point in points] == pytest.approx([0, 0.01 / 0.635, 1])
    assert all(abs(point["residual"]) < 1e-9 for point in points)


def test_equilibria_in_words(call: Call) -> None:
    text = plain(call("equilibria", BASELINE).out)
    assert "up to 157 members" in text
    assert "the collective dies" in text
    assert "everybody joins" in text
    assert "at most 37.13 utility" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["collectives.union.signal.uniqueness=0"], "from the first member on to 10,000"),
        (["population.cost=0"], "it stays as it is (people are indifferent)"),
        (["population.free_riding=1.0"], "no size sustains it"),
        (["population.cost=2.0"], "no size sustains it"),
        (["population.size=1"], "up to 0 members (1.575%) the collective dies"),
    ],
)
def test_answers_at_the_edges_are_answers(call: Call, changes: list[str], words: str) -> None:
    sets = [word for change in changes for word in ("--set", change)]
    answer = call("equilibria", BASELINE, *sets)
    assert answer.code == 0
    assert words in plain(answer.out)


@pytest.mark.once
def test_every_scenario_of_the_library_has_readable_equilibria(call: Call) -> None:
    for entry in without_transformers():
        answer = call("equilibria", entry.name)
        if answer.code == 6 and importlib.util.find_spec("torch") is None:
            assert "needs torch" in answer.err, entry.name
            continue
        assert answer.code == 0, f"{entry.name}: {answer.err}"
        assert "nan" not in answer.out.lower().split()


# ---------------------------------------------------------------- run


def test_run_follows_the_contract(call: Call, tmp_path: Path) -> None:
    answer = call("run", BASELINE, *SMALL, "--json", "--no-figures")
    document = answer.json
    assert answer.err == ""
    digest = load(BASELINE, overrides={"population.size": 200, "collectives.union.start": 0.05})
    assert document["digest"] == digest.digest
    assert document["seed"] == 20261121
    assert document["stopped"] == "settled"
    assert document["final"] == {"union": {"alpha": 1.0, "success": 1.0}}
    assert document["spent"] == 0.0
    assert document["welfare"] == pytest.approx(0.7)
    folder = tmp_path / document["out"]
    assert document["out"] == f"results/baseline/{document['digest']}"
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["command"] == ["alphacrit", "run", BASELINE, *SMALL, "--json", "--no-figures"]
    assert list((folder / "figures").iterdir()) == []


def test_run_draws_figures(call: Call, tmp_path: Path) -> None:
    assert call("run", BASELINE, *SMALL, "--out", "here", "--quiet").out == ""
    drawn = {path.name for path in (tmp_path / "here" / "figures").iterdir()}
    assert {"paths.png", "paths.svg", "threshold.png", "participation.svg"} <= drawn


def test_run_says_how_it_ended(call: Call) -> None:
    text = call("run", BASELINE, *SMALL, "--no-figures", "--out", "here").out
    assert "nobody wants to change any more" in text
    assert "results in here" in text
    assert re.search(r"union +200 +1 +1", text)


def test_replicates_are_summed_up_and_listed(call: Call) -> None:
    argv = ("run", BASELINE, *SMALL, "--no-figures", "--out", "here", "--replicates", "3")
    document = call(*argv, "--json").json
    assert document["replicates"] == 3
    assert [run["replicate"] for run in document["runs"]] == [0, 1, 2]
    shares = [run["final"]["union"]["alpha"] for run in document["runs"]]
    assert document["final"]["union"]["alpha"] == pytest.approx(sum(shares) / 3)
    assert "3 replicates; 3 settled" in call(*argv).out


def test_what_was_spent_stands_beside_its_bound(call: Call) -> None:
    argv = ("run", "principal", "--no-figures", "--out", "here")
    document = call(*argv, "--json").json
    assert 0 < document["spent"] <= document["investment"]["total"] + 1e-9
    assert document["investment"]["total"] == pytest.approx(37.1264, abs=1e-4)
    text = plain(call(*argv).out)
    assert "of a budget of 40" in text
    assert "the upper bound B is 37.1264 (infinite population)" in " ".join(text.split())


def test_the_same_run_gives_the_same_bytes(call: Call, tmp_path: Path) -> None:
    for name in ("one", "two"):
        code = call("run", BASELINE, *SMALL, "--out", name, "-r", "2", "--quiet").code
        assert code == 0
        assert (tmp_path / name / "meta.json").is_file()
    call("run", BASELINE, *SMALL, "--out", "other", "-r", "2", "--quiet", "--seed", "1")
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    differ = [str(f) for f in files if (one / f).read_bytes() != (two / f).read_bytes()]
    assert differ == ["meta.json"]
    assert (one / "runs.parquet").read_bytes() != (other / "runs.parquet").read_bytes()


def test_a_folder_that_is_not_ours_exits_7_before_anything_runs(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")

    def never(*_: object) -> None:
        raise AssertionError("was run")

    monkeypatch.setattr(experiment, "_simulate", never)
    answer = call("run", BASELINE, "--out", "mine")
    assert (answer.code, answer.out) == (7, "")
    assert answer.err.startswith("mine: is not empty and holds no alphacrit results")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (NoSolutionError("no size suffices"), 5, "no size suffices\n"),
        (MissingError("needs weights"), 6, "needs weights\n"),
        (KeyboardInterrupt(), 130, "interrupted; nothing was written\n"),
        (
            ZeroDivisionError("division\nby zero"),
            1,
            "this is a bug of alphacrit, please report it (ZeroDivisionError: division by zero); "
            "ALPHACRIT_DEBUG=1 shows the traceback\n",
        ),
    ],
)
@pytest.mark.parametrize("where", ["_simulate", "draw"])
def test_errors_have_their_exit_code_and_leave_no_folder(
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    message: str,
    where: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(experiment, where, fail)
    answer = call("run", BASELINE, *SMALL)
    assert (answer.code, answer.out, answer.err) == (code, "", message)
    assert list(tmp_path.iterdir()) == []


def test_a_bug_shows_its_traceback_when_asked(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHACRIT_DEBUG", "1")
    monkeypatch.setattr(experiment, "_simulate", lambda *_: 1 / 0)
    answer = call("run", BASELINE)
    assert answer.code == 1
    assert "Traceback (most recent call last)" in answer.err
    assert "please report it" in answer.err


def test_an_invalid_scenario_exits_3_everywhere(call: Call, tmp_path: Path) -> None:
    wrong = ("--set", "population.cost=-1")
    for argv in (["show"], ["run"], ["equilibria"], ["validate"], ["success", "--at", "union=1"]):
        answer = call(*argv, BASELINE, *wrong)
        assert answer.code == 3, argv
        assert "--set population.cost=-1: population.cost: got -1" in answer.err
        assert answer.out == ""
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- as a process


def process(*argv: str, cwd: Path, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "alphacrit", *argv],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def test_piped_output_is_plain_and_narrow(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "COLUMNS")}
    for argv in (["list"], ["show", "two-tipping-points"], ["run", "--help"], ["nonsense"]):
        out, err = process(*argv, cwd=tmp_path, env=environment).communicate(timeout=240)
        assert "\x1b" not in out + err
        assert max(len(line) for line in (out + err).splitlines()) <= 80


MARKS_ITS_STEPS = """
import pathlib, sys
from alphacrit.cli import main
from sim.model import Economy
step = Economy.step
def marked(economy):
    step(economy)  # the first has what to load and to compile
    pathlib.Path(sys.argv[1]).touch()
Economy.step = marked
sys.exit(main(sys.argv[2:]))
"""


def test_ctrl_c_leaves_nothing_and_exits_130(tmp_path: Path) -> None:
    place, mark = tmp_path / "empty", tmp_path / "first-step"
    place.mkdir()
    argv = [str(mark), "run", BASELINE, "--set", "epochs=1000000000", "--set", "stop.when=never"]
    running = subprocess.Popen(
        [sys.executable, "-c", MARKS_ITS_STEPS, *argv],
        cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 240
    while not mark.exists():
        assert running.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=240)
    assert (running.returncode, out, err) == (130, "", "interrupted; nothing was written\n")
    assert list(place.iterdir()) == []


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m alphacrit show two-tipping-points; echo $? >&2"
    done = subprocess.run(
        ["bash", "-c", f"({command}) | true"], cwd=tmp_path, capture_output=True, text=True,
        check=False, timeout=240,
    )  # fmt: skip
    assert done.stderr == "0\n"
