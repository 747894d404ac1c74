"""A training under way on disk, so that whoever is interrupted goes on where she was.

    <folder>/training.safetensors      weights, AdamW's two moments, steps done, what is trained

The file is written beside its place, forced to disk and renamed: it is whole or it is not there.
It belongs to one training, named by a key (``training_key``); one of
another training is refused, not overwritten. A finished training removes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.errors import ResultsError
from learners.texts.encoded import Encoded
from learners.texts.recipe import Recipe, device_of, precision_of

__all__ = ["FILE", "Checkpoint", "training_key"]

FILE = "training.safetensors"
FORMAT = "1"
MOMENTS = ("exp_avg", "exp_avg_sq")  # AdamW's names


class Checkpoint:
    """Where one training is kept.

    Parameters
    ----------
    folder : path
        Of this training alone; made when the first checkpoint is written.
    key : str
        What is trained; two trainings with the same key are the same.
    every_seconds : float, ≥ 0
        Time between two checkpoints; 0 = after every step.
    """

    def __init__(
        self, folder: str | os.PathLike[str], key: str, every_seconds: float = 60.0
    ) -> None:
        if not every_seconds >= 0.0:
            raise ValueError(f"every_seconds: got {every_seconds}; must be ≥ 0 (seconds)")
        self.path = Path(folder) / FILE
        self.key = key
        self.every_seconds = every_seconds
        self._written = time.monotonic()

    def resume(self, network: Any, optimizer: Any) -> int:
        """Put weights and moments back; the steps that were done, 0 if there is nothing.

        A broken file is left out with a warning: the training starts anew.

        Raises
        ------
        ResultsError
            The checkpoint is of another training.
        """
        if not self.path.exists():
            return 0
        try:
            facts, tensors = _read(self.path)
        except Exception as problem:  # safetensors, the file system and torch each have their own
            warnings.warn(
                f"{self.path}: broken ({problem}); the training starts anew",
                RuntimeWarning,
                stacklevel=3,
            )
            return 0
        if facts.get("key") != self.key:
            raise ResultsError(
                f"{self.path}: got the checkpoint of another training ({facts.get('key')}); must "
                f"be of this one ({self.key}): delete it or name another folder"
            )
        steps = int(facts["steps"])
        _put_back(network, optimizer, tensors, steps)
        return steps

    def due(self) -> bool:
        """Whether the last checkpoint, or the start, is long enough ago."""
        return time.monotonic() - self._written >= self.every_seconds

    def save(self, network: Any, optimizer: Any, steps: int) -> None:
        """Write what has been reached after so many steps."""
        from safetensors.torch import save_file

        facts = {"format": FORMAT, "key": self.key, "steps": str(steps)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(f".{os.getpid()}.part")
        try:
            save_file(_tensors(network, optimizer), part, metadata=facts)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)
        self._written = time.monotonic()

    def remove(self) -> None:
        """The training is done: its file goes, and its folder if nothing else is there."""
        self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self.path.parent.rmdir()


def training_key(
    network: Any,
    encoded: Encoded,
    labels: npt.NDArray[np.bool_],
    recipe: Recipe,
    seed: int,
) -> str:
    """What a training depends on, as 64 hexadecimal digits: the key of its checkpoint.

    Texts, labels, the network's shape and present weights, the recipe with the device and the
    precision that it means here, the seed, and torch's version. O(size of all this).
    """
    import torch

    device = device_of(recipe.device)
    facts = {
        "network": network.config.to_dict(),
        "recipe": asdict(recipe),
        "device": device.partition(":")[0],
        "precision": precision_of(recipe.precision, device, network.config.dim),
        "seed": seed,
        "torch": torch.__version__,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for array in (encoded.ids, encoded.offsets, np.packbits(labels)):
        digest.update(np.ascontiguousarray(array).data)
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _tensors(network: Any, optimizer: Any) -> dict[str, Any]:
    """Everything that a later step depends on, by name, on the processor."""
    tensors = {}
    for name, parameter in network.named_parameters():
        tensors[f"weight/{name}"] = parameter
        for moment, value in optimizer.state[parameter].items():
            if moment in MOMENTS:
                tensors[f"{moment}/{name}"] = value
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def _read(path: Path) -> tuple[Mapping[str, str], dict[str, Any]]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        names = file.keys()
        return file.metadata() or {}, {name: file.get_tensor(name) for name in names}


def _put_back(network: Any, optimizer: Any, tensors: Mapping[str, Any], steps: int) -> None:
    import torch

    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(tensors[f"weight/{name}"])
            state = {m: tensors[f"{m}/{name}"].to(parameter.device) for m in MOMENTS}
            count = torch.tensor(float(steps), device=parameter.device)
            optimizer.state[parameter] = {"step": count, **state}
