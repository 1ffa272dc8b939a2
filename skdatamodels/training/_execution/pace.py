"""How many runs a worker is given at a time, and when it is given no more."""

# A chunk is as many runs as keep a worker busy for about so long.
_CHUNK_SECONDS = 1.0
# So many failures without one success, and the rest is not tried.
_HOPELESS = 20


class Pace:
    """Chunk size, from the time that runs have taken; an end, if none succeeds.

    Parameters
    ----------
    block_size : int, default=1
        Chunks are multiples of it where they can be.
    n_finished : int, default=0
        Runs that were finished before.

    Attributes
    ----------
    stopped : bool
        Whether training is given up: so many runs failed, and none is finished.
    """

    def __init__(self, block_size=1, n_finished=0):
        self.size = self.block_size = block_size
        self.n_finished, self.n_failed = n_finished, 0

    @property
    def stopped(self):
        """Whether training is given up."""
        return self.n_finished == 0 and self.n_failed >= _HOPELESS

    def chunks(self, todo, count_workers):
        """Yield stretches of `todo`, small ones last: workers end together.

        Parameters
        ----------
        todo : int array
        count_workers : callable
            Returns how many there are just now.
        """
        start = 0
        while start < len(todo) and not self.stopped:
            n_workers = count_workers()
            # not too small: a chunk has a cost of its own
            fair = max((len(todo) - start) // (2 * n_workers), self.size // 10)
            size = self.size if n_workers == 1 else min(self.size, fair)
            if size > self.block_size:
                size -= size % self.block_size
            yield todo[start : start + max(1, size)]
            start += max(1, size)

    def record(self, n_finished, n_failed, seconds):
        """Note how many runs of a chunk finished and failed, and in what time."""
        self.n_finished += n_finished
        self.n_failed += n_failed
        size = int(_CHUNK_SECONDS * (n_finished + n_failed) / max(seconds, 1e-9))
        self.size = max(self.block_size, size)
