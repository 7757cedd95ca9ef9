"use strict";
/* Drawings: any number of lines or points over one x axis; read, zoomed and switched by pointer or key. */
const NS = "http://www.w3.org/2000/svg";
const DAY = 86400000;
function el(name, attrs = {}, text = null) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attrs)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}
const fixed = (v, n) => v.toLocaleString("en", { minimumFractionDigits: n, maximumFractionDigits: n }).replace(/^-(?=[0.,]*$)/, "").replace("-", "\u2212");
const form = {
  times: (v) => (v >= 1000 ? fixed(v, 0) : v >= 100 ? fixed(v, 1) : fixed(v, v !== 0 && Math.abs(v) < 0.1 ? 4 : 2)),
  percent: (v) => `${fixed(v * 100, Math.abs(v) < 0.0995 ? 2 : 1)}%`,
  ratio: (v) => fixed(v, 2),
  fine: (v) => fixed(v, 4),
  plain: (v) => v.toLocaleString("en", { maximumFractionDigits: 6 }),
};
const iso = (day) => new Date(day * DAY).toISOString().slice(0, 10);
/* First index whose value is not below `x`. */
function place(xs, x) {
  let low = 0, high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle + 1; else high = middle;
  }
  return low;
}
function nearest(xs, x) {
  const i = place(xs, x);
  return i > 0 && (i === xs.length || x - xs[i - 1] <= xs[i] - x) ? i - 1 : i;
}
function nice(low, high, about) {
  const raw = (high - low) / Math.max(about, 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((s) => s * power >= raw * 0.999) * power;
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(i * step || 0);
  return ticks;
}
function decades(low, high, about) {
  for (const steps of [[1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]) {
    const ticks = [];
    for (let e = Math.floor(Math.log10(low)); 10 ** e <= high; e++) {
      for (const s of steps) if (s * 10 ** e >= low && s * 10 ** e <= high) ticks.push(s * 10 ** e);
    }
    if (ticks.length <= about) return ticks.length > 1 ? ticks : nice(low, high, about).filter((t) => t > 0);
  }
  const whole = nice(Math.log10(low), Math.log10(high), about).filter((t) => Number.isInteger(t));
  return whole.map((t) => 10 ** t);
}
function dates(low, high, about) {
  const at = (y, m) => Date.UTC(y, m, 1) / DAY;
  const first = new Date(low * DAY), last = new Date(high * DAY);
  const months = (last.getUTCFullYear() - first.getUTCFullYear()) * 12 + last.getUTCMonth() - first.getUTCMonth();
  if (months < 3) return nice(low, high, about).filter(Number.isInteger).map((d) => [d, iso(d).slice(5)]);
  const step = [1, 2, 3, 6, 12, 24, 60, 120, 240].find((s) => months / s <= about) || 480;
  const ticks = [];
  const begin = first.getUTCFullYear() * 12 + (step > 12 ? 0 : first.getUTCMonth());
  for (let m = Math.ceil(begin / step) * step; ; m += step) {
    const year = Math.floor(m / 12), day = at(year, m % 12);
    if (day > high) break;
    if (day >= low) ticks.push([day, step >= 12 ? `${year}` : `${year}-${String((m % 12) + 1).padStart(2, "0")}`]);
  }
  return ticks;
}
/* A path that keeps the lowest and the highest value of each pixel column; gaps where there is no value. */
function trace(xs, ys, from, to, X, Y, wide) {
  const begin = Math.max(place(xs, from) - 1, 0), end = Math.min(place(xs, to) + 1, xs.length);
  const parts = [];
  let pen = false, alone = false;
  const put = (i) => {
    const y = Y(ys[i]);
    if (Number.isFinite(ys[i]) && Number.isFinite(y)) {
      parts.push(`${pen ? "L" : "M"}${X(xs[i]).toFixed(1)} ${y.toFixed(1)}`);
      alone = !pen;
      pen = true;
    } else {
      if (alone) parts.push("h.01");
      pen = alone = false;
    }
  };
  if (end - begin <= 4 * wide) {
    for (let i = begin; i < end; i++) put(i);
  } else {
    let column = null, kept = [];
    const flush = () => [...new Set(kept)].sort((a, b) => a - b).forEach(put);
    for (let i = begin; i < end; i++) {
      const here = Math.floor(X(xs[i]));
      const value = Number.isFinite(ys[i]);
      if (here !== column || !value) {
        flush();
        column = here;
        kept = [i, i, i, i];
        if (!value) { flush(); kept = []; column = null; }
        continue;
      }
      if (ys[i] < ys[kept[1]]) kept[1] = i;
      if (ys[i] > ys[kept[2]]) kept[2] = i;
      kept[3] = i;
    }
    flush();
  }
  if (alone) parts.push("h.01");
  return parts.join("");
}
function extent(lines, from, to) {
  let low = Infinity, high = -Infinity;
  for (const { xs, ys, lows, highs } of lines) {
    for (let i = place(xs, from); i < xs.length && xs[i] <= to; i++) {
      for (const v of [ys[i], lows && lows[i], highs && highs[i]]) {
        if (Number.isFinite(v)) { if (v < low) low = v; if (v > high) high = v; }
      }
    }
  }
  return [low, high];
}

class Chart {
  /* spec: lines(), format, kind (time, number or class), names, zero, bands(), ends, diagonal, columns, apart, high, log() */
  constructor(figure, group, spec) {
    Object.assign(this, { figure, group, spec, live: false, at: null });
    this.plot = figure.querySelector(".plot");
    this.high = spec.high;
    this.plot.style.setProperty("--high", `${this.high}px`);
    this.tip = this.plot.appendChild(document.createElement("div"));
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.svg = this.plot.appendChild(el("svg", { tabindex: 0, role: "slider", "aria-label": `${figure.querySelector("h3").textContent}: chart. Arrow keys read values, plus and minus zoom, Escape shows everything.` }));
    group.charts.push(this);
    this.listen();
  }
  draw() {
    const wide = Math.max(Math.round(this.plot.clientWidth), 240), { spec, group } = this;
    const ends = spec.kind === "time" && wide > 700;
    const box = { left: 50, right: wide - (ends ? 128 : 10), top: 8, bottom: this.high - 22 };
    let [from, to] = group.span;
    if (spec.kind === "class") [from, to] = [from - 0.5, to + 0.5];
    else if (spec.kind === "number" && spec.columns !== true) { const air = (to - from) * 0.04; [from, to] = [from - air, to + air]; }
    const lines = spec.lines();
    const X = (x) => (to > from ? box.left + ((x - from) / (to - from)) * (box.right - box.left) : (box.left + box.right) / 2);
    const { Y, ticks, low, high } = this.scale(lines, from, to, box);
    Object.assign(this, { wide, box, from, to, X, Y, lines });
    const id = `clip-${this.figure.id}`;
    const clip = el("clipPath", { id });
    clip.append(el("rect", { x: box.left - 2, y: box.top - 3, width: Math.max(box.right - box.left, 0) + 4, height: box.bottom - box.top + 6 }));
    const inner = el("g", { "clip-path": `url(#${id})` });
    const outer = el("g");
    this.axes(outer, inner, ticks, low, high);
    for (const line of lines) this.line(inner, line);
    if (ends) this.names(outer, lines);
    this.hand = el("g", { "pointer-events": "none" });
    this.svg.setAttribute("viewBox", `0 0 ${wide} ${this.high}`);
    this.svg.replaceChildren(clip, el("rect", { width: wide, height: this.high, fill: "transparent" }), outer, inner, this.hand);
    this.svg.dataset.traces = lines.length;
    const values = this.axis();
    this.svg.setAttribute("aria-valuemin", 0);
    this.svg.setAttribute("aria-valuemax", Math.max(values.length - 1, 0));
    if (!this.svg.hasAttribute("aria-valuenow")) { this.svg.setAttribute("aria-valuenow", 0); this.svg.setAttribute("aria-valuetext", this.summary()); }
  }
  summary() {
    const said = this.figure.querySelector("figcaption .quiet");
    return said ? said.textContent : "Press an arrow key to read values.";
  }
  scale(lines, from, to, box) {
    let [low, high] = extent(lines, from, to);
    const { spec } = this, log = spec.log && spec.log();
    if (!(high >= low)) [low, high] = [0, 1];
    const span = (v) => box.bottom - v * (box.bottom - box.top);
    const about = Math.max(Math.floor((box.bottom - box.top) / 34), 2);
    if (log) {
      let least = Infinity;
      for (const { xs, ys } of lines) for (let i = place(xs, from); i < xs.length && xs[i] <= to; i++) if (ys[i] > 0 && ys[i] < least) least = ys[i];
      if (!Number.isFinite(least) || high <= 0) [least, high] = [0.1, 1];
      if (high / least < 1.02) [least, high] = [least / 1.02, high * 1.02];
      const a = Math.log(least), b = Math.log(high), air = (b - a) * 0.03;
      const Y = (v) => (v > 0 ? span(Math.max((Math.log(v) - a + air) / (b - a + 2 * air), 0)) : v <= 0 ? box.bottom : NaN);
      return { Y, low: least, high, ticks: decades(least, high, about + 1) };
    }
    if (spec.zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    if (spec.diagonal) [low, high] = [Math.min(low, from), Math.max(high, to)];
    if (high - low < 1e-9 * Math.max(Math.abs(high), 1e-3)) { const air = Math.abs(high) * 0.05 || 0.01; [low, high] = [low - air, high + air]; }
    const air = (high - low) * 0.04;
    if (!(spec.zero && low === 0)) low -= air;
    if (!(spec.zero && high === 0)) high += air;
    return { Y: (v) => span((v - low) / (high - low)), low, high, ticks: nice(low, high, about) };
  }
  axes(outer, inner, ticks, low, high) {
    const { box, X, Y, spec, from, to } = this;
    for (const [name, first, last] of spec.bands ? spec.bands() : []) {
      if (last < from || first > to) continue;
      const x = Math.max(X(first), box.left), w = Math.max(Math.min(X(last), box.right) - x, 1.5);
      const band = el("rect", { class: "band", x, y: box.top, width: w, height: box.bottom - box.top });
      band.append(el("title", {}, name));
      outer.append(band);
      if (spec.titled && w > name.length * 5.2) outer.append(el("text", { class: "band-name", x: x + 3, y: box.top + 10 }, name));
    }
    const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : high - low;
    for (const tick of ticks) {
      const y = Y(tick);
      outer.append(el("line", { class: tick === 0 ? "zero" : "grid", x1: box.left, x2: box.right, y1: y, y2: y }));
      outer.append(el("text", { x: box.left - 6, y: y + 3.5, "text-anchor": "end" }, this.tickText(tick, step)));
    }
    const about = Math.max(Math.floor((box.right - box.left) / 62), 2);
    for (const [x, text] of this.xTicks(about)) outer.append(el("text", { x: X(x), y: this.high - 6, "text-anchor": "middle" }, text));
    if (spec.diagonal && !this.group.hidden.has("reference")) inner.append(el("line", { class: "reference", x1: X(from), y1: Y(from), x2: X(to), y2: Y(to) }));
  }
  tickText(tick, step) {
    const kind = this.spec.format;
    if (kind === form.percent) return `${fixed(tick * 100, step * 100 >= 0.999 ? 0 : step * 100 >= 0.0999 ? 1 : 2)}%`;
    if (kind === form.times && tick >= 10000) return tick.toLocaleString("en", { notation: "compact" });
    return tick.toLocaleString("en", { maximumFractionDigits: 6 }).replace("-", "\u2212");
  }
  xTicks(about) {
    const { spec, from, to } = this;
    if (spec.kind === "time") return dates(from, to, about);
    if (spec.kind === "class") {
      const longest = Math.min(Math.max(...spec.names.map((name) => name.length)), 12);
      const every = Math.ceil((to - from) / ((about * 62) / (longest * 7 + 12)));
      return spec.names.map((name, i) => [i, name.length > 12 ? `${name.slice(0, 11)}\u2026` : name]).filter(([i]) => i > from && i < to && i % every === 0);
    }
    return nice(from, to, about).map((x) => [x, spec.xFormat === form.percent ? `${fixed(x * 100, 0)}%` : form.plain(x)]);
  }
  line(inner, line) {
    const { box, X, Y, from, to, spec } = this, { xs, ys, kind = "" } = line;
    if (spec.kind !== "time") return this.points(inner, line);
    const d = trace(xs, ys, from, to, X, Y, box.right - box.left);
    if (line.fill && d && !d.includes("h.01")) {
      const first = Math.max(place(xs, from) - 1, 0), last = Math.min(place(xs, to), xs.length - 1);
      if (!d.slice(1).includes("M")) inner.append(el("path", { class: `fill ${line.cls}`, d: `${d}L${X(xs[last]).toFixed(1)} ${Y(0)}L${X(xs[first]).toFixed(1)} ${Y(0)}Z` }));
    }
    inner.append(el("path", { class: `line ${line.cls} ${kind}`, d }));
  }
  points(inner, { xs, ys, lows, highs, cls }) {
    const { X, Y, spec, box, group } = this;
    const wide = Math.min(Math.max(((box.right - box.left) / Math.max(xs.length, 1)) * 0.6, 2), 46);
    const zero = Math.min(Math.max(Y(0), box.top), box.bottom);
    if (spec.columns) {
      ys.forEach((y, i) => inner.append(el("rect", { class: `column ${y < 0 ? "under" : ""}`, x: X(xs[i]) - wide / 2, width: wide, y: Math.min(Y(y), zero), height: Math.max(Math.abs(Y(y) - zero), 1), rx: 1 })));
    } else if (!group.hidden.has("line") && !spec.apart) {
      inner.append(el("path", { class: `line ${cls}`, d: ys.map((y, i) => `${i ? "L" : "M"}${X(xs[i]).toFixed(1)} ${Y(y).toFixed(1)}`).join("") }));
    }
    ys.forEach((y, i) => {
      if (!group.hidden.has("interval") && lows[i] !== null && highs[i] !== null) {
        const x = X(xs[i]), cap = Math.min(wide / 4, 5);
        inner.append(el("path", { class: "whisker", d: `M${x} ${Y(lows[i])}V${Y(highs[i])}M${x - cap} ${Y(lows[i])}h${2 * cap}M${x - cap} ${Y(highs[i])}h${2 * cap}` }));
      }
      if (!spec.columns) inner.append(el("circle", { class: `dot ${cls}`, cx: X(xs[i]), cy: Y(y), r: 4 }));
    });
  }
  names(outer, lines) {
    const { box, Y, to } = this;
    const models = new Set(lines.map((l) => l.cls));
    const put = lines.filter((l) => l.kind !== "raw").map((l) => {
      let i = Math.min(place(l.xs, to + 1), l.xs.length) - 1;
      while (i >= 0 && !Number.isFinite(l.ys[i])) i--;
      return { name: models.size > 1 ? l.name : l.short || l.name, cls: l.cls, y: i >= 0 ? Y(l.ys[i]) : NaN };
    }).filter((l) => Number.isFinite(l.y)).sort((a, b) => a.y - b.y);
    put.forEach((l, i) => { if (i) l.y = Math.max(l.y, put[i - 1].y + 13); });
    for (let i = put.length - 1, floor = box.bottom; i >= 0; i--, floor -= 13) put[i].y = Math.min(put[i].y, floor);
    for (const l of put) outer.append(el("text", { class: `end ${l.cls}`, x: box.right + 6, y: l.y + 4 }, l.name.length > 18 ? `${l.name.slice(0, 17)}\u2026` : l.name));
  }
  /* What the cursor can stand on: the x values of the longest line. */
  axis() {
    const longest = this.lines.reduce((best, line) => (line.xs.length > best.length ? line.xs : best), []);
    return longest.slice(place(longest, this.from), place(longest, this.to + 1e-9));
  }
  rows(x) {
    const near = this.spec.kind === "time" ? 7 : 1e-9;
    const first = [...this.lines].sort((a, b) => Boolean(b.model) - Boolean(a.model));
    return first.filter((l) => l.kind !== "raw").map((line) => {
      const i = nearest(line.xs, x);
      return { line, i, y: line.xs.length && Math.abs(line.xs[i] - x) <= near ? line.ys[i] : NaN };
    });
  }
  head(x) {
    const { spec } = this;
    if (spec.kind === "time") {
      const within = (spec.bands ? spec.bands() : []).filter(([, a, b]) => a <= x && x <= b).map(([name]) => name);
      return [iso(x), ...within].join(", ");
    }
    return `${spec.xName}: ${spec.kind === "class" ? spec.names[x] : (spec.xFormat || form.plain)(x)}`;
  }
  point(x, speak) {
    if (!this.hand) return;
    const { X, Y, box, spec } = this;
    const at = Math.min(Math.max(X(x), box.left), box.right);
    this.at = x;
    this.hand.replaceChildren(el("line", { class: "cursor", x1: at, x2: at, y1: box.top, y2: box.bottom }));
    const rows = this.rows(x);
    for (const { line, y } of rows) if (Number.isFinite(y) && spec.kind === "time") this.hand.append(el("circle", { class: `dot ${line.cls}`, cx: at, cy: Math.min(Math.max(Y(y), box.top), box.bottom), r: 3.5 }));
    if (speak) this.tell(x, at, rows);
  }
  tell(x, at, rows) {
    const title = document.createElement("b");
    title.textContent = this.head(x);
    const said = [title.textContent];
    const made = rows.map(({ line, i, y }) => {
      const row = document.createElement("div"), name = document.createElement("span"), value = document.createElement("span");
      const swatch = el("svg", { viewBox: "0 0 22 8", class: `${line.cls}`, "aria-hidden": "true" });
      swatch.append(el("line", { x1: 0, x2: 22, y1: 4, y2: 4, ...(line.kind === "second" ? { style: "stroke-dasharray:5 4" } : {}) }));
      const holder = document.createElement("span");
      holder.append(swatch);
      name.textContent = line.name;
      value.textContent = Number.isFinite(y) ? this.spec.format(y) : "\u2013";
      row.append(holder, name, value);
      said.push(`${line.name} ${value.textContent}`);
      if (line.more && Number.isFinite(y)) { const more = document.createElement("em"); more.textContent = line.more(i); said.push(more.textContent); return [row, more]; }
      return [row];
    }).flat();
    this.tip.replaceChildren(title, ...made);
    this.tip.hidden = false;
    const scale = this.plot.clientWidth / this.wide, wide = this.tip.offsetWidth, x0 = at * scale;
    const left = x0 + 14 + wide > this.plot.clientWidth ? x0 - wide - 14 : x0 + 14;
    this.tip.style.left = `${Math.max(Math.min(left, this.plot.clientWidth - wide), 0)}px`;
    this.tip.style.top = "10px";
    this.svg.setAttribute("aria-valuenow", Math.max(place(this.axis(), x), 0));
    this.svg.setAttribute("aria-valuetext", said.join("; "));
  }
  away() {
    this.at = null;
    this.tip.hidden = true;
    if (this.hand) this.hand.replaceChildren();
  }
  under(event) {
    const seen = this.svg.getBoundingClientRect();
    const x = ((event.clientX - seen.left) / seen.width) * this.wide;
    return this.from + ((Math.min(Math.max(x, this.box.left), this.box.right) - this.box.left) / (this.box.right - this.box.left)) * (this.to - this.from);
  }
  listen() {
    const { svg, group } = this;
    let held = null;
    svg.addEventListener("pointerdown", (event) => { if (event.button === 0 && this.live) { held = this.under(event); svg.setPointerCapture(event.pointerId); } });
    svg.addEventListener("pointermove", (event) => {
      if (!this.live) return;
      const x = this.under(event), values = this.axis();
      if (!values.length) return;
      group.point(values[nearest(values, x)], this);
      if (held !== null) {
        const [a, b] = [held, x].sort((p, q) => p - q).map(this.X);
        this.hand.append(el("rect", { class: "select", x: a, y: this.box.top, width: b - a, height: this.box.bottom - this.box.top }));
      }
    });
    svg.addEventListener("pointerup", (event) => {
      if (held === null) return;
      const [a, b] = [held, this.under(event)].sort((p, q) => p - q);
      held = null;
      if (this.X(b) - this.X(a) > 8) group.zoom(a, b);
    });
    svg.addEventListener("pointercancel", () => { held = null; group.away(); });
    svg.addEventListener("pointerleave", () => { if (held === null) group.away(); });
    svg.addEventListener("blur", () => group.away());
    svg.addEventListener("dblclick", () => group.zoom(...group.whole));
    svg.addEventListener("keydown", (event) => this.key(event));
  }
  key(event) {
    const values = this.live ? this.axis() : [];
    if (!values.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const here = this.at === null ? values.length - 1 : nearest(values, this.at);
    const step = Math.max(Math.round(values.length / 200), 1) * (event.shiftKey ? 10 : 1);
    const to = { ArrowLeft: here - step, ArrowDown: here - step, ArrowRight: here + step, ArrowUp: here + step, PageDown: here - 10 * step, PageUp: here + 10 * step, Home: 0, End: values.length - 1 }[event.key];
    const [from, end] = this.group.span, x = values[here];
    if (to !== undefined) this.group.point(values[Math.min(Math.max(this.at === null ? here : to, 0), values.length - 1)], this);
    else if (event.key === "+" || event.key === "=") this.group.zoom(x - (x - from) / 2, x + (end - x) / 2);
    else if (event.key === "-") this.group.zoom(x - (x - from) * 2, x + (end - x) * 2);
    else if (event.key === "Escape") { this.group.away(); this.group.zoom(...this.group.whole); } else return;
    event.preventDefault();
  }
}
/* Charts that share one x axis, one cursor and one set of switches. */
class Group {
  constructor(whole, least) { Object.assign(this, { whole, span: whole, least, charts: [], hidden: new Set(), heard: () => {} }); }
  draw() { for (const chart of this.charts) if (chart.live) chart.draw(); }
  point(x, on) { for (const chart of this.charts) { if (chart !== on) { chart.tip.hidden = true; } if (chart.live) chart.point(x, chart === on); } }
  away() { for (const chart of this.charts) chart.away(); }
  zoom(from, to) {
    from = Math.max(from, this.whole[0]);
    to = Math.min(to, this.whole[1]);
    if (to - from < this.least && this.whole[1] - this.whole[0] > this.least) { const middle = Math.min(Math.max((from + to) / 2, this.whole[0] + this.least / 2), this.whole[1] - this.least / 2); [from, to] = [middle - this.least / 2, middle + this.least / 2]; }
    this.span = from <= to ? [from, to] : this.whole;
    this.away();
    this.draw();
    this.heard();
  }
  zoomed() { return this.span[0] > this.whole[0] || this.span[1] < this.whole[1]; }
}
