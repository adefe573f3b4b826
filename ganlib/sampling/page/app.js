// The page: settings, a wall of samples, the chosen one and what is made of those that were kept.

const $ = (id) => document.getElementById(id);
const WALL = 40, DOTS = 1000, AT_ONCE = 8, REACH = 3;

class App {
  constructor(networks) {
    this.networks = networks;
    [this.network, this.other] = networks;
    this.about = this.network.about;
    this.latents = this.network.latents;
    this.turn = 0; // of the wall: of an older one nothing is painted any more
    this.read();
  }

  read() {
    this.state = read(location.hash, this.about.classes.length, this.about.directions.length);
  }

  remember() {
    history.replaceState(null, "", `#${written(this.state)}`);
  }

  // ---- from pictures to codes and canvases

  // What a network draws a picture from: { codes, y }.
  async codesOf(network, { seed, number, label, moves }) {
    const { latents, about } = network;
    let z = latents.z(seed, number);
    if (about.told === "categories" && label !== null) z = latents.choose(z, label);
    return this.moved(network, z, latents.condition(seed, number, label), moves);
  }

  async moved(network, z, y, moves = {}) {
    const { about, latents } = network, { psi } = this.state;
    let code = about.codes ? Float32Array.from(await network.codes(z, y)) : z;
    if (psi) code = about.codes ? line(Float32Array.from(about.average), code, psi) : latents.truncated(code, psi);
    for (const [i, far] of Object.entries(moves)) {
      const { step } = about.directions[i] ?? { step: [] };
      code = code.map((x, j) => x + far * (step[j] ?? 0));
    }
    return { codes: about.styles ? join(Array(about.styles).fill(code)) : code, y };
  }

  draw(network, { codes, y }, n = 1) { return network.images(codes, y, this.state.noise, n); }

  async paintOn(canvas, network, drawn) {
    const { images } = await this.draw(network, drawn);
    paint(canvas, images, 0, this.about.frames);
  }

  // ---- the wall

  async wall() {
    const turn = ++this.turn, tiles = [...$("wall").children];
    if (this.about.points) return this.plot();
    for (let start = 0; start < WALL; start += AT_ONCE) {
      const pictures = tiles.slice(start, start + AT_ONCE).map((_, i) => this.sample(start + i));
      const drawn = await Promise.all(pictures.map((one) => this.codesOf(this.network, one)));
      const y = drawn[0].y && join(drawn.map((d) => d.y));
      const { images } = await this.draw(this.network, { codes: join(drawn.map((d) => d.codes)), y }, pictures.length);
      if (turn !== this.turn) return;
      pictures.forEach((one, i) => {
        const tile = tiles[start + i];
        paint(tile.firstChild, images, i, this.about.frames);
        tile.setAttribute("aria-label", this.words(one));
        tile.setAttribute("aria-pressed", same(this.at(one), this.at(this.state.chosen)));
      });
      await new Promise(requestAnimationFrame);
    }
  }

  async plot() {
    const { seed, from } = this.state, { latents } = this;
    const drawn = await Promise.all(Array.from({ length: DOTS }, (_, i) =>
      this.moved(this.network, latents.z(seed, from + i), latents.condition(seed, from + i, typeof this.state.label === "number" ? this.state.label : null))));
    const y = drawn[0].y && join(drawn.map((d) => d.y));
    const { images } = await this.draw(this.network, { codes: join(drawn.map((d) => d.codes)), y }, DOTS);
    paint($("wall").firstChild, images);
  }

  // Picture i of the wall.
  sample(i) {
    const { seed, from } = this.state, each = this.state.label === "each";
    if (!each) return { seed, number: from + i, label: this.state.label, moves: {} };
    const n = this.about.classes.length;
    return { seed, number: from + Math.floor(i / n), label: i % n, moves: {} };
  }

  at(one) { return one && [one.seed, one.number, one.label]; }

  words({ seed, number, label, moves = {} }) {
    const { classes } = this.about, moved = Object.keys(moves).length;
    const named = label === null ? "" : `, ${classes[label]}`;
    return `Sample ${number} of seed ${seed}${named}${moved ? ", moved" : ""}`;
  }

  // ---- the chosen one

  async choose(one) {
    this.state.chosen = one;
    const here = same(this.at(one), this.at(this.sample(0)));
    for (const [i, tile] of [...$("wall").children].entries()) {
      tile.setAttribute("aria-pressed", same(this.at(this.sample(i)), this.at(one)));
    }
    this.sliders();
    await this.show();
    return here;
  }

  // Only the newest of what is asked for while a picture is made is made after it.
  show() {
    this.wanted = true;
    this.showing ??= this.shows().finally(() => { this.showing = null; });
    return this.showing;
  }

  async shows() {
    while (this.wanted) {
      this.wanted = false;
      const one = this.state.chosen;
      if (one) await this.present(await this.codesOf(this.network, one), this.words(one), one);
    }
    this.remember();
  }

  // Show what is drawn from codes; one: the picture that it is, if it is one.
  async present(drawn, words, one = null) {
    const result = await this.draw(this.network, drawn);
    this.shown = { ...drawn, one };
    paint($("picture"), result.images, 0, this.about.frames);
    $("picture").setAttribute("aria-label", words);
    $("caption").textContent = words;
    if (this.other && one) await this.paintOn($("beside"), this.other, await this.codesOf(this.other, one));
    const smaller = this.network.outputs.slice(1);
    [...$("growing").children].forEach((canvas, i) => paint(canvas, result[smaller[i]]));
    $("command").textContent = this.command();
  }

  command() {
    const { one } = this.shown, { psi, noise } = this.state;
    const plain = one && !Object.keys(one.moves).length;
    const named = one?.label == null ? "" : ` --class "${this.about.classes[one.label].replace(/["\\$`]/g, "\\$&")}"`;
    const which = plain ? `--seed ${one.seed} --numbers ${one.number}${named}` : "--codes codes.npz";
    const more = plain && psi ? ` --truncation ${psi}` : "";
    const statistics = this.about.statistics === "running" ? "" : ` --statistics ${this.about.statistics}`;
    const note = noise === 1 ? "" : "\n# with the network's own noise, which is off here";
    return `ganlib sample FOLDER ${which}${more}${statistics} --plain -o picture.png${note}`;
  }

  saveCodes() {
    const { codes, y } = this.shown, { styles, codes: own } = this.about;
    const shape = styles ? [1, styles, codes.length / styles] : [1, codes.length];
    const space = styles ? "layers" : own ? "code" : "z";
    const told = y ? { conditions: { values: y, shape: [1, y.length] } } : {};
    download(npz({ codes: { values: codes, shape }, space: { word: space }, ...told }), "codes.npz");
  }

  // What takes a while, and may be refused.
  async attempt(act) {
    say("Looking …");
    try {
      await act();
      say("");
    } catch (error) {
      say(error.message, true);
    }
  }

  // ---- those that were kept

  keep() {
    if (this.state.chosen) this.state.kept.push({ ...structuredClone(this.state.chosen), minus: false });
    this.tray();
  }

  async tray() {
    const { kept } = this.state;
    $("keeping").hidden = !kept.length;
    const boxes = kept.map((one, i) => {
      const canvas = element("canvas");
      const look = element("button", { class: "tile", "aria-label": this.words(one), onclick: () => this.choose({ ...one }) }, canvas);
      const sign = element("button", { "aria-label": one.minus ? "subtracted" : "added", onclick: () => { one.minus = !one.minus; this.tray(); } }, one.minus ? "−" : "+");
      const drop = element("button", { "aria-label": "remove", onclick: () => { kept.splice(i, 1); this.tray(); } }, "×");
      return [element("div", { class: "keep" }, look, sign, drop), canvas, one];
    });
    $("kept").replaceChildren(...boxes.map(([box]) => box));
    $("mixed").replaceChildren();
    for (const button of $("ways").querySelectorAll("button")) button.disabled = kept.length < 2;
    this.remember();
    for (const [, canvas, one] of boxes) await this.paintOn(canvas, this.network, await this.codesOf(this.network, one));
  }

  async sum() {
    const { kept } = this.state, { latents } = this;
    const rows = kept.map(({ seed, number, label }) => {
      const z = latents.z(seed, number);
      return this.about.told === "categories" && label !== null ? latents.choose(z, label) : z;
    });
    const total = latents.sum(rows, kept.map(({ minus }) => (minus ? -1 : 1)));
    if (!total) return say("These cancel out; leave one of them out.");
    const [{ seed, number, label }] = kept;
    const drawn = await this.moved(this.network, total, latents.condition(seed, number, label));
    const words = kept.map((one, i) => `${one.minus ? "−" : i ? "+" : ""} ${one.number}`).join(" ");
    return this.present(drawn, `Sum of latents: ${words}`);
  }

  async walk() {
    if (this.walking) { this.walking = false; return; }
    this.walking = true;
    $("walk").textContent = "Stop";
    const stops = [];
    for (const one of this.state.kept) stops.push(await this.codesOf(this.network, one));
    for (let k = 0; this.walking; k = (k + 1) % stops.length) {
      const a = stops[k], b = stops[(k + 1) % stops.length];
      for (let t = 0; t < 1 && this.walking; t += 1 / 30) {
        await this.present(this.between(a, b, t), `Between ${k + 1} and ${(k + 1) % stops.length + 1} of the kept`);
        await new Promise(requestAnimationFrame);
      }
    }
    $("walk").textContent = "Walk";
  }

  between(a, b, t) {
    const codes = this.about.codes ? line(a.codes, b.codes, t) : this.latents.between(a.codes, b.codes, t);
    return { codes, y: a.y && line(a.y, b.y, t) };
  }

  // Of the row's picture what the first layers make, of the column's what the others do.
  async mix() {
    const all = [];
    for (const one of this.state.kept) all.push(await this.codesOf(this.network, one));
    const first = this.state.first || Math.floor(this.about.styles / 2);
    $("mixed").style.gridTemplateColumns = `repeat(${all.length}, minmax(0, 6rem))`;
    const cells = all.flatMap((row, i) => all.map((column, j) => [i, j, this.mixed(row, column, first)]));
    $("mixed").replaceChildren(...cells.map(([i, j, drawn]) => element("button", {
      class: "tile",
      "aria-label": `Layers from ${first} on of ${j + 1}, the others of ${i + 1}`,
      onclick: () => this.present(drawn, `Layers from ${first} on of ${j + 1}, the others of ${i + 1}`),
    }, element("canvas"))));
    for (const [k, [, , drawn]] of cells.entries()) {
      await this.paintOn($("mixed").children[k].firstChild, this.network, drawn);
    }
  }

  mixed(row, column, first) {
    const cut = first * row.codes.length / this.about.styles;
    return { codes: join([row.codes.subarray(0, cut), column.codes.subarray(cut)]), y: row.y };
  }

  // ---- controls

  settings() {
    const { state, about } = this, tools = [];
    const changed = (name) => (event) => {
      const value = Number(event.target.value);
      if (!Number.isFinite(value) || event.target.value === "") return;
      state[name] = name === "psi" || name === "noise" ? value : Math.max(name === "seed" ? -Infinity : 0, Math.trunc(value));
      this.again();
    };
    if (this.latents.size) tools.push(element("label", {}, "Seed", element("input", { type: "number", id: "seed", step: 1, value: state.seed, onchange: changed("seed") })));
    if (!about.source) {
      const move = (by) => () => { state.from = Math.max(0, state.from + by); this.again(); };
      tools.push(element("button", { id: "back", "aria-label": "earlier samples", onclick: move(-WALL) }, "‹"));
      tools.push(element("button", { id: "on", "aria-label": "further samples", onclick: move(WALL) }, "›"));
    }
    if (about.classes.length && about.told !== "source") {
      const choices = [["", "as in the data"], ["each", "each in turn"], ...about.classes.map((name, i) => [String(i), name])];
      const select = element("select", { id: "class", onchange: (event) => {
        const { value } = event.target;
        state.label = value === "" ? null : value === "each" ? "each" : Number(value);
        this.again();
      } }, ...choices.map(([value, name]) => element("option", { value, selected: value === String(state.label ?? "") }, name)));
      tools.push(element("label", {}, "Class", select));
    }
    if (this.latents.size) {
      const most = about.codes ? 1 : 2, off = about.codes ? 1 : 2.05;
      const show = element("output", { id: "psi-now" }, state.psi ? state.psi.toFixed(2) : "off");
      const range = element("input", { type: "range", id: "psi", min: 0.05, max: most + 0.05, step: 0.05, value: state.psi || off, oninput: (event) => {
        const value = Number(event.target.value);
        state.psi = value > most - (about.codes ? 0.001 : -0.001) ? 0 : value;
        show.textContent = state.psi ? state.psi.toFixed(2) : "off";
        this.again();
      } });
      tools.push(element("label", { title: "Less variety, often better pictures" }, "Truncation", range, show));
    }
    if (this.network.noisy) {
      tools.push(element("label", {}, element("input", { type: "checkbox", id: "noise", checked: state.noise > 0, onchange: (event) => {
        state.noise = Number(event.target.checked);
        this.again();
      } }), "Noise"));
    }
    $("settings").replaceChildren(...tools);
  }

  again() {
    this.remember();
    if (this.about.source) return this.source.draw();
    return this.wall().then(() => this.show()).then(() => this.tray());
  }

  actions() {
    const save = () => $("picture").toBlob((content) => download(content, "picture.png"));
    const buttons = [
      element("button", { id: "save", onclick: () => { save(); $("command").hidden = false; } }, "Save picture"),
    ];
    if (!this.about.source) {
      buttons.unshift(element("button", { id: "keep", onclick: () => this.keep() }, "Keep"));
      buttons.push(element("button", { id: "codes", onclick: () => { this.saveCodes(); $("command").hidden = false; } }, "Save codes"));
    }
    $("actions").replaceChildren(...buttons);
    const ways = [["walk", "Walk", () => this.walk()], ["sum", "Sum", () => this.sum()]];
    if (this.about.styles) ways.push(["mix", "Mix", () => this.mix()]);
    $("ways").replaceChildren(...ways.map(([id, name, onclick]) => element("button", { id, onclick }, name)));
    if (this.about.styles) {
      const first = this.state.first || Math.floor(this.about.styles / 2);
      $("ways").append(element("label", {}, "from layer", element("input", { type: "range", id: "first", min: 1, max: this.about.styles - 1, value: first, oninput: (event) => {
        this.state.first = Number(event.target.value);
        this.remember();
        if (this.state.kept.length > 1) this.mix();
      } })));
    }
    const smaller = this.network.outputs.slice(1);
    $("growing").hidden = !smaller.length;
    $("growing").replaceChildren(...smaller.map((name) => element("canvas", { title: name.replace("images_", "at ") + " pixels", role: "img", "aria-label": name })));
    $("second").hidden = $("name").hidden = !this.other;
    const name = ({ about }) => `${about.algorithm}, ${about.images_seen?.toLocaleString("en") ?? "?"} images`;
    $("name").textContent = name(this.network);
    if (this.other) $("other").textContent = name(this.other);
  }

  sliders() {
    const { directions } = this.about, one = this.state.chosen;
    const titles = { sefa: "What its first layers stretch most", pca: "Principal components", classes: "Towards a class" };
    const rows = directions.flatMap(({ kind, name }, i) => {
      const now = element("output", {}, String(one.moves[i] ?? 0));
      const range = element("input", { type: "range", min: -REACH, max: REACH, step: 0.1, value: one.moves[i] ?? 0, "data-direction": i, oninput: (event) => {
        const far = Number(event.target.value);
        now.textContent = String(far);
        if (far) one.moves[i] = far; else delete one.moves[i];
        this.show();
      } });
      const title = directions[i - 1]?.kind === kind ? [] : [element("h3", {}, titles[kind] ?? kind)];
      return [...title, element("label", {}, /^\d+$/.test(name) ? `number ${name}` : name, range, now)];
    });
    $("directions").replaceChildren(...rows);
  }

  card() {
    const { about } = this, off = about.difference;
    const rows = {
      Method: about.algorithm, Idea: about.idea, Paper: about.paper, Data: about.dataset, "Licence of the data": about.data_license,
      "Numbers in the network": about.parameters.toLocaleString("en"),
      "Real images seen": about.images_seen?.toLocaleString("en"),
      Weights: about.precision + (off ? `; a pixel is off by ${off.mean.toPrecision(2)} of 255 levels on average and ${off.most.toPrecision(2)} at most` : ""),
      ganlib: about.ganlib,
    };
    const told = Object.entries(rows).filter(([, value]) => value);
    $("about").replaceChildren(...told.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
    $("idea").textContent = about.idea;
  }

  tiles() {
    if (this.about.points) {
      $("wall").classList.add("plot");
      $("one").hidden = true;
      return $("wall").append(element("canvas", { role: "img", "aria-label": `${DOTS} points` }));
    }
    $("wall").append(...Array.from({ length: WALL }, (_, i) => element("button", {
      class: "tile", "aria-pressed": "false", onclick: () => this.choose(this.sample(i)),
    }, element("canvas"))));
    return $("wall").addEventListener("keydown", (event) => this.key(event));
  }

  // Arrows go from tile to tile.
  key(event) {
    const tiles = [...$("wall").children], i = tiles.indexOf(document.activeElement);
    const across = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
    if (event.key === "k") this.keep();
    if (i < 0 || !by || !tiles[i + by]) return;
    event.preventDefault();
    tiles[i + by].focus();
  }

  async start() {
    this.settings();
    this.actions();
    this.card();
    if (this.network instanceof Served) servedControls(this);
    $("main").hidden = false;
    if (this.about.source) {
      this.source = new Source(this);
      return this.source.start();
    }
    this.tiles();
    await this.wall();
    if (this.about.points) return null;
    await this.choose(this.state.chosen ?? this.sample(0));
    return this.tray();
  }
}

function say(words, wrong = false) {
  $("status").textContent = words;
  $("status").hidden = !words;
  $("status").classList.toggle("wrong", wrong);
}

async function networks() {
  if (globalThis.ganlibServed) return [new Served(globalThis.ganlibServed)];
  const runtime = await openRuntime(globalThis.ganlibRuntime), opened = [];
  for (const model of globalThis.ganlibModels) opened.push(await Network.open(runtime, model));
  return opened;
}

async function main() {
  try {
    const app = new App(await networks());
    globalThis.ganlib = app;
    await app.start();
    addEventListener("hashchange", () => { app.read(); app.settings(); app.again(); });
    say("");
  } catch (error) {
    console.error(error);
    say("This page's generator cannot be opened: a file beside it is missing or damaged, or this browser is too old.", true);
  }
}

main();
