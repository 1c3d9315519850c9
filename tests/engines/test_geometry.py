from dataclasses import replace

import numpy as np
import pytest

from engines.assets import Mesh
from engines.asymmetric import PLATE_M, asymmetric_mesh, asymmetric_splats
from engines.errors import UnsuitableAsset
from engines.geometry import check_mesh, check_splats, smooth_normals, tangents


def bumpy(count: int = 12) -> Mesh:
    """A wavy sheet with uvs that are mirrored in its left half."""
    u, v = np.meshgrid(np.linspace(0, 1, count), np.linspace(0, 1, count))
    positions = np.stack([u, v, 0.2 * np.sin(5 * u) * np.cos(4 * v)], -1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).reshape(-1)
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + count + 1], 1),
            np.stack([corner, corner + count + 1, corner + count], 1),
        ]
    )
    return Mesh(positions, faces.astype(np.uint32), uvs=np.stack([np.abs(u - 0.5), v], -1).reshape(-1, 2).astype("f4"))


def test_smooth_normals_equal_their_slow_twin() -> None:
    mesh = bumpy()
    sums = np.zeros((len(mesh.positions), 3))
    for a, b, c in mesh.faces.astype(int):
        p, q, r = mesh.positions[[a, b, c]].astype(np.float64)
        for corner in (a, b, c):
            sums[corner] += np.cross(q - p, r - p)
    expected = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    np.testing.assert_allclose(smooth_normals(mesh.positions, mesh.faces), expected, atol=1e-6)


def test_a_vertex_without_area_still_has_a_normal() -> None:
    got = smooth_normals(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.uint32))
    assert got.tolist() == [[0, 0, 1]] * 3


def test_tangents_follow_growing_u_and_bitangents_growing_v() -> None:
    mesh = bumpy()
    normals = smooth_normals(mesh.positions, mesh.faces)
    got = tangents(replace(mesh, normals=normals))
    assert got is not None
    np.testing.assert_allclose(np.linalg.norm(got[:, :3], axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.einsum("vc,vc->v", got[:, :3], normals), 0, atol=1e-6)
    right = mesh.positions[:, 0] > 0.6
    left = mesh.positions[:, 0] < 0.4
    assert (got[right, 0] > 0.5).all() and (got[left, 0] < -0.5).all()
    bitangent = np.cross(normals, got[:, :3]) * got[:, 3:]
    assert (bitangent[right | left, 1] > 0.5).all()
    assert (got[right, 3] == 1).all() and (got[left, 3] == -1).all()


def test_the_plates_tangent_points_right_and_flat_uvs_do_no_harm() -> None:
    mesh = asymmetric_mesh()
    got = tangents(mesh)
    assert got is not None and np.isfinite(got).all()
    plate = np.flatnonzero((mesh.positions[:, 2] == 0) & (mesh.positions[:, 0] == np.float32(PLATE_M[2])))
    np.testing.assert_allclose(got[plate[-1]], [1, 0, 0, 1], atol=1e-6)
    assert mesh.uvs is not None
    flat = tangents(replace(mesh, uvs=np.zeros_like(mesh.uvs)))
    assert flat is not None
    np.testing.assert_allclose(np.linalg.norm(flat[:, :3], axis=1), 1, atol=1e-6)
    assert tangents(replace(mesh, uvs=None)) is None


def test_the_letter_passes_and_broken_ones_are_refused_in_words() -> None:
    check_mesh(asymmetric_mesh())
    check_splats(asymmetric_splats())
    with pytest.raises(UnsuitableAsset, match="colours"):
        check_mesh(replace(asymmetric_mesh(), colours=np.zeros((3, 3), np.float32)))
    with pytest.raises(UnsuitableAsset, match="not finite"):
        check_mesh(replace(asymmetric_mesh(), positions=asymmetric_mesh().positions * np.float32(np.nan)))
    with pytest.raises(UnsuitableAsset, match="opacities"):
        check_splats(replace(asymmetric_splats(), opacities=np.zeros(3, np.float32)))
    with pytest.raises(UnsuitableAsset, match="0 coefficients"):
        check_splats(replace(asymmetric_splats(), sh=np.zeros((1604, 0, 3), np.float32)))
