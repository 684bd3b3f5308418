// The swing-by explorer's drawings: the output's path, and charts on the clock's axis.

/** Colour variable of concept k. */
export function conceptColour(k) {
  return `--sx-concept-${k + 1}`;
}

/** A round interval of tau so that about `count` fit before the path is over. */
export function beat(sim, count = 14) {
  const near = sim.f.findLastIndex((f) => f.some((v, k) => Math.abs(v / sim.mu[k] - 1) > 0.02));
  const raw = sim.taus[Math.max(near, 1)] / count,
    unit = 10 ** Math.floor(Math.log10(raw));
  return +([1, 2, 5, 10].find((m) => m * unit >= raw) * unit).toPrecision(3);
}

/** Values at a time between two grid points, linearly. */
function between(taus, series, tau) {
  const i = Math.max(
      taus.findIndex((v) => v >= tau),
      1,
    ),
    share = (tau - taus[i - 1]) / (taus[i] - taus[i - 1]);
  return series[i].map((v, k) => (1 - share) * series[i - 1][k] + share * v);
}

/** The stretches of a run in which the OOD loss rises, as curves with gaps. */
function rising(sim, told, values) {
  return values.map((v, t) => (told.events.some(({ from, to }) => t >= from && t <= to) ? v : NaN));
}

/** f(x^) in the plane of concepts [i, j]; `share` measures each in units of its target. */
export function drawPath(host, sim, told, now, [i, j], share) {
  const right = Math.max(host.clientWidth, 120) - 12,
    side = Math.min(right - 46, 400);
  const area = { left: 46, right: 46 + side, top: 22, bottom: 22 + side };
  const { svg } = canvas(
    host,
    area.bottom + 40,
    `Path of the output at the sum of the centres, concept ${i + 1} across and ${j + 1} up.`,
  );
  const of = (k) => (share ? 1 / sim.mu[k] : 1),
    target = [i, j].map((k) => sim.mu[k] * of(k));
  const xs = sim.f.map((f) => f[i] * of(i)),
    ys = sim.f.map((f) => f[j] * of(j));
  const limits = (values, goal) => {
    const low = Math.min(0, ...values),
      high = Math.max(goal, ...values),
      room = high - low;
    return [low - 0.13 * room, high + 0.13 * room];
  };
  const x = scale(...limits(xs, target[0]), area.left, area.right),
    y = scale(...limits(ys, target[1]), area.bottom, area.top);
  const unit = share ? "share of target" : "signal";
  axis(
    svg,
    "x",
    area,
    ticks(x.min, x.max, side / 60).map((v) => [x(v), short(v)]),
    `output f${LOW_DIGITS[i + 1]} (${unit})`,
    { grid: true },
  );
  axis(
    svg,
    "y",
    area,
    ticks(y.min, y.max, side / 50).map((v) => [y(v), short(v)]),
    `output f${LOW_DIGITS[j + 1]} (${unit})`,
    { grid: true },
  );
  const clip = uniqueId("clip"),
    inside = g("g", { "clip-path": `url(#${clip})` });
  const box = { x: area.left, y: area.top, width: side, height: side };
  svg.append(g("clipPath", { id: clip }, g("rect", box)), inside);
  sim.mu.forEach((m, p) => {
    const at = [p === i ? m * of(p) : 0, p === j ? m * of(p) : 0];
    const radius = (k, map) => Math.max(Math.abs(map(2 * sim.sigma[k] * of(k)) - map(0)), 2);
    inside.append(
      g("ellipse", { cx: x(at[0]), cy: y(at[1]), rx: radius(i, x), ry: radius(j, y), class: "sx-cluster" }),
      g("circle", { cx: x(at[0]), cy: y(at[1]), r: 3, class: "sx-centre" }),
    );
  });
  const label = (px, py, anchor, text) =>
    svg.append(g("text", { x: px, y: py, "text-anchor": anchor, class: "sx-place" }, text));
  if (sim.minor)
    lines(svg, area, x, y, [
      {
        xs: sim.bareF.map((f) => f[i] * of(i)),
        ys: sim.bareF.map((f) => f[j] * of(j)),
        colour: "--sx-soft",
        dash: "1.5 4",
        width: 1.8,
        name: "path without minor entries",
      },
    ]);
  lines(svg, area, x, y, [
    { xs, ys, colour: "--sx-ink", width: 2.2, name: "path" },
    { xs, ys: rising(sim, told, ys), colour: "--sx-minor", width: 5, opacity: 0.85, name: "path while the loss rises" },
  ]);
  const step = beat(sim);
  for (let tau = step; tau <= sim.taus[sim.taus.length - 1]; tau += step) {
    const f = between(sim.taus, sim.f, tau);
    svg.append(g("circle", { cx: x(f[i] * of(i)), cy: y(f[j] * of(j)), r: 2.8, class: "sx-dot" }));
  }
  const [tx, ty] = [x(target[0]), y(target[1])];
  svg.append(
    g("path", { d: `M${tx - 9} ${ty}h18M${tx} ${ty - 9}v18`, class: "sx-target" }),
    g("circle", { cx: x(xs[0]), cy: y(ys[0]), r: 4, class: "sx-start" }),
    g("circle", { cx: x(xs[now]), cy: y(ys[now]), r: 6.5, class: "sx-now" }),
  );
  const above = (map, k, at) => {
    const ry = Math.abs(map(2 * sim.sigma[k] * of(k)) - map(0)); // above the ellipse, or inside a large one
    return map(at) - (ry < 30 ? Math.max(ry, 4) + 5 : 9);
  };
  label(tx + 8, ty - 13, "end", "target x̂");
  label(Math.min(tx + 24, area.right - 2), above(y, j, 0), "end", `cluster ${i + 1}`);
  label(Math.max(x(0) - 24, area.left + 2), above(y, j, target[1]), "start", `cluster ${j + 1}`);
}

/** A chart over the clock: axes, shaded withdrawals, curves, cursor, and clicks that set the clock. */
export function drawOverClock(host, sim, told, now, go, { title, about, height, series, y, marks, unit, last, tags }) {
  const area = { left: 58, right: Math.max(host.clientWidth, 120) - 8, top: 6, bottom: 6 + height };
  const { svg } = canvas(host, area.bottom + (last ? 38 : 8), about, title);
  const x = scale(sim.taus[1], sim.taus[sim.taus.length - 1], area.left, area.right, true),
    up = scale(...y, area.bottom, area.top);
  for (const { pair, span } of told.bands) {
    const [from, to] = span.map((t) => x(sim.taus[Math.max(t, 1)]));
    svg.append(
      g("rect", {
        x: from,
        width: Math.max(to - from, 1),
        y: area.top,
        height,
        class: "sx-lent",
        "data-withdrawn": entryName(pair),
      }),
    );
  }
  const room = (area.right - area.left) / 44;
  axis(
    svg,
    "x",
    area,
    ticks(x.min, x.max, room, true).map((v) => [x(v), short(v)]),
    last ? "clock τ = 2 t (log scale)" : "",
    { labels: Boolean(last) },
  );
  axis(
    svg,
    "y",
    area,
    marks.map((v) => [up(v), short(v)]),
    unit,
    { grid: true },
  );
  if (y[0] < 0) svg.append(g("line", { x1: area.left, x2: area.right, y1: up(0), y2: up(0), class: "sx-zero" }));
  const shown = sim.taus.slice(1);
  lines(
    svg,
    area,
    x,
    up,
    series.map((s) => ({ ...s, xs: shown, ys: s.ys.slice(1) })),
  );
  for (const { text, colour, at, value } of tags ?? [])
    svg.append(
      g(
        "text",
        {
          x: Math.max(Math.min(x(sim.taus[Math.max(at, 1)]) + 5, area.right - 24), area.left + 3),
          y: up(value),
          dy: "0.35em",
          class: "sx-entry",
          style: `fill: color-mix(in srgb, var(${colour}) 80%, var(--sx-ink))`,
        },
        text,
      ),
    );
  cursorLine(svg, area, x(sim.taus[now]));
  for (const s of series.filter((one) => one.point))
    svg.append(
      g("circle", {
        cx: x(sim.taus[now]),
        cy: Math.max(area.top, Math.min(up(s.ys[now]), area.bottom)),
        r: 4,
        style: `fill: var(${s.colour}); stroke: var(--sx-paper); stroke-width: 1.5px`,
      }),
    );
  hitArea(svg, area, (px) => {
    const tau = x.invert(Math.max(area.left, Math.min(px, area.right)));
    go(tau);
  });
}

/** Losses, each as a fraction of its first value, and the rises in the colour of what causes them. */
export function lossChart(sim, told) {
  const of = (values) => values.map((v) => v / values[0]);
  const ood = of(sim.ood),
    train = of(sim.train);
  const bare = sim.minor ? of(sim.bareOod) : null;
  const top = Math.max(1, ...ood, ...train) * 1.04;
  return {
    title: "Loss, as a fraction of its start",
    about: "OOD and training loss over the clock.",
    height: 150,
    unit: "L(τ) / L(0)",
    y: [0, top],
    marks: ticks(0, top, 4),
    series: [
      ...(bare
        ? [{ ys: bare, colour: "--sx-soft", dash: "1.5 4", width: 1.8, name: "OOD loss without minor entries" }]
        : []),
      { ys: train, colour: "--sx-soft", width: 4.5, opacity: 0.5, name: "training loss" },
      { ys: rising(sim, told, ood), colour: "--sx-minor", width: 6, name: "OOD loss rises" },
      { ys: ood, colour: "--sx-ink", width: 2.2, name: "OOD loss", point: true },
    ],
  };
}

/** Diagonal entries of W, the closed form dashed. */
export function majorChart(sim) {
  const majors = sim.mu.map((_, k) => sim.entry(k, k)),
    top = Math.max(1.08, ...majors.map((w) => Math.max(...w) * 1.04));
  const levels = [0.28, 0.5, 0.72];
  return {
    title: `Major entries ${sim.mu.map((_, k) => entryName([k, k])).join(", ")}`,
    about: "The diagonal entries of W over the clock.",
    height: 100,
    unit: "entry of W",
    y: [0, top],
    marks: ticks(0, top, 3),
    series: majors.flatMap((ys, k) => [
      { ys, colour: conceptColour(k), width: 2.2, name: entryName([k, k]), point: true },
      ...(sim.closed
        ? [
            {
              ys: sim.entry(k, k, sim.closed),
              colour: "--sx-ink",
              dash: "5 4",
              width: 1.3,
              name: `closed form ${entryName([k, k])}`,
            },
          ]
        : []),
    ]),
    tags: majors.map((w, k) => ({
      text: entryName([k, k]),
      colour: conceptColour(k),
      at: Math.max(
        w.findLastIndex((v) => v < levels[k]),
        1,
      ),
      value: levels[k],
    })),
  };
}

const DASHES = [undefined, "8 3 2 3", "2.5 3"];

/** Off-diagonal entries of W: one hue, a line pattern for each pair; the closed form dashed. */
export function minorChart(sim) {
  const all = pairs(sim.s),
    minors = all.map((pair) => sim.entry(...pair));
  const low = Math.min(0, ...minors.flat()),
    high = Math.max(0, ...minors.flat()),
    room = high - low || 0.2;
  const y = [low < 0 ? low - 0.06 * room : 0, (low < 0 ? Math.max(high, 0.1 * room) : low + room) + 0.08 * room];
  return {
    title: all.length > 1 ? "Minor entries" : `Minor entry ${entryName(all[0])}`,
    about: "The off-diagonal entries of W over the clock.",
    height: 100,
    unit: "entry of W",
    y,
    marks: ticks(...y, 3),
    last: true,
    series: minors.flatMap((ys, n) => [
      { ys, colour: "--sx-minor", dash: DASHES[n], width: 2.2, name: entryName(all[n]), point: true },
      ...(sim.closed
        ? [{ ys: sim.entry(0, 1, sim.closed), colour: "--sx-ink", dash: "5 4", width: 1.3, name: "closed form w₁₂" }]
        : []),
    ]),
  };
}

/** What the lines mean. */
export function keys(sim, told) {
  const curves = [
    { name: "OOD loss, at x̂", colour: "--sx-ink" },
    { name: "training loss", colour: "--sx-soft", width: 4.5, opacity: 0.5 },
  ];
  if (sim.minor) curves.push({ name: "OOD loss without minor entries", colour: "--sx-soft", dash: "1.5 4" });
  if (told.events.length) curves.push({ name: "OOD loss rises", colour: "--sx-minor", width: 6 });
  if (told.bands.length)
    curves.push({
      name: `${[...new Set(told.bands.map((band) => entryName(band.pair)))].join(", ")} withdrawn, from its peak to a tenth`,
      colour: "--sx-minor",
      area: true,
      opacity: 0.25,
    });
  if (sim.s === 2) curves.push({ name: entryName([0, 1]), colour: "--sx-minor" });
  else pairs(sim.s).forEach((pair, n) => curves.push({ name: entryName(pair), colour: "--sx-minor", dash: DASHES[n] }));
  if (sim.closed) {
    let gap = 0;
    sim.run.forEach((v, e) => (gap = Math.max(gap, Math.abs(v - sim.closed[e]))));
    curves.push({ name: `closed form, off by up to ${digits(gap, 1)}`, colour: "--sx-ink", dash: "5 4", width: 1.3 });
  }
  const path = [
    { name: "path", colour: "--sx-ink" },
    { name: `a dot every Δτ = ${digits(beat(sim))}`, colour: "--sx-ink", dot: 2.8 },
    { name: "now", colour: "--sx-accent", dot: 5 },
  ];
  if (told.events.length) path.push({ name: "OOD loss rises", colour: "--sx-minor", width: 5 });
  if (sim.minor) path.push({ name: "without minor entries", colour: "--sx-soft", dash: "1.5 4" });
  return { curves, path };
}
