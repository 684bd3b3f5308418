// Drawings of a run: each is built once, and gives a function that moves what changes while the network trains.

/** About 500 of the indices below `count`, the last among them. */
function thinned(count) {
  const every = Math.max(Math.ceil(count / 500), 1),
    out = [];
  for (let i = 0; i < count - 1; i += every) out.push(i);
  out.push(count - 1);
  return out;
}

const NETWORK = "--sx-accent",
  FLOW = "--sx-ink",
  LENT = "--sx-lent",
  DASH = "6 4";

/** A line that grows: an empty path, and a function that fills it. */
function growing(parent, name, colour, width) {
  const node = g("path", {
    class: "sx-line",
    "data-series": name,
    style: `stroke: var(${colour}); stroke-width: ${width}px`,
  });
  parent.append(node);
  return (xs, ys) => node.setAttribute("d", path(xs, ys));
}

/** A group that shows nothing outside of the area. */
function clipped(svg, { left, right, top, bottom }) {
  const id = uniqueId("clip");
  svg.append(g("clipPath", { id }, g("rect", { x: left, y: top, width: right - left, height: bottom - top })));
  const group = g("g", { "clip-path": `url(#${id})` });
  svg.append(group);
  return group;
}

/** Points, clusters, x^, the path of the exact flow and that of the network in the plane of both coordinates. */
export function planeScene(host, run) {
  const { mu, sigma } = run.settings,
    full = Math.max(host.clientWidth, 120),
    left = 44,
    side = Math.min(full - left - 10, 400);
  const area = { left, right: left + side, top: 8, bottom: 8 + side };
  const { svg } = canvas(host, area.bottom + 40, "Plane of both coordinates: points, target, path of the exact flow and of the network.");
  const limits = (k) => {
    const seen = thinned(run.theory.f.length).map((i) => run.theory.f[i][k]),
      low = Math.min(0, -2.2 * sigma[k], ...seen),
      high = Math.max(mu[k] + 2.2 * sigma[k], ...seen);
    return [low - 0.1 * (high - low), high + 0.1 * (high - low)];
  };
  const x = scale(...limits(0), area.left, area.right),
    y = scale(...limits(1), area.bottom, area.top);
  const marks = (map, room) => ticks(map.min, map.max, side / room).map((v) => [map(v), short(v).replace("-", "−")]);
  axis(svg, "x", area, marks(x, 60), "coordinate 1", { grid: true });
  axis(svg, "y", area, marks(y, 50), "coordinate 2", { grid: true });
  const inside = clipped(svg, area);
  let dots = ""; // one path: two hundred circles would be painted anew in every frame
  for (let i = 0; i < run.points.length; i += 2) dots += `M${x(run.points[i]).toFixed(1)} ${y(run.points[i + 1]).toFixed(1)}h0`;
  inside.append(g("path", { d: dots, class: "sx-samples" }));
  const [tx, ty] = [x(mu[0]), y(mu[1])];
  inside.append(g("path", { d: `M${tx - 9} ${ty}h18M${tx} ${ty - 9}v18`, class: "sx-target" }));
  const flow = growing(inside, "exact flow", FLOW, 1.6);
  inside.lastChild.style.strokeDasharray = DASH;
  const some = thinned(run.theory.f.length);
  flow(some.map((i) => x(run.theory.f[i][0])), some.map((i) => y(run.theory.f[i][1])));
  const line = growing(inside, "network", NETWORK, 2.6),
    rising = growing(inside, "loss rises", LENT, 5),
    expected = g("circle", { r: 4.5, class: "sx-expected" }),
    now = g("circle", { r: 6.5, class: "sx-now" });
  rising([], []);
  inside.append(expected, now);
  const label = (px, py, anchor, text) => svg.append(g("text", { x: px, y: py, "text-anchor": anchor, class: "sx-place" }, text));
  label(Math.min(tx + 14, area.right - 2), ty + 24, "end", "x̂, held out");
  const clear = (map, k, at) => {
    const reach = Math.abs(map(2.2 * sigma[k]) - map(0));
    return map(at) - (reach < 40 ? Math.max(reach, 6) + 5 : 8);
  };
  label(Math.min(x(mu[0]) + 30, area.right - 2), clear(y, 1, 0), "end", "cluster 1");
  label(Math.max(x(0) - 26, area.left + 3), clear(y, 1, mu[1]), "start", "cluster 2");
  return () => {
    const at = thinned(run.f.length),
      xs = at.map((i) => x(run.f[i][0])),
      ys = at.map((i) => y(run.f[i][1]));
    line(xs, ys);
    const rise = measuredRise(run),
      up = rise ? at.map((i) => i >= rise.from && i <= rise.to) : [];
    rising(xs.map((v, i) => (up[i] ? v : NaN)), ys);
    now.setAttribute("cx", xs[xs.length - 1]);
    now.setAttribute("cy", ys[ys.length - 1]);
    const due = expectedAt(run, run.f.length - 1);
    expected.setAttribute("cx", x(due[0]));
    expected.setAttribute("cy", y(due[1]));
  };
}

/** The exact flow's output after so many updates. */
export function expectedAt({ theory, settings }, update) {
  const t = update * settings.rate,
    i = Math.max(theory.t.findIndex((v) => v >= t - 1e-12), 0);
  return theory.f[i];
}

/** A chart over updates: the exact flow dashed, the network's lines grow. `series` are { name, colour, y, flow, flowColour }, of which `y(run, i)` is the value after update i and `flow(theory, i)` that at the flow's time i. */
function overUpdates(host, run, { title, about, height, unit, y: limits, series, last, target }) {
  const area = { left: 50, right: Math.max(host.clientWidth, 120) - 10, top: 6, bottom: 6 + height };
  const { svg } = canvas(host, area.bottom + (last ? 38 : 10), about, title);
  const x = scale(0, run.updates, area.left, area.right),
    y = scale(...limits, area.bottom, area.top);
  const marks = ticks(0, run.updates, (area.right - area.left) / 70);
  axis(svg, "x", area, marks.map((v) => [x(v), short(v)]), last ? "updates" : "", { labels: Boolean(last) });
  axis(svg, "y", area, ticks(...limits, 4).map((v) => [y(v), short(v).replace("-", "−")]), unit, { grid: true });
  if (target !== undefined)
    svg.append(g("line", { x1: area.left, x2: area.right, y1: y(target), y2: y(target), class: "sx-goal" }));
  const inside = clipped(svg, area),
    some = thinned(run.theory.t.length),
    px = some.map((i) => x(run.theory.t[i] / run.settings.rate));
  for (const s of series) {
    const flow = growing(inside, `${s.name}, exact flow`, s.flowColour ?? FLOW, 1.5);
    inside.lastChild.style.strokeDasharray = DASH;
    flow(px, some.map((i) => y(s.flow(run.theory, i))));
  }
  const drawn = series.map((s) => [s, growing(inside, s.name, s.colour, 2.4)]),
    heads = series.map((s) => g("circle", { r: 4, style: `fill: var(${s.colour}); stroke: var(--sx-paper); stroke-width: 1.5px` }));
  const cursor = g("line", { y1: area.top, y2: area.bottom, class: "sx-cursor" });
  svg.append(cursor, ...heads);
  return () => {
    const at = thinned(run.f.length),
      xs = at.map(x),
      end = xs[xs.length - 1];
    drawn.forEach(([s, line], n) => {
      const ys = at.map((i) => y(s.y(run, i))),
        head = ys[ys.length - 1];
      line(xs, ys);
      heads[n].setAttribute("cx", end);
      heads[n].setAttribute("cy", Math.max(area.top, Math.min(head, area.bottom)));
    });
    cursor.setAttribute("x1", end);
    cursor.setAttribute("x2", end);
  };
}

/** Both losses as fractions of their first values. */
export function lossScene(host, run) {
  const of = (name) => (from, i) => from[name][i] / from[name][0],
    top = run.theory.ood.reduce((most, v) => Math.max(most, v / run.theory.ood[0]), 1) * 1.05;
  return overUpdates(host, run, {
    title: "Loss, as a fraction of its start",
    about: "Loss at the held-out point and on the training points over updates, with the exact flow.",
    height: 150,
    unit: "loss",
    y: [0, top],
    series: [
      { name: "training loss", colour: "--sx-soft", y: of("train"), flow: of("train"), flowColour: "--sx-soft" },
      { name: "loss at x̂", colour: NETWORK, y: of("ood"), flow: of("ood") },
    ],
  });
}

/** The weaker coordinate of the output, and the part of it that is the other cluster's. */
export function coordinateScene(host, run) {
  const k = run.weak,
    goal = run.settings.mu[k],
    f = (from, i) => from.f[i][k],
    lent = (from, i) => from.lent[i][k],
    values = thinned(run.theory.f.length).flatMap((i) => [f(run.theory, i), lent(run.theory, i)]),
    low = Math.min(0, ...values),
    high = Math.max(goal, ...values);
  return overUpdates(host, run, {
    title: `Coordinate ${k + 1}, and what cluster ${2 - k} lends it`,
    about: `Coordinate ${k + 1} of the output at the held-out point over updates, and the part lent to it by the other cluster.`,
    height: 130,
    unit: "output",
    y: [low < 0 ? low * 1.1 : 0, high * 1.12],
    target: goal,
    last: true,
    series: [
      { name: "lent", colour: LENT, y: lent, flow: lent, flowColour: LENT },
      { name: `coordinate ${k + 1}`, colour: NETWORK, y: f, flow: f },
    ],
  });
}

/** What the lines mean. */
export function keys(run) {
  const lent = entryName([run.weak, 1 - run.weak]);
  const flow = { name: run.settings.network === "relu" ? "exact flow of the linear network" : "exact flow", colour: FLOW, dash: DASH, width: 1.6 };
  return {
    plane: [
      { name: "training points", colour: "--sx-soft", dot: 2 },
      { name: "network", colour: NETWORK, width: 2.6 },
      flow,
      { name: "while its loss at x̂ rises", colour: LENT, width: 5 },
    ],
    charts: [
      { name: "loss at x̂; coordinate", colour: NETWORK },
      { name: "training loss", colour: "--sx-soft" },
      { name: `lent: ${lent} times signal ${2 - run.weak}`, colour: LENT },
      { name: "dashed: exact flow", colour: FLOW, dash: DASH, width: 1.6 },
    ],
  };
}
