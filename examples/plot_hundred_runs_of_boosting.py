"""
A hundred runs of boosting on a table
=====================================

Gradient boosting on a table takes a good part of a second to train, and plain
datamodels need thousands of trainings. With ``prior="cheap"`` a hundred do: the
influence of the trees is computed from the models that are trained anyway, and the runs
only correct it.
"""

# %%
# A table and a model
# -------------------
# We ask which of 300 patients decide what a model says about 80 others.

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
names = np.array(["malignant", "benign"])[y]
train, targets = Examples(X[:300], names[:300]), Examples(X[300:380], names[300:380])
learner = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=6)
trainer = SubsetTrainer(
    learner, train, targets, output="log_odds", keep_models=20, random_state=0
)

# %%
# A hundred runs
# --------------
# Each run trains on a random half of the rows. The first 20 models are kept, and the
# influence of each row in each of them is averaged. Other cheap attributions join it.
# The regressor finds out from the runs what each is worth.

runs = trainer.fit_transform(np.arange(100))
datamodels = DatamodelRegressor(prior="cheap", random_state=0).fit(runs)
runs.attributions

# %%

for name, weight in datamodels.prior_weights_.items():
    print(f"{name:<30}{weight:6.2f}")
print("penalty:", datamodels.penalty_)

# %%
# Is it right?
# ------------
# We judge by 150 subsets that were not fitted. The linear datamodeling score is the
# rank correlation of predicted and true outputs. How many runs does the LASSO need
# without a prior?

from skdatamodels.metrics import lds_interval
from skdatamodels.plotting import LDSCurveDisplay

judging = trainer.transform(np.arange(1000, 1150))
more = trainer.transform(np.arange(400))
sizes = [50, 100, 200, 400]
scores = {}
for label, prior in {"prior='cheap'": "cheap", "no prior": None}.items():
    model = DatamodelRegressor(prior=prior, random_state=0)
    scores[label] = [
        lds_interval(
            judging.outputs, model.fit(more[:size]).predict(judging), random_state=0
        )
        for size in sizes
    ]
LDSCurveDisplay(sizes, scores).plot()

# %%
# The rows that decide
# --------------------
# The target that the models are least sure of, and the rows whose presence moves its
# log-odds most. Positive weights raise the log-odds of its own class.

hardest = int(np.abs(runs.outputs.mean(axis=0)).argmin())
weights = datamodels.coef_[hardest]
order = np.argsort(-np.abs(weights))[:8]
table = X.iloc[order, :4]
table.insert(0, "class", train.y[order])
table.insert(0, "weight", weights[order].round(2))
print(f"target {hardest}: {targets.y[hardest]}")
table
