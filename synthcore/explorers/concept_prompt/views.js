// The concept-prompt explorer's drawings and words: images, classes in colour and size, accuracy map.

export const MIDDLE = 0.45;

/** Whether an image shows a small blue disc, as the chapter counts it: and clearly. */
export const isTarget = (found) => found.explained >= 0.5 && found.contrast > 0 && found.radius < MIDDLE;

/** The prompt's four numbers: red, green, blue and radius. */
export const promptOf = (amount, radius) => [0.5 - amount / 2, 0.5 - Math.abs(amount) / 2, 0.5 + amount / 2, radius];

/** Eight images; those that show a small blue disc have a frame and a tick. */
export function drawGallery(host, pixels, found, side) {
  const count = found.length,
    D = 3 * side * side,
    width = Math.max(host.clientWidth, 120);
  const { places, height } = imageGrid(count, width, 4, 8);
  const { svg } = canvas(host, height + 2, "Eight images that the network draws for this prompt.");
  places.forEach(([x, y, size], n) => {
    const level = (row, column, c) => pixels[n * D + c * side * side + row * side + column];
    svg.append(pixelImage(side, level, x, y, size));
    const right = isTarget(found[n]);
    svg.append(g("rect", { x: x + 1, y: y + 1, width: size - 2, height: size - 2, class: right ? "sx-right" : "sx-wrong" }));
    if (right) svg.append(g("text", { x: x + 7, y: y + 20, class: "sx-tick-mark" }, "✓"));
  });
}

/** Contrast and radius of the images, among the ranges that training showed. */
export function drawClasses(host, { contrast, separation }, found, amount, radius) {
  const area = { left: 52, right: Math.max(host.clientWidth, 160) - 12, top: 8, bottom: 212 };
  const { svg } = canvas(host, area.bottom + 40, "Colour and radius of the eight images among the classes.");
  const x = scale(-1.05, 1.05, area.left, area.right),
    y = scale(0, 0.92, area.bottom, area.top);
  axis(svg, "x", area, [-0.8, -0.4, 0, 0.4, 0.8].map((v) => [x(v), String(v)]), "blue less red");
  axis(svg, "y", area, [0, 0.2, 0.4, 0.6, 0.8].map((v) => [y(v), short(v)]), "radius", { grid: true });
  const reach = contrast / 4,
    tall = (3 / 8) * separation;
  for (const [sign, colour] of [[-1, "red"], [1, "blue"]])
    for (const [up, size] of [[1, "large"], [-1, "small"]]) {
      const [cx, cy] = [sign * contrast, MIDDLE + (up * separation) / 2],
        unseen = sign > 0 && up < 0;
      svg.append(
        g("rect", { x: x(cx - reach), y: y(cy + tall), width: x(cx + reach) - x(cx - reach), height: y(cy - tall) - y(cy + tall), class: unseen ? "sx-unseen" : "sx-trained" }),
        g("text", { x: unseen ? area.right : x(cx), y: up > 0 ? y(cy + tall) - 5 : y(cy - tall) + 14, "text-anchor": unseen ? "end" : "middle" }, unseen ? "small blue, never shown" : `${size} ${colour}`),
      );
    }
  const within = (v, low, high) => Math.min(Math.max(v, low), high);
  for (const one of found)
    svg.append(g("circle", { cx: x(within(one.contrast, -1.05, 1.05)), cy: y(within(one.radius, 0, 0.9)), r: 5, class: one.explained >= 0.5 ? "sx-image" : "sx-image sx-unclear" }));
  const [px, py] = [x(amount), y(radius)];
  svg.append(g("path", { d: `M${px - 8} ${py}h16M${px} ${py - 8}v16`, class: "sx-asked" }));
}

/** The map: rows are recorded steps, columns amounts of blue; a line marks the class mean. */
export function drawMap(host, { steps, amounts, live, table, contrast }, amount, step, pick) {
  const area = { left: 52, right: Math.max(host.clientWidth, 160) - 26, top: 22, bottom: 262 };
  const { svg } = canvas(host, area.bottom + 40, "Share of images right, by blue in the prompt and training step.");
  const A = amounts.length,
    K = steps.length,
    half = A > 1 ? (amounts[1] - amounts[0]) / 2 : 0.05;
  const x = scale(amounts[0] - half, amounts[A - 1] + half, area.left, area.right),
    y = (k) => area.bottom - ((k + 0.5) / K) * (area.bottom - area.top),
    [wide, tall] = [(area.right - area.left) / A, (area.bottom - area.top) / K];
  steps.forEach((s, k) =>
    amounts.forEach((a, i) => {
      const share = table[k * A + i];
      const fill = `fill: color-mix(in oklab, var(--sx-accent) ${(100 * share).toFixed(1)}%, var(--sx-faint))`;
      const cell = g("rect", { x: area.left + i * wide, y: y(k) - tall / 2, width: wide + 0.5, height: tall + 0.5, style: fill });
      cell.append(g("title", {}, `step ${s}, blue ${a.toFixed(2)}: ${Math.round(100 * share)} % right`));
      svg.append(cell);
    }),
  );
  const every = Math.ceil(K / 8);
  axis(svg, "x", area, [0.2, 0.4, 0.6, 0.8].map((v) => [x(v), String(v)]), "blue asked for (contrast)");
  axis(svg, "y", area, steps.map((s, k) => [y(k), short(s)]).filter((_, k) => (K - 1 - k) % every === 0), "training step");
  svg.append(
    g("line", { x1: x(contrast), x2: x(contrast), y1: area.top, y2: area.bottom, class: "sx-plain" }),
    g("text", { x: x(contrast), y: area.top - 7, "text-anchor": "middle", class: "sx-title" }, "plain prompt"),
  );
  for (const s of live) {
    const at = y(steps.indexOf(s));
    svg.append(g("path", { d: `M${area.right + 4} ${at}l9 -5v10Z`, class: "sx-live" }));
  }
  svg.append(g("circle", { cx: x(Math.min(Math.max(amount, x.min), x.max)), cy: y(steps.indexOf(step)), r: 6, class: "sx-now" }));
  hitArea(svg, area, (px, py) => {
    const k = Math.min(Math.max(Math.floor(((area.bottom - py) / (area.bottom - area.top)) * K), 0), K - 1);
    const near = live.reduce((best, s, i) => (Math.abs(steps.indexOf(s) - k) < Math.abs(steps.indexOf(live[best]) - k) ? i : best), 0);
    pick(Math.round(x.invert(px) * 20) / 20, near);
  });
}

/** What the reader sees, in words. */
export function promptWords(step, amount, radius, found, plain, isPlain) {
  const count = (all) => `${all.filter(isTarget).length} of ${all.length}`,
    named = amount >= 0 ? `a blue of contrast ${amount.toFixed(2)}` : `a red of contrast ${(-amount).toFixed(2)}`;
  const asked = `Step ${number(step)}, asked for ${named} and radius ${radius.toFixed(2)}: ${count(found)} images show a small blue disc.`;
  if (isPlain) return `${asked} This is the plain prompt for small blue, which training never showed.`;
  return `${asked} The plain prompt gets ${count(plain)} from the same noise.`;
}
