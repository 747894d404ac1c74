"""Broken sweeps: each gives its exact message with file and line, before anything runs."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from alphacrit.cli import main
from learners.errors import ScenarioError
from sim.scenario import load, loads
from sim.scenario_sweep_rules import exchanged
from sim.sweep.plan import plan_of

GOOD = """\
name = "one"
population = { size = 100, cost = 0.3, free_riding = 0.2 }
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
[platform]
learner = "bound"
[sweep]
"""
LIST = "a list of at least one value, or a table such as { from = 0.1, to = 0.6, num = 11 }"
FILE = "must be CSV with addresses in its first line and a point in each of the others"
GRID = 'design = "grid"\n'
RUNS = "must be something that a run depends on"

# Name of the case: (lines of the [sweep] table from line 9 on, messages without the file's name).
CASES: dict[str, tuple[str, str]] = {
    "no design": (
        "replications = 3",
        '8: sweep.design: missing; must be "grid", "zip", "list", "lhs", "sobol", "saltelli" or '
        '"morris"',
    ),
    "misspelt design": (
        'design = "gird"',
        '9: sweep.design: got "gird"; must be "grid", "zip", "list", "lhs", "sobol", "saltelli" or '
        '"morris"; did you mean "grid"?',
    ),
    "a key of another design": (
        GRID + 'samples = 8\nvary = { "epochs" = [5] }',
        '10: sweep.samples: unknown key; with design = "grid" must be one of replications, worlds, '
        "design, vary",
    ),
    "nothing varies": (
        GRID + "vary = {}",
        '10: sweep.vary: got {}; must be a table such as { "population.cost" = … } with at least '
        "one address",
    ),
    "misspelt address": (
        GRID + 'vary = { "population.cots" = [0.1, 0.2] }',
        '10: sweep.vary."population.cots": unknown key; must be one of size, cost, free_riding, '
        'network, groups; did you mean "cost"?',
    ),
    "misspelt table": (
        GRID + 'vary = { "populaton.cost" = [0.1, 0.2] }',
        '10: sweep.vary."populaton.cost": populaton: unknown key; must be one of schema, name, '
        "title, cites, seed, epochs, stop, population, collectives, platform, revision, principal, "
        'sweep; did you mean "population"?',
    ),
    "below a number": (
        GRID + 'vary = { "population.cost.mean" = [0.1, 0.2] }',
        '10: sweep.vary."population.cost.mean": population.cost: got 0.3; must be a table for '
        "population.cost.mean to vary",
    ),
    "not quoted": (
        GRID + "vary = { population.cost = [0.1] }",
        "10: sweep.vary.population.cost: unknown key; of a range (its address is one key in "
        'quotes, such as "population.cost") must be one of from, to, num, scale\n'
        "10: sweep.vary.population.from: missing; must be a number\n"
        "10: sweep.vary.population.to: missing; must be a number\n"
        "10: sweep.vary.population.num: missing; must be a whole number from 2 to 1000000 (values)",
    ),
    "no dotted key": (
        GRID + 'vary = { "population cost" = [0.1] }',
        '10: sweep.vary."population cost": got the address "population cost"; must be a dotted key '
        "such as population.cost",
    ),
    "a label": (
        GRID + 'vary = { name = ["a", "b"], "sweep.replications" = [1, 2] }',
        f'10: sweep.vary.name: got the address "name"; {RUNS}\n'
        f'10: sweep.vary."sweep.replications": got the address "sweep.replications"; {RUNS}',
    ),
    "one address in the other": (
        GRID + 'vary = { "revision" = [{ rate = 0.5 }], "revision.rate" = [0.1] }',
        '10: sweep.vary."revision.rate": got "revision.rate" beside "revision"; one must not be '
        "the other or in it",
    ),
    "some values": (
        GRID + 'vary = { "population.free_riding" = [0.1, -0.2, "x"] }',
        '10: sweep.vary."population.free_riding"[1]: got -0.2; must be in [0, 1] (share of the '
        "success)\n"
        '10: sweep.vary."population.free_riding"[2]: got "x"; must be a number in [0, 1] or a '
        'table such as { dist = "normal", … } (share of the success)',
    ),
    "a fraction where whole numbers are wanted": (
        GRID + 'vary = { epochs = { from = 0.5, to = 10, num = 3 }, "population.size" = [1.0] }',
        "10: sweep.vary.epochs.from: got 0.5; must be a whole number from 1 to 1000000000 "
        "(epochs)\n"
        '10: sweep.vary."population.size": got 1.0; must be a whole number from 1 to 1000000000 '
        'or "infinite" (people)',
    ),
    "one number": (
        GRID + "vary = { epochs = 3 }",
        f"10: sweep.vary.epochs: got 3; must be {LIST}",
    ),
    "all problems at once": (
        'design = "zip"\nvary = { epochs = 3, "population.cost" = { from = 1 }, "a.b" = [1] }',
        f"10: sweep.vary.epochs: got 3; must be {LIST}\n"
        '10: sweep.vary."population.cost".to: missing; must be a number\n'
        '10: sweep.vary."population.cost".num: missing; must be a whole number from 2 to 1000000 '
        "(values)\n"
        '10: sweep.vary."a.b": a: unknown key; must be one of schema, name, title, cites, seed, '
        "epochs, stop, population, collectives, platform, revision, principal, sweep",
    ),
    "downwards, and from 0 on a log scale": (
        GRID + "[sweep.vary]\nepochs = { from = 9, to = 3, num = 2 }\n"
        '"population.cost" = { from = 0, to = 1, num = 3, scale = "log" }',
        "11: sweep.vary.epochs.to: got 3; must be > from = 9\n"
        '12: sweep.vary."population.cost".from: got 0; must be > 0 with scale = "log"',
    ),
    "unequal lists": (
        'design = "zip"\nvary = { epochs = [1, 2], "population.cost" = [0.1] }',
        "10: sweep.vary: got 2 for epochs and 1 for population.cost; must be equally many values",
    ),
    "no power of two": (
        'design = "sobol"\nsamples = 100\nvary = { "population.cost" = { from = 0, to = 1 } }',
        "10: sweep.samples: got 100; must be a power of two such as 64 or 128 (points)",
    ),
    "odd levels": (
        'design = "morris"\nsamples = 10\nlevels = 5\n'
        'vary = { "population.cost" = { from = 0, to = 1 } }',
        "11: sweep.levels: got 5; must be even (levels)",
    ),
    "levels where a range is sampled": (
        'design = "lhs"\nsamples = 4\nvary = { "population.cost" = { from = 0, to = 1, num = 3 } }',
        '11: sweep.vary."population.cost".num: unknown key; of a range (its address is one key in '
        'quotes, such as "population.cost") must be one of from, to, scale',
    ),
    "more points than anybody can run": (
        GRID + 'vary = { epochs = { from = 1, to = 9e5, num = 100_000 }, "population.size" = '
        "{ from = 1, to = 9e5, num = 100_000 } }",
        "8: sweep: got 10,000,000,000 points; must be ≤ 1,000,000 (points)",
    ),
    "more runs": (
        GRID + "replications = 1_000_000\nvary = { epochs = { from = 1, to = 1000, num = 1000 } }",
        "10: sweep.replications: got 1,000 points × 1,000,000 replications; must be ≤ 100,000,000 "
        "together (runs)",
    ),
    "no file of points": (
        'design = "list"\npoints = "no.csv"',
        f'10: sweep.points: got "no.csv", which does not exist; {FILE}',
    ),
}


@pytest.mark.parametrize(("sweep", "message"), CASES.values(), ids=CASES)
def test_exact_message(sweep: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "one.toml"
    path.write_text(GOOD + sweep + "\n", encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert str(caught.value) == "\n".join(f"{path}:{line}" for line in message.split("\n"))


# Name of the case: (content of the file of points, what is said of it).
FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", f"which holds no points below a line of addresses; {FILE}"),
    "a header alone": (b"epochs\n", f"which holds no points below a line of addresses; {FILE}"),
    "not UTF-8": (b"epochs\n\xff\n", f"which is not text in UTF-8; {FILE}"),
    "too few cells": (
        b"epochs,population.cost\n1,0.2\n3\n",
        f"line 3 of it: 1 cells under 2 addresses; {FILE}",
    ),
    "an empty cell": (
        b"epochs,population.cost\n1,\n",
        f"line 2 of it: no value for population.cost; {FILE}",
    ),
    "no address": (b"epochs,\n1,2\n", f"line 1 of it: a column without an address; {FILE}"),
    "an address twice": (
        b"epochs,epochs\n1,2\n",
        'line 1 of it: got "epochs" beside "epochs"; one must not be the other or in it',
    ),
    "an unknown address": (
        b"epoch\n1\n2\n",
        "line 1 of it: epoch: unknown key; must be one of schema, name, title, cites, seed, "
        "epochs, stop, population, collectives, platform, revision, principal, sweep; did you mean "
        '"epochs"?',
    ),
    "a wrong value": (
        b"epochs\n\n3\n0\n",
        "line 4 of it: epochs: got 0; must be from 1 to 1000000000 (epochs)",
    ),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES)
def test_a_file_of_points_that_is_none(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        loads(GOOD + 'design = "list"\npoints = "p.csv"\n', where="one.toml", folder=tmp_path)
    assert str(caught.value) == f'one.toml:10: sweep.points: got "p.csv", {message}'


def test_an_override_is_named_where_it_breaks_the_sweep() -> None:
    text = GOOD + 'design = "grid"\nvary = { "population.cost" = [0.1] }\n'
    with pytest.raises(ScenarioError) as caught:
        loads(text, overrides=[("sweep.replications", "0")])
    must = "must be from 1 to 1000000 (runs)"
    assert str(caught.value) == f"--set sweep.replications=0: sweep.replications: got 0; {must}"
    changed = loads(text, overrides=[('sweep.vary."population.cost"', "[0.2, 0.4]")])
    assert len(plan_of(changed)) == 2


def test_validate_reports_points_that_are_no_scenarios(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "one.toml"
    ring = '{ kind = "watts_strogatz", p = 0.1, k = 4 }'
    text = GOOD.replace("free_riding = 0.2", f"network = {ring}")
    path.write_text(text + 'design = "grid"\nvary = { "population.network.k" = [2, 3, 4] }\n')
    assert main(["validate", str(path)]) == 3
    expected = f"{path}: sweep: point 1 (population.network.k = 3): population.network.k: got 3; "
    assert capsys.readouterr().err == expected + "must be even (neighbours)\n"
    path.write_text(text + 'design = "grid"\nvary = { "population.network.k" = [2, 6, 4] }\n')
    assert main(["validate", str(path)]) == 0


def test_what_is_wrong_besides_the_sweep_is_said_once() -> None:
    text = GOOD.replace("cost = 0.3", "cost = -1") + 'design = "grid"\nvary = { epochs = [5, 0] }\n'
    with pytest.raises(ScenarioError) as caught:
        loads(text, where="one.toml")
    cost, epochs = caught.value.problems
    assert cost.startswith("one.toml:2: population.cost: got -1; must be ≥ 0 (utility)")
    assert epochs.startswith("one.toml:10: sweep.vary.epochs[1]: got 0; must be from 1")


def test_a_value_in_the_place_of_another_leaves_the_tables_as_they_are() -> None:
    tables = {"population": {"cost": {"mean": 0.3}, "size": 5}}
    before = copy.deepcopy(tables)
    changed = exchanged(tables, ("population", "cost", "mean"), 0.4)
    assert changed == {"population": {"cost": {"mean": 0.4}, "size": 5}} and tables == before
    made = exchanged(tables, ("revision", "rate"), 0.5)
    assert made == {**before, "revision": {"rate": 0.5}} and tables == before
