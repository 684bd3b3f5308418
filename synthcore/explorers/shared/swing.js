// What the explorers of the identity map share: strengths of concepts, rises of a loss, numbers in words.

/** a_p = sigma_p^2 + mu_p^2 / s, the second moments of the training data. */
export function strengths(mu, sigma) {
  return mu.map((m, p) => sigma[p] ** 2 + (m * m) / mu.length);
}

/** The largest later rise above an earlier value: its size as a fraction of the first value (the
 *  draw-up), and the indices of the low and the high. */
export function largestRise(values) {
  const most = { size: 0, from: 0, to: 0 };
  let low = 0;
  values.forEach((v, i) => {
    if (v < values[low]) low = i;
    const size = (v - values[low]) / values[0];
    if (size > most.size) Object.assign(most, { size, from: low, to: i });
  });
  return most;
}

const LOW_DIGITS = "₀₁₂₃₄₅₆₇₈₉";
/** "w₁₂" for the entry of concepts 0 and 1. */
export function entryName([i, j]) {
  return `w${LOW_DIGITS[i + 1]}${LOW_DIGITS[j + 1]}`;
}

/** Significant digits without an exponent: "0.012", "1.5", "23". */
export function digits(v, n = 2) {
  return String(+v.toPrecision(n)).replace("-", "−");
}

const percent = (v) => `${(100 * v).toFixed(1)} %`;
