// The concept-path explorer: where drawings of the held-out class lie while the model learns.

const FROM = Math.log(0.2),
  TO = Math.log(5);

/** The square of concepts: all contrasts faint, the chosen one strong, trained classes dashed. */
function drawSquare(host, facts, c, k, toy, pick) {
  const { paths, contrasts, converged } = facts,
    wide = Math.min(Math.max(host.clientWidth, 200), 420),
    area = { left: 50, right: wide - 16, top: 8, bottom: wide - 44 };
  const { svg } = canvas(host, wide + 2, "Paths of the held-out class through concept space.");
  const x = scale(-0.03, 1.03, area.left, area.right),
    y = scale(-0.13, 1.13, area.bottom, area.top);
  const marks = [0, 0.25, 0.5, 0.75, 1];
  axis(svg, "x", area, marks.map((v) => [x(v), short(v)]), "share of blue", { grid: true });
  axis(svg, "y", area, marks.map((v) => [y(v), short(v)]), "share of small", { grid: true });
  for (const [blue, small, text] of [[0, 0, "large red"], [0, 1, "small red"], [1, 0, "large blue"], [1, 1, "small blue"]]) {
    const anchor = blue ? "end" : "start";
    svg.append(g("text", { x: blue ? area.right - 4 : area.left + 6, y: y(small ? 1.06 : -0.1), "text-anchor": anchor, class: "sx-corner" }, text));
  }
  const along = (i, g_) => Array.from({ length: paths.K }, (_, j) => paths.at(i, j, g_));
  const curve = (points, colour, more) => ({ xs: points.map((p) => p[0]), ys: points.map((p) => p[1]), colour, ...more });
  const target = paths.G - 1;
  const faint = contrasts.map((_, i) => i).filter((i) => i !== c);
  lines(svg, area, x, y, [
    ...faint.map((i) => curve(along(i, target), "--sx-soft", { width: 1.2, opacity: 0.45, name: `contrast ${contrasts[i]}` })),
    ...Array.from({ length: target }, (_, i) => curve(along(c, i), "--sx-soft", { width: 1.6, dash: "3 3", name: "trained" })),
    curve(toy, "--sx-uni-ret", { width: 2, dash: "7 4", name: "toy" }),
    curve(along(c, target), "--sx-accent", { width: 2.6, name: "held out" }),
  ]);
  if (converged[c] >= 0) {
    const [sx, sy] = paths.at(c, converged[c], target);
    if (Number.isFinite(sx)) svg.append(g("path", { d: starShape(x(sx), y(sy), 9), class: "sx-star" }));
  }
  const [blue, small] = paths.at(c, k, target);
  if (Number.isFinite(blue)) svg.append(g("circle", { cx: x(blue), cy: y(small), r: 6, class: "sx-here" }));
  hitArea(svg, area, (px, py) => {
    const far = (j) => {
      const [u, w] = paths.at(c, j, target);
      return Number.isFinite(u) ? Math.hypot(x(u) - px, y(w) - py) : Infinity;
    };
    pick(Array.from({ length: paths.K }, (_, j) => j).reduce((near, j) => (far(j) < far(near) ? j : near), k));
  });
}

/** A five-pointed star. */
function starShape(x, y, size) {
  const points = Array.from({ length: 10 }, (_, i) => {
    const angle = (i * Math.PI) / 5 - Math.PI / 2,
      radius = i % 2 ? size * 0.45 : size;
    return `${(x + radius * Math.cos(angle)).toFixed(1)} ${(y + radius * Math.sin(angle)).toFixed(1)}`;
  });
  return `M${points.join("L")}Z`;
}

/** Both coordinates over training. */
function drawTimes(host, facts, c, k, pick) {
  const { paths, steps } = facts,
    area = { left: 50, right: Math.max(host.clientWidth, 160) - 14, top: 8, bottom: 132 };
  const { svg } = canvas(host, area.bottom + 40, "Shares of blue and of small over training steps.");
  const x = scale(0, Math.sqrt(steps.at(-1)), area.left, area.right),
    y = scale(-0.03, 1.03, area.bottom, area.top);
  const marks = ticks(0, steps.at(-1), Math.max(Math.floor((area.right - area.left) / 60), 3)).map((v) => [x(Math.sqrt(v)), short(v)]);
  axis(svg, "x", area, marks, "training step (root scale)");
  axis(svg, "y", area, [0, 0.5, 1].map((v) => [y(v), short(v)]), "share", { grid: true });
  const roots = steps.map(Math.sqrt),
    points = steps.map((_, j) => paths.at(c, j, paths.G - 1));
  lines(svg, area, x, y, [
    { xs: roots, ys: points.map((p) => p[0]), colour: "--sx-bi-inf", width: 2.2, name: "blue" },
    { xs: roots, ys: points.map((p) => p[1]), colour: "--sx-bi-ret", width: 2.2, name: "small" },
  ]);
  cursorLine(svg, area, x(roots[k]));
  hitArea(svg, area, (px) => {
    const root = x.invert(px);
    pick(roots.reduce((near, r, j) => (Math.abs(r - root) < Math.abs(roots[near] - root) ? j : near), 0));
  });
}

/** Pictures drawn at a step. */
function drawPictures(host, { pictures, shape, steps }, c, k) {
  const [, N, S] = shape,
    { places, height } = imageGrid(N, Math.max(host.clientWidth, 120), 4, 6),
    { svg } = canvas(host, height + 2, "Pictures that the model draws for the prompt small blue.");
  places.forEach(([x, y, size], n) => {
    const start = ((c * steps.length + k) * N + n) * S * S * 3;
    svg.append(pixelImage(S, (row, column, channel) => pictures[start + (row * S + column) * 3 + channel] / 255, x, y, size));
    svg.append(g("rect", { x: x + 0.5, y: y + 0.5, width: size - 1, height: size - 1, class: "sx-edge" }));
  });
}

function render({ model, el }) {
  const bytes = model.get("pictures"),
    facts = {
      paths: readPaths(model),
      contrasts: model.get("contrasts"),
      steps: model.get("steps"),
      converged: model.get("converged"),
      shape: model.get("shape"),
      pictures: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    },
    toys = model.get("toys"),
    times = facts.steps.map((s) => s / model.get("unit")),
    view = frame(el, "concept-path", draw),
    { root } = view;
  /** Strength and opening time of the toy that is drawn. */
  const chosen = () => (model.get("strength") > 0 ? [model.get("strength"), model.get("opening")] : toys[model.get("contrast")]);
  const changeToy = (a, t0) => setTraits(model, { strength: +a.toPrecision(3), opening: +t0.toFixed(2) });
  const contrast = slider("Contrast of colour", {
    max: facts.contrasts.length - 1,
    text: (i) => String(facts.contrasts[i]),
    oninput: (i) => setTraits(model, { contrast: i }),
  });
  const step = slider("Training step", {
    max: facts.steps.length - 1,
    text: (i) => number(facts.steps[i]),
    oninput: (i) => {
      play.pause();
      setTraits(model, { step: i });
    },
  });
  const strength = slider("Toy: colour against size, a", {
    min: FROM,
    max: TO,
    step: (TO - FROM) / 100,
    text: (v) => Math.exp(v).toFixed(2),
    oninput: (v) => changeToy(Math.exp(v), chosen()[1]),
  });
  const opening = slider("Toy: gate opens at t₀", {
    max: 60,
    step: 0.5,
    text: (v) => v.toFixed(1),
    oninput: (v) => changeToy(chosen()[0], v),
  });
  const fitted = button("Fitted toy", () => setTraits(model, { strength: 0 }), "the strength and opening time closest to the path");
  const play = player(
    "Play",
    "watch training, checkpoint by checkpoint",
    250,
    () => model.get("step") >= facts.steps.length - 1,
    (again) => setTraits(model, { step: again ? 0 : model.get("step") + 1 }),
  );
  view.onStop(play.pause);
  const line = summary(),
    square = h("div"),
    pictures = h("div"),
    curves = h("div");
  root.append(
    line,
    h("div", { class: "sx-controls" }, contrast.node, step.node, strength.node, opening.node),
    h("div", { class: "sx-actions" }, play.node, fitted),
    h(
      "div",
      { class: "sx-main" },
      panel(
        "The way through concept space",
        "Mean over seeds. Click on the path.",
        square,
        legend([
          { name: "small blue, held out", colour: "--sx-accent", width: 2.6 },
          { name: "toy", colour: "--sx-uni-ret", width: 2, dash: "7 4" },
          { name: "trained classes", colour: "--sx-soft", width: 1.6, dash: "3 3" },
          { name: "other contrasts", colour: "--sx-soft", width: 1.2, opacity: 0.45 },
        ]),
      ),
      h(
        "section",
        {},
        panel("Drawn at this step", "Eight answers of one model to the prompt small blue.", pictures),
        panel(
          "Both concepts over training",
          "",
          curves,
          legend([
            { name: "blue", colour: "--sx-bi-inf", width: 2.2 },
            { name: "small", colour: "--sx-bi-ret", width: 2.2 },
          ]),
        ),
      ),
    ),
  );

  function draw() {
    const c = model.get("contrast"),
      k = model.get("step"),
      [a, t0] = chosen(),
      toy = toyPath(times, a, t0),
      measured = facts.steps.map((_, j) => facts.paths.at(c, j, facts.paths.G - 1));
    contrast.set(c);
    step.set(k);
    strength.set(Math.log(a));
    opening.set(t0);
    fitted.disabled = model.get("strength") === 0;
    say(line, pathWords(facts.contrasts[c], facts.steps[k], measured[k], facts.steps[facts.converged[c]], pathDistance(measured, toy)));
    const go = (j) => {
      play.pause();
      setTraits(model, { step: j });
    };
    drawSquare(square, facts, c, k, toy, go);
    drawPictures(pictures, facts, c, k);
    drawTimes(curves, facts, c, k, go);
  }

  return linkedView({ model, el }, view, "concept-path.1", {
    ...{ contrast: placeIn(facts.contrasts), step: placeIn(facts.steps) },
    ...{ strength: either(oneOf([0]), numberIn(0.2, 5)), opening: numberIn(0, 60) },
  });
}

export default { render };
