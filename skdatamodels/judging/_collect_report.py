"""What `collect_runs` says: before the start, after each look, and at the end."""

import sys

import numpy as np

from skdatamodels._progress import duration
from skdatamodels._tables import format_column
from skdatamodels.judging._estimate_cost import estimate_cost


class Report:
    """Texts about goals and a budget, printed to stderr if `verbose` is not 0."""

    def __init__(self, goals, max_runs, max_seconds, verbose):
        self.goals, self.verbose = goals, verbose
        self.max_runs, self.max_seconds = max_runs, max_seconds

    def before(self, trainer, first, growth):
        """Say what is to come, before anything is trained."""
        if not self.verbose:
            return
        goals = " and ".join(
            f"{goal.title} {goal.sign} {goal.wanted:g}" for goal in self.goals
        )
        budget = []
        if self.max_runs is not None:
            budget.append(f"{self.max_runs:,} runs")
        if self.max_seconds is not None:
            budget.append(duration(self.max_seconds))
        self._say(
            f"until {goals}; first look at {first:,} runs, then at {growth:g} times as "
            f"many each; at most {' and '.join(budget)}."
        )
        for goal in self.goals:
            if goal.name == "lds":
                self._say(_guess(trainer, goal.wanted))

    def pace(self, growing, n_runs):
        """Say how long it takes, once some runs were trained."""
        seconds = growing.seconds_per_run
        text = f"about {duration(seconds)} a run, {duration(seconds * n_runs)} to the "
        text += "first look"
        if self.max_runs is not None:
            text += f", {duration(seconds * self.max_runs)} for {self.max_runs:,} runs"
        self._say(text + ".")

    def look(self, found, growing):
        """Say what a look has found, and what is ahead."""
        text = f"{found.n_runs:,} runs: {self._state(found)}."
        if found.missing:
            text += f" {_ahead(found)}"
            seconds = (found.expected - found.n_runs) * growing.seconds_per_run
            if np.isfinite(seconds):
                text += f", in {duration(seconds)}"
            text += "."
        self._say(text)

    def hopeless(self, found, n_affordable):
        """Return why to give up."""
        least = "none does"
        if found.least < np.inf:
            least = f"it takes {_rounded(found.least)}"
        return (
            f"Out of reach with the {n_affordable:,.0f} runs of the budget: "
            f"{self._state(found, found.missing)}. {_ahead(found)}; by an optimistic "
            f"extrapolation {least}. give_up=False goes on."
        )

    def spent(self, found, n_runs, most):
        """Return that the budget is spent."""
        if n_runs >= most:
            text = f"max_runs={self.max_runs} is spent"
        else:
            text = f"max_seconds={self.max_seconds:g} is spent"
        if not found:
            return f"{text} before the first look."
        return f"{text}: {self._state(found, found.missing)}. {_ahead(found)}."

    def _state(self, found, names=None):
        """Return the values and bounds of goals, of all by default."""
        parts = []
        for goal in self.goals:
            if names is not None and goal.name not in names:
                continue
            value, bound = found.values[goal.name], found.bounds[goal.name]
            if np.isnan(bound):
                parts.append(f"{goal.title} unknown ({goal.wanted:g} wanted)")
                continue
            wanted = f"{goal.wanted:g} wanted"
            shown, surely = format_column([value, bound])
            if goal.sign == "≥":
                wanted = f"at least {surely}, {wanted}"
            parts.append(f"{goal.title} {shown} ({wanted})")
        return ", ".join(parts)

    def _say(self, text):
        if self.verbose:
            print(f"collect_runs: {text}", file=sys.stderr, flush=True)


def _guess(trainer, wanted):
    """Return how many runs an LDS takes, from the sizes alone."""
    least, most = estimate_cost(trainer, wanted=wanted, seconds_per_run=1.0).n_needed
    text = f"a rough guess without a prior (see estimate_cost): an LDS of {wanted:g} "
    if least == np.inf:
        return text + "is out of reach."
    if most == np.inf:
        return text + f"takes {_rounded(least)} runs or more."
    return text + f"takes {_rounded(least)} to {_rounded(most)} runs."


def _ahead(found):
    if np.isnan(found.expected):
        return "How many runs it takes is not known yet"
    if found.expected == np.inf:
        return "More runs are not expected to do"
    return f"It is expected to take about {_rounded(found.expected)} runs"


def _rounded(n_runs):
    """Return a number of runs as text, with two digits."""
    return f"{float(f'{n_runs:.2g}'):,.0f}"
