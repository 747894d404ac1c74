"""The Mesa model under the economy: the people as Mesa's agents.

:class:`PeopleModel` is a ``mesa.Model`` over the columns of a population. With the plain
:class:`~sim.person.Person` there are no agent objects: ``model.agents`` is a
:class:`~sim.people.PeopleSet`, which makes views when asked. With a subclass of it there is one
object per row, registered as in any Mesa model. Ordinary agents may live beside the people in both
cases. Only names that Mesa makes public are overridden; it works with Mesa 3.3 to 3.5.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, SupportsIndex

import mesa
import numpy as np
from numpy.typing import NDArray

from sim import payoffs, revision
from sim.columns import Columns
from sim.people import Codes, PeopleSet
from sim.person import Person, checked, views
from sim.scenario import Scenario
from sim.scenario_check import did_you_mean
from sim.stepping import SteppingModel

if TYPE_CHECKING:
    from learners.success import SuccessFunction
    from sim.networks import Graph
    from sim.population import Population

__all__ = ["PeopleModel", "Person"]


class PeopleModel(SteppingModel):
    """A ``mesa.Model`` over a population in columns.

    A subclass sets ``scenario``, ``population``, ``success``, ``collectives``, ``groups``,
    ``eligible``, ``dues``, ``graph``, ``network_kind`` and ``published`` in its ``__init__``, then
    calls :meth:`init_people` once; it defines ``gain(row)``. The columns of the population are
    written in place and never replaced.
    """

    population: Population
    success: SuccessFunction
    collectives: tuple[str, ...]
    groups: tuple[str, ...]
    eligible: NDArray[np.bool_]  # (G+1, K)
    dues: NDArray[np.float64]  # (K,)
    graph: Graph | None
    network_kind: str | None
    agent_class: type[Person]
    _views = False  # the people are views, not objects
    departures = 0  # ordinary agents that left; by it the sets know that they are out of date
    _objects: list[Person] | None = None
    _published: NDArray[np.float64] | None

    def init_people(self, agent_class: type[Person] = Person) -> None:
        """Make the people: views for ``Person`` itself, one object per row for a subclass of it."""
        if not (isinstance(agent_class, type) and issubclass(agent_class, Person)):
            raise TypeError(f"agent_class: got {agent_class!r}; must be Person or a subclass of it")
        self.agent_class = agent_class
        self._views = agent_class is Person
        self._states = {name: state for state, name in enumerate((None, *self.collectives))}
        self._all_may = bool(self.eligible.all())
        self._others: dict[int, Any] = {}  # ordinary agents beside views, by code
        self._everyone: PeopleSet | None = None
        self._people: PeopleSet | None = None
        if not self._views:
            self._objects = []
            for row in range(self.population.size):
                self._objects.append(agent_class(self, row))
            for person in self._objects:
                person.setup()

    @cached_property
    def columns(self) -> Columns:
        """The population's columns as persons read them."""
        names = (None, *(sys.intern(str(name)) for name in self.collectives))
        to = {}
        if type(self).join is PeopleModel.join:  # another one wants to be asked
            to = {name: s for s, name in enumerate(names) if not s or self.eligible[:, s - 1].all()}
        return Columns(self.population, names, to, frozen=not self._views)

    @property
    def scenario(self) -> Any:
        """What is simulated. (From 3.5 on Mesa sets a scenario of its own, which is not kept.)"""
        return self._economic_scenario

    @scenario.setter
    def scenario(self, scenario: Any) -> None:
        if isinstance(scenario, Scenario):
            self._economic_scenario = scenario

    @property
    def published(self) -> NDArray[np.float64]:
        """(K,) success that people see; set it anew, it cannot be written in place."""
        if self._published is None:  # it was published by name
            self.published = list(self.published_by_name.values())
            assert self._published is not None
        return self._published

    @published.setter
    def published(self, success: Any) -> None:
        self._published = np.array(success, float)
        self._published.flags.writeable = False
        self.published_by_name = dict(zip(self.collectives, self._published.tolist(), strict=True))

    def publish_by_name(self, success: dict[str, float]) -> None:
        """Set ``published`` by name; the array is made when somebody asks for it."""
        self._published = None
        self.published_by_name = success

    # ---- one person ------------------------------------------------------------------------

    def person(self, row: SupportsIndex) -> Person:
        """The person in a row."""
        return Person(self, row) if self._objects is None else self._objects[row]

    def people(self, rows: Iterable[int] | None) -> list[Person]:
        """The persons in these rows (None: in all; the list is then the model's own)."""
        if self._objects is not None and rows is None:
            return self._objects
        numbers = list(range(self.population.size)) if rows is None else np.asarray(rows).tolist()
        if self._objects is not None:
            return [self._objects[row] for row in numbers]
        return list(views(self, self.columns, numbers))

    def gain(self, row: int) -> NDArray[np.float64]:
        """(K,) d_ik of one person; −∞ where she may not join."""
        raise NotImplementedError

    def join(self, row: int, collective: str | None) -> None:
        """Make a person a member of a collective (None: of none), if it recruits her group."""
        state = self.state_of(collective)
        if state and not self.eligible[self.population.group[row], state - 1]:
            raise self._refused(row, state)
        self.population.join(row, state)

    def seen(self, rows: NDArray[np.integer]) -> NDArray[np.float64]:
        """(n, K) success as these people see it: published, or by those whom they know."""
        if self.graph is not None:
            return revision.local_success(self, rows)
        if self.network_kind == "complete":
            return revision.current_offers(self).join[self.population.membership[rows]]
        return np.broadcast_to(self.published, (len(rows), len(self.collectives)))

    def utilities(self, rows: NDArray[np.integer]) -> NDArray[np.float64]:
        """(n,) utility of these people as things stand, see :attr:`Person.utility`."""
        p = self.population
        columns = (p.cost[rows], p.free_riding[rows], self.dues)
        return payoffs.utility(p.membership[rows], self.seen(rows), *columns)

    def state_of(self, name: Any, outside: bool = True) -> int:
        """State of a collective's name: 1 … K, and 0 for None (if ``outside`` is allowed)."""
        try:
            state = self._states[name]
        except (KeyError, TypeError):
            state = -1
        if state < (0 if outside else 1):
            raise ValueError(f"collective: {self._not_a_name(name, outside)}")
        return state

    def _not_a_name(self, name: object, outside: bool = True) -> str:
        allowed = ", ".join(f'"{known}"' for known in self.collectives)
        must = f"must be one of {allowed}{', or None' if outside else ''}"
        return f"got {name!r}; {must}{did_you_mean(name, self.collectives)}"

    def _refused(self, row: int, state: int) -> ValueError:
        group = int(self.population.group[row])
        whose = f'group "{self.groups[group - 1]}"' if group else "no group"
        recruits = [self.groups[g - 1] for g in np.flatnonzero(self.eligible[:, state - 1])]
        named = ", ".join(f'"{name}"' for name in recruits)
        return ValueError(
            f'person {row} cannot join "{self.collectives[state - 1]}": she is in {whose}, '
            f"it recruits {named}"
        )

    def made_here(self, agent_class: type[Person], row: SupportsIndex | None) -> int:
        """The row as an int, if a person of this class may be made for it now."""
        if agent_class is Person and self._views and row is not None:
            if 0 <= row.__index__() < self.population.size:
                return row.__index__()
            raise IndexError(f"row: got {row}; must be in 0 … {self.population.size - 1}")
        if not self._views and agent_class is self.agent_class and row == len(self._objects or ()):
            return row.__index__()
        raise ValueError(
            f"people are the rows of the population and are made with it: use "
            f"Economy(scenario, agent_class={agent_class.__name__}) and population.size"
        )

    # ---- what Mesa asks --------------------------------------------------------------------

    @property
    def agents(self) -> Any:
        """All agents: the people, then the ordinary ones in the order of their creation."""
        if not self._views:
            return super().agents
        if self._everyone is None:
            codes = np.append(np.arange(self.population.size), list(self._others)).astype(np.intp)
            self._everyone = PeopleSet.from_codes(self, codes, whole=True)
        return self._everyone

    @agents.setter
    def agents(self, agents: Any) -> None:
        mesa.Model.agents.fset(self, agents)  # Mesa's own refusal

    @property
    def agents_by_type(self) -> dict[type, Any]:
        """The agent set of every type, people first."""
        if not self._views:
            return super().agents_by_type
        if self._people is None:
            rows = np.arange(self.population.size, dtype=np.intp)
            self._people = PeopleSet.from_codes(self, rows, whole=True)
        return {Person: self._people, **super().agents_by_type}

    @property
    def agent_types(self) -> list[type]:
        """All types of agents, people first."""
        return ([Person] if self._views else []) + super().agent_types

    def register_agent(self, agent: mesa.Agent) -> None:
        """Mesa's; an ordinary agent beside views is numbered after the people."""
        super().register_agent(agent)
        if self._views:
            agent.unique_id += self.population.size
            self._others[agent.unique_id - 1] = agent
            if self._everyone is not None:
                self._everyone.append_code(agent.unique_id - 1)

    def deregister_agent(self, agent: mesa.Agent) -> None:
        """Mesa's, for ordinary agents; people stay."""
        if isinstance(agent, Person):
            raise self.cannot_remove()
        super().deregister_agent(agent)
        if self._others.pop(agent.unique_id - 1, None) is not None:
            self.departures += 1

    def remove_all_agents(self) -> None:
        """Remove the ordinary agents; people stay."""
        for agent in [a for a in super().agents if not isinstance(a, Person)]:
            agent.remove()

    def cannot_remove(self) -> ValueError:
        """The error that says why people cannot be removed."""
        return ValueError(
            "people cannot be removed: they are the rows of the population, whose size N is a "
            "parameter of the theory. person.leave() ends a membership; "
            "model.agents.select(...) gives a subset from which people can be dropped"
        )

    # ---- what PeopleSet asks -----------------------------------------------------------------

    @property
    def has_others(self) -> bool:
        """Whether ordinary agents live beside the population."""
        return bool(self._others)

    @property
    def next_code(self) -> int:
        """One more than the largest code there is."""
        return max(self._others, default=self.population.size - 1) + 1

    def code_of(self, agent: object) -> int | None:
        """Row of a person, ``unique_id − 1`` of an ordinary agent; None if not of this model."""
        if isinstance(agent, Person):
            return agent.row if agent.model is self else None
        number = getattr(agent, "unique_id", None)
        if isinstance(number, int) and self._others.get(number - 1) is agent:
            return number - 1
        return None

    def codes_of(self, agents: Iterable[Any]) -> Codes:
        """Codes of agents of this model, each once."""
        if isinstance(agents, PeopleSet) and agents.model is self:
            return agents.codes.copy()
        codes = {self.code_of(agent): agent for agent in agents}
        if None in codes:
            raise ValueError(f"{codes[None]!r} is not an agent of this model")
        return np.array(list(codes), np.intp)

    def still_here(self, codes: Codes) -> Codes:
        """The codes without those of ordinary agents that left."""
        stay = codes < self.population.size
        stay[~stay] = np.isin(codes[~stay], list(self._others))
        return codes[stay]

    def agents_at(self, codes: list[int]) -> Iterator[Any]:
        """The agents with these codes; ordinary ones that left are passed over."""
        if self._objects is None and not self._others:
            return views(self, self.columns, codes)
        return self._mixed(codes)

    def _mixed(self, codes: list[int]) -> Iterator[Any]:
        for code in codes:
            if code < self.population.size:
                yield self.person(code)
            elif code in self._others:
                yield self._others[code]

    def column(self, name: str, rows: Codes) -> NDArray[Any] | None:
        """A known attribute of these people as a fresh array; None if it has no column."""
        p = self.population
        if name in ("cost", "free_riding"):
            return getattr(p, name)[rows]
        if name == "collective":
            return np.array(self.columns.names, object)[p.membership[rows]]
        if name == "group":
            return np.array((None, *self.groups), object)[p.group[rows]]
        if name in ("row", "unique_id"):
            return rows + (name == "unique_id")
        return self.utilities(rows) if name == "utility" else None

    def write_column(self, name: str, rows: Codes, value: Any) -> bool:
        """Give these people one value of a known attribute; false if it is not a known one."""
        if not self._views:
            return False
        if name in ("cost", "free_riding"):
            number = checked(name, value)
            self.population.edited()
            getattr(self.population, name)[rows] = number
        elif name == "collective":
            state = self.state_of(value)
            if state:
                barred = ~self.eligible[self.population.group[rows], state - 1]
                if barred.any():
                    raise self._refused(int(rows[barred][0]), state)
            self.population.assign(rows, np.full(len(rows), state))
        else:
            return False
        return True

    # ---- decisions in Python ---------------------------------------------------------------

    @property
    def has_own_decisions(self) -> bool:
        """Whether the people decide by a Python method of their own."""
        return self.agent_class.decide is not Person.decide

    @property
    def has_own_steps(self) -> bool:
        """Whether the people revise by a ``step`` of their own."""
        return getattr(self.agent_class, "step", None) is not Person.step

    def own_decisions(self, rows: NDArray[np.integer] | None) -> NDArray[np.integer]:
        """(n,) states that these people (None: all) ask for by ``decide``; nobody moves yet."""
        people = self.people(rows)
        names = [person.decide() for person in people]
        kind = self.population.membership.dtype
        try:
            states = np.fromiter(map(self._states.get, names), kind, len(names))
        except TypeError:  # one of them is no name: find it
            found = zip(people, names, strict=True)
            states = np.array([self._decided(person, name) for person, name in found], kind)
        if not self._all_may:
            group = self.population.group if rows is None else self.population.group[rows]
            for i in np.flatnonzero((states > 0) & ~self.eligible[group, states - 1])[:1]:
                raise self._refused(people[i].row, int(states[i]))
        return states

    def state_decided(self, person: Person, name: Any) -> int:
        """The state of the collective that a person's ``decide`` returned, if she may join it."""
        row, state = person.row, self._decided(person, name)
        if state and not self.eligible[self.population.group[row], state - 1]:
            raise self._refused(row, state)
        return state

    def _decided(self, person: Person, name: Any) -> int:
        try:
            return self._states[name]
        except (KeyError, TypeError):
            who = f"{type(person).__name__}.decide() of person {person.row}"
            raise ValueError(f"{who}: {self._not_a_name(name)}") from None
