// The training explorer: the reader's clusters, start and rate; a network in a worker; the run beside the exact flow.

const SECONDS = 9, // that a whole run takes on the screen
  SLOWEST = 25, // updates per second at least
  STOPS = 20; // of sliders on a log axis, per factor of ten
// what reads each trait in the page's address
const READERS = {
  ...{ mu: listOf(numberIn(0.5, 4), 2), sigma: listOf(numberIn(0, 2), 2), network: oneOf(["tied", "linear", "relu"]) },
  ...{ start: oneOf(["alike", "random"]), omega: numberIn(1e-4, 0.5), rho: numberIn(-0.99, 0.99), width: wholeIn(2, 16) },
  ...{ rate: numberIn(1e-3, 0.1), batch: oneOf([8, 32, 0]), seed: wholeIn(0, 99) },
};

const FORMULAS = { tied: "f(x) = U Uᵀ x", linear: "f(x) = W₂ W₁ x", relu: "f(x) = W₂ max(0, W₁ x)" };
const hiddenUnits = ({ network, width }) => (network === "relu" ? 2 * width : width);

let runs = 0;

/** A run before its first update. */
export function newRun(settings) {
  const { mu, sigma } = settings,
    a = strengths(mu, sigma),
    flow = exactFlow(settings),
    network = trainer(settings);
  const run = {
    id: ++runs,
    settings,
    updates: flow.updates,
    theory: { t: flow.t, ...atSum(flow.maps, mu), train: mixtureLoss(flow.maps, a) },
    points: network.points,
    weak: a[0] <= a[1] ? 0 : 1,
    f: [],
    ood: [],
    lent: [],
    train: [],
    diverged: false,
  };
  extend(run, network.look());
  return run;
}

/** Appends what a network said of itself after each of some updates; a loss beyond all bounds ends the run. */
export function extend(run, seen) {
  for (let t = 0; t < seen.length && !run.diverged; t += 5) {
    const { f, ood, lent } = atSum([seen.slice(t, t + 4)], run.settings.mu);
    run.diverged = !(ood[0] <= 1e3 * (run.ood[0] ?? ood[0]));
    if (run.diverged) return;
    run.f.push(f[0]);
    run.ood.push(ood[0]);
    run.lent.push(lent[0]);
    run.train.push(seen[t + 4]);
  }
}

const KIND = {
  traits: Object.keys(READERS),
  apart: ["seed"],
  start: newRun,
  worker: trainingWorker,
  made: (run) => run.f.length - 1,
  updates: (run) => run.updates,
  ended: (run) => run.diverged || run.f.length > run.updates,
  pace: (run) => Math.max(run.updates / SECONDS, SLOWEST),
  take: (run, { seen }) => extend(run, seen),
};

function render({ model, el }) {
  const view = frame(el, "train", () => training.draw()),
    { root } = view;
  let scenes = [],
    said = "";
  const rises = new Map(); // of finished runs, by seed
  const training = trainingOf(model, view, KIND, {
    build,
    refresh,
    finish(run) {
      if (!run.diverged) rises.set(run.settings.seed, measuredRise(run)?.size ?? 0);
    },
    forget: () => rises.clear(),
  });

  const listed = (label, trait, options, read = (v) => v) =>
    choice(label, options, (value) => setTraits(model, { [trait]: read(value) }));
  const choices = {
    network: listed("Network", "network", [
      ["tied", "linear, tied"],
      ["linear", "linear"],
      ["relu", "ReLU"],
    ]),
    start: listed("Start", "start", [
      ["alike", "by ω and ρ"],
      ["random", "random"],
    ]),
    batch: listed(
      "Points per update",
      "batch",
      [
        ["8", "8"],
        ["32", "32"],
        ["0", "all 200"],
      ],
      Number,
    ),
  };
  // a slider shows the model's value, also where Python set one that lies between its stops
  const dial = (label, limits, read, write) => slider(label, { ...limits, text: () => digits(read(), 3), oninput: write });
  const one = (trait, k, label, limits) =>
    dial(
      label,
      limits,
      () => model.get(trait)[k],
      (v) => setTraits(model, { [trait]: model.get(trait).map((old, q) => (q === k ? v : old)) }),
    );
  const plain = (trait, label, limits) => dial(label, limits, () => model.get(trait), (v) => setTraits(model, { [trait]: v }));
  const logarithmic = (trait, label, low, high) =>
    dial(
      label,
      { min: Math.round(Math.log10(low) * STOPS), max: Math.round(Math.log10(high) * STOPS) },
      () => model.get(trait),
      (n) => setTraits(model, { [trait]: Math.min(Math.max(+(10 ** (n / STOPS)).toPrecision(2), low), high) }),
    );
  const signals = ["Signal μ₁", "Signal μ₂"].map((label, k) => one("mu", k, label, { min: 0.5, max: 4, step: 0.05 })),
    spreads = ["Spread σ₁", "Spread σ₂"].map((label, k) => one("sigma", k, label, { min: 0, max: 2, step: 0.05 })),
    omega = logarithmic("omega", "Size ω", 1e-4, 0.5),
    rho = plain("rho", "Overlap ρ", { min: -0.99, max: 0.99, step: 0.01 }),
    width = plain("width", "Width", { min: 2, max: 16 }),
    rate = logarithmic("rate", "Learning rate", 1e-3, 0.1),
    seed = plain("seed", "Seed", { min: 0, max: 99 }),
    dials = [signals[0], spreads[0], signals[1], spreads[1], omega, rho, width, rate, seed];

  const line = summary(),
    tally = h("p", { class: "sx-hint sx-tally" }),
    formula = h("p", { class: "sx-hint" }),
    flowHint = h(
      "p",
      { class: "sx-hint" },
      "Exact flow: the linear network from the same start, with steps as small as you like, on the clusters themselves in place of 200 points.",
    ),
    plane = h("div"),
    losses = h("div"),
    coordinate = h("div"),
    planeKey = h("div"),
    chartKey = h("div"),
    cells = Array.from({ length: 4 }, () => [h("th", { scope: "row" }), h("td"), h("td")]);
  const table = h(
    "table",
    { class: "sx-table" },
    h("thead", {}, h("tr", {}, h("td"), h("th", { scope: "col" }, "network"), h("th", { scope: "col" }, "exact flow"))),
    h("tbody", {}, ...cells.map((row) => h("tr", {}, ...row))),
  );
  root.append(
    line,
    training.row,
    tally,
    h(
      "div",
      { class: "sx-main" },
      h("section", { class: "sx-plane" }, h("h4", {}, "Output at x̂, the sum of the centres"), formula, plane, planeKey, flowHint),
      h("section", { class: "sx-charts" }, losses, coordinate, chartKey, table),
    ),
    h("div", { class: "sx-switches" }, choices.network.node, choices.start.node, choices.batch.node),
    h("div", { class: "sx-dials" }, ...dials.map((control) => control.node)),
  );

  function build(run) {
    const { settings } = run,
      random = settings.start === "random";
    for (const [name, control] of Object.entries(choices)) control.set(String(settings[name]));
    settings.mu.forEach((v, k) => signals[k].set(v));
    settings.sigma.forEach((v, k) => spreads[k].set(v));
    omega.set(Math.log10(settings.omega) * STOPS);
    rho.set(settings.rho);
    rho.input.disabled = random;
    width.set(settings.width);
    rate.set(Math.log10(settings.rate) * STOPS);
    seed.set(settings.seed);
    scenes = [planeScene(plane, run), lossScene(losses, run), coordinateScene(coordinate, run)];
    formula.textContent = `${FORMULAS[settings.network]}, ${hiddenUnits(settings)} hidden units, trained to give back the points it is shown.`;
    const { plane: marks, charts } = keys(run);
    planeKey.replaceChildren(legend(marks));
    chartKey.replaceChildren(legend(charts));
    said = "";
  }

  function refresh(run, playing) {
    for (const move of scenes) move();
    comparison(run).forEach((row, i) => row.forEach((text, j) => say(cells[i][j], text)));
    say(tally, tallyText(rises));
    const stage = playing ? phaseOf(run) : `${KIND.made(run)}`; // while it moves, a new sentence for a new phase only
    if (stage !== said) say(line, trainingVerdict(run, playing));
    said = stage;
  }

  return linkedView({ model, el }, view, "train.1", READERS);
}

export default { render };
