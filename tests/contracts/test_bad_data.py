"""Broken scenarios whose platform is trained on data: each its exact message and exit code 3.

As in `test_bad_input`: a case is the good file with some lines exchanged. What is wrong may be in
the data (no such column, one label only) or in what the scenario asks of them.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.errors import ScenarioError
from sim.notes import notes_of
from sim.scenario import from_resolved, load, loads
from sim.success_of import success_function
from sim.trained import group_shares
from tests.contracts.test_bad_input import END, GARBAGE, expected, tables_in, text_of

P0 = """\
watermark,age,label,weight
no,old,a,500
no,old,b,100
no,young,a,100
no,young,b,280
yes,old,a,15
yes,old,b,5
"""
PEOPLE = "age,job,label\n" + "".join(
    f"{20 + i % 50},{'clerk' if i % 3 else 'cook'},{'abc'[i % 3] if i % 7 else 'a'}\n"
    for i in range(60)
)
TWO = "age,job,label\n" + "".join(
    f"{20 + i % 50},{'clerk' if i % 3 else 'cook'},{'ab'[i % 2] if i % 7 else 'a'}\n"
    for i in range(60)
)
FILES = {
    "p0.csv": P0,
    "gap.csv": P0.replace("no,young,b", "no,,b"),
    "negative.csv": P0.replace(",280", ",-280"),
    "sums.csv": "mark,label,p\nno,a,0.5\nno,b,0.3\nyes,a,0.1\n",
    "one.csv": "mark,label\nno,a\nyes,a\n",
    "all.csv": "watermark,label\nyes,a\nyes,b\n",
    "empty.csv": "mark,label\n",
    "note.txt": "no table",
    "people.csv": PEOPLE,
    "two.csv": TWO,
    "hole.csv": "age,job,label\n20,cook,a\n,clerk,b\n30,cook,b\n",
    "cook.csv": "age,job,label\n20,cook,a\n30,cook,b\n",
    "ones.csv": "mark,label\n1.0,a\n1.0,b\n",
    "twice.csv": "mark,mark,label\nno,yes,a\nno,no,b\n",
    "weights.csv": "age,w,v,label\n20,many,1,a\n30,2,-3,b\n",
    "ids.csv": "id,age,label\n" + "".join(f"p{i},{i % 7},{'ab'[i % 2]}\n" for i in range(300)),
}
BAYES = {
    8: 'signal = { set = { watermark = "yes" } }',
    9: 'target = "b"',
    11: 'learner = "bayes"\nuniverse = "p0.csv"\nweight = "weight"',
}
ROWS = {
    8: "signal = { set = { age = 99 } }",
    9: 'target = "b"',
    11: 'learner = "logistic"\ndata = "two.csv"',
}

# Name of the case: (lines exchanged, message without the file's name).
CASES: dict[str, tuple[dict[int, str], str]] = {
    "no such universe": (
        BAYES | {11: 'learner = "bayes"\nuniverse = "p1.csv"'},
        ':12: platform.universe: got "p1.csv", which does not exist; must be a CSV or Parquet file',
    ),
    "universe is a folder": (
        BAYES | {11: 'learner = "bayes"\nuniverse = "."'},
        ':12: platform.universe: got ".", which fails: Is a directory; must be a CSV or '
        "Parquet file",
    ),
    "universe is no table": (
        BAYES | {11: 'learner = "bayes"\nuniverse = "note.txt"'},
        ":12: platform.universe: note.txt: got an unknown kind of file; must end in .csv, "
        ".csv.gz, .csv.xz, .parquet",
    ),
    "label missing in the file": (
        BAYES | {11: ('learner = "bayes"\nuniverse = "p0.csv"\nlabel = "labl"\nweight = "weight"')},
        ':13: platform.label: got "labl"; must be a column of p0.csv (watermark, age, label, '
        'weight); did you mean "label"?',
    ),
    "weight missing in the file": (
        BAYES | {11: 'learner = "bayes"\nuniverse = "p0.csv"\nweight = "wieght"'},
        ':13: platform.weight: got "wieght"; must be a column of p0.csv (watermark, age, '
        'label, weight); did you mean "weight"?',
    ),
    "column missing in the file": (
        BAYES
        | {
            11: (
                'learner = "bayes"\n'
                'universe = "p0.csv"\n'
                'weight = "weight"\n'
                'columns = ["watermark", "agge"]'
            )
        },
        ':14: platform.columns: got "agge"; must be a column of p0.csv (watermark, age, '
        'label, weight); did you mean "age"?',
    ),
    "missing value": (
        BAYES | {11: 'learner = "bayes"\nuniverse = "gap.csv"\nweight = "weight"'},
        ":12: platform.universe: gap.csv:5: age: got a missing value (1 in this column); "
        'must be a value, such as "unknown", or leave the row out',
    ),
    "negative weight": (
        BAYES | {11: ('learner = "bayes"\nuniverse = "negative.csv"\nweight = "weight"')},
        ":12: platform.universe: negative.csv:5: weight: got -280; must be a number ≥ 0 (a weight)",
    ),
    "probabilities that do not sum to 1": (
        BAYES
        | {
            8: 'signal = { set = { mark = "yes" } }',
            11: 'learner = "bayes"\nuniverse = "sums.csv"\nweight = "p"',
        },
        ":12: platform.universe: sums.csv: p: got weights that sum to 0.9; must be whole "
        "numbers (counts) or probabilities that sum to 1 (divide them by their sum)",
    ),
    "one class": (
        BAYES
        | {
            8: 'signal = { set = { mark = "yes" } }',
            9: 'target = "a"',
            11: 'learner = "bayes"\nuniverse = "one.csv"',
        },
        ":12: platform.universe: one.csv: label: got people of one label only ('a' in the "
        "column 'label'); must be at least two",
    ),
    "nobody": (
        BAYES
        | {
            8: 'signal = { set = { mark = "yes" } }',
            11: 'learner = "bayes"\nuniverse = "empty.csv"',
        },
        ":12: platform.universe: empty.csv: got no rows; must be at least two people of "
        "different labels",
    ),
    "target unknown": (
        BAYES | {9: 'target = "B"'},
        ':9: collectives.union.target: got "B"; must be a label of the data ("a" or "b"); '
        'did you mean "b"?',
    ),
    "target absent": (
        BAYES | {9: ""},
        ':6: collectives.union.target: got "union", its own name, for none is given; must be '
        'a label of the data ("a" or "b")',
    ),
    "erasure with a target": (
        BAYES | {7: 'strategy = "erasure"'},
        ':9: collectives.union.target: got "b"; must be absent, for erasure has no target',
    ),
    "signal of an unknown column": (
        BAYES | {8: 'signal = { set = { watermrk = "yes" } }'},
        ":8: collectives.union.signal.set.watermrk: unknown column; must be a column of "
        'features ("watermark" or "age"); did you mean "watermark"?',
    ),
    "signal changes nobody": (
        BAYES | {11: 'learner = "bayes"\nuniverse = "all.csv"'},
        ':8: collectives.union.signal.set: got { watermark = "yes" }; changes nobody, '
        "everybody carries it already; must move some person's features (set other columns "
        "or other values)",
    ),
    "signal empty": (
        BAYES | {8: "signal = { set = {} }"},
        ":8: collectives.union.signal.set: got {}; must be a table of at least one column "
        "and its value",
    ),
    "signal no cell": (
        BAYES | {8: 'signal = { set = { watermark = ["yes"], age = nan } }'},
        ':8: collectives.union.signal.set.watermark: got ["yes"]; must be text, a finite '
        "number, true or false\n"
        ":8: collectives.union.signal.set.age: got nan; must be text, a finite number, true "
        "or false",
    ),
    "signal of a formula": (
        BAYES | {8: "signal = { uniqueness = 0.01, gap = 1.0 }"},
        ":8: collectives.union.signal.uniqueness: unknown key; on a platform that is trained "
        "on data must be one of set\n"
        ":8: collectives.union.signal.gap: unknown key; on a platform that is trained on "
        "data must be one of set\n"
        ":8: collectives.union.signal.set: missing; must be a table of at least one column "
        "and its value",
    ),
    "signal of data on a formula": (
        {8: 'signal = { set = { watermark = "yes" } }'},
        ":8: collectives.union.signal.set: unknown key; must be one of uniqueness, gap, "
        "overlap\n"
        ":8: collectives.union.signal.uniqueness: missing; must be a number in [0, 1] "
        "(probability)\n"
        ":8: collectives.union.signal.gap: missing; must be a number in [0, 1] (probability)",
    ),
    "erasure to nobody": (
        BAYES | {8: 'signal = { set = { watermark = "maybe" } }', 9: "", 7: 'strategy = "erasure"'},
        ':8: collectives.union.signal.set: got { watermark = "maybe" }; erasure imitates the '
        "labels at g(x), but at 2 of these points nobody is, so they have no labels; must "
        "map to points with people (fewer columns of features make them)",
    ),
    "strategy of another learner": (
        BAYES | {7: 'strategy = "gradient_control"'},
        ':7: collectives.union.strategy: got "gradient_control"; must be "feature_label", '
        '"feature_only" or "erasure" with learner = "bayes"',
    ),
    "worst missing": (
        BAYES
        | {11: ('learner = "bayes"\nuniverse = "p0.csv"\nweight = "weight"\nsuboptimality = 0.1')},
        ':10: platform.worst: missing; must be "joint_tv" or "conditional_tv" with '
        "suboptimality > 0",
    ),
    "worst of nothing": (
        BAYES
        | {11: ('learner = "bayes"\nuniverse = "p0.csv"\nweight = "weight"\nworst = "joint_tv"')},
        ':14: platform.worst: got "joint_tv"; must be absent with suboptimality = 0',
    ),
    "bound key with bayes": (
        BAYES
        | {11: ('learner = "bayes"\nuniverse = "p0.csv"\nweight = "weight"\nbound = "joint_tv"')},
        ':14: platform.bound: unknown key; with learner = "bayes" must be one of learner, '
        "universe, generated, label, weight, columns, label_noise, suboptimality, worst, "
        "retrain_every",
    ),
    "generated without a table": (
        BAYES
        | {
            8: 'signal = { set = { signal = "yes" } }',
            9: 'target = "target"',
            11: 'learner = "bayes"\nuniverse = "generated"',
        },
        ":10: platform.generated: missing; must be a table such as { uniqueness = 0.01, gap "
        "= 0.5 }",
    ),
    "generated out of range": (
        BAYES
        | {
            8: 'signal = { set = { signal = "yes" } }',
            9: 'target = "target"',
            11: (
                'learner = "bayes"\n'
                'universe = "generated"\n'
                "generated = { uniqueness = 0.1, gap = 0.5, positivity = 0.4 }"
            ),
        },
        ":13: platform.generated.positivity: got 0.4; must be in [0, 0.25] (≤ (1 − Δ)/2, p)",
    ),
    "generated and a file": (
        BAYES
        | {
            11: (
                'learner = "bayes"\n'
                'universe = "p0.csv"\n'
                "generated = { uniqueness = 0.1, gap = 0.5 }"
            )
        },
        ':13: platform.generated: got a table; must be absent with universe = "p0.csv", or '
        'universe must be "generated"',
    ),
    "pivotal on data": (
        BAYES | {END: '[revision]\ndecides = "pivotal"'},
        ':15: revision.decides: got "pivotal"; must be "atomistic" with learner = "bayes" '
        "(the platform would have to be trained once for every person who decides)",
    ),
    "sequential on data": (
        BAYES | {END: '[revision]\nactivation = "sequential"'},
        ':15: revision.activation: got "sequential"; must be "simultaneous" with learner = '
        '"bayes" (the platform would have to be trained anew after each person)',
    ),
    "overlap on data": (
        BAYES | {8: ('signal = { set = { watermark = "yes" }, overlap = { guild = 1.0 } }')},
        ":8: collectives.union.signal.overlap: unknown key; on a platform that is trained on "
        "data must be one of set",
    ),
    "groups by data without data": (
        {END: '[population.groups.web]\nwhere = { label = "b" }'},
        ':13: population.groups.web.where: got { label = "b" }; must be absent (with learner '
        '= "bound" people are no data points)',
    ),
    "share and where": (
        BAYES | {END: '[population.groups.web]\nshare = 0.2\nwhere = { label = "b" }'},
        ":16: population.groups.web.where: got share as well; must be one of share and where",
    ),
    "neither share nor where": (
        BAYES | {END: "[population.groups.web]\ncost = 0.2"},
        ":14: population.groups.web.share: missing; must be a number in (0, 1], or where in "
        "its place (share of the population)",
    ),
    "groups both ways": (
        BAYES
        | {
            END: (
                "[population.groups.web]\n"
                'where = { label = "b" }\n'
                "[population.groups.old]\n"
                "share = 0.3"
            )
        },
        ":17: population.groups.old.share: got a share, but web has where; must be one way "
        "for all groups",
    ),
    "group of an unknown column": (
        BAYES | {END: '[population.groups.web]\nwhere = { labl = "b" }'},
        ":15: population.groups.web.where.labl: unknown column; must be a column of the data "
        '("watermark", "age" or "label"); did you mean "label"?',
    ),
    "group of an unknown value": (
        BAYES | {END: '[population.groups.web]\nwhere = { age = "Old" }'},
        ':15: population.groups.web.where.age: got "Old"; must be a value of this column '
        '("old" or "young"); did you mean "old"?',
    ),
    "group of nobody": (
        BAYES | {END: ('[population.groups.web]\nwhere = { watermark = "yes", age = "young" }')},
        ':15: population.groups.web.where: got { watermark = "yes", age = "young" }, which '
        "nobody is; must describe some of the people",
    ),
    "groups overlap": (
        BAYES
        | {
            END: (
                "[population.groups.web]\n"
                'where = { label = "b" }\n'
                "[population.groups.old]\n"
                'where = { age = "old" }'
            )
        },
        ':17: population.groups.old.where: got { age = "old" }, which some of web are too; '
        "must not overlap with another group (name one more column to tell them apart)",
    ),
    "start above the recruits by data": (
        BAYES
        | {
            9: 'target = "b"\nstart = 0.9\nrecruits = ["web"]',
            END: '[population.groups.web]\nwhere = { label = "b" }',
        },
        ":10: collectives.union.start: got 0.9; must be ≤ 0.385, what its recruits hold "
        "(share of the population)",
    ),
    "blocks by data": (
        BAYES
        | {
            5: ('network = { kind = "stochastic_block", within = 3, between = 1 }'),
            END: '[population.groups.web]\nwhere = { label = "b" }',
        },
        ':5: population.network.kind: got "stochastic_block" with groups by where; must be '
        "groups by share (ties are given as numbers of neighbours in blocks of a fixed size)",
    ),
    "no such data": (
        ROWS | {11: 'learner = "logistic"\ndata = "tow.csv"'},
        ':12: platform.data: got "tow.csv", which does not exist; must be a CSV or Parquet file',
    ),
    "three labels": (
        ROWS | {11: 'learner = "logistic"\ndata = "people.csv"'},
        ':10: platform.loss: got "logistic" with 3 labels; must be "softmax"',
    ),
    "hole in the data": (
        ROWS | {11: 'learner = "logistic"\ndata = "hole.csv"'},
        ":12: platform.data: hole.csv:3: age: got a missing or infinite value (1 in this "
        'column); must be a value, such as "unknown", or leave the row out',
    ),
    "rows without the label": (
        ROWS | {11: 'learner = "logistic"\ndata = "two.csv"\nlabel = "lable"'},
        ':13: platform.label: got "lable"; must be a column of two.csv ("age", "job" or '
        '"label"); did you mean "label"?',
    ),
    "words for a number": (
        ROWS | {8: 'signal = { set = { age = "old" } }'},
        ':8: collectives.union.signal.set.age: got "old"; must be a number, as the others of '
        "this column",
    ),
    "rows changed nowhere": (
        ROWS
        | {8: 'signal = { set = { job = "cook" } }', 11: 'learner = "logistic"\ndata = "cook.csv"'},
        ':8: collectives.union.signal.set: got { job = "cook" }, which everybody has '
        "already; must change somebody",
    ),
    "extra unused": (
        ROWS | {11: ('learner = "logistic"\ndata = "two.csv"\nextra = ["watermark", "age"]')},
        ':13: platform.extra[0]: got "watermark", which no signal sets; must be absent\n'
        ':13: platform.extra[1]: got "age", which is a column of two.csv already; must be new',
    ),
    "signal changes nobody, as numbers": (
        BAYES
        | {
            8: "signal = { set = { mark = 1 } }",
            11: 'learner = "bayes"\nuniverse = "ones.csv"',
        },
        ":8: collectives.union.signal.set: got { mark = 1 }; changes nobody, everybody carries it "
        "already; must move some person's features (set other columns or other values)",
    ),
    "rows changed nowhere, as numbers": (
        ROWS
        | {8: 'signal = { set = { mark = "1" } }', 11: 'learner = "logistic"\ndata = "ones.csv"'},
        ':8: collectives.union.signal.set: got { mark = "1" }, which everybody has already; '
        "must change somebody",
    ),
    "two columns of one name": (
        BAYES
        | {
            8: 'signal = { set = { mark = "yes" } }',
            11: 'learner = "bayes"\nuniverse = "twice.csv"',
        },
        ":12: platform.universe: twice.csv: two columns are called 'mark'; must have a name of "
        "their own each",
    ),
    "two columns of one name among rows": (
        ROWS
        | {
            8: 'signal = { set = { mark = "yes" } }',
            11: 'learner = "logistic"\ndata = "twice.csv"',
        },
        ":12: platform.data: got \"twice.csv\", which fails: two columns are called 'mark'; must "
        "have a name of their own each; must be a CSV or Parquet file",
    ),
    "weights of words": (
        ROWS | {11: 'learner = "logistic"\ndata = "weights.csv"\nweight = "w"'},
        ":12: platform.data: weights.csv:2: w: got many; must be a number ≥ 0 (a weight)",
    ),
    "weight of a row negative": (
        ROWS | {11: 'learner = "logistic"\ndata = "weights.csv"\nweight = "v"'},
        ":12: platform.data: weights.csv:3: v: got -3; must be a number ≥ 0 (a weight)",
    ),
    "labels no numbers": (
        ROWS
        | {
            7: 'strategy = "gradient_neutralising"',
            8: "signal = { move = { age = 0.1 } }",
            9: "",
            11: 'learner = "logistic"\ndata = "two.csv"\nloss = "least_squares"',
        },
        ':12: platform.data: two.csv:2: label: got a; must be a number with loss = "least_squares"',
    ),
    "names as features": (
        ROWS | {11: 'learner = "logistic"\ndata = "ids.csv"'},
        ":12: platform.data: ids.csv: id: got 300 different values in a column of words, each of "
        "which would be a feature; must be at most 200 (leave the column out, or group its values)",
    ),
    "all held out": (
        ROWS | {11: 'learner = "logistic"\ndata = "two.csv"\ntest = 0.999'},
        ":13: platform.test: got 0.999, which leaves none of 60 people to train on; must be "
        "smaller (share of the data)",
    ),
    "next to all held out": (
        ROWS | {11: 'learner = "logistic"\ndata = "two.csv"\ntest = 0.98'},
        ':13: platform.test: got 0.98, which leaves 1 people to train on, all "a"; must be '
        "smaller, or the data have more people of at least two labels (share of the data)",
    ),
    "split of nobody": (
        ROWS | {11: 'learner = "logistic"\ndata = "two.csv"\nsplit = "job"'},
        ':13: platform.split: got "job"; must be a column with "train" in it (no row of column '
        "'job' says 'train')",
    ),
    "ridge zero": (
        ROWS | {11: 'learner = "logistic"\ndata = "two.csv"\nridge = 0'},
        ":13: platform.ridge: got 0; must be > 0 (per person)",
    ),
    "test and split": (
        ROWS | {11: ('learner = "logistic"\ndata = "two.csv"\nsplit = "job"\ntest = 0.5')},
        ":14: platform.test: got 0.5; must be 0 with split, which says who is held out "
        "(share of the data)",
    ),
    "unit of nothing": (
        ROWS | {11: 'learner = "logistic"\ndata = "two.csv"\nunit = "bound"'},
        ':13: platform.unit: got "bound"; must be absent where nobody plays gradient_neutralising',
    ),
    "steering beyond reach": (
        ROWS | {8: "signal = { move = { age = 50 } }", 7: 'strategy = "gradient_neutralising"'},
        ":8: collectives.union.signal.move: got { age = 50.0 }; must be a change that data "
        "can bring about (target: no data make up for the ridge at θ*, λ‖θ*‖² = 24.9 against "
        "at most 0.278; choose a shorter θ* or a platform with a smaller ridge)",
    ),
    "steering unknown": (
        ROWS
        | {
            8: "signal = { move = { ag = 1.0, job = 0.1 } }",
            7: 'strategy = "gradient_neutralising"',
        },
        ":8: collectives.union.signal.move.ag: unknown feature; must be a feature of the "
        'data ("age", "job=clerk" or "job=cook"); did you mean "age"?\n'
        ":8: collectives.union.signal.move.job: unknown feature; must be a feature of the "
        'data ("age", "job=clerk" or "job=cook")',
    ),
    "network with rows": (
        ROWS | {5: 'network = { kind = "complete" }'},
        ':5: population.network: got a network; must be absent with learner = "logistic" '
        "(the platform would have to be trained at every size that neighbours can show; "
        'measure success first, and use learner = "table")',
    ),
    "principal with rows": (
        ROWS | {END: ('[principal]\npolicy = "subsidy"\nbudget = 1\ncollective = "union"')},
        ':13: principal: got a table; must be absent with learner = "logistic" (the platform '
        "would have to be trained at every size to be priced; measure success first, and use "
        'learner = "table")',
    ),
    "step of a network too long": (
        ROWS
        | {
            8: "signal = { set = { age = 99 }, pull = 3 }",
            11: 'learner = "gradient"\ndata = "two.csv"\nlearning_rate = 0.5',
            7: 'strategy = "gradient_control"',
        },
        ":8: collectives.union.signal.pull: got 3; must be ≤ 1/learning_rate = 2 (1/step)",
    ),
    "hidden no list": (
        ROWS | {11: 'learner = "gradient"\ndata = "two.csv"\nhidden = 8'},
        ":13: platform.hidden: got 8; must be a list of whole numbers ≥ 1",
    ),
    "hidden no units": (
        ROWS | {11: 'learner = "gradient"\ndata = "two.csv"\nhidden = [8, 0]'},
        ":13: platform.hidden[1]: got 0; must be a whole number from 1 to 10000",
    ),
    "softmax under control": (
        ROWS
        | {
            8: "signal = { set = { age = 99 }, pull = 1 }",
            11: 'learner = "gradient"\ndata = "two.csv"\nloss = "softmax"',
            7: 'strategy = "gradient_control"',
        },
        ':13: platform.loss: got "softmax"; must be "logistic" or "squared" with '
        "gradient_control, which answers one score",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with data to be named by scenarios."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("good", [BAYES, ROWS], ids=["bayes", "rows"])
def test_good_files_are_good(good: dict[int, str], folder: Path) -> None:
    path = folder / "two.toml"
    path.write_text(text_of(good))
    scenario = load(path)
    found = success_function(scenario).at([[0.0], [1.0]])
    assert found[0, 0] == 0.0 < found[1, 0]
    assert load(path, overrides={"collectives.union.dues": 0.1}).digest != scenario.digest


@pytest.mark.parametrize("case", CASES)
def test_exact_message(case: str, folder: Path) -> None:
    change, message = CASES[case]
    path = folder / "two.toml"
    path.write_text(text_of(change), encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert str(caught.value) == expected(message, path)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("case", CASES)
def test_every_message_says_what_to_do_and_no_library_speaks(case: str) -> None:
    words = CASES[case][1]
    assert all("must " in line for line in words.split("\n"))
    assert not re.search(r"pandas|pydantic|numpy|traceback|errno|codec", words.lower())


@pytest.mark.parametrize("case", ["target unknown", "one class", "hole in the data"])
def test_command_line_ends_with_3_and_writes_nothing(
    case: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from alphacrit.cli import main

    change, message = CASES[case]
    path, out = folder / "two.toml", folder / "out"
    path.write_text(text_of(change), encoding="utf-8")
    assert main(["run", str(path), "--out", str(out)]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.rstrip("\n") == expected(message, path)
    assert not out.exists()


def test_data_that_change_after_loading_are_an_error_too(folder: Path) -> None:
    path = folder / "two.toml"
    path.write_text(text_of(BAYES))
    scenario = load(path)
    (folder / "p0.csv").write_text(P0.replace("watermark", "mark"))
    with pytest.raises(ScenarioError, match=r"set\.watermark: unknown column; must be a column"):
        success_function(scenario)


def test_the_digest_includes_the_data(folder: Path) -> None:
    path = folder / "two.toml"
    path.write_text(text_of(BAYES))
    before = load(path)
    (folder / "p0.csv").write_text(P0.replace("280", "281"))
    after = load(path)
    assert before.digest != after.digest
    assert before.resolved() == after.resolved()
    (folder / "p0.csv").write_text(P0)
    assert load(path).digest == before.digest


FULL = {
    "bayes": """\
name = "full"
population = { size = 100, cost = 0.3, groups = { web = { where = { label = "target" } } } }
[collectives.union]
strategy = "feature_only"
signal = { set = { signal = "yes" } }
target = "target"
start = 0.02
recruits = ["web"]
[platform]
learner = "bayes"
universe = "generated"
generated = { uniqueness = 0.1, gap = 0.5, positivity = 0.1, kinds = 3, seed = 1 }
suboptimality = 0.1
worst = "conditional_tv"
""",
    "logistic": """\
name = "full"
population = { size = 100, cost = 0.3, groups = { web = { where = { label = "1", x1 = 0.0 } } } }
[collectives.union]
strategy = "feature_label"
signal = { set = { x2 = 4 } }
target = "1"
[collectives.guild]
strategy = "gradient_neutralising"
signal = { move = { x0 = 0.2 }, labels = "kept" }
target = "0"
[platform]
learner = "logistic"
data = "generated"
generated = { rows = 40, features = 3, unused = 2 }
test = 0.25
""",
}
MORE = [{"x1": "a"}, {"label": "target"}, {"x0": 1e9}, {"rows": 2}, "softmax", "erasure", "kept"]


@pytest.mark.parametrize("learner", FULL)
def test_garbage_is_a_scenario_error_or_a_scenario(learner: str) -> None:
    @settings(deadline=None, max_examples=150)
    @given(st.data())
    def one(data: st.DataObject) -> None:
        raw = tomllib.loads(FULL[learner])
        for _ in range(data.draw(st.integers(1, 3))):
            table = data.draw(st.sampled_from(tables_in(raw)))
            key = data.draw(st.sampled_from([*table, "where", "label", "test", "x y"]))
            table[key] = copy.deepcopy(data.draw(st.sampled_from([*GARBAGE, *MORE])))
        try:
            scenario = from_resolved(raw)
        except ScenarioError as error:
            assert error.problems
            assert not re.search(r"pydantic|Input should|type=|<class", str(error))
        else:
            assert loads(scenario.to_toml()) == scenario

    one()


# --- values however they are written --------------------------------------------------------------

SPELLINGS = {
    "truths": (["False", "False", "True", "True"], ["true", '"true"', '"True"', '"TRUE"']),
    "decimals": (["0.0", "0.0", "1.0", "1.0"], ["1", "1.0", '"1"', '"1.0"']),
    "whole": (["0", "0", "1", "1"], ["1", "1.0", '"1"', '"1.0"']),
}
ON = {"bayes": "universe", "logistic": "data"}


def _typed(learner: str, form: str, cells: list[str], target: str, planted: str) -> str:
    import pandas as pd

    frame = pd.DataFrame({"x": cells, "age": [1, 2, 3, 4], "label": cells[::-1]})
    frame["weight"] = [50, 30, 15, 5]
    if form == "parquet":
        for name in ("x", "label"):
            frame[name] = [json.loads(cell.lower()) for cell in frame[name]]
        frame.to_parquet("t.parquet")
    else:
        frame.to_csv("t.csv", index=False)
    return (
        'name = "t"\npopulation = { size = 50, cost = 0.3, groups = { has = { where = '
        f'{{ x = {planted} }} }} }} }}\n[collectives.union]\nstrategy = "feature_label"\n'
        f'signal = {{ set = {{ x = {planted} }} }}\ntarget = "{target}"\n[platform]\n'
        f'learner = "{learner}"\n{ON[learner]} = "t.{form}"\nweight = "weight"\n'
        'columns = ["x", "age"]\n'
    )


@pytest.mark.parametrize("learner", ON)
@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("kind", SPELLINGS)
def test_numbers_and_truths_compare_by_value(
    learner: str, form: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Success and groups are the same however signal, target and where are written."""
    monkeypatch.chdir(tmp_path)
    cells, ways = SPELLINGS[kind]
    found = []
    for way in ways:
        s = loads(_typed(learner, form, cells, way.strip('"'), way), folder=tmp_path)
        assert notes_of(s) == []
        assert group_shares(s) == [pytest.approx(0.2)]
        found.append(success_function(s).at([[0.05], [0.3]]).tolist())
    assert all(each == found[0] for each in found)


def test_codes_that_are_digits_are_no_numbers(folder: Path) -> None:
    (folder / "p0.csv").write_text(P0.replace("no,", "007,").replace("yes,", "7,"))
    path = folder / "two.toml"
    path.write_text(text_of(BAYES | {8: "signal = { set = { watermark = 7 } }"}))
    assert notes_of(load(path)) == []
    path.write_text(text_of(BAYES | {8: 'signal = { set = { watermark = "0007" } }'}))
    assert "is a value that nobody in p0.csv has" in notes_of(load(path))[0]


def test_words_for_missing_are_missing_among_numbers_only(folder: Path) -> None:
    """The same on both platforms: NA is a country, and no age."""
    path = folder / "two.toml"
    for change, key in ((BAYES, "universe"), (ROWS, "data")):
        learner = "bayes" if change is BAYES else "logistic"
        (folder / "na.csv").write_text("land,label\nNA,a\nDE,b\nNA,b\n")
        platform = {11: f'learner = "{learner}"\n{key} = "na.csv"'}
        path.write_text(text_of(change | platform | {8: 'signal = { set = { land = "NA" } }'}))
        assert notes_of(load(path)) == []
        (folder / "na.csv").write_text("land,label\nNA,a\n3,b\n4,b\n")
        with pytest.raises(ScenarioError, match=r"na\.csv:2: land: got a missing .*value"):
            load(path)


@pytest.mark.parametrize("command", ["validate", "show", "success", "equilibria", "run", "learn"])
def test_a_value_that_nobody_has_is_a_note_of_every_command(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from alphacrit.cli import main

    monkeypatch.chdir(folder)
    Path("two.toml").write_text(text_of(BAYES | {8: 'signal = { set = { watermark = "yse" } }'}))
    more = {"success": ["--at", "union=0.1"], "run": ["--no-figures", "--out", "out"]}
    more["learn"] = ["--sizes", "0.5", "-r", "1", "--cache", "kept"]
    note = (
        'collectives.union.signal.set.watermark: "yse" is a value that nobody in p0.csv has '
        '(theirs are "no" or "yes"); did you mean "yes"?'
    )
    assert main([command, "two.toml", *more.get(command, [])]) == 0
    said = capsys.readouterr()
    assert f"note: {note}\n" in said.err and "nobody in p0.csv" not in said.out
    if command == "run":
        more["run"][-1] = "again"
    assert main([command, "two.toml", *more.get(command, []), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert note in (document["files"][0] if command == "validate" else document)["notes"]
    Path("two.toml").write_text(text_of(BAYES))
    assert main(["validate", "two.toml"]) == 0
    assert "note" not in capsys.readouterr().err


def test_a_number_beyond_the_data_is_a_note_and_a_planned_watermark_none(folder: Path) -> None:
    path = folder / "two.toml"
    path.write_text(text_of(ROWS))
    (note,) = notes_of(load(path))
    assert note.endswith("99 is a value that nobody in two.csv has (theirs are from 20 to 69)")
    new = {8: "signal = { set = { mark = true } }"}
    new[11] = 'learner = "logistic"\ndata = "two.csv"\nextra = ["mark"]'
    path.write_text(text_of(ROWS | new))
    assert notes_of(load(path)) == []


def test_a_split_says_who_is_trained_on_where_parameters_are_moved(folder: Path) -> None:
    """Steering uses the rows of the split, and the others do not matter."""
    move = {7: 'strategy = "gradient_neutralising"', 8: "signal = { move = { age = 0.1 } }"}
    platform = {11: 'learner = "logistic"\ndata = "parts.csv"\nsplit = "part"'}
    path = folder / "two.toml"
    path.write_text(text_of(ROWS | move | platform))
    lines = TWO.splitlines()
    found = []
    for others in ("90,cook,a", "10,clerk,b"):
        rows = [f"{line},train" for line in lines[1:]] + [f"{others},test"]
        (folder / "parts.csv").write_text("\n".join([lines[0] + ",part", *rows]) + "\n")
        found.append(success_function(load(path)).at([[0.2]])[0, 0])
    assert found[0] == found[1] > 0.0


def test_huge_weights_do_not_overflow(folder: Path) -> None:
    path = folder / "two.toml"
    for change in (BAYES, ROWS | {11: 'learner = "logistic"\ndata = "big.csv"\nweight = "w"'}):
        found = []
        for unit in ("", "e305"):
            (folder / "p0.csv").write_text(
                "\n".join(f"{row}{unit}" if i else row for i, row in enumerate(P0.splitlines()))
            )
            big = [f"{row},{1 + i % 3}{unit}" for i, row in enumerate(TWO.splitlines()[1:])]
            (folder / "big.csv").write_text("\n".join(["age,job,label,w", *big]))
            path.write_text(text_of(change))
            found.append(success_function(load(path)).at([[0.0], [0.1], [0.5]]))
        np.testing.assert_allclose(found[1], found[0], rtol=1e-9)
