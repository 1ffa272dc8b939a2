import base64

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels import Examples
from skdatamodels.pages._images import check_image_shape, encode_images, encode_png

image = pytest.importorskip("matplotlib.image")


def _read(content, path):
    path.write_bytes(content)
    return np.round(image.imread(path) * 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_png_is_read_by_another_reader(channels, tmp_path):
    shape = (5, 7) if channels is None else (5, 7, channels)
    pixels = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    read = _read(encode_png(pixels), tmp_path / "image.png")
    assert_array_equal(read.reshape(pixels.shape), pixels)


@pytest.mark.parametrize("shape", [(6, 9), (6, 9, 3)])
def test_images_are_scaled_and_shrunk(shape, tmp_path):
    X = np.random.default_rng(0).random((3, np.prod(shape))) * 4 - 2
    for factor in (1, 2):
        (one,) = encode_images(X, [2], shape, -2, 2, factor)
        read = _read(base64.b64decode(one), tmp_path / "image.png")
        pixels = X[2].reshape(shape)
        if factor == 2:  # the last column has no partner
            pairs = pixels[:, :8].reshape(3, 2, 4, 2, -1)
            pixels = pairs.mean(axis=(1, 3)).squeeze()
        assert np.abs(read - (pixels + 2) / 4 * 255).max() <= 0.51


@pytest.mark.parametrize(
    ("X", "shape", "message"),
    [
        (np.ones((2, 12)), (3, 5), r"not an image of shape \(3, 5\)"),
        (np.ones((2, 12)), (12,), r"not an image of shape \(12,\)"),
        (np.ones((2, 3, 4, 2)), None, "1, 3 or 4 channels, got 2"),
    ],
)
def test_bad_shapes(X, shape, message):
    with pytest.raises(ValueError, match=message):
        check_image_shape(Examples(X, [0, 1]), shape)
