"""The scenario: what loads, digests, round trips, changes, lines and documentation."""

from __future__ import annotations

import json
import pickle
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from learners.errors import ScenarioError
from sim.edge_list import read_edges
from sim.scenario import Scenario, fields, fields_markdown, from_resolved, load, loads
from sim.scenario_parts import Normal, Population, WattsStrogatz
from sim.scenario_platforms import BayesPlatform, BoundPlatform
from sim.toml_lines import toml_lines
from sim.toml_text import dotted, inline

DESIGN = """\
schema = 1
name   = "two-collectives"
title  = "Two collectives that plant colliding signals"
cites  = ["karan2025, figure 3"]
seed   = 20261121
epochs = 300
stop   = { when = "settled", tolerance = 0.0, patience = 3 }      # or { when = "never" }

[population]
size        = 10_000
cost        = { dist = "normal", mean = 0.3, sd = 0.1, low = 0.0 }
free_riding = 0.2
network     = { kind = "watts_strogatz", k = 10, p = 0.05 }

[population.groups.artists]
share = 0.6
cost  = 0.25

[collectives.union]
strategy = "feature_label"
signal   = { uniqueness = 0.01, gap = 1.0 }
start    = 0.02
dues     = 0.0
recruits = ["artists"]

[collectives.guild]
strategy = "feature_label"
signal   = { uniqueness = 0.01, gap = 1.0, overlap = { union = 1.0 } }
target   = "b"

[platform]
learner       = "bound"
suboptimality = 0.0
retrain_every = 1

[revision]
protocol   = "best_response"
activation = "simultaneous"
rate       = 1.0
noise      = 0.0
decides    = "atomistic"
"""
SMALL = """\
name = "small"
[population]
size = 100
cost = 0.3
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
[platform]
learner = "bound"
"""


def small(**changes: Any) -> Scenario:
    return loads(SMALL).replace({k.replace("__", "."): v for k, v in changes.items()})


# --- loading -------------------------------------------------------------------------------------


def test_the_designs_example_loads() -> None:
    s = loads(DESIGN)
    assert s.names == ("union", "guild")
    assert s.population.cost == Normal(dist="normal", mean=0.3, sd=0.1, low=0.0)
    assert s.population.network == WattsStrogatz(kind="watts_strogatz", k=10, p=0.05)
    assert (s.collectives["union"].target, s.collectives["guild"].target) == ("union", "b")
    np.testing.assert_array_equal(s.eligible(), [[False, True], [True, True]])
    assert s.source == DESIGN


def test_the_designs_example_of_a_finite_universe_loads(tmp_path: Path) -> None:
    (tmp_path / "p0.csv").write_text("watermark,label,weight\nno,a,6\nno,b,3\nyes,a,1\n")
    platform = 'learner  = "bayes"\nuniverse = "p0.csv"\nlabel = "label"\nweight = "weight"'
    text = SMALL.replace('learner = "bound"', platform).replace(
        "signal = { uniqueness = 0.01, gap = 1.0 }",
        'target = "b"\nsignal = { set = { watermark = "yes" } }',
    )
    s = loads(text, folder=tmp_path)
    assert isinstance(s.platform, BayesPlatform)
    assert s.flat()["collectives.union.signal.set.watermark"] == "yes"
    assert loads(s.to_toml(), folder=tmp_path) == s
    assert from_resolved(json.loads(json.dumps(s.resolved())), folder=tmp_path) == s
    assert pickle.loads(pickle.dumps(s)) == s
    moved = s.replace({"population.groups": {"web": {"where": {"label": "b"}}}})
    assert loads(moved.to_toml(), folder=tmp_path).population.groups["web"].where == {"label": "b"}


def test_columns_may_have_any_name_and_cells_any_plain_value(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("a b.c,n,label\nx,1,true\ny,2,false\n")
    text = SMALL.replace('learner = "bound"', 'learner = "bayes"\nuniverse = "p.csv"').replace(
        "signal = { uniqueness = 0.01, gap = 1.0 }",
        'target = "true"\nsignal = { set = { "a b.c" = "y", n = 2 } }',
    )
    s = loads(text, folder=tmp_path)
    assert s.flat()['collectives.union.signal.set."a b.c"'] == "y"
    assert s.replace({'collectives.union.signal.set."a b.c"': "x"}) != s
    assert s.replace({"collectives.union.signal.set.n": 2.0}).digest != s.digest
    assert loads(s.to_toml(), folder=tmp_path) == s


def test_its_principal_needs_a_population_without_a_network() -> None:
    principal = '[principal]\npolicy = "subsidy"\nbudget = 40.0\ncollective = "union"\n'
    with pytest.raises(ScenarioError, match="must be absent on a network"):
        loads(DESIGN + principal)
    alone = DESIGN.replace('network     = { kind = "watts_strogatz", k = 10, p = 0.05 }\n', "")
    assert loads(alone + principal).principal.budget == 40.0  # type: ignore[union-attr]


def test_defaults_are_those_of_the_design() -> None:
    s = loads(SMALL)
    assert (s.seed, s.epochs, s.title, s.cites) == (0, 300, "", ())
    assert s.stop.model_dump() == {"when": "settled", "tolerance": 0.0, "patience": 3}
    assert (s.population.free_riding, s.population.network) == (0.0, None)
    assert isinstance(s.platform, BoundPlatform)
    assert (s.revision.protocol, s.revision.rate, s.platform.bound) == (
        "best_response",
        1.0,
        "hardt2023",
    )


@pytest.mark.parametrize(
    ("strategy", "signal"),
    [
        ("feature_label", {"uniqueness": 0.01, "gap": 1}),
        ("feature_only", {"uniqueness": 0.01, "positivity": 0.1}),
        ("erasure", {"sensitivity": 0.01}),
        ("gradient_neutralising", {"own_gradient": 2, "base_gradient": 1}),
        ("gradient_control", {"pull": 1, "learning_rate": 1, "steps": 10}),
    ],
)
def test_every_strategy(strategy: str, signal: dict[str, float]) -> None:
    s = loads(
        SMALL.replace("feature_label", strategy).replace(
            "{ uniqueness = 0.01, gap = 1.0 }", inline(signal)
        )
    )
    assert signal.items() <= s.collectives["union"].signal.model_dump().items()
    assert loads(s.to_toml()) == s


@pytest.mark.parametrize(
    "network",
    [
        {"kind": "complete"},
        {"kind": "watts_strogatz", "k": 4, "p": 0},
        {"kind": "barabasi_albert", "m": 2},
        {"kind": "erdos_renyi", "mean_degree": 5},
        {"kind": "stochastic_block", "within": 5, "between": 1},
    ],
)
def test_every_network(network: dict[str, Any]) -> None:
    s = small(population__network=network, population__groups={"a": {"share": 0.5}})
    assert s.population.network is not None
    assert s.population.network.kind == network["kind"]
    assert loads(s.to_toml()) == s


def test_frozen() -> None:
    s = loads(DESIGN)
    with pytest.raises(ValidationError, match="frozen"):
        s.seed = 3
    with pytest.raises(TypeError, match="scenario is frozen"):
        s.collectives["union"] = s.collectives["guild"]
    with pytest.raises(TypeError, match="scenario is frozen"):
        s.collectives["guild"].signal.overlap.clear()  # type: ignore[union-attr]


def test_pickles() -> None:
    s = loads(DESIGN)
    again = pickle.loads(pickle.dumps(s))
    assert (again, again.digest, again.source, hash(again)) == (s, s.digest, s.source, hash(s))


def test_made_in_python_it_is_checked_as_well() -> None:
    parts = loads(SMALL)
    s = Scenario(
        name="small",
        population=Population(size=100, cost=0.3),
        collectives=parts.collectives,
        platform=parts.platform,
    )
    assert s == parts
    ring = WattsStrogatz(kind="watts_strogatz", k=3, p=0.1)
    with pytest.raises(ScenarioError) as caught:
        Scenario(
            name="small",
            population=Population(size=100, cost=0.3, network=ring),
            collectives=parts.collectives,
            platform=parts.platform,
        )
    assert str(caught.value) == "population.network.k: got 3; must be even (neighbours)"


# --- overrides and replacing ---------------------------------------------------------------------


def test_overrides() -> None:
    pairs = [
        ("population.cost.mean", "0.4"),
        ("population.size", "20"),
        ("population.network.k", "4"),
        ("title", "in plain words"),
        ("collectives.union.recruits", '["artists"]'),
        ("population.free_riding", '{ dist = "beta", a = 2, b = 3 }'),
        ("principal", "{}"),
    ]
    s = loads(DESIGN, overrides=pairs[:-1])
    assert s.population.cost.mean == 0.4  # type: ignore[union-attr]
    assert (s.population.size, s.population.network.k) == (20, 4)  # type: ignore[union-attr]
    assert (s.title, s.population.free_riding.a) == ("in plain words", 2.0)  # type: ignore[union-attr]
    assert loads(DESIGN, overrides=dict(pairs[:-1])) == s
    with pytest.raises(ScenarioError):
        loads(DESIGN, overrides=pairs)


def test_the_last_override_and_the_seed_win(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    s = load(path, [("epochs", "1"), ("epochs", "2")], seed=7)
    assert (s.epochs, s.seed, s.folder, s.source) == (2, 7, tmp_path, SMALL)


def test_replace_makes_a_new_one_and_leaves_the_old() -> None:
    s = loads(DESIGN)
    new = s.replace({"population.size": np.int64(50), "population.network": None, "title": "3"})
    assert (new.population.size, new.population.network, new.title) == (50, None, "3")
    assert (s.population.size, s.title) == (10_000, loads(DESIGN).title)
    assert s.replace({}) == s
    assert s.replace({"population.cost": Normal(dist="normal", mean=0.1, sd=0.1)}) != s


# --- digest --------------------------------------------------------------------------------------

SAME = {
    "comments": "# hello\n" + SMALL,
    "spelling of numbers": SMALL.replace("0.3", "0.30").replace("100", "1_00"),
    "whole numbers for numbers": SMALL.replace("gap = 1.0", "gap = 1"),
    "order of keys": SMALL.replace("size = 100\ncost = 0.3", "cost = 0.3\nsize = 100").replace(
        "uniqueness = 0.01, gap = 1.0", "gap = 1.0, uniqueness = 0.01"
    ),
    "order of tables": """
name = "small"
[platform]
learner = "bound"
[collectives.union]
signal = { uniqueness = 0.01, gap = 1.0 }
strategy = "feature_label"
[population]
size = 100
cost = 0.3
""",
    "a table of defaults": SMALL.replace(
        'learner = "bound"', 'learner = "bound"\n[revision]\nrate = 1'
    ),
    "inline tables": SMALL.replace(
        "signal = { uniqueness = 0.01, gap = 1.0 }", "signal.uniqueness = 0.01\nsignal.gap = 1.0"
    ),
    "defaults spelt out": SMALL.replace(
        'learner = "bound"', 'learner = "bound"\nsuboptimality = 0\nbound = "hardt2023"'
    ).replace('strategy = "feature_label"', 'strategy = "feature_label"\ntarget = "union"'),
}
OTHER = {
    "name": ("small", "tiny"),
    "size": ("100", "101"),
    "cost": ("0.3", "0.31"),
    "cost by an ulp": ("cost = 0.3", "cost = 0.30000000000000004"),
    "distribution": ("cost = 0.3", 'cost = { dist = "values", values = [0.3] }'),
    "seed": ("[population]", "seed = 1\n[population]"),
    "title": ("[population]", 'title = "x"\n[population]'),
    "collective's name": ("union", "guild"),
}


@pytest.mark.parametrize("case", SAME)
def test_digest_does_not_depend_on_the_writing(case: str) -> None:
    assert SAME[case] != SMALL
    assert loads(SAME[case]).digest == loads(SMALL).digest
    assert loads(SAME[case]) == loads(SMALL)


@pytest.mark.parametrize("case", OTHER)
def test_digest_tells_contents_apart(case: str) -> None:
    changed = SMALL.replace(*OTHER[case])
    assert loads(changed).digest != loads(SMALL).digest
    assert loads(changed) != loads(SMALL)


def test_every_field_counts_in_the_digest() -> None:
    s = loads(DESIGN)
    digests = {s.digest}
    changes: dict[str, Any] = {
        "population.cost.sd": 0.2,
        "population.cost.high": 2.0,
        "population.free_riding": 0.3,
        "population.network.p": 0.06,
        "population.groups.artists.share": 0.7,
        "collectives.union.start": 0.03,
        "collectives.union.dues": 0.1,
        "collectives.union.recruits": None,
        "collectives.guild.target": "union",
        "collectives.guild.signal.overlap.union": 0.5,
        "platform.suboptimality": 0.1,
        "platform.bound": "joint_tv",
        "platform.retrain_every": 2,
        "revision.activation": "sequential",
        "revision.rate": 0.5,
        "stop": {"when": "never"},
        "stop.patience": 4,
        "cites": ["x"],
    }
    digests |= {s.replace({key: value}).digest for key, value in changes.items()}
    assert len(digests) == len(changes) + 1
    assert all(len(d) == 12 and int(d, 16) >= 0 for d in digests)


def test_the_order_of_collectives_is_content() -> None:
    guild = (
        '[collectives.guild]\nstrategy = "feature_label"\nsignal = {uniqueness = 0.1, gap = 1}\n'
    )
    last = loads(SMALL + guild)
    first = loads(SMALL.replace("[collectives.union]", guild + "[collectives.union]"))
    assert (first.names, last.names) == (("guild", "union"), ("union", "guild"))
    assert first.resolved() == last.resolved()
    assert first.digest != last.digest


def test_an_edge_file_counts_by_its_content(tmp_path: Path) -> None:
    path, ties = tmp_path / "s.toml", tmp_path / "ties.txt"
    path.write_text(SMALL.replace("cost", 'network = { kind = "edges", path = "ties.txt" }\ncost'))
    ties.write_text("0 1\n1,2\n")
    first = load(path)
    ties.write_text("0 1\n1,3\n")
    assert load(path).digest != first.digest
    assert load(path) != first
    assert first.replace({"seed": 3}).folder == tmp_path
    ties.write_text("0 1\n1,2\n")
    assert load(path).digest == first.digest


def test_edges(tmp_path: Path) -> None:
    path = tmp_path / "ties.txt"
    path.write_text("# who knows whom\n0 1\n\n3, 2 # again below\n2\t3\n1 0\n")
    edges, problems = read_edges(path, 4)
    assert problems == []
    np.testing.assert_array_equal(edges, [[0, 1], [2, 3]])
    assert read_edges(path, 3)[1] == ['line 4 of it: "3, 2"', 'line 5 of it: "2\t3"']


# --- round trips ---------------------------------------------------------------------------------

share = st.floats(0, 1, allow_nan=False)
positive = st.floats(1e-3, 10)
names = st.sampled_from(["union", "guild", "a-b", "_1", "007"])


@st.composite
def costs(draw: st.DrawFn) -> Any:
    low = draw(st.floats(0, 1))
    return draw(
        st.one_of(
            st.floats(0, 1e6),
            st.integers(0, 5),
            st.just({"dist": "uniform", "low": low, "high": low + 1}),
            st.builds(lambda m, s: {"dist": "normal", "mean": m, "sd": s}, share, positive),
            st.builds(
                lambda m, s: {"dist": "lognormal", "median": m, "sigma": s}, positive, positive
            ),
            st.builds(
                lambda a, b: {"dist": "beta", "a": a, "b": b, "high": 0.9}, positive, positive
            ),
            st.builds(lambda v: {"dist": "values", "values": v}, st.lists(share, min_size=1)),
        )
    )


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    keys = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    collectives: dict[str, Any] = {}
    for name in keys:
        signal: dict[str, Any] = {"uniqueness": draw(share), "gap": draw(share)}
        if draw(st.booleans()):
            signal["overlap"] = {other: draw(share) for other in keys if other != name}
        collectives[name] = {
            "strategy": "feature_label",
            "signal": signal,
            "start": draw(share) / 3,
        }
    population: dict[str, Any] = {"size": draw(st.integers(1, 10**9)), "cost": draw(costs())}
    if draw(st.booleans()):
        population["groups"] = {name: {"share": 0.2, "cost": draw(costs())} for name in keys}
    return {
        "name": "any",
        "title": draw(st.text(st.characters(codec="utf-8"), max_size=20)),
        "cites": draw(st.lists(st.text(st.characters(codec="utf-8"), max_size=9), max_size=3)),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "population": population,
        "collectives": collectives,
        "platform": {"learner": "bound", "suboptimality": draw(st.floats(0, 0.4))},
    }


@settings(deadline=None, max_examples=150)
@given(tables())
def test_round_trips(raw: dict[str, Any]) -> None:
    s = from_resolved(raw)
    text = s.to_toml()
    again = loads(text)
    assert again == s
    assert (again.digest, again.names) == (s.digest, s.names)
    assert from_resolved(json.loads(json.dumps(s.resolved(), allow_nan=False))) == s
    assert s.replace({}) == s
    # Every key that TOML sees has a line of its own that mentions it.
    lines, written = toml_lines(text), text.split("\n")
    for address, line in lines.items():
        assert isinstance(address[-1], int) or str(address[-1]) in written[line - 1]


def test_resolved_has_the_keys_of_the_file() -> None:
    resolved = loads(DESIGN).resolved()
    assert list(resolved)[:3] == ["schema", "name", "title"]
    assert list(resolved["collectives"]) == ["union", "guild"]
    assert resolved["revision"]["protocol"] == "best_response"
    assert json.loads(json.dumps(resolved)) == resolved
    assert tomllib.loads(loads(DESIGN).to_toml()) == resolved


def test_flat() -> None:
    flat = loads(DESIGN).flat()
    assert flat["population.cost.mean"] == 0.3
    assert flat["collectives.guild.signal.overlap.union"] == 1.0
    assert flat["cites"] == '["karan2025, figure 3"]'
    assert all(isinstance(v, str | int | float) for v in flat.values())
    changed = loads(SMALL).replace({k: v for k, v in loads(SMALL).flat().items() if k != "cites"})
    assert changed == loads(SMALL)


# --- lines ---------------------------------------------------------------------------------------

TRICKY = '''\
# a = 1
"quoted key" = "[not.a.table]" # x = 2
text = """
[neither]
b = 3 \\""" still
"""
literal = \'\'\'
c = 4\'\'\'
a.b . "c d" = 5
list = [
  1, # one
  [2, 3],
  { x = 1, "y" = "}" },
]
[t] # comment
when = 1979-05-27 07:32:00
inline = { p.q = [ "a", "]" ], r = {} }
[[many]]
k = 1
[[many]]
[many.sub]
k = 2
[ "x.y" . z ]
k = \'\'
'''
WHERE = {
    ("quoted key",): 2,
    ("text",): 3,
    ("literal",): 7,
    ("a",): 9,
    ("a", "b", "c d"): 9,
    ("list",): 10,
    ("list", 0): 11,
    ("list", 1): 12,
    ("list", 1, 1): 12,
    ("list", 2, "y"): 13,
    ("t",): 15,
    ("t", "when"): 16,
    ("t", "inline", "p", "q", 1): 17,
    ("t", "inline", "r"): 17,
    ("many", 0, "k"): 19,
    ("many", 1): 20,
    ("many", 1, "sub", "k"): 22,
    ("x.y", "z"): 23,
    ("x.y", "z", "k"): 24,
}


def test_lines_of_everything_toml_can_do() -> None:
    tomllib.loads(TRICKY)
    lines = toml_lines(TRICKY)
    assert {address: lines.get(address) for address in WHERE} == WHERE
    assert not {("b",), ("c",), ("neither",), ("not",)} & set(lines)


def test_every_value_of_a_file_has_a_line() -> None:
    def addresses(value: Any, above: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:
        items: Any = ()
        if isinstance(value, dict):
            items = value.items()
        elif isinstance(value, list):
            items = enumerate(value)
        below = [a for key, item in items for a in addresses(item, (*above, key))]
        return [above, *below] if above else below

    for text in (TRICKY, DESIGN, SMALL):
        assert set(addresses(tomllib.loads(text), ())) == set(toml_lines(text))


def test_dotted() -> None:
    assert dotted(("population", "cost", "values", 3)) == "population.cost.values[3]"
    assert dotted(("collectives", "a b", "start")) == 'collectives."a b".start'


# --- documentation -------------------------------------------------------------------------------


def test_every_field_is_documented() -> None:
    records = fields()
    assert all(r.meaning and r.address and r.type for r in records)
    by_address = {(r.address, r.when): r for r in records}
    cost = by_address["population.cost", ""]
    assert (cost.unit, cost.symbol, cost.range, cost.required) == ("utility", "c", "≥ 0", True)
    mean = by_address["population.cost.mean", 'dist = "normal"']
    assert mean.unit == "utility"
    assert by_address["collectives.<name>.start", ""].default == "0.0"
    assert ("collectives.<name>.signal.positivity", 'strategy = "feature_only"') in by_address


def test_every_number_of_a_scenario_has_its_record() -> None:
    known = {r.address for r in fields()}
    for key in loads(DESIGN).flat():
        steps = key.split(".")
        general = [
            "<name>" if i and steps[i - 1] in ("collectives", "groups", "overlap") else step
            for i, step in enumerate(steps)
        ]
        assert ".".join(general) in known, key


def test_documentation_as_markdown() -> None:
    text = fields_markdown()
    assert "| `cost` | c | a number or a distribution | required | ≥ 0 | utility |" in text
    assert '### `dist = "lognormal"`' in text
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {8}
