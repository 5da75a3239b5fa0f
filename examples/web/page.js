// What the pages of the examples have in common.

export const element = (id) => document.getElementById(id);

// The numbers below count, in another order each time. random: gives numbers from 0 to 1.
export function shuffled(count, random = Math.random) {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; --i) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

// A colour of page.css, such as "blue": of the light page or the dark one.
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Red, green and blue of it, from 0 to 255.
const channels = (name) => [1, 3, 5].map((at) => parseInt(colour(name).slice(at, at + 2), 16));

// What gives to a number from 0 to 1 its colour between two others.
export function between(none, all) {
  const [from, to] = [channels(none), channels(all)];
  return (share) => from.map((channel, i) => channel + (to[i] - channel) * share);
}

// -1 orange, 0 as the surface, +1 blue.
export function diverging() {
  const below = between("surface", "orange"), above = between("surface", "blue");
  return (value) => (value < 0 ? below : above)(0.85 * Math.min(Math.abs(value), 1));
}

// A canvas with as many points as the screen has, and coordinates from 0 to 1, y upwards.
export function prepare(canvas) {
  const width = Math.round(canvas.clientWidth * devicePixelRatio);
  const height = Math.round(canvas.clientHeight * devicePixelRatio);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height, at: (x, y) => [x * width, (1 - y) * height] };
}

// Squares of these colours, row by row, all over a rectangle.
export function drawCells(context, colours, columns, [x, y, width, height]) {
  const image = new ImageData(columns, colours.length / columns);
  colours.forEach((rgb, i) => image.data.set([...rgb, 255], 4 * i));
  const cells = new OffscreenCanvas(image.width, image.height);
  cells.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(cells, x, y, width, height);
}

// Losses by epoch, each entry with one of `training` and one of `validation`, on a logarithmic scale.
export function drawLoss(canvas, history) {
  const { context, width, at } = prepare(canvas);
  const low = -3, high = 0.4, steps = Math.max(30, history.length - 1);
  const height = (loss) => Math.min(Math.max((Math.log10(Math.max(loss, 1e-9)) - low) / (high - low), 0), 1);
  context.font = `${12 * devicePixelRatio}px system-ui`;
  context.textAlign = "right";
  context.fillStyle = colour("faint");
  context.lineWidth = devicePixelRatio;
  context.strokeStyle = colour("grid");
  for (const loss of [1, 0.1, 0.01, 0.001]) {
    const [x, y] = at(0, height(loss));
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(width, y);
    context.stroke();
    context.fillText(String(loss), width, y - 3 * devicePixelRatio);
  }
  context.lineWidth = 2 * devicePixelRatio;
  for (const [name, line] of [["validation", "orange"], ["training", "blue"]]) {
    context.strokeStyle = colour(line);
    context.beginPath();
    history.forEach((entry, i) => context.lineTo(...at(i / steps, height(entry[name]))));
    context.stroke();
  }
}
