"""The process that `write_beton` starts: ``_beton_writer FOLDER N_TRAIN``.

It writes FOLDER/runs.beton from FOLDER/bits.npy and FOLDER/outputs.npy.
"""

import sys
from pathlib import Path

import numpy as np

from skdatamodels.masks import PackedMasks


class Samples:
    """A sequence of samples, as FFCV's writer expects it: one sample per run."""

    def __init__(self, folder, n_train):
        bits = np.load(Path(folder, "bits.npy"), mmap_mode="r")
        self.masks = PackedMasks(bits, n_train)
        self.outputs = np.load(Path(folder, "outputs.npy"), mmap_mode="r")

    def __len__(self):
        return len(self.masks)

    def __getitem__(self, row):
        return self.masks.dense(row), self.outputs[row].astype(np.float32), row


def main(folder, n_train):
    """Write the file."""
    from ffcv.fields import IntField, NDArrayField
    from ffcv.writer import MIN_PAGE_SIZE, DatasetWriter

    samples = Samples(folder, n_train)
    n_targets = samples.outputs.shape[1]
    fields = {
        "mask": NDArrayField(np.dtype(bool), (n_train,)),
        "targets": NDArrayField(np.dtype(np.float32), (n_targets,)),
        "idx": IntField(),
    }
    # A sample must fit into a page, whose size is a power of two.
    page_size = max(4 * MIN_PAGE_SIZE, 1 << (n_train + 4 * n_targets).bit_length())
    # With one worker, the runs are in order in the file too.
    writer = DatasetWriter(
        str(Path(folder, "runs.beton")), fields, page_size=page_size, num_workers=1
    )
    writer.from_indexed_dataset(samples)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
