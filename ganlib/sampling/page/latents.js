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
