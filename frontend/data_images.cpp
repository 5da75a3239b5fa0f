// See data_images.h.
#include "frontend/data_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "ir/data_formats.h"

namespace tarn::elaboration {

namespace {

// Of rows and of columns.
constexpr std::int64_t kMostPixelsOfSide = 65'535;

}  // namespace

bool ImageLines::read(const ast::Setting& setting, ImageSettings& images) {
  if (setting.key.name == "size") {
    read_size(setting, images);
  } else if (setting.key.name == "channels") {
    read_channels(setting, images);
  } else if (setting.key.name == "skip_broken") {
    read_skip_broken(setting, images);
  } else {
    return false;
  }
  keys_.push_back(&setting.key);
  return true;
}

void ImageLines::read_size(const ast::Setting& setting, ImageSettings& images) {
  if (setting.arguments.size() != 2 || setting.arguments[0].name || setting.arguments[1].name) {
    e_.reports.fail(setting.key.span, "size takes the height and the width that images are to have: size 32, 32");
    return;
  }
  const auto extent_of = [&](const ast::Expression& value, const char* what) {
    const auto number = e_.readings.to_integer(e_.evaluator.evaluate(value), value.span, what);
    if (number && (*number < 1 || *number > kMostPixelsOfSide))
      e_.reports.fail(value.span, fmt::format("{} is from 1 to {}, not {}", what, kMostPixelsOfSide, *number));
    return number.value_or(0);
  };
  images.height = extent_of(*setting.arguments[0].value, "the height of images");
  images.width = extent_of(*setting.arguments[1].value, "the width of images");
}

void ImageLines::read_channels(const ast::Setting& setting, ImageSettings& images) {
  if (setting.arguments.size() != 1 || setting.arguments[0].name) {
    e_.reports.fail(setting.key.span, "'channels' needs one value");
    return;
  }
  const ast::Expression& value = *setting.arguments[0].value;
  const auto count = e_.readings.to_integer(e_.evaluator.evaluate(value), value.span, "the number of channels");
  if (count && *count != 1 && *count != 3)
    e_.reports.fail(value.span, fmt::format("channels is 1, of grey images, or 3, of colours, not {}", *count));
  images.channels = count.value_or(0);
}

void ImageLines::read_skip_broken(const ast::Setting& setting, ImageSettings& images) {
  images.skip_broken = says_skip_broken_ = true;
  if (setting.arguments.empty()) return;
  const ast::Expression& value = *setting.arguments[0].value;
  images.skip_broken =
      e_.readings.to_truth(e_.evaluator.evaluate(value), value.span, "skip_broken").value_or(images.skip_broken);
}

void ImageLines::check(const DataSource& source) const {
  const DataFormat* const format = find_format(source.format);
  if (format == nullptr) return;
  if (format->kind != DataKind::folder) {
    for (const ast::Identifier* key : keys_) {
      e_.reports.fail(key->span, fmt::format("'{}' is for `{}`, and the source here is `{}`", key->name,
                                             format_of_folders().name, source.format));
    }
    return;
  }
  for (const DataBinding& binding : source.bindings) {
    if (!binding.columns.empty() || (binding.array != kImage && binding.array != kClass)) {
      e_.reports.fail(binding.span, fmt::format("a folder of images has `{0}` and `{1}`: {2} = {0}, or {2} = {1}",
                                                kImage, kClass, binding.name));
    } else if (binding.array == kImage && binding.encoding != DataBinding::Encoding::none) {
      e_.reports.fail(binding.span, fmt::format("labels are encoded, as `{}` is; `{}` is none", kClass, kImage));
    } else if (binding.array == kClass && binding.scale != 1) {
      e_.reports.fail(binding.span, fmt::format("numbers are scaled, as `{}` is; `{}` is a label", kImage, kClass));
    }
  }
}

void ImageLines::inherit(ImageSettings& own, const ImageSettings& base) const {
  if (own.height == 0) {
    own.height = base.height;
    own.width = base.width;
  }
  if (own.channels == 0) own.channels = base.channels;
  if (!says_skip_broken_) own.skip_broken = base.skip_broken;
}

void ImageLines::complete(DataSource& source, const std::set<std::string>& attempted) const {
  for (const InputInfo& input : e_.program.inputs) {
    const auto found =
        std::ranges::find_if(source.bindings, [&](const DataBinding& binding) { return binding.name == input.name; });
    if (found != source.bindings.end()) {
      *found = image_binding(std::move(*found), input);
      continue;
    }
    if (attempted.contains(input.name)) continue;
    const DataBinding binding = image_binding({}, input);
    if (binding.array.empty()) {
      e_.reports.fail(source.span, fmt::format("the data block does not say where '{}' is: a folder of images has "
                                               "`{}` and `{}`",
                                               input.name, kImage, kClass));
    } else {
      source.bindings.push_back(binding);
    }
  }
}

}  // namespace tarn::elaboration
