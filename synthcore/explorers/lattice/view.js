// Draws the lattice explorer: nodes by level, the edges that break the order, and curves over epochs.

const NODE = { high: 38, gap: 74 };
const FLIP = { light: 0.66, dark: 0.53 }; // where on the colour scale black and white read equally well

/** The mixture of the two ends of the colour scale at t. */
function tint(t) {
  return `color-mix(in oklab, var(--sx-high) ${(100 * t).toFixed(1)}%, var(--sx-low))`;
}

/** Where every node stands: { at: v -> [x, y], wide }. */
function places(s, width) {
  const rows = levels(s),
    most = Math.max(...rows.map((row) => row.length)),
    slot = width / most,
    at = [];
  rows.forEach((row, r) =>
    row.forEach((v, i) => {
      at[v] = [width / 2 + (i - (row.length - 1) / 2) * slot, 24 + (s - r) * NODE.gap];
    }),
  );
  return { at, rows, wide: Math.min(slot - 6, 64) };
}

/** Nodes, edges and the colour scale. `chosen` is the node whose neighbours are marked. */
function drawLattice(host, data, e, chosen, log, choose) {
  const had = host.contains(document.activeElement);
  const { svg, width } = canvas(
    host,
    24 + data.s * NODE.gap + 92,
    "Lattice of compositions: arrow keys move between nodes, sets below their supersets.",
  );
  svg.setAttribute("role", "group");
  const { at, rows, wide } = places(data.s, width),
    fails = broken(data, e);
  const failed = (u, v) => fails.some((fail) => fail.u === u && fail.v === v);
  const between = (u, v, kind) =>
    g("line", {
      x1: at[u][0],
      y1: at[u][1],
      x2: at[v][0],
      y2: at[v][1],
      class: kind,
      "data-edge": `${nodeName(u)}-${nodeName(v)}`,
    });
  const near = ([u, v]) => u === chosen || v === chosen;
  const edges = covers(data.s).sort((a, b) => near(a) - near(b));
  for (const [u, v] of edges) svg.append(between(u, v, `sx-edge${near([u, v]) ? " sx-near" : ""}`));
  for (const { u, v } of fails) svg.append(between(u, v, level(v) - level(u) === 1 ? "sx-broken" : "sx-broken-far"));
  for (const [u, v] of edges.filter((pair) => failed(...pair))) {
    const [x, y] = [(at[u][0] + at[v][0]) / 2, (at[u][1] + at[v][1]) / 2];
    svg.append(g("path", { d: `M${x - 6} ${y - 6}l12 12M${x - 6} ${y + 6}l12 -12`, class: "sx-cross" }));
  }
  const highest = log ? data.highest : Math.max(...at.map((_, v) => data.loss(e, v)));
  at.forEach(([x, y], v) => {
    const t = shade(data.loss(e, v), highest, log),
      ink = `fill: var(${t > FLIP[host.closest(".sx").dataset.sxTheme] ? "--sx-on-high" : "--sx-on-low"})`,
      text = lossText(data.loss(e, v));
    svg.append(
      g(
        "g",
        {
          class: `sx-node${v === chosen ? " sx-chosen" : ""}`,
          role: "button",
          tabindex: v === chosen ? 0 : -1,
          "aria-pressed": String(v === chosen),
          "aria-label": `${nodeWords(v)}, loss ${text}`,
          "data-node": v,
          onclick: () => choose(v),
          onkeydown: (event) => {
            const next = neighbour(rows, v, event.key);
            if (next === null) return;
            event.preventDefault();
            choose(next);
          },
        },
        g("title", {}, `${nodeWords(v)}: loss ${text}`),
        g("rect", {
          x: x - wide / 2,
          y: y - NODE.high / 2,
          width: wide,
          height: NODE.high,
          rx: 7,
          style: `fill: ${tint(t)}`,
        }),
        g("text", { x, y: y - 3, class: "sx-name", style: ink }, nodeName(v)),
        g("text", { x, y: y + 13, class: "sx-value", style: ink }, text),
      ),
    );
  });
  drawScale(svg, width, 24 + data.s * NODE.gap + 50, highest, log);
  if (had) svg.querySelector(".sx-chosen").focus();
}

/** The node that an arrow key leads to from v: along its level, or to the nearest one above or below. */
export function neighbour(rows, v, key) {
  const r = rows.findIndex((row) => row.includes(v)),
    i = rows[r].indexOf(v);
  const side = { ArrowLeft: -1, ArrowRight: 1 }[key],
    up = { ArrowUp: 1, ArrowDown: -1 }[key];
  if (side) return rows[r][i + side] ?? null;
  if (!up || !rows[r + up]) return null;
  const centre = i - (rows[r].length - 1) / 2;
  const away = (k) => Math.abs(k - (rows[r + up].length - 1) / 2 - centre);
  return rows[r + up].reduce((best, w, k) => (away(k) < away(rows[r + up].indexOf(best)) ? w : best));
}

/** The colour scale with its numbers. */
function drawScale(svg, width, top, highest, log) {
  const across = Math.min(width - 40, 260),
    left = (width - across) / 2,
    parts = 26;
  for (let i = 0; i < parts; i++)
    svg.append(
      g("rect", {
        x: left + (i * across) / parts,
        y: top,
        width: across / parts + 0.5,
        height: 10,
        style: `fill: ${tint((i + 0.5) / parts)}`,
      }),
    );
  svg.append(g("rect", { x: left, y: top, width: across, height: 10, class: "sx-box" }));
  const marks = log
    ? [0, 1, 2, 3].map((k) => [k / 3, highest * 10 ** (k - 3)])
    : [0, 0.5, 1].map((t) => [t, t * highest]);
  for (const [t, v] of marks)
    svg.append(
      g(
        "text",
        { x: left + t * across, y: top + 24, "text-anchor": "middle" },
        `${log && t === 0 ? "≤ " : ""}${lossText(+v.toPrecision(2))}`,
      ),
    );
}

/** A chart over epochs with a cursor; a click picks the nearest checkpoint. */
function drawOverEpochs(host, data, e, go, { title, about, height, y, marks, unit, series, last }) {
  const area = { left: 54, right: Math.max(host.clientWidth, 120) - 8, top: 6, bottom: 6 + height };
  const { svg } = canvas(host, area.bottom + (last ? 40 : 10), about, title);
  const x = stepScale(data.epochs, area.left, area.right);
  axis(svg, "x", area, x.marks, last ? "epoch" : "", { labels: Boolean(last) });
  axis(
    svg,
    "y",
    area,
    marks.map((v) => [y(v), lossText(v)]),
    unit,
    { grid: true },
  );
  lines(
    svg,
    area,
    (p) => p,
    y,
    series.map((s) => ({ ...s, xs: data.epochs.map(x.at) })),
  );
  cursorLine(svg, area, x.at(data.epochs[e]));
  for (const s of series.filter((one) => one.point))
    svg.append(
      g("circle", {
        cx: x.at(data.epochs[e]),
        cy: y(s.ys[e]),
        r: 4,
        style: `fill: var(${s.colour}); stroke: var(--sx-paper); stroke-width: 1.5px`,
      }),
    );
  hitArea(svg, area, (px) => go(x.nearest(px)));
}

/** Loss of all compositions over epochs; the chosen one, its direct parts and wholes stand out. */
function lossCurves(host, data, e, chosen, go) {
  const low = data.highest * 1e-3,
    y = scale(low, data.highest * 1.3, 6 + 150, 6, true);
  const curve = (v) => data.epochs.map((_, i) => Math.max(data.loss(i, v), low));
  const direct = covers(data.s);
  const kinds = [
    [direct.filter(([, v]) => v === chosen).map(([u]) => u), "--sx-bi-inf", "6 3"],
    [direct.filter(([u]) => u === chosen).map(([, v]) => v), "--sx-uni-ret", "2 3"],
  ];
  const others = Array.from({ length: data.V }, (_, v) => v).filter(
    (v) => v !== chosen && !kinds.some(([all]) => all.includes(v)),
  );
  const ends = data.epochs.map((_, i) => data.interval(i, chosen));
  drawOverEpochs(host, data, e, go, {
    title: "Loss of every composition",
    about: "Loss of every composition over epochs, on a log scale.",
    height: 150,
    y,
    marks: ticks(low, y.max, 5, true),
    unit: "OOD loss",
    series: [
      ...others.map((v) => ({ ys: curve(v), colour: "--sx-soft", width: 1, opacity: 0.45, name: nodeName(v) })),
      ...kinds.flatMap(([all, colour, dash]) =>
        all.map((v) => ({ ys: curve(v), colour, dash, width: 1.8, name: nodeName(v) })),
      ),
      {
        ys: curve(chosen),
        low: ends[0] && ends.map((pair) => Math.max(pair[0], low)),
        high: ends[0] && ends.map((pair) => Math.max(pair[1], low)),
        colour: "--sx-ink",
        width: 2.6,
        name: nodeName(chosen),
        point: true,
      },
    ],
  });
}

/** How many pairs hold, over epochs. */
function orderCurve(host, data, e, go) {
  const all = comparable(data.s).length,
    holds = data.epochs.map((_, i) => all - broken(data, i).length);
  const low = Math.min(0.8 * all, ...holds) - 0.02 * all,
    y = scale(low, all * 1.02, 6 + 90, 6);
  drawOverEpochs(host, data, e, go, {
    title: `Pairs that hold, of ${all}`,
    about: "Number of strictly comparable pairs that hold, over epochs.",
    height: 90,
    y,
    marks: [...ticks(low, all * 0.97, 3).filter(Number.isInteger), all],
    unit: "pairs",
    last: true,
    series: [{ ys: holds, colour: "--sx-ink", width: 2.2, name: "pairs that hold", point: true }],
  });
}

/** The chosen node's numbers and neighbours, in words. */
function reading(data, e, v) {
  const ends = data.interval(e, v);
  const list = (all) => all.map((u) => `${nodeName(u)} (${lossText(data.loss(e, u))})`).join(", ");
  const direct = covers(data.s),
    parts = direct.filter(([, w]) => w === v).map(([u]) => u),
    wholes = direct.filter(([u]) => u === v).map(([, w]) => w);
  const probe = v ? `x̂ = ${[...nodeName(v)].map((p) => `μ${p}e${p}`).join(" + ")}` : "x̂ = 0";
  return [
    `${nodeName(v)}: ${nodeWords(v)}, ${probe.replace(/([μe])(\d)/g, (_, c, d) => c + LOW[d])}. `,
    `Loss ${lossText(data.loss(e, v))}${ends ? `, 95 % interval ${ends.map(lossText).join(" to ")}` : ""}. `,
    parts.length ? `Direct parts: ${list(parts)}. ` : "It has no parts. ",
    wholes.length ? `Direct wholes: ${list(wholes)}.` : "It is part of no other.",
  ].join("");
}
const LOW = "₀₁₂₃₄";

function render({ model, el }) {
  const data = latticeData(model),
    view = frame(el, "lattice", draw),
    { root } = view;
  const epoch = slider("Epoch", {
    max: data.epochs.length - 1,
    text: (e) => String(+data.epochs[e].toPrecision(3)),
    oninput: (e) => setTraits(model, { checkpoint: e }),
  });
  const colours = choice(
    "Colour scale",
    [
      ["all", "all epochs, log"],
      ["this", "this epoch"],
    ],
    (value) => setTraits(model, { colours: value }),
  );
  const line = summary(),
    lattice = h("div"),
    read = h("p", { class: "sx-reading", "aria-live": "polite" }),
    curves = h("div"),
    order = h("div");
  root.append(
    line,
    h("div", { class: "sx-controls" }, epoch.node, colours.node),
    h(
      "div",
      { class: "sx-main" },
      panel("Compositions, the whole on top", "Digits: the concepts present. Below them: the OOD loss.", lattice, read),
      h(
        "section",
        { class: "sx-curves" },
        curves,
        legend([
          { name: "chosen", colour: "--sx-ink", width: 2.6 },
          { name: "its direct parts", colour: "--sx-bi-inf", dash: "6 3" },
          { name: "its direct wholes", colour: "--sx-uni-ret", dash: "2 3" },
          { name: "the others", colour: "--sx-soft", width: 1, opacity: 0.6 },
        ]),
        order,
        legend([
          { name: "edge whose lower end has the higher loss", colour: "--sx-warn", width: 4.5 },
          { name: "the same, further apart", colour: "--sx-warn", width: 1.8, dash: "2 4" },
        ]),
      ),
    ),
  );

  function draw() {
    const e = model.get("checkpoint"),
      chosen = model.get("node");
    epoch.set(e);
    colours.set(model.get("colours"));
    say(line, latticeVerdict(data, e));
    drawLattice(lattice, data, e, chosen, model.get("colours") === "all", (v) => setTraits(model, { node: v }));
    say(read, reading(data, e, chosen));
    const go = (i) => setTraits(model, { checkpoint: i });
    lossCurves(curves, data, e, chosen, go);
    orderCurve(order, data, e, go);
  }

  return linkedView({ model, el }, view, "lattice.1", {
    ...{ checkpoint: placeIn(data.epochs), node: wholeIn(0, data.V - 1), colours: oneOf(["all", "this"]) },
  });
}

export default { render };
