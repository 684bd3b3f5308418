// The pair learner: P(property | entity) is a softmax of u_e . v_k, trained by Adam on pairs that a constraint graph allows.
// The same numbers in Python: stream.py draws them, a torch model trained on them follows (tested to 1e-5).
//
// Settings: { entities, properties, classes, density, batch, rate, seed }.
// Letters: E entities, K properties, W numbers of each. Tables are in row order, (E, W) and (K, W).
// These functions also make up the text of the worker, so they call each other and nothing else of this module.

/** Properties that training may show with every entity: an array per entity. Within a class a pair is an edge with probability
 *  `density`; a row without edges is drawn again. */
export function constraintEdges({ entities, properties, classes, density, seed }) {
  const uniform = generator(3 * seed + 1),
    perClass = properties / classes,
    rows = [];
  for (let e = 0; e < entities; e++) {
    const first = Math.floor((e * classes) / entities) * perClass;
    let row = [];
    while (!row.length) for (let k = 0; k < perClass; k++) if (uniform() < density) row.push(first + k);
    rows.push(row);
  }
  return rows;
}

/** { u, v, width } before training: normal, of standard deviation 0.02. */
export function initialTables({ entities, properties, seed }) {
  const width = 16,
    uniform = generator(3 * seed),
    u = normals(uniform, entities * width),
    v = normals(uniform, properties * width);
  for (const table of [u, v]) for (let i = 0; i < table.length; i++) table[i] *= 0.02;
  return { u, v, width };
}

/** Whether the network is looked at after this many updates: about twenty times while their number grows e-fold. */
export function isLook(update) {
  return update < 20 || update % Math.floor(update / 20) === 0;
}

/** A learner in training. `look()` is what it is now, five numbers: the probability of an entity's class, that of its edges, the
 *  log odds of a never-shown pair of a class against a pair across classes, the share of same-class pairs that a path of pairs
 *  shown so far joins, and the share of edges shown so far. `advance(count)` makes updates and gives [update, ...look()] where
 *  `isLook` says so. An update draws `batch` pairs: an entity, then one of its edges. */
export function pairTrainer(settings) {
  const { entities, properties, classes, batch, rate, seed } = settings,
    edges = constraintEdges(settings),
    { u, v, width } = initialTables(settings),
    uniform = generator(3 * seed + 2),
    perClass = properties / classes,
    total = edges.reduce((sum, row) => sum + row.length, 0),
    isEdge = edges.map((row) => new Set(row)),
    tables = [u, v].map((weight) => ({
      weight,
      gradient: new Float64Array(weight.length),
      mean: new Float64Array(weight.length),
      square: new Float64Array(weight.length),
    })),
    p = new Float64Array(properties),
    shown = edges.map(() => new Set()),
    parent = Int32Array.from({ length: entities + properties }, (_, i) => i);
  let made = 0,
    count = 0;

  const classOf = (e) => Math.floor((e * classes) / entities);
  function root(i) {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]];
    return i;
  }

  /** probabilities of all properties given an entity, in p */
  function predict(e) {
    let top = -Infinity,
      sum = 0;
    for (let k = 0; k < properties; k++) {
      let z = 0;
      for (let w = 0; w < width; w++) z += u[e * width + w] * v[k * width + w];
      p[k] = z;
      if (z > top) top = z;
    }
    for (let k = 0; k < properties; k++) sum += p[k] = Math.exp(p[k] - top);
    for (let k = 0; k < properties; k++) p[k] /= sum;
  }

  function update() {
    const [toU, toV] = tables.map(({ gradient }) => gradient.fill(0));
    for (let b = 0; b < batch; b++) {
      const e = Math.floor(uniform() * entities),
        chosen = edges[e][Math.floor(uniform() * edges[e].length)];
      predict(e);
      for (let k = 0; k < properties; k++) {
        const error = (p[k] - (k === chosen ? 1 : 0)) / batch;
        for (let w = 0; w < width; w++) {
          toU[e * width + w] += error * v[k * width + w];
          toV[k * width + w] += error * u[e * width + w];
        }
      }
      if (!shown[e].has(chosen)) {
        shown[e].add(chosen);
        count++;
        parent[root(e)] = root(entities + chosen);
      }
    }
    made++;
    const first = 1 - 0.9 ** made,
      second = Math.sqrt(1 - 0.95 ** made);
    for (const { weight, gradient, mean, square } of tables)
      for (let i = 0; i < weight.length; i++) {
        mean[i] = 0.9 * mean[i] + 0.1 * gradient[i];
        square[i] = 0.95 * square[i] + 0.05 * gradient[i] * gradient[i];
        weight[i] -= ((rate / first) * mean[i]) / (Math.sqrt(square[i]) / second + 1e-8);
      }
  }

  function look() {
    let ofClass = 0,
      onEdges = 0,
      joined = 0;
    for (let e = 0; e < entities; e++) {
      predict(e);
      const from = classOf(e) * perClass,
        own = root(e);
      for (let k = from; k < from + perClass; k++) {
        ofClass += p[k];
        if (isEdge[e].has(k)) onEdges += p[k];
        if (root(entities + k) === own) joined++;
      }
    }
    const same = entities * perClass,
      held = (ofClass - onEdges) / (same - total),
      other = (entities - ofClass) / (entities * properties - same);
    return [ofClass / entities, onEdges / entities, Math.log(held / other), joined / same, count / total];
  }

  function advance(updates) {
    const seen = [];
    for (let t = 0; t < updates; t++) {
      update();
      if (isLook(made)) seen.push([made, ...look()]);
    }
    return seen;
  }

  return { u, v, edges, look, advance };
}

/** The update at which the pairs shown at least once percolate within every class, in theory; Infinity for a graph of too few
 *  edges. A class has |E||K| / |C|^2 pairs, so that a share of |C| / (density sqrt(|E||K|)) of the edges must have been shown. */
export function percolates({ entities, properties, classes, density, batch }) {
  const share = classes / (density * Math.sqrt(entities * properties));
  if (share >= 1) return Infinity;
  return (-Math.log(1 - share) * density * entities * properties) / classes / batch;
}
