"""Hypothesis for all tests: the same examples every time, as a change is to be blamed for what it broke; no deadlines.

`--hypothesis-profile=fresh` draws new examples, to look for what the usual ones miss.
"""

from hypothesis import settings

settings.register_profile("fresh", deadline=None)
settings.register_profile("scenecast", deadline=None, derandomize=True)
settings.load_profile("scenecast")
