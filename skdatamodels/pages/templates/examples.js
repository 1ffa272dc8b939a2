// Examples: their names, cells, text and images.

class Column {
  constructor(spec) {
    this.name = spec.name;
    this.scale = spec.scale || null;
    this.link = spec.link || null;
    this.numbers = decode(spec.numbers);
    this.codes = decode(spec.codes);
    this.names = spec.names;
    this.isNumber = this.numbers !== null;
    this.length = (this.numbers || this.codes).length;
  }
  value(position) {
    return this.isNumber ? this.numbers[position] : this.names[this.codes[position]];
  }
  text(position) {
    return this.isNumber ? number(this.numbers[position], this.decimals) : this.value(position);
  }
  get decimals() {
    if (this.found === undefined) this.found = decimalsOf(this.numbers);
    return this.found;
  }
  // How far a cell is from one of another part, in standard deviations; without these,
  // and if one is missing, 0 or 1. The same rule as cell_differences in Python.
  gap(position, other, otherPosition) {
    if (!this.isNumber || !other.isNumber) return Number(this.text(position) !== other.text(otherPosition));
    const a = this.value(position), b = other.value(otherPosition);
    if (Object.is(a, b) || a === b) return 0;
    const scale = this.scale || other.scale;
    return scale && !Number.isNaN(a) && !Number.isNaN(b) ? Math.abs(a - b) / scale : 1;
  }
}

class Part {
  constructor(spec, word) {
    this.word = word;
    this.kind = spec.kind;
    this.n = spec.n;
    this.ids = spec.ids;
    this.labels = new Column(spec.labels);
    this.columns = spec.columns.map(c => new Column(c));
    this.more = spec.more.map(c => new Column(c));
    this.texts = spec.texts;
    this.images = spec.images;
    this.size = spec.size;
    this.positions = spec.rows && new Map(spec.rows.map((row, k) => [row, k]));
  }
  // Where the content of a row is, undefined if it was left out.
  position(row) { return this.positions ? this.positions.get(row) : row; }
  // What the user calls a row.
  id(row) { return this.ids ? this.ids[row] : String(row); }
  title(row) { return this.word + " " + this.id(row); }
  label(row) { return this.labels.text(row); }
  // "y = 1", or what else the labels are called.
  says(row) { return this.labels.name + " = " + this.label(row); }
  cells() { return [...this.columns, ...this.more]; }
}

const parts = {};
function startExamples() {
  parts.train = new Part(data.examples.train, "training example");
  parts.targets = new Part(data.examples.targets, "target");
}

const FAR = 1;  // in standard deviations: a number as far as this from another differs
const FIRST_CELLS = 8;

// The content of an example. Against another one, what differs is marked and comes first.
function showExample(part, row, against) {
  const position = part.position(row);
  if (position === undefined)
    return el("p.note", {}, "The page does not hold the content of this row.");
  const other = against && { part: against.part, at: against.part.position(against.row) };
  const shown = [];
  if (part.kind === "image") shown.push(showImage(part, row, position));
  if (part.kind === "text") shown.push(showText(part, position, other));
  const cells = showCells(part, position, other);
  if (cells) shown.push(cells);
  return el("div.example.kind-" + part.kind, {}, shown);
}

function showImage(part, row, position) {
  const image = el("img", {
    src: "data:image/png;base64," + part.images[position],
    alt: clean("Image of " + part.title(row) + ", " + part.says(row)),
  });
  if (Math.max(...part.size) <= 96) image.classList.add("pixels");
  return image;
}

const LONG = 400;  // characters of a text that are shown at first
function showText(part, position, other) {
  const text = part.texts[position];
  const known = other && new Set(words(other.part.texts[other.at]));
  const box = el("p.text", { dir: "auto" });
  const fill = most => box.replaceChildren(...marked(text.slice(0, most), known));
  fill(LONG);
  if (text.length <= LONG) return box;
  const more = button("Show all " + count(text.length) + " characters", () => {
    fill(text.length);
    more.remove();
  }, { className: "quiet" });
  return el("div", {}, box, more);
}
const words = text => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];

// Words that the other text does not have are marked.
function marked(text, known) {
  if (!known) return [document.createTextNode(clean(text))];
  return text.split(/([\p{L}\p{N}]+)/u).map((piece, k) =>
    k % 2 && !known.has(piece.toLowerCase()) ? el("mark", {}, piece)
      : document.createTextNode(clean(piece)));
}

function showCells(part, position, other) {
  const columns = part.cells();
  if (!columns.length) return null;
  const cells = columns.map(column => {
    const peer = other && findColumn(other.part, column);
    const gap = peer ? column.gap(position, peer, other.at) : 0;
    return { column, peer, gap, differs: gap >= FAR };
  });
  if (other) cells.sort((a, b) => b.differs - a.differs || b.gap - a.gap);
  const list = el("dl.cells");
  const add = some => some.forEach(({ column, peer, differs }) => {
    const value = el("dd", { dir: "auto", title: clean(full(column, position)) },
      column.text(position) || EMPTY);
    if (differs) value.append(el("span.there", { title: clean(full(peer, other.at)) },
      " ≠ " + shorten(peer.text(other.at) || EMPTY)));
    list.append(el(differs ? "div.differs" : "div", {}, el("dt", {}, column.name), value));
  });
  const first = other ? FIRST_CELLS : 2 * FIRST_CELLS;
  add(cells.slice(0, first));
  const rest = cells.slice(first);
  if (!rest.length) return list;
  const nDiffer = rest.filter(cell => cell.differs).length;
  const text = "+ " + plural(rest.length, "cell") +
    (other ? nDiffer ? ", " + count(nDiffer) + " differ" : ", which do not differ" : "");
  list.append(el("div.more", {}, button(text, event => {
    event.target.parentElement.remove();
    add(rest);
  }, { className: "quiet" })));
  return list;
}
const EMPTY = "(empty)", SHORT = 18;
const shorten = (text, most = SHORT) => text.length > most ? text.slice(0, most - 1) + "…" : text;
const full = (column, position) => String(column.value(position));
const findColumn = (part, column) => part.cells().find(c => c.name === column.name);
