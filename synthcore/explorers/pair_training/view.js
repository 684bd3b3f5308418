// The pair learner in the page: the reader's sizes and density; a learner in a worker; its curves beside what percolation says.

const UPDATES = 2000, // of a run
  SECONDS = 8; // that a whole run takes on the screen, where the machine is fast enough
const ENTITIES = [16, 24, 32, 48, 64, 96],
  PROPERTIES = [64, 128, 256, 512, 1024],
  CLASSES = [2, 4, 8],
  BATCHES = [16, 32, 64, 128];
// what reads each trait in the page's address
const READERS = {
  ...{ entities: oneOf(ENTITIES), properties: oneOf(PROPERTIES), classes: oneOf(CLASSES), density: numberIn(0.05, 0.95) },
  ...{ batch: oneOf(BATCHES), rate: numberIn(0.0005, 0.02), seed: wholeIn(0, 99) },
};
const SERIES = [
  { name: "probability of the class", colour: "--sx-accent", of: (row) => row[1] },
  { name: "of it, on edges", colour: "--sx-edges", of: (row) => row[2] },
  { name: "of it, never shown", colour: "--sx-never", of: (row) => row[1] - row[2] },
  { name: "pairs that shown pairs join", colour: "--sx-soft", dash: "5 4", of: (row) => row[4] },
];

let runs = 0;

/** A run before its first update. */
export function newRun(settings) {
  const edges = constraintEdges(settings).reduce((sum, row) => sum + row.length, 0),
    pairs = (settings.entities * settings.properties) / settings.classes;
  return { id: ++runs, settings, made: 0, rows: [], critical: percolates(settings), edges, pairs };
}

/** The update at which a column of the rows reaches a level for good, interpolated in log time; null if never. */
export function reachedAt(rows, value, level) {
  let at = rows.length;
  while (at > 0 && value(rows[at - 1]) >= level) at--;
  if (at === rows.length) return null;
  if (at === 0) return rows[0][0];
  const [a, b] = [rows[at - 1], rows[at]],
    part = (level - value(a)) / (value(b) - value(a));
  return a[0] * (b[0] / a[0]) ** part;
}

/** What a run has shown so far: chance of the class, the onset (a sixth of the way from chance to one), the peak of what is never
 *  shown, and where a tenth of the pairs is joined. */
export function readOff({ rows, settings }) {
  const chance = 1 / settings.classes,
    never = SERIES[2].of,
    peak = rows.reduce((best, row) => (best && never(best) >= never(row) ? best : row), null);
  return {
    chance,
    onset: reachedAt(rows, SERIES[0].of, chance + (1 - chance) / 6),
    joined: reachedAt(rows, SERIES[3].of, 0.1),
    peak: peak && { at: peak[0], share: never(peak) },
  };
}

const whole = (v) => number(Math.round(v)),
  percent = (v) => `${(100 * v).toFixed(1)} %`;

/** One to three sentences on where a run stands. */
export function learnerVerdict(run) {
  const { onset, peak } = readOff(run),
    last = run.rows[run.rows.length - 1],
    early = Number.isFinite(run.critical)
      ? `By theory the pairs shown so far percolate within every class at update ${whole(Math.max(run.critical, 1))}.`
      : "This graph has too few edges: even all of them together do not percolate.";
  if (!last) return `${early} Press Train, and see when the learner notices the classes.`;
  if (onset === null) return `${early} So far the probability of the class stays near chance: the plateau.`;
  const noticed = `${early} The class is noticed at update ${whole(onset)}.`;
  if (run.made < UPDATES) return noticed;
  const now = SERIES[2].of(last),
    fell = now < 0.9 * peak.share;
  return (
    `${noticed} What is on never-shown pairs of the class was highest at update ${whole(peak.at)}` +
    (fell ? `, and fell again from ${percent(peak.share)} to ${percent(now)}: memory takes over.` : ", and has hardly fallen yet.")
  );
}

/** How onsets of finished runs grow with |K|, where all else was the same; "" for fewer than two sizes. */
export function slopeText(done) {
  const points = [...done.values()].map(({ properties, onset }) => [Math.log(properties), Math.log(onset)]),
    sizes = new Set(points.map(([x]) => x));
  if (sizes.size < 2) return "";
  const mean = (i) => points.reduce((sum, point) => sum + point[i], 0) / points.length,
    [mx, my] = [mean(0), mean(1)],
    slope =
      points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) / points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  return `Your ${points.length} runs with different |K|: onsets grow as |K| to the power ${slope.toFixed(2)}; the threshold of percolation says 0.50.`;
}

function drawCurves(host, run) {
  const area = { left: 50, right: Math.max(host.clientWidth, 160) - 12, top: 6, bottom: 246 };
  const about = `${number(run.edges)} edges of ${number(run.pairs)} same-class pairs`;
  const { svg } = canvas(host, area.bottom + 40, "Probabilities of the learner and joined pairs over updates.", about);
  const x = scale(1, UPDATES, area.left, area.right, true),
    y = scale(0, 1, area.bottom, area.top);
  axis(svg, "x", area, [1, 10, 100, 1000].map((v) => [x(v), short(v)]), "updates");
  axis(svg, "y", area, [0, 0.25, 0.5, 0.75, 1].map((v) => [y(v), short(v)]), "share", { grid: true });
  const chance = 1 / run.settings.classes;
  svg.append(g("line", { x1: area.left, x2: area.right, y1: y(chance), y2: y(chance), class: "sx-chance" }));
  const at = Math.min(Math.max(run.critical, 1), UPDATES);
  if (Number.isFinite(run.critical)) svg.append(g("line", { x1: x(at), x2: x(at), y1: area.top, y2: area.bottom, class: "sx-critical" }));
  const drawn = SERIES.map((s) => {
    const node = g("path", { class: "sx-line", "data-series": s.name, style: `stroke: var(${s.colour}); stroke-width: 2.4px` });
    if (s.dash) node.style.strokeDasharray = s.dash;
    svg.append(node);
    return node;
  });
  const mark = g("circle", { r: 5, class: "sx-onset", visibility: "hidden" });
  svg.append(mark);
  return () => {
    const xs = run.rows.map((row) => x(row[0]));
    SERIES.forEach((s, i) => drawn[i].setAttribute("d", path(xs, run.rows.map((row) => y(s.of(row))))));
    const { onset } = readOff(run);
    mark.setAttribute("visibility", onset === null ? "hidden" : "visible");
    if (onset === null) return;
    mark.setAttribute("cx", x(onset));
    mark.setAttribute("cy", y(chance + (1 - chance) / 6));
  };
}

const KIND = {
  traits: Object.keys(READERS),
  apart: ["properties", "seed"],
  start: newRun,
  worker: trainingWorker,
  made: (run) => run.made,
  updates: () => UPDATES,
  ended: (run) => run.made >= UPDATES,
  // on a log axis: as many again in every equal stretch of time
  pace: (run) => (Math.log(UPDATES) * Math.max(run.made, 8)) / SECONDS,
  take(run, { made, seen }) {
    run.made = made;
    run.rows.push(...seen);
  },
};

function render({ model, el }) {
  const view = frame(el, "learner", () => training.draw()),
    { root } = view;
  let move = () => {};
  const done = new Map(); // |K| and seed -> onset of finished runs
  const training = trainingOf(model, view, KIND, {
    build,
    refresh,
    finish(run) {
      const { properties, seed } = run.settings,
        { onset } = readOff(run);
      if (onset !== null) done.set(`${properties} ${seed}`, { properties, onset });
    },
    forget: () => done.clear(),
  });

  const among = (label, trait, values) =>
    slider(label, { max: values.length - 1, text: (i) => number(values[i]), oninput: (i) => setTraits(model, { [trait]: values[i] }) });
  const entities = among("Entities |E|", "entities", ENTITIES),
    properties = among("Properties |K|", "properties", PROPERTIES),
    batch = among("Pairs per update", "batch", BATCHES),
    density = slider("Density of edges", { min: 5, max: 95, step: 5, text: (v) => `${v} %`, oninput: (v) => setTraits(model, { density: v / 100 }) }),
    seed = slider("Seed", { max: 99, oninput: (v) => setTraits(model, { seed: v }) }),
    classes = choice("Classes |C|", CLASSES.map((c) => [String(c), String(c)]), (c) => setTraits(model, { classes: Number(c) }));
  const line = summary(),
    tally = h("p", { class: "sx-hint sx-tally" }),
    chart = h("div"),
    marks = h("div");
  root.append(
    line,
    training.row,
    tally,
    chart,
    marks,
    h("div", { class: "sx-controls" }, entities.node, properties.node, density.node, batch.node, seed.node),
    h("div", { class: "sx-switches" }, classes.node),
  );

  function build(run) {
    const { settings } = run;
    entities.set(ENTITIES.indexOf(settings.entities));
    properties.set(PROPERTIES.indexOf(settings.properties));
    batch.set(BATCHES.indexOf(settings.batch));
    density.set(Math.round(100 * settings.density));
    seed.set(settings.seed);
    classes.set(String(settings.classes));
    move = drawCurves(chart, run);
    marks.replaceChildren(
      legend([
        ...SERIES.map(({ name, colour, dash }) => ({ name, colour, dash, width: 2.4 })),
        { name: "vertical: percolation, in theory", colour: "--sx-ink", dash: "2 3", width: 1.6 },
        { name: "the class is noticed", colour: "--sx-accent", dot: 4 },
      ]),
    );
  }

  function refresh(run) {
    move();
    say(tally, slopeText(done));
    say(line, learnerVerdict(run));
  }

  return linkedView({ model, el }, view, "learner.1", READERS);
}

export default { render };
