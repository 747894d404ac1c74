"""What a result was made with: versions, commit, machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "alphacrit", "matplotlib", "mesa", "networkx", "numba", "numpy", "pandas", "pyarrow",
    "pydantic", "rich", "SALib", "scipy", "typer",
)  # fmt: skip


def provenance() -> dict[str, Any]:
    """Versions of Python and the packages, the commit of the code, and the machine."""
    return {
        "python": platform.python_version(),
        "packages": _versions(),
        "commit": _commit(),
        "host": {"name": platform.node(), "system": platform.platform(), "cpus": os.cpu_count()},
    }


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _commit() -> str | None:
    """Commit of the checkout this file lies in, with ``+changes`` if it differs; else None."""
    here = Path(__file__).resolve().parent.parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(here), *words],
                capture_output=True, text=True, timeout=10, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    top, commit = git("rev-parse", "--show-toplevel"), git("rev-parse", "--verify", "HEAD")
    if not top or not commit or Path(top).resolve() != here:
        return None  # installed elsewhere: a repository around it is somebody else's
    changed = git("status", "--porcelain", "--untracked-files=no")
    return commit + ("+changes" if changed else "")
