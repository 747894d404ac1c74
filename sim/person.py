"""People as Mesa agents: views of rows, or objects over them.

The population is columns (:mod:`sim.population`); a :class:`Person` is a light view of one row,
made when somebody asks for it. Whatever a Mesa user knows works: ``model.agents``,
``agents_by_type``, ``select``, ``agg``, ``groupby``, ``DataCollector``, ordinary agents beside the
population. What differs from Mesa is listed in :mod:`sim.people`; of a view itself,

* it has no state of its own: setting an attribute that is not a column is an ``AttributeError``;
* two views of one row are equal and hash alike but are not the same object;
* ``pos`` is None (the network of the scenario is ``person.neighbours()``);
* a person cannot be removed: ``person.remove()`` is an error and ``model.remove_all_agents()``
  removes the ordinary agents beside the population only.

A subclass that overrides ``decide`` is asked for every decision:

>>> class Cautious(Person):
...     def setup(self):
...         self.refused = 0
...     def decide(self):
...         if self.model.published_by_name["union"] > 2 * self.cost:
...             return "union"
...         self.refused += 1
...         return None

``Economy(scenario, agent_class=Cautious)`` then makes one real object per row, registered with Mesa
like any agent, that may keep what it likes, in Mesa's own agent sets. Membership is read from its
column; cost and free-riding factor are held twice, as Python numbers on the object for speed and
in the columns, which are read-only then: writing ``person.cost`` writes both. Columns are written
in place and never replaced.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from numbers import Real
from operator import attrgetter
from typing import TYPE_CHECKING, Any, SupportsIndex

import mesa
import numpy as np
from mesa.agent import AgentSet

from sim.payoffs import choose_for_one
from sim.people import PeopleSet

if TYPE_CHECKING:
    from sim.agents import PeopleModel
    from sim.columns import Columns


def checked(name: str, value: Any) -> float:
    """A cost (any finite number) or a free-riding factor (0 to 1) as a float."""
    allowed = "a finite number (utility)" if name == "cost" else "in [0, 1] (share of the success)"
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not math.isfinite(number) or (name == "free_riding" and not 0.0 <= number <= 1.0):
        raise ValueError(f"{name}: got {value!r}; must be {allowed}")
    return number


class _RowNumber:
    """``unique_id`` of a view, counted from 1 as in Mesa; an object's own value comes before it."""

    def __get__(self, person: Person | None, owner: type) -> Any:
        return self if person is None else person.row + 1


_READ: dict[str, Callable[[Any], float]] = {
    "cost": lambda person: person._cost,
    "free_riding": lambda person: person._free_riding,
}


def _kept(name: str) -> property:
    """Cost or free-riding factor of an object: a Python number that mirrors its column."""

    def write(person: Person, value: float) -> None:
        number = checked(name, value)
        person._columns.write(name, person.row, number)
        object.__setattr__(person, "_" + name, number)

    if sys.version_info >= (3, 12):  # which runs a getter in Python without a call
        return property(_READ[name], write)
    return property(attrgetter("_" + name), write)


_VIEW_ONLY = ("__eq__", "__hash__", "__setattr__", "__reduce_ex__")


class Person(mesa.Agent):
    """One person i of the population.

    Attributes
    ----------
    cost : cost c_i of taking part, in utility; finite
    free_riding : factor γ_i in [0, 1], the share of a success that she enjoys as an outsider
    collective : name of the collective she is a member of, or None; setting it is :meth:`join`
    group : name of her group, or None
    row : her row in the columns, 0 … N−1;  ``unique_id`` is ``row + 1``
    model : the economy
    """

    __slots__ = ("_columns", "_cost", "_free_riding", "model", "row")  # both numbers: of objects

    pos = None
    unique_id: Any = _RowNumber()
    model: PeopleModel
    row: int
    _columns: Columns

    def __init__(self, model: PeopleModel, row: SupportsIndex | None = None) -> None:
        row = model.made_here(type(self), row)
        _set_columns(self, model.columns)
        _set_row(self, row)
        if type(self) is Person:
            _set_model(self, model)
        else:
            self._cost, self._free_riding = self._columns.cost[row], self._columns.free_riding[row]
            super().__init__(model)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Subclasses are real objects: identity, attributes and pickling as Python has them."""
        super().__init_subclass__(**kwargs)
        own = {name: getattr(object, name) for name in _VIEW_ONLY}
        for name, value in {
            **own,
            "cost": _kept("cost"),
            "free_riding": _kept("free_riding"),
        }.items():
            if getattr(cls, name) is getattr(Person, name):
                setattr(cls, name, value)

    # ---- what she is -----------------------------------------------------------------------

    @property
    def cost(self) -> float:
        """Cost c of taking part, in utility."""
        return self._columns.cost[self.row]

    @cost.setter
    def cost(self, value: float) -> None:
        self._columns.write("cost", self.row, checked("cost", value))

    @property
    def free_riding(self) -> float:
        """Free-riding factor γ in [0, 1]."""
        return self._columns.free_riding[self.row]

    @free_riding.setter
    def free_riding(self, value: float) -> None:
        self._columns.write("free_riding", self.row, checked("free_riding", value))

    @property
    def collective(self) -> str | None:
        """Name of her collective, or None."""
        return self._columns.names[self._columns.membership[self.row]]

    @collective.setter
    def collective(self, name: str | None) -> None:
        self.join(name)

    @property
    def group(self) -> str | None:
        """Name of her group, or None."""
        number = int(self.model.population.group[self.row])
        return self.model.groups[number - 1] if number else None

    @property
    def utility(self) -> float:
        """S_k − c − dues_k inside k, plus γ S_j of all the others; without the principal's pay."""
        return float(self.model.utilities(np.array([self.row]))[0])

    def success(self, name: str) -> float:
        """Success S_k in [0, 1] as she sees it: the published one, or by her neighbours' shares."""
        state = self.model.state_of(name, outside=False)
        if self.model.network_kind is None:
            return self.model.published_by_name[name]
        return float(self.model.seen(np.array([self.row]))[0, state - 1])

    def gain(self, name: str) -> float:
        """d_ik, what joining this collective gains her now, in utility; −∞ where she may not."""
        state = self.model.state_of(name, outside=False)
        return float(self.model.gain(self.row)[state - 1])

    def neighbours(self) -> Any:
        """The agent set of those whom she sees; an error where there is no network."""
        if self.model.graph is None:
            raise ValueError("there is no network (population.network): everybody sees everybody")
        rows = self.model.graph.neighbours(self.row)
        if type(self) is Person:
            return PeopleSet.from_codes(self.model, rows.astype(np.intp))
        return AgentSet(self.model.people(rows), random=self.model.random)

    # ---- what she does ---------------------------------------------------------------------

    def setup(self) -> None:
        """Called once, when all people are there; for a subclass to set up its own state."""

    def decide(self) -> str | None:
        """The collective she wants to be in now, or None: the best response by d_ik; ties: stay."""
        columns = self._columns
        gains = self.model.gain(self.row).tolist()
        return columns.names[choose_for_one(gains, columns.membership[self.row])]

    def join(self, name: str | None) -> None:
        """Become a member of a collective and of no other; None: of none."""
        columns, row = self._columns, self.row
        old = columns.membership[row]
        if columns.names[old] is name:  # nothing new, the most frequent case
            return
        try:
            state = columns.to[name]
        except (KeyError, TypeError):  # no name, or not for anybody: the model looks closer
            self.model.join(row, name)
            return
        columns.membership[row] = state  # Columns.move, written out
        columns.moves[old] -= 1
        columns.moves[state] += 1

    def leave(self) -> None:
        """Be nobody's member."""
        self.model.join(self.row, None)

    def step(self) -> None:
        """Decide and do it, at once.

        The model calls it for those who revise where a subclass has its own; people with the plain
        one are moved by the model, together or in turn.
        """
        self.join(self.decide())

    # ---- a view is its row -------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Person):
            return NotImplemented
        return self.row == other.row and self.model is other.model

    def __hash__(self) -> int:
        return hash((id(self.model), self.row))

    def __setattr__(self, name: str, value: Any) -> None:
        if not isinstance(getattr(Person, name, None), property):
            raise AttributeError(
                f"a Person is a view of one row and cannot hold {name!r}; for people with a state "
                "of their own subclass Person and use Economy(scenario, agent_class=YourPerson)"
            )
        object.__setattr__(self, name, value)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return view, (self.model, self._columns, self.row)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.row}: {self.collective or 'outside'}>"


_new = object.__new__
_set_columns = Person.__dict__["_columns"].__set__
_set_model = Person.__dict__["model"].__set__
_set_row = Person.__dict__["row"].__set__


def view(model: PeopleModel, columns: Columns, row: int) -> Person:
    """A view without any check (the way past ``__setattr__``)."""
    person = _new(Person)
    _set_model(person, model)
    _set_columns(person, columns)
    _set_row(person, row)
    return person


def views(model: PeopleModel, columns: Columns, rows: Iterable[int]) -> Iterator[Person]:
    """Views of these rows, one after the other; :func:`view` written out, since loops live here."""
    for row in rows:
        person = _new(Person)
        _set_model(person, model)
        _set_columns(person, columns)
        _set_row(person, row)
        yield person
