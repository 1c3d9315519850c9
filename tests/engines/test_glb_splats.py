"""Splats in GLB: exact both ways, under any node, as the Khronos validator and splat-transform see them."""

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.assets import Mesh, Splats
from engines.asymmetric import asymmetric_mesh, asymmetric_splats, findings
from engines.conventions import Host
from engines.errors import DamagedFile, EnginesError, TooLarge, UnsuitableAsset
from engines.formats import glb, ply
from engines.formats.registry import Limits
from engines.glb_container import packed
from engines.glb_splats import EXTENSION
from engines.hosts import HOSTS
from engines.kinds import Kind
from engines.sniffing import sniffed
from engines.splat_placing import placed
from engines.transforms import OPENCV_AXES
from tests.engines.formats.splat_clouds import apart, cloud, covariances, mutations
from tests.engines.test_outside_readers import OUTSIDE, node, splat_transform

LIMITS = Limits()
PYTHON = HOSTS["python"]


def written(splats: Splats, folder: Path) -> Path:
    [file] = glb.encode(splats, folder, "f", host=PYTHON, provenance='{"seed": 7}')
    assert (file.role, file.bytes) == ("splats", (folder / "f.glb").stat().st_size)
    return folder / "f.glb"


def back(path: Path) -> Splats:
    got = glb.decode(path, LIMITS)
    assert isinstance(got, Splats)
    return got


def taken_apart(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + length]), data[28 + length :]


@pytest.mark.parametrize("coefficients", [1, 4, 9, 16])
def test_splats_come_back_exactly(coefficients: int, tmp_path: Path) -> None:
    splats = cloud(300, coefficients)
    got = back(written(splats, tmp_path))
    for name in ("positions", "scales", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(got, name), getattr(splats, name))
    assert apart(got, splats).angle_rad < 1e-3 and got.name == "cloud"


@pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))
def test_the_letter_is_the_right_way_round_for_every_host(host: Host, tmp_path: Path) -> None:
    glb.encode(asymmetric_splats(), tmp_path, "f", host=host)
    path = (tmp_path / "f.glb").rename(tmp_path / "upload")
    assert findings(back(path)) == []
    row, kind = sniffed(path)
    assert (row.name, kind) == ("glb", Kind.SPLATS)


def test_a_mesh_is_still_a_mesh(tmp_path: Path) -> None:
    glb.encode(asymmetric_mesh(), tmp_path, "f", host=PYTHON)
    assert sniffed(tmp_path / "f.glb")[1] is Kind.MESH
    assert isinstance(glb.decode(tmp_path / "f.glb", LIMITS), Mesh)


def test_the_file_is_what_the_extension_asks_for(tmp_path: Path) -> None:
    document, _ = taken_apart(written(cloud(10, 4), tmp_path))
    [primitive] = document["meshes"][0]["primitives"]
    assert primitive["mode"] == 0 and document["extensionsUsed"] == [EXTENSION]
    assert primitive["extensions"][EXTENSION]["kernel"] == "ellipse"
    assert primitive["extensions"][EXTENSION]["colorSpace"] == "srgb_rec709_display"
    names = {name.removeprefix(f"{EXTENSION}:") for name in primitive["attributes"]}
    rest = {f"SH_DEGREE_1_COEF_{n}" for n in range(3)}
    assert names == {"POSITION", "COLOR_0", "ROTATION", "SCALE", "OPACITY", "SH_DEGREE_0_COEF_0", *rest}
    assert document["asset"]["extras"]["scenecast"] == {"seed": 7}


def test_points_have_the_colour_in_linear_light_as_every_other_colour_of_gltf(tmp_path: Path) -> None:
    shown = np.array([[0.5, 0.2, 0.9], [1.7, -0.4, 0.0]])
    splats = replace(cloud(2, 1), sh=((shown - 0.5) / 0.28209479).astype(np.float32)[:, None])
    document, binary = taken_apart(written(splats, tmp_path))
    accessor = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]]
    assert (accessor["componentType"], accessor["type"], accessor["normalized"]) == (5123, "VEC4", True)
    start = document["bufferViews"][accessor["bufferView"]]["byteOffset"]
    got = np.frombuffer(binary, "<u2", 8, start).reshape(2, 4) / 65535
    # IEC 61966-2-1 by hand: 0.5, 0.2 and 0.9 as shown are 0.21404, 0.03310 and 0.78741 of the light.
    light = np.array([[0.21404, 0.03310, 0.78741], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(got[:, :3], light, atol=2e-5)
    np.testing.assert_allclose(got[:, 3], splats.opacities, atol=1e-5)


def test_the_khronos_validator_knows_all_but_the_extension(tmp_path: Path) -> None:
    [report] = json.loads(node(OUTSIDE / "validate_glb.mjs", written(cloud(50, 4), tmp_path)))
    found = {(message["code"], message.get("severity")) for message in report["messages"]}
    # It has not heard of the extension yet, so it finds its name and its attributes' names wanting, and nothing else.
    assert {code for code, _ in found} <= {"UNSUPPORTED_EXTENSION", "MESH_PRIMITIVE_INVALID_ATTRIBUTE", "UNUSED_OBJECT"}
    for message in report["messages"]:
        assert EXTENSION in json.dumps(message) or "attributes" in message.get("pointer", ""), message


def test_we_read_what_splat_transform_writes(tmp_path: Path) -> None:
    trained = replace(PYTHON, name="trained", axes=OPENCV_AXES)
    ply.encode(asymmetric_splats(), tmp_path, "ours", host=trained)
    splat_transform(tmp_path / "ours.ply", tmp_path / "theirs.glb")
    assert sniffed(tmp_path / "theirs.glb")[1] is Kind.SPLATS
    # It holds that a trained cloud's front is its back: half a turn about the upright axis lies between us.
    half_turn = np.diag([-1.0, 1.0, -1.0, 1.0])
    got = placed(back(tmp_path / "theirs.glb"), half_turn)
    assert findings(got) == []
    error = apart(got, asymmetric_splats())
    assert error.position_m < 1e-6 and error.log_scale < 1e-5 and error.opacity < 1e-5
    assert error.dc < 1e-5 and error.rest < 1e-5
    # Their quaternions may name the axes of an ellipsoid with other signs; the ellipsoids are the same.
    np.testing.assert_allclose(covariances(got), covariances(asymmetric_splats()), atol=1e-9)


def changed(tmp_path: Path, change: Any, splats: Splats | None = None) -> Path:
    document, binary = taken_apart(written(splats or cloud(20, 4), tmp_path))
    change(document)
    (tmp_path / "g.glb").write_bytes(packed(document, binary))
    return tmp_path / "g.glb"


def test_a_nodes_transform_is_applied(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["nodes"] = [
            {"children": [1], "translation": [1, 2, 3]},
            {"mesh": 0, "rotation": [0, 0.6, 0, 0.8], "scale": [2, 2, 2]},
        ]

    got = back(changed(tmp_path, change))
    world = np.eye(4)
    c, s = 0.8**2 - 0.6**2, 2 * 0.6 * 0.8
    world[:3, :3] = 2 * np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    world[:3, 3] = [1, 2, 3]
    error = apart(got, placed(cloud(20, 4), world))
    assert error.position_m < 1e-5 and error.log_scale < 1e-5 and error.rest < 1e-5 and error.angle_rad < 1e-3


def test_two_clouds_are_one(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["nodes"] = [{"mesh": 0}, {"mesh": 0, "translation": [5, 0, 0]}]
        document["scenes"] = [{"nodes": [0, 1]}]

    got = back(changed(tmp_path, change))
    assert len(got.positions) == 40
    np.testing.assert_allclose(got.positions[20:] - got.positions[:20], [[5, 0, 0]] * 20, atol=1e-5)


def test_quantised_attributes_are_read(tmp_path: Path) -> None:
    document, _ = taken_apart(written(cloud(2, 1), tmp_path))
    parts = [
        np.array([[1, 2, 3], [4, 5, 6]], "<f4").tobytes(),
        bytes(8),
        np.array([[0, 0, 0, 127], [127, 0, 0, 0]], "i1").tobytes(),
        np.array([[255, 51, 102, 0], [255, 51, 102, 0]], "u1").tobytes(),
        np.array([65535, 13107], "<u2").tobytes(),
        np.zeros((2, 3), "<f4").tobytes(),
    ]
    codes = [(5126, False), (5121, True), (5120, True), (5121, True), (5123, True), (5126, False)]
    at = 0
    for view, accessor, part, (code, normalised) in zip(
        document["bufferViews"], document["accessors"], parts, codes, strict=True
    ):
        view |= {"byteOffset": at, "byteLength": len(part)}
        accessor |= {"componentType": code, "normalized": normalised}
        at += len(part)
    document["bufferViews"][3]["byteStride"] = 4
    document["buffers"] = [{"byteLength": at}]
    (tmp_path / "g.glb").write_bytes(packed(document, b"".join(parts)))
    got = back(tmp_path / "g.glb")
    np.testing.assert_allclose(got.rotations, [[1, 0, 0, 0], [0, 1, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(got.scales, [[1, 0.2, 0.4]] * 2, atol=1e-6)
    np.testing.assert_allclose(got.opacities, [1, 0.2], atol=1e-6)


def primitive_of(document: dict[str, Any]) -> Any:
    return document["meshes"][0]["primitives"][0]


@pytest.mark.parametrize(("change", "words"), [
    (lambda d: primitive_of(d)["extensions"][EXTENSION].update(kernel="cone"), "kernel 'cone'"),
    (lambda d: primitive_of(d)["extensions"][EXTENSION].update(colorSpace="lin_rec709_display"), "lin_rec709"),
    (lambda d: primitive_of(d)["attributes"].pop(f"{EXTENSION}:SCALE"), "lack SCALE"),
    (lambda d: d["accessors"][3].update(count=19), "19 values for 20"),
    (lambda d: d["accessors"][3].update(count=10**9), "limit"),
    (lambda d: d["nodes"][0].update(scale=[0, 1, 1]), "determinant"),
    (lambda d: d["nodes"].clear(), "does not exist"),
    (lambda d: d.update(scenes=[{"nodes": []}]), "no scene"),
    (lambda d: d.update(extensionsRequired=["KHR_gaussian_splatting_compression_spz_2"]), "is not read"),
])  # fmt: skip
def test_damaged_files_are_refused_in_words(change: Any, words: str, tmp_path: Path) -> None:
    path = changed(tmp_path, change)
    with pytest.raises((DamagedFile, TooLarge), match=words):
        glb.decode(path, LIMITS)


def test_values_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    for name, value in (("positions", np.nan), ("opacities", 2.0), ("scales", -1.0)):
        path = written(cloud(9, 1), tmp_path)
        document, binary = taken_apart(path)
        at = {"positions": 0, "scales": 3, "opacities": 4}[name]
        data = bytearray(binary)
        struct.pack_into("<f", data, document["bufferViews"][at]["byteOffset"], value)
        path.write_bytes(packed(document, bytes(data)))
        with pytest.raises(DamagedFile, match="not finite, a scale negative or an opacity"):
            glb.decode(path, LIMITS)
    with pytest.raises(UnsuitableAsset, match="no splats"):
        written(cloud(0), tmp_path)


def test_mutated_files_give_splats_or_words(tmp_path: Path) -> None:
    whole = written(cloud(5, 1), tmp_path).read_bytes()
    refused = 0
    for broken in mutations(whole, 1500, 0, head=2200):
        (tmp_path / "b").write_bytes(broken)
        try:
            got = glb.decode(tmp_path / "b", LIMITS)
        except EnginesError as error:
            refused += 1
            assert error.message
        else:
            assert np.isfinite(got.positions).all()
    assert refused > 700
