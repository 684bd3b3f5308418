// Two-layer networks f(x) = W2 act(W1 x) without biases on two concepts: start, data, gradient descent, one update at a time.
// The same numbers in Python: stream.py draws them, any torch network trained on them follows (tested to 1e-5).
//
// Settings: { mu, sigma, omega, rho, network: "tied" | "linear" | "relu", start: "alike" | "random", width, rate, batch, seed }.
// Letters: K directions (`width`), H hidden units (K, or 2 K with ReLU), N points. Matrices are in row order.
// These functions also make up the text of the worker, so they call each other and nothing else of this module.

/** { hidden, first: W1 (H, 2), second: W2 (2, H) } before training. The map at the start is V U^T with U, V (2, K).
 *  "alike": U = V and U U^T = omega [[1, rho], [rho, 1]], turned by a random rotation of the hidden units. "random": every
 *  entry normal with variance omega / K. "tied": V is U and stays so. A ReLU network has every direction twice, the second
 *  time with both signs turned, so that it starts as the same map: max(0, z) - max(0, -z) = z. */
export function initialWeights({ network, start, omega, rho, width, seed }) {
  const k = width,
    uniform = generator(3 * seed),
    u = normals(uniform, 2 * k);
  let v = u;
  if (start === "random") {
    if (network !== "tied") v = normals(uniform, 2 * k);
    const scale = Math.sqrt(omega / k);
    for (const matrix of new Set([u, v])) for (let e = 0; e < 2 * k; e++) matrix[e] *= scale;
  } else {
    // orthonormal rows by Gram and Schmidt, then the symmetric root of W(0)
    const dot = (i, j) => {
      let sum = 0;
      for (let e = 0; e < k; e++) sum += u[i * k + e] * u[j * k + e];
      return sum;
    };
    const length = Math.sqrt(dot(0, 0));
    for (let e = 0; e < k; e++) u[e] /= length;
    const along = dot(0, 1);
    for (let e = 0; e < k; e++) u[k + e] -= along * u[e];
    const rest = Math.sqrt(dot(1, 1));
    for (let e = 0; e < k; e++) u[k + e] /= rest;
    const plus = Math.sqrt(omega * (1 + rho)),
      minus = Math.sqrt(omega * (1 - rho)),
      own = (plus + minus) / 2,
      other = (plus - minus) / 2;
    for (let e = 0; e < k; e++) {
      const [p, q] = [u[e], u[k + e]];
      u[e] = own * p + other * q;
      u[k + e] = other * p + own * q;
    }
  }
  const hidden = network === "relu" ? 2 * k : k,
    first = new Float64Array(2 * hidden),
    second = new Float64Array(2 * hidden);
  for (let i = 0; i < hidden; i++)
    for (let c = 0; c < 2; c++) {
      const sign = i < k ? 1 : -1;
      first[2 * i + c] = sign * u[c * k + (i % k)];
      second[c * hidden + i] = sign * v[c * k + (i % k)];
    }
  return { hidden, first, second };
}

/** 100 points of each cluster, the first cluster's first: 2 * 200 numbers. */
export function trainingPoints({ mu, sigma, seed }) {
  const each = 100,
    points = normals(generator(3 * seed + 1), 4 * each);
  for (let i = 0; i < 2 * each; i++)
    for (let c = 0; c < 2; c++) points[2 * i + c] = points[2 * i + c] * sigma[c] + (c === (i < each ? 0 : 1) ? mu[c] : 0);
  return points;
}

/** A network in training. `look()` is what it is now, five numbers: its map at x^ (f(x^) = map x^; 2 x 2, for a linear
 *  network W2 W1) and its loss on all training points. `advance(count)` makes updates and gives what `look()` says after
 *  each. The loss is |f(x) - x|^2 / 2, averaged over the batch: `batch` points drawn with replacement, or all for 0. */
export function trainer(settings) {
  const { mu, network, rate, batch, seed } = settings,
    relu = network === "relu",
    { hidden, first, second } = initialWeights(settings),
    points = trainingPoints(settings),
    n = points.length / 2,
    size = batch || n,
    uniform = generator(3 * seed + 2),
    activation = new Float64Array(hidden),
    error = new Float64Array(2),
    toFirst = new Float64Array(2 * hidden),
    toSecond = new Float64Array(2 * hidden);

  /** activation and error f(x) - x at a point */
  function forward(x, y) {
    error[0] = -x;
    error[1] = -y;
    for (let i = 0; i < hidden; i++) {
      const z = first[2 * i] * x + first[2 * i + 1] * y;
      activation[i] = relu && z <= 0 ? 0 : z;
      error[0] += second[i] * activation[i];
      error[1] += second[hidden + i] * activation[i];
    }
  }

  function update() {
    toFirst.fill(0);
    toSecond.fill(0);
    for (let b = 0; b < size; b++) {
      const at = batch ? Math.floor(uniform() * n) : b,
        x = points[2 * at],
        y = points[2 * at + 1];
      forward(x, y);
      for (let i = 0; i < hidden; i++) {
        if (relu && activation[i] === 0) continue;
        const back = error[0] * second[i] + error[1] * second[hidden + i];
        toFirst[2 * i] += back * x;
        toFirst[2 * i + 1] += back * y;
        toSecond[i] += error[0] * activation[i];
        toSecond[hidden + i] += error[1] * activation[i];
      }
    }
    const step = rate / size;
    for (let i = 0; i < hidden; i++)
      for (let c = 0; c < 2; c++) {
        const [f, s] = [2 * i + c, c * hidden + i];
        if (network === "tied") first[f] = second[s] -= step * (toFirst[f] + toSecond[s]);
        else {
          first[f] -= step * toFirst[f];
          second[s] -= step * toSecond[s];
        }
      }
  }

  function look() {
    const map = [0, 0, 0, 0];
    for (let i = 0; i < hidden; i++) {
      if (relu && first[2 * i] * mu[0] + first[2 * i + 1] * mu[1] <= 0) continue;
      for (let e = 0; e < 4; e++) map[e] += second[(e >> 1) * hidden + i] * first[2 * i + (e & 1)];
    }
    let loss = 0;
    for (let i = 0; i < n; i++) {
      forward(points[2 * i], points[2 * i + 1]);
      loss += (error[0] ** 2 + error[1] ** 2) / (2 * n);
    }
    return [...map, loss];
  }

  function advance(count) {
    const seen = new Float64Array(5 * count);
    for (let t = 0; t < count; t++) {
      update();
      seen.set(look(), 5 * t);
    }
    return seen;
  }

  return { first, second, points, look, advance };
}
