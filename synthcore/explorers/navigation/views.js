// The navigation explorer's drawings: path bundles in the graph, the ribbon of paths, curves over T.

const WIDEST = 16; // pixels of an edge that every sample uses

/** The graph, its true paths thin, the probability on them thick, and where it is lost. */
export function drawBundles(host, data, tree, now, [start, goal], pick) {
  const wide = Math.max(host.clientWidth, 120),
    height = Math.max(230, Math.min(0.72 * wide, 400));
  const { svg, width } = canvas(host, height, "Graph: edges as thick as the probability of the right paths that use them.");
  const at = graphPlaces(data.coordinates, { left: 16, right: width - 16, top: 24, bottom: height - 20 });
  const { edge, lost } = bundles(tree, now);
  const ends = (key) => key.split("-").map(Number);
  svg.append(faintEdges(data.edges, at));
  for (const [node, p] of lost)
    if (p > 1e-3) svg.append(g("circle", { cx: at[node][0], cy: at[node][1], r: 6 + 16 * Math.sqrt(p), class: "sx-lost", "data-lost": node }));
  const keys = [...edge.keys()];
  for (const key of keys) svg.append(edgeLine(at, ends(key), { class: "sx-true-edge" }));
  for (const key of keys.sort((a, b) => edge.get(a) - edge.get(b)))
    if (edge.get(key) > 5e-4)
      svg.append(
        edgeLine(at, ends(key), { class: "sx-bundle", style: `stroke-width: ${(WIDEST * edge.get(key)).toFixed(3)}px` }),
      );
  const through = new Set(tree.leaves.flatMap((leaf) => tree.path[leaf]));
  const starts = new Set(data.pairs.map(([s]) => s)),
    goals = new Set(data.pairs.map(([, t]) => t));
  at.forEach(([x, y], i) => {
    const ours = i === start || i === goal;
    const kind = ours ? "sx-end-node" : through.has(i) ? "sx-via" : "sx-dot";
    svg.append(g("circle", { cx: x, cy: y, r: ours ? 7 : through.has(i) ? 4.5 : 2.5, class: kind, "data-node": i }));
  });
  const rest = [...through].filter((i) => i !== start && i !== goal);
  svg.append(...nodeLabels(data.names, at, [start, goal, ...rest], { width }));
  svg.append(
    g("text", { x: at[start][0], y: at[start][1], dy: "0.36em", "text-anchor": "middle", class: "sx-end-mark" }, "s"),
    g("text", { x: at[goal][0], y: at[goal][1], dy: "0.36em", "text-anchor": "middle", class: "sx-end-mark" }, "g"),
  );
  at.forEach(([x, y], i) => {
    if (!starts.has(i) && !goals.has(i)) return;
    const role = starts.has(i) && goals.has(i) ? "start or goal" : starts.has(i) ? "start" : "goal";
    svg.append(
      g(
        "circle",
        { cx: x, cy: y, r: 11, class: "sx-hit sx-can", "data-pick": i, onclick: () => pick(i) },
        g("title", {}, `${data.names[i]}: ${role} of a pair in the list`),
      ),
    );
  });
}

/** One bar of length 1: right paths by probability, darker the surer they are found; the rest wrong. */
export function drawRibbon(host, tree, now, n) {
  const { svg, width } = canvas(host, 44, "All probability on one bar: a piece for each right path, the rest is wrong.");
  const sorted = tree.leaves.map((leaf) => [now.reach[leaf], tree.path[leaf]]).sort((a, b) => b[0] - a[0]);
  let left = 0;
  for (const [p, nodes] of sorted) {
    const across = p * width,
      found = -Math.expm1(n * Math.log1p(-Math.min(p, 1 - 1e-12)));
    if (across > 0.05)
      svg.append(
        g(
          "rect",
          {
            x: left.toFixed(2),
            y: 0,
            width: across.toFixed(2),
            height: 22,
            class: "sx-piece",
            style: `fill: color-mix(in oklab, var(--sx-accent) ${(100 * found).toFixed(1)}%, var(--sx-faint))`,
          },
          g("title", {}, `${nodes.join(" → ")}: ${(100 * p).toPrecision(3)} %`),
        ),
      );
    left += across;
  }
  svg.append(g("rect", { x: left.toFixed(2), y: 0, width: Math.max(width - left, 0).toFixed(2), height: 22, class: "sx-wrong" }));
  svg.append(g("rect", { x: 0.5, y: 0.5, width: width - 1, height: 21, class: "sx-box" }));
  svg.append(g("text", { x: 0, y: 38, class: "sx-title" }, `right ${(100 * now.valid).toFixed(1)} %`));
  svg.append(
    g("text", { x: width, y: 38, "text-anchor": "end", class: "sx-lost-text" }, `wrong ${(100 * (1 - now.valid)).toFixed(1)} %`),
  );
}

/** One chart over temperature with the cursor; a click sets T. */
export function drawOverT(host, T, go, { title, about, height, y, marks, unit, series, last, best }) {
  const area = { left: 50, right: Math.max(host.clientWidth, 120) - 10, top: 6, bottom: 6 + height };
  const { svg } = canvas(host, area.bottom + (last ? 40 : 12), about, title);
  const x = scale(0, 3, area.left, area.right);
  const across = [0, 0.5, 1, 1.5, 2, 2.5, 3].map((v) => [x(v), short(v)]);
  axis(svg, "x", area, across, last ? "temperature T" : "", { labels: Boolean(last) });
  axis(svg, "y", area, marks.map((v) => [y(v), short(v)]), unit, { grid: true });
  if (best !== undefined)
    svg.append(g("line", { x1: x(best), x2: x(best), y1: area.top, y2: area.bottom, class: "sx-best-line" }));
  lines(svg, area, x, y, series.map((s) => ({ xs: TEMPERATURES, ...s })));
  cursorLine(svg, area, x(T));
  for (const s of series)
    if (s.at !== undefined)
      svg.append(
        g("circle", { cx: x(T), cy: y(s.at), r: 4, style: `fill: var(${s.colour}); stroke: var(--sx-paper); stroke-width: 1.5px` }),
      );
  hitArea(svg, area, (px) => go(Math.round(Math.min(3, Math.max(0, x.invert(px))) * 20) / 20));
}
