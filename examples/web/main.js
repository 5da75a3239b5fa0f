// Trains `sums` one epoch a frame, and draws the loss so far and the answers in a plane of the inputs.
import { load, arrays } from "./sums.mjs";
import { colour, diverging, drawCells, drawLoss, element, prepare, shuffled } from "./page.js";

const inputs = arrays.inputs[0].size;

// Numbers from 0 to 1 and their labels, -1 or +1.
function examples(count) {
  const x = Float32Array.from({ length: count * inputs }, Math.random);
  const t = Float32Array.from({ length: count }, (_, i) =>
    x.subarray(i * inputs, (i + 1) * inputs).reduce((a, b) => a + b) > 2.5 ? 1 : -1);
  return { x, t };
}

const kCells = 100;

function drawPlane(model, others, data) {
  const { context, width, height, at } = prepare(element("plane"));
  const x = new Float32Array(kCells * kCells * inputs).fill(others);
  for (let row = 0; row < kCells; ++row) {
    for (let column = 0; column < kCells; ++column) {
      x[(row * kCells + column) * inputs] = (column + 0.5) / kCells;
      x[(row * kCells + column) * inputs + 1] = 1 - (row + 0.5) / kCells;
    }
  }
  const { y } = model.predict({ x });
  drawCells(context, Array.from(y, diverging()), kCells, [0, 0, width, height]);
  const [blue, orange, surface] = ["blue", "orange", "surface"].map(colour);
  // Examples whose other numbers have about this sum.
  for (let i = 0; i < data.t.length; ++i) {
    const [x1, x2, ...rest] = data.x.subarray(i * inputs, (i + 1) * inputs);
    if (Math.abs(rest.reduce((a, b) => a + b) - 3 * others) > 0.1) continue;
    context.beginPath();
    context.arc(...at(x1, x2), 4 * devicePixelRatio, 0, 2 * Math.PI);
    context.fillStyle = data.t[i] > 0 ? blue : orange;
    context.fill();
    context.strokeStyle = surface;
    context.lineWidth = devicePixelRatio;
    context.stroke();
  }
  const sum = 2.5 - 3 * others;
  context.strokeStyle = colour("text");
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
    drawLoss(element("loss"), history);
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
