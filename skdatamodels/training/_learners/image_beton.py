"""Images that FFCV reads from its ``.beton`` files, batch by batch."""

import os
import zlib
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from skdatamodels._examples import Examples
from skdatamodels.runs._beton import import_ffcv, open_reader

_SAMPLED = 20  # images whose bytes are compared with what was read before


def read_image_beton(path):
    """Return examples that stand for the images in an FFCV file.

    The images stay in the file; ``ImageLearner(beton=...)`` reads them from there.

    Parameters
    ----------
    path : path-like
        ``.beton`` file with fields ``image`` (RGB, raw or JPEG, all of one size) and
        ``label`` (int). More fields are ignored.

    Returns
    -------
    examples : Examples
        X is int64 (n, 2): the number of the image in the file and a checksum of its
        bytes. By it, other pictures are other examples to a store. y has the labels.

    Raises
    ------
    ImportError
        If FFCV is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a finished FFCV file with these fields, is cut short, or its images
        differ in size.

    See Also
    --------
    ImageLearner : It trains on them.

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
    """What is known of an FFCV file of images without decoding them.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    labels : int array of shape (n,)
    shape : (height, width, 3)
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
        """Return a checksum of the bytes of each of these images, int64."""
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
        """Raise unless these examples were read from this file, all or some."""
        X = examples.X
        if getattr(X, "dtype", None) != np.int64 or X.ndim != 2 or X.shape[1] != 2:
            raise TypeError(
                f"{name} must be what read_image_beton made of {self.path}, or a part."
            )
        some = X[np.linspace(0, len(X) - 1, min(len(X), _SAMPLED)).astype(int)]
        if not 0 <= X[:, 0].min() <= X[:, 0].max() < len(self.labels) or (
            (self.checksums(some[:, 0]) != some[:, 1]).any()
        ):
            raise ValueError(
                f"{name} has other images than {self.path}: read them from this "
                "file by read_image_beton."
            )

    def _places(self, reader, images):
        """Return start and length, in bytes, of each image."""
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
    """Return (height, width, 3) of the images in both files, which fit the examples."""
    if len(paths) != 2:
        raise ValueError(
            "beton must be two files, of the training images and of the targets, got "
            f"{len(paths)}."
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
    """Images that FFCV decodes when a batch of them is due.

    Parameters
    ----------
    path : str
    examples : Examples
        What :func:`read_image_beton` made of the file, or a part.
    settings : ImageLearner
        For `device` and `n_readers`.
    """

    def __init__(self, path, examples, settings):
        self.path, self.rows = path, examples.X[:, 0]
        self.device, self.n_readers = settings.device, settings.n_readers
        self.other_fields = ImageFile(path).other_fields

    def __len__(self):
        return len(self.rows)

    def batches(self, rows, size):
        """Yield batches (size, height, width, channels) of these rows, in this order.

        The last one may be smaller.
        """
        import_ffcv()
        from ffcv.fields.rgb_image import SimpleRGBImageDecoder
        from ffcv.loader import Loader, OrderOption
        from ffcv.transforms import ToTensor

        with keeping_threads() as restore:
            loader = Loader(
                os.fspath(self.path),
                batch_size=size,
                num_workers=self.n_readers,  # its default ignores the affinity
                os_cache=True,
                order=OrderOption.SEQUENTIAL,
                indices=self.rows[rows],
                drop_last=False,
                pipelines={"image": [SimpleRGBImageDecoder(), ToTensor()]}
                | dict.fromkeys(self.other_fields),
            )
            # closing ends the thread that reads ahead
            with closing(iter(loader)) as batches:
                for (x,) in batches:
                    restore()
                    # FFCV writes a later batch over this one
                    yield x.to(self.device, copy=True)


@contextmanager
def keeping_threads():
    """Yield a function that puts back the numbers of threads that FFCV sets."""
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
