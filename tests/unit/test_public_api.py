"""The front door of a notebook: every public name resolves, and nothing heavy is imported early."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import alphacrit

HEAVY = ("mesa", "matplotlib", "numba", "torch", "transformers", "pandas", "scipy", "pydantic")
INIT = Path(alphacrit.__file__)


def loaded_after(code: str) -> set[str]:
    """Which of the heavy libraries a fresh interpreter has imported after ``code``."""
    listing = f"{code}\nimport sys\nprint(*(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_alphacrit_imports_nothing_heavy() -> None:
    assert loaded_after("import alphacrit; dir(alphacrit); alphacrit.__version__") == set()


def test_the_check_above_would_see_a_heavy_import() -> None:
    assert "scipy" in loaded_after("import alphacrit, scipy")


def test_loading_a_scenario_needs_neither_mesa_nor_matplotlib() -> None:
    assert not {"mesa", "matplotlib", "numba", "torch"} & loaded_after(
        "import alphacrit; alphacrit.load; alphacrit.Scenario; alphacrit.success_function"
    )


def test_equilibria_of_the_baseline_load_no_more_than_they_need(tmp_path: Path) -> None:
    """Numbers in closed form: no part of scipy, no tables, no agents, no figures."""
    file = INIT.parents[1] / "scenarios/experiments/baseline.toml"
    code = (
        f"from alphacrit.cli import main; assert main(['equilibria', {str(file)!r}, '--json']) == 0"
    )
    forbidden = (*HEAVY[:6], "scipy.special", "scipy.optimize", "scipy.interpolate", "scipy.stats",
                 "pyarrow", "networkx", "solara", "ray", "SALib")  # fmt: skip
    listing = f"{code}\nimport sys\nprint('loaded', *(set({forbidden!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "loaded"


@pytest.mark.parametrize("name", alphacrit.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(alphacrit, name) is not None
    assert name in dir(alphacrit)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'alphacrit' has no attribute 'runn'"):
        _ = alphacrit.runn


def test_type_checkers_are_told_of_the_same_names() -> None:
    tree = ast.parse(INIT.read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = {
        alias.name: statement.module
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert told == alphacrit._HOME_OF | {"figures": "analysis"}


def test_the_documentation_names_every_public_name() -> None:
    text = alphacrit.__doc__ or ""
    missing = [name for name in alphacrit.__all__ if f"``{name}``" not in text]
    assert set(missing) <= {"__version__"}
