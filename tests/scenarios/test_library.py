"""Every file in scenarios/: it loads, round-trips, runs, and agents and solver agree."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from analysis.equilibria import Equilibrium, equilibria
from analysis.figures import figures_for
from analysis.mean_field import mean_field_path
from analysis.quantal import logit_chain
from analysis.report import equilibria_report
from learners.errors import ScenarioError
from sim.runs import RunResult, run
from sim.scenario import Scenario, load, loads
from tests.effort import lines_run

LIBRARY = Path(__file__).resolve().parents[2] / "scenarios"
ALL = sorted(path.relative_to(LIBRARY).as_posix() for path in LIBRARY.rglob("*.toml"))
TEXTS = [f for f in ALL if '"distilbert"' in (LIBRARY / f).read_text(encoding="utf-8")]
FILES = [f for f in ALL if f not in TEXTS]  # transformers have tests of their own: test_texts.py
TORCH = ("experiments/learned/perceptron.toml",)
has_torch = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not has_torch, reason="torch is not installed")


def each(files: Sequence[str]) -> pytest.MarkDecorator:
    """A test for each file; those that need torch are skipped where there is none."""
    marked = [pytest.param(f, marks=needs_torch) if f in TORCH else f for f in files]
    return pytest.mark.parametrize("file", marked)


every_file = each(FILES)


@cache
def scenario(file: str) -> Scenario:
    return load(LIBRARY / file)


@cache
def points(file: str) -> tuple[Equilibrium, ...]:
    return equilibria(scenario(file))


@cache
def result(file: str) -> RunResult:
    return run(scenario(file))


def final(result: RunResult) -> np.ndarray:
    """(K,) shares at the end."""
    return np.array([each["alpha"] for each in result.summary["final"].values()])


def test_the_library_holds_what_the_issue_asks_for() -> None:
    folders = {Path(file).parent.as_posix() for file in FILES}
    assert folders == {
        "experiments",
        "experiments/learned",
        "literature/granovetter-1978",
        "literature/hardt-2023",
        "literature/karan-2025",
        "literature/olson-1965",
        "literature/segal-2003",
    }
    assert len(FILES) >= 25


@every_file
def test_it_is_a_cited_document_with_a_name_of_its_own(file: str) -> None:
    text = (LIBRARY / file).read_text(encoding="utf-8")
    this = scenario(file)
    head = text.split("schema = 1")[0]
    assert "# Source: " in head
    assert "# What one should see" in head
    assert this.title and this.cites and this.seed > 0 and this.epochs <= 300
    stem = Path(file).with_suffix("")
    parts = stem.parts[1:]
    assert this.name == "-".join(parts)
    readme = (LIBRARY / "README.md").read_text(encoding="utf-8")
    works = set(re.findall(r"^\| ([a-z]+\d{4}) \|", readme, re.M))
    assert {cite.split(",")[0] for cite in this.cites} <= works


def test_the_readme_lists_exactly_the_files_with_their_titles() -> None:
    readme = (LIBRARY / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\S+\.toml)\]\((\S+\.toml)\) \| (.+?) \|", readme, re.M)
    assert [name for name, _, _ in rows] == ALL
    for name, link, title in rows:
        head = tomllib.loads((LIBRARY / name).read_text(encoding="utf-8"))
        assert name == link and title == head["title"]


@every_file
def test_it_round_trips_through_its_own_toml(file: str) -> None:
    again = loads(scenario(file).to_toml())
    assert again == scenario(file)
    assert again.digest == scenario(file).digest
    assert again != again.replace({"seed": 1})


def test_a_broken_copy_does_not_load() -> None:
    text = (LIBRARY / FILES[0]).read_text(encoding="utf-8")
    with pytest.raises(ScenarioError, match="uniquenes"):
        loads(text.replace("uniqueness", "uniquenes"))


@every_file
def test_it_runs_quickly_and_the_same_way_twice(file: str) -> None:
    """Arrays do the work: a loop over the people would run millions of lines."""
    first, again = result(file), []
    assert lines_run(lambda: again.append(run(scenario(file)))) < 200_000
    (second,) = again
    assert first.summary == second.summary
    assert first.series.equals(second.series)


@pytest.mark.once(keep=6)
@every_file
def test_the_solver_reports_on_it(file: str) -> None:
    report = equilibria_report(scenario(file))
    assert set(report["collectives"]) == set(scenario(file).names)
    assert report["equilibria"]
    assert any(point["stable"] for point in report["equilibria"])
    assert all(point["residual"] < 1e-6 for point in report["equilibria"])


def well_mixed(file: str) -> bool:
    return scenario(file).population.network is None


def predicted(file: str) -> np.ndarray:
    """(K,) the stable equilibrium nearest to where the mean-field path ends."""
    this = scenario(file)
    path = mean_field_path(this)
    end = path[path["epoch"] == path["epoch"].max()].set_index("collective")["alpha"]
    end = end.loc[list(this.names)].to_numpy()
    stable = np.array([point.alpha for point in points(file) if point.stable])
    nearest = stable[np.abs(stable - end).max(axis=1).argmin()]
    assert np.abs(nearest - end).max() < 1e-6, "the path has not come to an equilibrium"
    return nearest


MANY = [
    file
    for file in FILES
    if well_mixed(file)
    and scenario(file).principal is None
    and "finite-logit" not in file
    and "selective-recruiting" not in file  # the solver takes members at random, as its notes say
]


@each(MANY)
def test_agents_end_where_the_solver_says(file: str) -> None:
    this = scenario(file)
    tolerance = 5 / np.sqrt(this.population.size)
    assert np.abs(final(result(file)) - predicted(file)).max() <= tolerance


@pytest.mark.parametrize("file", [file for file in FILES if scenario(file).principal is not None])
def test_with_a_principal_agents_end_in_the_highest_equilibrium(file: str) -> None:
    highest = max(point.alpha for point in points(file) if point.stable)
    assert final(result(file)) == pytest.approx(highest, abs=5 / np.sqrt(10_000))


def test_the_agreement_would_fail_from_the_other_side_of_the_tipping_point() -> None:
    below = scenario("experiments/baseline.toml").replace({"collectives.union.start": 0.015})
    assert abs(final(run(below)) - predicted("experiments/baseline.toml")).max() == 1.0


@pytest.mark.once
def test_twenty_noisy_people_spend_their_time_as_the_closed_form_says() -> None:
    this = scenario("experiments/finite-logit.toml").replace({"epochs": 30_000})
    members = run(this).series["members"].to_numpy()[1000:]
    law = logit_chain(this).stationary
    seen = np.bincount(members, minlength=len(law)) / len(members)
    # Total variation; the chain forgets within about 40 epochs, so these are some 700 draws.
    assert 0.5 * np.abs(seen - law).sum() < 0.05
    other = logit_chain(this.replace({"population.cost": 0.2})).stationary
    assert 0.5 * np.abs(seen - other).sum() > 0.1


@pytest.mark.parametrize("file", [file for file in FILES if not well_mixed(file)])
def test_on_the_network_the_seed_spreads_and_in_the_crowd_it_dies(file: str) -> None:
    crowd = scenario(file).replace({"population.network": None})
    assert final(result(file)).max() > 0.99
    assert final(run(crowd)).max() == 0.0


@pytest.mark.once(keep=3)
@each([file for i, file in enumerate(FILES) if i % 2 == 0 or "learned" in file])
def test_the_figures_that_suit_it_are_drawn(file: str) -> None:
    names = set(figures_for(scenario(file), result(file)))
    expected = {"success", "paths"}
    if well_mixed(file):
        one = len(scenario(file).names) == 1
        expected |= {"threshold", "participation"} if one else {"interference"}
    if scenario(file).platform.learner != "bound":
        expected |= {"bound_and_measured"}
    if getattr(scenario(file).platform, "worst", None) is not None:
        expected |= {"worst_case"}
    assert names == expected
