// The training explorer: the reader's clusters, start and rate; a network in a worker; the run beside the exact flow.

const SECONDS = 9, // that a whole run takes on the screen
  SLOWEST = 25, // updates per second at least
  STOPS = 20; // of sliders on a log axis, per factor of ten
const TRAITS = ["mu", "sigma", "network", "start", "omega", "rho", "width", "rate", "batch", "seed"];

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

const finished = (run) => run.diverged || run.f.length > run.updates;

function render({ model, el }) {
  const view = frame(el, "train", draw),
    { root } = view,
    calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  let run = null,
    key = "",
    scenes = [],
    worker = null,
    sent = 0, // the run that the worker knows
    waiting = false,
    playing = false,
    due = 0, // updates that the clock allows
    before = 0,
    ticking = 0,
    said = "";
  const rises = new Map(); // of finished runs, by seed
  let family = ""; // settings without the seed, to which they belong

  // ------------------------------------------------------------ training

  function ask(count) {
    const asked = Math.min(count, run.updates - (run.f.length - 1));
    if (waiting || asked < 1) return;
    worker ??= trainingWorker(receive);
    waiting = true;
    worker.ask({ run: run.id, settings: sent === run.id ? undefined : run.settings, count: asked });
    sent = run.id;
  }
  function receive({ run: id, seen }) {
    if (id !== run.id) return; // of a run that was given up
    waiting = false;
    extend(run, seen);
    if (finished(run)) {
      playing = false;
      if (!run.diverged) rises.set(run.settings.seed, measuredRise(run)?.size ?? 0);
    }
    refresh();
  }
  function tick(now) {
    ticking = 0;
    if (!playing) return;
    due += (Math.min(now - before, 100) / 1000) * Math.max(run.updates / SECONDS, SLOWEST);
    before = now;
    if (due >= 1 && !waiting) {
      ask(Math.floor(due));
      due -= Math.floor(due);
    }
    ticking = requestAnimationFrame(tick);
  }
  function play() {
    playing = true;
    if (calm.matches) ask(run.updates);
    else if (!ticking) {
      due = 1;
      before = performance.now();
      ticking = requestAnimationFrame(tick);
    }
    refresh();
  }
  function pause() {
    playing = false;
    refresh();
  }
  /** A new run from the traits. An answer that is still on its way belongs to the old one. */
  function restart() {
    const settings = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
    key = JSON.stringify(settings);
    run = newRun(settings);
    waiting = false;
    due = 0;
    const group = JSON.stringify({ ...settings, seed: 0 });
    if (group !== family) rises.clear();
    family = group;
    build();
    if (playing && calm.matches) ask(run.updates);
  }

  // ------------------------------------------------------------ controls

  function change(values) {
    for (const [trait, value] of Object.entries(values)) model.set(trait, value);
    model.save_changes();
    view.redraw();
  }
  const listed = (label, trait, options, read = (v) => v) =>
    choice(label, options, (value) => change({ [trait]: read(value) }));
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
      (v) => change({ [trait]: model.get(trait).map((old, q) => (q === k ? v : old)) }),
    );
  const plain = (trait, label, limits) => dial(label, limits, () => model.get(trait), (v) => change({ [trait]: v }));
  const logarithmic = (trait, label, low, high) =>
    dial(
      label,
      { min: Math.round(Math.log10(low) * STOPS), max: Math.round(Math.log10(high) * STOPS) },
      () => model.get(trait),
      (n) => change({ [trait]: Math.min(Math.max(+(10 ** (n / STOPS)).toPrecision(2), low), high) }),
    );
  const signals = ["Signal μ₁", "Signal μ₂"].map((label, k) => one("mu", k, label, { min: 0.5, max: 4, step: 0.05 })),
    spreads = ["Spread σ₁", "Spread σ₂"].map((label, k) => one("sigma", k, label, { min: 0, max: 2, step: 0.05 })),
    omega = logarithmic("omega", "Size ω", 1e-4, 0.5),
    rho = plain("rho", "Overlap ρ", { min: -0.99, max: 0.99, step: 0.01 }),
    width = plain("width", "Width", { min: 2, max: 16 }),
    rate = logarithmic("rate", "Learning rate", 1e-3, 0.1),
    seed = plain("seed", "Seed", { min: 0, max: 99 }),
    dials = [signals[0], spreads[0], signals[1], spreads[1], omega, rho, width, rate, seed];

  const train = button("Train", () => {
    if (playing) return pause();
    if (finished(run)) restart();
    play();
  });
  train.classList.add("sx-primary");
  const step = button(
    "One update",
    () => {
      playing = false;
      ask(1);
      refresh();
    },
    "pause, and make a single update",
  );
  const again = button("Restart", () => restart(), "back to the start, with the same seed");
  const another = button(
    "Next seed",
    () => {
      playing = true;
      change({ seed: (model.get("seed") + 1) % 100 });
    },
    "train from other random numbers",
  );

  // -------------------------------------------------------------- drawing

  const line = summary(),
    bar = h("progress", { max: 1, value: 0, "aria-label": "updates made" }),
    count = h("span", { class: "sx-count" }),
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
    h("div", { class: "sx-actions" }, train, step, again, another, bar, count),
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

  /** Everything that stays while a network trains. */
  function build() {
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
    refresh();
  }

  /** Everything that moves while a network trains. */
  function refresh() {
    for (const move of scenes) move();
    comparison(run).forEach((row, i) => row.forEach((text, j) => say(cells[i][j], text)));
    const made = run.f.length - 1,
      done = finished(run);
    bar.value = made / run.updates;
    say(count, `${number(made)} of ${number(run.updates)} updates`);
    say(train, playing ? "Pause" : done ? "Train again" : made ? "Go on" : "Train");
    step.disabled = done;
    again.disabled = made === 0;
    say(tally, tallyText(rises));
    const stage = playing ? phaseOf(run) : `${made}`; // while it moves, a new sentence for a new phase only
    if (stage !== said) say(line, trainingVerdict(run, playing));
    said = stage;
  }

  function draw() {
    if (JSON.stringify(Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]))) !== key) restart();
    else build();
  }

  const events = TRAITS.map((trait) => `change:${trait}`);
  events.forEach((event) => model.on(event, view.redraw));
  return () => {
    events.forEach((event) => model.off?.(event, view.redraw));
    playing = false;
    cancelAnimationFrame(ticking);
    worker?.stop();
    view.stop();
  };
}

export default { render };
