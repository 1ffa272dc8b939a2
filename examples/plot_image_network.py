"""
A convolutional network on faces
================================

:class:`~skdatamodels.training.ImageLearner` trains a network on each subset of the
images. It shifts, mirrors and partly covers the images at random, and uses one cycle of
the learning rate. In this example a small network learns to tell faces from other
images, and the datamodels say from which images it learnt this.
"""

# %%
# Images
# ------
# scikit-image provides 200 grey images of 25 by 25 pixels; half of them are faces. The
# learner takes bytes, with the colour channels last.

import matplotlib.pyplot as plt
import numpy as np
from skimage.data import lfw_subset
from torch import nn

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.training import ImageLearner

X = (255 * lfw_subset()).astype(np.uint8)[..., None]
y = np.repeat(["face", "other"], 100)
order = np.random.default_rng(0).permutation(200)
train, targets = (Examples(X[rows], y[rows]) for rows in (order[:100], order[100:]))

# %%
# Runs
# ----


def make_network():
    """Return three convolutions, each at half the resolution of the one before."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 2),
    )


learner = ImageLearner(
    make_network, epochs=8, peak_epoch=3, batch_size=25, lr=0.2, crop=2, cutout=5
)
trainer = SubsetTrainer(learner, train, targets, output="log_odds", random_state=0)
runs = trainer.fit_transform(np.arange(350))
print(f"accuracy on the targets: {(runs.outputs > 0).mean():.2f}")

# %%
# The images that a prediction rests on
# -------------------------------------
# Each row shows a target, at the left, and the training images that help and hurt it
# most.

from skdatamodels.plotting import SimilarExamplesDisplay

model = DatamodelRegressor(random_state=0).fit(runs)
mean = runs.outputs.mean(axis=0)
face, other = (np.flatnonzero(targets.y == label) for label in ("face", "other"))
shown = [*face[mean[face].argsort()[:2]], *other[mean[other].argsort()[:2]], face[0]]
SimilarExamplesDisplay.from_estimator(
    model, train, targets, shown, n_examples=4, cmap="gray"
)
plt.show()
