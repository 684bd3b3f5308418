// The goal-field explorer's drawings: coloured graph with the walk, goal score against distance, candidates.

/** The colour of a goal score between the lowest and the highest of this goal. */
function heat(field, g, x) {
  const row = field.S1.subarray(g * field.N, (g + 1) * field.N);
  const low = row.reduce((a, b) => Math.min(a, b)),
    high = row.reduce((a, b) => Math.max(a, b));
  const t = high > low ? (row[x] - low) / (high - low) : 0;
  return `color-mix(in oklab, var(--sx-high) ${(100 * t).toFixed(1)}%, var(--sx-low))`;
}

/** The graph: colour is the learned score, a solid outline the truth (it can reach the goal). */
export function drawField(host, field, g, nodes, end, steps, pick) {
  const wide = Math.max(host.clientWidth, 120),
    height = Math.max(240, Math.min(0.8 * wide, 430));
  const { svg, width } = canvas(host, height, "Graph: nodes coloured by their goal score, and the walk so far.");
  const at = graphPlaces(field.coordinates, { left: 16, right: width - 16, top: 26, bottom: height - 24 });
  const radius = field.N > 60 ? 6 : 8;
  svg.append(faintEdges(field.edges, at));
  const taken = nodes.slice(0, steps + 1);
  taken.slice(1).forEach((x, i) => {
    const off = end === "off" && i === nodes.length - 2;
    svg.append(edgeLine(at, [taken[i], x], { class: off ? "sx-off" : "sx-step" }));
    if (!off) svg.append(arrowHead(at, [taken[i], x], "sx-arrow"));
  });
  if (steps < nodes.length - 1) svg.append(edgeLine(at, [nodes[steps], nodes[steps + 1]], { class: "sx-next" }));
  const here = taken[taken.length - 1];
  at.forEach(([cx, cy], x) => {
    const able = field.distance[x * field.N + g] >= 0;
    const circle = g_("circle", {
      cx,
      cy,
      r: x === g || x === here ? radius + 2 : radius,
      class: `sx-score${able ? " sx-able" : ""}${x === here ? " sx-here" : ""}`,
      style: `fill: ${heat(field, g, x)}`,
      "data-node": x,
      onclick: (event) => pick(x, event.shiftKey),
    });
    circle.append(g_("title", {}, `node ${x}: goal score ${scoreText(field.S1[g * field.N + x])}`));
    svg.append(circle);
  });
  svg.append(g_("circle", { cx: at[g][0], cy: at[g][1], r: radius + 7, class: "sx-goal-ring" }));
  if (end === "off" && steps === nodes.length - 1) {
    const [a, b] = [at[nodes[steps - 1]], at[nodes[steps]]],
      [x, y] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    svg.append(g_("path", { d: `M${x - 7} ${y - 7}l14 14M${x - 7} ${y + 7}l14 -14`, class: "sx-cross" }));
  }
  const order = [...new Set([g, here, ...nodes.slice(0, steps + 1)])];
  const names = at.map((_, x) => (x === g ? `goal ${x}` : String(x)));
  svg.append(...nodeLabels(names, at, order, { width, lift: radius + 9 }));
}
const g_ = g; // in these functions g is the goal

/** Goal score of every node against its true distance to the goal. */
export function drawScatter(host, field, goal, here) {
  const area = { left: 50, right: Math.max(host.clientWidth, 120) - 10, top: 8, bottom: 148 };
  const { svg } = canvas(host, 188, "Goal score of every node against its distance to the goal.");
  const { N, S1, distance } = field,
    nodes = Array.from({ length: N }, (_, x) => x);
  const far = Math.max(1, ...nodes.map((x) => distance[x * N + goal]));
  const score = (x) => S1[goal * N + x],
    low = Math.min(...nodes.map(score)),
    high = Math.max(...nodes.map(score)),
    room = (high - low || 1) * 0.07;
  const x = scale(-0.5, far + 1.8, area.left, area.right),
    y = scale(low - room, high + room, area.bottom, area.top);
  const marks = Array.from({ length: far + 1 }, (_, d) => [x(d), String(d)]);
  axis(svg, "x", area, [...marks, [x(far + 1.2), "never"]], "edges to the goal");
  axis(svg, "y", area, ticks(y.min, y.max, 4).map((v) => [y(v), short(v)]), "goal score S1", { grid: true });
  for (const node of nodes) {
    const d = distance[node * N + goal];
    svg.append(
      g("circle", {
        cx: x(d < 0 ? far + 1.2 : d) + (((node * 7) % 11) - 5) * Math.min(1.4, (x(1) - x(0)) / 24),
        cy: y(score(node)),
        r: node === here ? 6 : 3.8,
        class: `sx-score${d >= 0 ? " sx-able" : ""}${node === here ? " sx-here" : ""}`,
        style: `fill: ${heat(field, goal, node)}`,
      }),
    );
  }
}

/** The highest sums, as a table. */
export function candidateTable(rows, caption) {
  const head = ["node", "goal S1", "step S2", "sum", "edge", "to goal"].map((text) => h("th", { scope: "col" }, text));
  const lines = rows.map((row, i) =>
    h(
      "tr",
      { class: i === 0 ? (row.edge ? "sx-first" : "sx-first sx-none") : "" },
      ...[
        String(row.x),
        scoreText(row.goal),
        scoreText(row.step),
        scoreText(row.sum),
        row.edge ? "✓ yes" : "✗ no",
        row.distance < 0 ? "never" : String(row.distance),
      ].map((text) => h("td", {}, text)),
    ),
  );
  return h("table", { class: "sx-table" }, h("caption", {}, caption), h("tbody", {}, h("tr", {}, ...head), ...lines));
}
