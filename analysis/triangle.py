"""Rest points of two participating shares on the triangle x, y ≥ 0, x + y ≤ 1, by subdivision.

A triangle T is kept while the convex hull of F at its three corners meets T, or a neighbour's does,
and is cut into four, until it is smaller than 1e-11. That is Kakutani's notion of a fixed point:
where F jumps, every mixture of what it jumps between counts, as people who are indifferent may do
either. A triangle in which the linear interpolation of F has a fixed point is never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Map2 = Callable[[Floats], Floats]

FINEST = 1e-11
RINGS = 1
CELL = 1e-4  # within a cell of this width no more than so many triangles are followed
MOST = 600


def triangle_rest_points(
    share: Map2, marks: Sequence[Floats], *, mesh: int = 64
) -> list[tuple[Floats, float]]:
    """Points (2,) with F(α) = α in the sense above, and their residuals.

    Parameters
    ----------
    share : F, maps (n, 2) to (n, 2)
    marks : for each axis, sizes that the first mesh should contain
    mesh : evenly spaced lines of the first mesh

    Notes
    -----
    The first mesh decides what can be seen: two rest points within one triangle may both be missed.
    """
    corners = _first_mesh(marks, mesh)  # (n, 3, 2)
    while True:
        points, back = np.unique(corners.reshape(-1, 2), axis=0, return_inverse=True)
        vertex = back.reshape(-1, 3)  # (n, 3) numbers of the corners
        image = share(points)[vertex]
        keep: NDArray[np.bool_] = meet(corners, image)
        if _diameter(corners).max(initial=0.0) > FINEST:
            # At the next level the fixed point may turn up nearby: keep the neighbours, too.
            for _ in range(RINGS):
                near = np.zeros(len(points), bool)
                near[vertex[keep]] = True
                keep = np.any(near[vertex], axis=1)
        corners, image = corners[keep], image[keep]
        size = float(_diameter(corners).max(initial=0.0))
        if size <= FINEST:
            return _gather(share, corners, image)
        if size < CELL:
            corners = _thinned(corners)
        corners = _quarter(corners)


def meet(first: Floats, second: Floats, tolerance: float = 1e-13) -> NDArray[np.bool_]:
    """Whether triangles (n, 3, 2) meet pairwise; the second ones may be segments or points.

    Two convex polygons are apart iff the normal of one of their edges separates them.
    """
    apart: NDArray[np.bool_] = np.zeros(len(first), bool)
    for corners in (first, second):
        for i in range(3):
            edge = corners[:, (i + 1) % 3] - corners[:, i]
            length = np.sqrt((edge**2).sum(axis=-1))
            scale = np.where(length > 0, length, 1.0)
            normal = np.stack([-edge[:, 1], edge[:, 0]], axis=-1) / scale[:, None]
            one = np.einsum("nij,nj->ni", first, normal)
            two = np.einsum("nij,nj->ni", second, normal)
            apart |= one.min(axis=1) > two.max(axis=1) + tolerance
            apart |= two.min(axis=1) > one.max(axis=1) + tolerance
    return ~apart


def hull_distance(corners: Floats) -> Floats:
    """Distance (n,) of the origin from the triangles with corners (n, 3, 2)."""
    a, b = corners, np.roll(corners, -1, axis=1)
    cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]  # (n, 3)
    inside = (cross >= 0).all(axis=1) | (cross <= 0).all(axis=1)
    inside &= np.abs(cross.sum(axis=1)) > 0
    edge = b - a
    length = (edge**2).sum(axis=-1)
    along = np.clip(-(a * edge).sum(axis=-1) / np.where(length > 0, length, 1.0), 0.0, 1.0)
    nearest = a + along[..., None] * edge
    return np.where(inside, 0.0, np.sqrt((nearest**2).sum(axis=-1)).min(axis=1))


def _first_mesh(marks: Sequence[Floats], mesh: int) -> Floats:
    """Triangles (n, 3, 2) from lines of constant x and of constant y/(1−x)."""
    even = np.linspace(0.0, 1.0, mesh + 1)
    small = np.geomspace(1e-6, 1.0 / mesh, 14)[:-1]
    u, v = (_lines(np.concatenate([even, small, 1.0 - small, m])) for m in marks)
    x = np.broadcast_to(u[:, None], (len(u), len(v)))
    y = (1.0 - u[:, None]) * v
    grid = np.stack([x, y], axis=-1)
    p, q, r, s = grid[:-1, :-1], grid[1:, :-1], grid[:-1, 1:], grid[1:, 1:]
    lower, upper = np.stack([p, q, r], axis=2), np.stack([q, s, r], axis=2)
    triangles = np.concatenate([lower.reshape(-1, 3, 2), upper.reshape(-1, 3, 2)])
    thin = _diameter(triangles[:, [0, 1, 1]]) * _diameter(triangles[:, [0, 2, 2]]) == 0
    return triangles[~thin]


def _lines(values: Floats, apart: float = 5e-7) -> Floats:
    """The values in [0, 1], ascending, no two closer than ``apart``; 0 and 1 are among them."""
    values = np.unique(values[(values > apart) & (values < 1.0 - apart)])
    keep = np.diff(values, prepend=0.0) > apart
    return np.concatenate([[0.0], values[keep], [1.0]])


def _quarter(corners: Floats) -> Floats:
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([np.stack(part, axis=1) for part in parts])


def _thinned(corners: Floats) -> Floats:
    """At most MOST triangles in each cell: where rounding decides between tied collectives, all of
    a neighbourhood looks like a rest point, and any one of it will do."""
    cell = np.floor(corners[:, 0] / CELL).astype(np.int64)
    _, which, count = np.unique(cell, axis=0, return_inverse=True, return_counts=True)
    if count.max(initial=0) <= MOST:
        return corners
    order = np.argsort(which.ravel(), kind="stable")
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    rank = np.empty(len(corners), np.int64)
    rank[order] = np.arange(len(corners)) - np.repeat(first, count)
    return corners[rank < MOST]


def _diameter(corners: Floats) -> Floats:
    edges = corners - np.roll(corners, -1, axis=1)
    return np.sqrt((edges**2).sum(axis=-1)).max(axis=1)


def _gather(share: Map2, corners: Floats, image: Floats) -> list[tuple[Floats, float]]:
    """One point for each cluster of neighbouring triangles: the one nearest to being at rest."""
    middle = corners.mean(axis=1)
    residual = hull_distance(image - middle[:, None, :])
    found: list[tuple[Floats, float]] = []
    left = np.argsort(residual, kind="stable")
    reach = max(1e-8, 4.0 * float(_diameter(corners).max(initial=0.0)))
    while left.size:
        point, own = middle[left[0]], float(residual[left[0]])
        near = np.abs(middle[left] - point).max(axis=1) <= reach
        then = share(point[None])[0]
        if np.abs(then - point).max() <= 1e-8:  # smooth here: take the better of α and F(α)
            gaps = [np.abs(share(p[None])[0] - p).max() for p in (point, then)]
            point, own = min(zip((point, then), gaps, strict=True), key=lambda pair: pair[1])
        found.append((np.array(point), float(own)))
        left = left[~near]
    return found
