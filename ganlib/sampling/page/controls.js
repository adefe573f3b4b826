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
