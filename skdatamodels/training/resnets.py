"""Residual networks for images, as the paper trains them."""

from torch import nn


def resnet9(n_classes=10, *, n_channels=3, width=64):
    """Return a network of nine layers for images of about 32 by 32 pixels.

    Eight convolutions, each with batch normalisation and ReLU; two pairs of them are
    residual.

    Parameters
    ----------
    n_classes : int, default=10
    n_channels : int, default=3
        Colours of an image.
    width : int, default=64
        Channels after the first layer; the other layers have two or four times as many.

    Returns
    -------
    network : torch.nn.Module
        Images (batch, n_channels, height, width) to logits (batch, n_classes). Height
        and width are at least 12.

    References
    ----------
    Ilyas et al., "Datamodels: Predicting Predictions from Training Data", 2022,
    appendix D.

    Examples
    --------
    >>> import torch
    >>> from skdatamodels.training.resnets import resnet9
    >>> resnet9(n_classes=4, width=8).eval()(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 4])
    """
    n1, n2, n4 = width, 2 * width, 4 * width
    return nn.Sequential(
        _convolution(n_channels, n1),
        _convolution(n1, n2, kernel=5, stride=2),
        _Residual(_convolution(n2, n2), _convolution(n2, n2)),
        _convolution(n2, n4),
        nn.MaxPool2d(2),
        _Residual(_convolution(n4, n4), _convolution(n4, n4)),
        _convolution(n4, n2, padding=0),
        _LargestOfChannel(),
        nn.Linear(n2, n_classes, bias=False),
        _Scale(0.2),
    )


def resnet18(n_classes=10, *, n_channels=3, width=64):
    """Return a network of eighteen layers for images of about 224 by 224 pixels.

    Parameters
    ----------
    n_classes : int, default=10
    n_channels : int, default=3
    width : int, default=64
        Channels of the first stage of four; each has twice as many as the one before.

    Returns
    -------
    network : torch.nn.Module
        Images (batch, n_channels, height, width) to logits (batch, n_classes).

    References
    ----------
    He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016.

    Examples
    --------
    >>> from skdatamodels.training.resnets import resnet18
    >>> sum(p.numel() for p in resnet18(n_classes=1000).parameters())
    11689512
    """
    stages, n_in = [], width
    for stage in range(4):
        n_out = width << stage
        stages += [_Block(n_in, n_out, 1 + (stage > 0)), _Block(n_out, n_out, 1)]
        n_in = n_out
    network = nn.Sequential(
        nn.Conv2d(n_channels, width, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
        *stages,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(n_in, n_classes),
    )
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return network


def _convolution(n_in, n_out, *, kernel=3, stride=1, padding=None):
    padding = kernel // 2 if padding is None else padding
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Sequential):
    """Layers whose result is added to their input."""

    def forward(self, x):
        return x + super().forward(x)


class _LargestOfChannel(nn.Module):
    """Each channel's largest value; unlike AdaptiveMaxPool2d it repeats on CUDA."""

    def forward(self, x):
        return x.amax(dim=(2, 3))


class _Scale(nn.Module):
    """Multiplication by a constant, so that training starts from small logits."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


class _Block(nn.Module):
    """Two convolutions with a way past them."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(n_in, n_out, stride=stride),
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
