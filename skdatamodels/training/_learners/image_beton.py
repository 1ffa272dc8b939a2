"""Images in FFCV's ``.beton`` files, which are read batch by batch."""

import os
import zlib
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from skdatamodels._examples import Examples
from skdatamodels.runs._beton import import_ffcv, open_reader

_SAMPLED = 20  # images whose checksums are compared


def read_image_beton(path):
    """Return examples that stand for the images in an FFCV file.

    The images stay in the file; ``ImageLearner(beton=...)`` reads them from there.

    Parameters
    ----------
    path : path-like
        ``.beton`` file with the fields ``image`` (RGB, raw or JPEG, all of the same
        size) and ``label`` (int). Other fields are ignored.

    Returns
    -------
    examples : Examples
        `X` is an int64 array of shape (n, 2), which contains the position of each image
        in the file and a checksum of its bytes. With the checksum, a store notices if
        images change. `y` contains the labels.

    Raises
    ------
    ImportError
        If FFCV is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a complete FFCV file with these fields, or its images have
        different sizes.

    See Also
    --------
    ImageLearner : Trains on the images.

    Examples
    --------
    >>> from skdatamodels.training import read_image_beton
    >>> read_image_beton("cifar_train.beton")  # doctest: +SKIP
    Examples(50000 rows, X: (50000, 2) int64, y: int64)
    """
    file = ImageFile(path)
    rows = np.arange(len(file.labels))
    X = np.column_stack([rows, file.checksums(rows)])
    return Examples(X, file.labels.astype(np.int64))


class ImageFile:
    """Metadata of an FFCV file of images, which are not decoded.

    Parameters
    ----------
    path : path-like
        The ``.beton`` file.

    Attributes
    ----------
    labels : int array of shape (n,)
        Labels of the images.
    shape : (height, width, 3)
        Shape of the images.
    other_fields : list of str
        Fields other than ``image``.
    """

    def __init__(self, path):
        self.path = Path(path)
        reader = open_reader(path)
        fields = reader.handlers
        kinds = {name: type(field).__name__ for name, field in fields.items()}
        if (kinds.get("image"), kinds.get("label")) != ("RGBImageField", "IntField"):
            found = ", ".join(f"{name} = {kind}" for name, kind in kinds.items())
            raise ValueError(
                f"{path} must have the fields image (RGB) and label (int), it has "
                f"{found}."
            )
        names = dict(zip(fields, reader.metadata.dtype.names, strict=True))
        images = reader.metadata[names["image"]]
        sizes = np.unique(np.stack([images["height"], images["width"]], 1), axis=0)
        if len(sizes) != 1:
            raise ValueError(
                f"{path} must hold images of one size, it has {len(sizes)} sizes, from "
                f"{tuple(sizes[0].tolist())} to {tuple(sizes[-1].tolist())}."
            )
        self.shape = (*sizes[0].tolist(), 3)
        self.labels = reader.metadata[names["label"]]
        self.other_fields = [name for name in fields if name != "image"]
        self._starts, self._lengths = self._places(reader, images)

    def checksums(self, rows):
        """Return a checksum of the bytes of each image in `rows`, int64 array."""
        content = np.memmap(self.path, np.uint8, "r")
        return np.array(
            [
                zlib.crc32(content[start : start + length])
                for start, length in zip(
                    self._starts[rows], self._lengths[rows], strict=True
                )
            ],
            dtype=np.int64,
        )

    def check(self, examples, name):
        """Raise if the examples were not read from this file."""
        X = examples.X
        if getattr(X, "dtype", None) != np.int64 or X.ndim != 2 or X.shape[1] != 2:
            raise TypeError(
                f"{name} must be what read_image_beton made of {self.path}, or a part "
                "of it."
            )
        some = X[np.linspace(0, len(X) - 1, min(len(X), _SAMPLED)).astype(int)]
        if not 0 <= X[:, 0].min() <= X[:, 0].max() < len(self.labels) or (
            (self.checksums(some[:, 0]) != some[:, 1]).any()
        ):
            raise ValueError(
                f"{name} has other images than {self.path}. Read them from this file "
                "with read_image_beton."
            )

    def _places(self, reader, images):
        """Return the start and the length, in bytes, of each image."""
        table = np.sort(reader.alloc_table, order="ptr")
        at = np.searchsorted(table["ptr"], images["data_ptr"])
        at = np.minimum(at, len(table) - 1)
        starts, lengths = (table[key][at].astype(np.int64) for key in ("ptr", "size"))
        if (starts != images["data_ptr"]).any() or (
            (starts + lengths).max() > self.path.stat().st_size
        ):
            raise ValueError(f"{self.path} is cut short: it lacks some of its images.")
        return starts, lengths


def check_pair(paths, train, targets):
    """Check two files against the examples, and return (height, width, 3)."""
    if len(paths) != 2:
        raise ValueError(
            "beton must be two files, one of the training images and one of the "
            f"targets, got {len(paths)}."
        )
    files = [ImageFile(path) for path in paths]
    for file, examples, name in zip(
        files, (train, targets), ("train", "targets"), strict=True
    ):
        file.check(examples, name)
    if files[0].shape != files[1].shape:
        raise ValueError(
            f"{files[0].path} has images of shape {files[0].shape}, {files[1].path} of "
            f"{files[1].shape}: they must be the same."
        )
    return files[0].shape


class BetonImages:
    """Images in a file, which FFCV decodes batch by batch.

    Parameters
    ----------
    path : str
        The ``.beton`` file.
    examples : Examples
        The result of :func:`read_image_beton` for this file, or a part of it.
    settings : ImageLearner
        Learner with the parameters `device` and `n_readers`.
    """

    def __init__(self, path, examples, settings):
        self.path, self.rows = path, examples.X[:, 0]
        self.device, self.n_readers = settings.device, settings.n_readers
        self.other_fields = ImageFile(path).other_fields

    def __len__(self):
        return len(self.rows)

    def batches(self, rows, size):
        """Yield batches (size, height, width, channels) of images, in order of `rows`.

        The last batch may be smaller.
        """
        import_ffcv()
        from ffcv.fields.rgb_image import SimpleRGBImageDecoder
        from ffcv.loader import Loader, OrderOption
        from ffcv.transforms import ToTensor

        with keeping_threads() as restore:
            loader = Loader(
                os.fspath(self.path),
                batch_size=size,
                num_workers=self.n_readers,  # the default ignores CPU affinity
                os_cache=True,
                order=OrderOption.SEQUENTIAL,
                indices=self.rows[rows],
                drop_last=False,
                pipelines={"image": [SimpleRGBImageDecoder(), ToTensor()]}
                | dict.fromkeys(self.other_fields),
            )
            # Closing ends the thread that reads ahead.
            with closing(iter(loader)) as batches:
                for (x,) in batches:
                    restore()
                    # FFCV overwrites this batch with a later one.
                    yield x.to(self.device, copy=True)


@contextmanager
def keeping_threads():
    """Yield a function that restores the numbers of threads that FFCV changes."""
    import numba
    import torch

    n_torch, n_numba = torch.get_num_threads(), numba.get_num_threads()

    def restore():
        torch.set_num_threads(n_torch)
        numba.set_num_threads(n_numba)

    try:
        yield restore
    finally:
        restore()
