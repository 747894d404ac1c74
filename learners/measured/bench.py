"""What is measured, and one measurement of it: a function of setup, sizes, seed and replicate.

What is measured is a `Setup`: a factory by its dotted name with JSON settings, which makes a
*learner*, a callable

    learner(alpha (K,), rng) → success (K,), in [0, 1]

that trains the platform once with collectives of these sizes and says what they got. It may say
more of the training in an `Outcome`: numbers by name, such as the model's accuracy on data without
a signal, which are kept beside the success. It draws from the generator that it is given and from
nothing else. The random stream of a measurement is
SeedSequence(seed, spawn_key=(bits of the sizes, replicate)): streams of different sizes are
independent, and a grid that is made finer later keeps what it has.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.curves import Array, require_range
from learners.errors import MissingError
from learners.measured.cache import Cache, digest_of, plain, using
from learners.measured.recruiting import Recruiting, recruited_members
from learners.people import Ints, random_members
from learners.success import SuccessFunction, require_names


@dataclass(frozen=True)
class Outcome:
    """What one training came to.

    Attributes
    ----------
    success : array of shape (K,), in [0, 1]
    also : mapping of names to finite numbers
        Whatever else was measured on the same model: ``{"accuracy": 0.97}``.
    """

    success: npt.ArrayLike
    also: Mapping[str, float] = field(default_factory=dict)


Learner = Callable[[Array, np.random.Generator], npt.ArrayLike | Outcome]


@dataclass(frozen=True)
class Setup:
    """What is measured: a platform, its data and its strategies; all of it is content.

    Parameters
    ----------
    factory : str
        ``"package.module:name"`` of a callable that takes the settings as keywords and returns
        a learner.
    settings : mapping, JSON
        Its keywords: platform, strategies, paths.
    collectives : tuple of str, K names
        In the order of the learner's sizes.
    data : str
        Digest of the data (`cache.digest_of_file`, `digest_of_arrays`); empty where the
        settings say all.
    version : int
        Of the learner's code; raise it when the code changes what it computes.
    """

    factory: str
    settings: Mapping[str, Any]
    collectives: tuple[str, ...]
    data: str = ""
    version: int = 1
    _digest: str = field(init=False, repr=False, default="")

    def __post_init__(self) -> None:
        module, _, name = self.factory.partition(":")
        if not (module and name):
            raise ValueError(f"factory: got {self.factory!r}; must be 'package.module:name'")
        object.__setattr__(self, "settings", plain(self.settings))
        object.__setattr__(self, "collectives", require_names(self.collectives))
        object.__setattr__(self, "_digest", digest_of(self.content()))

    @property
    def digest(self) -> str:
        """64 hexadecimal digits that name the content."""
        return self._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def content(self) -> dict[str, Any]:
        """The setup as plain tables, which is what the cache knows it by."""
        return {
            "factory": self.factory,
            "settings": self.settings,
            "collectives": list(self.collectives),
            "data": self.data,
            "version": self.version,
        }

    def learner(self) -> Learner:
        """Make what is measured; reads the data.

        Raises
        ------
        MissingError
            There is no such factory.
        """
        module, _, name = self.factory.partition(":")
        try:
            factory = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise MissingError(f"{self.factory}: there is no such learner ({error})") from error
        learner: Learner = factory(**plain(self.settings))
        return learner


@dataclass(frozen=True)
class Measurement:
    """Success once measured.

    Attributes
    ----------
    sizes : tuple of K floats, α
    replicate : int
    success : tuple of K floats
    seconds : float, what it took when it was made
    cached : bool, it had been made before
    also : mapping of names to floats, what else was measured
    """

    sizes: tuple[float, ...]
    replicate: int
    success: tuple[float, ...]
    seconds: float
    cached: bool
    also: Mapping[str, float] = field(default_factory=dict)


class Bench:
    """One setup, made once, measured wherever it is asked to be.

    Parameters
    ----------
    setup : Setup
    seed : int, ≥ 0
        Of all measurements.
    cache : Cache, optional
        Default: the user's (`learners.measured.cache.default_folder`).

    Notes
    -----
    The learner is made when the first measurement that is not in the cache is asked for.
    """

    def __init__(self, setup: Setup, seed: int = 0, cache: Cache | None = None) -> None:
        self.setup = setup
        self.seed = require_seed(seed)
        self.cache = Cache() if cache is None else cache
        self._learner: Learner | None = None

    def known(self, sizes: tuple[float, ...], replicate: int) -> Measurement | None:
        """A measurement that was made before, or None."""
        result = self.cache.get(self.setup.content(), self._point(sizes, replicate))
        try:  # what is damaged was never measured
            given = result or {}
            success = _require_success(given["success"], len(sizes))
            also = _require_also(Outcome(success, given.get("also", {})))
            seconds = float(given["seconds"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        return Measurement(sizes, replicate, success, seconds, True, also)

    def measure(self, sizes: tuple[float, ...], replicate: int) -> Measurement:
        """One measurement, from the cache or else by training.

        Raises
        ------
        ValueError
            The learner gave something that is no success; nothing is kept of it.
        """
        known = self.known(sizes, replicate)
        if known is not None:
            return known
        if self._learner is None:
            self._learner = self.setup.learner()
        rng = np.random.default_rng(stream(self.seed, sizes, replicate))
        start = time.perf_counter()
        try:
            with using(self.cache):  # whatever the learner keeps of its trainings lies there too
                made = self._learner(np.array(sizes), rng)
            outcome = made if isinstance(made, Outcome) else Outcome(made)
            success, also = _require_success(outcome.success, len(sizes)), _require_also(outcome)
        except Exception as error:
            error.add_note(f"while measuring at sizes {list(sizes)}, replicate {replicate}")
            raise
        seconds = time.perf_counter() - start
        return self.keep(Measurement(sizes, replicate, success, seconds, False, also))

    def keep(self, made: Measurement) -> Measurement:
        """Write a measurement to the cache, wherever it was made."""
        result = {"success": list(made.success), "seconds": made.seconds}
        result |= {"also": dict(made.also)} if made.also else {}
        point = self._point(made.sizes, made.replicate)
        self.cache.put(self.setup.content(), point, result, made.seconds)
        return made

    def _point(self, sizes: tuple[float, ...], replicate: int) -> dict[str, Any]:
        return {"sizes": list(sizes), "seed": self.seed, "replicate": replicate}


class RandomMembers:
    """A learner from a platform that sees people: members are a random part of them.

    Parameters
    ----------
    platform : callable, seed → SuccessFunction
        Makes the platform of one training from the seed of its own random numbers; must see
        people (`draw_people`, `attach`).
    people : int, ≥ 1, N
        How many the population has; collective k gets α_k N of them, rounded.
    recruiting : Recruiting, optional
        Who may join what; default everybody everything. Where by chance fewer people may join
        than a size asks for, all of these are members.
    """

    def __init__(
        self,
        platform: Callable[[int], SuccessFunction],
        people: int,
        recruiting: Recruiting | None = None,
    ) -> None:
        self.platform, self.recruiting = platform, recruiting
        self.people = int(require_range("people", people, 1.0, meaning="in the population"))

    def __call__(self, alpha: Array, rng: np.random.Generator) -> Outcome:
        platform = self.platform(int(rng.integers(2**32)))
        points = platform.draw_people(self.people, rng)
        attached = platform.attach(points)
        return Outcome(attached.by_membership(self._members(alpha, points, rng)), attached.also)

    def _members(
        self, alpha: Array, points: npt.NDArray[np.integer], rng: np.random.Generator
    ) -> Ints:
        members = random_members(alpha, self.people)
        if self.recruiting is None:
            return rng.permutation(members)
        wanted = np.bincount(members, minlength=alpha.size + 1)[1:]
        group = self.recruiting.groups(points, rng)
        return recruited_members(wanted, group, self.recruiting.eligible, rng)


def stream(seed: int, sizes: Iterable[float], replicate: int) -> np.random.SeedSequence:
    """The random stream of one measurement."""
    bits = np.array([*sizes], dtype=np.float64).view(np.uint32)  # two words for each size
    return np.random.SeedSequence(seed, spawn_key=(*bits.tolist(), replicate))


def require_seed(seed: int) -> int:
    """Return the seed as an int if it is a whole number ≥ 0, else ValueError."""
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0:
        return int(seed)
    raise ValueError(f"seed: got {seed!r}; must be a whole number ≥ 0")


def _require_success(success: npt.ArrayLike, size: int) -> tuple[float, ...]:
    """Return what a learner gave as a tuple of K numbers in [0, 1], else ValueError."""
    value = np.asarray(success, dtype=np.float64).reshape(-1)
    if value.size != size or not np.all((value >= 0.0) & (value <= 1.0)):
        raise ValueError(f"the learner gave {success!r}; must be {size} in [0, 1], one for each")
    return tuple(value.tolist())


def _require_also(outcome: Outcome) -> dict[str, float]:
    """Return what else was measured as plain floats if all are finite, else ValueError."""
    also = {str(name): float(value) for name, value in outcome.also.items()}
    for name, value in also.items():
        if not math.isfinite(value):
            raise ValueError(f"the learner gave {name} = {value}; must be a finite number")
    return also
