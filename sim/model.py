"""The economy: a Mesa model whose people decide whether to join a collective.

One epoch, in this order:

1. members' data are changed by their strategy
2. the platform retrains, if it is due
3. success is measured and published
4. the principal pays
5. chosen people revise
6. the epoch is recorded
7. stop? (settled, a cycle found, or out of epochs; the reason is kept in ``stopped``)

With closed-form success, steps 1 to 3 are one evaluation of S at the present sizes; between
retrainings the published success stays what it was.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import mesa
import numpy as np
from numpy.typing import NDArray

from sim import networks, principal, revision
from sim.agents import PeopleModel, Person
from sim.payoffs import utility
from sim.population import make_population
from sim.runs import RunResult, run_result
from sim.scenario import Scenario
from sim.streams import Streams
from sim.success_of import success_function

# From how many people on a compiled loop pays for its loading.
COMPILED_FROM = 50_000
COMPILED_SEQUENTIAL_FROM = 1_000


class LocalCurve(NamedTuple):
    """S at members/degree for every degree that occurs: ``success[offset[degree] + members]``."""

    offset: NDArray[np.int64]
    success: NDArray[np.float64]


class Economy(PeopleModel, mesa.Model):
    """Agents with costs and free-riding factors, collectives, a platform, perhaps a principal.

    Parameters
    ----------
    scenario : what to simulate
    replicate : which of the scenario's random worlds; the seed is the scenario's
    agent_class : a subclass of :class:`sim.agents.Person` with its own ``decide``; the plain
        class is simulated as arrays, and an agent is then a view of one row
    compiled : True or False force or forbid the compiled loops; by default size decides

    Attributes
    ----------
    population : columns cost, free_riding, group, membership, one row per person
    success : the success function S
    collectives, groups : names, in file order
    alpha : (K,) sizes as shares of the population
    published : (K,) success that people see
    epoch : epochs done
    spent : what the principal has paid so far, in utility
    stopped : None while running, then "settled", "cycle" or "epochs"

    Examples
    --------
    >>> from sim.scenario import loads
    >>> economy = Economy(loads('''
    ... name = "one"
    ... population = { size = 100, cost = 0.3, free_riding = 0.2 }
    ... platform = { learner = "bound" }
    ... [collectives.union]
    ... strategy = "feature_label"
    ... signal = { uniqueness = 0.01, gap = 1.0 }
    ... start = 0.1
    ... '''))
    >>> economy.run().summary["final"]["union"]["alpha"]
    1.0
    """

    def __init__(
        self,
        scenario: Scenario,
        replicate: int = 0,
        agent_class: type[Person] = Person,
        *,
        compiled: bool | None = None,
    ) -> None:
        self.scenario = scenario
        self.replicate = replicate
        self.streams = Streams(scenario.seed, replicate)
        # Mesa's generators must be seeded with a Python int.
        super().__init__(rng=int(self.streams.sequence("agents").generate_state(1)[0]))
        size = scenario.population.size
        self.compiled = size >= COMPILED_FROM if compiled is None else compiled
        self.compiled_sequential = (
            size >= COMPILED_SEQUENTIAL_FROM if compiled is None else compiled
        )

        self.collectives = scenario.names
        self.groups = tuple(scenario.population.groups)
        self.eligible = scenario.eligible()
        self.dues = np.array([c.dues for c in scenario.collectives.values()], float)
        self.noise = float(scenario.revision.noise)
        self.success = success_function(scenario)
        points = None
        if self.success.sees_people:  # each person is a data point of the platform
            points = self.success.draw_people(size, self.streams.data)
            self.success = self.success.attach(points)
        self.population = make_population(scenario, self.streams, points)
        network = scenario.population.network
        self.network_kind = None if network is None else network.kind
        self.graph = networks.build(scenario, self.population.group, self.streams.network)

        self.epoch = 0
        self.spent = 0.0
        self.stopped: str | None = None
        self.cycle_length: int | None = None
        self.history = History(self)
        self._quiet = 0
        self._landmark: tuple[int, tuple, NDArray] | None = None
        self._trained: tuple[NDArray[np.integer], NDArray[np.float64]] | None = None
        self.publish()
        self.init_people(agent_class)

    # What there is to see ---------------------------------------------------------------------

    @property
    def alpha(self) -> NDArray[np.float64]:
        """(K,) sizes of the collectives as shares of the population."""
        return self.population.alpha

    def welfare(self) -> float:
        """Mean utility per person as things stand, all transfers so far included."""
        people = self.population
        u = utility(
            people.membership, self.measure(), people.cost, people.free_riding, self.dues
        )  # fmt: skip
        return float(u.mean() + self.spent / people.size)

    def gain(self, row: int) -> NDArray[np.float64]:
        """(K,) what this person gains by joining each collective; −∞ where she may not."""
        return revision.gains(self, np.array([row]))[0]

    @cached_property
    def count_curve(self) -> NDArray[np.float64]:
        """S of a single collective at 0, 1, … N members; the last value stands twice."""
        size = self.population.size
        counts = np.minimum(np.arange(size + 2), size)
        return np.ascontiguousarray(self.success.at((counts / size)[:, None])[:, 0])

    @cached_property
    def local_curve(self) -> LocalCurve:
        """S of a single collective at every share that neighbours can show."""
        assert self.graph is not None
        degrees = np.unique(self.graph.degree)
        shares = [np.arange(degree + 1) / max(degree, 1) for degree in degrees]
        offset = np.zeros(degrees[-1] + 1, np.int64)
        offset[degrees] = np.cumsum([0] + [len(s) for s in shares[:-1]])
        return LocalCurve(offset, self.success.at(np.concatenate(shares)[:, None])[:, 0].copy())

    # One epoch --------------------------------------------------------------------------------

    def step(self) -> None:
        """One epoch, in the order of the module's docstring; nothing once it has stopped."""
        if not self.running:
            return
        self.found_at = self.population.counts.copy()
        if self.epoch % self.scenario.platform.retrain_every == 0:  # 1, 2, 3
            self.publish()
            self.population.signed = None  # contracts end when their success is measured
        self.history.open()
        paid = 0.0 if self.scenario.principal is None else principal.subsidise(self)  # 4
        self.spent += paid
        moved = revision.revise(self)  # 5
        self.history.record()  # 6
        self.epoch += 1
        self._stop_if_done(moved, paid)  # 7

    def run(self) -> RunResult:
        """Step until the economy stops; the result holds the series and a summary."""
        while self.running:
            self.step()
        return run_result(self)

    def measure(self) -> NDArray[np.float64]:
        """(K,) success of the platform trained on everybody's data as it is now."""
        if not self.success.sees_people:
            return self.success.at(self.alpha)
        # One training per state: asking again must neither cost one nor train further.
        membership = self.population.membership
        if self._trained is None or not np.array_equal(self._trained[0], membership):
            self._trained = (membership.copy(), self.success.by_membership(membership))
        return self._trained[1]

    def publish(self) -> None:
        """Measure success as things are and make it what people see."""
        self.published = self.measure()
        self.measured_at = self.population.counts.copy()

    def _stop_if_done(self, moved: int, paid: float) -> None:
        rule = self.scenario.stop
        if rule.when == "settled":
            self._quiet = self._quiet + 1 if self._is_quiet(moved, paid, rule.tolerance) else 0
            if self._quiet >= rule.patience:
                self.stopped = "settled"
            elif self._in_cycle(moved):
                self.stopped = "cycle"
        if self.stopped is None and self.epoch >= self.scenario.epochs:
            self.stopped = "epochs"
        self.running = self.stopped is None

    def _is_quiet(self, moved: int, paid: float, tolerance: float) -> bool:
        """Did the epoch leave things as they were measured, with nobody wanting to move?"""
        if paid or self.population.signed is not None:
            return False
        if tolerance > 0:
            # One at a time, success is measured after each move: the epoch's own drift counts too.
            before = np.stack([self.measured_at, self.found_at])
            drift = np.abs(self.population.counts - before).max()
            return bool(drift <= tolerance * self.population.size)
        still = not moved and bool(np.all(self.population.counts == self.measured_at))
        return still and self._nobody_wants_to_move()

    def _nobody_wants_to_move(self) -> bool:
        """That nobody moved may be luck: is there nobody with a reason to?"""
        rules = self.scenario.revision
        if self.has_own_decisions:
            return True  # nobody knows their reasons
        if rules.protocol == "logit":
            return False
        if rules.protocol == "imitation":
            return not revision.could_imitate(self)
        wanted = None if rules.rate == 1 else revision.decide(self, None)
        return wanted is None or bool(np.all(wanted == self.population.membership))

    def _in_cycle(self, moved: int) -> bool:
        """Has the economy been in exactly this state before? (Brent's method, one landmark.)"""
        rules = self.scenario.revision
        deterministic = (
            rules.protocol == "best_response"
            and rules.activation == "simultaneous"
            and rules.rate == 1
            and not self.has_own_decisions
        )
        if not (deterministic and moved):
            return False
        phase = self.epoch % self.scenario.platform.retrain_every
        state = (*self.population.counts, *self.published, phase, self.spent)
        membership = self.population.membership
        if self._landmark is not None:
            since, old_state, old_membership = self._landmark
            if state == old_state and np.array_equal(membership, old_membership):
                self.cycle_length = self.epoch - since
                return True
        if self.epoch & (self.epoch - 1) == 0:  # a new landmark at every power of two
            self._landmark = (self.epoch, state, membership.copy())
        return False


class History:
    """What happened, epoch by epoch: one row per epoch with the state at its start."""

    def __init__(self, economy: Economy) -> None:
        self.economy = economy
        self.rows: list[tuple[Any, ...]] = []

    def open(self) -> None:
        """Hold on to the sizes that success was measured at."""
        self._counts = self.economy.population.counts.copy()
        self._published = self.economy.published

    def record(self) -> None:
        """Add the epoch: members as measured, the published success, the money spent so far."""
        self.rows.append((self.economy.epoch, self._counts, self._published, self.economy.spent))

    def final(self) -> tuple[Any, ...]:
        """The state as it stands now, with success measured at it."""
        economy = self.economy
        return (
            economy.epoch, economy.population.counts.copy(), economy.measure(),
            economy.spent,
        )  # fmt: skip
