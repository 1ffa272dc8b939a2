"""Pairs of subsets that differ in a few examples, and are alike in the others."""

from numbers import Integral
from typing import NamedTuple

import numpy as np

from skdatamodels._random import entropy_from
from skdatamodels.masks._designs import check_run_ids, sample_masks
from skdatamodels.masks._packed import PackedMasks, pick_columns, row_blocks

_PATTERNS = 1  # key of the generator of the patterns


def sample_varied_masks(
    run_ids, n_train, columns, alpha, *, design="uniform", random_state=0, y=None
):
    """Draw subsets whose pairs, runs 2i and 2i + 1, differ in some columns only.

    The other columns are drawn by the design, and are the same in a pair. Each column
    that varies is in one of the two runs, in the first with probability 1/2,
    independently of all others and of other pairs. So interactions of several of them
    are independent noise of the pairs. In an orthogonal array they would not be: for
    four columns, it has the product of three equal to the fourth, or to its negative,
    in all pairs of a block.

    Parameters
    ----------
    run_ids : int or array-like of int of shape (n_runs,)
        Ids of the runs. An int n stands for the runs 0, …, n - 1.
    n_train : int
        Number of columns.
    columns : int array of shape (k,)
        Distinct columns that vary, sorted.
    alpha, design, random_state : object
        As in :func:`sample_masks`, for the other columns.
    y : array of shape (n_train,), default=None
        Classes of the columns, for the stratified design.

    Returns
    -------
    masks : PackedMasks of shape (n_runs, n_train)

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.masks._varied import sample_varied_masks
    >>> masks = sample_varied_masks(4, 9, np.array([2, 7]), 0.5).dense().astype(int)
    >>> masks[0::2] - masks[1::2]
    array([[ 0,  0,  1,  0,  0,  0,  0, -1,  0],
           [ 0,  0,  1,  0,  0,  0,  0, -1,  0]])
    """
    if isinstance(run_ids, Integral):
        run_ids = np.arange(run_ids)
    run_ids = check_run_ids(run_ids)
    entropy, k = entropy_from(random_state), len(columns)
    others = np.delete(np.arange(n_train), columns)
    pairs, pair_of = np.unique(run_ids // 2, return_inverse=True)
    shared = sample_masks(
        pairs,
        len(others),
        alpha,
        design=design,
        random_state=entropy,
        y=None if y is None else y[others],
    )
    firsts = sample_masks(
        pairs,
        max(k, 2),  # a design has two columns or more
        0.5,
        design="bernoulli",
        random_state=np.random.default_rng([entropy, _PATTERNS]),
    )
    is_second = run_ids % 2 == 1
    bits = np.empty((len(run_ids), -(-n_train // 8)), dtype=np.uint8)
    for rows in row_blocks(len(run_ids), 2 * n_train):
        masks = np.empty((len(pair_of[rows]), n_train), bool)
        masks[:, others] = shared.dense(pair_of[rows])
        masks[:, columns] = firsts.dense(pair_of[rows])[:, :k]
        masks[:, columns] ^= is_second[rows, None]
        bits[rows] = np.packbits(masks, axis=1)
    return PackedMasks(bits, n_train)


class VariedPairs(NamedTuple):
    """Pairs of runs that differ in some columns only.

    Attributes
    ----------
    columns : int array of shape (k,)
        Columns that vary.
    first, second : int array of shape (n_pairs,)
        The runs of each pair.
    signs : float64 array of shape (n_pairs, k)
        1 for a column of the first run, and -1 for one of the second.
    """

    columns: np.ndarray
    first: np.ndarray
    second: np.ndarray
    signs: np.ndarray


def find_varied_pairs(packed, seeds):
    """Find the pairs of runs that :func:`sample_varied_masks` has drawn.

    Parameters
    ----------
    packed : PackedMasks of shape (n_runs, n_train)
        Subsets.
    seeds : array of shape (n_runs,) or None
        Training seeds, which the runs of a pair share.

    Returns
    -------
    pairs : VariedPairs, or None if not all runs are in such pairs
    """
    if seeds is None or not len(packed):
        return None
    seed, n_runs = np.unique(seeds, return_inverse=True, return_counts=True)[1:]
    if (n_runs % 2).any():
        return None
    one, other = packed.dense(np.flatnonzero(seed == seed[0])[:2])
    columns = np.flatnonzero(one != other)
    if len(columns) in (0, packed.n_train):
        return None
    varies = np.packbits(one != other)
    # by their seeds and other columns, since two pairs may have one seed by chance
    key = np.hstack([packed.bits & ~varies, seed.reshape(-1, 1).view(np.uint8)])
    _, pair, counts = np.unique(key, axis=0, return_inverse=True, return_counts=True)
    if (counts != 2).any():
        return None
    members = np.argsort(pair.reshape(-1), kind="stable").reshape(-1, 2)
    first, second = members[np.argsort(members[:, 0])].T
    patterns = pick_columns(packed, columns)
    if (patterns[first] == patterns[second]).any():
        return None
    return VariedPairs(columns, first, second, np.where(patterns[first], 1.0, -1.0))
