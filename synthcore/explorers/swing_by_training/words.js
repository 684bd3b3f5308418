// What is said of a run: before, while it goes on, and after it. All of it is read off the numbers that are drawn.

const LEAST = 0.01, // of the first loss: a smaller rise is no swing-by, and may be the noise of sampling
  COUNTS = 0.02; // a rise that is counted over seeds

/** What the exact flow foretells: the draw-up and the updates at which it begins and ends; null for less than 1 %. */
export function predictedRise({ theory, settings }) {
  const { size, from, to } = largestRise(theory.ood);
  return size < LEAST ? null : { size, from: theory.t[from] / settings.rate, to: theory.t[to] / settings.rate };
}

/** The same, of the network so far. */
export function measuredRise(run) {
  const rise = largestRise(run.ood);
  return rise.size < LEAST ? null : rise;
}

/** "before", "rising", "after" or "falling" (no rise so far), now. */
export function phaseOf(run) {
  const now = run.ood[run.ood.length - 1],
    rise = measuredRise(run);
  if (run.ood.length === 1) return "before";
  if (!rise) return "falling";
  return now > run.ood[rise.to] - LEAST * run.ood[0] ? "rising" : "after";
}

const share = (v) => percent(v).replace("-", "−");
const atUpdate = (v) => number(Math.round(v));

/** The coordinate whose error grew most between two updates. */
function losing(run, from, to) {
  const grown = run.settings.mu.map((m, k) => (run.f[to][k] - m) ** 2 - (run.f[from][k] - m) ** 2);
  return grown[0] >= grown[1] ? 0 : 1;
}

/** What happened to the losing coordinate between two updates, and to what the other cluster lends it. */
function withdrawn(run, from, to) {
  const k = losing(run, from, to),
    [before, after] = [run.f[from][k], run.f[to][k]],
    [lent, left] = [run.lent[from][k], run.lent[to][k]],
    other = 2 - k;
  const moved = `coordinate ${k + 1} of the output went from ${digits(before)} to ${digits(after)} (target ${digits(run.settings.mu[k], 3)})`;
  if (lent <= left || before <= after) return moved;
  return `${moved}; of this cluster ${other} lent ${digits(lent)} before and ${digits(left)} after`;
}

/** A loss without a rise worth the name. */
function calm(losses, only, never) {
  const { size } = largestRise(losses);
  return size < 5e-4 ? only : `${never} by more than ${share(size)} of its start`;
}

/** The largest learning rate at which the identity is stable, if the layers are balanced. */
export function largestRate({ mu, sigma, network }) {
  return 1 / ((network === "tied" ? 2 : 1) * Math.max(...strengths(mu, sigma)));
}

/** A warning where steps are so large that they make bumps of their own. */
function unstable({ settings }) {
  const limit = largestRate(settings);
  if (settings.rate < limit) return "";
  return ` Learning rates above ${digits(limit)} are unstable here: their bumps are no swing-by.`;
}

function foretold(run) {
  const rise = predictedRise(run);
  const flow = run.settings.network === "relu" ? "the linear network that starts as the same map" : "this network";
  if (!rise) return `In the exact flow of ${flow} the loss at x̂ ${calm(run.theory.ood, "only falls", "never rises")}: no swing-by.`;
  return (
    `In the exact flow of ${flow} the loss at x̂ falls until update ${atUpdate(rise.from)}, rises by ${share(rise.size)} of its ` +
    `start until update ${atUpdate(rise.to)}, and falls again: a swing-by.`
  );
}

/** One or two sentences on where a run stands; `live` while it moves, so without numbers that would change at once. */
export function trainingVerdict(run, live = false) {
  const last = run.ood.length - 1,
    rise = measuredRise(run),
    phase = phaseOf(run);
  if (run.diverged)
    return `Diverged after ${atUpdate(last)} updates: the learning rate ${digits(run.settings.rate, 3)} is too large for these clusters, of which the identity is stable below ${digits(largestRate(run.settings))}.`;
  if (phase === "before") return `${foretold(run)}${unstable(run)} Press Train and see.`;
  const fell = (to) => run.train[to] < run.train[rise.from];
  if (last < run.updates) {
    const train = phase === "rising" && fell(last) ? ", while the training loss falls" : "";
    if (phase === "falling") return "Training: no rise of the loss at x̂ so far.";
    if (phase === "rising" && live)
      return `The loss at x̂ rises${train}: coordinate ${losing(run, rise.from, last) + 1} of the output moves away from its target.`;
    if (phase === "rising") return `The loss at x̂ rises${train}: ${withdrawn(run, rise.from, last)}.`;
    return `The rise is over: the loss at x̂ went up by ${share(rise.size)} of its start, and falls again.`;
  }
  const far = run.f[last].map((v, k) => [k, v / run.settings.mu[k]]).filter(([, v]) => Math.abs(v - 1) > 0.05);
  const rest = far.map(([k, v]) => ` Coordinate ${k + 1} is at ${digits(100 * v)} % of its target.`).join("") + unstable(run);
  if (!rise) return `Done: the loss at x̂ ${calm(run.ood, "only fell", "never rose")}. ${foretold(run)}${rest}`;
  const predicted = predictedRise(run),
    flow = predicted
      ? `exact flow: ${share(predicted.size)}, ${atUpdate(predicted.from)} to ${atUpdate(predicted.to)}`
      : "exact flow: no swing-by",
    train = fell(rise.to) ? ", while the training loss fell" : "";
  return (
    `Done: the loss at x̂ rose by ${share(rise.size)} of its start between updates ${atUpdate(rise.from)} and ` +
    `${atUpdate(rise.to)} (${flow})${train}. Meanwhile ${withdrawn(run, rise.from, rise.to)}.${rest}`
  );
}

/** How many of the seeds that were trained with the same settings swung by. */
export function tallyText(rises) {
  const all = [...rises.values()],
    many = all.filter((size) => size > COUNTS).length;
  if (!all.length) return "";
  const mostly = `${many} of ${all.length} ${all.length === 1 ? "seed" : "seeds"}`;
  return `With these settings the loss at x̂ rose by more than 2 % of its start in ${mostly}.`;
}

/** Rows [what, network, exact flow] of the table beside the plane. */
export function comparison(run) {
  const last = run.f.length - 1,
    [measured, predicted] = [measuredRise(run), predictedRise(run)];
  const pair = (f) => f.map((v) => v.toFixed(2).replace("-", "−")).join(", ");
  const row = (what, text, none = "–") => [what, measured ? text(measured) : none, predicted ? text(predicted) : none];
  return [
    ["output at x̂", pair(run.f[last]), pair(expectedAt(run, last))],
    row("rise of the loss at x̂", ({ size }) => share(size), "under 1 %"),
    row("… from update", ({ from }) => atUpdate(from)),
    row("… to update", ({ to }) => atUpdate(to)),
  ];
}
