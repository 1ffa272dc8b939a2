// Start: one view for each kind of data that the page has, and the address says which.

const views = new Map();

function showTrust() {
  const box = byId("trust"), { facts, message } = data.trust;
  box.hidden = false;
  const list = el("dl"), kept = W.totalShare < 1 ? percent(W.totalShare) : "all";
  [...facts, ["weights on this page", kept]].forEach(([name, value]) => list.append(
    el("div", { title: MEANING[name] || "" }, el("dt", {}, name), el("dd", {}, value))));
  box.open = !facts.length || matchMedia("(min-width: 761px)").matches;
  const first = facts.length ? ": " + facts[0].join(" ") : "";
  box.append(el("summary", {}, "Trust", el("span", {}, first)), list);
  const words = message || (facts.length ? ""
    : "Nothing is known of the quality of these weights: measure their LDS before you rely on them.");
  if (words) box.append(el("p.message", { title: clean(words) }, words));
}

// What the marks mean, and what the page leaves out.
function footNote() {
  const raise = `A weight says by how much the presence of a ${
    columnsAreGroups() ? "group" : "row"} raises the ${output.name} of a target. `;
  return el("p.note.foot", {}, raise +
    "≠ marks other text, and numbers that are at least one standard deviation away. " +
    data.notes.join(" "));
}

function route() {
  const [name, rest] = location.hash.slice(1).split("/");
  const key = views.has(name) ? name : views.keys().next().value;
  for (const [other, view] of views) {
    view.element.hidden = other !== key;
    if (view.tab) {
      if (other === key) {
        view.tab.setAttribute("aria-current", "page");
        view.tab.scrollIntoView({ block: "nearest", inline: "center" });
      }
      else view.tab.removeAttribute("aria-current");
    }
  }
  byId("bottom").hidden = !W || key === "annotate";
  views.get(key).open(rest || "");
}

function start() {
  startTheme();
  startExamples();
  if (data.weights) {
    startWeights();
    showTrust();
    if (data.overview) views.set("overview", new OverviewView());
    views.set("targets", new TargetsView());
    views.set("rows", new RowsView());
    data.sections.forEach((spec, k) => views.set("section" + k, new SectionView(spec)));
  }
  if (data.tasks.length) views.set("annotate", new AnnotationView());
  const main = byId("main");
  for (const [key, view] of views) {
    main.append(view.element);
    if (views.size > 1) {
      view.tab = el("a", { href: "#" + key }, view.title);
      byId("tabs").append(view.tab);
    }
  }
  if (data.weights) startSelection();
  window.addEventListener("hashchange", route);
  route();
}
start();
