"""
Searching over the subset size and the penalty
==============================================

Runs are rows, so a trainer and a regressor form a :class:`~sklearn.pipeline.Pipeline`,
and :class:`~sklearn.model_selection.GridSearchCV` searches over the subsampling
fraction α and the penalty λ together. With a store, each model is trained only once,
whatever the number of λ and folds.

Scores of different α come from different subsets and cannot be compared. A scorer made
by :func:`~skdatamodels.metrics.make_lds_scorer` judges every setting on one fixed set
of runs.
"""

# %%
# Wine, and one set of runs to judge by
# -------------------------------------
import tempfile

import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.metrics import make_lds_scorer

X, y = load_wine(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
train, targets = Examples(X_train, y_train), Examples(X_test, y_test)
classifier = make_pipeline(StandardScaler(), SVC())

judges = SubsetTrainer(classifier, train, targets, alpha=0.5, random_state=1)
evaluation_runs = judges.fit_transform(np.arange(200))

# %%
# The search
# ----------
folder = tempfile.TemporaryDirectory()
pipeline = make_pipeline(
    SubsetTrainer(classifier, train, targets, store=folder.name, random_state=0),
    DatamodelRegressor(),
)
search = GridSearchCV(
    pipeline,
    {
        "subsettrainer__alpha": [0.25, 0.5, 0.75],
        "datamodelregressor__lam": [1e-3, 3e-3, 1e-2, 3e-2],
    },
    scoring=make_lds_scorer(evaluation_runs),
    cv=3,
)
search.fit(np.arange(400))
folder.cleanup()
print(search.best_params_)

# %%
# The score of each setting
# -------------------------
# Here the evaluation runs were trained on halves.

import matplotlib.pyplot as plt

results = search.cv_results_
alphas = results["param_subsettrainer__alpha"].astype(float)
for alpha in np.unique(alphas):
    rows = alphas == alpha
    plt.semilogx(
        results["param_datamodelregressor__lam"][rows].astype(float),
        results["mean_test_score"][rows],
        "o-",
        label=f"α = {alpha}",
    )
plt.xlabel("λ (log-odds)")
plt.ylabel("LDS on the evaluation runs")
plt.legend()
plt.show()
