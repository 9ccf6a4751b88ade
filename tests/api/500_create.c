/* SPDX-License-Identifier: MIT */
/* vmdk_create(): what is made, that it is made wholly or not at all, and what is refused. */
#define _POSIX_C_SOURCE 200809L /* opendir, setrlimit */
#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/recording_io.h"

#define TIB ((uint64_t)1 << 40)
#define SECTOR 512u
#define UUID "60 00 C2 9a 01 02 03 04-05 06 07 08 09 0a 0b 0c"
#define LONG_ID "0123456789abcdef0123456712345678"

static const char* const fixed_keys[] = {"ddb.uuid", UUID, "ddb.longContentID", LONG_ID, NULL};

static vmdk_create_options new_options(uint32_t type, uint64_t capacity) {
  vmdk_create_options options;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.type = type;
  options.capacity = capacity;
  return options;
}

/* With nothing random in it. */
static vmdk_create_options fixed_options(uint32_t type, uint64_t capacity) {
  vmdk_create_options options = new_options(type, capacity);

  options.cid = 0x12345678;
  options.keys = fixed_keys;
  return options;
}

static int count_entries(struct folder* folder) {
  DIR* dir = opendir(folder_path(folder));
  int count = 0;

  assert_non_null(dir);
  while (readdir(dir) != NULL) ++count;
  (void)closedir(dir);
  return count - 2;
}

static struct stat stat_of(const char* path) {
  struct stat st;

  assert_int_equal(stat(path, &st), 0);
  return st;
}

static uint32_t get32(const unsigned char* bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
         (uint32_t)bytes[3] << 24;
}

static uint64_t get64(const unsigned char* bytes) {
  return get32(bytes) | (uint64_t)get32(bytes + 4) << 32;
}

/* ---- What is made ---- */

static const struct kind {
  uint32_t type;
  const char *name, *suffix; /* of the first extent; NULL: the descriptor is inside */
  uint32_t extent;
} kinds[] = {
    {VMDK_TYPE_MONOLITHIC_SPARSE, "monolithicSparse", NULL, VMDK_EXTENT_SPARSE},
    {VMDK_TYPE_MONOLITHIC_FLAT, "monolithicFlat", "-flat", VMDK_EXTENT_FLAT},
    {VMDK_TYPE_SPLIT_SPARSE, "twoGbMaxExtentSparse", "-s001", VMDK_EXTENT_SPARSE},
    {VMDK_TYPE_SPLIT_FLAT, "twoGbMaxExtentFlat", "-f001", VMDK_EXTENT_FLAT},
    {VMDK_TYPE_VMFS, "vmfs", "-flat", VMDK_EXTENT_FLAT},
    {VMDK_TYPE_VMFS_THIN, "vmfsThin", "-flat", VMDK_EXTENT_FLAT},
    {VMDK_TYPE_VMFS_PREALLOCATED, "vmfsPreallocated", "-flat", VMDK_EXTENT_FLAT},
    {VMDK_TYPE_VMFS_EAGER_ZEROED, "vmfsEagerZeroedThick", "-flat", VMDK_EXTENT_FLAT},
    {VMDK_TYPE_VMFS_SPARSE, "vmfsSparse", "-delta", VMDK_EXTENT_COWD},
};

static int is_sparse(const struct kind* kind) { return kind->extent != VMDK_EXTENT_FLAT; }

/* An empty disk of that size: reads as zeros at both ends, and is written there. */
static void check_empty(const char* path, const struct kind* kind, uint64_t sectors,
                        uint32_t extents) {
  static const unsigned char zeros[2 * SECTOR];
  unsigned char buffer[2 * SECTOR], data[SECTOR];
  vmdk_open_options options = default_options();
  vmdk_disk* disk = open_disk(path, NULL);
  vmdk_info info = info_of(disk, 0);
  uint64_t size = sectors * SECTOR;
  vmdk_run run;

  assert_int_equal(info.type, kind->type);
  assert_string_equal(text_of(disk, 0, "createType"), kind->name);
  assert_true(info.capacity == size);
  assert_int_equal(info.extent_count, extents);
  assert_int_equal(info.chain_length, 1);
  assert_int_equal(info.parent_cid, 0xffffffff);
  assert_int_equal(info.adapter, VMDK_ADAPTER_LSILOGIC);
  assert_int_equal(info.hardware_version, 4);
  assert_int_equal(info.descriptor_version, 1);
  assert_int_equal(info.grain_bytes, is_sparse(kind) ? 64 * KIB : 0);
  assert_int_equal(info.flags & ~(uint32_t)VMDK_INFO_EMBEDDED, 0);
  assert_int_equal((info.flags & VMDK_INFO_EMBEDDED) != 0, kind->suffix == NULL);
  assert_int_equal(extent_of(disk, 0, 0).kind, kind->extent);
  /* A flat file is a hole where the file system tells. */
  run = run_at(disk, 0, SECTOR);
  assert_int_equal(run.kind == VMDK_RUN_ABSENT, is_sparse(kind));
  run = run_at(disk, size - SECTOR, SECTOR);
  assert_int_equal(run.kind == VMDK_RUN_ABSENT, is_sparse(kind));
  assert_ok(vmdk_read_at(disk, buffer, SECTOR, 0));
  assert_ok(vmdk_read_at(disk, buffer + SECTOR, SECTOR, size - SECTOR));
  assert_memory_equal(buffer, zeros, sizeof(zeros));
  assert_ok(vmdk_close(disk));

  options.flags = VMDK_OPEN_WRITE;
  disk = open_disk(path, &options);
  pattern_fill(1, size - SECTOR, data, SECTOR);
  assert_ok(vmdk_write_at(disk, data, SECTOR, size - SECTOR));
  assert_ok(vmdk_close(disk));
  disk = open_disk(path, NULL);
  assert_ok(vmdk_read_at(disk, buffer, SECTOR, size - SECTOR));
  assert_memory_equal(buffer, data, SECTOR);
  assert_int_equal(info_of(disk, 0).flags & VMDK_INFO_UNCLEAN, 0);
  assert_ok(vmdk_close(disk));
}

static void every_type_and_size(void** state) {
  static const uint64_t sizes[] = {1,
                                   127,
                                   128,
                                   129,
                                   65535,
                                   65536,
                                   65537,
                                   4192256,
                                   4192257,
                                   (TIB * 2) / SECTOR - 1,
                                   TIB * 2 / SECTOR,
                                   TIB * 2 / SECTOR + 1,
                                   TIB * 62 / SECTOR};
  size_t i, j;

  for (i = 0; i < COUNT(kinds); ++i) {
    for (j = 0; j < COUNT(sizes); ++j) {
      const struct kind* kind = kinds + i;
      uint64_t sectors = sizes[j], part = 4192256;
      vmdk_create_options options = new_options(kind->type, sectors * SECTOR);
      const char* path = text_in(*state, "%s/%s-%llu.vmdk", folder_path(*state), kind->name,
                                 (unsigned long long)sectors);
      int large = sectors > 65537;
      int split = kind->type == VMDK_TYPE_SPLIT_SPARSE || kind->type == VMDK_TYPE_SPLIT_FLAT;

      if (large && !is_sparse(kind)) options.preallocate = VMDK_PREALLOCATE_NONE;
      if (sectors == TIB * 62 / SECTOR && !is_sparse(kind)) continue;
      if (split && sectors > 65536 * 128) {
        options.split_bytes = TIB / 2;
        part = options.split_bytes / SECTOR;
      }
      if (kind->extent == VMDK_EXTENT_COWD && sectors > UINT32_MAX) {
        assert_status(vmdk_create(path, &options), VMDK_ERR_LIMIT);
        assert_contains(vmdk_last_error()->message, "2 TiB");
        continue;
      }
      if (vmdk_create(path, &options) != VMDK_OK)
        fail_msg("%s: %s", path, vmdk_last_error()->message);
      check_empty(path, kind, sectors, split ? (uint32_t)((sectors + part - 1) / part) : 1);
      if (split && sectors == 4192257) {
        vmdk_disk* disk = open_disk(path, NULL);
        assert_true(extent_of(disk, 0, 0).size == 4192256 * (uint64_t)SECTOR);
        assert_int_equal(extent_of(disk, 0, 1).size, SECTOR);
        assert_contains(text_of(disk, 0, "@extent.1"),
                        is_sparse(kind) ? "4192257-s002.vmdk" : "4192257-f002.vmdk");
        assert_ok(vmdk_close(disk));
      }
    }
  }
}

/* A capacity that is no multiple of a sector is rounded up. */
static void odd_capacities(void** state) {
  static const struct {
    uint64_t given, made;
  } cases[] = {{1, 512}, {511, 512}, {512, 512}, {513, 1024}, {65535, 65536}, {70000, 70144}};
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_create_options options = new_options(0, cases[i].given);
    const char* path = text_in(*state, "%s/%u.vmdk", folder_path(*state), (unsigned)cases[i].given);
    vmdk_disk* disk;
    assert_ok(vmdk_create(path, &options));
    disk = open_disk(path, NULL);
    assert_int_equal(info_of(disk, 0).capacity, cases[i].made);
    assert_int_equal(info_of(disk, 0).type, VMDK_TYPE_MONOLITHIC_SPARSE);
    assert_ok(vmdk_close(disk));
  }
}

/* ---- Layouts ---- */

/* Header, directories and tables of a hosted extent, by the rules of the format. */
static void check_hosted(const struct bytes* file, uint64_t sectors, uint64_t grain, uint64_t area,
                         int zero_grains) {
  const unsigned char* h = file->data;
  uint64_t tables = (sectors + grain * 512 - 1) / (grain * 512);
  uint64_t directory = (tables * 4 + 511) / 512, rgd = 1 + area;
  uint64_t gd = rgd + directory + tables * 4, end = gd + directory + tables * 4;
  uint64_t overhead = (end + grain - 1) / grain * grain, i;

  assert_memory_equal(h, "KDMV", 4);
  assert_int_equal(get32(h + 4), zero_grains ? 2 : 1);
  assert_int_equal(get32(h + 8), zero_grains ? 7 : 3);
  assert_true(get64(h + 12) == sectors);
  assert_true(get64(h + 20) == grain);
  assert_true(get64(h + 28) == (area > 0 ? 1 : 0));
  assert_true(get64(h + 36) == area);
  assert_int_equal(get32(h + 44), 512);
  assert_true(get64(h + 48) == rgd);
  assert_true(get64(h + 56) == gd);
  assert_true(get64(h + 64) == overhead);
  assert_memory_equal(h + 72, "\0\n \r\n\0\0", 7);
  for (i = 79; i < 512; ++i) assert_int_equal(h[i], 0);
  assert_true(file->size == overhead * 512);
  for (i = 0; i < directory * 128; ++i) {
    assert_true(get32(h + rgd * 512 + i * 4) == (i < tables ? rgd + directory + i * 4 : 0));
    assert_true(get32(h + gd * 512 + i * 4) == (i < tables ? gd + directory + i * 4 : 0));
  }
  for (i = 0; i < tables * 2048; ++i) {
    assert_int_equal(h[(rgd + directory) * 512 + i], 0);
    assert_int_equal(h[(gd + directory) * 512 + i], 0);
  }
}

static void hosted_layouts(void** state) {
  static const struct {
    uint64_t sectors, grain;
  } cases[] = {{1, 128}, {65536, 128}, {65537, 128}, {2097152, 128}, {4192256, 128},
               {1, 8},   {70000, 8},   {70000, 16},  {70000, 2048},  {1048577, 2048}};
  size_t i;

  for (i = 0; i < COUNT(cases) * 2; ++i) {
    uint64_t sectors = cases[i / 2].sectors, grain = cases[i / 2].grain;
    vmdk_create_options options = new_options(VMDK_TYPE_MONOLITHIC_SPARSE, sectors * SECTOR);
    const char* path = text_in(*state, "%s/%u.vmdk", folder_path(*state), (unsigned)i);
    struct bytes file;

    options.grain_bytes = grain * SECTOR;
    if (i % 2 != 0) {
      options.type = VMDK_TYPE_SPLIT_SPARSE;
      options.flags = VMDK_CREATE_ZERO_GRAINS;
    }
    assert_ok(vmdk_create(path, &options));
    if (i % 2 != 0) path = text_in(*state, "%s/%u-s001.vmdk", folder_path(*state), (unsigned)i);
    file = read_file(path);
    check_hosted(&file, sectors, grain, i % 2 != 0 ? 0 : 20, i % 2 != 0);
    bytes_free(&file);
  }
}

static void cowd_layouts(void** state) {
  static const struct {
    uint32_t sectors, grain;
  } cases[] = {{1, 1},        {4096, 1},     {4097, 1}, {1048577, 1}, {1, 128},
               {524288, 128}, {524289, 128}, {1, 2048}, {70000, 8},   {8388609, 2048}};
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    uint32_t sectors = cases[i].sectors, grain = cases[i].grain;
    uint32_t tables = (sectors + grain * 4096 - 1) / (grain * 4096);
    uint32_t directory = (tables * 4 + 511) / 512, end = 4 + directory + tables * 32, j;
    uint32_t free_sector = (end + grain - 1) / grain * grain;
    vmdk_create_options options = new_options(VMDK_TYPE_VMFS_SPARSE, (uint64_t)sectors * SECTOR);
    const char* path = text_in(*state, "%s/%u.vmdk", folder_path(*state), (unsigned)i);
    struct bytes file;

    options.grain_bytes = (uint64_t)grain * SECTOR;
    assert_ok(vmdk_create(path, &options));
    file = read_file(text_in(*state, "%s/%u-delta.vmdk", folder_path(*state), (unsigned)i));
    assert_memory_equal(file.data, "COWD\1\0\0\0\3\0\0\0", 12);
    assert_int_equal(get32(file.data + 12), sectors);
    assert_int_equal(get32(file.data + 16), grain);
    assert_int_equal(get32(file.data + 20), 4);
    assert_int_equal(get32(file.data + 24), tables);
    assert_int_equal(get32(file.data + 28), free_sector);
    for (j = 32; j < 2048; ++j) assert_int_equal(file.data[j], 0);
    for (j = 0; j < directory * 128; ++j)
      assert_int_equal(get32(file.data + 2048 + j * 4), j < tables ? 4 + directory + j * 32 : 0);
    for (j = (4 + directory) * 512; j < file.size; ++j) assert_int_equal(file.data[j], 0);
    assert_int_equal(file.size, free_sector * SECTOR);
    bytes_free(&file);
  }
}

/* 62 TiB: the directories are larger than any piece that is written at once. */
static void large_directories(void** state) {
  vmdk_create_options options = new_options(VMDK_TYPE_MONOLITHIC_SPARSE, 62 * TIB);
  struct recording_io io;
  unsigned char* directory = allocate(8 * MIB);
  uint64_t tables = 62 * TIB / (32 * MIB), i, at;
  long file;

  (void)state;
  recording_io_init(&io);
  options.io = &io.io;
  assert_ok(vmdk_create("a.vmdk", &options));
  file = store_find(&io.store, "a.vmdk");
  assert_true(file >= 0);
  assert_true(store_size(&io.store, file) == (uint64_t)16284800 * SECTOR);
  for (at = 21; at < 8142358; at += 8142357 - 21) {
    store_read(&io.store, file, at * SECTOR, directory, (size_t)tables * 4);
    for (i = 0; i < tables; ++i)
      assert_true(get32(directory + i * 4) == at + tables * 4 / SECTOR + i * 4);
  }
  free(directory);
  recording_io_free(&io);
}

/* ---- Descriptors ---- */

static void exact_texts(void** state) {
  static const char head[] =
      "# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=12345678\nparentCID=ffffffff\n";
  static const char tail[] =
      "\n# The Disk Data Base\n#DDB\n\nddb.adapterType = \"lsilogic\"\n"
      "ddb.geometry.cylinders = \"10\"\nddb.geometry.heads = \"64\"\n"
      "ddb.geometry.sectors = \"32\"\nddb.longContentID = \"" LONG_ID
      "\"\n%s"
      "ddb.uuid = \"" UUID "\"\nddb.virtualHWVersion = \"4\"\n";
  static const char* const extents[] = {
      "RW 20480 SPARSE \"my disk.vmdk\"\n",          "RW 20480 FLAT \"my disk-flat.vmdk\" 0\n",
      "RW 20480 SPARSE \"my disk-s001.vmdk\"\n",     "RW 20480 FLAT \"my disk-f001.vmdk\" 0\n",
      "RW 20480 VMFS \"my disk-flat.vmdk\"\n",       "RW 20480 VMFS \"my disk-flat.vmdk\"\n",
      "RW 20480 VMFS \"my disk-flat.vmdk\"\n",       "RW 20480 VMFS \"my disk-flat.vmdk\"\n",
      "RW 20480 VMFSSPARSE \"my disk-delta.vmdk\"\n"};
  size_t i;

  for (i = 0; i < COUNT(kinds); ++i) {
    vmdk_create_options options = fixed_options(kinds[i].type, 10 * MIB);
    const char* directory = put_directory(*state, text_in(*state, "%u", (unsigned)i));
    const char *path = text_in(*state, "%s/my disk.vmdk", directory), *wanted;
    vmdk_disk* disk;
    struct bytes text = {NULL, 0};

    assert_ok(vmdk_create(path, &options));
    bytes_print(&text, tail,
                kinds[i].type == VMDK_TYPE_VMFS_THIN ? "ddb.thinProvisioned = \"1\"\n" : "");
    bytes_append(&text, "", 1);
    wanted = text_in(*state, "%screateType=\"%s\"\n\n# Extent description\n%s%s", head,
                     kinds[i].name, extents[i], (const char*)text.data);
    bytes_free(&text);
    disk = open_disk(path, NULL);
    assert_string_equal(text_of(disk, 0, "@descriptor"), wanted);
    assert_ok(vmdk_close(disk));
    if (kinds[i].suffix != NULL) {
      text = read_file(path); /* nothing behind the text, such as NULs */
      assert_int_equal(text.size, strlen(wanted));
      bytes_free(&text);
    }
  }
}

static void geometry(void** state) {
  static const struct {
    uint32_t adapter;
    uint64_t capacity;
    uint32_t cylinders, heads, sectors;
    const char* name;
  } cases[] = {
      {0, 1, 1, 64, 32, "lsilogic"},
      {VMDK_ADAPTER_IDE, 1, 1, 16, 63, "ide"},
      {VMDK_ADAPTER_IDE, 5120 * MIB, 10402, 16, 63, "ide"},
      {VMDK_ADAPTER_BUSLOGIC, 1024 * MIB, 512, 128, 32, "buslogic"},
      {VMDK_ADAPTER_LSILOGIC, 2048 * MIB, 261, 255, 63, "lsilogic"},
      {VMDK_ADAPTER_LEGACY_ESX, 1024 * MIB - 512, 1023, 64, 32, "legacyESX"},
      {VMDK_ADAPTER_PVSCSI, 5120 * MIB, 652, 255, 63, "pvscsi"},
      {VMDK_ADAPTER_LSISAS, 5120 * MIB, 652, 255, 63, "lsisas1068"},
      {VMDK_ADAPTER_SATA, 5120 * MIB, 652, 255, 63, "sata"},
      {VMDK_ADAPTER_NVME, 5120 * MIB, 652, 255, 63, "nvme"},
  };
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_create_options options = new_options(0, cases[i].capacity);
    const char* path = text_in(*state, "%s/%u.vmdk", folder_path(*state), (unsigned)i);
    vmdk_disk* disk;
    vmdk_info info;

    options.adapter = cases[i].adapter;
    options.hardware_version = 21;
    assert_ok(vmdk_create(path, &options));
    disk = open_disk(path, NULL);
    info = info_of(disk, 0);
    assert_int_equal(info.adapter,
                     cases[i].adapter != 0 ? cases[i].adapter : VMDK_ADAPTER_LSILOGIC);
    assert_string_equal(text_of(disk, 0, "ddb.adapterType"), cases[i].name);
    assert_int_equal(info.cylinders, cases[i].cylinders);
    assert_int_equal(info.heads, cases[i].heads);
    assert_int_equal(info.sectors, cases[i].sectors);
    assert_int_equal(info.hardware_version, 21);
    assert_ok(vmdk_close(disk));
  }
}

static void keys(void** state) {
  static const char* const list[] = {
      "ddb.toolsVersion", "2147483647", "ddb.comment", "it's \xc3\xbc",
      "DDB.ADAPTERTYPE",  "pvscsi",     "ddb.empty",   "",
      "ddb.comment",      "again",      NULL};
  vmdk_create_options options = new_options(VMDK_TYPE_VMFS, MIB);
  const char* path = path_in(*state, "a.vmdk");
  vmdk_disk* disk;

  options.keys = list;
  assert_ok(vmdk_create(path, &options));
  disk = open_disk(path, NULL);
  assert_string_equal(text_of(disk, 0, "ddb.toolsVersion"), "2147483647");
  assert_string_equal(text_of(disk, 0, "ddb.comment"), "again");
  assert_string_equal(text_of(disk, 0, "ddb.adapterType"), "pvscsi");
  assert_string_equal(text_of(disk, 0, "ddb.empty"), "");
  assert_contains(text_of(disk, 0, "@descriptor"), "\nddb.adapterType = \"pvscsi\"\n");
  assert_lacks(text_of(disk, 0, "@descriptor"), "lsilogic");
  assert_ok(vmdk_close(disk));
}

static int is_hex(const char* text, size_t size) {
  return strlen(text) == size && strspn(text, "0123456789abcdef") == size;
}

/* What is not given is random. */
static void identifiers(void** state) {
  vmdk_create_options options = new_options(0, MIB);
  char texts[8][64];
  unsigned i, j;

  for (i = 0; i < 8; ++i) {
    const char* path = text_in(*state, "%s/%u.vmdk", folder_path(*state), i);
    const char* id;
    char cid[16];
    vmdk_disk* disk;

    options.cid = i < 4 ? 0 : i;
    assert_ok(vmdk_create(path, &options));
    disk = open_disk(path, NULL);
    if (i >= 4) assert_int_equal(info_of(disk, 0).cid, i);
    strcpy(cid, text_of(disk, 0, "CID"));
    assert_true(is_hex(cid, 8));
    assert_true(strcmp(cid, "00000000") != 0 && strcmp(cid, "ffffffff") != 0);
    id = text_of(disk, 0, "ddb.longContentID");
    assert_true(is_hex(id, 32));
    assert_string_equal(id + 24, cid);
    strcpy(texts[i], text_of(disk, 0, "ddb.uuid"));
    assert_int_equal(strlen(texts[i]), 47);
    assert_memory_equal(texts[i], "60 00 C2 9", 10);
    assert_int_equal(texts[i][23], '-');
    for (j = 0; j < i; ++j) assert_string_not_equal(texts[j], texts[i]);
    assert_ok(vmdk_close(disk));
  }
}

static void same_bytes_twice(void** state) {
  size_t i;

  for (i = 0; i < COUNT(kinds); ++i) {
    vmdk_create_options options = fixed_options(kinds[i].type, 3 * MIB);
    const char* extent =
        text_in(*state, "a%s.vmdk", kinds[i].suffix != NULL ? kinds[i].suffix : "");
    const char *one = put_directory(*state, text_in(*state, "one-%u", (unsigned)i)),
               *two = put_directory(*state, text_in(*state, "two-%u", (unsigned)i));
    int j;

    assert_ok(vmdk_create(text_in(*state, "%s/a.vmdk", one), &options));
    assert_ok(vmdk_create(text_in(*state, "%s/a.vmdk", two), &options));
    for (j = 0; j < 2; ++j) {
      const char* name = j == 0 ? "a.vmdk" : extent;
      struct bytes a = read_file(text_in(*state, "%s/%s", one, name)),
                   b = read_file(text_in(*state, "%s/%s", two, name));
      assert_int_equal(a.size, b.size);
      assert_same_bytes(a.data, b.data, a.size);
      bytes_free(&a);
      bytes_free(&b);
    }
  }
}

/* The descriptor's area grows with its text, and keeps room. */
static void long_descriptors(void** state) {
  char value[4001];
  const char* list[41];
  const char* path = path_in(*state, "a.vmdk");
  vmdk_create_options options = new_options(0, MIB);
  struct bytes file;
  vmdk_disk* disk;
  unsigned i;

  memset(value, 'x', sizeof(value) - 1);
  value[4000] = 0;
  for (i = 0; i < 20; ++i) {
    list[i * 2] = text_in(*state, "ddb.key%u", i);
    list[i * 2 + 1] = value;
  }
  list[40] = NULL;
  options.keys = list;
  assert_ok(vmdk_create(path, &options));
  file = read_file(path);
  assert_in_range(get64(file.data + 36), (20 * 4000 + 2048) / 512, (20 * 4100 + 4096) / 512);
  check_hosted(&file, 2048, 128, get64(file.data + 36), 0);
  bytes_free(&file);
  disk = open_disk(path, NULL);
  assert_string_equal(text_of(disk, 0, "ddb.key19"), value);
  assert_ok(vmdk_close(disk));
}

static void descriptors_that_are_too_long(void** state) {
  static const struct {
    uint32_t type;
    unsigned keys;
  } cases[] = {{VMDK_TYPE_MONOLITHIC_SPARSE, 3000}, {VMDK_TYPE_SPLIT_SPARSE, 4500}};
  char value[4001];
  size_t i;

  memset(value, 'x', sizeof(value) - 1);
  value[4000] = 0;
  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_create_options options = new_options(cases[i].type, MIB);
    const char** list = allocate((2 * cases[i].keys + 1) * sizeof(*list));
    unsigned key;

    for (key = 0; key < cases[i].keys; ++key) {
      list[2 * key] = text_in(*state, "ddb.key%u", key);
      list[2 * key + 1] = value;
    }
    list[2 * key] = NULL;
    options.keys = list;
    assert_status(vmdk_create(path_in(*state, "a.vmdk"), &options), VMDK_ERR_LIMIT);
    assert_contains(vmdk_last_error()->message, "descriptor");
    free(list);
  }
  assert_int_equal(count_entries(*state), 0);
}

/* ---- Space ---- */

static void preallocation(void** state) {
  static const struct {
    uint32_t type, preallocate;
    int stored;
  } cases[] = {
      {VMDK_TYPE_MONOLITHIC_FLAT, VMDK_PREALLOCATE_DEFAULT, 0},
      {VMDK_TYPE_MONOLITHIC_FLAT, VMDK_PREALLOCATE_NONE, 0},
      {VMDK_TYPE_MONOLITHIC_FLAT, VMDK_PREALLOCATE_RESERVE, 1},
      {VMDK_TYPE_MONOLITHIC_FLAT, VMDK_PREALLOCATE_ZEROS, 1},
      {VMDK_TYPE_SPLIT_FLAT, VMDK_PREALLOCATE_RESERVE, 1},
      {VMDK_TYPE_VMFS, VMDK_PREALLOCATE_DEFAULT, 0},
      {VMDK_TYPE_VMFS_THIN, VMDK_PREALLOCATE_DEFAULT, 0},
      {VMDK_TYPE_VMFS_PREALLOCATED, VMDK_PREALLOCATE_DEFAULT, 1},
      {VMDK_TYPE_VMFS_PREALLOCATED, VMDK_PREALLOCATE_NONE, 0},
      {VMDK_TYPE_VMFS_EAGER_ZEROED, VMDK_PREALLOCATE_DEFAULT, 1},
      {VMDK_TYPE_VMFS_EAGER_ZEROED, VMDK_PREALLOCATE_NONE, 0},
  };
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_create_options options = new_options(cases[i].type, 3 * MIB + 512);
    const char* path = text_in(*state, "%s/%u.vmdk", folder_path(*state), (unsigned)i);
    struct stat st;

    options.preallocate = cases[i].preallocate;
    assert_ok(vmdk_create(path, &options));
    st = stat_of(text_in(*state, "%s/%u%s.vmdk", folder_path(*state), (unsigned)i,
                         cases[i].type == VMDK_TYPE_SPLIT_FLAT ? "-f001" : "-flat"));
    assert_int_equal(st.st_size, 3 * MIB + 512);
    if (cases[i].stored)
      assert_true((uint64_t)st.st_blocks * 512 >= 3 * MIB + 512);
    else
      assert_true((uint64_t)st.st_blocks * 512 < MIB);
  }
}

struct watch {
  uint64_t last, total;
  int calls, cancel_at;
};

static int watch_progress(void* user, uint64_t done, uint64_t total) {
  struct watch* watch = user;

  assert_true(done >= watch->last && done <= total);
  assert_true(total == watch->total);
  watch->last = done;
  return ++watch->calls == watch->cancel_at;
}

static void progress(void** state) {
  struct watch watch = {0, 20 * MIB, 0, 0};
  vmdk_create_options options = new_options(VMDK_TYPE_VMFS_EAGER_ZEROED, 20 * MIB);

  options.on_progress = watch_progress;
  options.user = &watch;
  assert_ok(vmdk_create(path_in(*state, "a.vmdk"), &options));
  assert_true(watch.calls >= 20);
  assert_true(watch.last == watch.total);
  /* Also where there is little to do. */
  memset(&watch, 0, sizeof(watch));
  watch.total = 20 * MIB;
  options.type = VMDK_TYPE_MONOLITHIC_SPARSE;
  assert_ok(vmdk_create(path_in(*state, "b.vmdk"), &options));
  assert_int_equal(watch.calls, 1);
  assert_true(watch.last == watch.total);
}

/* ---- All or nothing ---- */

static void cancelling(void** state) {
  static const uint32_t types[] = {VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_SPLIT_FLAT,
                                   VMDK_TYPE_VMFS_EAGER_ZEROED};
  size_t i;

  for (i = 0; i < COUNT(types); ++i) {
    struct watch watch = {0, 5 * MIB, 0, 0};
    vmdk_create_options options = new_options(types[i], 5 * MIB);
    int descriptors = count_descriptors(), at;

    if (types[i] == VMDK_TYPE_SPLIT_FLAT) {
      options.split_bytes = 2 * MIB;
      options.preallocate = VMDK_PREALLOCATE_ZEROS;
    }
    options.on_progress = watch_progress;
    options.user = &watch;
    for (at = 1;; ++at) {
      vmdk_status status;
      memset(&watch, 0, sizeof(watch));
      watch.total = 5 * MIB;
      watch.cancel_at = at;
      status = vmdk_create(path_in(*state, "a.vmdk"), &options);
      assert_int_equal(count_descriptors(), descriptors);
      if (status == VMDK_OK) break;
      assert_status(status, VMDK_ERR_CANCELLED);
      assert_int_equal(count_entries(*state), 0);
    }
    assert_true(at == (i == 0 ? 2 : 7));
    folder_teardown(state);
    folder_setup(state);
  }
}

static void files_that_are_there(void** state) {
  static const struct {
    uint32_t type;
    const char* name;
  } cases[] = {
      {VMDK_TYPE_MONOLITHIC_SPARSE, "a.vmdk"},    {VMDK_TYPE_MONOLITHIC_FLAT, "a.vmdk"},
      {VMDK_TYPE_MONOLITHIC_FLAT, "a-flat.vmdk"}, {VMDK_TYPE_SPLIT_SPARSE, "a-s001.vmdk"},
      {VMDK_TYPE_SPLIT_SPARSE, "a-s003.vmdk"},    {VMDK_TYPE_SPLIT_FLAT, "a-f002.vmdk"},
      {VMDK_TYPE_VMFS_SPARSE, "a-delta.vmdk"},
  };
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_create_options options = new_options(cases[i].type, 3 * MIB);
    const char* there = put_text(*state, cases[i].name, "mine");
    struct bytes file;

    if (cases[i].type == VMDK_TYPE_SPLIT_SPARSE || cases[i].type == VMDK_TYPE_SPLIT_FLAT)
      options.split_bytes = MIB;
    assert_status(vmdk_create(path_in(*state, "a.vmdk"), &options), VMDK_ERR_EXISTS);
    assert_contains(vmdk_last_error()->message, cases[i].name);
    assert_int_equal(count_entries(*state), 1);
    file = read_file(there);
    assert_int_equal(file.size, 4);
    assert_memory_equal(file.data, "mine", 4);
    bytes_free(&file);
    assert_int_equal(remove(there), 0);
  }
  /* What a link leads to is not touched either, even if there is nothing. */
  (void)put_symlink(*state, "a.vmdk", "nowhere");
  {
    vmdk_create_options options = new_options(0, MIB);
    assert_status(vmdk_create(path_in(*state, "a.vmdk"), &options), VMDK_ERR_EXISTS);
    assert_int_equal(count_entries(*state), 1);
  }
}

static void directories(void** state) {
  vmdk_create_options options = new_options(VMDK_TYPE_SPLIT_SPARSE, MIB);

  assert_status(vmdk_create(path_in(*state, "none/a.vmdk"), &options), VMDK_ERR_NOT_FOUND);
  (void)put_text(*state, "file", "x");
  assert_status(vmdk_create(path_in(*state, "file/a.vmdk"), &options), VMDK_ERR_NOT_FOUND);
  (void)put_directory(*state, "sub");
  assert_status(vmdk_create(path_in(*state, "sub"), &options), VMDK_ERR_EXISTS);
  assert_status(vmdk_create(path_in(*state, "sub/"), &options), VMDK_ERR_INVALID_ARGUMENT);
  assert_ok(vmdk_create(path_in(*state, "sub/a.vmdk"), &options));
  assert_int_equal(count_entries(*state), 2);
}

/* Whichever call fails, no file is left and none is open. */
static void failures_of_files(void** state) {
  static const uint32_t types[] = {VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_SPLIT_SPARSE,
                                   VMDK_TYPE_VMFS_EAGER_ZEROED, VMDK_TYPE_VMFS_SPARSE};
  size_t i, renames;

  (void)state;
  for (i = 0; i < COUNT(types); ++i) {
    for (renames = 0; renames < 2; ++renames) {
      vmdk_create_options options = new_options(types[i], 3 * MIB);
      long n;

      if (types[i] == VMDK_TYPE_SPLIT_SPARSE) options.split_bytes = MIB;
      for (n = 1;; ++n) {
        struct recording_io io;
        vmdk_status status;

        recording_io_init(&io);
        if (!renames) io.io.rename = NULL;
        options.io = &io.io;
        recording_io_fail(&io, CALL_ANY & ~(unsigned)CALL_REMOVE, n, 0, n % 2 == 0 ? EIO : ENOSPC);
        status = vmdk_create("a.vmdk", &options);
        assert_int_equal(recording_io_open_files(&io), 0);
        assert_int_equal(io.wrong, 0);
        if (io.failed == 0) {
          assert_ok(status);
          recording_io_free(&io);
          break;
        }
        assert_status(status, n % 2 == 0 ? VMDK_ERR_IO : VMDK_ERR_NO_SPACE);
        assert_int_equal(store_names(&io.store), 0);
        recording_io_free(&io);
      }
      assert_true(n > 5);
    }
  }
}

static void files_of_the_caller(void** state) {
  size_t i, renames;

  (void)state;
  for (i = 0; i < COUNT(kinds); ++i) {
    for (renames = 0; renames < 2; ++renames) {
      vmdk_create_options options = fixed_options(kinds[i].type, 3 * MIB);
      vmdk_open_options open = default_options();
      struct recording_io io;
      vmdk_disk* disk;

      recording_io_init(&io);
      if (!renames) io.io.rename = NULL;
      options.io = &io.io;
      assert_ok(vmdk_create("dir/a.vmdk", &options));
      assert_int_equal(store_names(&io.store), kinds[i].suffix != NULL ? 2 : 1);
      assert_int_equal(recording_io_open_files(&io), 0);
      assert_true(store_find(&io.store, "dir/a.vmdk") >= 0);
      open.io = &io.io;
      disk = open_disk("dir/a.vmdk", &open);
      assert_int_equal(info_of(disk, 0).type, kinds[i].type);
      assert_ok(vmdk_close(disk));
      /* It is there now. */
      assert_status(vmdk_create("dir/a.vmdk", &options), VMDK_ERR_EXISTS);
      assert_int_equal(store_names(&io.store), kinds[i].suffix != NULL ? 2 : 1);
      disk = open_disk("dir/a.vmdk", &open);
      assert_ok(vmdk_close(disk));
      recording_io_free(&io);
    }
  }
}

static void files_of_the_caller_that_cannot_be_written(void** state) {
  vmdk_create_options options = new_options(0, MIB);
  int i;

  (void)state;
  for (i = 0; i < 4; ++i) {
    struct recording_io io;
    recording_io_init(&io);
    if (i == 0) io.io.write_at = NULL;
    if (i == 1) io.io.set_size = NULL;
    if (i == 2) io.io.sync = NULL;
    if (i == 3) io.io.remove = NULL;
    options.io = &io.io;
    assert_status(vmdk_create("a.vmdk", &options), VMDK_ERR_INVALID_ARGUMENT);
    assert_int_equal(store_names(&io.store), 0);
    recording_io_free(&io);
  }
}

/* Whenever the machine stops: where the name of the disk is, there is the disk, on stable storage.
 */
static void crashes(void** state) {
  static const uint32_t types[] = {VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_SPLIT_SPARSE,
                                   VMDK_TYPE_VMFS_EAGER_ZEROED, VMDK_TYPE_VMFS_SPARSE};
  size_t i, n;

  (void)state;
  for (i = 0; i < COUNT(types); ++i) {
    vmdk_create_options options = new_options(types[i], 3 * MIB);
    struct recording_io io;
    struct store nothing;
    size_t with_disk = 0;

    if (types[i] == VMDK_TYPE_SPLIT_SPARSE) options.split_bytes = MIB;
    recording_io_init(&io);
    io.recording = 1;
    options.io = &io.io;
    assert_ok(vmdk_create("a.vmdk", &options));
    store_init(&nothing);
    for (n = 0; n <= io.log.count; ++n) {
      vmdk_open_options open = default_options();
      struct recording_io after;
      struct store left;

      recording_rebuild(&nothing, &io.log, n, 1, &left);
      recording_io_init_from(&after, &left);
      open.io = &after.io;
      if (store_find(&left, "a.vmdk") >= 0) {
        vmdk_disk* disk = open_disk("a.vmdk", &open);
        assert_true(info_of(disk, 0).capacity == 3 * MIB);
        assert_ok(vmdk_close(disk));
        ++with_disk;
      }
      recording_io_free(&after);
      store_free(&left);
    }
    assert_in_range(with_disk, 1, io.log.count / 2);
    store_free(&nothing);
    recording_io_free(&io);
  }
}

/* ---- Many parts ---- */

/* More of them than files that may be open. */
static void many_parts(void** state) {
  struct rlimit limit, low;
  vmdk_create_options options = new_options(VMDK_TYPE_SPLIT_SPARSE, 1001 * 64 * KIB);
  const char* path = path_in(*state, "a.vmdk");
  int descriptors = count_descriptors();
  vmdk_disk* disk;

  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  low = limit;
  low.rlim_cur = 256;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  options.split_bytes = 64 * KIB;
  assert_ok(vmdk_create(path, &options));
  assert_int_equal(count_entries(*state), 1002);
  assert_int_equal(count_descriptors(), descriptors);
  disk = open_disk(path, NULL);
  assert_int_equal(info_of(disk, 0).extent_count, 1001);
  assert_contains(text_of(disk, 0, "@extent.998"), "a-s999.vmdk");
  assert_contains(text_of(disk, 0, "@extent.1000"), "a-s1001.vmdk");
  assert_ok(vmdk_close(disk));
  /* One of the last is there already: all others go. */
  assert_int_equal(remove(path), 0);
  options.capacity = 500 * 64 * KIB;
  assert_int_equal(remove(path_in(*state, "a-s001.vmdk")), 0);
  assert_status(vmdk_create(path, &options), VMDK_ERR_EXISTS);
  assert_int_equal(count_entries(*state), 1000);

  options.capacity = 65537 * 64 * KIB;
  assert_status(vmdk_create(path_in(*state, "b.vmdk"), &options), VMDK_ERR_LIMIT);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* ---- What is refused ---- */

static void names(void** state) {
  static const char* const good[] = {"a",     "a b.vmdk", "a.VMDK", "\xc3\xbc.vmdk", "it's.vmdk",
                                     ".vmdk", "a.raw",    "#.vmdk", "a\\b.vmdk",     "-flat.vmdk"};
  static const char* const bad[] = {"a\".vmdk",  "a\nb.vmdk", "a\r.vmdk", "\x1b.vmdk", "a\x7f.vmdk",
                                    "\xff.vmdk", "",          ".",        "..",        "..."};
  char longest[252];
  size_t i;

  for (i = 0; i < COUNT(good); ++i) {
    vmdk_create_options options = new_options(VMDK_TYPE_SPLIT_SPARSE, MIB);
    const char* directory = put_directory(*state, text_in(*state, "%u", (unsigned)i));
    const char* path = text_in(*state, "%s/%s", directory, good[i]);
    vmdk_disk* disk;
    assert_ok(vmdk_create(path, &options));
    disk = open_disk(path, NULL);
    assert_ok(vmdk_close(disk));
  }
  for (i = 0; i < COUNT(bad); ++i) {
    vmdk_create_options options = new_options(i % 2 == 0 ? 0 : VMDK_TYPE_VMFS, MIB);
    int entries = count_entries(*state);
    assert_status(vmdk_create(path_in(*state, bad[i]), &options), VMDK_ERR_INVALID_ARGUMENT);
    assert_true(is_clean_line(vmdk_last_error()->message));
    assert_int_equal(count_entries(*state), entries);
  }
  /* The longest name of a file that leaves no room for "-flat". */
  memset(longest, 'x', sizeof(longest) - 1);
  longest[sizeof(longest) - 1] = 0;
  {
    vmdk_create_options options = new_options(0, MIB);
    assert_ok(vmdk_create(path_in(*state, longest), &options));
    options.type = VMDK_TYPE_VMFS;
    longest[0] = 'y';
    assert_status(vmdk_create(path_in(*state, longest), &options), VMDK_ERR_INVALID_ARGUMENT);
  }
}

static void options_that_mean_nothing(void** state) {
  static const char* const no_value[] = {"ddb.a", NULL};
  static const char* const no_ddb[] = {"CID", "1", NULL};
  static const char* const bad_key[] = {"ddb.a b", "1", NULL};
  static const char* const quotes[] = {"ddb.a", "a\"b", NULL};
  static const char* const line_end[] = {"ddb.a", "a\nCID=0", NULL};
  static const char* const not_utf8[] = {"ddb.a", "\xff", NULL};
  static const char* const* const bad_keys[] = {no_value, no_ddb,   bad_key,
                                                quotes,   line_end, not_utf8};
  static const struct {
    uint32_t type;
    uint64_t capacity, grain, split;
    uint32_t adapter, preallocate, flags, cid, target;
    vmdk_status status;
  } cases[] = {
#define INVALID VMDK_ERR_INVALID_ARGUMENT
      {VMDK_TYPE_MONOLITHIC_SPARSE, 0, 0, 0, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_RAW + 1, MIB, 0, 0, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_RAW, MIB, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {UINT32_MAX, MIB, 0, 0, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_STREAM_OPTIMIZED, MIB, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {VMDK_TYPE_SE_SPARSE, MIB, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {VMDK_TYPE_VMFS_RAW, MIB, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {VMDK_TYPE_VMFS_RDM, MIB, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {VMDK_TYPE_VMFS_RDMP, MIB, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {VMDK_TYPE_FULL_DEVICE, MIB, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {VMDK_TYPE_PARTITIONED_DEVICE, MIB, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {VMDK_TYPE_CUSTOM, MIB, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      /* Grains. */
      {VMDK_TYPE_MONOLITHIC_SPARSE, MIB, 2048, 0, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_MONOLITHIC_SPARSE, MIB, 4097, 0, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_MONOLITHIC_SPARSE, MIB, 12288, 0, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_MONOLITHIC_SPARSE, MIB, 2 * MIB, 0, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_VMFS_SPARSE, MIB, 256, 0, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_VMFS_SPARSE, MIB, 2 * MIB, 0, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_MONOLITHIC_FLAT, MIB, 65536, 0, 0, 0, 0, 0, 0, INVALID},
      /* Parts. */
      {VMDK_TYPE_MONOLITHIC_SPARSE, MIB, 0, MIB, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_VMFS, MIB, 0, MIB, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_SPLIT_SPARSE, MIB, 0, 65536 + 512, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_SPLIT_SPARSE, MIB, 0, 4096, 0, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_SPLIT_FLAT, MIB, 0, 513, 0, 0, 0, 0, 0, INVALID},
      /* The rest. */
      {0, MIB, 0, 0, VMDK_ADAPTER_NVME + 1, 0, 0, 0, 0, INVALID},
      {VMDK_TYPE_VMFS, MIB, 0, 0, 0, VMDK_PREALLOCATE_ZEROS + 1, 0, 0, 0, INVALID},
      {0, MIB, 0, 0, 0, VMDK_PREALLOCATE_ZEROS, 0, 0, 0, INVALID},
      {VMDK_TYPE_VMFS_SPARSE, MIB, 0, 0, 0, VMDK_PREALLOCATE_RESERVE, 0, 0, 0, INVALID},
      {0, MIB, 0, 0, 0, 0, 2, 0, 0, VMDK_ERR_UNSUPPORTED},
      {VMDK_TYPE_VMFS, MIB, 0, 0, 0, 0, VMDK_CREATE_ZERO_GRAINS, 0, 0, INVALID},
      {VMDK_TYPE_VMFS_SPARSE, MIB, 0, 0, 0, 0, VMDK_CREATE_ZERO_GRAINS, 0, 0, INVALID},
      {0, MIB, 0, 0, 0, 0, 0, UINT32_MAX, 0, INVALID},
      {0, MIB, 0, 0, 0, 0, 0, 0, VMDK_TARGET_AWS + 1, INVALID},
      {VMDK_TYPE_MONOLITHIC_SPARSE, MIB, 0, 0, 0, 0, 0, 0, VMDK_TARGET_ESXI, VMDK_ERR_UNSUPPORTED},
      /* Sizes. */
      {0, UINT64_MAX, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_LIMIT},
      {0, (uint64_t)1 << 62, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_LIMIT},
      {VMDK_TYPE_VMFS_SPARSE, 2 * TIB, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_LIMIT},
      {VMDK_TYPE_MONOLITHIC_FLAT, (uint64_t)1 << 63, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_LIMIT},
      {VMDK_TYPE_SPLIT_SPARSE, 200 * TIB, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_LIMIT},
      {VMDK_TYPE_SPLIT_FLAT, (uint64_t)1 << 63, 0, 512, 0, 0, 0, 0, 0, VMDK_ERR_LIMIT},
#undef INVALID
  };
  const char* path = path_in(*state, "a.vmdk");
  vmdk_create_options options = new_options(0, MIB);
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    options = new_options(cases[i].type, cases[i].capacity);
    options.grain_bytes = cases[i].grain;
    options.split_bytes = cases[i].split;
    options.adapter = cases[i].adapter;
    options.preallocate = cases[i].preallocate;
    options.flags = cases[i].flags;
    options.cid = cases[i].cid;
    options.target = cases[i].target;
    if (vmdk_create(path, &options) != cases[i].status)
      fail_msg("case %u: %s", (unsigned)i, vmdk_last_error()->message);
    assert_int_equal(count_entries(*state), 0);
  }
  options = new_options(0, MIB);
  for (i = 0; i < COUNT(bad_keys); ++i) {
    options.keys = bad_keys[i];
    assert_status(vmdk_create(path, &options), VMDK_ERR_INVALID_ARGUMENT);
  }
  options.keys = NULL;
  assert_status(vmdk_create(NULL, &options), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_create(path, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_create("", &options), VMDK_ERR_INVALID_ARGUMENT);
  assert_int_equal(count_entries(*state), 0);
}

static void structure_sizes(void** state) {
  struct {
    vmdk_create_options options;
    unsigned char more[16];
  } newer;

  memset(&newer, 0, sizeof(newer));
  newer.options = new_options(0, MIB);
  newer.options.struct_size = sizeof(newer);
  assert_ok(vmdk_create(path_in(*state, "a.vmdk"), &newer.options));
  newer.more[15] = 1;
  assert_status(vmdk_create(path_in(*state, "b.vmdk"), &newer.options), VMDK_ERR_UNSUPPORTED);
  /* An older one, of which what follows capacity is not looked at. */
  memset(&newer, 0xee, sizeof(newer));
  newer.options.struct_size = (uint32_t)offsetof(vmdk_create_options, grain_bytes);
  newer.options.type = 0;
  newer.options.capacity = MIB;
  assert_ok(vmdk_create(path_in(*state, "c.vmdk"), &newer.options));
  newer.options.struct_size = 0;
  assert_status(vmdk_create(path_in(*state, "d.vmdk"), &newer.options), VMDK_ERR_INVALID_ARGUMENT);
  assert_int_equal(count_entries(*state), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, folder_setup, folder_teardown)
      TEST(every_type_and_size),
      TEST(odd_capacities),
      TEST(hosted_layouts),
      TEST(cowd_layouts),
      TEST(large_directories),
      TEST(exact_texts),
      TEST(geometry),
      TEST(keys),
      TEST(identifiers),
      TEST(same_bytes_twice),
      TEST(long_descriptors),
      TEST(descriptors_that_are_too_long),
      TEST(preallocation),
      TEST(progress),
      TEST(cancelling),
      TEST(files_that_are_there),
      TEST(directories),
      TEST(failures_of_files),
      TEST(files_of_the_caller),
      TEST(files_of_the_caller_that_cannot_be_written),
      TEST(crashes),
      TEST(many_parts),
      TEST(names),
      TEST(options_that_mean_nothing),
      TEST(structure_sizes),
#undef TEST
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
