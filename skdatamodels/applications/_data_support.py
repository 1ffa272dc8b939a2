"""Data support: the smallest removal that changes a prediction."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skdatamodels._numbers import as_real
from skdatamodels._sklearn_compat import Interval, StrOptions, fit_context
from skdatamodels.applications._attributions import check_attributions, check_weights
from skdatamodels.applications._edits import (
    OrderedEdits,
    check_takes_labels,
    most_likely_wrong_class,
)
from skdatamodels.applications._removal_sets import (
    dense_row,
    n_ranked,
    removal_orders,
)
from skdatamodels.applications._support_curve import bootstrap_support, fit_support
from skdatamodels.outputs import OUTPUTS
from skdatamodels.training import SubsetTrainer

# Negative where the prediction is wrong; a user's own function is taken at its word.
_SIGNED = "margin", "log_odds"
# Bisection ends when its two ends differ by so much of the lower one, or by 1.
_RESOLUTION = 0.1


class DataSupportSearch(BaseEstimator):
    """Search, target by target, for the fewest examples whose removal flips it.

    The training examples of highest weight are removed, or mislabelled, in growing
    numbers, and the model is trained again without them. The size at which the mean
    output of the target turns negative bounds its data support from above: a target
    with a small one is brittle. The better the weights, the tighter the bound, so any
    attribution matrix can be judged by the sizes it leads to.

    Parameters
    ----------
    trainer : SubsetTrainer
        Says what is trained, on what and how: its targets are the rows of the
        attribution matrix. Its output must be negative where the model is wrong:
        "margin", or a function of which you know that. By "log_odds" of more than two
        classes a target counts as wrong where all other classes together are more
        likely than its own. Its `store` keeps the trainings: the same search again, or
        one cut short, reads them.
    edit : {"remove", "mislabel"}, default="remove"
        Whether the examples are left out, or given the wrong class that is the most
        likely for the target: of all wrong ones the highest mean output of the model
        trained on everything. Mislabelling needs a classifier.
    search : {"grid", "bisection"}, default="grid"
        Try the sizes in increasing order, until the mean output is negative by two
        standard errors; or until it is negative, and then halve the interval below
        until its ends are 10 % or one example apart.
    sizes : array-like of int, default=None
        Numbers of examples to try. By default 1, 2, 4, ... up to half the training
        set.
    n_trials : int, default=20
        Trainings of each edited set, by different seeds. One is enough for a learner
        without randomness.
    factor : float, default=1.2
        To certify a size, the model is trained without this many times as many, by
        seeds that the search has not used.
    n_certifications : int, default=3
        Attempts to certify. After one that fails, its trainings join the others and
        the size is fitted anew.
    fallback : array-like or CSR of shape (n_targets, n_train), "random", default=None
        Orders the examples of equal weight, of which a sparse datamodel has many: those
        of weight zero. A matrix is another attribution matrix, such as a prior. None
        takes the target's own class first, and in it the closest examples: by Euclidean
        distance of the inputs, each divided by its standard deviation, or at random
        where inputs are not numbers. One example of the class stays to the end, for
        many learners need every class. "random" judges the weights alone.
    confidence : float in (0, 1), default=0.95
        Of the intervals.
    n_bootstraps : int, default=200
        Draws behind each interval.
    random_state : int, RandomState instance or None, default=None
        Of the intervals; the trainer has its own.

    Attributes
    ----------
    support_size_ : float64 array of shape (n_targets,)
        Number of examples, whole; 0 for a target that the model on everything gets
        wrong on average. NaN for a target that no size flips: see `status_`.
    support_indices_ : list of int array, or None
        The examples of the support, highest weight first; None where censored.
    support_ids_ : list of object array, or None
        Their ids.
    status_ : array of str of shape (n_targets,)
        "wrong already": with nothing removed; "certified"; "not certified": no attempt
        to certify the size succeeded. Of targets that no size flips: "sizes ran out":
        larger ones were not tried; "weights ran out": more examples were removed than
        have a weight, see `n_ranked_`, so better weights, or larger sizes, may flip it;
        "training failed": of all models of a size; "never flips": not even without
        every example that can go.
    n_ranked_ : int array of shape (n_targets,)
        Examples with a weight above zero; `fallback` orders what comes next. All
        examples, for weights that are not zero.
    censored_ : bool array of shape (n_targets,)
        The target was not flipped: its size, by these weights, is more than
        `largest_size_`.
    largest_size_ : int array of shape (n_targets,)
        The largest size tried for the target.
    certified_ : bool array of shape (n_targets,)
        Trained without the top `certified_size_` examples, the mean output is
        negative.
    certified_size_ : float64 array of shape (n_targets,)
        `factor` times the size, rounded up; NaN where censored.
    support_interval_ : float64 array of shape (n_targets, 2)
        Ends of the bootstrap interval of the size over the trials. Infinite where
        draws that are not flipped by any size tried reach into it. It does not cover
        what other weights would find.
    predicted_size_ : float64 array of shape (n_targets,)
        By :func:`predict_support_size`, from weights and `control_`; for
        edit="mislabel" it is still that of removal.
    control_ : float64 array of shape (n_targets,)
        Mean output of the model trained on everything, in the output's unit.
    trials_ : list of dict
        For each target the outputs (n_trials,) by size tried.
    wrong_class_ : array of shape (n_targets,)
        Class given, for edit="mislabel".
    n_trained_ : int
        Trainings of edited sets asked of the trainer. Targets whose sets coincide
        share them.
    n_features_in_ : int
        Number of training examples.

    See Also
    --------
    predict_support_size : The heuristic without training.
    skdatamodels.plotting.DataSupportDisplay : Shares of targets by size.

    Notes
    -----
    The mean output is assumed to fall as more is removed. Isotonic regression of the
    means on the sizes, joined by straight lines, crosses zero at the reported size.
    A round asks for one more size of each target that is not decided, and is one call
    of the trainer. All outputs are kept while fitting: `n_trained_` × n_targets
    float32.

    Where a sparse datamodel has fewer positive weights than a size asks for, examples
    of weight zero follow, in the order of `fallback`, and then negative weights.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.1.1, algorithm 1, appendices F.3, F.4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> from skdatamodels.applications import DataSupportSearch
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])[:, None]
    >>> train, target = Examples(x, [0, 0, 0, 1, 1, 1]), Examples([[0.5]], [0])
    >>> trainer = SubsetTrainer(KNeighborsClassifier(3), train, target)
    >>> search = DataSupportSearch(trainer, n_trials=1, random_state=0)
    >>> search = search.fit(-abs(x - 0.5).T)  # by closeness
    >>> search.support_size_, search.support_indices_
    (array([2.]), [array([0, 1])])
    >>> search.certified_
    array([ True])
    """

    _parameter_constraints = {
        "trainer": [SubsetTrainer],
        "edit": [StrOptions({"remove", "mislabel"})],
        "search": [StrOptions({"grid", "bisection"})],
        "sizes": ["array-like", None],
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "factor": [Interval(Real, 1, None, closed="left")],
        "n_certifications": [Interval(Integral, 1, None, closed="left")],
        "fallback": ["array-like", "sparse matrix", StrOptions({"random"}), None],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "n_bootstraps": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        trainer,
        *,
        edit="remove",
        search="grid",
        sizes=None,
        n_trials=20,
        factor=1.2,
        n_certifications=3,
        fallback=None,
        confidence=0.95,
        n_bootstraps=200,
        random_state=None,
    ):
        self.trainer = trainer
        self.edit = edit
        self.search = search
        self.sizes = sizes
        self.n_trials = n_trials
        self.factor = factor
        self.n_certifications = n_certifications
        self.fallback = fallback
        self.confidence = confidence
        self.n_bootstraps = n_bootstraps
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Train on edited sets until each target is decided, then certify.

        Parameters
        ----------
        X : array-like or CSR of shape (n_targets, n_train)
            Attribution matrix: a datamodel's ``coef_``, another method's scores, or
            an array of one's own. Higher means that the example supports the target.
        y : None
            Ignored.

        Returns
        -------
        self : DataSupportSearch

        Raises
        ------
        ValueError
            Before any training: if the matrix or `fallback` has NaN or another shape
            than the trainer's targets and training set ask for, sizes are not from 1 to
            n_train - 1, the output has no sign, or what is no classifier is to be
            mislabelled.
        RuntimeError
            If all trainings on the whole training set failed.

        Warns
        -----
        RuntimeWarning
            If trainings failed, whatever the trainer's `on_failure`. The search of a
            target ends where all trainings of a set fail.
        """
        X = check_attributions(self, X, self.trainer)
        sizes, n_most = self._check_sizes()
        self._check_output()
        fallback = self._check_fallback(X.shape)
        labels = None
        if self.edit == "mislabel":
            labels = most_likely_wrong_class(self.trainer, self.n_trials)
            self.wrong_class_ = labels
        trainer = self.trainer
        orders = removal_orders(X, trainer.train, trainer.targets, fallback, labels)
        edits = OrderedEdits(trainer, orders, labels, n_most, self.n_trials)
        self.trials_, failed = self._search(edits, sizes)
        self._certify(edits)
        self._summarise(X)
        self._explain(X, orders, failed)
        self.n_trained_ = edits.edits.n_trained
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _check_sizes(self):
        """Return sizes, increasing, and how many examples may be removed at most."""
        n_train = len(self.trainer.train)
        if self.sizes is None:
            sizes = 2 ** np.arange(max(1, n_train.bit_length() - 1))
        else:
            sizes = np.unique(self.sizes)
        whole = sizes.ndim == 1 and sizes.dtype.kind in "iu" and sizes.size
        if not whole or not 1 <= sizes[0] <= sizes[-1] < n_train:
            raise ValueError(
                "sizes must be whole numbers of examples from 1 to n_train - 1 = "
                f"{n_train - 1}, so that something is left; got {self.sizes}."
            )
        return sizes, min(n_train - 1, _times(self.factor, sizes[-1]))

    def _check_output(self):
        if self.edit == "mislabel":
            check_takes_labels(self.trainer)
        name = self.trainer.output_info.name
        if name in OUTPUTS and name not in _SIGNED:
            cure = f"choose one of {', '.join(_SIGNED)}."
            if OUTPUTS[name].task == "regression":
                cure = "a data support is of a classification."
            raise ValueError(
                f"The trainer's output={name!r} does not turn negative where the "
                f"prediction flips: {cure}"
            )

    def _check_fallback(self, shape):
        if self.fallback is None or isinstance(self.fallback, str):
            return self.fallback
        fallback = check_weights(self.fallback, "fallback")
        if fallback.shape != shape:
            raise ValueError(
                f"fallback must have the shape of the attribution matrix, {shape}; got "
                f"{fallback.shape}."
            )
        return fallback

    def _search(self, edit, sizes):
        """Advance the searches of all targets together, one size of each a round.

        Return the outputs by size of each target, and whether its search was ended by a
        set that could not be trained.
        """
        plan = {"grid": _grid, "bisection": _bisection}[self.search]
        searches, asked = [], []
        for target, order in enumerate(edit.orders):
            searches.append(plan(sizes[sizes <= len(order)]))
            asked.append((target, next(searches[target])))
        trials = [{} for _ in searches]
        failed = np.zeros(len(searches), dtype=bool)
        while asked:
            undecided = []
            answers = edit.outputs(asked)
            for (target, size), outputs in zip(asked, answers, strict=True):
                if np.isnan(outputs).all():
                    failed[target] = True
                    continue
                trials[target][size] = outputs
                next_size = _send(searches[target], outputs)
                if next_size is not None:
                    undecided.append((target, next_size))
            asked = undecided
        return trials, failed

    def _certify(self, edit):
        """Fit the sizes and certify them; those that fail are fitted anew."""
        trials, orders = self.trials_, edit.orders
        sizes = np.array([fit_support(t) for t in trials])
        self.certified_ = sizes == 0
        self.certified_size_ = np.where(self.certified_, 0, np.nan)
        for attempt in range(self.n_certifications):
            asked, n_before = [], []
            for target in np.flatnonzero((sizes > 0) & ~self.certified_).tolist():
                if attempt > 0:  # where no fit flips any more, the last one stands
                    size = fit_support(trials[target])
                    sizes[target] = sizes[target] if np.isnan(size) else size
                size = _times(self.factor, sizes[target])
                asked.append((target, min(size, len(orders[target]))))
                # by other seeds than those that the size was fitted on
                n_before.append(len(trials[target].get(asked[-1][1], ())))
            answers = edit.outputs(asked, n_before) if asked else []
            for (target, size), outputs in zip(asked, answers, strict=True):
                self.certified_size_[target] = size
                if np.isnan(outputs).all():
                    continue
                self.certified_[target] = np.nanmean(outputs) < 0
                if not self.certified_[target]:
                    before = trials[target].get(size, outputs[:0])
                    trials[target][size] = np.append(before, outputs)
        self.support_size_, self.censored_ = sizes, np.isnan(sizes)
        self.support_indices_ = [
            None if np.isnan(size) else order[: int(size)]
            for size, order in zip(sizes, orders, strict=True)
        ]
        train = self.trainer.train
        self.support_ids_ = [
            None if rows is None else train.ids_at(rows)
            for rows in self.support_indices_
        ]

    def _summarise(self, X):
        seed = check_random_state(self.random_state).randint(2**31)
        rng, trials = np.random.default_rng(seed), self.trials_
        self.control_ = np.array([np.nanmean(t[0], dtype=np.float64) for t in trials])
        self.largest_size_ = np.array([max(t) for t in trials])
        self.support_interval_ = np.array(
            [
                bootstrap_support(t, self.n_bootstraps, self.confidence, rng)
                for t in trials
            ]
        )
        self.predicted_size_ = predict_support_size(X, self.control_)

    def _explain(self, X, orders, failed):
        """Say of each target what came of it."""
        rows = range(len(orders))
        self.n_ranked_ = np.array([n_ranked(dense_row(X, j)[orders[j]]) for j in rows])
        n_removable = [min(len(order), X.shape[1] - 1) for order in orders]
        self.status_ = np.select(
            [
                self.support_size_ == 0,
                self.certified_,
                ~self.censored_,
                failed,
                self.largest_size_ == n_removable,
                self.largest_size_ > self.n_ranked_,
            ],
            [
                "wrong already",
                "certified",
                "not certified",
                "training failed",
                "never flips",
                "weights ran out",
            ],
            "sizes ran out",
        )


def predict_support_size(weights, outputs):
    """Predict sizes of data supports from weights alone, without training.

    The least number of examples whose weights, highest first, sum to more than the
    output of the model trained on everything: their removal is predicted to turn it
    negative.

    Parameters
    ----------
    weights : array-like or CSR of shape (n_targets, n_train)
        Attribution matrix in the unit of the output, as a datamodel's is.
    outputs : array-like of shape (n_targets,)
        Mean output of the model trained on everything.

    Returns
    -------
    sizes : float64 array of shape (n_targets,)
        0 for a negative output; NaN where all positive weights are too few.

    Raises
    ------
    ValueError
        If the shapes do not match, or there are NaN.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, appendix F.3.2.

    Examples
    --------
    >>> from skdatamodels.applications import predict_support_size
    >>> weights = [[0.5, 1.0, -2.0, 0.25], [0.1, 0.1, 0.1, 0.1], [1.0, 0.0, 0.0, 0.0]]
    >>> predict_support_size(weights, [1.2, 3.0, -0.5])
    array([ 2., nan,  0.])
    """
    weights = check_weights(weights)
    outputs = as_real(outputs, "outputs").astype(np.float64, copy=False)
    if outputs.shape != weights.shape[:1] or np.isnan(outputs).any():
        raise ValueError(
            f"outputs must be numbers, one for each of the {weights.shape[0]} rows of "
            f"weights; got shape {outputs.shape}, {np.isnan(outputs).sum()} NaN."
        )
    sizes = np.full(len(outputs), np.nan)
    for target, output in enumerate(outputs):
        falls = np.cumsum(np.sort(dense_row(weights, target))[::-1], dtype=np.float64)
        enough = np.flatnonzero(np.r_[0, falls] > output)
        if enough.size:
            sizes[target] = enough[0]
    return sizes


# A search yields sizes and is sent the outputs (n_trials,) of each.


def _grid(sizes):
    """Increasing sizes until one is clearly past the zero."""
    if (yield 0).mean() < 0:
        return
    for size in sizes.tolist():
        outputs = yield size
        error = outputs.std() / np.sqrt(max(1, len(outputs) - 1))
        if outputs.mean() + 2 * error < 0:
            return


def _bisection(sizes):
    """Increasing sizes until one is past the zero, then between it and the last."""
    low = high = 0
    for high in [0, *sizes.tolist()]:
        if (yield high).mean() < 0:
            break
        low = high
    while high - low > max(1, _RESOLUTION * low):
        middle = (low + high) // 2
        if (yield middle).mean() < 0:
            high = middle
        else:
            low = middle


def _send(search, outputs):
    """Return the size that a search asks for next, or None when it is decided."""
    try:
        return search.send(outputs[~np.isnan(outputs)].astype(np.float64))
    except StopIteration:
        return None


def _times(factor, size):
    """Round up, but not because 1.2 is a little more than 1.2 in binary."""
    return int(np.ceil(round(factor * size, 9)))
