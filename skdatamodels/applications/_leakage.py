"""Targets that the training set holds already, or nearly so."""

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
from skdatamodels.metrics import metadata_distances

_BLOCK_ENTRIES = 2**22
# Of a target that does not leak, one example often has a third of the squared weights,
# but is rarely a third closer than all others. So closeness counts twice.
_SHARE = 0.5


class LeakageDetector(OutlierMixin, BaseEstimator):
    """Propose, score and judge training examples that leak targets.

    A target leaks if the training set holds the same thing: a copy, the same scene
    again, a duplicate under another name. Two kinds of evidence are heard. *Weights*
    know what the model needed: they find disguised copies of hard targets, and say
    nothing of easy ones, which the model would get right anyway. A *representation*,
    where given, knows what looks alike: it finds plain copies, easy or hard, and
    misses what moved or changed. The score adds them up; `spoke_` tells which spoke.

    It is an outlier detector, whose samples are targets: as those of scikit-learn, it
    has low `score_samples` and a label of -1 for the suspicious ones. The leakage score
    is the opposite of `score_samples`.

    Parameters
    ----------
    n_candidates : int, default=10
        Training examples proposed for each target.
    threshold : float, default=None
        Targets of a higher leakage score are flagged. By default it follows from
        `contamination`; if that is None too, it is 0.5.
    contamination : float in (0, 0.5], default=None
        Share of the targets given to ``fit`` that are flagged.
    higher_is_better : bool, default=None
        Whether higher outputs are better: a leaked example makes its target's output
        better. A fitted regressor knows; for a matrix say so: True for margins and
        accuracies, False for losses and errors.
    train : Examples, default=None
        The training set, whose ids name the candidates.

    Attributes
    ----------
    candidates_ : int array of shape (n_targets, n_candidates)
        Training examples: by turns the next one by weight, if it is positive, and the
        next one by closeness, then in the order of their scores.
        -1 where there are no more.
    candidate_ids_ : object array of shape (n_targets, n_candidates)
        Their ids, None where there are no more. Only if `train` was given.
    evidence_ : float64 array of shape (n_targets, n_candidates, 2)
        By weights and by representation, each from 0 to 1; see Notes.
    leakage_score_ : float64 array of shape (n_targets,)
        Of the first candidate: its evidence by weights; with a representation, half
        of that plus its evidence by representation, from 0 to 1.5.
    spoke_ : array of str of shape (n_targets,)
        "weights" or "representation", whichever adds more to the score; "both", if
        the other adds at least half as much; "none".
    offset_ : float
        The threshold, negated: ``decision_function`` is ``score_samples`` less this.
    n_features_in_ : int
        Number of training examples.

    See Also
    --------
    skdatamodels.metrics.leakage_recall : How many known leaks candidates cover.

    Notes
    -----
    Evidence by weights is the share that an example has of the sum of squared weights
    of the target, if its weight is positive. A weight of zero is no evidence: by it, a
    row of zeros has no candidates. Evidence by representation is how much closer the
    example is than all others are, ``1 - distance / nearest other``; at no distance it
    is 1. Both compare the examples of one target, so targets need no common scale.
    Ties go to the example that is first in the training set.

    Two copies of a target in the training set share the weight and are equally close:
    unless they are exact, each hides the other. Look for those by comparing the
    training set with itself.

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
            Pixels, embeddings or other coordinates in which copies are close.
        target_representation : array-like or sparse (n_targets, n_dims), default=None
            The same of the targets.

        Returns
        -------
        self : LeakageDetector

        Raises
        ------
        ValueError
            If a matrix has NaN or the wrong shape, nothing tells whether higher is
            better, one representation is given without the other, both `threshold`
            and `contamination` are, or `train` is another training set.
        """
        if self.threshold is not None and self.contamination is not None:
            raise ValueError(
                "threshold and contamination both say how many targets to flag: give "
                "one of them."
            )
        X = self._check_weights(X, reset=True)
        check_train(self.train, X.shape[1])
        if (train_representation is None) != (target_representation is None):
            raise ValueError(
                "A representation is compared: give both train_representation and "
                "target_representation, or neither."
            )
        got = [np.shape(Z)[:1] for Z in (train_representation, target_representation)]
        self.train_representation_ = _check_representation(
            train_representation,
            X.shape[1],
            "train",
            swap_hint(got, [(n,) for n in X.shape[::-1]]),
        )
        self.candidates_, self.evidence_ = self._propose(X, target_representation)
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
        """Find candidates, score the targets and flag those that leak.

        Parameters
        ----------
        X : fitted estimator, or array-like or CSR of shape (n_targets, n_train)
        y : None
            Ignored.
        train_representation : array-like or sparse (n_train, n_dims), default=None
        target_representation : array-like or sparse (n_targets, n_dims), default=None

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
        """Return the leakage score of targets, negated: the lower, the more suspicious.

        Parameters
        ----------
        X : fitted estimator, or array-like or CSR of shape (n_targets, n_train)
        target_representation : array-like or sparse (n_targets, n_dims), default=None
            Needed if ``fit`` was given representations.

        Returns
        -------
        scores : float64 array of shape (n_targets,)
            The opposite of what `leakage_score_` holds of the targets of ``fit``.
        """
        check_is_fitted(self)
        X = self._check_weights(X, reset=False)
        _, evidence = self._propose(X, target_representation)
        return -self._score_parts(evidence[:, 0]).sum(axis=-1)

    def decision_function(self, X, *, target_representation=None):
        """Return ``score_samples`` less `offset_`: negative for leaks.

        Parameters
        ----------
        X : fitted estimator, or array-like or CSR of shape (n_targets, n_train)
        target_representation : array-like or sparse (n_targets, n_dims), default=None
            Needed if ``fit`` was given representations.

        Returns
        -------
        scores : float64 array of shape (n_targets,)
        """
        scores = self.score_samples(X, target_representation=target_representation)
        return scores - self.offset_

    def predict(self, X, *, target_representation=None):
        """Flag targets that leak.

        Parameters
        ----------
        X : fitted estimator, or array-like or CSR of shape (n_targets, n_train)
        target_representation : array-like or sparse (n_targets, n_dims), default=None
            Needed if ``fit`` was given representations.

        Returns
        -------
        labels : int array of shape (n_targets,)
            -1 for leaks, 1 for the others.
        """
        scores = self.score_samples(X, target_representation=target_representation)
        return self._labels(scores)

    def judge_by_distance(self, *, train, targets, threshold, metric="haversine"):
        """Judge the candidates by a distance, of metadata or of the examples.

        Parameters
        ----------
        train : array-like of shape (n_train, n_values)
            Metadata, such as latitude and longitude in degrees, or the pixels.
        targets : array-like of shape (n_targets, n_values)
        threshold : float
            Largest distance of what counts as the same: kilometres for "haversine";
            0 for exact copies.
        metric : str or callable, default="haversine"
            See :func:`skdatamodels.metrics.metadata_distances`.

        Returns
        -------
        same : float64 array of shape (n_targets, n_candidates)
            1 or 0; NaN where there is no candidate. The largest of a row judges the
            target.

        Raises
        ------
        ValueError
            If `train` or `targets` have other lengths than those of the attribution
            matrix.
        """
        check_is_fitted(self)
        wanted = self.n_features_in_, len(self.candidates_)
        got = len(train), len(targets)
        if got != wanted:
            raise ValueError(
                f"train must have {wanted[0]} rows and targets {wanted[1]}, as the "
                f"attribution matrix had; got {got[0]} and {got[1]}."
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
        """Write a page on which people judge the candidates, suspicious targets first.

        Parameters
        ----------
        path : path-like
        train, targets : Examples
        flagged_only : bool, default=False
            Leave out targets that are not flagged.
        **page : dict
            For :func:`write_annotation_page`: `image_shape`, `title`.
        """
        check_is_fitted(self)
        order = np.argsort(-self.leakage_score_, kind="stable")
        if flagged_only:
            order = order[self._labels(-self.leakage_score_[order]) == -1]
        write_annotation_page(
            path, self.candidates_, train, targets, rows=order, **page
        )

    def judge_by_people(self, paths, train, targets):
        """Judge the candidates by the answers that people saved from the page.

        Parameters
        ----------
        paths : path-like, or list of path-like
        train, targets : Examples

        Returns
        -------
        share : float64 array of shape (n_targets, n_candidates)
            Share of the people who said "same"; NaN where nobody answered. The
            largest of a row is the target's annotation score.

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
        """Return the weights so that positive ones make outputs better."""
        weights = validate_weights(self, X, reset=reset)
        return sign_of_better(X, self.higher_is_better) * weights

    def _labels(self, scores):
        return np.where(scores < self.offset_, -1, 1)

    def _score_parts(self, evidence):
        """Return what each kind of evidence, (..., 2), adds to the score."""
        has_both = self.train_representation_ is not None
        return evidence * ([_SHARE, 1] if has_both else [1, 0])

    def _propose(self, X, representation):
        """Return candidates (n_targets, n_candidates) and their evidence (…, 2)."""
        n_targets, n_train = X.shape
        Z = self.train_representation_
        if (representation is None) != (Z is None):
            raise ValueError(
                "target_representation must be given if and only if the detector was "
                "fitted with representations."
            )
        Z_targets = _check_representation(representation, n_targets, "target")
        if Z is not None and Z.shape[1] != Z_targets.shape[1]:
            raise ValueError(
                f"train_representation has {Z.shape[1]} dimensions, "
                f"target_representation {Z_targets.shape[1]}."
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
                # by turns: the first by weight, the first by distance, the second ...
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
    """Rank of each entry in its row, from 0; ties in order."""
    order = np.argsort(values, axis=1, kind="stable")
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, np.arange(values.shape[1])[None], axis=1)
    return ranks


def _share_of_weight(weights):
    """Share of each positive weight in the sum of squares of its row."""
    weights = weights.astype(np.float64)
    largest = np.abs(weights).max(axis=1, keepdims=True)
    scaled = weights / np.where(largest > 0, largest, 1)  # squares may underflow
    squares = scaled**2
    total = squares.sum(axis=1, keepdims=True)
    return np.where(scaled > 0, squares, 0) / np.where(total > 0, total, 1)


def _closeness(distances):
    """How much closer than the nearest other each example is; 1 at no distance."""
    if distances.shape[1] == 1:
        return (distances == 0).astype(np.float64)
    nearest, second = np.partition(distances, 1, axis=1)[:, :2].T[..., None]
    first = np.arange(distances.shape[1]) == distances.argmin(axis=1)[:, None]
    other = np.where(first, second, nearest)
    ratio = np.divide(distances, other, out=np.ones_like(distances), where=other > 0)
    return np.where(distances == 0, 1, np.maximum(1 - ratio, 0))


def _who_spoke(parts):
    """Name the kind of evidence that adds more to the score (n, 2), or both."""
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
            f"{which}_representation must have {n_rows} rows, as the attribution "
            f"matrix asks for; got {values.shape[0]}.{hint}"
        )
    return values
