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
