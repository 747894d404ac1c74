"""All equilibria: closed forms, a fine scan, and what several collectives do to each other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from analysis.equilibria import equilibria
from analysis.fixed_points import Band, rest_points
from analysis.participation import participation_map
from analysis.threshold import critical_threshold
from analysis.triangle import hull_distance, meet, triangle_rest_points
from sim.scenario import loads
from sim.success_of import success_function
from tests.economies import scenario

NORMAL = {"dist": "normal", "mean": 0.3, "sd": 0.1, "low": 0.0}
LINEAR = {
    "collectives.union.strategy": "gradient_control",
    "collectives.union.signal": {"pull": 1.0, "learning_rate": 1.0, "steps": 1},
    "population.free_riding": 0.0,
}  # S(α) = α


def linear(cost) -> tuple:
    return equilibria(scenario({**LINEAR, "population.cost": cost}))


def sizes(found) -> list[float]:
    return [e.alpha[0] for e in found]


# ── one collective ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("k", [0.001, 0.01, 0.1])
@pytest.mark.parametrize("cost", [0.05, 0.3, 0.7])
@pytest.mark.parametrize("factor", [0.0, 0.2, 0.6])
def test_people_who_are_alike(k, cost, factor):
    """0 and 1 stable, α_crit = k/(1−θ+k) unstable; only 0 where θ ≥ 1."""
    found = equilibria(
        scenario(
            {
                "population.cost": cost,
                "population.free_riding": factor,
                "collectives.union.signal": {"uniqueness": k, "gap": 1.0},
            }
        )
    )
    theta = cost / (1 - factor)
    if theta > 1:
        assert sizes(found) == [0.0]
    else:
        assert sizes(found) == pytest.approx([0.0, k / (1 - theta + k), 1.0], abs=1e-14)
        assert [e.stable for e in found] == [True, False, True]
    assert max(e.residual for e in found) < 1e-14


def test_granovetter():
    """Theory section 5: 0.040211 at sd = 0.12, the jump at 0.122221, 0.999911 at sd = 0.2."""
    law = {"dist": "normal", "mean": 0.25, "sd": 0.12}
    found = linear(law)
    assert sizes(found)[0] == pytest.approx(0.040211, abs=1e-6)
    assert [e.stable for e in found] == [True, False, True]
    assert len(linear({**law, "sd": 0.122220})) == 3
    assert len(linear({**law, "sd": 0.122222})) == 1
    only = linear({**law, "sd": 0.2})
    assert sizes(only) == pytest.approx([0.999911], abs=1e-6)
    assert only[0].stable


def test_a_saddle_node_is_found_and_is_not_stable():
    """At the jump the two lower equilibria merge: F touches the diagonal."""

    def dip(sd: float) -> float:
        x = np.linspace(0.04, 0.09, 20001)
        return float((x - norm.cdf(x, 0.25, sd)).max())

    sd = brentq(dip, 0.1222, 0.12223, xtol=1e-15)
    pmap = participation_map(
        scenario({**LINEAR, "population.cost": {"dist": "normal", "mean": 0.25, "sd": sd}})
    )
    band = Band(lambda x: pmap.at(x[:, None])[:, 0])
    points = rest_points(band, np.empty(0))
    low = [p for p in points if p.x < 0.1]
    assert low and all(abs(p.x - 0.0620) < 2e-4 for p in low)
    assert not low[-1].stable


@pytest.mark.parametrize(
    ("cost", "factor"),
    [
        (NORMAL, 0.2),
        (NORMAL, {"dist": "beta", "a": 2.0, "b": 5.0}),
        ({"dist": "uniform", "low": 0.0, "high": 0.9}, 0.1),
        ({"dist": "lognormal", "median": 0.4, "sigma": 0.6}, 0.3),
        ({"dist": "beta", "a": 2.0, "b": 2.0}, 0.0),
        ({"dist": "values", "values": [0.05, 0.2, 0.2, 0.5, 0.7, 0.95]}, 0.0),
    ],
)
def test_against_a_fine_scan(cost, factor):
    """Sign changes of F − α on 200,000 points: same number, same places, same direction."""
    world = scenario({"population.cost": cost, "population.free_riding": factor})
    found = [e for e in equilibria(world) if 0 < e.alpha[0] < 1]
    pmap = participation_map(world)
    costly = isinstance(factor, dict)
    near = np.geomspace(1e-9, 1, 2000)
    x = np.concatenate([np.linspace(0, 1, 4001 if costly else 200_001), near, 1 - near])
    x = np.unique(x[(x > 1e-6) & (x < 1 - 1e-9)]) + 1e-13
    sign = np.sign(pmap.at(x[:, None])[:, 0] - x)
    cells = np.flatnonzero(sign[:-1] * sign[1:] < 0)
    assert len(found) == len(cells)
    for point, cell in zip(found, cells, strict=True):
        assert x[cell] <= point.alpha[0] <= x[cell + 1]
        assert point.stable == (sign[cell] > 0)
        assert point.residual < 1e-9


def test_every_step_of_a_staircase():
    """1,000 listed thresholds: each level L with θ_(L) < S(L) ≤ θ_(L+1), and each jump between."""
    theta = np.sort(np.random.default_rng(3).beta(1.2, 1.1, 1000))
    found = linear({"dist": "values", "values": theta.tolist()})
    level = np.arange(1001) / 1000
    below = np.concatenate([[-1.0], theta])
    above = np.concatenate([theta, [2.0]])
    stable = level[(below < level) & (level < above)]
    assert [e.alpha[0] for e in found if e.stable] == pytest.approx(stable, abs=1e-12)
    jumps = theta[(theta > level[:-1]) & (theta < level[1:])]
    assert [e.alpha[0] for e in found if not e.stable] == pytest.approx(jumps, abs=1e-12)


def test_two_tipping_points():
    """Half with θ around 0.1, half around 0.7: a lower and an upper stable part."""
    world = scenario(
        {
            "population.groups": {"a": {"share": 0.5, "cost": {**NORMAL, "mean": 0.1, "sd": 0.02}}},
            "population.cost": {**NORMAL, "mean": 0.7, "sd": 0.02},
            **LINEAR,
        }
    )
    found = equilibria(world)
    assert [e.stable for e in found] == [True, False, True, False, True]
    assert sizes(found)[2] == pytest.approx(0.5, abs=1e-6)


def test_a_continuum_is_reported_by_its_ends():
    uniform = linear({"dist": "uniform", "low": 0.0, "high": 1.0})
    assert [(e.alpha[0], e.continuum) for e in uniform] == [(0.0, True), (1.0, True)]
    free = equilibria(scenario({"population.cost": 0.0}))  # nobody minds below a₀
    assert sizes(free) == pytest.approx([0.0, 0.01 / 1.01, 1.0], abs=1e-12)
    assert [e.continuum for e in free] == [True, True, False]
    assert [e.stable for e in free] == [True, False, True]


@pytest.mark.parametrize(
    ("overrides", "expected", "stable"),
    [
        ({"population.free_riding": 1.0}, [0.0], [True]),
        ({"population.cost": 0.9, "population.free_riding": 0.2}, [0.0], [True]),
        ({"population.cost": 0.8, "population.free_riding": 0.2}, [0.0, 1.0], [True, False]),
        ({"collectives.union.signal": {"uniqueness": 0.0, "gap": 1.0}}, [0.0, 1.0], [False, True]),
        ({"population.size": 1}, [0.0, 0.01 / 0.635, 1.0], [True, False, True]),
        ({"population.cost": 0.0, "population.free_riding": 1.0}, [0.0, 1.0], [True, True]),
    ],
)
def test_edges_are_answers(overrides, expected, stable):
    found = equilibria(scenario(overrides))
    assert sizes(found) == pytest.approx(expected, abs=1e-12)
    assert [e.stable for e in found] == stable


def test_recruits_bound_the_collective():
    world = scenario(
        {"population.groups": {"a": {"share": 0.4}}, "collectives.union.recruits": ["a"]}
    )
    found = equilibria(world)
    assert sizes(found) == pytest.approx([0.0, 0.01 / 0.635, 0.4], abs=1e-12)
    few = {"population.groups": {"a": {"share": 0.012}}, "collectives.union.recruits": ["a"]}
    assert sizes(equilibria(scenario(few))) == [0.0]  # all of them are fewer than α_crit


def test_a_jump_without_indifference_is_unstable():
    """F jumps over the diagonal at x = 0.5; nobody is indifferent there."""
    points = rest_points(Band(lambda x: np.where(x < 0.5, 0.2, 0.9)), np.empty(0))
    assert [p.x for p in points] == pytest.approx([0.2, 0.5, 0.9], abs=1e-12)
    assert [p.stable for p in points] == [True, False, True]
    assert max(p.residual for p in points) < 1e-12


# ── several collectives ──────────────────────────────────────────────────────────────────────

OVERLAP = {
    "collectives.union.signal.overlap": {"guild": 1.0},
    "collectives.guild.signal.overlap": {"union": 1.0},
}
OWN_GROUPS = {
    "population.groups": {"a": {"share": 0.6}, "b": {"share": 0.4}},
    "collectives.union.recruits": ["a"],
    "collectives.guild.recruits": ["b"],
}
CRIT = 0.01 / (1 - 0.375 + 0.01)


def table(found) -> dict[tuple[float, ...], bool]:
    return {tuple(round(a, 6) for a in e.alpha): e.stable for e in found}


def test_colliding_collectives_exclude_each_other():
    """Same signals, different targets: all in one of them, or nobody; a tie is not stable."""
    for cost in (0.3, NORMAL):
        found = equilibria(scenario({**OVERLAP, "population.cost": cost}, collectives=2))
        stable = [e.alpha for e in found if e.stable]
        assert np.array(stable) == pytest.approx(np.array([[0, 0], [0, 1], [1, 0]]), abs=1e-5)


@pytest.mark.once
def test_disjoint_collectives_in_one_population_tip_at_the_diagonal():
    found = equilibria(scenario(collectives=2))
    both = 0.01 / (1 - 0.375 + 0.02)  # (1−2x)k = (1−θ)x
    expected = {
        (0.0, 0.0): True, (0.0, CRIT): False, (CRIT, 0.0): False, (0.0, 1.0): True,
        (1.0, 0.0): True, (both, both): False, (0.5, 0.5): False,
    }  # fmt: skip
    assert table(found) == {tuple(round(a, 6) for a in k): v for k, v in expected.items()}


@pytest.mark.parametrize("cost", [0.3, NORMAL])
def test_disjoint_collectives_with_own_groups_are_a_product(cost):
    """3 × 3: each is out, at its tipping point, or full; stable iff neither is at the tip."""
    found = equilibria(scenario({**OWN_GROUPS, "population.cost": cost}, collectives=2))
    assert len(found) == 9
    kinds = set()
    for e in found:
        kind = tuple(0 if a < 1e-9 else 1 if a < 0.05 else 2 for a in e.alpha)
        kinds.add(kind)
        assert e.stable == (1 not in kind)
        assert e.residual < 1e-9
    assert len(kinds) == 9


def test_the_product_in_closed_form():
    """Tipping points with the other full: (1 − ᾱ)k = (1−θ)x with ᾱ = x + 0.4 or x + 0.6."""
    found = table(equilibria(scenario(OWN_GROUPS, collectives=2)))
    for point in ((0.6 * 0.01 / 0.635, 0.4), (0.6, 0.4 * 0.01 / 0.635), (0.01 / 0.645,) * 2):
        near = [k for k in found if np.allclose(k, point, atol=1e-6)]
        assert len(near) == 1 and not found[near[0]]
    assert found[(0.6, 0.4)]


def test_allies_help_each_other():
    """The same target: no rivalry, and with a big ally a smaller collective tips."""
    same = {f"collectives.{name}.target": "t" for name in ("union", "guild")}
    rivals = table(equilibria(scenario({**OWN_GROUPS, **OVERLAP}, collectives=2)))
    allies = table(equilibria(scenario({**OWN_GROUPS, **OVERLAP, **same}, collectives=2)))
    assert allies[(0.6, 0.4)]
    assert (0.6, 0.4) not in rivals


def test_a_tie_between_continuous_laws():
    """Overlap ½: the saddle on the diagonal solves 2x = Q(S(x, x))."""
    half = {
        "collectives.union.signal.overlap": {"guild": 0.5},
        "collectives.guild.signal.overlap": {"union": 0.5},
        "population.cost": NORMAL,
        "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.5},
    }
    world = scenario(half, collectives=2)
    pmap = participation_map(world)

    def excess(x: float) -> float:
        return pmap.at([x, x]).sum() - 2 * x

    saddle = brentq(excess, 0.2, 0.45, xtol=1e-13)
    on_diagonal = [e for e in equilibria(world) if abs(e.alpha[0] - e.alpha[1]) < 1e-8]
    assert any(e.alpha[0] == pytest.approx(saddle, abs=1e-8) for e in on_diagonal)
    assert not any(e.stable for e in on_diagonal if e.alpha[0] > 0)


def test_logit_with_two_collectives_against_newton():
    noisy = {"revision.protocol": "logit", "revision.noise": 0.06, **OVERLAP}
    world = scenario(noisy, collectives=2)
    pmap = participation_map(world)
    found = equilibria(world)
    assert sum(e.stable for e in found) == 3
    for e in found:
        assert np.abs(pmap.at(e.alpha) - e.alpha).max() < 1e-9
        step = 1e-7
        jacobian = np.array(
            [
                (pmap.at(np.add(e.alpha, v)) - pmap.at(np.subtract(e.alpha, v))) / (2 * step)
                for v in step * np.eye(2)
            ]
        ).T
        assert e.stable == (np.linalg.eigvals(jacobian).real.max() < 1)


@pytest.mark.once
def test_three_collectives():
    found = equilibria(scenario(collectives=3))
    alphas = np.array([e.alpha for e in found])
    for k in range(3):
        corner = np.eye(3)[k]
        at = np.abs(alphas - corner).max(axis=1) < 1e-9
        assert at.sum() == 1 and found[int(at.argmax())].stable
    assert max(e.residual for e in found) < 1e-9


def test_triangles_that_meet_and_triangles_apart():
    unit = np.array([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    point = np.full((1, 3, 2), 0.2)
    assert meet(unit, point)[0] and not meet(unit, point + 0.5)[0]
    segment = np.array([[[-1.0, 0.5], [2.0, 0.5], [2.0, 0.5]]])
    assert meet(unit, segment)[0] and not meet(unit, segment + np.array([0, 0.6]))[0]
    assert hull_distance(unit - 0.2)[0] == 0.0
    assert hull_distance(unit + 0.3)[0] == pytest.approx(0.3 * np.sqrt(2))


def test_a_smooth_map_of_the_triangle():
    """F(x) = A x + b has one fixed point, (I − A)⁻¹ b."""
    matrix, shift = np.array([[0.2, 0.3], [-0.1, 0.4]]), np.array([0.1, 0.2])
    found = triangle_rest_points(lambda x: x @ matrix.T + shift, [np.empty(0)] * 2, mesh=16)
    assert len(found) == 1
    assert found[0][0] == pytest.approx(np.linalg.solve(np.eye(2) - matrix, shift), abs=1e-9)


# ── ties on an exact platform ────────────────────────────────────────────────────────────────

MARKED = "mark,label,weight\nno,a,50\nno,b,30\nyes,a,15\nyes,b,5\n"
THREE = {
    "unlike": [("feature_label", "b"), ("feature_only", "a"), ("erasure", None)],
    "allies": [("feature_label", "b"), ("feature_label", "b"), ("feature_label", "a")],
}


def exact_platform(folder, kind):
    """Three collectives that plant or erase the same mark; everybody pays 0.3."""
    (folder / "ty.csv").write_text(MARKED)
    parts = []
    for k, (strategy, target) in enumerate(THREE[kind]):
        aim = f'target = "{target}"' if target else ""
        parts.append(
            f'[collectives.c{k}]\nstrategy = "{strategy}"\n{aim}\n'
            'signal = { set = { mark = "yes" } }\n'
        )
    return loads(
        f"""name = "k3"
population = {{ size = 40, cost = 0.3 }}
{"".join(parts)}[platform]
learner = "bayes"
universe = "ty.csv"
weight = "weight"
""",
        folder=folder,
    )


def lattice_at_rest(s):
    """Every division of N people in which nobody would rather be elsewhere; ties: she stays."""
    N = s.population.size
    counts = np.array(
        [(i, j, k) for i in range(N + 1) for j in range(N + 1 - i) for k in range(N + 1 - i - j)]
    )
    gain = success_function(s).at(counts / N) - 0.3  # (n, 3), of being in each
    best = np.maximum(gain.max(axis=1, keepdims=True), 0.0)
    someone = np.column_stack([counts, N - counts.sum(axis=1)]) > 0
    content = np.column_stack([gain >= best, best[:, 0] <= 0.0])
    return counts[np.all(content | ~someone, axis=1)] / N


def distance(points, one, other):
    """Of points (n, K) from the segment between two."""
    way = other - one
    share = np.clip((points - one) @ way / max(way @ way, 1e-300), 0.0, 1.0)
    return np.abs(one + share[:, None] * way - points).max(axis=1)


@pytest.mark.once
@pytest.mark.parametrize("kind", THREE)
def test_every_rest_point_of_a_finite_population_is_listed_or_between_two_ends(kind, tmp_path):
    s = exact_platform(tmp_path, kind)
    found = equilibria(s)
    points = lattice_at_rest(s)
    pieces = [(e.alpha, other) for e in found for other in e.other_ends or (e.alpha,)]
    near = np.min([distance(points, np.array(a), np.array(b)) for a, b in pieces], axis=0)
    assert len(points) > 20
    assert near.max() <= 1.0 / s.population.size + 1e-9
    stretches = [(a, b) for a, b in pieces if a != b]
    assert stretches and all(e.continuum for e in found if e.other_ends)
    for one, other in stretches:  # and what lies between two ends is at rest
        if np.isclose(sum(one), 1.0):
            on = distance(lattice(s.population.size), np.array(one), np.array(other)) < 1e-9
            inner = lattice(s.population.size)[on]
            inner = inner[np.abs(inner - one).max(axis=1) > 0.02]
            inner = inner[np.abs(inner - other).max(axis=1) > 0.02]
            assert len(inner) > 5
            assert all(np.abs(points - each).max(axis=1).min() < 1e-9 for each in inner)


def lattice(N):
    """Divisions of everybody among three collectives."""
    return np.array([(i, j, N - i - j) for i in range(N + 1) for j in range(N + 1 - i)]) / N


@pytest.mark.once
def test_where_a_stretch_of_ties_ends(tmp_path):
    """S_b = S_c = 1 while c holds at least 3/11 of the members: theirs is the mark's label a."""
    found = {tuple(np.round(e.alpha, 6)): e for e in equilibria(exact_platform(tmp_path, "unlike"))}
    one, other = found[(0.0, 0.0, 1.0)], found[(0.0, 0.727273, 0.272727)]
    assert one.other_ends == (other.alpha,) and other.other_ends == (one.alpha,)
    assert (one.stable, other.stable, found[(0.0, 1.0, 0.0)].stable) == (True, False, True)


@pytest.mark.once
def test_what_is_alike_is_treated_alike(tmp_path):
    """c0 and c1 are the same but for their names, and so is what is said of them."""
    s = exact_platform(tmp_path, "allies")
    found = {tuple(np.round(e.alpha, 9)): (e.stable, e.continuum) for e in equilibria(s)}
    assert {(b, a, c): what for (a, b, c), what in found.items()} == found
    assert found[(1.0, 0.0, 0.0)] == (True, True) and found[(0.0, 0.0, 1.0)] == (True, False)
    held = {"c1": 0.1, "c2": 0.1}, {"c0": 0.1, "c2": 0.1}
    first, second = (critical_threshold(s, f"c{k}", held[k]).alpha_crit for k in (0, 1))
    assert first == pytest.approx(second, abs=1e-12) and first == pytest.approx(0.0727, abs=1e-4)


@pytest.mark.once
def test_at_a_jump_success_is_that_above_it(tmp_path):
    """The list, and the threshold: what carries the collective on, not what it falls from."""
    s = exact_platform(tmp_path, "allies")
    curve = success_function(s).curve(0)
    crit = critical_threshold(s, "c0", {"c1": 0.0, "c2": 0.0})
    (tipping,) = (e for e in equilibria(s) if 0.0 < e.alpha[0] < 0.2 and e.alpha[2] == 0.0)
    assert tipping.alpha[0] == pytest.approx(crit.alpha_crit, abs=1e-12)
    assert crit.success_at_crit == tipping.success[0] == 1.0
    below, above = (float(curve(crit.alpha_crit * (1 + off))) for off in (-1e-6, 1e-6))
    assert below < 0.3 < above
    smooth = equilibria(scenario())[1]
    assert smooth.success[0] == pytest.approx(0.375, abs=1e-12)
