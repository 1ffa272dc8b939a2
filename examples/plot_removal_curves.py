"""
Which values of training rows are worth it?
===========================================

Several methods give values to training examples. The test is the same for all: does the
model get better without the worst, and worse without the best, than without as many
random ones?
"""

# %%
# Digits with wrong labels
# ------------------------
# We replace 60 of 400 training labels by another digit. The targets have the right
# labels. Half of them may choose which examples are good, and the other half judge.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import removal_curves
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import data_oob, knn_shapley, logistic_influence
from skdatamodels.plotting import RemovalCurvesDisplay

clean, targets = load_digits_examples(n_train=400)
targets = targets[:800]
rng = np.random.default_rng(0)
wrong = rng.choice(400, 60, replace=False)
given = clean.y.copy()
given[wrong] = (given[wrong] + rng.integers(1, 10, 60)) % 10
train = Examples(clean.X, given)
model = LogisticRegression()
trainer = SubsetTrainer(model, train, targets, random_state=0)

# %%
# Four ways to values
# -------------------
# Datamodel weights cost 300 trainings here. The influence in the logistic regression
# needs one fit, and Shapley values of a nearest-neighbour vote none. These three say
# which targets an example helps. Data-OOB does not: it has one value for each example,
# the share of trees that get its label right without having seen it.

runs = trainer.fit_transform(np.arange(300))
attributions = {
    "datamodels": DatamodelRegressor(penalty="l2", random_state=0).fit(runs),
    "logistic influence": logistic_influence(model, train, targets),
    "KNN Shapley": knn_shapley(train, targets),
    "Data-OOB": data_oob(
        DecisionTreeClassifier(), train, n_estimators=300, random_state=0
    ),
}

# %%
# Retraining
# ----------
# For each method the model is trained without the best and without the worst examples,
# in growing numbers.

curves = removal_curves(trainer, attributions, n_trials=10, random_state=0)
curves

# %%
# Without the worst fifth of the examples the model is better, since many wrong labels
# are among them. Without the best, it gets worse. But
# Data-OOB says how typical an example is, not how much the model needs it: the first
# hundred of its best are not missed.

fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, order in zip(axes, ("worst first", "best first"), strict=True):
    RemovalCurvesDisplay.from_curves(curves, order=order, ax=ax)
plt.show()

# %%
# All outputs are kept. So another metric costs nothing: here the mean margin, which is
# finer than accuracy.

print(curves.rescore("mean_output"))

# %%
# In the other direction, models see the first examples of each order and no others. A
# random choice is hard to beat, but the worst examples are clearly worse.

added = removal_curves(
    trainer,
    attributions,
    add=True,
    sizes=[20, 40, 80, 160],
    n_trials=10,
    random_state=0,
)
RemovalCurvesDisplay.from_curves(added)
plt.show()
print(added)
