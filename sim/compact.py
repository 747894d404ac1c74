"""What compiled loops keep beside a large population so that an epoch reads less than its columns.

A best response to the published success needs one float32 per person (her threshold), see
:mod:`sim.kernels_thresholds`; :func:`respond`, :func:`some_respond` and :mod:`sim.sweeps` take the
decisions of :mod:`sim.revision` with it. They give back None where the case is not theirs: pivotal
people, dues or recruitment that differ, two best collectives that are as good as equal.

Thresholds come from the columns, so those are read-only while thresholds are kept:
:meth:`sim.population.Population.edited` drops them, and every edit of a person calls it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sim.model import Economy
    from sim.population import Population

Rows = NDArray[np.integer]
EVERYBODY = np.empty(0, np.int32)
OWN_DRAWS_FROM = 50_000  # people; below, numpy draws


class Thresholds(NamedTuple):
    """What is kept about people who all see the same success."""

    theta: NDArray[np.float32]
    due: float
    eligible: NDArray[np.bool_]


class Choice(NamedTuple):
    """What is offered: up to ``low`` a threshold is met, beyond ``high`` missed; else in doubt."""

    theta: NDArray[np.float32]
    low: np.float32
    high: np.float32
    label: int  # the state of the best collective
    rules: tuple[Any, ...]  # join, forgo, dues, eligible


def revise(economy: Economy, count: int, *, ordered: bool) -> int | None:
    """An epoch's revision of :mod:`sim.revision` in one pass, if there is one for the case."""
    from sim.neighbours import on_network
    from sim.sweeps import in_turn

    everybody, rules = count == economy.population.size, economy.scenario.revision
    logit = rules.protocol == "logit"
    if economy.population.signed is not None or economy.has_own_decisions:
        return None
    if ordered:
        return in_turn(economy) if everybody and draws(economy) else None
    if everybody and economy.graph is not None:
        return on_network(economy)
    if everybody:
        return respond(economy) if not logit else draw(economy) if draws(economy) else None
    few = 2 * count <= economy.population.size
    return some_respond(economy, count) if few and draws(economy) else None


def draws(economy: Economy) -> bool:
    """Whether compiled loops draw for themselves: another sample of the same law as numpy's."""
    return economy.compiled and economy.population.size >= OWN_DRAWS_FROM


def rows_at_random(economy: Economy, count: int) -> Rows:
    """``count`` people drawn without replacement, in random order."""
    from sim import kernels_chance as chance

    people, number = economy.population, key(economy.streams.activation)
    if 2 * count <= people.size:
        return chance.distinct(count, people.size, number, np.zeros(people.size, np.uint8))
    rows = np.arange(people.size, dtype=np.int32)
    chance.shuffle(rows, number)
    return rows[:count]


def uniforms(economy: Economy, count: int) -> NDArray[np.float64]:
    """(count,) uniforms for the noise of choices, from the model's stream."""
    if not draws(economy):
        return economy.streams.revision.random(count)
    from sim import kernels_chance as chance

    return chance.uniforms(count, key(economy.streams.revision))


def key(rng: np.random.Generator) -> np.uint64:
    """A key for the uniforms of :mod:`sim.kernels_chance`, from a stream of the model."""
    return rng.integers(0, 2**64, dtype=np.uint64)


def columns(people: Population) -> tuple[NDArray, NDArray, NDArray]:
    """The columns that a decision by the formula reads."""
    return people.cost, people.free_riding, people.group


def thresholds(economy: Economy) -> NDArray[np.float32]:
    """(N,) float32 thresholds, made when first asked for and after every edit of a person."""
    from sim import kernels_thresholds as kernels

    people, due, eligible = economy.population, float(economy.dues[0]), economy.eligible
    kept = people.compact
    if kept is None or kept.due != due or kept.eligible is not eligible:
        theta = kernels.thresholds(*columns(people), ~eligible.any(axis=1), due)
        people.keep(Thresholds(theta, due, eligible))
    return people.compact.theta


def _same_for_all(economy: Economy) -> bool:
    """Does everybody, member or not, see the published success and may join any collective?"""
    rules = economy.scenario.revision
    own = rules.protocol != "best_response" or rules.decides != "atomistic"
    return not own and economy.network_kind is None and bool(economy.eligible.all())


def choice(economy: Economy) -> Choice | None:
    """What everybody chooses from, if one threshold per person decides; else None."""
    rules, dues = economy.scenario.revision, economy.dues
    if not (
        rules.protocol == "best_response"
        and rules.decides == "atomistic"
        and economy.network_kind is None
    ):
        return None
    published = economy.published.tolist()  # a few numbers, for which Python is quicker than numpy
    top = max(published)
    if min(published) < 0.0 or top > 1.0:
        return None
    from sim import kernels_thresholds as kernels

    best = published.index(top)
    if len(dues) > 1:
        lead = top - max(published[:best] + published[best + 1 :])
        if lead < 4 * kernels.MARGIN or (dues != dues[0]).any() or not economy.eligible.all():
            return None
    table = np.array([published] * (len(dues) + 1))
    low, high = kernels.bounds(top)
    return Choice(
        thresholds(economy), low, high, best + 1, (table, table, dues, economy.eligible)
    )  # fmt: skip


def respond(economy: Economy) -> int | None:
    """Everybody takes her best response at once; how many moved."""
    from sim import kernels_several
    from sim import kernels_thresholds as kernels

    people, offer = economy.population, choice(economy)
    if offer is None and _same_for_all(economy):
        return kernels_several.respond(
            people.cost, people.free_riding, people.membership, people.counts, economy.published,
            economy.dues,
        )  # fmt: skip
    if offer is None:
        return None
    return kernels.respond(
        *offer[:4], columns(people), people.membership, people.counts, offer.rules, True
    )


def wishes(people: Population, offer: Choice) -> int:
    """How many people would move if they were asked."""
    from sim import kernels_thresholds as kernels

    return kernels.respond(
        *offer[:4], columns(people), people.membership, people.counts, offer.rules, False
    )


def some_respond(economy: Economy, count: int) -> int | None:
    """``count`` people drawn at random take their best response at once; how many moved.

    The success they see does not depend on each other, so only those matter who want to move: among
    the drawn there is a hypergeometric number of them, and any of them is as likely as any other.
    """
    from sim import kernels_thresholds as kernels

    people, offer, rng = economy.population, choice(economy), economy.streams.activation
    if offer is None:
        return None
    want = wishes(people, offer)
    many = int(rng.hypergeometric(want, people.size - want, count))
    counts = np.concatenate([[people.size - people.counts.sum()], people.counts])
    kernels.move_some(
        many, key(rng), *offer[:4], columns(people), people.membership, counts, offer.rules
    )
    people.counts[:] = counts[1:]
    return many


def draw(economy: Economy) -> int | None:
    """Everybody makes a logit choice about one collective at once; how many moved."""
    from sim import kernels_chance as chance
    from sim.revision import current_offers

    people = economy.population
    if len(economy.collectives) > 1 or economy.graph is not None or not economy.eligible.all():
        return None
    moved, members = chance.logit_one(
        people.cost, people.free_riding, people.membership, *current_offers(economy),
        float(economy.dues[0]), economy.noise, key(economy.streams.revision), 0,
    )  # fmt: skip
    people.counts[0] = members
    return moved
