"""Runs on disk, against numpy's files of the same numbers."""

import tempfile
from itertools import count
from pathlib import Path

import numpy as np

from skdatamodels import PackedMasks, RunStore

from ._ratio import ratio

N_RUNS, N_TRAIN, N_TARGETS = 2000, 1000, 500


class Store:
    """A block of 2,000 runs: 4.3 MB."""

    def setup(self):
        """Make runs and write them once."""
        rng = np.random.default_rng(0)
        bits = rng.integers(0, 256, (N_RUNS, N_TRAIN // 8), dtype=np.uint8)
        outputs = rng.standard_normal((N_RUNS, N_TARGETS), dtype=np.float32)
        seeds = np.arange(N_RUNS, dtype=np.uint32)
        self.content = PackedMasks(bits, N_TRAIN), seeds, outputs
        self.arrays = bits, outputs
        self.folder = tempfile.TemporaryDirectory()
        self.places = (Path(self.folder.name, str(k)) for k in count())
        self.store = self.write()
        for name, values in zip("ab", self.arrays, strict=True):
            np.save(Path(self.folder.name, name), values)

    def teardown(self):
        """Remove the files."""
        self.folder.cleanup()

    def write(self):
        """Write all runs to a new store."""
        store = RunStore.create(next(self.places), N_TRAIN, N_TARGETS)
        store.write(np.arange(N_RUNS), *self.content)
        return store

    def track_write(self):
        """Write: checksums, and the wait until all is on disk, are in the time."""

        def reference():
            place = next(self.places)
            place.mkdir()
            for name, values in zip("ab", self.arrays, strict=True):
                np.save(place / name, values)

        return ratio(self.write, reference)

    def track_read(self):
        """Read all, compared with the checksums, into memory."""

        def reference():
            for name in "ab":
                np.load(Path(self.folder.name, f"{name}.npy"))

        def ours():
            runs = self.store.runs()
            np.array(runs.packed.bits), np.array(runs.outputs)

        return ratio(ours, reference)

    track_write.unit = track_read.unit = "times numpy's"
