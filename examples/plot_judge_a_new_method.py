"""
Is my new attribution method any good?
======================================

You have an idea for a new attribution method. Whether it is good usually takes hundreds
of trainings to find out. Here they are ready: the package has runs of small data sets
to judge methods by.
"""

# %%
# The runs
# --------
# A small network was trained on halves of 400 digits: 1,000 times for methods that
# learn from runs, and on 200 other halves, twice each, to judge by. Twenty labels are
# wrong. Four images of a 3 have a bright left edge. Ten targets have it too; nine of
# them are other digits, but their output is how far the network takes them for a 3.

from skdatamodels.datasets import load_judged_runs

judged = load_judged_runs("digits_mlp")
judged

# %%
# The new method
# --------------
# The idea: a training example raises the margin of a target if it is similar and has
# the same label, and lowers it if it is similar and has another label.

import numpy as np
from sklearn.metrics.pairwise import rbf_kernel


def signed_similarity(train, targets, gamma):
    """Similarity to the target, negative for other labels."""
    same_label = targets.y[:, None] == train.y
    return np.where(same_label, 1, -1) * rbf_kernel(targets.X, train.X, gamma)


# %%
# The judgement
# -------------
# The method has a setting, so it is passed as a dict by setting: some runs and targets
# choose, and the others judge. Beside it are methods that we know: influence functions
# of the network, and datamodels of 200 and of 1,000 runs.
#
# Most tests need nothing from you. One does: what the method gives for a learner that
# has learnt nothing. Here its labels are shuffled.

from skdatamodels import DatamodelRegressor, Examples
from skdatamodels.influence import mlp_influence
from skdatamodels.judging import judge

train, targets = judged.train, judged.targets
learner = judged.learner.set_params(random_state=0)
shuffled = Examples(train.X, np.random.default_rng(0).permutation(train.y))


def datamodel(n_runs):
    """Fit a datamodel on the first runs."""
    return DatamodelRegressor(random_state=0).fit(judged.runs[:n_runs])


methods = {
    "signed similarity": {
        f"gamma={gamma}": signed_similarity(train, targets, gamma)
        for gamma in (0.1, 0.5, 2)
    },
    "influence": lambda: mlp_influence(learner, train, targets),
    "datamodel, 200 runs": lambda: datamodel(200),
    "datamodel, 1,000 runs": lambda: datamodel(1000),
}
without_learning = {"signed similarity": signed_similarity(shuffled, targets, 0.5)}
comparison = judge(
    methods, judged, tests={"randomised": without_learning}, random_state=0
)
comparison

# %%
# The score says how well unseen runs are ranked. The new method is well above both
# controls, and it costs nothing. But it is below the influence functions, and far below
# the datamodels and the noise ceiling.

comparison.tests

# %%
# How to read the tests
# ---------------------
# By these tests the new method would be the best: it finds the class of the target, the
# wrong labels and the shortcut. But it was built to pass them. It looks at labels, so
# the highest weights are those of the class, as they are for the control that knows
# nothing else; an example with a wrong label is similar to others that have another
# label; and images with the same bright edge are similar, whether or not the network
# looks at the edge. What it gives for shuffled labels tells that it knows little of
# what was learnt: a good part of the weights is the same.
#
# Influence functions find nothing of the shortcut. They are computed on a network that
# has seen all four examples, each of which is redundant there; the runs were trained
# on two of them, as a rule. Datamodels find it, because it matters in the runs.
#
# So a test of this kind is something that a method can fail. Whether it is right is
# told by what it predicts. The next step is other judged runs, with another learner:

forest = load_judged_runs("breast_cancer_forest")
other = judge(
    {
        "signed similarity": {
            f"gamma={gamma}": signed_similarity(forest.train, forest.targets, gamma)
            for gamma in (1e-5, 1e-4, 1e-3)
        }
    },
    forest,
    random_state=0,
)
other

# %%
# There it is not much better than the indicator of the class. Both were judged by the
# same runs, so the interval of the difference is the one to look at:

other.difference("signed similarity", "same class")
