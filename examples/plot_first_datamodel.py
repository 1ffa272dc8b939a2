"""
Which digits made the model say that?
=====================================

This example shows all steps: train a classifier on many random halves of a training
set, fit a datamodel for each target, judge the datamodels on halves that they have not
seen, and look at the training examples that they find responsible.

The classifier is a logistic regression, which trains fast. For such a convex model a
closed-form influence function does as well without any run. Networks and trees need
datamodels; for these, only the estimator in this example changes.
"""

# %%
# Training set and targets
# ------------------------
# Targets are the examples whose predictions we want to explain. Both sets are
# :class:`~skdatamodels.Examples`: immutable, with a fingerprint of their content.

import numpy as np
from sklearn.linear_model import LogisticRegression

from skdatamodels import DatamodelRegressor, SubsetTrainer
from skdatamodels.datasets import load_digits_examples

train, targets = load_digits_examples(n_train=300)
targets = targets[:100]

# %%
# Runs
# ----
# A *run* is a model trained on a random half of the training set, and its margins on
# the targets: the logit of the true class minus the largest other logit. Run i depends
# only on `random_state` and i.

trainer = SubsetTrainer(LogisticRegression(), train, targets, alpha=0.5, random_state=0)
runs = trainer.fit_transform(np.arange(800))
print(runs)

# %%
# Datamodels
# ----------
# There is one LASSO for each target, from the 0/1 masks to the margins. The penalty of
# each target is chosen on held-out runs.

model = DatamodelRegressor(random_state=0).fit(runs[:600])
print(f"{(model.coef_ != 0).mean():.0%} of the weights are not zero")

# %%
# How far can they be trusted?
# ----------------------------
# On subsets that were not used above, we compare the predictions of the datamodels with
# the outputs of the trained models. The linear datamodeling score (LDS) is the rank
# correlation over subsets, averaged over targets.

from skdatamodels.metrics import lds_interval
from skdatamodels.plotting import PredictionDisplay

score, low, high = lds_interval(
    runs[600:].outputs, model.predict(runs[600:]), random_state=0
)
print(f"LDS {score:.2f}, 95 % interval {low:.2f} to {high:.2f}")
PredictionDisplay.from_estimator(model, runs[600:])

# %%
# The training examples behind a prediction
# -----------------------------------------
# The figure shows the three targets with the smallest mean margin, the training
# examples whose presence raises their margin most, and those whose presence lowers it
# most.

from skdatamodels.plotting import SimilarExamplesDisplay

hardest = runs.outputs.mean(axis=0).argsort()[:3]
SimilarExamplesDisplay.from_estimator(
    model, train, targets, hardest, n_examples=4, image_shape=(8, 8)
)
