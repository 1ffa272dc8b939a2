"""Effects of removing sets of examples, and the arithmetic of intervals."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy import special

from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels._tables import MOST_ROWS, Table, table_html, table_text

INSIDE = Interval(Real, 0, 1, closed="neither")


@dataclass(frozen=True, eq=False)
class RemovalInference:
    """Effects of removing sets of training examples, with standard errors.

    Attributes
    ----------
    estimate : float64 array of shape (n_targets, n_sets)
        Change of the output, to first order.
    standard_error : float64 array of shape (n_targets, n_sets)
        Their standard errors; NaN where they are not known.
    freedom : float64 array of shape (n_targets,)
        Degrees of freedom of the standard errors.
    centred : bool
        Whether effects are compared with those of removing as many typical examples.

    See Also
    --------
    WeightInference.effect_of_removal : Computes these effects.
    """

    estimate: np.ndarray
    standard_error: np.ndarray
    freedom: np.ndarray
    centred: bool = False

    def __len__(self):
        return len(self.estimate)

    @property
    def p_value(self):
        """Two-sided p-values of no effect, array of shape (n_targets, n_sets)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return p_value_of(self.estimate / self.standard_error, self.freedom)

    def interval(self, confidence=0.95):
        """Return confidence intervals, as :meth:`WeightInference.interval`.

        Parameters
        ----------
        confidence : float, default=0.95
            Probability that an interval contains its effect.

        Returns
        -------
        interval : float64 array of shape (n_targets, n_sets, 2)
            Lower and upper ends.
        """
        return interval_of(self.estimate, self.standard_error, self.freedom, confidence)

    def _table(self):
        n, n_sets = self.estimate.shape
        target, which = np.divmod(np.arange(min(n * n_sets, MOST_ROWS)), n_sets)
        ends = self.interval()[target, which]
        columns = {
            "target": target,
            "set": which,
            "effect": self.estimate[target, which],
            "from": ends[:, 0],
            "to": ends[:, 1],
        }
        title = f"Removal of {n_sets:,} sets, {n:,} targets, 95 % intervals"
        note = ("compared with the removal of as many typical examples",)
        return Table(title, columns, n * n_sets, note if self.centred else ())

    __repr__ = table_text
    _repr_html_ = table_html


def p_value_of(z, freedom):
    """Return two-sided p-values of Student's t (n, k)."""
    return 2 * special.stdtr(freedom[:, None], -abs(z))


@validate_params(
    {
        "estimate": "no_validation",
        "error": "no_validation",
        "freedom": "no_validation",
        "confidence": [INSIDE],
    },
    prefer_skip_nested_validation=True,
)
def interval_of(estimate, error, freedom, confidence):
    """Return intervals of Student's t (n, k, 2)."""
    half = -special.stdtrit(freedom, (1 - confidence) / 2)[:, None] * error
    return np.stack([estimate - half, estimate + half], axis=-1)
