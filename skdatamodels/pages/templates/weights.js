// Weights, and what is predicted without the ticked columns. A column of the weights is
// a training example, or a group of them.

const Z = 1.959964;  // of a 95% interval
let W = null;
let removal = null;  // how sets differ from sums of weights, see write_explorer
let outputs = null, noise = null, quality = null, output = null, groups = null;

function startWeights() {
  outputs = decode(data.outputs);
  noise = decode(data.noise);
  quality = decode(data.quality);
  output = data.output;
  removal = data.removal && { ...data.removal };
  for (const name of removal ? ["noise", "total", "strength"] : [])
    removal[name] = decode(data.removal[name]);
  if (data.groups) startGroups();
  const spec = data.weights;
  W = { nColumns: spec.nColumns, totalShare: spec.totalShare };
  for (const name of ["counts", "columns", "values", "errors", "low", "high", "marks", "cutoff",
    "leftOut", "share"])
    W[name] = decode(spec[name]);
  W.n = W.counts.length;
  W.starts = sums(W.counts);
  // the same weights by column: where each is, and of which target
  const counts = new Uint32Array(W.nColumns);
  for (const column of W.columns) counts[column]++;
  W.columnStarts = sums(counts);
  W.byColumn = new Uint32Array(W.columns.length);
  W.targetOf = new Uint32Array(W.columns.length);
  const next = W.columnStarts.slice();
  for (let t = 0; t < W.n; t++)
    for (let k = W.starts[t]; k < W.starts[t + 1]; k++) {
      W.targetOf[k] = t;
      W.byColumn[next[W.columns[k]]++] = k;
    }
}
function sums(counts) {
  const starts = new Uint32Array(counts.length + 1);
  for (let i = 0; i < counts.length; i++) starts[i + 1] = starts[i] + counts[i];
  return starts;
}
function startGroups() {
  const codes = decode(data.groups.codes);
  groups = { areColumns: data.groups.areColumns, names: data.groups.names, codes };
  groups.rows = groups.names.map(() => []);
  codes.forEach((code, row) => { if (code < groups.names.length) groups.rows[code].push(row); });
}
const columnsAreGroups = () => groups !== null && groups.areColumns;
const rowsOf = column => columnsAreGroups() ? groups.rows[column] : [column];
const groupOf = row => groups && groups.codes[row] < groups.names.length
  ? groups.names[groups.codes[row]] : "";
// Columns of the weights that belong to a group.
const columnsOfGroup = code => columnsAreGroups() ? [code] : groups.rows[code];
const columnOf = row => columnsAreGroups() ? groups.codes[row] : row;
function columnTitle(column) {
  return columnsAreGroups() ? "group " + groups.names[column] : parts.train.title(column);
}
// "ticked row", or "3 ticked rows".
const tickedWord = () => (ticked.size > 1 ? count(ticked.size) + " " : "") + "ticked " +
  (columnsAreGroups() ? "group" : "row") + (ticked.size > 1 ? "s" : "");
const rowWord = n => plural(n, columnsAreGroups() ? "group" : "row");

// Weights of a target, [column, weight, place] with the largest first; `way` is 1 or -1.
function weightsOf(target, way) {
  const found = [];
  for (let k = W.starts[target]; k < W.starts[target + 1]; k++)
    if (way * W.values[k] > 0) found.push([W.columns[k], W.values[k], k]);
  return found;
}
// Interval of the weight at a place, [low, high], or null.
function intervalOf(k) {
  if (W.low) return Number.isNaN(W.low[k]) ? null : [W.low[k], W.high[k]];
  return W.errors ? [-1, 1].map(side => W.values[k] + side * Z * W.errors[k]) : null;
}
const isMarked = k => W.marks !== null && W.marks[k] === 1;
// Weights of a column, [target, weight, place] with the largest first.
function servedBy(column, way) {
  const found = [];
  for (let j = W.columnStarts[column]; j < W.columnStarts[column + 1]; j++) {
    const k = W.byColumn[j];
    if (way * W.values[k] > 0) found.push([W.targetOf[k], W.values[k], k]);
  }
  return found.sort((a, b) => way * (b[1] - a[1]) || a[0] - b[0]);
}

const ticked = new Set();  // columns
const ticksChanged = new Signal();
function tick(columns, on) {
  for (const column of columns) if (on) ticked.add(column); else ticked.delete(column);
  effects = null;
  ticksChanged.send();
}
function tickedRows() {
  return [...ticked].flatMap(rowsOf).sort((a, b) => a - b);
}

let effects = null;
// Predicted change of every target: minus the sum of the ticked weights, and more if
// rows do more together.
function predictedEffects() {
  if (effects) return effects;
  const change = new Float64Array(W.n), variance = new Float64Array(W.n);
  const gross = new Float64Array(W.n), own = new Float64Array(W.n);
  const found = new Uint32Array(W.n);
  let strength = 0;
  for (const column of ticked) {
    if (removal) strength += removal.strength[column];
    for (let j = W.columnStarts[column]; j < W.columnStarts[column + 1]; j++) {
      const k = W.byColumn[j], t = W.targetOf[k], size = Math.abs(W.values[k]);
      change[t] -= W.values[k];
      gross[t] += size;
      own[t] += W.values[k] * size;
      if (W.errors) variance[t] += W.errors[k] ** 2;
      found[t]++;
    }
  }
  for (let t = 0; removal && t < W.n; t++) {
    // over all pairs of different rows
    const joint = (change[t] * gross[t] + own[t]) / (removal.total[t] || 1);
    change[t] += removal.growth * joint;
    variance[t] += (removal.growth_error * joint) ** 2 +
      (removal.shared_error * strength) ** 2 + removal.noise[t] ** 2;
    variance[t] *= widening(ticked.size) ** 2;
  }
  return effects = { change, variance, found };
}
// How much wider intervals of so many rows are, linear in the logarithm between sizes.
function widening(n) {
  const { sizes, widths } = removal;
  if (!sizes) return 1;
  const i = sizes.findIndex(size => size >= n);
  if (i <= 0) return widths[i < 0 ? widths.length - 1 : 0];
  const share = Math.log(n / sizes[i - 1]) / Math.log(sizes[i] / sizes[i - 1]);
  return widths[i - 1] + share * (widths[i] - widths[i - 1]);
}
const mostRows = () => removal && removal.sizes ? removal.sizes.at(-1) : Infinity;
const tooMany = () => ticked.size > mostRows();

// What is predicted for one target: {change, half, missing, after, flip}. `flip` is
// "certain" if the whole interval is beyond the threshold, "possible" if a part of it is,
// "predicted" if the change is and there is no interval, and else "no". `missing` of the ticked columns are not among the kept weights: they count as 0, and
// what they may add widens the interval.
function predict(target) {
  const all = predictedEffects(), change = all.change[target];
  const missing = W.leftOut[target] > 0 ? ticked.size - all.found[target] : 0;
  let half = null;
  if ((W.errors || noise || removal) && !tooMany()) {
    let variance = missing * W.leftOut[target] ** 2;
    if (ticked.size) variance += all.variance[target] + (noise ? noise[target] ** 2 : 0);
    half = Z * Math.sqrt(variance);
  }
  const result = { change, half, missing, after: null, flip: "no" };
  if (outputs) {
    const after = result.after = outputs[target] + change;
    if (output.threshold !== null) {
      const beyond = value => isAbove(value) !== isAbove(outputs[target]);
      const ends = [after - half, after + half].filter(beyond).length;
      result.flip = half === null ? beyond(after) ? "predicted" : "no"
        : ["no", "possible", "certain"][ends];
    }
  }
  return result;
}
const FLIP_MARKS = { no: "", possible: "⇄? ", predicted: "⇄ ", certain: "⇄ " };
const hasIntervals = () => Boolean(W.errors || noise);
const isAbove = value => value > output.threshold;

// Whether a prediction with this output is wrong; null if that is not known.
function isWrong(value) {
  if (output.threshold === null || output.sign === null) return null;
  return isAbove(value) !== (output.sign > 0);
}
function verdict(value) {
  const wrong = isWrong(value);
  if (wrong !== null) return wrong ? "✗ wrong" : "✓ right";
  if (output.threshold === null) return "";
  return (isAbove(value) ? "above " : "not above ") + number(output.threshold);
}
// Error of a predicted value: prediction minus y.
function errorOf(target) {
  const labels = parts.targets.labels;
  if (!output.isPrediction || !outputs || !labels.isNumber) return NaN;
  return outputs[target] - labels.value(target);
}
