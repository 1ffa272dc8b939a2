"""
What would the model say without these digits?
==============================================

A datamodel predicts what happens to a prediction when training examples are removed:
the margin changes by minus the sum of their weights. The datamodel has only seen models
of random halves. Can it tell what a model of nearly everything does, after a carefully
chosen removal? Retraining gives the answer.
"""

# %%
# Datamodels of a digit classifier
# --------------------------------

import numpy as np
from sklearn.linear_model import LogisticRegression

from skdatamodels import DatamodelRegressor, SubsetTrainer
from skdatamodels.datasets import load_digits_examples

train, targets = load_digits_examples(n_train=300)
targets = targets[:60]
trainer = SubsetTrainer(LogisticRegression(), train, targets, random_state=0)
runs = trainer.fit_transform(np.arange(1500))
datamodels = DatamodelRegressor(random_state=0).fit(runs)

# %%
# One question
# ------------
# Take the target with the smallest positive mean margin. The datamodel answers without
# training.

from skdatamodels.applications import predict_counterfactual, similar_examples

margins = runs.outputs.mean(axis=0)
target = np.flatnonzero(margins > 0)[margins[margins > 0].argmin()]
ten = similar_examples(datamodels.coef_, 10).positive[target]
change = predict_counterfactual(datamodels.coef_, [ten])[target, 0]
print(
    f"target {target}, a {targets.y[target]}: mean margin of half-subsets "
    f"{margins[target]:.2f}, predicted change without ten examples {change:+.2f}"
)

# %%
# Many questions, answered by retraining
# --------------------------------------
# For 30 targets, remove the examples of highest weight, of lowest weight, random ones
# and, as a baseline, the nearest in pixels: two to thirty of 300. A logistic regression
# has no randomness, so one training per set is enough. For a network, ask for more
# trainings, which are averaged.

from sklearn.metrics import euclidean_distances

from skdatamodels.applications import CounterfactualEvaluation
from skdatamodels.plotting import CounterfactualDisplay

evaluation = CounterfactualEvaluation(
    trainer,
    heuristics=["top", "bottom", "random"],
    baselines={"nearest pixels": -euclidean_distances(targets.X, train.X)},
    sizes=[2, 5, 10, 20, 30],
    target_indices=np.arange(30),
    n_trials=1,
    n_control_trials=1,
    random_state=0,
).fit(datamodels.coef_)
CounterfactualDisplay.from_estimator(evaluation)

# %%
# Small effects lie on the diagonal. Large falls are larger than predicted: a datamodel
# is a straight line through what random halves do, but the fewer examples of a class
# are left, the more each of them matters. The order is right. By heuristic:

evaluation.effects_

# %%
# The weights find what matters: removing their examples lowers the margin more than
# removing the same number of nearest examples in pixels.

effects = evaluation.effects_
for name in ("top", "nearest pixels", "random"):
    chosen = (effects.heuristic == name) & (effects.size == 20)
    print(f"{name:<15} {effects.true[chosen].mean():+.2f}")

# %%
# Another model
# -------------
# Do the weights say something about the digits, or only about logistic regression? We
# ask a classifier with a radial kernel the same questions. Its margins have
# another scale, so look at the rank correlation.

from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline

machine = make_pipeline(Nystroem(gamma=0.1, random_state=0), RidgeClassifier())
evaluation.set_params(trainer__estimator=machine).fit(datamodels.coef_)
print(f"Spearman {evaluation.correlations_['all'].spearman:.2f}")
CounterfactualDisplay.from_estimator(evaluation)
