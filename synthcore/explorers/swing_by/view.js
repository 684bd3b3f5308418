// The swing-by explorer: the reader's mixture and start, and the run that follows from them.

const THIRD = { mu: 3, sigma: 0.05 }; // what a third concept starts with
const STEPS = 20; // of the slider for omega, per factor of ten

function render({ model, el }) {
  const view = frame(el, "swing", draw),
    { root } = view;
  const spare = { ...THIRD };
  let sim = null,
    told = null,
    key = "";
  const asked = () => ({
    mu: model.get("mu"),
    sigma: model.get("sigma"),
    omega: model.get("omega"),
    rho: model.get("rho"),
    minor: model.get("minor"),
  });
  const lowestRho = (s) => +(0.01 - 1 / (s - 1)).toFixed(2);
  const clamp = (v, low, high) => Math.max(low, Math.min(v, high));

  const concepts = choice(
    "Concepts",
    [
      ["2", "two"],
      ["3", "three"],
    ],
    (value) => {
      const { mu, sigma, rho } = asked(),
        s = Number(value);
      if (s === mu.length) return;
      if (s === 2) Object.assign(spare, { mu: mu[2], sigma: sigma[2] });
      setTraits(model, {
        mu: s === 2 ? mu.slice(0, 2) : [...mu, spare.mu],
        sigma: s === 2 ? sigma.slice(0, 2) : [...sigma, spare.sigma],
        rho: Math.max(rho, lowestRho(s)),
      });
    },
  );
  const minor = choice(
    "Minor entries",
    [
      ["free", "learn"],
      ["held", "held at 0"],
    ],
    (value) => setTraits(model, { minor: value === "free" }),
  );
  // a slider shows the model's value, also where Python set one that lies between its stops
  const dial = (label, limits, read, write) =>
    slider(label, { ...limits, text: () => digits(read(), 3), oninput: write });
  const one = (trait, p, label, limits) =>
    dial(
      `${label}${LOW_DIGITS[p + 1]}`,
      limits,
      () => model.get(trait)[p],
      (v) => setTraits(model, { [trait]: model.get(trait).map((old, q) => (q === p ? v : old)) }),
    );
  const signals = [0, 1, 2].map((p) => one("mu", p, "Signal μ", { min: 0.5, max: 4, step: 0.05 }));
  const spreads = [0, 1, 2].map((p) => one("sigma", p, "Spread σ", { min: 0, max: 2, step: 0.05 }));
  const omega = dial(
    "Initial size ω",
    { min: -4 * STEPS, max: Math.round(Math.log10(0.5) * STEPS) },
    () => model.get("omega"),
    (k) => setTraits(model, { omega: Math.min(+(10 ** (k / STEPS)).toPrecision(3), 0.5) }),
  );
  const rho = dial(
    "Initial overlap ρ",
    { min: -0.99, max: 0.99, step: 0.01 },
    () => model.get("rho"),
    (v) => setTraits(model, { rho: v }),
  );
  const when = (tau) => `τ = ${digits(tau, 3)}, real time t = τ/2 = ${digits(tau / 2, 3)}`;
  const clock = slider("Clock", {
    min: 1,
    max: 1,
    text: (t) => (sim ? when(sim.taus[t]) : ""),
    oninput: (t) => setTraits(model, { clock: sim.taus[t] }),
  });
  const axes = choice(
    "Measure outputs",
    [
      ["signal", "as they are"],
      ["share", "by their target"],
    ],
    (measured) => setTraits(model, { measured }),
  );
  const planeNames = pairs(3).map((pair) => pair.join("-"));
  const planes = choice(
    "Plane of concepts",
    pairs(3).map(([i, j], at) => [planeNames[at], `${i + 1}, ${j + 1}`]),
    (plane) => setTraits(model, { plane }),
  );

  const line = summary(),
    dials = h("div", { class: "sx-dials" }),
    path = h("div"),
    readout = h("p", { class: "sx-hint" }),
    pathKey = h("div"),
    planeHost = h("div"),
    curveKey = h("div");
  const charts = [0, 1, 2].map(() => h("div"));
  root.append(
    line,
    h("div", { class: "sx-switches" }, concepts.node, minor.node),
    dials,
    h("div", { class: "sx-clock" }, clock.node),
    h(
      "div",
      { class: "sx-main" },
      h(
        "section",
        { class: "sx-path-panel" },
        h("h4", {}, "Output at x̂, the sum of the centres"),
        path,
        readout,
        pathKey,
        axes.node,
        planeHost,
      ),
      h("section", { class: "sx-charts" }, ...charts, curveKey),
    ),
  );

  /** Index on the grid of the time that is nearest on the log axis. */
  function nearest(tau) {
    const { taus } = sim,
      last = taus.length - 1;
    return clamp(1 + Math.round((Math.log(tau / taus[1]) / Math.log(taus[last] / taus[1])) * (last - 1)), 1, last);
  }

  function recompute() {
    const choices = asked(),
      wanted = JSON.stringify(choices);
    if (wanted === key) return;
    key = wanted;
    sim = simulate(choices);
    told = story(sim);
    const rows = signals.flatMap((signal, p) => (p < sim.s ? [signal.node, spreads[p].node] : []));
    const held = document.activeElement;
    if (dials.childElementCount !== 2 * sim.s + 2) dials.replaceChildren(...rows, omega.node, rho.node);
    if (held !== document.activeElement && root.contains(held)) held.focus();
    planeHost.replaceChildren(...(sim.s === 3 ? [planes.node] : []));
  }

  function draw() {
    recompute();
    const { s, mu, sigma } = sim;
    const start =
      model.get("clock") > 0 ? model.get("clock") : sim.taus[told.worst?.to ?? Math.round(sim.taus.length / 2)];
    const now = nearest(start);
    concepts.set(String(s));
    minor.set(sim.minor ? "free" : "held");
    axes.set(model.get("measured"));
    planes.set(model.get("plane"));
    mu.forEach((v, p) => signals[p].set(v));
    sigma.forEach((v, p) => spreads[p].set(v));
    omega.set(Math.log10(sim.omega) * STEPS);
    rho.set(sim.rho, { min: lowestRho(s) });
    clock.set(now, { min: 1, max: sim.taus.length - 1 });
    say(line, swingVerdict(sim, told));
    const [i, j] = s === 3 ? model.get("plane").split("-").map(Number) : [0, 1];
    drawPath(path, sim, told, now, [i, j], model.get("measured") === "share");
    const reached = sim.f[now]
      .map((v, k) => `${String(Math.round((100 * v) / mu[k])).replace("-", "−")} % of concept ${k + 1}`)
      .join(", ");
    readout.textContent = `At τ = ${digits(sim.taus[now], 3)} the output is ${reached}.`;
    const go = (tau) => setTraits(model, { clock: sim.taus[nearest(tau)] });
    [lossChart(sim, told), majorChart(sim), minorChart(sim)].forEach((chart, n) =>
      drawOverClock(charts[n], sim, told, now, go, chart),
    );
    const { curves, path: marks } = keys(sim, told);
    pathKey.replaceChildren(legend(marks));
    curveKey.replaceChildren(legend(curves));
  }

  return linkedView(
    { model, el },
    view,
    "swing-by.1",
    {
      ...{ mu: listOf(numberIn(0.5, 4), 2, 3), sigma: listOf(numberIn(0, 2), 2, 3), omega: numberIn(1e-4, 0.5) },
      ...{ rho: numberIn(-0.99, 0.99), clock: numberIn(0, 1e4), minor: oneOf([true, false]) },
      ...{ measured: oneOf(["signal", "share"]), plane: oneOf(planeNames) },
    },
    ({ mu, sigma, rho }) => mu.length === sigma.length && rho >= lowestRho(mu.length),
  );
}

export default { render };
