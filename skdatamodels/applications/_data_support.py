"""Data support: the smallest removal that changes a prediction."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skdatamodels._dense_row import dense_row
from skdatamodels._sklearn_compat import Interval, StrOptions, fit_context
from skdatamodels.applications._attributions import check_attributions, check_weights
from skdatamodels.applications._edits import (
    OrderedEdits,
    check_takes_labels,
    most_likely_wrong_class,
)
from skdatamodels.applications._quality import warn_if_weak
from skdatamodels.applications._removal_sets import (
    n_ranked,
    removal_orders,
)
from skdatamodels.applications._support_curve import bootstrap_support, fit_support
from skdatamodels.applications._support_size import check_flips, predict_support_size
from skdatamodels.training import ComponentAblation, SubsetTrainer
from skdatamodels.training._players import players_of

# Bisection stops when its ends differ by this fraction of the lower end, or by 1.
_RESOLUTION = 0.1


class DataSupportSearch(BaseEstimator):
    """Search for the smallest set of examples whose removal flips each target.

    The training examples with the highest weights are removed (or mislabelled) in
    increasing numbers, and the model is trained again without them. The size at which
    the mean output of the target becomes negative is an upper bound of the size of its
    data support. A target with a small data support is brittle. Better weights give
    tighter bounds, so attribution matrices can be compared by these sizes.

    Parameters
    ----------
    trainer : SubsetTrainer or ComponentAblation
        Trains the models. Its targets are the rows of the attribution matrix. Its
        output must be negative if the model is wrong: "margin", or your own function
        with this property. With "log_odds" and more than two classes, a target counts
        as wrong if all other classes together are more likely than its own. The `store`
        of the trainer keeps the trainings, so that a repeated or interrupted search
        reads them.
    edit : {"remove", "mislabel"}, default="remove"
        Whether examples are removed, or given the most likely wrong class of the
        target: the wrong class with the highest mean output of models trained on all
        examples. "mislabel" needs a classifier.
    search : {"grid", "bisection"}, default="grid"
        "grid" tries the sizes in increasing order until the mean output is negative by
        two standard errors. "bisection" tries them until the mean output is negative,
        and then halves the interval below until its ends differ by 10 % or by one
        example.
    sizes : array-like of int, default=None
        Numbers of examples to try. By default 1, 2, 4, ... up to half of the training
        set.
    n_trials : int, default=20
        Number of trainings of each edited set, with different seeds. One is enough for
        a learner without randomness.
    factor : float, default=1.2
        To certify a size, `factor` times as many examples are removed, and models are
        trained with seeds that the search has not used.
    n_certifications : int, default=3
        Maximum number of attempts to certify. After a failed attempt, its trainings are
        added to the others and the size is estimated again.
    fallback : array-like or CSR of shape (n_targets, n_train), "random", default=None
        How to order examples of equal weight. A sparse datamodel has many examples of
        weight zero. A matrix is another attribution matrix, such as a prior. None puts
        the target's own class first, and within it the closest examples: by Euclidean
        distance of the inputs, each divided by its standard deviation, or in random
        order if the inputs are not numbers. One example of the class comes last,
        because many learners need every class. "random" uses a random order, so that
        only the weights are evaluated; None does so, too, if the trainer has `groups`.
    confidence : float in (0, 1), default=0.95
        Confidence level of the intervals.
    n_bootstraps : int, default=200
        Number of bootstrap draws for each interval.
    random_state : int, RandomState instance or None, default=None
        Determines the bootstrap draws. The trainer has its own.

    Attributes
    ----------
    support_size_ : float64 array of shape (n_targets,)
        Number of examples in the support, an integer. 0 for a target whose mean output
        is negative when all examples are used. NaN for a target that no size flips; see
        `status_`.
    support_indices_ : list of int array, or None
        The examples of the support, highest weight first. None if censored.
    support_ids_ : list of object array, or None
        Their ids. None if censored.
    status_ : array of str of shape (n_targets,)
        Result of the search for each target. For targets with a support size:

        - "wrong already": the model is wrong with nothing removed.
        - "certified": the size was certified.
        - "not certified": all attempts to certify the size failed.

        For targets that no size flips:

        - "sizes ran out": larger sizes were not tried.
        - "weights ran out": more examples were removed than have a weight (see
          `n_ranked_`). Better weights or larger sizes may flip the target.
        - "training failed": all trainings of one size failed.
        - "never flips": the target does not flip even without all examples that can be
          removed.
    n_ranked_ : int array of shape (n_targets,)
        Number of examples with a weight above zero. The examples after these are
        ordered by `fallback`. If no weights are zero, the number of all examples.
    censored_ : bool array of shape (n_targets,)
        True if the target was not flipped: with these weights, its size is larger than
        `largest_size_`.
    largest_size_ : int array of shape (n_targets,)
        The largest size tried for the target.
    certified_ : bool array of shape (n_targets,)
        True if the mean output is negative without the top `certified_size_` examples.
    certified_size_ : float64 array of shape (n_targets,)
        `factor` times the size, rounded up. NaN if censored.
    support_interval_ : float64 array of shape (n_targets, 2)
        Bootstrap interval of the size, by resampling the trials. An end is infinite if
        it is at draws that no size tried flips. The interval does not cover what other
        weights would find.
    predicted_size_ : float64 array of shape (n_targets,)
        Size predicted by :func:`predict_support_size` from the weights and `control_`.
        It is that of a removal also with edit="mislabel".
    control_ : float64 array of shape (n_targets,)
        Mean output of models trained on all examples, in the output's unit.
    trials_ : list of dict
        For each target, the outputs (n_trials,) by size tried.
    wrong_class_ : array of shape (n_targets,)
        The class assigned with edit="mislabel".
    n_trained_ : int
        Number of trainings of edited sets. Targets with equal sets share them.
    n_features_in_ : int
        Number of training examples.

    See Also
    --------
    predict_support_size : Predict the size from the weights, without training.
    adaptive_order : Weights whose order is estimated again as examples go.
    skdatamodels.plotting.DataSupportDisplay : Plot the share of targets by size.

    Notes
    -----
    The mean output is assumed to decrease as more examples are removed. The reported
    size is where the isotonic regression of the means on the sizes, joined by straight
    lines, crosses zero. The search runs in rounds: each round tries one more size for
    every target that is not decided, in one call of the trainer. All outputs are kept
    during the fit: `n_trained_` × n_targets float32 values.

    If a sparse datamodel has fewer positive weights than a size needs, examples of
    weight zero are removed next, in the order of `fallback`, and then those of negative
    weight.

    If the trainer has `groups`, they take the place of the examples: sizes are numbers
    of groups, `support_indices_` are positions in its `groups_`, and `support_ids_` are
    labels. A group is removed with all its examples, or all of them get the wrong
    class.

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
        "trainer": [SubsetTrainer, ComponentAblation],
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
        """Search for the support of each target and certify it.

        Parameters
        ----------
        X : array-like or CSR of shape (n_targets, n_train)
            Attribution matrix: the ``coef_`` of a datamodel, the scores of another
            method, or any other array. A higher weight means that the example supports
            the target more.
        y : None
            Ignored.

        Returns
        -------
        self : DataSupportSearch
            The fitted search.

        Raises
        ------
        ValueError
            Before any training: if the matrix or `fallback` has NaN or does not match
            the trainer's targets and training set, `sizes` are not from 1 to
            n_train - 1, the output is not negative for wrong predictions, or
            edit="mislabel" and the trainer does not train a classifier.
        RuntimeError
            If all trainings on the full training set failed.

        Warns
        -----
        RuntimeWarning
            If trainings failed, for any `on_failure` of the trainer. The search for a
            target stops if all trainings of a set fail.
        """
        warn_if_weak(X, stacklevel=4)
        X = check_attributions(self, X, self.trainer)
        sizes, n_most = self._check_sizes()
        self._check_output()
        fallback = self._check_fallback(X.shape)
        labels = None
        if self.edit == "mislabel":
            labels = most_likely_wrong_class(self.trainer, self.n_trials)
            self.wrong_class_ = labels
        trainer = self.trainer
        orders = removal_orders(
            X, players_of(trainer), trainer.train, trainer.targets, fallback, labels
        )
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
        """Return the increasing sizes, and the largest number that may be removed."""
        n_train = len(players_of(self.trainer))
        if self.sizes is None:
            sizes = 2 ** np.arange(max(1, n_train.bit_length() - 1))
        else:
            sizes = np.unique(self.sizes)
        whole = sizes.ndim == 1 and sizes.dtype.kind in "iu" and sizes.size
        if not whole or not 1 <= sizes[0] <= sizes[-1] < n_train:
            raise ValueError(
                "sizes must be integers from 1 to n_train - 1 = "
                f"{n_train - 1}; got {self.sizes}."
            )
        return sizes, min(n_train - 1, _times(self.factor, sizes[-1]))

    def _check_output(self):
        if self.edit == "mislabel":
            check_takes_labels(self.trainer)
        check_flips(self.trainer)

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
        """Run the searches of all targets together, one size of each per round.

        Return the outputs by size for each target, and whether its search stopped
        because a set could not be trained.
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
        """Estimate the sizes and certify them; re-estimate those that fail."""
        trials, orders = self.trials_, edit.orders
        sizes = np.array([fit_support(t) for t in trials])
        self.certified_ = sizes == 0
        self.certified_size_ = np.where(self.certified_, 0, np.nan)
        for attempt in range(self.n_certifications):
            asked, n_before = [], []
            for target in np.flatnonzero((sizes > 0) & ~self.certified_).tolist():
                if attempt > 0:  # keep the last size if no new fit flips
                    size = fit_support(trials[target])
                    sizes[target] = sizes[target] if np.isnan(size) else size
                size = _times(self.factor, sizes[target])
                asked.append((target, min(size, len(orders[target]))))
                # use other seeds than those that the size was fitted on
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
        players = players_of(self.trainer)
        self.support_ids_ = [
            None if rows is None else players.names_at(rows)
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
        """Set the status of each target."""
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


# A search is a generator: it yields sizes and receives the outputs (n_trials,) of each.


def _grid(sizes):
    """Yield increasing sizes until the mean output is clearly negative."""
    if (yield 0).mean() < 0:
        return
    for size in sizes.tolist():
        outputs = yield size
        error = outputs.std() / np.sqrt(max(1, len(outputs) - 1))
        if outputs.mean() + 2 * error < 0:
            return


def _bisection(sizes):
    """Yield increasing sizes until the mean output is negative, then bisect."""
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
    """Return the next size of a search, or None if the search is finished."""
    try:
        return search.send(outputs[~np.isnan(outputs)].astype(np.float64))
    except StopIteration:
        return None


def _times(factor, size):
    """Round the product up, ignoring that 1.2 is slightly above 1.2 in binary."""
    return int(np.ceil(round(factor * size, 9)))
