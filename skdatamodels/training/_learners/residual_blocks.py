"""Building blocks of residual networks."""

from torch import nn


def convolution(n_in, n_out, *, kernel=3, stride=1, padding=None):
    padding = kernel // 2 if padding is None else padding
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Sequential):
    """Layers whose result is added to their input."""

    def forward(self, x):
        return x + super().forward(x)


class LargestOfChannel(nn.Module):
    """Maximum of each channel. Unlike AdaptiveMaxPool2d, deterministic on CUDA."""

    def forward(self, x):
        return x.amax(dim=(2, 3))


class Scale(nn.Module):
    """Multiplication by a constant, so that training starts with small logits."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


class Block(nn.Module):
    """Two convolutions with a shortcut."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.layers = nn.Sequential(
            convolution(n_in, n_out, stride=stride),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.past = nn.Identity()
        if stride > 1 or n_in != n_out:
            self.past = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False),
                nn.BatchNorm2d(n_out),
            )

    def forward(self, x):
        return nn.functional.relu(self.layers(x) + self.past(x))
