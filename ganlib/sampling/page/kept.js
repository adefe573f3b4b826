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
