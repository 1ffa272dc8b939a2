"""
A table and a forest
====================

Datamodels need neither images nor gradients. The learner may be a random forest and the
examples the rows of a table: datamodels only have to train it on subsets. Which wines
made the forest doubt this one?
"""

# %%
# The data are thirteen measurements of 178 wines from three growers. A third of the
# wines are targets.

import numpy as np
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import similar_examples
from skdatamodels.metrics import linear_datamodeling_score

wine = load_wine(as_frame=True)
growers = wine.target_names[wine.target]
X_train, X_targets, y_train, y_targets = train_test_split(
    wine.data, growers, test_size=60, random_state=0
)
train, targets = Examples(X_train, y_train), Examples(X_targets, y_targets)

# %%
# Forests give probabilities, and the margin is computed from their logs. Forests of 20
# trees are noisy; each run has its own seed.

forest = RandomForestClassifier(20)
trainer = SubsetTrainer(forest, train, targets, random_state=0, n_jobs=-1)
runs = trainer.fit_transform(np.arange(800))
model = DatamodelRegressor(random_state=0).fit(runs[:650])
score = linear_datamodeling_score(runs[650:].outputs, model.predict(runs[650:]))
print(f"LDS on held-out halves: {score:.2f}")

# %%
# The forests doubt the target with the lowest mean margin most. These are the wines
# that raise or lower its margin. Of the measurements, those come first in which they
# differ most from it.

from skdatamodels.plotting import SimilarExamplesDisplay

target = runs.outputs.mean(axis=0).argmin()
SimilarExamplesDisplay.from_estimator(model, train, targets, [target], n_examples=6)

# %%
# Without the six wines that raise it most, its margin falls by about the sum of their
# weights.

for_it = similar_examples(model, 6).positive[target]
without = np.ones((20, len(train)), dtype=bool)
without[:, for_it] = False
control = trainer.transform(np.ones((20, len(train)), dtype=bool)).outputs[:, target]
removed = trainer.transform(without).outputs[:, target]
print(f"predicted change: {-model.coef_[target, for_it].sum():.2f}")
print(f"true change:      {removed.mean() - control.mean():.2f} (20 forests each)")
