"""Hypothesis for all tests: no deadlines, as the machine may be busy."""

from hypothesis import settings

settings.register_profile("scenecast", deadline=None)
settings.load_profile("scenecast")
