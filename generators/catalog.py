"""Which generators there are, whether this machine can run them, and whether a request fits one of them."""

from __future__ import annotations

import difflib
import importlib.util
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from itertools import chain, repeat
from typing import Any

import msgspec

from engines.extras import how_to_get
from engines.kinds import Kind
from generators.errors import BadInput, BadParameter, Unavailable, UnknownGenerator, WrongLane
from generators.limits import choices, limits, pattern_hint
from generators.located import missing
from generators.pipe import DeviceRow
from generators.spec import GeneratorSpec, Live, Params, Weights, params_schema

GROUP = "scenecast.generators"
"""The entry-point group; each entry is a tuple of `GeneratorSpec`."""
OURS = "scenecast"
"""The package whose generators nobody else can stand in for."""

_FAULT = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True)
class CatalogRow:
    """One generator as a panel needs it."""

    spec: GeneratorSpec
    schema: Mapping[str, Any]
    reason: str
    """Why it cannot run here, as a sentence with the remedy; empty when it can."""


class Catalog:
    """All declared generators by id, and beside them the declarations that do not count, with the reason.

    `origins` says of each of `specs` who declares it.
    """

    def __init__(
        self,
        specs: Iterable[GeneratorSpec],
        broken: Mapping[str, str] | None = None,
        origins: Iterable[str] = (),
    ) -> None:
        self.specs: dict[str, GeneratorSpec] = {}
        self.broken: dict[str, str] = dict(broken or {})
        declared: dict[str, str] = {}
        for spec, origin in zip(specs, chain(origins, repeat("")), strict=False):
            by = f"{_code(spec)} of {origin}" if origin else _code(spec)
            if spec.id in self.specs:
                reason = f"it is declared twice: {declared[spec.id]} counts, {by} does not"
            else:
                reason = _declaration_fault(spec)
            if reason:
                earlier = self.broken.get(spec.id)
                self.broken[spec.id] = f"{earlier}; {reason}" if earlier else reason
            else:
                self.specs[spec.id], declared[spec.id] = spec, by
        self._schemas: dict[str, Mapping[str, Any]] = {}

    @classmethod
    def from_specs(cls, *specs: GeneratorSpec) -> Catalog:
        """A catalog of just these."""
        return cls(specs)

    def spec(self, generator: str) -> GeneratorSpec:
        """The declaration of `generator`. Raises `UnknownGenerator`, naming the nearest known id."""
        spec = self.specs.get(generator)
        if spec is None:
            near = difflib.get_close_matches(generator, self.specs, n=1)
            why = f"; its declaration is broken: {self.broken[generator]}" if generator in self.broken else ""
            remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(self.specs)) or 'none'}"
            raise UnknownGenerator(f"no generator is called {generator!r}{why}", path="$.generator", remedy=remedy)
        return spec

    def job_spec(self, generator: str) -> GeneratorSpec:
        """The declaration of a generator that can be run as a job. Raises `UnknownGenerator`, `WrongLane`."""
        spec = self.spec(generator)
        if not spec.run:
            remedy = "open it with live.open; in Blender, under Live in the panel"
            raise WrongLane(f"{generator} only works live", path="$.generator", remedy=remedy)
        return spec

    def live_spec(self, generator: str) -> tuple[GeneratorSpec, Live]:
        """The declaration of a generator that works live. Raises `UnknownGenerator`, `WrongLane`."""
        spec = self.spec(generator)
        if spec.live is None:
            able = ", ".join(sorted(name for name, one in self.specs.items() if one.live)) or "none"
            raise WrongLane(f"{generator} does not work live", path="$.generator", remedy=f"these do: {able}")
        return spec, spec.live

    def check(self, generator: str, values: Mapping[str, Any]) -> Params:
        """`values` as the generator's parameters, defaults filled in.

        Raises `UnknownGenerator`, and `BadParameter` naming field, limit and value; nothing is converted silently.
        """
        spec = self.spec(generator)
        _check_finite(values, "$.params")
        try:
            params: Params = msgspec.convert(dict(values), spec.params)
        except msgspec.ValidationError as error:
            raise _bad_parameter(spec, values, str(error)) from None
        return params

    def check_inputs(self, generator: str, kinds: Mapping[str, Kind]) -> None:
        """Raise `BadInput` unless every port of the generator gets a kind it takes, and no other port is named."""
        spec = self.spec(generator)
        ports = {port.name: port for port in spec.takes}
        for name, kind in kinds.items():
            if name not in ports:
                known = ", ".join(ports) or "none"
                near = difflib.get_close_matches(name, ports, n=1)
                remedy = f"did you mean {near[0]}?" if near else f"its inputs are {known}"
                raise BadInput(f"{generator} has no input {name!r}", path=f"$.inputs.{name}", remedy=remedy)
            if kind not in ports[name].kinds:
                wanted = " or ".join(ports[name].kinds)
                raise BadInput(f"input {name!r} takes {wanted}, got {kind}", path=f"$.inputs.{name}")
        for port in spec.takes:
            if not port.optional and port.name not in kinds:
                wanted = " or ".join(port.kinds)
                raise BadInput(
                    f"input {port.name!r} ({wanted}) is missing",
                    path=f"$.inputs.{port.name}",
                    remedy=f"give {generator} a file or an earlier result as {port.name!r}",
                )

    def check_available(self, generator: str, devices: Sequence[DeviceRow]) -> None:
        """Raise `Unavailable` with the reason when a need of the generator is missing here."""
        reason = missing_need(self.spec(generator), devices)
        if reason:
            raise Unavailable(f"{generator} cannot run here: {reason}", path="$.generator")

    def rows(
        self, devices: Sequence[DeviceRow], weights_found: Callable[[Weights], bool] | None = None
    ) -> list[CatalogRow]:
        """Every generator with its schema and, where it cannot run on `devices`, the reason."""
        return [
            CatalogRow(spec, self._schema(spec), missing_need(spec, devices, weights_found))
            for spec in self.specs.values()
        ]

    def _schema(self, spec: GeneratorSpec) -> Mapping[str, Any]:
        if spec.id not in self._schemas:
            self._schemas[spec.id] = params_schema(spec)
        return self._schemas[spec.id]


def load() -> Catalog:
    """The catalog of everything installed, our own before all others.

    An entry that cannot be read, or an id that was declared before, is a row in `broken`, never an exception.
    """
    specs: list[GeneratorSpec] = []
    origins: list[str] = []
    broken: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (_package(entry) != OURS, entry.name)):
        name = entry.name if entry.name not in broken else f"{entry.name} of {_package(entry)}"
        try:
            found = entry.load()
        except Exception as error:  # foreign code runs here; whatever it raises is its reason
            broken[name] = f"{entry.value} cannot be imported: {type(error).__name__}: {error}"
            continue
        if isinstance(found, tuple) and all(isinstance(spec, GeneratorSpec) for spec in found):
            specs.extend(found)
            origins.extend([_package(entry) or f"entry {entry.name}"] * len(found))
        else:
            broken[name] = f"{entry.value} is {type(found).__name__}, expected a tuple of GeneratorSpec"
    return Catalog(specs, broken, origins)


def _package(entry: EntryPoint) -> str:
    """The name of the package that declares an entry; empty when it is not known."""
    return "" if entry.dist is None else entry.dist.name


def params_type_name(spec: GeneratorSpec) -> str:
    """`module:Class` under which a worker imports the parameters' type."""
    return f"{spec.params.__module__}:{spec.params.__qualname__}"


def missing_need(
    spec: GeneratorSpec, devices: Sequence[DeviceRow], weights_found: Callable[[Weights], bool] | None = None
) -> str:
    """The first need of `spec` that this machine lacks, as a sentence; empty when it can run.

    With no `devices` known yet (no worker has started so far) the device is not judged.
    """
    for module in spec.needs.modules:
        # the top-level package only: finding a submodule would import its parent
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            return f"it needs the Python package {module}; beside the bridge: {how_to_get(module)}"
    for need in spec.needs.located:
        if reason := missing(need):
            return reason
    for weights in spec.needs.weights:
        if weights_found is not None and not weights_found(weights):
            size_gb = weights.size_bytes / 1e9
            return f"it needs the weights {weights.name} ({size_gb:.1f} GB, licence {weights.licence})"
    if not devices:
        return ""
    if spec.needs.gpu_memory_gb > 0:
        best_gb = max((row.memory_bytes for row in devices if row.kind != "cpu"), default=0) / 1e9
        if best_gb < spec.needs.gpu_memory_gb:
            has = f"the largest here has {best_gb:.1f} GB" if best_gb else "this machine has no GPU that torch can use"
            return f"it needs {spec.needs.gpu_memory_gb:g} GB of GPU memory; {has}"
    return ""


def _declaration_fault(spec: GeneratorSpec) -> str:
    found: Any = sys.modules.get(spec.params.__module__)
    for name in spec.params.__qualname__.split("."):
        found = getattr(found, name, None)
    if found is not spec.params:
        return f"its parameters {params_type_name(spec)} cannot be imported by a worker; declare them in a module"
    try:
        msgspec.convert({}, spec.params)
    except msgspec.ValidationError as error:
        return f"a parameter has no default: {error}"
    return ""


def _code(spec: GeneratorSpec) -> str:
    return spec.run or (spec.live.start if spec.live else "")


def _check_finite(value: object, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise BadParameter(f"expected a finite number, got {value}", path=path)
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _check_finite(inner, f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            _check_finite(inner, f"{path}[{index}]")


def _bad_parameter(spec: GeneratorSpec, values: Mapping[str, Any], fault: str) -> BadParameter:
    matched = _FAULT.fullmatch(fault)
    what = matched["what"].replace("`", "") if matched else fault
    path = (matched and matched["path"]) or "$"
    unknown = re.fullmatch(r"Object contains unknown field (.+)", what)
    if unknown:
        name = unknown[1]
        known = [field.name for field in msgspec.structs.fields(spec.params)]
        near = difflib.get_close_matches(name, known, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"its parameters are {', '.join(known) or 'none'}"
        return BadParameter(f"{spec.id} has no parameter {name!r}", path=f"$.params{path[1:]}.{name}", remedy=remedy)
    name = path.removeprefix("$").removeprefix(".") or "params"
    given, remedy = _value_at(values, path), limits(spec, path)
    what = what[:1].lower() + what[1:]
    if possible := choices(spec, path):
        near = difflib.get_close_matches(str(given), possible, n=1)
        what, remedy = "this is no choice", f"did you mean {near[0]}?" if near else f"use one of {', '.join(possible)}"
    elif hint := pattern_hint(spec, path):
        what, remedy = "this cannot be read", hint
    if ", got " not in what:
        what = f"{what}, got {_shown(given)}" if what.startswith("expected") else f"{what}: {_shown(given)}"
    return BadParameter(f"{name}: {what}", path=f"$.params{path[1:]}", remedy=remedy)


def _value_at(values: object, path: str) -> object:
    for name, index in _STEP.findall(path):
        if isinstance(values, Mapping) and name in values:
            values = values[name]
        elif isinstance(values, (list, tuple)) and index:
            values = values[int(index)]
        else:
            return values
    return values


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
