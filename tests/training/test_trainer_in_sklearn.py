"""SubsetTrainer as scikit-learn's own tools use it."""

import re
import warnings
from functools import partial

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skdatamodels import Examples, SubsetTrainer, TrainingRuns
from skdatamodels.outputs import OUTPUTS, info_of_output

IDS = [f"image-{i}" for i in range(40)]
rng = np.random.default_rng(0)
TRAIN = Examples(rng.standard_normal((40, 3)), np.arange(40) % 2, ids=IDS)


def trainer(estimator=None, **parameters):
    estimator = DummyClassifier() if estimator is None else estimator
    return SubsetTrainer(estimator, TRAIN, TRAIN[:5], random_state=0, **parameters)


class Recorder(RegressorMixin, BaseEstimator):
    """Keeps what `fit` is given."""

    def fit(self, X, y=None, sample_weight=None):
        self.X_, self.sample_weight_ = X, sample_weight
        return self

    def predict(self, X):
        return np.zeros(X.outputs.shape)


def test_the_columns_of_the_runs_are_named_by_the_ids_of_examples():
    assert trainer().get_feature_names_out().tolist() == IDS
    steps = make_pipeline(trainer(), Recorder()).fit(np.arange(4))
    names = steps[:-1].get_feature_names_out()
    assert names.dtype == object
    assert names.shape == steps[-1].X_.shape[1:]
    plain = SubsetTrainer(DummyClassifier(), TRAIN, TRAIN)
    plain.train = Examples(TRAIN.X, TRAIN.y)
    assert plain.get_feature_names_out()[:3].tolist() == ["0", "1", "2"]


@pytest.mark.parametrize("container", ["pandas", "polars", "default"])
def test_runs_stay_runs_whatever_output_is_configured(container):
    with sklearn.config_context(transform_output=container):
        for runs in (
            trainer().fit_transform(np.arange(3)),
            trainer().transform(np.arange(3)),
            make_pipeline(trainer()).set_output(transform=container).fit_transform([0]),
        ):
            assert isinstance(runs, TrainingRuns)


def test_tags():
    tags = get_tags(trainer())
    assert tags.input_tags.one_d_array  # run ids
    assert tags.input_tags.two_d_array  # masks
    assert not tags.requires_fit
    assert not tags.target_tags.required
    assert tags.transformer_tags.preserves_dtype == []
    check_is_fitted(trainer())


def test_metadata_go_past_it_to_the_step_that_asks_for_them():
    weights = np.arange(6.0)
    with sklearn.config_context(enable_metadata_routing=True):
        recorder = Recorder().set_fit_request(sample_weight=True)
        steps = make_pipeline(trainer(), recorder)
        steps.fit(np.arange(6), sample_weight=weights)
        np.testing.assert_array_equal(steps[-1].sample_weight_, weights)
        steps = make_pipeline(trainer(), Recorder())
        with pytest.raises(ValueError, match="are passed but are not explicitly set"):
            steps.fit(np.arange(6), sample_weight=weights)
    steps.fit(np.arange(6), recorder__sample_weight=weights)
    np.testing.assert_array_equal(steps[-1].sample_weight_, weights)


def without_tags(page):
    page = re.sub("<(style|script).*?</(style|script)>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))


def test_the_page_of_a_notebook_shows_no_arrays():
    many = Examples(rng.standard_normal((5000, 30)), np.arange(5000) % 2)
    whole = SubsetTrainer(DummyClassifier(), many, many, random_state=0)
    holds = SubsetTrainer(partial(np.dot, many.X), many, many, random_state=0)
    for shown in (whole, clone(whole).fit(np.arange(3)), holds):
        text = without_tags(shown._repr_html_())
        assert "Examples(5000" in text
        assert len(text) < 5000
        assert len(re.findall(r"\d\.\d{4}", text)) < 50


@pytest.mark.parametrize(
    "wrong",
    [
        {"train": TRAIN.X},
        {"targets": None},
        {"estimator": BaseEstimator()},
        {"estimator": DummyClassifier},
        {"output": "no such"},
    ],
)
def test_a_trainer_that_is_wrong_can_be_looked_at(wrong):
    made = trainer().set_params(**wrong)
    assert "SubsetTrainer" in made._repr_html_()
    assert "fit" in dir(made)


class ManyLearner(BaseEstimator):
    """As TorchLearner: warns of what it is bound to."""

    def __init__(self, n_made=()):
        self.n_made = n_made

    def make_learner(self, train, targets, output):
        warnings.warn("as slow as can be", UserWarning, stacklevel=2)
        return lambda train_indices, seed: np.zeros(len(targets))

    def __reduce__(self):
        return ManyLearner, ()


@pytest.mark.parametrize("with_store", [False, True])
@pytest.mark.parametrize("method", ["fit", "transform", "fit_transform"])
def test_a_learner_is_built_once_and_warns_once(method, with_store, tmp_path):
    store = tmp_path if with_store else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = trainer(ManyLearner(), store=store)
        getattr(made, method)(np.arange(3))
    assert [str(w.message) for w in caught] == ["as slow as can be"]
    assert made.entropy_ == 0


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(3)])
def test_fit_transform_is_fit_and_transform(random_state):
    made = trainer(RidgeClassifier()).set_params(random_state=random_state)
    runs = made.fit_transform(np.arange(5))
    again = made.transform(np.arange(5))
    np.testing.assert_array_equal(runs.outputs, again.outputs)
    drawn = made.draw_subsets(np.arange(5), made.entropy_)
    np.testing.assert_array_equal(runs.masks, drawn.dense())
    other = made.fit_transform(np.arange(5))
    assert not np.array_equal(runs.masks, other.masks)


@pytest.mark.parametrize("design", ["uniform", "stratified", "complementary"])
def test_subsets_can_be_drawn_before_they_are_trained_on(design):
    made = trainer(design=design)
    drawn = made.draw_subsets([7, 2], random_state=0)
    assert not hasattr(made, "entropy_")
    np.testing.assert_array_equal(drawn.dense(), made.transform([7, 2]).masks)


def test_what_is_measured_is_known_without_building_a_learner():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert trainer(ManyLearner()).output_info == info_of_output(None)
    assert trainer().output_info == OUTPUTS["margin"].info
    assert trainer(DummyRegressor()).output_info == OUTPUTS["prediction"].info
    assert trainer(output="confidence").output_info == OUTPUTS["confidence"].info


def test_warnings_point_at_the_line_that_asked(tmp_path):
    def warns(train_indices, seed):
        warnings.warn("of a run", RuntimeWarning, stacklevel=1)
        if seed % 2:
            raise ValueError
        return np.zeros(5)

    made = trainer(warns, on_failure="nan", retries=0)
    for method in (made.fit_transform, made.transform):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            method(np.arange(8))
        assert len(caught) == 2
        assert {w.filename for w in caught} == {__file__}
