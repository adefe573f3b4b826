// Panels of curves by uPlot: hover, zoom, logarithms, seeds as a band.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const AXES = { iteration: "iteration", images: "images", seconds: "time" };
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200,
  86400, 172800, 432000, 864000, 1728000, 4320000];
const MOST = 14; // lines of what a cursor shows

const states = {};
/** What the reader has chosen in a section, by its id. */
const stateOf = (id) => (states[id] ??= { x: "iteration", logx: false, logy: false, band: false,
  others: false, hidden: new Set(), words: "", at: null, sort: null });

const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
const colourOf = (look) => ink(look.slice(0, 2));
const dashOf = (look) => [[], [2, 3], [8, 4], [8, 3, 2, 3]][look.slice(-1)];

function number(x) {
  const size = Math.abs(x);
  if (x === 0 || (size >= 1e-3 && size < 1e5)) return String(Number(x.toPrecision(4)));
  return x.toPrecision(3).replace(/\.?0+e/, "e").replace("e+", "e");
}

function tick(x) {
  const size = Math.abs(x);
  if (size >= 1e6) return `${Number((x / 1e6).toPrecision(4))}M`;
  if (size >= 1e4) return `${Number((x / 1e3).toPrecision(4))}k`;
  return number(x);
}

const round = (x) => String(Number(x.toPrecision(3)));

function time(s) {
  if (s < 120) return `${round(s)} s`;
  return s < 7200 ? `${round(s / 60)} min` : `${round(s / 3600)} h`;
}

const whole = (x) => Math.round(x).toLocaleString("en");

function place(x, axis) {
  return axis === "seconds" ? time(x) : `${axis === "images" ? "image" : "iteration"} ${whole(x)}`;
}

/** y at x, between the points beside it; null outside of them. */
function between(xs, ys, x) {
  if (!xs.length || x < xs[0] || x > xs[xs.length - 1]) return null;
  const i = xs.findIndex((other) => other >= x);
  if (xs[i] === x) return ys[i];
  return ys[i - 1] + (ys[i] - ys[i - 1]) * (x - xs[i - 1]) / (xs[i] - xs[i - 1]);
}

/** Where on an axis a run's iteration is, by its log; null if that does not tell. */
function onAxis(run, iteration, axis) {
  if (axis === "iteration") return iteration;
  const known = run.log[axis];
  if (!known) return null;
  const xs = [0, ...run.log.iteration], ys = [0, ...known], n = xs.length - 1;
  return between(xs, ys, iteration) ?? ys[n] * iteration / xs[n];
}

function pointsOf(run, panel, key, axis) {
  let xs, ys;
  if (panel.score) {
    const [iterations, values] = run.scores[key] ?? [[], []];
    xs = iterations.map((i) => onAxis(run, i, axis));
    ys = values;
  } else {
    xs = run.log[axis] ?? [];
    ys = run.log[key] ?? [];
  }
  const kept = xs.map((_, i) => i).filter((i) => xs[i] != null && ys[i] != null);
  return [kept.map((i) => xs[i]), kept.map((i) => ys[i])];
}

/** The mean of several curves where all are, and how far a standard deviation is from it. */
function bandOf(curves) {
  const from = Math.max(...curves.map((c) => c.xs[0]));
  const to = Math.min(...curves.map((c) => c.xs[c.xs.length - 1]));
  const every = [...new Set(curves.flatMap((c) => c.xs))].sort((a, b) => a - b);
  const inside = every.filter((x) => from <= x && x <= to);
  const xs = inside.filter((_, i) => i % Math.ceil(inside.length / 300) === 0);
  const ys = [], spread = [];
  for (const x of xs) {
    const values = curves.map((c) => between(c.xs, c.ys, x));
    const mean = values.reduce((a, b) => a + b) / values.length;
    ys.push(mean);
    spread.push(Math.sqrt(values.reduce((a, v) => a + (v - mean) ** 2, 0) / (values.length - 1)));
  }
  return { xs, ys, spread };
}

const fits = (title, words) =>
  words.toLowerCase().split(/\s+/).every((word) => title.toLowerCase().includes(word));

/** Whether a row is shown, in the table as in the panels and among the samples. */
const passes = (row, state) => fits(row.title, state.words);

function curvesOf(table, panel, axis, state) {
  const found = [], several = panel.parts.length > 1;
  for (const row of table.rows) {
    if (state.hidden.has(row.title) || !passes(row, state)) continue;
    for (const [i, part] of panel.parts.entries()) {
      const own = [], look = several ? `${row.look.slice(0, 2)} d${i}` : row.look;
      const name = several ? `${row.title}, ${part.title}` : row.title;
      for (const key of row.runs) {
        const run = data.runs[key];
        if (!run) continue;
        const [xs, ys] = pointsOf(run, panel, part.key, axis);
        const first = state.logx ? xs.findIndex((x) => x > 0) : 0;
        if (first < 0 || !xs.length) continue;
        const title = row.runs.length > 1 ? `${name}, seed ${run.seed}` : name;
        own.push({ title, look, key, xs: xs.slice(first), ys: ys.slice(first) });
      }
      const band = state.band && own.length > 1 && bandOf(own);
      if (band && band.xs.length) found.push({ ...band, title: `${name}, mean`, look });
      else found.push(...own);
    }
  }
  return found;
}

/** What an axis shows: all but outermost hundredths where these would flatten the rest. */
function limits(curves, low, high, log) {
  const values = curves.flatMap((c) => c.ys.filter((_, i) => c.xs[i] >= low && c.xs[i] <= high));
  values.sort((a, b) => a - b);
  const n = values.length - 1;
  if (n < 0) return [0, 1, false];
  let [bottom, top] = [values[0], values[n]], cut = false;
  if (log) return [bottom / 1.15, top * 1.15, false];
  const inner = [values[Math.ceil(n * 0.01)], values[Math.floor(n * 0.99)]];
  if (n > 50 && inner[1] > inner[0] && top - bottom > 3 * (inner[1] - inner[0])) {
    [bottom, top] = inner;
    cut = true;
  }
  const span = top - bottom, size = Math.max(Math.abs(bottom), Math.abs(top));
  const margin = span ? Math.max(0.06 * span, 0.002 * size) : 0.1 * size || 1;
  return [bottom - margin, top + margin, cut];
}

function options(figure, curves, axis, logx, logy) {
  const font = "11px system-ui, sans-serif", bands = [], series = [{}];
  for (const c of curves) {
    series.push({ label: c.title, stroke: () => colourOf(c.look), width: 1.5, dash: dashOf(c.look),
      spanGaps: true, points: { show: c.xs.length < 25, size: c.xs.length > 1 ? 5 : 10, width: c.xs.length > 1 ? 1 : 2,
        fill: () => (c.look.endsWith("d0") ? colourOf(c.look) : ink("page")) } });
    if (!c.spread) continue;
    const edge = { stroke: "transparent", width: 0, spanGaps: true, points: { show: false } };
    series.push({ ...edge }, { ...edge });
    bands.push({ series: [series.length - 2, series.length - 1],
      fill: () => `color-mix(in srgb, ${colourOf(c.look)} 18%, transparent)` });
  }
  const look = { stroke: () => ink("soft"), font, ticks: { show: false } };
  const grid = { stroke: () => ink("line"), width: 1 };
  const bare = (splits) => splits.map((v) => (v == null ? "" : tick(v)));
  const x = { ...look, grid: { show: false }, space: 70, size: 28,
    values: axis === "seconds" ? (_, v) => v.map((s) => (s == null ? "" : time(s))) : (_, v) => bare(v) };
  if (axis === "seconds" && !logx) x.incrs = STEPS;
  const range = (u) => {
    const { min, max } = u.scales.x;
    const [bottom, top, cut] = limits(curves, min ?? -Infinity, max ?? Infinity, logy);
    figure.classList.toggle("cut", cut);
    return [bottom, top];
  };
  const alone = curves.every((c) => c.xs.length === 1);
  const across = (_, low, high) => {
    const margin = alone && !logx ? (high - low || low) / 20 : 0; // dots at the edge would be cut
    return [low - margin, high + margin];
  };
  const nearest = (u, i, at) => {
    const y = u.data[i];
    for (let k = 0; k < y.length; k++) {
      if (y[at - k] != null) return at - k;
      if (y[at + k] != null) return at + k;
    }
    return at;
  };
  return {
    width: figure.clientWidth, height: figure.classList.contains("wide") ? 300 : 190,
    scales: { x: { time: false, distr: logx ? 3 : 1, range: across }, y: { distr: logy ? 3 : 1, range } },
    axes: [x, { ...look, grid, size: 52, space: 34, values: (_, v) => bare(v) }],
    series, bands, legend: { show: false }, focus: { alpha: 0.25 }, padding: [8, 22, 0, 0],
    cursor: { y: false, dataIdx: nearest, focus: { prox: 24,
      dist: (_, i, __, at, cursor) => (series[i].width ? at - cursor : Infinity) },
      points: { size: 7, show: (u, i) => series[i].width > 0 && undefined },
      sync: { key: `${figure.closest("section").id} ${axis}`, setSeries: false } },
    hooks: { setCursor: [(u) => tell(figure, u)], setSeries: [(u, i) => { figure.near = i; tell(figure, u); }],
      setSelect: [(u) => { figure.zoomed = u.select.width > 0; }], draw: [(u) => mark(figure, u), (u) => alone && label(figure, u)] },
  };
}

/** The values of all curves at the cursor, in the order in which they lie there. */
function tell(figure, u) {
  const box = figure.querySelector(".told"), { left, idx } = u.cursor;
  const own = figure.matches(":hover, :focus-visible");
  if (!own || left < 0 || idx == null) return void (box.hidden = true);
  const x = u.posToVal(left, "x"), span = u.scales.x.max - u.scales.x.min;
  let lines = [], i = 0;
  for (const c of figure.curves) {
    const at = u.cursor.idxs[++i], y = u.data[i][at];
    const far = Math.abs(u.data[0][at] - x) > 0.04 * span;
    const spread = c.spread ? ` ± ${number(c.spread[c.xs.indexOf(u.data[0][at])] ?? 0)}` : "";
    if (y != null) lines.push({ c, y, near: i === figure.near, text: number(y) + spread,
      late: far ? ` at ${place(u.data[0][at], figure.axis).replace(/^\D+ (?=\d)/, "")}` : "" });
    i += c.spread ? 2 : 0;
  }
  const middle = u.cursor.top < 0 ? 0 : u.posToVal(u.cursor.top, "y"), all = lines.length;
  if (all > MOST) lines = lines.sort((a, b) => Math.abs(a.y - middle) - Math.abs(b.y - middle)).slice(0, MOST);
  lines.sort((a, b) => b.y - a.y);
  box.replaceChildren(element("b", {}, place(x, figure.axis)));
  for (const { c, near, text, late } of lines) {
    const value = element("span", { class: "value" }, text);
    if (late) value.append(element("span", { class: "soft" }, late));
    box.append(element("div", { class: near ? "near" : "" }, keyOf(c.look), element("span", {}, c.title), value));
  }
  if (all > MOST) box.append(element("div", { class: "soft" }, `and ${all - MOST} farther away`));
  box.hidden = false;
  const over = u.over, width = box.offsetWidth;
  const to = over.offsetLeft + left + (left > over.clientWidth / 2 ? -width - 14 : 14);
  box.style.left = `${Math.max(0, Math.min(to, figure.clientWidth - width))}px`;
}

/** The names of dots beside them, where there is room. */
function label(figure, u) {
  const { ctx, bbox } = u, ratio = devicePixelRatio;
  if (figure.curves.length > 30 || bbox.width < 500 * ratio) return;
  ctx.save();
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  for (const c of figure.curves) {
    const x = u.valToPos(c.xs[0], "x", true), right = x > bbox.left + 0.85 * bbox.width;
    ctx.fillStyle = ink("soft");
    ctx.textAlign = right ? "right" : "left";
    ctx.fillText(c.title, x + (right ? -9 : 9) * ratio, u.valToPos(c.ys[0], "y", true));
  }
  ctx.restore();
}

/** Where the sample grids are that the slider shows. */
function mark(figure, u) {
  const state = stateOf(figure.closest("section").id);
  if (state.at === null) return;
  const { ctx, bbox } = u, ratio = devicePixelRatio;
  ctx.save();
  if (figure.axis === state.x) {
    const x = u.valToPos(state.at, "x", true);
    ctx.strokeStyle = ink("soft");
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    ctx.lineWidth = ratio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
  }
  for (const c of figure.curves) {
    const grid = c.key && gridAt(data.runs[c.key], state);
    if (!grid) continue;
    const x = onAxis(data.runs[c.key], grid[0], figure.axis), y = x === null ? null : between(c.xs, c.ys, x);
    if (y === null) continue;
    ctx.fillStyle = colourOf(c.look);
    ctx.strokeStyle = ink("page");
    ctx.lineWidth = 2 * ratio;
    ctx.beginPath();
    ctx.arc(u.valToPos(x, "x", true), u.valToPos(y, "y", true), 5 * ratio, 0, 7);
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}

function build(figure) {
  const { table, panel } = figure, state = stateOf(figure.closest("section").id);
  figure.stale = false;
  const curves = curvesOf(table, panel, figure.axis, state);
  const logy = state.logy && curves.every((c) => c.ys.every((y) => y > 0));
  figure.curves = curves;
  const last = curves.map((c) => `${c.title}: ${number(c.ys[c.ys.length - 1])}`).slice(0, 20).join("; ");
  figure.setAttribute("aria-label",
    `${panel.title} against ${AXES[figure.axis]}. Last values: ${last || "none"}. Arrows move the cursor.`);
  const least = logy ? limits(curves, -Infinity, Infinity, true)[0] : -Infinity;
  const edge = (c, sign) => [c.xs, c.ys.map((y, i) => Math.max(least, y + sign * c.spread[i]))];
  const tables = curves.flatMap((c) => [[c.xs, c.ys], ...(c.spread ? [edge(c, 1), edge(c, -1)] : [])]);
  const drawn = tables.length ? uPlot.join(tables) : [[]];
  const like = JSON.stringify([figure.axis, state.logx, logy, curves.map((c) => [c.title, c.look, !!c.spread, c.xs.length < 25, c.xs.length > 1])]);
  if (figure.plot && figure.like === like) return figure.plot.setData(drawn, !figure.zoomed);
  figure.plot?.destroy();
  figure.like = like;
  figure.zoomed = false;
  figure.plot = new uPlot(options(figure, curves, figure.axis, state.logx, logy), drawn, figure.querySelector(".plot"));
}

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    target.visible = isIntersecting;
    if (isIntersecting && target.stale) build(target);
  }
}, { rootMargin: "200px" });

const sized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.clientWidth) target.plot?.setSize({ width: target.clientWidth, height: target.plot.height });
  }
});

function steer(event) {
  const figure = event.currentTarget, u = figure.plot;
  if (!u) return;
  if (event.key === "Escape") {
    figure.zoomed = false;
    u.setData(u.data);
  }
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const width = u.over.clientWidth, at = u.cursor.left < 0 ? width / 2 : u.cursor.left;
  u.setCursor({ left: Math.max(0, Math.min(width, at + step * width / 60)), top: u.over.clientHeight / 2 });
}

function panelOf(panel, wide) {
  const several = panel.parts.length > 1, figure = element("figure", { class: wide ? "panel wide" : "panel", role: "img", tabindex: "0" },
    element("figcaption", {}, element("b", {}, panel.title), element("span", { class: "against" }),
      ...(several ? panel.parts.map((part, i) => element("span", { class: "part" }, keyOf(`own d${i}`), part.title)) : []),
      element("span", { class: "outliers" }, " (a few outliers lie outside)")),
    element("div", { class: "plot" }), element("div", { class: "told", hidden: "" }));
  figure.addEventListener("keydown", steer);
  for (const gone of ["mouseleave", "blur"]) {
    figure.addEventListener(gone, () => { figure.querySelector(".told").hidden = true; });
  }
  seen.observe(figure);
  sized.observe(figure);
  return figure;
}

/** Where the panels of a group stand: those of one with a name are folded. */
function holderOf(section, group) {
  if (!group) return section.querySelector(".panels");
  const groups = section.querySelector(".groups");
  const old = [...groups.children].find((one) => one.dataset.group === group);
  if (old) return old.lastChild;
  const holder = element("div", { class: "panels" });
  groups.append(element("details", { "data-group": group },
    element("summary", {}, `Figures of the ${group}`), holder));
  return holder;
}

/** All panels of a section as they are to be by now; those in sight at once. */
function draw(section) {
  const table = data.tables[section.id], state = stateOf(section.id);
  if (!table || !section.querySelector(".panels")) return;
  const runs = table.rows.flatMap((row) => row.runs).map((key) => data.runs[key]).filter(Boolean);
  const points = (panel, axis) => panel.parts.flatMap(({ key }) =>
    runs.map((run) => pointsOf(run, panel, key, axis)[0].length));
  const open = table.panels.filter((panel) => panel.main || state.others);
  const shown = open.filter((panel) => points(panel, "iteration").some((n) => n > 1));
  // scored once each, methods are points in a plane
  const first = open.find((panel) => panel.score && points(panel, "seconds").reduce((a, n) => a + n, 0) > 1);
  const wanted = first ? [{ panel: first, axis: "seconds", wide: true }] : [];
  wanted.push(...shown.map((panel) => ({ panel, axis: state.x, wide: false })));
  section.querySelector(".curves").hidden = !wanted.length;
  const old = new Map([...section.querySelectorAll(".panel")].map((figure) => [figure.dataset.key, figure]));
  const count = new Map();
  for (const { panel, axis, wide } of wanted) {
    const key = `${wide} ${panel.parts[0].key}`, holder = holderOf(section, panel.group);
    const figure = old.get(key) ?? panelOf(panel, wide), i = count.get(holder) ?? 0;
    old.delete(key);
    count.set(holder, i + 1);
    if (holder.children[i] !== figure) holder.insertBefore(figure, holder.children[i] ?? null);
    figure.querySelector(".against").textContent = wide ? ` against ${AXES[axis]}` : "";
    Object.assign(figure, { table, panel, axis, stale: true });
    figure.dataset.key = key;
    if (figure.visible) build(figure);
  }
  for (const figure of old.values()) {
    seen.unobserve(figure);
    sized.unobserve(figure);
    figure.plot?.destroy();
    figure.remove();
  }
}

/** All panels again, with the marks of the slider and the colours of light or dark. */
function redraw(section) {
  for (const figure of section.querySelectorAll(".panel")) figure.plot?.redraw(false);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.querySelectorAll("section").forEach(redraw);
});
