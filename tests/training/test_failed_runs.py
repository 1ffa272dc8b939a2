"""report_failures: silence, a warning or an error."""

import traceback
import warnings

import pytest

from skdatamodels.training._failed_runs import report_failures
from skdatamodels.training._hints import MISSES_A_CLASS

FAILURES = [(3, f"KeyError: it {MISSES_A_CLASS} 1 of 2 classes"), (8, "ValueError")]
SAYS = (
    r"2 of 9 runs failed, each tried 2 times, 1 on subsets that miss a class; 7 are "
    r"finished\. The first failure, at position 3 of X:\nKeyError"
)


@pytest.mark.parametrize("on_failure", ["raise", "nan"])
def test_nothing_is_said_if_none_failed(on_failure):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report_failures([], 9, 9, 1, on_failure)
        report_failures([], 0, 0, 1, on_failure)


def test_failures_are_told_as_asked():
    with pytest.warns(RuntimeWarning, match=SAYS):
        report_failures(FAILURES, 9, 7, 1, "nan")
    with pytest.raises(RuntimeError, match=SAYS):
        report_failures(FAILURES, 9, 7, 1, "raise")


@pytest.mark.parametrize("on_failure", ["raise", "nan"])
def test_if_none_is_finished_it_is_an_error(on_failure):
    with pytest.raises(RuntimeError, match=r"^No run succeeded.*2 of 2 runs failed"):
        report_failures(FAILURES, 2, 0, 1, on_failure)


def test_runs_that_all_fail_alike_are_told_in_short():
    def traceback_of(value):
        try:
            float(value + "\n  is no number")
        except ValueError as error:
            error.add_note("Hint: encode it.")
            return traceback.format_exc()

    failures = [(3, traceback_of("DL")), (5, traceback_of("UA"))]
    with pytest.raises(RuntimeError, match="2 of 2 runs failed") as error:
        report_failures(failures, 2, 0, 1, "raise")
    assert str(error.value).splitlines()[1:] == [
        "ValueError: could not convert string to float: 'DL\\n  is no number'",
        "Hint: encode it.",
        "All failed alike. Train that run alone for the whole traceback.",
    ]
    others = [*failures, (6, "Traceback (most recent call last):\n  File\nKeyError")]
    for several, n_finished in ((others, 0), (failures, 1), (failures[:1], 0)):
        with pytest.raises(RuntimeError, match="Traceback") as error:
            report_failures(several, 3, n_finished, 1, "raise")
        assert "alike" not in str(error.value)


def test_an_error_says_how_to_go_on():
    hint = 'pass on_failure="nan".'
    with pytest.raises(RuntimeError) as error:
        report_failures(FAILURES, 9, 7, 1, "raise")
    assert str(error.value).endswith(hint)
    with pytest.raises(RuntimeError) as error:
        report_failures(FAILURES, 2, 0, 1, "raise")
    assert hint not in str(error.value)  # it would not help
