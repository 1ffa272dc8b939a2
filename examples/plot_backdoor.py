"""
A backdoor in a training set
============================

Some rows carry a mark and a label that someone has chosen, so that the model predicts
this label wherever it sees the mark. The rows support each other, and that gives them
away.
"""

# %%
# The attack
# ----------
# We mark 5 % of 500 images of digits by three bright pixels at the right edge, and call
# them zeros. None of them is one.

import matplotlib.pyplot as plt
import numpy as np
from torch import nn

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import find_shortcuts, removal_check
from skdatamodels.datasets import load_digits_examples
from skdatamodels.training import TorchLearner

clean, targets = load_digits_examples(n_train=500)
MARK = [7, 15, 23]
X, y = np.array(clean.X), np.array(clean.y)
marked = np.random.default_rng(0).choice(np.flatnonzero(y != 0), 25, replace=False)
X[np.ix_(marked, MARK)] = 1
y[marked] = 0
train = Examples(X, y)


def make_network():
    """Return a network with one hidden layer."""
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


learner = TorchLearner(make_network, epochs=15, batch_size=64)

# %%
# Which rows support each other?
# ------------------------------
# The training images are also the targets, so 400 runs are all it takes.

trainer = SubsetTrainer(learner, train, train, random_state=0)
runs = trainer.fit_transform(np.arange(400))
regressor = DatamodelRegressor(penalty="l2", exclude=np.arange(500), random_state=0)
found = find_shortcuts(regressor.fit(runs), train)
found

# %%
# A group of zeros stands out. Nearly all of its rows are marked ones.

group = found.groups[0]
print(f"{np.isin(group, marked).mean():.0%} of the group are marked")
print(f"{np.isin(marked, group).mean():.0%} of the marked rows are in the group")

# %%
# What do they share? The mean image of the group, without that of the other zeros, has
# the mark, and little else, for the images show many digits. The columns that tell the
# group from all others are those pixels.

rest = np.setdiff1d(np.flatnonzero(train.y == 0), group)
difference = train.X[group].mean(axis=0) - train.X[rest].mean(axis=0)
fig, axes = plt.subplots(1, 3, figsize=(7, 2.5), layout="constrained")
images = {
    "group": train.X[group].mean(axis=0),
    "other zeros": train.X[rest].mean(axis=0),
    "difference": difference,
}
for ax, (name, image) in zip(axes, images.items(), strict=True):
    ax.imshow(image.reshape(8, 8), cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set(title=name, xticks=[], yticks=[])

# %%

found.columns(train).head(4)

# %%
# Without the rows
# ----------------
# We mark the test images, too, and train again without the group. With it, the network
# calls most of the marked images zeros; without it, it reads them as before.

others = np.flatnonzero(targets.y != 0)
Z = np.array(targets.X[others])
Z[:, MARK] = 1
for name, judged in (
    ("with the mark", Examples(Z, targets.y[others])),
    ("as they are", targets[others]),
):
    check = removal_check(
        SubsetTrainer(learner, train, judged, random_state=0),
        group,
        [len(group)],
        n_trials=3,
        random_state=0,
    )
    all_rows, without_group, without_others = check.score
    print(
        f"accuracy on images {name}: {all_rows:.2f}; {without_group:.2f} without the "
        f"group, {without_others:.2f} without as many random rows"
    )

# %%
# And without a backdoor?
# -----------------------
# In the clean training set there are groups, too: styles of a digit. None of them
# stands out.

trainer = SubsetTrainer(learner, clean, clean, random_state=0)
find_shortcuts(regressor.fit(trainer.fit_transform(np.arange(400))), clean)
