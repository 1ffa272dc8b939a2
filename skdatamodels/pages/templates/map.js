// Map of the targets: near each other where they hang on the same rows. A line drawn
// around some chooses them.

const COLOURS = 8;  // --c0 to --c7 of the style; further labels share the last one
const NEAREST = 25;

class TargetMap {
  constructor(onselect, onopen) {
    this.points = decode(data.map);
    this.n = this.points.length / 2;
    this.shown = null;
    this.current = null;
    this.onselect = onselect;
    this.onopen = onopen;
    this.canvas = el("canvas", { tabIndex: 0, role: "img",
      "aria-label": "Map of the targets. Arrow keys move from target to target, Enter opens it." });
    this.tip = el("p.tip.note");
    this.element = el("details.map", { open: !matchMedia("(max-width: 760px)").matches },
      el("summary", {}, "Map of the targets"),
      el("p.note", {}, "Near each other: they hang on the same rows. Draw around some to list them."),
      this.canvas, this.tip, this.legend(),
      el("div.buttons", {},
        button(`List the ${NEAREST} nearest`, () => this.selectNearest()),
        button("List all", () => this.select(null))));
    this.bounds();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    themeChanged.on(() => this.draw());
  }
  bounds() {
    const xs = this.points.filter((_, k) => k % 2 === 0), ys = this.points.filter((_, k) => k % 2);
    const range = values => {
      let low = Infinity, high = -Infinity;
      for (const v of values) { low = Math.min(low, v); high = Math.max(high, v); }
      return [low, high - low || 1];
    };
    [this.left, this.width] = range(xs);
    [this.bottom, this.height] = range(ys);
  }
  place(i) {  // in pixels of the canvas
    const edge = 12;
    return [edge + (this.points[2 * i] - this.left) / this.width * (this.canvas.clientWidth - 2 * edge),
      edge + (1 - (this.points[2 * i + 1] - this.bottom) / this.height) * (this.canvas.clientHeight - 2 * edge)];
  }
  colourOf(i) {
    const labels = parts.targets.labels;
    if (labels.isNumber) return 0;
    return Math.min(labels.codes[i], COLOURS - 1);
  }
  legend() {
    const labels = parts.targets.labels, items = [];
    if (!labels.isNumber) labels.names.slice(0, COLOURS).forEach((name, k) => {
      const last = k === COLOURS - 1 && labels.names.length > COLOURS;
      items.push(el("span", {}, el("span.swatch.c" + k, {}, "●"), " " + (last ? "others" : name)));
    });
    if (outputs && isWrong(0) !== null) items.push(el("span", {}, "× wrong"));
    return el("p.legend.note", {}, items);
  }
  show(rows, current) {
    this.shown = new Set(rows);
    this.current = current;
    this.draw();
  }
  draw() {
    const { canvas } = this, ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d"), style = getComputedStyle(this.element);
    pen.scale(ratio, ratio);
    const ink = style.color, colours = Array.from({ length: COLOURS }, (_, k) => this.resolve("c" + k));
    const wrong = outputs && isWrong(0) !== null;
    for (let i = 0; i < this.n; i++) {
      const [x, y] = this.place(i);
      pen.globalAlpha = !this.shown || this.shown.has(i) ? 0.85 : 0.12;
      pen.fillStyle = pen.strokeStyle = colours[this.colourOf(i)];
      pen.beginPath();
      if (wrong && isWrong(outputs[i])) {
        pen.lineWidth = 2;
        pen.moveTo(x - 3.5, y - 3.5); pen.lineTo(x + 3.5, y + 3.5);
        pen.moveTo(x - 3.5, y + 3.5); pen.lineTo(x + 3.5, y - 3.5);
        pen.stroke();
      } else {
        pen.arc(x, y, this.n > 800 ? 2.2 : 3, 0, 7);
        pen.fill();
      }
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = ink;
    if (this.current !== null) {
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(...this.place(this.current), 8, 0, 7);
      pen.stroke();
    }
    if (this.path) {
      pen.lineWidth = 1.5;
      pen.setLineDash([4, 3]);
      pen.beginPath();
      this.path.forEach(([x, y], k) => k ? pen.lineTo(x, y) : pen.moveTo(x, y));
      pen.closePath();
      pen.stroke();
    }
  }
  resolve(name) {  // a colour of the style, light or dark
    const probe = this.probe ||= this.element.appendChild(el("span", { hidden: true }));
    probe.className = "swatch " + name;
    return getComputedStyle(probe).color;
  }
  listen() {
    const { canvas } = this;
    const at = event => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointerdown", event => {
      this.path = [at(event)];
      try { canvas.setPointerCapture(event.pointerId); } catch (error) { /* not a real pointer */ }
    });
    canvas.addEventListener("pointermove", event => {
      if (this.path) {
        this.path.push(at(event));
        this.draw();
      } else this.point(this.nearest(...at(event), 15));
    });
    canvas.addEventListener("pointerup", event => {
      const path = this.path || [];
      this.path = null;
      const [x, y] = at(event);
      const far = path.some(([a, b]) => Math.hypot(a - path[0][0], b - path[0][1]) > 6);
      if (far) this.select(this.inside(path));
      else {
        const i = this.nearest(x, y, 15);
        if (i !== null) this.onopen(i);
      }
      this.draw();
    });
    canvas.addEventListener("pointercancel", () => { this.path = null; this.draw(); });
    canvas.addEventListener("keydown", event => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (way) {
        const next = this.towards(...way);
        if (next !== null) { this.current = next; this.point(next); this.draw(); }
      } else if (event.key === "Enter" && this.current !== null) this.onopen(this.current);
      else return;
      event.preventDefault();
    });
  }
  point(i) {
    const part = parts.targets;
    const text = i === null ? "" : part.title(i) + ", y = " + part.label(i) +
      (outputs ? `, ${output.name} ${number(outputs[i])} ${verdict(outputs[i])}` : "");
    this.tip.textContent = clean(text);
    if (document.activeElement === this.canvas) say(text);
  }
  nearest(x, y, most) {
    let best = null, least = most;
    for (let i = 0; i < this.n; i++) {
      const [a, b] = this.place(i), distance = Math.hypot(a - x, b - y);
      if (distance < least) { least = distance; best = i; }
    }
    return best;
  }
  towards(right, down) {
    const [x, y] = this.place(this.current ?? 0);
    let best = null, least = Infinity;
    for (let i = 0; i < this.n; i++) {
      const [a, b] = this.place(i), ahead = (a - x) * right + (b - y) * down;
      const aside = Math.abs((a - x) * down) + Math.abs((b - y) * right);
      if (ahead > 0.5 && ahead + 2 * aside < least) { least = ahead + 2 * aside; best = i; }
    }
    return best;
  }
  inside(path) {
    const found = [];
    for (let i = 0; i < this.n; i++) {
      const [x, y] = this.place(i);
      let is = false;
      for (let a = 0, b = path.length - 1; a < path.length; b = a++) {
        const [ax, ay] = path[a], [bx, by] = path[b];
        if (ay > y !== by > y && x < (bx - ax) * (y - ay) / (by - ay) + ax) is = !is;
      }
      if (is) found.push(i);
    }
    return new Set(found);
  }
  selectNearest() {  // what the keyboard can do in place of drawing
    const x = i => this.points[2 * i], y = i => this.points[2 * i + 1], at = this.current ?? 0;
    const distance = i => Math.hypot((x(i) - x(at)) / this.width, (y(i) - y(at)) / this.height);
    const order = Array.from({ length: this.n }, (_, i) => i).sort((a, b) => distance(a) - distance(b));
    this.select(new Set(order.slice(0, NEAREST)));
  }
  select(chosen) { this.onselect(chosen && chosen.size ? chosen : null); }
}
