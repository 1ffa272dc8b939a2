"""Whether the model is better than guessing, on the judged rows.

What rows do to the predictions of a model that has learnt nothing says nothing of the
rows. Two one-sided tests ask whether it has learnt something, at half the level each:

- the score against that of the best constant: an exact test of McNemar on the rows that
  only one of both gets right, or a paired t-test of squared errors;
- whether outputs go with the truth: a rank test between the two classes, a z-test of
  the balanced accuracy for more classes, or Spearman's correlation for values. It finds
  a model that ranks well and yet never predicts a rare class.

Reference: McNemar, "Note on the sampling error of the difference between correlated
proportions or percentages", Psychometrika 12, 1947.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import binom, mannwhitneyu, norm, spearmanr, ttest_1samp

_LEVEL = 0.05


class ModelScore(NamedTuple):
    """Score of the model beside that of the best constant.

    Attributes
    ----------
    metric : {"accuracy", "R²"}
    score : float
        Score of the model on the judged rows.
    constant : float
        Score of the most frequent class, or of the mean value, which is 0.
    n_rows : int
        Number of judged rows.
    p_value : float
        Of the hypothesis that the model has learnt nothing.
    """

    metric: str
    score: float
    constant: float
    n_rows: int
    p_value: float

    @property
    def better(self):
        """Whether the model is better than guessing."""
        return bool(self.p_value < _LEVEL)

    @property
    def message(self):
        """What this means for the findings, in words; "" if the model is better."""
        if self.better:
            return ""
        what = f"the most frequent class has {self.constant:.2f}"
        if self.metric != "accuracy":
            what = f"the mean value has {self.constant:.2f}"
        how = "not clearly" if self.score > self.constant else "no"
        return (
            f"The model is {how} better than guessing: on {self.n_rows:,} rows, "
            f"{self.metric} {self.score:.2f}; {what}. "
            "Its label errors, harmful rows and brittle predictions cannot be "
            "believed; exact duplicates and leaks can."
        )


def score_model(task, output, truth, prior):
    """Return the ModelScore of outputs on judged rows.

    Parameters
    ----------
    task : {"classification", "regression"}
    output : float array of shape (n_judged,)
        Margins of the true class, or predictions.
    truth : array of shape (n_judged,)
        Labels or values.
    prior : array of shape (n_train,)
        Labels or values of the training rows, which make the best constant.
    """
    known = np.isfinite(output)
    output, truth = output[known], truth[known]
    if task == "regression":
        return _score_values(output, truth.astype(float), prior.astype(float))
    classes, counts = np.unique(prior, return_counts=True)
    right, constant = output > 0, truth == classes[counts.argmax()]
    n_better, n_worse = (right & ~constant).sum(), (constant & ~right).sum()
    p_values = (
        binom.sf(n_better - 1, n_better + n_worse, 0.5),
        _p_of_ranks(output, truth, classes),
    )
    return ModelScore(
        "accuracy",
        float(right.mean()),
        float(constant.mean()),
        len(output),
        _smaller(p_values),
    )


def _score_values(output, truth, prior):
    """Return the ModelScore of predictions; the constant is the mean of training."""
    errors, constant = (output - truth) ** 2, (prior.mean() - truth) ** 2
    p_values = [1.0, 1.0]
    if np.ptp(constant - errors) > 0:
        p_values[0] = ttest_1samp(constant - errors, 0, alternative="greater").pvalue
    if np.ptp(output) > 0 and np.ptp(truth) > 0:
        p_values[1] = spearmanr(output, truth, alternative="greater").pvalue
    total = constant.mean()
    score = 1 - errors.mean() / total if total > 0 else 0.0
    return ModelScore("R²", float(score), 0.0, len(output), _smaller(p_values))


def _p_of_ranks(output, truth, classes):
    """Return the p-value of the hypothesis that margins do not depend on the class."""
    if len(classes) == 2:
        first = truth == classes[0]
        if first.all() or not first.any():
            return 1.0
        # the margin of the other class has the other sign
        return mannwhitneyu(
            output[first], -output[~first], alternative="greater"
        ).pvalue
    among = [output[truth == name] > 0 for name in classes if (truth == name).any()]
    if len(among) < 2:
        return 1.0
    # a guess has 1 / n_classes, whatever the shares of the classes are
    gain = np.mean([right.mean() for right in among]) - 1 / len(among)
    variance = np.mean([_variance(right) for right in among]) / len(among)
    return norm.sf(gain / np.sqrt(variance))


def _variance(right):
    """Return the variance of a share, which is above 0 by the rule of succession."""
    share = (right.sum() + 1) / (len(right) + 2)
    return share * (1 - share) / len(right)


def _smaller(p_values):
    """Return the smaller of two p-values, for the fact that there are two."""
    return float(min(1, 2 * np.nanmin(p_values)))
