"""
How many digits does a prediction rest on?
==========================================

Some predictions stand on hundreds of training examples, others fall when a handful of
them is taken away. The smallest set whose removal flips a prediction is its *data
support*. Datamodels say what to remove; training without it tells whether they are
right.
"""

# %%
# Datamodels of some digits
# -------------------------
# A logistic regression trains fast and without randomness, so one training of each
# edited set will be enough.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances

from skdatamodels import DatamodelRegressor, SubsetTrainer
from skdatamodels.applications import DataSupportSearch
from skdatamodels.datasets import load_digits_examples

train, targets = load_digits_examples(n_train=300)
targets = targets[:40]
trainer = SubsetTrainer(LogisticRegression(), train, targets, random_state=0)
runs = trainer.fit_transform(np.arange(800))
model = DatamodelRegressor(random_state=0).fit(runs)

# %%
# The search
# ----------
# For each target the examples of highest weight are removed in growing numbers, until
# its margin is negative. The size found is then *certified*: the model is trained
# without 20 % more, and must be wrong about the target.

search = DataSupportSearch(trainer, n_trials=1, random_state=0)
searches = {
    "datamodel": search.fit(model.coef_),
    "pixel distance": DataSupportSearch(trainer, n_trials=1, random_state=0).fit(
        -pairwise_distances(targets.X, train.X)
    ),
}
for name, found in searches.items():
    print(
        f"{name}: {found.certified_.mean():.0%} certified, "
        f"{found.censored_.sum()} of {len(targets)} not flipped, half of the targets "
        f"within {np.nanquantile(np.nan_to_num(found.support_size_, nan=9e9), 0.5):.0f}"
    )

# %%
# Whatever ranks training examples can drive the search. The method whose line is higher
# knows better what the model learnt the target from. Leaving out the nearest images in
# pixels takes more of them.

from skdatamodels.plotting import DataSupportDisplay

DataSupportDisplay.from_estimator(searches)

# %%
# The heuristic without training
# ------------------------------
# Weights are in the unit of the margin. So how many of them, highest first, add up to
# the margin of the model trained on everything? This needs no training at all, and
# leaves those targets without a number whose positive weights are too few.

both = ~np.isnan(search.predicted_size_) & ~search.censored_
plt.figure(figsize=(4.5, 4), layout="constrained")
plt.scatter(search.predicted_size_[both], search.support_size_[both], s=16)
plt.axline((0, 0), slope=1, color="grey", lw=1, ls="--")
plt.xlabel("Predicted size")
plt.ylabel("Size found by training")
plt.show()

# %%
# A brittle prediction
# --------------------
# Of the targets that rest on three examples or more, the one that rests on the fewest,
# and what has to be removed.

sizes = np.where(search.support_size_ >= 3, search.support_size_, np.inf)
brittle = sizes.argmin()
support = search.support_indices_[brittle]
_, axes = plt.subplots(1, 1 + len(support), layout="constrained", squeeze=False)
shown = [(targets, brittle), *((train, row) for row in support)]
for ax, (part, row) in zip(axes[0], shown, strict=True):
    ax.imshow(part.X[row].reshape(8, 8), cmap="gray_r")
    ax.set(xticks=[], yticks=[], title=part.y[row], xlabel="removed")
axes[0, 0].set_xlabel("target")
print(
    f"margin {search.control_[brittle]:.2f} in log-odds; wrong without {len(support)} "
    f"of {len(train)} examples"
)
plt.show()
