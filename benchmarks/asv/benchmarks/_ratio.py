"""Our time as a multiple of a reference's."""

import time

from threadpoolctl import threadpool_limits


def ratio(ours, reference, rounds=5):
    """Return the least time of `ours` over the least time of `reference`.

    They take turns, each on one thread, for the machine may have other work. Both run
    once before, untimed: kernels are compiled then.

    Parameters
    ----------
    ours, reference : callable
    rounds : int, default=5

    Returns
    -------
    ratio : float
    """
    best = [float("inf")] * 2
    with threadpool_limits(1):
        for round_ in range(rounds + 1):
            for k, work in enumerate((ours, reference)):
                start = time.perf_counter()
                work()
                if round_:
                    best[k] = min(best[k], time.perf_counter() - start)
    return best[0] / best[1]
