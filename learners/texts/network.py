"""The network that classifies texts: DistilBERT with a head of L scores, from transformers.

    tiny            a few layers, random weights drawn from the seed
    DistilBERT      a checkpoint's encoder, its head too if that has L scores, else a new one
    BERT            a checkpoint's encoder in DistilBERT's shape (``learners.texts.bert``)

    scores = W₂·relu(W₁·h₀ + b₁) + b₂,        h₀ (width,) the encoder's last state at [CLS]

torch and transformers come with the extra ``learners`` and are imported when first used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from learners.errors import MissingError
from learners.texts.bert import bert_settings, bert_weights, require_exact
from learners.texts.pretrained import INSTALL, configuration, locate, weight_files

__all__ = ["TINY", "Tiny", "load_state", "make_network", "require_supported", "state_of"]

TINY = "tiny"
HEAD = ("pre_classifier.", "classifier.")
SAID = 300  # characters of what a library said
INITIAL_SD, INITIAL_WIDTH = 0.02, 768  # distilbert-base's
DISTILBERT_SETTINGS = (
    "vocab_size",
    "max_position_embeddings",
    "n_layers",
    "n_heads",
    "dim",
    "hidden_dim",
    "dropout",
    "attention_dropout",
    "seq_classif_dropout",
    "activation",
    "initializer_range",
)


@dataclass(frozen=True)
class Tiny:
    """Size of a network with random weights.

    Parameters
    ----------
    layers : int, ≥ 1
    width : int, ≥ 2
        Units of a token; a multiple of ``heads``. The inner layers have 4·width.
    heads : int, ≥ 1
        Of attention.
    """

    layers: int = 2
    width: int = 64
    heads: int = 2

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: got {getattr(self, name)}; must be ≥ 1")
        if self.width % self.heads:
            raise ValueError(f"width: got {self.width} with {self.heads} heads; must be a multiple")


def make_network(
    model: str,
    labels: int,
    single: bool,
    *,
    vocabulary: int,
    cls: int,
    sep: int,
    pad: int,
    tiny: Tiny | None = None,
    length: int = 512,
    seed: int = 0,
) -> Any:
    """A network that has not seen the texts yet.

    Parameters
    ----------
    model : str
        "tiny", or what ``learners.texts.pretrained.locate`` finds.
    labels : int, ≥ 1, L
        Scores; a single-label platform needs 2.
    single : bool
        Every text has exactly one label (softmax), or any number of them (L separate decisions).
    vocabulary : int
        Token ids of the tokenizer; of a checkpoint, at most as many as it has.
    cls, sep, pad : int
        Ids of [CLS], [SEP] and [PAD]; kept in ``network.config`` as bos, eos and pad.
    tiny : Tiny, optional
        Size of model "tiny"; default ``Tiny()``.
    length : int, 3 to the checkpoint's own limit
        Longest text in tokens, special ones included.
    seed : int, ≥ 0
        Of the random weights: all of them, or the new head's.

    Returns
    -------
    transformers.DistilBertForSequenceClassification
        In float32, on the processor, in evaluation mode.

    Raises
    ------
    MissingError
        Without torch or transformers, or where the model is missing or contradicts itself.
    ValueError
        Where the checkpoint is no DistilBERT or BERT, or cannot read texts of this length.
    """
    if labels < 1 + single:
        raise ValueError(f"labels: got {labels}; must be ≥ {1 + single}")
    if length < 3:
        raise ValueError(f"length: got {length}; must be ≥ 3 (tokens, [CLS] and [SEP] included)")
    settings = {
        "num_labels": labels,
        "problem_type": "single_label_classification" if single else "multi_label_classification",
        "bos_token_id": cls,
        "eos_token_id": sep,
        "pad_token_id": pad,
    }
    if model == TINY:
        config = _tiny_config(tiny or Tiny(), vocabulary, length)
        return _random_network(config, settings, seed).eval()
    require_supported(model)
    folder = locate(model, weights=True)
    with _consistent(folder):
        config, weights = _pretrained(folder)
    _require_fits(folder, config, vocabulary, length)
    with _consistent(folder):
        network = _random_network(config, settings, seed)
        _fill(network, weights)
    return network.eval()


def require_supported(model: str) -> None:
    """Refuse a checkpoint that is not DistilBERT's or BERT's; reads no weights, loads no torch.

    Raises
    ------
    MissingError
        Where it is missing.
    ValueError
        Where its configuration cannot be mapped exactly.
    """
    if model == TINY:
        return
    found = configuration(locate(model))
    kind = found.get("model_type")
    if kind not in ("distilbert", "bert"):
        raise ValueError(f"model: {model} is of type {kind!r}; must be distilbert or bert")
    if kind == "bert":
        require_exact(model, found)


def state_of(network: Any) -> dict[str, Any]:
    """A copy of all weights on the processor, by name."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def load_state(network: Any, state: Mapping[str, Any]) -> None:
    """Set all weights; ``ValueError`` where names or shapes are those of another network."""
    own = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    wrong = sorted(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
    if wrong:
        first = wrong[0]
        raise ValueError(
            f"weights: got {first} of shape {given.get(first)}; must be {own.get(first)}: "
            f"they are of another network ({len(wrong)} of {len(own)} differ)"
        )
    network.load_state_dict(dict(state))


# ── building ─────────────────────────────────────────────────────────────────────────────────────


def _transformers() -> Any:
    try:
        import torch  # noqa: F401
        import transformers
    except ImportError as problem:
        raise MissingError(INSTALL.format("torch and transformers")) from problem
    return transformers


def _tiny_config(tiny: Tiny, vocabulary: int, length: int) -> Any:
    """DistilBERT's configuration at another size.

    Its weights begin as N(0, 0.02²) at 768 units. Narrower layers get the standard deviation that
    keeps the size of what comes out of them, 0.02·√(768/width); with 0.02 they hardly tell two
    texts apart at first and learn much more slowly.
    """
    return _transformers().DistilBertConfig(
        vocab_size=vocabulary,
        max_position_embeddings=length,
        n_layers=tiny.layers,
        n_heads=tiny.heads,
        dim=tiny.width,
        hidden_dim=4 * tiny.width,
        initializer_range=INITIAL_SD * math.sqrt(INITIAL_WIDTH / tiny.width),
    )


def _random_network(config: Any, settings: Mapping[str, Any], seed: int) -> Any:
    """Weights from the seed, whatever has been drawn before; the caller's generator is left."""
    classes = _transformers()
    import torch

    for name, value in settings.items():
        setattr(config, name, value)
    config._attn_implementation = "sdpa"
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return classes.DistilBertForSequenceClassification(config).float()


@contextmanager
def _consistent(folder: str) -> Iterator[None]:
    """Say of what fails that the checkpoint is to blame.

    A config.json that holds nonsense, or something else than the weights, can end in nearly any
    error of torch and transformers.
    """
    try:
        yield
    except MissingError:
        raise
    except Exception as problem:
        came = " ".join(f"{type(problem).__name__}: {problem}".split())[:SAID]
        raise MissingError(
            f"model: {folder} does not hold what its config.json says ({came}); fetch the model "
            "again, or write it anew with transformers' save_pretrained"
        ) from problem


def _pretrained(folder: str) -> tuple[Any, dict[str, Any]]:
    """Configuration and weights of a checkpoint, both in DistilBERT's names."""
    config = _transformers().DistilBertConfig
    found, weights = configuration(folder), _weights(folder)
    if found["model_type"] == "bert":
        return config(**bert_settings(found)), bert_weights(weights)
    return config(**{k: found[k] for k in DISTILBERT_SETTINGS if k in found}), _named(weights)


def _weights(folder: str) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    weights: dict[str, Any] = {}
    for path in weight_files(folder):
        try:
            weights |= load_file(path)
        except (OSError, SafetensorError) as problem:
            raise MissingError(
                f"model: {path}: broken ({problem}); fetch the model again"
            ) from None
    return {name: value.float() for name, value in weights.items()}


def _require_fits(folder: str, config: Any, vocabulary: int, length: int) -> None:
    if vocabulary > config.vocab_size:
        raise MissingError(
            f"model: {folder} has a tokenizer of {vocabulary} tokens, and a config.json of "
            f"{config.vocab_size}: the tokenizer is of another model; fetch the model again"
        )
    if length > config.max_position_embeddings:
        raise ValueError(
            f"length: got {length}; must be ≤ {config.max_position_embeddings} for {folder} "
            "(tokens)"
        )


def _fill(network: Any, weights: Mapping[str, Any]) -> None:
    """Put the checkpoint's weights in; the head only if it is of the same shape."""
    own = network.state_dict()
    head = [name for name in own if name.startswith(HEAD)]
    if any(name not in weights or weights[name].shape != own[name].shape for name in head):
        weights = {name: value for name, value in weights.items() if name not in head}
        weights |= {name: own[name] for name in head}
    load_state(network, weights)


def _named(weights: Mapping[str, Any]) -> dict[str, Any]:
    """A DistilBERT's encoder and head; other heads and what is no weight are left out."""
    named = {}
    for name, value in weights.items():
        short = name.removeprefix("distilbert.")
        if short.startswith(("embeddings.", "transformer.")) and "position_ids" not in short:
            named[f"distilbert.{short}"] = value
        elif short.startswith(HEAD):
            named[short] = value
    return named
