"""Loaders of the files that the paper's authors released: runs and datamodels."""

import pickle
import zipfile
from typing import NamedTuple

import numpy as np

from skdatamodels.runs import TrainingRuns
from skdatamodels.runs._paths import absolute
from skdatamodels.runs._released import open_released
from skdatamodels.runs._training_runs import check_no_infinity


def load_released_runs(path_masks, path_margins):
    """Load runs in the layout of the files that the paper's authors released.

    Both files are read once, a block of rows at a time: the masks are packed, and the
    margins are checked for infinite values. The margins stay on disk, memory-mapped.

    Parameters
    ----------
    path_masks : path-like
        ``train_masks_{pct}pct.npy``: bool or 0/1 uint8, shape (n_runs, n_train).
    path_margins : path-like
        ``test_margins_{pct}pct.npy`` or ``train_margins_{pct}pct.npy``: margins in
        log-odds, float16 or wider, shape (n_runs, n_targets). NaN means that a run has
        no output on a target.

    Returns
    -------
    runs : TrainingRuns
        The runs. In memory, the masks take an eighth of the size of their file. The
        outputs are a memory map in the dtype of their file.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is incomplete, is not 2-d or has the wrong dtype, if a margin is
        infinite or a mask entry is not 0 or 1, or if the numbers of runs differ.

    See Also
    --------
    skdatamodels.runs.import_released : Make a RunStore from a whole folder.
    load_released_datamodels : Load the weights that were fitted to these runs.

    References
    ----------
    https://github.com/MadryLab/datamodels-data describes the files.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skdatamodels.datasets import load_released_runs
    >>> folder = tempfile.TemporaryDirectory()
    >>> masks, margins = folder.name + "/masks.npy", folder.name + "/margins.npy"
    >>> np.save(masks, np.array([[True, False], [False, True]]))
    >>> np.save(margins, np.array([[0.5], [-2]], dtype=np.float16))
    >>> runs = load_released_runs(masks, margins)
    >>> runs
    TrainingRuns(n_runs=2, n_train=2, n_targets=1)
    >>> runs.outputs
    memmap([[ 0.5],
            [-2. ]], dtype=float16)
    >>> folder.cleanup()
    """
    masks, margins = open_released(path_masks, path_margins)
    if masks.dtype not in (bool, np.uint8):
        raise ValueError(f"{path_masks} must hold bool or uint8, got {masks.dtype}.")
    if margins.dtype.kind != "f":
        raise ValueError(f"{path_margins} must hold floats, got {margins.dtype}.")
    check_no_infinity(margins, path_margins)
    return TrainingRuns(masks, margins, output="margin")


class ReleasedDatamodels(NamedTuple):
    """Datamodels in the units of this package.

    They predict ``masks.dot(coef.T) + intercept``.

    Attributes
    ----------
    coef : float array of shape (n_targets, n_train)
        Attribution matrix. A weight is positive if including the training example
        raises the output.
    intercept : float array of shape (n_targets,)
        Intercept of each target.
    lam : float array of shape (n_targets,)
        Strength of the ℓ1 penalty, as the parameter `lam` of DatamodelRegressor.
    """

    coef: np.ndarray
    intercept: np.ndarray
    lam: np.ndarray

    def __repr__(self):
        n_targets, n_train = self.coef.shape
        return (
            f"ReleasedDatamodels(n_targets={n_targets}, n_train={n_train}, "
            f"n_nonzero={np.count_nonzero(self.coef)}, dtype={self.coef.dtype})"
        )


def load_released_datamodels(path, alpha):
    """Load datamodels fitted by the authors' solver, in the units of this package.

    The authors' solver standardizes the columns of the masks and saves weights of the
    standardized columns. They are converted to weights of 0/1 masks;
    :ref:`released_datamodels` derives the formulas.

    Parameters
    ----------
    path : path-like
        ``.pt`` file with a dict of tensors: ``weight`` (n_train, n_targets), ``bias``
        (n_targets,) and ``lam`` (n_targets,).
    alpha : float or array-like of shape (n_train,)
        Mean of each column of the masks that the datamodels were fitted on. For the
        released files, the subsampling fraction is a good approximation;
        ``masks.column_counts() / len(masks)`` is exact.

    Returns
    -------
    datamodels : ReleasedDatamodels
        The datamodels, in float64 if the file has float64, else in float32. If the
        means in `alpha` differ, `lam` is the strength at the mean standard deviation of
        a column.

    Raises
    ------
    ImportError
        If torch is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file does not have this format, contains numbers that are complex or not
        finite or a negative `lam`, or if `alpha` is not between 0 and 1.

    References
    ----------
    Ilyas et al., "Datamodels: Predicting Predictions from Training Data", 2022, E.1.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> from skdatamodels.datasets import load_released_datamodels
    >>> file = tempfile.NamedTemporaryFile(suffix=".pt")
    >>> weight, bias, lam = torch.tensor([[1.0], [-0.5]]), torch.ones(1), torch.ones(1)
    >>> torch.save({"weight": weight, "bias": bias, "lam": lam}, file.name)
    >>> datamodels = load_released_datamodels(file.name, alpha=0.5)
    >>> datamodels
    ReleasedDatamodels(n_targets=1, n_train=2, n_nonzero=2, dtype=float32)
    >>> datamodels.coef, datamodels.intercept, datamodels.lam
    (array([[ 2., -1.]], dtype=float32), array([0.5], dtype=float32),
        array([0.5], dtype=float32))
    >>> file.close()
    """
    weight, bias, lam = _load_tensors(path)
    alpha = np.asarray(alpha, weight.dtype)
    if (
        alpha.shape not in ((), weight.shape[:1])
        or not ((alpha > 0) & (alpha < 1)).all()
    ):
        raise ValueError(
            "alpha must be between 0 and 1: one number, or one for each of the "
            f"n_train={len(weight)} examples, got {alpha}."
        )
    scale = np.sqrt(alpha * (1 - alpha))
    coef = np.divide(weight.T, scale, order="C")
    intercept = bias - coef @ np.broadcast_to(alpha, len(weight))
    return ReleasedDatamodels(coef, intercept, lam * scale.mean())


def _load_tensors(path):
    """Load and validate weight, bias and lam of a file; return three arrays."""
    torch = _import_torch()
    path = absolute(path)
    try:
        tensors = torch.load(
            path,
            map_location="cpu",
            weights_only=True,
            mmap=zipfile.is_zipfile(path),  # files from before torch 1.6 are not
        )
        arrays = [_as_array(tensors[name], torch) for name in ("weight", "bias", "lam")]
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise ValueError(f"{path} is not a file of tensors: {error}") from error
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(
            f"{path} must hold a dict of the tensors weight, bias and lam, as the "
            "authors' compute_datamodels saves it."
        ) from error
    weight, bias, lam = arrays
    if weight.ndim != 2 or not bias.shape == lam.shape == weight.shape[1:]:
        raise ValueError(
            f"weight, bias and lam in {path} must have shapes (n_train, n_targets), "
            f"(n_targets,) and (n_targets,), got {weight.shape}, {bias.shape} and "
            f"{lam.shape}."
        )
    for name, array in zip(("weight", "bias", "lam"), arrays, strict=True):
        if array.dtype.kind == "c":
            raise ValueError(f"{name} in {path} holds complex numbers, not real ones.")
        wrong = ~np.isfinite(array)
        if name == "lam":
            wrong |= array < 0
        if wrong.any():
            at = tuple(np.argwhere(wrong)[0].tolist())
            raise ValueError(
                f"{name}[{', '.join(map(str, at))}] in {path} is {array[at]}: weights "
                "and biases must be finite, lam finite and not negative. The fit that "
                "was saved has failed; leave such targets out of the file."
            )
    return arrays


def _as_array(tensor, torch):
    tensor = tensor.detach()  # a Parameter is a tensor too
    exact = tensor.dtype == torch.float64 or tensor.is_complex()
    return (tensor if exact else tensor.float()).numpy()


def _import_torch():
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            'Datamodels in .pt files need torch: pip install "skdatamodels[torch]"'
        ) from error
    return torch
