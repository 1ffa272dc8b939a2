"""Datamodel embeddings: the weights of each target as a feature vector."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.preprocessing import normalize
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skdatamodels._examples import Examples
from skdatamodels._numbers import refuse_disguised
from skdatamodels._sklearn_compat import HasMethods, fit_context
from skdatamodels.applications._attributions import check_train, validate_weights
from skdatamodels.applications._quality import warn_if_weak
from skdatamodels.regression import DatamodelRegressor
from skdatamodels.runs import TrainingRuns


class DatamodelEmbedding(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Represent each target by the weights of the training examples for it.

    Two targets are close if the same training examples raise and lower their outputs.
    They are then similar for the model, even if they look different. Each coordinate
    is a training example.

    In a pipeline, the embedding is placed between a trainer and any transformer or
    clusterer. Its input rows are runs, and its output rows are targets.

    Parameters
    ----------
    regressor : estimator, default=None
        Regressor to fit on masks and outputs. After `fit` it must have ``coef_`` of
        shape (n_targets, n_train), and an ``intercept_`` that is NaN for a target that
        could not be fitted. None means ``DatamodelRegressor(random_state=0)``. If
        ``coef_`` is sparse, the embedding is sparse. Not used for attribution matrices.
    normalize : bool, default=True
        Whether to scale each target to unit Euclidean length, so that the overall size
        of its weights does not matter. A target without weights stays 0.
    train : Examples, default=None
        The training set. If given, its ids are the names of the coordinates.

    Attributes
    ----------
    regressor_ : fitted estimator
        The fitted clone of `regressor`. Only if fitted on runs.
    n_features_in_ : int
        Number of training examples, which is also the number of coordinates.

    Raises
    ------
    ValueError
        In `fit` and `transform`: if a matrix has NaN or another number of columns than
        before, or a target has too few runs for a datamodel.

    Notes
    -----
    The targets seen in :meth:`fit` are not stored. :meth:`transform` embeds the targets
    that it receives: it fits datamodels for the targets of the runs, or scales the rows
    of the matrix. So a PCA of the embeddings of one set of targets can be applied to
    another: fit the pipeline on the runs (or attribution matrix) of the first set, and
    transform those of the second.

    If the targets are training examples, each must be left out of its own datamodel:
    set ``exclude`` of the regressor.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.3, appendices I and J.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdatamodels import SubsetTrainer
    >>> from skdatamodels.applications import DatamodelEmbedding
    >>> from skdatamodels.datasets import load_digits_examples
    >>> train, targets = load_digits_examples(n_train=100)
    >>> targets = targets[:40]
    >>> trainer = SubsetTrainer(RidgeClassifier(), train, targets, random_state=0)
    >>> clusters = make_pipeline(
    ...     trainer, DatamodelEmbedding(), PCA(8), KMeans(10, random_state=0)
    ... ).fit_predict(np.arange(300))
    >>> clusters.shape
    (40,)

    An attribution matrix can be used instead of runs:

    >>> DatamodelEmbedding().fit_transform([[3.0, 0.0, 4.0], [0.0, -2.0, 0.0]])
    array([[ 0.6,  0. ,  0.8],
           [ 0. , -1. ,  0. ]])
    """

    _parameter_constraints = {
        "regressor": [HasMethods("fit"), None],
        "normalize": ["boolean"],
        "train": [Examples, None],
    }

    def __init__(self, regressor=None, *, normalize=True, train=None):
        self.regressor = regressor
        self.normalize = normalize
        self.train = train

    def fit(self, X, y=None):
        """Fit datamodels if X are runs, and store the number of coordinates.

        Parameters
        ----------
        X : TrainingRuns, or array-like or CSR of shape (n_targets, n_train)
            Runs, or an attribution matrix.
        y : None
            Ignored.

        Returns
        -------
        self : DatamodelEmbedding
            The fitted embedding.
        """
        self._fit(X)
        return self

    def fit_transform(self, X, y=None):
        """Fit and return the embeddings; datamodels are fitted only once.

        Parameters
        ----------
        X : TrainingRuns, or array-like or CSR of shape (n_targets, n_train)
            Runs, or an attribution matrix.
        y : None
            Ignored.

        Returns
        -------
        embedding : array or CSR of shape (n_targets, n_train)
            Embeddings of the targets.
        """
        return self._scale(self._fit(X))

    def transform(self, X):
        """Embed the targets of some runs, or the rows of an attribution matrix.

        Parameters
        ----------
        X : TrainingRuns, or array-like or CSR of shape (n_targets, n_train)
            Runs, or an attribution matrix.

        Returns
        -------
        embedding : array or CSR of shape (n_targets, n_train)
            Embeddings of the targets.
        """
        check_is_fitted(self)
        if isinstance(X, TrainingRuns):
            _, X = self._regress(X)
        return self._scale(validate_weights(self, X, reset=False))

    def get_feature_names_out(self, input_features=None):
        """Return the names of the coordinates.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names to return. If names were seen in `fit`, they must be the same.

        Returns
        -------
        names : str array of shape (n_train,)
            The ids of `train` if it was given, else the names that scikit-learn
            generates.
        """
        if self.train is None or input_features is not None:
            return super().get_feature_names_out(input_features)
        check_is_fitted(self)
        return np.array([str(name) for name in self.train.ids], dtype=object)

    @fit_context(prefer_skip_nested_validation=False)
    def _fit(self, X):
        given = X
        if isinstance(X, TrainingRuns):
            self.regressor_, X = self._regress(X)
            given = self.regressor_
        warn_if_weak(given, stacklevel=5)
        X = validate_weights(self, X)
        check_train(self.train, X.shape[1])
        return X

    def _regress(self, runs):
        regressor = self.regressor
        if regressor is None:
            regressor = DatamodelRegressor(random_state=0)
        regressor = clone(regressor)
        if isinstance(regressor, DatamodelRegressor):
            regressor.fit(runs)  # which also uses their seeds
        else:
            regressor.fit(runs.packed, runs.outputs)
        missing = np.flatnonzero(np.isnan(regressor.intercept_))
        if missing.size:
            raise ValueError(
                f"Target {missing[0]} has too few usable runs for a datamodel. Train "
                "more runs, or leave it out."
            )
        return regressor, regressor.coef_

    def _scale(self, X):
        return normalize(X) if self.normalize else X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def explained_variance_curve(embedding):
    """Compute the cumulative explained variance of the principal components.

    If the curve rises slowly, targets differ in many directions. Curves of different
    embeddings of the same targets can be compared.

    Parameters
    ----------
    embedding : array-like or CSR of shape (n_targets, n_features)
        Datamodel embeddings, or any others such as pixels or activations.

    Returns
    -------
    curve : float64 array of shape (min(n_targets, n_features),)
        Entry k is the fraction of the variance explained by the first k + 1 components.
        The last entry is 1.

    Raises
    ------
    ValueError
        If the embedding has NaN, or does not vary.

    See Also
    --------
    effective_dimension : Number of components that explain a given fraction.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.3, appendix J.1.

    Examples
    --------
    >>> from skdatamodels.applications import explained_variance_curve
    >>> explained_variance_curve([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    array([0.8, 1. ])
    """
    refuse_disguised(embedding, "coordinates")
    E = check_array(embedding, accept_sparse="csr", dtype=np.float64)
    # The smaller of E·Eᵀ and Eᵀ·E has all eigenvalues. Centring it keeps E sparse.
    if E.shape[0] <= E.shape[1]:
        gram = _dense(E @ E.T)
        gram -= gram.mean(axis=0)
        gram -= gram.mean(axis=1, keepdims=True)
    else:
        mean = np.asarray(E.mean(axis=0)).ravel()
        gram = _dense(E.T @ E) - E.shape[0] * np.outer(mean, mean)
    variances = np.linalg.eigvalsh(gram)[::-1].clip(0)
    total = variances.sum()
    entries = (E.data if issparse(E) else E).ravel()
    if total <= np.finfo(np.float64).eps * E.shape[0] * (entries @ entries):
        raise ValueError("All targets have the same embedding: there is no variance.")
    return (variances / total).cumsum()


def effective_dimension(embedding, share=0.9):
    """Return how many principal components explain a fraction of the variance.

    Parameters
    ----------
    embedding : array-like or CSR of shape (n_targets, n_features)
        Datamodel embeddings, or any others such as pixels or activations.
    share : float in (0, 1], default=0.9
        Fraction of the variance to explain.

    Returns
    -------
    n_components : int
        The smallest number of components that explains this fraction.

    Raises
    ------
    ValueError
        If the embedding has NaN or does not vary, or share is not in (0, 1].

    See Also
    --------
    explained_variance_curve : Explained fraction for each number of components.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.3, appendix J.1.

    Examples
    --------
    >>> from skdatamodels.applications import effective_dimension
    >>> effective_dimension([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    2
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be in (0, 1], got {share}.")
    curve = explained_variance_curve(embedding)
    # rounding may keep the curve just below 1
    return int(np.searchsorted(curve, share - 1e-12)) + 1


def _dense(product):
    return product.toarray() if issparse(product) else product
