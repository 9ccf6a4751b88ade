/* SPDX-License-Identifier: MIT */
#include "support/stream_check.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <zlib.h>

#include "support/check.h"

#define SECTOR 512u
#define ENTRIES 512u
#define AT_END UINT64_MAX
#define MOST_TABLES (UINT64_C(1) << 26)

enum stage { STAGE_HEADER, STAGE_DESCRIPTOR, STAGE_GRAINS, STAGE_FOOTER, STAGE_END, STAGE_OVER };
enum marker { MARKER_END, MARKER_TABLE, MARKER_DIRECTORY, MARKER_FOOTER };

static void bad(struct stream_check* check, size_t offset, const char* format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first violation: `offset` bytes behind the beginning of the block. */
static void bad(struct stream_check* check, size_t offset, const char* format, ...) {
  va_list list;

  if (check->damage[0] != 0) return;
  check->damage_at = check->at + offset;
  va_start(list, format);
  (void)vsnprintf(check->damage, sizeof(check->damage), format, list);
  va_end(list);
}

static int is_good(const struct stream_check* check) { return check->damage[0] == 0; }

static uint64_t get(const unsigned char* bytes, size_t at, size_t size) {
  uint64_t value = 0;

  while (size-- > 0) value = value << 8 | bytes[at + size];
  return value;
}

static uint64_t round_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

/* The first byte that is not zero, or `size`. */
static size_t zeros(const unsigned char* bytes, size_t size) {
  size_t i = 0;

  while (i < size && bytes[i] == 0) ++i;
  return i;
}

/* The bytes from `from` on, up to `to`, must be zeros. */
static void need_zeros(struct stream_check* check, size_t from, size_t to, const char* what) {
  size_t i = from + zeros(check->block.data + from, to - from);

  if (i < to) bad(check, i, "%s is 0x%02x and not 0", what, check->block.data[i]);
}

/* The block goes on up to this size. */
static void need(struct stream_check* check, uint64_t size) {
  bytes_resize(&check->block, (size_t)size);
}

/* ---- Header ---- */

static void check_number(struct stream_check* check, size_t at, size_t size, uint64_t wanted,
                         const char* what) {
  uint64_t value = get(check->block.data, at, size);

  if (value != wanted) bad(check, at, "%s is %" PRIu64 " and not %" PRIu64, what, value, wanted);
}

static void check_header(struct stream_check* check) {
  const unsigned char* h = check->block.data;
  uint64_t capacity = get(h, 12, 8), grain = get(h, 20, 8), room = get(h, 36, 8),
           overhead = get(h, 64, 8);

  if (memcmp(h, "KDMV", 4) != 0) bad(check, 0, "the magic number is wrong");
  check_number(check, 4, 4, 3, "version");
  check_number(check, 8, 4, 0x30001, "flags");
  if (capacity == 0) bad(check, 12, "capacity is 0");
  if (grain < 8 || grain > 2048 || (grain & (grain - 1)) != 0)
    bad(check, 20, "grainSize is %" PRIu64, grain);
  check_number(check, 28, 8, 1, "descriptorOffset");
  if (room < 20 || room > 0x100000) bad(check, 36, "descriptorSize is %" PRIu64, room);
  check_number(check, 44, 4, ENTRIES, "numGTEsPerGT");
  check_number(check, 48, 8, 0, "rgdOffset");
  check_number(check, 56, 8, AT_END, "gdOffset");
  if (overhead < 1 + room || overhead % 128 != 0 || overhead > 0x200000)
    bad(check, 64, "overHead is %" PRIu64, overhead);
  check_number(check, 72, 1, 0, "uncleanShutdown");
  if (memcmp(h + 73, "\n \r\n", 4) != 0) bad(check, 73, "the newline bytes are wrong");
  check_number(check, 77, 2, 1, "compressAlgorithm");
  need_zeros(check, 79, SECTOR, "padding of the header");
  if (!is_good(check)) return;
  memcpy(check->header, h, SECTOR);
  check->grain_bytes = grain * SECTOR;
  check->table_count = (capacity + grain * ENTRIES - 1) / (grain * ENTRIES);
  if (check->table_count > MOST_TABLES) bad(check, 12, "capacity is %" PRIu64, capacity);
  if (!is_good(check)) return;
  check->directory = allocate((size_t)check->table_count * 4);
  memset(check->directory, 0, (size_t)check->table_count * 4);
  check->inflated = allocate((size_t)check->grain_bytes);
  check->stage = STAGE_DESCRIPTOR;
}

/* ---- Descriptor ---- */

/* The line that begins so, without its end; it must be there once. Gives its place, or -1. */
static long line_of(struct stream_check* check, const char* head, char* line, size_t size) {
  const char *text = (const char*)check->text.data, *at;
  long found = -1;

  line[0] = 0;
  for (at = text; *at != 0; ++at) {
    size_t length = strcspn(at, "\n");
    if (strncmp(at, head, strlen(head)) == 0) {
      if (found >= 0) bad(check, SECTOR + (size_t)(at - text), "\"%s\" stands there twice", head);
      (void)snprintf(line, size, "%.*s", (int)length, at);
      found = (long)(at - text);
    }
    at += length;
    if (*at == 0) break;
  }
  if (found < 0) bad(check, SECTOR, "the descriptor has no \"%s\"", head);
  return found;
}

/* What stands behind `head`, in quotes. */
static long value_of(struct stream_check* check, const char* head, char* value, size_t size) {
  char line[512];
  long at = line_of(check, head, line, sizeof(line));
  size_t length = strlen(line), begin = strlen(head);

  value[0] = 0;
  if (at < 0) return -1;
  if (length < begin + 2 || line[begin] != '"' || line[length - 1] != '"')
    bad(check, SECTOR + (size_t)at, "%s is not in quotes", head);
  else
    (void)snprintf(value, size, "%.*s", (int)(length - begin - 2), line + begin + 1);
  return at;
}

static uint64_t number_of(struct stream_check* check, const char* head) {
  char value[512], *end;
  long at = value_of(check, head, value, sizeof(value));
  uint64_t number = strtoull(value, &end, 10);

  if (at >= 0 && (!isdigit((unsigned char)value[0]) || *end != 0))
    bad(check, SECTOR + (size_t)at, "%s is no number", head);
  return number;
}

/* A value of exactly this many hexadecimal digits in lower case. */
static int is_hex(const char* text, size_t digits) {
  return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

/* Sixteen bytes, blanks between them and a dash behind the eighth. */
static int is_uuid(const char* text) {
  size_t i;

  if (strlen(text) != 47) return 0;
  for (i = 0; i < 47; ++i)
    if (i % 3 == 2 ? text[i] != (i == 23 ? '-' : ' ') : !isxdigit((unsigned char)text[i])) return 0;
  return 1;
}

static void check_extent_line(struct stream_check* check) {
  static const char head[] = "# Extent description\n";
  const char* text = (const char*)check->text.data;
  const char *at = strstr(text, head), *begin, *end;
  uint64_t sectors, in_header = get(check->header, 12, 8), grain = check->grain_bytes / SECTOR;
  char* rest;

  if (at == NULL) {
    bad(check, SECTOR, "the descriptor has no \"# Extent description\"");
    return;
  }
  begin = at + strlen(head);
  at = begin;
  if (strncmp(at, "RDONLY ", 7) == 0)
    at += 7;
  else if (strncmp(at, "RW ", 3) == 0)
    at += 3;
  sectors = strtoull(at, &rest, 10);
  end = strchr(rest, '\n');
  if (at == begin || rest == at || strncmp(rest, " SPARSE \"", 9) != 0 || end == NULL ||
      end - rest < 11 || end[-1] != '"' ||
      memchr(rest + 9, '"', (size_t)(end - rest - 10)) != NULL) {
    bad(check, SECTOR + (size_t)(begin - text), "the extent line is not as it must be");
    return;
  }
  if (end[1] != '\n')
    bad(check, SECTOR + (size_t)(end + 1 - text), "something follows the only extent line");
  /* VirtualBox has whole grains in the header. */
  if (sectors == 0 || (in_header != sectors && in_header != round_up(sectors, grain)))
    bad(check, SECTOR + (size_t)(begin - text),
        "the extent line has %" PRIu64 " sectors, the header %" PRIu64, sectors, in_header);
  check->capacity = sectors * SECTOR;
}

static void check_geometry(struct stream_check* check) {
  uint64_t cylinders = number_of(check, "ddb.geometry.cylinders = "),
           heads = number_of(check, "ddb.geometry.heads = "),
           sectors = number_of(check, "ddb.geometry.sectors = ");

  if (!is_good(check)) return;
  if (cylinders == 0 || heads == 0 || heads > 255 || sectors == 0 || sectors > 63)
    bad(check, SECTOR, "the geometry is %" PRIu64 "/%" PRIu64 "/%" PRIu64, cylinders, heads,
        sectors);
  else if (cylinders > 1 && cylinders > check->capacity / SECTOR / heads / sectors)
    bad(check, SECTOR, "the geometry is larger than the disk");
}

static void check_text(struct stream_check* check) {
  static const char head[] = "# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=";
  static const char* const sections[] = {"createType=", "# Extent description",
                                         "# The Disk Data Base", "#DDB", "ddb."};
  const char* text = (const char*)check->text.data;
  char cid[512], line[512], value[512];
  long last = -1;
  size_t i;

  for (i = 0; i < check->text.size; ++i)
    if ((unsigned char)text[i] < 0x20 && text[i] != '\n')
      bad(check, SECTOR + i, "the descriptor has the byte 0x%02x", (unsigned char)text[i]);
  if (check->text.size == 0 || text[check->text.size - 1] != '\n')
    bad(check, SECTOR + check->text.size, "the descriptor does not end with a line end");
  if (strncmp(text, head, strlen(head)) != 0)
    bad(check, SECTOR, "the descriptor does not begin as it must");
  (void)line_of(check, "CID=", cid, sizeof(cid));
  if (!is_hex(cid + 4, 8)) bad(check, SECTOR, "CID is not of eight digits");
  (void)line_of(check, "parentCID=", line, sizeof(line));
  if (strcmp(line, "parentCID=ffffffff") != 0) bad(check, SECTOR, "%s", line);
  (void)value_of(check, "createType=", value, sizeof(value));
  if (strcmp(value, "streamOptimized") != 0) bad(check, SECTOR, "createType is %s", value);
  if (strstr(text, "parentFileNameHint") != NULL) bad(check, SECTOR, "there is a parent");
  if (!is_good(check)) return;
  check->cid = (uint32_t)strtoul(cid + 4, NULL, 16);
  check_extent_line(check);
  for (i = 0; i < COUNT(sections); ++i) {
    const char* at = strstr(text, sections[i]);
    if (at == NULL || at - text < last) {
      bad(check, SECTOR, "\"%s\" is not where it must be", sections[i]);
      return;
    }
    last = (long)(at - text);
  }
  (void)value_of(check, "ddb.adapterType = ", value, sizeof(value));
  if (value[0] == 0) bad(check, SECTOR, "ddb.adapterType is empty");
  check_geometry(check);
  if (number_of(check, "ddb.virtualHWVersion = ") == 0)
    bad(check, SECTOR, "ddb.virtualHWVersion is 0");
  (void)number_of(check, "ddb.toolsVersion = ");
  (void)value_of(check, "ddb.longContentID = ", value, sizeof(value));
  if (!is_hex(value, 32) || strcmp(value + 24, cid + 4) != 0)
    bad(check, SECTOR, "ddb.longContentID is %s", value);
  (void)value_of(check, "ddb.uuid = ", value, sizeof(value));
  if (!is_uuid(value)) bad(check, SECTOR, "ddb.uuid is %s", value);
}

/* The descriptor with all up to the first marker. */
static void check_descriptor(struct stream_check* check) {
  size_t room = (size_t)get(check->header, 36, 8) * SECTOR, length;
  const unsigned char* text = check->block.data;
  const unsigned char* end = memchr(text, 0, room);

  /* VirtualBox adds keys of its own in place. */
  length = end == NULL ? room : (size_t)(end - text);
  if (room - length < 2048) bad(check, length, "there is no room behind the descriptor");
  need_zeros(check, length, check->block.size, "what follows the descriptor");
  if (!is_good(check)) return;
  bytes_append(&check->text, text, length);
  bytes_append(&check->text, "", 1);
  --check->text.size;
  check->at -= SECTOR; /* check_text() counts from the beginning of the file */
  check_text(check);
  check->at += SECTOR;
  check->stage = STAGE_GRAINS;
}

/* ---- Grains and tables ---- */

/* What zlib needs for data that does not shrink. */
static uint64_t most_packed(uint64_t grain) { return grain + 5 * (grain / 16383 + 2) + 6; }

static void check_grain(struct stream_check* check, uint64_t sector, size_t size) {
  const unsigned char* data = check->block.data + 12;
  uint64_t grain = sector * SECTOR / check->grain_bytes, table = grain / ENTRIES;
  uint64_t left = check->capacity - sector * SECTOR;
  size_t whole = (size_t)check->grain_bytes, inside = left < whole ? (size_t)left : whole;
  z_stream z;
  int status;

  if (check->pending && table != (check->next - 1) / ENTRIES) {
    bad(check, 0, "a grain stands before the table of those in front of it");
    return;
  }
  if ((data[0] & 0x0f) != 8 || data[0] >> 4 > 7 || (data[0] * 256 + data[1]) % 31 != 0 ||
      (data[1] & 0x20) != 0) {
    bad(check, 12, "this is no zlib header: %02x %02x", data[0], data[1]);
    return;
  }
  memset(&z, 0, sizeof(z));
  if (inflateInit(&z) != Z_OK) abort();
  z.next_in = (z_const Bytef*)data;
  z.avail_in = (uInt)size;
  z.next_out = check->inflated;
  z.avail_out = (uInt)whole;
  status = inflate(&z, Z_FINISH);
  if (status == Z_BUF_ERROR && z.avail_out == 0)
    bad(check, 12, "the grain is longer than a grain");
  else if (status != Z_STREAM_END)
    bad(check, 12, "the grain does not inflate: %s", z.msg != NULL ? z.msg : "it ends early");
  else if (z.avail_out != 0)
    bad(check, 12, "the grain inflates to %lu bytes only", z.total_out);
  else if (z.avail_in != 0)
    bad(check, 8, "%u bytes of the grain are not used", z.avail_in);
  (void)inflateEnd(&z);
  need_zeros(check, 12 + size, check->block.size, "padding of the grain");
  if (!is_good(check)) return;
  if (zeros(check->inflated, whole) == whole) bad(check, 0, "a grain of zeros is stored");
  if (zeros(check->inflated + inside, whole - inside) != whole - inside)
    bad(check, 12, "the last grain holds something beyond the disk");
  if (check->at / SECTOR > UINT32_MAX) bad(check, 0, "the grain lies beyond 2 TiB");
  check->entries[grain % ENTRIES] = (uint32_t)(check->at / SECTOR);
  check->next = grain + 1;
  check->pending = 1;
  ++check->grains;
  check->packed += size;
  if (is_good(check) && check->on_grain != NULL)
    check->on_grain(check->user, sector * SECTOR, check->inflated, inside);
}

static void check_table(struct stream_check* check) {
  const unsigned char* entries = check->block.data + SECTOR;
  uint64_t table;
  size_t i;

  if (!check->pending) {
    bad(check, 0, "a table stands where no grains are in front of it");
    return;
  }
  for (i = 0; i < ENTRIES; ++i)
    if (get(entries, i * 4, 4) != check->entries[i])
      bad(check, SECTOR + i * 4, "entry %zu of the table is %" PRIu64 " and not %u", i,
          get(entries, i * 4, 4), (unsigned)check->entries[i]);
  table = (check->next - 1) / ENTRIES;
  check->directory[table] = (uint32_t)(check->at / SECTOR + 1);
  check->next = (table + 1) * ENTRIES;
  memset(check->entries, 0, sizeof(check->entries));
  check->pending = 0;
  ++check->tables;
}

static void check_directory(struct stream_check* check) {
  const unsigned char* entries = check->block.data + SECTOR;
  uint64_t i;

  if (check->pending) bad(check, 0, "the directory stands before the last table");
  for (i = 0; i < check->table_count; ++i)
    if (get(entries, (size_t)i * 4, 4) != check->directory[i])
      bad(check, SECTOR + (size_t)i * 4,
          "entry %" PRIu64 " of the directory is %" PRIu64 " and not %u", i,
          get(entries, (size_t)i * 4, 4), (unsigned)check->directory[i]);
  need_zeros(check, SECTOR + (size_t)check->table_count * 4, check->block.size,
             "padding of the directory");
  /* What the footer must say from now on. */
  for (i = 0; i < 8; ++i)
    check->header[56 + i] = (unsigned char)((check->at / SECTOR + 1) >> (8 * i) & 0xff);
  check->stage = STAGE_FOOTER;
}

static void check_footer(struct stream_check* check) {
  size_t i;

  for (i = 0; i < SECTOR; ++i)
    if (check->block.data[SECTOR + i] != check->header[i]) {
      bad(check, SECTOR + i, "byte %zu of the footer is 0x%02x and not 0x%02x", i,
          check->block.data[SECTOR + i], check->header[i]);
      return;
    }
  check->stage = STAGE_END;
}

/* A marker that is no grain's: its value, what type it may be here, what follows it. */
static void check_marker(struct stream_check* check) {
  static const char* const names[] = {"end-of-stream", "table", "directory", "footer"};
  const uint64_t value = get(check->block.data, 0, 8), type = get(check->block.data, 12, 4);
  const uint64_t directory = round_up(check->table_count * 4, SECTOR) / SECTOR;
  const uint64_t sectors[] = {0, ENTRIES * 4 / SECTOR, directory, 1};

  if (type > MARKER_FOOTER) {
    bad(check, 12, "a marker of the type %" PRIu64, type);
    return;
  }
  if (check->stage != (type == MARKER_END      ? STAGE_END
                       : type == MARKER_FOOTER ? STAGE_FOOTER
                                               : STAGE_GRAINS))
    bad(check, 12, "the %s marker does not belong here", names[type]);
  if (value != sectors[type])
    bad(check, 0, "the %s marker has the value %" PRIu64 " and not %" PRIu64, names[type], value,
        sectors[type]);
  need_zeros(check, 16, SECTOR, "padding of a marker");
  if (!is_good(check)) return;
  if (type == MARKER_END)
    check->stage = STAGE_OVER;
  else
    need(check, (1 + sectors[type]) * SECTOR);
}

static void check_grain_marker(struct stream_check* check) {
  const uint64_t sector = get(check->block.data, 0, 8), size = get(check->block.data, 8, 4);

  if (check->stage != STAGE_GRAINS) bad(check, 8, "a grain does not belong here");
  if (sector * SECTOR % check->grain_bytes != 0)
    bad(check, 0, "sector %" PRIu64 " is not where a grain begins", sector);
  if (sector >= check->capacity / SECTOR)
    bad(check, 0, "sector %" PRIu64 " is not on the disk", sector);
  if (sector * SECTOR / check->grain_bytes < check->next)
    bad(check, 0, "sector %" PRIu64 " is not behind the grains in front of it", sector);
  if (size < 8 || size > most_packed(check->grain_bytes))
    bad(check, 8, "the grain has %" PRIu64 " bytes", size);
  if (is_good(check)) need(check, round_up(12 + size, SECTOR));
}

/* A marker, or one with what follows it. */
static void check_block(struct stream_check* check) {
  const size_t size = check->block.size;
  const uint64_t value = get(check->block.data, 0, 8), packed = get(check->block.data, 8, 4),
                 type = get(check->block.data, 12, 4);

  if (packed != 0) {
    if (size == SECTOR) check_grain_marker(check);
    if (is_good(check) && check->have == check->block.size)
      check_grain(check, value, (size_t)packed);
  } else if (size == SECTOR) {
    check_marker(check);
  } else if (type == MARKER_TABLE) {
    check_table(check);
  } else if (type == MARKER_DIRECTORY) {
    check_directory(check);
  } else {
    check_footer(check);
  }
}

/* The block is complete. */
static void step(struct stream_check* check) {
  if (check->stage == STAGE_HEADER)
    check_header(check);
  else if (check->stage == STAGE_DESCRIPTOR)
    check_descriptor(check);
  else if (check->stage == STAGE_OVER)
    bad(check, 0, "something follows the end");
  else
    check_block(check);
  if (check->have < check->block.size || !is_good(check)) return;
  check->at += check->have;
  check->have = 0;
  need(check, check->stage == STAGE_DESCRIPTOR ? (get(check->header, 64, 8) - 1) * SECTOR
              : check->stage == STAGE_OVER     ? 1
                                               : SECTOR);
}

void stream_check_begin(struct stream_check* check) {
  memset(check, 0, sizeof(*check));
  need(check, SECTOR);
}

int stream_check_feed(struct stream_check* check, const void* bytes, size_t size) {
  const unsigned char* at = bytes;

  while (size > 0 && is_good(check)) {
    size_t n = check->block.size - check->have;
    if (n > size) n = size;
    memcpy(check->block.data + check->have, at, n);
    check->have += n;
    at += n;
    size -= n;
    if (check->have == check->block.size) step(check);
  }
  return is_good(check) ? 0 : EILSEQ;
}

int stream_check_end(struct stream_check* check) {
  if (check->stage != STAGE_OVER) bad(check, check->have, "it ends before its end");
  return is_good(check) ? 0 : EILSEQ;
}

void stream_check_free(struct stream_check* check) {
  bytes_free(&check->text);
  bytes_free(&check->block);
  free(check->directory);
  free(check->inflated);
  memset(check, 0, sizeof(*check));
}

int stream_check_bytes(struct stream_check* check, const void* bytes, size_t size) {
  (void)stream_check_feed(check, bytes, size);
  return stream_check_end(check);
}
