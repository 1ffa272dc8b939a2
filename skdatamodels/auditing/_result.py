"""Audit: the answers, as frames with the user's rows and columns."""

from functools import cached_property

import numpy as np

from skdatamodels._frames import is_frame
from skdatamodels._tables import Table, import_pandas, table_html, table_text
from skdatamodels.auditing import _copies, _findings, _page, _summary
from skdatamodels.auditing._checked_removal import removal_frame, removal_in_words
from skdatamodels.auditing._effect_check import as_removal
from skdatamodels.auditing._explanation import explain
from skdatamodels.auditing._inputs import as_frame
from skdatamodels.auditing._row_names import position_of, positions_of
from skdatamodels.pages import read_selection, write_explorer

_MOST_COLUMNS = 200  # that are shuffled unasked


class Audit:
    """What an audit found; :func:`skdatamodels.audit` makes it.

    Frames have the index and the columns of the user's tables. Those that rest on
    weights raise an error if the weights predict nothing, see `trust`.

    Parameters
    ----------
    train, test : Examples
        The tables; `test` may be None.
    label : str
        Name of their labels or values.
    fitted : estimator
        The model, fitted on all training rows.
    trainer : SubsetTrainer
        Trainer of the runs.
    judged : Judged
        The judged rows: the test rows, or else the training rows.
    trust : Trust
        How well the weights predict.
    errors : LabelErrors
        Suspicious labels of the training set.
    removal : CheckedRemoval or None
        Scores of models without the worst rows.
    group_audit : GroupAudit or None
        The same for groups of rows.
    random_state : int
        Seed.

    Attributes
    ----------
    trust : Trust
        Linear datamodeling score on runs that were held out, its ceiling, and what more
        runs would bring.
    removal_check : RemovalCheck or None
        Scores of models without the rows that are worst for half of the judged rows, on
        the other half, beside models without random rows. If the judged rows are
        training rows, rows are removed from subsets without them.
    group_audit : GroupAudit or None
        What groups add to the score. Of ten or more, with their own `trust` and
        `removal`.
    trainer : SubsetTrainer
        Trains more runs, or without some rows.
    """

    def __init__(
        self,
        train,
        test,
        label,
        fitted,
        trainer,
        judged,
        trust,
        errors,
        removal,
        group_audit,
        random_state,
    ):
        self._train, self._test, self._label = train, test, label
        self._fitted = fitted
        self.trainer, self._judged, self.trust = trainer, judged, trust
        self._errors, self._removal = errors, removal
        self.removal_check = None if removal is None else removal.check
        self.group_audit, self._seed = group_audit, random_state

    @property
    def has_test_rows(self):
        """Whether test rows are judged; otherwise training rows are."""
        return self._test is not None

    @property
    def weights(self):
        """Attribution matrix of the judged rows, array (n_judged, n_train).

        Effects of rows in models trained on a share alpha of the rows.
        """
        self._need_trust()
        return self._judged.weights

    @property
    def effect_check(self):
        """How weights compare with effects in models trained on all rows, EffectCheck.

        `scale` is the factor, by which all effects of this class are multiplied, and
        `growth` says how much more rows do together; `effects` has the true effects of
        removing the rows for and against some test rows. Without test rows, nothing is
        removed and the factor is 1.
        """
        self._need_trust()
        return self._judged.check

    @cached_property
    def predictions(self):
        """Judged rows: what the model says, and how brittle that is.

        For classes, `margin` is the output, `right` whether it is positive, and
        `rows_to_flip` the predicted number of training rows without which it is not,
        NaN if no number is enough. For values, `prediction` and `error`. `cluster` is
        that of `clusters`.
        """
        self._need_trust()
        return _findings.predictions(
            self._judged, self._judged_table, self._clusters[0]
        )

    @cached_property
    def label_errors(self):
        """Training rows by the probability that their label or value is wrong.

        It comes from the models that were not trained on the row, not from weights.
        """
        frame = self._errors.to_frame()
        table = self._train_table.iloc[self._errors.examples]
        names = ["probability", "suggested", "out_of_bag"]
        return _findings.beside({name: frame[name] for name in names}, table)

    @cached_property
    def rows(self):
        """Training rows by `effect`, what they add to the score; the worst first.

        It is the change of the mean margin, each class having the same weight, or minus
        that of the root mean squared error, in the unit of the value. `low` and `high`
        are the ends of its interval, by the noise of the runs and by how far effects
        were from those of retraining; `distinguishable` says whether it is on the side
        of `effect`. Of the harmful rows that are, one of ten may be false, and so of
        the helpful ones.
        """
        self._need_trust()
        strata = self._train.y if self.trainer.design == "stratified" else None
        return _findings.effects_of_rows(self._judged, self._train_table, strata)

    @property
    def harmful(self):
        """Training rows that make the score worse, the worst first.

        Nobody can believe this of a model that is no better than guessing, see
        ``trust.model``.
        """
        return self.rows[self.rows["effect"] < 0]

    @property
    def helpful(self):
        """Training rows that carry the score, the most important first."""
        return self.rows[self.rows["effect"] > 0][::-1]

    @property
    def groups(self):
        """Groups by `effect`, what they add to the score; the worst first.

        Of ten groups or more, the effects are those in models trained on a share alpha
        of the groups. Of fewer, they are those in models trained on all others, and the
        accuracy or root mean squared error of models with the group and without it is
        beside them.
        """
        if self.group_audit is None:
            raise ValueError(
                "There is no audit of groups. Pass groups= to audit; if you did, its "
                "warning says why they cannot be audited."
            )
        if not self.group_audit.enough:
            raise ValueError(self.group_audit.trust.message)
        return self.group_audit.to_frame()

    @cached_property
    def leaks(self):
        """Test rows that are also in the training set, exactly or nearly.

        `train_row` is the row in the training set, and `n_differ` the number of
        columns, with the label, in which it differs. `copy` says whether all columns
        but the label are equal. `evidence` says what speaks for others: "weights" (the
        model needed it), "representation" (it looks alike, more than any other row and
        more than training rows do among each other), or "both".
        """
        if self._test is None:
            raise ValueError(
                "There are no test rows: pass X_test and y_test to audit. `duplicates` "
                "has pairs of training rows."
            )
        weights = self._judged.benefit() if self.trust.enough else None
        return _copies.leaks(
            weights, *self._representation, self._train_table, self._judged_table
        )

    @cached_property
    def duplicates(self):
        """Pairs of training rows that are equal or nearly so, the closest first.

        `n_differ` is the number of columns, with the label, in which they differ.
        """
        return _copies.duplicates(self._representation[0], self._train_table)

    @cached_property
    def shares_of_copies(self):
        """Shares of rows that equal a training row, labels aside, dict of str to float.

        "test" is that of the test rows, and "train" that of the training rows that
        equal another one. If different cases often look the same, both are large, and
        equal rows are no sign of a leak.
        """
        shares = {"train": _copies.share_of_copies(self._train_table)}
        if self._test is not None:
            shares["test"] = float(self.leaks["copy"].sum() / len(self._test))
        return shares

    @cached_property
    def columns(self):
        """Columns by how much the score falls when they are shuffled, the most first.

        `importance` is measured on the test rows, `in_training` on the training rows.
        A column of large `in_training` and little `importance` is a shortcut that does
        not hold elsewhere; one that carries nearly all may give the label away.
        """
        if not self._has_columns:
            raise ValueError("The rows are no dense table, so they have no columns.")
        return _findings.columns(
            self._fitted,
            self._train,
            None if self._test is None else self._judged_rows,
            self._train_table.columns[1:],
            self._seed,
        )

    @property
    def clusters(self):
        """Groups of judged rows that the same training rows drive, the largest first.

        `predictions` has the cluster of each row.
        """
        self._need_trust()
        return self._clusters[1]

    def frames(self):
        """Return all frames that there are, by name.

        Returns
        -------
        frames : dict of str to pandas.DataFrame
            Without those that rest on weights, if these predict nothing; and without
            `columns` if there are more than 200.
        """
        names = ["label_errors", "duplicates"]
        if self._has_columns and self._train.shape[1] <= _MOST_COLUMNS:
            names.append("columns")
        names += ["leaks"] if self._test is not None else []
        names += ["predictions", "rows", "clusters"] if self.trust.enough else []
        frames = {"trust": self.trust.to_frame()}
        frames |= {name: getattr(self, name) for name in names}
        if self.removal_check is not None:
            frames["removal_check"] = removal_frame(self.removal_check)
        if self.group_audit is not None and self.group_audit.enough:
            frames["groups"] = self.groups
        if "groups" in frames and self.group_audit.removal is not None:
            frames["groups_removal_check"] = removal_frame(self.group_audit.removal)
        return frames

    def read_selection(self, paths):
        """Return the names of the training rows that people ticked on the page.

        Parameters
        ----------
        paths : path-like, or list of path-like
            Files that were saved from the page of :meth:`to_html`.

        Returns
        -------
        names : pandas.Index
            For example for ``X.drop(names)``.
        """
        return self._train_table.index[read_selection(paths, self._train)]

    def explain(self, row, n_rows=10):
        """Return the training rows for and against a prediction.

        Parameters
        ----------
        row : object
            Name of a judged row in the index of `predictions`.
        n_rows : int, default=10
            Most rows of each sign.

        Returns
        -------
        frame : pandas.DataFrame
            One row a training row, first those for the output (the margin of the true
            label, or the prediction of a value), the most important first, then those
            against. `effect` is what its presence adds to the output of a model trained
            on all rows, `low` and `high` are the ends of its 95 % interval, as in
            `predict_removal`, and `distinguishable` says whether it is not 0, with one
            false discovery of ten among the rows for the output, and among those
            against it. `differs` names the columns that differ most from the judged
            row. ``frame.attrs["message"]`` says in words how many of all training rows
            are distinguishable: it may be none.

        Raises
        ------
        TypeError
            If this is not the name of one row.
        KeyError
            If there is no such judged row.
        ValueError
            If the weights predict nothing.
        """
        self._need_trust()
        at = position_of(row, self._judged_table.index)
        return explain(
            self._judged.effects[at],
            self._judged.standard_errors(among=[at])[0],
            self._judged_table.iloc[[at]],
            self._train_table,
            n_rows,
        )

    def predict_removal(self, rows):
        """Predict the outputs of a model that is trained without some rows.

        The audit has removed sets of one row up to a tenth of them, for or against some
        test rows or the most harmful ones, and trained again. Intervals are as wide as
        they had to be to hold for 95 % of these. They are about a model that is trained
        once, with its randomness. Without test rows nothing was removed, and intervals
        are only about the weights, which are effects in models of half of the rows.

        Parameters
        ----------
        rows : sequence, or pandas.DataFrame
            Names of training rows, or a frame with them as index, such as
            ``found.harmful[:10]``.

        Returns
        -------
        frame : pandas.DataFrame
            One row for each judged row: the output `now` and `without` the rows, its
            `change`, and the ends of the 95 % interval of the change, `change_low` and
            `change_high`. For classes, `flip` says whether the prediction becomes wrong
            or right: "certain" if the whole interval is on the other side, "possible"
            if a part of it is, and "no". The ends are NaN, and flips "unknown", for
            more rows than were ever removed, ``effect_check.n_most``.

        Raises
        ------
        TypeError
            If these are no names of rows.
        KeyError
            If a training row does not exist.
        ValueError
            If the weights predict nothing.
        """
        self._need_trust()
        judged = self._judged
        change, half = judged.predict_removal(
            positions_of(rows, self._train_table.index)
        )
        low, high = change - half, change + half
        facts = {"now": judged.output, "without": judged.output + change}
        facts |= {"change": change, "change_low": low, "change_high": high}
        if judged.task == "classification":
            other = [
                (judged.output > 0) != (judged.output + e > 0) for e in (low, high)
            ]
            facts["flip"] = np.select(
                [np.isnan(half), np.logical_and(*other), np.logical_or(*other)],
                ["unknown", "certain", "possible"],
                "no",
            )
        return import_pandas().DataFrame(facts, index=self._judged_table.index)

    def to_html(self, path, **page):
        """Write a page on which people explore the audit in a browser.

        Parameters
        ----------
        path : path-like
            File to write.
        **page : dict
            Arguments of :func:`skdatamodels.pages.write_explorer`, such as `title` and
            `image_shape`.
        """
        self._need_trust()
        judged, groups = self._judged, self.group_audit
        arguments = {
            "outputs": judged.output,
            "output_info": judged.runs.output_info,
            "standard_error": judged.standard_errors(),
            "removal": as_removal(judged.check),
            "quality": judged.model.held_out_r2_,
            "trust": self._facts(),
            "title": f"Audit of {len(self._train):,} training rows",
            "overview": _page.overview(self),
            "sections": _page.sections(self),
            "groups": None if groups is None else groups.titles[groups.of_row],
            "label": self._label,
        }
        write_explorer(
            path,
            judged.effects,
            self._train,
            self._judged_rows,
            **(arguments | page),
        )

    def removal_in_words(self):
        """Return what the removal of the worst rows does to the score, a str."""
        self._need_trust()
        return removal_in_words(self._removal.check, self._removal.size)

    def _facts(self):
        """Return what the page says about trust."""
        facts, check = self.trust.as_facts(), self._judged.check
        if check.effects is not None:
            facts["message"] += (
                f" Effects are weights times {check.scale:.2f}: sets of up to "
                f"{check.n_most:,} rows were removed and models trained again on all "
                "others."
            )
        return facts

    @property
    def _has_columns(self):
        X = self._train.X
        return X.ndim == 2 and not hasattr(X, "tocsr") if not is_frame(X) else True

    @cached_property
    def _train_table(self):
        return as_frame(self._train, self._label)

    @cached_property
    def _judged_table(self):
        return as_frame(self._judged_rows, self._label)

    @cached_property
    def _judged_rows(self):
        """Return the judged rows as Examples."""
        if self._test is None:
            return self._train[self._judged.targets]
        return self._test[self._judged.targets - len(self._train)]

    @cached_property
    def _representation(self):
        return _copies.representation(self._fitted, self._train, self._judged_rows)

    @cached_property
    def _clusters(self):
        return _findings.clusters(self._judged, self._seed)

    def _need_trust(self):
        if not self.trust.enough:
            raise ValueError(self.trust.message)

    def _table(self):
        """Return what was found, in a few lines."""
        said = _summary.counts(self)
        columns = {"finding": list(said), "": list(said.values())}
        n_train = len(self._train)
        title = f"Audit of {n_train:,} training rows, by {self.trust.n_runs:,} models"
        return Table(title, columns, notes=tuple(_summary.sentences(self)))

    __repr__ = table_text
    _repr_html_ = table_html
