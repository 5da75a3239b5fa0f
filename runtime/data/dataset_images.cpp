// Data of folders of images. See dataset.h.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "ir/counted.h"
#include "ir/joined.h"
#include "runtime/data/dataset_parts.h"
#include "runtime/data/image_folder.h"
#include "runtime/files/array_values.h"
#include "runtime/files/csv.h"
#include "runtime/files/file.h"
#include "runtime/files/image.h"
#include "runtime/files/value_check.h"

namespace tarn {

namespace {

constexpr unsigned kMostDecoders = 8;  // each may hold an image of kMostPixels

// What images are made for an input.
struct ImageExtents {
  std::int64_t height = 0, width = 0, channels = 0;
  bool are_resized = false;

  std::int64_t values() const { return height * width * channels; }
  Shape shape() const { return {height, width, channels}; }
};

// The images of a folder as one array, read by several threads: which one reads a file never shows.
class ImageDecoder {
 public:
  ImageDecoder(const ImageFolder& folder, const ImageExtents& extents) : folder_(folder), extents_(extents) {
    const auto rows = static_cast<std::int64_t>(folder.files.size());
    // What is resized has values between those of a file.
    pixels_ = Array::unset(extents.are_resized ? ArrayType::f32 : ArrayType::u8,
                           {rows, extents.height, extents.width, extents.channels});
  }

  void decode() {
    const auto useful = static_cast<unsigned>(std::min<std::size_t>(folder_.files.size(), kMostDecoders));
    const unsigned wanted = std::min(useful, std::max(std::thread::hardware_concurrency(), 1U));
    std::vector<std::thread> helpers = start(wanted - 1);
    work();
    for (std::thread& helper : helpers) helper.join();
    if (failure_) std::rethrow_exception(failure_);
  }

  // By their numbers in the folder.
  const std::map<std::size_t, Diagnostics>& broken() const { return broken_; }
  // Whole images of other extents than those that are wanted, and what they have.
  const std::map<std::size_t, Shape>& misfits() const { return misfits_; }
  Array take() { return std::move(pixels_); }

 private:
  std::vector<std::thread> start(unsigned wanted) {
    std::vector<std::thread> helpers;
    helpers.reserve(wanted);
    try {
      for (unsigned i = 0; i < wanted; ++i) helpers.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      return helpers;  // those that there are will do
    }
    return helpers;
  }

  void work() {
    try {
      for (std::size_t i = next_++; i < folder_.files.size(); i = next_++) decode(i);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      next_ = folder_.files.size();
    }
  }

  void decode(std::size_t i) {
    Result<Array> image = read_image(folder_.path_of(folder_.files[i]), extents_.channels);
    if (!image) {
      const std::lock_guard lock(mutex_);
      broken_.emplace(i, std::move(image).error());
      return;
    }
    const std::size_t place = i * static_cast<std::size_t>(extents_.values());
    if (extents_.are_resized) {
      resize_image(*image, extents_.height, extents_.width, pixels_.values<float>().data() + place);
    } else if (image->shape == extents_.shape()) {
      std::memcpy(pixels_.data.data() + place, image->data.data(), image->data.size());
    } else {
      const std::lock_guard lock(mutex_);
      misfits_.emplace(i, image->shape);
    }
  }

  const ImageFolder& folder_;
  const ImageExtents extents_;
  Array pixels_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_;  // of what follows
  std::map<std::size_t, Diagnostics> broken_;
  std::map<std::size_t, Shape> misfits_;
  std::exception_ptr failure_;
};

// What is said of the images of a size that the input does not have.
Diagnostic wrong_size(const ImageFolder& folder, const std::map<std::size_t, Shape>& misfits, const DataColumn& column,
                      const ImageExtents& extents) {
  const auto& [first, shape] = *misfits.begin();
  Diagnostic wrong = error(fmt::format("{}: the image is {} x {} (height x width), and '{}' takes {} x {}{}",
                                       folder.path_of(folder.files[first]), shape[0], shape[1], column.input->name,
                                       extents.height, extents.width, and_more(misfits.size() - 1, "image")));
  wrong.notes.push_back(
      {{}, fmt::format("`size {}, {}` in the data block makes all images this size", extents.height, extents.width)});
  return wrong;
}

class ImagesReader {
 public:
  explicit ImagesReader(const Reading& reading) : reading_(reading), settings_(reading.source.images) {}

  Result<Dataset> read() {
    data_.arrays.resize(reading_.program.inputs.size());
    const auto path = reading_.source.files.find("");
    if (path == reading_.source.files.end()) return error_at(reading_.source.span, "no folder of images is named");
    TARN_RETURN_IF_ERROR(check_parts());
    const bool with_classes = std::ranges::any_of(reading_.columns, is_class);
    TARN_TRY(folder_, list_images(path->second, with_classes));
    data_.rows = folder_.files.size();
    data_.remarks = folder_.remarks;
    TARN_TRY(std::vector<Array> arrays, read_pixels());
    TARN_RETURN_IF_ERROR(leave_out_broken());
    for (std::size_t i = 0; i < reading_.columns.size(); ++i) {
      const DataColumn& column = reading_.columns[i];
      TARN_TRY(data_.arrays[static_cast<std::size_t>(column.input - reading_.program.inputs.data())],
               is_class(column) ? labels(column) : values(column, std::move(arrays[i])));
      arrays[i] = {};
    }
    for (const ImageFile& file : folder_.files) data_.names.push_back(file.name);
    return std::move(data_);
  }

 private:
  static bool is_class(const DataColumn& column) { return column.binding.array == kClass; }

  Status check_parts() const {
    for (const DataColumn& column : reading_.columns) {
      if (!column.binding.array.empty()) continue;
      return error_at(column.binding.span, fmt::format("a folder of images has `{}` and `{}`, and nothing for '{}'",
                                                       kImage, kClass, column.input->name));
    }
    return Done{};
  }

  // An array for each column that is of images.
  Result<std::vector<Array>> read_pixels() {
    std::vector<Array> arrays(reading_.columns.size());
    for (std::size_t i = 0; i < reading_.columns.size(); ++i) {
      const DataColumn& column = reading_.columns[i];
      if (is_class(column)) continue;
      if (data_.named_input.empty()) data_.named_input = column.input->name;
      TARN_TRY(const ImageExtents extents, extents_for(column));
      TARN_RETURN_IF_ERROR(check_bytes(extents));
      ImageDecoder decoder(folder_, extents);
      decoder.decode();
      broken_.insert(decoder.broken().begin(), decoder.broken().end());
      TARN_RETURN_IF_ERROR(check_broken());
      if (!decoder.misfits().empty()) return wrong_size(folder_, decoder.misfits(), column, extents);
      arrays[i] = decoder.take();
    }
    return arrays;
  }

  Status check_bytes(const ImageExtents& extents) const {
    const Shape shape = {static_cast<std::int64_t>(folder_.files.size()), extents.height, extents.width,
                         extents.channels};
    const auto bytes = byte_count(extents.are_resized ? ArrayType::f32 : ArrayType::u8, shape);
    if (bytes && static_cast<std::uint64_t>(*bytes) <= kFileLimit) return Done{};
    return error(fmt::format("'{}' has {} images, as an array {}: more than the {} bytes that are read", folder_.path,
                             folder_.files.size(), format_shape(shape), kFileLimit));
  }

  // Height, width and channels are what the settings say; else what the shape of the input does; and where it is flat,
  // what the first image has.
  Result<ImageExtents> extents_for(const DataColumn& column) const {
    const Shape& shape = column.input->type.shape;
    ImageExtents extents{settings_.height, settings_.width, settings_.channels, settings_.height > 0};
    const bool has_axes = shape.size() == 2 || shape.size() == 3;
    if (extents.channels == 0 && has_axes) extents.channels = shape.size() == 3 ? shape[2] : 1;
    if (!extents.are_resized && has_axes) {
      extents.height = shape[0];
      extents.width = shape[1];
    } else if (!extents.are_resized) {
      for (const ImageFile& file : folder_.files) {
        const Result<Array> image = read_image(folder_.path_of(file), 1);
        if (!image) continue;
        extents.height = image->shape[0];
        extents.width = image->shape[1];
        break;
      }
    }
    const std::int64_t pixels = extents.height * extents.width;
    if (extents.channels == 0) extents.channels = pixels > 0 && column.elements == 3 * pixels ? 3 : 1;
    TARN_RETURN_IF_ERROR(check_extents_of(column, extents));
    return extents;
  }

  static Status check_extents_of(const DataColumn& column, const ImageExtents& extents) {
    const Shape& shape = column.input->type.shape;
    const bool has_channels = extents.channels == 1 || extents.channels == 3;
    Shape plane = extents.shape();
    plane.pop_back();
    const bool fits = shape == extents.shape() || (extents.channels == 1 && shape == plane) ||
                      (shape.size() == 1 && column.elements == extents.values());
    if (fits && has_channels) return Done{};
    const std::string what = fmt::format("'{}' is {}", column.input->name, to_string(shape));
    if (has_channels)
      return error_at(column.binding.span, fmt::format("{}, and an image here {}", what, to_string(extents.shape())));
    const bool may_be_first = shape.size() == 3 && (shape[0] == 1 || shape[0] == 3);
    return error_at(column.binding.span, fmt::format("{}, and an image [height, width, 1] or [height, width, 3]{}",
                                                     what, may_be_first ? ": channels come last" : ""));
  }

  // What is wrong with broken images, unless they are to be left out. What the machine could not do is no fault of
  // theirs.
  Status check_broken() const {
    Diagnostics errors;
    for (const auto& [row, problems] : broken_) {
      if (settings_.skip_broken && !machine_failed(problems)) continue;
      if (errors.size() < kErrorsShown) errors.insert(errors.end(), problems.begin(), problems.end());
    }
    if (errors.empty()) return Done{};
    if (broken_.size() > errors.size())
      errors.back().notes.push_back({{}, fmt::format("{} images cannot be read", broken_.size())});
    if (!machine_failed(errors))
      errors.back().notes.push_back({{}, "`skip_broken` in the data block leaves such images out"});
    return errors;
  }

  Status leave_out_broken() {
    std::vector<bool> dropped(folder_.files.size());
    std::vector<std::string> names;
    for (const auto& [row, problems] : broken_) {
      dropped[row] = true;
      names.push_back(folder_.files[row].name);
    }
    rows_ = rows_that_stay(dropped);
    if (rows_.empty()) {
      Diagnostic none = error(fmt::format("every image in '{}' is broken", folder_.path));
      none.notes.push_back({{}, broken_.begin()->second.front().message});
      return none;
    }
    if (names.empty()) return Done{};
    constexpr std::size_t kMostNamesListed = 5;
    data_.remarks.push_back(
        {Severity::note,
         {},
         fmt::format("{} of {} images in '{}' left out: {} broken: {}", names.size(), data_.rows, folder_.path,
                     agreeing(names.size(), "it is", "they are"), first_joined(names, kMostNamesListed)),
         {},
         {}});
    data_.file_rows = data_.rows;
    data_.kept = rows_;
    data_.rows = rows_.size();
    return Done{};
  }

  Result<Bytes> values(const DataColumn& column, Array&& pixels) const {
    const Shape shape(pixels.shape.begin() + 1, pixels.shape.end());
    const ValueOrigin origin{[this, shape](std::size_t row, std::size_t element) {
                               return fmt::format("{}: at {}", folder_.path_of(folder_.files[row]),
                                                  format_place(static_cast<std::int64_t>(element), shape));
                             },
                             nullptr};
    const double scale = column.binding.scale;
    return rows_.size() == folder_.files.size() ? input_values(std::move(pixels), *column.input, scale, origin)
                                                : input_values(pixels, rows_, *column.input, scale, origin);
  }

  Result<Bytes> labels(const DataColumn& column) {
    TARN_TRY(const std::vector<std::int64_t> all,
             classes_of_files(folder_, *column.input, column.binding, reading_.vocabularies));
    std::vector<std::int64_t> classes;
    for (const std::uint32_t row : rows_) classes.push_back(all[row]);
    if (column.binding.encoding == DataBinding::Encoding::one_hot)
      return one_hot_values(classes, column.elements, *column.input);
    TARN_RETURN_IF_ERROR(check_width(column, 1, "number"));
    return class_values(classes, *column.input);
  }

  const Reading& reading_;
  const ImageSettings& settings_;
  ImageFolder folder_;
  std::map<std::size_t, Diagnostics> broken_;  // by their numbers in the folder
  std::vector<std::uint32_t> rows_;            // that stay
  Dataset data_;
};

}  // namespace

Result<Dataset> read_images(const Reading& reading) { return ImagesReader(reading).read(); }

}  // namespace tarn
