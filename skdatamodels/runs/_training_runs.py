"""TrainingRuns: the masks and outputs of many trained models."""

import numpy as np

from skdatamodels._numbers import unmasked
from skdatamodels.masks import as_masks
from skdatamodels.masks._packed import row_blocks, row_index
from skdatamodels.outputs import info_of_output


class TrainingRuns:
    """Masks and outputs of `n_runs` trained models, one row a run.

    Behaves as the `X` of a scikit-learn problem whose samples are runs: it has a
    length and a shape and is indexed by row, so scikit-learn's splitters slice it.

    Parameters
    ----------
    masks : PackedMasks or 0/1 array-like of shape (n_runs, n_train)
        Which training examples each run saw.
    outputs : array of shape (n_runs, n_targets)
        What each run gave on each target, e.g. margins in log-odds. NaN stands for a
        run with no output. Memory maps are kept as they are.
    seeds : array of shape (n_runs,), optional
        Training seed of each run.
    output : str, Output or OutputInfo, optional
        What the outputs measure: a key of :data:`skdatamodels.outputs.OUTPUTS`, or a
        description. What ranks examples by harm asks it whether higher is better.
    target_classes : array-like of shape (n_targets,), optional
        Class of each target. What averages over targets balances by it.
    n_missed_classes : int array of shape (n_runs,), optional
        How many of the targets' classes each run saw no example of.

    Attributes
    ----------
    masks : bool array of shape (n_runs, n_train)
        Unpacked at each access.
    packed : PackedMasks of shape (n_runs, n_train)
    outputs : array of shape (n_runs, n_targets)
    seeds : array of shape (n_runs,) or None
    output_info : OutputInfo
        Name and unit of the outputs, and whether higher is better.
    target_classes : array of shape (n_targets,) or None
    n_missed_classes : int array of shape (n_runs,) or None
    shape : tuple (n_runs, n_train)
    n_runs, n_train, n_targets : int

    Raises
    ------
    ValueError
        If masks are not 0/1, outputs are not 2-d numbers or are a masked array, or
        lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels import TrainingRuns
    >>> runs = TrainingRuns([[1, 0, 1], [0, 1, 1]], np.array([[2.5], [-0.5]]))
    >>> runs
    TrainingRuns(n_runs=2, n_train=3, n_targets=1)
    >>> runs[[1]].masks
    array([[False,  True,  True]])
    >>> TrainingRuns([[1, 0]], np.array([[2.5]]), output="margin").output_info
    OutputInfo(name='margin', unit='log-odds', higher_is_better=True)
    """

    def __init__(
        self,
        masks,
        outputs,
        *,
        seeds=None,
        output=None,
        target_classes=None,
        n_missed_classes=None,
    ):
        self.packed = as_masks(masks)
        self.outputs = np.asanyarray(unmasked(outputs, "outputs"))
        self.seeds = _optional(seeds, "seeds")
        self.output_info = info_of_output(output)
        self.target_classes = _optional(target_classes, "target_classes")
        self.n_missed_classes = _optional(n_missed_classes, "n_missed_classes")
        if self.outputs.ndim != 2 or self.outputs.dtype.kind != "f":
            raise ValueError(
                "outputs must be a floating-point array of shape (n_runs, n_targets), "
                f"got {self.outputs.dtype} of shape {self.outputs.shape}."
            )
        for name in ("outputs", "seeds", "n_missed_classes"):
            rows = getattr(self, name)
            if rows is not None and len(rows) != len(self.packed):
                raise ValueError(
                    f"{name} has {len(rows)} rows, masks has {len(self.packed)}: there"
                    " must be one row a run in each."
                )
        if 0 in self.outputs.shape[1:]:
            raise ValueError("outputs has no target: there must be one or more.")
        missed = self.n_missed_classes
        if missed is not None and missed.dtype.kind not in "iu":
            raise ValueError(f"n_missed_classes must be integers, got {missed.dtype}.")
        if self.target_classes is not None and self.target_classes.shape != (
            self.n_targets,
        ):
            raise ValueError(
                f"target_classes must have one class for each of the {self.n_targets} "
                f"targets, got shape {self.target_classes.shape}."
            )

    @property
    def masks(self):
        """Bool array of shape (n_runs, n_train), unpacked at each access."""
        return self.packed.dense()

    @property
    def shape(self):
        """Tuple (n_runs, n_train)."""
        return self.packed.shape

    @property
    def n_runs(self):
        """Number of runs."""
        return self.packed.shape[0]

    @property
    def n_train(self):
        """Number of training examples."""
        return self.packed.shape[1]

    @property
    def n_targets(self):
        """Number of targets."""
        return self.outputs.shape[1]

    def __len__(self):
        return self.n_runs

    def __getitem__(self, rows):
        """Return some runs (slice, integer array or boolean array)."""
        rows = row_index(rows)
        if isinstance(rows, (int, np.integer)):
            rows = [rows]
        seeds, missed = (
            None if values is None else values[rows]
            for values in (self.seeds, self.n_missed_classes)
        )
        return TrainingRuns(
            self.packed[rows],
            self.outputs[rows],
            seeds=seeds,
            output=self.output_info,
            target_classes=self.target_classes,
            n_missed_classes=missed,
        )

    def __repr__(self):
        return (
            f"TrainingRuns(n_runs={self.n_runs}, n_train={self.n_train}, "
            f"n_targets={self.n_targets})"
        )


def _optional(values, name):
    return None if values is None else np.asarray(unmasked(values, name))


def outputs_of(X, y):
    """Return the outputs that an estimator is to fit, or to be scored on: y, or X's.

    This is the contract of all estimators that are fitted on runs: y, where it is
    given, takes the place of the outputs that TrainingRuns bring along.
    """
    if y is not None:
        return y
    if not hasattr(X, "outputs"):
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None. "
            "Give the outputs (n_runs, n_targets), or TrainingRuns as X."
        )
    return X.outputs


def note_targets(estimator, X, y=None):
    """Keep, in a fitted estimator, what X knows of its outputs and targets.

    Sets ``output_info_`` and ``target_classes_``. Of plain arrays nothing is known, nor
    of outputs y that take the place of those of X.
    """
    known = X if y is None else None
    estimator.output_info_ = getattr(known, "output_info", info_of_output(None))
    estimator.target_classes_ = getattr(known, "target_classes", None)


def paired_runs(runs):
    """Give each run the number of its pair.

    A pair is a subset and its complement that share a training seed, as the
    complementary and the orthogonal design draw them.

    Parameters
    ----------
    runs : TrainingRuns

    Returns
    -------
    pair : int array of shape (n_runs,), or None if there are no pairs
    """
    if runs.seeds is None:
        return None
    order = np.argsort(runs.seeds, kind="stable")
    first = np.flatnonzero(runs.seeds[order][1:] == runs.seeds[order][:-1])
    linked, bits = np.zeros(len(order), bool), runs.packed.bits
    everything = np.packbits(np.ones(runs.n_train, bool))
    for block in row_blocks(len(first), 3 * bits.shape[1]):
        a, b = order[first[block]], order[first[block] + 1]
        linked[first[block] + 1] = ((bits[a] ^ bits[b]) == everything).all(axis=1)
    if not linked.any():
        return None
    pair = np.empty(len(order), int)
    pair[order] = np.cumsum(~linked) - 1
    _, first_run, pair = np.unique(pair, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first_run))[pair]  # numbered in the order of the runs


def check_no_infinity(outputs, source):
    """Check that no output is infinite; reads a memory map a block at a time.

    `source` names the outputs in the error. NaN may stay: it stands for no output.
    """
    for rows in row_blocks(len(outputs), outputs.shape[1] * outputs.itemsize):
        infinite = np.isinf(outputs[rows])
        if infinite.any():
            run, target = np.argwhere(infinite)[0]
            raise ValueError(
                f"{source} holds {outputs[rows][run, target]} at run {rows.start + run}"
                f", target {target}. float16 overflows at 65,504: set what went over to"
                " NaN, which stands for a run without output, and leave it out."
            )
