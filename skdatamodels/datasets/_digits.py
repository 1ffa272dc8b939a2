"""scikit-learn's digits, split into a training set and targets."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdatamodels._examples import Examples


def load_digits_examples(n_train=1200, random_state=0):
    """Load scikit-learn's digits (1,797 images of 8×8) as training set and targets.

    Parameters
    ----------
    n_train : int, default=1200
        Number of training examples. The other examples are targets. The split is
        stratified by class.
    random_state : int, RandomState instance or None, default=0
        Seed of the split.

    Returns
    -------
    train : Examples
        Training set. X has shape (n_train, 64) and values from 0 to 1, y is the digit,
        and ids are the rows in :func:`sklearn.datasets.load_digits`.
    targets : Examples
        Targets, in the same form.

    Raises
    ------
    ValueError
        If `n_train` is too small or too large for every class to be in both sets.

    Examples
    --------
    >>> from skdatamodels.datasets import load_digits_examples
    >>> train, targets = load_digits_examples()
    >>> len(train), len(targets), train.X.shape
    (1200, 597, (1200, 64))
    """
    X, y = load_digits(return_X_y=True)
    split = train_test_split(
        range(len(y)), train_size=n_train, stratify=y, random_state=random_state
    )
    train, targets = (Examples(X[rows] / 16, y[rows], ids=rows) for rows in split)
    return train, targets
