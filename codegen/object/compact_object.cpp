// Takes an ELF object apart into sections, places, references and exported symbols, and writes what is left of them
// when references within a section are resolved. See compact_object.h. ELF: System V ABI, AMD64 supplement, chapter 4.
#include "codegen/object/compact_object.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "ir/diagnostics.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELF.h"
#include "llvm/Support/Endian.h"

namespace tarn {

namespace {

using Elf = llvm::object::ELF64LE;
namespace elf = llvm::ELF;

// What LLVM made a moment ago is well-formed.
template <class T>
T good(llvm::Expected<T> value) {
  TARN_CHECK(static_cast<bool>(value), "a malformed object file: " + llvm::toString(value.takeError()));
  return std::move(*value);
}

struct Section {
  std::string name;
  std::uint64_t flags = 0, alignment = 1;
  std::string data;
};

// Where a section of the original has gone.
struct Place {
  std::size_t section = 0;
  std::uint64_t offset = 0;
};

struct Symbol {
  std::string name;
  std::optional<Place> place;  // none: undefined
  std::uint64_t size = 0;
  std::uint8_t info = 0, other = 0;
};

struct Reference {
  Place from;
  std::uint32_t type = 0;
  // Either a place in a section or an undefined symbol.
  std::optional<std::size_t> section;
  std::size_t symbol = 0;
  std::int64_t addend = 0;
};

class ObjectCompactor {
 public:
  explicit ObjectCompactor(llvm::StringRef object) : file_(good(llvm::object::ELFFile<Elf>::create(object))) {}

  // Whether all of it is understood.
  bool read();
  std::string write();

 private:
  void read_sections();
  bool read_references(const Elf::Shdr& relocations);
  std::size_t keep_symbol(std::uint32_t index);
  std::uint32_t add_text(const std::string& text);
  std::string symbol_table(std::vector<std::uint32_t>& section_symbols, std::vector<std::uint32_t>& symbols,
                           std::uint32_t& locals);

  llvm::object::ELFFile<Elf> file_;
  llvm::ArrayRef<Elf::Shdr> headers_;
  llvm::ArrayRef<Elf::Sym> original_symbols_;
  llvm::StringRef symbol_names_;
  std::vector<Section> sections_;
  std::map<std::size_t, Place> places_;  // by number in the original
  std::vector<Symbol> symbols_;
  std::map<std::uint32_t, std::size_t> kept_symbols_;
  std::vector<Reference> references_;
  std::string text_ = std::string(1, '\0');  // of both string tables
};

// Code first, then the constants that go with it; all others for themselves.
void ObjectCompactor::read_sections() {
  const auto bytes_of = [&](const Elf::Shdr& header) {
    const llvm::ArrayRef<std::uint8_t> bytes = good(file_.getSectionContents(header));
    return std::string(bytes.begin(), bytes.end());
  };
  sections_.emplace_back();
  const auto each = [&](const auto& action) {
    for (std::size_t i = 1; i < headers_.size(); ++i) {
      if (headers_[i].sh_type == elf::SHT_PROGBITS) action(i, good(file_.getSectionName(headers_[i])));
    }
  };
  const auto append_to_code = [&](std::size_t i) {
    Section& code = sections_.front();
    const std::uint64_t alignment = std::max<std::uint64_t>(headers_[i].sh_addralign, 1);
    code.alignment = std::max(code.alignment, alignment);
    code.data.resize((code.data.size() + alignment - 1) / alignment * alignment);
    places_[i] = {0, code.data.size()};
    code.data += bytes_of(headers_[i]);
  };
  const auto is_code = [](llvm::StringRef name) { return name == ".text"; };
  const auto is_constants = [](llvm::StringRef name) { return name.starts_with(".rodata.cst"); };
  sections_.front().name = ".text";
  sections_.front().flags = elf::SHF_ALLOC | elf::SHF_EXECINSTR;
  each([&](std::size_t i, llvm::StringRef name) {
    if (is_code(name)) append_to_code(i);
  });
  each([&](std::size_t i, llvm::StringRef name) {
    if (is_constants(name)) append_to_code(i);
  });
  each([&](std::size_t i, llvm::StringRef name) {
    if (is_code(name) || is_constants(name)) return;
    // References are by section and offset from here on, so that nothing may be merged.
    const std::uint64_t flags = headers_[i].sh_flags & ~std::uint64_t{elf::SHF_MERGE | elf::SHF_STRINGS};
    places_[i] = {sections_.size(), 0};
    sections_.push_back({name.str(), flags, headers_[i].sh_addralign, bytes_of(headers_[i])});
  });
}

std::size_t ObjectCompactor::keep_symbol(std::uint32_t index) {
  const auto [entry, is_new] = kept_symbols_.try_emplace(index, symbols_.size());
  if (is_new) {
    const Elf::Sym& symbol = original_symbols_[index];
    Symbol kept{good(symbol.getName(symbol_names_)).str(), std::nullopt, symbol.st_size, symbol.st_info,
                symbol.st_other};
    if (symbol.st_shndx != elf::SHN_UNDEF) {
      const Place place = places_.at(symbol.st_shndx);
      kept.place = Place{place.section, place.offset + symbol.st_value};
    }
    symbols_.push_back(std::move(kept));
  }
  return entry->second;
}

bool ObjectCompactor::read_references(const Elf::Shdr& relocations) {
  const auto target = places_.find(relocations.sh_info);
  if (target == places_.end()) return false;
  for (const Elf::Rela& relocation : good(file_.relas(relocations))) {
    Reference reference;
    reference.from = {target->second.section, target->second.offset + relocation.r_offset};
    reference.type = relocation.getType(false);
    reference.addend = relocation.r_addend;
    const bool is_relative = reference.type == elf::R_X86_64_PC32 || reference.type == elf::R_X86_64_PLT32;
    if (!is_relative && reference.type != elf::R_X86_64_64) return false;
    const std::uint32_t index = relocation.getSymbol(false);
    const Elf::Sym& symbol = original_symbols_[index];
    if (symbol.st_shndx == elf::SHN_UNDEF) {
      reference.symbol = keep_symbol(index);
      references_.push_back(reference);
      continue;
    }
    const auto place = places_.find(symbol.st_shndx);
    if (place == places_.end()) return false;
    reference.section = place->second.section;
    reference.addend += static_cast<std::int64_t>(place->second.offset + symbol.st_value);
    if (is_relative) reference.type = elf::R_X86_64_PC32;
    if (is_relative && *reference.section == reference.from.section) {
      const std::int64_t distance = reference.addend - static_cast<std::int64_t>(reference.from.offset);
      llvm::support::endian::write32le(sections_[reference.from.section].data.data() + reference.from.offset,
                                       static_cast<std::uint32_t>(distance));
      continue;
    }
    references_.push_back(reference);
  }
  return true;
}

bool ObjectCompactor::read() {
  headers_ = good(file_.sections());
  const Elf::Shdr* symbol_section = nullptr;
  for (const Elf::Shdr& header : headers_) {
    if (header.sh_type == elf::SHT_SYMTAB) symbol_section = &header;
  }
  if (symbol_section == nullptr) return false;
  original_symbols_ = good(file_.symbols(symbol_section));
  symbol_names_ = good(file_.getStringTableForSymtab(*symbol_section));
  read_sections();
  for (std::uint32_t i = 1; i < original_symbols_.size(); ++i) {
    const Elf::Sym& symbol = original_symbols_[i];
    if (symbol.getBinding() == elf::STB_LOCAL || symbol.st_shndx == elf::SHN_UNDEF) continue;
    if (!places_.contains(symbol.st_shndx)) return false;
    keep_symbol(i);
  }
  return std::ranges::all_of(
      headers_, [&](const Elf::Shdr& header) { return header.sh_type != elf::SHT_RELA || read_references(header); });
}

std::uint32_t ObjectCompactor::add_text(const std::string& text) {
  const auto at = static_cast<std::uint32_t>(text_.size());
  text_ += text + '\0';
  return at;
}

template <class T>
void append(std::string& bytes, const T& record) {
  bytes.append(reinterpret_cast<const char*>(&record), sizeof(record));
}

// Local symbols, those of the sections that are referred to, come first.
std::string ObjectCompactor::symbol_table(std::vector<std::uint32_t>& section_symbols,
                                          std::vector<std::uint32_t>& symbols, std::uint32_t& locals) {
  std::string table;
  std::uint32_t count = 0;
  const auto add = [&](const Elf::Sym& symbol) {
    append(table, symbol);
    return count++;
  };
  add({});
  section_symbols.assign(sections_.size(), 0);
  for (const Reference& reference : references_) {
    if (!reference.section || section_symbols[*reference.section] != 0) continue;
    Elf::Sym symbol{};
    symbol.st_info = elf::STT_SECTION;
    symbol.st_shndx = static_cast<std::uint16_t>(*reference.section + 1);
    section_symbols[*reference.section] = add(symbol);
  }
  locals = count;
  for (const Symbol& kept : symbols_) {
    Elf::Sym symbol{};
    symbol.st_name = add_text(kept.name);
    symbol.st_info = kept.info;
    symbol.st_other = kept.other;
    symbol.st_size = kept.size;
    if (kept.place) {
      symbol.st_shndx = static_cast<std::uint16_t>(kept.place->section + 1);
      symbol.st_value = kept.place->offset;
    }
    symbols.push_back(add(symbol));
  }
  return table;
}

std::string ObjectCompactor::write() {
  std::vector<std::uint32_t> section_symbols, symbols;
  std::uint32_t locals = 0;
  const std::string symbol_bytes = symbol_table(section_symbols, symbols, locals);
  std::string file(sizeof(Elf::Ehdr), '\0');
  std::vector<Elf::Shdr> headers(1);
  std::memset(headers.data(), 0, sizeof(Elf::Shdr));
  const auto add = [&](const std::string& name, std::uint32_t type, const std::string& data, std::uint64_t alignment) {
    file.resize((file.size() + alignment - 1) / alignment * alignment);
    Elf::Shdr header{};
    header.sh_name = add_text(name);
    header.sh_type = type;
    header.sh_offset = file.size();
    header.sh_size = data.size();
    header.sh_addralign = alignment;
    file += data;
    headers.push_back(header);
    return headers.size() - 1;
  };
  for (const Section& section : sections_) {
    headers[add(section.name, elf::SHT_PROGBITS, section.data, std::max<std::uint64_t>(section.alignment, 1))]
        .sh_flags = section.flags;
  }
  std::vector<std::string> relocations(sections_.size());
  for (const Reference& reference : references_) {
    Elf::Rela relocation{};
    relocation.r_offset = reference.from.offset;
    relocation.r_addend = reference.addend;
    const std::uint32_t symbol = reference.section ? section_symbols[*reference.section] : symbols[reference.symbol];
    relocation.setSymbolAndType(symbol, reference.type, false);
    append(relocations[reference.from.section], relocation);
  }
  const std::size_t symbol_section = add(".symtab", elf::SHT_SYMTAB, symbol_bytes, 8);
  headers[symbol_section].sh_info = locals;
  headers[symbol_section].sh_entsize = sizeof(Elf::Sym);
  for (std::size_t i = 0; i < sections_.size(); ++i) {
    if (relocations[i].empty()) continue;
    Elf::Shdr& header = headers[add(".rela" + sections_[i].name, elf::SHT_RELA, relocations[i], 8)];
    header.sh_link = static_cast<std::uint32_t>(symbol_section);
    header.sh_info = static_cast<std::uint32_t>(i + 1);
    header.sh_entsize = sizeof(Elf::Rela);
    header.sh_flags = elf::SHF_INFO_LINK;
  }
  // Its own name is in it: `add` writes names before it looks at the data.
  const std::size_t text_section = add(".strtab", elf::SHT_STRTAB, text_, 1);
  headers[symbol_section].sh_link = static_cast<std::uint32_t>(text_section);
  file.resize((file.size() + 7) / 8 * 8);
  Elf::Ehdr header = file_.getHeader();
  header.e_shoff = file.size();
  header.e_shnum = static_cast<std::uint16_t>(headers.size());
  header.e_shstrndx = static_cast<std::uint16_t>(text_section);
  std::memcpy(file.data(), &header, sizeof(header));
  for (const Elf::Shdr& section : headers) append(file, section);
  return file;
}

bool is_elf_x86_64(llvm::StringRef object) {
  constexpr std::size_t kMachine = 18;
  return object.starts_with(llvm::StringRef("\x7F"
                                            "ELF\x02\x01",
                                            6)) &&
         object.size() > sizeof(Elf::Ehdr) &&
         llvm::support::endian::read16le(object.data() + kMachine) == elf::EM_X86_64;
}

}  // namespace

std::string compact_object(llvm::StringRef object) {
  if (!is_elf_x86_64(object)) return object.str();
  ObjectCompactor compactor(object);
  return compactor.read() ? compactor.write() : object.str();
}

}  // namespace tarn
