"""Results of tests of attribution methods."""

from dataclasses import dataclass

import numpy as np

from skdatamodels._tables import Table, import_pandas, table_html, table_text

_NOTES = {
    "same class": "same class: the control of this name passes, and knows nothing more",
    "overlap": "overlap: low is specific to the target; random weights are lowest",
    "randomised": "randomised: low is good, the weights depend on what was learnt",
}


@dataclass(frozen=True, eq=False)
class AttributionScores:
    """Scores of attribution methods in several tests, a row a method.

    Attributes
    ----------
    method : str array of shape (n_methods,)
        Names of the methods, the controls last.
    test : str array of shape (n_tests,)
        Names of the tests.
    score, low, high : float64 arrays of shape (n_methods, n_tests)
        Mean score over targets, and the ends of its bootstrap interval. NaN where a
        test does not apply to a method; a single target has no interval. All methods
        share the same draws of targets.
    n_targets : int array of shape (n_tests,)
        Number of targets that a test asks.
    ceiling : float64 array of shape (n_tests,)
        Score that a perfect method would reach, because of the noise in what it is
        compared with. NaN if it is not known.
    confidence : float
        Level of the intervals.
    """

    method: np.ndarray
    test: np.ndarray
    score: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_targets: np.ndarray
    ceiling: np.ndarray
    confidence: float

    def __len__(self):
        return len(self.method)

    def to_frame(self):
        """Return the scores as a pandas.DataFrame, one row per method.

        The columns of a test are its name, with underscores, and the same with ``_low``
        and ``_high``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        columns = {
            name.replace(" ", "_") + end: part[:, i]
            for i, name in enumerate(self.test)
            for end, part in (
                ("", self.score),
                ("_low", self.low),
                ("_high", self.high),
            )
        }
        index = import_pandas().Index(self.method, name="name")
        return import_pandas().DataFrame(columns, index=index)

    def _table(self):
        columns = {"method": self.method}
        for i, name in enumerate(self.test):
            columns[name] = [
                _cell(*one) for one in zip(self.score[:, i], self._half(i), strict=True)
            ]
        notes = [_NOTES[name] for name in self.test if name in _NOTES]
        notes += [
            f"{name}: exact weights would score {ceiling:.2f}, because of noise"
            for name, ceiling in zip(self.test, self.ceiling, strict=True)
            if not np.isnan(ceiling)
        ]
        title = f"Tests of attribution methods, ± half a {self.confidence:.0%} interval"
        return Table(title, columns, notes=tuple(notes))

    def _half(self, test):
        return (self.high[:, test] - self.low[:, test]) / 2

    __repr__ = table_text
    _repr_html_ = table_html


def _cell(score, half):
    if np.isnan(score):
        return ""
    return f"{score:.2f}" + ("" if np.isnan(half) else f" ±{half:.2f}")
