"""Cameras as photogrammetry programs export them: RealityCapture's CSV and Metashape's XML.

Sources: RealityCapture's help ("Registration export": heading, pitch and roll in degrees, focal length for 36 mm of the
longer side), Agisoft Metashape's manual, appendix on camera models.
"""

from __future__ import annotations

import csv
import io
from pathlib import PurePosixPath
from xml.etree import ElementTree

import numpy as np

from generators.radiance.archive import CaptureError, Source, listed_name
from generators.radiance.dialects.shared import NEUTRAL_FROM_Z_UP, OPENGL_FROM_OPENCV, Dialect, Matrix, floats
from generators.radiance.lens import Lens
from generators.radiance.transforms_json import Listed, rigid

TABLES_MAX = 8
"""So many CSV or XML files of a capture are looked into."""
SKEW_MAX = 0.002


def _candidates(source: Source, ending: str) -> list[str]:
    return sorted(name for name in source.names if name.lower().endswith(ending))[:TABLES_MAX]


# -- RealityCapture ------------------------------------------------------------------------------------------------


def reality_capture(source: Source) -> Dialect | None:
    """ "Internal/External camera parameters" of RealityCapture (RealityScan) as CSV; None without one."""
    for name in _candidates(source, ".csv"):
        content = source.read(name)
        if content.lstrip(b"\xef\xbb\xbf").startswith(b"#name,"):
            frames = _registered(content.decode("utf-8-sig", errors="replace"), name)
            return Dialect("RealityCapture", tuple(frames), PurePosixPath(name).parent, NEUTRAL_FROM_Z_UP)
    return None


def _registered(text: str, name: str) -> list[Listed]:
    frames = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), 2):
        where = f"{name} line {number}"
        keys = ("heading", "pitch", "roll", "x", "y", "alt", "f", "px", "py", "k1", "k2", "k3", "k4", "t1", "t2")
        missing = [key for key in keys[:7] if row.get(key) in (None, "")]
        if missing:
            raise CaptureError(f"{where}: {', '.join(missing)} missing; export internal and external parameters")
        value = dict(zip(keys, floats([row.get(key) or 0 for key in keys], len(keys), where).tolist(), strict=True))
        pose = np.eye(4)
        pose[:3, :3] = turned(value["heading"], value["pitch"], value["roll"])
        pose[:3, 3] = value["x"], value["y"], value["alt"]
        inner = {key: value[key] for key in ("k1", "k2", "k3", "k4")} | {"p1": value["t1"], "p2": value["t2"]}
        inner |= {"focal_36mm": value["f"], "offset_x": value["px"], "offset_y": value["py"]}
        file = listed_name(str(row["#name"]))
        frames.append(Listed(file=file, world_from_camera=pose @ OPENGL_FROM_OPENCV, intrinsics=inner))
    return frames


def turned(heading_deg: float, pitch_deg: float, roll_deg: float) -> Matrix:
    """World (east, north, up) from camera (OpenGL's axes); all zero looks straight down with north above."""
    h, p, r = np.radians([-heading_deg, pitch_deg, roll_deg])
    about_z = np.array([[np.cos(h), -np.sin(h), 0], [np.sin(h), np.cos(h), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(r), 0, np.sin(r)], [0, 1, 0], [-np.sin(r), 0, np.cos(r)]])
    return np.asarray(about_z @ about_x @ about_y)


# -- Metashape -----------------------------------------------------------------------------------------------------


def metashape(source: Source) -> Dialect | None:
    """Cameras that Metashape has exported as XML; None without them. Its world may lie any way."""
    for name in _candidates(source, ".xml"):
        content = source.read(name)
        if b"<sensors" in content and b"<cameras" in content:
            return _chunk(content, name)
    return None


def _chunk(content: bytes, name: str) -> Dialect:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise CaptureError(f"{name} defines entities, which cameras have no need of")
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise CaptureError(f"{name} is not XML: {error}") from error
    chunk = next((one for one in root.iter("chunk") if one.find("cameras") is not None), None)
    if chunk is None:
        raise CaptureError(f"{name} holds no chunk with cameras")
    lenses = {one.get("id"): one for one in chunk.findall("sensors/sensor")}
    read: dict[str | None, Lens] = {}
    frames, unposed = [], []
    for camera in chunk.iterfind("cameras//camera"):
        label, sensor = str(camera.get("label")), camera.get("sensor_id")
        transform = camera.find("transform")
        if transform is None or sensor not in lenses:
            why = "belongs to a rig" if camera.get("master_id") is not None else "was not aligned"
            unposed.append((label, why))
            continue
        if sensor not in read:
            read[sensor] = _lens(lenses[sensor], f"{name} sensor {sensor}")
        pose = floats((transform.text or "").split(), 16, f"{name} {label}").reshape(4, 4)
        frames.append(Listed(listed_name(label), rigid(pose, f"{name} {label}"), lens=read[sensor]))
    scale = chunk.findtext("transform/scale")
    unit = float(floats([scale], 1, f"{name} scale")[0]) if scale else None
    return Dialect("Metashape", tuple(frames), PurePosixPath(name).parent, None, unit_m=unit, unposed=tuple(unposed))


def _lens(sensor: ElementTree.Element, where: str) -> Lens:
    kind = sensor.get("type", "frame")
    if kind not in ("frame", "fisheye"):
        raise CaptureError(f"{where} is of type {kind}, which is not read; export undistorted photographs and cameras")
    calibrations = sensor.findall("calibration")
    adjusted = [one for one in calibrations if one.get("class") == "adjusted"] or calibrations
    size = sensor.find("resolution")
    if not adjusted or size is None:
        raise CaptureError(f"{where} has no calibration or no resolution; optimise the cameras and export them again")
    width, height = floats([size.get("width"), size.get("height")], 2, where)
    keys = ("f", "cx", "cy", "b1", "b2", "k1", "k2", "k3", "k4", "p1", "p2")
    values = floats([adjusted[0].findtext(key) or 0 for key in keys], len(keys), where)
    f, cx, cy, b1, b2, k1, k2, k3, k4, p1, p2 = (float(value) for value in values)
    fisheye = kind == "fisheye"
    if f <= 0 or abs(b2) > SKEW_MAX * f or (k4 and not fisheye):
        raise CaptureError(
            f"{where}: f = {f:g}, b2 = {b2:g}, k4 = {k4:g} are no lens that is read; optimise the cameras without b2 "
            "and k4, or export undistorted photographs"
        )
    return Lens(
        *(f + b1, f, width / 2 + cx, height / 2 + cy, round(width), round(height)),
        radial=(k1, k2, k3, k4) if fisheye else (k1, k2, k3),
        tangential=(0.0, 0.0) if fisheye else (p2, p1),  # the manual's P1 belongs to x, OpenCV's to y
        fisheye=fisheye,
    )
