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
