// The reachable explorer: a ceiling in closed form, measured points, and the sizes of the sets.

const SERIES = [
  { colour: "--sx-bi-inf", shape: "circle" },
  { colour: "--sx-bi-ret", shape: "square" },
  { colour: "--sx-uni-inf", shape: "diamond" },
  { colour: "--sx-uni-ret", shape: "triangle" },
];

/** A mark of its series: shape and colour, so that colour is never the only cue. */
function mark(shape, x, y, colour, size = 5) {
  const style = `fill: var(${colour}); stroke: var(--sx-paper); stroke-width: 1px`;
  const d = {
    square: `M${x - size} ${y - size}h${2 * size}v${2 * size}h${-2 * size}Z`,
    diamond: `M${x} ${y - 1.4 * size}L${x + 1.4 * size} ${y}L${x} ${y + 1.4 * size}L${x - 1.4 * size} ${y}Z`,
    triangle: `M${x} ${y - 1.2 * size}L${x + 1.2 * size} ${y + size}H${x - 1.2 * size}Z`,
  }[shape];
  return d ? g("path", { d, style, class: "sx-mark" }) : g("circle", { cx: x, cy: y, r: size, style, class: "sx-mark" });
}

/** One chart over n: axes, curves, points with intervals, the cursor. */
function drawOverN(host, whole, n, go, { title, about, height, y, marks, unit, curves, rules = [], points, last }) {
  const area = { left: 66, right: Math.max(host.clientWidth, 160) - 14, top: 6, bottom: 6 + height };
  const { svg } = canvas(host, area.bottom + (last ? 42 : 14), about, title);
  const x = scale(1, whole, area.left, area.right, true);
  const across = ticks(1, whole, Math.max(Math.floor((area.right - area.left) / 46), 3), true);
  axis(svg, "x", area, across.map((v) => [x(v), short(v)]), last ? "training compositions n" : "", { labels: Boolean(last) });
  axis(svg, "y", area, marks.map(([v, text]) => [y(v), text]), unit, { grid: true });
  for (const { value, text, below } of rules) {
    svg.append(g("line", { x1: area.left, x2: area.right, y1: y(value), y2: y(value), class: "sx-rule" }));
    svg.append(g("text", { x: area.right, y: y(value) + (below ? 13 : -5), "text-anchor": "end", class: "sx-rule-text" }, text));
  }
  lines(svg, area, x, y, curves);
  const inside = (v) => Math.max(area.top, Math.min(v, area.bottom));
  points.forEach((rows, i) =>
    rows.forEach(([at, value, low, high]) => {
      if (Number.isFinite(low) && Number.isFinite(high))
        svg.append(
          g("line", {
            x1: x(at),
            x2: x(at),
            y1: inside(y(Math.max(low, y.log ? y.min : low))),
            y2: inside(y(Math.max(high, y.log ? y.min : high))),
            class: "sx-whisker",
            style: `stroke: var(${SERIES[i].colour})`,
          }),
        );
      if (!y.log || value >= y.min) svg.append(mark(SERIES[i].shape, x(at), y(value), SERIES[i].colour));
    }),
  );
  cursorLine(svg, area, x(n));
  hitArea(svg, area, (px) => go(Math.max(1, Math.min(whole, Math.round(x.invert(px))))));
}

function render({ model, el }) {
  const N = model.get("functions"),
    L = model.get("positions"),
    names = model.get("series"),
    accuracy = seriesRows(model, "accuracy"),
    reached = seriesRows(model, "reached"),
    sets = setSizes(N, L),
    whole = sets.inOrder;
  const measured = [...accuracy, ...reached].flat().map(([n]) => n),
    sizes = [...new Set([...logSizes(whole), ...measured])].sort((a, b) => a - b), // a place for each of them
    shares = sizes.map((n) => ceiling(N, L, n)),
    unseen = sizes.map((n) => unseenCeiling(N, L, n));
  const view = frame(el, "reachable", draw),
    { root } = view;
  const go = (n) => setTraits(model, { n_train: n });
  const able = enough(N, L, 0.95),
    enoughOf = (rows) => rows.map(([n]) => n).filter((n) => n >= able),
    start = Math.min(...[accuracy[0], accuracy.flat(), reached.flat()].map(enoughOf).find((all) => all.length) ?? [able]);
  const size = slider("Training compositions n", {
    max: sizes.length - 1,
    text: (i) => `${number(sizes[i])} of ${number(whole)}`,
    oninput: (i) => go(sizes[i]),
  });
  const line = summary(),
    share = h("div"),
    count = h("div"),
    now = h("div");
  const marked = names.map((name, i) =>
    h("li", {}, g("svg", { width: 16, height: 14, "aria-hidden": "true" }, mark(SERIES[i].shape, 8, 7, SERIES[i].colour)), h("span", {}, name)),
  );
  root.append(
    line,
    h("div", { class: "sx-controls" }, size.node),
    share,
    count,
    legend([
      { name: "ceiling: identifiable", colour: "--sx-ink", width: 2.2 },
      { name: "memoriser", colour: "--sx-soft", dash: "2 4" },
      { name: "sizes of the sets", colour: "--sx-soft", dash: "6 4" },
    ]),
    h("ul", { class: "sx-legend" }, ...marked),
    panel("At this n", "", now),
  );

  function draw() {
    const asked = model.get("n_train"),
      n = asked < 1 ? start : Math.min(asked, whole);
    const nearest = sizes.reduce((best, v, i) => (Math.abs(Math.log(v / n)) < Math.abs(Math.log(sizes[best] / n)) ? i : best), 0);
    size.set(nearest);
    say(line, reachableVerdict(N, L, n, names, accuracy, reached));
    drawOverN(share, whole, n, go, {
      title: "Share of unseen compositions",
      about: "Share of unseen compositions that can be identified, and measured accuracy, over n.",
      height: 150,
      y: scale(0, 1.03, 6 + 150, 6),
      marks: [0, 0.25, 0.5, 0.75, 1].map((v) => [v, short(v)]),
      unit: "share",
      curves: [{ xs: sizes, ys: unseen, colour: "--sx-ink", width: 2.2, name: "ceiling" }],
      points: accuracy,
    });
    const top = sets.outOfOrder * 3,
      low = 0.7,
      tall = 210;
    const y = scale(low, top, 6 + tall, 6, true);
    drawOverN(count, whole, n, go, {
      title: "Number of compositions",
      about: "Compositions that can be identified and that were reached, over n, on log axes, with the sizes of the sets.",
      height: tall,
      y,
      marks: ticks(low, top, 6, true).map((v) => [v, v >= 1e4 ? v.toExponential(0).replace("e+", "e") : short(v)]),
      unit: "compositions",
      last: true,
      rules: [
        { value: sets.outOfOrder, text: `out of order: ${number(sets.outOfOrder)}` },
        { value: sets.inOrder, text: `in order: ${number(sets.inOrder)}` },
        { value: sets.distinct, text: `distinct with shared functions: ${number(sets.distinct)}`, below: true },
      ].filter((rule, i, all) => i === 0 || Math.abs(y(rule.value) - y(all[i - 1].value)) > 13),
      curves: [
        { xs: [1, whole], ys: [1, whole], colour: "--sx-soft", dash: "2 4", width: 1.8, name: "memoriser" },
        { xs: sizes, ys: shares.map((v) => v * whole), colour: "--sx-ink", width: 2.2, name: "ceiling" },
      ],
      points: reached,
    });
    const bar = (label, value, colour, text = percentText(value)) => ({ label, value, colour, text });
    const here = names.flatMap((name, i) => {
      const row = nearestRow(accuracy[i], n);
      return row ? [bar(`${name}, unseen`, row[1], SERIES[i].colour)] : [];
    });
    now.replaceChildren(
      bars([
        bar("identifiable", ceiling(N, L, n), "--sx-ink"),
        bar("trained", n / whole, "--sx-soft", n / whole < 0.005 ? "< 1 %" : percentText(n / whole)),
        ...here,
      ]),
    );
  }

  return linkedView({ model, el }, view, "reachable.1", { n_train: wholeIn(1, whole) });
}

export default { render };
