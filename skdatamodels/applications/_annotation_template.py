"""HTML of the annotation page, as a string so that it is packaged as a module."""

TEMPLATE = r"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{title}}</title>
<style>
:root { color-scheme: light; --same: #0072b2; --other: #d55e00; --line: #ccc; }
body { font: 16px/1.4 system-ui, sans-serif; margin: 0; color: #222;
  background: #fff; }
header { position: sticky; top: 0; background: #fff;
  border-bottom: 1px solid var(--line); padding: .6rem 1rem; z-index: 1; }
h1 { font-size: 1.1rem; margin: 0 0 .4rem; }
header label, header button, header output { margin-right: .8rem; }
header input { font: inherit; width: 12rem; }
main { padding: 1rem; }
section, div { display: flex; gap: 1rem; align-items: flex-start; }
div { flex-wrap: wrap; }
section { border-bottom: 1px solid var(--line); padding: 1rem 0; }
figure { margin: 0; flex: none; padding: .5rem; max-width: 20rem;
  border: 3px solid transparent; border-radius: 6px; }
figure.target { background: #f1f1f1; position: sticky; top: 6.5rem; }
figure.same { border-color: var(--same); }
figure.other { border-color: var(--other); }
figure h2 { font-size: .85rem; margin: 0 0 .3rem; color: #555; }
figure p { margin: .3rem 0; font-size: .85rem; color: #555; }
figure p.text { font-size: 1rem; color: #222; white-space: pre-wrap; }
figure img { width: 128px; height: auto; image-rendering: pixelated; display: block;
  border: 1px solid var(--line); }
table { border-collapse: collapse; font-size: .85rem; }
th { text-align: left; font-weight: normal; color: #555; padding-right: .6rem; }
td { text-align: right; }
button { font: inherit; padding: .15rem .6rem; border: 1px solid #888;
  border-radius: 4px; background: #fff; cursor: pointer; }
button:disabled { opacity: .5; cursor: default; }
button[aria-pressed=true].same { background: var(--same); color: #fff; }
button[aria-pressed=true].other { background: var(--other); color: #fff; }
#note { color: #a00; font-size: .85rem; }
</style>
</head>
<body>
<header>
<h1>{{title}}</h1>
<label>Your name <input id="annotator" autocomplete="name"
  placeholder="needed to save"></label>
<button id="csv" disabled>Save as CSV</button>
<button id="json" disabled>Save as JSON</button>
<output id="progress"></output>
<span id="note"></span>
</header>
<main></main>
<script type="application/json" id="data">{{data}}</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const place = "skdatamodels-" + data.fingerprint;
const nPairs = data.tasks.reduce((sum, task) => sum + task.candidates.length, 0);
// answers["target,train"] is 1 for same, 0 for not the same
let kept = { annotator: "", answers: {} };

// Browsers may refuse storage to local files or in private windows. Then the answers
// are kept only until the page is closed.
function load() {
  try {
    const text = window.localStorage.getItem(place);
    if (text) kept = JSON.parse(text);
  } catch (error) { warn(); }
}
function save() {
  try { window.localStorage.setItem(place, JSON.stringify(kept)); }
  catch (error) { warn(); }
}
function warn() {
  byId("note").textContent =
    "This browser does not keep answers: save them before you close the page.";
}

function figure(content, heading) {
  const box = document.createElement("figure");
  box.innerHTML = "<h2></h2>" + content;  // content was escaped by the writer
  box.firstChild.textContent = heading;
  return box;
}
function candidate(target, train) {
  const box = figure(data.train[train], "training example " + train);
  const key = target + "," + train;
  const buttons = [["same", "same", 1], ["not same", "other", 0]].map(spec => {
    const button = document.createElement("button");
    [button.textContent, button.className] = spec;
    button.dataset.pair = key;
    button.addEventListener("click", () => {
      if (kept.answers[key] === spec[2]) delete kept.answers[key];
      else kept.answers[key] = spec[2];
      save();
      show();
    });
    box.append(button, " ");
    return button;
  });
  shows.push(() => {
    const answer = kept.answers[key];
    buttons[0].setAttribute("aria-pressed", answer === 1);
    buttons[1].setAttribute("aria-pressed", answer === 0);
    box.className = answer === 1 ? "same" : answer === 0 ? "other" : "";
  });
  return box;
}

const shows = [];
function show() {
  shows.forEach(update => update());
  const n = Object.keys(kept.answers).length;
  byId("progress").textContent = n + " of " + nPairs + " answered";
  const ready = n > 0 && kept.annotator.trim() !== "";
  byId("csv").disabled = byId("json").disabled = !ready;
}

function records() {
  return Object.entries(kept.answers).map(([key, same]) => {
    const [target, train] = key.split(",").map(Number);
    return { target, train, same };
  });
}
function csv() {
  const name = '"' + kept.annotator.trim().replaceAll('"', '""') + '"';
  const lines = records().map(
    r => [data.fingerprint, name, r.target, r.train, r.same].join(","));
  return ["fingerprint,annotator,target,train,same", ...lines, ""].join("\n");
}
function json() {
  return JSON.stringify({ fingerprint: data.fingerprint,
    annotator: kept.annotator.trim(), answers: records() }, null, 1);
}
function download(text, type, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  const name = kept.annotator.trim().replace(/[^\p{L}\p{N}]+/gu, "-");
  link.download = "answers-" + name + "." + ending;
  link.click();
}

load();
for (const task of data.tasks) {
  const row = document.createElement("section");
  const target = figure(data.targets[task.target], "target " + task.target);
  target.className = "target";
  const box = document.createElement("div");
  box.append(...task.candidates.map(i => candidate(task.target, i)));
  row.append(target, box);
  document.querySelector("main").append(row);
}
byId("annotator").value = kept.annotator;
byId("annotator").addEventListener("input", event => {
  kept.annotator = event.target.value;
  save();
  show();
});
byId("csv").addEventListener("click", () => download(csv(), "text/csv", "csv"));
byId("json").addEventListener("click",
  () => download(json(), "application/json", "json"));
show();
</script>
</body>
</html>
"""
