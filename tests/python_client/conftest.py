"""Hypothesis for this folder: no deadlines, as the machine may be busy."""

from hypothesis import settings

settings.register_profile("python_client", deadline=None, max_examples=100)
settings.load_profile("python_client")
