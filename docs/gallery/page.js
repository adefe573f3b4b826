// written by ganlib
// ganlib's random numbers, as common/seeds.py and torch on a CPU draw them.

const MASK = (1n << 64n) - 1n;
const IV = [
  0x6a09e667f3bcc908n,
  0xbb67ae8584caa73bn,
  0x3c6ef372fe94f82bn,
  0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n,
  0x9b05688c2b3e6c1fn,
  0x1f83d9abfb41bd6bn,
  0x5be0cd19137e2179n,
];
const SIGMA = [
  "0123456789abcdef",
  "ea489fd61c02b753",
  "b8c052fdae367194",
  "7931dcbe265a40f8",
  "905724afe1bc683d",
  "2c6a0b834d75fe19",
  "c51fed4a0763928b",
  "db7ec13950f4862a",
  "6fe9b308c2d714a5",
  "a2847615fb9e3cd0",
].map((row) => [...row].map((c) => parseInt(c, 16)));

// BLAKE2b of at most 128 bytes, `size` bytes of it: RFC 7693, section 3.2.
function blake2b(text, size) {
  const block = new Uint8Array(128),
    bytes = new TextEncoder().encode(text);
  block.set(bytes);
  const view = new DataView(block.buffer);
  const m = Array.from({ length: 16 }, (_, i) => view.getBigUint64(8 * i, true));
  const h = [...IV];
  h[0] ^= 0x01010000n ^ BigInt(size);
  const v = [...h, ...IV];
  v[12] ^= BigInt(bytes.length);
  v[14] ^= MASK;
  const turn = (x, n) => ((x >> n) | (x << (64n - n))) & MASK;
  const stir = (a, b, c, d, x, y) => {
    v[a] = (v[a] + v[b] + x) & MASK;
    v[d] = turn(v[d] ^ v[a], 32n);
    v[c] = (v[c] + v[d]) & MASK;
    v[b] = turn(v[b] ^ v[c], 24n);
    v[a] = (v[a] + v[b] + y) & MASK;
    v[d] = turn(v[d] ^ v[a], 16n);
    v[c] = (v[c] + v[d]) & MASK;
    v[b] = turn(v[b] ^ v[c], 63n);
  };
  for (let round = 0; round < 12; round++) {
    const s = SIGMA[round % 10];
    for (let k = 0; k < 4; k++) stir(k, k + 4, k + 8, k + 12, m[s[2 * k]], m[s[2 * k + 1]]);
    for (let k = 0; k < 4; k++) {
      stir(
        k,
        ((k + 1) % 4) + 4,
        ((k + 2) % 4) + 8,
        ((k + 3) % 4) + 12,
        m[s[2 * k + 8]],
        m[s[2 * k + 9]],
      );
    }
  }
  const out = new DataView(new ArrayBuffer(64));
  h.forEach((x, i) => out.setBigUint64(8 * i, x ^ v[i] ^ v[i + 8], true));
  return out.buffer.slice(0, size);
}

// A 63-bit seed that depends on every part: whole numbers, and words without quotes.
function mix(...parts) {
  const told = parts.map((part) => (typeof part === "string" ? `'${part}'` : String(part)));
  return new DataView(blake2b(`(${told.join(", ")})`, 8)).getBigUint64(0, true) >> 1n;
}

// torch.Generator("cpu").manual_seed(mix(...parts)): MT19937, Matsumoto & Nishimura 1998.
class Generator {
  constructor(...parts) {
    const state = new Uint32Array(624);
    state[0] = Number(mix(...parts) & 0xffffffffn);
    for (let i = 1; i < 624; i++) {
      const before = state[i - 1] ^ (state[i - 1] >>> 30);
      state[i] = Math.imul(1812433253, before) + i;
    }
    this.state = state;
    this.next = 624;
  }

  word() {
    const s = this.state;
    if (this.next === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7fffffff);
        s[i] = s[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.next = 0;
    }
    let y = s[this.next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  // In [0, 1), of float32's digits and of float64's.
  single() {
    return (this.word() & 0xffffff) / 2 ** 24;
  }

  double() {
    const high = this.word() & 0x1fffff;
    return (high * 2 ** 32 + this.word()) / 2 ** 53;
  }

  // n numbers, a multiple of 16: N(0, 1) by Box and Muller's way, in torch's order.
  normal(n) {
    const x = Float32Array.from({ length: n }, () => this.single()),
      f = Math.fround;
    for (let start = 0; start < n; start += 16) {
      for (let i = start; i < start + 8; i++) {
        const radius = f(Math.sqrt(f(-2 * f(Math.log(f(1 - x[i]))))));
        const angle = f(f(2 * Math.PI) * x[i + 8]); // rounded as there: 1e-6 is a few roundings
        x[i] = radius * Math.cos(angle);
        x[i + 8] = radius * Math.sin(angle);
      }
    }
    return x;
  }

  uniform(n) {
    return Float32Array.from({ length: n }, () => 2 * this.single() - 1);
  }

  // Whole numbers below `most`.
  below(most, n) {
    return Array.from({ length: n }, () => this.word() % most);
  }

  // torch.multinomial with replacement, of weights in float64.
  chosen(weights, n) {
    const total = weights.reduce((a, b) => a + b),
      sums = [];
    weights.reduce((sum, weight, i) => (sums[i] = sum + weight / total), 0);
    return Array.from({ length: n }, () => {
      const u = this.double(),
        found = sums.findIndex((sum) => sum >= u);
      return found < 0 ? sums.length - 1 : found;
    });
  }
}

// Latents of samples by their numbers, and ways between them: as training/samples/sample_stream.py,
// common/generator.py and sampling/interpolation.py have them.

const BLOCK = 256;

class Latents {
  // parts: name, size and kind of each; told: "labels", "categories" or none; marginal: how often
  // each class is.
  constructor({ parts, told, classes, marginal }) {
    Object.assign(this, { parts: parts.filter((p) => p.size), told, classes, marginal });
    this.size = parts.reduce((n, p) => n + p.size, 0);
    this.blocks = new Map();
  }

  block(kind, seed, k, make) {
    const key = `${kind} ${seed} ${k}`;
    if (!this.blocks.has(key)) {
      if (this.blocks.size > 64) this.blocks.clear();
      this.blocks.set(key, make(new Generator(seed, kind, k)));
    }
    return this.blocks.get(key);
  }

  // z of a sample.
  z(seed, number) {
    const drawn = this.block("sample", seed, Math.floor(number / BLOCK), (random) =>
      this.parts.map(({ size, kind }) => {
        if (kind === "category") return oneHots(random.below(size, BLOCK), size);
        return random[kind](BLOCK * size);
      }),
    );
    const row = number % BLOCK;
    return join(
      drawn.map((x, i) => x.subarray(row * this.parts[i].size, (row + 1) * this.parts[i].size)),
    );
  }

  // The class that a sample is told where none is asked for.
  drawnClass(seed, number) {
    const drawn = this.block("class", seed, Math.floor(number / BLOCK), (random) =>
      random.chosen(this.marginal, BLOCK),
    );
    return drawn[number % BLOCK];
  }

  // How much of each class: of one, or none.
  condition(seed, number, chosen) {
    if (this.told !== "labels") return null;
    return oneHots([chosen ?? this.drawnClass(seed, number)], this.classes.length);
  }

  // z with a class that is among its categories.
  choose(z, chosen) {
    let category = 0;
    return this.ofParts([z], ([h], part) => {
      if (part.kind !== "category") return h;
      const mine = chosen - category;
      category += part.size;
      return mine < 0 || mine >= part.size ? h : oneHots([mine], part.size);
    });
  }

  truncated(z, psi) {
    return this.ofParts([z], ([h], { kind }) => {
      if (kind === "category") return h;
      if (kind === "uniform") return h.map((x) => x * psi);
      const tail = cdf(-psi);
      return h.map((x) => Math.max(-psi, Math.min(psi, quantile(tail + cdf(x) * (1 - 2 * tail)))));
    });
  }

  between(a, b, t) {
    return this.ofParts([a, b], ([x, y], { kind }) => {
      if (kind === "category") return t < 0.5 ? x : y;
      return inside(slerp(x, y, t), kind);
    });
  }

  // Of signed latents; null where they cancel out.
  sum(several, signs) {
    let nothing = false;
    const total = this.ofParts(several, (rows, { kind }) => {
      if (kind === "category") return rows[0];
      const sum = rows[0].map((_, i) => rows.reduce((s, row, j) => s + signs[j] * row[i], 0));
      if (kind !== "normal") return inside(sum, kind);
      const length = Math.sqrt(rows.reduce((s, row) => s + dot(row, row), 0) / rows.length);
      const own = Math.sqrt(dot(sum, sum));
      nothing ||= own <= 1e-6 * length;
      return sum.map((x) => (x * length) / own);
    });
    return nothing ? null : total;
  }

  ofParts(several, make) {
    let start = 0;
    return join(
      this.parts.map((part) => {
        const end = start + part.size,
          rows = several.map((z) => z.subarray(start, end));
        start = end;
        return make(rows, part);
      }),
    );
  }
}

// Arrays of one type, one behind the other.
function join(parts) {
  const whole = new parts[0].constructor(parts.reduce((n, part) => n + part.length, 0));
  parts.reduce((start, part) => (whole.set(part, start), start + part.length), 0);
  return whole;
}

function oneHots(numbers, size) {
  const rows = new Float32Array(numbers.length * size);
  numbers.forEach((number, i) => {
    rows[i * size + number] = 1;
  });
  return rows;
}

function dot(a, b) {
  return a.reduce((sum, x, i) => sum + x * b[i], 0);
}

function line(a, b, t) {
  return a.map((x, i) => x + t * (b[i] - x));
}

function inside(z, kind) {
  return kind === "uniform" ? z.map((x) => Math.max(-1, Math.min(1, x))) : z;
}

// Shoemake 1985; where no great circle is fixed, a line.
function slerp(a, b, t) {
  const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const angle = Math.acos(Math.max(-1, Math.min(1, cosine))),
    sine = Math.sin(angle);
  if (!(sine > 1e-6)) return line(a, b, t);
  const from = Math.sin((1 - t) * angle) / sine,
    to = Math.sin(t * angle) / sine;
  return a.map((x, i) => from * x + to * b[i]);
}

// The standard normal distribution's, to 1e-13: a series near 0 and a continued fraction beyond
// (Abramowitz & Stegun, 26.2.10 and 26.2.14).
function cdf(x) {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI),
    size = Math.abs(x);
  if (size > 3) {
    let fraction = size;
    for (let k = 60; k; k--) fraction = size + k / fraction;
    return x < 0 ? density / fraction : 1 - density / fraction;
  }
  let term = x,
    sum = x;
  for (let k = 3; Math.abs(term) > 1e-16; k += 2) sum += term *= (x * x) / k;
  return 0.5 + density * sum;
}

// cdf's inverse: halved until Newton's steps are sure.
function quantile(p) {
  let low = -9,
    high = 9,
    x = 0;
  for (let k = 0; k < 60; k++) {
    const off = cdf(x) - p;
    if (off > 0) high = x;
    else low = x;
    const step = x - off * Math.sqrt(2 * Math.PI) * Math.exp((x * x) / 2);
    const next = step > low && step < high ? step : (low + high) / 2;
    if (Math.abs(next - x) < 1e-12) return next;
    x = next;
  }
  return x;
}

// Files that a page gives away: codes as NumPy's .npz, which `ganlib sample --codes` reads.

// name -> a typed array with its shape, or a word; as numpy.savez writes them, not compressed.
function npz(arrays) {
  const files = Object.entries(arrays).map(([name, array]) => [`${name}.npy`, npy(array)]);
  const parts = [],
    directory = [];
  let offset = 0;
  for (const [name, content] of files) {
    const header = entry(name, content);
    parts.push(bytes("PK\x03\x04"), header, bytes(name), content);
    directory.push([name, header, offset]);
    offset += 4 + header.length + name.length + content.length;
  }
  const start = offset;
  for (const [name, header, place] of directory) {
    parts.push(
      bytes("PK\x01\x02"),
      little([[20, 2]]),
      header,
      little([
        [0, 2],
        [0, 2],
        [0, 2],
        [0, 4],
        [place, 4],
      ]),
      bytes(name),
    );
    offset += 46 + name.length;
  }
  const n = files.length;
  parts.push(
    bytes("PK\x05\x06"),
    little([
      [0, 2],
      [0, 2],
      [n, 2],
      [n, 2],
      [offset - start, 4],
      [start, 4],
      [0, 2],
    ]),
  );
  return new Blob(parts, { type: "application/zip" });
}

// Of a local header what follows its four letters and comes again in the directory.
function entry(name, content) {
  const sizes = [
    [crc32(content), 4],
    [content.length, 4],
    [content.length, 4],
  ];
  return little([[20, 2], [0, 2], [0, 2], [0, 2], [33, 2], ...sizes, [name.length, 2], [0, 2]]);
}

function npy({ shape, values, word }) {
  const type = word === undefined ? "<f4" : `<U${word.length}`;
  const dims = word === undefined ? shape.map((d) => `${d},`).join(" ") : "";
  const told = `{'descr': '${type}', 'fortran_order': False, 'shape': (${dims}), }`;
  const header = `${told.padEnd(Math.ceil((told.length + 11) / 64) * 64 - 11)}\n`;
  const data =
    word === undefined
      ? Float32Array.from(values)
      : Uint32Array.from([...word].map((c) => c.codePointAt(0)));
  const start = [bytes("\x93NUMPY\x01\x00"), little([[header.length, 2]]), bytes(header)];
  return join([...start, new Uint8Array(data.buffer)]);
}

function crc32(content) {
  let crc = ~0;
  for (const byte of content) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function bytes(text) {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function little(numbers) {
  return Uint8Array.from(
    numbers.flatMap(([number, size]) =>
      Array.from({ length: size }, (_, i) => Math.floor(number / 256 ** i) % 256),
    ),
  );
}

// A generator that ONNX Runtime runs, on the visitor's own machine.

async function unpacked(base64) {
  const packed = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// From a blob, because pages that are files may fetch nothing.
async function openRuntime({ script, wasm }) {
  const code = new Blob([await unpacked(script)], { type: "text/javascript" });
  const url = URL.createObjectURL(code),
    runtime = await import(url);
  URL.revokeObjectURL(url);
  runtime.env.wasm.wasmBinary = await unpacked(wasm);
  runtime.env.wasm.numThreads = 1;
  runtime.env.logLevel = "error";
  return runtime;
}

class Network {
  static async open(runtime, { about, graphs }) {
    const network = new Network(),
      sessions = {};
    for (const [name, file] of Object.entries(graphs)) {
      const content = Uint8Array.from(atob(file), (c) => c.charCodeAt(0));
      sessions[name] = await runtime.InferenceSession.create(content);
    }
    return Object.assign(network, { runtime, about, sessions, latents: new Latents(about) });
  }

  get noisy() {
    return this.sessions.images.inputNames.includes("noise");
  }

  get outputs() {
    return this.sessions.images.outputNames;
  }

  // Latents -> codes, truncated where psi is not 0.
  async codes(z, y, psi) {
    const { codes } = await this.run("codes", { z, y }, 1);
    return psi ? line(Float32Array.from(this.about.average), codes.data, psi) : codes.data;
  }

  // Whether it knows what to make of a picture that it may start from.
  get makes() {
    return Boolean(this.sessions.source);
  }

  // What it starts from, of a picture of levels 0 to 255, channel by channel.
  async source(levels) {
    const { Tensor } = this.runtime;
    const picture = new Tensor("float32", scaled(levels), [1, ...this.about.shape]);
    return (await this.sessions.source.run({ picture })).y.data;
  }

  // Codes of n pictures, one after the other, and what they are told -> { images, on the way }, each
  // with its data, float in [-1, 1], and dims (n, C, H, W).
  images(codes, y, noise, n = 1) {
    return this.run("images", { codes, y, noise }, n);
  }

  async run(name, given, n) {
    const session = this.sessions[name],
      { Tensor } = this.runtime,
      feeds = {};
    for (const input of session.inputNames) {
      const x = given[input];
      if (input === "noise") feeds[input] = new Tensor("float32", [x], []);
      else if (input === "y" && this.about.source) {
        const { kind, shape } = this.about.source;
        feeds[input] = new Tensor(kind === "ids" ? "int32" : "float32", x, [n, ...shape]);
      } else {
        const { styles } = this.about,
          each = x.length / n;
        const dims = input === "codes" && styles ? [n, styles, each / styles] : [n, each];
        feeds[input] = new Tensor("float32", x, dims);
      }
    }
    return session.run(feeds);
  }
}

// A generator that PyTorch runs behind the page, and what it can do there.

class Served {
  // told: about, noisy, outputs, iterations, makes, inverts
  constructor(told) {
    Object.assign(this, told, { latents: new Latents(told.about) });
    this.iteration = this.about.iteration;
  }

  async codes(z, y, psi) {
    const { codes } = await this.ask("codes", { z: plain(z), y: plain(y), psi });
    return Float32Array.from(codes);
  }

  async images(codes, y, noise, n = 1) {
    const packed = await this.ask("images", { codes: plain(codes), y: plain(y), noise, n });
    return Object.fromEntries(
      Object.entries(packed).map(([name, one]) => [name, unpackedImages(one)]),
    );
  }

  async source(levels) {
    const { images } = await this.ask("source", { images: packedLevels(levels, this.about.shape) });
    return unpackedImages(images).data;
  }

  async ask(way, what) {
    const body = JSON.stringify({ ...what, iteration: this.iteration });
    const answer = await fetch(`/${way}`, { method: "POST", body });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }
}

function plain(numbers) {
  return numbers && Array.from(numbers);
}

function unpackedImages({ dims, data }) {
  return { dims, data: Float32Array.from(atob(data), (c) => c.charCodeAt(0) / 127.5 - 1) };
}

// A picture of levels, as the server takes them.
function packedLevels(levels, shape) {
  return { dims: [1, ...shape], data: btoa(Array.from(levels, (x) => String.fromCharCode(x)).join("")) };
}

// Controls of what a page without a server has not.
function servedControls(app) {
  const { network, about } = app,
    tools = [];
  if (network.iterations.length > 1) {
    const now = element("output", {}, String(network.iteration));
    tools.push(
      element(
        "label",
        {},
        "Iteration",
        element("input", {
          type: "range",
          id: "iteration",
          min: 0,
          max: network.iterations.length - 1,
          step: 1,
          value: network.iterations.indexOf(network.iteration),
          oninput: (event) => {
            network.iteration = network.iterations[Number(event.target.value)];
            now.textContent = String(network.iteration);
            again(app);
          },
        }),
        now,
      ),
    );
  }
  const strip = element("div", { class: "strip", id: "nearest-images" });
  if (about.frames === 1 && !about.points) tools.push(nearest(app, strip));
  if (network.inverts) {
    tools.push(
      element(
        "label",
        {},
        "Find your picture",
        element("input", {
          type: "file",
          id: "invert",
          accept: "image/*",
          onchange: (event) =>
            app.attempt(async () => {
              const canvas = element("canvas", { width: about.shape[2], height: about.shape[1] });
              await fill(canvas, event.target.files[0]);
              const { codes, y, psnr } = await network.ask("invert", {
                images: packedLevels(levelsOn(canvas, about.shape[0]), about.shape),
              });
              const code = Float32Array.from(codes);
              const drawn = {
                codes: about.styles ? join(Array(about.styles).fill(code)) : code,
                y: y && Float32Array.from(y),
              };
              await app.present(drawn, `The nearest that was found, ${psnr.toFixed(1)} dB`);
            }),
        }),
      ),
    );
  }
  $("asked").replaceChildren(element("div", { class: "tools" }, ...tools), strip);
}

// A button that shows the nearest training images in a strip.
function nearest(app, strip) {
  const { network, about } = app;
  const look = async () => {
    const { images } = await network.ask("nearest", {
      images: packedLevels(levelsOn($("picture"), about.shape[0]), about.shape),
    });
    const found = unpackedImages(images);
    strip.replaceChildren(
      element("p", {}, "The nearest training images, by their pixels:"),
      ...Array.from({ length: found.dims[0] }, (_, i) => {
        const canvas = element("canvas", { role: "img", "aria-label": `training image ${i}` });
        paint(canvas, found, i, about.frames);
        return canvas;
      }),
    );
  };
  return element(
    "button",
    { id: "nearest", onclick: () => app.attempt(look) },
    "Nearest training images",
  );
}

// What is shown: all of it is in the address, so that a link opens it again.

// A picture: sample `number` of `seed`, of a class or of the sample's own (null), moved along
// directions by so many deviations: { index: deviations }.
function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

// label: the class of the wall, "each" in turn, or null for those that samples are drawn with.
const PLAIN = { seed: 0, from: 0, label: null, psi: 0, noise: 1, chosen: null, kept: [], first: 0 };

function written(state) {
  const parts = Object.entries(state).filter(([name, value]) => !same(value, PLAIN[name]));
  return parts.map(([name, value]) => `${name}=${text(name, value)}`).join("&");
}

function text(name, value) {
  if (name === "chosen") return value ? picture(value) : "";
  return name === "kept" ? value.map(picture).join(",") : String(value);
}

// 30, or s3.30.c2.m0:1.5.m4:-2, with a minus sign where it is taken away from a sum.
function picture({ seed, number, label, moves, minus }) {
  const moved = Object.entries(moves).map(([i, far]) => `m${i}:${far}`);
  const parts = [`s${seed}`, String(number), ...(label === null ? [] : [`c${label}`]), ...moved];
  return (minus ? "-" : "") + parts.join("_");
}

function read(hash, nClasses, nDirections) {
  const state = structuredClone(PLAIN);
  for (const [name, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
    if (name === "chosen") state.chosen = parsed(value, nClasses, nDirections);
    else if (name === "kept") {
      state.kept = value
        .split(",")
        .map((one) => parsed(one, nClasses, nDirections))
        .filter(Boolean);
    } else if (name === "label") {
      if (value === "each" && nClasses) state.label = "each";
      else if (/^\d+$/.test(value) && value < nClasses) state.label = Number(value);
    } else if (name in PLAIN && Number.isFinite(Number(value))) state[name] = Number(value);
  }
  for (const name of ["seed", "from", "first"]) state[name] = Math.trunc(state[name]);
  state.from = Math.max(0, state.from);
  state.noise = Math.min(1, Math.max(0, state.noise));
  state.psi = Math.max(0, state.psi);
  return state;
}

function parsed(value, nClasses, nDirections) {
  const found = { seed: 0, number: NaN, label: null, moves: {}, minus: value.startsWith("-") };
  for (const part of value.replace(/^-/, "").split("_")) {
    const [, kind, number, far] = part.match(/^([scm]?)(-?\d+)(?::(-?[\d.]+))?$/) ?? [];
    if (kind === "s") found.seed = Number(number);
    else if (kind === "c" && number < nClasses) found.label = Number(number);
    else if (kind === "m" && number < nDirections && far) found.moves[number] = Number(far);
    else if (kind === "") found.number = Number(number);
  }
  return found.number >= 0 ? found : null;
}

// Pictures on canvases.

// Data float in [-1, 1] of dims (n, C, H, W): number i of them, of a sequence frame k.
function paint(canvas, { data, dims }, i = 0, frames = 1, k = 0) {
  const [, all, height, width] = dims,
    channels = all / frames,
    size = height * width;
  if (width === 1 && height === 1) return scattered(canvas, data);
  const image = new ImageData(width, height),
    start = (i * all + k * channels) * size;
  for (let p = 0; p < size; p++) {
    for (let c = 0; c < 3; c++) {
      image.data[4 * p + c] = level(data[start + (channels === 3 ? c * size : 0) + p]);
    }
    image.data[4 * p + 3] = 255;
  }
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function level(x) {
  return Math.round(Math.max(0, Math.min(255, (x + 1) * 127.5)));
}

// What lies on a canvas: levels 0 to 255, channel by channel.
function levelsOn(canvas, channels) {
  const { width, height } = canvas,
    size = width * height,
    levels = new Uint8Array(channels * size);
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  for (let p = 0; p < size; p++) {
    inChannels([...data.subarray(4 * p, 4 * p + 3)], channels).forEach((x, c) => {
      levels[c * size + p] = x;
    });
  }
  return levels;
}

// A colour in so many channels.
function inChannels(rgb, channels) {
  return channels === 1 ? [grey(...rgb)] : rgb;
}

// Levels as a network sees them.
function scaled(levels) {
  return Float32Array.from(levels, (x) => x / 127.5 - 1);
}

// Points in the square, each x and y.
function scattered(canvas, data) {
  Object.assign(canvas, { width: 256, height: 256 });
  const pen = canvas.getContext("2d");
  pen.fillStyle = getComputedStyle(canvas).color;
  for (let i = 0; i < data.length; i += 2) {
    pen.fillRect(127 + 112 * data[i], 127 - 112 * data[i + 1], 3, 3);
  }
}

// As Pillow makes grey of colours.
function grey(red, green, blue) {
  return Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
}

function element(tag, more = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(more)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function download(content, name) {
  const link = element("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// The middle of a picture in a file, over all of a canvas.
async function fill(canvas, file) {
  const picture = await createImageBitmap(file).catch(() => {
    throw new Error("That file is no picture that this browser can read.");
  });
  const { width, height } = canvas,
    pen = canvas.getContext("2d");
  const scale = Math.max(width / picture.width, height / picture.height);
  const [w, h] = [picture.width * scale, picture.height * scale];
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
}

// What a translator starts from: an example, a picture of the visitor's own, or a drawing; and the
// film of one that predicts frames.

const PACE = 120, // milliseconds a frame
  COUNTED = 4096;

class Source {
  constructor(app) {
    this.app = app;
    Object.assign(this, app.about.source); // shape, kind, frames, palette, examples
    const [channels, height, width] = this.shape;
    Object.assign(this, { channels: channels / this.frames, height, width });
    this.canvas = element("canvas", {
      width,
      height,
      id: "drawing",
      role: "img",
      "aria-label": "the source",
    });
    this.turn = 0;
  }

  // Nothing but the colour that most pixels of the examples have, of large ones some thousands.
  blank() {
    const [depth] = this.shape,
      size = this.width * this.height,
      counts = new Map();
    if (this.kind === "ids") return new Int32Array(depth * size);
    for (const y of this.examples) {
      for (let p = 0; p < size; p += Math.ceil(size / COUNTED)) {
        const colour = Array.from({ length: depth }, (_, c) => y[c * size + p]).join();
        counts.set(colour, (counts.get(colour) ?? 0) + 1);
      }
    }
    const most = [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? Array(depth).fill(1).join();
    return join(most.split(",").map((x) => new Float32Array(size).fill(Number(x))));
  }

  // Whether predicted frames can be its past.
  get films() {
    const { about } = this.app,
      [channels, height, width] = about.shape;
    const fits = about.fit === "pad" || (height === this.height && width === this.width);
    return this.frames > 1 && fits && channels / about.frames === this.channels;
  }

  // Predicted frames at the size of past ones, with black around them where data are padded.
  padded({ data, dims: [, channels, height, width] }) {
    const y = new Float32Array(channels * this.height * this.width).fill(-1);
    const top = Math.floor((this.height - height) / 2),
      left = Math.floor((this.width - width) / 2);
    for (let row = 0; row < channels * height; row++) {
      const plane = Math.floor(row / height),
        place = plane * this.height + top + (row % height);
      y.set(data.subarray(row * width, (row + 1) * width), place * this.width + left);
    }
    return y;
  }

  async start() {
    this.examples = await Promise.all(this.examples.map((text) => this.decoded(text)));
    this.y = this.blank();
    this.colour = this.kind === "ids" ? Math.min(1, this.palette.length - 1) : this.y[0] > 0 ? "#000000" : "#ffffff";
    const strip = element(
        "div",
        { class: "strip" },
        ...this.examples.map((y, i) => {
          const canvas = element("canvas");
          this.paint(canvas, y);
          return element(
            "button",
            { class: "tile", "aria-label": `example ${i}`, onclick: () => this.take(y) },
            canvas,
          );
        }),
      );
    $("wall").hidden = true;
    $("source").hidden = false;
    $("source").append(strip, this.canvas, this.frames > 1 ? this.filming() : this.drawing());
    return this.take(this.examples[0] ?? this.y);
  }

  async decoded(text) {
    const content = await unpacked(text);
    if (this.kind === "ids") return new Int32Array(content.buffer);
    return scaled(content);
  }

  take(y) {
    this.y = y.slice();
    this.paint(this.canvas, this.y);
    return this.draw();
  }

  // The picture of a source, of several frames the newest.
  paint(canvas, y) {
    if (this.kind === "image") {
      return paint(
        canvas,
        { data: y, dims: [1, this.shape[0], this.height, this.width] },
        0,
        this.frames,
        this.frames - 1,
      );
    }
    const image = new ImageData(this.width, this.height);
    for (let p = 0; p < this.width * this.height; p++) {
      image.data.set([...(this.palette[y[p]] ?? ["", 0, 0, 0]).slice(1), 255], 4 * p);
    }
    Object.assign(canvas, { width: this.width, height: this.height });
    return canvas.getContext("2d").putImageData(image, 0, 0);
  }

  async draw() {
    const { app } = this,
      { seed } = app.state,
      turn = ++this.turn;
    const codes = app.latents.size ? app.latents.z(seed, 0) : null;
    const { images } = await app.draw(app.network, { codes, y: this.y });
    if (turn !== this.turn) return null;
    paint($("picture"), images, 0, app.about.frames);
    $("caption").textContent = "What it makes of the source";
    $("command").textContent =
      `ganlib translate FOLDER SOURCES --seed ${seed} -o FOLDER_OF_PICTURES`;
    if (app.other) {
      const beside = await app.draw(app.other, { codes, y: this.y });
      paint($("beside"), beside.images, 0, app.about.frames);
    }
    return images;
  }

  // ---- a drawing

  drawing() {
    const { network } = this.app;
    const tools = element("div", { class: "tools" });
    const size = element("input", {
      type: "range",
      id: "brush",
      min: 1,
      max: Math.max(2, this.width / 8),
      step: 1,
      value: Math.max(1, this.width / 32),
    });
    tools.append(
      ...(this.kind === "ids"
        ? this.colours()
        : [
            element("input", {
              type: "color",
              "aria-label": "colour",
              value: this.colour,
              oninput: (event) => {
                this.colour = event.target.value;
              },
            }),
          ]),
    );
    tools.append(
      element("label", {}, "Brush", size),
      element("button", { id: "clear", onclick: () => this.take(this.blank()) }, "Clear"),
    );
    if (this.kind === "image") {
      tools.append(
        element(
          "label",
          {},
          network.makes ? `Your picture, of which are made ${this.made}` : "Your picture",
          element("input", {
            type: "file",
            id: "upload",
            accept: "image/*",
            onchange: (event) => this.upload(event.target.files[0]),
          }),
        ),
      );
    }
    let last = null;
    const place = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [
        ((event.clientX - box.x) * this.width) / box.width,
        ((event.clientY - box.y) * this.height) / box.height,
      ];
    };
    this.canvas.onpointerdown = (event) => {
      last = place(event);
      this.canvas.setPointerCapture(event.pointerId);
      this.stroke(last, last, Number(size.value));
    };
    this.canvas.onpointermove = (event) => {
      if (last) {
        const now = place(event);
        this.stroke(last, now, Number(size.value));
        last = now;
      }
    };
    this.canvas.onpointerup = () => {
      last = null;
    };
    return tools;
  }

  colours() {
    const buttons = this.palette.map(([name, ...rgb], i) =>
      element("button", {
        class: "colour",
        title: name,
        "aria-label": name,
        "aria-pressed": String(i === this.colour),
        style: `background: rgb(${rgb})`,
        onclick: () => {
          this.colour = i;
          buttons.forEach((one, k) => one.setAttribute("aria-pressed", String(k === i)));
        },
      }),
    );
    return buttons;
  }

  // Whole pixels, as of what the network has seen.
  stroke(from, to, size) {
    const steps = Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1])) + 1;
    for (let k = 1; k <= steps; k++)
      this.disc(
        from.map((x, i) => x + ((to[i] - x) * k) / steps),
        size / 2,
      );
    this.paint(this.canvas, this.y);
    this.draw();
  }

  disc([x, y], radius) {
    const { width, height, ink } = this;
    const [top, left] = [y - radius, x - radius].map((least) => Math.max(0, Math.floor(least)));
    for (let row = top; row < Math.min(height, y + radius + 1); row++) {
      for (let column = left; column < Math.min(width, x + radius + 1); column++) {
        const under = row === Math.floor(y) && column === Math.floor(x);
        if (!under && Math.hypot(column + 0.5 - x, row + 0.5 - y) > radius) continue;
        ink.forEach((value, c) => {
          this.y[(c * height + row) * width + column] = value;
        });
      }
    }
  }

  // The chosen colour as numbers of a pixel.
  get ink() {
    if (this.kind === "ids") return [this.colour];
    const rgb = [1, 3, 5].map((i) => parseInt(this.colour.slice(i, i + 2), 16));
    return scaled(inChannels(rgb, this.channels));
  }

  upload(file) {
    const { network, about } = this.app;
    const [channels, height, width] = network.makes ? about.shape : this.shape;
    return this.app.attempt(async () => {
      const canvas = element("canvas", { width, height });
      await fill(canvas, file);
      const levels = levelsOn(canvas, channels);
      await this.take(network.makes ? await network.source(levels) : scaled(levels));
    });
  }

  // ---- a film

  filming() {
    const play = element("button", { id: "play", onclick: () => this.play(play) }, "Play");
    return element("div", { class: "tools" }, play);
  }

  // What is predicted becomes the past, again and again.
  async play(button) {
    if (this.playing) {
      this.playing = false;
      return;
    }
    this.playing = true;
    button.textContent = "Stop";
    const { frames } = this.app.about;
    while (this.playing) {
      const images = await this.draw();
      for (let k = 0; images && k < frames && this.playing; k++) {
        paint($("picture"), images, 0, frames, k);
        await new Promise((done) => setTimeout(done, PACE));
      }
      if (!images || !this.films) break;
      const past = join([this.y, this.padded(images)]);
      this.y = past.slice(past.length - this.y.length);
      this.paint(this.canvas, this.y);
    }
    this.playing = false;
    button.textContent = "Play";
  }
}

// What is made of the pictures that were kept: walks, sums, layers mixed.

function keep(app) {
  if (app.state.chosen) app.state.kept.push({ ...structuredClone(app.state.chosen), minus: false });
  tray(app);
}

async function tray(app) {
  const { kept } = app.state;
  $("keeping").hidden = !kept.length;
  const boxes = kept.map((one, i) => {
    const canvas = element("canvas");
    const look = element(
      "button",
      { class: "tile", "aria-label": app.words(one), onclick: () => app.choose({ ...one }) },
      canvas,
    );
    const sign = element(
      "button",
      {
        "aria-label": one.minus ? "subtracted" : "added",
        onclick: () => {
          one.minus = !one.minus;
          tray(app);
        },
      },
      one.minus ? "−" : "+",
    );
    const drop = element(
      "button",
      {
        "aria-label": "remove",
        onclick: () => {
          kept.splice(i, 1);
          tray(app);
        },
      },
      "×",
    );
    return [element("div", { class: "keep" }, look, sign, drop), canvas, one];
  });
  $("kept").replaceChildren(...boxes.map(([box]) => box));
  $("mixed").replaceChildren();
  const few = kept.length < 2;
  for (const button of $("ways").querySelectorAll("button")) button.disabled = few;
  if (few) app.walking = false;
  app.remember();
  for (const [, canvas, one] of boxes)
    await app.paintOn(canvas, app.network, await app.codesOf(app.network, one));
}

async function sum(app) {
  const { kept } = app.state,
    { latents } = app;
  const rows = kept.map(({ seed, number, label }) => {
    const z = latents.z(seed, number);
    return app.about.told === "categories" && label !== null ? latents.choose(z, label) : z;
  });
  const total = latents.sum(
    rows,
    kept.map(({ minus }) => (minus ? -1 : 1)),
  );
  if (!total) return say("These cancel out; leave one of them out.");
  const [{ seed, number, label }] = kept;
  const drawn = await app.moved(app.network, total, latents.condition(seed, number, label));
  const words = kept.map((one, i) => `${one.minus ? "−" : i ? "+" : ""} ${one.number}`).join(" ");
  return app.present(drawn, `Sum of latents: ${words}`);
}

async function walk(app) {
  if (app.walking) {
    app.walking = false;
    return;
  }
  app.walking = true;
  $("walk").textContent = "Stop";
  try {
    await around(app);
  } finally {
    app.walking = false;
    $("walk").textContent = "Walk";
  }
}

async function around(app) {
  const stops = [];
  for (const one of app.state.kept) stops.push(await app.codesOf(app.network, one));
  for (let k = 0; app.walking; k = (k + 1) % stops.length) {
    const next = (k + 1) % stops.length;
    for (let t = 0; t < 1 && app.walking; t += 1 / 30) {
      const words = `Between ${k + 1} and ${next + 1} of the kept`;
      await app.present(between(app, stops[k], stops[next], t), words);
      await new Promise(requestAnimationFrame);
    }
  }
}

function between(app, a, b, t) {
  const codes = app.about.codes
    ? line(a.codes, b.codes, t)
    : app.latents.between(a.codes, b.codes, t);
  return { codes, y: a.y && line(a.y, b.y, t) };
}

// Of the row's picture what the first layers make, of the column's what the others do.
async function mixLayers(app) {
  const all = [];
  for (const one of app.state.kept) all.push(await app.codesOf(app.network, one));
  const first = app.state.first || Math.floor(app.about.styles / 2);
  $("mixed").style.gridTemplateColumns = `repeat(${all.length}, minmax(0, 6rem))`;
  const cells = all.flatMap((row, i) =>
    all.map((column, j) => [i, j, mixedLayers(app, row, column, first)]),
  );
  $("mixed").replaceChildren(
    ...cells.map(([i, j, drawn]) =>
      element(
        "button",
        {
          class: "tile",
          "aria-label": `Layers from ${first} on of ${j + 1}, the others of ${i + 1}`,
          onclick: () =>
            app.present(drawn, `Layers from ${first} on of ${j + 1}, the others of ${i + 1}`),
        },
        element("canvas"),
      ),
    ),
  );
  for (const [k, [, , drawn]] of cells.entries()) {
    await app.paintOn($("mixed").children[k].firstChild, app.network, drawn);
  }
}

function mixedLayers(app, row, column, first) {
  const cut = (first * row.codes.length) / app.about.styles;
  return { codes: join([row.codes.subarray(0, cut), column.codes.subarray(cut)]), y: row.y };
}

// The controls of a page and what they change.

function settings(app) {
  const { state, about } = app,
    tools = [];
  const changed = (name) => (event) => {
    const value = Number(event.target.value);
    if (!Number.isFinite(value) || event.target.value === "") return;
    state[name] =
      name === "psi" || name === "noise"
        ? value
        : Math.max(name === "seed" ? -Infinity : 0, Math.trunc(value));
    again(app);
  };
  if (app.latents.size)
    tools.push(
      element(
        "label",
        {},
        "Seed",
        element("input", {
          type: "number",
          id: "seed",
          step: 1,
          value: state.seed,
          onchange: changed("seed"),
        }),
      ),
    );
  if (!about.source) {
    const move = (by) => () => {
      state.from = Math.max(0, state.from + by);
      again(app);
    };
    tools.push(
      element("button", { id: "back", "aria-label": "earlier samples", onclick: move(-WALL) }, "‹"),
    );
    tools.push(
      element("button", { id: "on", "aria-label": "further samples", onclick: move(WALL) }, "›"),
    );
  }
  if (about.classes.length && about.told !== "source") {
    const choices = [
      ["", "as in the data"],
      ["each", "each in turn"],
      ...about.classes.map((name, i) => [String(i), name]),
    ];
    const select = element(
      "select",
      {
        id: "class",
        onchange: (event) => {
          const { value } = event.target;
          state.label = value === "" ? null : value === "each" ? "each" : Number(value);
          again(app);
        },
      },
      ...choices.map(([value, name]) =>
        element("option", { value, selected: value === String(state.label ?? "") }, name),
      ),
    );
    tools.push(element("label", {}, "Class", select));
  }
  if (app.latents.size && !about.source) {
    const off = about.codes ? 1 : 2.05;
    const show = element("output", { id: "psi-now" }, state.psi ? state.psi.toFixed(2) : "off");
    const range = element("input", {
      type: "range",
      id: "psi",
      min: 0.05,
      max: off,
      step: 0.05,
      value: state.psi || off,
      oninput: (event) => {
        const value = Number(event.target.value);
        state.psi = value >= off - 0.001 ? 0 : value;
        show.textContent = state.psi ? state.psi.toFixed(2) : "off";
        again(app);
      },
    });
    tools.push(
      element("label", { title: "Less variety, often better pictures" }, "Truncation", range, show),
    );
  }
  if (app.network.noisy) {
    tools.push(
      element(
        "label",
        {},
        element("input", {
          type: "checkbox",
          id: "noise",
          checked: state.noise > 0,
          onchange: (event) => {
            state.noise = Number(event.target.checked);
            again(app);
          },
        }),
        "Noise",
      ),
    );
  }
  $("settings").replaceChildren(...tools);
}

function again(app) {
  app.remember();
  if (app.about.source) return app.source.draw();
  return app
    .wall()
    .then(() => app.show())
    .then(() => tray(app));
}

function actions(app) {
  const save = () => $("picture").toBlob((content) => download(content, "picture.png"));
  const buttons = [
    element(
      "button",
      {
        id: "save",
        onclick: () => {
          save();
          $("command").hidden = false;
        },
      },
      "Save picture",
    ),
  ];
  if (!app.about.source) {
    buttons.unshift(element("button", { id: "keep", onclick: () => keep(app) }, "Keep"));
    buttons.push(
      element(
        "button",
        {
          id: "codes",
          onclick: () => {
            app.saveCodes();
            $("command").hidden = false;
          },
        },
        "Save codes",
      ),
    );
  }
  $("actions").replaceChildren(...buttons);
  const ways = [
    ["walk", "Walk", () => walk(app)],
    ["sum", "Sum", () => sum(app)],
  ];
  if (app.about.styles) ways.push(["mix", "Mix", () => mixLayers(app)]);
  $("ways").replaceChildren(
    ...ways.map(([id, name, onclick]) => element("button", { id, onclick }, name)),
  );
  if (app.about.styles) {
    const first = app.state.first || Math.floor(app.about.styles / 2);
    $("ways").append(
      element(
        "label",
        {},
        "from layer",
        element("input", {
          type: "range",
          id: "first",
          min: 1,
          max: app.about.styles - 1,
          value: first,
          oninput: (event) => {
            app.state.first = Number(event.target.value);
            app.remember();
            if (app.state.kept.length > 1) mixLayers(app);
          },
        }),
      ),
    );
  }
  const smaller = app.network.outputs.slice(1);
  $("growing").hidden = !smaller.length;
  $("growing").replaceChildren(
    ...smaller.map((name) =>
      element("canvas", {
        title: name.replace("images_", "at ") + " pixels",
        role: "img",
        "aria-label": name,
      }),
    ),
  );
  $("second").hidden = $("name").hidden = !app.other;
  const name = ({ about }) =>
    `${about.algorithm}, ${about.images_seen?.toLocaleString("en") ?? "?"} images`;
  $("name").textContent = name(app.network);
  if (app.other) $("other").textContent = name(app.other);
}

function sliders(app) {
  const { directions } = app.about,
    one = app.state.chosen;
  const titles = {
    sefa: "What its first layers stretch most",
    pca: "Principal components",
    classes: "Towards a class",
  };
  const rows = directions.flatMap(({ kind, name }, i) => {
    const now = element("output", {}, String(one.moves[i] ?? 0));
    const range = element("input", {
      type: "range",
      min: -REACH,
      max: REACH,
      step: 0.1,
      value: one.moves[i] ?? 0,
      "data-direction": i,
      oninput: (event) => {
        const far = Number(event.target.value);
        now.textContent = String(far);
        if (far) one.moves[i] = far;
        else delete one.moves[i];
        app.show();
      },
    });
    const title = directions[i - 1]?.kind === kind ? [] : [element("h3", {}, titles[kind] ?? kind)];
    return [
      ...title,
      element("label", {}, /^\d+$/.test(name) ? `number ${name}` : name, range, now),
    ];
  });
  const wide = matchMedia("(min-width: 46rem)").matches;
  const open = $("directions").querySelector("details")?.open ?? wide;
  const all = element("details", { open }, element("summary", {}, "Directions"), ...rows);
  $("directions").replaceChildren(...(rows.length ? [all] : []));
}

function card(app) {
  const { about } = app,
    off = about.difference;
  const rows = {
    Method: about.algorithm,
    Idea: about.idea,
    Paper: about.paper,
    Data: about.dataset,
    "Licence of the data": about.data_license,
    "Numbers in the network": about.parameters.toLocaleString("en"),
    "Real images seen": about.images_seen?.toLocaleString("en"),
    Weights:
      about.precision +
      (off
        ? `; a pixel is off by ${off.mean.toPrecision(2)} of 255 levels on average and ${off.most.toPrecision(2)} at most`
        : ""),
    ganlib: about.ganlib,
  };
  const told = Object.entries(rows).filter(([, value]) => value);
  $("about").replaceChildren(
    ...told.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]),
  );
  $("idea").textContent = about.idea;
}

function tiles(app) {
  if (app.about.points) {
    $("wall").classList.add("plot");
    for (const part of $("one").children) part.hidden = part.id !== "asked";
    return $("wall").append(element("canvas", { role: "img", "aria-label": `${DOTS} points` }));
  }
  $("wall").append(
    ...Array.from({ length: WALL }, (_, i) =>
      element(
        "button",
        {
          class: "tile",
          "aria-pressed": "false",
          onclick: () => app.choose(app.sample(i)),
        },
        element("canvas"),
      ),
    ),
  );
  return $("wall").addEventListener("keydown", (event) => key(app, event));
}

// Arrows go from tile to tile.
function key(app, event) {
  const tiles = [...$("wall").children],
    i = tiles.indexOf(document.activeElement);
  const across = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
  if (event.key === "k") keep(app);
  if (i < 0 || !by || !tiles[i + by]) return;
  event.preventDefault();
  tiles[i + by].focus();
}

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
