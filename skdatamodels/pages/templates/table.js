// Tables in pages, sorted by a heading, and filters.

const ROWS_OF_PAGE = 20;

// fields: [{title, value(i), cell(i) -> text or node, isNumber, only() -> whether it is shown}]
// open(i): what a click on the first cell does; null: no links.
class PagedTable {
  constructor({ caption, n, fields, open, sortBy }) {
    Object.assign(this, { n, fields, open });
    this.rows = Array.from({ length: n }, (_, i) => i);
    this.test = () => true;
    this.sort = sortBy || null;  // {field, down}
    this.page = 0;
    this.current = -1;
    this.head = el("tr");
    this.body = el("tbody");
    this.pager = el("div.pager");
    this.element = el("div.table", {},
      el("div.scroll", { tabIndex: 0, role: "region", "aria-label": caption },
        el("table", {}, el("caption.unseen", {}, caption), el("thead", {}, this.head), this.body)),
      this.pager);
    this.choose();
  }
  // Filter and sort anew.
  choose(test) {
    if (test) this.test = test;
    this.rows = [];
    for (let i = 0; i < this.n; i++) if (this.test(i)) this.rows.push(i);
    if (this.sort) {
      const { field, down } = this.sort, way = down ? -1 : 1;
      this.rows.sort((a, b) => way * compare(field.value(a), field.value(b)) || a - b);
    }
    if (test) this.page = 0;
    this.draw();
  }
  show(i) {
    this.current = i;
    const place = this.rows.indexOf(i);
    if (place >= 0) this.page = Math.floor(place / ROWS_OF_PAGE);
    this.draw();
  }
  step(by) {  // the row before or after the current one, in the order of the table
    const place = this.rows.indexOf(this.current);
    return this.rows[place < 0 ? 0 : place + by];
  }
  draw() {
    const fields = this.fields.filter(f => !f.only || f.only());
    const pages = Math.max(1, Math.ceil(this.rows.length / ROWS_OF_PAGE));
    this.page = Math.min(this.page, pages - 1);
    this.drawHead(fields);
    const start = this.page * ROWS_OF_PAGE;
    this.body.replaceChildren(...this.rows.slice(start, start + ROWS_OF_PAGE).map(i => {
      const cells = fields.map((f, k) => {
        let content = f.cell(i);
        if (k === 0 && this.open)
          content = el("a", { href: this.open(i) }, content);
        return el(f.isNumber ? "td.number" : "td", f.full ? { title: clean(f.full(i)) } : {}, content);
      });
      const row = el("tr", { dataset: { row: i } }, cells);
      if (i === this.current) row.setAttribute("aria-current", "true");
      return row;
    }));
    const move = by => { this.page += by; this.draw(); };
    this.pager.replaceChildren(
      button("‹", () => move(-1), { disabled: this.page === 0, "aria-label": "Page before" }),
      el("span", {}, this.rows.length
        ? `${count(start + 1)}–${count(Math.min(start + ROWS_OF_PAGE, this.rows.length))} of ${count(this.rows.length)}`
        : "none"),
      button("›", () => move(1), { disabled: this.page >= pages - 1, "aria-label": "Page after" }));
  }
  drawHead(fields) {
    const focused = [...this.head.children].findIndex(th => th.contains(document.activeElement));
    this.head.replaceChildren(...fields.map(field => {
      const is = this.sort && this.sort.field === field;
      const th = el(field.isNumber ? "th.number" : "th", { scope: "col", title: MEANING[field.title] || "" });
      if (is) th.setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
      th.append(field.value ? button(field.title + (is ? this.sort.down ? " ↓" : " ↑" : ""), () => {
        this.sort = { field, down: is ? !this.sort.down : !!field.isNumber };
        this.choose();
      }, { className: "quiet" }) : clean(field.title));
      return th;
    }));
    if (focused >= 0 && this.head.children[focused])
      (this.head.children[focused].querySelector("button") || document.body).focus();
  }
}
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return a - b;
  }
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}

// A button that ticks the rows that a table lists after its filters, on all its pages.
function tickListed(rows) {
  const found = button("", () => tick(rows(), true));
  found.update = () => {
    const n = new Set(rows()).size;
    found.textContent = `Tick the ${rowWord(n)} listed`;
    found.disabled = n === 0;
  };
  found.update();
  return found;
}

// Filters of a table, by one column.
class Filters {
  constructor(onchange) {
    this.tests = new Map();
    this.selects = new Map();  // by title
    this.onchange = onchange;
    this.element = el("div.filters", { role: "search", "aria-label": "Filter" });
  }
  // columns: [[{name, isNumber, value(at) or text(at)}, i => at]]
  addColumns(columns) {
    if (columns.length) this.element.append(this.columnFilter(columns));
  }
  columnFilter(columns) {
    const select = el("select", { "aria-label": "Column to filter by" },
      el("option", { value: "" }, "filter by a column"),
      columns.map(([c], k) => el("option", { value: k }, c.name)));
    const inputs = el("span");
    select.addEventListener("change", () => {
      inputs.replaceChildren();
      this.set(inputs, null);
      if (select.value === "") return;
      const [column, at] = columns[select.value];
      const input = (label, type) => el("input", {
        type, step: "any", placeholder: label, "aria-label": column.name + " " + label,
        oninput: () => this.set(inputs, columnTest(column, at, boxes)) });
      const boxes = column.isNumber ? [input("from", "number"), input("to", "number")]
        : [input("contains", "search")];
      inputs.append(...boxes);
    });
    return el("span.column", {}, select, inputs);
  }
  // Choose an option, as if by hand.
  choose(title, option) {
    const select = this.selects.get(title);
    select.value = option;
    select.dispatchEvent(new Event("change"));
  }
  set(key, test) {
    if (test) this.tests.set(key, test); else this.tests.delete(key);
    this.onchange();
  }
  test(i) {
    for (const test of this.tests.values()) if (!test(i)) return false;
    return true;
  }
}

// Filters of examples: by words, label, group, one column, and more choices.
// choices: [{title, options: [[text, test(i)]]}]
// measures: [{name, isNumber, value(i) or text(i)}], by the number of the example
class ExampleFilters extends Filters {
  constructor(part, choices, measures, onchange) {
    super(onchange);
    const search = el("input", { type: "search", placeholder: part.ids ? "id" : "number" });
    search.setAttribute("aria-label", "Search by " + (part.ids ? "id" : "number"));
    search.addEventListener("input", () => {
      const text = search.value.trim().toLowerCase();
      this.set(search, text && (i => part.ids ? part.id(i).toLowerCase().includes(text)
        : String(i) === text));
    });
    this.element.append(search);
    if (!part.labels.isNumber) choices = [labelChoice(part), ...choices];
    for (const { title, options } of choices) {
      const select = el("select", { "aria-label": title },
        el("option", { value: "" }, title + ": all"),
        options.map(([text], k) => el("option", { value: k }, text)));
      select.addEventListener("change", () =>
        this.set(select, select.value !== "" && options[select.value][1]));
      this.element.append(select);
      this.selects.set(title, select);
    }
    const own = i => i, placed = i => part.position(i), columns = [];
    if (part.labels.isNumber) columns.push([part.labels, own]);
    columns.push(...measures.map(m => [m, own]));
    if (part.texts) columns.push([{ name: "text", text: k => part.texts[k] }, placed]);
    columns.push(...part.cells().map(c => [c, placed]));
    this.addColumns(columns);
  }
}
function columnTest(column, at, boxes) {
  if (column.isNumber) {
    const round = column.numbers instanceof Float32Array ? Math.fround : x => x;
    const bound = (box, none) => box.value === "" ? none : round(Number(box.value));
    const low = bound(boxes[0], -Infinity), high = bound(boxes[1], Infinity);
    if (low === -Infinity && high === Infinity) return null;
    return i => {
      const position = at(i), value = position === undefined ? NaN : column.value(position);
      return value >= low && value <= high;
    };
  }
  const text = boxes[0].value.trim().toLowerCase();
  return text && (i => {
    const position = at(i);
    return position !== undefined && column.text(position).toLowerCase().includes(text);
  });
}
function labelChoice(part) {
  return { title: part.labels.name, options: part.labels.names.map((name, code) =>
    [name, i => part.labels.codes[i] === code]) };
}
