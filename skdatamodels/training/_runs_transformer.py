"""Base class of transformers from run ids or masks to runs."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from skdatamodels._random import entropy_from, training_seed
from skdatamodels.masks import PackedMasks, sample_masks, subset_size
from skdatamodels.masks._designs import check_alphas, seed_runs
from skdatamodels.masks._varied import sample_varied_masks
from skdatamodels.outputs import info_of_output
from skdatamodels.runs import RunStore
from skdatamodels.training._learners.learners import default_output
from skdatamodels.training._players import Players, players_of
from skdatamodels.training._rows import check_rows, mask_keys
from skdatamodels.training._run_training import RunTraining
from skdatamodels.training._trainer_store import store_of
from skdatamodels.training._varied import check_others, varied_columns


@dataclass
class Call:
    """What a call asks for, after all checks.

    Parameters
    ----------
    players : Players
        What the masks switch.
    learner : callable
        Function that makes a run.
    rows : int64 array of shape (n_runs,) or PackedMasks
        Run ids, or the masks that are given.
    columns : int array of shape (k,) or None
        Columns of the masks that vary within pairs.
    entropy : int
        Seed of the runs.
    store : RunStore or None
        Where they are kept.
    """

    players: Players
    learner: object
    rows: object
    columns: np.ndarray | None
    entropy: int
    store: RunStore | None = None

    @property
    def given(self):
        """Whether masks are given instead of drawn."""
        return isinstance(self.rows, PackedMasks)


class RunsTransformer(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Base class of transformers that draw subsets, and make a run of each.

    A subclass has the parameters `alpha`, `design`, `output`, `store`, `n_jobs`,
    `random_state`, `retries`, `on_failure`, `timeout` and `verbose`; `estimator`,
    `train` and `targets`, as parameters or properties; and two methods:

    - ``_learner`` returns the function that makes a run;
    - ``_described`` returns the runs, with what is known about them.

    Attributes
    ----------
    entropy_ : int
        The seed that is used.
    groups_ : array of shape (n_groups,), or None
        Labels of the groups, if the columns of the masks are groups.
    """

    # Parameters of a subclass, if it has groups, models or a ``fit``.
    groups = vary = fit_params = None
    keep_models = 0
    _noun = "training example"  # what a column of the masks is in errors

    def fit(self, X, y=None):
        """Check the parameters and fix the seed. Nothing is trained or evaluated.

        Parameters
        ----------
        X : array-like of shape (n_runs,) or (n_runs, n_columns)
            Run ids, or masks with a column for each training example, group or
            component.
        y : None
            Ignored.

        Returns
        -------
        self : transformer
            The transformer itself.
        """
        self._begin(X, anew=True)
        return self

    def transform(self, X):
        """Train or evaluate the runs that are not stored, and return all in X.

        Parameters
        ----------
        X : array-like of shape (n_runs,) or (n_runs, n_columns)
            Run ids, or masks with a column for each training example, group or
            component.

        Returns
        -------
        runs : TrainingRuns
            In the order of X.
        """
        return self._transform(self._begin(X, anew=not hasattr(self, "entropy_")))

    def fit_transform(self, X, y=None):
        """Fix the seed and train or evaluate, as :meth:`transform` does.

        Parameters
        ----------
        X : array-like of shape (n_runs,) or (n_runs, n_columns)
            Run ids, or masks with a column for each training example, group or
            component.
        y : None
            Ignored.

        Returns
        -------
        runs : TrainingRuns
            In the order of X.
        """
        return self._transform(self._begin(X, anew=True))

    def draw_subsets(self, runs, random_state):
        """Return the subsets of runs without training or evaluating.

        Parameters
        ----------
        runs : int or int array-like of shape (n_runs,)
            Number of runs, or their ids.
        random_state : int
            Seed. Pass ``entropy_`` for the subsets that :meth:`transform` uses.

        Returns
        -------
        masks : PackedMasks of shape (n_runs, n_columns)
            The subsets.
        """
        players = players_of(self)
        settings = {
            "alpha": self.alpha,
            "design": self.design,
            "random_state": random_state,
            "y": players.strata(self.design, self.train.y),
        }
        columns = varied_columns(self.vary, players)
        if columns is None:
            return sample_masks(runs, len(players), **settings)
        return sample_varied_masks(runs, len(players), columns, **settings)

    def columns_of(self, rows):
        """Return the column of the masks that switches each training example.

        It is that of its group, or without `groups` its own. If targets are training
        examples, this gives `exclude` for
        :class:`~skdatamodels.regression.DatamodelRegressor`.

        Parameters
        ----------
        rows : int array-like
            Rows of `train`; -1 for none.

        Returns
        -------
        columns : int array of the shape of `rows`
            The columns; -1 for -1.

        Raises
        ------
        ValueError
            If a row does not exist, or `groups` are invalid.

        Examples
        --------
        >>> from sklearn.linear_model import Ridge
        >>> from skdatamodels import Examples, SubsetTrainer
        >>> train = Examples([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
        >>> trainer = SubsetTrainer(Ridge(), train, train, groups=["b", "a", "b"])
        >>> trainer.columns_of([0, 1, -1])
        array([ 1,  0, -1])
        """
        return players_of(self).at_rows(rows)

    def sum_over_groups(self, weights):
        """Sum the weights of the training examples of each group.

        Weights of examples, from an influence function for example, become weights of
        groups, to first order. Without `groups`, they are returned unchanged.

        Parameters
        ----------
        weights : array or CSR of shape (n_targets, n_train)
            Attribution matrix of training examples.

        Returns
        -------
        weights : array or CSR of shape (n_targets, n_groups)
            Attribution matrix of groups.

        Raises
        ------
        ValueError
            If `weights` do not have a column for each training example, or `groups` are
            invalid.

        Examples
        --------
        >>> from sklearn.linear_model import Ridge
        >>> from skdatamodels import Examples, SubsetTrainer
        >>> train = Examples([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
        >>> trainer = SubsetTrainer(Ridge(), train, train, groups=["b", "a", "b"])
        >>> trainer.sum_over_groups([[1.0, 2.0, 3.0]])
        array([[2., 4.]])
        """
        return players_of(self).total_weights(weights)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns of the masks: ids of `train`, or groups.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored, because the samples in X are runs, which have no features.

        Returns
        -------
        names : str array of shape (n_columns,)
            The ids of the training examples, the labels of the groups, or the names of
            the components, as str.
        """
        return np.array([str(name) for name in players_of(self).names], dtype=object)

    @property
    def output_info(self):
        """Description of the output, :class:`~skdatamodels.outputs.OutputInfo`."""
        try:
            output = self.output
            if output is None:
                output = default_output(self.estimator)
            return info_of_output(output)
        except (TypeError, ValueError) as error:  # `dir`, and hence reprs, read it
            raise AttributeError(str(error)) from error

    def set_output(self, *, transform=None):
        """Do nothing, since :meth:`transform` always returns runs.

        The method exists so that it can be called on pipelines with other transformers.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            Ignored.

        Returns
        -------
        self : transformer
            The transformer itself.
        """
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = False
        return tags

    def _begin(self, X, anew):
        """Check everything, and return a Call. If `anew`, the seed is fixed."""
        self._validate_params()
        players = players_of(self)
        columns = varied_columns(self.vary, players)
        check_others(self.design, self.alpha, self.train.y, players, columns)
        learner = self._learner()
        rows = check_rows(X, len(players), players.noun)
        if anew or isinstance(self.random_state, Integral):  # may be set after `fit`
            entropy = entropy_from(self.random_state)
        else:
            entropy = self.entropy_
        call = Call(players, learner, rows, columns, entropy)
        if call.given:
            call.columns = None
        self._check_sizes(call, rows)
        call.store = store_of(self, call)
        if call.store is not None:
            call.entropy = call.store.entropy
        if anew:
            self.entropy_ = call.entropy
            self.groups_ = players.names if players.are_groups else None
        return call

    def _transform(self, call):
        """Return the runs of a Call."""
        masks, seeds = self._plan(call)
        if call.players.are_groups or call.columns is not None:
            self._check_sizes(call, masks)  # which are known only now
        training = RunTraining(self, call, masks, seeds)
        in_memory = call.store is None
        runs, models = training.in_memory() if in_memory else training.in_store()
        known = {"seeds": runs.seeds, "output": self.output_info}
        known |= {"player_ids": call.players.names, "target_ids": self.targets.ids}
        return self._described(call, runs, models, known)

    def _check_sizes(self, call, rows):
        """Raise if the smallest subset is too small for the learner."""
        players = call.players
        if not hasattr(call.learner, "check_subset_size"):
            return
        size = subset_size(len(self.train), min(check_alphas(self.alpha)))
        if isinstance(rows, PackedMasks):
            size = int(rows.dot(players.sizes[:, None]).min())
        elif players.are_groups or call.columns is not None:
            return
        call.learner.check_subset_size(size)

    def _plan(self, call):
        """Return the masks and training seeds of the runs."""
        rows = call.rows
        if call.given:
            masks, keys = rows, mask_keys(rows)
        else:
            owners = rows - rows % 2  # of the seeds of pairs
            if call.columns is None:
                owners = seed_runs(rows, self.design, self.alpha)
            masks = self.draw_subsets(rows, call.entropy)
            keys = [(run,) for run in owners]
        seeds = [training_seed(call.entropy, *key) for key in keys]
        return masks, np.array(seeds, dtype=np.uint32)
