"""Measuring the success of a scenario's platform: from a scenario to a table, and to S*'s size.

What is measured is the platform trained on the scenario's N people, of whom a random part are
members: for each training the people are drawn anew from the platform's data, and so are the
members and whatever the platform draws itself (first weights). The data stay, those on whom
success is measured among them. A training is named by the platform, its data and the strategies,
not by what people pay or how they revise: changing a cost leaves every measurement valid.

Members come from those whom a collective recruits, as in an economy. Only then the groups are part
of what a training is named by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from learners.curves import Array
from learners.errors import ScenarioError
from learners.measured.bench import Bench, Learner, RandomMembers, Setup
from learners.measured.cache import Cache, digest_of
from learners.measured.measure import Elsewhere, Progress, measure, size_grid
from learners.success import SuccessFunction
from sim.recruiting import groups_of, most_of, recruiting_of, require_fit, that_fit
from sim.success_of import success_function
from sim.trained import machine_of
from sim.trained_table import measured

if TYPE_CHECKING:
    from learners.measured.search_mass import CriticalMass
    from learners.measured.table import MeasuredTable
    from sim.scenario import Scenario

FACTORY = "sim.learning:learner_of"
TOP = 1.0
LEAST = 0.001  # smallest size of a grid that nobody asked for
NUM = {1: 25, 2: 7}  # sizes of each collective by how many collectives there are
NUM_MANY = 4


@dataclass(frozen=True, eq=False)
class ScenarioSetup(Setup):
    """A setup whose data are files; where they lie is not part of its content.

    Parameters
    ----------
    folder : str
        To which paths in the settings are relative.
    """

    folder: str = "."

    def learner(self) -> Learner:
        """Read the data and make the platform.

        Raises
        ------
        ScenarioError
            The files are not those any more that the setup was made for.
        """
        scenario = _scenario_of(self.settings, Path(self.folder))
        if _data_of(scenario) != self.data:
            raise ScenarioError(
                f"{scenario.name}: the data of the platform changed while they were measured; "
                "start again"
            )
        return _learner(scenario)


def setup(s: Scenario) -> ScenarioSetup:
    """What there is to measure of a scenario.

    Raises
    ------
    ScenarioError
        There is nothing to learn: success is a formula, or a table already.
    """
    refuse = {
        "bound": "is a formula, so there is nothing to measure; 'alphacrit success' evaluates it",
        "table": "was measured already; name the platform that it stands for",
    }
    learner = s.platform.learner
    if learner in refuse:
        raise ScenarioError(
            f'{s.name}: platform.learner: got "{learner}", whose success {refuse[learner]}. '
            'A platform that learns ("bayes", "logistic", "gradient", "distilbert") can be measured'
        )
    own = {"strategy", "signal", "target", "recruits"}
    collectives = [  # a list: the order of collectives is content, that of a table's keys is not
        [name, c.model_dump(mode="json", include=own, exclude_none=True)]
        for name, c in s.collectives.items()
    ]
    settings = {
        "platform": s.platform.model_dump(
            mode="json", exclude={"retrain_every"}, exclude_none=True
        ),
        "collectives": collectives,
        "people": s.population.size,
        "seed": s.seed,
    }
    groups = groups_of(s)
    if groups:
        settings["groups"] = groups
    machine = machine_of(s)
    if machine:
        settings["machine"] = machine
    return ScenarioSetup(FACTORY, settings, s.names, _data_of(s), folder=str(s.folder.resolve()))


def learner_of(**settings: Any) -> Learner:
    """The learner of a setup's settings, paths being relative to the working directory."""
    return _learner(_scenario_of(settings, Path()))


def learn(
    s: Scenario,
    sizes: npt.ArrayLike,
    replicates: int = 5,
    *,
    workers: int = 1,
    cache: Cache | None = None,
    progress: Progress | None = None,
    elsewhere: Elsewhere | None = None,
) -> MeasuredTable:
    """Measure the success of a scenario's platform; `learner = "table"` reads what is saved.

    Parameters
    ----------
    sizes : array of shape (M, K), or (M,) for one collective; see `grid`
    replicates : trainings at each size
    workers : processes
    cache : default the user's
    progress : hears (measurements done, of how many)
    elsewhere : who makes the measurements, if not processes of this machine
        (`sim.learning_cluster.RayTrainings`)

    Raises
    ------
    ScenarioError
        There is nothing to learn, or a size is more than the people whom a collective recruits.
    """
    require_fit(s, sizes)
    meta = {**measured(s), "scenario": s.name, "people": s.population.size}
    return measure(
        setup(s),
        sizes,
        replicates,
        seed=s.seed,
        workers=workers,
        cache=cache,
        progress=progress,
        meta=meta,
        elsewhere=elsewhere,
    )


def search(
    s: Scenario, target: float, collective: str, *, cache: Cache | None = None, **ways: Any
) -> CriticalMass:
    """The critical mass of one collective alone, in whole people; `ways` as in
    `search_critical_mass`, with `high` by default all whom the collective recruits.

    Raises
    ------
    ScenarioError
        `high` is more than these.
    """
    from learners.measured.search_mass import measure_of, search_critical_mass

    bench = Bench(setup(s), s.seed, cache)
    k = s.names.index(collective)
    measure = measure_of(bench, k)
    ways = {"high": most_of(s, collective)} | ways
    require_fit(s, np.eye(len(s.names))[k] * ways["high"])
    return search_critical_mass(measure, target, people=s.population.size, **ways)


def axis(
    s: Scenario,
    start: float | None = None,
    stop: float | None = None,
    num: int | None = None,
    scale: str = "log",
) -> Array:
    """Sizes from start to stop, whole people each; by default from 0.001 or one person to all."""
    low = max(LEAST, 1.0 / s.population.size) if start is None else start
    high = TOP if stop is None else stop
    count = NUM.get(len(s.names), NUM_MANY) if num is None else num
    spaced = np.geomspace if scale == "log" else np.linspace
    return whole(s, spaced(low, high, count))


def whole(s: Scenario, sizes: npt.ArrayLike) -> Array:
    """The sizes that N people can have nearest to these, increasing, at least one person each."""
    people = s.population.size
    counts = np.rint(np.asarray(sizes, np.float64) * people)
    return np.unique(np.clip(counts, 1, people)) / people


def grid(s: Scenario, axes: Mapping[str, npt.ArrayLike]) -> Array:
    """Every combination of the collectives' sizes, (M, K); for several, each alone too.

    Combinations for which too few people may join are left out, though no size that is too large
    by itself: that is refused when it is measured.
    """
    rows = size_grid([axes[name] for name in s.names])
    alone = np.array([most_of(s, name) for name in s.names])
    return rows[that_fit(s, rows) | (rows > alone + 1e-9).any(axis=1)]


# --- what a process makes -------------------------------------------------------------------------


def _scenario_of(settings: Mapping[str, Any], folder: Path) -> Scenario:
    """The smallest scenario with this platform and these strategies."""
    from sim.scenario import from_resolved

    pairs: Sequence[tuple[str, Any]] = settings["collectives"]
    tables = {
        "name": "measured",
        "seed": settings["seed"],
        "population": {
            "size": settings["people"],
            "cost": 0.0,
            "groups": dict(settings.get("groups", ())),
        },
        "collectives": dict(pairs),
        "platform": dict(settings["platform"]),
    }
    return from_resolved(tables, folder)


def _learner(s: Scenario) -> Learner:
    platform = success_function(s)
    if platform.sees_people:
        return RandomMembers(platform.reseeded, s.population.size, recruiting_of(s))
    return _BySize(platform)


class _BySize:
    """A learner from a platform that goes by sizes."""

    def __init__(self, platform: SuccessFunction) -> None:
        self.platform = platform

    def __call__(self, alpha: Array, rng: np.random.Generator) -> Array:
        return self.platform.reseeded(int(rng.integers(2**32))).at(alpha)


def _data_of(s: Scenario) -> str:
    """Digest of the files that the platform reads."""
    files = {key: digest for key, digest in s.files.items() if key.startswith("platform.")}
    return digest_of(files) if files else ""
