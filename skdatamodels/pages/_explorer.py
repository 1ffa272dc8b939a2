"""One HTML page on which people explore which training rows predictions hang on."""

from numbers import Integral

import numpy as np

from skdatamodels._examples import check_examples
from skdatamodels._files import write_atomically
from skdatamodels._numbers import as_real
from skdatamodels.outputs import info_of_output
from skdatamodels.pages._candidates import (
    candidate_rows,
    data_fingerprint,
    make_tasks,
)
from skdatamodels.pages._example_data import DETAILS, ShownExamples
from skdatamodels.pages._groups import Groups
from skdatamodels.pages._marks import Marks
from skdatamodels.pages._page import check_size, embed, make_page
from skdatamodels.pages._removal import removal_data
from skdatamodels.pages._sections import overview_data, section_data, trust_data
from skdatamodels.pages._weight_data import (
    LargestWeights,
    check_errors,
    check_weights,
    choose_n_weights,
    make_map,
)

_MOST_NEEDED = 20  # weights of each target whose rows are kept in any case


def write_explorer(
    path,
    weights,
    train,
    targets,
    *,
    outputs=None,
    output_info=None,
    threshold=None,
    standard_error=None,
    inference=None,
    removal=None,
    quality=None,
    groups=None,
    trust=None,
    overview=None,
    sections=None,
    candidates=None,
    embedding=None,
    feature_names=None,
    label="y",
    image_shape=None,
    n_weights=None,
    max_bytes=15_000_000,
    title=None,
):
    """Write an HTML page to explore the training rows that predictions hang on.

    The page is a single file that needs no server and sends no data, so it can be sent
    by e-mail. A person picks a target, sees which training rows raise and lower its
    output, ticks rows off, and sees the predicted change at once. Ticked rows are saved
    as CSV or JSON, which :func:`read_selection` reads.

    Parameters
    ----------
    path : path-like
        File to write. An existing file is replaced when the page is complete.
    weights : array-like or CSR of shape (n_targets, n_train), or fitted estimator
        Attribution matrix, in the unit of the output. Its columns can also be groups of
        rows, see `groups`. An estimator must have ``coef_``.
    train, targets : Examples
        The training set and the targets: data frames, numeric arrays, text or images.
        They are shown as images if `X` has more than two dimensions or `image_shape`
        is given. `metadata` is shown too.
    outputs : float array-like of shape (n_targets,), default=None
        Mean output of each target on the full training set. With it the page shows the
        output that is predicted without the ticked rows, and whether it flips.
    output_info : str, Output or OutputInfo, default=None
        What the outputs measure. None takes that of the estimator, if `weights` is one.
    threshold : float, default=None
        Output at which a prediction flips. None takes 0 for margins, 0.5 for
        correctness, and for two classes 0 for log-odds and 0.5 for confidences.
    standard_error : float array-like of shape (n_targets,) or that of `weights`, \
            default=None
        Standard error of a predicted change, for each target; or the standard error of
        each weight, such as ``np.sqrt(model.posterior_variance(runs))``, for which the
        errors of ticked rows count as independent. Used for 95% intervals. With errors
        of each weight, the page shows the interval of each, and marks those that are
        distinguishable from 0 at a false-discovery rate of 0.1, of either sign.
    inference : WeightInference, default=None
        Result of :func:`~skdatamodels.inference.infer_weights` for these weights. The
        page takes intervals of single weights and marks from it, as
        :func:`~skdatamodels.applications.similar_examples` does. They are wider than
        those of ticked rows, which are predicted by the weights and `standard_error`.
    removal : dict, default=None
        How the change without several rows differs from the sum of their weights; see
        the notes. Its keys, all optional, are the numbers "growth", "growth_error"
        and "shared_error"; "noise", a number or one for each target; and "sizes" and
        "widths", numbers of rows and how much wider intervals are there. There are no
        intervals for more rows than the last of these.
    quality : float array-like of shape (n_targets,), default=None
        Share of the variance of the outputs that the weights of each target explain on
        runs that they were not fitted to (R²), NaN where not known. None takes
        ``held_out_r2_`` of the estimator, if `weights` is one.
    groups : array-like of shape (n_train,), or dict of str to int array, default=None
        Label of the group of each row. If `weights` has a column for each group instead
        of each row, the columns are the groups in the order of ``np.unique(groups)``,
        or that of the dict, whose values are the rows of each group.
    trust : dict of str to str, number or (value, low, high), default=None
        Facts on the quality of the weights, which the page shows at all times, such as
        ``{"LDS": (0.62, 0.58, 0.66), "runs": 300, "message": "..."}``. The message is
        shown below the others.
    overview : dict of str to str, default=None
        What was found, which a first tab lists, such as ``{"accuracy": ".93"}``. A name
        that contains the title of a section is a link to it. "message" has
        paragraphs below, one a line.
    sections : dict of str to data frame, dict of arrays, or result with ``to_frame``, \
            default=None
        Further tables, one tab each. Integers in columns named "example" or "train"
        are links to training rows, those in columns named "target" to targets. Or
        pairs of a table and a dict that says which columns contain ids of "train", of
        "targets" or of "groups", such as ``(frame, {"index": "train", "twin":
        "train"})``; "index" is the index of a data frame of pandas. A third item, a
        text, is shown above the table.
    candidates : int array-like of shape (n_targets, n_candidates), default=None
        Training rows that people are asked to compare with each target, padded with
        -1; see :func:`~skdatamodels.applications.write_annotation_page`.
    embedding : float array-like of shape (n_targets, 2), default=None
        Coordinates of the targets on the map. None takes the first two components of
        the normalised weights.
    feature_names : sequence of str, default=None
        Names of the columns of `X`. None takes those of data frames, and x0, x1, … for
        arrays.
    label : str, default="y"
        Name of `y`.
    image_shape : tuple of int, default=None
        Shape (height, width) or (height, width, channels) of images that are stored as
        rows of pixels.
    n_weights : int, default=None
        Number of weights to keep for each target, the largest in magnitude. None keeps
        as many as fit into half of `max_bytes`.
    max_bytes : int, default=15,000,000
        Largest size of the file in bytes. Images are made smaller, long text is cut,
        and columns are left out so that the data fit; the page says so.
    title : str, default=None
        Heading of the page. None uses a default.

    Raises
    ------
    ValueError
        If shapes do not match, values are not finite or not in the range of float32, a
        key of `removal` is unknown, or the page does not fit into `max_bytes`.

    See Also
    --------
    read_selection : Read the rows that people ticked.
    skdatamodels.applications.write_annotation_page : A page with questions alone.

    Notes
    -----
    The page predicts that without some rows, an output changes by minus the sum of
    their weights; see :func:`~skdatamodels.applications.predict_counterfactual`. Ticked
    rows whose weights are not among the largest count as zero, which widens the
    interval by the size that such weights have on average.

    With `removal`, a row changes an output by more if rows that have much weight are
    removed with it. The predicted change is minus the sum of the weights, minus growth
    times the sum, over all pairs of different ticked rows, of the weight of the one
    times the share of the other in the absolute weight of the target. The variance of
    the change is ``noise ** 2``, plus the sum of the squared standard errors of the
    weights, plus ``(growth_error * p) ** 2``, where p is that sum over pairs, plus
    ``(shared_error * s) ** 2``, where s is the sum of the absolute weights of the
    ticked rows, in the mean over all targets. The interval of as many rows is wider
    than that by a factor which is linear between the `sizes`, in their logarithm.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skdatamodels import Examples
    >>> from skdatamodels.pages import write_explorer
    >>> train = Examples(["good film", "bad film", "dull"], ["pos", "neg", "neg"])
    >>> targets = Examples(["good", "dull film"], ["pos", "neg"])
    >>> weights = [[0.9, -0.2, 0.0], [-0.1, 0.4, 0.7]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "explorer.html")
    ...     write_explorer(
    ...         path,
    ...         weights,
    ...         train,
    ...         targets,
    ...         outputs=[1.5, 0.3],
    ...         output_info="margin",
    ...         trust={"LDS": (0.62, 0.58, 0.66), "runs": 300},
    ...     )
    ...     path.stat().st_size < 100_000
    True
    """
    check_examples(train, "train")
    check_examples(targets, "targets")
    weights, own_info, own_quality = check_weights(weights)
    info = info_of_output(own_info if output_info is None else output_info)
    groups = Groups.of(groups, len(train), weights.shape[1])
    _check_shape(weights, train, targets, groups)
    n_targets, n_columns = weights.shape
    noise, errors = check_errors(standard_error, weights.shape)
    outputs = _check_vector(outputs, "outputs", (n_targets,))
    quality = own_quality if quality is None else quality
    quality = _check_vector(quality, "quality", (n_targets,), allow_nan=True)
    if embedding is not None:
        embedding = _check_vector(embedding, "embedding", (n_targets, 2))
    if n_weights is None:
        known = 4 * (errors is not None) + 8 * (inference is not None)
        n_weights = choose_n_weights(weights, known, max_bytes)
    elif not isinstance(n_weights, Integral) or n_weights < 1:
        raise ValueError(f"n_weights must be an integer from 1, got {n_weights!r}.")
    shown = ShownExamples(train, targets, image_shape, feature_names, str(label))
    kept = LargestWeights.of(weights, int(n_weights), errors)
    marks = Marks.of(kept, weights, errors, inference)
    data = {
        "fingerprint": data_fingerprint(train, targets),
        "trainFingerprint": train.fingerprint,
        "weights": kept.embed(n_columns) | marks.embed(),
        "outputs": outputs if outputs is None else embed(outputs.astype(np.float32)),
        "quality": quality if quality is None else embed(quality.astype(np.float32)),
        "noise": noise if noise is None else embed(noise.astype(np.float32)),
        "removal": removal_data(removal, weights),
        "output": _describe(info, threshold, train, str(label)),
        "groups": groups if groups is None else groups.embed(),
        "map": embed(
            np.array(make_map(weights) if embedding is None else embedding, np.float32)
        ),
        "trust": trust_data(trust),
        "overview": overview_data(overview),
        "sections": [
            section_data(name, table, train, targets, groups)
            for name, table in (sections or {}).items()
        ],
        "tasks": make_tasks(candidates, train, targets),
    }
    needed = kept.largest_columns(_MOST_NEEDED)
    needed = needed if groups is None else groups.rows_of(needed)
    needed = np.union1d(needed, candidate_rows(data["tasks"]))
    title = title or "Which training examples does the model rely on?"
    page = _fitted_page(title, data, shown, needed.astype(int), max_bytes)
    write_atomically(path, page)


def _fitted_page(title, data, shown, needed, max_bytes):
    """Return a page that is small enough, with as much of the examples as fits."""
    plans = [(None, detail) for detail in DETAILS[:2]]
    plans += [(needed, detail) for detail in DETAILS]
    for rows, detail in plans:
        notes = shown.notes(detail)
        if rows is not None:
            notes.append(
                f"The content of {len(rows):,} of {len(shown.train):,} training "
                "examples is kept, those with the largest weights."
            )
        examples = {
            "train": shown.embed("train", rows, detail),
            "targets": shown.embed("targets", None, detail),
        }
        page = make_page(title, data | {"examples": examples, "notes": notes})
        size = len(page.encode("utf-8"))
        if size <= max_bytes:
            return page
    raise ValueError(
        f"The page would have {size:,} bytes, more than max_bytes={max_bytes:,}. Pass "
        "fewer targets, a smaller n_weights, or a larger max_bytes."
    )


def _check_shape(weights, train, targets, groups):
    n_columns = len(train) if groups is None else groups.n_columns
    wanted = len(targets), n_columns
    if weights.shape != wanted:
        hint = " Transpose the weights." if weights.shape == wanted[::-1] else ""
        raise ValueError(
            "weights must have a row for each target and a column for each training "
            f"example (or for each group, with groups): shape {wanted}; got "
            f"{weights.shape}.{hint}"
        )


def _check_vector(values, name, shape, allow_nan=False):
    if values is None:
        return None
    values = as_real(values, name).astype(np.float64)
    bad = np.isinf(values) if allow_nan else ~np.isfinite(values)
    if values.shape != shape or bad.any():
        raise ValueError(
            f"{name} must be finite numbers of shape {shape}, one row for each target; "
            f"got shape {values.shape}."
        )
    check_size(values, name)
    return values


def _describe(info, threshold, train, label):
    """Return what the page needs to know of the output."""
    if threshold is None:
        two = len(np.unique(train.y)) == 2 if train.y.dtype.kind != "f" else False
        threshold = {"margin": 0.0, "correctness": 0.5}.get(info.name)
        if two and threshold is None:
            threshold = {"log_odds": 0.0, "confidence": 0.5}.get(info.name)
    if threshold is not None and not np.isfinite(threshold):
        raise ValueError(f"threshold must be a finite number, got {threshold!r}.")
    unit = "" if info.unit in ("unknown", "user-defined") else info.unit
    return {
        "name": "output" if info.name == "unknown" else info.name.replace("_", " "),
        "unit": unit.replace("units of y", f"units of {label}"),
        "sign": info.sign,
        "threshold": None if threshold is None else float(threshold),
        "isPrediction": info.name == "prediction",
    }
