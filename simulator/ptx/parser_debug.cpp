// Line information: .file, .loc with its inlined_at chains, and .section blocks, of which only the function names in
// .debug_str are read.
#include <charconv>
#include <unordered_map>

#include "ptx/parser.hpp"

namespace sim::ptx {
namespace {

constexpr uint64_t kMaxFiles = 1u << 16;
constexpr uint64_t kMaxLine = 0xffffff, kMaxColumn = 0xffff;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

uint64_t position_key(uint64_t file, uint64_t line, uint64_t column) { return file << 40 | line << 16 | column; }

}  // namespace

// .file 1 "path" [, timestamp, size]
void Parser::parse_file() {
  lexer_.advance();
  const uint64_t index = take_integer("a file index", kMaxFiles);
  if (lexer_.token().kind != Token::Kind::kString) lexer_.fail_expected("a file name");
  if (tree_.files.size() <= index) tree_.files.resize(index + 1);
  tree_.files[index] = lexer_.token().text;
  lexer_.advance();
  if (take(',')) {
    take_integer("a time stamp", ~uint64_t{0});
    expect(',');
    take_integer("a file size", ~uint64_t{0});
  }
}

// .loc file line column [, function_name label [+ n], inlined_at file line column]      -- no semicolon
// An inlined_at names the position of an earlier .loc; if that one was inlined itself, the sites form a chain.
void Parser::parse_loc() {
  struct Place {
    uint32_t file, line, column;
    uint64_t key() const { return position_key(file, line, column); }
  };
  const auto take_place = [&] {
    Place place{};
    place.file = static_cast<uint32_t>(take_integer("a file index", kMaxFiles));
    place.line = static_cast<uint32_t>(take_integer("a line", kMaxLine));
    place.column = static_cast<uint32_t>(take_integer("a column", kMaxColumn));
    return place;
  };
  lexer_.advance();
  const Place place = take_place();
  int32_t site = -1;
  if (take(',')) {
    if (take_name("`function_name`") != "function_name") lexer_.fail("expected `function_name` before this");
    const std::string_view label = take_name("a label");
    if (take('+')) take_integer("an offset", ~uint64_t{0});
    expect(',');
    if (take_name("`inlined_at`") != "inlined_at") lexer_.fail("expected `inlined_at` before this");
    const Place caller = take_place();
    const auto outer = site_of_position_.find(caller.key());
    const int32_t outer_site = outer == site_of_position_.end() ? -1 : outer->second;
    // The .loc directives of one inlined call all repeat its site.
    const auto [known, is_new] =
        site_of_call_.try_emplace({caller.key(), outer_site, label}, static_cast<int32_t>(tree_.inline_sites.size()));
    site = known->second;
    if (is_new) {
      tree_.inline_sites.push_back({{}, {0, caller.file, caller.line, outer_site}});
      site_labels_.push_back(label);
    }
  }
  if (place.key() != 0) site_of_position_[place.key()] = site;
  // Line 0 marks code that the compiler made up; the line before it says more to a reader.
  if (place.line != 0) location_ = {0, place.file, place.line, site};
}

void Parser::parse_section() {
  lexer_.advance();
  const std::string_view name = take_directive("a section name");
  if (!lexer_.at('{')) lexer_.fail_expected("`{`");
  const std::string_view body = lexer_.take_braced_text();
  if (name == ".debug_str") debug_strings_ = body;
}

// .debug_str is `label:` lines between `.b8 code[, code]` lines; strings end with 0.
void Parser::name_inline_sites() {
  if (site_labels_.empty()) return;
  std::unordered_map<std::string_view, size_t> start_of;
  std::string bytes;
  const char* at = debug_strings_.data();
  const char* const end = at + debug_strings_.size();
  while (at < end) {
    if (is_space(*at) || *at == ',') {
      ++at;
    } else if (*at >= '0' && *at <= '9') {
      unsigned code = 0;
      at = std::from_chars(at, end, code).ptr;
      bytes += static_cast<char>(code);
    } else {
      const char* word = at;
      while (at < end && !is_space(*at) && *at != ':') ++at;
      if (at < end && *at == ':') start_of[std::string_view(word, static_cast<size_t>(at++ - word))] = bytes.size();
    }
  }
  for (size_t i = 0; i < site_labels_.size(); ++i) {
    const auto found = start_of.find(site_labels_[i]);
    tree_.inline_sites[i].function = found != start_of.end() && found->second < bytes.size()
                                         ? bytes.c_str() + found->second
                                         : std::string(site_labels_[i]);
  }
}

}  // namespace sim::ptx
