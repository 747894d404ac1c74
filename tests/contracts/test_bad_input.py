"""Broken scenario files: each gives its exact message, exit code 3, no traceback, no results.

A case is a good file with some lines exchanged; the messages are the whole text a user sees.
"""

from __future__ import annotations

import copy
import datetime
import math
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.errors import ScenarioError
from sim.scenario import from_resolved, load, loads

GOOD = """\
name = "two"
[population]
size = 100
cost = 0.3
free_riding = 0.2
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
start = 0.02
[platform]
learner = "bound"
"""
END = 12  # the first line after it

GUILD = """\
[collectives.guild]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
"""
GROUPS = """\
[population.groups.artists]
share = 0.3
[population.groups.coders]
share = 0.5
"""
STRATEGIES = (
    '"feature_label", "feature_only", "erasure", "gradient_neutralising" or "gradient_control"'
)
LEARNERS = '"bound", "bayes", "logistic", "gradient", "distilbert" or "table"'
PEOPLE_SEE = "people see no published success there by which to price the subsidy"


def text_of(change: dict[int, str]) -> str:
    """The good file with these lines exchanged; an empty line for one that is taken away."""
    lines = dict(enumerate(GOOD.splitlines(), start=1)) | change
    return "\n".join(lines[i] for i in sorted(lines)) + "\n"


# Name of the case: (lines exchanged, message without the file's name).
CASES: dict[str, tuple[dict[int, str], str]] = {
    # --- the file as a whole
    "empty": (
        dict.fromkeys(range(1, END), ""),
        ': name: missing; must be letters, digits, ".", "_" and "-", at most 100, for it names a '
        "folder\n"
        ": population: missing; must be a table\n"
        ": collectives: missing; must be a table\n"
        ': platform: missing; must be a table such as { learner = "bound", … }',
    ),
    "no value": (
        {4: "cost ="},
        ':4: got "cost ="; must be valid TOML (Invalid value)',
    ),
    "no equals sign": (
        {4: "cost 0.3"},
        ":4: got \"cost 0.3\"; must be valid TOML (Expected '=' after a key in a key/value pair)",
    ),
    "unclosed": (
        {END: "cites = [1"},
        ':12: got "cites = [1"; must be valid TOML (Unclosed array)',
    ),
    "nested": (
        {END: f"cites = {'[' * 200}{']' * 200}"},
        ": nested more than 30 tables or lists deep",
    ),
    "key twice": (
        {5: "cost = 0.4"},
        ':5: got "cost = 0.4"; must be valid TOML (a key or a table is given twice: Cannot '
        "overwrite a value)",
    ),
    "table twice": (
        {END: "[population]"},
        ':12: got "[population]"; must be valid TOML (a key or a table is given twice: Cannot '
        "declare ('population',) twice)",
    ),
    # --- top level
    "schema": (
        {1: 'schema = 2\nname = "two"'},
        ":1: schema: got 2; must be 1",
    ),
    "name is a path": (
        {1: 'name = "../two"'},
        ':1: name: got "../two"; must be letters, digits, ".", "_" and "-", at most 100, for it '
        "names a folder",
    ),
    "name is no text": (
        {1: "name = 2"},
        ':1: name: got 2; must be letters, digits, ".", "_" and "-", at most 100, for it names a '
        "folder",
    ),
    "unknown key at the top": (
        {1: 'name = "two"\nepoch = 3'},
        ":2: epoch: unknown key; must be one of schema, name, title, cites, seed, epochs, stop, "
        'population, collectives, platform, revision, principal, sweep; did you mean "epochs"?',
    ),
    "title": ({1: 'name = "two"\ntitle = 3'}, ":2: title: got 3; must be text"),
    "cites no list": (
        {1: 'name = "two"\ncites = "hardt2023"'},
        ':2: cites: got "hardt2023"; must be a list of texts',
    ),
    "cites no texts": (
        {1: 'name = "two"\ncites = [\n  "hardt2023",\n  2023,\n]'},
        ":4: cites[1]: got 2023; must be text",
    ),
    "seed negative": (
        {1: 'name = "two"\nseed = -1'},
        ":2: seed: got -1; must be from 0 to 9223372036854775807",
    ),
    "epochs true": (
        {1: 'name = "two"\nepochs = true'},
        ":2: epochs: got true; must be a whole number from 1 to 1000000000 (epochs)",
    ),
    "epochs zero": (
        {1: 'name = "two"\nepochs = 0'},
        ":2: epochs: got 0; must be from 1 to 1000000000 (epochs)",
    ),
    "date": (
        {1: 'name = "two"\nepochs = 2026-11-21'},
        ":2: epochs: got 2026-11-21; must be a whole number from 1 to 1000000000 (epochs)",
    ),
    "stop no table": (
        {1: 'name = "two"\nstop = "never"'},
        ':2: stop: got "never"; must be a table such as { when = "settled", … }',
    ),
    "stop unknown": (
        {1: 'name = "two"\nstop = { when = "settles" }'},
        ':2: stop.when: got "settles"; must be "settled" or "never"; did you mean "settled"?',
    ),
    "stop never has no patience": (
        {1: 'name = "two"\nstop = { when = "never", patience = 3 }'},
        ':2: stop.patience: unknown key; with when = "never" must be one of when',
    ),
    "patience": (
        {1: 'name = "two"\nstop = { when = "settled", patience = 0 }'},
        ":2: stop.patience: got 0; must be ≥ 1 (epochs)",
    ),
    "tolerance": (
        {1: 'name = "two"\nstop = { when = "settled", tolerance = -0.1 }'},
        ":2: stop.tolerance: got -0.1; must be ≥ 0 (share of the population)",
    ),
    "sweep": (
        {END: '[sweep]\ndesign = "grid"\nreplications = 30'},
        ':12: sweep.vary: missing; must be a table such as { "population.cost" = … } with at least '
        "one address",
    ),
    "no tables": (
        {2: "population = 3", 3: "", 4: "", 5: "", 10: "[x]", 11: ""},
        ': platform: missing; must be a table such as { learner = "bound", … }\n'
        ":2: population: got 3; must be a table\n"
        ":10: x: unknown key; must be one of schema, name, title, cites, seed, epochs, stop, "
        "population, collectives, platform, revision, principal, sweep",
    ),
    # --- population
    "size missing": (
        {3: ""},
        ':2: population.size: missing; must be a whole number from 1 to 1000000000 or "infinite" '
        "(people)",
    ),
    "size zero": (
        {3: "size = 0"},
        ':3: population.size: got 0; must be from 1 to 1000000000 or "infinite" (people)',
    ),
    "size fraction": (
        {3: "size = 99.5"},
        ':3: population.size: got 99.5; must be a whole number from 1 to 1000000000 or "infinite" '
        "(people)",
    ),
    "size huge": (
        {3: "size = 123456789012345678901234567890"},
        ":3: population.size: got 123456789012345678901234567890; must be from 1 to 1000000000 or "
        '"infinite" (people)',
    ),
    "size misspelt": (
        {3: "szie = 100"},
        ':2: population.size: missing; must be a whole number from 1 to 1000000000 or "infinite" '
        "(people)\n"
        ":3: population.szie: unknown key; must be one of size, cost, free_riding, network, "
        'groups; did you mean "size"?',
    ),
    "cost missing": (
        {4: ""},
        ":2: population.cost: missing; must be a number ≥ 0 or a table such as "
        '{ dist = "normal", … } (utility)',
    ),
    "cost negative": (
        {4: "cost = -0.2"},
        ":4: population.cost: got -0.2; must be ≥ 0 (utility)",
    ),
    "cost text": (
        {4: 'cost = "0.3"'},
        ':4: population.cost: got "0.3"; must be a number ≥ 0 or a table such as '
        '{ dist = "normal", … } (utility)',
    ),
    "cost true": (
        {4: "cost = true"},
        ":4: population.cost: got true; must be a number ≥ 0 or a table such as "
        '{ dist = "normal", … } (utility)',
    ),
    "cost nan": (
        {4: "cost = nan"},
        ":4: population.cost: got nan; must be a finite number ≥ 0 (utility)",
    ),
    "cost infinite": (
        {4: "cost = inf"},
        ":4: population.cost: got inf; must be a finite number ≥ 0 (utility)",
    ),
    "cost list": (
        {4: "cost = [0.1, 0.2]"},
        ":4: population.cost: got [0.1, 0.2]; must be a number ≥ 0 or a table such as "
        '{ dist = "normal", … } (utility)',
    ),
    "free-riding above 1": (
        {5: "free_riding = 1.2"},
        ":5: population.free_riding: got 1.2; must be in [0, 1] (share of the success)",
    ),
    # --- distributions
    "dist missing": (
        {4: "cost = { mean = 0.3, sd = 0.1 }"},
        ':4: population.cost.dist: missing; must be "normal", "uniform", "lognormal", "beta" or '
        '"values"',
    ),
    "dist unknown": (
        {4: 'cost = { dist = "gaussian", mean = 0.3, sd = 0.1 }'},
        ':4: population.cost.dist: got "gaussian"; must be "normal", "uniform", "lognormal", '
        '"beta" or "values"',
    ),
    "dist misspelt": (
        {4: 'cost = { dist = "Lognorm", median = 0.3, sigma = 0.1 }'},
        ':4: population.cost.dist: got "Lognorm"; must be "normal", "uniform", "lognormal", '
        '"beta" or "values"; did you mean "lognormal"?',
    ),
    "sd zero": (
        {4: 'cost = { dist = "normal", mean = 0.3, sd = 0 }'},
        ":4: population.cost.sd: got 0; must be > 0 (utility)",
    ),
    "sd missing, in a table of its own": (
        {4: "", END: '[population.cost]\ndist = "normal"\nmean = "a"'},
        ":12: population.cost.sd: missing; must be a number > 0 (utility)\n"
        ':14: population.cost.mean: got "a"; must be a number (utility)',
    ),
    "key of another distribution": (
        {4: 'cost = { dist = "uniform", low = 0, high = 1, mean = 0.5 }'},
        ':4: population.cost.mean: unknown key; with dist = "uniform" must be one of dist, low, '
        "high",
    ),
    "low above high": (
        {4: 'cost = { dist = "uniform", low = 0.5, high = 0.1 }'},
        ":4: population.cost.high: got 0.1, but low is 0.5; must be > low (utility)",
    ),
    "low equals high": (
        {4: 'cost = { dist = "normal", mean = 0.3, sd = 0.1, low = 0.5, high = 0.5 }'},
        ":4: population.cost.high: got 0.5, but low is 0.5; must be > low (utility)",
    ),
    "window without mass": (
        {4: 'cost = { dist = "normal", mean = 0.3, sd = 0.001, low = 1.0 }'},
        ":4: population.cost: got { low = 1.0 }; must contain some of the distribution (utility)",
    ),
    "lognormal below zero": (
        {4: 'cost = { dist = "lognormal", median = 0.3, sigma = 1.0, high = 0 }'},
        ":4: population.cost: got { high = 0.0 }; must contain some of the distribution (utility)",
    ),
    "beta beyond 1": (
        {4: 'cost = { dist = "beta", a = 2, b = 3, high = 2 }'},
        ":4: population.cost.high: got 2; must be in [0, 1] (utility)",
    ),
    "beta shape": (
        {4: 'cost = { dist = "beta", a = 0, b = 3 }'},
        ":4: population.cost.a: got 0; must be > 0",
    ),
    "values empty": (
        {4: 'cost = { dist = "values", values = [] }'},
        ":4: population.cost.values: got []; must be a list of at least one finite number "
        "(utility)",
    ),
    "values no numbers": (
        {4: 'cost = { dist = "values", values = [0.1, "a", true, inf] }'},
        ':4: population.cost.values[1]: got "a"; must be a finite number (utility)\n'
        ":4: population.cost.values[2]: got true; must be a finite number (utility)\n"
        ":4: population.cost.values[3]: got inf; must be a finite number (utility)",
    ),
    "many bad values": (
        {4: f'cost = {{ dist = "values", values = [{", ".join(["nan"] * 8)}] }}'},
        "\n".join(
            f":4: population.cost.values[{i}]: got nan; must be a finite number (utility)"
            + ("; so with 3 more" if i == 4 else "")
            for i in range(5)
        ),
    ),
    "free-riding unbounded": (
        {5: 'free_riding = { dist = "normal", mean = 0.3, sd = 0.1, low = -0.5 }'},
        ":5: population.free_riding.low: got -0.5; must be ≥ 0, for a free-riding factor lies in "
        "[0, 1] (share of the success)\n"
        ":5: population.free_riding.high: missing; must be ≤ 1, for a free-riding factor lies in "
        "[0, 1] (share of the success)",
    ),
    "free-riding value": (
        {5: 'free_riding = { dist = "values", values = [0.5, 1.5] }'},
        ":5: population.free_riding.values[1]: got 1.5; must be in [0, 1] (share of the success)",
    ),
    # --- groups
    "shares above 1": (
        {END: GROUPS.replace("0.3", "0.6")},
        ":12: population.groups: got shares that sum to 1.1; must sum to at most 1 "
        "(share of the population)",
    ),
    "share zero": (
        {END: GROUPS.replace("0.3", "0")},
        ":13: population.groups.artists.share: got 0; must be in (0, 1] (share of the population)",
    ),
    "group no table": (
        {6: "groups = { artists = 0.3 }\n[collectives.union]"},
        ":6: population.groups.artists: got 0.3; must be a table",
    ),
    "group with a size": (
        {END: GROUPS.replace("share = 0.3", "share = 0.3\nsize = 30")},
        ":14: population.groups.artists.size: unknown key; must be one of share, where, cost, "
        "free_riding",
    ),
    "group name": (
        {END: '[population.groups."web artists"]\nshare = 0.3'},
        ':12: population.groups."web artists": got the name "web artists"; must be letters, '
        'digits, "_" and "-"',
    ),
    # --- networks
    "network no table": (
        {5: 'network = "complete"'},
        ':5: population.network: got "complete"; must be a table such as { kind = "complete", … }',
    ),
    "network unknown": (
        {5: 'network = { kind = "small_world" }'},
        ':5: population.network.kind: got "small_world"; must be "complete", "watts_strogatz", '
        '"barabasi_albert", "erdos_renyi", "stochastic_block" or "edges"',
    ),
    "ring too small": (
        {5: 'network = { kind = "watts_strogatz", k = 100, p = 0.1 }'},
        ":5: population.network.k: got 100; must be < size = 100 (neighbours)",
    ),
    "ring odd": (
        {5: 'network = { kind = "watts_strogatz", k = 7, p = 0.1 }'},
        ":5: population.network.k: got 7; must be even (neighbours)",
    ),
    "too few to attach to": (
        {5: 'network = { kind = "barabasi_albert", m = 100 }'},
        ":5: population.network.m: got 100; must be < size = 100 (neighbours)",
    ),
    "more than everybody": (
        {5: 'network = { kind = "erdos_renyi", mean_degree = 100.0 }'},
        ":5: population.network.mean_degree: got 100; must be ≤ size − 1 = 99 (neighbours)",
    ),
    "blocks without groups": (
        {5: 'network = { kind = "stochastic_block", within = 5, between = 1 }'},
        ':5: population.network.kind: got "stochastic_block" without groups; must have '
        "[population.groups.*] as blocks",
    ),
    "blocks too small": (
        {5: 'network = { kind = "stochastic_block", within = 20, between = 60 }', END: GROUPS},
        ":5: population.network.within: got 20; must be ≤ 19, the others in the smallest block "
        "(neighbours)\n"
        ":5: population.network.between: got 60; must be ≤ 50, the people outside the largest "
        "block (neighbours)",
    ),
    "edge file missing": (
        {5: 'network = { kind = "edges", path = "none.txt" }'},
        ':5: population.network.path: got "none.txt", which does not exist; must be a file with, '
        "on each line, two different row numbers from 0 to 99, blank or comma between",
    ),
    "edge file bad": (
        {5: 'network = { kind = "edges", path = "bad.txt" }'},
        "\n".join(
            f':5: population.network.path: got "bad.txt", {what}; must be a file with, on each '
            "line, two different row numbers from 0 to 99, blank or comma between"
            for what in (
                'line 3 of it: "1 x"',
                'line 4 of it: "2"',
                'line 5 of it: "3 3"',
                'line 6 of it: "4 100"',
                'line 7 of it: "-1 5", and 2 more such lines',
            )
        ),
    ),
    "edge file empty": (
        {5: 'network = { kind = "edges", path = "empty.txt" }'},
        ':5: population.network.path: got "empty.txt", which holds no ties; must be a file with, '
        "on each line, two different row numbers from 0 to 99, blank or comma between",
    ),
    # --- collectives
    "no collective": (
        {6: "[collectives]", 7: "", 8: "", 9: ""},
        ":6: collectives: got no collective; must have at least one table [collectives.<name>]",
    ),
    "collective no table": (
        {6: "[collectives]\nunion = 3", 7: "", 8: "", 9: ""},
        ":7: collectives.union: got 3; must be a table",
    ),
    "collective name": (
        {6: '[collectives."a=b"]'},
        ':6: collectives."a=b": got the name "a=b"; must be letters, digits, "_" and "-"',
    ),
    "array of tables": (
        {6: "[[collectives]]"},
        ':6: collectives: got [{ strategy = "feature_label", signal = { uniqueness = 0.01…; must '
        "be a table",
    ),
    "strategy misspelt": (
        {7: 'strategy = "feature-label"'},
        f':7: collectives.union.strategy: got "feature-label"; must be {STRATEGIES}; did you mean '
        '"feature_label"?',
    ),
    "strategy missing": (
        {7: ""},
        f":6: collectives.union.strategy: missing; must be {STRATEGIES}",
    ),
    "signal missing": ({8: ""}, ":6: collectives.union.signal: missing; must be a table"),
    "signal of another strategy": (
        {8: "signal = { uniqueness = 0.01, positivity = 0.1 }"},
        ":8: collectives.union.signal.positivity: unknown key; must be one of uniqueness, gap, "
        "overlap\n"
        ":8: collectives.union.signal.gap: missing; must be a number in [0, 1] (probability)",
    ),
    "positivity zero": (
        {
            7: 'strategy = "feature_only"',
            8: "signal = { uniqueness = 0.01, positivity = 0.0 }",
        },
        ":8: collectives.union.signal.positivity: got 0.0; must be in (0, 1] (probability)",
    ),
    "sensitivity": (
        {7: 'strategy = "erasure"', 8: "signal.sensitivity = 1.5"},
        ":8: collectives.union.signal.sensitivity: got 1.5; must be in [0, 1] (probability)",
    ),
    "step too long": (
        {
            7: 'strategy = "gradient_control"',
            8: "signal = { pull = 2, learning_rate = 1, steps = 10 }",
        },
        ":8: collectives.union.signal.pull: got 2; must be ≤ 1/learning_rate = 1 (1/step)",
    ),
    "overlap with nobody": (
        {8: "signal = { uniqueness = 0.01, gap = 1.0, overlap = { guild = 1.0 } }"},
        ':8: collectives.union.signal.overlap.guild: got "guild"; must be another collective, and '
        "there is none",
    ),
    "overlap misspelt": (
        {8: "signal = { uniqueness = 0.01, gap = 1.0, overlap = { gild = 1.0 } }", END: GUILD},
        ':8: collectives.union.signal.overlap.gild: got "gild"; must be "guild"; did you mean '
        '"guild"?',
    ),
    "overlap with itself": (
        {8: "signal = { uniqueness = 0.01, gap = 1.0, overlap = { union = 1.0 } }"},
        ":8: collectives.union.signal.overlap.union: got the collective itself; must be another "
        "collective",
    ),
    "overlap above 1": (
        {8: "signal = { uniqueness = 0.01, gap = 1.0, overlap = { guild = 1.5 } }", END: GUILD},
        ":8: collectives.union.signal.overlap.guild: got 1.5; must be in [0, 1] (probability)",
    ),
    "target empty": (
        {9: 'target = ""'},
        ':9: collectives.union.target: got ""; must be text of at least one character',
    ),
    "start above 1": (
        {9: "start = 1.5"},
        ":9: collectives.union.start: got 1.5; must be in [0, 1] (share of the population)",
    ),
    "starts above 1": (
        {9: "start = 0.6", END: f"{GUILD}start = 0.6"},
        ":6: collectives: got starts of union and guild that sum to 1.2; must sum to at most 1 "
        "(share of the population)",
    ),
    "start above the recruits": (
        {9: 'start = 0.4\nrecruits = ["artists"]', END: GROUPS},
        ":9: collectives.union.start: got 0.4; must be ≤ 0.3, what its recruits hold "
        "(share of the population)",
    ),
    "starts above the recruits": (
        {
            9: 'start = 0.2\nrecruits = ["artists"]',
            END: f'{GROUPS}{GUILD}start = 0.2\nrecruits = ["artists"]',
        },
        ":6: collectives: got starts of union and guild that sum to 0.4; must sum to at most 0.3, "
        "what their recruits hold (share of the population)",
    ),
    "dues": (
        {9: "dues = -1"},
        ":9: collectives.union.dues: got -1; must be ≥ 0 (utility)",
    ),
    "recruits nobody": (
        {9: "recruits = []"},
        ":9: collectives.union.recruits: got []; must be a list of at least one name of a group",
    ),
    "recruits without groups": (
        {9: 'recruits = ["artists"]'},
        ':9: collectives.union.recruits[0]: got "artists"; must be a group, and there is none',
    ),
    "recruits misspelt and twice": (
        {9: 'recruits = ["artists", "artist", "artists"]', END: GROUPS},
        ':9: collectives.union.recruits[1]: got "artist"; must be "artists" or "coders"; did you '
        'mean "artists"?\n'
        ':9: collectives.union.recruits[2]: got "artists" twice; must name each group once',
    ),
    "no bound for several": (
        {
            END: GUILD.replace("feature_label", "erasure").replace(
                "uniqueness = 0.01, gap = 1.0", "sensitivity = 0.1"
            )
        },
        ':13: collectives.guild.strategy: got "erasure"; must be "feature_label" where there are '
        "several collectives (no bound is known for the other strategies)",
    ),
    # --- platform
    "unknown learner": (
        {11: 'learner = "bounds"'},
        f':11: platform.learner: got "bounds"; must be {LEARNERS}; did you mean "bound"?',
    ),
    "suboptimality": (
        {11: 'learner = "bound"\nsuboptimality = 1'},
        ":12: platform.suboptimality: got 1; must be in [0, 1) (total variation)",
    ),
    "suboptimality conditional": (
        {11: 'learner = "bound"\nsuboptimality = 0.5\nbound = "conditional_tv"'},
        ':12: platform.suboptimality: got 0.5; must be < 0.5 with bound = "conditional_tv" (total '
        "variation)",
    ),
    "suboptimality of a gradient": (
        {
            7: 'strategy = "gradient_neutralising"',
            8: "signal = { own_gradient = 1, base_gradient = 1 }",
            11: 'learner = "bound"\nsuboptimality = 0.1',
        },
        ":12: platform.suboptimality: got 0.1; must be 0 with strategy = "
        '"gradient_neutralising" of collectives.union, whose bound has no such term (total '
        "variation)",
    ),
    "erasure joint": (
        {
            7: 'strategy = "erasure"',
            8: "signal = { sensitivity = 0.1 }",
            11: 'learner = "bound"\nsuboptimality = 0.1\nbound = "joint_tv"',
        },
        ':13: platform.bound: got "joint_tv" for erasure; must be "hardt2023" or '
        '"conditional_tv" (a platform that is off by ε in joint total variation can undo erasure '
        "altogether)",
    ),
    # --- revision
    "protocol": (
        {END: '[revision]\nprotocol = "best-response"'},
        ':13: revision.protocol: got "best-response"; must be "best_response", "logit" or '
        '"imitation"; did you mean "best_response"?',
    ),
    "rate zero": (
        {END: "[revision]\nrate = 0.0"},
        ":13: revision.rate: got 0.0; must be in (0, 1] (share of the population)",
    ),
    "noise with best response": (
        {END: "[revision]\nnoise = 0.1"},
        ':13: revision.noise: got 0.1; must be 0 with protocol = "best_response" (utility)',
    ),
    "logit without noise": (
        {END: '[revision]\nprotocol = "logit"'},
        ':12: revision.noise: got 0; must be > 0 with protocol = "logit" (utility)',
    ),
    "pivotal on a network": (
        {
            5: 'network = { kind = "complete" }',
            END: '[revision]\ndecides = "pivotal"',
        },
        ':13: revision.decides: got "pivotal"; must be "atomistic" on a network (there people see '
        "their neighbours' membership, not the published success)",
    ),
    "pivotal imitation": (
        {END: '[revision]\nprotocol = "imitation"\ndecides = "pivotal"'},
        ':14: revision.decides: got "pivotal"; must be "atomistic" with protocol = "imitation" '
        "(who imitates looks at others)",
    ),
    "sequential": (
        {
            11: 'learner = "bound"\nretrain_every = 5',
            END: '[revision]\nactivation = "sequential"',
        },
        ':12: platform.retrain_every: got 5; must be 1 with activation = "sequential", where '
        "success is updated after each person (epochs)",
    ),
    # --- principal
    "principal of nobody": (
        {END: '[principal]\npolicy = "subsidy"\nbudget = 4\ncollective = "onion"'},
        ':15: principal.collective: got "onion"; must be "union"; did you mean "union"?',
    ),
    "later policy": (
        {END: '[principal]\npolicy = "posted_price"\nprice = 4'},
        ':13: principal.policy: got "posted_price"; must be "subsidy" (other policies arrive in a '
        "later version)",
    ),
    "budget missing": (
        {END: '[principal]\npolicy = "subsidy"\ncollective = "union"'},
        ":12: principal.budget: missing; must be a number ≥ 0 (utility, in total)",
    ),
    "principal on a network": (
        {
            5: 'network = { kind = "complete" }',
            END: '[principal]\npolicy = "subsidy"\nbudget = 4\ncollective = "union"',
        },
        f":12: principal: got a table; must be absent on a network ({PEOPLE_SEE})",
    ),
    # --- everything at once, in the order of the file
    "all at once": (
        {
            3: "size = 0",
            4: "cost = -1",
            8: "signal = { uniqueness = 2 }",
            9: "start = 0.6",
            END: f"{GUILD}start = 0.6\n[principal]\nbudget = 1",
        },
        ':3: population.size: got 0; must be from 1 to 1000000000 or "infinite" (people)\n'
        ":4: population.cost: got -1; must be ≥ 0 (utility)\n"
        ":6: collectives: got starts of union and guild that sum to 1.2; must sum to at most 1 "
        "(share of the population)\n"
        ":8: collectives.union.signal.uniqueness: got 2; must be in [0, 1] (probability)\n"
        ":8: collectives.union.signal.gap: missing; must be a number in [0, 1] (probability)\n"
        ':16: principal.policy: missing; must be "subsidy"\n'
        ":16: principal.collective: missing; must be text",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with edge files to be named by scenarios."""
    bad = "# ties\n0 1\n1 x\n2\n3 3\n4 100\n-1 5\n1 2 3\n1.5 2\n"
    (tmp_path / "bad.txt").write_text(bad)
    (tmp_path / "empty.txt").write_text("# nothing\n\n")
    return tmp_path


def expected(message: str, path: Path) -> str:
    return "\n".join(f"{path}{line}" for line in message.split("\n"))


def test_good_file_is_good() -> None:
    assert loads(GOOD).population.cost == 0.3


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 45


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
def test_no_library_speaks_in_a_message(case: str) -> None:
    words = CASES[case][1].lower()
    assert not re.search(
        r"pydantic|input should|type=|validation|traceback|\bfloat\b|\bint\b", words
    )
    assert all(" must be " in line or "must " in line or "TOML" in line or "nested" in line
               for line in CASES[case][1].split("\n"))  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_command_line_ends_with_3_and_writes_nothing(
    case: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from alphacrit.cli import main

    change, message = CASES[case]
    path, out = folder / "two.toml", folder / "out"
    path.write_text(text_of(change), encoding="utf-8")
    before = set(folder.iterdir())
    assert main(["run", str(path), "--out", str(out)]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.rstrip("\n") == expected(message, path)
    assert set(folder.iterdir()) == before


def test_process_ends_with_3_and_no_traceback(folder: Path) -> None:
    path, out = folder / "two.toml", folder / "out"
    path.write_text(text_of({4: "cost = -0.2"}))
    command = [sys.executable, "-m", "alphacrit", "run", str(path), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"{path}:4: population.cost: got -0.2; must be ≥ 0 (utility)\n"
    assert not out.exists()
    assert not (folder / "results").exists()


# --- files that cannot be read -------------------------------------------------------------------


def problems_of(path: Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(path)
    return str(caught.value)


def test_no_such_file(tmp_path: Path) -> None:
    (tmp_path / "baseline.toml").write_text(GOOD)
    near, far = tmp_path / "baselin.toml", tmp_path / "other.toml"
    wanted = f'{near}: no such file; did you mean "{tmp_path / "baseline.toml"}"?'
    assert problems_of(near) == wanted
    assert problems_of(far) == f"{far}: no such file"


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == f"{tmp_path}: is a folder; must be a scenario file (TOML)"


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes('name = "a"\ntitle = "café"\n'.encode("latin-1"))
    assert problems_of(path) == f"{path}:2: got the byte 0xe9; must be text in UTF-8"


def test_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(path) == loads(GOOD)
    path.write_bytes(GOOD.replace("0.3", "-3").replace("\n", "\r\n").encode())
    assert problems_of(path) == f"{path}:4: population.cost: got -3; must be ≥ 0 (utility)"


# --- overrides -----------------------------------------------------------------------------------

OVERRIDES = {
    ("population.cost", "-1"): "population.cost: got -1; must be ≥ 0 (utility)",
    ("population.cost.mean", "0.3"): (
        "population.cost: got 0.3; must be a table for population.cost.mean to be set"
    ),
    ("population.szie", "3"): (
        "population.szie: unknown key; must be one of size, cost, free_riding, network, groups; "
        'did you mean "size"?'
    ),
    ("principal.budget", "3"): (
        'principal.policy: missing; must be "subsidy"\n'
        "--set principal.budget=3: principal.collective: missing; must be text"
    ),
    ("revision.protocol", "logit"): (
        'revision.noise: got 0; must be > 0 with protocol = "logit" (utility)'
    ),
    ("not a key", "3"): 'got the key "not a key"; must be a dotted key',
    ("", "3"): 'got the key ""; must be a dotted key',
    ("sweep.design", "grid"): (
        'sweep.vary: missing; must be a table such as { "population.cost" = … } with at least one '
        "address"
    ),
}


@pytest.mark.parametrize(("pair", "message"), OVERRIDES.items())
def test_override_is_named_where_it_is_wrong(pair: tuple[str, str], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(GOOD, overrides=[pair])
    assert str(caught.value) == f"--set {pair[0]}={pair[1]}: {message}"


def test_seed_option_is_named() -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(GOOD, seed=-1)
    assert str(caught.value) == "--seed -1: seed: got -1; must be from 0 to 9223372036854775807"


def test_replace_names_the_change() -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(GOOD).replace({"population.size": -1})
    words = 'population.size: got -1; must be from 1 to 1000000000 or "infinite" (people)'
    assert str(caught.value) == f"replace population.size=-1: {words}"


# --- anything anywhere ---------------------------------------------------------------------------

FULL = """\
name = "full"
cites = ["x"]
stop = { when = "settled", patience = 3 }
[population]
size = 1000
cost = { dist = "normal", mean = 0.3, sd = 0.1, low = 0.0 }
free_riding = { dist = "values", values = [0.1, 0.2] }
[population.groups.artists]
share = 0.6
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
start = 0.02
recruits = ["artists"]
[collectives.guild]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0, overlap = { union = 1.0 } }
[platform]
learner = "bound"
[revision]
protocol = "logit"
noise = 0.1
[principal]
policy = "subsidy"
budget = 40.0
collective = "union"
"""
GARBAGE: list[Any] = [
    *(0, 1, -1, 2**70, 10**400, True, 0.5, 1e308, -1e308, 5e-324, math.nan, math.inf),
    *("", "x", "union", "\x00", [], [1], ["artists", "artists"], [[]], {}, {"": {}}, {"union": 3}),
    *({"a": {"b": {}}}, {"start": 0.3}, {"when": "never"}, {"policy": {}}, {"learner": []}),
    *({"learner": "bayes"}, {"dist": []}, {"set": {}}, {"where": {"x": 1}, "set": {"x": [1]}}),
    *({"learner": "bayes", "universe": "generated"}, {"set": {"signal": "yes"}}),
    {"learner": "bayes", "universe": "\x00"},
    {"learner": "logistic", "data": "generated", "generated": {"rows": 20}},
    *({"dist": []}, {"dist": "normal"}, {"kind": "edges", "path": "."}),
    {"dist": "normal", "mean": 1e308, "sd": 5e-324, "low": 0},
    {"dist": "lognormal", "median": 5e-324, "sigma": 1e308, "low": 1, "high": 2},
    {"dist": "beta", "a": 1e-300, "b": 1e300, "low": 0.5, "high": 0.6},
    {"dist": "uniform", "low": -1e308, "high": 1e308},
    {"dist": "values", "values": [1e308, 1e308]},
    {"kind": "stochastic_block", "within": 1, "between": 1},
    {"kind": "edges", "path": "\x00"},
    datetime.date(2026, 11, 21),
]


def tables_in(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, dict):
        return []
    return [value, *(table for inner in value.values() for table in tables_in(inner))]


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_garbage_is_a_scenario_error_or_a_scenario(data: st.DataObject) -> None:
    raw = tomllib.loads(FULL)
    for _ in range(data.draw(st.integers(1, 3))):
        table = data.draw(st.sampled_from(tables_in(raw)))
        key = data.draw(st.sampled_from([*table, "bound", "low", "groups", "network", "x y"]))
        table[key] = copy.deepcopy(data.draw(st.sampled_from(GARBAGE)))
    try:
        scenario = from_resolved(raw)
    except ScenarioError as error:
        assert error.problems
        assert not re.search(r"pydantic|Input should|type=|<class", str(error))
    else:
        assert loads(scenario.to_toml()) == scenario


# --- answers and not errors ----------------------------------------------------------------------

FINE = {
    "free-riding 1": {5: "free_riding = 1"},
    "cost 0": {4: "cost = 0"},
    "one person": {3: "size = 1"},
    "start 0": {9: "start = 0"},
    "start 1": {9: "start = 1"},
    "success never reaches the threshold": {4: "cost = 5"},
    "uniqueness 0": {8: "signal = { uniqueness = 0, gap = 0 }"},
    "negative costs": {4: 'cost = { dist = "normal", mean = 0.25, sd = 0.12 }'},
    "rounding of shares": {
        END: "".join(f"[population.groups.g{i}]\nshare = 0.1\n" for i in range(10))
    },
    "far truncation": {4: 'cost = { dist = "normal", mean = 0, sd = 0.1, low = 3 }'},
}


@pytest.mark.parametrize("case", FINE)
def test_extremes_load(case: str) -> None:
    assert loads(text_of(FINE[case])).names == ("union",)
