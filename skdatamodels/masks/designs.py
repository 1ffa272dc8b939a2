"""Subset designs: the distribution that the subsets are drawn from.

A design is a function ``design(run, *, n_train, alpha, generator_of, y)`` that returns
the boolean mask ``(n_train,)`` of one run. ``generator_of(key)`` gives the random
generator that belongs to a key: a design of independent runs asks for its own,
``generator_of(run)``; a design of pairs would ask for ``generator_of(run // 2)``.
To add a design, write the function and name it in `DESIGNS`.
"""

from functools import partial
from numbers import Integral

import numpy as np

from skdatamodels._random import entropy_from, mask_generator
from skdatamodels.masks.packed import PackedMasks


def subset_size(n_train, alpha):
    """Size of an α-subset: round(α·n_train).

    Parameters
    ----------
    n_train : int
        Number of training examples.
    alpha : float in (0, 1)
        Subsampling fraction.

    Returns
    -------
    size : int
        Between 1 and n_train - 1.

    Raises
    ------
    ValueError
        If the size would leave no example in, or none out: such masks are constant
        and say nothing about any example.

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
            "Choose an alpha nearer to 0.5 or give more examples."
        )
    return size


def _subset(rng, n_train, size):
    mask = np.zeros(n_train, dtype=bool)
    mask[rng.permutation(n_train)[:size]] = True
    return mask


def uniform(run, *, n_train, alpha, generator_of, y=None):
    """Draw uniformly from all subsets of size round(α·n_train) (the paper's D_S)."""
    return _subset(generator_of(run), n_train, subset_size(n_train, alpha))


def bernoulli(run, *, n_train, alpha, generator_of, y=None):
    """Let each example in with probability α, independently; sizes vary."""
    return generator_of(run).random(n_train) < alpha


def stratified(run, *, n_train, alpha, generator_of, y=None):
    """Draw round(α·n_train) examples, as evenly as can be from every class.

    A class of n_c examples gives ⌊α·n_c⌋; the few that are then missing come one each
    from the classes with the largest fractions lost, ties broken at random.
    """
    if y is None:
        raise ValueError("The stratified design needs the classes y of the train set.")
    rng = generator_of(run)
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
    return mask


DESIGNS = {"uniform": uniform, "bernoulli": bernoulli, "stratified": stratified}
"""Subset designs by name."""


def check_run_ids(run_ids):
    """Check that run ids are distinct non-negative integers; return int64 (n_runs,)."""
    ids = np.asarray(run_ids)
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
    unique, counts = np.unique(ids, return_counts=True)
    if unique.size < ids.size:
        raise ValueError(
            f"Run ids must be distinct, got {unique[counts > 1][:5].tolist()} more than"
            " once. To train one subset several times, give its mask several times."
        )
    return ids.astype(np.int64)


def check_design(design, n_train, alpha, y=None):
    """Check a design and alpha on the training set; return the design's function."""
    if design not in DESIGNS:
        raise ValueError(f"design must be one of {sorted(DESIGNS)}, got {design!r}.")
    subset_size(n_train, alpha)
    if design == "stratified" and (y is None or len(y) != n_train):
        raise ValueError(
            "The stratified design needs the class of each training example: "
            f"y of length n_train={n_train}, got "
            + ("None." if y is None else f"length {len(y)}.")
        )
    return DESIGNS[design]


def sample_masks(run_ids, n_train, alpha, *, design="uniform", random_state=0, y=None):
    """Masks of some runs of a subset design.

    Run i's mask depends on `design`, `alpha`, `n_train`, `random_state` and i (and y
    for the stratified design), not on which other runs are asked for.

    Parameters
    ----------
    run_ids : int or array-like of int of shape (n_runs,)
        Which runs; an int n stands for the runs 0, …, n - 1.
    n_train : int
        Number of training examples.
    alpha : float in (0, 1)
        Subsampling fraction.
    design : {"uniform", "bernoulli", "stratified"}, default="uniform"
        "uniform": all subsets of size round(alpha·n_train) alike, as in the paper;
        "bernoulli": each example in with probability alpha, independently;
        "stratified": of size round(alpha·n_train), classes in proportion.
    random_state : int, RandomState instance, Generator or None, default=0
        Seed of the whole design.
    y : array-like of shape (n_train,), optional
        Classes of the training examples, for the stratified design.

    Returns
    -------
    masks : PackedMasks of shape (n_runs, n_train)

    Raises
    ------
    ValueError
        If run ids repeat or are negative, `alpha` leaves no example in or out, the
        design is unknown, or it needs y.

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
    """
    if isinstance(run_ids, Integral):
        run_ids = np.arange(run_ids)
    run_ids = check_run_ids(run_ids)
    draw = check_design(design, n_train, alpha, y)
    generator_of = partial(mask_generator, entropy_from(random_state))
    bits = np.empty((len(run_ids), -(-n_train // 8)), dtype=np.uint8)
    for row, run in zip(bits, run_ids, strict=True):
        row[:] = np.packbits(
            draw(run, n_train=n_train, alpha=alpha, generator_of=generator_of, y=y)
        )
    return PackedMasks(bits, n_train)
