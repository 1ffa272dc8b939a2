// The bar of ticked rows at the bottom: what they do, and saving them.

let currentTarget = null;  // the target whose prediction the bar shows

function startSelection() {
  const bar = byId("bottom");
  bar.hidden = false;
  const what = el("p", { id: "ticked" });
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
    parts_.push(`Target ${parts.targets.id(currentTarget)}: ${output.name} `);
    parts_.push(p.after === null ? "changes by " + signed(p.change)
      : `${number(outputs[currentTarget])} → ${number(p.after)}`);
    if (p.flips) parts_.push(" ", el("strong.flip", {}, "⇄ flips"));
    parts_.push(". ");
  }
  if (outputs && output.threshold !== null) {
    const { change } = predictedEffects();
    let n = 0;
    for (let t = 0; t < W.n; t++) n += isAbove(outputs[t] + change[t]) !== isAbove(outputs[t]);
    parts_.push(`Predicted to flip: ${count(n)} of ${plural(W.n, "target")}.`);
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
