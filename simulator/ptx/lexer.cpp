// Hand-written scanner. The traps it owns: names with %, $ and dots (%tid.x), the literal prefixes 0f 0d 0x 0b, opcodes
// whose modifiers contain `::` or are spread over lines, and comments of both kinds.
#include "ptx/lexer.hpp"

#include <array>
#include <charconv>
#include <cstring>

namespace sim::ptx {
namespace {

enum CharClass : uint8_t { kNameStart = 1, kNameChar = 2, kDigit = 4, kSpace = 8, kHex = 16 };

constexpr std::array<uint8_t, 256> kClasses = [] {
  std::array<uint8_t, 256> classes{};
  for (int c = 'a'; c <= 'z'; ++c) classes[c] = classes[c - 'a' + 'A'] = kNameStart | kNameChar;
  for (int c = '0'; c <= '9'; ++c) classes[c] = kNameChar | kDigit | kHex;
  for (int c = 'a'; c <= 'f'; ++c) classes[c] |= kHex, classes[c - 'a' + 'A'] |= kHex;
  for (const char c : {'_', '$'}) classes[static_cast<uint8_t>(c)] = kNameStart | kNameChar;
  classes['%'] = kNameStart;
  for (const char c : {' ', '\t', '\r', '\n', '\f', '\v'}) classes[static_cast<uint8_t>(c)] = kSpace;
  return classes;
}();

char c_tolower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is(char c, CharClass wanted) { return (kClasses[static_cast<uint8_t>(c)] & wanted) != 0; }

uint64_t parse_digits(std::string_view digits, int base, bool& fits) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  fits = error == std::errc{} && end == digits.data() + digits.size();
  return value;
}

}  // namespace

void Source::fail(Position position, const std::string& what) const {
  size_t begin = 0;
  for (uint32_t line = 1; line < position.line && begin < text.size(); ++line) {
    const size_t newline = text.find('\n', begin);
    begin = newline == std::string_view::npos ? text.size() : newline + 1;
  }
  std::string_view line = text.substr(begin, text.find('\n', begin) - begin);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  std::string message(name);
  message += ':' + std::to_string(position.line) + ':' + std::to_string(position.column) + ": " + what + '\n';
  message.append(line) += '\n';
  for (uint32_t column = 1; column < position.column; ++column)
    message += column <= line.size() && line[column - 1] == '\t' ? '\t' : ' ';
  throw Error(message + '^', position.line, what);
}

Lexer::Lexer(const Source& source) : source_(source) { advance(); }

void Lexer::fail_expected(std::string_view wanted) const {
  std::string found = token_.kind == Token::Kind::kEnd ? "the end of the file" : '`' + std::string(token_.text) + '`';
  fail("expected " + std::string(wanted) + ", found " + found);
}

void Lexer::skip_space() {
  const std::string_view text = source_.text;
  while (cursor_ < text.size()) {
    const char c = text[cursor_];
    if (c == '\n') {
      ++line_;
      line_start_ = ++cursor_;
    } else if (is(c, kSpace)) {
      ++cursor_;
    } else if (c == '/' && char_at(cursor_ + 1) == '/') {
      const size_t end = text.find('\n', cursor_);
      cursor_ = end == std::string_view::npos ? text.size() : end;
    } else if (c == '/' && char_at(cursor_ + 1) == '*') {
      const Position start = position_of(cursor_);
      const size_t end = text.find("*/", cursor_ + 2);
      if (end == std::string_view::npos) source_.fail(start, "this comment has no end");
      for (; cursor_ < end + 2; ++cursor_)
        if (text[cursor_] == '\n') ++line_, line_start_ = cursor_ + 1;
    } else {
      return;
    }
  }
}

void Lexer::advance() {
  previous_end_ = cursor_;
  skip_space();
  const std::string_view text = source_.text;
  const size_t start = cursor_;
  token_ = {Token::Kind::kEnd, text.substr(start, 0), 0, position_of(start)};
  if (start == text.size()) return;
  const char c = text[start];
  if (is(c, kNameStart)) {
    token_.kind = Token::Kind::kName;
    while (is(char_at(++cursor_), kNameChar)) {
    }
    // %tid.x and its like: one component letter, then nothing that could go on.
    if (c == '%' && char_at(cursor_) == '.' && strchr("xyzw", char_at(cursor_ + 1)) != nullptr &&
        char_at(cursor_ + 1) != '\0' && !is(char_at(cursor_ + 2), kNameChar))
      cursor_ += 2;
  } else if (is(c, kDigit)) {
    read_number(start);
  } else if (c == '.' && is(char_at(start + 1), kNameChar)) {
    token_.kind = Token::Kind::kDirective;
    while (is(char_at(++cursor_), kNameChar)) {
    }
  } else if (c == '"') {
    token_.kind = Token::Kind::kString;
    const size_t end = text.find_first_of("\"\n", start + 1);
    if (end == std::string_view::npos || text[end] == '\n') source_.fail(token_.position, "this string has no end");
    token_.text = text.substr(start + 1, end - start - 1);
    cursor_ = end + 1;
    return;
  } else {
    token_.kind = Token::Kind::kPunct;
    ++cursor_;
  }
  token_.text = text.substr(start, cursor_ - start);
}

void Lexer::read_number(size_t start) {
  const std::string_view text = source_.text;
  const auto take_while = [&](CharClass wanted) {
    const size_t begin = cursor_;
    while (is(char_at(cursor_), wanted)) ++cursor_;
    return text.substr(begin, cursor_ - begin);
  };
  const auto finish = [&](Token::Kind kind, bool is_good) {
    if (!is_good || is(char_at(cursor_), kNameChar)) {
      take_while(kNameChar);
      source_.fail(token_.position, "malformed number `" + std::string(text.substr(start, cursor_ - start)) + '`');
    }
    token_.kind = kind;
  };
  bool fits = true;
  const char prefix = c_tolower(char_at(start + 1));
  if (text[start] == '0' && (prefix == 'f' || prefix == 'd')) {
    cursor_ = start + 2;
    const std::string_view digits = take_while(kHex);
    token_.value = parse_digits(digits, 16, fits);
    const bool is_double = prefix == 'd';
    return finish(is_double ? Token::Kind::kFloat64 : Token::Kind::kFloat32,
                  fits && digits.size() == (is_double ? 16u : 8u));
  }
  if (text[start] == '0' && (prefix == 'x' || prefix == 'b')) {
    cursor_ = start + 2;
    token_.value = parse_digits(take_while(kHex), prefix == 'x' ? 16 : 2, fits);
  } else {
    const std::string_view digits = take_while(kDigit);
    const char next = char_at(cursor_ + 1);
    const bool has_fraction = char_at(cursor_) == '.' && (is(next, kDigit) || !is(next, kNameChar));  // "0." as well
    if (has_fraction || c_tolower(char_at(cursor_)) == 'e') {
      double number = 0;
      const auto [end, error] = std::from_chars(text.data() + start, text.data() + text.size(), number);
      cursor_ = static_cast<size_t>(end - text.data());
      std::memcpy(&token_.value, &number, sizeof number);
      return finish(Token::Kind::kFloat64, error == std::errc{});
    }
    const bool is_octal = digits.size() > 1 && digits[0] == '0';
    token_.value = parse_digits(digits, is_octal ? 8 : 10, fits);
  }
  if (char_at(cursor_) == 'U') ++cursor_;
  finish(Token::Kind::kInteger, fits);
}

bool Lexer::take_label_colon() {
  size_t offset = cursor_;
  while (char_at(offset) == ' ' || char_at(offset) == '\t') ++offset;
  if (char_at(offset) != ':' || char_at(offset + 1) == ':') return false;
  cursor_ = offset + 1;
  return true;
}

void Lexer::take_opcode(Statement& statement) {
  const std::string_view text = source_.text;
  statement.opcode.assign(token_.text);
  statement.tokens.push_back(token_.text);
  for (;;) {
    // `::` belongs to the token before it, so a token is name characters and pairs of colons.
    while (char_at(cursor_) == ':' && char_at(cursor_ + 1) == ':') {
      const size_t begin = cursor_;
      cursor_ += 2;
      while (is(char_at(cursor_), kNameChar)) ++cursor_;
      std::string_view& last = statement.tokens.back();
      last = std::string_view(last.data(), last.size() + (cursor_ - begin));
      statement.opcode.append(text, begin, cursor_ - begin);
    }
    previous_end_ = cursor_;
    skip_space();
    if (char_at(cursor_) != '.' || !is(char_at(cursor_ + 1), kNameChar)) break;
    const size_t begin = ++cursor_;
    while (is(char_at(cursor_), kNameChar)) ++cursor_;
    statement.tokens.push_back(text.substr(begin, cursor_ - begin));
    statement.opcode.append(1, '.').append(statement.tokens.back());
  }
  advance();
}

std::string_view Lexer::take_braced_text() {
  const size_t begin = cursor_;
  size_t end = begin - 1;
  bool is_in_comment = true;
  while (is_in_comment) {
    end = source_.text.find('}', end + 1);
    if (end == std::string_view::npos) fail("this `{` has no matching `}`");
    const size_t line = source_.text.rfind('\n', end) + 1;
    is_in_comment = source_.text.substr(line, end - line).find("//") != std::string_view::npos;
  }
  const std::string_view body = source_.text.substr(begin, end - begin);
  for (const void* at = memchr(body.data(), '\n', body.size()); at != nullptr;) {
    const char* newline = static_cast<const char*>(at);
    ++line_;
    line_start_ = static_cast<size_t>(newline + 1 - source_.text.data());
    at = memchr(newline + 1, '\n', static_cast<size_t>(body.data() + body.size() - newline - 1));
  }
  cursor_ = end + 1;
  advance();
  return body;
}

}  // namespace sim::ptx
