"""A Mesa ``AgentSet`` of people that holds numbers instead of objects.

:class:`PeopleSet` keeps one *code* per member: the row of a person (0 … N−1) or, for an ordinary
Mesa agent that lives beside the population, N and more (``unique_id − 1`` for both). An agent
appears when somebody asks for it, and whatever is asked of a whole column (``get``, ``agg``,
``set``, ``sort``, ``groupby`` on a known attribute) reads the column instead.

Results equal those of ``mesa.agent.AgentSet``, except that

* ``is`` between two views of one person is false: compare with ``==``;
* a plain ``mesa.agent.AgentSet([view, …])`` empties at once, since Mesa keeps weak references and
  nobody else holds the views; ``PeopleSet([view, …])`` does not;
* people cannot be dropped from ``model.agents`` itself, only from a subset of it;
* an ordinary agent that is removed from the model leaves all sets at once, even if somebody still
  holds it; an agent of another model cannot be added;
* ``set`` of an attribute that people do not have is an error, since a view keeps no state;
* ``shuffle`` and ``shuffle_do`` draw from ``model.rng`` (numpy), not from ``model.random``;
* ``agg`` hands numpy's functions an array; any other function gets a list, as in Mesa;
* ``[i]`` and slices work in every version, without a warning.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from mesa.agent import Agent, AgentSet
from numpy.typing import NDArray

try:
    from mesa.agentset import GroupBy  # Mesa ≥ 3.4
except ImportError:
    from mesa.agent import GroupBy  # Mesa 3.3

if TYPE_CHECKING:
    from sim.agents import PeopleModel

Codes = NDArray[np.intp]
SCAN = 64  # below this many members looking through them beats marking all people


class PeopleSet(AgentSet):
    """An ordered set of people (and of ordinary agents beside them), as codes.

    Parameters
    ----------
    agents : the members, in order; a second mention of one counts for nothing
    random : accepted for Mesa's sake; randomness comes from ``model.rng``
    model : needed only where ``agents`` is empty
    """

    def __init__(
        self, agents: Iterable[Agent] = (), random: Any = None, *, model: PeopleModel | None = None
    ) -> None:
        members = agents if isinstance(agents, PeopleSet) else list(agents)
        if model is None:
            if isinstance(members, PeopleSet):
                model = members.model
            elif members:
                model = members[0].model
            else:
                raise ValueError("an empty PeopleSet needs its model: PeopleSet([], model=model)")
        self._start(model, model.codes_of(members))

    def _start(self, model: PeopleModel, codes: Codes, whole: bool = False) -> PeopleSet:
        self.model = model
        self._whole = whole  # one of the model's own sets: nobody may be dropped
        self._settled = codes
        self._pending: list[int] = []  # appended one at a time, joined to the array when read
        self._mark: NDArray[np.bool_] | None = None
        self._departures = model.departures
        return self

    @classmethod
    def from_codes(cls, model: PeopleModel, codes: Codes, whole: bool = False) -> PeopleSet:
        """The set with these distinct codes (rows of people; N and more: ordinary agents)."""
        return cls.__new__(cls)._start(model, codes, whole)

    def _like(self, codes: Codes) -> PeopleSet:
        return type(self).from_codes(self.model, codes)

    @property
    def random(self) -> Any:
        """The model's ``random``, which Mesa's sets have too; not used here."""
        return self.model.random

    # ---- the codes -------------------------------------------------------------------------

    @property
    def codes(self) -> Codes:
        """Codes of the members in order; not to be written to."""
        if self._pending:
            self._settled = np.append(self._settled, np.array(self._pending, np.intp))
            self._pending = []
        if self._departures != self.model.departures:
            self._settled, self._mark = self.model.still_here(self._settled), None
            self._departures = self.model.departures
        return self._settled

    @property
    def rows(self) -> Codes:
        """Rows of the people in the set, in order."""
        codes = self.codes
        return codes.copy() if self._pure() else codes[codes < self.model.population.size]

    def _pure(self) -> bool:
        """Whether all members are people, so that columns answer."""
        size = self.model.population.size
        return not self.model.has_others or bool((self.codes < size).all())

    def _update(self, agents: Iterable[Agent] | Codes) -> PeopleSet:
        """Replace the members (Mesa's name for it)."""
        codes = agents if isinstance(agents, np.ndarray) else self.model.codes_of(agents)
        if self._whole:
            kept = int((codes < self.model.population.size).sum())
            if kept < int((self.codes < self.model.population.size).sum()):
                raise self.model.cannot_remove()
        self._settled, self._pending, self._mark = codes, [], None
        return self

    def _marked(self) -> NDArray[np.bool_]:
        """``marked[code]``: whether this code is in the set; made when first asked for."""
        if self._mark is None:
            self._mark = np.zeros(self.model.next_code, bool)
            self._mark[self.codes] = True
        return self._mark

    def _holds(self, codes: Codes) -> NDArray[np.bool_]:
        marked = self._marked()
        return (codes < len(marked)) & marked[np.minimum(codes, len(marked) - 1)]

    def append_code(self, code: int) -> None:
        """Add a code known to be absent, without reading the others (registration)."""
        self._pending.append(code)
        self._mark = None

    # ---- what a collection does ------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[Any]:
        """The agents there are now; one that is removed before its turn is left out."""
        return self.model.agents_at(self.codes.tolist())

    def __contains__(self, agent: object) -> bool:
        code = self.model.code_of(agent)
        if code is None:
            return False
        if len(self.codes) < SCAN:
            return bool((self.codes == code).any())
        return bool(self._holds(np.array([code], np.intp))[0])

    def __getitem__(self, item: int | slice) -> Any:
        if isinstance(item, slice):
            return list(self._like(self.codes[item]))
        return next(self.model.agents_at([int(self.codes[operator.index(item)])]))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self):,} of {self.model.population.size:,} people>"

    @property
    def _agents(self) -> dict[Agent, None]:
        """What Mesa's own methods read; makes all the agents."""
        return dict.fromkeys(self)

    def to_list(self) -> list[Agent]:
        """The members as a list of agents."""
        return list(self)

    def copy(self) -> PeopleSet:
        """A set of its own with the same members."""
        return self._like(self.codes.copy())

    __copy__ = copy

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "codes": self.codes, "whole": self._whole}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._start(state["model"], state["codes"], state["whole"])

    def add(self, agent: Agent) -> None:
        """Add a person or an ordinary agent of the same model."""
        code = int(self.model.codes_of([agent])[0])
        if agent not in self:
            self.append_code(code)

    def discard(self, agent: Agent) -> None:
        """Take the agent out of this set if it is in; a person stays in the population."""
        if agent in self:
            code = self.model.codes_of([agent])[0]
            self._update(self.codes[self.codes != code])

    def remove(self, agent: Agent) -> None:
        """As :meth:`discard`, but an absent agent is a ``KeyError``."""
        if agent not in self:
            raise KeyError(agent)
        self.discard(agent)

    def clear(self) -> None:
        """Take everybody out of this set."""
        self._update(self.codes[:0])

    # ---- set algebra, in the order that collections.abc gives --------------------------------

    def _other(self, other: Iterable[Any]) -> Codes:
        """Codes of what is known here among the others."""
        if isinstance(other, PeopleSet) and other.model is self.model:
            return other.codes
        known = dict.fromkeys(c for a in other if (c := self.model.code_of(a)) is not None)
        return np.array(list(known), np.intp)

    def __or__(self, other: Any) -> PeopleSet:
        return self.copy().__ior__(other) if isinstance(other, Iterable) else NotImplemented

    def __ror__(self, other: Any) -> PeopleSet:
        return type(self)(other, model=self.model) | self

    def __and__(self, other: Any) -> PeopleSet:
        if not isinstance(other, Iterable):
            return NotImplemented
        codes = self._other(other)
        return self._like(codes[self._holds(codes)])

    __rand__ = __and__

    def __sub__(self, other: Any) -> PeopleSet:
        return self.copy().__isub__(other) if isinstance(other, Iterable) else NotImplemented

    def __rsub__(self, other: Any) -> PeopleSet:
        return type(self)(other, model=self.model) - self

    def __xor__(self, other: Any) -> PeopleSet:
        if not isinstance(other, Iterable):
            return NotImplemented
        others = type(self)(other, model=self.model)
        return (self - others) | (others - self)

    __rxor__ = __xor__

    def __ior__(self, other: Any) -> PeopleSet:
        codes = self.model.codes_of(other)
        return self._update(np.append(self.codes, codes[~self._holds(codes)]))

    def __iand__(self, other: Any) -> PeopleSet:
        return self._update(self.codes[self._like(self._other(other))._holds(self.codes)])

    def __isub__(self, other: Any) -> PeopleSet:
        return self._update(self.codes[~self._like(self._other(other))._holds(self.codes)])

    def __ixor__(self, other: Any) -> PeopleSet:
        return self._update((self ^ other).codes)

    # ---- Mesa's verbs ------------------------------------------------------------------------

    def where(self, keep: Any) -> PeopleSet:
        """The members for which the boolean array ``keep`` (one entry per member) is true."""
        keep = np.asarray(keep)
        if keep.dtype != bool or keep.shape != self.codes.shape:
            raise ValueError(
                f"where: got an array of {keep.dtype}, shape {keep.shape}; "
                f"must be bool, one entry for each of the {len(self.codes)} members"
            )
        return self._like(self.codes[keep])

    def select(
        self,
        filter_func: Callable[[Any], bool] | None = None,
        at_most: int | float = math.inf,
        inplace: bool = False,
        agent_type: type[Agent] | None = None,
    ) -> PeopleSet:
        """The first ``at_most`` (a share if a float ≤ 1) that pass the filter and have the type."""
        if at_most <= 1.0 and isinstance(at_most, float):
            at_most = int(len(self) * at_most)
        if filter_func is None and self._pure():
            fits = agent_type is None or issubclass(self.model.agent_class, agent_type)
            end = math.ceil(max(at_most, 0)) if fits and at_most != math.inf else len(self)
            codes = self.codes[: end if fits else 0].copy()
        else:
            chosen: list[Agent] = []
            for agent in self:
                if len(chosen) >= at_most:
                    break
                if (filter_func is None or filter_func(agent)) and (
                    agent_type is None or isinstance(agent, agent_type)
                ):
                    chosen.append(agent)
            codes = self.model.codes_of(chosen)
        return self._update(codes) if inplace else self._like(codes)

    def _column(self, name: Any) -> NDArray[Any] | None:
        """The members' values of a known attribute, a fresh array; None where there is none."""
        if not isinstance(name, str) or not self._pure():
            return None
        return self.model.column(name, self.codes)

    def get(
        self, attr_names: Any, handle_missing: Any = "error", default_value: Any = None
    ) -> list[Any]:
        """One attribute of every member, or a list of several."""
        single = isinstance(attr_names, str)
        names = [attr_names] if single else list(attr_names)
        columns = [self._column(name) for name in names]
        known = bool(names) and not any(column is None for column in columns)
        if not known or handle_missing not in ("error", "default"):
            return super().get(attr_names, handle_missing, default_value)
        values = [column.tolist() for column in columns if column is not None]
        return values[0] if single else [list(row) for row in zip(*values, strict=True)]

    def set(self, attr_name: str, value: Any) -> PeopleSet:
        """Give every member the same value of an attribute; known ones are written as a column."""
        if self._pure() and self.model.write_column(attr_name, self.codes, value):
            return self
        for agent in self:
            setattr(agent, attr_name, value)
        return self

    def agg(self, attribute: str, func: Any) -> Any:
        """One function of the members' values, or a list of several."""
        functions = [func] if callable(func) else list(func)
        column = self._column(attribute)
        as_array = column is not None and column.dtype != object
        values: list[Any] | None = None
        results = []
        for function in functions:
            if as_array and _is_numpy(function):
                results.append(function(column))
            else:
                if values is None:
                    values = self.get(attribute) if column is None else column.tolist()
                results.append(function(values))
        return results[0] if callable(func) else results

    def map(self, method: str | Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Results of a method (by name) or a function for every member."""
        if isinstance(method, str):
            return [getattr(agent, method)(*args, **kwargs) for agent in self]
        return [method(agent, *args, **kwargs) for agent in self]

    def do(self, method: str | Callable[..., Any], *args: Any, **kwargs: Any) -> PeopleSet:
        """Call a method (by name) or a function for every member, in order."""
        for agent in self:
            if isinstance(method, str):
                getattr(agent, method)(*args, **kwargs)
            else:
                method(agent, *args, **kwargs)
        return self

    def shuffle(self, inplace: bool = False) -> PeopleSet:
        """The members in random order."""
        codes = self.model.rng.permutation(self.codes)
        return self._update(codes) if inplace else self._like(codes)

    def shuffle_do(self, method: str | Callable[..., Any], *args: Any, **kwargs: Any) -> PeopleSet:
        """:meth:`do` in random order, leaving the set's own order alone."""
        self.shuffle().do(method, *args, **kwargs)
        return self

    def sort(
        self, key: str | Callable[[Any], Any], ascending: bool = False, inplace: bool = False
    ) -> PeopleSet:
        """The members by an attribute or a function; *descending* unless told, as in Mesa."""
        column = self._column(key)
        if column is not None and column.dtype != object:
            codes = self.codes[_stable_order(column, ascending)]
        else:
            function = operator.attrgetter(key) if isinstance(key, str) else key
            codes = self.model.codes_of(sorted(self, key=function, reverse=not ascending))
        return self._update(codes) if inplace else self._like(codes)

    def groupby(
        self, by: str | Callable[[Any], Hashable], result_type: str = "agentset"
    ) -> PeopleGroupBy:
        """Groups of members by an attribute or a function, in the order of first appearance."""
        values = self.get(by) if isinstance(by, str) else self.map(by)
        number: dict[Any, int] = {}
        label = np.array([number.setdefault(value, len(number)) for value in values], np.intp)
        order = np.argsort(label, kind="stable")
        ends = np.cumsum(np.bincount(label, minlength=len(number)))
        parts = np.split(self.codes[order], ends[:-1])
        sets = {value: self._like(parts[i]) for value, i in number.items()}
        if result_type == "agentset":
            return PeopleGroupBy(sets)
        return PeopleGroupBy({key: group.to_list() for key, group in sets.items()})


class PeopleGroupBy(GroupBy):
    """Mesa's ``GroupBy`` whose aggregations read columns."""

    def agg(self, attr_name: str, func: Callable[..., Any]) -> dict[Any, Any]:
        """One function of each group's values of an attribute."""
        if all(isinstance(group, PeopleSet) for group in self.groups.values()):
            return {key: group.agg(attr_name, func) for key, group in self.groups.items()}
        return super().agg(attr_name, func)


def _is_numpy(function: Any) -> bool:
    """Whether numpy will turn the values into an array anyway."""
    module = getattr(function, "__module__", None) or ""
    return isinstance(function, np.ufunc) or module.split(".")[0] == "numpy"


def _stable_order(values: NDArray[Any], ascending: bool) -> Codes:
    """Order of ``sorted(…, reverse=not ascending)``: equal values keep theirs either way."""
    if ascending:
        return np.argsort(values, kind="stable")
    return (len(values) - 1 - np.argsort(values[::-1], kind="stable"))[::-1]
