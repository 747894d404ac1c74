"""Where benchmark results are kept: one section of RESULTS.md per benchmark."""

from __future__ import annotations

import os
import platform
import re
from datetime import date
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


def machine() -> str:
    """The machine and the versions that matter, in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("mesa", "numpy", "numba"))
    return (
        f"{date.today()}, {os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, "
        f"Python {platform.python_version()}, {packages}"
    )


def write_section(title: str, text: str) -> None:
    """Replace the section of this title, or append it."""
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Benchmark results\n"
    section = f"## {title}\n\n{text.strip()}\n"
    pattern = rf"## {re.escape(title)}\n.*?(?=\n## |\Z)"
    if re.search(pattern, old, flags=re.S):
        new = re.sub(pattern, lambda _: section, old, flags=re.S)
    else:
        new = f"{old.rstrip()}\n\n{section}"
    RESULTS.write_text(new, encoding="utf-8")
