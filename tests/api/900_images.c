/* SPDX-License-Identifier: MIT */
/* Runs every image that tests/data/make_images.py made: $VMDK_TEST_IMAGES/manifest.tsv says what
 * each must give.
 *
 * Each case runs in a process of its own, so that a crash, a hang or a waste of memory is the
 * failure of that case alone. VMDK_TEST_ONLY is a pattern of names; VMDK_TEST_VERBOSE shows what
 * every case gave; VMDK_TEST_SLOW multiplies the time allowed and leaves memory unchecked (for
 * valgrind; sanitizers are noticed). */
#define _GNU_SOURCE /* strcasestr, wait4 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <nettle/sha2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vmdk/vmdk.h>

#include <cmocka.h>

#define STEP ((size_t)1 << 20)       /* a sequential read */
#define WHOLE ((uint64_t)8 << 20)    /* smaller disks are kept in memory and read again at random */
#define WALK ((uint64_t)4 << 30)     /* smaller disks are mapped from end to end */
#define READ_ALL ((uint64_t)8 << 30) /* larger ones without probes are read at both ends only */
#define RANDOM_READS 150

enum column {
  C_NAME,
  C_PATH,
  C_FLAGS,
  C_PATHS,
  C_ROOTS,
  C_ENCODING,
  C_MEMBER,
  C_OPEN,
  C_CAPACITY,
  C_SHA256,
  C_READ,
  C_MESSAGE,
  C_HINT,
  C_PROBES,
  C_SECONDS,
  C_RSS,
  C_THREADS,
  C_OPTIONS,
  C_INFO,
  C_WHY,
  COLUMNS
};
static const char* const column_names[COLUMNS] = {
    "name",    "path",     "flags",   "paths",   "roots",   "encoding", "member",
    "open",    "capacity", "sha256",  "read",    "message", "hint",     "probes",
    "seconds", "rss",      "threads", "options", "info",    "why"};

struct row {
  char* at[COLUMNS];
};

/* -- What went wrong ------------------------------------------------------ */

struct report {
  char text[16384];
  size_t length;
  int failures;
};

__attribute__((format(printf, 2, 3))) static void note(struct report* report, const char* format,
                                                       ...) {
  va_list list;
  int length;

  if (report->failures++ >= 12) return;
  va_start(list, format);
  length = snprintf(report->text + report->length, sizeof(report->text) - report->length, "    ");
  report->length += (size_t)length;
  length =
      vsnprintf(report->text + report->length, sizeof(report->text) - report->length, format, list);
  va_end(list);
  if (length > 0) report->length += (size_t)length;
  if (report->length > sizeof(report->text) - 600) report->length = sizeof(report->text) - 600;
  report->text[report->length++] = '\n';
  report->text[report->length] = 0;
}

/* -- Small helpers -------------------------------------------------------- */

static int given(const char* cell) { return strcmp(cell, "-") != 0; }

/* Is the status one of "0|11"? */
static int listed(const char* cell, vmdk_status status) {
  const char* at = cell;

  if (!given(cell)) return 0;
  for (;;) {
    char* end;
    if (strtol(at, &end, 10) == status) return 1;
    if (*end != '|') return 0;
    at = end + 1;
  }
}

/* The number behind "key=" in "a=1,b=2", decimal or hexadecimal; *rest is what follows it. */
static int lookup(const char* cell, const char* key, uint64_t* value, const char** rest) {
  size_t length = strlen(key);
  const char* at = cell;

  while (at != NULL && *at != 0) {
    if (strncmp(at, key, length) == 0 && at[length] == '=') {
      char* end;
      *value = strtoull(at + length + 1, &end, 0);
      if (rest != NULL) *rest = end;
      return 1;
    }
    at = strchr(at, ',');
    if (at != NULL) ++at;
  }
  return 0;
}

static void hex(const uint8_t* digest, char* out) {
  size_t i;

  for (i = 0; i < SHA256_DIGEST_SIZE; ++i) (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void sha256_text(struct sha256_ctx* context, char* out) {
  uint8_t digest[SHA256_DIGEST_SIZE];

  sha256_digest(context, sizeof(digest), digest);
  hex(digest, out);
}

static int all_zero(const uint8_t* bytes, size_t size) {
  return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static uint64_t next_random(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

/* Entries of a folder of /proc; -1 where there is none. */
static int count_entries(const char* path) {
  DIR* folder = opendir(path);
  int count = 0;

  if (folder == NULL) return -1;
  while (readdir(folder) != NULL) ++count;
  (void)closedir(folder);
  return count;
}

static double processor_time(void) {
  struct rusage usage;

  (void)getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static long peak_kib(void) {
  struct rusage usage;

  (void)getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

static double slowness(void) {
  const char* text = getenv("VMDK_TEST_SLOW");

  if (text != NULL && atof(text) > 1) return atof(text);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 20;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
  return 20;
#else
  return 1;
#endif
#else
  return 1;
#endif
}

/* -- Messages ------------------------------------------------------------- */

static int one_clean_line(const char* text) {
  for (; *text != 0; ++text)
    if ((unsigned char)*text < 0x20 || *text == 0x7f) return 0;
  return 1;
}

/* Does the text hold everything that "a;b|c" asks for? */
static int holds(const char* text, const char* wanted) {
  char copy[1024];
  char *part, *outer = NULL;

  (void)snprintf(copy, sizeof(copy), "%s", wanted);
  for (part = strtok_r(copy, ";", &outer); part != NULL; part = strtok_r(NULL, ";", &outer)) {
    char *choice, *inner = NULL;
    int found = 0;
    for (choice = strtok_r(part, "|", &inner); choice != NULL; choice = strtok_r(NULL, "|", &inner))
      if (strcasestr(text, choice) != NULL) found = 1;
    if (!found) return 0;
  }
  return 1;
}

/* The detail of a failure that was expected. */
static void check_error(struct report* report, const struct row* row, const char* call,
                        vmdk_status status) {
  const vmdk_error* error = vmdk_last_error();
  char both[1100];

  if (getenv("VMDK_TEST_VERBOSE") != NULL)
    printf("%s: %s %d: %s [%s]\n", row->at[C_NAME], call, status, error->message, error->hint);

  if (error->status != status)
    note(report, "%s gave %d, vmdk_last_error() says %d", call, status, error->status);
  if (error->message[0] == 0) note(report, "%s gave %d without a message", call, status);
  if (!one_clean_line(error->message) || !one_clean_line(error->hint))
    note(report, "%s: the message holds control characters", call);
  if (given(row->at[C_MESSAGE]) && !holds(error->message, row->at[C_MESSAGE]))
    note(report, "%s: the message lacks \"%s\": %s", call, row->at[C_MESSAGE], error->message);
  (void)snprintf(both, sizeof(both), "%s %s", error->message, error->hint);
  if (given(row->at[C_HINT]) && !holds(both, row->at[C_HINT]))
    note(report, "%s: message and hint lack \"%s\": %s [%s]", call, row->at[C_HINT], error->message,
         error->hint);
}

struct messages {
  struct report* report;
  int warnings;
};

static void take_message(void* user, int32_t level, const char* message) {
  struct messages* messages = user;

  if (level < VMDK_LEVEL_DEBUG || level > VMDK_LEVEL_WARNING)
    note(messages->report, "a message of level %d", level);
  if (message == NULL || message[0] == 0 || !one_clean_line(message))
    note(messages->report, "a message that is no clean line of text");
  if (level == VMDK_LEVEL_WARNING) ++messages->warnings;
}

/* -- One disk ------------------------------------------------------------- */

struct subject {
  vmdk_disk* disk;
  const struct row* row;
  struct report* report;
  uint64_t capacity;
  uint8_t* buffer; /* STEP bytes */
  uint8_t* other;  /* STEP bytes */
  uint8_t* whole;  /* all of the disk, if it is small; else NULL */
  uint8_t* kinds;  /* kind of each sector, if it is small */
};

static vmdk_status read_at(struct subject* s, void* buffer, uint64_t size, uint64_t offset) {
  return vmdk_read_at(s->disk, buffer, (size_t)size, offset);
}

static void check_info(struct subject* s, int after) {
  const char* cell = s->row->at[C_INFO];
  vmdk_info info;
  uint64_t value, mask = 0;
  const char* rest;
  vmdk_status status;
  size_t i;

  memset(&info, 0xa5, sizeof(info));
  info.struct_size = sizeof(info);
  status = vmdk_get_info(s->disk, &info);
  if (status != VMDK_OK) {
    note(s->report, "vmdk_get_info gave %d: %s", status, vmdk_last_error()->message);
    return;
  }
  s->capacity = info.capacity;
  if (given(s->row->at[C_CAPACITY]) && info.capacity != strtoull(s->row->at[C_CAPACITY], NULL, 10))
    note(s->report, "capacity %" PRIu64 ", expected %s", info.capacity, s->row->at[C_CAPACITY]);
  if (!given(cell)) return;
  if (after) {
    if (lookup(cell, "recovered", &value, NULL) && (info.recovered_tables != 0) != (value != 0))
      note(s->report, "recovered_tables %" PRIu64 ", expected %s", info.recovered_tables,
           value ? "some" : "none");
    if (lookup(cell, "flags_after", &value, &rest)) {
      mask = strtoull(rest + 1, NULL, 0);
      if ((info.flags & mask) != value)
        note(s->report, "flags 0x%x after reading, expected 0x%" PRIx64 " of 0x%" PRIx64,
             info.flags, value, mask);
    }
    return;
  }
  {
    const struct {
      const char* key;
      uint64_t got;
    } members[] = {
        {"type", info.type},
        {"grain", info.grain_bytes},
        {"cid", info.cid},
        {"parent_cid", info.parent_cid},
        {"extents", info.extent_count},
        {"chain", info.chain_length},
        {"version", info.descriptor_version},
        {"header", info.header_version},
        {"adapter", info.adapter},
        {"hardware", info.hardware_version},
        {"cylinders", info.cylinders},
        {"heads", info.heads},
        {"sectors", info.sectors},
    };
    for (i = 0; i < sizeof(members) / sizeof(members[0]); ++i)
      if (lookup(cell, members[i].key, &value, NULL) && value != members[i].got)
        note(s->report, "info.%s is %" PRIu64 ", expected %" PRIu64, members[i].key, members[i].got,
             value);
  }
  if (lookup(cell, "flags", &value, &rest)) {
    mask = strtoull(rest + 1, NULL, 0);
    if ((info.flags & mask) != value)
      note(s->report, "info.flags is 0x%x, expected 0x%" PRIx64 " of 0x%" PRIx64, info.flags, value,
           mask);
  }
  if (lookup(cell, "kind", &value, NULL)) {
    vmdk_extent_info extent;
    memset(&extent, 0, sizeof(extent));
    extent.struct_size = sizeof(extent);
    status = vmdk_get_extent(s->disk, 0, 0, &extent);
    if (status != VMDK_OK || extent.kind != value)
      note(s->report, "extent 0 is of kind %u (status %d), expected %" PRIu64, extent.kind, status,
           value);
  }
}

/* Everything, in order. Returns the first failure, whose detail has been checked. */
static vmdk_status read_in_order(struct subject* s, char* digest) {
  struct sha256_ctx context;
  vmdk_status first = VMDK_OK;
  uint64_t offset = 0;

  sha256_init(&context);
  while (offset < s->capacity) {
    uint64_t size = s->capacity - offset < STEP ? s->capacity - offset : STEP;
    vmdk_status status;
    if (s->capacity > READ_ALL && offset >= 64 * STEP && offset < s->capacity - 64 * STEP) {
      offset = s->capacity - 64 * STEP;
      continue;
    }
    status = read_at(s, s->buffer, size, offset);
    if (status != VMDK_OK) {
      if (!listed(s->row->at[C_READ], status))
        note(s->report, "reading %" PRIu64 " bytes at %" PRIu64 " gave %d (%s), expected %s: %s",
             size, offset, status, vmdk_status_string(status), s->row->at[C_READ],
             vmdk_last_error()->message);
      else
        check_error(s->report, s->row, "vmdk_read_at", status);
      first = status;
      break;
    }
    sha256_update(&context, (size_t)size, s->buffer);
    if (s->whole != NULL) memcpy(s->whole + offset, s->buffer, (size_t)size);
    offset += size;
  }
  sha256_text(&context, digest);
  return first;
}

/* Parts of a damaged disk that must still be readable, also after the failure. */
static void check_readable_parts(struct subject* s) {
  uint64_t until = 0, from = 0, offset;

  if (!lookup(s->row->at[C_INFO], "good_until", &until, NULL)) return;
  (void)lookup(s->row->at[C_INFO], "good_from", &from, NULL);
  for (offset = 0; offset < s->capacity; offset += 512) {
    vmdk_status status = read_at(s, s->buffer, 512, offset);
    if (offset < until || offset >= from) {
      if (status != VMDK_OK) {
        note(s->report, "sound bytes at %" PRIu64 " gave %d: %s", offset, status,
             vmdk_last_error()->message);
        return;
      }
    } else if (status == VMDK_OK) {
      note(s->report, "damaged bytes at %" PRIu64 " were read", offset);
      return;
    } else if (vmdk_last_error()->offset != UINT64_MAX &&
               (vmdk_last_error()->offset < until || vmdk_last_error()->offset >= from)) {
      note(s->report, "the detail of a failure at %" PRIu64 " tells the offset %" PRIu64, offset,
           vmdk_last_error()->offset);
      return;
    }
  }
  if (until > 0 && from < s->capacity) {
    if (read_at(s, s->buffer, until < STEP ? until : STEP, 0) != VMDK_OK)
      note(s->report, "the sound beginning does not read in one piece");
  }
}

static void check_probes(struct subject* s) {
  const char* at = s->row->at[C_PROBES];

  while (given(at) && *at != 0) {
    struct sha256_ctx context;
    char digest[2 * SHA256_DIGEST_SIZE + 1];
    char* end;
    uint64_t offset = strtoull(at, &end, 10);
    uint64_t size = strtoull(end + 1, &end, 10);
    const char* wanted = end + 1;
    uint64_t done = 0;

    sha256_init(&context);
    while (done < size) {
      uint64_t part = size - done < STEP ? size - done : STEP;
      vmdk_status status = read_at(s, s->buffer, part, offset + done);
      if (status != VMDK_OK) {
        note(s->report, "reading %" PRIu64 " bytes at %" PRIu64 " gave %d: %s", part, offset + done,
             status, vmdk_last_error()->message);
        return;
      }
      sha256_update(&context, (size_t)part, s->buffer);
      done += part;
    }
    sha256_text(&context, digest);
    if (strncmp(digest, wanted, 2 * SHA256_DIGEST_SIZE) != 0)
      note(s->report, "wrong bytes in %" PRIu64 "+%" PRIu64, offset, size);
    at = strchr(at, ',');
    if (at == NULL) break;
    ++at;
  }
}

/* Unaligned reads here and there must give what the first pass gave. */
static void check_random_reads(struct subject* s, uint64_t seed) {
  int i;

  for (i = 0; i < RANDOM_READS; ++i) {
    uint64_t offset = next_random(&seed) % s->capacity;
    uint64_t size = i % 3 == 0   ? next_random(&seed) % 300000
                    : i % 3 == 1 ? next_random(&seed) % 1500
                                 : 1;
    vmdk_status status;
    if (size > s->capacity - offset) size = s->capacity - offset;
    memset(s->buffer, 0xa5, (size_t)size + 1);
    status = read_at(s, s->buffer, size, offset);
    if (status != VMDK_OK) {
      note(s->report, "a second reading of %" PRIu64 "+%" PRIu64 " gave %d: %s", offset, size,
           status, vmdk_last_error()->message);
      return;
    }
    if (memcmp(s->buffer, s->whole + offset, (size_t)size) != 0) {
      note(s->report, "a second reading of %" PRIu64 "+%" PRIu64 " gave other bytes", offset, size);
      return;
    }
    if (s->buffer[size] != 0xa5) {
      note(s->report, "reading %" PRIu64 "+%" PRIu64 " wrote behind its buffer", offset, size);
      return;
    }
  }
}

static void check_ends(struct subject* s) {
  vmdk_status status = read_at(s, s->buffer, 1, s->capacity);

  if (status != VMDK_ERR_OUT_OF_RANGE) note(s->report, "reading behind the end gave %d", status);
  status = read_at(s, s->buffer, 2, s->capacity - 1);
  if (status != VMDK_ERR_OUT_OF_RANGE) note(s->report, "reading over the end gave %d", status);
  status = read_at(s, s->buffer, 512, UINT64_MAX - 100);
  if (status != VMDK_ERR_OUT_OF_RANGE) note(s->report, "reading at 2^64 gave %d", status);
  status = vmdk_read_at(s->disk, NULL, 0, 0);
  if (status != VMDK_OK) note(s->report, "reading nothing gave %d", status);
}

/* A run of plain data: the bytes must stand in that file at that place. */
static void check_data_run(struct subject* s, const vmdk_run* run, uint32_t extents) {
  char key[32], path[4200];
  uint64_t size = run->size < 65536 ? run->size : 65536;
  uint64_t skip = run->size - size;
  int turn, file;

  if (run->extent >= extents) {
    note(s->report, "a run of extent %u of %u", run->extent, extents);
    return;
  }
  (void)snprintf(key, sizeof(key), "@extent.%u", run->extent);
  if (vmdk_get_text(s->disk, run->link, key, path, sizeof(path), &(size_t){0}) != VMDK_OK ||
      path[0] == 0) {
    note(s->report, "no file name for a run of data at %" PRIu64, run->offset);
    return;
  }
  file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    note(s->report, "@extent.%u of link %u is \"%s\": %s", run->extent, run->link, path,
         strerror(errno));
    return;
  }
  for (turn = 0; turn < 2; ++turn) {
    uint64_t at = turn == 0 ? 0 : skip;
    if (pread(file, s->other, (size_t)size, (off_t)(run->file_offset + at)) != (ssize_t)size ||
        read_at(s, s->buffer, size, run->offset + at) != VMDK_OK ||
        memcmp(s->buffer, s->other, (size_t)size) != 0) {
      note(s->report, "the run at %" PRIu64 " is not at %" PRIu64 " of %s", run->offset + at,
           run->file_offset + at, path);
      break;
    }
  }
  (void)close(file);
}

/* A run of compressed grains: its record must begin with the grain's address. */
static void check_compressed_run(struct subject* s, const vmdk_run* run) {
  char key[32], path[4200];
  vmdk_extent_info extent;
  uint8_t mark[8];
  uint64_t address = 0;
  int file, i;

  memset(&extent, 0, sizeof(extent));
  extent.struct_size = sizeof(extent);
  (void)snprintf(key, sizeof(key), "@extent.%u", run->extent);
  if (vmdk_get_extent(s->disk, run->link, run->extent, &extent) != VMDK_OK ||
      vmdk_get_text(s->disk, run->link, key, path, sizeof(path), &(size_t){0}) != VMDK_OK) {
    note(s->report, "no extent for a compressed run at %" PRIu64, run->offset);
    return;
  }
  file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 ||
      pread(file, mark, sizeof(mark), (off_t)run->file_offset) != (ssize_t)sizeof(mark)) {
    note(s->report, "no record at %" PRIu64 " of \"%s\"", run->file_offset, path);
  } else {
    for (i = 7; i >= 0; --i) address = address << 8 | mark[i];
    if (address != (run->offset - extent.offset) / extent.grain_bytes * (extent.grain_bytes / 512))
      note(s->report,
           "the run at %" PRIu64 " has its record at %" PRIu64 ", which tells sector %" PRIu64,
           run->offset, run->file_offset, address);
  }
  if (file >= 0) (void)close(file);
}

static void check_zero_run(struct subject* s, const vmdk_run* run) {
  uint64_t done = 0;

  if (s->whole != NULL) {
    if (!all_zero(s->whole + run->offset, (size_t)run->size))
      note(s->report, "the run at %" PRIu64 " is of kind %u and not zero", run->offset, run->kind);
    return;
  }
  while (done < run->size) { /* both ends of long ones */
    uint64_t part = run->size - done < STEP ? run->size - done : STEP;
    if (read_at(s, s->buffer, part, run->offset + done) != VMDK_OK ||
        !all_zero(s->buffer, (size_t)part)) {
      note(s->report, "the run at %" PRIu64 " is of kind %u and not zero", run->offset, run->kind);
      return;
    }
    done = done == 0 && run->size > 2 * STEP ? run->size - STEP : done + part;
  }
}

static void check_map(struct subject* s) {
  const char* cell = s->row->at[C_INFO];
  uint64_t offset = 0, sums[3] = {0, 0, 0}, wanted, chain = 1, runs = 0;
  static const char* const names[3] = {"data", "zero", "absent"};
  uint64_t markers = 1;
  vmdk_info info;
  int i;

  memset(&info, 0, sizeof(info));
  info.struct_size = sizeof(info);
  if (vmdk_get_info(s->disk, &info) == VMDK_OK) chain = info.chain_length;
  (void)lookup(cell, "markers", &markers, NULL);
  while (offset < s->capacity) {
    vmdk_run run;
    vmdk_info link;
    vmdk_status status;
    memset(&run, 0xa5, sizeof(run));
    run.struct_size = sizeof(run);
    status = vmdk_map_at(s->disk, offset, s->capacity - offset, &run);
    if (status != VMDK_OK) {
      note(s->report, "vmdk_map_at(%" PRIu64 ") gave %d: %s", offset, status,
           vmdk_last_error()->message);
      return;
    }
    if (run.offset != offset || run.size == 0 || run.size > s->capacity - offset ||
        run.kind > VMDK_RUN_ABSENT) {
      note(s->report, "vmdk_map_at(%" PRIu64 ") gave kind %u, %" PRIu64 "+%" PRIu64, offset,
           run.kind, run.offset, run.size);
      return;
    }
    if (run.kind == VMDK_RUN_ABSENT ? run.link != UINT32_MAX || run.extent != UINT32_MAX
                                    : run.link >= chain)
      note(s->report, "the run at %" PRIu64 " of kind %u names link %u and extent %u", offset,
           run.kind, run.link, run.extent);
    if ((run.kind == VMDK_RUN_DATA) == (run.file_offset == UINT64_MAX))
      note(s->report, "the run at %" PRIu64 " of kind %u has the file offset %" PRIu64, offset,
           run.kind, run.file_offset);
    if (run.kind != VMDK_RUN_DATA) {
      check_zero_run(s, &run);
    } else if (run.link < chain && runs < 2000 && (info.flags & VMDK_INFO_MEMBER) == 0) {
      memset(&link, 0, sizeof(link));
      link.struct_size = sizeof(link);
      if (vmdk_get_link_info(s->disk, run.link, &link) != VMDK_OK)
        note(s->report, "no info of link %u", run.link);
      else if ((run.flags & VMDK_RUN_COMPRESSED) == 0)
        check_data_run(s, &run, link.extent_count);
      else if (markers)
        check_compressed_run(s, &run);
    }
    if (s->kinds != NULL)
      memset(s->kinds + offset / 512, (int)run.kind, (size_t)((run.size + 511) / 512));
    sums[run.kind] += run.size;
    offset += run.size;
    if (s->report->failures > 8) return;
    ++runs;
  }
  if (sums[0] + sums[1] + sums[2] != s->capacity)
    note(s->report, "the runs do not sum up to the capacity");
  for (i = 0; i < 3; ++i)
    if (lookup(cell, names[i], &wanted, NULL) && wanted != sums[i])
      note(s->report, "%" PRIu64 " bytes are %s, expected %" PRIu64, sums[i], names[i], wanted);
}

/* Short questions at odd places must agree with the walk. */
static void check_random_map(struct subject* s, uint64_t seed) {
  int i;

  for (i = 0; i < RANDOM_READS; ++i) {
    uint64_t offset = next_random(&seed) % s->capacity, size = 1 + next_random(&seed) % 100000,
             sector;
    vmdk_run run;
    if (size > s->capacity - offset) size = s->capacity - offset;
    memset(&run, 0, sizeof(run));
    run.struct_size = sizeof(run);
    if (vmdk_map_at(s->disk, offset, size, &run) != VMDK_OK || run.offset != offset ||
        run.size == 0 || run.size > size) {
      note(s->report, "vmdk_map_at(%" PRIu64 ", %" PRIu64 ") gave %" PRIu64 "+%" PRIu64, offset,
           size, run.offset, run.size);
      return;
    }
    for (sector = offset / 512; sector <= (offset + run.size - 1) / 512; ++sector)
      if (s->kinds[sector] != run.kind) {
        note(s->report, "sector %" PRIu64 " is of kind %u in a walk and %u when asked for", sector,
             s->kinds[sector], run.kind);
        return;
      }
  }
}

static void check_disk(struct subject* s) {
  const struct row* row = s->row;
  char digest[2 * SHA256_DIGEST_SIZE + 1];
  uint64_t seed = 88172645463325252u;
  const char* letter;
  vmdk_status first;

  for (letter = row->at[C_NAME]; *letter != 0; ++letter) seed = seed * 31 + (unsigned char)*letter;
  check_info(s, 0);
  if (s->report->failures > 0) return;
  if (given(row->at[C_PROBES])) {
    check_probes(s);
    if (s->capacity > 0) check_ends(s);
    if (s->capacity <= WALK) check_map(s);
    check_info(s, 1);
    return;
  }
  if (s->capacity <= WHOLE) {
    s->whole = malloc((size_t)s->capacity + 1);
    s->kinds = malloc((size_t)s->capacity / 512 + 2);
    if (s->whole == NULL || s->kinds == NULL) {
      note(s->report, "out of memory");
      return;
    }
  }
  first = read_in_order(s, digest);
  if (first == VMDK_OK && getenv("VMDK_TEST_VERBOSE") != NULL)
    printf("%s: everything was read\n", row->at[C_NAME]);
  if (first != VMDK_OK) {
    check_readable_parts(s);
    return;
  }
  if (!listed(row->at[C_READ], VMDK_OK)) {
    if (given(row->at[C_READ]))
      note(s->report, "everything was read, expected status %s", row->at[C_READ]);
    else
      note(s->report, "it opened and everything was read");
    return;
  }
  if (given(row->at[C_SHA256]) && strcmp(digest, row->at[C_SHA256]) != 0)
    note(s->report, "wrong bytes: sha256 %s, expected %s", digest, row->at[C_SHA256]);
  if (s->capacity > 0) check_ends(s);
  if (s->whole != NULL && s->capacity > 0) check_random_reads(s, seed);
  if (s->capacity <= WALK) check_map(s);
  if (s->kinds != NULL && s->capacity > 0 && s->report->failures == 0) check_random_map(s, seed);
  check_info(s, 1);
}

/* -- One case ------------------------------------------------------------- */

static void check_case(const char* base, const struct row* row, uint32_t threads,
                       struct report* report) {
  char path[4200], root_names[8][4200];
  const char* roots[9];
  size_t root_count = 0;
  vmdk_limits limits;
  vmdk_open_options options;
  struct messages messages = {NULL, 0};
  struct subject s;
  vmdk_disk* disk = (vmdk_disk*)&disk; /* must be set, to NULL on failure */
  int descriptors, tasks, tries;
  double begin;
  long memory;
  uint64_t value;
  vmdk_status status;
  uint8_t* buffers = malloc(2 * STEP + 16);

  if (buffers == NULL) {
    note(report, "out of memory");
    return;
  }
  memset(buffers, 0xa5, 2 * STEP + 16);
  messages.report = report;
  (void)snprintf(path, sizeof(path), "%s/%s", base, row->at[C_PATH]);
  memset(&limits, 0, sizeof(limits));
  limits.struct_size = sizeof(limits);
  if (lookup(row->at[C_OPTIONS], "chain", &value, NULL)) limits.max_chain_length = (uint32_t)value;
  if (lookup(row->at[C_OPTIONS], "extents", &value, NULL)) limits.max_extents = (uint32_t)value;
  if (lookup(row->at[C_OPTIONS], "descriptor", &value, NULL))
    limits.max_descriptor_bytes = (uint32_t)value;
  if (lookup(row->at[C_OPTIONS], "tables", &value, NULL)) limits.max_table_bytes = value;
  if (lookup(row->at[C_OPTIONS], "files", &value, NULL)) limits.max_open_files = (uint32_t)value;
  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.flags = (uint32_t)strtoul(row->at[C_FLAGS], NULL, 0);
  options.paths = (uint32_t)strtoul(row->at[C_PATHS], NULL, 0);
  options.threads = threads;
  if (given(row->at[C_ROOTS])) {
    char copy[2048], *name, *rest = NULL;
    (void)snprintf(copy, sizeof(copy), "%s", row->at[C_ROOTS]);
    for (name = strtok_r(copy, ",", &rest); name != NULL && root_count < 8;
         name = strtok_r(NULL, ",", &rest)) {
      (void)snprintf(root_names[root_count], sizeof(root_names[0]), "%s/%s", base, name);
      roots[root_count] = root_names[root_count];
      ++root_count;
    }
    roots[root_count] = NULL;
    options.roots = roots;
  }
  if (given(row->at[C_OPTIONS])) options.limits = &limits;
  if (given(row->at[C_ENCODING])) options.encoding = row->at[C_ENCODING];
  if (given(row->at[C_MEMBER])) options.member = row->at[C_MEMBER];
  options.on_message = take_message;
  options.message_user = &messages;

  descriptors = count_entries("/proc/self/fd");
  tasks = count_entries("/proc/self/task");
  memory = peak_kib();
  begin = processor_time();

  status = vmdk_open(path, &options, &disk);
  if (!listed(row->at[C_OPEN], status)) {
    note(report, "open gave %d (%s), expected %s: %s", status, vmdk_status_string(status),
         row->at[C_OPEN], status == VMDK_OK ? "" : vmdk_last_error()->message);
  } else if (status != VMDK_OK) {
    check_error(report, row, "vmdk_open", status);
  }
  if (status != VMDK_OK) {
    if (disk != NULL) note(report, "open failed and left a disk");
  } else {
    memset(&s, 0, sizeof(s));
    s.disk = disk;
    s.row = row;
    s.report = report;
    s.buffer = buffers;
    s.other = buffers + STEP + 8;
    if (listed(row->at[C_OPEN], VMDK_OK)) check_disk(&s);
    if (lookup(row->at[C_INFO], "recovered", &value, NULL) && value != 0 && messages.warnings == 0)
      note(report, "a table was recovered and no warning given");
    status = vmdk_close(disk);
    if (status != VMDK_OK) note(report, "close gave %d", status);
    memory += (long)((s.whole != NULL ? s.capacity : 0) / 1024);
    free(s.whole);
    free(s.kinds);
  }

  if (processor_time() - begin > atof(row->at[C_SECONDS]) * slowness())
    note(report, "took %.2f s of processor time, allowed are %s", processor_time() - begin,
         row->at[C_SECONDS]);
  if (slowness() == 1 && peak_kib() - memory > atol(row->at[C_RSS]) * 1024)
    note(report, "took %ld MiB of memory, allowed are %s", (peak_kib() - memory) / 1024,
         row->at[C_RSS]);
  if (count_entries("/proc/self/fd") != descriptors) note(report, "files stay open after close");
  for (tries = 0; tries < 200 && slowness() == 1 && count_entries("/proc/self/task") != tasks;
       ++tries)
    (void)nanosleep(&(struct timespec){0, 5000000}, NULL);
  if (slowness() == 1 &&
      count_entries("/proc/self/task") != tasks) /* sanitizers have threads of their own */
    note(report, "threads stay after close");
  free(buffers);
}

/* Runs a case in a child; 1 if it passed. */
static int run_case(const char* base, const struct row* row, uint32_t threads) {
  static struct report report;
  char text[sizeof(report.text)];
  size_t length = 0;
  int ends[2], state = 0;
  double limit = 20 + 10 * atof(row->at[C_SECONDS]);
  pid_t child;

  if (pipe(ends) != 0) return 0;
  (void)fflush(NULL);
  child = fork();
  if (child < 0) return 0;
  if (child == 0) {
    (void)close(ends[0]);
    (void)alarm((unsigned)(limit * slowness()));
    memset(&report, 0, sizeof(report));
    check_case(base, row, threads, &report);
    if (report.failures > 0 && write(ends[1], report.text, report.length) < 0) _exit(3);
    (void)close(ends[1]);
    exit(report.failures > 0); /* not _exit: leak checkers report at exit */
  }
  (void)close(ends[1]);
  while (length < sizeof(text) - 1) {
    ssize_t got = read(ends[0], text + length, sizeof(text) - 1 - length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    length += (size_t)got;
  }
  text[length] = 0;
  (void)close(ends[0]);
  while (waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return 1;
  printf("FAILED %s", row->at[C_NAME]);
  if (threads > 1) printf(" (%u threads)", threads);
  printf(": %s\n%s", row->at[C_WHY], text);
  if (WIFSIGNALED(state))
    printf("    %s\n",
           WTERMSIG(state) == SIGALRM ? "did not come to an end" : strsignal(WTERMSIG(state)));
  else if (length == 0)
    printf("    exit status %d\n", WEXITSTATUS(state));
  return 0;
}

/* -- The manifest --------------------------------------------------------- */

static char* read_text(const char* path) {
  FILE* file = fopen(path, "rb");
  char* text = NULL;
  long size;

  if (file == NULL) return NULL;
  if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0) {
    text = malloc((size_t)size + 1);
    if (text != NULL) text[fread(text, 1, (size_t)size, file)] = 0;
  }
  (void)fclose(file);
  return text;
}

/* Cuts a line at its tabs; 1 if it has all columns. */
static int split_row(char* line, struct row* row) {
  int i;

  for (i = 0; i < COLUMNS; ++i) {
    row->at[i] = line;
    line = strchr(line, '\t');
    if (line == NULL) return i == COLUMNS - 1;
    *line++ = 0;
  }
  return 0;
}

static void test_images(void** state) {
  const char* base = getenv("VMDK_TEST_IMAGES");
  const char* only = getenv("VMDK_TEST_ONLY");
  char path[4200], *text, *line, *next;
  int run = 0, failed = 0, header = 0;

  (void)state;
  assert_non_null(base);
  (void)snprintf(path, sizeof(path), "%s/manifest.tsv", base);
  text = read_text(path);
  if (text == NULL) fail_msg("%s: %s", path, strerror(errno));
  for (line = text; line != NULL && *line != 0; line = next) {
    struct row row;
    const char* threads;
    int i;
    next = strchr(line, '\n');
    if (next != NULL) *next++ = 0;
    if (!split_row(line, &row)) fail_msg("manifest: a line without all its columns: %s", line);
    if (!header) {
      header = 1;
      assert_int_equal(row.at[0][0], '#');
      ++row.at[0];
      for (i = 0; i < COLUMNS; ++i) assert_string_equal(row.at[i], column_names[i]);
      continue;
    }
    if (only != NULL && fnmatch(only, row.at[C_NAME], 0) != 0) continue;
    for (threads = row.at[C_THREADS]; threads != NULL; threads = strchr(threads, ',')) {
      if (*threads == ',') ++threads;
      ++run;
      if (!run_case(base, &row, (uint32_t)strtoul(threads, NULL, 10))) ++failed;
    }
  }
  free(text);
  printf("%d cases run, %d failed\n", run, failed);
  assert_true(run > 0);
  assert_int_equal(failed, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_images)};

  if (getenv("VMDK_TEST_IMAGES") == NULL) {
    printf(
        "skipped: VMDK_TEST_IMAGES does not tell where the images are (tests/data/make_images.py "
        "makes them)\n");
    return 77;
  }
  return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}
