"""Find targets that are also in the training set, exactly or nearly."""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.metrics import pairwise_distances
from sklearn.utils.validation import check_array, check_is_fitted

from skdatamodels._examples import Examples, swap_hint
from skdatamodels._numbers import refuse_disguised
from skdatamodels._sklearn_compat import Interval, fit_context, safe_indexing
from skdatamodels.applications._annotation_page import (
    read_annotations,
    write_annotation_page,
)
from skdatamodels.applications._attributions import (
    check_train,
    sign_of_better,
    validate_weights,
)
from skdatamodels.applications._quality import warn_if_weak
from skdatamodels.metrics import metadata_distances

_BLOCK_ENTRIES = 2**22
# For a target that does not leak, one example often has a third of the squared weights,
# but is rarely a third closer than all others. So closeness counts twice.
_SHARE = 0.5


class LeakageDetector(OutlierMixin, BaseEstimator):
    """Detect targets that leak from the training set.

    A target leaks if the training set contains the same thing: a copy, the same scene
    again, or a duplicate under another name. Two kinds of evidence are used. *Weights*
    show what the model used. They find modified copies of hard targets, but not copies
    of easy targets, which the model would get right anyway. A *representation*, if
    given, shows what looks alike. It finds plain copies of easy and hard targets, but
    misses copies that were moved or changed. The leakage score is the sum of both, and
    `spoke_` tells which of them contributed.

    This is an outlier detector whose samples are targets. As in scikit-learn,
    suspicious samples have low `score_samples` and the label -1. The leakage score is
    the opposite of `score_samples`.

    Parameters
    ----------
    n_candidates : int, default=10
        Number of training examples to propose for each target.
    threshold : float, default=None
        Targets with a higher leakage score are flagged. None derives it from
        `contamination`; if that is also None, the threshold is 0.5.
    contamination : float in (0, 0.5], default=None
        Fraction of the targets passed to ``fit`` to flag.
    higher_is_better : bool, default=None
        Whether higher outputs are better. A leaked example makes the output of its
        target better. Not needed for a fitted regressor, which knows it. Needed for a
        matrix: True for margins and accuracies, False for losses and errors.
    train : Examples, default=None
        The training set. If given, `candidate_ids_` has the ids of the candidates.

    Attributes
    ----------
    candidates_ : int array of shape (n_targets, n_candidates)
        Proposed training examples, best score first. They are selected alternately by
        positive weight and by closeness. Padded with -1.
    candidate_ids_ : object array of shape (n_targets, n_candidates)
        Their ids, padded with None. Only if `train` was given.
    evidence_ : float64 array of shape (n_targets, n_candidates, 2)
        Evidence of each candidate by weights and by representation, each from 0 to 1;
        see Notes.
    leakage_score_ : float64 array of shape (n_targets,)
        Score of the first candidate. Without a representation, its evidence by weights.
        With one, half of that plus its evidence by representation: from 0 to 1.5.
    spoke_ : array of str of shape (n_targets,)
        The evidence that contributes more to the score: "weights" or "representation".
        "both" if the other contributes at least half as much. "none" if the score is 0.
    offset_ : float
        Minus the threshold. ``decision_function`` is ``score_samples - offset_``.
    n_features_in_ : int
        Number of training examples.

    See Also
    --------
    skdatamodels.metrics.leakage_recall : Fraction of known leaks among the candidates.

    Notes
    -----
    The evidence by weights of an example with positive weight is its squared weight
    divided by the sum of squared weights of the target. A weight of zero is no
    evidence, so a row of zeros has no candidates by weight. The evidence by
    representation is ``1 - distance / nearest other``: how much closer the example is
    than all others. At distance 0 it is 1. Both compare the examples for one target, so
    targets need no common scale. Among ties, the example that comes first in the
    training set wins.

    If the training set has two copies of a target, they share the weight and are about
    equally close, so each hides the other unless they are exact. To find such copies,
    compare the training set with itself.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.2.2 and appendix H.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.applications import LeakageDetector
    >>> weights = np.array([[0.1, 2.0, 0.2], [0.3, 0.2, 0.3], [0.0, 0.0, 0.0]])
    >>> pixels = np.array([[0.0, 0.0], [3.0, 3.0], [9.0, 0.0]])
    >>> detector = LeakageDetector(n_candidates=2, higher_is_better=True).fit(
    ...     weights, train_representation=pixels, target_representation=pixels + [0, 2]
    ... )
    >>> detector.candidates_[:, 0]
    array([1, 1, 2])
    >>> detector.spoke_
    array(['weights', 'representation', 'representation'], dtype='<U14')
    >>> detector.leakage_score_.round(2)
    array([0.49, 0.75, 0.67])
    >>> detector.predict(weights, target_representation=pixels + [0, 2])
    array([ 1, -1, -1])
    """

    _parameter_constraints = {
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "threshold": [Interval(Real, 0, None, closed="neither"), None],
        "contamination": [Interval(Real, 0, 0.5, closed="right"), None],
        "higher_is_better": ["boolean", None],
        "train": [Examples, None],
    }

    def __init__(
        self,
        *,
        n_candidates=10,
        threshold=None,
        contamination=None,
        higher_is_better=None,
        train=None,
    ):
        self.n_candidates = n_candidates
        self.threshold = threshold
        self.contamination = contamination
        self.higher_is_better = higher_is_better
        self.train = train

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, train_representation=None, target_representation=None):
        """Find candidates and score the targets.

        Parameters
        ----------
        X : fitted estimator, or array-like or CSR of shape (n_targets, n_train)
            A fitted datamodel, or an attribution matrix of any method.
        y : None
            Ignored.
        train_representation : array-like or sparse (n_train, n_dims), default=None
            Pixels, embeddings or other features in which copies are close.
        target_representation : array-like or sparse (n_targets, n_dims), default=None
            The same features of the targets.

        Returns
        -------
        self : LeakageDetector
            The fitted detector.

        Raises
        ------
        ValueError
            If a matrix has NaN or the wrong shape, it is not known whether higher is
            better, only one representation is given, both `threshold` and
            `contamination` are given, or `train` is another training set.
        """
        if self.threshold is not None and self.contamination is not None:
            raise ValueError(
                "threshold and contamination both determine which targets are flagged: "
                "give one of them."
            )
        warn_if_weak(X, stacklevel=4)
        X = self._check_weights(X, reset=True)
        check_train(self.train, X.shape[1])
        if (train_representation is None) != (target_representation is None):
            raise ValueError(
                "Representations of both sets are needed: give both "
                "train_representation and target_representation, or neither."
            )
        got = [np.shape(Z)[:1] for Z in (train_representation, target_representation)]
        self.train_representation_ = _check_representation(
            train_representation,
            X.shape[1],
            "train",
            swap_hint(got, [(n,) for n in X.shape[::-1]]),
        )
        self.candidates_, self.evidence_ = self._propose(X, target_representation)
        vars(self).pop("candidate_ids_", None)  # of an earlier fit
        if self.train is not None:
            self.candidate_ids_ = self.train.ids_at(self.candidates_)
        parts = self._score_parts(self.evidence_[:, 0])
        self.leakage_score_, self.spoke_ = parts.sum(axis=-1), _who_spoke(parts)
        self.offset_ = -0.5 if self.threshold is None else -float(self.threshold)
        if self.contamination is not None:
            share = 100 * self.contamination
            self.offset_ = float(np.percentile(-self.leakage_score_, share))
        return self

    def fit_predict(
        self, X, y=None, *, train_representation=None, target_representation=None
    ):
        """Fit, and predict which targets leak.

        Parameters
        ----------
        X : fitted estimator, or array-like or CSR of shape (n_targets, n_train)
            A fitted datamodel, or an attribution matrix of any method.
        y : None
            Ignored.
        train_representation : array-like or sparse (n_train, n_dims), default=None
            Pixels, embeddings or other features in which copies are close.
        target_representation : array-like or sparse (n_targets, n_dims), default=None
            The same features of the targets.

        Returns
        -------
        labels : int array of shape (n_targets,)
            -1 for leaks, 1 for the others.
        """
        self.fit(
            X,
            train_representation=train_representation,
            target_representation=target_representation,
        )
        return self._labels(-self.leakage_score_)

    def score_samples(self, X, *, target_representation=None):
        """Return minus the leakage score: lower values are more suspicious.

        Parameters
        ----------
        X : fitted estimator, or array-like or CSR of shape (n_targets, n_train)
            A fitted datamodel, or an attribution matrix of any method.
        target_representation : array-like or sparse (n_targets, n_dims), default=None
            Features of the targets. Needed if ``fit`` received representations.

        Returns
        -------
        scores : float64 array of shape (n_targets,)
            For the targets passed to ``fit``, this is ``-leakage_score_``.
        """
        check_is_fitted(self)
        X = self._check_weights(X, reset=False)
        _, evidence = self._propose(X, target_representation)
        return -self._score_parts(evidence[:, 0]).sum(axis=-1)

    def decision_function(self, X, *, target_representation=None):
        """Return ``score_samples - offset_``, which is negative for leaks.

        Parameters
        ----------
        X : fitted estimator, or array-like or CSR of shape (n_targets, n_train)
            A fitted datamodel, or an attribution matrix of any method.
        target_representation : array-like or sparse (n_targets, n_dims), default=None
            Features of the targets. Needed if ``fit`` received representations.

        Returns
        -------
        scores : float64 array of shape (n_targets,)
            Negative for leaks.
        """
        scores = self.score_samples(X, target_representation=target_representation)
        return scores - self.offset_

    def predict(self, X, *, target_representation=None):
        """Predict which targets leak.

        Parameters
        ----------
        X : fitted estimator, or array-like or CSR of shape (n_targets, n_train)
            A fitted datamodel, or an attribution matrix of any method.
        target_representation : array-like or sparse (n_targets, n_dims), default=None
            Features of the targets. Needed if ``fit`` received representations.

        Returns
        -------
        labels : int array of shape (n_targets,)
            -1 for leaks, 1 for the others.
        """
        scores = self.score_samples(X, target_representation=target_representation)
        return self._labels(scores)

    def judge_by_distance(self, *, train, targets, threshold, metric="haversine"):
        """Check the candidates by a distance between metadata or examples.

        Parameters
        ----------
        train : array-like of shape (n_train, n_values)
            Metadata of the training examples, such as latitude and longitude in
            degrees, or their pixels.
        targets : array-like of shape (n_targets, n_values)
            The same values of the targets.
        threshold : float
            Largest distance that counts as the same. In kilometres for "haversine". 0
            for exact copies.
        metric : str or callable, default="haversine"
            See :func:`skdatamodels.metrics.metadata_distances`.

        Returns
        -------
        same : float64 array of shape (n_targets, n_candidates)
            1 if the candidate is the same as the target, else 0. NaN if there is no
            candidate. The maximum of a row tells whether the target leaks.

        Raises
        ------
        ValueError
            If the lengths of `train` or `targets` do not match the attribution matrix.
        """
        check_is_fitted(self)
        wanted = self.n_features_in_, len(self.candidates_)
        got = len(train), len(targets)
        if got != wanted:
            raise ValueError(
                f"train must have {wanted[0]} rows and targets {wanted[1]}, as in the "
                f"attribution matrix; got {got[0]} and {got[1]}."
                f"{swap_hint(got, wanted)}"
            )
        same = np.full(self.candidates_.shape, np.nan)
        for target, row in enumerate(self.candidates_):
            rows = row[row >= 0]
            if rows.size:
                near = metadata_distances(
                    train=safe_indexing(train, rows),
                    targets=targets[target : target + 1],
                    metric=metric,
                )
                same[target, : rows.size] = near[0] <= threshold
        return same

    def write_page(self, path, train, targets, *, flagged_only=False, **page):
        """Write a page on which people annotate candidates, suspicious targets first.

        Parameters
        ----------
        path : path-like
            File to write.
        train, targets : Examples
            The training set and the targets of the attribution matrix.
        flagged_only : bool, default=False
            Whether to leave out targets that are not flagged.
        **page : dict
            `image_shape` and `title`, passed to :func:`write_annotation_page`.
        """
        check_is_fitted(self)
        order = np.argsort(-self.leakage_score_, kind="stable")
        if flagged_only:
            order = order[self._labels(-self.leakage_score_[order]) == -1]
        write_annotation_page(
            path, self.candidates_, train, targets, rows=order, **page
        )

    def judge_by_people(self, paths, train, targets):
        """Check the candidates by the answers that people saved from the page.

        Parameters
        ----------
        paths : path-like, or list of path-like
            Files that were saved from the page.
        train, targets : Examples
            The examples that were passed to :meth:`write_page`.

        Returns
        -------
        share : float64 array of shape (n_targets, n_candidates)
            Fraction of people who answered "same". NaN if nobody answered. The maximum
            of a row is the annotation score of the target.

        Raises
        ------
        ValueError
            See :func:`read_annotations`.
        """
        check_is_fitted(self)
        return read_annotations(paths, self.candidates_, train, targets)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _check_weights(self, X, reset):
        """Return the weights with the sign that positive ones make outputs better."""
        weights = validate_weights(self, X, reset=reset)
        return sign_of_better(X, self.higher_is_better) * weights

    def _labels(self, scores):
        return np.where(scores < self.offset_, -1, 1)

    def _score_parts(self, evidence):
        """Return what each kind of evidence, (..., 2), contributes to the score."""
        has_both = self.train_representation_ is not None
        return evidence * ([_SHARE, 1] if has_both else [1, 0])

    def _propose(self, X, representation):
        """Return candidates (n_targets, n_candidates) and their evidence (…, 2)."""
        n_targets, n_train = X.shape
        Z = self.train_representation_
        if (representation is None) != (Z is None):
            raise ValueError(
                "target_representation must be passed if and only if the detector was "
                "fitted with representations."
            )
        Z_targets = _check_representation(representation, n_targets, "target")
        if Z is not None and Z.shape[1] != Z_targets.shape[1]:
            raise ValueError(
                f"train_representation has {Z.shape[1]} dimensions, but "
                f"target_representation has {Z_targets.shape[1]}."
            )
        n_most = min(self.n_candidates, n_train)
        candidates = np.full((n_targets, self.n_candidates), -1)
        evidence = np.zeros((n_targets, self.n_candidates, 2))
        step = max(1, _BLOCK_ENTRIES // n_train)
        for start in range(0, n_targets, step):
            block = slice(start, start + step)
            weights = X[block].toarray() if issparse(X) else X[block]
            kinds = np.zeros((2, *weights.shape))
            kinds[0] = _share_of_weight(weights)
            turn = np.where(weights > 0, _ranks(-weights), np.inf)
            if Z is not None:
                distances = pairwise_distances(Z_targets[block], Z)
                kinds[1] = _closeness(distances)
                # alternate: the first by weight, the first by distance, the second ...
                turn = np.minimum(2 * turn, 2 * _ranks(distances) + 1)
            rows = np.argsort(turn, axis=1, kind="stable")[:, :n_most]
            parts = self._score_parts(np.moveaxis(kinds, 0, -1))
            scores = np.take_along_axis(parts.sum(axis=-1), rows, axis=1)
            scores[np.isinf(np.take_along_axis(turn, rows, axis=1))] = -1
            order = np.argsort(-scores, axis=1, kind="stable")
            rows, scores = (np.take_along_axis(a, order, 1) for a in (rows, scores))
            candidates[block, :n_most] = np.where(scores < 0, -1, rows)
            picked = np.take_along_axis(kinds, rows[None], axis=2)
            evidence[block, :n_most] = picked.transpose(1, 2, 0)
        return candidates, evidence


def _ranks(values):
    """Return the rank of each entry in its row, from 0; ties in order."""
    order = np.argsort(values, axis=1, kind="stable")
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, np.arange(values.shape[1])[None], axis=1)
    return ranks


def _share_of_weight(weights):
    """Return the share of each positive weight in the sum of squares of its row."""
    weights = weights.astype(np.float64)
    largest = np.abs(weights).max(axis=1, keepdims=True)
    scaled = weights / np.where(largest > 0, largest, 1)  # squares may underflow
    squares = scaled**2
    total = squares.sum(axis=1, keepdims=True)
    return np.where(scaled > 0, squares, 0) / np.where(total > 0, total, 1)


def _closeness(distances):
    """Return how much closer each example is than all others; 1 at distance 0."""
    if distances.shape[1] == 1:
        return (distances == 0).astype(np.float64)
    nearest, second = np.partition(distances, 1, axis=1)[:, :2].T[..., None]
    first = np.arange(distances.shape[1]) == distances.argmin(axis=1)[:, None]
    other = np.where(first, second, nearest)
    ratio = np.divide(distances, other, out=np.ones_like(distances), where=other > 0)
    return np.where(distances == 0, 1, np.maximum(1 - ratio, 0))


def _who_spoke(parts):
    """Return which of the parts (n, 2) contributes more to the score, or both."""
    weights, representation = parts.T
    names = np.where(weights >= representation, "weights", "representation")
    both = parts.min(axis=1) >= parts.max(axis=1) / 2
    names = np.where(both, "both", names)
    return np.where(parts.any(axis=1), names, "none")


def _check_representation(values, n_rows, which, hint=""):
    if values is None:
        return None
    refuse_disguised(values, f"entries of {which}_representation")
    values = check_array(values, accept_sparse="csr")
    if values.shape[0] != n_rows:
        raise ValueError(
            f"{which}_representation must have {n_rows} rows to match the attribution "
            f"matrix; got {values.shape[0]}.{hint}"
        )
    return values
