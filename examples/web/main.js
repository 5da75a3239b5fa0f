// Trains `sums` one epoch a frame, and draws the loss so far and the answers in a plane of the inputs.
import { load, arrays } from "./sums.mjs";

const element = (id) => document.getElementById(id);
const inputs = arrays.inputs[0].size;

// Numbers from 0 to 1 and their labels, -1 or +1.
function examples(count) {
  const x = Float32Array.from({ length: count * inputs }, Math.random);
  const t = Float32Array.from({ length: count }, (_, i) =>
    x.subarray(i * inputs, (i + 1) * inputs).reduce((a, b) => a + b) > 2.5 ? 1 : -1);
  return { x, t };
}

function shuffled(count) {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; --i) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

// A canvas with as many points as the screen has, and coordinates from 0 to 1, y upwards.
function prepare(canvas) {
  const size = Math.round(canvas.clientWidth * devicePixelRatio);
  if (canvas.width !== size || canvas.height !== size) canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, size, size);
  return { context, size, at: (x, y) => [x * size, (1 - y) * size] };
}

function drawLoss(history) {
  const { context, size, at } = prepare(element("loss"));
  const low = -3, high = 0.3, steps = Math.max(60, history.length - 1);
  const height = (loss) => Math.min(Math.max((Math.log10(Math.max(loss, 1e-9)) - low) / (high - low), 0), 1);
  context.font = `${12 * devicePixelRatio}px system-ui`;
  context.textAlign = "right";
  context.fillStyle = "#5b6472";
  context.lineWidth = devicePixelRatio;
  context.strokeStyle = "#e6e9ee";
  for (const loss of [1, 0.1, 0.01, 0.001]) {
    const [x, y] = at(0, height(loss));
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(size, y);
    context.stroke();
    context.fillText(String(loss), size, y - 3 * devicePixelRatio);
  }
  context.lineWidth = 2 * devicePixelRatio;
  for (const [name, colour] of [["validation", "#d9822b"], ["training", "#2457c5"]]) {
    context.strokeStyle = colour;
    context.beginPath();
    history.forEach((entry, i) => context.lineTo(...at(i / steps, height(entry[name]))));
    context.stroke();
  }
}

// -1 orange, 0 white, +1 blue.
function colour(value) {
  const [red, green, blue] = value < 0 ? [217, 130, 43] : [36, 87, 197];
  const strength = Math.min(Math.abs(value), 1) * 0.75;
  return [red, green, blue].map((channel) => 255 + (channel - 255) * strength);
}

const kCells = 100;

function drawPlane(model, others, data) {
  const { context, size, at } = prepare(element("plane"));
  const x = new Float32Array(kCells * kCells * inputs).fill(others);
  for (let row = 0; row < kCells; ++row) {
    for (let column = 0; column < kCells; ++column) {
      x[(row * kCells + column) * inputs] = (column + 0.5) / kCells;
      x[(row * kCells + column) * inputs + 1] = 1 - (row + 0.5) / kCells;
    }
  }
  const { y } = model.predict({ x });
  const image = new ImageData(kCells, kCells);
  y.forEach((value, i) => image.data.set([...colour(value), 255], 4 * i));
  const cells = new OffscreenCanvas(kCells, kCells);
  cells.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(cells, 0, 0, size, size);
  // Examples whose other numbers have about this sum.
  for (let i = 0; i < data.t.length; ++i) {
    const [x1, x2, ...rest] = data.x.subarray(i * inputs, (i + 1) * inputs);
    if (Math.abs(rest.reduce((a, b) => a + b) - 3 * others) > 0.1) continue;
    context.beginPath();
    context.arc(...at(x1, x2), 4 * devicePixelRatio, 0, 2 * Math.PI);
    context.fillStyle = data.t[i] > 0 ? "#2457c5" : "#d9822b";
    context.fill();
    context.strokeStyle = "#fff";
    context.lineWidth = devicePixelRatio;
    context.stroke();
  }
  const sum = 2.5 - 3 * others;
  context.strokeStyle = "#1d2330";
  context.lineWidth = 2 * devicePixelRatio;
  context.setLineDash([6 * devicePixelRatio, 5 * devicePixelRatio]);
  context.beginPath();
  context.moveTo(...at(sum, 0));
  context.lineTo(...at(sum - 1, 1));
  context.stroke();
  context.setLineDash([]);
}

async function start() {
  const bytes = await (await fetch("sums.wasm")).arrayBuffer();
  element("bytes").textContent = bytes.byteLength.toLocaleString("en");
  const model = await load({ seed: 7, source: bytes });
  const training = examples(1000), validation = examples(500);
  let history = [], running = true, milliseconds = 0;

  const settings = () => {
    const rate = 10 ** Number(element("rate").value), others = Number(element("others").value);
    element("rate_value").textContent = rate.toPrecision(2);
    element("others_value").textContent = others.toFixed(2);
    return { rate, others };
  };
  const epoch = () => {
    model.setTensor("optimizer.lr", [settings().rate]);
    const begin = performance.now();
    const result = model.trainEpoch(training, { order: shuffled(training.t.length) });
    milliseconds += 0.1 * (performance.now() - begin - milliseconds);
    const check = model.evaluate(validation);
    history.push({ training: result.loss, validation: check.loss });
    element("epoch").textContent = history.length;
    element("train_loss").textContent = result.loss.toFixed(4);
    element("accuracy").textContent = `${(100 * check.metrics.sign_accuracy).toFixed(1)} %`;
    element("time").textContent = `${milliseconds.toFixed(2)} ms`;
  };
  const draw = () => {
    drawLoss(history);
    drawPlane(model, settings().others, training);
  };
  const frame = () => {
    if (running) epoch();
    draw();
    requestAnimationFrame(frame);
  };
  element("train").onclick = () => {
    running = !running;
    element("train").textContent = running ? "Pause" : "Train";
  };
  element("reset").onclick = () => {
    model.init(Math.floor(Math.random() * 1e9));
    history = [];
  };
  frame();
}

start().catch((error) => {
  element("error").textContent = `${error} (is there a sums.wasm? \`make\` writes it)`;
  throw error;
});
