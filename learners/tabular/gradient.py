"""Small networks trained by gradient descent: perceptron and multilayer perceptron, in torch.

The platform takes T full steps θ_{t+1} = θ_t − η·g_P(θ_t) on what people report, with

    g_P(θ) = E_P[∇ℓ(θ; x, y)],   ℓ = logistic (one score, y ∈ {0, 1}, or a probability of 1),
                                 softmax (C scores) or squared (one score, y real, factor ½).

Scores are W_L·tanh(… tanh(W₁x + b₁) …) + b_L; without hidden layers a perceptron. θ is one flat
vector of P numbers, layer by layer W then b. B models are trained side by side in one graph,
shapes (B, P): replicates cost little more than one. Everything is float64 on the processor and
repeatable; the random numbers are numpy's.

torch comes with the extra ``learners`` and is imported when it is first used.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from learners.curves import Array, require_range, require_steps
from learners.errors import MissingError, ScenarioError
from learners.progress import tell
from learners.tabular.rows import Rows

__all__ = ["NETWORK_LOSSES", "Network", "NetworkLoss"]

NetworkLoss = Literal["logistic", "softmax", "squared"]
FAR = 1e12  # no training that converges gets here
NETWORK_LOSSES: tuple[NetworkLoss, ...] = get_args(NetworkLoss)


@dataclass(frozen=True)
class Network:
    """A network's shape and loss; its parameters θ are passed around as arrays.

    Parameters
    ----------
    width : int, ≥ 1, d
        Features.
    hidden : tuple of int
        Units of the hidden layers (tanh); () is a perceptron.
    loss : {"logistic", "softmax", "squared"}
    classes : int, ≥ 2, C
        Of softmax; logistic has 2.
    bias : bool
        Whether layers have b.
    """

    width: int
    hidden: tuple[int, ...] = ()
    loss: NetworkLoss = "logistic"
    classes: int = 2
    bias: bool = True

    def __post_init__(self) -> None:
        if self.loss not in NETWORK_LOSSES:
            raise ValueError(f"loss: got {self.loss!r}; must be one of {', '.join(NETWORK_LOSSES)}")
        if self.classes < 2 or (self.loss == "logistic" and self.classes != 2):
            raise ValueError(
                f"classes: got {self.classes} with {self.loss}; must be ≥ 2, and 2 for logistic"
            )
        if min((self.width, *self.hidden)) < 1:
            raise ValueError(f"hidden: got {self.hidden} after {self.width} features; must be ≥ 1")

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each layer."""
        last = self.classes if self.loss == "softmax" else 1
        units = [self.width, *self.hidden, last]
        return list(itertools.pairwise(units))

    @property
    def size(self) -> int:
        """P, the number of parameters."""
        return sum((inputs + self.bias) * outputs for inputs, outputs in self.layers)

    def initial(self, rng: np.random.Generator) -> Array:
        """θ₀, shape (P,): weights N(0, 1/inputs), biases 0."""
        parts = []
        for inputs, outputs in self.layers:
            parts.append(rng.normal(size=inputs * outputs) / np.sqrt(inputs))
            parts.append(np.zeros(outputs * self.bias))
        return np.concatenate(parts)

    # ── what the network says ────────────────────────────────────────────────────────────────

    def scores(self, theta: Array, features: npt.ArrayLike) -> Array:
        """Outputs before the link, shape (n, C) for softmax, else (n, 1); θ of shape (P,)."""
        torch = _torch()
        return self._forward(torch.tensor(theta)[None], torch.tensor(features))[0].numpy()

    def mean(self, theta: Array, features: npt.ArrayLike) -> Array:
        """μ_θ(x) of a network with one score, shape (n,)."""
        self.require_one_score()
        score = self.scores(theta, features)[:, 0]
        return 0.5 * (1.0 + np.tanh(0.5 * score)) if self.loss == "logistic" else score

    def predict(self, theta: Array, features: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """f(x), shape (n,); ties go to the lowest class."""
        if self.loss == "squared":
            raise ValueError("predict: a squared loss has no classes; use logistic or softmax")
        scores = self.scores(theta, features)
        found = scores.argmax(axis=1) if self.loss == "softmax" else scores[:, 0] > 0.0
        return found.astype(np.int64)

    def require_one_score(self) -> None:
        """Refuse softmax."""
        if self.loss == "softmax":
            raise ValueError("loss: gradient control needs one score; use logistic or squared")

    # ── derivatives and training ─────────────────────────────────────────────────────────────

    def gradient(self, theta: Array, rows: Rows) -> Array:
        """g_P(θ), shape (P,)."""
        torch = _torch()
        flat = torch.tensor(theta, requires_grad=True)
        loss = self._losses(flat[None], *_tensors(rows)).sum()
        return torch.autograd.grad(loss, flat)[0].numpy()

    def jacobian(self, theta: Array, features: npt.ArrayLike) -> Array:
        """∇_θ of the score at each x, shape (P, n): one copy of the model for each point."""
        self.require_one_score()
        torch = _torch()
        X = torch.tensor(np.asarray(features, dtype=np.float64))[:, None, :]  # (n, 1, d)
        copies = torch.tensor(theta).repeat(len(X), 1).requires_grad_()  # (n, P)
        return torch.autograd.grad(self._forward(copies, X).sum(), copies)[0].numpy().T

    def train(self, start: Array, rows: Rows, learning_rate: float, steps: int) -> Array:
        """θ_T of B models with starts (B, P), after T steps of length η on P; shape (B, P)."""
        require_range("learning_rate", learning_rate, low_open=True, meaning="η")
        torch = _torch()
        theta = torch.tensor(start, requires_grad=True)
        data = _tensors(rows)
        for step in range(require_steps(steps)):
            tell("training", step * len(rows), steps * len(rows))
            (gradient,) = torch.autograd.grad(self._losses(theta, *data).sum(), theta)
            with torch.no_grad():
                theta -= learning_rate * gradient
        return require_converging(theta.detach().numpy(), learning_rate)

    def _forward(self, theta: Any, X: Any) -> Any:
        """Scores (B, n, outputs) of B models θ (B, P) on rows X, (n, d) or for each (B, n, d)."""
        B, used = theta.shape[0], 0
        hidden = X.expand(B, *X.shape[-2:])  # (B, n, d)
        for depth, (inputs, outputs) in enumerate(self.layers):
            W = theta[:, used : used + inputs * outputs].view(B, inputs, outputs)
            used += inputs * outputs
            hidden = hidden.tanh() if depth else hidden
            hidden = hidden @ W  # (B, n, outputs)
            if self.bias:
                hidden = hidden + theta[:, None, used : used + outputs]
                used += outputs
        return hidden

    def _losses(self, theta: Any, X: Any, labels: Any, weight: Any) -> Any:
        """E_P[ℓ] of each model, shape (B,); labels (n,), weight (n,)."""
        torch = _torch()
        scores = self._forward(theta, X)  # (B, n, outputs)
        if self.loss == "softmax":
            chosen = labels.long().expand(len(theta), -1)[..., None]  # (B, n, 1)
            each = scores.logsumexp(-1) - scores.gather(-1, chosen)[..., 0]  # (B, n)
        elif self.loss == "logistic":
            each = torch.nn.functional.softplus(scores[..., 0]) - labels * scores[..., 0]
        else:
            each = 0.5 * (scores[..., 0] - labels) ** 2
        return each @ weight


def require_converging(theta: Array, learning_rate: float) -> Array:
    """Return the parameters if they are such that a classifier can be made of them.

    Raises
    ------
    ScenarioError
        They are not finite or beyond `FAR`: the steps are too long.
    """
    if not np.abs(theta).max(initial=0.0) <= FAR:
        raise ScenarioError(
            f"platform.learning_rate: got {learning_rate:g}, with which training diverges "
            f"(parameters beyond {FAR:g}); must be smaller (step)"
        )
    return theta


def _tensors(rows: Rows) -> tuple[Any, Any, Any]:
    torch = _torch()
    labels = np.asarray(rows.labels, dtype=np.float64)
    return torch.tensor(rows.features), torch.tensor(labels), torch.tensor(rows.weight)


def _torch() -> ModuleType:
    try:
        import torch
    except ImportError as problem:
        raise MissingError(
            'learner = "gradient" needs torch; install it with: pip install "alphacrit[learners]"'
        ) from problem
    return torch
