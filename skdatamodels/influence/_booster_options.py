"""Options of boosters that the closed form does not cover are refused by name."""

__all__ = ["by_round", "check_kind", "check_options", "given_options"]


def given_options(params, main_names):
    """Return parameters that are not None, as text, under the library's main names."""
    given = {
        main_names.get(name, name): value
        for name, value in params.items()
        if value is not None
    }
    return {
        name: str(int(value)) if isinstance(value, bool) else str(value)
        for name, value in given.items()
    }


def check_kind(estimator, kinds):
    """Raise TypeError unless the class of an estimator has one of these names."""
    name = type(estimator).__name__
    if name not in kinds:
        raise TypeError(
            f"{name} has no closed form here. It must be a {' or '.join(kinds)}."
        )


def check_options(estimator, options, objectives, covered):
    """Raise an error if the closed form does not cover an option of a booster.

    Parameters
    ----------
    estimator : classifier or regressor of a library
    options : dict of str to str
        Its options, as the library writes them. Those that are missing have defaults,
        which are covered.
    objectives : sequence of str
        Names of the objectives that are covered.
    covered : dict of str to str
        Value that each option must have; "" for constraints, which must all be 0.

    Raises
    ------
    ValueError
        If an option or the objective is not covered.
    """
    name = type(estimator).__name__
    own = callable(estimator.get_params().get("objective"))
    if own or options.get("objective", objectives[0]) not in objectives:
        what = "a function" if own else repr(options["objective"])
        raise ValueError(
            f"{name} has {what} as its objective, and the closed form covers only "
            f"{', '.join(map(repr, objectives))}."
        )
    for option, value in covered.items():
        if not _same(options.get(option, value), value):
            raise ValueError(
                f"{name} has {option}={options[option]}, which the closed form does "
                f"not cover. Use {option}={value or None}."
            )


def _same(given, covered):
    if not covered:
        return not given.strip("()[]0, ")
    try:
        return float(given) == float(covered)
    except ValueError:
        return given == covered


def by_round(arrays, n_scores):
    """Return the arrays of all trees as a list for each round."""
    return [arrays[k : k + n_scores] for k in range(0, len(arrays), n_scores)]
