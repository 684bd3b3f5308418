// The collapse explorer: curves on rescaled time, and the residual of every exponent.

const TINTS = ["--sx-size-1", "--sx-size-2", "--sx-size-3", "--sx-size-4", "--sx-size-5", "--sx-size-6"];
const MARKS = [0, 0.5, 1, 1.5];

/** Growth parts over time / size^nu, in units of the smallest size's time. */
function drawCurves(host, metric, grown, nu) {
  const area = { left: 52, right: Math.max(host.clientWidth, 160) - 12, top: 10, bottom: 240 };
  const { svg } = canvas(host, area.bottom + 42, "Growth parts of the curves over rescaled time.");
  const factor = (size) => (size / metric.sizes[0]) ** nu,
    xs = metric.rows.map(({ times }, i) => times.map((t) => t / factor(metric.sizes[i])));
  const x = scale(Math.min(...xs.map((r) => r[0])), Math.max(...xs.map((r) => r.at(-1))), area.left, area.right, true),
    y = scale(-0.03, 1.03, area.bottom, area.top);
  const across = ticks(x.min, x.max, Math.max(Math.floor((area.right - area.left) / 52), 3), true);
  axis(svg, "x", area, across.map((v) => [x(v), short(v)]), nu === 0 ? metric.time : `${metric.time} / (${metric.size} / ${short(metric.sizes[0])})^ν`);
  axis(svg, "y", area, [0, 0.25, 0.5, 0.75, 1].map((v) => [y(v), short(v)]), "growth part", { grid: true });
  lines(svg, area, x, y, grown.map((ys, i) => ({ xs: xs[i], ys, colour: TINTS[i], width: 2.2, name: `${metric.sizes[i]}` })));
}

/** The residual over nu, with its minimum, its interval over seeds and the reader's nu. */
function drawResidual(host, metric, found, nu, go) {
  const area = { left: 52, right: Math.max(host.clientWidth, 160) - 12, top: 10, bottom: 240 };
  const { svg } = canvas(host, area.bottom + 42, "Residual of the collapse over the exponent.");
  const x = scale(NUS[0], NUS.at(-1), area.left, area.right),
    y = scale(0, Math.max(...found.residuals) * 1.05, area.bottom, area.top);
  const [low, high] = metric.interval;
  if (low !== undefined) {
    const [a, b] = [Math.max(low, x.min), Math.min(high, x.max)];
    if (b > a) svg.append(g("rect", { x: x(a), y: area.top, width: x(b) - x(a), height: area.bottom - area.top, class: "sx-band", style: "fill: var(--sx-accent)" }));
  }
  axis(svg, "x", area, [-1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3].map((v) => [x(v), String(v)]), "exponent ν");
  axis(svg, "y", area, ticks(0, y.max, 4).map((v) => [y(v), short(v)]), "residual (nats)", { grid: true });
  lines(svg, area, x, y, [{ xs: NUS, ys: found.residuals, colour: "--sx-ink", width: 2, name: "residual" }]);
  for (const mark of MARKS)
    svg.append(g("circle", { cx: x(mark), cy: y(residual(metric, found.grown, mark)), r: 3.5, class: "sx-mark" }));
  svg.append(g("circle", { cx: x(nu), cy: y(residual(metric, found.grown, nu)), r: 6, class: "sx-now" }));
  cursorLine(svg, area, x(nu));
  hitArea(svg, area, (px) => go(Math.max(-1, Math.min(3, Math.round(x.invert(px) * 20) / 20))));
}

function render({ model, el }) {
  const metrics = readMetrics(model),
    found = metrics.map(() => undefined),
    view = frame(el, "collapse", draw),
    { root } = view;
  const which = select("Metric", [["", metrics.map(({ name }, i) => [i, name])]], (i) => setTraits(model, { metric: Number(i) }));
  const nu = slider("Exponent ν", { max: NUS.length - 1, text: (i) => NUS[i].toFixed(2), oninput: (i) => setTraits(model, { exponent: NUS[i] }) });
  const best = button(
    "Best exponent",
    () => setTraits(model, { exponent: found[model.get("metric")].best || 0 }),
    "The exponent with the smallest residual.",
  );
  const line = summary(),
    curves = h("div"),
    key = h("div"),
    errors = h("div");
  root.append(
    line,
    h("div", { class: "sx-controls" }, which.node, nu.node, best),
    h(
      "div",
      { class: "sx-main" },
      panel("Curves on rescaled time", "From a tenth to nine tenths of the rise that all sizes share.", curves, key),
      panel("How badly they collapse", "Dots: 0, ½, 1, 3/2. Band: 95 % interval of the minimum over seeds.", errors),
    ),
  );

  function draw() {
    const m = model.get("metric"),
      metric = metrics[m],
      exponent = model.get("exponent");
    found[m] ??= scan(metric);
    which.set(String(m));
    nu.set(NUS.reduce((near, v, i) => (Math.abs(v - exponent) < Math.abs(NUS[near] - exponent) ? i : near), 0));
    best.disabled = !found[m].grown;
    say(line, collapseWords(metric, found[m], exponent));
    if (!found[m].grown) {
      curves.replaceChildren();
      errors.replaceChildren();
      return;
    }
    drawCurves(curves, metric, found[m].grown, exponent);
    drawResidual(errors, metric, found[m], exponent, (value) => setTraits(model, { exponent: value }));
    key.replaceChildren(legend(metric.sizes.map((s, i) => ({ name: `${metric.size} = ${number(s)}`, colour: TINTS[i], width: 2.2 }))));
  }

  return linkedView({ model, el }, view, "collapse.1", {
    metric: placeIn(metrics),
    exponent: numberIn(NUS[0], NUS.at(-1)),
  });
}

export default { render };
