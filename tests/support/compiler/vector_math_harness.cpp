// Compiles the emitters with ORC; references.
#include "tests/support/compiler/vector_math_harness.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"

namespace tarn::testing {

namespace {

std::string kernel_name(const std::string& function, bool is_f64, unsigned lanes) {
  return function + (is_f64 ? "_f64_" : "_f32_") + std::to_string(lanes);
}

/// void name(const T* x, const T* y, T* out, i64 vectors): a loop over vectors of `lanes` lanes.
void emit_kernel(llvm::Module& module, const VectorFunction& row, bool is_f64, unsigned lanes, MathTarget target) {
  llvm::LLVMContext& context = module.getContext();
  llvm::IRBuilder<> builder(context);
  llvm::Type* lane = is_f64 ? builder.getDoubleTy() : builder.getFloatTy();
  llvm::Type* type = lanes == 1 ? lane : llvm::FixedVectorType::get(lane, lanes);
  llvm::Type* pointer = builder.getPtrTy();
  auto* signature =
      llvm::FunctionType::get(builder.getVoidTy(), {pointer, pointer, pointer, builder.getInt64Ty()}, false);
  auto* function =
      llvm::Function::Create(signature, llvm::Function::ExternalLinkage, kernel_name(row.name, is_f64, lanes), module);
  auto* entry = llvm::BasicBlock::Create(context, "entry", function);
  auto* loop = llvm::BasicBlock::Create(context, "loop", function);
  auto* done = llvm::BasicBlock::Create(context, "done", function);
  builder.SetInsertPoint(entry);
  builder.CreateBr(loop);
  builder.SetInsertPoint(loop);
  llvm::PHINode* index = builder.CreatePHI(builder.getInt64Ty(), 2);
  index->addIncoming(builder.getInt64(0), entry);
  llvm::Align alignment(is_f64 ? 8 : 4);
  std::vector<llvm::Value*> arguments;
  for (unsigned i = 0; i < row.arity; ++i)
    arguments.push_back(
        builder.CreateAlignedLoad(type, builder.CreateGEP(type, function->getArg(i), index), alignment));
  llvm::Value* result = row.emit(builder, arguments, target);
  builder.CreateAlignedStore(result, builder.CreateGEP(type, function->getArg(2), index), alignment);
  llvm::Value* next = builder.CreateAdd(index, builder.getInt64(1));
  index->addIncoming(next, loop);
  builder.CreateCondBr(builder.CreateICmpEQ(next, function->getArg(3)), done, loop);
  builder.SetInsertPoint(done);
  builder.CreateRetVoid();
}

template <typename Value>
Value value_of(llvm::Expected<Value> expected) {
  if (expected) return std::move(*expected);
  llvm::errs() << llvm::toString(expected.takeError()) << "\n";
  std::abort();
}

llvm::orc::JITTargetMachineBuilder machine_builder(Machine machine) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto builder = value_of(llvm::orc::JITTargetMachineBuilder::detectHost());
  if (machine == Machine::kWithout) {
    builder.setCPU("x86-64");
    builder.getFeatures() = llvm::SubtargetFeatures("+sse4.1");
  }
  return builder;
}

}  // namespace

VectorMathKernels::VectorMathKernels(Machine machine) {
  auto builder = machine_builder(machine);
  const std::vector<std::string>& features = builder.getFeatures().getFeatures();
  has_fma_ = std::find(features.begin(), features.end(), "+fma") != features.end();
  MathTarget target{.has_fma = has_fma_};
  auto context = std::make_unique<llvm::LLVMContext>();
  auto module = std::make_unique<llvm::Module>("vector_math", *context);
  for (const VectorFunction& row : vector_functions())
    for (bool is_f64 : {false, true})
      for (unsigned lanes : kLaneCounts) emit_kernel(*module, row, is_f64, lanes, target);
  // As in generated code: all of a wide vector in one register.
  for (llvm::Function& function : *module)
    if (!function.isDeclaration() && machine == Machine::kHost) function.addFnAttr("prefer-vector-width", "512");
  if (llvm::verifyModule(*module, &llvm::errs())) std::abort();
  jit_ = value_of(llvm::orc::LLJITBuilder()
                      .setJITTargetMachineBuilder(builder)
                      .setLinkProcessSymbolsByDefault(false)
                      .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
                      .create());
  llvm::cantFail(jit_->addIRModule(llvm::orc::ThreadSafeModule(std::move(module), std::move(context))));
  for (const VectorFunction& row : vector_functions())
    for (bool is_f64 : {false, true})
      for (unsigned lanes : kLaneCounts)
        kernels_[{row.name, is_f64, lanes}] =
            value_of(jit_->lookup(kernel_name(row.name, is_f64, lanes))).toPtr<Kernel>();
}

VectorMathKernels::~VectorMathKernels() = default;

void VectorMathKernels::run(const VectorFunction& function, unsigned lanes, std::span<const float> x,
                            std::span<const float> y, std::span<float> out) const {
  kernels_.at({function.name, false, lanes})(x.data(), y.data(), out.data(),
                                             static_cast<std::int64_t>(x.size() / lanes));
}

void VectorMathKernels::run(const VectorFunction& function, unsigned lanes, std::span<const double> x,
                            std::span<const double> y, std::span<double> out) const {
  kernels_.at({function.name, true, lanes})(x.data(), y.data(), out.data(),
                                            static_cast<std::int64_t>(x.size() / lanes));
}

const VectorFunction& vector_function(const std::string& name) {
  for (const VectorFunction& row : vector_functions())
    if (row.name == name) return row;
  std::fprintf(stderr, "no function %s\n", name.c_str());
  std::abort();
}

template <typename Wide>
Reference<Wide> reference(const std::string& name) {
  static const std::map<std::string, Reference<Wide>> kReferences = {
      {"exp", [](Wide x, Wide) { return std::exp(x); }},
      {"expm1", [](Wide x, Wide) { return std::expm1(x); }},
      {"log", [](Wide x, Wide) { return std::log(x); }},
      {"log1p", [](Wide x, Wide) { return std::log1p(x); }},
      {"sqrt", [](Wide x, Wide) { return std::sqrt(x); }},
      {"rsqrt", [](Wide x, Wide) { return 1 / std::sqrt(x); }},
      {"sin", [](Wide x, Wide) { return std::sin(x); }},
      {"cos", [](Wide x, Wide) { return std::cos(x); }},
      {"tanh", [](Wide x, Wide) { return std::tanh(x); }},
      {"sigmoid", [](Wide x, Wide) { return 1 / (1 + std::exp(-x)); }},
      {"softplus", [](Wide x, Wide) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }},
      {"erf", [](Wide x, Wide) { return std::erf(x); }},
      {"pow", [](Wide x, Wide y) { return std::pow(x, y); }},
      {"floor", [](Wide x, Wide) { return std::floor(x); }},
      {"ceil", [](Wide x, Wide) { return std::ceil(x); }},
      {"round", [](Wide x, Wide) { return std::nearbyint(x); }},
  };
  return kReferences.at(name);
}

template Reference<double> reference<double>(const std::string& name);
template Reference<long double> reference<long double>(const std::string& name);

}  // namespace tarn::testing
