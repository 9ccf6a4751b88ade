// SPDX-License-Identifier: MIT
#include "command_line.h"

#include <CLI/CLI.hpp>

#include "errors.h"
#include "messages.h"

namespace vmdk_tool {
namespace {

constexpr std::size_t kHelpColumn = 28;

// CLI11's layout without what says nothing here: that a placeholder is needed,
// and marks of types, defaults and repetition.
class PlainFormatter final : public CLI::Formatter {
 public:
  PlainFormatter() {
    column_width(kHelpColumn);
    label("Positionals", "Arguments");
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string type = option->get_type_name();
    return option->get_positional() || type.empty() ? "" : " " + type;
  }
};

}  // namespace

struct CommandLine::Impl {
  Impl(const std::string& summary, const std::string& name) : app(summary, name) {}

  CLI::App app;
  std::string group = "Options";
};

CommandLine::CommandLine(const std::string& verb, const std::string& summary)
    : impl_(std::make_unique<Impl>(summary, "vmdk " + verb)) {
  impl_->app.formatter(std::make_shared<PlainFormatter>());
  impl_->app.set_help_flag("-h,--help", "Print this help");
}

CommandLine::~CommandLine() = default;

void CommandLine::argument(const char* name, std::string& into, const char* help) {
  impl_->app.add_option(name, into, help)->type_name("")->required();
}

void CommandLine::argument(const char* name, std::optional<std::string>& into, const char* help) {
  impl_->app.add_option(name, into, help)->type_name("");
}

void CommandLine::arguments(const char* name, std::vector<std::string>& into, const char* help) {
  impl_->app.add_option(name, into, help)->type_name("");
}

void CommandLine::flag(const char* names, bool& into, const char* help) {
  impl_->app.add_flag(names, into, help)
      ->group(impl_->group)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void CommandLine::option(const char* names, std::string& into, const char* placeholder,
                         const char* help) {
  impl_->app.add_option(names, into, help)->type_name(placeholder)->group(impl_->group);
}

void CommandLine::option(const char* names, std::vector<std::string>& into, const char* placeholder,
                         const char* help) {
  impl_->app.add_option(names, into, help)
      ->type_name(placeholder)
      ->group(impl_->group)
      ->allow_extra_args(false);
}

void CommandLine::group(const char* heading) { impl_->group = heading; }

void CommandLine::footer(const char* text) { impl_->app.footer(text); }

void CommandLine::parse(std::span<char* const> arguments) {
  // CLI11 takes them last first.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    impl_->app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    throw HelpWanted{impl_->app.help()};
  } catch (const CLI::ParseError& error) {
    throw UsageError(printable(error.what()));
  }
}

}  // namespace vmdk_tool
