// The Adam explorer: a point in the (beta, gamma) square, what it allows, and the effective step.

const LOW = 0.045,
  HIGH = 4; // of -log10(1 - x): x from 0.1 to 0.9999
const STEPS = 200;
const decayAt = (t) => Math.max(fromMemory(t), 0.1); // the lowest place of a slider lies a little below
const decayText = (t) => String(+decayAt(t).toFixed(t < 1.5 ? 3 : t < 2.5 ? 4 : 6));
const power = (t) => (+(10 ** t).toPrecision(3)).toString();
const STREAMS = [
  ["dense", "dense"],
  ["sparse", "sparse"],
  ["dying", "dying"],
  ["worst", "worst case"],
];

/** The square with its three regions and the point. */
function drawSquare(host, beta, gamma, go) {
  const size = Math.min(Math.max(host.clientWidth - 70, 120), 330);
  const area = { left: 58, right: 58 + size, top: 8, bottom: 8 + size };
  const { svg } = canvas(host, area.bottom + 42, "The square of beta and gamma; the sliders move the point in it.");
  const x = scale(LOW, HIGH, area.left, area.right),
    y = scale(LOW, HIGH, area.bottom, area.top);
  const grid = Array.from({ length: 160 }, (_, i) => LOW + ((HIGH - LOW) * i) / 159);
  const clampY = (g) => y(Math.min(HIGH, Math.max(LOW, toMemory(Math.max(g, 0.0001)))));
  const exact = grid.map((t) => [x(t), clampY(fromMemory(t) ** 2)]);
  const continuous = grid.map((t) => [x(t), clampY(fromMemory(t) / (2 - fromMemory(t)))]);
  const poly = (points, cls) =>
    g("polygon", { points: points.map((p) => p.map((v) => v.toFixed(1)).join(",")).join(" "), class: cls });
  svg.append(
    poly([...continuous, [area.right, area.top], [area.left, area.top]], "sx-stable"),
    poly([...exact, [area.right, area.bottom], [area.left, area.bottom]], "sx-unstable"),
    poly([...exact, ...continuous.slice().reverse()], "sx-wedge"),
  );
  const line = (points, dash) =>
    g("path", { d: path(points.map((p) => p[0]), points.map((p) => p[1])), class: "sx-frontier", "stroke-dasharray": dash });
  svg.append(line(exact, "5 3"), line(continuous, ""));
  const marks = [0.5, 0.9, 0.99, 0.999];
  axis(svg, "x", area, marks.map((v) => [x(toMemory(v)), String(v)]), "beta");
  axis(svg, "y", area, marks.map((v) => [y(toMemory(v)), String(v)]), "gamma");
  const word = (t, u, text) =>
    svg.append(g("text", { x: x(t), y: y(u), class: "sx-region", "text-anchor": "middle" }, text));
  word(1.0, 3.5, "stable");
  word(3.0, 0.6, "unstable");
  const px = x(toMemory(beta)),
    py = y(toMemory(gamma));
  svg.append(
    g("rect", { x: area.left, y: area.top, width: size, height: size, class: "sx-box" }),
    g("circle", { cx: px, cy: py, r: 9, class: "sx-point-outer" }),
    g("circle", { cx: px, cy: py, r: 6, class: "sx-point" }),
  );
  const pick = (event) => {
    const box = svg.getBoundingClientRect();
    const inside = (v) => Math.min(HIGH, Math.max(LOW, v));
    go(inside(x.invert(event.clientX - box.left)), inside(y.invert(event.clientY - box.top)));
  };
  svg.append(
    g("rect", {
      x: area.left,
      y: area.top,
      width: size,
      height: size,
      class: "sx-hit",
      onpointerdown: pick,
      onpointermove: (event) => {
        if (event.buttons & 1) pick(event);
      },
    }),
  );
}

/** A chart of lines with log or linear y. */
function chart(host, label, height, xs, series, { xTitle, yTitle, log = false, least, most }) {
  const area = { left: 58, right: Math.max(host.clientWidth, 160) - 34, top: 8, bottom: height - 40 };
  const { svg } = canvas(host, height, label);
  const finite = series.flatMap((s) => s.ys).filter((v) => Number.isFinite(v) && (!log || v > 0));
  const low = least ?? Math.min(...finite),
    high = Math.max(most ?? -Infinity, Math.max(...finite) * (log ? 1.3 : 1.05));
  const x = scale(xs[0], xs[xs.length - 1], area.left, area.right);
  const y = scale(low, high, area.bottom, area.top, log);
  const across = Math.max(3, Math.floor((area.right - area.left) / 70));
  axis(svg, "x", area, ticks(x.min, x.max, across).map((v) => [x(v), short(v)]), xTitle);
  const powers = (v) => (v >= 1e4 ? v.toExponential(0).replace("e+", "e") : short(v));
  axis(svg, "y", area, ticks(low, high, 5, log).map((v) => [y(v), powers(v)]), yTitle, { grid: true });
  const shown = series.map((s) => ({ ...s, xs, ys: log ? s.ys.map((v) => (v > 0 ? v : NaN)) : s.ys }));
  lines(svg, area, x, y, shown);
}

/** What the point allows, in words. */
function adamVerdict(beta, gamma, most) {
  const kind = region(beta, gamma),
    rate = exactRate(beta, gamma);
  const numbers = `C = ${exponent(beta, gamma).toFixed(3)}.`;
  const reached = `The stream below reaches ${most < 1e4 ? most.toFixed(2) : most.toExponential(1)} in ${STEPS} steps.`;
  if (kind === "unstable")
    return (
      `Unstable: momentum outlives twice the memory of the variance, ${numbers} The largest possible update ` +
      `grows by ${(100 * Math.expm1(rate)).toPrecision(3)} % per step. ${reached}`
    );
  const limit = `No update can ever exceed ${exactLimit(beta, gamma).toFixed(2)} learning rates. ${reached}`;
  if (kind === "wedge") return `In the wedge: unstable in continuous time, ${numbers} yet exactly it is safe. ${limit}`;
  return `Stable, ${numbers} ${limit}`;
}

function render({ model, el }) {
  const view = frame(el, "adam", draw),
    { root } = view;
  const verdict = summary(),
    result = h("p", { class: "sx-result", role: "status", "aria-live": "polite" });
  const hosts = Object.fromEntries(
    ["square", "envelope", "kernel", "norm"].map((name) => [name, h("div", { class: `sx-host sx-host-${name}` })]),
  );
  const decaySlider = (label, name) =>
    slider(label, {
      min: LOW,
      max: HIGH,
      step: 0.005,
      text: decayText,
      oninput: (t) => setTraits(model, { [name]: decayAt(t) }),
    });
  const logSlider = (label, name, min, max, text = power) =>
    slider(label, { min, max, step: 0.02, text, oninput: (t) => setTraits(model, { [name]: +(10 ** t).toPrecision(6) }) });
  const controls = {
    beta: decaySlider("beta (momentum)", "beta"),
    gamma: decaySlider("gamma (variance)", "gamma"),
    density: slider("density of gradients", {
      min: 0.02,
      max: 1,
      step: 0.01,
      text: (v) => `${Math.round(100 * v)} %`,
      oninput: (v) => setTraits(model, { density: v, stream: "sparse" }),
    }),
    eta: logSlider("learning rate η", "eta", -5, -1),
    decay: logSlider("weight decay λ", "decay", -4, 1),
    momentum: decaySlider("beta of the layer", "momentum"),
    dimension: logSlider("weights d", "dimension", 0, 8, (t) => number(Math.round(10 ** t))),
  };
  const stream = choice("Gradients", STREAMS, (kind) => setTraits(model, { stream: kind }));
  root.append(
    verdict,
    h(
      "div",
      { class: "sx-columns" },
      panel(
        "Which betas are safe?",
        "Drag the point, or use the sliders. Solid: C = 0; dashed: gamma = beta²; between them the wedge.",
        hosts.square,
        controls.beta.node,
        controls.gamma.node,
      ),
      h(
        "div",
        {},
        panel("How large can an update get?", "In learning rates; the stream is simulated in this page.", hosts.envelope),
        h("div", { class: "sx-row-controls" }, stream.node, controls.density.node),
        panel("What the two averages remember", "Weight of a gradient by its age.", hosts.kernel),
      ),
    ),
    panel(
      "How fast does a normalised layer learn?",
      "A scale-invariant layer under AdamW: the norm settles, and with it the angle per step.",
      h(
        "div",
        { class: "sx-columns" },
        h("div", {}, controls.eta.node, controls.decay.node, controls.momentum.node, controls.dimension.node),
        h("div", {}, result, hosts.norm),
      ),
    ),
  );

  function draw() {
    const get = (name) => model.get(name);
    const [beta, gamma] = [get("beta"), get("gamma")];
    for (const name of ["beta", "gamma", "momentum"]) controls[name].set(toMemory(get(name)));
    for (const name of ["eta", "decay", "dimension"]) controls[name].set(Math.log10(get(name)));
    controls.density.set(get("density"));
    stream.set(get("stream"));
    drawSquare(hosts.square, beta, gamma, (t, u) => setTraits(model, { beta: decayAt(t), gamma: decayAt(u) }));
    const n = Array.from({ length: STEPS }, (_, i) => i + 1);
    const u = simulate(beta, gamma, gradients(get("stream"), STEPS, get("density"), beta, gamma, get("seed")));
    const bounds = [
      { name: "exact", ys: n.map((k) => exactBound(beta, gamma, k)), colour: "--sx-bi-ret", dash: "6 4", end: "T3" },
      { name: "continuous", ys: n.map((k) => continuousBound(beta, gamma, k)), colour: "--sx-uni-ret", dash: "2 3", end: "T2" },
    ];
    chart(hosts.envelope, "Bounds on the update and a simulated stream over 200 steps", 230, n, [
      { name: "simulated", ys: u, colour: "--sx-bi-inf", width: 1.6, end: "u" },
      ...bounds,
    ], { xTitle: "step", yTitle: "largest |u|", log: true, least: 0.05, most: 10 });
    const ages = Array.from({ length: 60 }, (_, i) => i);
    chart(hosts.kernel, "Weights of past gradients in both averages", 170, ages, [
      { name: "momentum", ys: ages.map((i) => (1 - beta) * beta ** i), colour: "--sx-bi-ret", end: "M" },
      { name: "variance", ys: ages.map((i) => (1 - gamma) * gamma ** i), colour: "--sx-bi-inf", end: "V" },
      { name: "squared", ys: ages.map((i) => (1 - beta) * beta ** (2 * i)), colour: "--sx-uni-ret", dash: "4 3", end: "M²" },
    ], { xTitle: "age of the gradient (steps)", yTitle: "weight", log: true, least: 1e-5, most: 1 });
    const [eta, decay, d] = [get("eta"), get("decay"), get("dimension")];
    const rate = effectiveRate(eta, decay, get("momentum"), d);
    const time = Array.from({ length: 101 }, (_, i) => (i * 4 * rate.relaxation) / 100);
    const from = (factor) =>
      time.map((t) => rate.norm * Math.sqrt(1 + (factor ** 2 - 1) * Math.exp(-t / rate.relaxation)));
    chart(hosts.norm, "Norm of the weights over steps from three initial norms", 190, time, [
      { name: "large", ys: from(3), colour: "--sx-bi-ret" },
      { name: "settled", ys: from(1), colour: "--sx-uni-inf", dash: "5 3" },
      { name: "small", ys: from(0.2), colour: "--sx-bi-inf" },
    ], { xTitle: "step", yTitle: "|W|", least: 0 });
    say(verdict, adamVerdict(beta, gamma, Math.max(...u)));
    say(
      result,
      `Effective learning rate: ${rate.angle.toPrecision(3)} rad per step. |W| settles at ${rate.norm.toPrecision(3)}; ` +
        `a wrong norm is forgotten in ${number(Math.round(rate.relaxation))} steps, a direction in ` +
        `${number(Math.round(rate.memory))}. Only η·λ and beta set the angle; d sets the norm.`,
    );
  }
  const decays = numberIn(0.1, 0.9999);
  const readers = {
    ...{ beta: decays, gamma: decays, stream: oneOf(STREAMS.map(([kind]) => kind)), density: numberIn(0.02, 1) },
    ...{ eta: numberIn(1e-5, 0.1), decay: numberIn(1e-4, 10), momentum: decays, dimension: numberIn(1, 1e8) },
    seed: wholeIn(0, 2 ** 31),
  };
  return linkedView({ model, el }, view, "adam.1", readers);
}
export default { render };
