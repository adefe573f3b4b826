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
