"""Residual networks for images, as the paper trains them."""


def resnet9(n_classes=10, *, n_channels=3, width=64):
    """Return a network of nine layers for images of about 32 by 32 pixels.

    The network has eight convolutions, each with batch normalisation and ReLU, and a
    linear layer. Two pairs of convolutions are residual.

    Parameters
    ----------
    n_classes : int, default=10
        Number of classes.
    n_channels : int, default=3
        Number of colour channels of an image.
    width : int, default=64
        Number of channels after the first layer. The other convolutions have two or
        four times as many.

    Returns
    -------
    network : torch.nn.Module
        Module that maps images of shape (batch, n_channels, height, width) to logits of
        shape (batch, n_classes). Height and width must be at least 12.

    References
    ----------
    Ilyas et al., "Datamodels: Predicting Predictions from Training Data", 2022,
    appendix D.

    Examples
    --------
    >>> import torch
    >>> from skdatamodels.training import resnet9
    >>> resnet9(n_classes=4, width=8).eval()(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 4])
    """
    nn, blocks = _torch_parts()
    n1, n2, n4 = width, 2 * width, 4 * width
    return nn.Sequential(
        blocks.convolution(n_channels, n1),
        blocks.convolution(n1, n2, kernel=5, stride=2),
        blocks.Residual(blocks.convolution(n2, n2), blocks.convolution(n2, n2)),
        blocks.convolution(n2, n4),
        nn.MaxPool2d(2),
        blocks.Residual(blocks.convolution(n4, n4), blocks.convolution(n4, n4)),
        blocks.convolution(n4, n2, padding=0),
        blocks.LargestOfChannel(),
        nn.Linear(n2, n_classes, bias=False),
        blocks.Scale(0.2),
    )


def resnet18(n_classes=10, *, n_channels=3, width=64):
    """Return a network of eighteen layers for images of about 224 by 224 pixels.

    Parameters
    ----------
    n_classes : int, default=10
        Number of classes.
    n_channels : int, default=3
        Number of colour channels of an image.
    width : int, default=64
        Number of channels in the first of four stages. Each stage has twice as many as
        the one before.

    Returns
    -------
    network : torch.nn.Module
        Module that maps images of shape (batch, n_channels, height, width) to logits of
        shape (batch, n_classes).

    References
    ----------
    He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016.

    Examples
    --------
    >>> from skdatamodels.training import resnet18
    >>> sum(p.numel() for p in resnet18(n_classes=1000).parameters())
    11689512
    """
    nn, blocks = _torch_parts()
    stages, n_in = [], width
    for stage in range(4):
        n_out = width << stage
        stages += [
            blocks.Block(n_in, n_out, 1 + (stage > 0)),
            blocks.Block(n_out, n_out, 1),
        ]
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


def _torch_parts():
    """Import the parts of the networks, which need torch."""
    try:
        from torch import nn
    except ImportError as error:
        raise ImportError(
            'Residual networks need torch: pip install "skdatamodels[torch]"'
        ) from error
    from skdatamodels.training._learners import residual_blocks

    return nn, residual_blocks
