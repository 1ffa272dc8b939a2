"""
Which rows should go so that the worst group gets better?
=========================================================

A model that learned a shortcut is wrong where the shortcut fails. Weights tell which
training examples taught it. Dropping some of them may repair the model, and retraining
shows whether it does.
"""

# %%
# A shortcut
# ----------
# Is a digit odd or even? In the training set, a bright pixel in the corner goes with
# odd digits in 95 % of the images. In the targets, it says nothing. So there are four
# groups of targets, and in two of them the corner misleads.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import select_examples
from skdatamodels.datasets import load_digits_examples

rng = np.random.default_rng(0)


def with_mark(examples, share):
    """Mark images; return them with their parity, and their groups."""
    X, odd = np.array(examples.X), examples.y % 2
    marked = np.where(rng.random(len(X)) < share, odd == 1, odd == 0)
    X[marked, 7] = 1  # the corner at the top right, as bright as any ink
    parity = np.where(odd, "odd", "even").astype(object)
    return Examples(X, odd), parity + np.where(marked, ", marked", "")


train, targets = load_digits_examples(n_train=800)
train, train_groups = with_mark(train, 0.95)
targets, groups = with_mark(targets, 0.5)

# %%
# Weights
# -------
# A hundred runs are enough, with cheap attributions as the prior.

trainer = SubsetTrainer(LogisticRegression(C=0.1), train, targets, random_state=0)
runs = trainer.fit_transform(np.arange(100))
regressor = DatamodelRegressor(prior="cheap", random_state=0).fit(runs)

# %%
# What to drop
# ------------
# Half of the targets choose. They know their groups; the training set need not.

choosing = np.arange(500)
params = {"objective": "worst_group", "outputs": runs, "targets": choosing}
selection = select_examples(regressor, groups=groups, **params)
selection

# %%
# All of the first rows follow the shortcut:

names, counts = np.unique(train_groups[selection.examples[:100]], return_counts=True)
print(dict(zip(names.tolist(), counts.tolist(), strict=True)))

# %%
# Is it true?
# -----------
# The other half judges models that are trained without these rows, without random ones,
# and on random subsets with equal groups, for which the groups of the training
# rows must be known.

sizes = [50, 100, 200, 300]
check = selection.verify(
    trainer, sizes, train_groups=train_groups, n_trials=5, random_state=0
)
check

# %%
# If nobody knows the groups
# --------------------------
# Then each class of targets is divided by the first principal component of its weights.
# The true groups are only used to judge.

guessed = select_examples(regressor, groups="components", **params)
check_of_guessed = guessed.verify(
    trainer, sizes, groups=groups[len(choosing) :], n_trials=5, random_state=0
)

curves = {
    "selected, known groups": (check, "selected"),
    "selected, component groups": (check_of_guessed, "selected"),
    "random": (check, "random"),
}
fig, ax = plt.subplots(layout="constrained")
for label, (result, chosen) in curves.items():
    rows = np.isin(result.chosen, ["none", chosen])
    ax.errorbar(
        result.size[rows],
        result.worst[rows],
        result.worst_change_error[rows],
        marker="o",
        capsize=3,
        label=label,
    )
balanced = check.worst[check.chosen == "group_balanced"][0]
ax.axhline(balanced, color="grey", linestyle=":", label="balanced groups")
ax.set(xlabel="dropped training examples", ylabel="accuracy of the worst group")
ax.legend()
plt.show()
