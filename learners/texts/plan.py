"""What a platform of texts is made of: texts with labels, and how its network is made.

Both say by content what they are, so that a training can be named by all that it depends on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.errors import MissingError
from learners.measured.cache import digest_of_arrays
from learners.texts.encoded import Encoded
from learners.texts.network import TINY, Tiny, make_network
from learners.texts.pretrained import configuration, content_digest, locate
from learners.texts.recipe import Recipe, device_of, precision_of

__all__ = ["LabelledTexts", "NetworkPlan", "machine_of"]


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """n texts as tokens, with their labels.

    Parameters
    ----------
    encoded : Encoded
    labels : bool array of shape (n, L)
    """

    encoded: Encoded
    labels: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or len(self.labels) != len(self.encoded) or not len(self.encoded):
            raise ValueError(
                f"labels: got shape {self.labels.shape} for {len(self.encoded)} texts; "
                "must be (n, L), n ≥ 1"
            )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of tokens, words and labels."""
        texts = self.encoded
        return digest_of_arrays(texts.ids, texts.begins, texts.offsets, self.labels)


@dataclass(frozen=True)
class NetworkPlan:
    """How the network is made; the arguments of `learners.texts.network.make_network`.

    Parameters
    ----------
    model : str
        "tiny", "minilm", a folder or a name on the hub.
    labels : int, L
    single : bool
        Whether every text has exactly one label.
    vocabulary, cls, sep, pad : int
        Of the tokenizer.
    tiny : Tiny
        Read for model "tiny" only.
    length : int
        Most tokens of a text that "tiny" can read; a pretrained model has its own limit.
    """

    model: str
    labels: int
    single: bool
    vocabulary: int
    cls: int
    sep: int
    pad: int
    tiny: Tiny = field(default_factory=Tiny)
    length: int = 512

    def make(self, seed: int) -> Any:
        """The untrained network; `seed` draws the weights that no checkpoint has."""
        with _of_platform():
            return make_network(**{**self.__dict__, "seed": seed})

    @property
    def width(self) -> int:
        """Units of a token."""
        if self.model == TINY:
            return self.tiny.width
        found = configuration(locate(self.model))
        return int(found.get("dim") or found.get("hidden_size") or 0)

    def content(self) -> dict[str, Any]:
        """What the network is, wherever its files lie, as JSON."""
        if self.model == TINY:
            return asdict(self)
        with _of_platform():
            return asdict(self) | {"model": content_digest(self.model), "tiny": None}


def machine_of(network: NetworkPlan, recipe: Recipe) -> dict[str, str]:
    """What a training depends on beside the recipe: the kind of device, and the precision there.

    Raises
    ------
    MissingError
        The device that the recipe names is not there, or no torch.
    """
    with _of_platform():
        device = device_of(recipe.device).partition(":")[0]
        precision = precision_of(recipe.precision, device, network.width)
    return {"device": device, "precision": precision}


@contextmanager
def _of_platform() -> Iterator[None]:
    """Name what is missing as a scenario does: platform.model, platform.device."""
    try:
        yield
    except MissingError as error:
        raise MissingError(f"platform.{error}") from error.__cause__
