"""What `collect_runs` says: before the start, after each look, and at the end."""

import sys

import numpy as np

from skdatamodels._tables import format_column
from skdatamodels.judging._estimate_cost import duration, estimate_cost


class Report:
    """Texts about goals and a budget, printed to stderr if `verbose` is not 0."""

    def __init__(self, goals, max_runs, max_seconds, verbose):
        self.goals, self.verbose = goals, verbose
        self.max_runs, self.max_seconds = max_runs, max_seconds

    def before(self, trainer, first, growth):
        """Say what is to come, before anything is trained."""
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
                estimate = estimate_cost(
                    trainer, wanted=goal.wanted, seconds_per_run=1.0
                )
                least, most = (_number(n) for n in estimate.n_needed)
                self._say(
                    f"an LDS of {goal.wanted:g} takes {least} to {most} runs without "
                    "a prior (see estimate_cost)."
                )

    def pace(self, growing, n_runs):
        """Say how long it takes, once some runs were trained."""
        seconds = growing.seconds_per_run
        text = f"{_seconds(seconds)} a run, {_seconds(seconds * n_runs)} to the first look"
        if self.max_runs is not None:
            text += f", {_seconds(seconds * self.max_runs)} for {self.max_runs:,} runs"
        self._say(text + ".")

    def look(self, found, growing):
        """Say what a look has found, and what is ahead."""
        text = f"{found.n_runs:,} runs: {self._state(found)}."
        if found.missing:
            text += f" {_ahead(found)}"
            seconds = (found.expected - found.n_runs) * growing.seconds_per_run
            if np.isfinite(seconds):
                text += f", in {_seconds(seconds)}"
            text += "."
        self._say(text)

    def hopeless(self, found, n_affordable):
        """Return why to give up."""
        return (
            f"Out of reach within the budget of {n_affordable:,.0f} runs: "
            f"{self._state(found, found.missing)}. {_ahead(found)}, and not even "
            f"optimistically fewer than {_number(found.least)}. give_up=False goes on."
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
            wanted = f"{goal.wanted:g} wanted"
            shown, surely = format_column([value, bound])
            if goal.sign == "≥":
                wanted = f"surely {surely}, {wanted}"
            parts.append(f"{goal.title} {shown} ({wanted})")
        return ", ".join(parts)

    def _say(self, text):
        if self.verbose:
            print(f"collect_runs: {text}", file=sys.stderr, flush=True)


def _ahead(found):
    if np.isnan(found.expected):
        return "How many runs it takes is not known yet"
    return f"It is expected to take {_number(found.expected)} runs"


def _number(n_runs):
    """Return a number of runs as text, with two digits."""
    if not np.isfinite(n_runs):
        return "endless"
    return f"about {float(f'{n_runs:.2g}'):,.0f}"


def _seconds(seconds):
    return "less than a second" if seconds < 1 else duration(seconds)
