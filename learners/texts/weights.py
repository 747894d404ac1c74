"""Weights of a trained network on disk, named by the training that they came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from learners.measured.cache import write_whole

__all__ = ["load_weights", "save_weights"]


def save_weights(path: Path, key: str, state: dict[str, Any]) -> None:
    """Write weights (``network.state_of``) whole or not at all; whatever was there is gone."""
    from safetensors.torch import save

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, save(state, {"key": key}))


def load_weights(path: Path, key: str) -> dict[str, Any] | None:
    """The weights, or None where there is no whole file or it is of another training."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("key") != key:
                return None
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError):
        return None
