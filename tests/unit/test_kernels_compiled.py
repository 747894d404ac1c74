"""A loop that is mended is compiled anew, and so is every loop that it was compiled into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sim import kernels_compiled

INNER = "from {home} import njit\n\n\n@njit(cache=True)\ndef inner(x):\n    return x + {more}\n"
HOME = "sim.kernels_compiled"
OUTER = """from {home} import njit
from sim.kernels_inner import inner


@njit(cache=True)
def outer(x):
    return inner(x)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "sim").mkdir()
    (tmp_path / "learners").mkdir()
    (tmp_path / "learners" / "several.py").write_text("")
    shutil.copy(kernels_compiled.__file__, tmp_path / "sim" / "kernels_compiled.py")
    return tmp_path


def answer(package: Path, home: str, more: int) -> str:
    (package / "sim" / "kernels_inner.py").write_text(INNER.format(home=home, more=more))
    (package / "sim" / "kernels_outer.py").write_text(OUTER.format(home=home))
    code = "from sim.kernels_outer import outer; print(outer(1), outer.stats.cache_hits)"
    return run(package, code).split("Counter")[0].strip()


def run(package: Path, code: str, kept: str = "") -> str:
    environment = {**os.environ, "PYTHONPATH": str(package), "NUMBA_CACHE_DIR": kept}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=package, capture_output=True,
        text=True, check=True,
    ).stdout  # fmt: skip


def test_what_was_compiled_into_another_loop(package: Path) -> None:
    given = [answer(package, HOME, more)[0] for more in (1, 5, 5)]
    assert given == ["2", "6", "6"]
    kept = list((package / "sim" / "__pycache__").glob("loops-*"))
    assert len(kept) == 2
    assert all(list(folder.rglob("*.nbi")) for folder in kept)


def test_by_itself_numba_goes_on_with_the_old_one(package: Path) -> None:
    """Or else none of this would be needed."""
    assert [answer(package, "numba", more)[0] for more in (1, 5)] == ["2", "2"]


def test_old_folders_go_but_for_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels_compiled.config, "CACHE_DIR", str(tmp_path))
    for age in range(5):
        old = tmp_path / f"loops-{age}"
        old.mkdir()
        os.utime(old, (1000 - age, 1000 - age))
    kernels_compiled.folder.cache_clear()
    found = Path(kernels_compiled.folder())
    kernels_compiled.folder.cache_clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loops-0", "loops-1", found.name]


def test_a_folder_that_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    monkeypatch.setattr(kernels_compiled.config, "CACHE_DIR", str(taken))
    kernels_compiled.folder.cache_clear()
    assert kernels_compiled.folder() == ""
    kernels_compiled.folder.cache_clear()


def test_where_nothing_can_be_kept_loops_are_compiled_all_the_same(package: Path) -> None:
    taken = package / "file"
    taken.write_text("")
    (package / "sim" / "kernels_inner.py").write_text(INNER.format(home=HOME, more=1))
    assert run(package, "from sim.kernels_inner import inner; print(inner(1))", str(taken)) == "2\n"
    assert not list(package.rglob("*.nbi"))


def test_no_two_files_have_the_same_name(package: Path) -> None:
    """Whoever writes them: an index may be overwritten, but never says that one is the other."""
    (package / "sim" / "kernels_inner.py").write_text(INNER.format(home=HOME, more=1))
    code = "from sim.kernels_inner import inner; inner({}); inner({})"
    for first, second in (("1", "1.0"), ("1j", "1.0")):  # the index is lost in between
        for index in package.rglob("*.nbi"):
            index.unlink()
        run(package, code.format(first, second))
    names = {path.name for path in package.rglob("*.nbc")}
    assert len(names) == 4
