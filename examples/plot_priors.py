"""
A hundred runs with a prior
===========================

Datamodels are expensive because hundreds of models have to be trained. Cheap
attribution methods are right in outline and wrong in detail. If you pass them to
:class:`~skdatamodels.regression.DatamodelRegressor` as a prior, only the detail has to
be learnt from runs.
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
# None of these methods trains more than one model, and none of these models is the
# kernel machine. The random matrix shows what a useless prior costs.

from sklearn.linear_model import LogisticRegression

from skdatamodels.influence import (
    knn_shapley,
    logistic_influence,
    random_influence,
    representation_similarity,
    same_class_influence,
)

methods = {
    "influence of a logistic model": logistic_influence(
        LogisticRegression(), train, targets
    ),
    "k-NN Shapley": knn_shapley(train, targets),
    "same class": same_class_influence(train, targets),
    "similar pixels": representation_similarity(train.X, targets.X),
    "random": random_influence(train, targets),
}
priors = {
    "no prior": None,
    "influence of a logistic model": methods["influence of a logistic model"],
    "random": methods["random"],
    "all five": methods,
}

# %%
# We fit with each prior, on more and more runs. The scales of the matrices do not
# matter, because they are fitted.

from skdatamodels import DatamodelRegressor
from skdatamodels.metrics import lds_interval

sizes = [50, 100, 200, 400, 800]
scores, penalties = {}, {}
for name, prior in priors.items():
    models = [
        DatamodelRegressor(prior=prior, random_state=0).fit(runs[:size])
        for size in sizes
    ]
    scores[name] = [
        lds_interval(judging.outputs, model.predict(judging), random_state=0)
        for model in models
    ]
    penalties[name] = [model.penalty_ for model in models]
    print(
        f"{name:<30}"
        + "".join(
            f"{one.score:6.2f} {penalty}"
            for one, penalty in zip(scores[name], penalties[name], strict=True)
        )
    )

# %%

from skdatamodels.plotting import LDSCurveDisplay

LDSCurveDisplay.from_predictions(
    sizes, {name: [one.score for one in found] for name, found in scores.items()}
)

# %%
# What each matrix is worth
# -------------------------
# The weights of the matrices are fitted to the runs, so a useless one costs nothing.
# Each weight is the standard deviation of what the matrix adds to the prediction, in
# units of that of the output:

for name, weight in models[-1].prior_weights_.items():
    print(f"{name:<30}{weight:6.2f}")

# %%
# The penalty was chosen by the error on held-out runs. l2 is a ridge that starts from
# the prior; l1 is the LASSO.
#
# What to do
# ----------
# - Pass every cheap matrix that you have, or ``prior="cheap"``, which computes what
#   suits your learner.
# - The gain is largest with few runs, and vanishes with many. Start with a hundred
#   runs, and let :func:`~skdatamodels.judging.plan_runs` tell you whether more runs
#   would pay.
# - A prior knows only what its model knows. What is special about your learner must
#   come from its runs. So judge the result on runs, and never rely on the prior alone.
#
# :doc:`/how_many_runs` has networks, forests and boosting on real data.
