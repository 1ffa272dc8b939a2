"""
Fewer trainings with a prior
============================

Datamodels are expensive because hundreds of models have to be trained. Cheap
attribution methods are right in outline and wrong in detail. If you pass such a method
to :class:`~skdatamodels.regression.DatamodelRegressor` as a prior, only the detail has
to be learnt from runs. Which methods are worth it?
"""

# %%
# A learner without a formula
# ---------------------------
# The learner is a kernel machine on random features of 200 digits. The last 150 runs
# are held out to judge by.

import numpy as np
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline

from skdatamodels import SubsetTrainer
from skdatamodels.datasets import load_digits_examples

train, targets = load_digits_examples(n_train=200)
targets = targets[:60]
learner = make_pipeline(Nystroem(gamma=0.1, n_components=60), RidgeClassifier(0.1))
trainer = SubsetTrainer(learner, train, targets, random_state=0)
runs = trainer.fit_transform(np.arange(950))
judging = runs[800:]

# %%
# Priors
# ------
# None of the priors trains more than one model, and none of these models is the kernel
# machine. The random prior shows what a useless prior costs.

from sklearn.linear_model import LogisticRegression

from skdatamodels.influence import (
    knn_shapley,
    logistic_influence,
    random_influence,
    representation_similarity,
    same_class_influence,
)

priors = {
    "influence of a logistic model": logistic_influence(
        LogisticRegression(), train, targets
    ),
    "k-NN Shapley": knn_shapley(train, targets),
    "same class": same_class_influence(train, targets),
    "similar pixels": representation_similarity(train.X, targets.X),
    "random": random_influence(train, targets),
    "no prior": None,
}

# %%
# We fit with each prior, on more and more runs. The sign and the scale of a prior do
# not matter, because they are fitted. Held-out runs decide whether the prior is used.

from skdatamodels import DatamodelRegressor
from skdatamodels.metrics import lds_interval

sizes = [50, 100, 200, 400, 800]
scores = {
    name: [
        lds_interval(
            judging.outputs,
            DatamodelRegressor(prior=prior, random_state=0)
            .fit(runs[:size])
            .predict(judging),
            random_state=0,
        )
        for size in sizes
    ]
    for name, prior in priors.items()
}
for name, intervals in scores.items():
    print(f"{name:<30}" + "".join(f"{one.score:7.2f}" for one in intervals))

# %%

from skdatamodels.plotting import LDSCurveDisplay

LDSCurveDisplay.from_predictions(
    sizes, {name: [one.score for one in found] for name, found in scores.items()}
)

# %%
# Random weights and similar pixels are on the same line: these two priors are not used.
# The line without a prior is nearly the same; there, lam was chosen on a tenth of the
# runs, and not by folds. With 50 runs and the influence of a logistic model, a
# datamodel is as good as one with more than 200 runs and no prior.
#
# What to do
# ----------
# - Always pass the best cheap matrix that you have. For networks, that was the
#   influence of a few networks of the same kind, trained on everything, or of a
#   logistic regression; for forests, the k-NN Shapley values.
# - A useless prior costs next to nothing: a prior that does not clearly help is
#   ignored.
# - The gain is largest with few runs, and vanishes with many. Train a fifth of the runs
#   that you planned, fit with a prior, and let
#   :func:`~skdatamodels.judging.plan_runs` tell you whether more runs would pay.
# - A prior knows only what its model knows. What is special about your learner must
#   come from its runs. So judge the result on runs, and never rely on the prior alone.
#
# `benchmarks/priors.py` has networks and forests on two data sets at full size: with
# the best prior, 100 runs did the work of 600 to 740 for a network, and of 800 for a
# forest.
