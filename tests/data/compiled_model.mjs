// What compiled_model.c does, by way of the ES module of a model: see there.
import { writeFileSync } from "node:fs";

import { arrays, batch, load, metrics } from "./m.mjs";

const rows = 2 * batch + 3, xSize = arrays.inputs[0].size, tSize = arrays.targets[0].size;
const x = Float32Array.from({ length: rows * xSize }, (_, i) => ((i * 37) % 64) / 64 - 0.25);
const t = Float32Array.from({ length: rows * tSize }, (_, i) => (i % tSize === Math.floor(i / tSize) % tSize ? 1 : 0));
const order = Uint32Array.from({ length: rows }, (_, i) => rows - 1 - i);

const model = await load({ seed: 7 });
const losses = Float32Array.from({ length: 1000 }, (_, i) => {
  const count = 1 + (i % batch), first = i % 3 === 0 ? 0 : rows - count, last = first + count;
  return model.trainStep({ x: x.subarray(first * xSize, last * xSize), t: t.subarray(first * tSize, last * tSize) });
});
const numbers = ({ loss, metrics: values }) => [loss, ...metrics.flatMap(({ name }) => values[name])];
const results = [...numbers(model.trainEpoch({ x, t }, { order })), ...numbers(model.evaluate({ x, t }))];
const { y } = model.predict({ x });
const bytes = [losses, Float32Array.from(results), y, model.state()].map((array) => Buffer.from(array.buffer));
writeFileSync(process.argv[2], Buffer.concat(bytes));

// What is wrong is refused, and changes nothing.
const fails = (action) => {
  try {
    action();
  } catch {
    return;
  }
  throw new Error(`no error: ${action}`);
};
fails(() => model.predict({}));
fails(() => model.predict({ x: x.subarray(1) }));
fails(() => model.trainStep({ x, t: t.subarray(tSize) }));
fails(() => model.trainEpoch({ x, t }, { order: [rows] }));
fails(() => model.setState(new Uint8Array(8)));
fails(() => model.setState(new Uint8Array(model.state().length)));
fails(() => model.setTensor("no such tensor", [1]));
fails(() => model.tensor("optimizer.lr").set([1, 2]));
if (!Buffer.from(model.state()).equals(bytes[3])) throw new Error("the state has changed");

// A model with the state of another goes on as that one; many samples need more memory.
const copy = await load({ state: model.state() });
if (copy.trainStep({ x: x.subarray(0, xSize), t: t.subarray(0, tSize) }) !==
    model.trainStep({ x: x.subarray(0, xSize), t: t.subarray(0, tSize) })) {
  throw new Error("a copy trains differently");
}
const many = model.predict({ x: new Float32Array(100000 * xSize) }).y;
if (many.length !== (100000 * y.length) / rows || many.some(Number.isNaN)) throw new Error("many samples");
