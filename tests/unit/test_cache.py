"""The cache of measurements: named by content, whole or absent, listed and cleared."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from learners.errors import MissingError
from learners.measured import cache as module
from learners.measured.cache import Cache, canonical, digest_of, digest_of_arrays, digest_of_file

SETUP = {"platform": "toy", "data": "abc", "settings": {"rate": 0.1, "layers": [3, 4]}}
POINT = {"sizes": [0.1], "seed": 1, "replicate": 0}


def test_what_was_put_comes_back_and_nothing_else(tmp_path):
    cache = Cache(tmp_path)
    assert cache.get(SETUP, POINT) is None
    cache.put(SETUP, POINT, {"success": [0.25]}, seconds=3.0)
    assert cache.get(SETUP, POINT) == {"success": [0.25]}
    assert Cache(tmp_path).get(dict(reversed(SETUP.items())), POINT) == {"success": [0.25]}
    for setup, point in (
        (SETUP | {"data": "abd"}, POINT),
        (SETUP | {"settings": {"rate": 0.1, "layers": [4, 3]}}, POINT),
        (SETUP, POINT | {"sizes": [np.nextafter(0.1, 1.0)]}),
        (SETUP, POINT | {"seed": 2}),
        (SETUP, POINT | {"replicate": 1}),
    ):
        assert cache.get(setup, point) is None


def test_numbers_survive_to_the_last_bit(tmp_path):
    values = [*np.random.default_rng(0).random(100).tolist(), 0.0, 1.0, 5e-324]
    Cache(tmp_path).put(SETUP, {"sizes": tuple(values)}, {"success": values})
    assert Cache(tmp_path).get(SETUP, {"sizes": tuple(values)}) == {"success": values}


def test_a_digest_is_sha256_of_sorted_json_without_spaces():
    by_hand = hashlib.sha256(b'{"a":[1,2.5],"b":null}').hexdigest()
    assert digest_of({"b": None, "a": (1, 2.5)}) == by_hand
    for wrong in (float("nan"), {"x": np.zeros(2)}, {"x": Path("a")}, {"x": float("inf")}):
        with pytest.raises(ValueError, match="must be JSON: texts, finite numbers"):
            canonical(wrong)


def test_digests_of_data(tmp_path):
    file = tmp_path / "data.csv"
    file.write_bytes(b"x,y\n1,2\n")
    assert digest_of_file(file) == hashlib.sha256(b"x,y\n1,2\n").hexdigest()
    x = np.arange(6.0)
    same = digest_of_arrays(x.reshape(2, 3))
    assert same == digest_of_arrays(np.asfortranarray(x.reshape(2, 3)))
    others = {
        digest_of_arrays(*arrays)
        for arrays in ([x], [x.reshape(3, 2)], [x.astype(np.float32)], [x, x], [x[:3], x[3:]])
    }
    assert len(others | {same}) == 6
    with pytest.raises(ValueError, match="got an array of object"):
        digest_of_arrays(np.array([None, "a"], dtype=object))


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"point": 1}', "half"])
def test_a_broken_file_counts_as_no_measurement(tmp_path, broken):
    cache = Cache(tmp_path)
    cache.put(SETUP, POINT, {"success": [0.25]})
    path = next(p for p in tmp_path.rglob("*.json") if p.name != "setup.json")
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2] if broken == "half" else broken)
    assert cache.get(SETUP, POINT) is None
    list(cache.entries())  # and listing survives it
    cache.put(SETUP, POINT, {"success": [0.5]})
    assert cache.get(SETUP, POINT) == {"success": [0.5]}


def test_a_write_that_fails_leaves_nothing_and_the_old_one_stays(tmp_path, monkeypatch):
    cache = Cache(tmp_path)
    cache.put(SETUP, POINT, {"success": [0.25]})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "replace", full)
    with pytest.raises(MissingError, match=r"cannot be written \(No space left.*ALPHACRIT_CACHE"):
        cache.put(SETUP, POINT, {"success": [0.75]})
    assert cache.get(SETUP, POINT) == {"success": [0.25]}
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]


def test_list_and_clear(tmp_path):
    cache = Cache(tmp_path / "deep" / "cache")
    assert list(cache.entries()) == [] and cache.clear() == 0
    other = SETUP | {"data": "other"}
    for replicate in range(3):
        cache.put(SETUP, POINT | {"replicate": replicate}, {"success": [0.5]}, seconds=2.0)
    cache.put(other, POINT, {"success": [0.5]}, seconds=1.0)
    (cache.folder / "mine.txt").write_text("not a measurement")
    found = {entry.digest: entry for entry in cache.entries()}
    assert set(found) == {digest_of(SETUP), digest_of(other)}
    mine = found[digest_of(SETUP)]
    assert (mine.setup, mine.measurements, mine.seconds) == (SETUP, 3, 6.0)
    assert mine.bytes == sum(
        path.stat().st_size
        for path in (cache.folder / mine.digest).iterdir()
        if path.name != "setup.json"
    )
    for unclear in ("", mine.digest[:5], "ffffffff"):
        with pytest.raises(ValueError, match="first 6 digits or more of one setup"):
            cache.clear(unclear)
    assert cache.clear(mine.digest[:8]) == 3
    assert cache.get(SETUP, POINT) is None and cache.get(other, POINT) is not None
    assert cache.clear() == 1
    assert [path.name for path in cache.folder.iterdir()] == ["mine.txt"]


def test_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("ALPHACRIT_CACHE", str(tmp_path / "here"))
    assert Cache().folder == tmp_path / "here"
    monkeypatch.delenv("ALPHACRIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Cache().folder == tmp_path / "alphacrit" / "measurements"
    assert not Cache().folder.exists()  # asking makes nothing


def test_a_writer_killed_at_any_moment_leaves_only_whole_files(tmp_path):
    """SIGKILL a process that writes without pause; whatever is there can be read."""
    script = textwrap.dedent("""
        import sys
        from learners.measured.cache import Cache
        cache = Cache(sys.argv[1])
        print("started", flush=True)
        for i in range(10**6):
            cache.put({"a": 1}, {"i": i % 50}, {"success": [0.5] * 2000, "i": i})
    """)
    root = Path(__file__).resolve().parents[2]
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(root)},
        )  # fmt: skip
        with writer:
            assert writer.stdout.readline() == b"started\n"
            while not any(tmp_path.rglob("*.json")):
                time.sleep(0.01)
            try:
                writer.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                writer.send_signal(signal.SIGKILL)
        assert writer.returncode == -signal.SIGKILL
    files = [path for path in tmp_path.rglob("*.json") if path.name != "setup.json"]
    assert files
    for path in files:
        assert len(json.loads(path.read_text())["result"]["success"]) == 2000
    assert sum(entry.measurements for entry in Cache(tmp_path).entries()) == len(files)
