"""A flock's epochs: the steps of :class:`sim.model.Economy`, taken by all economies in lockstep.

The order of an epoch is the one written in :mod:`sim.model`; each method here is the counterpart
of one there, over arrays with a row per economy (E economies, K collectives, N people each).
An economy that has stopped leaves ``live`` and is not touched any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.flock_people import SharedStreams, draw_people
from sim.flock_world import Points
from sim.payoffs import Offers, pivotal_offers

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

STOPPED = ("", "settled", "cycle", "epochs")
SETTLED, CYCLE, EPOCHS = 1, 2, 3
UTILITIES = 2**16  # of people at a time, so that they stay near the processor


class Record(NamedTuple):
    """Some economies as one epoch found them."""

    economies: Integers  # (n,)
    epoch: Integers  # (n,)
    members: Integers  # (n, K)
    success: Floats  # (n, K), as published


class Landmarks(NamedTuple):
    """The state of each economy at one past epoch (−1: none), by which a cycle is recognised."""

    epoch: Integers
    counts: Integers
    published: Floats
    phase: Integers
    membership: NDArray[np.int8]


class Lockstep:
    """P points of one kind in W random worlds; economy p·W + w is point p in world w.

    Attributes
    ----------
    counts, published, measured_at, found_at (E, K), membership (E, N) : as in an economy
    stopped, epochs, cycle_length : (E,) code of why it stopped (see ``STOPPED``), when, and 0 or
        the length of the cycle
    success (E, K), welfare (E,) : at the end
    records : what happened, epoch by epoch; None where nobody asked
    """

    def __init__(self, points: Points, replicates: Sequence[int], series: bool) -> None:
        kind, times = points.kind, len(replicates)
        self.points, self.kind = points, kind
        self.worlds = [SharedStreams(kind.seed, replicate) for replicate in replicates]
        self.world = np.tile(np.arange(times), len(points.scenarios))
        self.rules = points.rules.repeated(times)
        self.function = np.repeat(points.platform.number, times)
        self.columns, self.membership, self.counts = draw_people(points, self.worlds)
        # In logit somebody always might move, so that only a tolerance lets it settle.
        self._restless = kind.protocol == "logit" and bool((self.rules.tolerance == 0).all())
        self._always = bool((self.rules.retrain_every == 1).all())
        self._open_to_all = bool(self.rules.eligible.all())
        self._choice = (self.rules.dues, self.rules.eligible, self.rules.noise)
        economies, k = len(self.membership), len(kind.collectives)
        self.published = np.empty((economies, k))
        self.measured_at = np.empty((economies, k), np.int64)
        self.found_at = np.empty((economies, k), np.int64)
        self.success = np.empty((economies, k))
        self.welfare = np.empty(economies)
        self.stopped = np.zeros(economies, np.int64)
        self.epochs = np.zeros(economies, np.int64)
        self.cycle_length = np.zeros(economies, np.int64)
        self.records: list[Record] | None = [] if series else None
        self.epoch = 0
        self.live: Integers = np.arange(economies)
        self._quiet = np.zeros(economies, np.int64)
        # Without chance, where nobody moved at the success of things as they are nobody ever will.
        self._deterministic = (kind.protocol, kind.activation, kind.rate) == (
            "best_response", "simultaneous", 1,
        )  # fmt: skip
        self._resting = np.zeros(economies, bool)
        self._landmarks = Landmarks(
            np.full(economies, -1), np.empty_like(self.counts), np.empty_like(self.published),
            np.empty(economies, np.int64), np.empty_like(self.membership),
        )  # fmt: skip

    def run(self) -> None:
        """Step until the last economy has stopped."""
        while len(self.live):
            self._step()

    def _step(self) -> None:
        live = self.live
        self.found_at[live] = self.counts[live]
        self._publish(live if self._always else self._due(live))  # 1, 2, 3
        self._record(live, self.published[live])  # 4: no principal; 6: the state as it was found
        moved = self._revise_awake(live) if self._deterministic else self._revise(live)  # 5
        self.epoch += 1
        self._stop(live, moved)  # 7

    def _due(self, live: Integers) -> Integers:
        """Where the platform is trained in this epoch."""
        return live[self.epoch % self.rules.retrain_every[live] == 0]

    def _publish(self, economies: Integers) -> None:
        counts = self.counts[economies]
        self.published[economies] = self._success(economies, counts)
        self.measured_at[economies] = counts

    def _success(self, economies: Integers, members: NDArray[np.integer]) -> Floats:
        """S (n, …, K) in these economies (n,) at so many members (n, …, K)."""
        return self.points.success(self.function[economies], members)

    def _record(self, economies: Integers, success: Floats) -> None:
        if self.records is not None:
            epoch = np.full(len(economies), self.epoch)
            self.records.append(Record(economies, epoch, self.counts[economies], success))

    # Revision -------------------------------------------------------------------------------------

    def _revise_awake(self, live: Integers) -> Integers:
        """:meth:`_revise` without those in which nobody ever will move again."""
        moved = np.zeros(len(live), np.int64)
        awake = ~self._resting[live]
        moved[awake] = self._revise(live[awake])
        self._resting[live] = (moved == 0) & (self._drift(live) == 0)
        return moved

    def _revise(self, live: Integers) -> Integers:
        """Let everybody's revisers choose; (n,) how many people moved in each economy."""
        from sim import kernels_flock as kernels

        now = (self.membership, self.counts, self._choice)
        who, uniforms = self._draws(live)
        if self.kind.activation == "sequential":
            pivotal = self.kind.decides == "pivotal"
            moved = kernels.revisers_in_turn(
                live, self.columns, *now, self.points.curves, self.function, pivotal, self.world,
                who, uniforms,
            )  # fmt: skip
            self._publish(live)
            return moved
        offers = self._offers(live)
        simple = self._open_to_all and not who.size and self.counts.shape[1] == 1
        if simple:
            logit = self.kind.protocol == "logit"
            odds = kernels.log_odds(uniforms) if logit else self._no_odds
            return kernels.everybody_chooses(
                live, self.columns, self._rough, *now, *offers, self.world, uniforms, odds
            )
        return kernels.revisers_respond(
            live, self.columns, *now, *offers, self.world, who, uniforms
        )

    @cached_property
    def _rough(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The tables of c and γ in float32."""
        cost, free_riding, *_ = self.columns
        with np.errstate(over="ignore"):
            return cost[0].astype(np.float32), free_riding[0].astype(np.float32)

    @cached_property
    def _no_odds(self) -> NDArray[np.float32]:
        return np.zeros((len(self.worlds), self.kind.size), np.float32)

    def _draws(self, live: Integers) -> tuple[NDArray[np.int32], Floats]:
        """Who revises in each world (W, n), in order, and a uniform for each (W, n).

        The second axis has no length where everybody revises at once, or nobody needs a uniform.
        """
        kind, n = self.kind, self.kind.revisers
        in_turn, logit = kind.activation == "sequential", kind.protocol == "logit"
        everybody = n == kind.size and not in_turn
        who = np.zeros((len(self.worlds), 0 if everybody else n), np.int32)
        uniforms = np.zeros((len(self.worlds), n if logit else 0))
        for w in np.flatnonzero(np.bincount(self.world[live])):
            streams = self.worlds[w]
            if not everybody:
                who[w] = _revisers(streams, n, kind.size, in_turn)
            if logit:
                streams.revision.random(out=uniforms[w])
        return who, uniforms

    def _offers(self, live: Integers) -> Offers:
        """What joining means in each economy, (n, K+1, K), see :func:`sim.payoffs.offers`."""
        if self.kind.decides == "pivotal":
            return pivotal_offers(
                lambda members: self._success(live, members),
                self.counts[live], self.kind.size,
            )  # fmt: skip
        published = self.published[live]
        table = np.repeat(published[:, None, :], published.shape[1] + 1, axis=1)
        return Offers(table, table)

    # Stopping -------------------------------------------------------------------------------------

    def _stop(self, live: Integers, moved: Integers) -> None:
        """Find out who is done and why; those leave ``live``."""
        rules, why = self.rules, np.zeros(len(live), np.int64)
        why[self.epoch >= rules.epochs[live]] = EPOCHS
        settles = rules.settles[live]
        if settles.any() and not self._restless:
            quiet = self._is_quiet(live, moved)
            self._quiet[live] = np.where(quiet, self._quiet[live] + 1, 0)
            settled = settles & (self._quiet[live] >= rules.patience[live])
            if self._deterministic:
                may = np.flatnonzero(settles & ~settled & (moved > 0))
                why[may[self._in_cycle(live[may])]] = CYCLE
            why[settled] = SETTLED
        self._finish(live[why > 0], why[why > 0])
        self.live = live[why == 0]

    def _drift(self, live: Integers) -> Integers:
        """(n,) by how many members the collective that changed most differs from when measured."""
        return np.abs(self.counts[live] - self.measured_at[live]).max(axis=1)

    def _is_quiet(self, live: Integers, moved: Integers) -> Flags:
        """Did the epoch leave things as they were measured, with nobody wanting to move?"""
        own = np.abs(self.counts[live] - self.found_at[live]).max(axis=1)
        drift = np.maximum(self._drift(live), own)
        tolerance = self.rules.tolerance[live]
        quiet = drift <= tolerance * self.kind.size
        strict = tolerance == 0
        quiet &= ~strict | (moved == 0)
        if self.kind.protocol == "logit":
            return quiet & ~strict
        if self.kind.rate == 1:
            return quiet
        return quiet & ~self._want(live, np.flatnonzero(quiet & strict))

    def _want(self, live: Integers, still: Integers) -> Flags:
        """Where, among those at ``still``, somebody wants to move who was not asked."""
        from sim import kernels_flock as kernels

        wants = np.zeros(len(live), bool)
        ask = live[still]
        if len(ask):
            wants[still] = kernels.somebody_wants(
                ask, self.columns, self.membership, self._choice, *self._offers(ask)
            )
        return wants

    def _in_cycle(self, live: Integers) -> Flags:
        """Which have been in exactly this state before? (Brent's method, one landmark each.)"""
        mark = self._landmarks
        counts, published = self.counts[live], self.published[live]
        phase = self.epoch % self.rules.retrain_every[live]
        back = (
            (mark.epoch[live] >= 0)
            & (mark.phase[live] == phase)
            & (mark.counts[live] == counts).all(axis=1)
            & (mark.published[live] == published).all(axis=1)
        )
        alike = live[back]
        back[back] = (mark.membership[alike] == self.membership[alike]).all(axis=1)
        self.cycle_length[live[back]] = self.epoch - mark.epoch[live[back]]
        if self.epoch & (self.epoch - 1) == 0:  # a new landmark at every power of two
            mark.epoch[live] = self.epoch
            mark.counts[live], mark.published[live] = counts, published
            mark.phase[live], mark.membership[live] = phase, self.membership[live]
        return back

    def _finish(self, done: Integers, why: Integers) -> None:
        """Write down how these economies ended."""
        from sim import kernels_flock as kernels

        if not len(done):
            return
        success = self._success(done, self.counts[done])
        self.stopped[done], self.epochs[done], self.success[done] = why, self.epoch, success
        total, step = success.sum(axis=1), max(1, UTILITIES // self.kind.size)
        for some in (slice(i, i + step) for i in range(0, len(done), step)):
            utility = kernels.utilities(
                done[some], self.columns, self.membership, self.rules.dues, success[some],
                total[some],
            )  # fmt: skip
            self.welfare[done[some]] = utility.mean(axis=1)
        self._record(done, success)


def _revisers(streams: SharedStreams, count: int, size: int, in_turn: bool) -> NDArray[np.integer]:
    """Who revises, as :func:`sim.revision.revisers` draws it."""
    from sim import kernels

    if count == size:
        return kernels.shuffled(streams.activation.random(size))
    return streams.activation.choice(size, count, replace=False, shuffle=in_turn)
