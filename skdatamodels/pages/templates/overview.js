// The first tab: what was found, in words, and what the words mean.

const MEANING = {
  "LDS": "Linear datamodeling score: rank correlation of predicted and true outputs, on subsets " +
    "that the weights have not seen. 1 is perfect, 0 is worth nothing.",
  "best possible LDS": "What a perfect predictor would reach. Below 1 if training is random.",
  "runs": "Number of models that were trained on random subsets.",
  "accuracy": "Share of right predictions on the targets.",
  "accuracy of a constant": "That of always guessing the most frequent class.",
  "R²": "Share of the variance of the true values that the model explains.",
  "R² of a constant": "That of always guessing the mean value.",
  "weights on this page": "Share of the absolute weight that the page holds. Small weights are left " +
    "out if it would be too large.",
  "distinguishable": "The effect is more than the noise of the runs. Of such rows, at most one of ten " +
    "is expected to be false.",
  "probability": "How likely the label or value is wrong.",
  "suggested": "What the label or value may be instead.",
  "out_of_bag": "Mean output of the models that were not trained on this row.",
  "effect": "What the presence of the row or group adds to the score. Negative is harmful.",
  "low": "Lower end of the interval.",
  "high": "Upper end of the interval.",
  "n_rows": "Number of rows.",
  "share": "Share of all rows.",
  "n_differ": "Number of columns in which the two rows differ.",
  "twin": "The other row of the pair.",
  "evidence": "What speaks for a leak: the model needed the row (weights), or it looks alike (representation).",
  "importance": "By how much the score falls on test rows if the column is shuffled.",
  "in_training": "The same on training rows.",
  "removed": "Which were removed before training again: none, the worst, or random ones.",
  "change_error": "Standard error of the change.",
  "error": "Standard error, or prediction minus true value.",
  "R² of the weights": "Share of the variance of outputs of other models that the weights explain.",
  "sum of weights": "Sum over all targets.",
  "change": "Predicted change without the ticked rows, or change by a removal. ⇄ is a certain flip, ⇄? a possible one.",
};

class OverviewView {
  constructor() {
    this.title = "Overview";
    const { facts, paragraphs } = data.overview;
    this.element = el("div.single.overview", {}, el("h2", { tabIndex: -1 }, "What was found"),
      el("dl.findings", {}, facts.map(([name, text]) =>
        el("div", {}, el("dt", {}, this.link(name)), el("dd", {}, text)))),
      paragraphs.map(text => el("p.says", {}, text)),
      el("h2", {}, "What the words mean"),
      el("dl.words", {}, this.words().map(([word, text]) =>
        el("div", {}, el("dt", {}, word), el("dd", {}, text)))));
  }
  // A finding leads to the tab of its name, harmful rows to the rows by effect.
  link(name) {
    const wanted = name === "harmful rows" ? "rows by effect" : name.toLowerCase();
    const k = data.sections.findIndex(({ title }) => wanted.includes(title.toLowerCase()));
    return k < 0 ? name : el("a", { href: "#section" + k }, name);
  }
  words() {
    const columns = columnsAreGroups() ? "group" : "row";
    const known = ["LDS", "best possible LDS", "distinguishable"];
    return [
      ["target", "A row whose prediction is explained."],
      ["weight", `By how much the presence of a training ${columns} raises the ${output.name} of a target.`],
      ...(output.name === "margin" ? [["margin", "How clearly a prediction is right, in log-odds. Below 0 it is wrong."]] : []),
      ...known.map(word => [word, MEANING[word]]),
      ...(output.threshold === null ? [] : [["certain, possible", "A prediction is certain to flip if the " +
        "whole 95% interval of its output is on the other side, and may flip if a part of it is."]]),
    ];
  }
  open() {}
}
