import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.assets import Mesh, Splats
from engines.asymmetric import asymmetric_mesh, asymmetric_splats, findings
from engines.conventions import Axes, Host
from engines.errors import DamagedFile, EnginesError, TooLarge, UnsuitableAsset
from engines.formats import ply
from engines.formats.registry import Limits
from engines.hosts import HOSTS
from engines.splat_values import log_from_scale, logit_from_opacity

HOST_ROWS = pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))
PYTHON = HOSTS["python"]
LIMITS = Limits()
NAMES = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2"]
NAMES += ["rot_0", "rot_1", "rot_2", "rot_3"]


def splats_back(path: Path) -> Splats:
    got = ply.decode(path, LIMITS)
    assert isinstance(got, Splats)
    return got


def mesh_back(path: Path) -> Mesh:
    got = ply.decode(path, LIMITS)
    assert isinstance(got, Mesh)
    return got


@HOST_ROWS
def test_splats_come_back_the_right_way_round_from_every_host(host: Host, tmp_path: Path) -> None:
    splats = asymmetric_splats()
    ply.encode(splats, tmp_path, "f", host=host)
    got = splats_back(tmp_path / "f.ply")
    assert findings(got) == []
    np.testing.assert_allclose(got.positions, splats.positions, rtol=1e-6)
    np.testing.assert_allclose(got.scales, splats.scales, rtol=1e-5)
    np.testing.assert_allclose(got.opacities, splats.opacities, atol=1.1e-6)
    np.testing.assert_allclose(got.rotations, splats.rotations, atol=1e-6)
    np.testing.assert_allclose(got.sh, splats.sh, atol=1e-6)


@HOST_ROWS
def test_meshes_come_back_the_right_way_round_from_every_host(host: Host, tmp_path: Path) -> None:
    mesh = asymmetric_mesh()
    ply.encode(mesh, tmp_path, "f", host=host)
    got = mesh_back(tmp_path / "f.ply")
    assert findings(got) == []
    np.testing.assert_array_equal(got.faces, mesh.faces)
    assert got.normals is not None and mesh.normals is not None
    np.testing.assert_array_equal(got.normals, mesh.normals)
    np.testing.assert_allclose(got.positions, mesh.positions, rtol=1e-6)
    np.testing.assert_allclose(got.uvs, mesh.uvs, atol=1e-7)  # type: ignore[arg-type]
    np.testing.assert_allclose(got.colours, mesh.colours, atol=0.01)  # type: ignore[arg-type]


@pytest.mark.parametrize("coefficients", [1, 4, 9, 16])
def test_the_file_is_the_dialect_of_the_splatting_code(coefficients: int, tmp_path: Path) -> None:
    splats = replace(asymmetric_splats(), sh=asymmetric_splats().sh[:, :coefficients])
    [file] = ply.encode(splats, tmp_path, "f", host=PYTHON, provenance='{"seed": 7, "prompt": "a\\nb"}')
    data = (tmp_path / file.file).read_bytes()
    head, body = data.split(b"end_header\n", 1)
    lines = head.decode("ascii").splitlines()
    rest = 3 * (coefficients - 1)
    columns = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", *(f"f_rest_{i}" for i in range(rest))]
    columns += ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    assert [line for line in lines if line.startswith("property")] == [f"property float {name}" for name in columns]
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert json.loads(lines[3].removeprefix("comment scenecast provenance ")) == {"seed": 7, "prompt": "a\nb"}
    # The slow twin: row 5 packed value by value.
    row = struct.unpack_from(f"<{len(columns)}f", body, 5 * 4 * len(columns))
    expected = [*splats.positions[5], 0, 0, 0, *splats.sh[5, 0]]
    expected += [splats.sh[5, k, channel] for channel in range(3) for k in range(1, coefficients)]
    expected += [float(logit_from_opacity(splats.opacities[5:6])[0]), *log_from_scale(splats.scales[5])]
    expected += list(splats.rotations[5])
    np.testing.assert_array_equal(np.array(row, np.float32), np.array(expected, np.float32))
    assert file.bytes == len(data) == len(head) + 11 + 4 * len(columns) * len(splats.positions)
    assert splats_back(tmp_path / "f.ply").sh.shape == splats.sh.shape


def dialect(
    names: list[str], rows: NDArray[np.float64], order: str, kind: str, comments: bool = False, newline: str = "\n"
) -> bytes:
    """A PLY file as some other program might write it."""
    form = {"<": "binary_little_endian", ">": "binary_big_endian", "": "ascii"}[order]
    lines = ["ply", "comment made elsewhere"] if comments else ["ply"]
    lines += [f"format {form} 1.0", f"element vertex {len(rows)}"]
    for name in names:
        lines.append(f"property {kind} {name}")
        lines += ["comment between", "obj_info x"] if comments else []
    head = newline.join([*lines, "end_header", ""]).encode()
    if order == "":
        return head + "\n".join(" ".join(repr(float(v)) for v in row) for row in rows).encode() + b"\n"
    return head + rows.astype(order + {"float": "f4", "double": "f8", "float32": "f4"}[kind]).tobytes()


def elsewhere_rows(names: list[str]) -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(7, len(names)))


@pytest.mark.parametrize("order", ["", "<", ">"])
@pytest.mark.parametrize("kind", ["float", "double", "float32"])
@pytest.mark.parametrize("extras", [False, True])
def test_every_dialect_reads_the_same(order: str, kind: str, extras: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    names = NAMES + [f"f_rest_{i}" for i in range(9)]
    rows = elsewhere_rows(names)
    (tmp_path / "plain.ply").write_bytes(dialect(names, rows, "<", "float"))
    if extras:
        names = [*names, "nx", "ny", "nz", "segment", "filter_3D"]
        rows = np.concatenate([rows, rng.normal(size=(7, 5))], axis=1)
        shuffle = rng.permutation(len(names))
        names, rows = [names[i] for i in shuffle], rows[:, shuffle]
    (tmp_path / "other.ply").write_bytes(dialect(names, rows, order, kind, extras, "\r\n" if extras else "\n"))
    expected, got = splats_back(tmp_path / "plain.ply"), splats_back(tmp_path / "other.ply")
    for field in ("positions", "rotations", "scales", "opacities", "sh"):
        np.testing.assert_allclose(getattr(got, field), getattr(expected, field), rtol=1e-6, atol=1e-6)
    # A cloud of unknown origin is in the axes of a COLMAP world: right, down, forward.
    plain = elsewhere_rows(NAMES + [f"f_rest_{i}" for i in range(9)])
    np.testing.assert_allclose(got.positions, plain[:, :3] * [1, -1, -1], rtol=1e-6)
    np.testing.assert_allclose(got.sh[:, 0], plain[:, 3:6], rtol=1e-6)
    np.testing.assert_allclose(got.sh[:, 1, 0], -plain[:, 14], rtol=1e-6)  # -y changes sign
    np.testing.assert_allclose(got.sh[:, 3, 0], plain[:, 16], rtol=1e-6)  # -x does not
    np.testing.assert_allclose(got.opacities, 1 / (1 + np.exp(-plain[:, 6])), rtol=1e-5)


def test_the_axes_of_a_file_can_be_overridden(tmp_path: Path) -> None:
    rows = elsewhere_rows(NAMES)
    (tmp_path / "f.ply").write_bytes(dialect(NAMES, rows, "<", "float"))
    got = ply.decode(tmp_path / "f.ply", LIMITS, axes=Axes("right", "up", "back"))
    assert isinstance(got, Splats)
    np.testing.assert_array_equal(got.positions, rows[:, :3].astype(np.float32))


def test_splats_with_8_bit_colours_and_infinite_logits(tmp_path: Path) -> None:
    names = ["x", "y", "z", "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    head = dialect(names, np.zeros((1, 11)), "<", "float").split(b"end_header")[0]
    head += b"property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n"
    row = struct.pack("<11f3B", 1, 2, 3, np.inf, -np.inf, 0, 0, 0, 0, 0, 0, 255, 0, 128)
    (tmp_path / "f.ply").write_bytes(head + row)
    got = splats_back(tmp_path / "f.ply")
    assert got.opacities.tolist() == [1.0] and got.rotations.tolist() == [[1, 0, 0, 0]]
    assert 0 < got.scales[0, 0] < 1e-30 and got.scales[0, 1] == 1
    np.testing.assert_allclose(got.sh[0, 0] * 0.28209479 + 0.5, [1, 0, 128 / 255], atol=1e-6)


@pytest.mark.parametrize("order", ["", "<", ">"])
@pytest.mark.parametrize("mixed", [False, True])
def test_polygons_become_fans(order: str, mixed: bool, tmp_path: Path) -> None:
    form = {"<": "binary_little_endian", ">": "binary_big_endian", "": "ascii"}[order]
    polygons = [[0, 1, 2, 3], [3, 2, 1, 0]] if not mixed else [[0, 1, 2], [0, 1, 2, 3], [0, 1], [1, 2, 3, 4, 0]]
    head = f"ply\nformat {form} 1.0\nelement vertex 5\nproperty float x\nproperty float y\nproperty float z\n"
    head += "property uchar red\nproperty uchar green\nproperty uchar blue\n"
    head += f"element face {len(polygons)}\nproperty int group\nproperty list uchar int vertex_index\n"
    head += "property list uchar float texcoord\nend_header\n"
    points = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    if order:
        body = b"".join(struct.pack(f"{order}3f3B", *point, 255, 128, 0) for point in points)
        for polygon in polygons:
            body += struct.pack(f"{order}iB{len(polygon)}iB2f", 9, len(polygon), *polygon, 2, 0.5, 0.5)
    else:
        body = "".join(f"{x!r} {y!r} {z!r} 255 128 0\n" for x, y, z in points.tolist()).encode()
        body += "".join(f"9 {len(p)} {' '.join(map(str, p))} 2 0.5 0.5\n" for p in polygons).encode()
    (tmp_path / "f.ply").write_bytes(head.encode() + body)
    got = mesh_back(tmp_path / "f.ply")
    expected = [[p[0], p[i], p[i + 1]] for p in polygons for i in range(1, len(p) - 1)]
    assert got.faces.tolist() == expected
    np.testing.assert_array_equal(got.positions, points)
    assert got.colours is not None
    np.testing.assert_allclose(got.colours[0], np.array([1, 0.2158605, 0]), atol=1e-6)


def test_mere_points_are_a_mesh_without_faces(tmp_path: Path) -> None:
    (tmp_path / "f.ply").write_bytes(dialect(["x", "y", "z"], np.ones((4, 3)), "", "float"))
    got = mesh_back(tmp_path / "f.ply")
    assert got.faces.shape == (0, 3) and got.positions.tolist() == [[1, 1, 1]] * 4


@pytest.mark.parametrize("change", [
    {"positions": np.full((1604, 3), np.nan, np.float32)}, {"rotations": np.zeros((3, 4), np.float32)},
    {"sh": np.zeros((1604, 5, 3), np.float32)},
], ids=["nan", "shape", "harmonics"])  # fmt: skip
def test_what_breaks_the_neutral_form_is_not_written(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UnsuitableAsset):
        ply.encode(replace(asymmetric_splats(), **change), tmp_path, "f", host=PYTHON)


VERTEX = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\n"


@pytest.mark.parametrize(("data", "error", "words"), [
    (b"", DamagedFile, "begins with"),
    (b"ply\nformat ascii 1.0\n", DamagedFile, "end_header"),
    (b"ply\nformat morse 1.0\nend_header\n", DamagedFile, "makes no sense"),
    (b"ply\nformat ascii 1.0\nend_header\n", DamagedFile, "no elements"),
    (VERTEX.replace(b" 1\n", b" 99999999999\n") + b"end_header\n", TooLarge, "limit"),
    (VERTEX.replace(b" 1\n", b" 60000000\n") + b"end_header\n1 2 3\n", DamagedFile, "ends within"),
    (VERTEX + b"end_header\n1 2\n", DamagedFile, "ends within"),
    (VERTEX + b"end_header\n1 two 3\n", DamagedFile, "no number"),
    (VERTEX + b"end_header\n1 nan 3\n", DamagedFile, "row 0 holds y = nan"),
    (VERTEX + b"property float x\nend_header\n1 2 3 4\n", DamagedFile, "twice"),
    (VERTEX + b"property quad w\nend_header\n1 2 3 4\n", DamagedFile, "no PLY type"),
    (VERTEX + b"property list float int q\nend_header\n1 2 3 0\n", DamagedFile, "length"),
    (VERTEX + b"property list uchar int q\nend_header\n1 2 3 200 1\n", DamagedFile, "claims"),
    (VERTEX + b"property uint packed_position\nend_header\n1 2 3 4\n", DamagedFile, "compressed"),
    (VERTEX + b"element face 1\nproperty list uchar int vertex_indices\nend_header\n1 2 3 3 0 0 1\n", DamagedFile,
     "beyond"),
    (b"ply\nformat ascii 1.0\ncomment scenecast frame up up up 1 ccw bottom_left\n" + VERTEX[21:]
     + b"end_header\n1 2 3\n", DamagedFile, "axes"),
    (b"ply\nformat ascii 1.0\ncomment scenecast frame right up back 0 ccw bottom_left\n" + VERTEX[21:]
     + b"end_header\n1 2 3\n", DamagedFile, "axes"),
    (b"ply\nformat ascii 1.0\nelement thing 1\nproperty int x\nend_header\n1\n", DamagedFile, "vertex"),
])  # fmt: skip
def test_damaged_files_are_refused_in_words(data: bytes, error: type[EnginesError], words: str, tmp_path: Path) -> None:
    (tmp_path / "f.ply").write_bytes(data)
    with pytest.raises(error, match=words):
        ply.decode(tmp_path / "f.ply", LIMITS)


def test_files_and_counts_over_the_limits_are_refused_unread(tmp_path: Path) -> None:
    ply.encode(asymmetric_splats(), tmp_path, "f", host=PYTHON)
    with pytest.raises(TooLarge, match="1604"):
        ply.decode(tmp_path / "f.ply", Limits(max_elements=1000))
    with pytest.raises(TooLarge, match="bytes"):
        ply.decode(tmp_path / "f.ply", Limits(max_file_bytes=1000))


def mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Truncated, flipped, doubled and overwritten copies, most of them hit near the front where headers are."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        broken = bytearray(data)
        for _ in range(int(rng.integers(1, 5))):
            at = int(rng.integers(0, min(len(broken), 700) if rng.random() < 0.7 else len(broken)))
            match int(rng.integers(0, 5)):
                case 0:
                    broken = broken[: max(at, 1)]
                case 1:
                    broken[at] ^= 1 << int(rng.integers(0, 8))
                case 2:
                    broken[at : at + 4] = rng.bytes(4)
                case 3:
                    broken[at:at] = broken[at : at + 9]
                case _:
                    broken[at] = int(rng.choice([0, 9, 10, 32, 45, 48, 57, 255]))
        yield bytes(broken)


def test_mutated_files_give_an_asset_or_words(tmp_path: Path) -> None:
    few = asymmetric_splats()
    few = Splats(few.positions[:9], few.rotations[:9], few.scales[:9], few.opacities[:9], few.sh[:9, :4])
    ply.encode(few, tmp_path, "splats", host=HOSTS["unreal"])
    ply.encode(replace(asymmetric_mesh(), material=None), tmp_path, "mesh", host=HOSTS["unity"])
    seeds = [(tmp_path / "splats.ply").read_bytes(), (tmp_path / "mesh.ply").read_bytes()]
    seeds += [dialect(NAMES, elsewhere_rows(NAMES), "", "float")]
    refused = 0
    for index, seed in enumerate(seeds):
        for broken in mutations(seed, 1000, index):
            (tmp_path / "broken.ply").write_bytes(broken)
            try:
                got = ply.decode(tmp_path / "broken.ply", LIMITS)
            except (DamagedFile, TooLarge) as error:
                refused += 1
                assert error.message
            else:
                assert isinstance(got, Splats | Mesh) and np.isfinite(got.positions).all()
    assert refused > 500
