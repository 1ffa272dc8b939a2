"""Settings of all tests."""

import sys

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no failure.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def one_torch_thread():
    """On arrays this small a second thread only waits, for long on shared cores."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
