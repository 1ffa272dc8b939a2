"""Images of examples, as PNG files."""

import base64
import struct
import zlib

import numpy as np


def check_image_shape(examples, image_shape):
    """Return the shape of the images that examples contain, or raise."""
    own = examples.X.shape[1:]
    shape = tuple(image_shape or own)
    if np.prod(shape) != np.prod(own) or len(shape) not in (2, 3):
        raise ValueError(
            f"An example of shape {own} is not an image of shape {shape}; "
            "pass image_shape=(height, width)."
        )
    if len(shape) == 3 and shape[2] not in (1, 3, 4):
        raise ValueError(f"An image must have 1, 3 or 4 channels, got {shape[2]}.")
    return shape


def encode_images(X, rows, shape, low, high, factor=1):
    """Return PNG files in base64, one for each row.

    Parameters
    ----------
    X : array of shape (n, ...)
        Examples, which are images or rows of pixels.
    rows : int array
        Rows to encode.
    shape : tuple of int
        Shape of an image.
    low, high : float
        Values of black and of white. Missing pixels are black.
    factor : int, default=1
        Each square of this width becomes a pixel, its mean.
    """
    encoded = []
    for row in rows:
        pixels = np.asarray(X[row], dtype=np.float64).reshape(shape)
        pixels = _shrink((pixels - low) / (high - low or 1) * 255, factor)
        content = encode_png(np.nan_to_num(pixels).round().astype(np.uint8))
        encoded.append(base64.b64encode(content).decode())
    return encoded


def encode_png(pixels):
    """Encode pixels, uint8 (height, width) or (height, width, 1|3|4), as PNG.

    Written here so that no imaging package is needed. A PNG file is a header, the rows
    compressed by zlib, each after a zero that means "unfiltered", and an end chunk.
    """
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    colour = {1: 0, 3: 2, 4: 6}[channels]
    flat = pixels.reshape(height, width * channels)
    scanlines = np.insert(flat, 0, 0, axis=1).tobytes()

    def chunk(kind, content):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(scanlines))
        + chunk(b"IEND", b"")
    )


def _shrink(pixels, factor):
    """Return the means of squares of pixels; what is left at the edges is dropped."""
    if factor == 1 or min(pixels.shape[:2]) < 2 * factor:
        return pixels
    height, width = (side // factor for side in pixels.shape[:2])
    whole = pixels[: height * factor, : width * factor]
    return whole.reshape(height, factor, width, factor, *pixels.shape[2:]).mean((1, 3))
