"""What a text classifier is judged by, from its scores: success of a target, and clean quality.

A network gives each text L scores z (logits). It predicts

    any number of labels     {l : z_l > 0}, probability above ½ each
    exactly one label        argmax_l z_l, ties to the lowest

and the target y* of a collective succeeds on a text with the signal in one of two ways (H23
section 5): *included*, y* is among the predicted labels; *top1*, y* has the highest score. Where
every text has exactly one label the two are the same. A tie for the highest score goes against
the collective.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["MEASURES", "Measure", "included", "predicted", "quality", "top1"]

Logits = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.bool_]
Measure = Literal["top1", "included"]


def predicted(logits: Logits, single: bool) -> Labels:
    """The labels that are predicted, shape (n, L), from scores of shape (n, L)."""
    scores = _finite(logits)
    if not single:
        return scores > 0.0
    return np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None]


def included(logits: Logits, target: int, single: bool) -> float:
    """Share of the texts with the target among the predicted labels, in [0, 1]."""
    if single:
        return top1(logits, target)
    return float(predicted(logits, single)[:, target].mean())


def top1(logits: Logits, target: int) -> float:
    """Share of the texts on which no other label has as high a score as the target."""
    scores = _finite(logits)
    others = np.delete(scores, target, axis=1)  # (n, L − 1)
    return float((scores[:, target] > others.max(axis=1, initial=-np.inf)).mean())


def quality(logits: Logits, labels: Labels, single: bool) -> dict[str, float]:
    """How good predictions are on texts without a signal.

    Parameters
    ----------
    logits : array of shape (n, L)
    labels : bool array of shape (n, L)
        Which labels the texts have.
    single : bool
        Whether exactly one label is predicted for each.

    Returns
    -------
    dict
        accuracy : exactly one label: share of texts that are right; any number: share of the n·L
        decisions that are right, 1 − Hamming loss. precision, recall : micro-averaged over all
        labels; 0 where nothing is predicted, or nobody has a label.
    """
    found = predicted(logits, single)
    if labels.shape != found.shape:
        raise ValueError(f"labels: got shape {labels.shape}; must be {found.shape} as the scores")
    right = int((found & labels).sum())
    agree = (found == labels).all(axis=1) if single else found == labels
    return {
        "accuracy": float(agree.mean()),
        "precision": right / max(int(found.sum()), 1),
        "recall": right / max(int(labels.sum()), 1),
    }


def _finite(logits: Logits) -> Logits:
    scores = np.asarray(logits)
    if scores.ndim != 2 or 0 in scores.shape:
        raise ValueError(f"logits: got shape {scores.shape}; must be (n, L), n ≥ 1 and L ≥ 1")
    if not np.isfinite(scores).all():
        raise ValueError(
            "logits: got scores that are not finite: the training diverged; "
            "try a smaller learning_rate, or more warmup"
        )
    return scores


MEASURES: tuple[Measure, ...] = ("top1", "included")
