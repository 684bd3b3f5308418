// Read a disc back from a small image: place, radius, colour. Letters: S side, P pixels (S x S).

const STARTS = [-0.7, -0.467, -0.233, 0, 0.233, 0.467, 0.7],
  RADII = [0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8],
  STEPS = [0.08, 0.04, 0.02, 0.01, 0.005];

/** How much of every pixel a disc covers; the image spans [-1, 1] x [-1, 1], rows downwards. */
export function discMask(side, [x, y, radius]) {
  const width = Math.max(1 / (side - 1), 2 / 31),
    place = (i) => -1 + (2 * i) / (side - 1);
  return Float64Array.from({ length: side * side }, (_, p) => {
    const distance = Math.hypot(place(p % side) - x, place(Math.floor(p / side)) - y);
    return cumulative((radius - distance) / width);
  });
}

/** Masks of the coarse search, made once for every size of image. */
const coarse = new Map();
function coarseMasks(side) {
  if (!coarse.has(side)) {
    const places = STARTS.flatMap((x) => STARTS.flatMap((y) => RADII.map((radius) => [x, y, radius])));
    coarse.set(side, places.map((place) => [place, discMask(side, place)]));
  }
  return coarse.get(side);
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

/** The fit of every channel on the mask and a constant: share explained, colour and ground. */
function fitted(channels, disc) {
  const middle = mean(disc),
    size = disc.reduce((sum, m) => sum + (m - middle) ** 2, 0) + 1e-12;
  let explained = 0;
  const colours = channels.map(({ values, mean }) => {
    const along = values.reduce((sum, v, p) => sum + (v - mean) * (disc[p] - middle), 0),
      slope = along / size;
    explained += along * slope;
    return [mean + slope * (1 - middle), mean - slope * middle];
  });
  return { explained, colour: colours.map(([c]) => c), ground: colours.map(([, b]) => b) };
}

/** The disc that fits best: a coarse search, then ever smaller steps of x, y and radius. `pixels`
 *  holds three channels of side x side levels. */
export function readDisc(pixels, side) {
  const P = side * side,
    channels = [0, 1, 2].map((c) => {
      const values = pixels.subarray(c * P, (c + 1) * P);
      return { values, mean: mean(values) };
    });
  const total = channels.reduce((sum, { values, mean }) => sum + values.reduce((s, v) => s + (v - mean) ** 2, 0), 1e-12);
  let place = [0, 0, 0.4],
    best = { explained: -1 };
  const consider = (trial, disc = discMask(side, trial)) => {
    const found = fitted(channels, disc);
    if (found.explained <= best.explained + 1e-12) return false;
    [place, best] = [trial, found];
    return true;
  };
  for (const [start, disc] of coarseMasks(side)) consider(start, disc);
  for (const step of STEPS) {
    let moved = true;
    for (let round = 0; moved && round < 20; round++) {
      moved = false;
      for (const axis of [0, 1, 2])
        for (const sign of [-1, 1]) {
          const trial = [...place];
          trial[axis] += sign * step;
          if (trial[2] >= 0.05 && trial[2] <= 1.1) moved = consider(trial) || moved;
        }
    }
  }
  const [x, y, radius] = place;
  return { x, y, radius, ...best, contrast: best.colour[2] - best.colour[0], explained: best.explained / total };
}
