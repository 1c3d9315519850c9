"""Generators that compute with no weights; importing this loads declarations only."""

from generators.procedural import material_spec, small_specs

SPECS = (*material_spec.SPECS, *small_specs.SPECS)
