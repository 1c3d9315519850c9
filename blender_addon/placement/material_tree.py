# SPDX-License-Identifier: GPL-3.0-or-later
"""The node tree of a PBR material: texture at its true size, colour, surface, glow and relief, each in its frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .node_sheet import ROW_GAP, Sheet, height

_COORDINATES_X, _VALUES_X, _MATHS_X, _MAPPING_X = -1760.0, -2000.0, -1760.0, -1520.0
_TEXTURE_X, _AFTER_X = -1160.0, -840.0
_SHADER_X, _OUTPUT_X = -320.0, 20.0
_TOP, _BETWEEN_FRAMES = 700.0, 110.0

TILE = "Tile size (m)"
SPAN = "Metres per UV unit"
AXES = "Metres per unit (object's scale)"
OCCLUSION = "Ambient occlusion (off at 0)"


@dataclass(frozen=True)
class Surface:
    """What the tree needs to know beside its images."""

    tile_m: float = 1.0
    height_m: float = 0.02
    height_middle: float = 0.5
    tileable: bool = True
    ior: float = 1.5
    span_m: float | None = None
    """Metres per unit of the texture coordinate; None shows one tile per unit."""
    boxed: bool = False
    """Project along the object's axes, for a surface without UVs."""
    axes_m: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Metres per unit of the object's own axes: what a projection along them is to be scaled by."""

    @property
    def shown_height_m(self) -> float:
        """A picture that does not repeat fills the UV square, whatever its size, and its relief grows with it."""
        stretched = not self.tileable and self.span_m is not None and self.tile_m > 0
        return self.height_m * self.span_m / self.tile_m if stretched and self.span_m else self.height_m


class MaterialTree:
    """Draws the tree once, top to bottom and left to right."""

    def __init__(self, sheet: Sheet, surface: Surface, images: Mapping[str, Any]) -> None:
        self._sheet = sheet
        self._surface = surface
        self._images = images
        self._y = _TOP
        self.shader = sheet.add("ShaderNodeBsdfPrincipled", _SHADER_X, _TOP)
        self.output = sheet.add("ShaderNodeOutputMaterial", _OUTPUT_X, _TOP)
        sheet.link(self.shader.outputs["BSDF"], self.output.inputs["Surface"])
        self.shader.inputs["IOR"].default_value = max(1.0, surface.ior)
        self._vector = self._coordinates()

    def draw(self) -> None:
        """Add what the images call for."""
        self._colour()
        self._values()
        self._glow()
        self._relief()

    def _coordinates(self) -> Any:
        """The frame that lays the texture; gives the socket that every texture reads."""
        sheet, surface = self._sheet, self._surface
        frame = sheet.frame("Coordinates")
        source = sheet.add("ShaderNodeTexCoord", _COORDINATES_X, _TOP, frame=frame)
        mapping = sheet.add("ShaderNodeMapping", _MAPPING_X, _TOP, frame=frame)
        sheet.link(source.outputs["Object" if surface.boxed else "UV"], mapping.inputs["Vector"])
        if surface.tileable:
            below = _TOP - height(source.bl_idname) - ROW_GAP
            repeats, span, under = self._axes(frame, below) if surface.boxed else self._span(frame, below)
            tile = sheet.add("ShaderNodeValue", _VALUES_X, under, frame=frame, label=TILE)
            repeats.operation = "DIVIDE"
            tile.outputs[0].default_value = surface.tile_m
            sheet.link(span.outputs[0], repeats.inputs[0])
            sheet.link(tile.outputs[0], repeats.inputs[1])
            sheet.link(repeats.outputs[0], mapping.inputs["Scale"])
        return mapping.outputs["Vector"]

    def _span(self, frame: Any, y: float) -> tuple[Any, Any, float]:
        """What divides, what is divided, and where the next node comes: one scale for both directions of the UVs."""
        sheet, surface = self._sheet, self._surface
        span = sheet.add("ShaderNodeValue", _VALUES_X, y, frame=frame, label=SPAN)
        span.outputs[0].default_value = surface.tile_m if surface.span_m is None else surface.span_m
        repeats = sheet.add("ShaderNodeMath", _MATHS_X, y, frame=frame, label="Tiles per UV unit")
        return repeats, span, y - 110

    def _axes(self, frame: Any, y: float) -> tuple[Any, Any, float]:
        """The same with a scale for each axis of the object, so that no tile is stretched."""
        sheet = self._sheet
        axes = sheet.add("ShaderNodeCombineXYZ", _VALUES_X, y, frame=frame, label=AXES)
        for place, metres in enumerate(self._surface.axes_m):
            axes.inputs[place].default_value = metres
        repeats = sheet.add("ShaderNodeVectorMath", _MATHS_X, y, frame=frame, label="Tiles per unit")
        return repeats, axes, y - height(axes.bl_idname) - ROW_GAP

    def _texture(self, role: str, frame: Any) -> Any:
        node = self._sheet.add("ShaderNodeTexImage", _TEXTURE_X, self._y, frame=frame, label=_LABELS[role])
        node.image = self._images[role]
        node.extension = "REPEAT" if self._surface.tileable else "EXTEND"
        if self._surface.boxed:
            node.projection, node.projection_blend = "BOX", 0.2
        self._sheet.link(self._vector, node.inputs["Vector"])
        self._y -= height(node.bl_idname) + ROW_GAP
        return node

    def _next_frame(self) -> None:
        self._y -= _BETWEEN_FRAMES - ROW_GAP

    def _colour(self) -> None:
        here = [role for role in ("base_color", "occlusion") if role in self._images]
        if not here:
            return
        sheet, frame, top = self._sheet, self._sheet.frame("Colour"), self._y
        nodes = {role: self._texture(role, frame) for role in here}
        if "base_color" in nodes:
            colour = nodes["base_color"].outputs["Color"]
            if "occlusion" in nodes:
                # Cycles and EEVEE shade crevices themselves; baked occlusion on top is a choice, so it starts at 0.
                mix = sheet.add("ShaderNodeMix", _AFTER_X, top, frame=frame, label=OCCLUSION)
                mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
                mix.width = 200.0
                socket(mix.inputs, "Factor_Float").default_value = 0.0
                sheet.link(colour, socket(mix.inputs, "A_Color"))
                sheet.link(nodes["occlusion"].outputs["Color"], socket(mix.inputs, "B_Color"))
                colour = socket(mix.outputs, "Result_Color")
            sheet.link(colour, self.shader.inputs["Base Color"])
        self._next_frame()

    def _values(self) -> None:
        sockets = {"roughness": "Roughness", "metallic": "Metallic", "opacity": "Alpha"}
        here = [role for role in sockets if role in self._images]
        if not here:
            return
        frame = self._sheet.frame("Surface")
        for role in here:
            self._sheet.link(self._texture(role, frame).outputs["Color"], self.shader.inputs[sockets[role]])
        self._next_frame()

    def _glow(self) -> None:
        if "emission" not in self._images:
            return
        node = self._texture("emission", self._sheet.frame("Glow"))
        self._sheet.link(node.outputs["Color"], self.shader.inputs["Emission Color"])
        self.shader.inputs["Emission Strength"].default_value = 1.0
        self._next_frame()

    def _relief(self) -> None:
        here = [role for role in ("normal", "height") if role in self._images]
        if not here:
            return
        sheet, frame = self._sheet, self._sheet.frame("Relief")
        for role in here:
            top = self._y
            texture = self._texture(role, frame)
            if role == "normal":
                normal = sheet.add("ShaderNodeNormalMap", _AFTER_X, top, frame=frame)
                sheet.link(texture.outputs["Color"], normal.inputs["Color"])
                # Without UVs it does not know which way its green and red lie; the height shades as bumps by itself.
                if not self._surface.boxed or "height" not in here:
                    sheet.link(normal.outputs["Normal"], self.shader.inputs["Normal"])
            else:
                displaced = sheet.add("ShaderNodeDisplacement", _AFTER_X, top, frame=frame, label="Height (m)")
                displaced.space = "WORLD"  # metres, however the object is scaled
                displaced.inputs["Midlevel"].default_value = self._surface.height_middle
                displaced.inputs["Scale"].default_value = self._surface.shown_height_m
                sheet.link(texture.outputs["Color"], displaced.inputs["Height"])
                sheet.link(displaced.outputs["Displacement"], self.output.inputs["Displacement"])


_LABELS = {
    "base_color": "Base colour",
    "occlusion": "Ambient occlusion",
    "roughness": "Roughness",
    "metallic": "Metallic",
    "opacity": "Opacity",
    "emission": "Emission",
    "normal": "Normal (green up)",
    "height": "Height",
}


def socket(sockets: Any, identifier: str) -> Any:
    """A socket by identifier: a Mix node has several of each name."""
    return next(one for one in sockets if one.identifier == identifier)


def set_relief(material: Any, relief: str) -> bool:
    """Use the height for shading alone (`bump`) or for geometry (`displacement`); whether anything changed.

    Displaced geometry brings its own normals, so the normal map, which says the same again, is turned down.
    """
    method = "BOTH" if relief == "displacement" else "BUMP"
    if material.displacement_method == method:
        return False
    material.displacement_method = method
    for node in material.node_tree.nodes:
        if node.type == "NORMAL_MAP":
            node.inputs["Strength"].default_value = 0.0 if method == "BOTH" else 1.0
    return True
