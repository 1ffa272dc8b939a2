"""
Styles of a digit, as the model sees them
=========================================

The weights of the training examples on a target are an embedding of that target: two
targets are close if their predictions rest on the same training examples. Neither
labels nor pixels are used to compare them. So the clusters of one class are its styles,
as far as the model treats them differently.
"""

# %%
# From run ids to coordinates of targets
# --------------------------------------
# Rows of X are runs. The embedding turns them into rows of targets.

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdatamodels import DatamodelRegressor, SubsetTrainer
from skdatamodels.applications import DatamodelEmbedding
from skdatamodels.datasets import load_digits_examples

train, targets = load_digits_examples(n_train=400)
targets = targets[:500]
trainer = SubsetTrainer(LogisticRegression(), train, targets, random_state=0)
runs = trainer.fit_transform(np.arange(1200))
datamodels = DatamodelRegressor(sparse=True, random_state=0).fit(runs)

embedding = DatamodelEmbedding(train=train).fit_transform(datamodels.coef_)
print(type(embedding).__name__, embedding.shape)

# %%
# All classes
# -----------

from skdatamodels.plotting import EmbeddingDisplay

plane = make_pipeline(DatamodelEmbedding(), PCA(10, random_state=0))
plane.fit(datamodels.coef_)
EmbeddingDisplay.from_estimator(plane, datamodels.coef_, targets.y)

# %%
# Components
# ----------
# Each component contrasts two groups of targets. These are the digits at both ends of
# the first few components:

from skdatamodels.plotting import ComponentDisplay

ComponentDisplay.from_estimator(
    plane, datamodels.coef_, targets, range(4), image_shape=(8, 8)
)

# %%
# Are they more than a pattern in the weights? Remove the 30 training examples with the
# most positive, or most negative, coordinates of a component, and train again. The
# margins of the targets at that end should fall, and those of the rest should not
# change.

from skdatamodels.applications import component_effects

effects = component_effects(
    trainer,
    plane[-1].components_[:4],
    plane.transform(datamodels.coef_)[:, :4],
    n_removed=30,
    n_ends=25,
    n_trials=1,
    n_control_trials=1,
)
print("component  end        same end  other end      rest")
for component in range(4):
    for end, name in enumerate(("positive", "negative")):
        changes = (
            part[component, end]
            for part in (effects.same_end, effects.other_end, effects.rest)
        )
        print(f"{component:<10} {name}  ", *(f"{change:+10.2f}" for change in changes))

# %%
# One class
# ---------
# The targets of one digit form three clusters. Each row shows members of one cluster.

import matplotlib.pyplot as plt

digit = 1
members = np.flatnonzero(targets.y == digit)
clusters = make_pipeline(PCA(5, random_state=0), KMeans(3, n_init=10, random_state=0))
styles = clusters.fit_predict(embedding[members])

figure, axes = plt.subplots(3, 10, figsize=(8, 2.8), layout="constrained")
for style, row in enumerate(axes):
    shown = members[styles == style][:10]
    row[0].set_ylabel(f"{(styles == style).sum()} targets", fontsize=8)
    for ax in row:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for ax, target in zip(row, shown, strict=False):
        ax.imshow(targets.X[target].reshape(8, 8), cmap="gray_r")
plt.show()

# %%
# How many directions?
# --------------------
# This is the number of components that explain nine tenths of the variance. The
# embedding has more of them than the pixels, so it distinguishes more.

from skdatamodels.applications import effective_dimension

print("datamodels:", effective_dimension(embedding))
print("pixels:", effective_dimension(targets.X))
