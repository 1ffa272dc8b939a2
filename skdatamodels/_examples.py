"""Examples: an immutable container of data points, compared by content."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import scipy.sparse as sp

from skdatamodels._content import BY_TYPE, Parts
from skdatamodels._digests import update_digest
from skdatamodels._example_values import (
    check_1d,
    check_finite,
    check_length,
    check_one_kind,
    check_unique,
    checked_weight,
)
from skdatamodels._frames import (
    check_frame,
    copy_of,
    is_frame,
    is_pandas,
    shell_of,
)
from skdatamodels._frozen import frozen_array, frozen_csr, read_only, shell_of_csr
from skdatamodels._sklearn_compat import safe_indexing

__all__ = ["Examples"]


class Examples:
    """An immutable container of data points.

    In this package, the training set and the targets are parameters of estimators,
    and :func:`sklearn.base.clone` would copy them for every setting of a search.
    `Examples` cannot be changed, so that clones can share it.

    Parameters
    ----------
    X : ndarray of shape (n, ...), list, sparse matrix or data frame
        Inputs, one row per example. Sparse input is stored as CSR, and a data frame
        of pandas or polars as a data frame. A writeable array is copied once. A
        read-only array or memmap (``np.load(path, mmap_mode="r")``) is not copied and
        must not be changed elsewhere.
    y : array-like of shape (n,)
        Class labels (numbers or strings) or real values.
    ids : array-like of shape (n,), default=None
        Unique names of the examples. By default, the index of a pandas data frame `X`
        if it names each row (one level, unique, not floats; the integers that a split
        leaves are names), else 0 to n-1.
    metadata : dict of array-likes or data frame with n rows, default=None
        More information about each example. It is not used in training, and
        `fingerprint` and ``==`` ignore it.
    allow_nan : bool, default=False
        Whether to accept NaN in `X`. Infinite values are never accepted.
    sample_weight : array-like of shape (n,), default=None
        Weights of the examples in training, at least 0. A model that is trained on a
        subset gets the weights of the subset. The weights of targets are ignored.

    Attributes
    ----------
    X : ndarray of shape (n, ...), CSR matrix or data frame
        Inputs, read-only.
    y : ndarray of shape (n,)
        Labels or values, read-only.
    ids : ndarray of shape (n,)
        Names of the examples, read-only.
    metadata : dict of ndarrays, data frame or None
        More information about each example, read-only.
    sample_weight : float64 ndarray of shape (n,) or None
        Weights in training, read-only.
    fingerprint : str
        SHA-256 of the content of `X`, `y`, `ids` and `sample_weight` (dtype, shape,
        values, column names) in hexadecimal. It is the same in every process and
        session.

    Raises
    ------
    ValueError
        If lengths differ, there are no rows, `y` is not 1-d, a value is NaN, masked
        or infinite, ids are not unique, column names are not unique, `X` and `y` of
        pandas have different indexes, or a weight is negative or all are 0.
    TypeError
        If an array has a dtype that models cannot learn from, `y` mixes text with
        other values, or a table is from neither pandas nor polars.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels import Examples
    >>> train = Examples(np.eye(4), ["cat", "dog", "cat", "dog"])
    >>> train
    Examples(4 rows, X: (4, 4) float64, y: <U3)
    >>> train[1:3].ids
    array([1, 2])
    >>> train[[0, 1]] == Examples(np.eye(4)[:2], ["cat", "dog"])
    True
    """

    __iter__ = None  # rows can be indexed, but not iterated over
    __slots__ = ("_X", "_fingerprint", "_ids", "_metadata", "_sample_weight", "_y")

    def __init__(
        self, X, y, ids=None, metadata=None, *, allow_nan=False, sample_weight=None
    ):
        X, labels, y = _frozen_input(X), y, frozen_array(y, "y")
        n = X.shape[0]
        check_1d(y)
        if n == 0:
            raise ValueError("Examples needs at least one row, X has none.")
        check_same_index(X, labels, "y")
        check_same_index(X, metadata, "metadata")
        ids = _default_ids(X) if ids is None else ids
        ids, metadata = frozen_array(ids, "ids"), _frozen_metadata(metadata, n)
        check_length("y", y, n)
        check_length("ids", ids, n)
        check_finite("X", X, allow_nan)
        check_finite("y", y)
        check_one_kind(y, labels)
        check_finite("ids", ids)
        check_unique(ids)
        check_same_index(X, sample_weight, "sample_weight")
        weight = None if sample_weight is None else checked_weight(sample_weight, n)
        self._set(X, y, ids, metadata, None, weight)

    def _set(self, X, y, ids, metadata, fingerprint, sample_weight):
        for name, value in zip(
            ("_X", "_y", "_ids", "_metadata", "_fingerprint", "_sample_weight"),
            (X, y, ids, metadata, fingerprint, sample_weight),
            strict=True,
        ):
            object.__setattr__(self, name, read_only(value))

    X = property(lambda self: _shallow(self._X), doc="Inputs, read-only.")
    y = property(lambda self: self._y, doc="Labels or values, shape (n,), read-only.")
    ids = property(lambda self: self._ids, doc="Names, shape (n,), read-only.")
    metadata = property(lambda self: _shallow(self._metadata), doc="Metadata or None.")
    sample_weight = property(
        lambda self: self._sample_weight,
        doc="Weights in training, shape (n,), or None.",
    )

    @property
    def fingerprint(self):
        """SHA-256 of all parts but `metadata`, hexadecimal str."""
        if self._fingerprint is None:
            digest = hashlib.sha256(b"skdatamodels.Examples 1")
            for values in (self._X, self._y, self._ids):
                update_digest(digest, values)
            if self._sample_weight is not None:
                digest.update(b"sample_weight ")
                update_digest(digest, self._sample_weight)
            object.__setattr__(self, "_fingerprint", digest.hexdigest())
        return self._fingerprint

    def ids_at(self, positions):
        """Return the ids at some positions, for results that count from 0.

        :meth:`positions_of` is the inverse.

        Parameters
        ----------
        positions : int array-like of any shape
            Rows; -1 for none.

        Returns
        -------
        ids : object array of that shape
            None for -1.

        Raises
        ------
        ValueError
            If a position is no row, nor -1.

        Examples
        --------
        >>> from skdatamodels import Examples
        >>> train = Examples([[0.0], [1.0]], [0, 1], ids=["a12", "b7"])
        >>> train.ids_at([[1, 0], [1, -1]])
        array([['b7', 'a12'],
               ['b7', None]], dtype=object)
        """
        positions = np.asarray(positions)
        whole = positions.dtype.kind in "iu"
        if not whole or ((positions < -1) | (positions >= len(self))).any():
            raise ValueError(
                f"positions must be integers from 0 to {len(self) - 1}, or -1 for "
                f"none; got {positions.dtype} of shape {positions.shape}."
            )
        return names_at(self._ids, positions)

    def positions_of(self, ids):
        """Return the positions of some ids, for functions that count from 0.

        Parameters
        ----------
        ids : array-like of any shape
            Ids, as in the results of the package.

        Returns
        -------
        positions : int array
            The positions, in the same shape.

        Raises
        ------
        ValueError
            If the examples have no ids, or no or several examples have one of them.

        Examples
        --------
        >>> from skdatamodels import Examples
        >>> Examples([[0.0], [1.0]], [0, 1], ids=["a", "b"]).positions_of(["b", "a"])
        array([1, 0])
        """
        if self._ids is None:
            raise ValueError("These examples have no ids: use their positions.")
        places, twice = {}, set()
        for position, name in enumerate(self._ids.tolist()):
            if name in places:
                twice.add(name)
            places[name] = position
        ids = np.asarray(ids, dtype=object)
        wanted = ids.ravel().tolist()
        for what, names in (
            ("No example has", [name for name in wanted if name not in places]),
            ("Several examples have", [name for name in wanted if name in twice]),
        ):
            if names:
                raise ValueError(f"{what} the id {names[0]!r}.")
        found = [places[name] for name in wanted]
        return np.array(found, dtype=np.intp).reshape(ids.shape)

    @property
    def shape(self):
        """Shape of `X`: (n, ...)."""
        return self._X.shape

    @property
    def ndim(self):
        """Number of dimensions of `X`."""
        return len(self.shape)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "These are Examples, not an array: give .X where inputs are wanted, .y "
            "where labels are, .metadata where metadata are, or a fitted "
            "DatamodelRegressor where weights are wanted."
        )

    def __len__(self):
        return len(self._y)

    def __getitem__(self, rows):
        picked = np.arange(len(self))[rows]
        if picked.ndim != 1:
            raise TypeError(
                "Examples are indexed by an integer array, a slice or a bool mask;"
                f" for a single row write examples[[{rows}]]."
            )
        if picked.size == 0:
            raise ValueError("The index selects no rows; Examples needs at least one.")
        if len(np.unique(picked)) < picked.size:
            raise ValueError("The index repeats rows; ids of Examples must be unique.")
        # A slice is kept, so that a memmap stays on disk.
        rows = rows if isinstance(rows, slice) else picked
        metadata = self._metadata
        if isinstance(metadata, dict):
            metadata = {k: safe_indexing(v, rows) for k, v in metadata.items()}
        elif metadata is not None:
            metadata = safe_indexing(metadata, rows)
        parts = (safe_indexing(part, rows) for part in (self._X, self._y, self._ids))
        weight = self._sample_weight
        weight = None if weight is None else safe_indexing(weight, rows)
        return _restore(*parts, metadata, None, weight)

    def __eq__(self, other):
        if not isinstance(other, Examples):
            return NotImplemented
        return self is other or self.fingerprint == other.fingerprint

    def __hash__(self):
        return hash(self.fingerprint)

    def __setattr__(self, name, value):
        raise AttributeError(f"Examples are immutable: cannot set {name!r}.")

    def __delattr__(self, name):
        raise AttributeError(f"Examples are immutable: cannot delete {name!r}.")

    def __reduce__(self):
        parts = self._X, self._y, self._ids, self._metadata, self.fingerprint
        return _restore, (*parts, self._sample_weight)

    def __sklearn_clone__(self):
        return self

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        kind = getattr(self._X, "dtype", type(self._X).__name__)
        if sp.issparse(self._X):
            kind = f"CSR {kind}"
        weighted = ", weighted" * (self._sample_weight is not None)
        parts = f"X: {self.shape} {kind}, y: {self._y.dtype}{weighted}"
        return f"Examples({len(self)} rows, {parts})"


def names_at(names, positions):
    """Return names (n,) at positions, an object array; None for position -1."""
    found = np.empty(len(names) + 1, dtype=object)
    # tolist would convert times to integers
    found[:-1] = list(names) if names.dtype.kind in "mM" else names.tolist()
    return found[positions]


def check_examples(value, name):
    """Raise TypeError, which says what to write, if `value` is not Examples."""
    if not isinstance(value, Examples):
        raise TypeError(
            f"{name} must be Examples, got {describe_kind(value)}. Write "
            f"{name}=Examples(X, y), after from skdatamodels import Examples."
        )


def check_same_shape(train, targets):
    """Raise if examples to train on and targets differ in their shape."""
    if train.shape[1:] != targets.shape[1:]:
        raise ValueError(
            f"An example of train.X has shape {train.shape[1:]}, one of targets.X "
            f"has {targets.shape[1:]}: they must be the same."
        )


def swap_hint(got, wanted):
    """Return the end of an error about two lengths: whether they look swapped.

    Parameters
    ----------
    got, wanted : tuple of int
        Lengths of training set and targets, as given and as they should be.
    """
    if tuple(got) == tuple(wanted)[::-1] != tuple(wanted):
        return " They look swapped: the training set comes before the targets."
    return ""


def describe_kind(value):
    """Describe `value` by its type and its shape or length."""
    shape, kind = getattr(value, "shape", None), type(value).__name__
    if isinstance(value, list | tuple):
        return f"{kind} of length {len(value)}"
    return "None" if value is None else f"{kind} of shape {shape}" if shape else kind


def _parts(content, examples):
    """Take Examples apart; record the user's own classes in X."""
    if isinstance(examples._X, np.ndarray) and examples._X.dtype.hasobject:
        for kind in {type(value) for value in examples._X.ravel().tolist()}:
            content.name(kind)
    return Parts(examples.fingerprint)


BY_TYPE[Examples] = _parts


def with_inputs(examples, X):
    """Return the same examples, but for the metadata, with other inputs."""
    return Examples(
        X,
        examples.y,
        examples.ids,
        allow_nan=True,
        sample_weight=examples.sample_weight,
    )


def _restore(X, y, ids, metadata, fingerprint=None, sample_weight=None):
    """Make Examples of parts that were checked before."""
    examples = object.__new__(Examples)
    examples._set(X, y, ids, metadata, fingerprint, sample_weight)
    return examples


def _shallow(values):
    """Return `values` so that changing the result does not change the Examples."""
    if isinstance(values, dict):
        return MappingProxyType(values)
    if sp.issparse(values):
        return shell_of_csr(values)
    return shell_of(values) if is_frame(values) else values


def _default_ids(X):
    """Return the index of a data frame if it names each row, else positions."""
    if is_pandas(X):
        index, names = X.index, X.index.to_numpy()
        is_name = index.nlevels == 1 and names.dtype.kind not in "bfc"
        if is_name and index.is_unique and not index.hasnans:
            return names
    return np.arange(X.shape[0])


def check_same_index(X, y, name):
    """Raise if the rows of a data frame and a series y bear different names.

    An index that counts the rows names nothing, unless the other one has the same
    numbers in another order.
    """
    if not (is_pandas(X) and hasattr(y, "index") and hasattr(y, "iloc")):
        return
    one, other = X.index, y.index
    if len(one) != len(other) or one.equals(other):
        return
    counts = _counts_rows(one) or _counts_rows(other)
    shuffled = counts and all(
        index.dtype.kind in "iu" and _counts_rows(np.sort(index))
        for index in (one, other)
    )
    if shuffled or not counts:
        raise ValueError(
            f"The indexes of X and {name} differ, so their rows seem not to belong "
            f"together. If they do, in this order, pass {name}.to_numpy()."
        )


def _counts_rows(index):
    return np.array_equal(index, np.arange(len(index)))


def _frozen_input(X):
    if sp.issparse(X):
        return frozen_csr(X)
    check_frame(X, "X")
    return copy_of(X) if is_frame(X) else frozen_array(X, "X")


def _frozen_metadata(metadata, n):
    if metadata is None:
        return None
    check_frame(metadata, "metadata")
    if is_frame(metadata):
        check_length("metadata", metadata, n)
        return copy_of(metadata)
    if not isinstance(metadata, Mapping):
        raise TypeError(
            "metadata must be a dict of arrays or a data frame, got"
            f" {type(metadata).__name__}."
        )
    frozen = {k: frozen_array(v, f"metadata[{k!r}]") for k, v in metadata.items()}
    for key, values in frozen.items():
        check_length(f"metadata[{key!r}]", values, n)
    return frozen
