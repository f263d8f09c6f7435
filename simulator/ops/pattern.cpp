// Patterns of the instruction table: matching, and the index by first token.
#include "ops/table.hpp"

#include <set>
#include <stdexcept>

namespace sim {
namespace {

// Index of the `]` that closes the group opened at `open`. Groups nest.
size_t group_end(std::string_view pattern, size_t open) {
  int depth = 0;
  for (size_t i = open; i < pattern.size(); ++i) {
    if (pattern[i] == '[') ++depth;
    if (pattern[i] == ']' && --depth == 0) return i;
  }
  throw std::logic_error("instruction table: unbalanced brackets in `" + std::string(pattern) + '`');
}

// End of the alternative that starts at `begin` in a group that closes at `close`.
size_t alternative_end(std::string_view pattern, size_t begin, size_t close) {
  int depth = 0;
  for (size_t i = begin; i < close; ++i) {
    if (pattern[i] == '[') ++depth;
    if (pattern[i] == ']') --depth;
    if (pattern[i] == '|' && depth == 0) return i;
  }
  return close;
}

// What may follow: a pattern and what comes after it. A chain of these on the stack replaces string concatenation.
struct Rest {
  std::string_view pattern;
  const Rest* next;
};

bool match(std::string_view pattern, const Rest* rest, std::string_view text) {
  const size_t open = pattern.find('[');
  const std::string_view literal = pattern.substr(0, open);
  if (!text.starts_with(literal)) return false;
  text.remove_prefix(literal.size());
  if (open == std::string_view::npos) return rest == nullptr ? text.empty() : match(rest->pattern, rest->next, text);
  const size_t close = group_end(pattern, open);
  const Rest after{pattern.substr(close + 1), rest};
  for (size_t begin = open + 1; begin <= close;) {
    const size_t end = alternative_end(pattern, begin, close);
    if (match(pattern.substr(begin, end - begin), &after, text)) return true;
    begin = end + 1;
  }
  return false;
}

// Adds what may stand before the first dot to `tokens`.
void first_tokens(std::string_view pattern, const Rest* rest, std::string token, std::set<std::string>& tokens) {
  const size_t open = pattern.find('[');
  const std::string_view literal = pattern.substr(0, open);
  token += literal.substr(0, literal.find('.'));
  if (literal.find('.') != std::string_view::npos || (open == std::string_view::npos && rest == nullptr)) {
    tokens.insert(token);
  } else if (open == std::string_view::npos) {
    first_tokens(rest->pattern, rest->next, token, tokens);
  } else {
    const size_t close = group_end(pattern, open);
    const Rest after{pattern.substr(close + 1), rest};
    for (size_t begin = open + 1; begin <= close;) {
      const size_t end = alternative_end(pattern, begin, close);
      first_tokens(pattern.substr(begin, end - begin), &after, token, tokens);
      begin = end + 1;
    }
  }
}

}  // namespace

FormTable::FormTable(std::span<const std::span<const Form>> groups) : groups_(groups.begin(), groups.end()) {
  for (const auto& group : groups)
    for (const Form& form : group) {
      rows_.push_back(&form);
      std::set<std::string> tokens;
      first_tokens(form.pattern, nullptr, {}, tokens);
      for (const std::string& token : tokens) by_first_token_[token].push_back(&form);
    }
}

std::vector<const Form*> FormTable::find(std::string_view dotted_opcode) const {
  std::vector<const Form*> found;
  const auto rows = by_first_token_.find(std::string(dotted_opcode.substr(0, dotted_opcode.find('.'))));
  if (rows == by_first_token_.end()) return found;
  for (const Form* form : rows->second)
    if (pattern_matches(form->pattern, dotted_opcode)) found.push_back(form);
  return found;
}

bool pattern_matches(std::string_view pattern, std::string_view opcode) { return match(pattern, nullptr, opcode); }

}  // namespace sim
