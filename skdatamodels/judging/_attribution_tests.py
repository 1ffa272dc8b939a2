"""Tests of attribution matrices beside the prediction of runs."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from sklearn.utils import gen_batches

from skdatamodels._numbers import as_real
from skdatamodels.applications import LeaveOneOut
from skdatamodels.judging._attribution_scores import AttributionScores
from skdatamodels.metrics import (
    attribution_correlation,
    class_detection,
    mark_detection,
)
from skdatamodels.metrics._attributions import (
    check_k,
    check_labels,
    check_mask,
    weights_of,
)
from skdatamodels.metrics._average_precision import average_precision
from skdatamodels.metrics._lds import check_finite
from skdatamodels.metrics._top_k_overlap import sums_of_shares
from skdatamodels.outputs import OUTPUTS

_KEYS = (
    *("k", "subclasses", "marked", "wrong_labels"),
    *("self_influence", "randomised", "leave_one_out"),
)
_BLOCK_ENTRIES = 2**22  # 32 MiB of float64
_SIGNED = "margin", "log_odds"  # negative if the prediction is wrong


class _Test(NamedTuple):
    """A test.

    `score(weights, counts, method)` returns the scores (n_draws,) of draws of targets,
    which `counts` (n_draws, n_targets) has. High weights raise what is good.
    """

    score: object
    concerned: np.ndarray  # bool (n_targets,): the targets that are asked
    ceiling: float = np.nan


class AttributionTests:
    """The tests that can be made with what is known, checked.

    Parameters
    ----------
    tests : dict or None
        What is known, see :func:`compare_attributions`. None for no tests.
    train, targets : Examples
    shape : tuple (n_targets, n_train)
        Shape of the attribution matrices.
    output : OutputInfo
    methods : collection of str
        Names of the methods.
    has_classes : bool
        Whether columns of the matrices are examples that have a class.
    """

    def __init__(self, tests, train, targets, shape, output, methods, has_classes):
        self.shape, self.output, self.methods = shape, output, methods
        self.sign = output.sign or 1  # -1 where lower outputs are better
        self._tests, self._marked_targets = {}, np.zeros(shape[0], bool)
        if tests is None:
            return
        unknown = [key for key in tests if key not in _KEYS]
        if unknown:
            raise ValueError(
                f"{unknown} are not known in tests. Its keys are {', '.join(_KEYS)}."
            )
        known = {key: value for key, value in tests.items() if value is not None}
        self.k = known.pop("k", min(10, max(1, shape[1] // 2)))
        check_k(self.k, shape[1])
        if has_classes:
            self._add("same class", self._classes(train.y, targets.y))
        for key in _KEYS:
            if key in known:
                getattr(self, f"_add_{key}")(known[key])
        if shape[0] > 1:
            self._add("overlap", self._overlap())

    def run(self, matrices, effects, targets, *, n_bootstraps, confidence, entropy):
        """Return the AttributionScores of some targets, or None if there are no tests.

        Parameters
        ----------
        matrices : dict of str to array or CSR of shape (n_targets, n_train)
        effects : dict of str to CounterfactualEffects
        targets : int array
            The targets that are reported.
        n_bootstraps, confidence, entropy
            Of the intervals.
        """
        tests = self._tests | self._flips(effects)
        if not tests:
            return None
        counts = np.zeros((1 + n_bootstraps, self.shape[0]))
        counts[0, targets] = 1  # the score itself
        rng = np.random.default_rng([entropy, 1])
        each = np.full(len(targets), 1 / len(targets))
        counts[1:, targets] = rng.multinomial(len(targets), each, n_bootstraps)
        tail = (1 - confidence) / 2
        asked = np.isin(np.arange(self.shape[0]), targets)
        n_asked = np.array([(asked & test.concerned).sum() for test in tests.values()])
        scores = np.full((len(matrices), len(tests), 3), np.nan)
        for i, (method, weights) in enumerate(matrices.items()):
            weights = weights if self.sign > 0 else -weights
            for j, test in enumerate(tests.values()):
                drawn = test.score(weights, counts, method)
                scores[i, j, 0] = drawn[0]
                # one target does not tell what others would give
                if n_asked[j] > 1 and not np.isnan(drawn[1:]).all():
                    scores[i, j, 1:] = np.nanquantile(drawn[1:], [tail, 1 - tail])
        return AttributionScores(
            np.array(list(matrices)),
            np.array(list(tests)),
            *np.moveaxis(scores, 2, 0),
            n_asked,
            np.array([test.ceiling for test in tests.values()]),
            confidence,
        )

    def _add(self, name, test):
        if name in self._tests:
            raise ValueError(f"Two tests have the name {name!r}. Rename the mark.")
        self._tests[name] = test

    def _per_target(self, values_of, concerned=None, ceiling=np.nan):
        """Return a test whose score is a mean over targets."""
        concerned = np.ones(self.shape[0], bool) if concerned is None else concerned

        def score(weights, counts, method):
            values = np.full(self.shape[0], np.nan)
            some = weights if concerned.all() else weights[concerned]
            values[concerned] = values_of(some, method)
            return _means(values, counts)

        return _Test(score, concerned, ceiling)

    def _classes(self, train, targets):
        return self._per_target(
            lambda weights, _: class_detection(
                weights, train=train, targets=targets, k=self.k
            )
        )

    def _overlap(self):
        def score(weights, counts, method):
            totals, squares = sums_of_shares(weights, counts, self.k)
            # of pairs of different targets
            common = np.einsum("ij,ij->i", totals, totals) - counts**2 @ squares
            n_pairs = counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)
            return _divide(common, self.k * n_pairs)

        return _Test(score, np.ones(self.shape[0], bool))

    def _add_subclasses(self, given):
        train, targets = _pair(given, "subclasses", "(of train, of targets)")
        train = check_labels(train, self.shape[1], "subclasses[0], of train,")
        targets = check_labels(targets, self.shape[0], "subclasses[1], of targets,")
        self._add("subclass", self._classes(train, targets))

    def _add_marked(self, given):
        if not isinstance(given, Mapping):
            raise TypeError(
                "marked must be a dict of pairs of masks, such as "
                "{'shortcut': (of_train, of_targets)}."
            )
        for name, pair in given.items():
            train, targets = _pair(pair, f"marked[{name!r}]", "(of train, of targets)")
            train = check_mask(train, self.shape[1], f"marked[{name!r}][0]")
            targets = np.asarray(targets)
            if targets.dtype != bool or targets.shape != self.shape[:1]:
                raise ValueError(
                    f"marked[{name!r}][1] must be a bool mask of the "
                    f"{self.shape[0]} targets; got {targets.dtype} of shape "
                    f"{targets.shape}."
                )
            if not targets.any():
                raise ValueError(f"marked[{name!r}][1] has no target.")

            def values_of(weights, _, train=train):
                return mark_detection(weights, train)

            self._add(name, self._per_target(values_of, targets))
            self._marked_targets |= targets

    def _add_wrong_labels(self, given):
        if self.output.name == "prediction":
            raise ValueError(
                "wrong_labels needs an output of which higher or lower is better, such "
                "as squared_error: a wrong value may raise or lower a prediction."
            )
        wrong = check_mask(given, self.shape[1], "wrong_labels")
        concerned = ~self._marked_targets  # the labels of others need not be theirs

        def score(weights, counts, method):
            counts, weights = counts[:, concerned], weights[concerned]
            found = np.full(len(counts), np.nan)
            known = np.flatnonzero(counts.sum(axis=1) > 0)
            for part in gen_batches(len(known), max(1, _BLOCK_ENTRIES // len(wrong))):
                sums = (weights.T @ counts[known[part]].T).T
                found[known[part]] = average_precision(-sums, wrong)
            return found

        self._wrong = wrong
        self._add("wrong labels", _Test(score, concerned))

    def _add_self_influence(self, given):
        if "wrong labels" not in self._tests:
            raise ValueError("self_influence is a test of wrong_labels: pass them too.")
        n_train = self.shape[1]
        given = {
            name: as_real(values, f"self_influence[{name!r}]")
            for name, values in self._of_methods(given, "self_influence").items()
        }
        for name, values in given.items():
            check_labels(values, n_train, f"self_influence[{name!r}]")
            check_finite(values, f"self_influence[{name!r}]", ("training example",))

        def score(weights, counts, method):
            found = np.full(len(counts), np.nan)  # no targets are drawn
            if method in given:
                values = self.sign * given[method].astype(np.float64)
                found[0] = average_precision(values[None], self._wrong)[0]
            return found

        self._add("self-influence", _Test(score, np.zeros(self.shape[0], bool)))

    def _add_randomised(self, given):
        given = {
            name: self._matrix(matrix, f"randomised[{name!r}]")
            for name, matrix in self._of_methods(given, "randomised").items()
        }

        def values_of(weights, method):
            if method not in given:
                return np.full(self.shape[0], np.nan)
            return attribution_correlation(weights, self.sign * given[method])

        self._add("randomised", self._per_target(values_of))

    def _add_leave_one_out(self, given):
        ceiling = np.nan
        if isinstance(given, LeaveOneOut):
            known = given.ceiling[~np.isnan(given.ceiling)]
            ceiling = known.mean() if len(known) else np.nan
            given = given.effects
        given = given.toarray() if hasattr(given, "toarray") else given
        effects = as_real(given, "leave_one_out")
        axes = "target", "training example"
        if effects.ndim == 2:
            check_finite(effects, "leave_one_out", axes, allow_nan=True)
        if effects.shape != self.shape:
            raise ValueError(
                f"leave_one_out has shape {effects.shape}, but the attribution "
                f"matrices {self.shape}."
            )

        def values_of(weights, _):
            return attribution_correlation(weights, self.sign * effects)

        self._add("leave-one-out", self._per_target(values_of, ceiling=ceiling))

    def _of_methods(self, given, name):
        if not isinstance(given, Mapping):
            raise TypeError(f"{name} must be a dict by method, got {given!r}.")
        unknown = [method for method in given if method not in self.methods]
        if unknown:
            raise ValueError(
                f"{name} has {unknown}, which are not methods. The methods are "
                f"{list(self.methods)}."
            )
        return given

    def _matrix(self, given, name):
        weights = weights_of(given, name)
        if weights.shape != self.shape:
            raise ValueError(
                f"{name} has shape {weights.shape}; the methods have {self.shape}."
            )
        return weights

    def _flips(self, effects):
        """Return the tests of what the removal of the highest weights flips."""
        unsigned = self.output.name in set(OUTPUTS) - set(_SIGNED) or self.sign < 0
        if not effects or unsigned:
            return {}
        one = next(iter(effects.values()))
        of_top = np.char.startswith(one.heuristic, "top of ")
        return {
            f"flipped by {size}": self._flip(effects, size)
            for size in np.unique(one.size[of_top])
        }

    def _flip(self, effects, size):
        def score(weights, counts, method):
            some = effects[method]
            rows = (some.heuristic == f"top of {method}") & (some.size == size)
            values = np.full(self.shape[0], np.nan)
            values[some.target[rows]] = some.flipped()[rows]
            return _means(values, counts)

        concerned = np.zeros(self.shape[0], bool)
        concerned[next(iter(effects.values())).target] = True
        return _Test(score, concerned)


def _means(values, counts):
    """Return the mean of values (n_targets,) in each draw, without NaN."""
    known = ~np.isnan(values)
    return _divide(counts[:, known] @ values[known], counts[:, known].sum(axis=1))


def _divide(sums, n):
    return np.divide(sums, n, out=np.full(len(n), np.nan), where=n > 0)


def _pair(given, name, what):
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise TypeError(f"{name} must be a pair {what}.")
    return given
