"""The families of materials, one file a group; `generators.procedural.family_table` says what lies where."""
