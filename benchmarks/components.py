"""Weights of components that are switched off, where nothing is trained.

Four applications of ComponentAblation: the sentences that a small reader is given to
answer questions, the hidden units of a network, the features of a forest, and the steps
of a pipeline. The weights of each are judged by the linear datamodeling score on fresh
ablations, beside leaving one component out, and a rule that needs no ablation. For the
reader, also by how much the answer's log-odds fall without the top sentences.
"""

import argparse
import re
import time

import numpy as np
from _machine import describe_machine
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    StandardScaler,
)
from threadpoolctl import threadpool_limits

from skdatamodels import DatamodelRegressor
from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.outputs import log_odds
from skdatamodels.training import ComponentAblation

QUESTIONS = {
    "How many people contributed to the training set of handwritten digits?": "30",
    "In which country were the wines grown?": "Italy",
    "How many classes does the iris data set contain?": "3 classes",
    "From what image are the features of a breast mass computed?": "needle",
    "What is the size of the image, the input matrix of a digit?": "8x8",
    "How many different measurements were taken of the wine?": "thirteen",
    "Whose paper is the iris dataset taken from?": "Fisher",
    "How was the separating plane obtained?": "linear program",
}


def sentences():
    """Return the sentences of the descriptions of scikit-learn's data sets."""
    found = []
    for load in load_iris, load_wine, load_breast_cancer, load_digits, load_diabetes:
        text = " ".join(load().DESCR.partition("References")[0].split())
        found += re.split(r"(?<=[.?!]) ", text)
    return np.unique([text for text in found if 40 < len(text) < 300])


class Reader:
    """Read the sentences most like each question; say how probable its answer is."""

    def __init__(self, texts, sharpness=10.0):
        self.texts, self.sharpness = texts, sharpness
        self.has_answer = np.array(
            [[answer in text for text in texts] for answer in QUESTIONS.values()]
        )

    def __call__(self, kept, seed):
        """Return the log-odds (n_questions,) of the answers, of the kept sentences."""
        share = np.zeros(len(QUESTIONS))
        if kept.any():
            tfidf = TfidfVectorizer(stop_words="english")
            likeness = tfidf.fit_transform(self.texts[kept])
            likeness = tfidf.transform(list(QUESTIONS)) @ likeness.T
            attention = np.exp(self.sharpness * likeness.toarray())
            attention /= attention.sum(axis=1, keepdims=True)
            share = (attention * self.has_answer[:, kept]).sum(axis=1)
        share = 0.01 + 0.98 * share
        return np.log(share / (1 - share))


def context(*, twice=False):
    """Sentences as sources of answers. The rule: likeness to question and answer.

    If `twice`, each sentence with an answer is in the context twice, in other words.
    """
    texts = sentences()
    if twice:
        has_answer = Reader(texts).has_answer.any(axis=0)
        texts = np.append(texts, [f"In short: {text}" for text in texts[has_answer]])
    tfidf = TfidfVectorizer(stop_words="english").fit(texts)
    asked = [f"{question} {answer}" for question, answer in QUESTIONS.items()]
    rule = (tfidf.transform(asked) @ tfidf.transform(texts).T).toarray()
    return ComponentAblation(Reader(texts), texts, target_ids=list(QUESTIONS)), rule


class Network:
    """A network whose hidden units can be switched off."""

    def __init__(self, hidden=(48, 32)):
        X, y = load_digits(return_X_y=True)
        X, X_test, y, y_test = train_test_split(X / 16, y, random_state=0)
        self.model = MLPClassifier(hidden, max_iter=200, random_state=0).fit(X, y)
        self.X, self.y, self.n_units = X_test[:100], y_test[:100], sum(hidden)

    def activations(self, kept):
        """Return the activations of all hidden units, and the logits."""
        model, values, units = self.model, self.X, []
        sizes = np.cumsum(model.hidden_layer_sizes)[:-1]
        for mask, weights, bias in zip(
            np.split(kept, sizes), model.coefs_, model.intercepts_, strict=False
        ):
            values = np.maximum(values @ weights + bias, 0) * mask
            units.append(values)
        return np.hstack(units), values @ model.coefs_[-1] + model.intercepts_[-1]

    def __call__(self, kept, seed):
        """Return the log-odds (n_targets,) of the true classes."""
        return log_odds(self.activations(kept)[1], self.y)


def units(alpha):
    """Hidden units of a network. The rule: the unit's activation on the target."""
    network = Network()
    rule = network.activations(np.ones(network.n_units, bool))[0]
    ids = np.arange(len(network.y))
    return ComponentAblation(
        network, network.n_units, target_ids=ids, alpha=alpha
    ), rule


class Features:
    """A forest whose features can be set to their mean."""

    def __init__(self):
        data = load_breast_cancer()
        X, X_test, y, y_test = train_test_split(data.data, data.target, random_state=0)
        forest = RandomForestClassifier(50, min_samples_leaf=3, random_state=0)
        self.model, self.mean = forest.fit(X, y), X.mean(axis=0)
        self.X, self.y, self.names = X_test[:100], y_test[:100], data.feature_names
        z, sign = (X - self.mean) / X.std(axis=0), 2 * y - 1
        slope = (z * sign[:, None]).mean(axis=0)
        self.rule = (self.X - self.mean) / X.std(axis=0) * slope
        self.rule *= (2 * self.y - 1)[:, None]

    def __call__(self, kept, seed):
        """Return the log-odds (n_targets,) of the true classes."""
        p = self.model.predict_proba(np.where(kept, self.X, self.mean))
        true = np.clip(p[np.arange(len(p)), self.y], 0.01, 0.99)
        return np.log(true / (1 - true))


def features():
    """Features of a forest. The rule: standardised value times slope of the class."""
    model = Features()
    ids = np.arange(len(model.y))
    return ComponentAblation(model, model.names, target_ids=ids), model.rule


class Steps:
    """A pipeline of which some steps are left out; nothing else is changed."""

    STEPS = {
        "power": PowerTransformer(),
        "polynomial": PolynomialFeatures(2, include_bias=False),
        "scaler": StandardScaler(),
        "select": SelectKBest(k=20),
        "pca": PCA(10),
        "normalizer": Normalizer(),
    }

    def __init__(self):
        X, y = load_wine(return_X_y=True)
        self.data = train_test_split(X, y, test_size=0.5, random_state=0, stratify=y)

    def __call__(self, kept, seed):
        """Return the log-odds (n_targets,) of the true classes."""
        X, X_test, y, y_test = self.data
        steps = [s for s, k in zip(self.STEPS.values(), kept, strict=True) if k]
        if not kept[1]:
            steps = [
                SelectKBest(k=10) if isinstance(s, SelectKBest) else s for s in steps
            ]
        model = make_pipeline(*steps, LogisticRegression(max_iter=5000))
        p = model.fit(X, y).predict_proba(X_test)[np.arange(len(y_test)), y_test]
        p = np.clip(p, 0.001, 0.999)
        return np.log(p / (1 - p))


def steps():
    """Switch off steps of a pipeline. The rule: the effect of the step alone."""
    evaluate = Steps()
    ids = np.arange(len(evaluate.data[3]))
    ablation = ComponentAblation(
        evaluate, list(Steps.STEPS), target_ids=ids, on_failure="nan"
    )
    n = len(Steps.STEPS)
    outputs = ablation.transform(np.vstack([np.zeros(n, bool), np.eye(n, dtype=bool)]))
    return ablation, (outputs.outputs[1:] - outputs.outputs[0]).T


def left_out(ablation):
    """Return the effects (n_targets, n_components) of leaving one component out."""
    n = ablation.n_components_
    masks = np.vstack([np.ones(n, bool), ~np.eye(n, dtype=bool)])
    outputs = ablation.transform(masks).outputs
    return (outputs[0] - outputs[1:]).T


def lds(weights, runs):
    """Return the mean linear datamodeling score on fresh runs."""
    return linear_datamodeling_score(runs.outputs, runs.masks @ weights.T)


def judge(name, made, sizes, n_fresh):
    """Print the scores of an application, and return its weights and baselines."""
    ablation, rule = made
    ablation.set_params(random_state=0)
    start = time.perf_counter()
    runs = ablation.fit_transform(np.arange(sizes[-1] + n_fresh))
    each = (time.perf_counter() - start) / len(runs)
    fresh, found = runs[sizes[-1] :], {}
    for size in sizes:
        model = DatamodelRegressor(random_state=0).fit(runs[:size])
        found[f"{size} ablations"] = model.coef_
    found |= {"leave one out": left_out(ablation), "rule": rule}
    scores = "  ".join(f"{method} {lds(w, fresh):.2f}" for method, w in found.items())
    print(
        f"{name}, {ablation.n_components_} components: {scores}  ({1e3 * each:.1f} ms)"
    )
    return found


def drops(ablation, found, sizes=(1, 2, 3)):
    """Print the mean fall of the outputs without the top components."""
    print(f"  fall of the log-odds without the top {sizes}; answer in the first")
    full = ablation.transform(np.ones((1, ablation.n_components_), bool)).outputs[0]
    for method, weights in found.items():
        order = np.argsort(-weights, axis=1, kind="stable")
        falls = []
        for size in sizes:
            masks = np.ones(weights.shape, bool)
            np.put_along_axis(masks, order[:, :size], False, axis=1)
            falls.append((full - ablation.transform(masks).outputs.diagonal()).mean())
        truth = np.take_along_axis(ablation.evaluate.has_answer, order[:, :1], axis=1)
        text = "  ".join(f"{fall:5.2f}" for fall in falls)
        print(f"  {method:14}  {text}  {truth.mean():.2f}")


def main():
    """Run the four applications."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true")
    n_fresh = 100 if parser.parse_args().fast else 300
    print(describe_machine())
    start = time.perf_counter()
    with threadpool_limits(1):
        for twice in False, True:
            name = "sentences, each answer twice" if twice else "sentences"
            made = context(twice=twice)
            drops(made[0], judge(name, made, (50, 100, 300), n_fresh))
        for alpha in 0.5, 0.9:
            judge(f"units, alpha {alpha}", units(alpha), (100, 300, 1000), n_fresh)
        judge("features", features(), (50, 100, 300), n_fresh)
        judge("steps", steps(), (16, 32), 60)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
