"""TrainingRuns: the masks and outputs of many trained models."""

from hashlib import blake2b

import numpy as np

from skdatamodels._numbers import unmasked
from skdatamodels.masks import as_masks
from skdatamodels.masks._packed import row_blocks, row_index
from skdatamodels.masks._varied import find_varied_pairs
from skdatamodels.outputs import info_of_output


class TrainingRuns:
    """Masks and outputs of `n_runs` trained models, one row per run.

    An instance serves as the `X` of a scikit-learn problem whose samples are runs: it
    has a length and a shape and is indexed by row, so scikit-learn can split it.

    Parameters
    ----------
    masks : PackedMasks, or 0/1 array-like or sparse matrix (n_runs, n_train)
        Training subset of each run: 1 for the examples that it was trained on.
    outputs : float array of shape (n_runs, n_targets)
        Output of each run on each target, for example margins in log-odds. NaN means
        that a run has no output on a target. Memory maps are not copied.
    seeds : array of shape (n_runs,), default=None
        Training seed of each run.
    output : str, Output or OutputInfo, default=None
        What the outputs measure: a key of :data:`skdatamodels.outputs.OUTPUTS`, or a
        description. It tells whether higher outputs are better, which is needed to
        find harmful examples.
    target_classes : array-like of shape (n_targets,), default=None
        Class of each target, used to give each class the same weight in averages over
        targets.
    n_missed_classes : int array of shape (n_runs,), default=None
        Number of the targets' classes that have no example in the subset of the run.
    attributions : mapping of str to array-like of shape (n_targets, n_train), \
            default=None
        Attribution matrices that cost little, by name. They belong to the learner, not
        to a run, so that parts of the runs share them.
    models : sequence of KeptModel, default=()
        Models of some runs, which parts of the runs share, too.
    player_ids : array-like of shape (n_train,), default=None
        Names of the columns of the masks: ids of training examples, or labels of
        groups.
    target_ids : array-like of shape (n_targets,), default=None
        Names of the targets.

    Attributes
    ----------
    masks : bool array of shape (n_runs, n_train)
        The masks, unpacked at each access.
    packed : PackedMasks of shape (n_runs, n_train)
        The masks, packed.
    outputs : float array of shape (n_runs, n_targets)
        The outputs.
    seeds : array of shape (n_runs,) or None
        Training seed of each run.
    output_info : OutputInfo
        Name and unit of the outputs, and whether higher is better.
    target_classes : array of shape (n_targets,) or None
        Class of each target.
    n_missed_classes : int array of shape (n_runs,) or None
        Number of the targets' classes that each run has not seen.
    attributions : mapping or None
        Attribution matrices by name. Those of :class:`SubsetTrainer` are computed when
        they are first read.
    models : tuple of KeptModel
        Models of some runs.
    player_ids : array of shape (n_train,) or None
        Names of the columns of the masks.
    target_ids : array of shape (n_targets,) or None
        Names of the targets.
    shape : tuple (n_runs, n_train)
        Shape of the masks.
    ndim : int
        Number of dimensions of the masks, 2.
    n_runs : int
        Number of runs.
    n_train : int
        Number of columns of the masks: of training examples, or of groups of them.
    n_targets : int
        Number of targets.

    Raises
    ------
    ValueError
        If masks are not 0/1, outputs are not a 2-d array of floats, entries of a masked
        array are masked, or lengths differ.

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
        attributions=None,
        models=(),
        player_ids=None,
        target_ids=None,
    ):
        self.packed = as_masks(masks)
        self.outputs = np.asanyarray(unmasked(outputs, "outputs"))
        self.seeds = _optional(seeds, "seeds")
        self.output_info = info_of_output(output)
        self.target_classes = _optional(target_classes, "target_classes")
        self.n_missed_classes = _optional(n_missed_classes, "n_missed_classes")
        self.attributions, self.models = attributions, tuple(models)
        self.player_ids = _optional(player_ids, "player_ids")
        self.target_ids = _optional(target_ids, "target_ids")
        if self.outputs.ndim != 2 or self.outputs.dtype.kind != "f":
            raise ValueError(
                "outputs must be a floating-point array of shape (n_runs, n_targets), "
                f"got {self.outputs.dtype} of shape {self.outputs.shape}. Convert "
                "other numbers by .astype(np.float32), and give those of one target as "
                "outputs[:, None]."
            )
        for name in ("outputs", "seeds", "n_missed_classes"):
            rows = getattr(self, name)
            if rows is not None and len(rows) != len(self.packed):
                raise ValueError(
                    f"{name} has {len(rows)} rows, masks has {len(self.packed)}: each"
                    " must have one row per run."
                )
        if 0 in self.outputs.shape[1:]:
            raise ValueError("outputs has no targets: at least one is needed.")
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
        for name, n in (("player_ids", self.n_train), ("target_ids", self.n_targets)):
            names = getattr(self, name)
            if names is not None and names.shape != (n,):
                raise ValueError(
                    f"{name} must have shape ({n},), got shape {names.shape}."
                )

    @property
    def masks(self):
        """Masks as bool array of shape (n_runs, n_train), unpacked at each access."""
        return self.packed.dense()

    @property
    def shape(self):
        """Shape of the masks: tuple (n_runs, n_train)."""
        return self.packed.shape

    @property
    def ndim(self):
        """Number of dimensions of the masks: 2."""
        return len(self.shape)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "These are TrainingRuns, not an array: give runs.outputs or runs.masks."
        )

    @property
    def n_runs(self):
        """Number of runs."""
        return self.packed.shape[0]

    @property
    def n_train(self):
        """Number of columns of the masks: training examples, or groups of them."""
        return self.packed.shape[1]

    @property
    def n_targets(self):
        """Number of targets."""
        return self.outputs.shape[1]

    def __len__(self):
        return self.n_runs

    def __getitem__(self, rows):
        """Return the runs given by a slice, an int, an int array or a bool array."""
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
            attributions=self.attributions,
            models=self.models,
            player_ids=self.player_ids,
            target_ids=self.target_ids,
        )

    def __repr__(self):
        return (
            f"TrainingRuns(n_runs={self.n_runs}, n_train={self.n_train}, "
            f"n_targets={self.n_targets})"
        )


def _optional(values, name):
    return None if values is None else np.asarray(unmasked(values, name))


def outputs_of(X, y):
    """Return the outputs to fit or to score: y, or those of X if y is None.

    All estimators that are fitted on runs do this: if y is given, it replaces the
    outputs of TrainingRuns.
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
    """Copy the description of columns, outputs and targets to a fitted estimator.

    Sets ``player_ids_``, ``output_info_``, ``target_classes_`` and ``target_ids_``.
    Plain arrays have no description, and neither do outputs y that replace those of X.
    """
    known = X if y is None else None
    estimator.output_info_ = getattr(known, "output_info", info_of_output(None))
    estimator.target_classes_ = getattr(known, "target_classes", None)
    estimator.target_ids_ = getattr(known, "target_ids", None)
    estimator.player_ids_ = getattr(X, "player_ids", None)


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
    seed = np.unique(runs.seeds, return_inverse=True)[1]
    shared = np.flatnonzero(np.bincount(seed)[seed] > 1)
    number, pair = {}, np.arange(runs.n_runs)
    has_first = np.zeros(runs.n_runs, bool)  # does the run have the first example?
    everything = np.packbits(np.ones(runs.n_train, bool))
    for block in row_blocks(len(shared), 3 * len(everything)):
        rows = shared[block]
        bits = runs.packed.bits[rows]
        has_first[rows] = bits[:, 0] >> 7
        # a subset and its complement are alike as the one without the first example
        bits = np.where(has_first[rows, None], bits ^ everything, bits)
        for run, row in zip(rows, bits, strict=True):
            key = seed[run], blake2b(row.tobytes(), digest_size=16).digest()
            pair[run] = number.setdefault(key, run)
    halves = np.bincount(pair), np.bincount(pair, weights=has_first)
    n_runs, n_first = (half[pair] for half in halves)
    paired = (n_first > 0) & (n_first < n_runs)
    if not paired.any():
        return None
    pair = np.where(paired, pair, np.arange(runs.n_runs))
    return np.unique(pair, return_inverse=True)[1]  # in the order of the first runs


def joined_runs(runs):
    """Give each run the number of its pair, whose runs are never divided.

    A pair is a subset and its complement, as in :func:`paired_runs`, or two runs of
    ``SubsetTrainer(vary=...)``.

    Parameters
    ----------
    runs : TrainingRuns

    Returns
    -------
    pair : int array of shape (n_runs,), or None if there are no pairs
    """
    if runs.seeds is None:
        return None
    seed, n_runs = np.unique(runs.seeds, return_inverse=True, return_counts=True)[1:]
    rows = np.flatnonzero(n_runs[seed] > 1)  # the other run of a pair may be missing
    varied = find_varied_pairs(runs.packed[rows], runs.seeds[rows])
    if varied is None:
        return paired_runs(runs)
    pair = np.arange(runs.n_runs)
    pair[rows[varied.second]] = rows[varied.first]
    return np.unique(pair, return_inverse=True)[1]  # in the order of the first runs


def check_no_infinity(outputs, source):
    """Check that no output is infinite; read a memory map a block at a time.

    `source` names the outputs in the error. NaN is allowed: it means no output.
    """
    for rows in row_blocks(len(outputs), outputs.shape[1] * outputs.itemsize):
        infinite = np.isinf(outputs[rows])
        if infinite.any():
            run, target = np.argwhere(infinite)[0]
            raise ValueError(
                f"{source} contains infinity: {outputs[rows][run, target]} at run "
                f"{rows.start + run}, target {target}. float16 overflows at 65,504: "
                "replace such values by NaN, which means that the run has no output on "
                "the target."
            )
