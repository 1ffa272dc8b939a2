"""How far the answers of an audit can be trusted, measured on runs held out."""

from dataclasses import dataclass

import numpy as np

from skdatamodels._tables import Table, import_pandas, table_html, table_text
from skdatamodels.auditing._model_score import ModelScore
from skdatamodels.judging import plan_runs
from skdatamodels.metrics import ScoreInterval, noise_ceiling

_FACTORS = 2, 10  # times as many runs
_N_TARGETS = 50


@dataclass(frozen=True, eq=False)
class Trust:
    """Quality of the weights, and whether it suffices for an answer.

    Attributes
    ----------
    lds : ScoreInterval
        Linear datamodeling score of weights fitted on four fifths of the runs, on the
        others, with its 95 % interval. All zero if nothing is predicted.
    ceiling : float
        Score of a perfect predictor, limited by the randomness of training.
    n_runs : int
        Number of runs.
    more : dict of int to ScoreInterval
        Expected score by number of runs. Empty if it cannot be extrapolated.
    least : float
        Lower end of the interval that is needed for an answer.
    model : ModelScore or None
        Score of the model beside that of the best constant. None for groups.
    """

    lds: ScoreInterval
    ceiling: float
    n_runs: int
    more: dict
    least: float
    model: ModelScore | None = None

    @property
    def enough(self):
        """Whether the interval of the score is above `least`."""
        return bool(self.lds.low > self.least)

    @property
    def message(self):
        """What the score means, in words, and whether the model has learnt nothing."""
        warning = "" if self.model is None else self.model.message
        return f"{self._meaning()} {warning}".strip()

    def _meaning(self):
        if self.enough:
            return (
                "On unseen subsets, predicted and true outputs have a rank correlation "
                f"of {self.lds.score:.2f}{self._best()}."
            )
        text = (
            f"No answer: the LDS is {self.lds}, and its interval must be above "
            f"{self.least:g}. "
        )
        if self.ceiling < 2 * self.least:
            return text + (
                f"Training is so random that the best possible score is "
                f"{self.ceiling:.2f}. Use a learner or settings that vary less with "
                "the seed."
            )
        if not self.more:
            return text + "Train more runs, or audit groups of rows."
        n_runs, score = list(self.more.items())[-1]
        return text + f"With {n_runs:,} runs, {score} is expected."

    def to_frame(self):
        """Return the facts as a pandas.DataFrame.

        Its index names the fact; columns are value, low and high.
        """
        rows = [
            ("LDS", *self.lds),
            ("best possible LDS", self.ceiling, np.nan, np.nan),
            ("runs", self.n_runs, np.nan, np.nan),
            *self._model_facts(),
            *((f"LDS with {n:,} runs", *score) for n, score in self.more.items()),
        ]
        pandas = import_pandas()
        frame = pandas.DataFrame(rows, columns=["fact", "value", "low", "high"])
        return frame.set_index("fact")

    def as_facts(self):
        """Return the facts by name, as pages show them."""
        facts = {"LDS": tuple(self.lds)}
        if not np.isnan(self.ceiling):
            facts["best possible LDS"] = self.ceiling
        facts["runs"] = self.n_runs
        facts |= {name: value for name, value, *_ in self._model_facts()}
        for n_runs, score in list(self.more.items())[-1:]:
            facts[f"LDS expected with {n_runs:,} runs"] = tuple(score)
        return facts | {"message": self.message}

    def _model_facts(self):
        if self.model is None:
            return []
        metric, score, constant, *_ = self.model
        rows = [(metric, score), (f"{metric} of a constant", constant)]
        return [(*row, np.nan, np.nan) for row in rows]

    def _best(self):
        if np.isnan(self.ceiling):
            return ""
        return f" (at best {self.ceiling:.2f})"

    def _table(self):
        facts = {
            "LDS": str(self.lds),
            "runs": f"{self.n_runs:,}",
        }
        if not np.isnan(self.ceiling):
            facts["best possible LDS"] = f"{self.ceiling:.3f}"
        facts |= {name: f"{value:.3f}" for name, value, *_ in self._model_facts()}
        for n_runs, score in self.more.items():
            facts[f"LDS expected with {n_runs:,} runs"] = str(score)
        title = "Trust: enough for an answer" if self.enough else "Trust: no answer"
        columns = {"fact": list(facts), "value": list(facts.values())}
        return Table(title, columns, notes=(self.message,))

    __repr__ = table_text
    _repr_html_ = table_html


def measure_trust(judged, least, seed, repeats=None, model=None):
    """Score weights on runs that they were not fitted on, and extrapolate.

    Parameters
    ----------
    judged : Judged
        The judged rows with their datamodels, of which clones are fitted.
    least : float
        See :class:`Trust`.
    seed : int
        Seed of splits and bootstrap draws.
    repeats : float array of shape (2, n_subsets, n_targets), default=None
        Outputs of two trainings of the same subsets.
    model : ModelScore, default=None
        Score of the model.

    Returns
    -------
    trust : Trust
    """
    runs, ceiling = judged.runs, np.nan
    if repeats is not None:
        ceiling = noise_ceiling(repeats)
    try:
        plan = plan_runs(
            runs,
            regressor=judged.model,
            n_targets=_N_TARGETS,
            repeats=repeats,
            random_state=seed,
            verbose=False,
        )
    except ValueError as error:
        if "no better than a constant" not in str(error):
            raise
        nothing = ScoreInterval(0.0, 0.0, 0.0)
        return Trust(nothing, ceiling, len(runs), {}, least, model)
    sizes = [factor * len(runs) for factor in _FACTORS]
    more = map(ScoreInterval._make, plan.predict(sizes).tolist())
    return Trust(
        ScoreInterval(*plan.scores[-1].tolist()),
        ceiling,
        len(runs),
        dict(zip(sizes, more, strict=True)),
        least,
        model,
    )
