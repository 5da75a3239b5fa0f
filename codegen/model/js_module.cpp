// Tables of the model as JSON in front of code that is the same for every model. See js_module.h.
#include "codegen/model/js_module.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace tarn {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kOpening = R"(// Model '{0}' in WebAssembly, {1}. For browsers, workers and Node:
//
//   import {{ load }} from "./{2}.mjs";
//   const model = await load({{ seed: 1 }});
//
// Arrays of samples are typed arrays or lists of numbers, the samples one behind the other, each in row-major order.
// What a method returns is the caller's; it throws where lengths do not fit. A model has its own memory; use one in one
// thread at a time. {2}.d.mts says what there is.
)";

constexpr const char* kCode = R"(
const views = { f32: Float32Array, f64: Float64Array, i32: Int32Array, bool: Uint8Array };
const alignment = 64;
const aligned = (address) => Math.ceil(address / alignment) * alignment;

// `source`: a URL, the bytes, or a WebAssembly.Module; else the file beside this one.
export async function load({ seed = 0, state, source = new URL(file, import.meta.url) } = {}) {
  if (typeof source === "string") source = new URL(source, import.meta.url);
  if (source instanceof URL) source = await bytesOf(source);
  const module = source instanceof WebAssembly.Module ? source : await WebAssembly.compile(source);
  return new Model((await WebAssembly.instantiate(module, {})).exports, seed, state);
}

async function bytesOf(url) {
  if (url.protocol === "file:" && globalThis.process?.versions?.node) {
    return (await import("node:fs/promises")).readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

export class Model {
  #code;
  #state;
  #workspace;
  #arrays;  // address of the arrays of a call

  constructor(exports, seed, state) {
    this.#code = exports;
    this.#state = aligned(exports.__heap_base.value);
    this.#workspace = aligned(this.#state + stateBytes);
    this.#arrays = aligned(this.#workspace + workspaceBytes);
    this.#reserve(this.#arrays);
    if (state !== undefined) this.setState(state);
    else if (stateBytes > 0) this.init(seed);
  }

  // Initial weights.
  init(seed = 0) {
    this.#need("init");
    this.#call("init", this.#state, BigInt.asUintN(64, BigInt(seed)));
  }

  predict(samples) {
    this.#need("predict");
    const call = this.#place([arrays.inputs], samples, arrays.outputs);
    this.#call("predict", ...this.#self(), ...call.addresses, call.count);
    return Object.fromEntries(arrays.outputs.map((array, i) => [array.name, this.#copy(call.outputs[i], call.count, array)]));
  }

  // One step of the optimizer; the mean loss before it, NaN where it or what would be stored is not finite.
  trainStep(samples) {
    this.#need("train");
    const call = this.#place([arrays.inputs, arrays.targets], samples);
    return this.#call("train_step", this.#state, this.#workspace, ...call.addresses, call.count);
  }

  // A step for every batch, of the rows in the order of their numbers in `order`.
  trainEpoch(samples, { order } = {}) {
    this.#need("train");
    const call = this.#place([arrays.inputs, arrays.targets], samples, [], order?.length ?? 0);
    if (order?.some((row) => !(row >= 0 && row < call.count))) throw new RangeError("order: there is no such row");
    if (order) new Uint32Array(this.#code.memory.buffer, call.order, order.length).set(order);
    const rows = order ? order.length : call.count;
    const loss = this.#call("train_epoch", this.#state, this.#workspace, ...call.addresses, order ? call.order : 0, rows,
                            call.metrics, 0);
    return { loss, metrics: this.#metrics(call.metrics) };
  }

  // Ends training: the weights become the running means that `ema` has gathered.
  finishTraining() {
    this.#need("finish");
    this.#call("finish_training", this.#state);
  }

  evaluate(samples) {
    this.#need("evaluate");
    const call = this.#place([arrays.inputs, arrays.targets], samples);
    const loss = this.#call("evaluate", this.#state, this.#workspace, ...call.addresses, call.count, call.metrics);
    return { loss, metrics: this.#metrics(call.metrics) };
  }

  // Sets what layers learn from all rows, such as the mean of a normalization: once, before the first epoch. False where
  // that would not be finite: the old values are kept then.
  adapt(samples) {
    this.#need("adapt");
    const call = this.#place([arrays.inputs], samples);
    return this.#call("adapt", this.#state, this.#workspace, ...call.addresses, call.count) === 0;
  }

  // All that the model knows, as bytes that setState and the C functions of the same model take.
  state() {
    return new Uint8Array(this.#code.memory.buffer, this.#state, stateBytes).slice();
  }

  setState(bytes) {
    if (bytes.length !== stateBytes) throw new RangeError(`a state has ${stateBytes} bytes, not ${bytes.length}`);
    if (new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true) !== layout) {
      throw new RangeError("this is the state of another model");
    }
    new Uint8Array(this.#code.memory.buffer, this.#state, stateBytes).set(bytes);
  }

  // A copy of a tensor of the state, such as a weight or "optimizer.lr".
  tensor(name) {
    return this.#tensor(name).slice();
  }

  setTensor(name, values) {
    const tensor = this.#tensor(name);
    if (values.length !== tensor.length) throw new RangeError(`${name} has ${tensor.length} elements`);
    tensor.set(values);
  }

  #tensor(name) {
    const found = tensors.find((tensor) => tensor.name === name);
    if (!found) throw new RangeError(`there is no tensor '${name}'`);
    return new views[found.type](this.#code.memory.buffer, this.#state + found.offset, found.length);
  }

  #need(name) {
    if (!has[name]) throw new Error(`the model was compiled without '${name}'`);
  }

  #self() {
    return stateBytes > 0 ? [this.#state, this.#workspace] : [this.#workspace];
  }

  #call(name, ...values) {
    return this.#code[`${prefix}_${name}`](...values);
  }

  // At least so many bytes of memory. What was seen of it before is no longer there if it grows.
  #reserve(bytes) {
    const missing = bytes - this.#code.memory.buffer.byteLength;
    if (missing > 0) this.#code.memory.grow(Math.ceil(missing / 65536));
  }

  #copy(address, count, array) {
    return new views[array.type](this.#code.memory.buffer, address, count * array.size).slice();
  }

  #metrics(address) {
    const values = new views[real](this.#code.memory.buffer, address, metricCount);
    let at = 0;
    return Object.fromEntries(metrics.map(({ name, shape }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const value = shape.length === 0 ? values[at] : values.slice(at, at + size);
      at += size;
      return [name, value];
    }));
  }

  // Copies the arrays of a call behind the workspace, with room for its outputs, the metrics and an order.
  #place(groups, samples, outputs = [], orderLength = 0) {
    const given = groups.flat();
    let count;
    for (const { name, size } of given) {
      const length = samples[name]?.length;
      if (length === undefined) throw new TypeError(`there is no array '${name}'`);
      if (size === 0) continue;
      if (length % size !== 0 || (count !== undefined && length !== count * size)) {
        throw new RangeError(`${name}: ${length} elements are not ${count ?? "whole"} samples of ${size}`);
      }
      count = length / size;
    }
    count ??= samples.count ?? 0;
    let end = this.#arrays;
    const take = (bytes) => {
      const address = end;
      end = aligned(end + bytes);
      return address;
    };
    const room = ({ type, size }) => take(count * size * views[type].BYTES_PER_ELEMENT);
    const inputs = given.map(room), results = outputs.map(room);
    const call = { addresses: [...inputs, ...results], outputs: results, count, order: take(orderLength * 4),
                   metrics: take(metricCount * views[real].BYTES_PER_ELEMENT) };
    this.#reserve(end);
    given.forEach(({ name, type, size }, i) => {
      new views[type](this.#code.memory.buffer, inputs[i], count * size).set(samples[name]);
    });
    return call;
  }
}
)";

const char* view_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "Float32Array";
    case DType::f64:
      return "Float64Array";
    case DType::i32:
      return "Int32Array";
    case DType::boolean:
      return "Uint8Array";
  }
  return "";
}

Json table_of(const std::vector<InterfaceArray>& arrays) {
  Json rows = Json::array();
  for (const InterfaceArray& array : arrays) {
    rows.push_back({{"name", array.name},
                    {"type", name_of(array.type.dtype)},
                    {"shape", array.type.shape},
                    {"size", array.elements}});
  }
  return rows;
}

// A name of a file, without what could end a comment.
std::string in_js_comment(std::string text) {
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

class JsWriter {
 public:
  JsWriter(const ModelInterface& interface, const std::string& wasm, const std::string& source)
      : api_(interface), wasm_(wasm), source_(source) {}

  std::string code() const;
  std::string declarations() const;

 private:
  std::string opening() const {
    return fmt::format(kOpening, api_.model, in_js_comment(source_), in_js_comment(wasm_.substr(0, wasm_.rfind('.'))));
  }
  std::string members(const std::vector<const std::vector<InterfaceArray>*>& groups, bool results) const;
  std::string class_declaration() const;

  const ModelInterface& api_;
  const std::string &wasm_, &source_;
};

std::string JsWriter::code() const {
  std::string text = opening();
  const auto constant = [&](const char* name, const Json& value, bool is_exported = false) {
    text += fmt::format("{}const {} = {};\n", is_exported ? "export " : "", name, value.dump());
  };
  text += '\n';
  const bool trains = api_.has_train || api_.has_evaluate;
  constant("arrays",
           {{"inputs", table_of(api_.inputs)},
            {"targets", trains ? table_of(api_.targets) : Json::array()},
            {"outputs", table_of(api_.outputs)}},
           true);
  constant("batch", api_.batch, true);
  constant("classNames", api_.class_names, true);
  Json lists = Json::object();
  for (const ClassNames& list : api_.class_lists) {
    lists[list.array] = list.names;
    for (const std::string& output : list.outputs) lists[output] = list.names;
  }
  constant("classNamesOf", lists, true);
  Json metrics = Json::array(), tensors = Json::array();
  if (trains) {
    for (const MetricInfo& metric : api_.metrics) metrics.push_back({{"name", metric.name}, {"shape", metric.shape}});
  }
  constant("metrics", metrics, true);
  if (api_.has_state()) {
    for (const TensorInfo& tensor : api_.tensors) {
      tensors.push_back({{"name", tensor.name},
                         {"kind", name_of(tensor.kind)},
                         {"type", name_of(tensor.type.dtype)},
                         {"shape", tensor.type.shape},
                         {"offset", tensor.offset},
                         {"length", element_count(tensor.type.shape)}});
    }
  }
  constant("tensors", tensors, true);
  constant("stateBytes", api_.has_state() ? api_.state_bytes : 0, true);
  constant("workspaceBytes", api_.workspace_bytes);
  constant("metricCount", trains ? api_.metric_count : 0);
  constant("real", name_of(api_.real));
  constant("prefix", api_.prefix);
  constant("file", wasm_);
  text += fmt::format("const layout = {}n;\n", api_.layout);
  constant("has", {{"init", api_.has_init && api_.has_state()},
                   {"predict", api_.has_predict},
                   {"train", api_.has_train},
                   {"evaluate", api_.has_evaluate},
                   {"finish", api_.has_finish},
                   {"adapt", api_.has_adapt}});
  return text + kCode;
}

std::string JsWriter::members(const std::vector<const std::vector<InterfaceArray>*>& groups, bool results) const {
  std::string text;
  for (const auto* group : groups) {
    for (const InterfaceArray& array : *group) {
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", js_string(array.name),
                          results ? view_of(array.type.dtype) : "Numbers");
    }
  }
  return "{ " + text + " }";
}

// What all models have, whatever they are.
constexpr const char* kTypes = R"(
export type Numbers = ArrayLike<number>;
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;
export interface ArrayInfo {
  name: string;
  type: "f32" | "f64" | "i32" | "bool";
  /** Of one sample, and its number of elements. */
  shape: number[];
  size: number;
}
export interface TensorInfo {
  name: string;
  kind: "parameter" | "state" | "slot" | "hyper" | "counter";
  type: "f32" | "f64" | "i32" | "bool";
  shape: number[];
  /** Bytes from the start of the state. */
  offset: number;
  length: number;
}
export interface LoadOptions {
  /** Of the initial weights; 0 if not given. */
  seed?: number | bigint;
  /** Instead of initial weights. */
  state?: Uint8Array;
  /** Instead of the file beside the module. */
  source?: string | URL | BufferSource | WebAssembly.Module;
}
export declare const arrays: { inputs: ArrayInfo[]; targets: ArrayInfo[]; outputs: ArrayInfo[] };
/** Samples that are computed at a time; the most that a training step takes. */
export declare const batch: number;
export declare const classNames: string[];
/** By the name of an input or target, or of an output that is compared with it. */
export declare const classNamesOf: Record<string, string[]>;
export declare const metrics: { name: string; shape: number[] }[];
export declare const tensors: TensorInfo[];
export declare const stateBytes: number;
export declare function load(options?: LoadOptions): Promise<Model>;
)";

// The methods that the model has.
std::string JsWriter::class_declaration() const {
  std::string text = "\nexport declare class Model {\n  private constructor();\n";
  const auto method = [&](bool exists, const char* comment, const char* declaration) {
    if (exists) text += fmt::format("  /** {} */\n  {};\n", comment, declaration);
  };
  method(api_.has_init && api_.has_state(), "Initial weights.", "init(seed?: number | bigint): void");
  method(api_.has_predict, "Outputs for any number of samples.", "predict(samples: Inputs): Outputs");
  method(api_.has_train,
         "One step of the optimizer; the mean loss before it, NaN where it or what would be stored is not finite.",
         "trainStep(samples: Samples): number");
  method(api_.has_train, "A step for every batch of rows, in the order of the row numbers where there are any.",
         "trainEpoch(samples: Samples, options?: { order?: Numbers }): Results");
  method(api_.has_finish, "Ends training: the weights become the running means that `ema` has gathered.",
         "finishTraining(): void");
  method(api_.has_evaluate, "Mean loss and metrics of any number of samples.", "evaluate(samples: Samples): Results");
  method(api_.has_adapt,
         "Sets what layers learn from all rows: once, before the first epoch. False where that would not be finite.",
         "adapt(samples: Inputs): boolean");
  method(api_.has_state(), "All that the model knows, a copy.", "state(): Uint8Array");
  method(api_.has_state(), "Throws where it is the state of another model.", "setState(bytes: Uint8Array): void");
  method(api_.has_state(), "A copy of a tensor of the state, such as a weight or \"optimizer.lr\".",
         "tensor(name: string): TypedArray");
  method(api_.has_state(), "Sets it; the length must be that of the tensor.",
         "setTensor(name: string, values: Numbers): void");
  return text + "}\n";
}

std::string JsWriter::declarations() const {
  std::string text = opening();
  const bool trains = api_.has_train || api_.has_evaluate;
  text += kTypes;
  const std::string inputs = members({&api_.inputs}, false);
  text += fmt::format("\n/** A sample is an element of each array. */\nexport type Inputs = {};\n", inputs);
  text += fmt::format("export type Outputs = {};\n", members({&api_.outputs}, true));
  if (trains) {
    text += fmt::format("export type Samples = {};\n", members({&api_.inputs, &api_.targets}, false));
    std::string metrics;
    for (const MetricInfo& metric : api_.metrics) {
      metrics += fmt::format("{}{}: {}", metrics.empty() ? "" : "; ", js_string(metric.name),
                             metric.shape.empty() ? "number" : view_of(api_.real));
    }
    text += fmt::format("export type Results = {{ loss: number; metrics: {{ {} }} }};\n", metrics);
  }
  return text + class_declaration();
}

}  // namespace

std::string js_string(const std::string& text) { return Json(text).dump(); }

JsModule js_module(const ModelInterface& interface, const std::string& wasm, const std::string& source) {
  const JsWriter writer(interface, wasm, source);
  return {writer.code(), writer.declarations()};
}

std::vector<std::string> js_functions(const ModelInterface& interface) {
  std::vector<std::string> names;
  const auto add = [&](bool exists, const char* name) {
    if (exists) names.push_back(interface.prefix + "_" + name);
  };
  add(interface.has_init && interface.has_state(), "init");
  add(interface.has_predict, "predict");
  add(interface.has_train, "train_step");
  add(interface.has_train, "train_epoch");
  add(interface.has_finish, "finish_training");
  add(interface.has_evaluate, "evaluate");
  add(interface.has_adapt, "adapt");
  return names;
}

}  // namespace tarn
