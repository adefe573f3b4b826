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
