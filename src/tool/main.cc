// SPDX-License-Identifier: MIT
// The `vmdk` command: finds the verb, runs it, and turns what it throws into
// lines on standard error and an exit status.
#include <vmdk/vmdk.h>

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "errors.h"
#include "messages.h"
#include "output.h"
#include "signals.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

const Verb* find_verb(std::string_view name) {
  const auto* const verb =
      std::find_if(std::begin(kVerbs), std::end(kVerbs),
                   [&](const Verb& candidate) { return name == candidate.name; });
  return verb == std::end(kVerbs) ? nullptr : verb;
}

void print_text(std::string_view text) {
  TextOutput out;
  out.write(text);
  out.finish();
}

void print_overview() {
  TextOutput out;
  out.write(
      "Read, write, create and convert VMware virtual disks (VMDK).\n\nUsage: vmdk VERB [OPTIONS] "
      "FILE...\n\nVerbs:\n");
  for (const Verb& verb : kVerbs) out.print("  %-10s%s\n", verb.name, verb.summary);
  out.write(
      "\n`vmdk VERB --help` tells what a verb takes; `vmdk --version` the version.\n"
      "Sizes and offsets are bytes, or 64k, 10M, 2G, 62T (powers of 1024).\n"
      "Exit status: 0 done, 1 failed, 2 wrong usage, 130 cancelled; compare: 0 same,\n"
      "1 different, 2 trouble. The manual is vmdk(1).\n");
  out.finish();
}

int run_help(Arguments arguments) {
  if (arguments.empty()) {
    print_overview();
    return kExitDone;
  }
  const Verb* const verb = find_verb(arguments[0]);
  if (verb == nullptr || arguments.size() > 1) throw UsageError("help takes the name of one verb");
  char option[] = "--help";
  char* const help[] = {option};
  return verb->run(Arguments(help, 1));
}

int run(Arguments arguments) {
  if (arguments.empty()) throw UsageError("no verb is given");
  const std::string_view first = arguments[0];
  const Arguments rest = arguments.subspan(1);
  if (const Verb* const verb = find_verb(first)) return verb->run(rest);
  if (first == "--help" || first == "-h" || first == "help") return run_help(rest);
  if (first == "--version" || first == "version") {
    print_text(std::string("vmdk ") + vmdk_version_string() + "\n");
    return kExitDone;
  }
  if (first.starts_with('-')) throw UsageError(printable(first) + " stands before the verb");
  throw UsageError("there is no verb '" + printable(first) + "'");
}

void report_failure(const Failure& failure, Arguments arguments) {
  print_message("vmdk: " + std::string(failure.what()));
  const auto is_verbose = [](std::string_view a) { return a == "-v" || a == "--verbose"; };
  const bool verbose = std::any_of(arguments.begin(), arguments.end(), is_verbose);
  if (verbose && !failure.place().empty()) print_message("vmdk: " + failure.place());
  if (!failure.hint().empty()) print_message("hint: " + failure.hint());
}

int run_and_report(Arguments arguments) {
  const Verb* const verb = arguments.empty() ? nullptr : find_verb(arguments[0]);
  try {
    try {
      return run(arguments);
    } catch (const HelpWanted& help) {
      print_text(help.text);
      return kExitDone;
    }
  } catch (const UsageError& error) {
    print_message("vmdk: " + std::string(error.what()));
    const std::string name = verb == nullptr ? "" : std::string(" ") + verb->name;
    if (error.see() == UsageError::See::help)
      print_message("hint: `vmdk" + name + " --help` tells what it takes");
    return kExitUsage;
  } catch (const Failure& failure) {
    report_failure(failure, arguments);
  } catch (const Cancelled&) {
    print_message("vmdk: cancelled");
    return kExitCancelled;
  } catch (const BrokenPipe&) {
  } catch (const std::bad_alloc&) {
    print_message("vmdk: out of memory");
  } catch (const std::exception& error) {
    print_message("vmdk: " + printable(error.what()));
  }
  return verb == nullptr ? kExitFailed : verb->failed;
}

}  // namespace

const char* verb_summary(const char* name) { return find_verb(name)->summary; }

}  // namespace vmdk_tool

int main(int argc, char** argv) {
  vmdk_tool::install_signal_handlers();
  const vmdk_tool::Arguments all(argv, static_cast<std::size_t>(argc));
  return vmdk_tool::run_and_report(all.empty() ? all : all.subspan(1));
}
