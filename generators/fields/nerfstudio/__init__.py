"""nerfstudio as a provider: its data written, its commands run in an environment of its own, its results read."""
