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
