"""What all tests rely on: nothing that chance, the clock or another test could change."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

# Started in the background by a shell, a process and its children ignore Ctrl-C; the tests that
# interrupt a command would wait for it for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples on every machine; HYPOTHESIS_PROFILE=search looks for new ones. No verdict
# depends on how fast the machine is: neither a limit on the time of an example, nor one on all.
TIMELESS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, database=None, **TIMELESS)
settings.register_profile("search", **TIMELESS)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "same")
settings.load_profile(PROFILE)
if PROFILE == "same":
    # Else numbers and words are tried that stand in whatever modules of ours are loaded by then:
    # the examples would depend on which tests ran before.
    providers._get_local_constants = lambda: providers._local_constants


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--again", action="store_true",
        help="all tests have passed on another Python: leave out those marked once",
    )  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Who runs what.

    Tests of a file run in one process: what the file keeps is made once. With ``--again`` those
    are left out that are long and ask for arithmetic, laws, pictures or clicks, which a newer
    Python or Mesa does not change: ``once``, or of a test with parameters all but the first
    ``once(keep=...)``. Each module of ours still has tests that run there.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}/{item.path.stem}"))
    if config.getoption("again"):
        left_out = _settled(items)
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


def _settled(items: list[pytest.Item]) -> list[pytest.Item]:
    met: Counter[str] = Counter()
    found = []
    for item in items:
        mark = item.get_closest_marker("once")
        if mark is not None:
            name = item.nodeid.partition("[")[0]
            met[name] += 1
            if met[name] > mark.kwargs.get("keep", 0):
                found.append(item)
    return found
