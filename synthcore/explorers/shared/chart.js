// Axes and line charts in SVG. Lengths are CSS pixels, so text keeps its size at every width.

/** A map from data to pixels; logarithmic scales need positive limits. */
export function scale(min, max, from, to, log = false) {
  const f = log ? Math.log : (v) => v;
  const span = f(max) - f(min) || 1;
  const map = (v) => from + ((f(v) - f(min)) / span) * (to - from);
  map.invert = (p) => {
    const v = f(min) + ((p - from) / (to - from)) * span;
    return log ? Math.exp(v) : v;
  };
  return Object.assign(map, { min, max, from, to, log });
}

/** About `count` round values between min and max; on log axes 1-2-5 or powers of ten. */
export function ticks(min, max, count, log = false) {
  const out = [];
  if (log) {
    const low = Math.floor(Math.log10(min)),
      high = Math.ceil(Math.log10(max));
    for (const steps of [[1, 2, 5], [1, 3], [1]]) {
      out.length = 0;
      for (let e = low; e <= high; e++)
        for (const s of steps) {
          const v = s * 10 ** e;
          if (v >= min * 0.999 && v <= max * 1.001) out.push(+v.toPrecision(6));
        }
      if (out.length <= count) return out;
    }
    const every = Math.ceil(out.length / count);
    return out.filter((_, i) => i % every === 0);
  }
  const raw = (max - min) / Math.max(count, 1),
    unit = 10 ** Math.floor(Math.log10(raw || 1));
  const step = unit * ([1, 2, 2.5, 5, 10].find((m) => m * unit >= raw * 0.999) ?? 10);
  for (let v = Math.ceil(min / step - 1e-9) * step; v <= max + step * 1e-6; v += step) out.push(+v.toPrecision(10));
  return out;
}

/** Training steps on a log axis on which step 0 has a place of its own, left of the first update. */
export function stepScale(steps, from, to) {
  const positive = steps.filter((s) => s > 0);
  const first = positive[0] ?? 1,
    ratio = Math.max(1.8, Math.min((positive[1] ?? 2 * first) / first, 4));
  const value = (s) => (s > 0 ? s : first / ratio);
  const centres = steps.map(value);
  const edges = centres.map((v, i) => (i ? Math.sqrt(centres[i - 1] * v) : v / Math.sqrt(ratio)));
  const n = centres.length;
  edges.push(n > 1 ? centres[n - 1] * Math.sqrt(centres[n - 1] / centres[n - 2]) : centres[0] * Math.sqrt(ratio));
  const x = scale(edges[0], edges[n], from, to, true);
  const zero = steps[0] === 0 ? x(value(0)) + 20 : from;
  const marks = ticks(first, edges[n], Math.max(Math.floor((to - from) / 42), 2), true)
    .map((v) => [x(v), short(v)])
    .filter(([p]) => p >= zero);
  if (steps[0] === 0) marks.unshift([x(value(0)), "0"]);
  const pixels = edges.map(x);
  const nearest = (p) => {
    const i = pixels.findIndex((edge) => edge > p);
    return i < 0 ? n - 1 : Math.max(i - 1, 0);
  };
  return { at: (s) => x(value(s)), edges: pixels, marks, nearest };
}

/** An empty SVG of the host's width. `label` is what a screen reader says of it; `title` stands above it and may wrap. */
export function canvas(host, height, label, title) {
  const width = Math.max(host.clientWidth, 120);
  const svg = g("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  host.replaceChildren(...(title ? [h("p", { class: "sx-chart-title" }, title)] : []), svg);
  return { svg, width, height };
}

/** Tick marks [position, text] and a title, below ("x") or left of ("y") the area
 *  { left, right, top, bottom }. `grid` draws lines across it. */
export function axis(svg, side, area, marks, title, { grid = false, labels = true } = {}) {
  const { left, right, top, bottom } = area,
    group = g("g", { class: "sx-axis" });
  for (const [p, text] of marks) {
    if (side === "x") {
      if (p < left - 0.5 || p > right + 0.5) continue;
      group.append(
        g("line", { x1: p, x2: p, y1: grid ? top : bottom, y2: bottom + 4, class: grid ? "sx-grid" : "sx-tick" }),
      );
      if (labels) group.append(g("text", { x: p, y: bottom + 16, "text-anchor": "middle" }, text));
    } else {
      if (p < top - 0.5 || p > bottom + 0.5) continue;
      group.append(
        g("line", { y1: p, y2: p, x1: left - 4, x2: grid ? right : left, class: grid ? "sx-grid" : "sx-tick" }),
      );
      group.append(g("text", { x: left - 7, y: p, dy: "0.35em", "text-anchor": "end" }, text));
    }
  }
  if (title && side === "x")
    group.append(
      g("text", { x: (left + right) / 2, y: bottom + 33, "text-anchor": "middle", class: "sx-title" }, title),
    );
  if (title && side === "y")
    group.append(
      g(
        "text",
        { transform: `translate(11 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle", class: "sx-title" },
        title,
      ),
    );
  svg.append(group);
}

/** "M x y L x y ..." over finite points; gaps where a value is missing. */
export function path(xs, ys) {
  let out = "",
    pen = false;
  xs.forEach((x, i) => {
    const ok = Number.isFinite(x) && Number.isFinite(ys[i]);
    if (ok) out += `${pen ? "L" : "M"}${x.toFixed(1)} ${ys[i].toFixed(1)}`;
    pen = ok;
  });
  return out;
}

/** Curves on given scales. A series is { xs, ys, colour, dash, width, low, high, end, name }: `low`
 *  and `high` bound a band, `end` is a short label at its right end (kept from overlapping). */
export function lines(svg, area, x, y, series) {
  const clip = uniqueId("clip");
  svg.append(
    g(
      "clipPath",
      { id: clip },
      g("rect", {
        x: area.left,
        y: area.top - 2,
        width: Math.max(area.right - area.left, 0),
        height: area.bottom - area.top + 4,
      }),
    ),
  );
  const group = g("g", { "clip-path": `url(#${clip})` });
  const ends = [];
  for (const s of series) {
    const px = s.xs.map(x),
      py = s.ys.map(y);
    if (s.low && s.low.some(Number.isFinite)) {
      const keep = px.map((_, i) => i).filter((i) => Number.isFinite(s.low[i]) && Number.isFinite(s.high[i]));
      const points = [...keep.map((i) => [px[i], y(s.high[i])]), ...keep.reverse().map((i) => [px[i], y(s.low[i])])];
      group.append(
        g("polygon", {
          points: points.map((p) => p.map((v) => v.toFixed(1)).join(",")).join(" "),
          class: "sx-band",
          style: `fill: var(${s.colour})`,
        }),
      );
    }
    group.append(
      g("path", {
        d: path(px, py),
        class: "sx-line",
        "data-series": s.name,
        style:
          `stroke: var(${s.colour}); stroke-width: ${s.width ?? 2}px; opacity: ${s.opacity ?? 1};` +
          (s.dash ? `stroke-dasharray: ${s.dash}` : ""),
      }),
    );
    const last = py.findLast(Number.isFinite);
    if (s.end && last !== undefined) ends.push({ y: Math.max(area.top, Math.min(last, area.bottom)), s });
  }
  svg.append(group);
  ends.sort((a, b) => a.y - b.y);
  for (let i = 1; i < ends.length; i++) ends[i].y = Math.max(ends[i].y, ends[i - 1].y + 12);
  const over = ends.length ? Math.max(ends[ends.length - 1].y - area.bottom - 3, 0) : 0;
  for (const end of ends)
    svg.append(
      g(
        "text",
        {
          x: area.right + 5,
          y: end.y - over,
          dy: "0.35em",
          class: "sx-end",
          style: `fill: color-mix(in srgb, var(${end.s.colour}) 72%, var(--sx-ink))`,
        },
        end.s.end,
      ),
    );
}

/** The vertical line at the cursor. */
export function cursorLine(svg, area, x) {
  svg.append(g("line", { x1: x, x2: x, y1: area.top, y2: area.bottom, class: "sx-cursor" }));
}

/** An invisible area that calls `pick(x, y)`, in pixels of the SVG, on a click and while a mouse drags. */
export function hitArea(svg, { left, right, top, bottom }, pick) {
  const at = (event) => {
    const box = svg.getBoundingClientRect();
    pick(event.clientX - box.left, event.clientY - box.top);
  };
  svg.append(
    g("rect", {
      x: left,
      y: top,
      width: right - left,
      height: bottom - top,
      class: "sx-hit",
      onclick: at,
      onpointermove: (event) => {
        if (event.buttons & 1 && event.pointerType === "mouse") at(event);
      },
    }),
  );
}

/** What stands before a legend's entry: a line, or with `area` or `dot` a patch or a disc. */
function sample({ colour, dash, width, area, dot, opacity }) {
  const fill = `fill: var(${colour}); opacity: ${opacity ?? 1}`;
  if (area) return g("rect", { x: 1, y: 0, width: 20, height: 10, style: fill });
  if (dot) return g("circle", { cx: 11, cy: 5, r: dot, style: fill });
  const stroke = `stroke: var(${colour}); stroke-width: ${width ?? 2}px;`;
  const pattern = dash ? `stroke-dasharray: ${dash};` : "";
  return g("line", { x1: 0, x2: 22, y1: 5, y2: 5, style: `${stroke}${pattern} opacity: ${opacity ?? 1}` });
}

/** A legend whose entries wrap: [{ name, colour, dash, width, area, dot, opacity }]. */
export function legend(entries) {
  return h(
    "ul",
    { class: "sx-legend" },
    ...entries.map((e) =>
      h("li", {}, g("svg", { width: 22, height: 10, "aria-hidden": "true" }, sample(e)), h("span", {}, e.name)),
    ),
  );
}

/** Horizontal bars with value text: [{ label, code, colour, value, text }], value between 0 and 1. */
export function bars(rows) {
  return h(
    "div",
    { class: "sx-bars" },
    ...rows.map((row) =>
      h(
        "div",
        { class: "sx-bar", "data-bar": row.label },
        h("span", { class: "sx-bar-name" }, ...(row.code ? [chip(row.code, row.colour)] : []), row.label),
        h(
          "span",
          { class: "sx-bar-track" },
          h("span", { style: `width: ${(100 * (row.value || 0)).toFixed(2)}%; background: var(${row.colour})` }),
        ),
        h("span", { class: "sx-bar-value" }, row.text),
      ),
    ),
  );
}

/** A two-letter code on its colour. */
export function chip(code, variable) {
  return h("span", { class: "sx-chip", style: `--sx-chip: var(${variable})` }, code);
}
