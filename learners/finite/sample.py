"""People as data points: what the platform sees when these people are in these collectives.

Person i is a cell (x, y) of the universe. In state 0 she reports it, in state k what strategy k
makes of it. People whose reports would be the same in every state are of one *kind*; the
platform's table is then a sum over kinds and states, and a count of N small integers is all that
an epoch costs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from learners.curves import Array
from learners.finite.plans import Plan
from learners.finite.slots import TIED
from learners.finite.universe import Ints
from learners.success import require_membership


class Sample:
    """N people on a universe, for K strategies.

    Parameters
    ----------
    plans : one per collective
    points : (R,) integers, ascending: the points whose label matters
    cells : (N,) integers, which cell x·Y + y each person is
    """

    def __init__(self, plans: Sequence[Plan], points: Ints, cells: npt.ArrayLike) -> None:
        people = np.asarray(cells)
        last = plans[0].universe.base.size - 1
        if people.ndim != 1 or people.size == 0 or people.dtype.kind not in "iu":
            raise ValueError(
                f"points: got shape {people.shape} of {people.dtype}; must be integers, one per "
                "person, as draw_people gives them"
            )
        if people.min() < 0 or people.max() > last:
            outside = people[(people < 0) | (people > last)][0]
            raise ValueError(f"points: got {outside}; must be in 0 … {last} (a cell x·Y + y)")
        self.size = len(people)
        self.points = points
        self._shape = (len(points), plans[0].universe.base.shape[1])
        occupied, which = np.unique(people, return_inverse=True)
        kind, self._reports = _kinds(plans, points, occupied)
        # kind·(K+1), so that adding the state numbers the pair
        self._pair = kind[which].astype(np.int64) * (len(plans) + 1)
        self._numbered = np.empty_like(
            self._pair
        )  # fresh memory each epoch costs more than the sum

    def table(self, membership: npt.ArrayLike) -> tuple[Array, Ints]:
        """How many people report each label at each point, (R, Y), and members, (K,)."""
        states = self._reports.shape[1]
        members = require_membership(membership, states - 1)
        if len(members) != self.size:
            raise ValueError(
                f"membership: got {len(members)} people; must be {self.size}, those attached"
            )
        np.add(self._pair, members, out=self._numbered, casting="unsafe")
        pairs = np.bincount(self._numbered, minlength=self._reports.size)
        counts = np.bincount(self._reports.ravel(), pairs, self._shape[0] * self._shape[1] + 1)
        table = np.asarray(counts[:-1], dtype=np.float64).reshape(self._shape)
        joined = [np.count_nonzero(members == k) for k in range(1, states)]
        return table, np.array(joined, dtype=np.int64)

    def learn(self, membership: npt.ArrayLike) -> tuple[Ints, Ints]:
        """Label of most people at each point (R,), −1 where two have as many; members (K,)."""
        table, members = self.table(membership)  # whole numbers: ties are exact
        top = table.max(axis=1)
        label = np.where((table == top[:, None]).sum(axis=1) == 1, table.argmax(axis=1), TIED)
        return label, members


def _kinds(plans: Sequence[Plan], points: Ints, cells: Ints) -> tuple[Ints, Ints]:
    """Kind of each occupied cell, and where (kinds, K+1) a person of that kind reports to.

    Reports are numbered r·Y + y at the r-th point that matters, and R·Y everywhere else.
    """
    Y = plans[0].universe.base.shape[1]
    nowhere = len(points) * Y
    reports = []
    for reported in (cells, *(plan.move[cells] for plan in plans)):
        x, y = np.divmod(reported, Y)
        r = np.minimum(np.searchsorted(points, x), len(points) - 1)
        reports.append(np.where(points[r] == x, r * Y + y, nowhere))
    kind = reports[0]
    for report in reports[1:]:
        _, kind = np.unique(kind * (nowhere + 1) + report, return_inverse=True)
    first = np.unique(kind, return_index=True)[1]
    return kind, np.stack(reports, axis=1)[first]
