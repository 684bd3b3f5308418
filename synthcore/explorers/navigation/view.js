// The navigation explorer: a pair, a temperature, a number of samples, and what follows exactly.

function render({ model, el }) {
  const trees = navigationTrees(model),
    data = {
      coordinates: floats(model.get("coordinates")),
      edges: model.get("edges"),
      pairs: model.get("pairs"),
      names: model.get("names"),
    };
  const view = frame(el, "navigation", draw),
    { root } = view;
  const scans = new Map(); // pair -> everything at every temperature
  const scanOf = (p) => {
    if (!scans.has(p)) {
      if (scans.size > 3) scans.clear();
      scans.set(p, temperatureScan(trees[p]));
    }
    return scans.get(p);
  };
  const name = ([s, t]) => `${data.names[s]} → ${data.names[t]}`;
  const pairs = select(
    "Pair: start → goal",
    [["", data.pairs.map((ends, p) => [p, `${name(ends)} (${number(trees[p].leaves.length)} paths)`])]],
    (p) => setTraits(model, { pair: Number(p), temperature: -1 }),
  );
  const heat = slider("Temperature T", {
    max: 3,
    step: 0.05,
    text: (T) => (T === 0 ? "0 (greedy)" : T.toFixed(2)),
    oninput: (T) => setTraits(model, { temperature: T }),
  });
  const size = slider("Samples n", {
    max: SIZES.length - 1,
    text: (i) => number(SIZES[i]),
    oninput: (i) => setTraits(model, { samples: SIZES[i] }),
  });
  const middle = button("Best T", () => setTraits(model, { temperature: -1 }), "go to the temperature at which most paths are found");
  const line = summary(),
    graph = h("div"),
    ribbon = h("div", { class: "sx-ribbon-host" });
  const charts = [0, 1, 2].map(() => h("div"));
  root.append(
    line,
    h("div", { class: "sx-controls" }, pairs.node, heat.node, size.node, middle),
    h(
      "div",
      { class: "sx-main" },
      panel(
        "Where the probability goes",
        "Thick: right paths. Discs: probability that is lost there. A start or goal of the list can be clicked.",
        graph,
        h("p", { class: "sx-hint" }, "Every right path by its probability; in full colour if it is surely among the samples."),
        ribbon,
        legend([
          { name: "probability on right paths", colour: "--sx-accent", width: 6 },
          { name: "true path, hardly used", colour: "--sx-soft", width: 1.2 },
          { name: "wrong step", colour: "--sx-warn", dot: 5, opacity: 0.45 },
        ]),
      ),
      h(
        "section",
        {},
        ...charts,
        legend([
          { name: "exact, at each T", colour: "--sx-ink", width: 2.2 },
          { name: "number of true paths", colour: "--sx-uni-ret", dash: "6 4" },
          { name: "T with most paths", colour: "--sx-accent", width: 6, opacity: 0.3 },
        ]),
      ),
    ),
  );

  /** The next pair of the list that has this node as an end. */
  function pick(node) {
    const now = model.get("pair"),
      P = data.pairs.length;
    for (let step = 1; step <= P; step++) {
      const p = (now + step) % P;
      if (data.pairs[p].includes(node)) return setTraits(model, { pair: p, temperature: -1 });
    }
  }

  function draw() {
    const p = model.get("pair"),
      n = model.get("samples"),
      tree = trees[p];
    const curves = temperatureCurves(scanOf(p), n);
    const asked = model.get("temperature"),
      T = asked < 0 ? TEMPERATURES[curves.best] : asked;
    const now = atTemperature(tree, T),
      found = expectedDistinct(tree.leaves.map((leaf) => now.reach[leaf]), n),
      total = tree.leaves.length;
    pairs.set(String(p));
    heat.set(T);
    size.set(SIZES.reduce((best, v, i) => (Math.abs(v - n) < Math.abs(SIZES[best] - n) ? i : best), 0));
    say(line, navigationVerdict(curves, now, found, n, total, name(data.pairs[p])));
    drawBundles(graph, data, tree, now, data.pairs[p], pick);
    drawRibbon(ribbon, tree, now, n);
    const go = (t) => setTraits(model, { temperature: t });
    const best = TEMPERATURES[curves.best];
    const unit = scale(0, 1, 6 + 84, 6);
    drawOverT(charts[0], T, go, {
      title: "Accuracy: right samples",
      about: "Probability that a sample is right, over temperature.",
      height: 84,
      y: unit,
      marks: [0, 0.5, 1],
      unit: "probability",
      best,
      series: [{ ys: curves.accuracy, colour: "--sx-ink", width: 2.2, name: "accuracy", at: now.valid }],
    });
    const paths = scale(0, total * 1.06, 6 + 130, 6);
    drawOverT(charts[1], T, go, {
      title: `Distinct right paths in ${number(n)} ${n === 1 ? "sample" : "samples"}`,
      about: "Expected number of distinct right paths among n samples, over temperature.",
      height: 130,
      y: paths,
      marks: ticks(0, total, 4).filter(Number.isInteger),
      unit: "paths",
      best,
      series: [
        { xs: [0, 3], ys: [total, total], colour: "--sx-uni-ret", dash: "6 4", width: 1.8, name: "true number of paths" },
        { ys: curves.found, colour: "--sx-ink", width: 2.2, name: "distinct right paths", at: found },
      ],
    });
    const outputs = found + expectedDistinct(now.wrong, n);
    drawOverT(charts[2], T, go, {
      title: "Distinct outputs at least: cut at the first error",
      about: "Expected number of distinct outputs among n samples, over temperature.",
      height: 84,
      y: scale(0, Math.max(...curves.outputs) * 1.08, 6 + 84, 6),
      marks: ticks(0, Math.max(...curves.outputs), 3).filter(Number.isInteger),
      unit: "outputs",
      last: true,
      series: [{ ys: curves.outputs, colour: "--sx-ink", width: 2.2, name: "distinct outputs", at: outputs }],
    });
  }

  return linkedView({ model, el }, view, "navigation.1", {
    ...{ pair: placeIn(trees), temperature: either(oneOf([-1]), numberIn(0, 3)), samples: wholeIn(1, SIZES.at(-1)) },
  });
}

export default { render };
