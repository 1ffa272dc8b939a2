"""CollectedRuns: what `collect_runs` returns."""

from dataclasses import dataclass
from textwrap import wrap

import numpy as np

from skdatamodels._tables import MOST_ROWS, Table, import_pandas, table_html, table_text
from skdatamodels.runs import TrainingRuns


@dataclass(frozen=True, eq=False)
class CollectedRuns:
    """Runs that were trained until they were enough, and what is known of them.

    Attributes
    ----------
    runs : TrainingRuns
        The runs.
    reached : bool
        Whether all goals are reached.
    reason : str
        Why no more runs were trained.
    history : dict of str to array of shape (n_looks,)
        By column: "n_runs"; "seconds" since the call; the value of each goal, by its
        name, and its bound as "NAME_bound"; and "expected", the total number of runs
        that was then expected to reach all goals (inf if out of reach, NaN if not
        known).
    model : estimator
        The regressor, fitted on all runs and targets. None if time was up before the
        first look.
    seconds_per_run : float
        Time of a run, in seconds, for all workers together. NaN if all were stored.
    targets : int array of shape (n_judged,)
        The targets that goals were judged on.
    """

    runs: TrainingRuns
    reached: bool
    reason: str
    history: dict
    model: object
    seconds_per_run: float
    targets: np.ndarray

    def to_frame(self):
        """Return the history as a pandas.DataFrame, one row a look.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return import_pandas().DataFrame(self.history)

    def _table(self):
        state = "enough" if self.reached else "not enough yet"
        columns = {
            name.replace("_bound", " bound").replace("interval_", ""): values
            for name, values in self.history.items()
        }
        columns = {name: values[-MOST_ROWS:] for name, values in columns.items()}
        title = f"{len(self.runs):,} runs of {self.runs.n_train:,} training examples"
        return Table(f"{title}: {state}", columns, notes=tuple(wrap(self.reason, 88)))

    __repr__ = table_text
    _repr_html_ = table_html
