/* SPDX-License-Identifier: MIT */
/* Every member of vmdk_info and vmdk_extent_info. */
#define _XOPEN_SOURCE 700
#include <fcntl.h>
#include <unistd.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"

#define FULL_DDB                          \
  "ddb.adapterType = \"lsilogic\"\n"      \
  "ddb.virtualHWVersion = \"14\"\n"       \
  "ddb.geometry.cylinders = \"1023\"\n"   \
  "ddb.geometry.heads = \"255\"\n"        \
  "ddb.geometry.sectors = \"63\"\n"       \
  "ddb.geometry.biosCylinders = \"17\"\n" \
  "ddb.geometry.biosHeads = \"18\"\n"     \
  "ddb.geometry.biosSectors = \"19\"\n"   \
  "ddb.logicalSectorSize = \"4096\"\n"    \
  "ddb.physicalSectorSize = \"8192\"\n"

static uint64_t file_size(const char* path) {
  struct bytes bytes = read_file(path);
  uint64_t size = bytes.size;

  bytes_free(&bytes);
  return size;
}

static void a_hosted_sparse_disk(void** state) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  const char* path;
  vmdk_disk* disk;
  vmdk_info info;
  vmdk_extent_info extent;

  text.type = "monolithicSparse";
  text.cid = 0xabcd0123;
  text.extents = "RW 2048 SPARSE \"disk.vmdk\"\n";
  text.more = FULL_DDB;
  sparse.sectors = 2048;
  sparse.grain_sectors = 64;
  sparse.grains = "D0D";
  sparse.descriptor = &text;
  path = put_file(*state, "disk.vmdk", hosted_bytes(&sparse, NULL));
  disk = open_disk(path, NULL);
  info = info_of(disk, 0);
  assert_int_equal(info.struct_size, sizeof(info));
  assert_int_equal(info.type, VMDK_TYPE_MONOLITHIC_SPARSE);
  assert_true(info.capacity == MIB);
  assert_true(info.file_bytes == file_size(path));
  assert_true(info.stored_bytes > 0);
  assert_true(info.grain_bytes == 32 * KIB);
  assert_int_equal(info.flags, VMDK_INFO_EMBEDDED);
  assert_int_equal(info.cid, 0xabcd0123);
  assert_int_equal(info.parent_cid, 0xffffffff);
  assert_int_equal(info.extent_count, 1);
  assert_int_equal(info.chain_length, 1);
  /* version, CID, parentCID, createType, and ten of the disk database */
  assert_int_equal(info.key_count, 14);
  assert_int_equal(info.descriptor_version, 1);
  assert_int_equal(info.header_version, 2);
  assert_int_equal(info.adapter, VMDK_ADAPTER_LSILOGIC);
  assert_int_equal(info.hardware_version, 14);
  assert_int_equal(info.cylinders, 1023);
  assert_int_equal(info.heads, 255);
  assert_int_equal(info.sectors, 63);
  assert_int_equal(info.bios_cylinders, 17);
  assert_int_equal(info.bios_heads, 18);
  assert_int_equal(info.bios_sectors, 19);
  assert_int_equal(info.logical_sector_bytes, 4096);
  assert_int_equal(info.physical_sector_bytes, 8192);
  assert_true(info.recovered_tables == 0);

  extent = extent_of(disk, 0, 0);
  assert_int_equal(extent.struct_size, sizeof(extent));
  assert_int_equal(extent.kind, VMDK_EXTENT_SPARSE);
  assert_int_equal(extent.access, VMDK_ACCESS_READ_WRITE);
  assert_int_equal(extent.flags & (VMDK_INFO_UNCLEAN | VMDK_INFO_COMPRESSED | VMDK_INFO_RECOVERED),
                   0);
  assert_true(extent.offset == 0);
  assert_true(extent.size == MIB);
  assert_true(extent.file_offset == 0);
  assert_true(extent.file_bytes == file_size(path));
  assert_true(extent.grain_bytes == 32 * KIB);
  assert_ok(vmdk_close(disk));
}

static void what_is_not_said(void** state) {
  vmdk_disk* disk = open_disk(
      put_text(*state, "disk.vmdk", "# Disk DescriptorFile\nversion=1\nRW 8 ZERO\n"), NULL);
  vmdk_info info = info_of(disk, 0);
  vmdk_extent_info extent = extent_of(disk, 0, 0);

  assert_int_equal(info.type, VMDK_TYPE_UNKNOWN);
  assert_true(info.grain_bytes == 0);
  assert_int_equal(info.flags, 0);
  assert_int_equal(info.parent_cid, 0xffffffff);
  assert_int_equal(info.header_version, 0);
  assert_int_equal(info.adapter, VMDK_ADAPTER_UNKNOWN);
  assert_int_equal(info.hardware_version, 0);
  assert_int_equal(info.cylinders, 0);
  assert_int_equal(info.heads, 0);
  assert_int_equal(info.sectors, 0);
  assert_int_equal(info.bios_cylinders, 0);
  assert_int_equal(info.bios_heads, 0);
  assert_int_equal(info.bios_sectors, 0);
  assert_int_equal(info.logical_sector_bytes, 512);
  assert_int_equal(info.physical_sector_bytes, 512);
  assert_int_equal(info.key_count, 1);
  assert_true(info.file_bytes == file_size(path_in(*state, "disk.vmdk")));
  assert_int_equal(extent.kind, VMDK_EXTENT_ZERO);
  assert_true(extent.file_bytes == 0);
  assert_true(extent.grain_bytes == 0);
  assert_true(extent.size == 4096);
  assert_ok(vmdk_close(disk));
}

/* Values that are no numbers, or too large for their member. */
static void odd_values(void** state) {
  struct descriptor text = {0};
  vmdk_disk* disk;
  vmdk_info info;

  text.extents = "RW 8 ZERO\n";
  text.more =
      "ddb.adapterType = \"unheard-of\"\nddb.virtualHWVersion = \"new\"\nddb.geometry.cylinders = "
      "\"-1\"\n"
      "ddb.geometry.heads = \"99999999999\"\nddb.geometry.sectors = \"\"\nddb.logicalSectorSize = "
      "\"x\"\n";
  disk = open_disk(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), NULL);
  info = info_of(disk, 0);
  assert_int_equal(info.adapter, VMDK_ADAPTER_UNKNOWN);
  assert_int_equal(info.hardware_version, 0);
  assert_int_equal(info.cylinders, 0);
  assert_int_equal(info.heads, UINT32_MAX);
  assert_int_equal(info.sectors, 0);
  assert_int_equal(info.logical_sector_bytes, 512);
  assert_ok(vmdk_close(disk));
}

static void adapters(void** state) {
  static const struct {
    const char* name;
    uint32_t adapter;
  } cases[] = {
      {"ide", VMDK_ADAPTER_IDE},           {"buslogic", VMDK_ADAPTER_BUSLOGIC},
      {"lsilogic", VMDK_ADAPTER_LSILOGIC}, {"legacyESX", VMDK_ADAPTER_LEGACY_ESX},
      {"pvscsi", VMDK_ADAPTER_PVSCSI},     {"lsisas1068", VMDK_ADAPTER_LSISAS},
      {"sata", VMDK_ADAPTER_SATA},         {"nvme", VMDK_ADAPTER_NVME},
      {"LSILOGIC", VMDK_ADAPTER_LSILOGIC}, {"scsi", VMDK_ADAPTER_UNKNOWN},
      {"", VMDK_ADAPTER_UNKNOWN},
  };
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    struct descriptor text = {0};
    vmdk_disk* disk;
    text.extents = "RW 8 ZERO\n";
    text.more = text_in(*state, "ddb.adapterType = \"%s\"\n", cases[i].name);
    disk = open_disk(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), NULL);
    assert_int_equal(info_of(disk, 0).adapter, cases[i].adapter);
    assert_ok(vmdk_close(disk));
  }
}

static void types(void** state) {
  static const struct {
    const char* name;
    uint32_t type;
  } cases[] = {
      {"monolithicSparse", VMDK_TYPE_MONOLITHIC_SPARSE},
      {"monolithicFlat", VMDK_TYPE_MONOLITHIC_FLAT},
      {"twoGbMaxExtentSparse", VMDK_TYPE_SPLIT_SPARSE},
      {"2GbMaxExtentSparse", VMDK_TYPE_SPLIT_SPARSE},
      {"twoGbMaxExtentFlat", VMDK_TYPE_SPLIT_FLAT},
      {"2GbMaxExtentFlat", VMDK_TYPE_SPLIT_FLAT},
      {"streamOptimized", VMDK_TYPE_STREAM_OPTIMIZED},
      {"vmfs", VMDK_TYPE_VMFS},
      {"vmfsSparse", VMDK_TYPE_VMFS_SPARSE},
      {"seSparse", VMDK_TYPE_SE_SPARSE},
      {"vmfsThin", VMDK_TYPE_VMFS_THIN},
      {"vmfsPreallocated", VMDK_TYPE_VMFS_PREALLOCATED},
      {"vmfsThick", VMDK_TYPE_VMFS_PREALLOCATED},
      {"vmfsEagerZeroedThick", VMDK_TYPE_VMFS_EAGER_ZEROED},
      {"vmfsRaw", VMDK_TYPE_VMFS_RAW},
      {"vmfsRDM", VMDK_TYPE_VMFS_RDM},
      {"vmfsRawDeviceMap", VMDK_TYPE_VMFS_RDM},
      {"vmfsRDMP", VMDK_TYPE_VMFS_RDMP},
      {"vmfsPassthroughRawDeviceMap", VMDK_TYPE_VMFS_RDMP},
      {"fullDevice", VMDK_TYPE_FULL_DEVICE},
      {"partitionedDevice", VMDK_TYPE_PARTITIONED_DEVICE},
      {"custom", VMDK_TYPE_CUSTOM},
      {"MONOLITHICFLAT", VMDK_TYPE_MONOLITHIC_FLAT},
  };
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    struct descriptor text = {0};
    vmdk_disk* disk;
    text.type = cases[i].name;
    text.extents = "RW 8 ZERO\n";
    disk = open_disk(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), NULL);
    assert_int_equal(info_of(disk, 0).type, cases[i].type);
    assert_string_equal(text_of(disk, 0, "createType"), cases[i].name);
    assert_ok(vmdk_close(disk));
  }
}

/* A disk of several extents, one of each kind that a descriptor can mix. */
static void extents_of_every_kind(void** state) {
  struct descriptor text = {0};
  struct sparse hosted = {0}, stream = {0}, cowd = {0}, se = {0};
  vmdk_disk* disk;
  vmdk_extent_info e;
  vmdk_info info;
  uint64_t sum;

  hosted.sectors = 256;
  hosted.grains = "D";
  hosted.unclean = 1;
  stream.sectors = 256;
  stream.grains = "D";
  cowd.sectors = 256;
  cowd.grain_sectors = 1;
  cowd.grains = "DD";
  se.sectors = 256;
  se.grain_sectors = 8;
  se.grains = "D0D";
  (void)put_file(*state, "flat", pattern_bytes(1, 0, 1024 + 256 * 512));
  sum = 1024 + 256 * 512;
  sum += file_size(put_file(*state, "hosted", hosted_bytes(&hosted, NULL)));
  sum += file_size(put_file(*state, "stream", stream_bytes(&stream, NULL)));
  sum += file_size(put_file(*state, "cowd", cowd_bytes(&cowd, NULL)));
  sum += file_size(put_file(*state, "se", se_bytes(&se)));
  text.extents =
      "RW 100 FLAT \"flat\" 2\nRDONLY 100 FLAT \"flat\" 102\nRW 8 ZERO\nRW 256 SPARSE \"hosted\"\n"
      "RDONLY 256 SPARSE \"stream\"\nRW 256 VMFSSPARSE \"cowd\"\nRW 256 SESPARSE \"se\"\n"
      "NOACCESS 50 FLAT \"flat\" 0\n";
  sum += file_size(put_file(*state, "disk.vmdk", descriptor_bytes(&text)));
  disk = open_disk(path_in(*state, "disk.vmdk"), NULL);
  info = info_of(disk, 0);
  assert_int_equal(info.extent_count, 8);
  assert_int_equal(info.flags, VMDK_INFO_UNCLEAN | VMDK_INFO_COMPRESSED);
  assert_true(info.capacity == (100 + 100 + 8 + 4 * 256 + 50) * 512);
  assert_true(info.grain_bytes == 65536); /* of the first one that has it */
  assert_int_equal(info.header_version, 1);
  assert_true(info.file_bytes == sum); /* "flat" once */

  e = extent_of(disk, 0, 0);
  assert_int_equal(e.kind, VMDK_EXTENT_FLAT);
  assert_true(e.file_offset == 1024 && e.offset == 0 && e.size == 51200 && e.grain_bytes == 0);
  e = extent_of(disk, 0, 1);
  assert_int_equal(e.access, VMDK_ACCESS_READ_ONLY);
  assert_true(e.file_offset == 102 * 512 && e.offset == 51200 && e.file_bytes == 1024 + 256 * 512);
  e = extent_of(disk, 0, 2);
  assert_int_equal(e.kind, VMDK_EXTENT_ZERO);
  assert_true(e.file_bytes == 0 && e.offset == 102400 && e.size == 4096);
  e = extent_of(disk, 0, 3);
  assert_int_equal(e.kind, VMDK_EXTENT_SPARSE);
  assert_int_equal(e.flags & (VMDK_INFO_UNCLEAN | VMDK_INFO_COMPRESSED), VMDK_INFO_UNCLEAN);
  assert_true(e.offset == 106496 && e.grain_bytes == 65536);
  e = extent_of(disk, 0, 4);
  assert_int_equal(e.kind, VMDK_EXTENT_STREAM);
  assert_int_equal(e.access, VMDK_ACCESS_READ_ONLY);
  assert_int_equal(e.flags & (VMDK_INFO_UNCLEAN | VMDK_INFO_COMPRESSED), VMDK_INFO_COMPRESSED);
  e = extent_of(disk, 0, 5);
  assert_int_equal(e.kind, VMDK_EXTENT_COWD);
  assert_true(e.grain_bytes == 512);
  e = extent_of(disk, 0, 6);
  assert_int_equal(e.kind, VMDK_EXTENT_SE_SPARSE);
  assert_true(e.grain_bytes == 4096);
  e = extent_of(disk, 0, 7);
  assert_int_equal(e.access, VMDK_ACCESS_NONE);
  assert_true(e.size == 50 * 512 && e.offset + e.size == info.capacity);

  memset(&e, 0, sizeof(e));
  e.struct_size = sizeof(e);
  assert_status(vmdk_get_extent(disk, 0, 8, &e), VMDK_ERR_OUT_OF_RANGE);
  assert_status(vmdk_get_extent(disk, 0, UINT32_MAX, &e), VMDK_ERR_OUT_OF_RANGE);
  assert_status(vmdk_get_extent(disk, 1, 0, &e), VMDK_ERR_OUT_OF_RANGE);
  assert_ok(vmdk_close(disk));
}

/* The base says what the children do not. */
static const char* put_chain(struct folder* folder) {
  struct descriptor text = {0};
  struct sparse delta = {0};

  text.cid = 0x10;
  text.extents = "RW 1024 FLAT \"flat\" 0\n";
  text.more = FULL_DDB
      "ddb.longContentID = \"base\"\nddb.uuid = \"base uuid\"\nddb.toolsVersion = \"base tools\"\n"
      "changeTrackPath=\"base-ctk.vmdk\"\n";
  (void)put_file(folder, "flat", pattern_bytes(1, 0, 1024 * 512));
  (void)put_file(folder, "base.vmdk", descriptor_bytes(&text));
  delta.sectors = 1024;
  delta.grains = "D";
  delta.seed = 2;
  (void)put_file(folder, "delta1", hosted_bytes(&delta, NULL));
  (void)put_file(folder, "delta2", stream_bytes(&delta, NULL));
  text.cid = 0x11;
  text.parent = 0x10;
  text.hint = "base.vmdk";
  text.extents = "RW 1024 SPARSE \"delta1\"\n";
  text.more = "ddb.adapterType = \"ide\"\nddb.longContentID = \"middle\"\n";
  (void)put_file(folder, "middle.vmdk", descriptor_bytes(&text));
  text.cid = 0x12;
  text.parent = 0x11;
  text.hint = "middle.vmdk";
  text.extents = "RW 1024 SPARSE \"delta2\"\n";
  text.more = "";
  return put_file(folder, "top.vmdk", descriptor_bytes(&text));
}

static void a_chain(void** state) {
  vmdk_disk* disk = open_disk(put_chain(*state), NULL);
  vmdk_info info = info_of(disk, 0), same;
  size_t size;

  assert_int_equal(info.chain_length, 3);
  assert_int_equal(info.cid, 0x12);
  assert_int_equal(info.parent_cid, 0x11);
  assert_int_equal(info.flags, VMDK_INFO_HAS_PARENT | VMDK_INFO_COMPRESSED);
  assert_int_equal(info.adapter, VMDK_ADAPTER_IDE);
  assert_int_equal(info.cylinders, 1023);
  assert_int_equal(info.hardware_version, 14);
  assert_int_equal(info.physical_sector_bytes, 8192);
  memset(&same, 0, sizeof(same));
  same.struct_size = sizeof(same);
  assert_ok(vmdk_get_info(disk, &same));
  assert_memory_equal(&same, &info, sizeof(info));

  info = info_of(disk, 1);
  assert_int_equal(info.chain_length, 2);
  assert_int_equal(info.cid, 0x11);
  assert_int_equal(info.flags, VMDK_INFO_HAS_PARENT);
  info = info_of(disk, 2);
  assert_int_equal(info.chain_length, 1);
  assert_int_equal(info.flags, VMDK_INFO_TRACKED);
  assert_int_equal(info.adapter, VMDK_ADAPTER_LSILOGIC);
  assert_true(info.grain_bytes == 0);

  assert_status(vmdk_get_link_info(disk, 3, &info), VMDK_ERR_OUT_OF_RANGE);
  assert_status(vmdk_get_link_info(disk, UINT32_MAX, &info), VMDK_ERR_OUT_OF_RANGE);

  assert_string_equal(text_of(disk, 0, "ddb.adapterType"), "ide");
  assert_string_equal(text_of(disk, 2, "ddb.adapterType"), "lsilogic");
  assert_string_equal(text_of(disk, 0, "ddb.toolsVersion"), "base tools");
  assert_string_equal(text_of(disk, 1, "ddb.longContentID"), "middle");
  /* These name one link alone. */
  assert_status(vmdk_get_text(disk, 0, "ddb.longContentID", NULL, 0, &size), VMDK_ERR_NOT_FOUND);
  assert_status(vmdk_get_text(disk, 1, "ddb.uuid", NULL, 0, &size), VMDK_ERR_NOT_FOUND);
  assert_string_equal(text_of(disk, 2, "ddb.uuid"), "base uuid");
  /* Nothing but the disk database is inherited. */
  assert_status(vmdk_get_text(disk, 0, "changeTrackPath", NULL, 0, &size), VMDK_ERR_NOT_FOUND);
  assert_status(vmdk_get_text(disk, 2, "parentFileNameHint", NULL, 0, &size), VMDK_ERR_NOT_FOUND);
  assert_ok(vmdk_close(disk));
}

static void without_its_parents(void** state) {
  vmdk_open_options options = default_options();
  vmdk_disk* disk;

  options.flags = VMDK_OPEN_NO_PARENT;
  disk = open_disk(put_chain(*state), &options);
  assert_int_equal(info_of(disk, 0).chain_length, 1);
  assert_int_equal(info_of(disk, 0).flags & VMDK_INFO_HAS_PARENT, VMDK_INFO_HAS_PARENT);
  assert_int_equal(info_of(disk, 0).adapter, VMDK_ADAPTER_UNKNOWN);
  assert_ok(vmdk_close(disk));
}

static void holes_are_not_stored(void** state) {
  struct descriptor text = {0};
  const char* flat = path_in(*state, "flat");
  int fd = open(flat, O_RDWR | O_CREAT, 0666);
  vmdk_disk* disk;
  vmdk_info info;

  assert_true(fd >= 0);
  assert_int_equal(ftruncate(fd, (off_t)(64 * MIB)), 0);
  assert_int_equal(pwrite(fd, "x", 1, 0), 1);
  assert_int_equal(close(fd), 0);
  text.extents = "RW 131072 FLAT \"flat\" 0\n";
  disk = open_disk(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), NULL);
  info = info_of(disk, 0);
  assert_true(info.file_bytes > 64 * MIB);
  assert_true(info.stored_bytes < 8 * MIB);
  assert_ok(vmdk_close(disk));
}

/* A damaged directory entry is read from its copy, when asked to, and counted. */
static void recovered_tables(void** state) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  struct layout layout;
  struct bytes file;
  vmdk_open_options options = default_options();
  unsigned char *model = allocate(MIB), byte;
  const char* path;
  vmdk_disk* disk;

  text.type = "monolithicSparse";
  text.extents = "RW 2048 SPARSE \"disk.vmdk\"\n";
  sparse.sectors = 2048;
  sparse.grains = "DDDDDDDDDDDDDDDD";
  sparse.descriptor = &text;
  file = hosted_bytes(&sparse, &layout);
  bytes_set32(&file, layout.directory, 0x7fffffff);
  path = put_file(*state, "disk.vmdk", file);
  disk = open_disk(path, NULL);
  assert_status(vmdk_read_at(disk, &byte, 1, 0), VMDK_ERR_CORRUPT);
  assert_contains(vmdk_last_error()->hint, "VMDK_OPEN_RECOVER");
  assert_int_equal(info_of(disk, 0).flags & VMDK_INFO_RECOVERED, 0);
  assert_ok(vmdk_close(disk));
  options.flags = VMDK_OPEN_RECOVER;
  disk = open_disk(path, &options);
  memset(model, 0, MIB);
  model_put(model, MIB, &sparse);
  assert_content(disk, model, MIB, 65536);
  assert_int_equal(info_of(disk, 0).flags & VMDK_INFO_RECOVERED, VMDK_INFO_RECOVERED);
  assert_int_equal(extent_of(disk, 0, 0).flags & VMDK_INFO_RECOVERED, VMDK_INFO_RECOVERED);
  assert_true(info_of(disk, 0).recovered_tables >= 1);
  assert_ok(vmdk_close(disk));
  free(model);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_hosted_sparse_disk),
      TEST(what_is_not_said),
      TEST(odd_values),
      TEST(adapters),
      TEST(types),
      TEST(extents_of_every_kind),
      TEST(a_chain),
      TEST(without_its_parents),
      TEST(holes_are_not_stored),
      TEST(recovered_tables),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
