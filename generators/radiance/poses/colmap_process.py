"""`python -m generators.radiance.poses.colmap_process FOLDER`: find poses, tell the progress, leave an answer.

A process of its own because COLMAP can neither be interrupted nor be trusted with another's signals: whoever started
it ends it, and it ends by itself when its standard input closes.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.poses import pairs, talk
from generators.radiance.poses.mapping import FEWER_INLIERS, lonely, mapped, placed, placed_count, write_points
from generators.radiance.poses.talk import Answer, Order, Said
from generators.radiance.poses.turning import only_turned

Say = Callable[[Said], None]
FURTHER_PAIRS = 1500
"""So many more are compared for photographs that the first map left out."""


@dataclass(frozen=True, eq=False)
class Features:
    """Of one view: keypoints float32 [N, 4] (x, y, size, angle) and descriptors uint8 [N, 128]."""

    keypoints: FloatArray
    descriptors: NDArray[np.uint8]


def main(folder: Path) -> None:
    """Do the order that lies in `folder`."""
    threading.Thread(target=_end_with_parent, name="lifeline", daemon=True).start()
    order = msgspec.json.decode((folder / talk.ORDER).read_bytes(), type=Order)
    lock = threading.Lock()
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what COLMAP prints is no line of ours

    def say(said: Said) -> None:
        with lock:
            out.write(msgspec.json.encode(said) + b"\n")

    talk.write(solve(order, folder, say), folder / talk.ANSWER)


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(4)


def solve(order: Order, folder: Path, say: Say) -> Answer:
    """Features, pairs, matches, map; the points of the largest group are written beside the order."""
    import pycolmap

    pycolmap.logging.minloglevel = 2
    pycolmap.set_random_seed(order.seed)
    secs: dict[str, float] = {}
    with ThreadPoolExecutor(max(1, order.threads)) as pool:
        started = time.monotonic()
        features = found_features(order, folder, pool, say)
        secs["features"], started = time.monotonic() - started, time.monotonic()
        shared, wanted = candidates(order, features, pool, say)
        secs["pairs"], started = time.monotonic() - started, time.monotonic()
        database = pycolmap.Database.open(folder / "colmap.db")
        views_into(database, order, features)
        verified, turned = match(order, database, features, wanted, pool, say)
        secs["matching"], started = time.monotonic() - started, time.monotonic()
        maps = [] if turned else mapped(order, database, folder, say)
        secs["mapping"], started = time.monotonic() - started, time.monotonic()
        left_out = [] if turned else lonely(order, maps)
        if left_out:
            further = pairs.further_pairs(shared, wanted, left_out, FURTHER_PAIRS)
            more, _ = match(order, database, features, further, pool, say)
            verified = [one + other for one, other in zip(verified, more, strict=True)]
            secs["matching"], started = secs["matching"] + time.monotonic() - started, time.monotonic()
            if any(verified[index] for index in left_out):
                again = mapped(order, database, folder, say, inliers=FEWER_INLIERS)
                maps = again if placed_count(again) > placed_count(maps) else maps
            secs["mapping"] += time.monotonic() - started
    database.close()
    if maps:
        write_points(order, maps[0], folder)
    return Answer(
        groups=tuple(placed(order, one) for one in maps),
        features=tuple(len(one.keypoints) for one in features),
        matched=tuple(verified),
        turned=turned,
        secs=secs,
        version=str(pycolmap.__version__),
    )


# -- features ------------------------------------------------------------------------------------------------------


def found_features(order: Order, folder: Path, pool: ThreadPoolExecutor, say: Say) -> list[Features]:
    """SIFT of every view, those under a mask left out."""
    result: list[Features] = []
    for features in pool.map(lambda view: _features(order, view, folder), order.views):
        result.append(features)
        say(Said("features", len(result), len(order.views), len(features.keypoints)))
    return result


def _features(order: Order, view: talk.View, folder: Path) -> Features:
    import pycolmap

    options = pycolmap.FeatureExtractionOptions()
    options.num_threads = 1
    options.use_gpu = False
    options.sift.max_num_features = order.features_max
    pixels = np.load(folder / view.pixels)
    grey = (pixels @ np.array([0.299, 0.587, 0.114], np.float32) + 0.5).astype(np.uint8)
    found, descriptors = pycolmap.FeatureExtractor.create(options, pycolmap.Device.cpu).extract_from_uint8_array(grey)
    keypoints = np.asarray(pycolmap.keypoints_to_matrix(found), np.float32).reshape(-1, 4)
    data = np.asarray(descriptors.data, np.uint8)
    if view.mask:
        mask = np.load(folder / view.mask)
        at = np.minimum(keypoints[:, :2].astype(int), np.array(mask.shape[::-1]) - 1)
        keep = mask[at[:, 1], at[:, 0]]
        keypoints, data = keypoints[keep], data[keep]
    return Features(keypoints, data)


# -- pairs ---------------------------------------------------------------------------------------------------------


def candidates(
    order: Order, features: Sequence[Features], pool: ThreadPoolExecutor, say: Say
) -> tuple[NDArray[np.int32], list[tuple[int, int]]]:
    """How much every two photographs share at a glance, and the pairs that will be compared in full."""
    count = pairs.FEW_FEATURES if len(features) > pairs.MANY else pairs.PREVIEW_FEATURES
    previews = [pairs.preview(one.descriptors, one.keypoints[:, 2], count) for one in features]

    def each(work: Callable[[int], None], total: int) -> None:
        for done, _ in enumerate(pool.map(work, range(total))):
            say(Said("pairs", done + 1, total))

    shared = pairs.shared_counts(previews, each)
    least = pairs.SHARED_LEAST[count]
    chosen = pairs.chosen_pairs(shared, partners_max=order.partners_max, least=least, ordered=order.ordered)
    return shared + shared.T, chosen


def views_into(database: Any, order: Order, features: Sequence[Features]) -> None:
    """Cameras, views and features as COLMAP keeps them; everything is numbered from 1."""
    import pycolmap

    with pycolmap.DatabaseTransaction(database):
        for number, lens in enumerate(order.cameras, 1):
            camera = pycolmap.Camera.create_from_model_name(number, lens.model, lens.focal_px, lens.width, lens.height)
            camera.has_prior_focal_length = lens.known_focal
            database.write_camera(camera, use_camera_id=True)
            rig = pycolmap.Rig(rig_id=number)
            rig.add_ref_sensor(pycolmap.sensor_t(pycolmap.SensorType.CAMERA, number))
            database.write_rig(rig, use_rig_id=True)
        for number, (view, found) in enumerate(zip(order.views, features, strict=True), 1):
            camera_id = view.camera + 1
            image = pycolmap.Image(name=f"{number:06}", camera_id=camera_id, image_id=number)
            database.write_image(image, use_image_id=True)
            frame = pycolmap.Frame(frame_id=number, rig_id=camera_id)
            sensor = pycolmap.sensor_t(pycolmap.SensorType.CAMERA, camera_id)
            frame.add_data_id(pycolmap.data_t(sensor, number))
            database.write_frame(frame, use_frame_id=True)
            database.write_keypoints(number, np.ascontiguousarray(found.keypoints))


# -- matches -------------------------------------------------------------------------------------------------------


def match(
    order: Order,
    database: Any,
    features: Sequence[Features],
    wanted: Sequence[tuple[int, int]],
    pool: ThreadPoolExecutor,
    say: Say,
) -> tuple[list[int], bool]:
    """Compare and verify every wanted pair; partners of each view, and whether the camera merely turned.

    Descriptors are made floats once for each view and forgotten when its last pair is done.
    """
    import pycolmap

    cameras = {camera.camera_id: camera for camera in database.read_all_cameras()}
    units = _Units(features, wanted)
    points = [one.keypoints[:, :2].astype(np.float64) for one in features]

    def one(pair: tuple[int, int]) -> tuple[Any, Any]:
        options = pycolmap.TwoViewGeometryOptions()
        options.ransac.random_seed = order.seed
        options.ransac.num_threads = 1
        matches = pairs.matched(units.of(pair[0]), units.of(pair[1]))
        units.done(pair)
        if len(matches) < options.min_num_inliers:
            return matches, None
        ends = [(cameras[order.views[index].camera + 1], points[index]) for index in pair]
        return matches, pycolmap.estimate_two_view_geometry(*ends[0], *ends[1], matches, options)

    good = 0
    flat: dict[int, list[Any]] = {}
    partners = [0] * len(features)
    for done, (pair, (matches, geometry)) in enumerate(zip(wanted, pool.map(one, wanted), strict=True), 1):
        if geometry is not None and len(geometry.inlier_matches) >= 15:
            good += 1
            one_lens = order.views[pair[0]].camera == order.views[pair[1]].camera
            if one_lens and geometry.H is not None:
                flat.setdefault(order.views[pair[0]].camera, []).append(np.asarray(geometry.H))
            for index in pair:
                partners[index] += 1
            database.write_matches(pair[0] + 1, pair[1] + 1, matches)
            database.write_two_view_geometry(pair[0] + 1, pair[1] + 1, geometry)
        say(Said("matching", done, len(wanted), good))
    turned = any(
        only_turned(found, good, order.cameras[number].width, order.cameras[number].height)
        for number, found in flat.items()
    )
    return partners, turned


class _Units:
    """Descriptors as floats while somebody needs them."""

    def __init__(self, features: Sequence[Features], wanted: Sequence[tuple[int, int]]) -> None:
        self._features = features
        self._uses = [0] * len(features)
        for pair in wanted:
            for index in pair:
                self._uses[index] += 1
        self._made: dict[int, FloatArray] = {}
        self._lock = threading.Lock()

    def of(self, index: int) -> FloatArray:
        with self._lock:
            if index not in self._made:
                self._made[index] = pairs.unit(self._features[index].descriptors)
            return self._made[index]

    def done(self, pair: tuple[int, int]) -> None:
        with self._lock:
            for index in pair:
                self._uses[index] -= 1
                if not self._uses[index]:
                    self._made.pop(index, None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
