// A directed graph in SVG: where its nodes stand, its faint edges, labels that keep apart.

/** Pixels [x, y] of every node, from flat coordinates whose second axis points up. */
export function graphPlaces(coordinates, { left, right, top, bottom }) {
  const n = coordinates.length / 2,
    xs = Array.from({ length: n }, (_, i) => coordinates[2 * i]),
    ys = Array.from({ length: n }, (_, i) => coordinates[2 * i + 1]);
  const x = scale(Math.min(...xs), Math.max(...xs), left, right),
    y = scale(Math.min(...ys), Math.max(...ys), bottom, top);
  return xs.map((v, i) => [x(v), y(ys[i])]);
}

/** All edges as one faint path; straight lines, from left to right or up or down as they lie. */
export function faintEdges(edges, at) {
  const d = edges.map(([i, j]) => `M${at[i].map((v) => v.toFixed(1)).join(" ")}L${at[j].map((v) => v.toFixed(1)).join(" ")}`);
  return g("path", { d: d.join(""), class: "sx-all-edges" });
}

/** A straight edge with a style of its own; `ends` are nodes. */
export function edgeLine(at, [i, j], attributes) {
  const place = { x1: at[i][0], y1: at[i][1], x2: at[j][0], y2: at[j][1] };
  return g("line", { ...place, "data-edge": `${i}-${j}`, ...attributes });
}

/** A small arrow head in the middle of an edge. */
export function arrowHead(at, [i, j], kind) {
  const [dx, dy] = [at[j][0] - at[i][0], at[j][1] - at[i][1]],
    turn = (Math.atan2(dy, dx) * 180) / Math.PI;
  const [x, y] = [(at[i][0] + at[j][0]) / 2, (at[i][1] + at[j][1]) / 2];
  const place = `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${turn.toFixed(1)})`;
  return g("path", { d: "M5 0L-4 -4.5L-4 4.5Z", transform: place, class: kind });
}

/** Labels of nodes, the important ones first: one that would cover another is left out. */
export function nodeLabels(names, at, order, { width, lift = 12 }) {
  const taken = [],
    out = [];
  for (const i of order) {
    const half = 3.8 * names[i].length + 2;
    const x = Math.min(Math.max(at[i][0], half), width - half);
    for (const y of [at[i][1] - lift, at[i][1] + lift + 9]) {
      const box = [x - half, y - 11, x + half, y + 3];
      if (taken.some((b) => b[0] < box[2] && box[0] < b[2] && b[1] < box[3] && box[1] < b[3])) continue;
      taken.push(box);
      out.push(g("text", { x, y, "text-anchor": "middle", class: "sx-node-name", "data-name": i }, names[i]));
      break;
    }
  }
  return out;
}
