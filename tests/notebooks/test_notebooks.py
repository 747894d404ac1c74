"""Every notebook runs from top to bottom, on small settings, and draws what it says."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LIBRARY = NOTEBOOKS.parent / "scenarios"
SMALL = {  # in place of the cell tagged "parameters", and how many figures there must be
    "1-tipping-point-and-investment": ("starts, size = (0.01, 0.03), 500", 2),
    "2-heterogeneous-people": ('replications, folder = 2, "results/small"', 3),
    "3-two-collectives": ("size = 300", 2),
    "4-theory-and-a-trained-platform": (
        "sizes, replicates = [0.05, 0.2], 2\n"
        'small = {"population.size": 60, "platform.generated.texts": 80, "platform.test": 20,\n'
        '         "platform.tiny.layers": 1, "platform.tiny.width": 8, "platform.epochs": 1}',
        2,
    ),
}
missing = [name for name in ("nbclient", "nbformat") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(missing), reason=f"the extra notebooks is not installed ({', '.join(missing)})"
)


def test_all_four_are_here() -> None:
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == sorted(SMALL)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.filterwarnings("default")  # those of Jupyter's own start
def test_it_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    if name.startswith("4") and importlib.util.find_spec("transformers") is None:
        pytest.skip("the extra learners is not installed")
    monkeypatch.setenv("ALPHACRIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    shutil.copytree(LIBRARY, tmp_path / "scenarios")
    (tmp_path / "notebooks").mkdir()
    book = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    tagged = [cell for cell in book.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    tagged[0]["source"], figures = SMALL[name]
    client = NotebookClient(
        book,
        timeout=600,
        startup_timeout=300,
        resources={"metadata": {"path": str(tmp_path / "notebooks")}},
    )
    client.execute()
    outputs = [out for cell in book.cells for out in cell.get("outputs", [])]
    pictures = [out for out in outputs if "image/png" in out.get("data", {})]
    assert len(pictures) == figures
    said = "".join(out.get("text", "") for out in outputs if out.get("name") == "stderr")
    assert "Traceback" not in said


def test_a_notebook_with_a_broken_cell_would_fail(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    book = nbformat.read(NOTEBOOKS / "3-two-collectives.ipynb", as_version=4)
    book.cells = [*book.cells[:2], nbformat.v4.new_code_cell("alphacrit.load('nowhere.toml')")]
    client = NotebookClient(
        book, timeout=600, startup_timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    with pytest.raises(CellExecutionError, match=r"nowhere\.toml"):
        client.execute()
