// View of targets: a list with filters and a map, and one target with the rows that
// its prediction hangs on.

const FIRST_CARDS = 10, MORE_CARDS = 20;

// Words for weights of either sign: what they do, and whether that helps.
function wordsOf(way) {
  const verb = way > 0 ? "raise" : "lower", arrow = way > 0 ? "▲" : "▼";
  const helps = output.sign === null ? null : way === output.sign;
  const role = helps === null ? "" : helps ? " (helpers)" : " (harmers)";
  return { verb, arrow, helps, role };
}
// The sign of the weights that are listed first: helpers, or those that raise.
const firstWay = () => output.sign === null ? 1 : output.sign;

class TargetsView {
  constructor() {
    this.title = "Targets";
    this.selected = null;  // targets that were chosen on the map
    this.onlyMarked = false;  // whether to list distinguishable rows only
    const part = parts.targets;
    this.filters = new ExampleFilters(part, this.choices(), this.measures(), () => this.filter());
    this.table = new PagedTable({ caption: "Targets", n: part.n, fields: this.fields(),
      open: i => "#targets/" + i });
    this.map = new TargetMap(chosen => { this.selected = chosen; this.filter(); },
      i => { location.hash = "targets/" + i; });
    this.chosen = el("p.note.chosen", { hidden: true });
    this.list = el("div.list", { role: "region", "aria-label": "List of targets" },
      this.filters.element, this.chosen, this.map.element, this.table.element);
    this.detail = el("div.detail", { role: "region", "aria-label": "The target" });
    this.element = el("div.split", {}, this.list, this.detail);
    ticksChanged.on(() => { if (!this.element.hidden) this.refresh(); });
  }
  choices() {
    if (output.threshold === null || !outputs) return [];
    const right = output.sign === null ? ["above " + number(output.threshold), "not above"]
      : ["wrong", "right"];
    const is = output.sign === null ? i => isAbove(outputs[i]) : i => isWrong(outputs[i]);
    return [{ title: "Prediction", options: [[right[0], is], [right[1], i => !is(i)],
      ...this.flipChoices()] }];
  }
  flipChoices() {  // without the ticked rows
    if (!hasIntervals()) return [["predicted to flip", i => predict(i).flip === "predicted"]];
    return [["certain to flip", i => predict(i).flip === "certain"],
      ["certain or possible to flip", i => predict(i).flip !== "no"]];
  }
  measures() {  // numbers of targets to filter by, besides their columns
    const found = outputs ? [{ name: output.name, isNumber: true, value: i => outputs[i] }] : [];
    if (quality) found.push({ name: "R² of the weights", isNumber: true, value: i => quality[i] });
    if (outputs && output.isPrediction && parts.targets.labels.isNumber)
      found.push({ name: "error", isNumber: true, value: errorOf });
    return found;
  }
  fields() {
    const part = parts.targets;
    const fields = [
      { title: part.ids ? "id" : "target", isNumber: !part.ids,
        value: part.ids ? i => part.id(i) : i => i, cell: i => part.id(i) },
      { title: part.labels.name, value: i => part.labels.value(i), cell: i => part.label(i),
        isNumber: part.labels.isNumber },
    ];
    if (outputs) {
      fields.push({ title: output.name, isNumber: true, value: i => outputs[i],
        cell: i => number(outputs[i]) });
      if (isWrong(0) !== null)
        fields.push({ title: "right?", value: i => verdict(outputs[i]),
          cell: i => el(isWrong(outputs[i]) ? "span.wrong" : "span", {}, verdict(outputs[i])) });
      if (output.isPrediction && part.labels.isNumber)
        fields.push({ title: "error", isNumber: true, value: errorOf,
          cell: i => signed(errorOf(i)) });
    }
    fields.push({ title: "change", isNumber: true, only: () => ticked.size > 0,
      value: i => predictedEffects().change[i],
      cell: i => FLIP_MARKS[predict(i).flip] + signed(predictedEffects().change[i]) });
    return fields;
  }
  filter() {
    const { selected } = this;
    this.chosen.hidden = !selected;
    if (selected) this.chosen.replaceChildren(
      plural(selected.size, "target") + " chosen on the map ",
      button("Clear", () => this.map.select(null), { className: "quiet" }));
    this.table.choose(i => (!selected || selected.has(i)) && this.filters.test(i));
    this.map.show(this.table.rows, currentTarget);
    say(plural(this.table.rows.length, "target") + " found");
  }
  refresh() {
    this.table.choose();
    if (this.update) this.update();
  }
  open(rest) {
    const chosen = /^\d+$/.test(rest) && Number(rest) < parts.targets.n;
    this.element.classList.toggle("opened", chosen);
    const before = currentTarget;
    const target = chosen ? Number(rest) : currentTarget ?? this.table.rows[0] ?? 0;
    currentTarget = target;
    this.table.choose();  // ticks may have changed since
    this.table.show(target);
    if (before !== target || !this.update) this.draw(target);
    else this.update();
    this.map.show(this.table.rows, target);
    targetChanged.send();
    if (chosen) this.detail.querySelector("h2").focus({ preventScroll: true });
  }
  draw(target) {
    const part = parts.targets;
    const step = (by, text) => button(text, () => {
      const next = this.table.step(by);
      if (next !== undefined) location.hash = "targets/" + next;
    });
    const prediction = new Prediction(target);
    const ways = [firstWay(), -firstWay()];
    const lists = ways.map(way => this.column(target, way));
    this.update = () => { prediction.update(); lists.forEach(list => list.update()); };
    this.detail.replaceChildren(
      el("div.heading", {},
        el("a.back", { href: "#targets" }, "← All targets"),
        el("h2", { tabIndex: -1 }, clean(part.title(target))),
        el("div.buttons", {}, step(-1, "‹ Before"), step(1, "Next ›"))),
      el("div.top", {},
        el("div.subject", {}, el("p", {}, part.labels.name + " = ", el("strong", {}, part.label(target))),
          showExample(part, target, null)),
        prediction.element),
      W.marks ? this.marked(target, ways) : null,
      el("div.sides.kind-" + parts.train.kind, {}, lists.map(list => list.element)),
      el("p.note", {}, keptText(target) + intervalText()), footNote());
    this.detail.scrollTop = 0;
    this.update();
  }
  // How many rows are distinguishable, and a box to list only these.
  marked(target, ways) {
    const n = ways.map(way => weightsOf(target, way).filter(([, , k]) => isMarked(k)).length);
    const text = "distinguishable from nothing at FDR " + number(data.weights.fdr);
    if (!n[0] && !n[1])
      return el("p.marked", {}, `No ${columnsAreGroups() ? "group" : "row"} stands out: none is ${text}.`);
    const box = el("input", { type: "checkbox", checked: this.onlyMarked, onchange: () => {
      this.onlyMarked = box.checked;
      this.draw(target);
      this.detail.querySelector(".marked input").focus();
    } });
    const words = ways.map((way, i) => `${i ? count(n[i]) : rowWord(n[i])} that ` +
      wordsOf(way).verb + (n[i] === 1 ? "s" : "") + (i ? " it" : " the " + output.name));
    return el("p.marked", {}, `${words.join(" and ")} ${n[0] + n[1] === 1 ? "is" : "are"} ${text}. `,
      el("label", {}, box, " List only these"));
  }
  column(target, way) {
    const all = weightsOf(target, way), some = W.marks && this.onlyMarked;
    const found = some ? all.filter(([, , k]) => isMarked(k)) : all;
    const largest = Math.abs(W.counts[target] ? W.values[W.starts[target]] : 1);
    const { verb, arrow, role } = wordsOf(way);
    const total = found.reduce((sum, [, weight]) => sum + weight, 0);
    return new Cards({
      heading: `${arrow} ${rowWord(found.length)} that ${found.length === 1 ? verb + "s" : verb} the ${output.name}${role}`,
      note: found.length ? "Their weights add up to " + signed(total) : "",
      items: found, way,
      card: ([column, weight, k]) => rowCard(column, weightBar(weight, largest, k),
        { part: parts.targets, row: target }),
      tickAll: found.map(([column]) => column),
    });
  }
}

// Which intervals the weights have.
const intervalText = () => W.low ? " Intervals allow for the choice of the largest weights."
  : W.errors ? " Intervals of weights are 95% intervals." : "";

function keptText(target) {
  const start = W.starts[target], kept = W.values.subarray(start, start + W.counts[target]);
  const n = kept.filter(weight => weight !== 0).length;
  if (!n) return "All weights of this target are zero.";
  return W.cutoff[target] > 0
    ? `These are the ${count(n)} largest weights of this target. They hold ${percent(W.share[target])} ` +
      `of its absolute weight; each of the others is at most ${number(W.cutoff[target])}.`
    : `These are all ${count(n)} weights of this target that are not zero.`;
}

// A list of cards with a heading, of which more are shown on demand.
class Cards {
  constructor({ heading, note, items, way, card, tickAll }) {
    this.updates = [];
    const box = el("ol.cards");
    const more = button("", () => add(MORE_CARDS), { className: "wide" });
    let shown = 0;
    const add = n => {
      for (const item of items.slice(shown, shown + n)) {
        const made = card(item);
        box.append(el("li", {}, made.element));
        if (made.update) { this.updates.push(made.update); made.update(); }
      }
      shown = Math.min(items.length, shown + n);
      more.hidden = shown === items.length;
      more.textContent = "Show more (" + count(items.length - shown) + ")";
      if (tickAll) shownAll.textContent = `Tick these ${count(shown)}`;
    };
    const shownAll = tickAll && button("", () => tick(tickAll.slice(0, shown), true));
    this.element = el(way > 0 ? "section.side.raise" : "section.side.lower", {},
      el("h3", {}, heading), el("div.buttons", {}, el("span.note", {}, note),
        items.length && tickAll ? shownAll : null), box, more);
    add(FIRST_CARDS);
  }
  update() { this.updates.forEach(update => update()); }
}

// The weight at a place with its interval, as numbers and as bars.
function weightBar(weight, largest, k) {
  const bar = el(weight > 0 ? "span.fill.raise" : "span.fill.lower");
  const at = value => 100 * Math.max(0, Math.min(1, Math.sign(weight) * value / largest));
  bar.style.width = at(weight) + "%";
  const track = el("span.track", {}, bar), ends = intervalOf(k);
  if (ends) {
    const [from, to] = ends.map(at).sort((a, b) => a - b), whisker = el("span.whisker");
    whisker.style.left = from + "%";
    whisker.style.width = to - from + "%";
    track.append(whisker);
  }
  return [
    el("span.weight", {}, el("span.value", {}, (weight > 0 ? "▲ " : "▼ ") + signed(weight)), track),
    ends && el("span.ends", {}, `${signed(ends[0])} to ${signed(ends[1])}`),
    isMarked(k) ? el("span.badge.sure", {}, "distinguishable") : null,
  ];
}

function tickBox(column) {
  const box = el("input", { type: "checkbox", onchange: () => tick([column], box.checked),
    "aria-label": clean("Tick " + columnTitle(column) + ": remove it") });
  box.dataset.column = column;
  const update = () => { box.checked = ticked.has(column); };
  update();
  return { element: box, update };
}

// A box that ticks all rows of a group at once.
function groupTickBox(code) {
  const columns = columnsOfGroup(code), n = columns.filter(column => ticked.has(column)).length;
  const box = el("input", { type: "checkbox", checked: n === columns.length && n > 0,
    indeterminate: n > 0 && n < columns.length, onchange: () => tick(columns, box.checked) });
  box.setAttribute("aria-label", clean("Remove group " + groups.names[code]));
  return { element: box };
}

// A row, or a group of rows, that a prediction hangs on.
function rowCard(column, bar, against) {
  const part = parts.train, box = tickBox(column);
  const link = el("a", { href: "#rows/" + column, title: "Targets that it serves" },
    columnsAreGroups() ? groups.names[column] : part.ids ? part.id(column) : "row " + column);
  const rows = rowsOf(column);
  const same = part.labels.isNumber || against.part.label(against.row) === part.label(column);
  const about = columnsAreGroups() ? plural(rows.length, "row")
    : [part.labels.name + (same ? " = " : " ≠ "), el("strong", {}, part.label(column)),
      groups ? " · group " + groupOf(column) : ""];
  const head = el("div.head", {}, el("label.tick", {}, box.element, " "), bar,
    link, el("span.about", {}, about));
  const card = el("article.card", { dataset: { column } }, head);
  if (columnsAreGroups()) card.append(groupContent(rows, against));
  else card.append(showExample(part, column, against));
  const update = () => { box.update(); card.classList.toggle("ticked", box.element.checked); };
  return { element: card, update };
}

const FIRST_ROWS = 2;
function groupContent(rows, against) {
  const box = el("div.members");
  const add = some => some.forEach(row => box.append(
    el("p.note", {}, parts.train.title(row) + ", " + parts.train.says(row)),
    showExample(parts.train, row, against)));
  const known = rows.filter(row => parts.train.position(row) !== undefined);
  add(known.slice(0, FIRST_ROWS));
  if (known.length > FIRST_ROWS) {
    const more = button(`Show ${count(Math.min(known.length, 50) - FIRST_ROWS)} more of its rows`, () => {
      more.remove();
      add(known.slice(FIRST_ROWS, 50));
    }, { className: "quiet" });
    return el("div", {}, box, more);
  }
  return box;
}

// What the model says, and what is predicted without the ticked rows.
class Prediction {
  constructor(target) {
    this.target = target;
    this.now = el("p.says");
    this.then = el("p.without");
    this.hint = el("p.note");
    this.line = el("div.line");
    this.element = el("section.prediction", { "aria-label": "Prediction" },
      this.now, this.then, this.line, this.hint);
    const unit = output.unit && output.unit !== output.name && !output.isPrediction ? " " + output.unit : "";
    const name = output.isPrediction ? parts.targets.labels.name + " =" : output.name;
    if (outputs) {
      const error = errorOf(target);
      const is = Number.isNaN(error) ? verdict(outputs[target]) : "error " + signed(error);
      this.now.append(`The model says: ${name} `, el("strong", {}, number(outputs[target])),
        unit, is ? el(isWrong(outputs[target]) ? "span.badge.wrong" : "span.badge", {}, is) : "");
    } else this.now.append(`Weights are in the unit of the ${output.name}${unit}.`);
    if (quality && !Number.isNaN(quality[target])) this.element.append(this.trust(quality[target]));
  }
  update() {
    const p = predict(this.target);
    if (!ticked.size) {
      this.then.replaceChildren("Tick rows below: what would it say without them?");
      this.hint.textContent = "";
    } else {
      const low = p.change - p.half, high = p.change + p.half;
      const interval = p.half === null ? "" : ` (95% interval ${signed(low)} to ${signed(high)})`;
      this.then.replaceChildren(
        `Without the ${tickedWord()}: `,
        p.after === null ? "" : el("strong", { className: "after" }, number(p.after)),
        p.after === null ? "change " : ", change ",
        el("strong", { className: "change" }, signed(p.change)), interval, this.fate(p));
      this.then.dataset.change = p.change;
      this.hint.textContent = this.hintText(p);
    }
    if (outputs) this.line.replaceChildren(numberLine(outputs[this.target], p));
  }
  trust(r2) {
    if (r2 > 0) return el("p.note.quality", {}, `The weights of this target explain ${percent(r2)} of ` +
      "the variance on models that they were not fitted to.");
    return el("p.quality.wrong", {}, "⚠ The weights of this target explain nothing on models that they " +
      "were not fitted to: do not rely on them.");
  }
  fate(p) {
    if (p.after === null || output.threshold === null) return "";
    const side = isAbove(outputs[this.target]) === (p.flip === "no");
    const then = output.sign === null ? (side ? "above " : "not above ") + number(output.threshold)
      : side === output.sign > 0 ? "right" : "wrong";
    if (p.flip === "no") return el("span.badge", {}, "stays " + then);
    const words = { certain: "certain to flip to ", possible: "may flip to ", predicted: "flips to " };
    return el("span.badge.flip", {}, "⇄ " + words[p.flip] + then);
  }
  hintText(p) {
    const hints = [];
    if (p.missing && W.cutoff[this.target] > 0) hints.push(`${count(p.missing)} of the ticked ${columnsAreGroups() ? "groups" : "rows"} ` +
      `${p.missing === 1 ? "is" : "are"} not among the weights kept for this target: ` +
      `counted as 0, each is at most ${number(W.cutoff[this.target])}.`);
    if (removal && removal.growth > 0 && ticked.size > 1)
      hints.push("Together, rows may change an output by more than the sum of their weights.");
    if (W.errors && !removal) hints.push("Errors of the weights are taken as independent.");
    if (tooMany()) hints.push("No interval: they were checked for up to " +
      `${count(mostRows())} ${columnsAreGroups() ? "groups" : "rows"}.`);
    else if (p.half === null) hints.push("No interval: standard errors were not given.");
    return hints.join(" ");
  }
}

// The output now and then on a line, with the threshold.
function numberLine(now, p) {
  const reach = p.half || 0, threshold = output.threshold;
  const values = [now, p.after - reach, p.after + reach];
  if (threshold !== null) values.push(threshold);
  let low = Math.min(...values), high = Math.max(...values);
  const margin = (high - low || Math.abs(now) || 1) * 0.12;
  low -= margin; high += margin;
  const x = value => (100 * (value - low) / (high - low)).toFixed(2) + "%";
  const line = (a, b, y, kind) => svg("line", { x1: x(a), x2: x(b), y1: y, y2: y, class: kind });
  const text = (at, y, words, kind) => {
    const share = (at - low) / (high - low);
    const anchor = share < 0.15 ? "start" : share > 0.85 ? "end" : "middle";
    return svg("text", { x: x(at), y, class: kind, "text-anchor": anchor }, words);
  };
  const picture = svg("svg", { width: "100%", height: 58, role: "img", "aria-label": ticked.size
    ? `${output.name} ${number(now)} now, ${number(p.after)} without the ticked rows`
    : `${output.name} ${number(now)}` }, line(low, high, 30, "axis"));
  if (threshold !== null) picture.append(
    svg("line", { x1: x(threshold), x2: x(threshold), y1: 16, y2: 44, class: "threshold" }),
    text(threshold, 56, "flips at " + number(threshold), "muted"));
  if (ticked.size) {
    picture.append(line(now, p.after, 30, "moved"));
    if (reach) picture.append(line(p.after - reach, p.after + reach, 30, "interval"));
    picture.append(svg("circle", { cx: x(p.after), cy: 30, r: 6, class: "then" }),
      text(p.after, 12, "without: " + number(p.after), "strong"));
  }
  picture.append(svg("circle", { cx: x(now), cy: 30, r: 5, class: "now" }));
  const near = ticked.size && Math.abs(now - p.after) < 0.25 * (high - low);
  if (!near) picture.append(text(now, 12, "now: " + number(now), "muted"));
  return picture;
}
