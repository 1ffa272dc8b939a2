"""
Sentences of a context, units of a network
==========================================

A datamodel needs a number that depends on what is switched on. That may be rows of a
training set, but also the sentences that a question-answering system reads, or the
hidden units of a network. Then nothing is trained.
"""

# %%
# Which sentence gave the answer?
# -------------------------------
# The sources are the sentences of three descriptions that scikit-learn ships. A small
# reader attends to the sentences that are most like the question; the probability of an
# answer is the attention on the sentences that contain it.

import re

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neural_network import MLPClassifier

from skdatamodels import DatamodelRegressor
from skdatamodels.inference import infer_weights
from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.outputs import log_odds
from skdatamodels.training import ComponentAblation

about = load_digits().DESCR, load_wine().DESCR, load_breast_cancer().DESCR
text = " ".join(" ".join(about).split())
sentences = np.unique([s for s in re.split(r"(?<=[.?!]) ", text) if 30 < len(s) < 200])
question = "How many people wrote digits of the test set?"
answer = "different 13"


def read(kept, seed):
    """Return the log-odds of the answer, if the reader sees the kept sentences."""
    share = 0.0
    if kept.any():
        tfidf = TfidfVectorizer(stop_words="english").fit(sentences[kept])
        likeness = tfidf.transform([question]) @ tfidf.transform(sentences[kept]).T
        attention = np.exp(8 * likeness.toarray()[0])
        share = attention[[answer in s for s in sentences[kept]]].sum()
        share /= attention.sum()
    share = 0.01 + 0.98 * share
    return np.log(share / (1 - share))


ablation = ComponentAblation(read, sentences, random_state=0)
runs = ablation.fit_transform(np.arange(150))
datamodel = DatamodelRegressor(random_state=0).fit(runs)

# %%
# The sentences whose weights differ from zero, with a rate of false discoveries of 5 %.
# A weight is the mean fall of the log-odds if the reader does not see the sentence.
# Those below zero distract the reader from the answer.

inference = infer_weights(datamodel, runs)
found = np.flatnonzero(inference.select(fdr=0.05)[0])
for i in found[np.argsort(-inference.estimate[0, found])]:
    print(f"{inference.estimate[0, i]:5.2f}  {sentences[i][:70]}")

# %%
# Does the order of the predictions hold on sets that are not fitted to?

fresh = ablation.transform(np.arange(1000, 1200))
predicted = fresh.masks @ datamodel.coef_.T
score = linear_datamodeling_score(fresh.outputs, predicted)
print(f"LDS on fresh sets: {score:.2f}")

# %%
# Which units does a network use?
# -------------------------------
# The components are the 32 units of a hidden layer, switched off by setting their
# activations to zero. The targets are 60 test images. With ``alpha=0.5``, half of
# the units are off.

X, y = load_digits(return_X_y=True)
X = X / 16
network = MLPClassifier((32,), alpha=0.1, tol=1e-3, max_iter=300, random_state=0)
network.fit(X[:1200], y[:1200])
X_test, y_test = X[1200:1260], y[1200:1260]
(to_hidden, to_logits), (bias_hidden, bias_logits) = (
    network.coefs_,
    network.intercepts_,
)


def without_units(kept, seed):
    """Return the log-odds (n_targets,) of the true classes."""
    hidden = np.maximum(X_test @ to_hidden + bias_hidden, 0) * kept
    return log_odds(hidden @ to_logits + bias_logits, y_test)


ablation = ComponentAblation(
    without_units, 32, target_ids=np.arange(60), alpha=0.5, random_state=0
)
units = DatamodelRegressor(random_state=0).fit(ablation.fit_transform(np.arange(500)))
fresh = ablation.transform(np.arange(1000, 1200))
alone = np.vstack([np.ones(32, bool), ~np.eye(32, dtype=bool)])
outputs = ablation.transform(alone).outputs
for name, weights in {
    "datamodel": units.coef_,
    "leave one out": (outputs[0] - outputs[1:]).T,
}.items():
    score = linear_datamodeling_score(fresh.outputs, fresh.masks @ weights.T)
    print(f"LDS of {name}: {score:.2f}")

# %%
# Each digit has units of its own: the mean weights of each unit for the images of a
# class, with a row for each class.

means = np.array([units.coef_[y_test == digit].mean(axis=0) for digit in range(10)])
order = np.argsort(means.argmax(axis=0), kind="stable")
size = abs(means).max()
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
image = ax.imshow(means[:, order], cmap="RdBu_r", vmin=-size, vmax=size)
ax.set(xlabel="hidden unit", ylabel="digit", yticks=range(10), xticks=[])
figure.colorbar(image, label="weight, log-odds", shrink=0.7)
plt.show()
