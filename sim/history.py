"""What happened in a run, epoch by epoch, in columns; of a long run the most part lies on disk.

A record is the state in which an epoch found the economy: sizes, published success, money spent so
far. The latest ``BLOCK`` records are in memory and those before in an unnamed temporary file, so
that a million epochs need no more memory than the first few thousand. Tables are made of it piece
by piece.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from learners.errors import ResultsError

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 16_384  # records in memory
Records = NDArray[np.void]


class History:
    """The records of one run.

    Parameters
    ----------
    names : of the K collectives, in file order
    people : N, and sizes are members; None in an infinite population, and sizes are shares
    replicate : which of the scenario's random worlds
    paid : number of the collective that a principal pays for, if any
    """

    def __init__(
        self, names: Sequence[str], people: int | None, replicate: int = 0, paid: int | None = None
    ) -> None:
        self.names, self.people = tuple(names), people
        self.replicate, self.paid = replicate, paid
        k = len(self.names)
        sizes = np.float64 if people is None else np.int64
        fields = [("epoch", np.int64), ("sizes", sizes, (k,)), ("success", float, (k,))]
        self._block: Records = np.empty(BLOCK, [*fields, ("spent", float)])
        self._epoch, self._sizes = self._block["epoch"], self._block["sizes"]
        self._success, self._spent = self._block["success"], self._block["spent"]
        self._on_disk = 0
        self._here = 0
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._on_disk + self._here

    def add(self, epoch: int, sizes: ArrayLike, success: ArrayLike, spent: float) -> None:
        """One more record; what is given is copied.

        Raises
        ------
        ResultsError
            The disk is full.
        """
        if self._here == BLOCK:
            self._put_aside()
        row = self._here
        self._epoch[row], self._sizes[row] = epoch, sizes
        self._success[row], self._spent[row] = success, spent
        self._here = row + 1

    def until_now(self, epoch: int, sizes: ArrayLike, success: ArrayLike, spent: float) -> Series:
        """The records so far and the state as it stands; later ones do not change it."""
        last = np.zeros(1, self._block.dtype)
        for name, value in zip(last.dtype.names or (), (epoch, sizes, success, spent), strict=True):
            last[name] = value
        return Series(self, len(self), last)

    def blocks(self, count: int) -> Iterator[Records]:
        """The first ``count`` records in order, block by block."""
        for start in range(0, min(count, self._on_disk), BLOCK):
            assert self._file is not None
            self._file.seek(start * self._block.itemsize)
            stored = self._file.read(BLOCK * self._block.itemsize)
            yield np.frombuffer(stored, self._block.dtype)[: count - start]
        if count > self._on_disk:
            yield self._block[: count - self._on_disk].copy()

    def _put_aside(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="alphacrit-")  # noqa: SIM115 - kept open
                weakref.finalize(self, self._file.close)
            self._file.seek(self._on_disk * self._block.itemsize)
            self._file.write(self._block.tobytes())
            self._file.flush()
        except OSError as error:
            raise ResultsError(
                f"{tempfile.gettempdir()}: the series so far ({len(self):,} epochs) cannot be kept "
                f"there ({error.strerror or error}); set TMPDIR to a folder with more room"
            ) from error
        self._on_disk += self._here
        self._here = 0

    def __getstate__(self) -> dict[str, Any]:
        own = {key: self.__dict__[key] for key in ("names", "people", "replicate", "paid")}
        return own | {"records": [*self.blocks(len(self))]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        records = state.pop("records")
        self.__init__(**state)  # type: ignore[misc]  # an open file cannot be pickled: a new one
        for block in records:
            if self._here:
                self._put_aside()
            self._block[: len(block)] = block
            self._here = len(block)


@dataclass(frozen=True, eq=False)
class Series:
    """The series of a run: its first ``count`` records and the state at its end.

    Columns run, replicate, epoch, collective, members (missing in an infinite population), alpha,
    success as published, spent on that collective so far; one row per epoch and collective.
    """

    history: History
    count: int
    last: Records

    def pieces(self, every: int = 1) -> Iterator[pd.DataFrame]:
        """The table in pieces of at most ``BLOCK`` + 1 epochs; every n-th epoch, and the last."""
        waiting: Records = self.last[:0]
        for block in self.history.blocks(self.count):
            if len(waiting):
                yield self._table(waiting)
            waiting = block if every == 1 else block[block["epoch"] % every == 0]
        yield self._table(np.concatenate([waiting, self.last]))

    def table(self, every: int = 1) -> pd.DataFrame:
        """The whole table at once."""
        import pandas as pd

        return pd.concat(self.pieces(every), ignore_index=True)

    def _table(self, records: Records) -> pd.DataFrame:
        import pandas as pd

        history, k, epochs = self.history, len(self.history.names), len(records)
        sizes = records["sizes"].reshape(-1)
        spent = np.zeros((epochs, k))
        if history.paid is not None:
            spent[:, history.paid] = records["spent"]
        nobody = pd.array([pd.NA], dtype="Int64").repeat(len(sizes))
        return pd.DataFrame(
            {
                "run": history.replicate,
                "replicate": history.replicate,
                "epoch": np.repeat(records["epoch"], k),
                "collective": list(history.names) * epochs,
                "members": nobody if history.people is None else sizes,
                "alpha": sizes if history.people is None else sizes / history.people,
                "success": records["success"].reshape(-1),
                "spent": spent.reshape(-1),
            }
        )
