// The cumulative function of the normal distribution.

const ABOVE = [3.52624965998911e-2, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871, 221.213596169931, 220.206867912376];
const BELOW = [8.83883476483184e-2, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674, 637.333633378831, 793.826512519948, 440.413735824752];
const polynomial = (coefficients, x) => coefficients.reduce((sum, c) => sum * x + c, 0);

/** P(a standard normal is below x), to 1e-14 (Hart 1968, as given by West 2005). */
export function cumulative(x) {
  const far = Math.abs(x);
  let beyond = 0;
  if (far < 37) {
    const density = Math.exp((-far * far) / 2);
    if (far < 7.07106781186547) beyond = (density * polynomial(ABOVE, far)) / polynomial(BELOW, far);
    else beyond = density / (far + 1 / (far + 2 / (far + 3 / (far + 4 / (far + 0.65))))) / 2.506628274631;
  }
  return x > 0 ? 1 - beyond : beyond;
}
