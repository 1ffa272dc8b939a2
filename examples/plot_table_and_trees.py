"""
A table and a forest
====================

Datamodels need neither images nor gradients. The learner may be a random forest and the
examples the rows of a table: datamodels only have to train it on subsets. Which
patients made the forest doubt this one?
"""

# %%
# The data are ten measurements of 442 patients with diabetes. One is a category, and
# some values are missing. A fifth of the patients had fast progress of the disease
# within a year. The preprocessing is a part of the model: each run fits it to its own
# subset, so nothing is learned from the targets.

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import similar_examples
from skdatamodels.metrics import linear_datamodeling_score

data = load_diabetes(as_frame=True, scaled=False)
X = data.data.rename(columns={"s1": "cholesterol", "s6": "glucose"})
X["sex"] = pd.Categorical(np.where(X["sex"] == 1, "F", "M"))
X.loc[::13, "glucose"] = np.nan
y = pd.Series(np.where(data.target > 230, "fast", "slow"), index=X.index)
X_train, X_targets, y_train, y_targets = train_test_split(
    X, y, test_size=60, stratify=y, random_state=0
)
train = Examples(X_train, y_train, allow_nan=True)
targets = Examples(X_targets, y_targets, allow_nan=True)

forest = make_pipeline(
    make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["sex"]),
        (SimpleImputer(), make_column_selector(dtype_include="number")),
    ),
    RandomForestClassifier(20, min_samples_leaf=3),
)

# %%
# Forests give probabilities, and the margin is computed from their logs. Forests of 20
# trees are noisy; each run has its own seed. The influence in the forests, which costs
# a few seconds, is the prior of the datamodel.

trainer = SubsetTrainer(
    forest, train, targets, design="stratified", random_state=0, n_jobs=-1
)
runs = trainer.fit_transform(np.arange(600))
model = DatamodelRegressor(prior="cheap", random_state=0).fit(runs[:450])
score = linear_datamodeling_score(runs[450:].outputs, model.predict(runs[450:]))
print(f"LDS on held-out halves: {score:.2f}")

# %%
# The forests doubt the target with the lowest mean margin most. These are the patients
# that raise or lower its margin, by their index in the table. Of the measurements,
# those come first in which they differ most from it, and what differs by a standard
# deviation or more is highlighted.

from skdatamodels.plotting import SimilarExamplesDisplay

target = runs.outputs.mean(axis=0).argmin()
SimilarExamplesDisplay.from_estimator(model, train, targets, [target], n_examples=6)

# %%
# Without the six patients that raise it most, its margin falls. Weights predict effects
# in subsets of half the patients. In the whole training set, others can take the place
# of those removed, so the effect is somewhat smaller.

for_it = similar_examples(model, 6).positive[target]
without = np.ones((40, len(train)), dtype=bool)
without[:, for_it] = False
control = trainer.transform(np.ones((40, len(train)), dtype=bool)).outputs[:, target]
removed = trainer.transform(without).outputs[:, target]
print(f"predicted change: {-model.coef_[target, for_it].sum():.2f}")
print(f"true change:      {removed.mean() - control.mean():.2f} (40 forests each)")
