// The percolation explorer: a matrix of pairs sorted by component, and joined pairs over mentions.

const SHADES = ["--sx-small", "--sx-middle", "--sx-large"];

/** The pairs: classes pale, components as blocks, counted pairs as marks. */
function drawPairs(host, world, mentions) {
  const { E, K, C } = world,
    shot = snapshot(world, mentions),
    order = sorted(world, shot.label);
  const area = { left: 30, right: Math.max(host.clientWidth, 160) - 4, top: 4 };
  area.bottom = area.top + Math.min(Math.max((area.right - area.left) * 0.55, 150), 300);
  const { svg } = canvas(host, area.bottom + 26, "Pairs of entities and properties, sorted by component.");
  const x = scale(0, K, area.left, area.right),
    y = scale(0, E, area.top, area.bottom);
  const row = [],
    column = [];
  order.entities.forEach((e, i) => (row[e] = i));
  order.properties.forEach((k, i) => (column[k] = i));
  const box = (k0, e0, k1, e1, attributes) =>
    g("rect", { x: x(k0), y: y(e0), width: x(k1) - x(k0), height: y(e1) - y(e0), ...attributes });
  for (let c = 0; c < C; c++)
    svg.append(box((c * K) / C, (c * E) / C, ((c + 1) * K) / C, ((c + 1) * E) / C, { class: "sx-class" }));
  blocks(order.entities.map((e) => shot.label[e]), order.properties.map((k) => shot.label[E + k]), C).forEach(
    ([e0, e1, k0, k1, first]) =>
      svg.append(box(k0, e0, k1, e1, { class: `sx-block${first ? " sx-largest" : ""}` })),
  );
  const wide = Math.max(x(1) - x(0), 1.2),
    high = Math.max(y(1) - y(0), 1.2);
  const marks = shot.counted.map(([e, k]) => `M${x(column[k]).toFixed(1)} ${y(row[e]).toFixed(1)}h${wide.toFixed(1)}v${high.toFixed(1)}h-${wide.toFixed(1)}z`);
  svg.append(g("path", { d: marks.join(""), class: "sx-counted" }));
  svg.append(g("text", { x: (area.left + area.right) / 2, y: area.bottom + 18, "text-anchor": "middle", class: "sx-title" }, `${number(K)} properties`));
  svg.append(
    g("text", { transform: `translate(14 ${(area.top + area.bottom) / 2}) rotate(-90)`, "text-anchor": "middle", class: "sx-title" }, `${number(E)} entities`),
  );
  return (shot.joined * C) / (E * K);
}

/** Runs of equal labels on both sides: [entity from, to, property from, to, first of its
 *  class]. Components are sorted, so the first is the largest. */
function blocks(rows, columns, classes) {
  const runs = (labels) => {
    const found = new Map();
    labels.forEach((label, i) => {
      if (!found.has(label)) found.set(label, [i, i]);
      found.get(label)[1] = i + 1;
    });
    return found;
  };
  const left = runs(rows),
    top = runs(columns),
    perClass = rows.length / classes;
  return [...left]
    .filter(([label]) => top.has(label))
    .map(([label, [e0, e1]]) => [e0, e1, ...top.get(label), e0 % perClass === 0]);
}

/** Joined pairs over mentions: three sizes, simulated and in theory. */
function drawGrowth(host, worlds, curves, mentions, rescaled, go) {
  const area = { left: 52, right: Math.max(host.clientWidth, 160) - 12, top: 10, bottom: 220 };
  const { svg } = canvas(host, area.bottom + 42, "Share of same-class pairs that are joined, over mentions.");
  const unit = (world) => (rescaled ? Math.sqrt(world.E * world.K) : 1),
    all = curves.flatMap(({ stops }, i) => [stops[0] / unit(worlds[i]), stops.at(-1) / unit(worlds[i])]);
  const x = scale(Math.min(...all), Math.max(...all), area.left, area.right, true),
    y = scale(0, 1, area.bottom, area.top);
  const across = ticks(x.min, x.max, Math.max(Math.floor((area.right - area.left) / 52), 3), true);
  axis(svg, "x", area, across.map((v) => [x(v), short(v)]), rescaled ? "mentions / √(|E||K|)" : "mentions");
  axis(svg, "y", area, [0, 0.25, 0.5, 0.75, 1].map((v) => [y(v), short(v)]), "share joined", { grid: true });
  lines(
    svg,
    area,
    x,
    y,
    worlds.flatMap((world, i) => {
      const xs = curves[i].stops.map((s) => s / unit(world));
      return [
        { xs, ys: curves[i].theory, colour: SHADES[i], dash: "5 4", width: 1.6, name: `theory ${world.K}` },
        { xs, ys: curves[i].shares, colour: SHADES[i], width: i ? 1.6 : 2.6, name: `simulated ${world.K}` },
      ];
    }),
  );
  worlds.forEach((world, i) => {
    const at = criticalMentions(world) / unit(world);
    if (Number.isFinite(at))
      svg.append(g("path", { d: `M${x(at)} ${area.bottom}l-5 9h10z`, class: "sx-threshold", style: `fill: var(${SHADES[i]})` }));
  });
  cursorLine(svg, area, x(mentions / unit(worlds[0])));
  hitArea(svg, area, (px) => go(x.invert(px) * unit(worlds[0])));
}

function render({ model, el }) {
  const view = frame(el, "percolation", draw),
    { root } = view;
  /** A slider over the values that a trait of the graph may have. */
  const among = (label, trait, values) =>
    slider(label, {
      max: values.length - 1,
      text: (i) => number(values[i]),
      oninput: (i) => setTraits(model, { [trait]: values[i], mentions: 0 }),
    });
  const entities = among("Entities |E|", "entities", ENTITIES),
    properties = among("Properties |K|", "properties", PROPERTIES);
  const classes = choice("Classes |C|", [1, 2, 4, 8].map((c) => [c, String(c)]), (c) => setTraits(model, { classes: c, mentions: 0 }));
  const exposures = choice("A pair counts from mention", [[1, "1"], [2, "2"], [3, "3"]], (n) => setTraits(model, { exposures: n, mentions: 0 }));
  const clock = choice("Time", [["mentions", "mentions"], ["rescaled", "mentions / √(|E||K|)"]], (value) => setTraits(model, { clock: value }));
  let grid = [1, 2];
  const seen = slider("Mentions", {
    max: 59,
    text: (i) => number(grid[Math.min(i, grid.length - 1)]),
    oninput: (i) => setTraits(model, { mentions: grid[i] }),
  });
  const again = button("Draw again", () => setTraits(model, { seed: model.get("seed") + 1 }), "Other possible pairs and other mentions.");
  const line = summary(),
    pairs = h("div"),
    curves = h("div"),
    key = h("div");
  root.append(
    line,
    h("div", { class: "sx-controls" }, entities.node, properties.node, classes.node, exposures.node),
    h("div", { class: "sx-clock" }, seen.node),
    h(
      "div",
      { class: "sx-main" },
      panel("Pairs, sorted by component", "Marks: counted pairs. Blocks: what paths join, the largest in blue. Pale: same class, not joined.", pairs),
      panel("Share of same-class pairs joined", "Solid: simulated. Dashed: theory for large graphs. Triangles: thresholds.", curves, key),
    ),
    h("div", { class: "sx-below" }, clock.node, again),
  );
  let kept = "",
    computed = [];

  function draw() {
    const world = {
      E: model.get("entities"),
      K: model.get("properties"),
      C: model.get("classes"),
      density: model.get("density"),
      n: model.get("exposures"),
      seed: model.get("seed"),
    };
    const worlds = [1, 2, 4].map((factor) => ({ ...world, K: factor * world.K }));
    const name = JSON.stringify(world);
    if (name !== kept) {
      kept = name;
      computed = worlds.map((w) => {
        const stops = mentionGrid(w);
        return { stops, shares: growth(w, stops), theory: stops.map((m) => joinedInTheory(w, m)) };
      });
    }
    grid = computed[0].stops;
    const critical = criticalMentions(world),
      asked = model.get("mentions") || (Number.isFinite(critical) ? 3 * critical : grid[30]);
    const place = grid.reduce((best, v, i) => (Math.abs(Math.log(v / asked)) < Math.abs(Math.log(grid[best] / asked)) ? i : best), 0),
      mentions = grid[place];
    entities.set(ENTITIES.indexOf(world.E));
    properties.set(PROPERTIES.indexOf(world.K));
    classes.set(String(world.C));
    exposures.set(String(world.n));
    clock.set(model.get("clock"));
    seen.set(place, { max: grid.length - 1 });
    const share = drawPairs(pairs, world, mentions);
    say(line, percolationWords(world, mentions, share));
    drawGrowth(curves, worlds, computed, mentions, model.get("clock") === "rescaled", (m) => setTraits(model, { mentions: Math.max(m, 1) }));
    key.replaceChildren(legend(worlds.map((w, i) => ({ name: `|K| = ${number(w.K)}`, colour: SHADES[i], width: i ? 1.6 : 2.6 }))));
  }

  return linkedView({ model, el }, view, "percolation.1", {
    ...{ entities: oneOf(ENTITIES), properties: oneOf(PROPERTIES), classes: oneOf([1, 2, 4, 8]), density: numberIn(1e-6, 1) },
    ...{ exposures: oneOf([1, 2, 3]), mentions: numberIn(0, 1e9), clock: oneOf(["mentions", "rescaled"]), seed: wholeIn(0, 2 ** 31) },
  });
}

export default { render };
