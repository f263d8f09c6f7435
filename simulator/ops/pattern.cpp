// Patterns of the instruction table: matching, expansion, and the index by first token.
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

void expand(std::string_view pattern, const Rest* rest, std::string& text,
            const std::function<bool(const std::string&)>& is_prefix_wanted,
            const std::function<void(const std::string&)>& f) {
  const size_t open = pattern.find('[');
  const size_t length = text.size();
  text += pattern.substr(0, open);
  if (is_prefix_wanted(text)) {
    if (open != std::string_view::npos) {
      const size_t close = group_end(pattern, open);
      const Rest after{pattern.substr(close + 1), rest};
      for (size_t begin = open + 1; begin <= close;) {
        const size_t end = alternative_end(pattern, begin, close);
        expand(pattern.substr(begin, end - begin), &after, text, is_prefix_wanted, f);
        begin = end + 1;
      }
    } else if (rest != nullptr) {
      expand(rest->pattern, rest->next, text, is_prefix_wanted, f);
    } else {
      f(text);
    }
  }
  text.resize(length);
}

std::set<std::string> first_tokens(std::string_view pattern) {
  std::set<std::string> tokens;
  const auto add = [&](const std::string& text) { tokens.insert(text.substr(0, text.find('.'))); };
  std::string text;
  // Once a dot is reached the first token is complete: note it and do not expand further.
  expand(
      pattern, nullptr, text,
      [&](const std::string& prefix) {
        if (prefix.find('.') == std::string::npos) return true;
        add(prefix);
        return false;
      },
      add);
  return tokens;
}

}  // namespace

FormTable::FormTable(std::span<const std::span<const Form>> groups) {
  for (const auto& group : groups)
    for (const Form& form : group) {
      rows_.push_back(&form);
      for (const std::string& token : first_tokens(form.pattern)) by_first_token_[token].push_back(&form);
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

void expand_pattern(std::string_view pattern, const std::function<void(const std::string&)>& f) {
  std::string text;
  expand(pattern, nullptr, text, [](const std::string&) { return true; }, f);
}

}  // namespace sim
