"""When an economy stops: settled, in a cycle, or out of epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim import revision

if TYPE_CHECKING:
    from sim.model import Economy


class Stopping:
    """The stopping rule of one economy; it looks after every epoch."""

    def __init__(self, economy: Economy) -> None:
        self.economy = economy
        self.quiet = 0  # epochs in a row
        self._landmark: tuple[int, tuple, NDArray] | None = None

    def after(self, moved: int, paid: float) -> None:
        """Set the economy's ``stopped`` and ``running``; so many moved and so much was paid."""
        economy, rule = self.economy, self.economy.scenario.stop
        if rule.when == "settled":
            self.quiet = self.quiet + 1 if self._is_quiet(moved, paid, rule.tolerance) else 0
            if self.quiet >= rule.patience:
                economy.stopped = "settled"
            elif self._in_cycle(moved):
                economy.stopped = "cycle"
        if economy.stopped is None and economy.epoch >= economy.scenario.epochs:
            economy.stopped = "epochs"
        economy.running = economy.stopped is None

    def _is_quiet(self, moved: int, paid: float, tolerance: float) -> bool:
        """Did the epoch leave things as they were measured, with nobody wanting to move?"""
        economy = self.economy
        if paid or (economy.crowd is None and economy.population.signed is not None):
            return False
        if tolerance > 0:
            # One at a time, success is measured after each move: the epoch's own drift counts too.
            before = np.stack([economy.measured_at, economy.found_at])
            drift = np.abs(economy.counts - before).max()
            return bool(drift <= tolerance * economy.size)
        still = not moved and bool(np.all(economy.counts == economy.measured_at))
        return still and self._nobody_wants_to_move()

    def _nobody_wants_to_move(self) -> bool:
        """That nobody moved may be luck: is there nobody with a reason to?"""
        economy, rules = self.economy, self.economy.scenario.revision
        if economy.has_own_decisions:
            return True  # nobody knows their reasons
        if rules.protocol == "logit":
            return False
        if rules.protocol == "imitation":
            return not revision.could_imitate(economy)
        if rules.rate == 1:
            return True
        if economy.crowd is not None:
            return economy.crowd.nobody_wants_to_move(economy.offers())
        wanted = revision.decide(economy, None)
        return bool(np.all(wanted == economy.population.membership))

    def _in_cycle(self, moved: int) -> bool:
        """Has the economy been in exactly this state before? (Brent's method, one landmark.)"""
        economy, rules = self.economy, self.economy.scenario.revision
        deterministic = (
            rules.protocol == "best_response"
            and rules.activation == "simultaneous"
            and rules.rate == 1
            and not economy.has_own_decisions
        )
        if not (deterministic and moved):
            return False
        phase = economy.epoch % economy.scenario.platform.retrain_every
        state = (*economy.counts, *economy.published, phase, economy.spent)
        crowd = economy.crowd
        membership = economy.population.membership if crowd is None else crowd.state()
        if self._landmark is not None:
            since, old_state, old_membership = self._landmark
            if state == old_state and np.array_equal(membership, old_membership):
                economy.cycle_length = economy.epoch - since
                return True
        if economy.epoch & (economy.epoch - 1) == 0:  # a new landmark at every power of two
            self._landmark = (economy.epoch, state, membership.copy())
        return False
