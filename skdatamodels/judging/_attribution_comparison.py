"""The table that a comparison of attribution methods gives."""

from dataclasses import dataclass, fields

import numpy as np

from skdatamodels._tables import (
    Table,
    format_column,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.metrics import ScoreInterval

_NOTES = {  # below the table, by column
    "slope": "slope: 1 if weights have the right scale, above 1 if they are too small",
    "seconds": "seconds: time to compute or fit the weights",
}


@dataclass(frozen=True, eq=False)
class AttributionComparison:
    """A table with a row a method, and what it rests on.

    Attributes
    ----------
    name : str array of shape (n_methods,)
        In the order given; the controls come last.
    is_control : bool array of shape (n_methods,)
    setting : str array of shape (n_methods,)
        The setting that was chosen on the tuning part; "" for a single one.
    lds, lds_low, lds_high : float64 array of shape (n_methods,)
        Linear datamodeling score and the ends of its bootstrap interval. All methods
        share the draws.
    slope : float64 array of shape (n_methods,)
        By how much the outputs rise where the prediction rises by 1, median over
        targets: near 1 if weights are in the output's unit and right on average, below
        1 if they are too large, any number if they have no unit; negative if their
        sign is turned.
    counterfactual_spearman, counterfactual_pearson : float64 array (n_methods,)
        Correlation of predicted and true effects of removals; NaN if not asked for.
    support_size : float64 array of shape (n_methods,)
        Median size of the data supports that the weights lead to: the smaller, the
        better. Infinite if half of the targets or more were not flipped.
    support_certified : float64 array of shape (n_methods,)
        Share of the targets whose support was certified.
    n_trainings : float64 array of shape (n_methods,)
        Models trained for the weights; NaN where nobody said.
    seconds : float64 array of shape (n_methods,)
        Time to the weights, of all settings together; NaN where nobody said.
    ceiling : float
        Noise ceiling of the reported targets, or NaN.
    settings : dict
        What was judged on what, with versions, and under "methods" the parameters of
        each method and the tuning scores of its settings.
    draws : float64 array of shape (n_methods, n_bootstraps)
        Bootstrapped scores; a column holds the scores of one draw of runs and targets.
    effects : dict of str to CounterfactualEffects
        By method, for :class:`~skdatamodels.plotting.CounterfactualDisplay`.
    supports : dict of str to DataSupportSearch
        By method, for :class:`~skdatamodels.plotting.DataSupportDisplay`.
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

    def __len__(self):
        return len(self.name)

    @property
    def share_of_ceiling(self):
        """Score over ceiling, float64 array (n_methods,); NaN without a ceiling."""
        return self.lds / self.ceiling

    def difference(self, name, other):
        """Compare two methods on the same draws of runs and targets.

        Two methods err on the same runs and targets, so their difference is surer than
        their scores: intervals that overlap may belong to methods that differ for sure.

        Parameters
        ----------
        name, other : str

        Returns
        -------
        difference : ScoreInterval
            Score of `name` less that of `other`, and the ends of its interval. Whether
            it holds for other *training* runs of the two is not covered.

        Raises
        ------
        ValueError
            If there is no such method.
        """
        names = self.name.tolist()
        for one in (name, other):
            if one not in names:
                raise ValueError(f"{one!r} is no method; those there are: {names}.")
        first, second = names.index(name), names.index(other)
        tail = (1 - self.settings["confidence"]) / 2
        ends = np.nanquantile(self.draws[first] - self.draws[second], [tail, 1 - tail])
        return ScoreInterval(float(self.lds[first] - self.lds[second]), *ends.tolist())

    def to_frame(self):
        """Return the table as a pandas.DataFrame, without columns that are not known.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        names = [f.name for f in fields(self) if f.type is np.ndarray][:-1]  # no draws
        names.insert(names.index("lds_high") + 1, "share_of_ceiling")
        columns = {name: getattr(self, name) for name in names}
        known = {name: c for name, c in columns.items() if _is_known(c)}
        return import_pandas().DataFrame(known).set_index("name")

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
    """Tell whether a column says something: a text, a number or True of any row."""
    return (
        (column != "").any() if column.dtype.kind == "U" else (column == column).any()
    )
