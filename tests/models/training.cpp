// Outputs, targets, losses, metrics, optimizers and the other lines of a train block.
#include <algorithm>
#include <map>
#include <set>

#include "ir/diagnostics.h"
#include "tests/models/writer.h"

namespace tarn::models {

namespace {

using fmt::format;

// What a prediction is, and so its target.
enum class Kind { probability, real, one_hot, classes, sign };

struct Head {
  Kind kind;
  std::string y, t;
  Shape shape;

  bool has_classes() const { return !shape.empty() && shape.back() > 1; }
};

const std::set<std::string> kOfReals = {"mean_squared_error",
                                        "mse",
                                        "mean_absolute_error",
                                        "mae",
                                        "huber",
                                        "log_cosh",
                                        "logcosh",
                                        "cosine_similarity",
                                        "cosine",
                                        "mean_absolute_percentage_error",
                                        "pearson_correlation",
                                        "mape",
                                        "concordance_correlation",
                                        "r2_score",
                                        "r2",
                                        "pearson",
                                        "root_mean_squared_error",
                                        "contrastive"};
const std::set<std::string> kOfClasses = {"sparse_categorical_crossentropy",
                                          "categorical_generalized_cross_entropy",
                                          "sparse_categorical_accuracy",
                                          "sparse_top_k_categorical_accuracy",
                                          "iou",
                                          "mean_iou",
                                          "confusion_matrix",
                                          "accuracy"};
const std::set<std::string> kOfSigns = {"hinge", "squared_hinge", "sign_accuracy", "accuracy"};
// These take classes, or yes and no, along an axis of at least two.
const std::set<std::string> kAlongAnAxis = {"categorical_crossentropy",
                                            "categorical_hinge",
                                            "categorical_focal_crossentropy",
                                            "categorical_accuracy",
                                            "cosine_similarity",
                                            "cosine",
                                            "top_k_categorical_accuracy",
                                            "fbeta_score",
                                            "f1_score",
                                            "fbeta",
                                            "one_hot_iou",
                                            "one_hot_mean_iou",
                                            "confusion_matrix",
                                            "pearson_correlation",
                                            "concordance_correlation",
                                            "kl_divergence",
                                            "kld",
                                            "kullback_leibler_divergence",
                                            "sensitivity_at_specificity",
                                            "specificity_at_sensitivity",
                                            "precision_at_recall",
                                            "recall_at_precision",
                                            "precision",
                                            "recall",
                                            "auc"};

bool goes_with(const std::string& name, const Head& head) {
  switch (head.kind) {
    case Kind::classes:
      return kOfClasses.contains(name);
    case Kind::sign:
      return kOfSigns.contains(name) || name == "mean_squared_error";
    case Kind::real:
      return kOfReals.contains(name) && (head.has_classes() || !kAlongAnAxis.contains(name));
    case Kind::probability:
    case Kind::one_hot:
      break;
  }
  if (name == "accuracy") return true;
  if (name == "confusion_matrix") return head.kind == Kind::one_hot;
  return !kOfClasses.contains(name) && !kOfSigns.contains(name) && (head.has_classes() || !kAlongAnAxis.contains(name));
}

// What parameters without a default are given.
std::string needed_argument(const std::string& name, const Head& head) {
  static const std::map<std::string, std::string> table = {
      {"specificity", "0.5"}, {"sensitivity", "0.5"},      {"precision", "0.5"},
      {"recall", "0.5"},      {"target_class_ids", "[0]"}, {"s", "step"},
      {"lr", "0.02"},         {"decay_steps", "5"},        {"decay_rate", "0.7"},
      {"first", "2"},         {"boundaries", "[1, 2]"},    {"values", "[0.05, 0.02, 0.01]"},
      {"base", "sgd"}};
  if (name == "y" || name == "d") return head.y;
  if (name == "t" || name == "same") return head.t;
  if (name == "value") return format("mean_squared_error({}, {})", head.y, head.t);
  if (name == "num_classes")
    return std::to_string(head.shape.empty() ? 2 : std::max<std::int64_t>(2, head.shape.back()));
  const auto row = table.find(name);
  TARN_CHECK(row != table.end(), "the generator has nothing to give for '" + name + "'");
  return row->second;
}

std::string call_with_needed(Writer& writer, const Definition& of, const Head& head) {
  std::vector<std::string> needed;
  for (const Parameter& parameter : of.parameters) {
    if (parameter.initial.empty()) needed.push_back(needed_argument(parameter.name, head));
  }
  std::string text = format("{}", fmt::join(needed, ", "));
  if (of.name == "iou" || of.name == "mean_iou") text += ", sparse_y_pred = false";
  return writer.call_of(of, text);
}

Head add_head(Writer& writer) {
  const Named x = writer.any_value();
  Head head;
  head.shape = x.shape;
  if (x.shape.empty()) {
    const std::string name = writer.fresh("w");
    writer.body.push_back(format("param {} = 0.7", name));
    writer.add(format("{} * {}", name, x.name), x.shape);
  } else {
    const std::int64_t units = 1 + writer.choices.below(5);
    head.shape.back() = units;
    writer.add(format("{} |> dense({})", x.name, units), head.shape, 8);
  }
  const std::string scores = writer.values.back().name;
  static const std::vector<Kind> kinds = {Kind::real, Kind::probability, Kind::one_hot, Kind::classes, Kind::sign};
  head.kind = writer.choices.one_of(kinds);
  const bool of_classes = head.kind == Kind::one_hot || head.kind == Kind::classes;
  if (of_classes && !head.has_classes()) head.kind = Kind::probability;
  head.y = writer.fresh("y");
  head.t = writer.fresh("t");
  const bool is_share = head.kind == Kind::one_hot || head.kind == Kind::classes;
  const std::string value = is_share                         ? format("softmax({})", scores)
                            : head.kind == Kind::probability ? format("sigmoid({})", scores)
                                                             : scores;
  writer.body.push_back(format("output {} = {}", head.y, value));
  return head;
}

void add_target(Writer& writer, const Head& head) {
  Shape shape = head.shape;
  if (head.kind == Kind::classes) shape.pop_back();
  const char* const type = head.kind == Kind::classes && writer.choices.flip() ? ": i32" : "";
  writer.train.push_back(format("target {}{}{}", head.t, shape.empty() ? "" : text_of(shape), type));
}

void add_loss(Writer& writer, const Head& head) {
  std::vector<const Definition*> candidates;
  for (const Definition* one : definitions_in("losses", "fn")) {
    if (goes_with(one->name, head)) candidates.push_back(one);
  }
  const std::string call = call_with_needed(writer, *writer.choices.one_of(candidates), head);
  writer.train.push_back(format("loss {}{}", writer.choices.once_in(4) ? "0.5 * " : "", call));
}

void add_metric(Writer& writer, const Head& head) {
  std::vector<const Definition*> candidates;
  for (const auto& [file, kind] : {std::pair("metrics", "fn"), {"metrics", "metric"}, {"losses", "fn"}}) {
    for (const Definition* one : definitions_in(file, kind)) {
      if (goes_with(one->name, head)) candidates.push_back(one);
    }
  }
  const std::string call = call_with_needed(writer, *writer.choices.one_of(candidates), head);
  writer.train.push_back(format("metric {} = {}", writer.fresh("m"), call));
}

std::string optimizer(Writer& writer) {
  const Definition& chosen = *writer.choices.one_of(definitions_in("optimizers", "optimizer"));
  const std::string base = chosen.find("base") != nullptr ? "adam" : "";
  if (!writer.choices.once_in(4)) return writer.call_of(chosen, base);
  const Definition& schedule = *writer.choices.one_of(definitions_in("schedules", "fn"));
  const std::string rate = call_with_needed(writer, schedule, {});
  return format("{}({}lr = {})", chosen.name, base.empty() ? "" : base + ", ", rate);
}

void add_settings(Writer& writer) {
  static const std::vector<std::string> lines = {"weight_decay 0.01",
                                                 "clip_norm 0.5",
                                                 "clip_global_norm 1",
                                                 "clip_value 0.05",
                                                 "accumulate 2",
                                                 "ema(momentum = 0.9)",
                                                 "ema(momentum = 0.8, overwrite_every = 2)",
                                                 "seed 3"};
  std::set<std::string> words;
  for (int i = 0; i < 2 && writer.choices.once_in(3); ++i) {
    const std::string& line = writer.choices.one_of(lines);
    if (words.insert(line.substr(0, line.find_first_of(" ("))).second) writer.train.push_back(line);
  }
  if (writer.choices.once_in(5)) {
    writer.train.push_back("target importance");
    writer.train.push_back("sample_weight importance");
  }
  if (writer.parameters.empty()) return;
  const std::uint32_t what = writer.choices.below(6);
  if (what == 4) writer.train.push_back(format("freeze {}", writer.choices.one_of(writer.parameters)));
  if (what == 5)
    writer.train.push_back(format("optimizer {} for {}", optimizer(writer), writer.choices.one_of(writer.parameters)));
}

}  // namespace

void add_training(Writer& writer) {
  std::vector<Head> heads = {add_head(writer)};
  if (writer.choices.once_in(5)) heads.push_back(add_head(writer));
  for (const Head& head : heads) {
    add_target(writer, head);
    add_loss(writer, head);
    while (writer.choices.once_in(2)) add_metric(writer, head);
  }
  if (heads[0].kind == Kind::classes && heads[0].shape.size() <= 2 && writer.choices.once_in(3))
    writer.train.push_back(format("class_weight {{0: 0.5, 1: 2}} for {}", heads[0].t));
  writer.train.push_back(format("optimizer {}", optimizer(writer)));
  add_settings(writer);
  writer.train.push_back(format("batch {}", writer.batch));
}

}  // namespace tarn::models
