// The bar of ticked rows at the bottom: what they do, and saving them.

let currentTarget = null;  // the target whose prediction the bar shows

function startSelection() {
  const bar = byId("bottom");
  bar.hidden = false;
  const what = el("p", { id: "ticked", "aria-live": "polite" });
  const save = [
    button("Save as CSV", () => download(selectionCSV(), "text/csv", "ticked-rows.csv"), { id: "csv" }),
    button("Save as JSON", () => download(selectionJSON(), "application/json", "ticked-rows.json"), { id: "json" }),
    button("Untick all", () => tick([...ticked], false), { id: "untick" }),
  ];
  bar.append(what, el("div.buttons", {}, save));
  const update = () => {
    what.replaceChildren(...selectionText());
    save.forEach(each => { each.disabled = ticked.size === 0; });
  };
  ticksChanged.on(update);
  targetChanged.on(update);
  update();
}
const targetChanged = new Signal();

function selectionText() {
  if (!ticked.size)
    return [el("span.note", {}, "Tick rows to see the prediction without them.")];
  const nRows = tickedRows().length;
  const parts_ = [el("strong", {}, rowWord(ticked.size) + " ticked"),
    columnsAreGroups() ? ` (${plural(nRows, "row")})` : "", ". "];
  if (currentTarget !== null) {
    const p = predict(currentTarget);
    parts_.push(`Target ${parts.targets.id(currentTarget)}: ` +
      (output.isPrediction ? parts.targets.labels.name : output.name) + " ");
    parts_.push(p.after === null ? "change " + signed(p.change)
      : `${number(outputs[currentTarget])} → ${number(p.after)}`);
    const words = { certain: "⇄ certain to flip", possible: "⇄ may flip", predicted: "⇄ flips" };
    if (p.flip !== "no") parts_.push(" ", el("strong.flip", {}, words[p.flip]));
    parts_.push(". ");
  }
  if (outputs && output.threshold !== null) {
    const n = { certain: 0, possible: 0, predicted: 0, no: 0 };
    for (let t = 0; t < W.n; t++) n[predict(t).flip]++;
    parts_.push(hasIntervals() ? `Flips of ${plural(W.n, "target")}: ${count(n.certain)} certain, ` +
      `${count(n.possible)} possible.` : `Predicted to flip: ${count(n.predicted)} of ${plural(W.n, "target")}.`);
  }
  return parts_.map(part => part instanceof Node ? part : document.createTextNode(clean(part)));
}

function selectionCSV() {
  const lines = tickedRows().map(row =>
    [data.trainFingerprint, row, field(parts.train.id(row))].join(","));
  return ["fingerprint,row,id", ...lines, ""].join("\n");
}
function selectionJSON() {
  const rows = tickedRows().map(row => ({ row, id: parts.train.id(row) }));
  return JSON.stringify({ fingerprint: data.trainFingerprint, rows }, null, 1);
}
