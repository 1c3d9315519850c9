"""Materials in GLB files as other programs write them: factors times textures, and the uvs they lie on."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from engines.assets import Material, Mesh
from engines.errors import DamagedFile, TooLarge
from engines.formats import glb
from engines.formats.registry import Limits
from engines.glb_material import Placing
from engines.kinds import MapName
from tests.engines.glb_files import built

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
UVS = np.array([[0, 1], [1, 1], [0, 0]], np.float32)
OTHER_UVS = np.array([[0.5, 0.5], [1, 0.5], [0.5, 0]], np.float32)
GREY = (51, 102, 204, 255)
"""A linear fifth, two fifths and four fifths, as data."""


def picture(colour: tuple[int, ...] = GREY, size: tuple[int, int] = (4, 4)) -> NDArray[np.uint8]:
    data = io.BytesIO()
    Pillow.new("RGBA", size, colour).save(data, "PNG")
    return np.frombuffer(data.getvalue(), np.uint8).reshape(-1, 1)


def read(path: Path, material: dict[str, Any], *pictures: NDArray[np.uint8], limits: Limits | None = None) -> Mesh:
    """A triangle with two sets of uvs and the material; texture n is picture n."""
    images = [{"bufferView": 3 + at, "mimeType": "image/png"} for at in range(len(pictures))]
    attributes = {"POSITION": 0, "TEXCOORD_0": 1, "TEXCOORD_1": 2}
    document = {
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": attributes, "material": 0}]}],
        "materials": [material],
        "images": images,
        "textures": [{"source": at} for at in range(len(pictures))],
    }
    path.write_bytes(built(document, SQUARE, UVS, OTHER_UVS, *pictures))
    got = glb.decode(path, limits or Limits())
    assert isinstance(got, Mesh)
    return got


def material_of(path: Path, entry: dict[str, Any], *pictures: NDArray[np.uint8]) -> Material:
    got = read(path, entry, *(pictures or (picture(),))).material
    assert got is not None
    return got


def codes(material: Material, name: MapName) -> list[int]:
    """The one colour that a map is of."""
    pixels = material.maps[name].pixels
    assert (pixels == pixels[0, 0]).all()
    return [int(code) for code in pixels[0, 0]]


def test_factors_multiply_their_textures(tmp_path: Path) -> None:
    surface = {"metallicRoughnessTexture": {"index": 0}, "metallicFactor": 0.25, "roughnessFactor": 0.5}
    got = material_of(tmp_path / "f.glb", {"pbrMetallicRoughness": surface})
    assert (codes(got, MapName.METALLIC), codes(got, MapName.ROUGHNESS)) == ([51], [51])


def test_a_roughness_texture_does_not_make_metal_of_what_is_none(tmp_path: Path) -> None:
    """As Blender writes a material with a picture for its roughness only: its blue says nothing."""
    surface = {"metallicRoughnessTexture": {"index": 0}, "metallicFactor": 0.0}
    got = material_of(tmp_path / "f.glb", {"pbrMetallicRoughness": surface})
    assert set(got.maps) == {MapName.ROUGHNESS} and codes(got, MapName.ROUGHNESS) == [102]


@pytest.mark.parametrize(
    ("surface", "roughness", "metallic"),
    [({}, [255], [255]), ({"metallicFactor": 0, "roughnessFactor": 0.2}, [51], [])],
)
def test_factors_without_a_texture_are_kept(
    surface: dict[str, float], roughness: list[int], metallic: list[int], tmp_path: Path
) -> None:
    entry = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, **surface}, "emissiveFactor": [1, 0, 0]}
    got = material_of(tmp_path / "f.glb", entry)
    assert codes(got, MapName.ROUGHNESS) == roughness
    assert (codes(got, MapName.METALLIC) if MapName.METALLIC in got.maps else []) == metallic
    assert codes(got, MapName.EMISSION) == [255, 0, 0]


def test_what_has_no_emissive_factor_does_not_shine(tmp_path: Path) -> None:
    entry = {"emissiveTexture": {"index": 0}, "normalTexture": {"index": 0}}
    assert MapName.EMISSION not in material_of(tmp_path / "f.glb", entry).maps


def test_emission_is_multiplied_in_linear_light(tmp_path: Path) -> None:
    entry = {"emissiveTexture": {"index": 0}, "emissiveFactor": [0.5, 0.5, 0.5]}
    half = [35, 73, 149]  # sRGB codes of half the light of 51, 102 and 204 (IEC 61966-2-1)
    assert codes(material_of(tmp_path / "f.glb", entry), MapName.EMISSION) == half
    strong = {**entry, "extensions": {"KHR_materials_emissive_strength": {"emissiveStrength": 2.0}}}
    assert codes(material_of(tmp_path / "f.glb", strong), MapName.EMISSION) == [51, 102, 204]


def test_strength_of_occlusion_and_scale_of_normals(tmp_path: Path) -> None:
    entry = {"occlusionTexture": {"index": 0, "strength": 0.5}, "normalTexture": {"index": 1, "scale": 2.0}}
    leaning = picture((191, 128, 238, 255))  # half to the right
    got = material_of(tmp_path / "f.glb", entry, picture(), leaning)
    assert codes(got, MapName.OCCLUSION) == [153]  # 1 + 0.5 · (0.2 - 1)
    x, y, z = (code / 127.5 - 1 for code in codes(got, MapName.NORMAL))
    assert x / z == pytest.approx(2 * (191 / 127.5 - 1) / (238 / 127.5 - 1), rel=0.02) and abs(y) < 0.01
    assert x * x + y * y + z * z == pytest.approx(1, abs=0.02)


def transformed(offset: list[float], rotation: float, scale: list[float], **more: Any) -> dict[str, Any]:
    moved = {"offset": offset, "rotation": rotation, "scale": scale}
    return {"index": 0, "extensions": {"KHR_texture_transform": moved}, **more}


def test_a_texture_transform_moves_the_uvs(tmp_path: Path) -> None:
    """The example of the extension's text: the lower left quarter of the picture, turned by 90°."""
    info = transformed([0, 1], np.pi / 2, [0.5, 0.5])
    got = read(tmp_path / "f.glb", {"pbrMetallicRoughness": {"baseColorTexture": info}}, picture())
    assert got.uvs is not None
    # In glTF's origin: (u, v) goes to (v / 2, 1 - u / 2). Ours counts v from the bottom.
    expected = [[v / 2, u / 2] for u, v in UVS.tolist()]
    np.testing.assert_allclose(got.uvs, expected, atol=1e-6)
    assert (got.uvs >= -1e-6).all() and (got.uvs <= 0.5 + 1e-6).all()


def test_the_set_of_uvs_is_the_first_textures_and_others_are_left(tmp_path: Path) -> None:
    entry = {
        "pbrMetallicRoughness": {"baseColorTexture": {"index": 0, "texCoord": 1}},
        "occlusionTexture": {"index": 0},
        "normalTexture": {"index": 0, "texCoord": 1},
    }
    got = read(tmp_path / "f.glb", entry, picture())
    assert got.uvs is not None and got.material is not None
    np.testing.assert_allclose(got.uvs, OTHER_UVS * [1, -1] + [0, 1])
    assert {MapName.BASE_COLOR, MapName.NORMAL} <= set(got.material.maps)
    assert MapName.OCCLUSION not in got.material.maps


def test_uvs_that_nothing_moves_stay_to_the_bit() -> None:
    assert Placing(1).of(UVS) is UVS


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"normalTexture": {"index": 0, "texCoord": -1}}, "no set of uvs"),
        ({"normalTexture": {"index": 0, "scale": float("1e9")}}, "scale of a normal map"),
        ({"normalTexture": transformed([0], 0, [1, 1])}, "offset of a texture"),
        ({"emissiveTexture": {"index": 0}, "emissiveFactor": [1, 1]}, "emissive factor"),
        ({"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1]}}, "base colour factor"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_in_words(entry: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFile, match=words):
        read(tmp_path / "f.glb", entry, picture())


def test_two_thin_pictures_do_not_make_one_that_fills_the_memory(tmp_path: Path) -> None:
    entry = {"normalTexture": {"index": 0}, "occlusionTexture": {"index": 1}}
    thin = picture(size=(4000, 1)), picture(size=(1, 4000))
    with pytest.raises(TooLarge, match="4000×4000"):
        read(tmp_path / "f.glb", entry, *thin, limits=Limits(max_pixels=1_000_000))


@pytest.mark.parametrize("shown", [{"mesh": 0}, {"mesh": 1}])
def test_a_mesh_that_is_shown_often_is_refused_before_it_fills_the_memory(
    shown: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand nodes for one mesh, or one node for a mesh of a thousand primitives, cost a stranger nothing."""
    one = {"attributes": {"POSITION": 0}}
    nodes = [shown] * (1000 if shown["mesh"] == 0 else 1)
    document = {
        "scenes": [{"nodes": list(range(len(nodes)))}],
        "nodes": nodes,
        "meshes": [{"primitives": [one]}, {"primitives": [one] * 1000}],
    }
    path = tmp_path / "f.glb"
    path.write_bytes(built(document, SQUARE))
    made: list[object] = []
    monkeypatch.setattr("engines.glb_reader._check", made.append)
    with pytest.raises(TooLarge, match="vertices"):
        glb.decode(path, Limits(max_elements=30))
    assert len(made) == 11


def test_absurdly_many_primitives_are_refused_though_each_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {"attributes": {"POSITION": 0}, "mode": 1}
    document = {"nodes": [{"mesh": 0}], "meshes": [{"primitives": [lines] * 101}]}
    (tmp_path / "f.glb").write_bytes(built(document, SQUARE))
    monkeypatch.setattr("engines.glb_reader._MOST_SHOWN", 100)
    with pytest.raises(TooLarge, match="primitives"):
        glb.decode(tmp_path / "f.glb", Limits())
