"""Subset designs: the distributions that training subsets are drawn from.

A design draws runs in blocks. Runs of the same block may depend on each other; blocks
are independent. A design is a function ``draw(positions, rng, *, n_train, alpha, y)``.
It yields the boolean mask ``(n_train,)`` of each requested position in a block, in
increasing order; `rng` is the generator of the block. A mask must not depend on which
other positions are requested. To add a design, write the function and add it to
`DESIGNS`.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import groupby
from numbers import Integral
from typing import NamedTuple

import numpy as np

from skdatamodels._numbers import unmasked
from skdatamodels._random import entropy_from, mask_generator
from skdatamodels.masks._packed import PackedMasks

_BALANCED_BLOCK = 20  # α·20 is an integer for the usual fractions


def subset_size(n_train, alpha):
    """Compute the size of a subset: round(alpha·n_train).

    Parameters
    ----------
    n_train : int
        Number of training examples.
    alpha : float in (0, 1)
        Fraction of the training examples in a subset.

    Returns
    -------
    size : int
        Number of examples in a subset, between 1 and n_train - 1.

    Raises
    ------
    ValueError
        If `alpha` is not between 0 and 1, or if the subset would be empty or contain
        all examples. Such masks are constant and carry no information.

    Examples
    --------
    >>> from skdatamodels.masks import subset_size
    >>> subset_size(1200, 0.5)
    600
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be a fraction between 0 and 1, got {alpha}.")
    size = round(alpha * n_train)
    if not 1 <= size <= n_train - 1:
        raise ValueError(
            f"alpha={alpha} of n_train={n_train} examples gives subsets of size "
            f"{size}; it must lie between 1 and n_train - 1 = {n_train - 1}. "
            "Choose an alpha closer to 0.5 or use more examples."
        )
    return size


def _subset(rng, n_train, size):
    mask = np.zeros(n_train, dtype=bool)
    mask[rng.permutation(n_train)[:size]] = True
    return mask


def uniform(positions, rng, *, n_train, alpha, y=None):
    """Draw uniformly from all subsets of size round(α·n_train) (the paper's D_S)."""
    yield _subset(rng, n_train, subset_size(n_train, alpha))


def bernoulli(positions, rng, *, n_train, alpha, y=None):
    """Include each example with probability α, independently; sizes vary."""
    yield rng.random(n_train) < alpha


def stratified(positions, rng, *, n_train, alpha, y=None):
    """Draw round(α·n_train) examples, in proportion from every class.

    A class of n_c examples contributes ⌊α·n_c⌋. The remaining examples come one each
    from the classes that lost most by rounding down; ties are broken at random.
    """
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    share = alpha * counts
    sizes = np.floor(share).astype(int)
    missing = subset_size(n_train, alpha) - sizes.sum()
    by_loss = np.lexsort((rng.random(len(classes)), sizes - share))
    sizes[by_loss[:missing]] += 1
    mask = np.zeros(n_train, dtype=bool)
    for code, size in enumerate(sizes):
        members = np.flatnonzero(codes == code)
        mask[members] = _subset(rng, len(members), size)
    yield mask


def complementary(positions, rng, *, n_train, alpha, y=None):
    """Draw a uniform subset, then its complement."""
    mask = _subset(rng, n_train, subset_size(n_train, alpha))
    for position in positions:
        yield ~mask if position else mask


def balanced(positions, rng, *, n_train, alpha, y=None):
    """Include each example in the same number of subsets of a block.

    If r subsets of the block remain and an example must be in c of them, it is in the
    next one with probability c / r. Systematic sampling in random order (Madow, 1949)
    does this with subsets of exactly the required size, and gives every example its
    number. Each subset alone is uniform, because all steps treat the examples alike.
    """
    size = subset_size(n_train, alpha)
    needs = np.full(n_train, size * _BALANCED_BLOCK // n_train)
    needs[rng.permutation(n_train)[: size * _BALANCED_BLOCK % n_train]] += 1
    for position in range(positions[-1] + 1):
        remaining = _BALANCED_BLOCK - position
        order = rng.permutation(n_train)
        start = rng.integers(remaining)
        steps = (start + np.cumsum(needs[order])) // remaining
        mask = np.empty(n_train, dtype=bool)
        mask[order] = np.diff(steps, prepend=0)
        needs -= mask
        if position in positions:
            yield mask


def orthogonal(positions, rng, *, n_train, alpha, y=None):
    """Take rows of a Hadamard matrix, each followed by its negative.

    The matrix is Paley's of order N = p + 1, where p is the smallest prime with
    N ≥ n_train and p mod 4 = 3. The columns and their signs are chosen at random; the
    rows come in random order. Over a block of 2N runs, any two examples are together in
    exactly N/2 subsets, the expected number for independent examples. Sizes vary as in
    the Bernoulli design: a fixed size would make the examples dependent.
    """
    prime = _paley_prime(n_train)
    order = rng.permutation(prime + 1)
    columns = rng.permutation(prime + 1)[:n_train]
    signs = rng.choice([-1, 1], n_train)
    # 1 for the squares modulo p and 0, -1 for the others
    character = np.full(prime, -1)
    character[np.arange(prime) ** 2 % prime] = 1
    for position in positions:
        row = order[position // 2]
        entries = np.ones(n_train, dtype=int)
        if row:
            entries = np.where(columns, character[(row - columns) % prime], -1)
        yield (entries * signs > 0) == (position % 2 == 0)


@lru_cache
def _paley_prime(n_train):
    prime = max(3, n_train - 1 + (4 - n_train) % 4)  # 3 modulo 4
    while any(prime % k == 0 for k in range(3, math.isqrt(prime) + 1, 2)):
        prime += 4
    return prime


class Design(NamedTuple):
    """A subset design: how it draws masks, and in which blocks.

    Attributes
    ----------
    draw : callable
        ``draw(positions, rng, *, n_train, alpha, y)`` yields the masks of the given
        positions of a block. Positions are sorted.
    block : callable
        ``block(n_train)`` returns the number of runs in a block.
    pairs : bool
        Whether a block consists of pairs: a subset and its complement, which share a
        training seed. Such designs need alpha = 0.5.
    """

    draw: Callable
    block: Callable = lambda n_train: 1
    pairs: bool = False


DESIGNS = {
    "uniform": Design(uniform),
    "bernoulli": Design(bernoulli),
    "stratified": Design(stratified),
    "complementary": Design(complementary, lambda n_train: 2, pairs=True),
    "balanced": Design(balanced, lambda n_train: _BALANCED_BLOCK),
    "orthogonal": Design(
        orthogonal, lambda n_train: 2 * _paley_prime(n_train) + 2, pairs=True
    ),
}
"""Subset designs by name."""


def check_run_ids(run_ids):
    """Check that run ids are distinct non-negative integers; return int64 (n_runs,)."""
    ids = np.asarray(unmasked(run_ids, "run ids"))
    if ids.ndim != 1 or ids.size == 0:
        raise ValueError(
            "Run ids must be a non-empty 1-d array of integers such as np.arange(1000),"
            f" got an array of shape {ids.shape}."
        )
    if not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"Run ids must be integers, got dtype {ids.dtype}.")
    if ids.min() < 0:
        raise ValueError(
            f"Run ids must not be negative, got {ids.min()} at position {ids.argmin()}."
        )
    if ids.max() > np.iinfo(np.int64).max:
        raise ValueError(f"Run ids must be below 2**63, got {ids.max()}.")
    unique, counts = np.unique(ids, return_counts=True)
    if unique.size < ids.size:
        raise ValueError(
            f"Run ids must be distinct, got {unique[counts > 1][:5].tolist()} more than"
            " once. To train one subset several times, give its mask several times."
        )
    return ids.astype(np.int64)


def check_alphas(alpha):
    """Check that alpha is one or more numbers; return float64 (n_alphas,)."""
    alphas = np.atleast_1d(alpha)
    if alphas.ndim != 1 or alphas.size == 0 or alphas.dtype.kind not in "iuf":
        raise ValueError(
            f"alpha must be a fraction, or a list of fractions, got {alpha!r}."
        )
    return alphas.astype(np.float64)


def check_design(design, n_train, alpha, y=None):
    """Check a design and alpha on the training set; return the design."""
    if design not in DESIGNS:
        raise ValueError(f"design must be one of {sorted(DESIGNS)}, got {design!r}.")
    for fraction in check_alphas(alpha).tolist():
        subset_size(n_train, fraction)
        if DESIGNS[design].pairs and fraction != 0.5:
            raise ValueError(
                f"design={design!r} pairs each subset with its complement and needs "
                f"alpha=0.5, got {fraction}. Choose another design for other fractions."
            )
    if design == "stratified" and (y is None or len(y) != n_train):
        raise ValueError(
            "The stratified design needs the class of each training example: "
            f"y of length n_train={n_train}, got "
            + ("None." if y is None else f"length {len(y)}.")
        )
    return DESIGNS[design]


def seed_runs(run_ids, design, alpha):
    """Return the run whose training seed each run uses: in a pair, the first one's.

    Parameters
    ----------
    run_ids : int array of shape (n_runs,)
        Ids of the runs.
    design : str
        Name of the design.
    alpha : float or sequence of float
        Fraction or fractions of the design.

    Returns
    -------
    runs : int array of shape (n_runs,)
        Ids of the runs that own the seeds.
    """
    if not DESIGNS[design].pairs:
        return run_ids
    n_alphas = len(check_alphas(alpha))
    return run_ids - n_alphas * (run_ids // n_alphas % 2)


def sample_masks(run_ids, n_train, alpha, *, design="uniform", random_state=0, y=None):
    """Draw training subsets: the masks of the given runs of a subset design.

    The mask of run i depends on `design`, `alpha`, `n_train`, `random_state` and i (and
    on y in the stratified design). It does not depend on the other runs in `run_ids`.

    Parameters
    ----------
    run_ids : int or array-like of int of shape (n_runs,)
        Ids of the runs. An int n stands for the runs 0, …, n - 1.
    n_train : int
        Number of training examples.
    alpha : float in (0, 1), or sequence of such floats
        Fraction of the training examples in a subset. With k fractions, run i uses
        fraction number i mod k.
    design : str, default="uniform"
        How the subsets are drawn:

        - "uniform": all subsets of size round(alpha·n_train) are equally likely, as
          in the paper.
        - "bernoulli": each example is included with probability alpha, independently.
          Sizes vary.
        - "stratified": the size is round(alpha·n_train), and the classes keep their
          proportions.
        - "complementary": uniform, but runs 2j and 2j + 1 are a subset and its
          complement. Needs alpha = 0.5.
        - "balanced": the size is round(alpha·n_train), and in each block of 20 runs
          the numbers of subsets that contain an example differ by at most one.
        - "orthogonal": rows of a Hadamard matrix of order N, which is n_train or
          slightly larger, each followed by its complement. In each block of 2N runs
          the examples are exactly uncorrelated. Sizes vary; needs alpha = 0.5.
    random_state : int, RandomState instance, Generator or None, default=0
        Seed of the whole design.
    y : array-like of shape (n_train,), default=None
        Classes of the training examples. Needed by the stratified design only.

    Returns
    -------
    masks : PackedMasks of shape (n_runs, n_train)
        One row per run; 1 where the run trains on the example.

    Raises
    ------
    ValueError
        If run ids repeat or are negative, if the design is unknown or needs y, or if
        `alpha` does not fit the design or makes subsets that are empty or complete.

    References
    ----------
    Ilyas et al., "Datamodels: Predicting Predictions from Training Data", 2022, §2.

    Examples
    --------
    >>> from skdatamodels.masks import sample_masks
    >>> masks = sample_masks(3, n_train=10, alpha=0.3, random_state=0)
    >>> masks.dense().sum(axis=1)
    array([3, 3, 3])
    >>> alone = sample_masks([2], n_train=10, alpha=0.3, random_state=0)
    >>> bool((alone.dense()[0] == masks.dense()[2]).all())
    True
    >>> pairs = sample_masks(4, 10, 0.5, design="complementary").dense()
    >>> bool((pairs[::2] == ~pairs[1::2]).all())
    True
    """
    if isinstance(run_ids, Integral):
        run_ids = np.arange(run_ids)
    run_ids = check_run_ids(run_ids)
    draw, block, _ = check_design(design, n_train, alpha, y)
    alphas, entropy = check_alphas(alpha).tolist(), entropy_from(random_state)
    # Each fraction has blocks of its own. A block uses the generator of its first run.
    positions = run_ids // len(alphas) % block(n_train)
    first_runs = run_ids - len(alphas) * positions
    bits = np.empty((len(run_ids), -(-n_train // 8)), dtype=np.uint8)
    in_blocks = np.lexsort((positions, first_runs))
    for first, members in groupby(in_blocks.tolist(), first_runs.__getitem__):
        rows = list(members)
        masks = draw(
            positions[rows].tolist(),
            mask_generator(entropy, first),
            n_train=n_train,
            alpha=alphas[first % len(alphas)],
            y=y,
        )
        for row, mask in zip(rows, masks, strict=True):
            bits[row] = np.packbits(mask)
    return PackedMasks(bits, n_train)
