"""``alphacrit learn`` takes members from those whom a collective recruits, as an economy does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from alphacrit.cli import main
from learners.errors import ScenarioError
from learners.measured.bench import RandomMembers
from learners.measured.cache import Cache
from learners.measured.recruiting import fits, recruited_members
from sim import learning
from sim.model import Economy
from sim.recruiting import most_of
from sim.scenario import Scenario, loads

UNIVERSE = "mark,label\n" + "no,a\n" * 70 + "no,b\n" * 24 + "yes,a\n" * 5 + "yes,b\n"
SELECTIVE = """\
name = "selective"
seed = 5
[population]
size = 4_000
cost = 0.3
[population.groups.willing]
where = { label = "b" }
[population.groups.others]
where = { label = "a" }
[collectives.union]
strategy = "feature_only"
target = "b"
signal = { set = { mark = "yes" } }
recruits = ["willing"]
[platform]
learner = "bayes"
universe = "p0.csv"
"""
SHARES = {"young": {"share": 0.2}, "old": {"share": 0.3}, "rich": {"share": 0.1}}
GUILD = {
    "strategy": "erasure", "signal": {"set": {"mark": "no"}},
    "recruits": ["old", "rich"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHACRIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "p0.csv").write_text(UNIVERSE)
    (tmp_path / "s.toml").write_text(SELECTIVE)
    return tmp_path


@pytest.fixture
def selective() -> Scenario:
    return loads(SELECTIVE)


@pytest.fixture
def two(selective: Scenario) -> Scenario:
    """Two collectives that recruit one group in common, by shares: 0.2, 0.3 and 0.1."""
    return selective.replace(
        {
            "population.groups": SHARES,
            "collectives.guild": GUILD,
            "collectives.union.recruits": ["young", "old"],
        }
    )


def trained_on(s: Scenario, sizes: list[float], trainings: int = 5) -> list[tuple]:
    """(points, members, groups) of trainings, as the platform and the setup's groups saw them."""
    learner = learning.setup(s).learner()
    assert isinstance(learner, RandomMembers) and learner.recruiting is not None
    seen, plain, groups = [], learner.platform, learner.recruiting.groups

    class Spy:
        def __init__(self, seed: int) -> None:
            self.also: dict[str, float] = {}
            self.draw_people = plain(seed).draw_people

        def attach(self, points):
            self.points = points
            return self

        def by_membership(self, members):
            seen.append((self.points, members, last[-1]))
            return np.zeros(len(s.names))

    last: list = []

    def told(points, rng):
        last.append(groups(points, rng))
        return last[-1]

    learner.platform = Spy  # type: ignore[assignment]
    object.__setattr__(learner.recruiting, "groups", told)
    rng = np.random.default_rng(0)
    for _ in range(trainings):
        learner(np.array(sizes), rng)
    return seen


# --- who is drawn ---------------------------------------------------------------------------------


def test_members_by_data_are_only_such_people(selective: Scenario) -> None:
    from sim.trained import group_of_points

    willing = group_of_points(selective) == 1
    for points, members, _ in trained_on(selective, [0.15]):
        assert (members == 1).sum() == 600
        assert willing[points[members == 1]].all()
        assert 600 < willing[points].sum() < 1_400  # not all of them


def test_members_by_share_are_of_their_groups_and_disjoint(two: Scenario) -> None:
    eligible, seen = two.eligible(), trained_on(two, [0.25, 0.3])
    for _, members, group in seen:
        assert np.bincount(group).tolist() == [1_600, 800, 1_200, 400]
        assert np.bincount(members).tolist() == [1_800, 1_000, 1_200]
        joined = members > 0
        assert eligible[group[joined], members[joined] - 1].all()
    assert len({members.tobytes() for _, members, _ in seen}) == len(seen)


def test_all_who_may_join_do_where_that_is_asked(two: Scenario) -> None:
    """0.5 of 0.5 and 0.1 of 0.4: whoever draws first must leave the old to the others."""
    for sizes, counts in (([0.5, 0.1], [2_000, 400]), ([0.2, 0.4], [800, 1_600])):
        for _, members, _ in trained_on(two, sizes):
            assert np.bincount(members)[1:].tolist() == counts


def test_everybody_who_may_is_as_likely() -> None:
    group, rng = np.repeat([0, 1, 2], [50, 30, 20]), np.random.default_rng(1)
    eligible = np.array([[False], [True], [True]])
    draws = [recruited_members([10], group, eligible, rng) for _ in range(4_000)]
    times = np.sum(draws, axis=0)
    assert not times[:50].any()
    np.testing.assert_allclose(times[50:] / 4_000, 0.2, atol=5 * 0.4 / np.sqrt(4_000))


def test_where_fewer_may_join_all_of_them_do() -> None:
    eligible = np.array([[False, False], [True, True]])
    group = np.array([0, 1, 1, 0, 1])
    members = recruited_members([2, 2], group, eligible, np.random.default_rng(0))
    assert (members > 0).tolist() == [False, True, True, False, True]


def test_sizes_fit_where_all_sets_of_collectives_do() -> None:
    eligible = np.array([[False, False], [True, False], [True, True]])
    room = np.array([0.5, 0.2, 0.3])
    rows = [[0.5, 0.0], [0.2, 0.3], [0.3, 0.3], [0.0, 0.31], [0.51, 0.0]]
    assert fits(rows, room, eligible).tolist() == [True, True, False, False, False]


# --- what comes out -------------------------------------------------------------------------------


def test_a_table_is_of_the_economys_platform(selective: Scenario) -> None:
    """Where members are the willing, few suffice; an economy of them says the same."""
    s = selective.replace({"collectives.union.start": 0.06})
    learned = learning.learn(s, [0.06], 20, cache=Cache("c")).success.mean()
    runs = [Economy(s, replicate=i).run() for i in range(5)]
    economy = np.mean([run.series["success"].iloc[0] for run in runs])
    everybody = ["willing", "others"]
    other = s.replace({"collectives.union.recruits": everybody})
    random = learning.learn(other, [0.06], 20, cache=Cache("c")).success.mean()
    assert learned == pytest.approx(economy, abs=0.1) and learned > random + 0.5


def test_groups_name_a_training_only_where_somebody_recruits(
    selective: Scenario, two: Scenario
) -> None:
    free = selective.replace({"collectives.union.recruits": None})
    plain = free.replace({"population.groups": {}})
    assert learning.setup(free).digest == learning.setup(plain).digest
    settings = learning.setup(free).settings
    assert "groups" not in settings and "recruits" not in settings["collectives"][0][1]
    digest = learning.setup(selective).digest
    assert digest != learning.setup(free).digest
    dear = selective.replace({"population.groups.willing.cost": 0.9})
    assert learning.setup(dear).digest == digest
    bigger = two.replace({"population.groups.young.share": 0.25})
    assert learning.setup(two).digest != learning.setup(bigger).digest
    fewer = two.replace({"collectives.guild.recruits": ["old"]})
    assert learning.setup(two).digest != learning.setup(fewer).digest


def test_the_search_finds_the_mass_of_those_who_are_recruited(capsys) -> None:
    few = ("learn", "s.toml", "--critical-mass", "0.5", "--precision", "0.5", "--json")
    assert main(list(few)) == 0
    found = json.loads(capsys.readouterr().out)["critical_mass"]
    assert found["reached"] and found["high"] < 0.08
    everybody = ("--set", 'collectives.union.recruits=["willing", "others"]')
    assert main([*few, *everybody]) == 0
    assert json.loads(capsys.readouterr().out)["critical_mass"]["low"] > 0.08


# --- sizes ----------------------------------------------------------------------------------------


def test_by_default_sizes_go_up_to_all_who_may_join(selective: Scenario, two: Scenario) -> None:
    from alphacrit.measuring import sizes_of

    assert most_of(selective, "union") == 0.25
    assert sizes_of(selective, (), None, None, 5, None).max() == 0.25
    rows = sizes_of(two, (), None, None, 3, "linear")
    assert rows.max(axis=0).tolist() == [0.5, 0.4]
    assert rows.sum(axis=1).max() <= 0.6 + 1e-9  # young, old and rich
    assert [0.5, 0.4] not in rows.tolist()


@pytest.mark.parametrize(
    "argv", [("--sizes", "0.1,0.3"), ("--to", "0.3"), ("--critical-mass", "0.5", "--to", "0.3")]
)
def test_more_than_may_join_are_refused(argv: tuple[str, ...], capsys) -> None:
    assert main(["learn", "s.toml", *argv]) == 3
    said = "got 0.3 of union; must be ≤ 0.25, the share of the population that may join it"
    assert said in capsys.readouterr().err
    assert list(Cache().entries()) == []


def test_sizes_that_do_not_fit_together_are_refused(two: Scenario) -> None:
    with pytest.raises(ScenarioError, match=r"union = 0.4 and guild = 0.3.*0.6 any of them"):
        learning.learn(two, [[0.4, 0.3]], 1)
    with pytest.raises(ScenarioError, match=r"got 0.6 of union; must be ≤ 0.5.*young and old"):
        learning.search(two, 0.5, "union", high=0.6)
