"""DatamodelRegressor: LASSO from masks to outputs, for all targets at once."""

from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skdatamodels._attribution_matrix import AttributionMatrix
from skdatamodels._numbers import check_sample_weight, refuse_disguised
from skdatamodels._progress import progress_bar
from skdatamodels._scores import mean_r2
from skdatamodels._sklearn_compat import Interval, StrOptions, fit_context
from skdatamodels.masks import PackedMasks, as_masks
from skdatamodels.masks._packed import row_blocks
from skdatamodels.regression._checks import (
    check_factors,
    check_groups,
    check_lam,
    check_outputs,
    check_prior,
    is_binary,
    refuse_indices,
    warn_if_constant,
    warn_if_copies,
    warn_if_few,
)
from skdatamodels.regression._choose_solver import (
    SOLVERS,
    check_weights_fit,
    choose_solver,
)
from skdatamodels.regression._convergence import warn_unless_converged
from skdatamodels.regression._fits import computing_dtype, join
from skdatamodels.regression._folds import choose_split, shuffled
from skdatamodels.regression._held_out_r2 import held_out_r2
from skdatamodels.regression._penalty import (
    check_parameters_of_ridge,
    check_ridge_fits,
    choose_penalty,
)
from skdatamodels.regression._posterior import posterior_variance
from skdatamodels.regression._prior import Prior
from skdatamodels.regression._ridge import fit_groups as fit_ridge
from skdatamodels.regression._ridge import name_of_ridge
from skdatamodels.regression._solver import Problem, Settings
from skdatamodels.regression._stack import fit_stack
from skdatamodels.regression._target_groups import check_and_group
from skdatamodels.regression._units import Units
from skdatamodels.runs import TrainingRuns
from skdatamodels.runs._training_runs import joined_runs, note_targets, outputs_of
from skdatamodels.runs._usable_runs import check_exclude


class DatamodelRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    r"""Datamodels: for each target, a LASSO from subset masks to the target's output.

    With a `prior` and few runs, a ridge about the prior is fitted instead if it
    predicts better. Without, row j of `coef_` and intercept j minimise, over the runs
    i,

    .. math:: \frac{1}{2m} \sum_i
              s_i (y_{ij} - \mathrm{mask}_i^\top w - b)^2 + \lambda_j \|w\|_1 ,

    where s_i is the weight of the run, 1 by default, and m the sum of these weights.

    A positive coefficient means that the presence of the training example raises the
    output. Coefficients are in units of the output.

    Parameters
    ----------
    lam : {"validation", "cv"}, float or array-like, default="validation"
        Strength λ of the penalty, in units of the output (in the ridge, without a
        unit). An array gives one value for each target. "validation": fit a path on
        some of the runs, choose for each target the lam with the smallest error on the
        other runs, and fit again on all runs, as the paper does. "cv": the same with K
        folds. The paper's objective has no factor ½; its λ is twice this one. The ridge
        holds no runs out: both choose one strength for all targets, by the exact errors
        on runs that are left out one at a time.
    n_lams : int, default=50
        Number of lams on the path that "validation" and "cv" choose from.
    lam_min_ratio : float, default=0.01
        Ratio of the smallest to the largest lam of the path.
    validation_fraction : float, default=0.1
        Fraction of the runs that is held out for "validation".
    cv : int, splitter or iterable, default=5
        Folds for "cv": their number, a scikit-learn splitter such as
        :class:`~sklearn.model_selection.GroupKFold`, or an iterable of pairs (train,
        test) of row indices. A splitter gets one sample for each pair of runs that
        share a training seed (or for each run, if there are `groups` or no pairs), and
        none for runs of weight 0. Given pairs of indices are used as they are, and no
        index may be repeated. With a number, the runs are shuffled, the usable runs of
        each target are cut into equal parts, and the runs of a group stay together; see
        `fit`.
    prior : "cheap", matrix, list or dict of matrices, default=None
        Estimates of the weights by other methods, such as influence functions or
        similarities: attribution matrices of shape (n_targets, n_train), positive where
        the example raises the output, in any unit. Each is an array, a sparse matrix,
        an :class:`AttributionMatrix` or a callable that returns one, such as an
        :class:`~skdatamodels.influence.Attribution`. Several are combined with weights
        that are not negative and the same for all targets, and each target gets a
        scale; both are fitted to the runs. So a useless matrix, or one of the wrong
        sign, gets no weight. "cheap" uses the `attributions` of TrainingRuns, as
        :class:`~skdatamodels.training.SubsetTrainer` returns them; they are computed
        when they are first read, which may take as long as some trainings. With a
        prior, a fit takes several times as long: several strengths and penalties are
        tried. `verbose` shows how far it is.
        :func:`~sklearn.base.clone` copies an array, and so does a search; an
        AttributionMatrix is shared.
    penalty : {"auto", "l1", "l2"}, default="auto"
        "l1": the LASSO. A prior is used as an offset and for penalty factors, which are
        smaller for examples that it finds important. If lam is chosen, the held-out
        error of 64 targets together, evenly spaced (of all, if there are fewer),
        decides for all targets which of the two are used, if any; with a given lam both
        are. "l2": the informed ridge, whose weights are spread about the prior, more
        widely for examples that it finds important; see the notes. It is made for few
        runs. "auto": "l1" without a useful prior, with a given lam or `solver`, or if
        `keep_path` or `one_standard_error` is set; else what predicts held-out runs of
        some targets better ("l2" without a trial if there are more than 20 times as
        many training examples as runs).
    penalty_factors : array-like of shape (n_train,) or (n_targets, n_train), optional
        Positive factors of the penalty of each weight. inf keeps a weight at 0, or at
        the offset of the prior.
    exclude : array-like of int of shape (n_targets,), optional
        Index of the training example that each target is, -1 for none. The datamodel of
        the target is fitted on the runs that did not see that example (eq. 9 of the
        paper), and gives it a weight of 0.
    solver : {"auto", "gram", "residual", "saga"}, default="auto"
        "gram": coordinate descent on the Gram matrix of the masks. The matrix is
        computed once for all targets that have the same usable runs. "residual":
        coordinate descent on a few columns at a time, for fewer runs than training
        examples. "saga": the paper's algorithm, which streams
        over the masks many times. The last two store no matrix of size n_train², and
        accept masks only. "auto": "residual" if there are more than four times as many
        training examples as runs, else "gram" if its matrix fits into memory.
    device : str, default="cpu"
        "cuda", or "cuda:1" for the second GPU. The solvers "gram" and "saga" and the
        ridge can run there, in float32. Requires the extra cuda12 or cuda13.
    one_standard_error : bool, default=False
        Choose the largest lam whose held-out error is at most one standard error above
        the smallest error, instead of the lam of the smallest error. This gives fewer
        weights at nearly the same error.
    patience : int or None, default=5
        Stop the path of a target when its held-out error has not improved for this
        number of lams. None: always compute the whole path.
    keep_path : bool, default=False
        Whether to keep the weights at every lam, of the fit on all runs.
    sparse : bool, default=False
        Whether to store weights as a sparse matrix (CSR). With the LASSO, the dense
        matrix is then never formed. `prior_coef_` is dense.
    tol : float, default=1e-4
        Duality gap to reach, relative to half the variance of the target's outputs.
    max_iter : int, default=5000
        Maximum number of passes over the coefficients for each lam. If a target does
        not reach its gap, its path ends, and a warning names the target.
    n_jobs : int, optional
        Number of threads, as in joblib. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed for shuffling the runs before they are split.
    verbose : int, default=0
        If not 0, show a progress bar that names the steps: computing the prior,
        choosing the penalty, and fitting the targets.

    Attributes
    ----------
    coef_ : array of shape (n_targets, n_train), or (n_train,) if y was 1-d
        The attribution matrix. If `sparse`, a CSR array (n_targets, n_train).
    intercept_ : array of shape (n_targets,), or float if y was 1-d
        Intercept of each target; NaN for a target without enough usable runs.
    lam_ : float64 array of shape (n_targets,)
        Strength used for each target.
    lams_ : float64 array of shape (n_targets, n_lams)
        Strengths that were tried. Only if lam was chosen.
    validation_error_ : float64 array of shape (n_targets, n_lams)
        Mean squared error on held-out runs at each of `lams_`. Only if lam was chosen.
        NaN after the end of a target's path, see `patience`. inf (or 0) if the outputs
        are so large (or small) that float64 cannot represent their squares.
    coef_path_ : array of shape (n_targets, n_lams, n_train)
        Weights at each of `lams_`. Only if lam was chosen and `keep_path` is set. If
        `sparse`, a CSR array (n_targets * n_lams, n_train).
    intercept_path_ : array of shape (n_targets, n_lams)
        Intercepts at each of `lams_`. Only if `coef_path_` is present.
    penalty_ : {"l1", "l2"}
        The penalty that was used.
    prior_weights_ : dict of name to float
        Weight of each matrix of the prior: the standard deviation of what it adds to
        the prediction, in units of that of the output. Names are the keys of a dict,
        positions in a list, or "prior".
    prior_coef_ : array of shape (n_targets, n_train), or (n_train,) if y was 1-d
        The combined prior in units of the output. Only if a prior has a weight.
    loo_error_ : float64 array of shape (n_targets,)
        Mean squared error on runs that are left out of the fit one at a time, or a pair
        or group at a time. It is exact given the prior, which all runs have weighed,
        so it is too small if there are few runs and targets and many matrices. If there
        are more runs than training examples,
        it is the mean over 1,000 of them. With "conjugate_gradient", the error of
        generalised cross-validation. Only for the ridge.
    noise_variance_ : float64 array of shape (n_targets,)
        Variance of the outputs about the fit. Only for the ridge.
    held_out_r2_ : float64 array of shape (n_targets,)
        Share of the variance of the outputs that is explained on runs that were not
        fitted: for the ridge, runs, groups or pairs left out one at a time; for the
        LASSO, the held-out runs of "validation" or "cv", at one place on the path for
        all targets, because the smallest error of each would flatter it. These runs
        have also chosen that place, the lam of the ridge and the weights of the prior:
        the figure is too large for a few targets, and uncertain for a few held-out
        runs. NaN if no runs were held out. For an unbiased score, use runs that were
        not passed to `fit`.
    dual_gap_ : float64 array of shape (n_targets,)
        Duality gap of the final fit, relative to half the variance of the outputs. If
        the prior is used as an offset, it is subtracted from the outputs first.
    n_iter_ : int array of shape (n_targets,)
        Number of passes of the final fit.
    prior_strength_ : float64 array of shape (n_targets, 2)
        Strength of the prior as offset (0 or 1) and as exponent of the penalty factors
        (0 or 0.5), or of the variances of the ridge (1); 0 without a prior.
    solver_ : str
        The solver that was used; of the ridge, "dual" (each target has a system with a
        row for each run), "primal" (with a row for each training example) or
        "conjugate_gradient" (if both are more than 4,000).
    output_info_ : OutputInfo
        What the outputs measure, if X was TrainingRuns with this information.
    target_classes_ : array of shape (n_targets,) or None
        Class of each target, if X was TrainingRuns with this information.
    player_ids_ : array of shape (n_train,) or None
        Names of the columns, ids of training examples or labels of groups, if X was
        TrainingRuns with this information.
    target_ids_ : array of shape (n_targets,) or None
        Names of the targets, if X was TrainingRuns with this information.
    n_features_in_ : int
        Number of training examples, n_train.

    Raises
    ------
    ValueError
        In `fit`: if the weight of a run is negative, there are too few groups for the
        folds, masks (bool or uint8, or TrainingRuns) contain values other than 0 and 1,
        X is not finite, y contains inf, lengths differ, a lam is negative, prior,
        penalty factors or excluded examples do not match the data, there are too few
        usable runs to split, or weights are too large for the type of the outputs.

    See Also
    --------
    lasso_path, residual_path, saga_path : The solvers, as functions.
    skdatamodels.influence.DifferenceOfMeans : Estimate without a regression.

    Notes
    -----
    X may be masks of bool or of the integers 0 and 1, :class:`PackedMasks`,
    :class:`TrainingRuns`, or any real matrix. All targets share X, so its Gram matrix
    is computed once (exactly, by counting, for masks), and the fit then uses only this
    matrix.

    The ridge has weights w = μ + δ, where μ is the combined prior and δ minimises

    .. math:: \frac{1}{m} \sum_i s_i (y_{ij} - \mathrm{mask}_i^\top (\mu + \delta)
              - b)^2 + \lambda_j \sum_k \delta_k^2 / D_k , \qquad
              D_k = \frac{|\mu_k|}{\mathrm{mean} |\mu|} + 0.1

    (D = 1 without a prior). If penalty factors are given, the variances D are divided
    by them. This is the posterior mean if δ is normal with variances proportional to D.

    A run of weight 2 counts as two runs in the fit, in held-out errors and in their
    standard error. So with `one_standard_error`, weights should be about 1 on average,
    not sum to 1. A run of weight 0 is ignored. Weights slow down the fit, and double
    its memory, only if there are many different values.

    A subset and its complement that are trained with the same seed form a pair, and
    share the noise of that seed; so do two runs of ``SubsetTrainer(vary=...)``. If X is
    TrainingRuns that store their seeds, both runs of a pair are fitted or both are held
    out, unless `groups`, or `cv` as an iterable of splits, divide them.

    y may contain NaN: a run without an output for a target is left out of the fit of
    that target. Targets with the same usable runs share a Gram matrix.

    The computation runs in float32 if y is float32 or float16, else in float64. The
    gram solver stores one (n_train, n_train) matrix, with 4 bytes per entry in float32
    and 12 in float64, and 4 more with lam="cv". It also stores the covariances of masks
    and outputs, 16 bytes for each of n_train × n_targets, and uses less than 1 GB for
    blocks of work. A prior adds an (n_targets, n_train) matrix for each of its
    strengths.

    References
    ----------
    Ilyas et al., "Datamodels: Predicting Predictions from Training Data", 2022, §2,
    §3.1 and appendix E.1.

    Examples
    --------
    >>> from skdatamodels import DatamodelRegressor
    >>> from skdatamodels.datasets import make_linear_runs
    >>> runs, coef = make_linear_runs(n_runs=500, n_train=20, n_informative=2)
    >>> model = DatamodelRegressor(random_state=0).fit(runs[:400])
    >>> bool(abs(model.coef_ - coef).max() < 0.1)
    True
    >>> round(model.score(runs[400:]), 1)
    0.9
    """

    _parameter_constraints = {
        "lam": [
            StrOptions({"validation", "cv"}),
            Interval(Real, 0, None, closed="left"),
            "array-like",
        ],
        "n_lams": [Interval(Integral, 2, None, closed="left")],
        "lam_min_ratio": [Interval(Real, 0, 1, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
        "prior": [
            *(AttributionMatrix, callable, "array-like", "sparse matrix", Mapping),
            *(StrOptions({"cheap"}), None),
        ],
        "penalty": [StrOptions({"auto", "l1", "l2"})],
        "penalty_factors": ["array-like", None],
        "exclude": ["array-like", None],
        "solver": [StrOptions({"auto", *SOLVERS})],
        "device": [str],
        "one_standard_error": ["boolean"],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "keep_path": ["boolean"],
        "sparse": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        lam="validation",
        *,
        n_lams=50,
        lam_min_ratio=1e-2,
        validation_fraction=0.1,
        cv=5,
        prior=None,
        penalty="auto",
        penalty_factors=None,
        exclude=None,
        solver="auto",
        device="cpu",
        one_standard_error=False,
        patience=5,
        keep_path=False,
        sparse=False,
        tol=1e-4,
        max_iter=5000,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.lam = lam
        self.n_lams = n_lams
        self.lam_min_ratio = lam_min_ratio
        self.validation_fraction = validation_fraction
        self.cv = cv
        self.prior = prior
        self.penalty = penalty
        self.penalty_factors = penalty_factors
        self.exclude = exclude
        self.solver = solver
        self.device = device
        self.one_standard_error = one_standard_error
        self.patience = patience
        self.keep_path = keep_path
        self.sparse = sparse
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, groups=None, sample_weight=None):
        """Fit one datamodel for each target.

        Parameters
        ----------
        X : TrainingRuns, PackedMasks or array-like of shape (n_runs, n_train)
            Masks of the training subsets, or any real matrix.
        y : array-like of shape (n_runs, n_targets) or (n_runs,), optional
            Outputs, NaN where a run has no output for a target. TrainingRuns contain
            outputs; if y is passed, it is fitted instead, and the description of the
            outputs in X is ignored. Memory maps of any floating type are read a block
            at a time.
        groups : array-like of shape (n_runs,), optional
            Label of the group of each run. The runs of a group are either all fitted or
            all held out. By default, the pairs of TrainingRuns that share a training
            seed are the groups. A splitter passed as `cv` gets these groups.
        sample_weight : array-like of shape (n_runs,), optional
            Weight of each run, not negative. Default all 1.

        Returns
        -------
        self : DatamodelRegressor
            Fitted estimator.
        """
        note_targets(self, X, y)
        attributions = None
        if isinstance(self.prior, str):
            attributions = getattr(X, "attributions", None)
        splits = isinstance(self.lam, str) or self.penalty == "l2"
        splits = isinstance(X, TrainingRuns) and splits
        pairs = joined_runs(X) if splits else None
        X, y = self._check_data(X, y)
        Y, n_runs = y.reshape(len(y), -1), len(y)
        self._n_runs = n_runs
        groups = check_groups(groups, n_runs)
        weight = check_sample_weight(sample_weight, n_runs)
        kept = np.flatnonzero(weight)
        if len(kept) < n_runs:  # drop runs of weight 0
            X, Y, weight = X[kept], Y[kept], weight[kept]
            groups, pairs = (check_groups(g, n_runs, kept) for g in (groups, pairs))
        split = choose_split(self, n_runs, kept, groups, pairs)
        if self.one_standard_error and split is not None:
            warn_if_few(weight)
        weight = None if (weight == 1).all() else weight
        order_by = pairs if groups is None else groups
        self._fit(X, Y, weight, split, order_by, attributions, one=y.ndim == 1)
        return self

    def _fit(self, X, Y, sample_weight, split, groups, attributions, one):
        """Fit on runs whose weights are positive."""
        n_runs, (n_targets, n_train) = len(Y), (Y.shape[1], X.shape[1])
        lam = None if isinstance(self.lam, str) else check_lam(self.lam, n_targets)
        factors = check_factors(self.penalty_factors, n_targets, n_train)
        exclude = check_exclude(self.exclude, n_targets, n_train)
        ops = self._device_ops()
        dtype = computing_dtype(Y.dtype, ops)
        self._choose_solver(X, n_targets, sample_weight is not None, dtype, ops)
        n_steps = 2 if self.prior is None else 3
        with progress_bar(total=n_steps, unit="step", verbose=self.verbose) as progress:
            if self.prior is not None:
                progress.set_description("computing the prior")
            # last, because it may compute matrices
            members = check_prior(self.prior, attributions, n_targets, n_train)
            rng, order = check_random_state(self.random_state), np.arange(n_runs)
            if lam is None:  # the runs will be split
                order = shuffled(rng, n_runs, groups)
            enough, targets = check_and_group(X, Y, exclude, split, order)
            units = Units.of(X, Y)
            X, Y, lam = units.scale(X, Y, lam, self.penalty)
            warn_if_constant(X)
            warn_if_copies(X, Y)
            settings = Settings.of(self, rng.randint(2**31 - 1), ops)
            stack, self.prior_weights_ = None, {}
            if members:
                data = X, Y, sample_weight, exclude, groups, units.targets
                stack, self.prior_weights_ = fit_stack(members, *data, settings.seed)
                progress.update()
            prior = Prior(stack, factors, exclude)
            problem = Problem(X, Y, sample_weight, targets, lam, prior, groups)
            progress.set_description("choosing the penalty")
            self.penalty_ = self._choose_penalty(problem, settings)
            progress.update()
            progress.set_description(f"fitting {n_targets:,} targets")
            solve = self._solve(problem, ops)
            fit = join(*solve(problem, settings), n_targets)
            progress.update()
        gaps = np.where(enough, fit.worst_gap, 0)[:, None]
        unpenalised = lam is not None and bool((lam == 0).any())
        warn_unless_converged(gaps, self.tol, self.max_iter, unpenalised)
        self.held_out_r2_ = held_out_r2(problem, fit)
        self._set_attributes(units.restore(fit, dtype, self.penalty_), one)
        self._set_prior(prior, units, dtype)

    def _choose_penalty(self, problem, settings):
        """Return the penalty of all targets."""
        if self.penalty != "auto":
            return self.penalty
        of_lasso = self.keep_path or self.one_standard_error or self.solver != "auto"
        given = problem.prior.weights is None or problem.lam is not None
        if of_lasso or given:
            return "l1"
        return choose_penalty(problem, settings, SOLVERS[self.solver_].load())

    def _solve(self, problem, ops):
        """Return the solver of the penalty; set `solver_`."""
        if self.penalty_ == "l1":
            return SOLVERS[self.solver_].load()
        check_ridge_fits(problem, ops)
        self.solver_ = name_of_ridge(problem)
        return fit_ridge

    def _set_prior(self, prior, units, dtype):
        """Set `prior_coef_`, if there is a prior."""
        vars(self).pop("prior_coef_", None)
        if prior.weights is None:
            return
        coef = np.empty((len(units.targets), self.n_features_in_), dtype)
        for rows in row_blocks(len(coef), 8 * coef.shape[1]):
            targets = np.arange(len(coef))[rows]
            coef[rows] = prior.of(targets).weights
        coef = units.restore_weights(coef)
        self.prior_coef_ = coef[0] if np.ndim(self.intercept_) == 0 else coef

    def predict(self, X):
        """Predict the outputs of models trained on the given subsets.

        Parameters
        ----------
        X : TrainingRuns, PackedMasks or array-like of shape (n_runs, n_train)
            Masks of the training subsets, or a real matrix as in `fit`.

        Returns
        -------
        outputs : array of shape (n_runs, n_targets), or (n_runs,) if y was 1-d
            Predicted outputs; NaN for targets without a datamodel.
        """
        check_is_fitted(self)
        X = self._check_X(X, reset=False)
        coef = self.coef_.T if self.coef_.ndim == 2 else self.coef_[:, None]
        product = X.dot(coef) if isinstance(X, PackedMasks) else X @ coef
        one = np.ndim(self.intercept_) == 0
        return (product[:, 0] if one else product) + self.intercept_

    def score(self, X, y=None, sample_weight=None):
        """Return the coefficient of determination R², averaged over targets.

        Parameters
        ----------
        X : TrainingRuns, PackedMasks or array-like of shape (n_runs, n_train)
            Masks of the training subsets, or a real matrix as in `fit`.
        y : array-like of shape (n_runs, n_targets) or (n_runs,), optional
            Outputs; by default those of X, if it is TrainingRuns. NaN are ignored, and
            so are targets without a datamodel.
        sample_weight : array-like of shape (n_runs,), optional
            Weight of each run. Default all 1.

        Returns
        -------
        score : float
            Mean R² of the targets.
        """
        return mean_r2(outputs_of(X, y), self.predict(X), sample_weight)

    def posterior_variance(
        self, X, y=None, *, sets=None, sample_weight=None, targets=None
    ):
        """Return how uncertain the weights of the ridge are, or sums of weights.

        The variances are those of the Bayesian model whose posterior mean are the
        weights: normal weights about the prior, and independent normal noise of
        variance `noise_variance_`. They are right if the prior is.

        Parameters
        ----------
        X : TrainingRuns, PackedMasks or array-like of shape (n_runs, n_train)
            The runs that the regressor was fitted to.
        y : array-like of shape (n_runs, n_targets) or (n_runs,), optional
            Their outputs, as in `fit`.
        sets : array-like of shape (n_sets, n_train), optional
            Masks of sets of training examples. By default, each example is a set.
        sample_weight : array-like of shape (n_runs,), optional
            Weights of the runs, as in `fit`.
        targets : array-like of int of shape (n_chosen,), optional
            Positions of the targets to compute variances for. By default, all.

        Returns
        -------
        variance : float64 array of shape (n_targets, n_sets), or (n_sets,) for 1-d y
            Variance of the sum of the weights of each set, in squared units of the
            output; NaN for targets without a datamodel.

        Raises
        ------
        ValueError
            If the regressor is not a ridge (``penalty_ == "l2"``), or data do not fit.
        IndexError
            If a target does not exist.
        """
        check_is_fitted(self)
        if self.penalty_ != "l2":
            raise ValueError(
                "The LASSO has no posterior variances. Fit with penalty='l2'."
            )
        X, y = self._check_data(X, y, reset=False)
        weight = check_sample_weight(sample_weight, len(y))
        Y = y.reshape(len(y), -1)
        if targets is not None:
            targets = np.arange(Y.shape[1])[np.asarray(targets)]
        ops = self._device_ops()
        found = posterior_variance(self, X, Y, weight, sets, targets, ops)
        return found[0] if y.ndim == 1 else found

    def _check_X(self, X, reset):
        """Return X as PackedMasks, or as an array if it is not a mask matrix."""
        X = X.packed if isinstance(X, TrainingRuns) else X
        if not isinstance(X, PackedMasks):
            dtype = getattr(X, "dtype", None)
            if dtype not in (bool, np.uint8) and not self._is_integer_mask(X):
                refuse_disguised(X, "masks X")
                return validate_data(
                    self, X, reset=reset, dtype=[np.float64, np.float32]
                )
            X = as_masks(X)
        # checks only the names and the number of the columns
        return validate_data(self, X, reset=reset, skip_check_array=True)

    @staticmethod
    def _is_integer_mask(X):
        """Return whether X is an array of the integers 0 and 1; refuse indices."""
        if not isinstance(X, np.ndarray) or X.dtype.kind not in "iu" or X.ndim != 2:
            return False
        if is_binary(X):
            return True
        refuse_indices(X)
        return False

    def _check_data(self, X, y, reset=True):
        y = outputs_of(X, y)
        X = self._check_X(X, reset)
        y = check_outputs(y)
        if y.ndim > 2 or len(y) != X.shape[0]:
            raise ValueError(
                f"y must have one row for each of the {X.shape[0]} runs and at most two"
                f" dimensions, got shape {y.shape}."
            )
        return X, y

    def _device_ops(self):
        """Return CudaOps, or None for the CPU; raise if there is no such device."""
        if self.device == "cpu":
            return None
        from skdatamodels.regression._cuda import CudaOps

        return CudaOps(self.device)

    def _choose_solver(self, X, n_targets, weighted, dtype, ops):
        """Set `solver_`; raise MemoryError if the problem does not fit into memory."""
        chosen = isinstance(self.lam, str)
        if self.penalty == "l2":
            check_parameters_of_ridge(self)
        if not self.sparse:
            n_lams = self.n_lams if self.keep_path and chosen else 1
            check_weights_fit(n_targets, X.shape[1], n_lams, dtype)
        if self.penalty == "l2":
            return
        self.solver_ = choose_solver(
            self.solver,
            X,
            weighted=weighted,
            folds=chosen and self.lam == "cv",
            dtype=dtype,
            on_cpu=ops is None,
        )

    def _set_attributes(self, fit, one):
        """Set the fitted attributes; if `one`, without the axis of the targets."""
        n_targets, n_train = fit.coef.shape
        self.lam_, self.dual_gap_, self.n_iter_ = fit.lam, fit.gap, fit.n_iter
        self.prior_strength_ = fit.strength
        coef = fit.coef if self.sparse else fit.coef.toarray()
        self.coef_ = coef[0] if one and not self.sparse else coef
        self.intercept_ = float(fit.intercept[0]) if one else fit.intercept
        optional = "lams_ validation_error_ coef_path_ intercept_path_ loo_error_"
        for name in (*optional.split(), "noise_variance_"):
            vars(self).pop(name, None)
        if fit.left_out_error is not None:
            self.loo_error_, self.noise_variance_ = fit.left_out_error, fit.noise
        if fit.lams is not None:
            self.lams_, self.validation_error_ = fit.lams, fit.error
        if fit.coef_path is not None:
            path, shape = fit.coef_path, (n_targets, -1, n_train)
            self.coef_path_ = path if self.sparse else path.toarray().reshape(shape)
            self.intercept_path_ = fit.intercept_path
