"""The platform of texts in a scenario: which texts, which network, how it is trained, what signals.

The contract is design.md's; numbers of a training have the defaults of HuggingFace's Trainer, so
that results compare with the papers.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from sim.scenario_fields import GENERATED, LEARNER, Part, param, retrain_every

ONCE = "once"
WORDS_UNIT = "words"
EVERY = 'a whole number ≥ 1 or "once"'


class GeneratedCorpus(Part):
    """Texts made to order: labels topic_1, topic_2, …; every topic has words of its own."""

    texts: int = param("how many", unit="texts", default=1_200, ge=2, le=10**7)
    labels: int = param("labels, the first the most frequent", unit="labels", default=5, ge=2)
    decline: float = param(
        "how often a label is a text's main one, as against the one before it",
        unit="ratio", default=0.6, gt=0, le=1,
    )  # fmt: skip
    also: float = param(
        "probability of each further label; 0: every text has exactly one",
        unit="probability", default=0.1, ge=0, lt=1,
    )  # fmt: skip
    ambiguity: float = param(
        "share of the texts whose labels have nothing to do with their words",
        unit="share of the texts", default=0.1, ge=0, le=1,
    )  # fmt: skip
    words: float = param("mean length", unit=WORDS_UNIT, default=25.0, ge=1, le=10**5)
    spread: float = param("standard deviation of a length's logarithm", default=0.2, ge=0, le=5)
    topical: float = param(
        "share of the words that are of a topic", unit="share of the words", default=0.5, ge=0, le=1
    )
    topic_words: int = param("words of each topic", unit=WORDS_UNIT, default=20, ge=1, le=10**6)
    common_words: int = param("words of all texts", unit=WORDS_UNIT, default=100, ge=1, le=10**6)
    signals: tuple[str, ...] = param(
        "characters that some texts carry by nature", default=("{", "}"),
        must="a list of characters",
    )  # fmt: skip
    signal_rate: float = param(
        "share of the texts that carry each of them",
        unit="share of the texts", symbol="ξ", default=0.005, ge=0, le=1,
    )  # fmt: skip
    signal_every: Annotated[int, Field(ge=1)] | Literal["once"] = param(
        "how far apart they stand in such a text", unit=WORDS_UNIT, default=20, must=EVERY
    )
    seed: int = param("seed of the texts", default=0, ge=0, le=2**63 - 1)


class TinyNetwork(Part):
    """A small network with random weights, and a vocabulary learned from the texts."""

    layers: int = param("layers of attention", unit="layers", default=2, ge=1, le=48)
    width: int = param("units of a token; a multiple of heads", unit="units", default=64, ge=2)
    heads: int = param("heads of attention", unit="heads", default=2, ge=1)
    vocabulary: int = param("most tokens", unit="tokens", default=8_000, ge=50, le=10**6)


class TextData(Part):
    """Labelled texts: where they are, and who is trained on."""

    learner: str = param(LEARNER)
    dataset: str = param(
        "file or folder of texts, relative to the scenario file (CSV, TSV, JSON lines, Parquet, "
        'the resume corpus as it is published); or "generated"',
        min_length=1,
        must='a file name or "generated"',
    )
    generated: GeneratedCorpus | None = param(
        'the texts to make, with dataset = "generated"', default=None, validate_default=True
    )
    text: str = param("column of the texts", default="text", min_length=1)
    labels: str = param("column of the labels", default="labels", min_length=1)
    separator: str = param('between the labels of a text; "" where there is one only', default="|")
    group: str | None = param("column that marks near-duplicates", default=None, min_length=1)
    encoding: str = param("of the file", default="utf-8", min_length=1)
    drop_words: int = param(
        "first words of each text that are left out, for titles give labels away",
        unit=WORDS_UNIT, default=0, ge=0, le=10**6,
    )  # fmt: skip
    train: int | None = param(
        "texts to train on, who are the people; absent: all that test leaves",
        unit="texts", default=None, ge=1,
    )  # fmt: skip
    test: int = param("texts on which success is measured", unit="texts", default=200, ge=1)
    shuffle: bool = param(
        "whether texts are taken at random, or in order, the test last", default=True,
        must="true or false",
    )  # fmt: skip
    by_group: bool = param(
        "whether near-duplicates are all trained on or all tested on", default=False,
        must="true or false",
    )  # fmt: skip
    label_noise: float = param(
        "share of the texts to train on that get random labels",
        unit="share of the texts", default=0.0, ge=0, le=1,
    )  # fmt: skip

    @field_validator("generated")
    @classmethod
    def _made_as_usual(
        cls, generated: GeneratedCorpus | None, info: ValidationInfo
    ) -> GeneratedCorpus | None:
        wanted = info.data.get("dataset") == GENERATED
        return GeneratedCorpus() if generated is None and wanted else generated


class DistilbertPlatform(TextData):
    """A transformer that is trained on everybody's texts (needs torch and transformers)."""

    tag: ClassVar[str] = "learner"
    learner: Literal["distilbert"] = param(LEARNER)
    model: str = param(
        'what it begins as: "tiny" (random weights), "minilm" (pretrained, from a package), a '
        "folder relative to the scenario file, or a name on huggingface.co",
        min_length=1,
        must='"tiny", "minilm", a folder or a name on huggingface.co',
    )
    tiny: TinyNetwork | None = param(
        'its size, with model = "tiny"', default=None, validate_default=True
    )
    length: int = param(
        "most tokens of a text that are read, [CLS] and [SEP] included",
        unit="tokens", default=512, ge=3, le=10**5,
    )  # fmt: skip
    epochs: int = param("passes over the texts in a training", unit="passes", default=3, ge=1)
    batch: int = param("texts of a step", unit="texts", default=8, ge=1)
    learning_rate: float = param("largest step of AdamW", unit="step", default=5e-5, gt=0, le=1)
    weight_decay: float = param("pull of AdamW towards 0", default=0.0, ge=0, le=1)
    warmup: float = param(
        "part of the steps in which the step grows", unit="share of the steps", default=0.0,
        ge=0, lt=1,
    )  # fmt: skip
    attention_dropout: float | None = param(
        "absent: the model's own; on a processor 0 is much faster, and it is another model",
        unit="probability", default=None, ge=0, lt=1,
    )  # fmt: skip
    precision: Literal["auto", "fp32", "bf16"] = param(
        "of the products of matrices; auto: bf16 where it pays", default="auto"
    )
    device: str = param(
        "auto: a GPU where there is one", default="auto", pattern=r"^(auto|cpu|(cuda|mps)(:\d+)?)$",
        must='"auto", "cpu", "cuda", "cuda:1" or "mps"',
    )  # fmt: skip
    retrain: Literal["scratch", "continue"] = param(
        "whether a training starts from the model or from the weights it had", default="scratch"
    )
    measure: Literal["top1", "included"] = param(
        "success: the target has the highest score, or is among the predicted labels",
        default="top1",
    )
    replicates: int = param(
        "trainings at each size, for success by size and its interval",
        unit="trainings", default=3, ge=2, le=10**4,
    )  # fmt: skip
    retrain_every: int = retrain_every()

    @field_validator("tiny")
    @classmethod
    def _usual_size(cls, tiny: TinyNetwork | None, info: ValidationInfo) -> TinyNetwork | None:
        wanted = info.data.get("model") == "tiny"
        return TinyNetwork() if tiny is None and wanted else tiny


class InsertedSignal(Part):
    """What the signal does to a text: a token is inserted every so many words."""

    says: ClassVar[str] = "on a platform that is trained on data "
    token: int | None = param(
        "number of the token in the model's vocabulary", symbol="g", default=None, ge=0
    )
    character: str | None = param(
        "in place of its number: the character, or word, that is this token",
        symbol="g", default=None, min_length=1, must="text of at least one character",
    )  # fmt: skip
    every: Annotated[int, Field(ge=1)] | Literal["once"] = param(
        "before the words 0, k, 2k, … of a text, or once at its beginning",
        unit=WORDS_UNIT, symbol="k", default=20, must=EVERY,
    )  # fmt: skip


PLANTING = ("feature_label", "feature_only")
