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

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import similar_examples
from skdatamodels.metrics import linear_datamodeling_score

wine = load_wine()
X, y = StandardScaler().fit_transform(wine.data), wine.target
rows = np.arange(len(y))
train_rows, target_rows = train_test_split(rows, test_size=60, random_state=0)
train, targets = (Examples(X[r], y[r], ids=r) for r in (train_rows, target_rows))

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
# The forests doubt the target with the lowest mean margin most. We look at the wines
# that raise or lower its margin, in the two measurements in which these wines differ
# most.

target = runs.outputs.mean(axis=0).argmin()
found = similar_examples(model.coef_, 6)
for_it, against = found.positive[target], found.negative[target]
apart = train.X[for_it].mean(axis=0) - train.X[against].mean(axis=0)
first, second = np.argsort(-np.abs(apart))[:2]

fig, ax = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
for grower in range(3):
    of = train.y == grower
    ax.plot(
        *train.X[of][:, [first, second]].T, ".", alpha=0.4, label=f"grower {grower}"
    )
ax.plot(*train.X[for_it][:, [first, second]].T, "^", color="tab:blue", label="for it")
ax.plot(*train.X[against][:, [first, second]].T, "v", color="tab:red", label="against")
ax.plot(*targets.X[target][[first, second]], "k*", markersize=14, label="the target")
ax.set(
    xlabel=wine.feature_names[first],
    ylabel=wine.feature_names[second],
    title=f"a wine of grower {targets.y[target]}; standardised",
)
ax.legend(fontsize=8)
plt.show()

# %%
# Without the six wines that raise it most, its margin falls by about the sum of their
# weights.

without = np.ones((20, len(train)), dtype=bool)
without[:, for_it] = False
control = trainer.transform(np.ones((20, len(train)), dtype=bool)).outputs[:, target]
removed = trainer.transform(without).outputs[:, target]
print(f"predicted change: {-model.coef_[target, for_it].sum():.2f}")
print(f"true change:      {removed.mean() - control.mean():.2f} (20 forests each)")
