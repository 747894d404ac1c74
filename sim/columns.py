"""A population's columns as Mesa's people read and write them, one number at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.population import Population


class Columns:
    """The columns as memoryviews, which give Python numbers faster than numpy does.

    With ``frozen`` the arrays of cost and free-riding factor become read-only: objects keep their
    own two numbers beside the column, and only they may write both.
    """

    __slots__ = (
        "cost", "free_riding", "frozen", "membership", "moves", "names", "population", "to",
    )  # fmt: skip

    def __init__(
        self,
        population: Population,
        names: tuple[str | None, ...],
        to: dict[str | None, int],
        frozen: bool = False,
    ) -> None:
        self.population = population
        self.names = names  # of the states 0 … K
        self.to = to  # the states that anybody may be in, by name
        self.moves = population.moves
        self.frozen = frozen
        population.edited()  # or the views would be read-only, too
        population.has_views = True
        self.cost: Any = memoryview(population.cost)  # type: ignore[arg-type]
        self.free_riding: Any = memoryview(population.free_riding)  # type: ignore[arg-type]
        self.membership: Any = memoryview(population.membership)  # type: ignore[arg-type]
        if frozen:
            population.cost.flags.writeable = population.free_riding.flags.writeable = False

    def move(self, row: int, old: int, new: int) -> None:
        """:meth:`Population.join` for those who know where the person has been: it is quicker."""
        self.membership[row] = new
        self.moves[old] -= 1
        self.moves[new] += 1

    def write(self, name: str, row: int, number: float) -> None:
        """Write one person's cost or free-riding factor."""
        self.population.edited()
        getattr(self, name)[row] = number

    def __reduce__(self) -> tuple[Any, ...]:
        return Columns, (self.population, self.names, self.to, self.frozen)
