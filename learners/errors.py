"""What can go wrong, as one small tree; the exit code of the command line is the class's own.

AlphacritError            1   (never raised itself)
├── ScenarioError         3   the scenario is not valid
├── NoSolutionError       5   there is no solution to what was asked
├── MissingError          6   an extra, weights or a device is missing
└── ResultsError          7   the results folder does not match

It lives in the lowest room so that every room can raise from it.
"""

from __future__ import annotations

from collections.abc import Sequence


class AlphacritError(Exception):
    """Base of every error a user can cause; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class ScenarioError(AlphacritError):
    """A scenario is not valid; ``problems`` holds one line per problem, all of them at once."""

    exit_code = 3

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class NoSolutionError(AlphacritError):
    """What was asked for does not exist (no size suffices, no value in the range)."""

    exit_code = 5


class MissingError(AlphacritError):
    """Something outside the project is missing: an extra, a model's weights, a device."""

    exit_code = 6


class ResultsError(AlphacritError):
    """A results folder cannot be used: not one of ours, of another scenario, or already full."""

    exit_code = 7
