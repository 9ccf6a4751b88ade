// SPDX-License-Identifier: MIT
// The verbs. Each runs with the arguments after its name, prints its result
// and returns the exit status; what goes wrong it throws (errors.h).
#pragma once

#include <span>

namespace vmdk_tool {

using Arguments = std::span<char* const>;

constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitCancelled = 130;

// For compare, as for cmp(1) and diff(1).
constexpr int kExitSame = 0;
constexpr int kExitDifferent = 1;
constexpr int kExitTrouble = 2;

int run_info(Arguments arguments);
int run_map(Arguments arguments);
int run_read(Arguments arguments);
int run_write(Arguments arguments);
int run_create(Arguments arguments);
int run_snapshot(Arguments arguments);
int run_ddb(Arguments arguments);
int run_hash(Arguments arguments);
int run_compare(Arguments arguments);
int run_convert(Arguments arguments);
int run_measure(Arguments arguments);

struct Verb {
  const char* name;
  const char* summary;
  int (*run)(Arguments);
  int failed;  // exit status of a failure
};

constexpr Verb kVerbs[] = {
    {"info", "Show what is known of a disk", run_info, kExitFailed},
    {"map", "Show how a disk is stored, piece by piece", run_map, kExitFailed},
    {"read", "Read bytes as the guest sees them", run_read, kExitFailed},
    {"write", "Write bytes for the guest to see", run_write, kExitFailed},
    {"create", "Create an empty disk", run_create, kExitFailed},
    {"snapshot", "Create a child that stores what differs", run_snapshot, kExitFailed},
    {"ddb", "Show or change the disk database", run_ddb, kExitFailed},
    {"hash", "Print the digest of what the guest sees", run_hash, kExitFailed},
    {"compare", "Compare what two disks show the guest", run_compare, kExitTrouble},
    {"convert", "Write a disk as one of another kind", run_convert, kExitFailed},
    {"measure", "Tell what a conversion will need", run_measure, kExitFailed},
};

// The summary of a verb in kVerbs, for its own help.
const char* verb_summary(const char* name);

}  // namespace vmdk_tool
