import pytest


@pytest.fixture(autouse=True)
def plt():
    """Let pyplot draw without a window, and close what a test has drawn."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")
