"""A layout that records what a draw function asks for, and refuses what Blender itself would not know.

Blender draws nothing without a window, so this stands in for `UILayout`: every call is held against Blender's own
declaration of that function (name, arguments, icons), and every property and operator must exist.
"""

from __future__ import annotations

from typing import Any

import bpy

FUNCTIONS = bpy.types.UILayout.bl_rna.functions
PROPERTIES = bpy.types.UILayout.bl_rna.properties
ICONS = {item.identifier for item in FUNCTIONS["label"].parameters["icon"].enum_items}
LAYOUTS = {"row", "column", "box", "split", "grid_flow", "column_flow"}


class FakeLayout:
    """One layout; `said` is shared by all inside it, in the order of drawing."""

    def __init__(self, said: list[tuple[str, str]] | None = None, *, enabled: bool = True) -> None:
        self.__dict__["said"] = [] if said is None else said
        self.__dict__["set"] = {"enabled": enabled}

    @property
    def texts(self) -> list[str]:
        """Every label, in order."""
        return [text for kind, text in self.said if kind == "label"]

    @property
    def operators(self) -> list[str]:
        """Every operator that could be pressed, in order."""
        return [text for kind, text in self.said if kind == "operator"]

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in PROPERTIES:
            raise AttributeError(f"UILayout has no property {name!r}")
        self.set[name] = value

    def __getattr__(self, name: str) -> Any:
        if name in self.set:
            return self.set[name]
        if name not in FUNCTIONS:
            raise AttributeError(f"UILayout has no function {name!r}")
        return lambda *arguments, **named: self._call(name, arguments, named)

    def _call(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        parameters = [one for one in FUNCTIONS[name].parameters if not one.is_output]
        given = {parameters[place].identifier: value for place, value in enumerate(arguments)} | named
        unknown = set(given) - {one.identifier for one in parameters}
        if unknown:
            raise TypeError(f"{name} takes no {sorted(unknown)}")
        if given.get("icon", "NONE") not in ICONS:
            raise TypeError(f"there is no icon {given['icon']!r}")
        if not isinstance(given.get("text", ""), str):
            raise TypeError(f"text is {given['text']!r}")
        if name in LAYOUTS:
            return FakeLayout(self.said, enabled=self.set["enabled"])
        return getattr(self, f"_{name}", self._other)(given)

    def _other(self, given: dict[str, Any]) -> None:
        self.said.append(("other", str(given.get("text", ""))))

    def _label(self, given: dict[str, Any]) -> None:
        self.said.append(("label", given.get("text", "")))

    def _progress(self, given: dict[str, Any]) -> None:
        if not 0 <= given["factor"] <= 1:
            raise ValueError(f"progress is {given['factor']}")
        self.said.append(("progress", given["text"]))

    def _prop(self, given: dict[str, Any]) -> None:
        data, path = given["data"], given["property"]
        if path.startswith('["'):
            data[path[2:-2]]
            data.id_properties_ui(path[2:-2])
        else:
            data.bl_rna.properties[path]
            getattr(data, path)
        self.said.append(("prop", path))

    def _prop_enum(self, given: dict[str, Any]) -> None:
        self._prop({"data": given["data"], "property": given["property"]})
        self.said.append(("choice", given["value"]))

    def _prop_search(self, given: dict[str, Any]) -> None:
        self._prop(given)
        getattr(given["search_data"], given["search_property"])

    def _template_icon(self, given: dict[str, Any]) -> None:
        if not isinstance(given["icon_value"], int):
            raise TypeError(f"icon_value is {given['icon_value']!r}")
        self.said.append(("picture", ""))

    def _menu(self, given: dict[str, Any]) -> None:
        menu = getattr(bpy.types, given["menu"])
        inner = FakeLayout()
        menu.draw(_Drawn(inner), bpy.context)
        self.said.append(("menu", given["menu"]))
        self.said.extend((f"menu {kind}", text) for kind, text in inner.said)

    def _operator(self, given: dict[str, Any]) -> Any:
        return self._pressed(given)

    def _operator_menu_enum(self, given: dict[str, Any]) -> Any:
        filled = self._pressed(given)
        if given["property"] not in filled.kind.properties:
            raise TypeError(f"{given['operator']} has no property {given['property']!r}")
        return filled

    def _pressed(self, given: dict[str, Any]) -> _Filled:
        family, name = given["operator"].split(".")
        kind = getattr(getattr(bpy.ops, family), name).get_rna_type()
        if self.set["enabled"]:
            self.said.append(("operator", given["operator"]))
        return _Filled(kind)


class _Filled:
    """An operator's properties: only those that it has can be set."""

    kind: Any

    def __init__(self, kind: Any) -> None:
        self.__dict__["kind"] = kind

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.kind.properties:
            raise AttributeError(f"{self.kind.identifier} has no property {name!r}")


class _Drawn:
    """A panel or menu with our layout in the place of Blender's."""

    def __init__(self, layout: FakeLayout) -> None:
        self.layout = layout


def drawn(name: str) -> FakeLayout:
    """What the panel or menu of that name draws now."""
    layout = FakeLayout()
    kind = getattr(bpy.types, name)
    kind.draw(_Drawn(layout), bpy.context)
    return layout
