"""Training a text classifier: one plain loop.

    for each epoch, for each batch:
        scores = network(texts)                            (B, L)
        loss = mean cross-entropy                          softmax, or L separate decisions
        gradient, clipped to norm max_norm
        AdamW, its rate falling linearly to 0

Defaults are those of HuggingFace's Trainer, so that results compare with H23 and K25. What is ours:
batches of texts of about the same length, attention without padding where there is none, bfloat16
where it pays, one fused optimiser. Every random number comes from ``seed`` and the number of the
step alone, so that a training resumed from a checkpoint ends where an uninterrupted one does, on
the processor bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.texts.batches import Integers, epoch_batches, even_batches, padded, row_lengths
from learners.texts.checkpoint import Checkpoint
from learners.texts.encoded import Encoded
from learners.texts.network import load_state
from learners.texts.recipe import Recipe, device_of, precision_of, rate_at, steps_of

__all__ = [
    "Progress",
    "Recipe",
    "predict",
    "train",
]

Progress = Callable[[int, int], object]  # (texts trained on, all of them: epochs × texts)
ORDER, STEP = 0, 1  # purposes of random numbers
TOKENS = {"cpu": 8_192, "cuda": 131_072}  # of a batch that is only answered, padding included


def train(
    network: Any,
    encoded: Encoded,
    labels: npt.NDArray[np.bool_],
    recipe: Recipe,
    seed: int,
    *,
    start: Mapping[str, Any] | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
) -> None:
    """Fit the network to texts, in place; it ends on the recipe's device, in evaluation mode.

    Parameters
    ----------
    network : DistilBertForSequenceClassification
        From ``make_network``.
    encoded : Encoded
        n texts, [CLS] and [SEP] not included.
    labels : bool array, shape (n, L)
        Exactly one in each row if the network is single-label.
    recipe : Recipe
    seed : int, ≥ 0
        Of the order of the texts and of dropout.
    start : state, optional
        Weights to begin with (``state_of``); default: those that the network has.
    checkpoint : Checkpoint, optional
        Continue from it if it holds something, write to it on the way, remove it in the end.
    progress : callable, optional
        Called after each step with (texts trained on, epochs·n).

    Raises
    ------
    ValueError
        Labels that do not fit, a length beyond the network's, or a training that diverged.
    MissingError
        The device is not there.
    ResultsError
        The checkpoint is of another training.
    """
    import torch

    device = torch.device(device_of(recipe.device))
    wanted = _targets(network, labels, len(encoded))
    _require_length(network, recipe)
    if start is not None:
        load_state(network, start)
    _prepare(network, recipe, device)
    parameters = list(network.parameters())
    optimizer = _optimizer(network, recipe)
    done = checkpoint.resume(network, optimizer) if checkpoint else 0
    total, seen = steps_of(len(encoded), recipe), 0
    with _repeatable(device):
        for step, rows in enumerate(_batches(encoded, recipe, seed)):
            seen += len(rows)
            if step < done:
                continue
            _reseed(device, _number(seed, STEP, step))
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step, total, recipe)
            ids, mask = _tensors(network, encoded, rows, recipe, device)  # (B, T)
            scores = _scores(network, ids, mask, recipe)  # (B, L)
            _loss(scores, wanted[rows].to(device)).backward()
            torch.nn.utils.clip_grad_norm_(parameters, recipe.max_norm)
            optimizer.step()
            optimizer.zero_grad()
            if progress:
                progress(seen, recipe.epochs * len(encoded))
            if checkpoint and checkpoint.due() and step + 1 < total:
                checkpoint.save(network, optimizer, step + 1)
    network.eval()
    _require_finite(network, recipe)
    if checkpoint:
        checkpoint.remove()


def predict(network: Any, encoded: Encoded, recipe: Recipe) -> npt.NDArray[np.float32]:
    """Scores before softmax or sigmoid, shape (n, L), in the order of the texts.

    Without dropout, on the recipe's device, in its precision; the head always in float32, so that
    scores do not tie by rounding.
    """
    import torch

    device = torch.device(device_of(recipe.device))
    _require_length(network, recipe)
    was_training = network.training
    network.to(device).eval()
    scores = np.zeros((len(encoded), network.config.num_labels), dtype=np.float32)
    lengths = row_lengths(encoded, recipe.length)
    with torch.inference_mode():
        for rows in even_batches(lengths, TOKENS.get(device.type, TOKENS["cpu"])):
            ids, mask = _tensors(network, encoded, rows, recipe, device)  # (B, T)
            scores[rows] = _scores(network, ids, mask, recipe).cpu().numpy()  # (B, L)
    network.train(was_training)
    return scores


# ── parts of a step ──────────────────────────────────────────────────────────────────────────────


def _batches(encoded: Encoded, recipe: Recipe, seed: int) -> Iterator[Integers]:
    """Rows of every step, epoch after epoch."""
    lengths = row_lengths(encoded, recipe.length)
    for epoch in range(recipe.epochs):
        rng = np.random.default_rng(_number(seed, ORDER, epoch))
        yield from epoch_batches(lengths, recipe.batch, rng)


def _number(seed: int, purpose: int, place: int) -> int:
    """A seed for one purpose at one place in the training."""
    sequence = np.random.SeedSequence(seed, spawn_key=(purpose, place))
    return int(sequence.generate_state(1, np.uint64)[0])


def _reseed(device: Any, number: int) -> None:
    """Set the generators that dropout draws from; torch.manual_seed sets all, at 0.5 ms a call."""
    import torch

    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)


def _tensors(
    network: Any, encoded: Encoded, rows: Integers, recipe: Recipe, device: Any
) -> tuple[Any, Any]:
    """Ids (B, T) and mask (B, 1, 1, T) or None, on the device."""
    import torch

    config = network.config
    cls, sep, pad = config.bos_token_id, config.eos_token_id, config.pad_token_id
    ids, mask = padded(encoded, rows, recipe.length, cls=cls, sep=sep, pad=pad)
    seen = None if mask is None else torch.from_numpy(mask[:, None, None, :]).to(device)
    return torch.from_numpy(ids).to(device), seen


def _scores(network: Any, ids: Any, mask: Any, recipe: Recipe) -> Any:
    """Scores (B, L) in float32: the encoder in the recipe's precision, the head in float32."""
    import torch

    kind = ids.device.type
    low = precision_of(recipe.precision, kind, network.config.dim) == "bf16"
    with torch.autocast(kind, torch.bfloat16, enabled=low):
        hidden = network.distilbert(ids, mask).last_hidden_state  # (B, T, width)
    first = network.pre_classifier(hidden[:, 0].float()).relu()  # (B, width), at [CLS]
    return network.classifier(network.dropout(first))  # (B, L)


def _loss(scores: Any, wanted: Any) -> Any:
    """Mean cross-entropy: softmax where ``wanted`` holds classes (B,), else L yes-or-no (B, L)."""
    from torch.nn import functional

    if wanted.ndim == 1:
        return functional.cross_entropy(scores, wanted)
    return functional.binary_cross_entropy_with_logits(scores, wanted)


def _targets(network: Any, labels: npt.NDArray[np.bool_], texts: int) -> Any:
    """Classes (n,) of a single-label network, else 0 or 1 in float32 (n, L)."""
    import torch

    config = network.config
    labels = np.asarray(labels, dtype=bool)
    if labels.shape != (texts, config.num_labels) or not texts:
        raise ValueError(
            f"labels: got shape {labels.shape} for {texts} texts; must be (n, L) with n ≥ 1 and "
            f"L = {config.num_labels}"
        )
    if config.problem_type != "single_label_classification":
        return torch.from_numpy(labels.astype(np.float32))
    wrong = np.flatnonzero(labels.sum(axis=1) != 1)
    if len(wrong):
        raise ValueError(
            f"labels: got {len(wrong)} texts without exactly one label (the first is row "
            f"{wrong[0]}); must have one each on a single-label platform"
        )
    return torch.from_numpy(labels.argmax(axis=1))


def _optimizer(network: Any, recipe: Recipe) -> Any:
    """AdamW; biases and layer norms, which are vectors, do not decay."""
    import torch

    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def _prepare(network: Any, recipe: Recipe, device: Any) -> None:
    """To the device, ready to train, with the attention dropout that the recipe asks for."""
    given = recipe.attention_dropout
    dropout = network.config.attention_dropout if given is None else given
    for layer in network.distilbert.transformer.layer:
        layer.attention.dropout.p = dropout
    network.to(device).train()


def _require_length(network: Any, recipe: Recipe) -> None:
    most = network.config.max_position_embeddings
    if recipe.length > most:
        raise ValueError(f"length: got {recipe.length}; must be ≤ {most}, the network's (tokens)")


def _require_finite(network: Any, recipe: Recipe) -> None:
    import torch

    if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
        raise ValueError(
            f"learning_rate: the training diverged at {recipe.learning_rate} (weights are no "
            "numbers any more); use a smaller one or a longer warm-up"
        )


@contextmanager
def _repeatable(device: Any) -> Iterator[None]:
    """Leave the caller's random state alone; on CUDA, take kernels that repeat themselves."""
    import torch

    if device.type != "cuda":
        with torch.random.fork_rng(devices=[]):
            yield
            return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it
    before = torch.are_deterministic_algorithms_enabled()
    memory: Any = torch.utils.deterministic
    filling = memory.fill_uninitialized_memory
    with torch.random.fork_rng(devices=[device]):
        torch.use_deterministic_algorithms(True)
        memory.fill_uninitialized_memory = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)
            memory.fill_uninitialized_memory = filling
