"""
Test images that the training set contains already
==================================================

A model looks better than it is if its test set repeats its training set. In this
example we hide copies of training digits among the targets, disguised by noise or
another brightness. We search for them with two kinds of evidence: the weights of
datamodels, which show what the model needed, and the distance in pixels.
"""

# %%
# Hidden copies
# -------------
# Half of the copies are of digits that are hard for the model, half are of other
# digits.

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.datasets import load_digits_examples

train, targets = load_digits_examples(n_train=300)
targets = targets[:150]
rng = np.random.default_rng(0)
probabilities = cross_val_predict(
    LogisticRegression(), train.X, train.y, method="predict_proba"
)
order = probabilities[np.arange(300), train.y].argsort()
rows = np.r_[rng.permutation(order[:40])[:20], rng.permutation(order[60:])[:20]]
copies = train.X[rows]
copies[::2] += rng.normal(0, 0.12, copies[::2].shape)
copies[1::2] *= 0.6
planted = Examples(
    np.concatenate([targets.X, copies.clip(0, 1)]),
    np.concatenate([targets.y, train.y[rows]]),
)
source = np.concatenate([np.full(len(targets), -1), rows])

# %%
# Weights
# -------
trainer = SubsetTrainer(LogisticRegression(), train, planted, random_state=0)
model = DatamodelRegressor(random_state=0).fit(trainer.fit_transform(np.arange(800)))

# %%
# Candidates and flags
# --------------------
# The detector proposes candidates by weight and by distance in turn. It scores both
# kinds of evidence and adds the scores. Weights alone miss copies that the model did
# not need; pixels alone are deceived by brightness. The 40 targets with the highest
# scores are flagged.

from sklearn.metrics import average_precision_score

from skdatamodels.applications import LeakageDetector

leaks = source >= 0
pixels = {"train_representation": train.X, "target_representation": planted.X}
for name, weights, representation in [
    ("weights", model, {}),
    ("pixels", np.zeros_like(model.coef_), pixels),
    ("both", model, pixels),
]:
    detector = LeakageDetector(contamination=40 / len(planted), higher_is_better=True)
    flags = detector.fit_predict(weights, **representation) == -1
    found = (detector.candidates_ == source[:, None]).any(axis=1)[leaks]
    print(
        f"{name:<8} average precision "
        f"{average_precision_score(leaks, detector.leakage_score_):.2f}; flags: "
        f"precision {leaks[flags].mean():.2f}, recall {flags[leaks].mean():.2f} (hard "
        f"{flags[leaks][:20].mean():.2f}, others {flags[leaks][20:].mean():.2f}); "
        f"source among the candidates {found.mean():.2f}"
    )

# %%
# Which kind of evidence led to each flag?

for name in np.unique(detector.spoke_[flags]):
    print(f"{name}: {(detector.spoke_[flags] == name).sum()}")

# %%
# The most suspicious targets
# ---------------------------
# Each row shows a target, at the left, and its first three candidates. The title of a
# candidate is its evidence, by weight and by pixels.

import matplotlib.pyplot as plt

_, axes = plt.subplots(5, 4, figsize=(5, 7), layout="constrained")
for row, target in zip(axes, np.argsort(-detector.leakage_score_), strict=False):
    shown = [planted.X[target], *train.X[detector.candidates_[target, :3]]]
    for ax, image in zip(row, shown, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel("planted" if leaks[target] else "not planted")
    for ax, (weight, pixel) in zip(row[1:], detector.evidence_[target], strict=False):
        ax.set_title(f"{weight:.2f} + {pixel:.2f}", fontsize="small")
plt.show()

# %%
# Asking people
# -------------
# People have to decide whether two images show the same. This writes one HTML file in
# which they can answer. They save their answers as a file, which
# ``detector.judge_by_people`` reads.

import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    page = Path(folder, "leaks.html")
    detector.write_page(page, train, planted, flagged_only=True, image_shape=(8, 8))
    print(f"{page.stat().st_size / 1e3:.0f} kB")
