"""The result table of a comparison of attribution methods."""

from dataclasses import dataclass, fields

import numpy as np

from skdatamodels._tables import (
    Table,
    format_column,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.judging._attribution_scores import AttributionScores
from skdatamodels.metrics import ScoreInterval

_NOTES = {  # below the table, by column
    "slope": "slope: 1 if weights have the right scale, above 1 if they are too small",
    "seconds": "seconds: time to compute or fit the weights",
}


@dataclass(frozen=True, eq=False)
class AttributionComparison:
    """Results of a comparison of attribution methods, one row per method.

    Attributes
    ----------
    name : str array of shape (n_methods,)
        Names of the methods, in the order given. The controls come last.
    is_control : bool array of shape (n_methods,)
        Whether the method is a control.
    setting : str array of shape (n_methods,)
        The setting that was chosen on the tuning part. Empty for a method that has
        only one.
    lds, lds_low, lds_high : float64 array of shape (n_methods,)
        Linear datamodeling score, and the lower and upper end of its bootstrap
        interval. All methods share the same draws.
    slope : float64 array of shape (n_methods,)
        Increase of the output when the prediction increases by 1, as the median over
        targets. Near 1 if the weights have the unit of the output and the right size
        on average, below 1 if they are too large, and negative if their sign is
        reversed. If the weights have no unit, the slope can be any number.
    counterfactual_spearman, counterfactual_pearson : float64 array (n_methods,)
        Correlation between predicted and true effects of removals. NaN without
        `counterfactuals`.
    support_size : float64 array of shape (n_methods,)
        Median size of the data supports that the weights lead to. Smaller is better.
        Infinite if at least half of the targets were not flipped.
    support_certified : float64 array of shape (n_methods,)
        Fraction of targets whose support was certified.
    n_trainings : float64 array of shape (n_methods,)
        Number of models trained to compute the weights. NaN if not given.
    seconds : float64 array of shape (n_methods,)
        Time to compute the weights, for all settings together. NaN if neither
        measured nor given.
    ceiling : float
        Noise ceiling of the reported targets. NaN without `repeats`.
    settings : dict
        The settings of the comparison and the library versions. The entry "methods"
        has the parameters of each method and the tuning scores of its settings.
    draws : float64 array of shape (n_methods, n_bootstraps)
        Bootstrapped scores. Each column has the scores on one draw of runs and targets.
    effects : dict of str to CounterfactualEffects
        Effects of removals by method, for
        :class:`~skdatamodels.plotting.CounterfactualDisplay`.
    supports : dict of str to DataSupportSearch
        Data supports by method, for
        :class:`~skdatamodels.plotting.DataSupportDisplay`.
    tests : AttributionScores or None
        Scores in other tests, with their intervals. None if there are none.
    """

    name: np.ndarray
    is_control: np.ndarray
    setting: np.ndarray
    lds: np.ndarray
    lds_low: np.ndarray
    lds_high: np.ndarray
    slope: np.ndarray
    counterfactual_spearman: np.ndarray
    counterfactual_pearson: np.ndarray
    support_size: np.ndarray
    support_certified: np.ndarray
    n_trainings: np.ndarray
    seconds: np.ndarray
    ceiling: float
    settings: dict
    draws: np.ndarray
    effects: dict
    supports: dict
    tests: AttributionScores | None = None

    def __len__(self):
        return len(self.name)

    @property
    def share_of_ceiling(self):
        """Score divided by the ceiling, float64 array (n_methods,); or NaN."""
        return self.lds / self.ceiling

    def difference(self, name, other):
        """Compare two methods on the same draws of runs and targets.

        Both methods are scored on the same runs and targets, so the difference varies
        less than the scores do. Two methods can differ significantly even if the
        intervals of their scores overlap.

        Parameters
        ----------
        name, other : str
            Names of the two methods.

        Returns
        -------
        difference : ScoreInterval
            Score of `name` minus score of `other`, with its interval. The interval
            does not include the variation between *training* runs.

        Raises
        ------
        ValueError
            If a name is not the name of a method.
        """
        names = self.name.tolist()
        for one in (name, other):
            if one not in names:
                raise ValueError(f"{one!r} is not a method. The methods are {names}.")
        first, second = names.index(name), names.index(other)
        tail = (1 - self.settings["confidence"]) / 2
        ends = np.nanquantile(self.draws[first] - self.draws[second], [tail, 1 - tail])
        return ScoreInterval(float(self.lds[first] - self.lds[second]), *ends.tolist())

    def to_frame(self):
        """Return the table as a pandas.DataFrame, without columns that have no values.

        Returns
        -------
        frame : pandas.DataFrame
            One row per method, with the name as the index.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        names = [f.name for f in fields(self) if f.type is np.ndarray][:-1]  # no draws
        names.insert(names.index("lds_high") + 1, "share_of_ceiling")
        columns = {name: getattr(self, name) for name in names}
        known = {name: c for name, c in columns.items() if _is_known(c)}
        frame = import_pandas().DataFrame(known).set_index("name")
        return frame if self.tests is None else frame.join(self.tests.to_frame())

    def _table(self):
        columns = {
            "method": [
                f"{name} ({setting})" if setting else name
                for name, setting in zip(self.name, self.setting, strict=True)
            ],
            "LDS": self._intervals(),
            "of ceiling": self.share_of_ceiling,
            "slope": self.slope,
            "counterfactual Spearman": self.counterfactual_spearman,
            "support size": self.support_size,
            "trainings": self.n_trainings,
            "seconds": np.round(self.seconds, 1),
        }
        columns = {name: c for name, c in columns.items() if _is_known(np.asarray(c))}
        notes = [note for name, note in _NOTES.items() if name in columns]
        if self.tests is not None:
            notes.append(f"more in the attribute tests: {', '.join(self.tests.test)}")
        return Table(self._title(), columns, notes=tuple(notes))

    def _intervals(self):
        cells = format_column([*self.lds, *self.lds_low, *self.lds_high])
        columns = np.reshape(cells, (3, len(self)))
        return [f"{score} [{low}, {high}]" for score, low, high in columns.T]

    def _title(self):
        title = f"Attribution methods, LDS [{self.settings['confidence']:.0%} interval]"
        if np.isnan(self.ceiling):
            return title
        return f"{title}, noise ceiling {self.ceiling:.3f}"

    __repr__ = table_text
    _repr_html_ = table_html


def _is_known(column):
    """Return whether a column has any value: a text, a number or True."""
    return (
        (column != "").any() if column.dtype.kind == "U" else (column == column).any()
    )
