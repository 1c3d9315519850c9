import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from engines import transforms as tf
from engines.assets import Mesh, Splats
from engines.conventions import Axes, Direction, Host
from engines.errors import UnsuitableAsset
from engines.spherical_harmonics import evaluate

PAIRS: tuple[tuple[Direction, Direction], ...] = (("right", "left"), ("up", "down"), ("back", "forward"))
ALL_AXES = [
    Axes(*(pair[side] for pair, side in zip(order, sides, strict=True)))
    for order in itertools.permutations(PAIRS)
    for sides in itertools.product((0, 1), repeat=3)
]


def host(axes: Axes, **row: object) -> Host:
    fields = {
        "name": "test", "title": "Test", "axes": axes, "handed": tf.handedness(axes), "unit_m": 1.0, "front": "ccw",
        "normal_y": 1, "uv_origin": "bottom_left", "formats": {}, "plain_maps": (),
    }  # fmt: skip
    return Host(**{**fields, **row})  # type: ignore[arg-type]


def in_words(vector: NDArray[np.float64], axes: Axes) -> dict[str, float]:
    """The slow twin: a vector said in words, with positive amounts only."""
    opposite = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
    said: dict[str, float] = {}
    for amount, word in zip(vector, (axes.x, axes.y, axes.z), strict=True):
        if amount:
            said[word if amount > 0 else opposite[word]] = abs(float(amount))
    return said


@pytest.mark.parametrize("axes", ALL_AXES, ids=lambda a: f"{a.x}-{a.y}-{a.z}")
def test_every_vector_means_the_same_words_in_every_host(axes: Axes) -> None:
    rng = np.random.default_rng(0)
    matrix = tf.host_from_neutral(host(axes))
    for vector in rng.normal(size=(20, 3)):
        assert in_words(tf.directions(matrix, vector), axes) == in_words(vector, tf.NEUTRAL_AXES)


@pytest.mark.parametrize("axes", ALL_AXES, ids=lambda a: f"{a.x}-{a.y}-{a.z}")
def test_the_inverse_is_the_transpose_and_the_sign_is_the_handedness(axes: Axes) -> None:
    matrix = tf.host_from_neutral(host(axes))
    back = tf.target_from_source_axes(tf.NEUTRAL_AXES, axes)
    np.testing.assert_array_equal(matrix.T, back)
    np.testing.assert_array_equal(matrix @ back, np.eye(3))
    assert np.linalg.det(matrix) == (1 if tf.handedness(axes) == "right" else -1)


def test_transforms_compose() -> None:
    for a, b, c in zip(ALL_AXES, ALL_AXES[7:], ALL_AXES[19:], strict=False):
        through = tf.target_from_source_axes(c, b) @ tf.target_from_source_axes(b, a)
        np.testing.assert_array_equal(through, tf.target_from_source_axes(c, a))


def test_known_hosts_by_hand() -> None:
    blender, unity = Axes("right", "forward", "up"), Axes("right", "up", "forward")
    unreal = Axes("forward", "right", "up")
    point = np.array([1.0, 2.0, 3.0])
    assert tf.directions(tf.host_from_neutral(host(blender)), point).tolist() == [1, -3, 2]
    assert tf.directions(tf.host_from_neutral(host(unity)), point).tolist() == [1, 2, -3]
    assert tf.directions(tf.host_from_neutral(host(unreal)), point).tolist() == [-3, 1, 2]
    assert [tf.handedness(a) for a in (blender, unity, unreal)] == ["right", "left", "left"]


def test_directions_are_exact_and_keep_their_dtype() -> None:
    vectors = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    for axes in ALL_AXES:
        matrix = tf.host_from_neutral(host(axes))
        got = tf.directions(matrix, vectors)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, vectors @ matrix.T.astype(np.float32))
        np.testing.assert_array_equal(tf.directions(matrix.T, got), vectors)


def random_quaternions(count: int) -> NDArray[np.float64]:
    q = np.random.default_rng(1).normal(size=(count, 4))
    return np.asarray(q / np.linalg.norm(q, axis=1, keepdims=True))


@pytest.mark.parametrize("axes", ALL_AXES[::5], ids=lambda a: f"{a.x}-{a.y}-{a.z}")
def test_rotations_are_conjugated_and_gaussians_keep_their_shape(axes: Axes) -> None:
    matrix = tf.host_from_neutral(host(axes))
    q = random_quaternions(30)
    sizes = np.random.default_rng(2).uniform(0.1, 2, (30, 3))
    turned = tf.rotation_matrices(tf.quaternions(matrix, q))
    np.testing.assert_allclose(turned, matrix @ tf.rotation_matrices(q) @ matrix.T, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turned), 1, atol=1e-12)
    before = [r @ np.diag(s**2) @ r.T for r, s in zip(tf.rotation_matrices(q), sizes, strict=True)]
    after = [r @ np.diag(s**2) @ r.T for r, s in zip(turned, tf.extents(matrix, sizes), strict=True)]
    np.testing.assert_allclose(after, [matrix @ c @ matrix.T for c in before], atol=1e-12)


def test_the_bitangent_follows_the_handedness() -> None:
    normal, tangent = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0, -1.0])
    bitangent = np.cross(normal, tangent[:3]) * tangent[3]
    for axes in ALL_AXES:
        matrix = tf.host_from_neutral(host(axes))
        moved = tf.tangents(matrix, tangent)
        expected = tf.directions(matrix, bitangent)
        got = np.cross(tf.directions(matrix, normal), moved[:3]) * moved[3]
        np.testing.assert_array_equal(got, expected)


def test_object_poses_move_vertices_to_the_same_place() -> None:
    pose = np.eye(4)
    pose[:3, :3] = tf.rotation_matrices(random_quaternions(1))[0] * 1.7
    pose[:3, 3] = 1, -2, 3
    point = np.array([0.3, 0.5, -0.7])
    world = pose[:3, :3] @ point + pose[:3, 3]
    for axes in ALL_AXES:
        matrix = tf.host_from_neutral(host(axes))
        moved = tf.object_pose(matrix, pose, scale=100.0)
        local = tf.positions(matrix, point, scale=100.0)
        np.testing.assert_allclose(
            moved[:3, :3] @ local + moved[:3, 3], tf.positions(matrix, world, scale=100.0), atol=1e-9
        )


@pytest.mark.parametrize("camera", ALL_AXES[::7], ids=lambda a: f"{a.x}-{a.y}-{a.z}")
def test_cameras_still_see_what_they_saw(camera: Axes) -> None:
    pose = np.eye(4)
    pose[:3, :3] = tf.rotation_matrices(random_quaternions(1))[0]
    pose[:3, 3] = 4, 5, 6
    point = np.array([0.3, 0.5, -0.7])
    seen = in_words(np.round(pose[:3, :3].T @ (point - pose[:3, 3]), 9), tf.NEUTRAL_AXES)
    for axes in ALL_AXES[::3]:
        matrix = tf.host_from_neutral(host(axes))
        moved = tf.camera_pose(matrix, pose, camera=camera)
        local = moved[:3, :3].T @ (tf.positions(matrix, point) - moved[:3, 3])
        assert in_words(np.round(local, 9), camera) == seen


def sample_mesh() -> Mesh:
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(4, 3))
    return Mesh(
        positions=rng.normal(size=(4, 3)).astype(np.float32),
        faces=np.array([[0, 1, 2], [0, 2, 3]], np.uint32),
        normals=(normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32),
        uvs=np.array([[0, 0], [0.25, 0], [1, 0.5], [0, 1]], np.float32),
    )


def sample_splats(count: int = 40) -> Splats:
    rng = np.random.default_rng(0)
    return Splats(
        positions=rng.normal(size=(count, 3)).astype(np.float32),
        rotations=random_quaternions(count).astype(np.float32),
        scales=rng.uniform(0.01, 0.2, (count, 3)).astype(np.float32),
        opacities=rng.uniform(0, 1, count).astype(np.float32),
        sh=rng.normal(size=(count, 16, 3)).astype(np.float32),
    )


@pytest.mark.parametrize("axes", ALL_AXES[::5], ids=lambda a: f"{a.x}-{a.y}-{a.z}")
def test_a_mesh_goes_there_and_back(axes: Axes) -> None:
    mesh = sample_mesh()
    frame = tf.frame_of(host(axes, unit_m=0.25, front="cw", uv_origin="top_left"))
    there = tf.move_mesh(mesh, frame)
    back = tf.move_mesh(there, tf.NEUTRAL, frame)
    for name in ("positions", "faces", "normals", "uvs"):
        np.testing.assert_array_equal(getattr(back, name), getattr(mesh, name))
    assert there.uvs is not None and there.uvs[1].tolist() == [0.25, 1.0]
    assert there.faces.tolist() == [[0, 2, 1], [0, 3, 2]]
    lengths = np.linalg.norm(there.positions, axis=1) / np.linalg.norm(mesh.positions, axis=1)
    np.testing.assert_allclose(lengths, 4, rtol=1e-6)


@pytest.mark.parametrize("axes", ALL_AXES[::5], ids=lambda a: f"{a.x}-{a.y}-{a.z}")
def test_splats_go_there_and_back_and_look_the_same(axes: Axes) -> None:
    splats = sample_splats()
    frame = tf.frame_of(host(axes, unit_m=0.01))
    there = tf.move_splats(splats, frame)
    back = tf.move_splats(there, tf.NEUTRAL, frame)
    np.testing.assert_array_equal(back.rotations, splats.rotations)
    np.testing.assert_allclose(back.positions, splats.positions, rtol=1e-6)
    np.testing.assert_allclose(back.sh, splats.sh, atol=3e-6)
    eye = np.array([[0.0, 0.0, 1.0]] * len(splats.positions))
    matrix = tf.host_from_neutral(host(axes))
    np.testing.assert_allclose(evaluate(there.sh, eye @ matrix.T), evaluate(splats.sh, eye), atol=1e-5)


def test_contradictions_and_nonsense_are_refused() -> None:
    with pytest.raises(ValueError, match="right-handed"):
        tf.frame_of(host(Axes("right", "up", "forward"), handed="right"))
    with pytest.raises(ValueError, match="span"):
        tf.handedness(Axes("right", "left", "up"))
    with pytest.raises(ValueError, match="signed permutation"):
        tf.directions(np.eye(3) * 2, np.zeros(3))
    with pytest.raises(UnsuitableAsset, match=r"1\|4\|9\|16"):
        tf.move_splats(Splats(*(np.zeros(1, np.float32),) * 5), tf.NEUTRAL)
