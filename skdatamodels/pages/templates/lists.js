// View of training rows and the targets that they serve, and further tables.

const MOST_GROUPS = 2000;  // to choose from

class RowsView {
  constructor() {
    this.title = columnsAreGroups() ? "Groups" : "Training rows";
    const part = parts.train;
    this.sums = new Float64Array(W.nColumns);
    for (let k = 0; k < W.columns.length; k++) this.sums[W.columns[k]] += W.values[k];
    const choices = [];
    if (groups && !columnsAreGroups() && groups.names.length <= MOST_GROUPS)
      choices.push({ title: "Group", options: groups.names.map((name, code) =>
        [name, i => groups.codes[i] === code]) });
    choices.push({ title: "Ticked", options: [["ticked", i => ticked.has(i)], ["not ticked", i => !ticked.has(i)]] });
    this.filters = columnsAreGroups() ? null : new ExampleFilters(part, choices,
      this.measures(), () => this.filter());
    this.table = new PagedTable({ caption: this.title, n: W.nColumns, fields: this.fields(),
      open: i => "#rows/" + i });
    this.ticker = tickListed(() => this.table.rows);
    this.list = el("div.list", { role: "region", "aria-label": "List of training rows" },
      this.filters && this.filters.element, el("div.buttons", {}, this.ticker),
      this.table.element);
    this.detail = el("div.detail", { role: "region", "aria-label": "The training row" });
    this.element = el("div.split", {}, this.list, this.detail);
    ticksChanged.on(() => {
      if (this.element.hidden) return;
      this.table.draw();
      if (this.update) this.update();
    });
  }
  measures() {
    const found = [{ name: "sum of weights", isNumber: true, value: i => this.sums[i] }];
    if (groups) found.push({ name: "group", text: groupOf });
    return found;
  }
  fields() {
    const part = parts.train, fields = [];
    if (columnsAreGroups()) fields.push(
      { title: "group", value: i => groups.names[i], cell: i => groups.names[i] },
      { title: "rows", isNumber: true, value: i => groups.rows[i].length, cell: i => count(groups.rows[i].length) });
    else {
      fields.push({ title: part.ids ? "id" : "row", isNumber: !part.ids,
        value: part.ids ? i => part.id(i) : i => i, cell: i => part.id(i) },
      { title: part.labels.name, value: i => part.labels.value(i), cell: i => part.label(i), isNumber: part.labels.isNumber });
      if (groups) fields.push({ title: "group", value: groupOf, cell: groupOf });
    }
    fields.push({ title: "sum of weights", isNumber: true, value: i => this.sums[i],
      cell: i => signed(this.sums[i]) },
    { title: "tick", cell: i => tickBox(i).element });
    return fields;
  }
  filter() {
    this.table.choose(i => this.filters.test(i));
    this.ticker.update();
    say(rowWord(this.table.rows.length) + " found");
  }
  open(rest) {
    const [, code] = /^group-(\d+)$/.exec(rest) || [];
    if (code && this.filters && this.filters.selects.has("Group")) this.filters.choose("Group", code);
    const chosen = /^\d+$/.test(rest) && Number(rest) < W.nColumns;
    this.element.classList.toggle("opened", chosen);
    const column = chosen ? Number(rest) : this.current ?? this.table.rows[0] ?? 0;
    this.current = column;
    this.table.show(column);
    this.draw(column);
    if (chosen) this.detail.querySelector("h2").focus({ preventScroll: true });
  }
  draw(column) {
    const part = parts.train, box = tickBox(column);
    const lists = [firstWay(), -firstWay()].map(way => this.side(column, way));
    const rows = rowsOf(column), isGroup = columnsAreGroups();
    const group = !isGroup && groupOf(column);
    this.update = () => { box.update(); };
    this.detail.replaceChildren(
      el("div.heading", {}, el("a.back", { href: "#rows" }, "← All"),
        el("h2", { tabIndex: -1 }, columnTitle(column)),
        el("div.buttons", {}, el("label.tick", {}, box.element, " tick: remove"),
          group ? button(`Tick all of group ${group}`, () =>
            tick(groups.rows[groups.codes[column]], true)) : null)),
      el("div.subject", {}, isGroup ? el("p", {}, plural(rows.length, "row"))
        : el("p", {}, part.labels.name + " = ", el("strong", {}, part.label(column)), group ? " · group " + group : ""),
      isGroup ? groupContent(rows, null) : showExample(part, column, null)),
      el("div.sides.kind-" + parts.targets.kind, {}, lists.map(list => list.element)),
      el("p.note", {}, W.totalShare < 1 ? "Targets for which its weight is not among the largest are not listed." : ""), footNote());
    this.detail.scrollTop = 0;
  }
  side(column, way) {
    const found = servedBy(column, way), { verb, arrow, role } = wordsOf(way);
    const largest = Math.max(...[1, -1].map(w => Math.abs((servedBy(column, w)[0] || [0, 0])[1]))) || 1;
    return new Cards({
      heading: `${arrow} ${verb === "raise" ? "raises" : "lowers"} the ${output.name} of ` +
        plural(found.length, "target") + role.replace("helpers", "helps").replace("harmers", "harms"),
      note: "", items: found, way,
      card: ([target, weight, k]) => ({ element: targetCard(target, weightBar(weight, largest, k), column) }),
    });
  }
}

function targetCard(target, bar, column) {
  const part = parts.targets;
  const against = columnsAreGroups() ? null : { part: parts.train, row: column };
  return el("article.card", {},
    el("div.head", {}, bar,
      el("a", { href: "#targets/" + target }, part.ids ? part.id(target) : "target " + target),
      el("span.about", {}, part.labels.name + " = ", el("strong", {}, part.label(target)),
        outputs ? " · " + (verdict(outputs[target]) || number(outputs[target])) : "")),
    showExample(part, target, against && part.position(target) !== undefined &&
      parts.train.position(column) !== undefined ? against : null));
}

// A further table, whose rows lead to training rows and targets.
class SectionView {
  constructor(spec) {
    this.title = spec.title;
    const columns = spec.columns.map(c => new Column(c));
    const n = columns.length ? columns[0].length : 0;
    this.columns = columns;
    const linked = columns.find(c => W && (c.link === "groups" || (c.link === "train" && !columnsAreGroups())));
    const rowAt = i => linked.numbers ? linked.numbers[i] : Number(linked.value(i));
    const fields = columns.map(column => ({ title: column.name,
      isNumber: column.isNumber && !column.link, full: column.isNumber ? null : i => column.value(i),
      value: i => column.link === "groups" ? groups.names[column.numbers[i]] : column.value(i),
      cell: i => this.cell(column, i) }));
    const areGroups = linked && linked.link === "groups", box = areGroups ? groupTickBox : tickBox;
    if (linked) fields.unshift({ title: "tick",
      cell: i => rowAt(i) < 0 ? "" : box(rowAt(i)).element });
    this.table = new PagedTable({ caption: spec.title, n, fields, open: null });
    this.filters = new Filters(() => this.filter());
    this.filters.addColumns(columns.map(column => [this.searched(column), i => i]));
    this.ticker = linked && tickListed(() => this.table.rows.map(rowAt).filter(row => row >= 0)
      .flatMap(row => areGroups ? columnsOfGroup(row) : [row]));
    this.element = el("div.single", {}, el("h2", { tabIndex: -1 }, spec.title),
      spec.note ? el("p.says", {}, spec.note) : null,
      n < spec.total ? el("p.note", {}, `The first ${count(n)} of ${count(spec.total)} rows.`) : null,
      n ? null : el("p", {}, "Nothing was found."),
      n ? this.filters.element : null,
      n && linked ? el("div.buttons", {}, this.ticker) : null,
      n ? this.table.element : null);
    ticksChanged.on(() => { if (!this.element.hidden) this.table.draw(); });
  }
  filter() {
    this.table.choose(i => this.filters.test(i));
    if (this.ticker) this.ticker.update();
    say(plural(this.table.rows.length, "row") + " found");
  }
  // A column as the filter reads it: links by the id of their example.
  searched(column) {
    if (!column.link) return column;
    const at = i => Number(column.value(i));
    if (column.link === "groups") return { name: column.name, text: i => groups.names[at(i)] };
    return { name: column.name, text: i => at(i) < 0 ? "" : parts[column.link].id(at(i)) };
  }
  cell(column, i) {
    const value = column.isNumber ? column.numbers[i] : column.value(i);
    if (!column.link || value < 0) return value < 0 && column.link ? "" : column.text(i);
    if (column.link === "groups")
      return el("a", { href: "#rows/" + (columnsAreGroups() ? "" : "group-") + value, title: "Its rows" },
        groups.names[value]);
    const part = parts[column.link], at = column.link === "targets" ? "#targets/" : "#rows/";
    const content = el("span", {}, el("a", { href: at + (column.link === "train" ? columnOf(value) : value) },
      part.id(value)), this.columns.some(c => c.name === part.labels.name) ? "" : " " + part.says(value));
    const position = part.position(value);
    if (part.kind === "image" && position !== undefined) {
      const image = showImage(part, value, position);
      image.classList.add("small");
      content.prepend(image, " ");
    }
    if (part.texts && position !== undefined)
      content.append(el("span.note", {}, " " + shorten(part.texts[position], 90)));
    return content;
  }
  open() { this.table.draw(); }
}
