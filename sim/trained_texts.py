"""The platform of texts of a scenario: vocabulary, strategies, network; and what is known before.

Loading a scenario reads the texts and the vocabulary, and finds every token and target; it makes no
network. What is known of signals before anything is trained is said by `sim.text_facts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learners.errors import MissingError
from sim.scenario_check import Problem
from sim.scenario_fields import Unchecked
from sim.scenario_text_rules import TINY, local_model
from sim.scenario_texts import (
    ONCE,
    DistilbertPlatform,
    InsertedSignal,
    TinyNetwork,
)
from sim.streams import Streams
from sim.text_data import TextPoints, Texts, texts_of
from sim.toml_text import shown
from sim.trained import (
    BadData,
    Prepared,
    asked,
    canonical,
    kept,
    must_be_one,
    reason,
    target_of,
    target_problem,
)

if TYPE_CHECKING:
    from learners.success import SuccessFunction
    from learners.texts.corpus import Corpus
    from learners.texts.encoded import Encoded
    from learners.texts.plan import NetworkPlan
    from learners.texts.planting import TextStrategy
    from learners.texts.recipe import Recipe
    from learners.texts.tokens import Tokenizer
    from sim.scenario import Scenario

SPECIAL = 2  # [CLS] and [SEP] are counted in length
RECIPE = (
    "epochs", "batch", "learning_rate", "weight_decay", "warmup", "length",
    "attention_dropout", "precision", "device",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """What the success function is made from."""

    texts: Texts
    tokenizer: Tokenizer
    strategies: dict[str, TextStrategy]
    seed: int
    people: int | None
    key: tuple[Any, ...]


def prepare_texts(s: Scenario, platform: DistilbertPlatform, folder: Path) -> Prepared:
    """Read the texts and the vocabulary, and fit the strategies to them.

    Raises
    ------
    BadData
        With everything that does not fit.
    MissingError
        The extra is not installed, or there is no such model.
    """
    made = made_of(s, platform, folder)
    points = TextPoints(made.texts.train, platform.labels)
    return Prepared(points, lambda: _platform(platform, folder, made), made.key)


def made_of(s: Scenario, platform: DistilbertPlatform, folder: Path) -> Made:
    """What the success function will be made from; as `prepare_texts`."""
    seed = int(Streams(s.seed).sequence("learner").generate_state(1)[0])
    texts = texts_of(platform, folder, seed)
    tokenizer = _tokenizer(s, platform, folder, texts)
    strategies = _strategies(s, texts.train, tokenizer)
    settings = platform.model_dump(mode="json", exclude={"retrain_every"})
    people = _people(s)
    key = (*texts.key, canonical(settings), asked(s), seed, people, tokenizer.digest)
    key = (*key, *_model_files(model_of(platform, folder)))
    return Made(texts, tokenizer, strategies, seed, people, key)


def _model_files(model: str) -> tuple[Any, ...]:
    """Tells a pretrained model from what was in its folder before, without reading weights."""
    if model == TINY:
        return ()
    from learners.texts.pretrained import locate, settings_digest, weight_files

    about = [(path.name, path.stat()) for path in weight_files(locate(model))]
    return settings_digest(model), *((name, a.st_size, a.st_mtime_ns) for name, a in about)


def _people(s: Scenario) -> int | None:
    """How many are trained on; None while the scenario is checked and its size is no number."""
    try:
        return s.population.size
    except Unchecked:
        return None


# --- vocabulary and strategies --------------------------------------------------------------------


def model_of(platform: DistilbertPlatform, folder: Path) -> str:
    """The model's name, or its folder where it is one beside the scenario file."""
    local = local_model(platform, folder)
    return platform.model if local is None else str(local)


def _tokenizer(s: Scenario, platform: DistilbertPlatform, folder: Path, texts: Texts) -> Tokenizer:
    """The model's own, or for "tiny" one learned from the texts to train on."""
    from learners.texts.network import require_supported
    from learners.texts.pretrained import settings_digest
    from learners.texts.tokens import tokenizer_of

    model = model_of(platform, folder)
    characters = [c for signal in _signals(s).values() if (c := signal.character) is not None]
    tiny = platform.tiny or TinyNetwork()

    def make() -> Tokenizer:
        require_supported(model)
        return tokenizer_of(
            model, texts.train.texts, vocabulary=tiny.vocabulary, characters=characters
        )

    try:
        _require_length(platform, model)
        learned = (*texts.key, tiny.vocabulary, *characters)
        origin = learned if model == TINY else (settings_digest(model),)
        return kept(("tokenizer", model, *origin), make)
    except MissingError as error:
        raise MissingError(f"{s.name}: platform.{error}") from None
    except ValueError as error:
        at, _, said = str(error).partition(": ")
        here = {"vocabulary": ("tiny", "vocabulary"), "length": ("length",)}.get(at, ("model",))
        text = said if at in ("vocabulary", "length", "model") else reason(error)
        raise BadData([Problem(("platform", *here), text)]) from None


def _require_length(platform: DistilbertPlatform, model: str) -> None:
    if model == TINY:
        return
    from learners.texts.pretrained import configuration, locate

    most = configuration(locate(model)).get("max_position_embeddings", 512)
    if platform.length > most:
        text = f"length: got {platform.length}; must be ≤ {most} with model = {shown(model)}"
        raise ValueError(f"{text} (tokens)")


def _signals(s: Scenario) -> dict[str, InsertedSignal]:
    return {
        name: signal
        for name, c in s.collectives.items()
        if isinstance(signal := c.signal, InsertedSignal)  # all: the scenario's own rule
    }


def _strategies(s: Scenario, train: Corpus, tokenizer: Tokenizer) -> dict[str, TextStrategy]:
    """A strategy for each collective; BadData with everything that does not fit."""
    from learners.texts.planting import TextSignal, TextStrategy

    labels = train.names
    problems: list[Problem] = []
    found = {}
    for name, signal in _signals(s).items():
        token = _token(name, signal, tokenizer, problems)
        target = target_of(s, name)
        if target not in labels:
            problems.append(target_problem(s, name, labels))
        elif (
            s.collectives[name].strategy == "feature_only"
            and not train.frequency[labels.index(target)]
        ):
            problems.append(_nobody_plants(name, target, train))
        elif token is not None:
            every = None if signal.every == ONCE else int(signal.every)
            kind: Any = s.collectives[name].strategy
            found[name] = TextStrategy(kind, TextSignal(token, every), labels.index(target))
    if problems:
        raise BadData(problems)
    return found


def _nobody_plants(name: str, target: str, train: Corpus) -> Problem:
    """The problem of a target that only texts with it could plant a signal for."""
    had = tuple(label for label, share in zip(train.names, train.frequency, strict=True) if share)
    must = must_be_one(target, had, 'a label that some have, with strategy = "feature_only"')
    text = f"got {shown(target)}, but no text to train on has it; {must}"
    return Problem(("collectives", name, "target"), text)


def _token(
    name: str, signal: InsertedSignal, tokenizer: Tokenizer, problems: list[Problem]
) -> int | None:
    """The token that a signal plants; None, and a problem, where there is none."""
    key = "token" if signal.character is None else "character"
    try:
        if signal.character is not None:
            return tokenizer.id_of(signal.character)
        assert signal.token is not None  # the scenario's own rule
        tokenizer.token_of(signal.token)
        return signal.token
    except ValueError as error:
        said = reason(error).removeprefix(f"{key}: ")
        problems.append(Problem(("collectives", name, "signal", key), said))
        return None


# --- the platform ---------------------------------------------------------------------------------


def plan_of(platform: DistilbertPlatform, folder: Path, made: Made) -> NetworkPlan:
    """The network that the platform trains."""
    from learners.texts.network import Tiny
    from learners.texts.plan import NetworkPlan

    tiny = platform.tiny or TinyNetwork()
    return NetworkPlan(
        model_of(platform, folder),
        len(made.texts.train.names),
        made.texts.single,
        vocabulary=made.tokenizer.size,
        cls=made.tokenizer.cls,
        sep=made.tokenizer.sep,
        pad=made.tokenizer.pad,
        tiny=Tiny(tiny.layers, tiny.width, tiny.heads),
        length=platform.length,
    )


def recipe_of(platform: DistilbertPlatform) -> Recipe:
    """How the platform trains."""
    from learners.texts.recipe import Recipe

    return Recipe(**{key: getattr(platform, key) for key in RECIPE})


def machine_of(s: Scenario, platform: DistilbertPlatform) -> dict[str, Any]:
    """What a training depends on beside the scenario: weights, kind of device, precision.

    Raises
    ------
    MissingError
        The device is not there, or no torch.
    """
    from learners.texts.plan import machine_of

    plan = plan_of(platform, s.folder, made_of(s, platform, s.folder))
    return machine_of(plan, recipe_of(platform)) | {"model": plan.content()["model"]}


def _platform(platform: DistilbertPlatform, folder: Path, made: Made) -> SuccessFunction:
    from learners.texts.plan import LabelledTexts
    from learners.texts.text_platform import TextPlatform

    def labelled(corpus: Corpus) -> LabelledTexts:
        return LabelledTexts(encoded_of(corpus, made, platform.length), corpus.labels)

    return TextPlatform(
        labelled(made.texts.train),
        labelled(made.texts.test),
        made.strategies,
        plan_of(platform, folder, made),
        recipe_of(platform),
        retrain=platform.retrain,
        measure=platform.measure,
        replicates=platform.replicates,
        seed=made.seed,
        keep=True,
        people=made.people,
    )


def encoded_of(corpus: Corpus, made: Made, length: int) -> Encoded:
    """Tokens of the texts, as far as a network can read."""
    key = ("encoded", corpus.digest, made.tokenizer.digest, length)
    return kept(key, lambda: made.tokenizer.encode(corpus.texts, max(length - SPECIAL, 1)))
