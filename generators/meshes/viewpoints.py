"""From where a cloud is best looked at, found from the cloud alone.

A cloud trained from one side shows smears from all others. So many viewpoints around and inside it are tried at a
small size; one is good when most of its pixels see a surface clearly, and it is left out when it sees, from behind,
surfaces that better viewpoints see from the front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generators.meshes.depth_views import DepthView, Render
from generators.meshes.isosurface import Check
from generators.radiance.cameras import Camera, looking_at
from generators.radiance.parameters import Parameters

TRIAL_PX = 96
FOV_DEG = 50.0
AROUND, WITHIN = 160, 60
"""Viewpoints tried around the middle, and within it looking out."""
AWAY = 2.5
"""Viewpoints around stand so many times as far from the middle as the thing reaches."""
CLEAR_MIN = 0.55
"""Share of the covered pixels that must show a surface."""
NEAR = 0.3
"""Matter nearer than this share of the distance to the middle stands in the way."""
BLOCKED_MAX = 0.2
SAME = 0.03
"""Two views show one point when their distances differ by less than this share."""
OPPOSED = -0.35
"""Cosine between two lines of sight that cannot both meet the same side of a surface but at a glance."""
FACING = -0.9
"""The same for a whole thing: lines of sight that meet nearly head on."""
WHOLE = 0.6
"""What is clear from so many sides is a thing and not a room: a closed shell is clear from within as well."""
REVERSED_MAX = 0.12
"""Share of its points that a view may see from the other side than better views do."""
TRIAL_POINTS = 1500
CAPTURED, CAPTURED_FOV_DEG = 120, 65.0
"""Viewpoints tried where photographs were taken from, and how much they show: things reach beyond the middle."""
CLOSER = (0.75, 1.0)
"""They stand at these shares of the photographs' distance in turn."""
NARROWEST, WIDEST = 0.87, -0.5
"""Cosines of the half angles, 30° and 120°, between which photographs are taken to be from one side."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A viewpoint tried: what it saw, its rating 0..1, and some surface points with their directions to the eye."""

    view: DepthView
    rating: float
    points: NDArray[np.float64]
    towards: NDArray[np.float64]


def middle_of(cloud: Parameters) -> tuple[NDArray[np.float64], float]:
    """Where the cloud is densest and how far it reaches around: median place, and a distance holding 60 %."""
    solid = cloud.logits > 0 if (cloud.logits > 0).sum() > 100 else np.ones(len(cloud), np.bool_)
    places = cloud.positions[solid].astype(np.float64)
    centre = np.median(places, axis=0)
    return centre, max(float(np.percentile(np.linalg.norm(places - centre, axis=1), 60)), 1e-6)


def directions(count: int) -> NDArray[np.float64]:
    """Unit vectors spread evenly over the sphere on a golden spiral, float64 [count, 3]."""
    n = np.arange(count)
    y = 1 - (2 * n + 1) / count
    turn = n * np.pi * (3 - np.sqrt(5))
    flat = np.sqrt(1 - y * y)
    return np.stack([flat * np.cos(turn), y, flat * np.sin(turn)], axis=1)


def candidates(centre: NDArray[np.float64], reach: float) -> list[Camera]:
    """Cameras around the middle that look at it, then cameras within that look out."""
    cameras = [_camera(centre + AWAY * reach * direction, centre) for direction in directions(AROUND)]
    for direction in directions(WITHIN):
        eye = centre - 0.35 * reach * direction
        cameras.append(_camera(eye, eye + direction))
    return cameras


def _camera(eye: NDArray[np.float64], target: NDArray[np.float64], fov_deg: float = FOV_DEG) -> Camera:
    x, y, z = (float(v) for v in eye)
    a, b, c = (float(v) for v in target)
    return looking_at((x, y, z), (a, b, c), fov_y_deg=fov_deg, width=TRIAL_PX, height=TRIAL_PX)


def on_one_side(centre: NDArray[np.float64], seen_from: NDArray[np.float64], distance: float) -> list[Camera]:
    """Cameras where those of photographs may have stood: about `distance` from the middle, and on the side where their
    mean place is; empty when that says that they stood all around.

    Of places spread evenly over a cap of a sphere the mean lies (1 + cos α) / 2 radii from its middle.
    """
    axis = seen_from - centre
    away = float(np.linalg.norm(axis))
    cosine = min(2 * away / distance - 1, NARROWEST)
    if cosine < WIDEST:
        return []
    axis /= away
    side = np.cross(axis, np.eye(3)[int(np.abs(axis).argmin())])
    side /= np.linalg.norm(side)
    n = np.arange(CAPTURED)
    along = 1 - (1 - cosine) * (n + 0.5) / CAPTURED
    flat, turn = np.sqrt(1 - along * along), n * np.pi * (3 - np.sqrt(5))
    rays = along[:, None] * axis + (flat * np.cos(turn))[:, None] * side
    rays += (flat * np.sin(turn))[:, None] * np.cross(axis, side)
    return [_camera(centre + CLOSER[k % 2] * distance * ray, centre, CAPTURED_FOV_DEG) for k, ray in enumerate(rays)]


def back_projected(view: DepthView, stride: int = 1) -> NDArray[np.float64]:
    """The surface points of every `stride`-th pixel of both directions, float64 [P, 3]."""
    camera, depth = view.camera, view.depth[::stride, ::stride].astype(np.float64)
    rows, columns = np.nonzero(depth)
    z = depth[rows, columns]
    seen = np.stack(
        [
            (columns * stride + 0.5 - camera.cx) / camera.fx * z,
            (rows * stride + 0.5 - camera.cy) / camera.fy * z,
            z,
        ],
        axis=1,
    )
    return np.asarray((seen - camera.camera_from_world[:3, 3]) @ camera.camera_from_world[:3, :3])


def chosen(cloud: Parameters, render: Render, count: int, check: Check = lambda: None) -> list[Camera]:
    """Up to `count` good cameras, of `TRIAL_PX` a side, well spread; empty when the cloud shows no surface at all."""
    return chosen_around(*middle_of(cloud), render, count, check)


def chosen_around(
    centre: NDArray[np.float64], reach: float, render: Render, count: int, check: Check = lambda: None
) -> list[Camera]:
    """As `chosen`, for anything that can be looked at and reaches about so far around a middle, in metres."""
    around: list[Trial] = []
    within: list[Trial] = []
    for number, camera in enumerate(candidates(centre, reach)):
        check()
        trial = tried(render(camera), AWAY * reach if number < AROUND else 0.35 * reach)
        if trial is not None:
            (around if number < AROUND else within).append(trial)
    around.sort(key=lambda trial: -trial.rating)
    within.sort(key=lambda trial: -trial.rating)
    whole = len(around) >= WHOLE * AROUND
    trials = around if whole else sorted(around + within, key=lambda trial: -trial.rating)
    return _agreed(trials, count, check, whole=whole)


def chosen_of(
    cameras: Sequence[Camera], centre: NDArray[np.float64], render: Render, count: int, check: Check = lambda: None
) -> list[Camera]:
    """Up to `count` good ones of cameras that stand on one side of a middle, well spread."""
    trials: list[Trial] = []
    for camera in cameras:
        check()
        trial = tried(render(camera), float(np.linalg.norm(camera.position - centre)))
        if trial is not None:
            trials.append(trial)
    return _agreed(sorted(trials, key=lambda trial: -trial.rating), count, check, whole=False)


def _agreed(trials: Sequence[Trial], count: int, check: Check, *, whole: bool) -> list[Camera]:
    """Up to `count` cameras of trials, the best first, of which none sees from behind what better ones see."""
    agreeing: list[Trial] = []
    for trial in trials:
        check()
        if not _reversed(trial, agreeing, whole=whole):
            agreeing.append(trial)
    return [agreeing[n].view.camera for n in _spread(agreeing, count)]


def tried(view: DepthView, distance: float) -> Trial | None:
    """The viewpoint with its rating; None when it stands in fog or sees nothing."""
    covered = view.coverage > 0.5
    clear = view.depth > 0
    if covered.mean() < 0.02 or not clear.any():
        return None
    share = float(clear.sum() / covered.sum())
    blocked = float((view.depth[clear] < NEAR * distance).mean())
    if share < CLEAR_MIN or blocked > BLOCKED_MAX:
        return None
    points = back_projected(view)
    points = points[:: max(1, len(points) // TRIAL_POINTS)]
    towards = view.camera.position - points
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    return Trial(view, share * (1 - blocked), points, towards)


def _reversed(trial: Trial, others: Sequence[Trial], *, whole: bool) -> bool:
    """Whether the trial sees from behind what better ones see from the front; of a whole thing, what one of them does.

    Its outline is seen at a glance from opposite sides, which is no fault.
    """
    behind = np.zeros(len(trial.points), np.bool_)
    for other in others:
        camera = other.view.camera
        seen = trial.points @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v = camera.fx * seen[:, 0] / seen[:, 2] + camera.cx, camera.fy * seen[:, 1] / seen[:, 2] + camera.cy
        inside = (seen[:, 2] > 0) & (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
        depth = np.zeros(len(seen))
        depth[inside] = other.view.depth[v[inside].astype(int), u[inside].astype(int)]
        common = (depth > 0) & (np.abs(seen[:, 2] - depth) < SAME * depth)
        eye = camera.position - trial.points
        eye /= np.linalg.norm(eye, axis=1, keepdims=True)
        opposed = common & (np.einsum("pc,pc->p", eye, trial.towards) < (FACING if whole else OPPOSED))
        behind = opposed if whole else behind | opposed
        if behind.sum() > REVERSED_MAX * len(behind):
            return True
    return False


def _spread(trials: Sequence[Trial], count: int) -> list[int]:
    """Numbers of `count` trials, the best first, then always the one farthest from all taken so far."""
    if len(trials) <= count:
        return list(range(len(trials)))
    eyes = np.array([np.concatenate([t.view.camera.position, t.view.camera.forward]) for t in trials])
    scale = max(float(np.linalg.norm(eyes[:, :3] - eyes[:, :3].mean(0), axis=1).mean()), 1e-9)
    eyes[:, :3] /= scale
    taken = [0]
    distance = np.linalg.norm(eyes - eyes[0], axis=1)
    while len(taken) < count:
        taken.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(eyes - eyes[taken[-1]], axis=1))
    return sorted(taken)


def extent_of(views: Sequence[DepthView], keep: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A box that holds `keep` of what the views see along each axis, a little grown: low and high, float64 [3]."""
    points = np.concatenate([back_projected(view, 3) for view in views])
    cut = (1 - keep) / 2 * 100
    low, high = np.percentile(points, (cut, 100 - cut), axis=0)
    margin = 0.03 * (high - low).max()
    return low - margin, high + margin
