// View of questions: which candidates are the same as a target?

class AnnotationView {
  constructor() {
    this.title = "Annotate";
    this.place = "skdatamodels-" + data.fingerprint;
    this.nPairs = data.tasks.reduce((sum, task) => sum + task.candidates.length, 0);
    // answers["target,train"] is 1 for same, 0 for not the same
    this.kept = { annotator: "", answers: {} };
    this.updates = [];
    this.note = el("span.warning");
    this.load();
    this.name = el("input", { id: "annotator", autocomplete: "name", placeholder: "needed to save",
      value: this.kept.annotator, oninput: () => {
        this.kept.annotator = this.name.value;
        this.save();
        this.show();
      } });
    this.progress = el("output", { id: "progress" });
    const file = (id, text, make, type) => button(text, () =>
      download(make(), type, "answers-" + this.fileName() + "." + id), { id: "answers-" + id });
    this.buttons = [file("csv", "Save answers as CSV", () => this.csv(), "text/csv"),
      file("json", "Save answers as JSON", () => this.json(), "application/json")];
    this.element = el("div.annotation", {},
      el("div.buttons.stick", {}, el("label", {}, "Your name ", this.name),
        this.buttons, this.progress, this.note),
      data.tasks.map(task => this.task(task)), el("p.note", {}, data.notes.join(" ")));
    this.show();
  }
  open() {}
  // Browsers may refuse storage to local files or in private windows. Then the answers
  // are kept only until the page is closed.
  load() {
    try {
      const text = window.localStorage.getItem(this.place);
      if (text) this.kept = JSON.parse(text);
    } catch (error) { this.warn(); }
  }
  save() {
    try { window.localStorage.setItem(this.place, JSON.stringify(this.kept)); }
    catch (error) { this.warn(); }
  }
  warn() {
    this.note.textContent = "This browser does not keep answers: save them before you close the page.";
  }
  task({ target, candidates }) {
    const { train, targets } = parts;
    return el("section.task", {},
      el("figure.target", {}, el("h2", {}, targets.title(target)), showExample(targets, target, null),
        el("p.note", {}, "y = " + targets.label(target))),
      el("div.candidates", {}, candidates.map(row => this.candidate(target, row, train))));
  }
  candidate(target, row, train) {
    const key = target + "," + row, { kept } = this;
    const box = el("figure", {}, el("h2", {}, train.title(row)),
      showExample(train, row, { part: parts.targets, row: target }),
      el("p.note", {}, "y = " + train.label(row)));
    const choice = (text, kind, value) => button(text, () => {
      if (kept.answers[key] === value) delete kept.answers[key];
      else kept.answers[key] = value;
      this.save();
      this.show();
    }, { className: kind, dataset: { pair: key } });
    const choices = [choice("same", "same", 1), choice("not same", "other", 0)];
    box.append(el("div.buttons", {}, choices));
    this.updates.push(() => {
      const answer = kept.answers[key];
      choices[0].setAttribute("aria-pressed", answer === 1);
      choices[1].setAttribute("aria-pressed", answer === 0);
      box.className = answer === 1 ? "same" : answer === 0 ? "other" : "";
    });
    return box;
  }
  show() {
    this.updates.forEach(update => update());
    const n = Object.keys(this.kept.answers).length;
    this.progress.textContent = n + " of " + this.nPairs + " answered";
    const ready = n > 0 && this.kept.annotator.trim() !== "";
    this.buttons.forEach(each => { each.disabled = !ready; });
  }
  records() {
    return Object.entries(this.kept.answers).map(([key, same]) => {
      const [target, train] = key.split(",").map(Number);
      return { target, train, same };
    });
  }
  csv() {
    const name = '"' + this.kept.annotator.trim().replaceAll('"', '""') + '"';
    const lines = this.records().map(r => [data.fingerprint, name, r.target, r.train, r.same].join(","));
    return ["fingerprint,annotator,target,train,same", ...lines, ""].join("\n");
  }
  json() {
    return JSON.stringify({ fingerprint: data.fingerprint,
      annotator: this.kept.annotator.trim(), answers: this.records() }, null, 1);
  }
  fileName() { return this.kept.annotator.trim().replace(/[^\p{L}\p{N}]+/gu, "-"); }
}
