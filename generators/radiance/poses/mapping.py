"""The last stage: COLMAP's mappers on what was matched, and what they found in our words. Imports pycolmap late."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from generators.radiance.poses import talk
from generators.radiance.poses.talk import Order, Placed, Said

POINT_ERROR_PX = 2.0
POINT_VIEWS_MIN = 3
INLIERS, FEWER_INLIERS = 30, 15
"""Points that must agree on where a view was taken: COLMAP's default, and for a set of which it leaves out some. Of 40
small renders of a room the first places 26, the second all, to 0.5° and 0.8 % of the rig."""
POINTS_PER_VIEW = 8
"""Fewer than this are no map: views that only turned are chained up without any. A good one has a hundred."""


def mapped(
    order: Order, database: Any, folder: Path, say: Callable[[Said], None], *, inliers: int = INLIERS
) -> list[Any]:
    """Reconstructions, the one with most views first; without those that stand on next to no points.

    A view is placed by at least so many `inliers`; the global mapper has its own rules.
    """
    import pycolmap

    if order.mapper == "global":
        options = pycolmap.GlobalPipelineOptions()
        options.num_threads, options.random_seed = order.threads, order.seed
        say(Said("mapping", 0, len(order.views)))
        models = list(pycolmap.global_mapping(folder / "colmap.db", folder, folder, options).values())
    else:
        manager = pycolmap.ReconstructionManager()
        pipeline = pycolmap.IncrementalPipeline(incremental_options(order, inliers), database, manager)
        placed_views = [0]

        def one_more(number: int = 1) -> None:
            placed_views[0] += number
            say(Said("mapping", min(placed_views[0], len(order.views)), len(order.views), placed_views[0]))

        kinds = pycolmap.IncrementalPipelineCallback
        pipeline.add_callback(kinds.INITIAL_IMAGE_PAIR_REG_CALLBACK, lambda: one_more(2))
        pipeline.add_callback(kinds.NEXT_IMAGE_REG_CALLBACK, one_more)
        pipeline.run()
        models = [manager.get(index) for index in range(manager.size())]
    founded = [one for one in models if one.num_points3D() >= POINTS_PER_VIEW * one.num_reg_images() > 0]
    return sorted(founded, key=lambda one: (-one.num_reg_images(), -one.num_points3D()))


def incremental_options(order: Order, inliers: int = INLIERS) -> Any:
    """COLMAP's defaults, but for small sets too, seeded, and without looking for colours."""
    import pycolmap

    options = pycolmap.IncrementalPipelineOptions()
    # Ceres sums in the order in which its threads finish; with one the same photographs give the same poses.
    options.num_threads = options.mapper.num_threads = 1
    options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = order.seed
    options.extract_colors = False
    options.mapper.abs_pose_min_num_inliers = inliers
    options.min_model_size = 3
    options.max_num_models = 10
    return options


def lonely(order: Order, maps: Sequence[Any]) -> list[int]:
    """The views that the largest map leaves out."""
    known = {number - 1 for number in maps[0].reg_image_ids()} if maps else set()
    return [index for index in range(len(order.views)) if index not in known]


def placed_count(maps: Sequence[Any]) -> int:
    """How many views the largest map has."""
    return int(maps[0].num_reg_images()) if maps else 0


def placed(order: Order, model: Any) -> Placed:
    """A reconstruction in our words."""
    views = {}
    for number in model.reg_image_ids():
        pose = np.asarray(model.image(number).cam_from_world().matrix(), np.float64)
        views[number - 1] = tuple(float(value) for value in pose.ravel())
    used = sorted({order.views[index].camera for index in views})
    return Placed(
        views=dict(sorted(views.items())),
        cameras={index: tuple(float(v) for v in model.camera(index + 1).params) for index in used},
        points=model.num_points3D(),
        error_px=float(model.compute_mean_reprojection_error()),
    )


def write_points(order: Order, model: Any, folder: Path) -> None:
    """Points that three views agree on: positions float32 [P, 3], sRGB colours uint8 [P, 3], views int32 [P]."""
    good = [p for _, p in sorted(model.points3D.items()) if _is_good(p)]
    index_of = {id(point): index for index, point in enumerate(good)}
    sums, counts = np.zeros((len(good), 3)), np.zeros(len(good))
    seen: dict[int, list[tuple[int, float, float]]] = {}
    for point in good:
        for element in point.track.elements:
            x, y = model.image(element.image_id).point2D(element.point2D_idx).xy
            seen.setdefault(element.image_id, []).append((index_of[id(point)], x, y))
    for number, rows in sorted(seen.items()):
        pixels = np.load(folder / order.views[number - 1].pixels)
        at = np.array(rows)
        x = np.clip(at[:, 1].astype(int), 0, pixels.shape[1] - 1)
        y = np.clip(at[:, 2].astype(int), 0, pixels.shape[0] - 1)
        np.add.at(sums, at[:, 0].astype(int), pixels[y, x])
        np.add.at(counts, at[:, 0].astype(int), 1)
    np.savez(
        folder / talk.POINTS,
        positions=np.array([point.xyz for point in good], np.float32).reshape(-1, 3),
        colours=(sums / np.maximum(counts, 1)[:, None] + 0.5).astype(np.uint8),
        views=counts.astype(np.int32),
    )


def _is_good(point: Any) -> bool:
    return bool(point.error <= POINT_ERROR_PX and point.track.length() >= POINT_VIEWS_MIN)
