"""Generators that compute with no weights; importing this loads declarations only."""

from generators.procedural.material_spec import SPECS as _MATERIAL
from generators.procedural.small_specs import SPECS as _SMALL

SPECS = (*_MATERIAL, *_SMALL)
