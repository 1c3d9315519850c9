# SPDX-License-Identifier: GPL-3.0-or-later
"""The Geometry Nodes view of a splat cloud: one small hull per splat, shaded as the Gaussian inside it.

The hull is an icosahedron around the ellipsoid at `Cut` standard deviations. Its shader follows the view ray through
the splat's own space, where the Gaussian is round: with p the point that was hit and d the ray's direction there,
the ray passes the centre at r² = p·p - (p·d)², and the splat covers opacity · exp(-cut² r² / 2). That is the
peak of a 3D Gaussian along a ray; Cycles then composites exactly, in depth order. With soft edges off each splat is
a solid ellipsoid, which is quicker to look at.

Solid mode knows no materials and no colours of instances. So where it is asked for, viewports get one real mesh of
solid ellipsoids that carries the colours as its colour attribute; renders stay as they are.
"""

from __future__ import annotations

import math
from typing import Any

import bpy

from .node_sheet import Sheet, of_material

NAME = "Scenecast splats"
VERSION = 3
"""Raised when the tree below changes; files keep the trees they were made with."""
MARK = "scenecast_splat_view"

SCALE, ROTATION, OPACITY, COLOUR = "splat_scale", "splat_rotation", "splat_opacity", "splat_colour"
CUT = "splat_cut"
SOLID_COLOURS = "Colours in Solid mode"
SHARES = ("Size", "Cut", "Faintest rim", "Least opacity", "Share in viewport", "Share in renders", "Soft edges")
"""Inputs that are kept when the view of an older file is renewed."""
SOLID_OPACITY = 0.3
"""Solid ellipsoids hide what is behind them: in Solid mode those fainter than this are left out."""
_HULL = 1.2584
"""Radius of an icosahedron whose faces touch the unit sphere: 1 / 0.79465."""
_VIEWPORT_SPLATS = 200_000
"""More than that are thinned in the viewport, not in renders."""
TRANSPARENT_BOUNCES = 64
"""A ray crosses about that many splats before it is opaque; Blender's own 8 leave dark rims."""
SURE_BOUNCES = 16
"""So many splats a ray crosses for certain. Blender's own 0 lets it end by chance from the first on, which is quick and
grainy: with 16 one sample is as clean as 8 are with 0, for two fifths of the time."""


def give(item: Any) -> None:
    """Show the object's points as splats; an object that is shown so already is left as the artist set it."""
    group = _group()
    if any(each.type == "NODES" and each.node_group == group for each in item.modifiers):
        return
    modifier = item.modifiers.new(NAME, "NODES")
    modifier.node_group = group
    count = max(1, len(item.data.vertices))
    modifier[_identifier(group, "Share in viewport")] = min(1.0, _VIEWPORT_SPLATS / count)
    cycles = getattr(bpy.context.scene, "cycles", None)
    if cycles is not None:
        cycles.transparent_max_bounces = max(cycles.transparent_max_bounces, TRANSPARENT_BOUNCES)
        cycles.min_transparent_bounces = max(cycles.min_transparent_bounces, SURE_BOUNCES)


def modifier_of(item: Any) -> Any:
    """The modifier that shows an object's points as splats, of whatever version; None for another object."""
    nodes = (each for each in item.modifiers if each.type == "NODES" and each.node_group is not None)
    return next((each for each in nodes if each.node_group.get(MARK)), None)


def solid_colours(item: Any) -> bool:
    """Whether viewports show this cloud so that Solid mode can colour it."""
    modifier = modifier_of(item)
    identifier = _identifier(modifier.node_group, SOLID_COLOURS) if modifier is not None else ""
    return bool(identifier and modifier.get(identifier))


def set_solid_colours(item: Any, on: bool) -> None:
    """Have viewports show this cloud as coloured solid ellipsoids, or as it was; a view of an older file is renewed."""
    modifier = modifier_of(item)
    if not _identifier(modifier.node_group, SOLID_COLOURS):
        values = {name: modifier.get(_identifier(modifier.node_group, name)) for name in SHARES}
        modifier.node_group = _group()
        for name, value in values.items():
            if value is not None:
                modifier[_identifier(modifier.node_group, name)] = value
    modifier[_identifier(modifier.node_group, SOLID_COLOURS)] = on
    if COLOUR in item.data.color_attributes:
        item.data.color_attributes.active_color_name = COLOUR
    item.update_tag()


def _identifier(group: Any, name: str) -> str:
    """Of an input of the group, by its name; empty when it has none such."""
    sockets = (each for each in group.interface.items_tree if each.item_type == "SOCKET")
    return next((each.identifier for each in sockets if each.name == name and each.in_out == "INPUT"), "")


def _group() -> Any:
    for group in bpy.data.node_groups:
        if group.get(MARK) == VERSION:
            return group
    group = bpy.data.node_groups.new(NAME, "GeometryNodeTree")
    group[MARK] = VERSION
    group.is_modifier = True
    group.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    for name, kind, low, high, default, tip in (
        ("Size", "NodeSocketFloat", 0.0, 10.0, 1.0, "Makes every splat larger or smaller"),
        ("Cut", "NodeSocketFloat", 0.5, 4.0, 2.5, "How many standard deviations of each splat are drawn at most"),
        (
            "Faintest rim",
            "NodeSocketFloat",
            0.001,
            0.5,
            0.04,
            "Splats are drawn to where they are this faint; more is quicker",
        ),
        ("Least opacity", "NodeSocketFloat", 0.0, 1.0, 0.02, "Splats fainter than this are left out"),
        ("Share in viewport", "NodeSocketFloat", 0.0, 1.0, 1.0, "Which part of the splats the viewport draws"),
        ("Share in renders", "NodeSocketFloat", 0.0, 1.0, 1.0, "Which part of the splats renders draw"),
    ):
        one = group.interface.new_socket(name, in_out="INPUT", socket_type=kind, description=tip)
        one.min_value, one.max_value, one.default_value = low, high, default
    soft = group.interface.new_socket("Soft edges", in_out="INPUT", socket_type="NodeSocketBool")
    soft.default_value = True
    soft.description = "Draw true Gaussians; off draws solid ellipsoids, which is quicker"
    coloured = group.interface.new_socket(SOLID_COLOURS, in_out="INPUT", socket_type="NodeSocketBool")
    coloured.description = "Viewports show solid ellipsoids whose colours Solid mode can show; renders stay as they are"
    group.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    _draw(Sheet(group))
    return group


def _draw(sheet: Sheet) -> None:
    given = sheet.add("NodeGroupInput", -1400, 0)
    result = sheet.add("NodeGroupOutput", 1560, 0)
    which = sheet.frame("Which splats")
    where = sheet.frame("Their size and turn")
    hull = sheet.frame("One hull")
    coloured = _coloured(sheet, given)
    selection = _selection(sheet, which, given, coloured)
    reach = sheet.add("ShaderNodeMix", -1000, -420, frame=where, label="Drawn at")
    reach.data_type = "FLOAT"
    soft = _math(sheet, "SUBTRACT", -1220, -420, where, given.outputs["Soft edges"], coloured)
    soft.node.use_clamp = True
    sheet.link(soft, _socket(reach.inputs, "Factor_Float"))
    _socket(reach.inputs, "A_Float").default_value = 1.2  # a solid ellipsoid of a splat's visible extent
    sheet.link(_seen_to(sheet, given), _socket(reach.inputs, "B_Float"))
    drawn = _socket(reach.outputs, "Result_Float")
    sized = _math(sheet, "MULTIPLY", -780, -420, where, drawn, given.outputs["Size"])
    scale = _named(sheet, SCALE, "FLOAT_VECTOR", -1000, -680, where)
    turn = _named(sheet, ROTATION, "QUATERNION", -780, -680, where)
    scaled = sheet.add("ShaderNodeVectorMath", -560, -420, frame=where)
    scaled.operation = "SCALE"
    sheet.link(scale, scaled.inputs[0])
    sheet.link(sized, scaled.inputs["Scale"])
    ball = sheet.add("GeometryNodeMeshIcoSphere", -560, 760, frame=hull)
    ball.inputs["Radius"].default_value = _HULL
    ball.inputs["Subdivisions"].default_value = 1
    shaded = sheet.add("GeometryNodeSetMaterial", -340, 760, frame=hull)
    shaded.inputs["Material"].default_value = _material()
    sheet.link(ball.outputs["Mesh"], shaded.inputs["Geometry"])
    placed = sheet.add("GeometryNodeInstanceOnPoints", 0, 0)
    sheet.link(given.outputs["Geometry"], placed.inputs["Points"])
    sheet.link(selection, placed.inputs["Selection"])
    sheet.link(shaded.outputs["Geometry"], placed.inputs["Instance"])
    sheet.link(turn, placed.inputs["Rotation"])
    sheet.link(scaled.outputs["Vector"], placed.inputs["Scale"])
    kept = sheet.add("GeometryNodeStoreNamedAttribute", 320, 0, label="Remember the cut")
    kept.data_type, kept.domain = "FLOAT", "INSTANCE"
    kept.inputs["Name"].default_value = CUT
    cut = _math(sheet, "MULTIPLY", -340, -420, where, given.outputs["Soft edges"], drawn)
    sheet.link(placed.outputs["Instances"], kept.inputs["Geometry"])
    sheet.link(cut, _enabled(kept.inputs, "Value"))
    either = sheet.add("GeometryNodeSwitch", 1340, 0)
    either.input_type = "GEOMETRY"
    sheet.link(coloured, _enabled(either.inputs, "Switch"))
    sheet.link(kept.outputs["Geometry"], _enabled(either.inputs, "False"))
    sheet.link(_one_mesh(sheet, given, kept), _enabled(either.inputs, "True"))
    sheet.link(_enabled(either.outputs, "Output"), result.inputs["Geometry"])


def _coloured(sheet: Sheet, given: Any) -> Any:
    """1 where colours for Solid mode are wanted, and never in renders."""
    frame = sheet.frame("Colours for Solid mode?")
    looking = sheet.add("GeometryNodeIsViewport", -1000, -1440, frame=frame)
    return _math(sheet, "MULTIPLY", -780, -1440, frame, given.outputs[SOLID_COLOURS], looking.outputs[0])


def _one_mesh(sheet: Sheet, given: Any, kept: Any) -> Any:
    """All hulls as one mesh. It takes its active colour attribute from the first one joined: the points themselves."""
    frame = sheet.frame("One mesh with colours")
    joined = sheet.add("GeometryNodeJoinGeometry", 560, -300, frame=frame)
    sheet.link(kept.outputs["Geometry"], joined.inputs[0])
    sheet.link(given.outputs["Geometry"], joined.inputs[0])
    real = sheet.add("GeometryNodeRealizeInstances", 760, -300, frame=frame)
    sheet.link(joined.outputs[0], real.inputs["Geometry"])
    smooth = sheet.add("GeometryNodeSetShadeSmooth", 960, -300, frame=frame)
    sheet.link(real.outputs["Geometry"], smooth.inputs[0])
    shaded = sheet.add("GeometryNodeSetMaterial", 1160, -300, frame=frame)
    shaded.inputs["Material"].default_value = _plain_material()
    sheet.link(smooth.outputs[0], shaded.inputs["Geometry"])
    return shaded.outputs["Geometry"]


def _seen_to(sheet: Sheet, given: Any) -> Any:
    """Standard deviations from the middle at which a splat has faded to the rim's opacity, `Cut` at most.

    Rays pay for every hull that they cross, and most hulls of a trained cloud are large and faint: drawn to where they
    can be seen they are a third as much work.
    """
    frame = sheet.frame("How far each can be seen")
    opacity = _named(sheet, OPACITY, "FLOAT", -2320, -1060, frame)
    ratio = _math(sheet, "DIVIDE", -2100, -1060, frame, opacity, given.outputs["Faintest rim"])
    least = _math(sheet, "MAXIMUM", -1880, -1060, frame, ratio, 1.1)
    fading = _math(sheet, "LOGARITHM", -1660, -1060, frame, least, math.e)
    squared = _math(sheet, "MULTIPLY", -1440, -1060, frame, fading, 2.0)
    reach = _math(sheet, "SQRT", -1220, -1060, frame, squared)
    return _math(sheet, "MINIMUM", -1000, -1060, frame, reach, given.outputs["Cut"])


def _selection(sheet: Sheet, frame: Any, given: Any, coloured: Any) -> Any:
    looking = sheet.add("GeometryNodeIsViewport", -1220, 420, frame=frame)
    share = sheet.add("ShaderNodeMix", -1000, 420, frame=frame, label="Share")
    share.data_type = "FLOAT"
    sheet.link(looking.outputs[0], _socket(share.inputs, "Factor_Float"))
    sheet.link(given.outputs["Share in renders"], _socket(share.inputs, "A_Float"))
    sheet.link(given.outputs["Share in viewport"], _socket(share.inputs, "B_Float"))
    chance = sheet.add("FunctionNodeRandomValue", -1220, 240, frame=frame)
    chance.data_type = "FLOAT"
    lucky = _math(
        sheet, "LESS_THAN", -780, 420, frame, _enabled(chance.outputs, "Value"), _socket(share.outputs, "Result_Float")
    )
    opacity = _named(sheet, OPACITY, "FLOAT", -1000, 160, frame)
    raised = _math(sheet, "MULTIPLY", -1220, 60, frame, coloured, SOLID_OPACITY)
    least = _math(sheet, "MAXIMUM", -1000, -20, frame, raised, given.outputs["Least opacity"])
    solid = _math(sheet, "GREATER_THAN", -780, 220, frame, opacity, least)
    return _math(sheet, "MULTIPLY", -560, 220, frame, lucky, solid)


def _material() -> Any:
    for material in bpy.data.materials:
        if material.get(MARK) == VERSION:
            return material
    material, sheet = of_material(NAME)
    material[MARK] = VERSION
    ray = sheet.frame("How near the ray passes the centre")
    cover = sheet.frame("How much the splat covers")
    geometry = sheet.add("ShaderNodeNewGeometry", -1700, 300, frame=ray)
    space = sheet.add("ShaderNodeTexCoord", -1700, 0, frame=ray)
    turned = sheet.add("ShaderNodeVectorTransform", -1480, 300, frame=ray)
    turned.vector_type, turned.convert_from, turned.convert_to = "VECTOR", "WORLD", "OBJECT"
    unit = _vector(sheet, "NORMALIZE", -1300, 300, ray, turned.outputs[0])
    sheet.link(geometry.outputs["Incoming"], turned.inputs[0])
    point = space.outputs["Object"]
    along = _vector(sheet, "DOT_PRODUCT", -1120, 300, ray, point, unit, output="Value")
    length = _vector(sheet, "DOT_PRODUCT", -1120, 100, ray, point, point, output="Value")
    squared = _math(sheet, "MULTIPLY", -940, 300, ray, along, along)
    distance = _math(sheet, "SUBTRACT", -760, 300, ray, length, squared)
    cut = _instancer(sheet, CUT, -1120, -460, cover)
    cut_squared = _math(sheet, "MULTIPLY", -940, -460, cover, cut, cut)
    reach = _math(sheet, "MULTIPLY", -760, -460, cover, cut_squared, distance)
    exponent = _math(sheet, "MULTIPLY", -580, -460, cover, reach, -0.5)
    falloff = _math(sheet, "EXPONENT", -400, -460, cover, exponent)
    opacity = _instancer(sheet, OPACITY, -580, -660, cover)
    peak = _math(sheet, "MULTIPLY", -220, -460, cover, falloff, opacity)
    solid = _math(sheet, "LESS_THAN", -400, -660, cover, cut, 0.01)
    covered = _math(sheet, "MAXIMUM", -40, -460, cover, peak, solid)
    front = _math(sheet, "SUBTRACT", -400, 100, None, 1.0, geometry.outputs["Backfacing"])
    alpha = _math(sheet, "MULTIPLY", 160, -100, None, covered, front)
    clear = sheet.add("ShaderNodeBsdfTransparent", 160, 100)
    light = sheet.add("ShaderNodeEmission", 160, 260)
    sheet.link(_instancer(sheet, COLOUR, -60, 300, None, output="Color"), light.inputs["Color"])
    mixed = sheet.add("ShaderNodeMixShader", 380, 200)
    sheet.link(alpha, mixed.inputs[0])
    sheet.link(clear.outputs[0], mixed.inputs[1])
    sheet.link(light.outputs[0], mixed.inputs[2])
    output = sheet.add("ShaderNodeOutputMaterial", 580, 200)
    sheet.link(mixed.outputs[0], output.inputs["Surface"])
    return material


def _plain_material() -> Any:
    """For viewports that draw materials while the colours are for Solid mode."""
    for material in bpy.data.materials:
        if material.get(MARK) == -VERSION:
            return material
    material, sheet = of_material(f"{NAME}, solid")
    material[MARK] = -VERSION
    colour = sheet.add("ShaderNodeAttribute", -220, 0)
    colour.attribute_name = COLOUR
    light = sheet.add("ShaderNodeEmission", 0, 0)
    output = sheet.add("ShaderNodeOutputMaterial", 220, 0)
    sheet.link(colour.outputs["Color"], light.inputs["Color"])
    sheet.link(light.outputs[0], output.inputs["Surface"])
    return material


def _instancer(sheet: Sheet, name: str, x: float, y: float, frame: Any, output: str = "Fac") -> Any:
    node = sheet.add("ShaderNodeAttribute", x, y, frame=frame)
    node.attribute_type, node.attribute_name = "INSTANCER", name
    return node.outputs[output]


def _named(sheet: Sheet, name: str, kind: str, x: float, y: float, frame: Any) -> Any:
    node = sheet.add("GeometryNodeInputNamedAttribute", x, y, frame=frame)
    node.data_type = kind
    node.inputs["Name"].default_value = name
    return _enabled(node.outputs, "Attribute")


def _math(sheet: Sheet, operation: str, x: float, y: float, frame: Any, *values: Any) -> Any:
    node = sheet.add("ShaderNodeMath", x, y, frame=frame)
    node.operation = operation
    for target, value in zip(node.inputs, values, strict=False):
        if isinstance(value, float):
            target.default_value = value
        else:
            sheet.link(value, target)
    return node.outputs[0]


def _vector(sheet: Sheet, operation: str, x: float, y: float, frame: Any, *values: Any, output: str = "Vector") -> Any:
    node = sheet.add("ShaderNodeVectorMath", x, y, frame=frame)
    node.operation = operation
    for target, value in zip(node.inputs, values, strict=False):
        sheet.link(value, target)
    return node.outputs[output]


def _socket(sockets: Any, identifier: str) -> Any:
    return next(one for one in sockets if one.identifier == identifier)


def _enabled(sockets: Any, name: str) -> Any:
    """Of several sockets of one name, the one for the node's data type."""
    return next(one for one in sockets if one.name == name and one.enabled)
