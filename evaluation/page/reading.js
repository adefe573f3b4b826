// What a reader does with a section: filter, sort, choose curves, move through time.

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== "") made.setAttribute(key, value);
  if ("hidden" in attributes) made.hidden = true;
  made.append(...children);
  return made;
}

function keyOf(look) {
  const holder = document.createElement("template");
  holder.innerHTML = `<svg class="key" viewBox="0 0 24 12" aria-hidden="true">
    <line x1="0" y1="6" x2="24" y2="6" stroke-width="3" class="${look}"/></svg>`;
  return holder.content.firstChild;
}

/** A run's newest grid up to where the slider is, [iteration, source]. */
function gridAt(run, state) {
  const grids = run?.grids ?? [];
  if (state.at === null) return grids[grids.length - 1];
  const before = grids.filter(([i]) => (onAxis(run, i, state.x) ?? 0) <= state.at * (1 + 1e-9));
  return before[before.length - 1] ?? grids[0];
}

/** Where the slider of a section stops: at every grid of its runs. */
function stopsOf(section, state) {
  const rows = data.tables[section.id]?.rows.filter((row) => passes(row, state)) ?? [];
  const runs = rows.flatMap((row) => row.runs).map((key) => data.runs[key]).filter(Boolean);
  const all = runs.flatMap((run) => (run.grids ?? []).map(([i]) => onAxis(run, i, state.x)));
  return [...new Set(all.filter((x) => x !== null))].sort((a, b) => a - b);
}

/** The pictures of a section as the slider has them; a section may not be in the page yet. */
function show(section) {
  const state = stateOf(section.id), stops = stopsOf(section, state);
  for (const figure of section.querySelectorAll("figure[data-grid]")) {
    const run = data.runs[figure.dataset.run], grid = gridAt(run, state);
    if (!grid) continue;
    const image = figure.querySelector("img"), at = `iteration ${whole(grid[0])}`;
    if (image.getAttribute("src") !== grid[1]) image.setAttribute("src", grid[1]);
    if (state.at === null) continue;
    image.alt = image.alt.replace(/ at iteration .*$/, ` at ${at}`);
    figure.querySelector(".at").textContent = at;
  }
  const scrub = section.querySelector(".scrub");
  if (!scrub) return;
  scrub.classList.toggle("single", stops.length < 2);
  const range = scrub.querySelector("input"), last = stops.length - 1;
  range.max = Math.max(0, last);
  range.value = state.at === null ? last : stops.filter((x) => x <= state.at).length - 1;
  const words = state.at === null ? "newest" : place(state.at, state.x);
  range.setAttribute("aria-valuetext", words);
  scrub.querySelector("output").textContent = words;
}

function scrubTo(section, i) {
  const state = stateOf(section.id), stops = stopsOf(section, state);
  state.at = i >= stops.length - 1 ? null : stops[Math.max(0, i)];
  show(section);
  redraw(section);
}

/** Step through time until the newest, or stop. */
function play(section, button) {
  if (button.timer) {
    clearInterval(button.timer);
    button.timer = null;
  } else {
    const range = section.querySelector(".scrub input");
    if (range.value === range.max) scrubTo(section, 0);
    button.timer = setInterval(() => {
      scrubTo(section, Number(range.value) + 1);
      if (stateOf(section.id).at === null) play(section, button);
    }, 250);
  }
  button.textContent = button.timer ? "Pause" : "Play";
}

/** What sorts a row by a cell: its number, else its text; what has neither comes last. */
function valueOf(row, place) {
  const cell = row.cells[place], given = cell?.dataset.value;
  if (given === undefined) return cell?.textContent.trim().toLowerCase() ?? "";
  return given === "" ? NaN : Number(given);
}

function sort(table, [place, sign]) {
  const rows = [...table.tBodies[0].rows];
  const empty = (v) => Number.isNaN(v);
  rows.sort((a, b) => {
    const [x, y] = [valueOf(a, place), valueOf(b, place)];
    if (empty(x) || empty(y)) return empty(x) - empty(y);
    return sign * (typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true }));
  });
  rows.forEach((row, i) => {
    if (table.tBodies[0].rows[i] !== row) table.tBodies[0].insertBefore(row, table.tBodies[0].rows[i]);
  });
}

/** Make what came as HTML what the reader has chosen: this may be done again at any time. */
function arrange(section) {
  const state = stateOf(section.id), plan = data.tables[section.id];
  for (const table of section.querySelectorAll("table.sorts")) {
    for (const [i, cell] of [...table.tHead.rows[0].cells].entries()) {
      if (!cell.querySelector("button.sort")) {
        const about = cell.querySelector(".about"), button = element("button", { class: "sort", type: "button" });
        button.append(...[...cell.childNodes].filter((node) => node !== about));
        cell.prepend(button);
      }
      const sign = state.sort?.[0] === i ? state.sort[1] : 0;
      if (sign) cell.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    }
    if (state.sort) sort(table, state.sort);
  }
  for (const part of section.querySelectorAll("[data-row]")) part.hidden = !fits(part.dataset.row, state.words);
  for (const cell of section.querySelectorAll(".other")) cell.hidden = !state.others;
  for (const place of section.querySelectorAll(".thumb[data-run]")) {
    const grids = data.runs[place.dataset.run]?.grids ?? [], source = grids[grids.length - 1]?.[1];
    const image = place.querySelector("img") ?? element("img", { loading: "lazy" });
    if (!source) continue;
    if (image.getAttribute("src") !== source) image.src = source;
    image.alt = `Newest samples of ${place.dataset.title}`;
    if (!image.parentNode) place.append(image);
  }
  const few = section.querySelector(".nothing");
  if (few && plan) few.hidden = plan.rows.some((row) => passes(row, state));
  show(section);
}

function legend(section) {
  const list = section.querySelector(".legend"), state = stateOf(section.id);
  const rows = data.tables[section.id]?.rows.filter((row) => passes(row, state)) ?? [];
  list?.replaceChildren(...rows.map((row) => {
    const button = element("button", { type: "button", "aria-pressed": String(!state.hidden.has(row.title)),
      "data-title": row.title, title: "Click to hide or show; double click to show this alone" },
      keyOf(row.look), row.title);
    return element("li", {}, button);
  }));
  const all = element("button", { type: "button", class: "all" }, "Show all");
  all.hidden = !state.hidden.size;
  list?.append(element("li", {}, all));
}

/** Everything of a section again, by what the reader has chosen and by the newest numbers. */
function refresh(section) {
  arrange(section);
  if (!data.tables[section.id]) return;
  legend(section);
  draw(section);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button"), section = event.target.closest("section");
  if (!button || !section) return;
  const state = stateOf(section.id);
  if (button.matches(".sort")) {
    const i = button.closest("th").cellIndex, table = button.closest("table");
    const numbers = [...table.tBodies[0].rows].some((row) => row.cells[i].dataset.value);
    const better = button.closest("th").dataset.better === "higher" ? -1 : 1;
    const first = numbers ? better : 1;
    state.sort = state.sort?.[0] === i && state.sort[1] === first ? [i, -first] : [i, first];
    arrange(section);
  } else if (button.matches(".legend button")) {
    const { title } = button.dataset, titles = data.tables[section.id].rows.map((row) => row.title);
    if (button.matches(".all")) state.hidden.clear();
    else if (event.detail === 2) state.hidden = new Set(titles.filter((other) => other !== title));
    else if (!state.hidden.delete(title)) state.hidden.add(title);
    for (const other of section.querySelectorAll(".legend [aria-pressed]")) {
      other.setAttribute("aria-pressed", String(!state.hidden.has(other.dataset.title)));
    }
    section.querySelector(".legend .all").hidden = !state.hidden.size;
    draw(section);
  } else if (button.matches(".play")) play(section, button);
});

document.addEventListener("input", (event) => {
  const { target } = event, section = target.closest("section");
  if (!section) return;
  const state = stateOf(section.id);
  if (target.type === "range") return scrubTo(section, Number(target.value));
  if (target.type === "checkbox") state[target.name] = target.checked;
  else state[target.name] = target.value;
  if (target.name === "x") state.at = null;
  refresh(section);
});
