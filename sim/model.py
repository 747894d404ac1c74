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
from typing import TYPE_CHECKING, NamedTuple

import mesa
import numpy as np
from numpy.typing import NDArray

from sim import networks, payoffs, principal, revision
from sim.agents import PeopleModel, Person
from sim.crowd import CountingError, Crowd, choose_crowd
from sim.history import History
from sim.payoffs import Offers, utility
from sim.population import Population, make_population
from sim.runs import RunResult, run_result
from sim.scenario import Scenario
from sim.stopping import Stopping
from sim.streams import Streams
from sim.success_of import success_function

if TYPE_CHECKING:
    from sim.kernels_network_several import LocalTable

# From how many people on a compiled loop pays for its loading.
COMPILED_FROM = 50_000
COMPILED_SEQUENTIAL_FROM = 1_000
PIECE = 1 << 17  # sizes whose success is asked for at once


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
    agent_class : a subclass of :class:`sim.agents.Person` with its own rule; the plain
        class is simulated as arrays, and an agent is then a view of one row
    compiled : True or False force or forbid the compiled loops over rows; by default size decides
    engine : "rows" (one row per person), a shortcut that only counts people ("thresholds",
        "types", see :mod:`sim.crowd`), or "auto": a shortcut where people are many and one fits

    Attributes
    ----------
    population : columns cost, free_riding, group, membership, one row per person; where people are
        only counted, asking for it makes the rows, and the economy goes on with them
    engine : what simulates the people: "rows", "thresholds", "types", "rows since epoch 7"
    size : N
    counts : (K,) members of each collective
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
        engine: str = "auto",
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
        self._points: NDArray[np.integer] | None = None
        if self.success.sees_people:  # each person is a data point of the platform
            self._points = self.success.draw_people(size, self.streams.data)
            self.success = self.success.attach(self._points)
        if engine == "auto" and (compiled is not None or self.measures_itself):
            engine = "rows"
        self.crowd: Crowd | None = choose_crowd(
            scenario, self.success, self.streams, engine, own_rules=agent_class is not Person
        )
        self.engine = "rows" if self.crowd is None else self.crowd.engine
        network = scenario.population.network
        self.network_kind = None if network is None else network.kind
        self.graph = None
        if self.crowd is None:
            self.graph = networks.build(scenario, self.population.group, self.streams.network)

        self.epoch = 0
        self.spent = 0.0
        self.stopped: str | None = None
        self.cycle_length: int | None = None
        payer = scenario.principal
        paid = None if payer is None else self.collectives.index(payer.collective)
        self.history = History(self.collectives, size, replicate, paid)
        self._stopping = Stopping(self)
        self._trained: tuple[NDArray[np.integer], NDArray[np.float64]] | None = None
        self.publish()
        self.init_people(agent_class)

    # What there is to see ---------------------------------------------------------------------

    @cached_property
    def population(self) -> Population:  # type: ignore[override]
        """The people as rows; those who were only counted until now become rows for good."""
        crowd, self.crowd = self.crowd, None
        if crowd is None or self.epoch == 0:
            self.engine = "rows"
            return make_population(self.scenario, self.streams, self._points)
        self.engine = f"rows since epoch {self.epoch}"
        return crowd.to_population()

    @property
    def size(self) -> int:
        """N."""
        return self.scenario.population.size

    @property
    def counts(self) -> NDArray[np.int64]:
        """(K,) members of each collective."""
        return self.population.counts if self.crowd is None else self.crowd.counts

    @property
    def alpha(self) -> NDArray[np.float64]:
        """(K,) sizes of the collectives as shares of the population."""
        return self.counts / self.size

    def welfare(self) -> float:
        """Mean utility per person as things stand, all transfers so far included."""
        if self.crowd is not None:
            return self.crowd.welfare(self.measure())
        people = self.population
        u = utility(
            people.membership, self.measure(), people.cost, people.free_riding, self.dues
        )  # fmt: skip
        return float(u.mean() + self.spent / people.size)

    def gain(self, row: int) -> NDArray[np.float64]:
        """(K,) what this person gains by joining each collective; −∞ where she may not."""
        return np.array(revision.gains_of_one(self, row))

    @cached_property
    def count_curve(self) -> NDArray[np.float64]:
        """S of a single collective at 0, 1, … N members; the last value stands twice."""
        curve, size = np.empty(self.size + 2), self.size
        for first in range(0, len(curve), PIECE):  # for all at once there may be no room
            counts = np.minimum(np.arange(first, min(first + PIECE, len(curve))), size)
            curve[first : first + PIECE] = self.success.at((counts / size)[:, None])[:, 0]
        return curve

    @cached_property
    def room_for_drawn(self) -> NDArray[np.uint8]:
        """(N,) who revises in this epoch, where :func:`sim.compact.drawn` says so."""
        return np.empty(self.size, np.uint8)

    @cached_property
    def local_curve(self) -> LocalCurve:
        """S of a single collective at every share that neighbours can show."""
        assert self.graph is not None
        degrees = np.flatnonzero(np.bincount(self.graph.degree))
        shares = [np.arange(degree + 1) / max(degree, 1) for degree in degrees.tolist()]
        offset = np.zeros(degrees[-1] + 1, np.int64)
        offset[degrees] = np.cumsum([0] + [len(s) for s in shares[:-1]])
        return LocalCurve(offset, self.success.at(np.concatenate(shares)[:, None])[:, 0].copy())

    @cached_property
    def local_table(self) -> LocalTable | None:
        """S of several collectives at every composition that few neighbours can show."""
        from sim.kernels_network_several import local_table

        assert self.graph is not None
        in_turn = self.scenario.revision.activation == "sequential"
        # A row costs what asking for one person among all does; for one alone it is far more.
        return local_table(self.success, self.graph.degree, self.size * (100 if in_turn else 1))

    # One epoch --------------------------------------------------------------------------------

    def step(self) -> None:
        """One epoch, in the order of the module's docstring; nothing once it has stopped."""
        if not self.running:
            return
        self.found_at = self.counts.copy()
        if self.epoch % self.scenario.platform.retrain_every == 0:  # 1, 2, 3
            self.publish()
            if self.crowd is None:
                self.population.signed = None  # contracts end when their success is measured
        seen = self.published
        paid = 0.0 if self.scenario.principal is None else principal.subsidise(self)  # 4
        self.spent += paid
        moved = self._revise()  # 5
        self.history.add(self.epoch, self.found_at, seen, self.spent)  # 6
        self.epoch += 1
        self._stopping.after(moved, paid)  # 7

    def _revise(self) -> int:
        """Let the epoch's revisers choose; returns how many people moved."""
        if self.crowd is None:
            return revision.revise(self)
        try:
            if self.scenario.revision.activation == "sequential":
                moved = self.crowd.revise_in_turn(self.success)
                self.publish()
                return moved
            return self.crowd.revise(self.offers())
        except CountingError:
            assert self.population is not None  # made here: from now on people are rows
            return revision.revise(self)

    @property
    def measures_itself(self) -> bool:
        """Whether a subclass says otherwise what people see: then it is asked after every move."""
        own = type(self)
        return own.publish is not Economy.publish or own.measure is not Economy.measure

    def offers(self) -> Offers:
        """What people see who are only counted, both (K+1, K)."""
        pivotal = self.scenario.revision.decides == "pivotal"
        published = None if pivotal else self.published
        return payoffs.offers(self.success, self.counts, self.size, published=published)

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
        self.measured_at = self.counts.copy()
