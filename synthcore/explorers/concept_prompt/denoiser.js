// A small denoiser of images, told a prompt, and the sampler that draws with it.
// Letters: D numbers of an image, W width, C told numbers, T sampling steps.

/** The networks of a model, weights unpacked: [{ step, get(name) -> { rows, columns, values } }].
 *  Matrices are whole numbers of `bits` bits times a scale per column; scales and biases are halves. */
export function readNetworks(model) {
  const bits = model.get("bits"),
    matrices = model.get("matrices"),
    vectors = model.get("vectors"),
    view = model.get("packed"),
    packed = new Uint8Array(view.buffer, view.byteOffset, view.byteLength),
    halves = model.get("halves");
  let at = 0,
    place = 0;
  const whole = () => {
    let value = 0;
    for (let b = 0; b < bits; b++, at++) value |= ((packed[at >> 3] >> (at & 7)) & 1) << b;
    return value - 2 ** (bits - 1);
  };
  const half = () => {
    place += 2;
    return fromHalf(halves.getUint16(place - 2, true));
  };
  return model.get("live").map((step) => {
    const held = {};
    for (const [name, rows, columns] of matrices) {
      const scales = Float64Array.from({ length: columns }, half),
        values = new Float32Array(rows * columns);
      for (let i = 0; i < values.length; i++) values[i] = whole() * scales[i % columns];
      held[name] = { rows, columns, values };
    }
    for (const [name, size] of vectors) held[name] = Float64Array.from({ length: size }, half);
    return { step, get: (name) => held[name] };
  });
}

/** start + x W */
function mapped({ rows, columns, values }, x, start) {
  const out = Float64Array.from(start);
  for (let i = 0; i < rows; i++) {
    const factor = x[i];
    if (factor === 0) continue;
    for (let o = 0, w = i * columns; o < columns; o++, w++) out[o] += factor * values[w];
  }
  return out;
}

const smoothly = (x) => x * cumulative(x); // GELU

/** What every block makes of a prompt. */
export function promptEmbeddings({ get }, depth, told) {
  return Array.from({ length: depth }, (_, b) => {
    const hidden = mapped(get(`blocks.${b}.first`), told, get(`blocks.${b}.first_bias`)).map(smoothly);
    return mapped(get(`blocks.${b}.second`), hidden, get(`blocks.${b}.second_bias`)).map(smoothly);
  });
}

/** `count` images in [0, 1], flat, from `noise` (count x D): the deterministic sampler. `gammas` are
 *  minus the logs of the signal-to-noise ratios at T + 1 times, from pure noise down. */
export function drawImages(network, { depth, gammas }, told, noise, count) {
  const D = noise.length / count,
    T = gammas.length - 1,
    embedded = promptEmbeddings(network, depth, told),
    z = Float64Array.from(noise),
    out = new Float64Array(noise.length);
  const parts = gammas.map((gamma) => [Math.sqrt(1 / (1 + Math.exp(gamma))), Math.sqrt(1 / (1 + Math.exp(-gamma)))]);
  for (let t = 0; t < T; t++) {
    const [alpha, sigma] = parts[t],
      [nextAlpha, nextSigma] = parts[t + 1];
    const shifts = embedded.map((e, b) => {
      const time = network.get(`blocks.${b}.time`),
        bias = network.get(`blocks.${b}.bias`);
      return e.map((v, o) => v + bias[o] + time.values[t * time.columns + o]);
    });
    for (let n = 0; n < count; n++) {
      let h = mapped(network.get("enter"), z.subarray(n * D, (n + 1) * D), network.get("enter_bias"));
      for (let b = 0; b < depth; b++) {
        const mixed = mapped(network.get(`blocks.${b}.mix`), h, shifts[b]);
        h = h.map((v, o) => v + Math.max(mixed[o], 0));
      }
      const image = mapped(network.get("leave"), h, network.get("leave_bias"));
      for (let i = 0; i < D; i++) {
        const clean = Math.min(Math.max(image[i], -1), 1),
          at = n * D + i;
        z[at] = nextAlpha * clean + (nextSigma * (z[at] - alpha * clean)) / sigma;
        out[at] = (clean + 1) / 2;
      }
    }
  }
  return out;
}
