// Adam's update: bounds, growth, streams, and the effective step of a normalised layer.
// beta, gamma: Adam's beta_1, beta_2; n: steps from 1; u: update in learning rates. Pure functions.

/** C(beta, gamma): positive is stable in continuous time. */
export function exponent(beta, gamma) {
  return (2 * (1 - beta)) / beta - (1 - gamma) / gamma;
}

/** What the corrections for the start at zero multiply an update by. */
export function biasFactor(beta, gamma, n) {
  return Math.sqrt(1 - gamma ** n) / (1 - beta ** n);
}

/** T3: largest |u_n| of all histories of n gradients. */
export function exactBound(beta, gamma, n) {
  const q = (beta * beta) / gamma;
  const total = Math.abs(q - 1) < 1e-12 ? n : (1 - q ** n) / (1 - q);
  return ((1 - beta) / Math.sqrt(1 - gamma)) * Math.sqrt(total) * biasFactor(beta, gamma, n);
}

/** T2: the same in continuous time. */
export function continuousBound(beta, gamma, n) {
  const a = (1 - beta) / beta,
    b = (1 - gamma) / gamma,
    c = 2 * a - b;
  const total = Math.abs(c) < 1e-12 ? n : -Math.expm1(-c * n) / c;
  return (a / Math.sqrt(b)) * Math.sqrt(total) * biasFactor(beta, gamma, n);
}

/** Growth of ln |u| per step after the last gradient; the bound grows with it where positive. */
export function exactRate(beta, gamma) {
  return Math.log(beta) - Math.log(gamma) / 2;
}

/** The bound for n without end; Infinity outside the stable region. */
export function exactLimit(beta, gamma) {
  if (beta * beta >= gamma) return Infinity;
  return ((1 - beta) * Math.sqrt(gamma)) / Math.sqrt((1 - gamma) * (gamma - beta * beta));
}

/** "stable", "wedge" (safe although C <= 0) or "unstable". */
export function region(beta, gamma) {
  if (beta * beta >= gamma) return "unstable";
  return exponent(beta, gamma) > 0 ? "stable" : "wedge";
}

/** Gradients of one coordinate for n steps: "dense", "sparse" (with density rho), "dying" (none
 *  after step 20) or "worst" (the one that attains the bound). Normals by Box and Muller; the same
 *  seed gives the same normals whatever the kind. */
export function gradients(kind, n, rho, beta, gamma, seed) {
  const draw = generator(seed);
  return Array.from({ length: n }, (_, j) => {
    const normal = Math.sqrt(-2 * Math.log(draw())) * Math.cos(2 * Math.PI * draw());
    const present = draw() < rho;
    if (kind === "worst") return (gamma / beta) ** j;
    if (kind === "dying") return j < 20 ? normal : 0;
    return kind === "sparse" && !present ? 0 : normal;
  });
}

/** |u_1|, |u_2| ... of Adam without epsilon; 0 before the first gradient. */
export function simulate(beta, gamma, stream) {
  let m = 0,
    v = 0;
  return stream.map((g, j) => {
    m = beta * m + (1 - beta) * g;
    v = gamma * v + (1 - gamma) * g * g;
    return v > 0 ? (Math.abs(m) / Math.sqrt(v)) * biasFactor(beta, gamma, j + 1) : 0;
  });
}

/** A normalised layer of d weights under AdamW: step at equilibrium (rad), norm, steps in which the
 *  squared norm relaxes by 1/e, steps in which the direction is forgotten. */
export function effectiveRate(eta, decay, beta, d) {
  const product = eta * decay;
  return {
    angle: Math.sqrt((2 * product * (1 - beta)) / (1 + beta)),
    norm: Math.sqrt((eta * d) / (2 * decay)),
    relaxation: 1 / (2 * product),
    memory: 1 / product,
  };
}

/** Decay as -log10(1 - x), the scale of the square; and back. */
export const toMemory = (x) => -Math.log10(1 - x);
export const fromMemory = (t) => 1 - 10 ** -t;
