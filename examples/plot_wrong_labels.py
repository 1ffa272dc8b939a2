"""
Wrong labels, found and fixed
=============================

An example with a wrong label pulls the predictions of others in the wrong direction:
its weights in their datamodels are negative on average. In this example we change the
labels of some digits, and use the weights to find out which.
"""

# %%
# We replace one in twenty of 600 training labels by another class.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import (
    find_label_errors,
    harmful_examples,
    mean_weights,
)
from skdatamodels.datasets import load_digits_examples

clean, test = load_digits_examples(n_train=600)
rng = np.random.default_rng(0)
wrong = rng.choice(600, 30, replace=False)
given = clean.y.copy()
given[wrong] = (given[wrong] + rng.integers(1, 10, 30)) % 10
train = Examples(clean.X, given)

# %%
# The training examples are also the targets: how does each of the others affect the
# margin of an example? ``exclude`` leaves out the runs that saw the target itself,
# because every example supports its own label, right or wrong.

trainer = SubsetTrainer(LogisticRegression(), train, train, random_state=0)
runs = trainer.fit_transform(np.arange(2000))
datamodels = DatamodelRegressor(exclude=np.arange(600), random_state=0, n_jobs=-1)
datamodels.fit(runs)

# %%
# The mean weight of an example over all targets shows whether it helps or harms. Each
# class of targets has the same weight in the mean, whatever its size.

is_wrong = np.isin(np.arange(600), wrong)
harm = -mean_weights(datamodels)
print(f"average precision: {average_precision_score(is_wrong, harm):.2f}")

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
bins = np.linspace(harm.min(), harm.max(), 50)
ax.hist(harm[~is_wrong], bins, label="right label")
ax.hist(harm[is_wrong], bins, label="wrong label")
ax.set(xlabel="mean harm to the margin of a target", ylabel="examples", yscale="log")
ax.legend()
plt.show()

# %%
# Look at the most harmful examples, with the labels as they were given. Green titles
# mark the labels that we changed.

suspects = harmful_examples(datamodels, 30).examples
fig, axes = plt.subplots(3, 10, figsize=(9, 3.4), layout="constrained")
for ax, i in zip(axes.flat, suspects, strict=True):
    ax.imshow(train.X[i].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"“{given[i]}”", color="green" if is_wrong[i] else "black", fontsize=9)
    ax.set_axis_off()
plt.show()

# %%
# If you only want the wrong labels, you need no datamodels, and a hundred runs are
# enough: how sure are the runs of an example's label that have not seen it? Look at
# :doc:`/label_errors` for what the probability means.

errors = find_label_errors(runs[:100], train, exclude=np.arange(600))
print(errors)
score = np.empty(600)
score[errors.examples] = errors.probability
print(f"average precision of 100 runs: {average_precision_score(is_wrong, score):.2f}")

# %%
# If we correct the wrong labels among the 30 most harmful examples, the model is nearly
# as good as without wrong labels.

fixed = given.copy()
fixed[suspects] = clean.y[suspects]
for name, y in (("given", given), ("fixed", fixed), ("clean", clean.y)):
    accuracy = LogisticRegression().fit(clean.X, y).score(test.X, test.y)
    print(f"{name} labels: accuracy on test digits {accuracy:.3f}")
