"""scikit-learn's digits, split into a training set and targets."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdatamodels._examples import Examples


def load_digits_examples(n_train=1200, random_state=0):
    """Load scikit-learn's digits (1,797 images of 8×8) as training set and targets.

    Parameters
    ----------
    n_train : int, default=1200
        Number of training examples; the rest are targets. Classes are in proportion.
    random_state : int, RandomState instance or None, default=0
        Which examples are for training.

    Returns
    -------
    train, targets : Examples
        X of shape (n, 64), ink from 0 to 1; y the digit; ids the row in
        :func:`sklearn.datasets.load_digits`.

    Raises
    ------
    ValueError
        If `n_train` leaves a class out of either part.

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
