import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines import glb_container
from engines.assets import Image, Material, Mesh
from engines.asymmetric import asymmetric_material, asymmetric_mesh, findings
from engines.conventions import Host
from engines.errors import DamagedFile, TooLarge, UnsuitableAsset
from engines.formats import glb
from engines.formats.registry import Limits
from engines.hosts import HOSTS
from engines.kinds import ColourSpace, MapName
from tests.engines.glb_files import built

HOST_ROWS = pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))
PYTHON = HOSTS["python"]
LIMITS = Limits()


def mesh_back(path: Path) -> Mesh:
    got = glb.decode(path, LIMITS)
    assert isinstance(got, Mesh)
    return got


def document_of(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    return dict(json.loads(data[20 : 20 + size]))


@HOST_ROWS
def test_the_letter_comes_back_the_right_way_round_from_every_host(host: Host, tmp_path: Path) -> None:
    mesh = asymmetric_mesh()
    assert mesh.material is not None
    [file] = glb.encode(mesh, tmp_path, "f", host=host)
    got = mesh_back(tmp_path / file.file)
    assert findings(got) == [] and got.name == mesh.name
    np.testing.assert_array_equal(got.positions, mesh.positions)
    np.testing.assert_array_equal(got.faces, mesh.faces)
    for field in ("colours", "normals", "uvs"):
        np.testing.assert_allclose(getattr(got, field), getattr(mesh, field), atol=1e-6)
    assert got.material is not None and findings(got.material) == []
    assert (got.material.tile_m, got.material.tileable) == (mesh.material.tile_m, False)
    for name in set(mesh.material.maps) - {MapName.HEIGHT}:
        np.testing.assert_array_equal(got.material.maps[name].pixels, mesh.material.maps[name].pixels, err_msg=name)
        assert got.material.maps[name].colour_space == mesh.material.maps[name].colour_space


def test_the_same_mesh_gives_the_same_bytes_with_its_provenance(tmp_path: Path) -> None:
    for stem in "ab":
        glb.encode(asymmetric_mesh(), tmp_path, stem, host=PYTHON, provenance='{"seed": 7}')
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.glb", "b.glb"]
    document = document_of(tmp_path / "a.glb")
    assert document["asset"]["extras"] == document["nodes"][0]["extras"] == {"scenecast": {"seed": 7}}


@pytest.mark.parametrize("tileable", [True, False])
def test_a_material_alone_is_shown_at_its_true_size(tileable: bool, tmp_path: Path) -> None:
    material = replace(asymmetric_material(), tileable=tileable, tile_m=0.25)
    glb.encode(material, tmp_path, "f", host=PYTHON)
    got = mesh_back(tmp_path / "f.glb")
    assert got.uvs is not None and got.material is not None
    size = np.ptp(got.positions, axis=0)
    np.testing.assert_allclose(size[:2] / np.ptp(got.uvs, axis=0), 0.25)
    np.testing.assert_allclose(size, [1, 1, 0] if tileable else [0.25, 0.25, 0])
    assert findings(got.material) == [] and got.material.tileable == tileable
    wrap = document_of(tmp_path / "f.glb")["samplers"][0]["wrapS"]
    assert wrap == (10497 if tileable else 33071)


def grey(value: float, channels: int = 1) -> Image:
    return Image(np.full((4, 4, channels), value, np.float32), ColourSpace.DATA)


def test_what_a_material_lacks_is_a_factor_not_a_texture(tmp_path: Path) -> None:
    material = Material({MapName.BASE_COLOR: Image(np.full((4, 4, 3), 9, np.uint8))}, ior=1.33)
    glb.encode(material, tmp_path, "f", host=PYTHON)
    entry = document_of(tmp_path / "f.glb")["materials"][0]
    surface = entry["pbrMetallicRoughness"]
    assert surface == {"metallicFactor": 0.0, "roughnessFactor": 0.5, "baseColorTexture": {"index": 0}}
    assert "occlusionTexture" not in entry and "alphaMode" not in entry
    got = mesh_back(tmp_path / "f.glb").material
    assert got is not None and got.ior == 1.33 and set(got.maps) == {MapName.BASE_COLOR}


@pytest.mark.parametrize(("alpha", "mode"), [(1.0, None), (0.5, "BLEND"), (0.0, "MASK")])
def test_opacity_chooses_how_it_is_drawn(alpha: float, mode: str | None, tmp_path: Path) -> None:
    maps = {MapName.BASE_COLOR: Image(np.full((4, 4, 3), 9, np.uint8)), MapName.OPACITY: grey(alpha)}
    glb.encode(Material(maps), tmp_path, "f", host=PYTHON)
    assert document_of(tmp_path / "f.glb")["materials"][0].get("alphaMode") == mode
    got = mesh_back(tmp_path / "f.glb").material
    assert got is not None
    if mode:
        np.testing.assert_allclose(got.maps[MapName.OPACITY].pixels / 255, alpha, atol=0.003)


def test_points_and_large_meshes(tmp_path: Path) -> None:
    points = Mesh(np.ones((3, 3), np.float32), np.zeros((0, 3), np.uint32))
    glb.encode(points, tmp_path, "f", host=PYTHON)
    assert mesh_back(tmp_path / "f.glb").faces.shape == (0, 3)
    many = Mesh(np.random.default_rng(0).normal(size=(70_000, 3)).astype(np.float32),
                np.arange(69_999, dtype=np.uint32).reshape(-1, 3))  # fmt: skip
    glb.encode(many, tmp_path, "f", host=PYTHON)
    np.testing.assert_array_equal(mesh_back(tmp_path / "f.glb").faces, many.faces)
    with pytest.raises(TooLarge, match="70000"):
        glb.decode(tmp_path / "f.glb", Limits(max_elements=1000))
    with pytest.raises(TooLarge, match="bytes"):
        glb.decode(tmp_path / "f.glb", Limits(max_file_bytes=1000))


@pytest.mark.parametrize(("change", "words"), [
    ({"positions": np.zeros((0, 3), np.float32), "faces": np.zeros((0, 3), np.uint32), "normals": None, "uvs": None,
      "colours": None}, "no vertices"),
    ({"faces": np.array([[0, 1, 999]], np.uint32)}, "beyond"),
    ({"uvs": np.zeros((1, 2), np.float32)}, "uvs"),
    ({"normals": np.full((84, 3), np.inf, np.float32)}, "finite|shape"),
    ({"faces": np.zeros((1, 4), np.uint32)}, "faces"),
], ids=["empty", "index", "uvs", "normals", "quads"])  # fmt: skip
def test_what_breaks_the_neutral_form_is_not_written(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UnsuitableAsset, match=words):
        glb.encode(replace(asymmetric_mesh(), **change), tmp_path, "f", host=PYTHON)


TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)


def read(data: bytes, tmp_path: Path) -> Mesh:
    (tmp_path / "f.glb").write_bytes(data)
    return mesh_back(tmp_path / "f.glb")


def test_node_transforms_are_applied_and_mirrors_keep_their_front(tmp_path: Path) -> None:
    normals = np.tile(np.array([[0, 0, 1]], np.float32), (3, 1))
    data = built({
        "nodes": [
            {"children": [1, 2], "translation": [10, 0, 0], "rotation": [0, 0, 2**-0.5, 2**-0.5]},
            {"mesh": 0, "scale": [2, 3, 4]},
            {"mesh": 0, "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 5, 1]},
        ],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "NORMAL": 1}}]}],
    }, TRIANGLE, normals)  # fmt: skip
    got = read(data, tmp_path)
    expected = [[10, 0, 0], [10, 2, 0], [7, 0, 0], [10, 0, 5], [10, -1, 5], [9, 0, 5]]
    np.testing.assert_allclose(got.positions, expected, atol=1e-5)
    assert got.faces.tolist() == [[0, 1, 2], [3, 5, 4]]
    assert got.normals is not None
    p = got.positions[got.faces]
    outward = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    assert (np.einsum("fc,fc->f", outward, got.normals[got.faces[:, 0]]) > 0).all()
    np.testing.assert_allclose(got.normals[:, 2], 1, atol=1e-6)


def test_normals_lean_as_the_inverse_transpose_says(tmp_path: Path) -> None:
    slanted = np.tile(np.array([[2**-0.5, 0, 2**-0.5]], np.float32), (3, 1))
    for scale in ([2, 1, 1], [-2, 1, 1]):
        primitive = {"attributes": {"POSITION": 0, "NORMAL": 1}}
        document = {"nodes": [{"mesh": 0, "scale": scale}], "meshes": [{"primitives": [primitive]}]}
        data = built(document, TRIANGLE, slanted)
        expected = np.linalg.inv(np.diag(scale)).T @ slanted[0]
        normals = read(data, tmp_path).normals
        assert normals is not None
        np.testing.assert_allclose(normals[0], expected / np.linalg.norm(expected), atol=1e-6)


@pytest.mark.parametrize(("mode", "faces"), [
    (4, [[0, 1, 2]]), (5, [[0, 1, 2], [2, 1, 3]]), (6, [[0, 1, 2], [0, 2, 3]]), (0, []),
])  # fmt: skip
def test_strips_and_fans(mode: int, faces: list[list[int]], tmp_path: Path) -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], np.float32)
    data = built({"nodes": [{"mesh": 0}], "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "mode": mode}]}]},
                 square)  # fmt: skip
    assert read(data, tmp_path).faces.tolist() == faces


def test_quantised_and_sparse_accessors(tmp_path: Path) -> None:
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    where, what = np.array([[2]], np.uint16), np.array([[0, 5, 0]], np.float32)
    document = {"nodes": [{"mesh": 0}], "extensionsRequired": ["KHR_mesh_quantization"],
                "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 1}}]}]}  # fmt: skip
    data = built(document, TRIANGLE, colours, where, what)
    (tmp_path / "f.glb").write_bytes(data)
    full = document_of(tmp_path / "f.glb")
    full["accessors"][0]["sparse"] = {"count": 1, "indices": {"bufferView": 2, "componentType": 5123},
                                      "values": {"bufferView": 3}}  # fmt: skip
    full["accessors"][1]["normalized"] = True
    binary = data[28 + struct.unpack_from("<I", data, 12)[0] :]
    got = read(glb_container.packed(full, binary), tmp_path)
    assert got.positions.tolist() == [[0, 0, 0], [1, 0, 0], [0, 5, 0]]
    assert got.colours is not None and got.colours.tolist() == np.eye(3).tolist()


def test_several_materials_leave_their_colours(tmp_path: Path) -> None:
    document = {"nodes": [{"mesh": 0}], "meshes": [{"primitives": [
        {"attributes": {"POSITION": 0}, "material": 0}, {"attributes": {"POSITION": 0}, "material": 1}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorFactor": [1, 0.5, 0.25, 1]}}, {}]}  # fmt: skip
    got = read(built(document, TRIANGLE), tmp_path)
    assert got.material is None and got.colours is not None
    assert got.colours.tolist() == [[1, 0.5, 0.25]] * 3 + [[1, 1, 1]] * 3


ONE = {"nodes": [{"mesh": 0}], "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}]}


@pytest.mark.parametrize(("document", "words"), [
    ({}, "nodes"),
    ({"nodes": [{}]}, "no triangles"),
    ({**ONE, "buffers": [{"uri": "file:///etc/passwd", "byteLength": 36}]}, "outside the file"),
    ({**ONE, "extensionsRequired": ["KHR_draco_mesh_compression"]}, "KHR_draco"),
    ({**ONE, "nodes": [{"mesh": 0, "children": [0]}]}, "twice"),
    ({**ONE, "nodes": [{"mesh": 7}]}, "does not exist"),
    ({**ONE, "nodes": [{"mesh": 0, "scale": [1e39, 1e300, 1e300]}]}, "finite"),
    ({**ONE, "nodes": [{"mesh": 0, "rotation": "xyzw"}]}, "claims"),
    ({**ONE, "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}]}, "beyond"),
    ({**ONE, "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "mode": 9}]}]}, "mode 9"),
    ({**ONE, "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "NORMAL": 0, "TEXCOORD_0": 0}}]}]}, "VEC3"),
    ({**ONE, "accessors": [{"componentType": 5126, "count": 9, "type": "VEC3"}]}, "neither"),
    ({**ONE, "accessors": [{"componentType": 5126, "count": 4, "type": "VEC3", "bufferView": 0}]}, "ends beyond"),
    ({**ONE, "accessors": [{"componentType": 5126, "count": -1, "type": "VEC3", "bufferView": 0}]}, "no size"),
    ({**ONE, "nodes": "many"}, "no list"),
])  # fmt: skip
def test_damaged_scenes_are_refused_in_words(document: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFile, match=words):
        read(built(document, TRIANGLE, np.array([[0], [1], [9]], np.uint16)), tmp_path)


def test_zeros_that_the_file_does_not_hold_are_refused(tmp_path: Path) -> None:
    empty = {"count": 0, "indices": {"bufferView": 0, "componentType": 5123}, "values": {"bufferView": 0}}
    accessor = {"componentType": 5126, "count": 60_000_000, "type": "VEC3", "sparse": empty}
    with pytest.raises(TooLarge, match="zeros"):
        read(built({**ONE, "accessors": [accessor]}, TRIANGLE), tmp_path)


@pytest.mark.parametrize(("data", "words"), [
    (b"", "glTF"), (b"glTF" + bytes(16), "version 0"), (b"glTF" + struct.pack("<II", 2, 999) + bytes(20), "999 bytes"),
    (b"glTF" + struct.pack("<IIII", 2, 28, 2**31, 0) + bytes(8), "chunk claims"),
    (glb_container.packed({}, b"")[:-9] + bytes(9), "scene|nodes|glTF"),
])  # fmt: skip
def test_damaged_containers_are_refused_in_words(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFile, match=words):
        read(data, tmp_path)


def test_an_image_outside_the_file_is_never_read(tmp_path: Path) -> None:
    document = {**ONE, "images": [{"uri": "../secret.png"}], "textures": [{"source": 0}],
                "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
                "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "material": 0}]}]}  # fmt: skip
    with pytest.raises(DamagedFile, match="image outside"):
        read(built(document, TRIANGLE), tmp_path)


def mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    rng = np.random.default_rng(seed)
    text = struct.unpack_from("<I", data, 12)[0] + 20
    for _ in range(count):
        broken = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(0, min(text, len(broken)) if rng.random() < 0.8 else len(broken)))
            match int(rng.integers(0, 4)):
                case 0:
                    broken[at] = int(rng.integers(0, 256))
                case 1:
                    broken[at] = int(rng.choice(np.frombuffer(b'0123456789-.e"[]{},:', np.uint8)))
                case 2:
                    broken[at : at + 4] = rng.bytes(4)
                case _:
                    broken = broken[: max(1, at)] if rng.random() < 0.3 else broken
        yield bytes(broken)


def test_mutated_files_give_a_mesh_or_words(tmp_path: Path) -> None:
    material = asymmetric_material(8)
    glb.encode(replace(asymmetric_mesh(), material=material), tmp_path, "seed", host=PYTHON)
    refused = 0
    for broken in mutations((tmp_path / "seed.glb").read_bytes(), 3000, 0):
        try:
            got = read(broken, tmp_path)
        except (DamagedFile, TooLarge) as error:
            refused += 1
            assert error.message
        else:
            assert np.isfinite(got.positions).all()
    assert 300 < refused < 3000
