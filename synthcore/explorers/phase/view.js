// Draws the phase explorer: map, weights and curves around one cursor (N, step, context).

const SETS = [
  { set: 1, title: "Unseen chains (OOD)" },
  { set: 0, title: "Training chains (ID)" },
];

/** The rows of the map from the bottom up, in the plane that the reader chose. */
function plane(data, kind, [n, , c]) {
  return kind === "diversity"
    ? {
        values: data.diversities,
        row: n,
        title: "data diversity N (chains)",
        weights: (r, s) => data.weights(r, s, c),
        pick: (r, s) => [r, s, c],
      }
    : {
        values: data.contexts,
        row: c,
        title: "context (symbols)",
        weights: (r, s) => data.weights(n, s, r),
        pick: (r, s) => [n, s, r],
      };
}

const horizontal = (host) => ({ left: 58, right: Math.max(host.clientWidth, 120) - 26 });

/** Colour of every cell, borders and two-letter codes of the regions, and the ring at the cursor. */
function drawMap(host, data, kind, cursor, root, go) {
  const p = plane(data, kind, cursor),
    rows = p.values.length;
  const area = { ...horizontal(host), top: 6, bottom: 6 + Math.max(180, Math.min(26 * rows, 280)) };
  const { svg } = canvas(
    host,
    area.bottom + 8,
    `Map of the leading algorithm over training step and ${p.title}; the sliders move its cursor.`,
  );
  const x = stepScale(data.steps, area.left, area.right);
  const high = (area.bottom - area.top) / rows;
  const top = (r) => area.bottom - (r + 1) * high;
  const palette = ALGORITHMS.map((a) => colour(root, a.colour));
  const hatch = uniqueId("hatch");
  svg.append(
    g(
      "defs",
      {},
      g(
        "pattern",
        { id: hatch, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        g("rect", { width: 7, height: 7, class: "sx-hatch-back" }),
        g("line", { x1: 0, x2: 0, y1: 0, y2: 7, class: "sx-hatch-line" }),
      ),
    ),
  );
  const cells = g("g", { "shape-rendering": "crispEdges" });
  const leaders = p.values.map((_, r) =>
    data.steps.map((_, s) => {
      const weights = p.weights(r, s),
        a = leader(weights);
      cells.append(
        g("rect", {
          x: x.edges[s],
          width: x.edges[s + 1] - x.edges[s] + 0.5,
          y: top(r),
          height: high + 0.5,
          fill: a < 0 ? `url(#${hatch})` : blend(weights, palette),
        }),
      );
      return a;
    }),
  );
  svg.append(cells, borders(leaders, x.edges, top, high), ...codes(leaders, x.edges, top, high));
  const every = Math.ceil(15 / high);
  axis(
    svg,
    "y",
    area,
    p.values.map((v, r) => [top(r) + high / 2, short(v)]).filter((_, r) => r % every === 0),
    p.title,
  );
  axis(svg, "x", area, x.marks, "", { labels: false });
  svg.append(
    g("rect", {
      x: area.left,
      y: area.top,
      width: area.right - area.left,
      height: area.bottom - area.top,
      class: "sx-box",
    }),
  );
  const s = cursor[1],
    ring = { x: x.edges[s], width: Math.max(x.edges[s + 1] - x.edges[s], 4), y: top(p.row), height: high, rx: 2 };
  cursorLine(svg, area, x.at(data.steps[s]));
  svg.append(g("rect", { ...ring, class: "sx-mark-outer" }), g("rect", { ...ring, class: "sx-mark" }));
  hitArea(svg, area, (px, py) => {
    const row = Math.floor((area.bottom - py) / high);
    go(p.pick(Math.max(0, Math.min(rows - 1, row)), x.nearest(px)));
  });
}

/** Lines between neighbouring cells whose leading algorithm differs. */
function borders(leaders, edges, top, high) {
  let d = "";
  leaders.forEach((row, r) =>
    row.forEach((a, s) => {
      if (s + 1 < row.length && row[s + 1] !== a) d += `M${edges[s + 1]} ${top(r)}v${high}`;
      if (r + 1 < leaders.length && leaders[r + 1][s] !== a) d += `M${edges[s]} ${top(r)}H${edges[s + 1]}`;
    }),
  );
  return g("path", { d, class: "sx-border" });
}

/** The code of each region with room for it, in the cell nearest to the region's centre. */
function codes(leaders, edges, top, high) {
  const out = [];
  for (const { value, cells } of regions(leaders)) {
    if (value < 0) continue;
    const boxes = cells.map(([r, s]) => ({
      x: (edges[s] + edges[s + 1]) / 2,
      y: top(r) + high / 2,
      area: (edges[s + 1] - edges[s]) * high,
    }));
    const total = boxes.reduce((sum, b) => sum + b.area, 0);
    if (total < 700) continue;
    const mean = (key) => boxes.reduce((sum, b) => sum + b[key] * b.area, 0) / total;
    const cx = mean("x"),
      cy = mean("y");
    const best = boxes.reduce((a, b) => (Math.hypot(b.x - cx, b.y - cy) < Math.hypot(a.x - cx, a.y - cy) ? b : a));
    out.push(
      g(
        "text",
        {
          x: best.x,
          y: best.y,
          dy: "0.35em",
          class: "sx-region",
          style: "fill: #ffffff; stroke: rgba(16, 21, 27, 0.75)",
        },
        ALGORITHMS[value].code,
      ),
    );
  }
  return out;
}

/** KL against step at the cursor's N and context: the network and its band, exact algorithms dashed. */
function drawCurves(host, data, [n, s, c], { set, title }, last) {
  const area = { ...horizontal(host), top: 6, bottom: 122 };
  const { svg } = canvas(host, area.bottom + (last ? 40 : 10), `KL from the truth over training, ${title}.`, title);
  const x = stepScale(data.steps, area.left, area.right),
    y = scale(0, data.highest * 1.04, area.bottom, area.top);
  axis(
    svg,
    "y",
    area,
    ticks(0, y.max, 4).map((v) => [y(v), short(v)]),
    "KL (nats)",
    { grid: true },
  );
  axis(svg, "x", area, x.marks, last ? "training step" : "", { labels: last });
  const kl = data.steps.map((_, i) => data.kl(set, n, i, c)),
    half = data.steps.map((_, i) => data.half(set, n, i, c));
  const ends = [x.edges[0], x.edges[x.edges.length - 1]];
  lines(svg, area, (pixel) => pixel, y, [
    ...data.references.map((r) => ({
      xs: ends,
      ys: [r.kl(set, n, c), r.kl(set, n, c)],
      colour: r.colour,
      dash: "6 4",
      width: 1.6,
      end: r.code,
      name: r.name,
    })),
    {
      xs: data.steps.map(x.at),
      ys: kl,
      low: kl.map((v, i) => Math.max(v - half[i], 0)),
      high: kl.map((v, i) => v + half[i]),
      colour: "--sx-ink",
      width: 2.2,
      name: "network",
    },
  ]);
  cursorLine(svg, area, x.at(data.steps[s]));
  if (Number.isFinite(kl[s]))
    svg.append(
      g("circle", {
        cx: x.at(data.steps[s]),
        cy: y(kl[s]),
        r: 4.5,
        style: "fill: var(--sx-ink); stroke: var(--sx-paper); stroke-width: 2px",
      }),
    );
}

/** The numbers at the cursor as a small table. */
function numbers(data, [n, s, c]) {
  const nats = (v) => (Number.isFinite(v) ? v.toFixed(3) : "–");
  const half = [1, 0].map((set) => data.half(set, n, s, c));
  const rows = [
    ["network", nats(data.kl(1, n, s, c)), nats(data.kl(0, n, s, c))],
    ...(half.some(Number.isFinite) ? [["± 95 %", ...half.map(nats)]] : []),
    ...data.references.map((r) => [r.name, nats(r.kl(1, n, c)), nats(r.kl(0, n, c))]),
  ];
  return ["KL (nats)", "OOD", "ID"]
    .map((text, i) => h("span", { class: i ? "sx-head" : "sx-hint" }, text))
    .concat(rows.flatMap(([name, ...values]) => [h("span", {}, name), ...values.map((v) => h("b", {}, v))]));
}

function render({ model, el }) {
  const data = phaseData(model);
  const view = frame(el, "phase", draw),
    { root } = view;
  const go = (cursor) => setTraits(model, { cursor });
  const grids = [
    ["Data diversity N", data.diversities, "chains"],
    ["Training step", data.steps, ""],
    ["Context length", data.contexts, "symbols"],
  ];
  const sliders = grids.map(([label, grid, unit], axisOf) =>
    slider(label, {
      max: grid.length - 1,
      text: (i) => `${number(grid[i])} ${unit}`.trim(),
      oninput: (i) => go(model.get("cursor").map((old, a) => (a === axisOf ? i : old))),
    }),
  );
  const planes = choice(
    "Map over training step and",
    [
      ["diversity", "data diversity N"],
      ["context", "context length"],
    ],
    (kind) => setTraits(model, { plane: kind }),
  );
  const verdictLine = summary(),
    map = h("div", { class: "sx-map" }),
    weights = h("div");
  const curves = SETS.map(() => h("div")),
    table = h("div", { class: "sx-numbers" }),
    fixed = h("p", { class: "sx-hint" });
  const swatch = g(
    "svg",
    { width: 20, height: 14, "aria-hidden": "true" },
    g("rect", { x: 3, y: 1, width: 14, height: 12, rx: 2, class: "sx-mark-outer" }),
    g("rect", { x: 3, y: 1, width: 14, height: 12, rx: 2, class: "sx-mark" }),
  );
  root.append(
    verdictLine,
    h("div", { class: "sx-sliders" }, ...sliders.map((control) => control.node)),
    h("div", { class: "sx-plane" }, planes.node),
    h(
      "div",
      { class: "sx-main" },
      h(
        "div",
        {},
        h("h4", {}, "Which algorithm does the network follow?"),
        fixed,
        map,
        h("div", { class: "sx-curves" }, ...curves),
        legend([
          { name: "network" + (model.get("halfwidths").byteLength ? ", 95 % interval" : ""), colour: "--sx-ink" },
          ...(data.references.length ? [{ name: "exact algorithms", colour: "--sx-soft", dash: "5 4" }] : []),
        ]),
      ),
      h(
        "div",
        { class: "sx-side" },
        panel("Weights at the cursor", "share of each algorithm in what the network predicts", weights),
        panel("Distance from the truth", "", table),
        h(
          "div",
          {},
          h("p", { class: "sx-key" }, swatch, "cursor: tap the map or use the sliders"),
          h("p", { class: "sx-key" }, h("span", { class: "sx-hatched", "aria-hidden": "true" }), "hatched: not fitted"),
        ),
      ),
    ),
  );

  function draw() {
    const cursor = model.get("cursor"),
      kind = model.get("plane"),
      w = data.weights(...cursor);
    sliders.forEach((control, a) => control.set(cursor[a]));
    planes.set(kind);
    say(verdictLine, verdict(data, cursor, number));
    say(
      fixed,
      kind === "diversity"
        ? `with ${number(data.contexts[cursor[2]])} symbols of context`
        : `with N = ${number(data.diversities[cursor[0]])} training chains`,
    );
    drawMap(map, data, kind, cursor, root, go);
    SETS.forEach((which, i) => drawCurves(curves[i], data, cursor, which, i === SETS.length - 1));
    weights.replaceChildren(
      bars(
        ALGORITHMS.map((a, i) => ({
          label: a.name,
          code: a.code,
          colour: a.colour,
          value: w[i],
          text: Number.isNaN(w[i]) ? "–" : `${Math.round(100 * w[i])} %`,
        })),
      ),
    );
    table.replaceChildren(...numbers(data, cursor));
  }

  return linkedView(
    { model, el },
    view,
    "phase.1",
    { cursor: listOf(wholeIn(0, 1000), 3), plane: oneOf(["diversity", "context"]) },
    ({ cursor }) => cursor.every((i, a) => i < grids[a][1].length),
  );
}

export default { render };
