// The page: settings, a wall of samples, the chosen one and what is made of those that were kept.

const $ = (id) => document.getElementById(id);
const WALL = 40,
  DOTS = 1000,
  AT_ONCE = 8,
  REACH = 3;

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
    const { about, latents } = network,
      { psi } = this.state;
    let code = psi ? latents.truncated(z, psi) : z;
    if (about.codes) code = Float32Array.from(await network.codes(z, y, psi));
    for (const [i, far] of Object.entries(moves)) {
      const { step } = about.directions[i] ?? { step: [] };
      code = code.map((x, j) => x + far * (step[j] ?? 0));
    }
    return { codes: about.styles ? join(Array(about.styles).fill(code)) : code, y };
  }

  draw(network, { codes, y }, n = 1) {
    return network.images(codes, y, this.state.noise, n);
  }

  async paintOn(canvas, network, drawn) {
    const { images } = await this.draw(network, drawn);
    paint(canvas, images, 0, this.about.frames);
  }

  // ---- the wall

  async wall() {
    const turn = ++this.turn,
      tiles = [...$("wall").children];
    if (this.about.points) return this.plot();
    for (let start = 0; start < WALL; start += AT_ONCE) {
      const pictures = tiles.slice(start, start + AT_ONCE).map((_, i) => this.sample(start + i));
      const { images } = await this.drawAll(pictures);
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
    const { images } = await this.drawAll(Array.from({ length: DOTS }, (_, i) => this.sample(i)));
    paint($("wall").firstChild, images);
  }

  async drawAll(pictures) {
    const drawn = await Promise.all(pictures.map((one) => this.codesOf(this.network, one)));
    const y = drawn[0].y && join(drawn.map((d) => d.y));
    return this.draw(this.network, { codes: join(drawn.map((d) => d.codes)), y }, drawn.length);
  }

  // Picture i of the wall.
  sample(i) {
    const { seed, from } = this.state,
      each = this.state.label === "each";
    if (!each) return { seed, number: from + i, label: this.state.label, moves: {} };
    const n = this.about.classes.length;
    return { seed, number: from + Math.floor(i / n), label: i % n, moves: {} };
  }

  at(one) {
    return one && [one.seed, one.number, one.label];
  }

  words({ seed, number, label, moves = {} }) {
    const { classes } = this.about,
      moved = Object.keys(moves).length;
    const named = label === null ? "" : `, ${classes[label]}`;
    return `Sample ${number} of seed ${seed}${named}${moved ? ", moved" : ""}`;
  }

  // ---- the chosen one

  async choose(one) {
    this.state.chosen = one;
    for (const [i, tile] of [...$("wall").children].entries()) {
      tile.setAttribute("aria-pressed", same(this.at(this.sample(i)), this.at(one)));
    }
    sliders(this);
    await this.show();
  }

  // Only the newest of what is asked for while a picture is made is made after it.
  show() {
    this.wanted = true;
    this.showing ??= this.shows().finally(() => {
      this.showing = null;
    });
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
    $("second").hidden = !this.other || !one;
    if (this.other && one)
      await this.paintOn($("beside"), this.other, await this.codesOf(this.other, one));
    const smaller = this.network.outputs.slice(1);
    [...$("growing").children].forEach((canvas, i) => paint(canvas, result[smaller[i]]));
    $("command").textContent = this.command();
  }

  command() {
    const { one } = this.shown,
      { psi, noise } = this.state;
    const plain = one && !Object.keys(one.moves).length;
    const named =
      one?.label == null
        ? ""
        : ` --class "${this.about.classes[one.label].replace(/["\\$`]/g, "\\$&")}"`;
    const which = plain
      ? `--seed ${one.seed} --numbers ${one.number}${named}`
      : "--codes codes.npz";
    const more = plain && psi ? ` --truncation ${psi}` : "";
    const statistics =
      this.about.statistics === "running" ? "" : ` --statistics ${this.about.statistics}`;
    const at = this.network.iterations?.length > 1 ? ` --at ${this.network.iteration}` : "";
    const note = noise === 1 ? "" : "\n# with the network's own noise, which is off here";
    return `ganlib sample FOLDER${at} ${which}${more}${statistics} --plain -o picture.png${note}`;
  }

  saveCodes() {
    const { codes, y } = this.shown,
      { styles, codes: own } = this.about;
    const shape = styles ? [1, styles, codes.length / styles] : [1, codes.length];
    const space = styles ? "layers" : own ? "code" : "z";
    const told = y ? { conditions: { values: y, shape: [1, y.length] } } : {};
    download(
      npz({ codes: { values: codes, shape }, space: { word: space }, ...told }),
      "codes.npz",
    );
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

  async start() {
    settings(this);
    actions(this);
    card(this);
    if (this.network instanceof Served) servedControls(this);
    $("main").hidden = false;
    if (this.about.source) {
      this.source = new Source(this);
      return this.source.start();
    }
    tiles(this);
    await this.wall();
    if (this.about.points) return null;
    await this.choose(this.state.chosen ?? this.sample(0));
    return tray(this);
  }
}

function say(words, wrong = false) {
  $("status").textContent = words;
  $("status").hidden = !words;
  $("status").classList.toggle("wrong", wrong);
}

async function networks() {
  if (globalThis.ganlibServed) return [new Served(globalThis.ganlibServed)];
  const runtime = await openRuntime(globalThis.ganlibRuntime),
    opened = [];
  for (const model of globalThis.ganlibModels) opened.push(await Network.open(runtime, model));
  return opened;
}

async function main() {
  try {
    const app = new App(await networks());
    globalThis.ganlib = app;
    await app.start();
    addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      say(event.reason.message, true);
    });
    addEventListener("hashchange", async () => {
      app.read();
      settings(app);
      await again(app);
      if (!app.about.source && !app.about.points)
        await app.choose(app.state.chosen ?? app.sample(0));
    });
    say("");
  } catch (error) {
    console.error(error);
    say(
      "This page's generator cannot be opened: a file beside it is missing or damaged, or this browser is too old.",
      true,
    );
  }
}

main();
