"""The figures show what they claim: the lines are the solver's numbers, and nothing leaks."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import figures
from analysis.equilibria import equilibria
from analysis.figure_dynamics import cobweb
from analysis.figure_interference import basins
from analysis.figure_style import LOOKS, end_labels, number
from analysis.mean_field import mean_field_path
from analysis.participation import participation_map
from analysis.threshold import critical_threshold, investment
from learners.bounds import feature_label
from sim.runs import run_many
from sim.scenario import Scenario, load
from sim.success_of import success_function

LIBRARY = Path(__file__).resolve().parents[2] / "scenarios"
PNG = b"\x89PNG\r\n\x1a\n"


@cache
def scenario(name: str) -> Scenario:
    (path,) = (p for p in LIBRARY.rglob(f"{name}.toml") if p.parent.name != "texts")
    return load(path)


@cache
def interference(name: str) -> Figure:
    return figures.interference_map(scenario(name))


def lines(axes: Axes, gid: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Data of the lines with this mark, in the order of drawing."""
    found = [line for line in axes.lines if line.get_gid() == gid]
    return [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in found]


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)


def fixed_points(axes: Axes) -> list[tuple[float, bool]]:
    """(x, stable) of the fixed points drawn, sorted."""
    drawn = [(float(x[0]), ok) for ok in (True, False) for x, _ in lines(axes, _mark(ok))]
    return sorted(drawn)


def _mark(stable: bool) -> str:
    return "stable" if stable else "unstable"


# ── success curves ───────────────────────────────────────────────────────────────────────────


def test_families_are_the_bounds_themselves() -> None:
    figure = figures.success_curves(scenario("figure-1"))
    panels = figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == [
        "uniqueness ξ",
        "suboptimality ε",
        "gap Δ",
    ]
    for uniqueness in (0.001, 0.01, 0.1):
        ((alpha, success),) = lines(panels[0], f"family-{number(uniqueness)}")
        np.testing.assert_allclose(success, feature_label(uniqueness, 1.0)(alpha), atol=1e-12)
    for suboptimality in (0.0, 0.1, 0.2, 0.3):
        ((alpha, success),) = lines(panels[1], f"family-{number(suboptimality)}")
        np.testing.assert_allclose(
            success, feature_label(0.01, 1.0, suboptimality)(alpha), atol=1e-12
        )
    assert all(len(axes.lines) == len(axes.texts) for axes in panels)  # each curve has its label
    assert panels[0].get_xscale() == "log"


def test_families_can_be_chosen_and_hold_the_scenarios_own_value() -> None:
    figure = figures.success_curves(scenario("figure-1"), {"signal.uniqueness": [0.2]})
    (axes,) = figure.axes
    widths = {line.get_gid(): line.get_linewidth() for line in axes.lines}
    assert set(widths) == {"family-0.01", "family-0.2"}
    assert widths["family-0.01"] > widths["family-0.2"]


def test_of_several_collectives_one_is_drawn_alone() -> None:
    two = scenario("colliding-signals")
    figure = figures.success_curves(two, {"signal.gap": [1.0]}, collective="guild")
    ((alpha, success),) = lines(figure.axes[0], "family-1")
    np.testing.assert_allclose(success, feature_label(0.1, 1.0)(alpha), atol=1e-12)


@pytest.mark.parametrize(
    ("strategy", "signal"),
    [
        ("feature_only", {"uniqueness": 0.01, "positivity": 0.2}),
        ("erasure", {"sensitivity": 0.02}),
        ("gradient_neutralising", {"own_gradient": 2.0, "base_gradient": 1.0}),
        ("gradient_control", {"pull": 1.0, "learning_rate": 0.1, "steps": 10}),
    ],
)
def test_every_strategy_has_a_family(strategy: str, signal: dict[str, float]) -> None:
    changes = {"collectives.union.strategy": strategy, "collectives.union.signal": signal}
    changed = scenario("baseline").replace(changes)
    figure = figures.success_curves(changed)
    own = max(figure.axes[0].lines, key=lambda line: line.get_linewidth())
    alpha = np.asarray(own.get_xdata())
    expected = success_function(changed).at(alpha[:, None])[:, 0]
    np.testing.assert_allclose(own.get_ydata(), expected, atol=1e-12)


# ── bound and measured ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["exact-platform", "label-noise", "suboptimal", "convex"])
def test_the_bound_lies_below_what_is_measured(name: str) -> None:
    figure = figures.bound_and_measured(scenario(name))
    (axes,) = figure.axes
    ((alpha, measured),) = lines(axes, "measured")
    ((same, bound),) = lines(axes, "bound")
    np.testing.assert_array_equal(alpha, same)
    trained = lines(axes, "trainings")  # between them S is interpolated and may be off
    known = np.isin(alpha, trained[0][0]) if trained else np.ones(len(alpha), bool)
    assert np.count_nonzero(known) > 10
    assert np.all(bound[known] <= measured[known] + 1e-9)
    assert np.max(measured - bound) > 0.2
    marks = [lines(axes, f"crit-{kind}")[0][0][0] for kind in ("measured", "bound")]
    assert marks[0] == critical_threshold(scenario(name)).alpha_crit
    assert marks[0] < marks[1]
    assert all(number(mark) in words(figure) for mark in marks)


def test_the_staircase_is_drawn_with_all_its_steps() -> None:
    exact = success_function(scenario("exact-platform"))
    (axes,) = figures.bound_and_measured(scenario("exact-platform")).axes
    ((alpha, measured),) = lines(axes, "measured")
    curve = exact.curve(0)
    assert curve is not None
    np.testing.assert_allclose(measured, curve(alpha), atol=1e-12)
    levels = np.unique(measured.round(9))
    np.testing.assert_allclose(levels, np.unique(curve.levels.round(9)))  # type: ignore[attr-defined]
    jumps = alpha[:-1][np.diff(measured) > 1e-6]
    np.testing.assert_allclose(jumps, curve.steps, rtol=1e-8)  # type: ignore[attr-defined]


def test_each_of_two_collectives_has_its_panel_and_the_tight_bound() -> None:
    panels = figures.bound_and_measured(scenario("colliding-exact")).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["guild at 0.12", "union at 0.15"]
    for axes in panels:
        ((_, measured), (_, tight), (_, bound)) = (
            lines(axes, gid)[0] for gid in ("measured", "tight", "bound")
        )
        assert np.all(bound <= tight + 1e-12)
        assert np.all(tight <= measured + 1e-12)


def test_trainings_are_at_the_sizes_asked_for() -> None:
    (axes,) = figures.bound_and_measured(scenario("convex"), sizes=[0.2, 0.4]).axes
    ((sizes, values),) = lines(axes, "trainings")
    assert sizes.tolist() == [0.0, 0.2, 0.4, 1.0]
    expected = success_function(scenario("convex")).at(sizes[:, None])[:, 0]
    np.testing.assert_allclose(values, expected, atol=1e-9)
    with pytest.raises(ValueError, match="sizes: got"):
        figures.bound_and_measured(scenario("convex"), sizes=[1.2])


def test_there_is_nothing_to_compare_on_the_bound_itself() -> None:
    with pytest.raises(ValueError, match="must be one that learns"):
        figures.bound_and_measured(scenario("baseline"))
    with pytest.raises(ValueError, match='must be "bayes"'):
        figures.worst_case_and_bounds(scenario("baseline"))


def test_the_worst_case_lies_between_its_bound_and_a_smaller_epsilon() -> None:
    panels = figures.worst_case_and_bounds(scenario("suboptimal"), [0.0, 0.1, 0.2]).axes
    for axes in panels:
        worst = [lines(axes, f"worst-{e}")[0][1] for e in ("0", "0.1", "0.2")]
        bound = [lines(axes, f"bound-{e}")[0][1] for e in ("0", "0.1", "0.2")]
        assert all(np.all(b <= w + 1e-9) for b, w in zip(bound, worst, strict=True))
        assert np.all(worst[0] >= worst[1]) and np.all(worst[1] >= worst[2])
        assert np.any(worst[1] > worst[2])
    exact = success_function(scenario("exact-platform"))
    ((alpha, best),) = lines(panels[0], "worst-0")
    np.testing.assert_allclose(best, exact.at(alpha[:, None])[:, 0], atol=1e-12)


# ── threshold and investment ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["baseline", "figure-6", "two-tipping-points"])
def test_threshold_figure_shows_the_solvers_numbers(name: str) -> None:
    figure = figures.threshold_and_investment(scenario(name))
    (axes,) = figure.axes
    alpha_crit = critical_threshold(scenario(name)).alpha_crit
    assert alpha_crit is not None
    ((x, y),) = lines(axes, "crit")
    assert x.tolist() == [alpha_crit, alpha_crit]
    assert y[1] == pytest.approx(success_function(scenario(name)).at([alpha_crit])[0])
    cost = investment(scenario(name))
    assert f"α_crit = {number(alpha_crit)}" in words(figure)
    assert f"B = {number(cost.per_capita or 0)} per person" in words(figure)
    right = axes.get_xlim()[1]
    expected = [(p.alpha[0], p.stable) for p in equilibria(scenario(name)) if p.alpha[0] <= right]
    assert fixed_points(axes) == expected
    assert alpha_crit < 0.5 * right  # the threshold stands in the middle, however small it is


@pytest.mark.parametrize(("name", "digits"), [("baseline", 1e-6), ("two-tipping-points", 2e-4)])
def test_the_hatched_area_is_the_investment_in_units_of_success(name: str, digits: float) -> None:
    (axes,) = figures.threshold_and_investment(scenario(name)).axes
    (area,) = (c for c in axes.collections if c.get_gid() == "investment")
    surface = 0.0
    for path in area.get_paths():
        x, y = path.vertices[:, 0], path.vertices[:, 1]
        surface += abs(0.5 * np.sum(x * np.roll(y, 1) - np.roll(x, 1) * y))
    bound = investment(scenario(name)).per_capita
    assert bound is not None
    assert surface * (1 - 0.2) == pytest.approx(bound, abs=digits)
    assert surface * (1 - 0.3) != pytest.approx(bound, abs=digits)


def test_the_dashed_line_is_the_threshold_of_the_marginal_person() -> None:
    this = scenario("two-tipping-points")
    (axes,) = figures.threshold_and_investment(this).axes
    ((share, asked),) = lines(axes, "asked")
    at = participation_map(this).share_at(asked[:, None])[:, 0]
    np.testing.assert_allclose(share, at, atol=1e-12)
    assert np.all(np.diff(share) >= 0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"population.cost": 0.9}, "no size suffices"),
        ({"population.free_riding": 1.0}, "no size suffices"),
        ({"population.cost": {"dist": "normal", "mean": 0.0, "sd": 0.1}}, "it forms unaided"),
        ({"collectives.union.signal.uniqueness": 1.0}, "α_crit = 0.6154"),
        ({"population.size": 1}, "α_crit = 0.01575"),
    ],
)
def test_threshold_figure_at_the_edges(changes: dict[str, object], expected: str) -> None:
    assert expected in words(
        figures.threshold_and_investment(scenario("baseline").replace(changes))
    )


def test_noisy_choice_has_a_threshold_and_no_investment() -> None:
    figure = figures.threshold_and_investment(scenario("quantal-response"))
    assert "α_crit = 0.01049" in words(figure) and "B =" not in words(figure)


# ── participation ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "panels", "count"),
    [
        ("baseline", 2, 3),
        ("two-tipping-points", 1, 5),
        ("quantal-response", 2, 3),
        ("domino", 1, 1),
    ],
)
def test_cobweb_shows_every_fixed_point(name: str, panels: int, count: int) -> None:
    figure = figures.participation_cobweb(scenario(name))
    assert len(figure.axes) == panels
    expected = [(p.alpha[0], p.stable) for p in equilibria(scenario(name))]
    assert len(expected) == count
    assert fixed_points(figure.axes[0]) == expected
    pmap = participation_map(scenario(name))
    for axes in figure.axes:
        ((alpha, share),) = lines(axes, "map")
        np.testing.assert_allclose(share, pmap.at(alpha[:, None])[:, 0], atol=1e-12)


def test_the_cobweb_is_the_mean_field_path() -> None:
    this = scenario("quantal-response")
    ((x, y),) = lines(figures.participation_cobweb(this, start=0.011).axes[0], "cobweb")
    path = mean_field_path(this, 8, start={"union": 0.011})["alpha"].to_numpy()
    np.testing.assert_allclose(x[::2][:9], path, atol=1e-9)
    assert y[0] == 0.0
    assert x[-1] == pytest.approx(0.95239, abs=1e-5)
    assert cobweb(participation_map(this), 0.010)[0][-1] == pytest.approx(0.00669, abs=1e-5)


def test_a_cobweb_of_two_collectives_is_refused() -> None:
    with pytest.raises(ValueError, match="interference_map"):
        figures.participation_cobweb(scenario("same-target"))


# ── paths ────────────────────────────────────────────────────────────────────────────────────


def test_paths_of_replicates_are_median_and_band() -> None:
    small = {"population.size": 200, "revision.rate": 0.3}
    results = run_many(scenario("two-tipping-points").replace(small), 9)
    upper, lower = figures.paths(results).axes
    last = max(result.summary["epochs"] for result in results)
    for axes, column in ((upper, "alpha"), (lower, "success")):
        table = np.full((last + 1, 9), np.nan)
        for position, result in enumerate(results):
            values = result.series[column].to_numpy()
            table[:, position] = np.append(values, [values[-1]] * (last + 1 - len(values)))
        ((epochs, middle),) = lines(axes, "path-union")
        np.testing.assert_array_equal(epochs, np.arange(last + 1))
        np.testing.assert_allclose(middle, np.median(table, axis=1))
        (band,) = (c for c in axes.collections if c.get_gid() == "band-union")
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.max() == pytest.approx(np.quantile(table, 0.95, axis=1).max())
        assert heights.min() == pytest.approx(np.quantile(table, 0.05, axis=1).min())
    assert "9 replicates" in upper.get_title(loc="left")


def test_paths_mark_the_threshold_and_stretch_a_small_one() -> None:
    upper = figures.paths(scenario("baseline")).axes[0]
    ((_, y),) = lines(upper, "crit")
    assert y[0] == pytest.approx(0.0157480315, abs=1e-9)
    assert upper.get_yscale() == "symlog"
    assert figures.paths(scenario("two-tipping-points")).axes[0].get_yscale() == "linear"
    assert not lines(figures.paths(scenario("same-target")).axes[0], "crit")


def test_paths_of_one_run_and_of_the_mean_field_of_two_collectives() -> None:
    this = scenario("colliding-signals")
    (result,) = run_many(this, 1)
    for source in (result, [result], this):
        figure = figures.paths(source)
        for name, goal in (("union", 0.5), ("guild", 0.0)):
            ((_, share),) = lines(figure.axes[0], f"path-{name}")
            assert share[-1] == pytest.approx(goal)
        assert {"union", "guild"} <= set(words(figure).split("\n"))
    with pytest.raises(ValueError, match="no results"):
        figures.paths([])


# ── two collectives ──────────────────────────────────────────────────────────────────────────


def test_interference_map_shows_fixed_points_and_who_is_left() -> None:
    this = scenario("colliding-signals")
    flow = interference("colliding-signals").axes[2]
    found = equilibria(this)
    drawn = [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]), line.get_gid())
        for line in flow.lines
    ]
    start = tuple(c.start for c in this.collectives.values())
    expected = [(*p.alpha, _mark(p.stable)) for p in found] + [(*start, "start")]
    assert sorted(drawn) == sorted(expected)
    left = {text.get_text() for text in flow.texts}
    assert left == {"nobody", "union", "guild"}
    assert {text.get_text() for text in interference("same-target").axes[2].texts} == {
        "nobody",
        "union",
        "guild",
        "both",
    }


def test_the_flow_points_from_a_to_f_of_a() -> None:
    this = scenario("disjoint-signals")
    flow = interference("disjoint-signals").axes[2]
    (quiver,) = (c for c in flow.collections if type(c).__name__ == "Quiver")
    tails = np.asarray(quiver.get_offsets())
    move = participation_map(this).at(tails) - tails
    drawn = np.stack([quiver.U, quiver.V], axis=-1)
    length = np.linalg.norm(move, axis=1, keepdims=True)
    np.testing.assert_allclose(drawn, move / length, atol=1e-9)


def test_basins_agree_with_the_agents() -> None:
    this = scenario("colliding-signals")
    stable = np.array([p.alpha for p in equilibria(this) if p.stable])
    starts = np.array([[0.3, 0.12], [0.12, 0.3], [0.2, 0.2], [0.05, 0.0]])
    goals = stable[basins(participation_map(this), stable, starts)]
    for (union, guild), goal in zip(starts, goals, strict=True):
        changes = {"collectives.union.start": union, "collectives.guild.start": guild}
        (result,) = run_many(this.replace(changes), 1)
        ends = [each["alpha"] for each in result.summary["final"].values()]
        assert ends == pytest.approx(goal, abs=1e-9)


def test_a_map_of_one_collective_is_refused_and_small_thresholds_are_enlarged() -> None:
    with pytest.raises(ValueError, match="two collectives, not 1"):
        figures.interference_map(scenario("baseline"))
    wide = interference("same-target").axes[0].get_xlim()[1]
    this = scenario("figure-3-separate")
    near = figures.interference_map(this).axes[0].get_xlim()[1]
    assert wide == 0.5
    tipping = 0.00125 / (0.625 + 0.00125)
    start = max(c.start for c in this.collectives.values())
    assert near == pytest.approx(max(4 * tipping, 1.5 * start), rel=1e-6)
    chosen = figures.interference_map(scenario("same-target"), limit=0.2).axes[0]
    assert chosen.get_xlim() == (0.0, 0.2)


# ── all of them ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.once(keep=1)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("baseline", ["success", "threshold", "participation"]),
        ("colliding-signals", ["success", "interference"]),
        ("network-seed", ["success"]),
    ],
)
def test_figures_for_picks_those_that_apply(name: str, expected: list[str]) -> None:
    assert list(figures.figures_for(scenario(name), run_many(scenario(name), 1))) == [
        *expected,
        "paths",
    ]


@pytest.mark.once(keep=1)
@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("baseline", "threshold"),
        ("baseline", "participation"),
        ("colliding-signals", "interference"),
    ],
)
def test_the_same_figure_gives_the_same_bytes(name: str, stem: str, tmp_path: Path) -> None:
    draw = {
        "threshold": figures.threshold_and_investment,
        "participation": figures.participation_cobweb,
        "interference": figures.interference_map,
    }[stem]
    files = {}
    for key, cost in (("first", 0.3), ("second", 0.3), ("other", 0.31)):
        figure = draw(scenario(name).replace({"population.cost": cost}))
        png, svg = figures.save(figure, tmp_path / f"{stem}.{key}")
        assert (png.name, svg.name) == (f"{stem}.{key}.png", f"{stem}.{key}.svg")
        files[key] = (png.read_bytes(), svg.read_bytes())
        assert files[key][0].startswith(PNG) and b"<dc:date>" not in files[key][1]
    assert files["first"] == files["second"]
    for first, other in zip(files["first"], files["other"], strict=True):
        assert first != other


def test_settings_of_matplotlib_and_pyplot_are_left_alone(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": "mine"}):
        figure = figures.threshold_and_investment(scenario("baseline"))
        assert mpl.rcParams["font.size"] == 20
        figures.save(figure, tmp_path / "large")
    figures.save(figures.threshold_and_investment(scenario("baseline")), tmp_path / "usual")
    assert dict(mpl.rcParams) == before
    assert (tmp_path / "large.svg").read_bytes() == (tmp_path / "usual.svg").read_bytes()
    script = "import sys, analysis.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.once(keep=1)
@pytest.mark.parametrize("name", ["two-tipping-points", "colliding-signals"])
def test_no_text_is_cut_off_at_the_edge_of_the_figure(name: str) -> None:
    for stem, figure in figures.figures_for(scenario(name), run_many(scenario(name), 2)).items():
        figure.draw_without_rendering()
        whole = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert whole.x0 >= -0.01 and whole.y0 >= -0.01, stem
        assert whole.x1 <= width + 0.01 and whole.y1 <= height + 0.01, stem


def test_labels_at_the_edge_are_moved_apart_and_stay_inside() -> None:
    axes = Figure().subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    end_labels(axes, [(1.0, "a", "k"), (0.99, "b", "k"), (0.2, "c", "k")], gap=0.1)
    heights = {text.get_text(): text.xy[1] for text in axes.texts}  # type: ignore[attr-defined]
    assert heights == pytest.approx({"a": 1.0, "b": 0.9, "c": 0.2})


def test_curves_differ_in_grey_too() -> None:
    assert len({str(look.dashes) for look in LOOKS}) == len(LOOKS)
    assert len({look.marker for look in LOOKS}) == len(LOOKS)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.0157480315, "0.01575"), (37.1264, "37.13"), (2e-5, "2.00e-05")],
)
def test_numbers_read_as_in_a_text(value: float, text: str) -> None:
    assert number(value) == text


def test_success_of_several_collectives_is_drawn_of_each() -> None:
    two = scenario("colliding-exact")
    (axes,) = figures.success_curves(two).axes
    assert {line.get_gid() for line in axes.lines} == {f"family-{name}" for name in two.names}
    one = figures.success_curves(two, collective=two.names[1])
    assert [line.get_gid() for line in one.axes[0].lines] == [f"family-{two.names[1]}"]
