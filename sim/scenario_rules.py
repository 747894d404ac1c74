"""What must hold between the fields of a scenario.

Each rule yields problems. A rule that needs a value which is itself broken stops there (the value's
own problem is reported already), so all rules that can be judged are judged.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim import scenario_parts as parts
from sim.distributions import as_distribution
from sim.edge_list import read_edges
from sim.scenario_check import Address, Problem, did_you_mean, require_complete
from sim.scenario_fields import Unchecked, listed, quoted
from sim.scenario_platform_rules import rows, step, strategies, universe
from sim.scenario_platforms import (
    GENERATED,
    PEOPLE_LEARNERS,
    SLOW_LEARNERS,
    BayesPlatform,
    BoundPlatform,
    DistilbertPlatform,
    RowData,
    TablePlatform,
)
from sim.scenario_text_rules import local_model, texts
from sim.toml_text import shown
from sim.trained import BadData, problems_of, shares_by_data

if TYPE_CHECKING:
    from sim.scenario import Scenario

Found = Iterator[Problem]
EVERY_SIZE = "the platform would have to be trained at every size"
MEASURE = 'measure success first, and use learner = "table"'
SLACK = 1e-9  # sums of shares such as 0.1 + 0.2 + 0.7 exceed 1 by rounding alone


def broken_rules(scenario: Scenario, folder: Path) -> list[Problem]:
    """Every rule that the scenario breaks; it may be a partly checked one."""
    problems: list[Problem] = []
    for rule in _rules(scenario, folder):
        try:
            problems.extend(rule)
        except Unchecked:
            continue
    return problems


def _rules(scenario: Scenario, folder: Path) -> Iterator[Found]:
    plain: tuple[Callable[[Scenario], Found], ...] = (
        infinite,
        group_shares,
        one_collective,
        strategies,
        several_collectives,
        starts,
        suboptimality,
        universe,
        rows,
        texts,
        revision_noise,
        pivotal,
        sequential,
        principal,
    )
    yield from (rule(scenario) for rule in plain)
    yield network(scenario, folder)
    yield data(scenario, folder)
    for address, table in _tables(scenario):
        yield distribution(table, "cost", address)
        yield distribution(table, "free_riding", address)
    try:
        names = list(scenario.collectives)
    except Unchecked:
        return
    for name in names:
        yield recruits(scenario, name)
        yield overlap(scenario, name)
        yield pull(scenario, name)


def referenced_files(s: Scenario) -> dict[str, str]:
    """Files that the scenario names, by the address where it does: their content counts, too."""
    files = {}
    if isinstance(s.population.network, parts.Edges):
        files["population.network.path"] = s.population.network.path
    if isinstance(s.platform, BayesPlatform) and s.platform.universe != GENERATED:
        files["platform.universe"] = s.platform.universe
    if isinstance(s.platform, RowData) and s.platform.data != GENERATED:
        files["platform.data"] = s.platform.data
    if isinstance(s.platform, DistilbertPlatform):
        if s.platform.dataset != GENERATED:
            files["platform.dataset"] = s.platform.dataset
        if local_model(s.platform, s.folder) is not None:
            files["platform.model"] = s.platform.model
    if isinstance(s.platform, TablePlatform):
        files["platform.table"] = s.platform.table
    return files


def _tables(scenario: Scenario) -> list[tuple[Address, Any]]:
    """The population and its groups, where there are such tables at all."""
    found: list[tuple[Address, Any]] = []
    try:
        found.append((("population",), scenario.population))
        for name, group in scenario.population.groups.items():
            found.append((("population", "groups", name), group))
    except Unchecked:
        pass
    return found


# --- population ----------------------------------------------------------------------------------


def infinite(s: Scenario) -> Found:
    """The limit of many people exists where chance averages out and nobody is looked at singly."""
    if not s.population.infinite:
        return
    net, why = s.population.network, ""
    if net is not None and net.kind != "complete":
        why = "on a network, where people see their neighbours and not the published success"
    elif s.principal is not None:
        why = "with a principal, whose budget is for a number of people whom she pays one by one"
    elif s.platform.learner in PEOPLE_LEARNERS:
        why = f'with learner = "{s.platform.learner}", whose data are the people themselves'
    if why:
        yield Problem(("population", "size"), f'got "infinite"; must be a number {why} (people)')


def group_shares(s: Scenario) -> Found:
    """Groups are all given by share or all by data, and cannot hold more than everybody."""
    groups, here = s.population.groups, ("population", "groups")
    by_data = [name for name, group in groups.items() if group.where is not None]
    for name, group in groups.items():
        if group.share is None and group.where is None:
            text = "missing; must be a number in (0, 1], or where in its place"
            yield Problem((*here, name, "share"), f"{text} (share of the population)")
        elif group.share is not None and group.where is not None:
            text = "got share as well; must be one of share and where"
            yield Problem((*here, name, "where"), text)
        elif group.share is not None and by_data:
            text = f"got a share, but {by_data[0]} has where; must be one way for all groups"
            yield Problem((*here, name, "share"), text)
    if by_data:
        return
    total = math.fsum(group.share for group in groups.values() if group.share is not None)
    if total > 1 + SLACK:
        text = f"got shares that sum to {total:g}; must sum to at most 1 (share of the population)"
        yield Problem(("population", "groups"), text)


def distribution(table: Any, name: str, above: Address) -> Found:
    """Ends in order, a window with something in it, and free-riding factors in [0, 1]."""
    spec = getattr(table, name)
    if spec is None or isinstance(spec, int | float):
        return
    address, unit = (*above, name), "utility" if name == "cost" else "share of the success"
    if not isinstance(spec, parts.Values):
        low, high = spec.low, spec.high
        if low is not None and high is not None and not low < high:
            text = f"got {high:g}, but low is {low:g}; must be > low ({unit})"
            yield Problem((*address, "high"), text)
            return
    law = as_distribution(spec)
    if getattr(law, "log_mass", 0.0) < math.log(1e-300):
        text = f"got {shown(_window(spec))}; must contain some of the distribution ({unit})"
        yield Problem(address, text)
        return
    if name == "free_riding":
        yield from _within_unit(spec, address, law.support)


def _window(spec: Any) -> dict[str, float]:
    return {k: v for k in ("low", "high") if (v := getattr(spec, k)) is not None}


def _within_unit(spec: Any, address: Address, support: tuple[float, float]) -> Found:
    unit = "(share of the success)"
    if isinstance(spec, parts.Values):
        for i, value in enumerate(spec.values):
            if not 0 <= value <= 1:
                yield Problem(
                    (*address, "values", i), f"got {shown(value)}; must be in [0, 1] {unit}"
                )
        return
    for key, wrong, must in (
        ("low", support[0] < 0, "≥ 0"),
        ("high", support[1] > 1, "≤ 1"),
    ):
        given = getattr(spec, key)
        if wrong:
            came = "missing" if given is None else f"got {shown(given)}"
            text = f"{came}; must be {must}, for a free-riding factor lies in [0, 1] {unit}"
            yield Problem((*address, key), text)


def network(s: Scenario, folder: Path) -> Found:
    """A network that exists for so many people."""
    net, here = s.population.network, ("population", "network")
    if net is not None and s.platform.learner in SLOW_LEARNERS:
        text = f'got a network; must be absent with learner = "{s.platform.learner}"'
        yield Problem(here, f"{text} ({EVERY_SIZE} that neighbours can show; {MEASURE})")
    if s.population.infinite:
        return
    size = s.population.size
    match net:
        case parts.WattsStrogatz():
            if net.k % 2:
                yield Problem((*here, "k"), f"got {net.k}; must be even (neighbours)")
            if net.k >= size:
                yield Problem((*here, "k"), f"got {net.k}; must be < size = {size} (neighbours)")
        case parts.BarabasiAlbert() if net.m >= size:
            yield Problem((*here, "m"), f"got {net.m}; must be < size = {size} (neighbours)")
        case parts.ErdosRenyi() if net.mean_degree > size - 1:
            text = f"got {net.mean_degree:g}; must be ≤ size − 1 = {size - 1} (neighbours)"
            yield Problem((*here, "mean_degree"), text)
        case parts.StochasticBlock():
            yield from _blocks(s, net)
        case parts.Edges():
            _, problems = read_edges(folder / net.path, size)
            must = f"two different row numbers from 0 to {size - 1}, blank or comma between"
            for problem in problems:
                words = f"must be a file with, on each line, {must}"
                yield Problem((*here, "path"), f"got {shown(net.path)}, {problem}; {words}")


def _blocks(s: Scenario, net: parts.StochasticBlock) -> Found:
    here, size = ("population", "network"), s.population.size
    if not s.population.groups:
        text = 'got "stochastic_block" without groups; must have [population.groups.*] as blocks'
        yield Problem((*here, "kind"), text)
        return
    groups = s.population.groups.values()
    shares = [group.share for group in groups if group.share is not None]
    if len(shares) < len(groups):
        if any(group.where for group in groups):
            text = 'got "stochastic_block" with groups by where; must be groups by share'
            why = "ties are given as numbers of neighbours in blocks of a fixed size"
            yield Problem((*here, "kind"), f"{text} ({why})")
        return
    rest = 1 - math.fsum(shares)
    smallest = min([*shares, rest] if rest > SLACK else shares)
    largest = max([*shares, rest])
    if net.within > max(smallest * size - 1, 0) + SLACK:
        most = max(smallest * size - 1, 0)
        text = f"got {net.within:g}; must be ≤ {most:g}, the others in the smallest block"
        yield Problem((*here, "within"), f"{text} (neighbours)")
    if net.between > max((1 - largest) * size, 0) + SLACK:
        most = max((1 - largest) * size, 0)
        text = f"got {net.between:g}; must be ≤ {most:g}, the people outside the largest block"
        yield Problem((*here, "between"), f"{text} (neighbours)")


# --- collectives ---------------------------------------------------------------------------------


def one_collective(s: Scenario) -> Found:
    """There must be somebody to join."""
    if not s.collectives:
        text = "got no collective; must have at least one table [collectives.<name>]"
        yield Problem(("collectives",), text)


def several_collectives(s: Scenario) -> Found:
    """Only feature-label has a bound for several collectives (theory section 3)."""
    if not isinstance(s.platform, BoundPlatform) or len(s.collectives) < 2:
        return
    for name, collective in s.collectives.items():
        try:
            strategy = collective.strategy
        except Unchecked:
            continue
        if strategy != "feature_label":
            text = f'got "{strategy}"; must be "feature_label" where there are several collectives'
            why = "no bound is known for the other strategies"
            yield Problem(("collectives", name, "strategy"), f"{text} ({why})")


def recruits(s: Scenario, name: str) -> Found:
    """Recruits are groups, each named once."""
    groups, seen = s.population.groups, set()
    for i, group in enumerate(s.collectives[name].recruits or ()):
        here = ("collectives", name, "recruits", i)
        if group not in groups:
            known = listed(quoted(groups)) if groups else "a group, and there is none"
            text = f"got {shown(group)}; must be {known}{did_you_mean(group, groups)}"
            yield Problem(here, text)
        elif group in seen:
            yield Problem(here, f"got {shown(group)} twice; must name each group once")
        seen.add(group)


def overlap(s: Scenario, name: str) -> Found:
    """Overlap is with another collective of the file."""
    signal = s.collectives[name].signal
    others = [other for other in s.collectives if other != name]
    for other in getattr(signal, "overlap", ()):
        here = ("collectives", name, "signal", "overlap", other)
        if other == name:
            yield Problem(here, "got the collective itself; must be another collective")
        elif other not in others:
            known = listed(quoted(others)) if others else "another collective, and there is none"
            text = f"got {shown(other)}; must be {known}{did_you_mean(other, others)}"
            yield Problem(here, text)


def pull(s: Scenario, name: str) -> Found:
    """A step cannot go further than the target: ξη ≤ 1 (H23 theorem 4.5)."""
    signal = s.collectives[name].signal
    if isinstance(signal, parts.GradientControlSignal):
        yield from step(name, signal.pull, signal.learning_rate)


def starts(s: Scenario) -> Found:
    """Whoever are members at epoch 0 must fit into the groups they are recruited from."""
    groups = s.population.groups
    if all(group.share is not None for group in groups.values()):
        yield from starts_fit(s, {name: group.share for name, group in groups.items()})


def starts_fit(s: Scenario, shares: dict[str, Any]) -> Found:
    """The same for groups of these shares."""
    shares = dict(shares)
    shares[""] = max(0.0, 1 - math.fsum(shares.values()))
    wanted: dict[frozenset[str], float] = {}
    names: dict[frozenset[str], list[str]] = {}
    for name, collective in s.collectives.items():
        pool = frozenset(shares if collective.recruits is None else collective.recruits)
        if collective.start > 0 and pool <= set(shares):
            wanted[pool] = wanted.get(pool, 0.0) + collective.start
            names.setdefault(pool, []).append(name)
    for pools in _subsets(list(wanted)):
        start = math.fsum(wanted[pool] for pool in pools)
        room = math.fsum(shares[g] for g in frozenset().union(*pools))
        if start > min(room, 1.0) + SLACK:
            who = [name for pool in pools for name in names[pool]]
            yield _start_problem(who, start, room)
            return


def _start_problem(who: list[str], start: float, room: float) -> Problem:
    unit = "(share of the population)"
    if len(who) == 1:
        text = f"got {start:g}; must be ≤ {room:g}, what its recruits hold {unit}"
        return Problem(("collectives", who[0], "start"), text)
    held = "" if room > 1 - SLACK else ", what their recruits hold"
    text = f"got starts of {listed(who, 'and')} that sum to {start:g}"
    return Problem(("collectives",), f"{text}; must sum to at most {room:g}{held} {unit}")


def _subsets(pools: list[frozenset[str]]) -> Iterator[tuple[frozenset[str], ...]]:
    """Hall's condition needs every subset; beyond ten different pools only single ones and all."""
    counts = range(1, len(pools) + 1) if len(pools) <= 10 else (1, len(pools))
    return itertools.chain.from_iterable(itertools.combinations(pools, n) for n in counts)


# --- platform, revision, principal ----------------------------------------------------------------


def suboptimality(s: Scenario) -> Found:
    """Where an ε term exists (theory section 2)."""
    if not isinstance(s.platform, BoundPlatform):
        return
    epsilon, bound, here = s.platform.suboptimality, s.platform.bound, ("platform", "suboptimality")
    if bound == "conditional_tv" and epsilon >= 0.5:
        text = f'got {epsilon:g}; must be < 0.5 with bound = "conditional_tv" (total variation)'
        yield Problem(here, text)
    for name, collective in s.collectives.items():
        try:
            strategy = collective.strategy
        except Unchecked:
            continue
        if epsilon > 0 and strategy.startswith("gradient_"):
            text = f'got {epsilon:g}; must be 0 with strategy = "{strategy}" of collectives.{name}'
            yield Problem(here, f"{text}, whose bound has no such term (total variation)")
        if epsilon > 0 and strategy == "erasure" and bound == "joint_tv":
            text = 'got "joint_tv" for erasure; must be "hardt2023" or "conditional_tv"'
            why = "a platform that is off by ε in joint total variation can undo erasure altogether"
            yield Problem(("platform", "bound"), f"{text} ({why})")
            return


def data(s: Scenario, folder: Path) -> Found:
    """The data that a platform is trained on have what the scenario asks of them."""
    groups = {name: group.where for name, group in s.population.groups.items()}
    by_data = bool(groups) and all(where is not None for where in groups.values())
    if s.platform.learner not in PEOPLE_LEARNERS:
        for name, where in groups.items():
            if where is not None:
                text = f"got {shown(dict(where))}; must be absent"
                why = f'with learner = "{s.platform.learner}" people are no data points'
                yield Problem(("population", "groups", name, "where"), f"{text} ({why})")
    for rule in (strategies, universe, rows, texts):  # reported by themselves
        if any(rule(s)):
            return
    if isinstance(s.platform, BoundPlatform):
        return
    require_complete([s.platform, s.collectives, s.population.groups, s.seed])
    found = problems_of(s, folder)
    yield from found
    if by_data and not found and s.platform.learner in PEOPLE_LEARNERS:
        try:
            shares = shares_by_data(s, folder)
        except BadData:
            return
        yield from starts_fit(s, dict(zip(groups, shares, strict=True)))


def revision_noise(s: Scenario) -> Found:
    """Noise belongs to logit and logit needs it."""
    protocol, noise, here = s.revision.protocol, s.revision.noise, ("revision", "noise")
    if protocol == "logit" and noise == 0:
        yield Problem(here, 'got 0; must be > 0 with protocol = "logit" (utility)')
    elif protocol != "logit" and noise > 0:
        yield Problem(here, f'got {noise:g}; must be 0 with protocol = "{protocol}" (utility)')


def pivotal(s: Scenario) -> Found:
    """Nobody can count her own effect on what she does not look at."""
    if s.revision.decides != "pivotal":
        return
    here, got = ("revision", "decides"), 'got "pivotal"; must be "atomistic"'
    if s.revision.protocol == "imitation":
        yield Problem(here, f'{got} with protocol = "imitation" (who imitates looks at others)')
    if s.population.network is not None:
        why = "there people see their neighbours' membership, not the published success"
        yield Problem(here, f"{got} on a network ({why})")
    if s.platform.learner in PEOPLE_LEARNERS:
        why = "the platform would have to be trained once for every person who decides"
        yield Problem(here, f'{got} with learner = "{s.platform.learner}" ({why})')


def sequential(s: Scenario) -> Found:
    """One at a time means that success is new after each person."""
    here = ("revision", "activation")
    if s.revision.activation == "sequential" and s.platform.learner in PEOPLE_LEARNERS:
        text = f'got "sequential"; must be "simultaneous" with learner = "{s.platform.learner}"'
        why = "the platform would have to be trained anew after each person"
        yield Problem(here, f"{text} ({why})")
    elif s.revision.activation == "sequential" and s.platform.retrain_every > 1:
        text = f'got {s.platform.retrain_every}; must be 1 with activation = "sequential"'
        why = "success is updated after each person"
        yield Problem(("platform", "retrain_every"), f"{text}, where {why} (epochs)")


def principal(s: Scenario) -> Found:
    """Pays for a collective of the file, by its published success."""
    if s.principal is None:
        return
    try:
        name = s.principal.collective
        if name not in s.collectives:
            known = listed(quoted(s.collectives)) if s.collectives else "a collective of the file"
            text = f"got {shown(name)}; must be {known}{did_you_mean(name, s.collectives)}"
            yield Problem(("principal", "collective"), text)
    except Unchecked:
        pass
    if s.population.network is not None:
        why = "people see no published success there by which to price the subsidy"
        yield Problem(("principal",), f"got a table; must be absent on a network ({why})")
    if s.platform.learner in SLOW_LEARNERS:
        text = f'got a table; must be absent with learner = "{s.platform.learner}"'
        yield Problem(("principal",), f"{text} ({EVERY_SIZE} to be priced; {MEASURE})")
