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
    const part = parts.targets;
    this.filters = new Filters(part, this.choices(), this.measures(), () => this.filter());
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
      ["flips without the ticked rows", i => predict(i).flips]] }];
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
      cell: i => (predict(i).flips ? "⇄ " : "") + signed(predictedEffects().change[i]) });
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
    const lists = [firstWay(), -firstWay()].map(way => this.column(target, way));
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
      el("div.sides.kind-" + parts.train.kind, {}, lists.map(list => list.element)),
      el("p.note", {}, keptText(target)), footNote());
    this.detail.scrollTop = 0;
    this.update();
  }
  column(target, way) {
    const found = weightsOf(target, way);
    const largest = Math.abs(W.counts[target] ? W.values[W.starts[target]] : 1);
    const { verb, arrow, role } = wordsOf(way);
    const total = found.reduce((sum, [, weight]) => sum + weight, 0);
    return new Cards({
      heading: `${arrow} ${rowWord(found.length)} that ${found.length === 1 ? verb + "s" : verb} the ${output.name}${role}`,
      note: found.length ? "Their weights add up to " + signed(total) : "",
      items: found, way,
      card: ([column, weight]) => rowCard(column, weight, largest,
        { part: parts.targets, row: target }),
      tickAll: found.map(([column]) => column),
    });
  }
}

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

function weightBar(weight, largest) {
  const bar = el(weight > 0 ? "span.fill.raise" : "span.fill.lower");
  bar.style.width = 100 * Math.min(1, Math.abs(weight) / largest) + "%";
  return el("span.weight", {},
    el("span.value", {}, (weight > 0 ? "▲ " : "▼ ") + signed(weight)),
    el("span.track", {}, bar));
}

function tickBox(column) {
  const box = el("input", { type: "checkbox", onchange: () => tick([column], box.checked),
    "aria-label": clean("Tick " + columnTitle(column) + ": remove it") });
  box.dataset.column = column;
  const update = () => { box.checked = ticked.has(column); };
  update();
  return { element: box, update };
}

// A row, or a group of rows, that a prediction hangs on.
function rowCard(column, weight, largest, against) {
  const part = parts.train, box = tickBox(column);
  const link = el("a", { href: "#rows/" + column, title: "Targets that it serves" },
    columnsAreGroups() ? groups.names[column] : part.ids ? part.id(column) : "row " + column);
  const rows = rowsOf(column);
  const same = part.labels.isNumber || against.part.label(against.row) === part.label(column);
  const about = columnsAreGroups() ? plural(rows.length, "row")
    : [part.labels.name + (same ? " = " : " ≠ "), el("strong", {}, part.label(column)),
      groups ? " · group " + groupOf(column) : ""];
  const head = el("div.head", {}, el("label.tick", {}, box.element, " "), weightBar(weight, largest),
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
    const unit = output.unit && output.unit !== output.name ? " " + output.unit : "";
    if (outputs) {
      const error = errorOf(target);
      const is = Number.isNaN(error) ? verdict(outputs[target]) : "error " + signed(error);
      this.now.append(`The model says: ${output.name} `, el("strong", {}, number(outputs[target])),
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
    const wrong = isWrong(p.after), then = wrong === null ? verdict(p.after) : wrong ? "wrong" : "right";
    if (p.flips) return el("span.badge.flip", {}, "⇄ flips to " + then +
      (this.isSure(p) ? "" : ", though the interval includes no flip"));
    return el("span.badge", {}, "stays " + then + (p.mayFlip ? ", but the interval includes a flip" : ""));
  }
  isSure(p) {
    const reach = p.half || 0;
    return isAbove(p.after - reach) === isAbove(p.after + reach);
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
