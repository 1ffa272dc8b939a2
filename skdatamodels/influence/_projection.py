"""Random projections, generated in blocks."""

import numpy as np

from skdatamodels.influence._torch import import_torch

_ENTRIES = 2**22  # of the projection in memory


class Projection:
    """Random projection that preserves the mean squared length.

    Its entries depend only on the entropy and the key, not on the projected rows or
    their number.

    Parameters
    ----------
    n_in, n_out : int
        Numbers of dimensions.
    kind : {"sign", "gaussian"}
        Distribution of the entries.
    entropy : int
        Seed.
    key : int
        Number of the projection. Different keys give different projections.
    """

    def __init__(self, n_in, n_out, kind, entropy, key):
        self.n_in, self.n_out, self.kind = n_in, n_out, kind
        self.entropy, self.key = entropy, key

    def __call__(self, rows):
        """Project a tensor (n, n_in) to one of shape (n, n_out)."""
        step = max(1, _ENTRIES // self.n_out)
        projected = rows.new_zeros(len(rows), self.n_out)
        for number, start in enumerate(range(0, self.n_in, step)):
            part = rows[:, start : start + step]
            projected += part @ self._entries(number, part.shape[1]).to(rows)
        return projected / self.n_out**0.5

    def _entries(self, number, n_rows):
        sequence = np.random.SeedSequence(self.entropy, spawn_key=(self.key, number))
        rng, size = np.random.default_rng(sequence), (n_rows, self.n_out)
        if self.kind == "gaussian":
            entries = rng.standard_normal(size, dtype=np.float32)
        else:
            entries = rng.integers(0, 2, size, dtype=np.int8) * 2 - 1
        return import_torch().from_numpy(entries)
