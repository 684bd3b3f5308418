// Small images in SVG, one square per pixel.

/** An image of side x side pixels at (x, y), `size` wide; `level(row, column, channel)` is 0 to 1. */
export function pixelImage(side, level, x, y, size) {
  const canvas = document.createElement("canvas"),
    context = canvas.getContext("2d"),
    data = context.createImageData(side, side);
  canvas.width = canvas.height = side;
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++) {
      const at = 4 * (row * side + column);
      for (let c = 0; c < 3; c++) data.data[at + c] = Math.round(255 * Math.min(Math.max(level(row, column, c), 0), 1));
      data.data[at + 3] = 255;
    }
  context.putImageData(data, 0, 0);
  return g("image", { href: canvas.toDataURL(), x, y, width: size, height: size, class: "sx-pixels" });
}

/** Where `count` square images stand in `width`: [[x, y, size], ...] and the height they take. */
export function imageGrid(count, width, columns, gap = 6) {
  const size = Math.floor((width - gap * (columns - 1)) / columns),
    rows = Math.ceil(count / columns);
  const places = Array.from({ length: count }, (_, i) => [(i % columns) * (size + gap), Math.floor(i / columns) * (size + gap), size]);
  return { places, height: rows * (size + gap) - gap };
}
