"""Size of chunks of runs, and the end of training if all runs fail."""

# A chunk keeps a worker busy for about this time.
_CHUNK_SECONDS = 1.0
# After this number of failures without a success, training stops.
_HOPELESS = 20


class Pace:
    """Choose the size of chunks from the duration of runs; stop if all runs fail.

    Parameters
    ----------
    block_size : int, default=1
        Chunks are multiples of this number if possible.
    n_finished : int, default=0
        Number of runs that were finished before.

    Attributes
    ----------
    stopped : bool
        Whether training stops because many runs failed and none is finished.
    """

    def __init__(self, block_size=1, n_finished=0):
        self.size = self.block_size = block_size
        self.n_finished, self.n_failed = n_finished, 0

    @property
    def stopped(self):
        """Whether training stops because all runs fail."""
        return self.n_finished == 0 and self.n_failed >= _HOPELESS

    def chunks(self, todo, count_workers):
        """Yield chunks of `todo`. The last ones are small, so workers end together.

        Parameters
        ----------
        todo : int array
            Positions of the runs to train.
        count_workers : callable
            Returns the current number of workers.
        """
        start = 0
        while start < len(todo) and not self.stopped:
            n_workers = count_workers()
            # Chunks are not too small, because each has an overhead.
            fair = max((len(todo) - start) // (2 * n_workers), self.size // 10)
            size = self.size if n_workers == 1 else min(self.size, fair)
            if size > self.block_size:
                size -= size % self.block_size
            yield todo[start : start + max(1, size)]
            start += max(1, size)

    def record(self, n_finished, n_failed, seconds):
        """Record the numbers of finished and failed runs of a chunk, and its time."""
        self.n_finished += n_finished
        self.n_failed += n_failed
        size = int(_CHUNK_SECONDS * (n_finished + n_failed) / max(seconds, 1e-9))
        self.size = max(self.block_size, size)
