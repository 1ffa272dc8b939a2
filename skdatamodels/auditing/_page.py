"""The page of an audit: its tables and words, as write_explorer takes them."""

from skdatamodels.auditing._summary import counts, group_sentences, sentences

_MOST_ON_PAGE = 100  # suspicious labels
_BY_ROWS = (
    "Tick a group to see the predictions without all of its rows: a sum of weights of "
    "rows. The effects in this table come from models trained {}, which is more exact."
)


def sections(found):
    """Return the tables of the page, a dict of str to what write_explorer takes.

    Parameters
    ----------
    found : Audit
        The audit.
    """
    of_train, frames = {"index": "train"}, found.frames()
    errors = found.label_errors[:_MOST_ON_PAGE]
    label = errors.columns[3]
    first = [label, "suggested", "probability", "out_of_bag"]
    errors = errors[[*first, *errors.columns[4:]]]
    tables = {
        "Label errors": (errors, of_train),
        "Rows by effect": (found.rows, of_train),
    }
    if "groups" in frames:
        groups = found.group_audit
        few = groups.scores is not None
        how = _BY_ROWS.format("without the group" if few else "on random groups")
        note = " ".join([*group_sentences(groups), how])
        groups = frames["groups"].set_axis(groups.ranked_titles).rename_axis("group")
        tables["Groups"] = groups, {"index": "groups"}, note
    if "groups_removal_check" in frames:
        tables["Group removal check"] = frames["groups_removal_check"]
    if found.has_test_rows:
        tables["Leaks"] = found.leaks, {"index": "targets", "train_row": "train"}
    tables["Duplicates"] = found.duplicates, {"index": "train", "twin": "train"}
    tables["Clusters"] = found.clusters.reset_index()
    if "columns" in frames:
        tables["Columns"] = frames["columns"].reset_index()
    tables["Removal check"] = frames["removal_check"]
    return tables


def overview(found):
    """Return what the first tab says, a dict of str to str."""
    return counts(found) | {"message": "\n".join(sentences(found))}
