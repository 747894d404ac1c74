"""The series of a run: the same whether it lies in memory or on disk, and never all in memory."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from learners.errors import ResultsError
from sim import history as module
from sim import results as store
from sim.history import History
from sim.runs import RunResult, run
from tests.economies import scenario

NAMES = ("union", "guild")


def filled(epochs: int, people: int | None = 100) -> History:
    """A run in which epoch e found e % 50 and e % 7 members."""
    kept = History(NAMES, people, replicate=3, paid=1)
    for e in range(epochs):
        sizes = np.array([e % 50, e % 7]) / (1 if people else 100)
        kept.add(e, sizes, [e / (e + 1), 0.5], 0.25 * e)
    return kept


def expected(epochs: int) -> pd.DataFrame:
    """The same table, written out row by row."""
    rows = [
        (3, 3, e, name, members, members / 100, success, spent)
        for e in range(epochs)
        for name, members, success, spent in (
            ("union", e % 50, e / (e + 1), 0.0),
            ("guild", e % 7, 0.5, 0.25 * e),
        )
    ]
    columns = ["run", "replicate", "epoch", "collective", "members", "alpha", "success", "spent"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize("epochs", [0, 1, 9, 10, 11, 20, 37])
def test_blocks_on_disk_and_in_memory_give_one_table(
    epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 10)
    kept = filled(epochs)
    series = kept.until_now(epochs, [epochs % 50, epochs % 7], [epochs / (epochs + 1), 0.5],
                            0.25 * epochs)  # fmt: skip
    pd.testing.assert_frame_equal(series.table(), expected(epochs + 1))
    assert max(len(piece) for piece in series.pieces()) <= 2 * (10 + 1)


@pytest.mark.parametrize("later", [1, 5, 6, 40])
def test_what_comes_later_does_not_change_a_series(
    later: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 10)
    kept = filled(25)
    series = kept.until_now(25, [25, 4], [25 / 26, 0.5], 6.25)
    before = series.table()
    for e in range(later):
        kept.add(1000 + e, [0, 0], [0.0, 0.0], 0.0)
    pd.testing.assert_frame_equal(series.table(), before)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda kept: pickle.loads(pickle.dumps(kept))])
@pytest.mark.parametrize("epochs", [7, 10, 30, 34])
def test_a_copy_goes_on_by_itself(again, epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 10)
    kept = filled(epochs)
    other = again(kept)
    other.add(epochs, [epochs % 50, epochs % 7], [epochs / (epochs + 1), 0.5], 0.25 * epochs)
    assert (len(kept), len(other)) == (epochs, epochs + 1)
    end = (epochs + 1, [0, 0], [0.0, 0.0], 0.0)
    pd.testing.assert_frame_equal(
        other.until_now(*end).table().iloc[:-2], expected(epochs + 1), check_like=True
    )


def test_every_tenth_epoch_and_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 16)
    table = filled(45).until_now(45, [45, 3], [45 / 46, 0.5], 11.25).table(every=10)
    assert table["epoch"].unique().tolist() == [0, 10, 20, 30, 40, 45]
    whole = expected(46)
    pd.testing.assert_frame_equal(
        table, whole[whole["epoch"].isin([0, 10, 20, 30, 40, 45])].reset_index(drop=True)
    )


def test_a_long_run_needs_no_more_memory_than_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten blocks of epochs: what Python and numpy hold does not grow with them."""
    monkeypatch.setattr(module, "BLOCK", 2_000)
    kept = History(("union",), 100)
    tracemalloc.start()
    held = []
    for e in range(10 * module.BLOCK):
        if e % module.BLOCK == 1:
            held.append(tracemalloc.get_traced_memory()[0])
        kept.add(e, [e % 100], [0.5], 0.0)
    tracemalloc.stop()
    assert len(held) == 10
    # Bytes, of other threads for instance; 8 blocks of tuples would be some 4 MB.
    assert held[-1] - held[1] < 200_000


def test_a_full_disk_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.tempfile, "TemporaryFile", full)
    with pytest.raises(ResultsError, match=r"4 epochs\) cannot be kept there \(No space left"):
        filled(5)


def test_an_infinite_population_has_shares_and_no_members() -> None:
    table = filled(3, people=None).until_now(3, [0.5, 0.25], [0.75, 0.5], 0.0).table()
    assert table["members"].isna().all()
    assert table["alpha"].tolist() == [0.0, 0.0, 0.01, 0.01, 0.02, 0.02, 0.5, 0.25]


# ---------------------------------------------------------------- to Parquet


def test_parquet_is_written_in_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyarrow import parquet

    monkeypatch.setattr(module, "BLOCK", 10)
    monkeypatch.setattr(store, "ROWS", 40)
    changes = {"stop": {"when": "never"}, "epochs": 95, "revision.protocol": "logit",
               "revision.noise": 0.1, "population.size": 20}  # fmt: skip
    world = scenario(changes)
    results = [run(world, replicate) for replicate in range(3)]
    folder = store.write(results, tmp_path / "out")
    file = folder / "series" / "part-000000.parquet"
    assert parquet.ParquetFile(file).num_row_groups == 7  # of 40 rows or a piece more
    whole = pd.concat([result.series for result in results], ignore_index=True)
    pd.testing.assert_frame_equal(pd.read_parquet(file), whole)
    again = store.write([run(world, r) for r in range(3)], tmp_path / "again")
    assert (again / "series" / "part-000000.parquet").read_bytes() == file.read_bytes()


def test_the_size_of_blocks_is_not_seen_in_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"stop": {"when": "never"}, "epochs": 50, "population.size": 30,
               "revision.protocol": "logit", "revision.noise": 0.1}  # fmt: skip
    first: RunResult = run(scenario(changes))
    monkeypatch.setattr(module, "BLOCK", 7)
    second = run(scenario(changes))
    pd.testing.assert_frame_equal(first.series, second.series)
    assert first.series["epoch"].tolist() == list(range(51))
