"""One HTML page on which people explore which training rows predictions hang on."""


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
    groups=None,
    trust=None,
    sections=None,
    candidates=None,
    embedding=None,
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
        errors of ticked rows count as independent. Used for 95% intervals.
    groups : array-like of shape (n_train,), or dict of str to int array, default=None
        Label of the group of each row. If `weights` has a column for each group instead
        of each row, the columns are the groups in the order of ``np.unique(groups)``,
        or that of the dict, whose values are the rows of each group.
    trust : dict of str to str, number or (value, low, high), default=None
        Facts on the quality of the weights, which the page shows at all times, such as
        ``{"LDS": (0.62, 0.58, 0.66), "runs": 300, "message": "..."}``. The message is
        shown below the others.
    sections : dict of str to data frame, dict of arrays, or result with ``to_frame``, \
            default=None
        Further tables, one tab each. Integers in columns named "example" or "train"
        are links to training rows, those in columns named "target" to targets.
    candidates : int array-like of shape (n_targets, n_candidates), default=None
        Training rows that people are asked to compare with each target, padded with
        -1; see :func:`~skdatamodels.applications.write_annotation_page`.
    embedding : float array-like of shape (n_targets, 2), default=None
        Coordinates of the targets on the map. None takes the first two components of
        the normalised weights.
    image_shape : tuple of int, default=None
        Shape (height, width) or (height, width, channels) of images that are stored as
        rows of pixels.
    n_weights : int, default=None
        Number of weights to keep for each target, the largest in magnitude. None keeps
        as many as fit into a third of `max_bytes`.
    max_bytes : int, default=15,000,000
        Largest size of the file in bytes. Images are made smaller, long text is cut,
        and columns are left out so that the data fit; the page says so.
    title : str, default=None
        Heading of the page. None uses a default.

    Raises
    ------
    ValueError
        If shapes do not match, values are not finite, or the page does not fit into
        `max_bytes`.

    See Also
    --------
    read_selection : Read the rows that people ticked.
    """
    raise NotImplementedError("The explorer is being written.")
