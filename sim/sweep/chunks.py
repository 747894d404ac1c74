"""The runs of a sweep that are still to be made, handed out in chunks.

A chunk should take a second or two: much less is all waiting, and what is lost when somebody pulls
the plug should be little. So chunks begin small and grow as the runs turn out to be quick.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf, isqrt

from sim.sweep.plan import Point
from sim.sweep.work import Chunk, Made

SECONDS = 1.5  # that a chunk should take
BYTES = 4_000_000  # that its tables should not exceed
FIRST = {True: 64, False: 1}  # runs of the first chunk, together and alone
MOST = 8_192
GROWTH = 4
Missing = Sequence[tuple[Point, Sequence[int]]]


class Queue:
    """Runs to be made, in blocks of points that lack the same replicates.

    Parameters
    ----------
    missing : sequence of (Point, replicates)
        What is to be made; replicates increase.
    together : bool
        Whether runs may be made in one array program.
    """

    def __init__(self, missing: Missing, together: bool) -> None:
        blocks: dict[tuple[int, ...], list[Point]] = {}
        for point, replicates in missing:
            blocks.setdefault(tuple(replicates), []).append(point)
        self._blocks = deque(
            Chunk(tuple(points), replicates, together)
            for replicates, points in blocks.items()
            if replicates
        )
        self._size = dict(FIRST)
        self._each = inf  # seconds that a run took lately

    def __len__(self) -> int:
        """Runs that were not handed out yet, or were put back."""
        return sum(len(block) for block in self._blocks)

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def seconds_left(self) -> float:
        """How long one process would need for all of them; infinite as long as nothing is known."""
        return len(self) * self._each if self else 0.0

    def take(self) -> Chunk:
        """The next chunk: all replicates of as many points as fit, or some of some points'.

        If only few would fit, rather as many points as replicates: a world is drawn once for all
        points of a chunk, as a scenario is made once for all its replicates.
        """
        block = self._blocks.popleft()
        size = self._size[block.together]
        replicates, square = len(block.replicates), isqrt(size)
        if 2 * square < replicates:
            replicates = max(square, size // len(block.points))
        points = max(size // replicates, 1)
        chunk = replace(
            block, points=block.points[:points], replicates=block.replicates[:replicates]
        )
        rest = [replace(block, points=block.points[points:])]
        rest += [replace(chunk, replicates=block.replicates[replicates:])]
        self._blocks.extendleft(each for each in rest if len(each))
        return chunk

    def put_back(self, runs: Iterable[tuple[Point, int]], one_each: bool = False) -> None:
        """Runs that were handed out and not made; they are made alone from now on, and first."""
        by_point: dict[int, tuple[Point, list[int]]] = {}
        for point, replicate in runs:
            by_point.setdefault(point.number, (point, []))[1].append(replicate)
        for point, replicates in by_point.values():
            if one_each:
                self._blocks.extendleft(Chunk((point,), (each,)) for each in replicates)
            else:
                self._blocks.appendleft(Chunk((point,), tuple(replicates)))

    def give_back(self, chunk: Chunk) -> None:
        """A chunk that was handed out and never begun."""
        self._blocks.appendleft(chunk)

    def learn(self, chunk: Chunk, made: Made) -> None:
        """Choose the size of the next chunks from how long this one took."""
        if not made.done or len(made.done) < min(len(chunk), self._size[chunk.together]):
            return
        runs = len(made.done)
        self._each = each_seconds = max(made.seconds / runs, 1e-9)
        each_bytes = max((len(made.runs) + len(made.series)) / runs, 1.0)
        wanted = min(SECONDS / each_seconds, BYTES / each_bytes, GROWTH * runs, MOST)
        self._size[chunk.together] = max(int(wanted), 1)
