"use strict";
// Data, elements and numbers, for all views. Text from the data becomes text nodes only,
// never HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int32: Int32Array,
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array,
};

// Decode an array that was embedded as base64, little-endian as all browsers are.
function decode(array) {
  if (!array) return null;
  const text = atob(array.base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new ARRAYS[array.type](bytes.buffer);
}

// Characters that reverse or hide text are shown by their number.
const HIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u200b\u202a-\u202e\u2060-\u2069\ufeff]/g;
function clean(text) {
  return String(text).replace(/\r\n?/g, "\n").replace(HIDDEN,
    c => "⟨U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟩");
}

// el("p.note", {hidden: true}, "text", child): an element with its children.
function el(kind, properties, ...children) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name.startsWith("aria-") || name === "role" || name === "for")
      element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.flat().filter(c => c !== null && c !== undefined)
    .map(c => c instanceof Node ? c : clean(c)));
  return element;
}
const button = (text, onclick, properties) =>
  el("button", { type: "button", onclick, ...properties }, text);

const SVG = "http://www.w3.org/2000/svg";
function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Numbers with three digits that say something, and a real minus. With `decimals`, as
// many in all of a column, but two digits of each number. What is no integer does not
// look like one below 10.
function number(value, decimals) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : String(value);
  const size = Math.abs(value), whole = Number.isInteger(value);
  let text;
  if (whole && size < 1e9) text = value.toFixed(decimals || 0);
  else if (size >= 1e9 || size < 1e-4) text = value.toExponential(2);
  else {
    const digits = Math.floor(Math.log10(size)) + 1, most = Math.max(0, MOST_DIGITS - digits);
    const own = (decimals === undefined ? 3 : 2) - digits;
    let places = Math.min(most, Math.max(0, decimals || 0, own));
    while (size < 10 && places < most && Number.isInteger(Number(value.toFixed(places)))) places++;
    text = value.toFixed(places);
    if (decimals === undefined) text = String(Number(text));
  }
  return text.replace("-", "−");
}
const MOST_DIGITS = 7;  // of a float32
// Decimals that tell numbers apart: all that they have, or down to a hundredth of their
// standard deviation.
function decimalsOf(numbers) {
  const known = [...numbers].filter(Number.isFinite);
  const mean = known.reduce((sum, x) => sum + x / known.length, 0);
  const deviation = Math.sqrt(known.reduce((sum, x) => sum + (x - mean) ** 2 / known.length, 0));
  if (known.every(Number.isInteger) || !(deviation > 0)) return 0;
  const enough = Math.min(MOST_DIGITS, Math.max(0, Math.ceil(2 - Math.log10(deviation))));
  const isExact = places => known.every(x => Math.abs(x - x.toFixed(places)) <= 1e-7 * Math.abs(x));
  for (let places = 0; places < enough; places++) if (isExact(places)) return places;
  return enough;
}
const signed = value => (value > 0 ? "+" : "") + number(value);
const count = n => n.toLocaleString("en");
const plural = (n, one, many) => count(n) + " " + (n === 1 ? one : many || one + "s");
const percent = share =>
  share >= 1 ? "100%" : Math.min(99.9, 100 * share).toFixed(share > 0.99 ? 1 : 0) + "%";

function say(text) { byId("live").textContent = clean(text); }

function download(text, type, name) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// A field of a CSV file. A spreadsheet would take one that starts with "=" as a formula.
function field(text) {
  text = String(text);
  if (/^[=+\-@\t\r]/.test(text)) text = "'" + text;
  return '"' + text.replaceAll('"', '""') + '"';
}

// Where something changes, whoever listens is told.
class Signal {
  constructor() { this.listeners = new Set(); }
  on(listener) { this.listeners.add(listener); return () => this.listeners.delete(listener); }
  send() { this.listeners.forEach(listener => listener()); }
}

// Light or dark, as the system says until someone presses the button.
const themeChanged = new Signal();
function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
function startTheme() {
  const toggle = byId("theme");
  const update = () => { toggle.textContent = isDark() ? "☀ Light" : "☾ Dark"; };
  const changed = () => { update(); themeChanged.send(); };
  toggle.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  update();
}
