"""Convex risk minimisers: logistic, softmax and least-squares regression with a ridge term.

A platform deploys θ = argmin R_P(θ), the strongly convex risk on what people report::

    R_P(θ)  = E_P[ℓ(θ; x, y)] + (λ/2)‖θ‖²
    g_P(θ)  = ∇R_P(θ) = E_P[(μ_θ(x) − y) x] + λθ

with μ_θ(x) = θ·x (least squares), σ(θ·x) (logistic, y ∈ {0, 1}), softmax(Θx) (y one of C
classes, as a unit vector; Θ has shape (C, d)). There is no intercept: a member could not change
the constant. Let the features span it instead (full one-hot groups do).

The solver is scipy's L-BFGS, finished by Newton steps; it stops at ‖g_P(θ)‖ ≤ tolerance. Strong
convexity makes that a certificate: the exact minimiser is within tolerance/λ of what it returns.

References
----------
Hardt et al. (2023), section 4.1, for the setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, softmax

from learners.curves import Array, require_range
from learners.errors import NoSolutionError
from learners.progress import tell
from learners.tabular.rows import Rows

__all__ = ["LOSSES", "TOLERANCE", "ConvexModel", "Fit", "Loss"]

Loss = Literal["logistic", "softmax", "least_squares"]
LOSSES: tuple[Loss, ...] = get_args(Loss)
TOLERANCE = 1e-10  # of ‖g_P(θ)‖
NEWTON_STEPS = 50


@dataclass(frozen=True, eq=False)
class Fit:
    """A minimiser and how it was got.

    Attributes
    ----------
    theta : array of shape (d,), or (C, d) for softmax
    gradient : float, ‖g_P(θ)‖ at theta
    error : float, ‖g_P(θ)‖/λ
        The exact minimiser is at most this far from theta.
    iterations : int
        L-BFGS and Newton steps together; 0 if the start was good enough.
    """

    theta: Array
    gradient: float
    error: float
    iterations: int


@dataclass(frozen=True)
class ConvexModel:
    """What the platform fits.

    Parameters
    ----------
    loss : {"logistic", "softmax", "least_squares"}
    ridge : float, > 0, λ
        Per unit of ‖θ‖²/2; also μ, the strong convexity that the theorems ask for.
    classes : int, ≥ 2, C
        Of softmax; logistic has 2, least squares none.
    """

    loss: Loss
    ridge: float
    classes: int = 2

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"loss: got {self.loss!r}; must be one of {', '.join(LOSSES)}")
        require_range("ridge", self.ridge, low_open=True, meaning="weight of ‖θ‖²/2, λ")
        if self.classes < 2 or (self.loss == "logistic" and self.classes != 2):
            raise ValueError(
                f"classes: got {self.classes} with {self.loss}; must be ≥ 2, and 2 for logistic"
            )

    def shape(self, width: int) -> tuple[int, ...]:
        """Shape of θ for d features."""
        return (self.classes, width) if self.loss == "softmax" else (width,)

    def require_rows(self, rows: Rows) -> Rows:
        """Return the rows if there is something to learn: labels of at least two classes."""
        found = self._require_labels(rows)
        if self.loss != "least_squares" and len(found) < 2:
            raise ValueError(
                f"labels: all {len(rows)} rows are of class {found[0]:g}; must be of at least two "
                "classes, or there is nothing to learn"
            )
        return rows

    def _require_labels(self, rows: Rows) -> npt.NDArray[np.generic]:
        found = np.unique(rows.labels[rows.weight > 0.0])
        classes = np.arange(self.classes)
        if self.loss != "least_squares" and not np.isin(found, classes).all():
            raise ValueError(
                f"labels: got {found[:8].tolist()}; must be 0 … {self.classes - 1} ({self.loss})"
            )
        return found

    # ── risk and its derivatives ─────────────────────────────────────────────────────────────

    def mean(self, theta: Array, features: npt.ArrayLike) -> Array:
        """μ_θ(x), shape (n,), or (n, C) for softmax."""
        scores = np.asarray(features, dtype=np.float64) @ theta.T
        if self.loss == "logistic":
            return expit(scores)
        return softmax(scores, axis=1) if self.loss == "softmax" else scores

    def predict(self, theta: Array, features: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """f(x) = argmax μ_θ(x), shape (n,); logistic's ½ goes to class 0."""
        scores = np.asarray(features, dtype=np.float64) @ theta.T
        if self.loss == "least_squares":
            raise ValueError("predict: least_squares has no classes; use logistic or softmax")
        found = scores.argmax(axis=1) if self.loss == "softmax" else scores > 0.0
        return found.astype(np.int64)

    def risk(self, theta: Array, rows: Rows) -> float:
        """R_P(θ)."""
        scores = rows.features @ theta.T
        labels = rows.labels
        if self.loss == "least_squares":
            losses = 0.5 * (scores - labels) ** 2
        elif self.loss == "logistic":
            losses = np.logaddexp(0.0, scores) - labels * scores
        else:
            losses = logsumexp(scores, axis=1) - scores[np.arange(len(rows)), labels]
        return float(rows.weight @ losses) + 0.5 * self.ridge * float(np.sum(theta**2))

    def data_gradient(self, theta: Array, rows: Rows) -> Array:
        """E_P[(μ_θ(x) − y)x], without the ridge term; the shape of θ."""
        residual = self.mean(theta, rows.features)  # (n,) or (n, C)
        if self.loss == "softmax":
            residual[np.arange(len(rows)), rows.labels] -= 1.0
            return (residual * rows.weight[:, None]).T @ rows.features
        return (rows.weight * (residual - rows.labels)) @ rows.features

    def gradient(self, theta: Array, rows: Rows) -> Array:
        """g_P(θ), the ridge term λθ included."""
        return self.data_gradient(theta, rows) + self.ridge * theta

    def hessian(self, theta: Array, rows: Rows) -> Array:
        """∇²R_P(θ), shape (P, P) with P the number of parameters; O(nP²)."""
        X, weight, mean = rows.features, rows.weight, self.mean(theta, rows.features)
        if self.loss == "softmax":
            d, C = rows.width, self.classes
            full = np.empty((C, d, C, d))
            for a in range(C):
                for b in range(a, C):
                    curve = weight * mean[:, a] * ((a == b) - mean[:, b])
                    full[a, :, b, :] = full[b, :, a, :] = (X * curve[:, None]).T @ X
            flat = full.reshape(C * d, C * d)
        else:
            curve = weight * (mean * (1.0 - mean) if self.loss == "logistic" else 1.0)
            flat = (X * curve[:, None]).T @ X
        return flat + self.ridge * np.eye(len(flat))

    def smoothness(self, rows: Rows) -> float:
        """β of R_P: λ + b·λ_max(E xxᵀ), b = 1 (least squares), ¼ (logistic), ½ (softmax)."""
        top = np.linalg.eigvalsh((rows.features * rows.weight[:, None]).T @ rows.features)[-1]
        bend = {"least_squares": 1.0, "logistic": 0.25, "softmax": 0.5}[self.loss]
        return self.ridge + bend * float(top)

    # ── minimiser ────────────────────────────────────────────────────────────────────────────

    def fit(self, rows: Rows, start: Array | None = None, tolerance: float = TOLERANCE) -> Fit:
        """argmin R_P, to ‖g_P(θ)‖ ≤ tolerance.

        Parameters
        ----------
        rows : Rows
            P; rows of weight 0 are passed over.
        start : array of the shape of θ, optional
            Where to begin; a fit of nearly the same data needs a few steps from there.
        tolerance : float, > 0

        Raises
        ------
        NoSolutionError
            The tolerance is below what floating point gives on these features.
        """
        self._require_labels(rows)
        rows = _with_weight(rows)
        theta = self._start(rows.width, start)
        iterations = 0
        if self._norm(theta, rows) > 1e-3 and self.loss != "least_squares":
            rough = minimize(
                lambda flat: self._risk_and_gradient(flat, rows),
                theta.ravel(),
                jac=True,
                method="L-BFGS-B",
                options={"gtol": 1e-4, "ftol": 0.0, "maxiter": 2000, "maxcor": 20},
            )
            theta, iterations = rough.x.reshape(theta.shape), int(rough.nit)
        theta, more = self._newton(theta, rows, tolerance)
        reached = self._norm(theta, rows)
        if not reached <= tolerance:
            raise NoSolutionError(
                f"fit: stopped at a gradient of {reached:.1e}; tolerance {tolerance:.1e} is not "
                "reached on these features (scale them, raise ridge or the tolerance)"
            )
        return Fit(theta, reached, reached / self.ridge, iterations + more)

    def _start(self, width: int, start: Array | None) -> Array:
        if start is None:
            return np.zeros(self.shape(width))
        theta = np.array(start, dtype=np.float64)
        if theta.shape != self.shape(width):
            raise ValueError(f"start: got shape {theta.shape}; must be {self.shape(width)}")
        return theta

    def _norm(self, theta: Array, rows: Rows) -> float:
        return float(np.linalg.norm(self.gradient(theta, rows)))

    def _risk_and_gradient(self, flat: Array, rows: Rows) -> tuple[float, Array]:
        tell("training", 0, 0)
        theta = flat.reshape(self.shape(rows.width))
        return self.risk(theta, rows), self.gradient(theta, rows).ravel()

    def _newton(self, theta: Array, rows: Rows, tolerance: float) -> tuple[Array, int]:
        """Newton's method on g_P = 0; steps are halved until the gradient shrinks."""
        gradient = self.gradient(theta, rows)
        for step in range(NEWTON_STEPS):
            norm = float(np.linalg.norm(gradient))
            if norm <= tolerance:
                return theta, step
            tell("training", 0, 0)
            try:
                move = cho_solve(cho_factor(self.hessian(theta, rows)), gradient.ravel())
            except LinAlgError:
                return theta, step  # features so large that λ drowns in them
            for halvings in range(30):
                trial = theta - 0.5**halvings * move.reshape(theta.shape)
                trial_gradient = self.gradient(trial, rows)
                if np.linalg.norm(trial_gradient) < norm:
                    break
            else:
                return theta, step  # rounding: no step is downhill any more
            theta, gradient = trial, trial_gradient
        return theta, NEWTON_STEPS


def _with_weight(rows: Rows) -> Rows:
    used = rows.weight > 0.0
    return rows if used.all() else Rows(rows.features[used], rows.labels[used], rows.weight[used])
