"""The torch network, in a separate file so that it has one name in all scripts."""


def make_network():
    """Return the network 64-128-10."""
    from torch import nn

    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
