"""What an audit found in a few words: counts, and sentences."""

import numpy as np

from skdatamodels._tables import format_column
from skdatamodels.auditing._judged import LIKELY
from skdatamodels.inference._named_weights import FDR

_UNKNOWN = "unknown, see below"
_BRITTLE = 5  # rows whose removal flips a prediction
_MOST_NAMES = 2  # of groups
_OFTEN = 0.05  # share of training rows that equal another one


def counts(found):
    """Return what was found by what was looked for, a dict of str to str.

    Parameters
    ----------
    found : Audit
        The audit.
    """
    known = found.trust.model is None or found.trust.model.better
    errors = found.label_errors["probability"]
    said = _score(found, known) if found.trust.enough else {}
    expected = f"about {errors.sum():,.0f} expected"
    said["label errors"] = expected if known else _UNKNOWN
    if known:
        n_likely = int((errors > LIKELY).sum())
        said["likely label errors"] = f"{n_likely:,} with probability above one half"
    if found.trust.enough:
        n_marked = int(found.harmful["distinguishable"].sum())
        harmful = f"{n_marked:,} distinguishable at FDR {FDR}"
        said["harmful rows"] = harmful if known else _UNKNOWN
    if found.group_audit is not None:
        said["groups"] = _groups(found.group_audit) if known else _UNKNOWN
    if found.has_test_rows:
        n_copies = int(found.leaks["copy"].sum())
        said["leaks"] = (
            f"{n_copies:,} test rows are copies, {len(found.leaks) - n_copies:,} nearly"
        )
    n_pairs = len(found.duplicates)
    said["near-duplicates"] = f"{n_pairs:,} pair{'s' * (n_pairs != 1)}"
    return said


def sentences(found):
    """Return what trust and removals say, a list of str."""
    said = [found.trust.message]
    if found.trust.enough:
        said.append(found.removal_in_words())
    if found.group_audit is not None:
        said += group_sentences(found.group_audit)
    shares = found.shares_of_copies
    often = shares["train"] > _OFTEN
    if often and 0 < shares.get("test", 0) <= 2 * shares["train"]:
        said.append(
            f"{shares['test']:.0%} of the test rows equal a training row, and "
            f"{shares['train']:.0%} of the training rows equal another one: if "
            "different cases often look the same, this is no sign of a leak."
        )
    return said


def group_sentences(groups):
    """Return what the removal of groups says, and a warning, a list of str."""
    if groups.scores is not None:
        return groups.left_out_in_words()
    if not groups.enough:
        return [f"Groups: {groups.trust.message}"]
    return [groups.removal_in_words()] + [groups.warning] * bool(groups.warning)


def _groups(groups):
    """Return which groups are harmful."""
    n = len(groups.names)
    if not groups.enough:
        return f"no answer on the {n:,} groups"
    frame = groups.to_frame()
    harmful = groups.ranked_titles[frame["distinguishable"] & (frame["effect"] < 0)]
    n_unknown = len(groups.unknown or ())
    rest = f"; {n_unknown:,} unknown" if n_unknown else ""
    if not len(harmful):
        return f"none of {n:,} is surely harmful{rest}"
    named = ", ".join(harmful[:_MOST_NAMES])
    more = ", …" if len(harmful) > _MOST_NAMES else ""
    return f"{len(harmful):,} of {n:,} harmful: {named}{more}{rest}"


def _score(found, known):
    """Return how good the predictions are, and how brittle."""
    frame = found.predictions
    n = f"{len(frame):,} {'test' if found.has_test_rows else 'training'} rows"
    if "error" in frame.columns[:3]:
        rmse = format_column([float(np.sqrt(np.mean(frame["error"] ** 2)))])[0]
        return {"root mean squared error": f"{rmse} on {n}"}
    wrong = int((~frame["right"]).sum())
    to_flip = frame["rows_to_flip"]
    brittle = int(((to_flip > 0) & (to_flip <= _BRITTLE)).sum())
    flip = f"{brittle:,} may flip without {_BRITTLE} rows or fewer"
    return {
        "accuracy": f"{1 - wrong / len(frame):.3f} on {n}, {wrong:,} wrong",
        "brittle predictions": flip if known else _UNKNOWN,
    }
