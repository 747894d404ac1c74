"""Who may import whom: one way between the rooms, and each heavy library in its home only.

    learners  <-  sim  <-  analysis  <-  alphacrit

Read from the source with ``ast``, so imports inside functions count too.
"""

from __future__ import annotations

import ast
import fnmatch
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("learners", "sim", "analysis", "alphacrit")  # a room may use those before it
HOMES = {
    "mesa": (
        "sim/model.py",
        "sim/agents.py",
        "sim/people.py",
        "sim/person.py",
        "sim/stepping.py",
        "alphacrit/page/*",
    ),
    "solara": ("alphacrit/page/*",),
    "PIL": ("analysis/figure*",),
    "matplotlib": ("analysis/figure*",),
    "typer": ("alphacrit/cli*",),
    "rich": ("alphacrit/*",),
    "pydantic": ("sim/scenario*",),
    "torch": ("learners/*",),
    "transformers": ("learners/*",),
    "numba": ("sim/kernels*",),
    "networkx": ("sim/networks.py",),
    "ray": ("sim/ray_nodes.py",),
    "SALib": ("sim/sweep/design.py", "analysis/sensitivity.py"),
}
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imports(source: str) -> list[tuple[int, str, bool]]:
    """(line, dotted module, for types only) of every import, those in functions too."""
    tree = ast.parse(source)
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING")
        for statement in block.body
        for node in ast.walk(statement)
    }
    found = []
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = ["." if node.level else str(node.module)]
        elif isinstance(node, ast.Call) and node.args:
            by_name = ast.unparse(node.func).endswith(("import_module", "__import__"))
            named = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            modules = [named] if by_name and isinstance(named, str) else []
        found += [(node.lineno, module, id(node) in for_types) for module in modules]
    return found


def violations(place: str, source: str) -> list[str]:
    """What the file at ``place`` (relative to the root) imports but may not."""
    room = place.split("/", maxsplit=1)[0]
    above = ROOMS[ROOMS.index(room) + 1 :]
    wrong = []
    for line, module, for_types in imports(source):
        top = module.split(".")[0]
        if not top:
            wrong.append(f"{place}:{line}: a relative import; write the room's name")
        elif top in above:
            wrong.append(f"{place}:{line}: {room} may not import from {top}")
        elif top in HOMES and not for_types and not _at_home(place, top):
            wrong.append(f"{place}:{line}: {top} lives in {', '.join(HOMES[top])} only")
        elif top in ("tests", "benchmarks"):
            wrong.append(f"{place}:{line}: {top} is not part of what is installed")
    return wrong


def _at_home(place: str, library: str) -> bool:
    return any(fnmatch.fnmatch(place, home) for home in HOMES[library])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_one_way_and_heavy_libraries_stay_at_home(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    assert violations(place, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_hides_one_of_the_standard_library(path: Path) -> None:
    assert path.stem not in sys.stdlib_module_names - {"__main__"}


def test_every_room_has_files_to_check() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} == set(ROOMS)
    assert len(SOURCES) > len(ROOMS) * 2


@pytest.mark.parametrize(
    ("place", "source", "message"),
    [
        ("learners/bounds.py", "from sim.payoffs import gain", "learners may not import from sim"),
        ("sim/model.py", "import analysis.equilibria", "sim may not import from analysis"),
        ("sim/model.py", "def f():\n    import alphacrit", "sim may not import from alphacrit"),
        ("analysis/quantal.py", "from alphacrit import cli", "may not import from alphacrit"),
        ("sim/runs.py", "import mesa", "mesa lives in sim/model.py"),
        ("analysis/report.py", "from matplotlib import pyplot", "matplotlib lives in analysis"),
        ("sim/revision.py", "if True:\n    from numba import njit", "numba lives in sim/kernels"),
        ("alphacrit/show.py", "import typer", "typer lives in alphacrit/cli"),
        ("sim/model.py", "from . import payoffs", "relative import"),
        ("sim/runs.py", "import importlib\nimportlib.import_module('torch')", "torch lives in"),
        ("sim/x.py", "if TYPE_CHECKING:\n    import analysis", "may not import from analysis"),
        ("sim/x.py", "if TYPE_CHECKING:\n    pass\nelse:\n    import mesa", "mesa lives in"),
    ],
)
def test_a_violation_is_caught(place: str, source: str, message: str) -> None:
    found = violations(place, source)
    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("sim/payoffs.py", "from learners.errors import AlphacritError\nimport numpy"),
        ("sim/model.py", "import mesa\nfrom sim.payoffs import gain"),
        ("analysis/figures_maps.py", "import matplotlib\nfrom sim import payoffs"),
        ("alphacrit/cli.py", "import typer\nfrom analysis import report"),
        ("sim/runs.py", "if TYPE_CHECKING:\n    import networkx"),
    ],
)
def test_what_is_allowed_passes(place: str, source: str) -> None:
    assert violations(place, source) == []
