// Trains `web_digits` while it is watched, and reads what is drawn.
import { arrays, batch, load, tensors } from "./web_digits.mjs";
import { imageOf } from "./strokes.js";
import { between, colour, diverging, drawCells, drawLoss, element, prepare, shuffled } from "../web/page.js";

const kPixels = arrays.inputs[0].size, kSide = Math.sqrt(kPixels), kDigits = 10;
const kSeed = 7;            // of weights and orders, so that all visitors see the same until they press a button
const kEpochs = 30;         // it pauses after so many
const kMilliseconds = 10;   // of training at a time
const kSpacing = 0.015;     // points of a stroke are as far apart, in sides of the field
const kLine = 0.06;         // the width of what is drawn, too
const kShown = 5;           // rows and columns of samples
const kFirstKernel = tensors.find((tensor) => tensor.kind === "parameter" && tensor.name.endsWith(".kernel"));

// Rows of 64 pixels from 0 to 16 and a digit.
function parsed(text) {
  return text.trim().split("\n").map((line) => line.split(",").map(Number));
}

function samples(rows) {
  return {
    x: Float32Array.from(rows.flatMap((row) => row.slice(0, kPixels).map((pixel) => pixel / 16))),
    t: Int32Array.from(rows, (row) => row[kPixels]),
  };
}

// Numbers from 0 to 1, the same for the same seed (a linear congruential generator of Numerical Recipes).
function generator(seed) {
  let last = seed >>> 0;
  return () => (last = (Math.imul(last, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

const largest = (scores) => scores.indexOf(Math.max(...scores));

function drawField(strokes) {
  const { context, width, height } = prepare(element("field"));
  context.lineWidth = kLine * width;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = colour("text");
  for (const stroke of strokes) {
    context.beginPath();
    // A point by itself is a line to where it is.
    for (const [x, y] of [stroke[0], ...stroke]) context.lineTo(x * width, y * height);
    context.stroke();
  }
}

function drawSeen(image) {
  const { context, width, height } = prepare(element("seen"));
  context.imageSmoothingEnabled = false;
  drawCells(context, Array.from(image, between("surface", "text")), kSide, [0, 0, width, height]);
  context.strokeStyle = colour("grid");
  context.lineWidth = devicePixelRatio;
  for (let i = 0; i <= kSide; ++i) {
    const at = Math.min(Math.max(Math.round((i * width) / kSide), 0.5), width - 0.5);
    context.beginPath();
    context.moveTo(at, 0);
    context.lineTo(at, height);
    context.moveTo(0, at);
    context.lineTo(width, at);
    context.stroke();
  }
}

function drawScores(scores, answer) {
  const { context, width, height } = prepare(element("scores"));
  const row = height / kDigits, left = 1.4 * row, longest = width - left;
  context.font = `${0.75 * row}px system-ui`;
  context.textBaseline = "middle";
  scores.forEach((score, digit) => {
    context.fillStyle = colour(digit === answer ? "text" : "faint");
    context.fillText(String(digit), 0.4 * row, (digit + 0.54) * row);
    context.fillStyle = colour("grid");
    context.fillRect(left, (digit + 0.2) * row, longest, 0.6 * row);
    context.fillStyle = colour("blue");
    context.fillRect(left, (digit + 0.2) * row, longest * score, 0.6 * row);
  });
}

// The first samples with what the network takes them for.
function drawSamples(model, { x, t }) {
  const { context, width } = prepare(element("samples"));
  const count = kShown * kShown, cell = width / kShown, size = 0.62 * cell, grey = between("surface", "text");
  const { y } = model.predict({ x: x.subarray(0, count * kPixels) });
  context.imageSmoothingEnabled = false;
  context.font = `${0.28 * cell}px system-ui`;
  context.textAlign = "center";
  for (let i = 0; i < count; ++i) {
    const left = (i % kShown) * cell + (cell - size) / 2, top = Math.floor(i / kShown) * cell;
    const pixels = Array.from(x.subarray(i * kPixels, (i + 1) * kPixels), grey);
    drawCells(context, pixels, kSide, [left, top, size, size]);
    const answer = largest(y.subarray(i * kDigits, (i + 1) * kDigits));
    context.fillStyle = colour(answer === t[i] ? "faint" : "wrong");
    context.fillText(String(answer), left + size / 2, top + size + 0.29 * cell);
  }
}

function drawFilters(model) {
  const { context, width } = prepare(element("filters"));
  const [rows, columns, , filters] = kFirstKernel.shape, kernel = model.tensor(kFirstKernel.name);
  const across = Math.ceil(Math.sqrt(filters)), cell = width / across, size = 0.86 * cell;
  const strongest = kernel.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0), rgb = diverging();
  context.imageSmoothingEnabled = false;
  context.lineWidth = devicePixelRatio;
  context.strokeStyle = colour("border");
  for (let filter = 0; filter < filters; ++filter) {
    const margin = (cell - size) / 2;
    const left = (filter % across) * cell + margin, top = Math.floor(filter / across) * cell + margin;
    const weights = Array.from({ length: rows * columns }, (_, i) => kernel[i * filters + filter] / strongest);
    drawCells(context, weights.map(rgb), columns, [left, top, size, size]);
    context.strokeRect(left, top, size, size);
  }
}

// Strokes of the pointer over the field, from 0 to 1; `changed` is called whenever there is more, or none.
function strokesOf(field, changed) {
  const strokes = [];
  let drawing = null;  // the number of the pointer that draws
  const place = (event) => {
    const box = field.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  field.addEventListener("pointerdown", (event) => {
    if (drawing !== null || event.button !== 0) return;
    event.preventDefault();
    drawing = event.pointerId;
    strokes.push([place(event)]);
    changed();
  });
  // Wherever the pointer is: a stroke may leave the field and come back.
  addEventListener("pointermove", (event) => {
    if (event.pointerId !== drawing) return;
    const stroke = strokes.at(-1), [x, y] = place(event), [lastX, lastY] = stroke.at(-1);
    if (Math.hypot(x - lastX, y - lastY) < kSpacing) return;
    stroke.push([x, y]);
    changed();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    addEventListener(end, (event) => {
      if (event.pointerId === drawing) drawing = null;
    });
  }
  return { strokes, clear: () => { strokes.length = 0; drawing = null; changed(); } };
}

async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return response;
}

async function start() {
  const [code, text] = await Promise.all([
    fetched("web_digits.wasm").then((response) => response.arrayBuffer()),
    fetched("digits.csv").then((response) => response.text()),
  ]);
  const model = await load({ seed: kSeed, source: code });
  const parameters = tensors.filter((tensor) => tensor.kind === "parameter");
  const weights = parameters.reduce((sum, tensor) => sum + tensor.length, 0);
  element("bytes").textContent = code.byteLength.toLocaleString("en");
  element("weights").textContent = weights.toLocaleString("en");
  const rows = parsed(text);
  const training = samples(rows.filter((_, i) => i % 5 !== 0));
  const validation = samples(rows.filter((_, i) => i % 5 === 0));
  let history = [], running = true, steps = 1, waiting = false;
  let order, done, sums;  // of the epoch that has begun
  let random = generator(kSeed);
  let image = new Float32Array(kPixels), redrawn = true;

  const beginEpoch = () => {
    order = shuffled(training.t.length, random);
    done = 0;
    sums = { loss: 0, right: 0 };
  };
  const endEpoch = () => {
    const check = model.evaluate(validation);
    const percent = (share) => `${(100 * share).toFixed(1)} %`;
    history.push({ training: sums.loss / done, validation: check.loss });
    element("epoch").textContent = history.length;
    element("train_loss").textContent = (sums.loss / done).toFixed(4);
    element("train_accuracy").textContent = percent(sums.right / done);
    element("accuracy").textContent = percent(check.metrics.accuracy);
    drawLoss(element("loss"), history);
    drawSamples(model, validation);
    if (history.length % kEpochs === 0) run(false);
    beginEpoch();
  };
  // Some steps: as many as leave the page time for what else there is.
  const train = () => {
    const begin = performance.now(), part = order.subarray(done, done + steps * batch);
    const { loss, metrics } = model.trainEpoch(training, { order: part });
    done += part.length;
    sums.loss += loss * part.length;
    sums.right += metrics.accuracy * part.length;
    const took = performance.now() - begin;
    if (took < kMilliseconds / 2) steps = Math.min(2 * steps, Math.ceil(order.length / batch));
    if (took > kMilliseconds) steps = Math.ceil(steps / 2);
    if (done === order.length) endEpoch();
  };
  const read = () => {
    if (redrawn) {
      image = imageOf(field.strokes);
      drawField(field.strokes);
      drawSeen(image);
      redrawn = false;
    }
    const drawn = field.strokes.length > 0;
    const scores = drawn ? [...model.predict({ x: image }).y] : new Array(kDigits).fill(0), answer = largest(scores);
    element("answer").textContent = drawn ? answer : "nothing";
    drawScores(scores, drawn ? answer : -1);
  };
  const frame = () => {
    waiting = false;
    if (running) train();
    read();
    drawFilters(model);
    if (running) draw();
  };
  // Soon; not before the screen is drawn the next time, which it is not while the page is not seen.
  const draw = () => {
    if (!waiting) setTimeout(frame);
    waiting = true;
  };
  const drawAll = () => {
    redrawn = true;
    drawLoss(element("loss"), history);
    drawSamples(model, validation);
    draw();
  };
  const run = (on) => {
    running = on;
    element("train").textContent = running ? "Pause" : "Train";
    draw();
  };
  const setRate = () => {
    const rate = 10 ** Number(element("rate").value);
    model.setTensor("optimizer.lr", [rate]);
    element("rate_value").textContent = rate.toPrecision(2);
  };
  const field = strokesOf(element("field"), () => {
    redrawn = true;
    draw();
  });
  element("clear").onclick = field.clear;
  element("train").onclick = () => run(!running);
  element("rate").oninput = setRate;
  element("reset").onclick = () => {
    const seed = Math.floor(Math.random() * 1e9);
    model.init(seed);
    random = generator(seed);
    history = [];
    setRate();
    beginEpoch();
    for (const id of ["train_loss", "train_accuracy", "accuracy"]) element(id).textContent = "–";
    element("epoch").textContent = 0;
    drawAll();
    run(true);
  };
  addEventListener("resize", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  setRate();
  beginEpoch();
  drawAll();
}

start().catch((error) => {
  element("error").textContent = `${error} (\`make\` writes what the page loads)`;
  throw error;
});
