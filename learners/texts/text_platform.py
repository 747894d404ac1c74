"""The platform of H23 section 5: a transformer trained on everybody's texts.

A person is a text of the training part. Members report their text with the signal in it; the
platform trains a classifier on what everybody reports; on texts that it has not seen, the signal is
planted in all of them, and S is how often the target is predicted.

by size         N people, each one of the n texts (by default each text once), of whom a random
                α_k·N are members, the same ones of each replicate at every size; S is the mean
                over replicates, which differ in who that is, in first weights and in the order of
                the texts, with an interval.
by membership   the attached people's texts are trained on, members being who they are. The first
                weights and the order are those of replicate 0: the same people in the same
                collectives have the same S.

With retrain = "continue" a training by membership goes on from the weights of the one before.

A training is named by all it depends on. With `keep` its result is kept in the cache, and itself
while under way: who was killed repeats no training that was done, and goes on with the last one.

References
----------
Hardt et al. (2023), section 5; Karan et al. (2025), section 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
import numpy.typing as npt

from learners.curves import Array, require_range
from learners.errors import NoSolutionError
from learners.measured.cache import cache_in_use, digest_of, digest_of_arrays
from learners.people import Ints, PeoplePlatform, mean_interval, random_members
from learners.progress import tell
from learners.success import Kind
from learners.texts import measures
from learners.texts.checkpoint import Checkpoint, training_key
from learners.texts.encoded import Encoded
from learners.texts.network import load_state, state_of
from learners.texts.plan import LabelledTexts, NetworkPlan, machine_of
from learners.texts.planting import TextStrategy, report_all
from learners.texts.recipe import Recipe
from learners.texts.training import predict, train
from learners.texts.weights import load_weights, save_weights

__all__ = ["TextPlatform"]

Retrain = Literal["scratch", "continue"]
VERSION = 1  # raise it when the code changes what a training comes to
MEMBERS, WEIGHTS, ORDER, PEOPLE = 0, 1, 2, 3  # purposes of random numbers; append, never renumber
FACTORY = "distilbert, its trainings"  # what the cache lists them as


class _Training(NamedTuple):
    """One training: on whose texts, from which random numbers, after which others."""

    points: Ints  # (N,)
    membership: Ints  # (N,)
    replicate: int
    before: tuple[Ints, ...] = ()  # memberships of the trainings that it goes on from


class TextPlatform(PeoplePlatform):
    """A network that is trained on what people report, measured on texts it has not seen.

    Parameters
    ----------
    train : LabelledTexts, n texts
        That people have.
    test : LabelledTexts
        On which success and quality are measured; in nobody's training.
    collectives : mapping of names to TextStrategy
    network : NetworkPlan
    recipe : Recipe
        Of a training.
    retrain : {"scratch", "continue"}
        Where a training by membership begins.
    measure : {"top1", "included"}
        What success is; both are in `also`.
    replicates : int, ≥ 2, R
        Trainings at each size.
    level : float in (0, 1)
        Of the interval.
    seed : int, ≥ 0
    keep : bool
        Whether trainings are kept in the cache in use (`learners.measured.cache`).
    people : int, ≥ 1, N, optional
        On how many people a training by size is; default one for each text. They are drawn anew
        in each replicate, as `draw_people` does, and are the same ones at every size.

    Notes
    -----
    One training takes O(epochs·n·length·width·(width + length)) operations, seconds to hours.
    """

    kind: Kind = "estimate"

    def __init__(
        self,
        train: LabelledTexts,
        test: LabelledTexts,
        collectives: Mapping[str, TextStrategy],
        network: NetworkPlan,
        recipe: Recipe,
        *,
        retrain: Retrain = "scratch",
        measure: measures.Measure = "top1",
        replicates: int = 3,
        level: float = 0.95,
        seed: int = 0,
        keep: bool = False,
        people: int | None = None,
    ) -> None:
        super().__init__(np.ones(len(train.encoded)), collectives, seed)
        _require(retrain, measure, replicates)
        for what, texts in (("train", train), ("test", test)):
            if texts.labels.shape[1] != network.labels:
                raise ValueError(
                    f"{what}: got {texts.labels.shape[1]} labels; must be {network.labels}, "
                    "as the network has"
                )
        self.train, self.test, self.network, self.recipe = train, test, network, recipe
        self.strategies = tuple(collectives.values())
        self.retrain, self.measure, self.replicates, self.keep = retrain, measure, replicates, keep
        self.level = require_range("level", level, 0.0, 1.0, low_open=True, high_open=True)
        n = len(self.weight)
        given = n if people is None else people
        self.people = int(require_range("people", given, 1.0, meaning="in the population"))
        self._forget()

    def attach(self, points: npt.ArrayLike) -> Self:
        """The same platform for these people, untrained; person i is text points[i]."""
        bound = super().attach(points)
        bound._forget()
        return bound

    def reseeded(self, seed: int) -> Self:
        """As `PeoplePlatform.reseeded`, with other first weights and orders."""
        other = super().reseeded(seed)
        other._forget()
        return other

    def interval(self, alpha: npt.ArrayLike) -> tuple[Array, Array]:
        """Interval for the mean over replicates; not for the choice of test texts."""
        return mean_interval(alpha, self._replicates(alpha), self.level)

    @cached_property
    def content(self) -> dict[str, Any]:
        """All that every training of this platform depends on, as JSON; what the cache knows."""
        return {
            "factory": FACTORY,
            "collectives": list(self.collectives),
            "version": VERSION,
            "network": self.network.content(),
            "recipe": asdict(self.recipe) | machine_of(self.network, self.recipe),
            "strategies": [asdict(strategy) for strategy in self.strategies],
            "train": self.train.digest,
            "test": self.test.digest,
        }

    # --- what is trained ------------------------------------------------------------------------

    def _forget(self) -> None:
        """As if nothing had been trained yet."""
        self.also: Mapping[str, float] = {}
        self._past: tuple[Ints, ...] = ()  # with "continue": memberships trained on so far
        self._state: tuple[str, Any] = ("", None)  # of the last of them: its key, the weights

    def _measure_at(self, sizes: Array) -> Array:
        N = self.people
        each = []
        for r in range(self.replicates):
            order = np.random.default_rng(self._stream(r, MEMBERS)).permutation(N)
            membership = np.zeros(N, np.int64)
            membership[order] = random_members(sizes, N)
            each.append(self._result(_Training(self._people_by_size(r), membership, r)))
        self.also = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
        return np.array([self._success(one) for one in each])

    def _people_by_size(self, replicate: int) -> Ints:
        """The texts (N,) of the people of a replicate; as many people as texts have one each."""
        if self.people == len(self.weight):
            return np.arange(self.people)
        rng = np.random.default_rng(self._stream(replicate, PEOPLE))
        return self.draw_people(self.people, rng)

    def _measure_people(self, membership: Ints, sizes: Array) -> Array:
        points, _ = self._people()
        members = membership.astype(np.int64)
        self.also = self._result(_Training(points, members, 0, self._past))
        if self.retrain == "continue":
            self._past = (*self._past, members)
        return self._success(self.also)

    def _success(self, result: Mapping[str, float]) -> Array:
        return np.array([result[f"{self.measure}.{name}"] for name in self.collectives])

    def _result(self, training: _Training) -> Mapping[str, float]:
        """Quality and success, by name, of one training, from the cache or else by training."""
        if not self.keep:
            return self._judged(self._trained(training))
        cache, point = cache_in_use(), self._point(training)
        known = cache.get(self.content, point)
        if known is None:
            known = self._judged(self._trained(training))
            cache.put(self.content, point, known)
        return known

    def _point(self, training: _Training) -> dict[str, Any]:
        """Names one training among those of this platform, as JSON."""
        return {
            "people": digest_of_arrays(training.points),
            "memberships": digest_of_arrays(*training.before, training.membership),
            "trainings": len(training.before) + 1,
            "seed": self._seed,
            "replicate": training.replicate,
        }

    def _trained(self, training: _Training) -> Any:
        """The network after a training; with `keep`, on disk while under way."""
        network = self.network.make(self._number(training.replicate, WEIGHTS))
        if training.before:
            load_state(network, self._weights_before(training))
        reported = self._reports(training)
        seed = self._number(training.replicate, ORDER, len(training.before))
        checkpoint = None
        if self.keep:
            key = training_key(network, *reported, self.recipe, seed)
            checkpoint = Checkpoint(cache_in_use().trainings / key, key)
        try:
            train(
                network, *reported, self.recipe, seed, checkpoint=checkpoint,
                progress=lambda done, total: tell("training", done, total),
            )  # fmt: skip
        except ValueError as error:  # it diverged; all else was checked when this was made
            raise NoSolutionError(f"platform.{error}") from error
        if self.retrain == "continue" and self._points is not None:
            self._keep_weights(training, network)
        return network

    def _keep_weights(self, training: _Training, network: Any) -> None:
        """For the training that goes on from here; with `keep`, for one of a later run as well."""
        key = self._key(training)
        self._state = (key, state_of(network))
        if self.keep:
            save_weights(self._weights_file(training), key, self._state[1])

    def _weights_before(self, training: _Training) -> Any:
        """Weights to continue from; trained again where they are neither at hand nor kept."""
        *before, last = training.before
        previous = training._replace(membership=last, before=tuple(before))
        key = self._key(previous)
        if self._state[0] != key and self.keep:
            self._state = (key, load_weights(self._weights_file(previous), key))
        if self._state[0] != key or self._state[1] is None:
            self._trained(previous)
        return self._state[1]

    def _weights_file(self, training: _Training) -> Path:
        """One file for all trainings of the same people, the last one's."""
        same = {k: v for k, v in self._point(training).items() if k in ("people", "seed")}
        return cache_in_use().trainings / f"{digest_of([self.content, same])}.safetensors"

    def _key(self, training: _Training) -> str:
        return digest_of([self.content, self._point(training)])

    def _reports(self, training: _Training) -> tuple[Encoded, npt.NDArray[np.bool_]]:
        """What the people of a training report: texts (N) and labels (N, L)."""
        own, labels = self.train.encoded.take(training.points), self.train.labels[training.points]
        return report_all(own, labels, training.membership, self.strategies)

    # --- how it is judged -----------------------------------------------------------------------

    @cached_property
    def _planted(self) -> Sequence[Encoded]:
        """The test texts, all with the signal, of each collective."""
        return [strategy.signal.plant(self.test.encoded) for strategy in self.strategies]

    def _judged(self, network: Any) -> dict[str, float]:
        """Quality on clean texts; both measures of success on planted ones."""
        single, clean = self.network.single, predict(network, self.test.encoded, self.recipe)
        found = measures.quality(clean, self.test.labels, single)
        texts = zip(self.collectives, self.strategies, self._planted, strict=True)
        for name, strategy, planted in texts:
            scores = predict(network, planted, self.recipe)
            found[f"top1.{name}"] = measures.top1(scores, strategy.target)
            found[f"included.{name}"] = measures.included(scores, strategy.target, single)
        return found

    def _stream(self, replicate: int, *purpose: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self._seed, spawn_key=(replicate, *purpose))

    def _number(self, replicate: int, *purpose: int) -> int:
        """A seed for torch."""
        return int(self._stream(replicate, *purpose).generate_state(1)[0])


def _require(retrain: str, measure: str, replicates: int) -> None:
    if retrain not in get_args(Retrain):
        raise ValueError(f"retrain: got {retrain!r}; must be 'scratch' or 'continue'")
    if measure not in measures.MEASURES:
        raise ValueError(f"measure: got {measure!r}; must be 'top1' or 'included'")
    if replicates < 2:
        raise ValueError(f"replicates: got {replicates}; must be ≥ 2, or there is no interval")
