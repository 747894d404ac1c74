"""What compiled loops keep beside a large population so that an epoch reads less than its columns.

A best response to the published success needs the class of a person's threshold, two bytes, see
:mod:`sim.kernels_classes`, or, one person after the other, the threshold itself as a float32, see
:mod:`sim.kernels_thresholds`; a logit choice c and γ as float32, see :mod:`sim.kernels_logit`.
:func:`respond`, :func:`draw` and :mod:`sim.sweeps` take the decisions of :mod:`sim.revision` with
them; where dues or recruitment differ, or two best collectives are as good as equal, the formula
does, see :mod:`sim.kernels_several`. They give back None where the case is not theirs, as with
pivotal people.

All of it comes from the columns, so those are read-only while it is kept:
:meth:`sim.population.Population.edited` drops them, and every edit of a person calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sim.model import Economy
    from sim.population import Population

Rows = NDArray[np.integer]
EVERYBODY = np.empty(0, np.int32)
NOBODY = np.empty(0, np.uint8)
OWN_DRAWS_FROM = 50_000  # people; below, numpy draws
PART = 1_000_000  # people who are worth a thread of their own where everybody is asked


class Thresholds(NamedTuple):
    """What is kept about people who all see the same success, in turn."""

    theta: NDArray[np.float32]
    due: float
    eligible: NDArray[np.bool_]


class Classes(NamedTuple):
    """What is kept about people who all see the same success, at once."""

    of: NDArray[np.uint16]
    where: NDArray[np.uint16]
    lower: NDArray[np.int64]  # people in lower classes than each
    first: float
    scale: float
    due: float
    eligible: NDArray[np.bool_]


class Rough(NamedTuple):
    """What is kept about people who choose by logit."""

    columns: tuple[NDArray[np.float32], ...]  # c and γ
    due: float
    eligible: NDArray[np.bool_]


class Answered(NamedTuple):
    """What everybody has taken her best response to, if nobody was moved since."""

    kept: Classes
    top: float
    label: int


class Choice(NamedTuple):
    """What is offered to people who all see the same success."""

    top: float  # the success of the best collective
    label: int  # its state
    rules: tuple[Any, ...]  # join, forgo, dues, eligible


def revise(economy: Economy, count: int, *, ordered: bool) -> int | None:
    """An epoch's revision of :mod:`sim.revision` in one pass, if there is one for the case."""
    everybody, rules = count == economy.population.size, economy.scenario.revision
    logit = rules.protocol == "logit"
    signed = economy.population.signed is not None
    if signed or economy.has_own_decisions or economy.graph is not None:
        return None
    if ordered:
        from sim.sweeps import in_turn

        fits = everybody and draws(economy) and not economy.measures_itself
        return in_turn(economy) if fits else None
    if everybody and not logit:
        return respond(economy, count)
    if not (draws(economy) if everybody else by_coin(economy, count)):
        return None
    return draw(economy, count) if logit else respond(economy, count)


def draws(economy: Economy) -> bool:
    """Whether compiled loops draw for themselves: another sample of the same law as numpy's."""
    return economy.compiled and economy.population.size >= OWN_DRAWS_FROM


def by_coin(economy: Economy, count: int) -> bool:
    """Whether so many people are drawn by :func:`drawn`: very few are better drawn by number."""
    return draws(economy) and 256 * count >= economy.population.size


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

    return _kept(economy, Thresholds, lambda *people: (kernels.thresholds(*people),)).theta


def _kept(economy: Economy, kind: Any, make: Callable[..., tuple[Any, ...]]) -> Any:
    """What is kept of this kind, made anew where the dues or who may join are other ones."""
    people, due, eligible = economy.population, float(economy.dues[0]), economy.eligible
    kept = people.compact
    if not isinstance(kept, kind) or kept.due != due or kept.eligible is not eligible:
        made = make(*columns(people), ~eligible.any(axis=1), due)
        people.keep(kind(*made, due, eligible))
    return people.compact


def _by_formula(economy: Economy) -> bool:
    """Does everybody, member or not, respond to the published success of few collectives?"""
    from sim import kernels_several

    rules = economy.scenario.revision
    own = rules.protocol != "best_response" or rules.decides != "atomistic"
    return not own and economy.network_kind is None and kernels_several.few(economy.eligible)


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
    return Choice(top, best + 1, (table, table, dues, economy.eligible))


def respond(economy: Economy, count: int) -> int | None:
    """``count`` people drawn at random take their best response at once; how many moved."""
    offer = choice(economy)
    if offer is None and not _by_formula(economy):
        return None
    chosen = drawn(economy, count) if count < economy.population.size else None
    if offer is None:
        return _best_of_several(economy, chosen)
    return _by_class(economy, offer, NOBODY if chosen is None else chosen)


def _best_of_several(economy: Economy, chosen: NDArray[np.uint8] | None) -> int:
    """Everybody takes her best response by the formula, or the chosen do; how many moved."""
    from sim import kernels_several
    from sim.threads import in_parts

    people, masks = economy.population, kernels_several.masks(economy.eligible)
    success, dues = tuple(economy.published.tolist()), tuple(economy.dues.tolist())

    def part(start: int, stop: int) -> tuple[int, NDArray[np.int64]]:
        hers = tuple(column[start:stop] for column in columns(people))
        counts, states = np.zeros(len(people.counts), np.int64), people.membership[start:stop]
        who = None if chosen is None else chosen[start:stop]
        return kernels_several.respond(hers, states, counts, success, dues, masks, who), counts

    people.moved()
    parts = in_parts(people.size, part, PART)
    people.counts[:] = sum(counts for _, counts in parts)
    return sum(moved for moved, _ in parts)


def _by_class(economy: Economy, offer: Choice, chosen: NDArray[np.uint8]) -> int:
    """Everybody takes her best response at once, or the chosen do; how many moved."""
    from sim import kernels_classes as kernels
    from sim.threads import in_parts

    people, kept = economy.population, _kept(economy, Classes, kernels.classes)
    of, given = kept[:5], (columns(economy.population), economy.population.membership, offer.rules)
    last, answered = people.answered, Answered(kept, offer.top, offer.label)
    people.moved()
    if last is not None and last.kept is kept and last.label == offer.label and not chosen.size:
        moved, counts = kernels.respond_again(last.top, of, offer.top, offer.label, *given)
        if moved >= 0:
            people.counts[:] = counts[1:]
            people.rest(answered)
            return moved

    def part(start: int, stop: int) -> tuple[int, NDArray[np.int64]]:
        return kernels.respond(start, stop, of, offer.top, offer.label, *given, chosen)

    parts = in_parts(people.size, part, 4 * PART)
    if chosen.size:
        people.recount()
    else:
        people.counts[:] = np.add.reduce([counts for _, counts in parts])[1:]
        people.rest(answered)
    return sum(moved for moved, _ in parts)


def drawn(economy: Economy, count: int) -> NDArray[np.uint8]:
    """(N,) 1 for each of ``count`` people drawn without replacement, else 0; until the next draw.

    Everybody is drawn independently with the same probability. Given how many those are they are
    uniform among all sets of so many, whatever the probability was. One more drawn uniformly from
    the others, or one of them put back who is drawn uniformly, leaves a set that is uniform again,
    and so on until they are ``count``. Where most are drawn this is done for who is not.
    """
    from sim import kernels_classes as kernels
    from sim.threads import in_parts

    size, rng, out = economy.population.size, economy.streams.activation, economy.room_for_drawn
    few = min(count, size - count)
    state, number = int(few == count), key(rng)

    def part(start: int, stop: int) -> int:
        return kernels.flip(start, stop, out, number, 256 * few // size, state)

    kernels.even_out(out, key(rng), few - sum(in_parts(size, part, 4 * PART)), state)
    return out


def wishes(economy: Economy, offer: Choice) -> int:
    """How many people would move if they were asked."""
    from sim import kernels_thresholds as kernels

    people, (low, high) = economy.population, kernels.bounds(offer.top)
    return kernels.wishes(
        thresholds(economy), low, high, offer.label, columns(people), people.membership, offer.rules
    )


def draw(economy: Economy, count: int) -> int | None:
    """``count`` people drawn at random make a logit choice at once; how many moved."""
    from sim import kernels_logit, kernels_several
    from sim.revision import current_offers
    from sim.threads import in_parts

    people, eligible, (join, forgo) = economy.population, economy.eligible, current_offers(economy)
    if len(economy.dues) > 1:
        alike = (join == join[0]).all() and (forgo == forgo[0]).all()
        if not (alike and kernels_several.few(eligible)):
            return None
    rough = _kept(economy, Rough, lambda *hers: (kernels_logit.rough(*hers[:4]),)).columns
    number, rules = key(economy.streams.revision), (join, forgo, economy.dues, eligible)
    chosen = None if count == people.size else drawn(economy, count)

    def part(start: int, stop: int) -> tuple[int, NDArray[np.int64]]:
        here = slice(start, stop)
        return kernels_logit.logit(
            tuple(column[here] for column in columns(people)), tuple(c[here] for c in rough),
            people.membership[here], rules, economy.noise, number, start,
            None if chosen is None else chosen[here],
        )  # fmt: skip

    parts = in_parts(people.size, part, PART)
    people.counts[:] = sum(members for _, members in parts)
    return sum(moved for moved, _ in parts)
