/* The page of a tear sheet: its data, its charts, its switches and its tables. */
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
const data = JSON.parse(document.getElementById("data").textContent);
const calendars = data.calendars.map((text) => new Int32Array(bytes(text)));
const read = (curve, what) => (curve[what] && typeof curve[what] === "string" ? (curve[what] = new Float32Array(bytes(curve[what]))) : curve[what]);
const curves = data.curves.map((curve, i) => ({ ...curve, i, xs: calendars[curve.calendar] }));
const keys = [...document.querySelectorAll(".key[data-curve]")];
curves.forEach((curve, i) => { curve.cls = keys[i] ? keys[i].dataset.style : "k0"; });
const all = curves.filter((c) => c.xs.length);
const time = new Group(all.length ? [Math.min(...all.map((c) => c.xs[0])), Math.max(...all.map((c) => c.xs[c.xs.length - 1]))] : [0, 1], 10);
const shown = (what) => all.filter((c) => !time.hidden.has(c.i) && c[what]);
const models = (what) => { const own = shown(what).filter((c) => c.role === "model"); return own.length ? own : shown(what); };
/* Later lines lie on top: the model is drawn last. */
const lines = (list, what, more = {}) => list.map((c) => ({ name: c.name, cls: c.cls, xs: c.xs, ys: read(c, what), model: c.role === "model", ...more })).sort((a, b) => a.model - b.model);
function mean(ys, n) {
  const out = new Float32Array(ys.length).fill(NaN);
  let sum = 0, held = 0;
  for (let i = 0; i < ys.length; i++) {
    if (Number.isFinite(ys[i])) { sum += ys[i]; held += 1; }
    if (i >= n && Number.isFinite(ys[i - n])) { sum -= ys[i - n]; held -= 1; }
    if (held && i >= n - 1) out[i] = sum / held;
  }
  return out;
}
const log = () => { const box = document.querySelector("input[name=scale][value=log]"); return box !== null && box.checked; };
const means = new Map();
function turnover() {
  return models("turnover").flatMap((c) => {
    const ys = read(c, "turnover");
    if (!means.has(c.i)) means.set(c.i, mean(ys, 21));
    return [{ name: c.name, cls: c.cls, xs: c.xs, ys, kind: "raw" }, { name: `${c.name}, mean of 21`, short: "mean of 21", cls: c.cls, xs: c.xs, ys: means.get(c.i) }];
  });
}
const base = { kind: "time", bands: () => data.crises };
const narrow = window.innerWidth < 560;
const specs = {
  equity: { ...base, high: narrow ? 260 : 360, format: form.times, titled: true, log, lines: () => lines(shown("wealth"), "wealth") },
  drawdown: { ...base, high: 190, format: form.percent, zero: true, lines: () => lines(shown("drawdown"), "drawdown").map((l) => ({ ...l, fill: l.model, kind: l.model ? "" : "behind" })) },
  sharpe: { ...base, high: 190, format: form.ratio, zero: true, lines: () => lines(shown("rolling_sharpe"), "rolling_sharpe").map((l) => ({ ...l, kind: l.model ? "" : "behind" })) },
  exposure: { ...base, high: 170, format: form.percent, zero: true, lines: () => models("gross_exposure").concat(models("net_exposure")).filter((c, i, l) => l.indexOf(c) === i).flatMap((c) => [["gross", "gross_exposure", ""], ["net", "net_exposure", "second"]].filter(([, what]) => c[what]).map(([word, what, kind]) => ({ name: `${c.name}, ${word}`, short: word, cls: c.cls, xs: c.xs, ys: read(c, what), kind }))) },
  turnover: { ...base, high: 170, format: form.percent, zero: true, lines: turnover },
};
function pointSpec(points, more) {
  const named = more.kind === "class" || points.some((p) => typeof p[0] === "string");
  const kept = named ? points : [...points].sort((a, b) => a[0] - b[0]);
  const line = { name: more.yName, cls: "k0", xs: kept.map((p, i) => (named ? i : p[0])), ys: kept.map((p) => p[1]), lows: kept.map((p) => p[2]), highs: kept.map((p) => p[3]) };
  const end = (v) => more.format(v);
  line.more = (i) => [line.lows[i] !== null && line.highs[i] !== null ? `${end(line.lows[i])} to ${end(line.highs[i])}` : "", `n = ${kept[i][4].toLocaleString("en")}`].filter(Boolean).join("; ");
  return { high: 250, ...more, kind: named ? "class" : "number", names: kept.map((p) => String(p[0])), lines: () => [line] };
}
const kinds = {
  calibration: { xName: "told", yName: "came true", format: form.percent, xFormat: form.percent, diagonal: true },
  ic: { xName: "horizon", yName: "IC", format: form.fine, zero: true, columns: true, kind: "class" },
  quantiles: { xName: "quantile", yName: "mean return", format: form.percent, zero: true, columns: true, kind: "class" },
  degradation: { xName: "years since training", yName: "IC", format: form.fine, zero: true },
};
for (const [name, told] of Object.entries(data.pictures)) kinds[name] = { ...told, format: form[told.form], apart: data.points[name].some((p) => typeof p[0] === "string") };
const charts = new Map();
for (const figure of document.querySelectorAll("figure[data-chart]")) {
  const what = figure.dataset.chart;
  if (specs[what]) { charts.set(figure, new Chart(figure, time, specs[what])); continue; }
  const spec = pointSpec(data.points[what], kinds[what]), xs = spec.lines()[0].xs;
  const own = new Group([xs[0], xs[xs.length - 1]], spec.kind === "class" ? 1 : (xs[xs.length - 1] - xs[0]) / 50);
  charts.set(figure, new Chart(figure, own, spec));
  const whole = figure.querySelector("[data-whole]");
  own.heard = () => { whole.hidden = !own.zoomed(); };
  whole.addEventListener("click", () => own.zoom(...own.whole));
  for (const part of figure.querySelectorAll("[data-part]")) part.addEventListener("click", () => { press(part, own.hidden, part.dataset.part); own.draw(); });
}
function press(button, hidden, name) {
  if (hidden.has(name)) hidden.delete(name); else hidden.add(name);
  button.setAttribute("aria-pressed", String(!hidden.has(name)));
}
function start(figure) {
  const chart = charts.get(figure);
  if (!chart.live) { chart.live = true; chart.draw(); }
}
const seen = new IntersectionObserver((entries) => entries.forEach((e) => { if (e.isIntersecting) { start(e.target); seen.unobserve(e.target); } }), { rootMargin: "250px" });
charts.forEach((_, figure) => seen.observe(figure));
window.addEventListener("beforeprint", () => charts.forEach((_, figure) => start(figure)));
let drawn = document.documentElement.clientWidth;
window.addEventListener("resize", () => requestAnimationFrame(() => {
  if (document.documentElement.clientWidth === drawn) return;
  drawn = document.documentElement.clientWidth;
  charts.forEach((chart) => { if (chart.live) chart.draw(); });
}));

for (const key of keys) key.addEventListener("click", () => { press(key, time.hidden, Number(key.dataset.curve)); time.away(); time.draw(); });
for (const box of document.querySelectorAll("input[name=scale]")) box.addEventListener("change", () => { time.away(); time.draw(); });
const span = document.querySelector("select[name=span]"), reset = document.querySelector(".bar [data-whole]"), own = span && span.querySelector("option[value=own]");
let asked = false;
if (span) {
  span.addEventListener("change", () => {
    asked = true;
    const [kind, a, b] = span.value.split(":");
    const end = time.whole[1];
    if (kind === "years") time.zoom(end - Math.round(365.25 * a), end);
    else if (kind === "crisis") { const [, first, last] = data.crises[a]; const air = Math.max((last - first) * 0.5, 20); time.zoom(first - air, last + air); }
    else time.zoom(...time.whole);
    asked = false;
  });
  time.heard = () => {
    reset.classList.toggle("idle", !time.zoomed());
    own.textContent = `${iso(Math.ceil(time.span[0]))} to ${iso(Math.floor(time.span[1]))}`;
    if (!asked) span.value = time.zoomed() ? "own" : "all";
  };
  reset.addEventListener("click", () => time.zoom(...time.whole));
}
const pick = document.querySelector("select[name=months]");
const grids = [...document.querySelectorAll("[data-months]")];
if (pick) pick.addEventListener("change", () => grids.forEach((grid) => { grid.hidden = grid.dataset.months !== pick.value; }));
for (const button of document.querySelectorAll(".months button")) {
  button.addEventListener("click", () => { if (!all.length) return; const y = Number(button.textContent); time.zoom(Date.UTC(y, 0, 1) / DAY, Date.UTC(y + 1, 0, 0) / DAY); document.getElementById("time").scrollIntoView(); });
}

function order(table, column, down) {
  const body = table.tBodies[0];
  const value = (row) => { const c = row.cells[column]; return c.dataset.v !== undefined ? Number(c.dataset.v) : c.textContent === "\u2013" ? null : c.textContent; };
  const rows = [...body.rows].map((row, i) => [row, value(row), i]);
  rows.sort(([, a, i], [, b, j]) => {
    if (a === null || b === null) return (a === null) - (b === null) || i - j;
    const same = typeof a === "number" && typeof b === "number" ? a - b : typeof a === typeof b ? a.localeCompare(b, "en", { numeric: true }) : typeof a === "number" ? -1 : 1;
    return (down ? -same : same) || i - j;
  });
  body.append(...rows.map(([row]) => row));
}
for (const button of document.querySelectorAll(".data thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), table = head.closest("table");
    const now = head.getAttribute("aria-sort"), first = head.classList.contains("t") ? "ascending" : "descending";
    const next = now ? (now === "ascending" ? "descending" : "ascending") : first;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", next);
    order(table, head.cellIndex, next === "descending");
  });
}
for (const sift of document.querySelectorAll("[data-sift]")) {
  const rows = [...document.getElementById(sift.dataset.sift).tBodies[0].rows];
  const words = rows.map((row) => row.textContent.toLowerCase());
  const said = sift.parentElement.querySelector("output");
  sift.addEventListener("input", () => {
    const text = sift.value.trim().toLowerCase();
    let n = 0;
    rows.forEach((row, i) => { row.hidden = !words[i].includes(text); n += !row.hidden; });
    said.textContent = `${n.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown`;
  });
}
