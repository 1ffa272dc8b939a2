"""
Bad sources of data, found by a hundred runs
============================================

Training data often come from several sources: hospitals, customers, days, annotators.
With ``groups``, a run sees all examples of a source or none, and each source has one
weight. In this example, two of thirty sources have useless labels, and a hundred
trainings are enough to find them.
"""

# %%
# We split 900 digits at random into 30 sources of about 30 each, and shuffle the labels
# of two sources.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.datasets import load_digits_examples
from skdatamodels.runs import aggregate_targets

clean, targets = load_digits_examples(n_train=900)
rng = np.random.default_rng(3)
source = np.array([f"source {i:02d}" for i in rng.integers(30, size=900)])
bad = ["source 07", "source 19"]
labels = clean.y.copy()
shuffled = np.isin(source, bad)
labels[shuffled] = rng.permutation(labels[shuffled])
train = Examples(clean.X, labels, metadata={"source": source})

# %%
# The groups are a column of the metadata. Masks and weights have one column for each
# source, so a hundred runs are three times as many as there are weights to fit.

model = LogisticRegression()
trainer = SubsetTrainer(model, train, targets, groups="source", random_state=0)
runs = trainer.fit_transform(np.arange(100))
print(runs)

# %%
# We ask what each source does to all targets together: the mean margin is a single
# output, and its datamodel has a single row.

datamodel = DatamodelRegressor(random_state=0).fit(aggregate_targets(runs))
of_sources = datamodel.coef_[0]

# %%
# For comparison, the same number of runs on subsets of single examples. Their datamodel
# has 900 weights, which we sum over each source.

by_rows = SubsetTrainer(model, train, targets, random_state=0)
row_runs = by_rows.fit_transform(np.arange(100))
row_datamodel = DatamodelRegressor(random_state=0).fit(aggregate_targets(row_runs))
summed = trainer.sum_over_groups(row_datamodel.coef_)[0]

# %%
# The LASSO keeps the weights of the two bad sources only. The summed weights of
# examples are ten times smaller, and have a good source among the bad ones: a hundred
# runs cannot tell 900 examples apart.

is_bad = np.isin(datamodel.player_ids_, bad)
colours = np.where(is_bad, "tab:red", "tab:blue")
fig, axes = plt.subplots(1, 2, figsize=(8, 4.5), layout="constrained")
titles = "100 runs of sources", "100 runs of examples, summed"
for ax, weights, title in zip(axes, (of_sources, summed), titles, strict=True):
    order = np.argsort(weights)
    ax.barh(np.arange(30), weights[order], color=colours[order])
    worst = datamodel.player_ids_[order][:4]
    ax.set_yticks(np.arange(4), worst)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.locator_params(axis="x", nbins=5)
    ax.set(title=title, xlabel="effect on the mean margin (log-odds)")
axes[0].set_ylabel("the four lowest, and 26 more")
axes[1].plot([], [], "s", color="tab:red", label="labels shuffled")
axes[1].legend(loc="upper left")
plt.show()

# %%
# Without the two sources of the lowest weight, the model is better.

worst = datamodel.player_ids_[np.argsort(of_sources)[:2]]
kept = ~np.isin(source, worst)
for name, rows in (("all sources", slice(None)), (f"without {', '.join(worst)}", kept)):
    accuracy = model.fit(train.X[rows], train.y[rows]).score(targets.X, targets.y)
    print(f"{name}: accuracy {accuracy:.3f}")
