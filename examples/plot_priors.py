"""
Fewer trainings with a prior
============================

The cost of datamodels is the training of hundreds of models. Cheap attribution methods
are wrong in detail and right in outline: given to
:class:`~skdatamodels.regression.DatamodelRegressor` as a prior, they leave only the
detail to be learnt from runs. Which of them is worth it?
"""

# %%
# A learner without a formula
# ---------------------------
# A kernel machine on random features, on 200 digits. The last 150 runs are kept to
# judge by.

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
# None of them trains more than one model, and none of these is the kernel machine. The
# random one shows what a useless prior costs.

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
# Fit with each, on more and more runs. Sign and scale of a prior do not matter, for
# they are fitted; whether it is trusted is chosen on runs left out.

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

LDSCurveDisplay(sizes, {n: [one.score for one in s] for n, s in scores.items()}).plot()

# %%
# Random weights and similar pixels lie on one line: these two are not trusted.
# Without a prior it is nearly the same; lam was then chosen on a tenth of the runs, and
# not by folds. With 50 runs and the influence of a logistic model, a datamodel is as
# good as one of more than 200 runs without.
#
# What to do
# ----------
# - Always give the best cheap matrix that you have. For networks that was the influence
#   of a few networks of the same kind, trained on everything, or of a logistic
#   regression; for forests the k-NN Shapley values.
# - A useless prior costs next to nothing: one that does not clearly help is left out.
# - The gain is largest with few runs, and gone when there are many: train a fifth of
#   what you meant to, fit with a prior, and let
#   :func:`~skdatamodels.judging.plan_runs` tell whether more would pay.
# - A prior knows what its model knows. What only the learner in question does must
#   come from its runs; so judge the result on runs, never the prior alone.
#
# Networks and forests on two data sets at full size are in `benchmarks/priors.py`: with
# the best prior 100 runs did the work of 600 to 740 for a network, and of 800 for a
# forest.
