from dataclasses import replace

import numpy as np
import pytest

from engines import transforms as tf
from engines.assets import Image
from engines.asymmetric import (
    ARMS,
    asymmetric_image,
    asymmetric_material,
    asymmetric_mesh,
    asymmetric_splats,
    findings,
)
from engines.conventions import Axes, Host
from engines.hosts import HOSTS
from engines.kinds import MapName

HOST_ROWS = pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))


def test_the_letter_itself_is_the_right_way_round() -> None:
    for asset in (asymmetric_mesh(), asymmetric_splats(), asymmetric_material(), asymmetric_image()):
        assert findings(asset) == []


def test_the_arms_differ_in_colour_direction_and_length() -> None:
    assert len({arm.length_m for arm in ARMS}) == len({arm.direction for arm in ARMS}) == 3
    assert [int(np.argmax(arm.linear)) for arm in ARMS] == [0, 1, 2]


def test_the_same_letter_every_time() -> None:
    first, second = asymmetric_splats(), asymmetric_splats()
    np.testing.assert_array_equal(first.sh, second.sh)
    np.testing.assert_array_equal(asymmetric_mesh().positions, asymmetric_mesh().positions)


WRONG_TURNS = (
    Axes("left", "up", "back"),
    Axes("right", "down", "back"),
    Axes("right", "up", "forward"),
    Axes("right", "back", "up"),
    Axes("up", "right", "back"),
    Axes("right", "down", "forward"),
)


@pytest.mark.parametrize("axes", WRONG_TURNS, ids=lambda a: f"{a.x}-{a.y}-{a.z}")
def test_every_wrong_turn_is_found(axes: Axes) -> None:
    turned = tf.Frame(axes)
    assert findings(tf.move_mesh(asymmetric_mesh(), turned))
    assert findings(tf.move_splats(asymmetric_splats(), turned))


def test_every_wrong_surface_is_found() -> None:
    mesh = asymmetric_mesh()
    assert mesh.uvs is not None and mesh.normals is not None
    assert "the triangles face inwards" in findings(replace(mesh, faces=tf.flip_winding(mesh.faces)))
    assert findings(replace(mesh, normals=-mesh.normals)) == ["normals and winding disagree"]
    assert len(findings(replace(mesh, uvs=tf.flip_v(mesh.uvs)))) == 4
    assert findings(replace(mesh, normals=None, uvs=None)) == ["the normals are missing", "the uvs are missing"]
    assert findings(replace(mesh, colours=None))[0] == "the red arm is missing"


def test_every_wrong_picture_is_found() -> None:
    image = asymmetric_image()
    for turned in (image.pixels[::-1], image.pixels[:, ::-1], image.pixels[..., ::-1], np.rot90(image.pixels)):
        assert findings(Image(np.ascontiguousarray(turned)))


@pytest.mark.parametrize(("channel", "sentence"), [(1, "upper"), (0, "right")])
def test_a_flipped_normal_map_is_found(channel: int, sentence: str) -> None:
    material = asymmetric_material()
    normal = material.maps[MapName.NORMAL]
    pixels = normal.pixels.copy()
    pixels[..., channel] = 255 - pixels[..., channel]
    flipped = replace(material, maps={**material.maps, MapName.NORMAL: replace(normal, pixels=pixels)})
    assert findings(flipped) == [f"the bump's {sentence} half does not lean that way"]


def test_the_bumps_upper_half_is_lit_from_above_and_agrees_with_its_height() -> None:
    material = asymmetric_material(256)
    normal = material.maps[MapName.NORMAL].pixels.astype(np.float64) / 255 * 2 - 1
    height = material.maps[MapName.HEIGHT].pixels[..., 0].astype(np.float64) / 255 * material.height_m
    pixel_m = material.tile_m / 256
    down, right = np.gradient(height, pixel_m)
    slow = np.stack([-right, down, np.ones_like(right)], -1)
    slow /= np.linalg.norm(slow, axis=-1, keepdims=True)
    assert np.abs(slow - normal).max() < 0.15  # 8-bit heights are coarse steps
    assert np.abs(slow - normal).mean() < 0.01


@HOST_ROWS
def test_the_mesh_goes_through_every_host(host: Host) -> None:
    frame = tf.frame_of(host)
    there = tf.move_mesh(asymmetric_mesh(), frame)
    assert findings(tf.move_mesh(there, tf.NEUTRAL, frame)) == []
    red, green, blue = (int(np.argmax(np.abs(tf.host_from_neutral(host)[:, axis]))) for axis in range(3))
    reach = np.abs(there.positions).max(axis=0) * host.unit_m
    np.testing.assert_allclose(reach[[red, green, blue]], [0.6, 1.0, 0.4], atol=1e-6)


@HOST_ROWS
def test_the_splats_go_through_every_host(host: Host) -> None:
    frame = tf.frame_of(host)
    there = tf.move_splats(asymmetric_splats(), frame)
    back = tf.move_splats(there, tf.NEUTRAL, frame)
    assert findings(back) == []
    np.testing.assert_allclose(back.sh, asymmetric_splats().sh, atol=1e-6)
    np.testing.assert_array_equal(back.rotations, asymmetric_splats().rotations)
