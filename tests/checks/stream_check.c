/* SPDX-License-Identifier: MIT */
/* The checker of streams: takes a good one, and notices each fault at its byte. */
#include "support/stream_check.h"

#include <zlib.h>

#include "support/check.h"

#define SECTOR 512u
#define GRAIN 8u /* sectors */
#define SECTORS (UINT64_C(3) * 512 * GRAIN + 5)
#define CID "89abcdef"
#define PLACES 12u

/* What may be written wrongly, as one byte of another value cannot say it. */
enum fault {
  NONE,
  GRAINS_SWAPPED,
  GRAIN_TWICE,
  GRAIN_OF_ZEROS,
  GRAIN_SHORT,
  GRAIN_LONG,
  GRAIN_RAW_DEFLATE,
  GRAIN_BEYOND,
  GRAIN_UNALIGNED,
  GRAIN_UNPADDED,
  GRAIN_SURPLUS,
  TAIL_BEYOND_DISK,
  TABLE_LATE,
  TABLE_EMPTY,
  TABLE_TWICE,
  TABLE_MISSING,
  DIRECTORY_MISSING,
  FOOTER_MISSING,
  END_MISSING,
  END_TWICE,
  PROGRESS_MARKER
};

/* Where things of a stream are. */
struct places {
  size_t grain[PLACES], tables[PLACES], directory, footer, end;
  unsigned grains, table_count;
};

struct maker {
  struct bytes file;
  struct places places;
  enum fault fault;
  uint32_t entries[512], directory[128];
};

static size_t put_marker(struct maker* maker, uint64_t value, uint32_t type, size_t sectors) {
  size_t at = maker->file.size;

  bytes_resize(&maker->file, at + (1 + sectors) * SECTOR);
  bytes_set64(&maker->file, at, value);
  bytes_set32(&maker->file, at + 12, type);
  return at;
}

static void put_grain(struct maker* maker, uint64_t grain) {
  const enum fault fault = maker->places.grains == 1 ? maker->fault : NONE;
  const size_t whole = GRAIN * SECTOR, at = maker->file.size;
  const size_t size = fault == GRAIN_SHORT  ? whole - SECTOR
                      : fault == GRAIN_LONG ? whole + 1
                                            : whole;
  unsigned char plain[GRAIN * SECTOR + 1], packed[2 * GRAIN * SECTOR];
  uint64_t sector = grain * GRAIN, left = (SECTORS - sector) * SECTOR;
  uint32_t length;
  z_stream z;

  memset(plain, 0, sizeof(plain));
  if (fault != GRAIN_OF_ZEROS) pattern_fill(7, sector * SECTOR, plain, size);
  if (left < whole) memset(plain + left, maker->fault == TAIL_BEYOND_DISK, (size_t)(whole - left));
  memset(&z, 0, sizeof(z));
  if (deflateInit2(&z, 6, Z_DEFLATED, fault == GRAIN_RAW_DEFLATE ? -15 : 15, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    abort();
  z.next_in = plain;
  z.avail_in = (uInt)size;
  z.next_out = packed;
  z.avail_out = sizeof(packed);
  if (deflate(&z, Z_FINISH) != Z_STREAM_END) abort();
  length = (uint32_t)z.total_out;
  (void)deflateEnd(&z);
  bytes_resize(&maker->file, at + (12 + length + SECTOR - 1) / SECTOR * SECTOR);
  memcpy(maker->file.data + at + 12, packed, length);
  if (fault == GRAIN_UNALIGNED) sector += 1;
  if (fault == GRAIN_BEYOND) sector = (SECTORS / GRAIN + 1) * GRAIN;
  bytes_set64(&maker->file, at, sector);
  bytes_set32(&maker->file, at + 8, length + (fault == GRAIN_SURPLUS));
  if (fault == GRAIN_UNPADDED) maker->file.data[maker->file.size - 1] = 1;
  maker->entries[grain % 512] = (uint32_t)(at / SECTOR);
  maker->places.grain[maker->places.grains++] = at;
}

static void put_table(struct maker* maker, uint64_t table) {
  size_t at, i;

  at = put_marker(maker, 4, 1, 4);
  for (i = 0; i < 512; ++i) bytes_set32(&maker->file, at + SECTOR + i * 4, maker->entries[i]);
  memset(maker->entries, 0, sizeof(maker->entries));
  maker->directory[table] = (uint32_t)(at / SECTOR + 1);
  maker->places.tables[maker->places.table_count++] = at;
}

static struct maker make(enum fault fault) {
  static const unsigned char newlines[] = {'\n', ' ', '\r', '\n'};
  struct maker maker;
  struct bytes text = {NULL, 0};
  size_t at, i;

  memset(&maker, 0, sizeof(maker));
  maker.fault = fault;
  bytes_resize(&maker.file, 128 * SECTOR);
  memcpy(maker.file.data, "KDMV", 4);
  bytes_set32(&maker.file, 4, 3);
  bytes_set32(&maker.file, 8, 0x30001);
  bytes_set64(&maker.file, 12, SECTORS);
  bytes_set64(&maker.file, 20, GRAIN);
  bytes_set64(&maker.file, 28, 1);
  bytes_set64(&maker.file, 36, 20);
  bytes_set32(&maker.file, 44, 512);
  bytes_set64(&maker.file, 56, UINT64_MAX);
  bytes_set64(&maker.file, 64, 128);
  memcpy(maker.file.data + 73, newlines, sizeof(newlines));
  bytes_set16(&maker.file, 77, 1);
  bytes_print(&text,
              "# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=" CID
              "\nparentCID=ffffffff\ncreateType=\"streamOptimized\"\n\n# Extent description\n"
              "RDONLY %u SPARSE \"disk.vmdk\"\n\n# The Disk Data Base\n#DDB\n\n"
              "ddb.adapterType = \"lsilogic\"\nddb.geometry.cylinders = \"6\"\n"
              "ddb.geometry.heads = \"64\"\nddb.geometry.sectors = \"32\"\n"
              "ddb.longContentID = \"0123456789abcdef01234567" CID
              "\"\nddb.toolsVersion = \"0\"\n"
              "ddb.uuid = \"60 00 C2 9a 01 02 03 04-05 06 07 08 09 0a 0b 0c\"\n"
              "ddb.virtualHWVersion = \"4\"\n",
              (unsigned)SECTORS);
  memcpy(maker.file.data + SECTOR, text.data, text.size);
  bytes_free(&text);

  put_grain(&maker, fault == GRAINS_SWAPPED ? 3 : 0);
  put_grain(&maker, fault == GRAINS_SWAPPED || fault == GRAIN_TWICE ? 0 : 3);
  if (fault == PROGRESS_MARKER) (void)put_marker(&maker, 0, 4, 0);
  put_grain(&maker, 511);
  if (fault != TABLE_MISSING && fault != TABLE_LATE) put_table(&maker, 0);
  if (fault == TABLE_TWICE) put_table(&maker, 0);
  if (fault == TABLE_EMPTY) put_table(&maker, 1);
  put_grain(&maker, 1024);
  put_grain(&maker, 1025);
  put_table(&maker, 2);
  if (fault == TABLE_LATE) put_table(&maker, 0);
  put_grain(&maker, 1536);
  put_table(&maker, 3);
  at = maker.places.directory = maker.file.size;
  if (fault != DIRECTORY_MISSING) {
    (void)put_marker(&maker, 1, 2, 1);
    for (i = 0; i < 128; ++i) bytes_set32(&maker.file, at + SECTOR + i * 4, maker.directory[i]);
  }
  maker.places.footer = maker.file.size;
  if (fault != FOOTER_MISSING) {
    size_t footer = put_marker(&maker, 1, 3, 1) + SECTOR;
    memcpy(maker.file.data + footer, maker.file.data, SECTOR);
    bytes_set64(&maker.file, footer + 56, at / SECTOR + 1);
  }
  maker.places.end = maker.file.size;
  if (fault != END_MISSING) (void)put_marker(&maker, 0, 0, 0);
  if (fault == END_TWICE) (void)put_marker(&maker, 0, 0, 0);
  return maker;
}

static unsigned char model[SECTORS * SECTOR];

static void put_model(void* user, uint64_t offset, const unsigned char* bytes, size_t size) {
  (void)user;
  assert_true(offset + size <= sizeof(model));
  memcpy(model + offset, bytes, size);
}

static void a_good_stream(void** state) {
  static const unsigned grains[] = {0, 3, 511, 1024, 1025, 1536};
  struct maker maker = make(NONE);
  struct stream_check check;
  size_t step, i;

  (void)state;
  for (step = 1; step < maker.file.size * 2; step = step * 3 + 1) {
    memset(model, 0, sizeof(model));
    stream_check_begin(&check);
    check.on_grain = put_model;
    for (i = 0; i < maker.file.size; i += step)
      (void)stream_check_feed(&check, maker.file.data + i,
                              step < maker.file.size - i ? step : maker.file.size - i);
    if (stream_check_end(&check) != 0)
      fail_msg("byte %llu: %s", (unsigned long long)check.damage_at, check.damage);
    assert_true(check.capacity == SECTORS * SECTOR);
    assert_int_equal(check.grain_bytes, GRAIN * SECTOR);
    assert_int_equal(check.cid, 0x89abcdef);
    assert_int_equal(check.grains, 6);
    assert_int_equal(check.tables, 3);
    for (i = 0; i < COUNT(grains); ++i) {
      size_t at = grains[i] * GRAIN * SECTOR, size = GRAIN * SECTOR, j;
      if (size > sizeof(model) - at) size = sizeof(model) - at;
      for (j = 0; j < size; ++j) {
        if (model[at + j] != pattern(7, at + j)) fail_msg("byte %zu of grain %zu", j, i);
        model[at + j] = 0;
      }
    }
    for (i = 0; i < sizeof(model); ++i) assert_int_equal(model[i], 0);
    stream_check_free(&check);
  }
  bytes_free(&maker.file);
}

/* The checker finds this, at this byte. */
static void assert_damage(const struct bytes* file, const char* part, size_t at) {
  struct stream_check check;

  stream_check_begin(&check);
  if (stream_check_bytes(&check, file->data, file->size) == 0)
    fail_msg("\"%s\" is not noticed", part);
  assert_contains(check.damage, part);
  if (check.damage_at != at)
    fail_msg("\"%s\" is found at byte %llu and not %zu", part, (unsigned long long)check.damage_at,
             at);
  stream_check_free(&check);
}

static void faults_of_structure(void** state) {
  const struct maker good = make(NONE);
  const struct places* at = &good.places;
  const struct {
    enum fault fault;
    const char* found;
    size_t at;
  } cases[] = {
      {GRAINS_SWAPPED, "not behind the grains", 0},
      {GRAIN_TWICE, "not behind the grains", 0},
      {GRAIN_OF_ZEROS, "a grain of zeros is stored", at->grain[1]},
      {GRAIN_SHORT, "inflates to 3584 bytes only", at->grain[1] + 12},
      {GRAIN_LONG, "longer than a grain", at->grain[1] + 12},
      {GRAIN_RAW_DEFLATE, "no zlib header", at->grain[1] + 12},
      {GRAIN_BEYOND, "not on the disk", at->grain[1]},
      {GRAIN_UNALIGNED, "not where a grain begins", at->grain[1]},
      {GRAIN_UNPADDED, "padding of the grain", at->grain[2] - 1},
      {GRAIN_SURPLUS, "1 bytes of the grain are not used", at->grain[1] + 8},
      {TAIL_BEYOND_DISK, "beyond the disk", at->grain[5] + 12},
      {TABLE_LATE, "before the table of those in front", at->tables[0]},
      {TABLE_EMPTY, "no grains are in front of it", at->grain[3]},
      {TABLE_TWICE, "no grains are in front of it", at->grain[3]},
      {TABLE_MISSING, "before the table of those in front", at->tables[0]},
      {DIRECTORY_MISSING, "footer marker does not belong here", at->directory + 12},
      {FOOTER_MISSING, "end-of-stream marker does not belong here", at->footer + 12},
      {END_MISSING, "ends before its end", at->end},
      {END_TWICE, "something follows the end", at->end + SECTOR},
      {PROGRESS_MARKER, "type 4", at->grain[2] + 12},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    struct maker maker = make(cases[i].fault);
    assert_damage(&maker.file, cases[i].found,
                  cases[i].at != 0 ? cases[i].at : maker.places.grain[1]);
    bytes_free(&maker.file);
  }
  bytes_free((struct bytes*)&good.file);
}

static void faults_of_one_byte(void** state) {
  struct maker maker = make(NONE);
  const struct places* p = &maker.places;
  const struct {
    size_t at;
    unsigned char flip; /* bits */
    const char* found;
  } cases[] = {
      {0, 1, "magic"},
      {4, 2, "version"},
      {10, 1, "flags"},
      {8, 2, "flags"},
      {20, 4, "grainSize"},
      {28, 2, "descriptorOffset"},
      {36, 16, "descriptorSize"},
      {44, 1, "numGTEsPerGT"},
      {48, 1, "rgdOffset"},
      {56, 1, "gdOffset"},
      {64, 1, "overHead"},
      {72, 1, "uncleanShutdown"},
      {76, 1, "newline"},
      {77, 1, "compressAlgorithm"},
      {79, 1, "padding of the header"},
      {511, 1, "padding of the header"},
      {30 * SECTOR, 1, "what follows the descriptor"},
      {128 * SECTOR - 1, 1, "what follows the descriptor"},
      {p->grain[1] + 100, 1, "does not inflate"},
      {p->tables[0] - 1, 1, "padding of the grain"},
      {p->grain[1] + 8, 0x80, ""},
      {p->grain[1] + 11, 1, "the grain has"},
      {p->tables[0], 1, "the table marker has the value 5"},
      {p->tables[0] + 16, 1, "padding of a marker"},
      {p->tables[0] + 12, 2, "the footer marker does not belong here"},
      {p->tables[0] + SECTOR, 1, "entry 0 of the table"},
      {p->tables[1] + SECTOR + 4, 1, "entry 1 of the table"},
      {p->tables[1] + SECTOR + 2047, 1, "entry 511 of the table"},
      {p->directory, 2, "the directory marker has the value 3"},
      {p->directory + 511, 2, "padding of a marker"},
      {p->directory + SECTOR, 1, "entry 0 of the directory"},
      {p->directory + SECTOR + 4, 1, "entry 1 of the directory"},
      {p->directory + SECTOR + 12, 1, "entry 3 of the directory"},
      {p->directory + SECTOR + 16, 1, "padding of the directory"},
      {p->footer, 1, "the footer marker has the value 0"},
      {p->footer + SECTOR, 1, "byte 0 of the footer"},
      {p->footer + SECTOR + 56, 1, "byte 56 of the footer"},
      {p->footer + SECTOR + 511, 1, "byte 511 of the footer"},
      {p->end, 1, "the end-of-stream marker has the value 1"},
      {p->end + 8, 1, "a grain does not belong here"},
      {p->end + 511, 1, "padding of a marker"},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    struct stream_check check;
    maker.file.data[cases[i].at] ^= cases[i].flip;
    stream_check_begin(&check);
    if (stream_check_bytes(&check, maker.file.data, maker.file.size) == 0)
      fail_msg("%s: byte %zu", cases[i].found, cases[i].at);
    assert_contains(check.damage, cases[i].found);
    assert_true(check.damage_at <= cases[i].at || check.damage_at / SECTOR == cases[i].at / SECTOR);
    stream_check_free(&check);
    maker.file.data[cases[i].at] ^= cases[i].flip;
  }
  bytes_free(&maker.file);
}

/* No byte can be another one, but for the bits that fill up the last byte of compressed data. */
static void no_byte_goes_unseen(void** state) {
  struct maker maker = make(NONE);
  const char* text = (const char*)maker.file.data + SECTOR;
  const size_t length = strlen(text);
  size_t i, unseen = 0;

  (void)state;
  for (i = 0; i < maker.file.size; ++i) {
    struct stream_check check;
    /* Letters of the descriptor: the next test. */
    if (i >= SECTOR && i < SECTOR + length) continue;
    maker.file.data[i] ^= 0x10;
    stream_check_begin(&check);
    if (stream_check_bytes(&check, maker.file.data, maker.file.size) == 0) ++unseen;
    stream_check_free(&check);
    maker.file.data[i] ^= 0x10;
  }
  assert_true(unseen <= maker.places.grains);
  bytes_free(&maker.file);
}

static void faults_of_the_descriptor(void** state) {
  static const struct {
    const char *from, *to, *found; /* the two of one length */
  } cases[] = {
      {"# Disk Des", "# Disk des", "does not begin as it must"},
      {"version=1\n", "version=2\n", "does not begin as it must"},
      {"\"UTF-8\"", "\"UTF-7\"", "does not begin as it must"},
      {"\nCID=89", "\nCIX=89", "does not begin as it must"},
      {"CID=89ab", "CID=89AB", "CID is not of eight digits"},
      {"parentCID=f", "parentCID=e", "parentCID=efffffff"},
      {"parentCID", "parentCIX", "no \"parentCID=\""},
      {"streamO", "streamo", "createType is"},
      {"createType=\"", "createType= ", "not in quotes"},
      {"# Extent", "# extent", "no \"# Extent description\""},
      {"RDONLY ", "RDONLY-", "extent line"},
      {" SPARSE ", " SPERSE ", "extent line"},
      {"disk.vmdk\"", "disk\"vmdk\"", "extent line"},
      {"RDONLY 12293", "RDONLY 12294", "the extent line has 12294 sectors"},
      {"RDONLY 12293", "RDONLY 12285", "the extent line has 12285 sectors"},
      {"\n\n# The Disk Data", "\n.# The Disk Data", "something follows the only extent line"},
      {"# The Disk Data", "# The Dusk Data", "is not where it must be"},
      {"#DDB\n", "#DDb\n", "is not where it must be"},
      {"ddb.adapterType", "ddb.adaptorType", "no \"ddb.adapterType"},
      {"ddb.adapterType = \"lsilogic\"", "ddb.adapterType = \"\"\nlsilogi", "adapterType is empty"},
      {"ddb.toolsVersion", "ddb.geometry.a\n ", "no \"ddb.toolsVersion"},
      {"ddb.toolsVersion = \"0\"", "ddb.toolsVersion = \"x\"", "is no number"},
      {"ddb.virtualHWVersion", "ddb.virtualHWversion", "no \"ddb.virtualHWVersion"},
      {"ddb.virtualHWVersion = \"4\"", "ddb.virtualHWVersion = \"0\"", "virtualHWVersion is 0"},
      {"geometry.heads = \"64\"", "geometry.heads = \"00\"", "the geometry is"},
      {"geometry.sectors = \"32\"", "geometry.sectors = \"64\"", "the geometry is"},
      {"cylinders = \"6\"", "cylinders = \"0\"", "the geometry is"},
      {"cylinders = \"6\"", "cylinders = \"7\"", "the geometry is larger"},
      {"ddb.uuid = \"60 00", "ddb.toolsVersion = ", "twice"},
      {"01234567" CID "\"", "0123456789abcdee\"", "longContentID is"},
      {"0123456789abcdef01234567", "0123456789abcdeg01234567", "longContentID is"},
      {"60 00 C2 9a", "60 00 C2-9a", "uuid is"},
      {"04-05", "04 05", "uuid is"},
      {"ddb.uuid = \"60", "ddb.uuid = \"6x", "uuid is"},
      {"\"4\"\n", "\"4\" ", "does not end with a line end"},
      {"\"4\"\n", "\"4\"\r", "the byte 0x0d"},
  };
  struct maker good = make(NONE);
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    struct bytes file = bytes_copy(&good.file);
    char* at = strstr((char*)file.data + SECTOR, cases[i].from);
    struct stream_check check;
    if (at == NULL) fail_msg("the descriptor has no \"%s\"", cases[i].from);
    memcpy(at, cases[i].to, strlen(cases[i].to));
    stream_check_begin(&check);
    if (stream_check_bytes(&check, file.data, file.size) == 0)
      fail_msg("\"%s\" is not noticed", cases[i].to);
    assert_contains(check.damage, cases[i].found);
    assert_true(check.damage_at >= SECTOR && check.damage_at < 21 * SECTOR);
    stream_check_free(&check);
    bytes_free(&file);
  }
  {
    /* Too long for keys to be added. */
    struct bytes file = bytes_copy(&good.file);
    size_t end = SECTOR + strlen((const char*)file.data + SECTOR);
    memset(file.data + end, '\n', 17 * SECTOR - end + SECTOR);
    assert_damage(&file, "no room behind the descriptor", 18 * SECTOR);
    bytes_free(&file);
  }
  bytes_free(&good.file);
}

static void streams_cut_short(void** state) {
  struct maker maker = make(NONE);
  size_t size;

  (void)state;
  for (size = 0; size < maker.file.size; size += size % SECTOR == 511 ? 1 : 73) {
    struct stream_check check;
    stream_check_begin(&check);
    assert_int_not_equal(stream_check_bytes(&check, maker.file.data, size), 0);
    assert_contains(check.damage, "ends before its end");
    assert_int_equal(check.damage_at, size);
    stream_check_free(&check);
  }
  bytes_free(&maker.file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_good_stream),
      cmocka_unit_test(faults_of_structure),
      cmocka_unit_test(faults_of_one_byte),
      cmocka_unit_test(no_byte_goes_unseen),
      cmocka_unit_test(faults_of_the_descriptor),
      cmocka_unit_test(streams_cut_short),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
