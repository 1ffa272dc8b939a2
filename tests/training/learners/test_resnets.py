"""Residual networks: known sizes, and the same layers written out one by one."""

import sys

import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from skdatamodels.training import resnet9, resnet18  # noqa: E402


def trained(network):
    """Give batch normalisation something to do."""
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.normal_(part.bias)
            torch.nn.init.normal_(part.running_mean)
            torch.nn.init.uniform_(part.running_var, 0.5, 1.5)
    return network.eval()


class Layers:
    """The layers of a network, handed out in order."""

    def __init__(self, network):
        self.parts = [part for part in network.modules() if not list(part.children())]

    def take(self, kind):
        return next(
            self.parts.pop(i) for i, p in enumerate(self.parts) if type(p) is kind
        )

    def convolution(self, x, stride=1, padding=1, relu=True):
        weight = self.take(torch.nn.Conv2d).weight
        norm = self.take(torch.nn.BatchNorm2d)
        x = F.conv2d(x, weight, stride=stride, padding=padding)
        x = (x - norm.running_mean[:, None, None]) / torch.sqrt(
            norm.running_var[:, None, None] + 1e-5
        )
        x = x * norm.weight[:, None, None] + norm.bias[:, None, None]
        return x.clamp(min=0) if relu else x


def by_hand_9(network, x):
    layers = Layers(network)
    x = layers.convolution(x)
    x = layers.convolution(x, stride=2, padding=2)
    x = x + layers.convolution(layers.convolution(x))
    x = layers.convolution(x)
    x = F.max_pool2d(x, 2)
    x = x + layers.convolution(layers.convolution(x))
    x = layers.convolution(x, padding=0).flatten(2).max(dim=2).values
    return 0.2 * x @ layers.take(torch.nn.Linear).weight.T


def by_hand_18(network, x):
    layers = Layers(network)
    x = F.max_pool2d(layers.convolution(x, 2, 3), 3, 2, 1)
    for stage in range(4):
        for block in range(2):
            stride = 2 if stage and not block else 1
            y = layers.convolution(x, stride)
            y = layers.convolution(y, relu=False)
            if stride == 2:
                x = layers.convolution(x, 2, 0, relu=False)
            x = (x + y).clamp(min=0)
    last = layers.take(torch.nn.Linear)
    return x.mean(dim=(2, 3)) @ last.weight.T + last.bias


@pytest.mark.parametrize(
    ("make", "by_hand", "side"), [(resnet9, by_hand_9, 24), (resnet18, by_hand_18, 40)]
)
def test_layers_written_out(make, by_hand, side):
    torch.manual_seed(0)
    network = trained(make(n_classes=5, n_channels=2, width=4))
    x = torch.randn(3, 2, side, side)
    with torch.no_grad():
        torch.testing.assert_close(network(x), by_hand(network, x))


def test_published_size():
    """The number of parameters of ResNet-18 on ImageNet is widely known."""
    assert sum(p.numel() for p in resnet18(1000).parameters()) == 11_689_512
    kernels = [3 * 64 * 9, 64 * 128 * 25, 2 * 128 * 128 * 9, 128 * 256 * 9]
    kernels += [2 * 256 * 256 * 9, 256 * 128 * 9, 128 * 10]
    norms = 2 * (64 + 128 + 2 * 128 + 256 + 2 * 256 + 128)
    assert sum(p.numel() for p in resnet9().parameters()) == sum(kernels) + norms


@pytest.mark.parametrize("make", [resnet9, resnet18])
def test_every_parameter_learns(make):
    torch.manual_seed(0)
    network = make(n_classes=3, width=4)
    F.cross_entropy(network(torch.randn(4, 3, 32, 32)), torch.arange(4) % 3).backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def test_without_torch_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "skdatamodels\[torch\]"'):
        resnet9()
