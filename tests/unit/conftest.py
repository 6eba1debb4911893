"""Settings of the property tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine must not fail a test for being slow: time has tests and limits of its own.
settings.register_profile("dualtune", deadline=None)
settings.load_profile("dualtune")
