"""What happens now, in a line of words."""

from __future__ import annotations

from analysis.figure_style import number
from analysis.figures_live import Frame
from analysis.landmarks import Landmarks
from sim.scenario import Scenario

STOPPED = {
    "settled": "nobody wants to change any more",
    "cycle": "the same states come back for ever",
    "epochs": "the epochs of the scenario are used up",
}


def happening(
    scenario: Scenario, marks: Landmarks, frame: Frame, stopped: str | None = None
) -> str:
    """One or two sentences on a run as it stands.

    ``stopped`` is why it has stopped, None while it runs.
    """
    alone = len(scenario.names) == 1
    parts = []
    for k, name in enumerate(scenario.names):
        sentence = _end(frame, k) if stopped else _now(marks, frame, k, name)
        parts.append(sentence if alone else f"{name}: {sentence}")
    text = "; ".join(parts)
    if stopped:
        text = f"at rest after {frame.epoch[-1]} epochs, {STOPPED.get(stopped, stopped)}: {text}"
    if stopped or alone:  # the name of a collective stays as it is
        text = text[0].upper() + text[1:]
    return f"{text}.{_money(scenario, marks, frame)}"


def _now(marks: Landmarks, frame: Frame, k: int, name: str) -> str:
    """``below the critical threshold (0.015 < 0.01575): members leave``."""
    where, expected = _place(marks, frame, k, name)
    happens = _movement(frame, k) or expected
    return f"{where}: {happens}" if where else happens


def _place(marks: Landmarks, frame: Frame, k: int, name: str) -> tuple[str, str]:
    """Where the collective stands, and what is to be expected there."""
    alpha = float(frame.alpha[-1, k])
    crit = marks.alpha_crit.get(name, -1.0) if marks.mixed else -1.0
    if crit is None:
        return "no size suffices", "members leave" if alpha else "nobody is a member"
    if crit < 0:
        return f"a share of {number(alpha)} are members", "nobody has moved yet"
    if crit == 0:
        return "there is no threshold, it forms unaided", "people join"
    if alpha > crit:
        return f"above the critical threshold ({number(alpha)} > {number(crit)})", "people join"
    if alpha == crit:
        return f"exactly at the critical threshold ({number(crit)})", "it may go either way"
    return _below(marks, alpha, f"below the critical threshold ({number(alpha)} < {number(crit)})")


def _below(marks: Landmarks, alpha: float, below: str) -> tuple[str, str]:
    """Below the threshold most collectives die; some are drawn to a small size that is stable."""
    rest = _attractor(marks, alpha)
    if rest:
        words = "people join" if rest > alpha else "members leave"
        return f"{below}, but drawn to {number(rest)}", words
    return below, "members leave" if alpha else "nobody is a member"


def _attractor(marks: Landmarks, alpha: float) -> float:
    """The stable size that draws a single collective of this size; 0 where it is nobody."""
    if not marks.points or len(marks.points[0].alpha) > 1:
        return 0.0
    tipping = [point.alpha[0] for point in marks.points if not point.stable]
    low = max((u for u in tipping if u < alpha), default=-1.0)
    high = min((u for u in tipping if u > alpha), default=2.0)
    return next((s for s in marks.stable(0) if low < s < high), 0.0)


def _movement(frame: Frame, k: int) -> str:
    """What the latest epoch did; empty before the first."""
    if len(frame.epoch) < 2:
        return ""
    change = float(frame.alpha[-1, k] - frame.alpha[-2, k])
    if change == 0:
        return "nobody moves"
    return "people join" if change > 0 else "members leave"


def _end(frame: Frame, k: int) -> str:
    alpha = float(frame.alpha[-1, k])
    if alpha == 0:
        return "nobody is a member"
    return "everybody is a member" if alpha == 1 else f"a share of {number(alpha)} are members"


def _money(scenario: Scenario, marks: Landmarks, frame: Frame) -> str:
    if scenario.principal is None:
        return ""
    spent, budget = float(frame.spent[-1]), scenario.principal.budget
    text = f" The principal has spent {number(spent)} of {number(budget)} utility"
    needed = marks.investment.get(scenario.principal.collective)
    return text + ("." if needed is None else f"; B is {number(needed)}.")
