"""
How many digits does a prediction rest on?
==========================================

Some predictions rest on hundreds of training examples, others change when a handful of
them is removed. The smallest set whose removal flips a prediction is its *data
support*. Datamodels say what to remove, and training without it shows whether they are
right.
"""

# %%
# Datamodels of some digits
# -------------------------
# A logistic regression trains fast and without randomness, so one training on each
# edited set is enough.

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
# For each target, the examples of highest weight are removed in growing numbers, until
# the margin is negative. The size found is then *certified*: the model is trained
# with 20 % more examples removed, and must get the target wrong.

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
# Anything that ranks training examples can guide the search. The method with the higher
# line knows better from which examples the model learnt the target. If the nearest
# images in pixels are removed, more of them are needed.

from skdatamodels.plotting import DataSupportDisplay

DataSupportDisplay.from_estimator(searches)

# %%
# A prediction without training
# -----------------------------
# Weights have the unit of the margin. So how many of them, highest first, add up to
# the margin of the model trained on everything? This needs no training at all. A target
# with too few positive weights gets no number.

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
# Of the targets that rest on three examples or more, this one rests on the fewest.
# Beside it are the examples that have to be removed.

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
