/* SPDX-License-Identifier: MIT */
/* Disks inside OVA and tar files. */
#include "support/archive.h"
#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"

#define SECTORS 300
#define SIZE ((uint64_t)SECTORS * 512)

static struct bytes stream_disk(uint32_t seed) {
  struct descriptor text = {0};
  struct sparse sparse = {0};

  text.type = "streamOptimized";
  text.extents = "RW 300 SPARSE \"disk.vmdk\"\n";
  sparse.sectors = SECTORS;
  sparse.grains = "DDD";
  sparse.seed = seed;
  sparse.descriptor = &text;
  return stream_bytes(&sparse, NULL);
}

static void assert_disk(vmdk_disk* disk, uint32_t seed) {
  struct bytes model = pattern_bytes(seed, 0, SIZE);

  assert_true(info_of(disk, 0).capacity == SIZE);
  assert_int_not_equal(info_of(disk, 0).flags & VMDK_INFO_MEMBER, 0);
  assert_content(disk, model.data, SIZE, 7777);
  assert_random_reads(disk, model.data, SIZE, 1, 50, 70000);
  bytes_free(&model);
}

static void open_and_compare(const char* path, const char* member, uint32_t seed) {
  vmdk_open_options options = default_options();
  vmdk_disk* disk;

  options.member = member;
  disk = open_disk(path, &options);
  assert_disk(disk, seed);
  assert_ok(vmdk_close(disk));
}

static vmdk_status try_member(const char* path, const char* member) {
  vmdk_open_options options = default_options();

  options.member = member;
  return try_open(path, &options);
}

static const char* one_disk(struct folder* folder) {
  struct bytes tar = {NULL, 0};

  tar_add(&tar, "machine.ovf", bytes_text("<Envelope/>"), NULL);
  tar_add(&tar, "machine-disk1.vmdk", stream_disk(1), NULL);
  tar_add(&tar, "machine.mf", bytes_text("SHA256(machine.ovf)= 0\n"), NULL);
  tar_end(&tar);
  return put_file(folder, "one.ova", tar);
}

static const char* two_disks(struct folder* folder) {
  struct bytes tar = {NULL, 0};

  tar_add(&tar, "machine.ovf", bytes_text("<Envelope/>"), NULL);
  tar_add(&tar, "one.vmdk", stream_disk(1), NULL);
  tar_add(&tar, "disks/two.vmdk", stream_disk(2), NULL);
  tar_end(&tar);
  return put_file(folder, "two.ova", tar);
}

static void the_only_disk(void** state) {
  const char* path = one_disk(*state);
  vmdk_disk* disk = open_disk(path, NULL);

  assert_disk(disk, 1);
  assert_contains(text_of(disk, 0, "@path"), "machine-disk1.vmdk");
  assert_contains(text_of(disk, 0, "@path"), path);
  assert_contains(text_of(disk, 0, "@extent.0"), "machine-disk1.vmdk");
  assert_int_equal(info_of(disk, 0).type, VMDK_TYPE_STREAM_OPTIMIZED);
  assert_ok(vmdk_close(disk));
}

static void several_need_a_name(void** state) {
  const char* path = two_disks(*state);

  assert_status(try_open(path, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_contains(vmdk_last_error()->message, "one.vmdk");
  assert_contains(vmdk_last_error()->message, "disks/two.vmdk");
  assert_contains(vmdk_last_error()->hint, "vmdk_open_options::member");
  open_and_compare(path, "one.vmdk", 1);
  open_and_compare(path, "disks/two.vmdk", 2);
  open_and_compare(path, "./disks/two.vmdk", 2);
  open_and_compare(path, "two.vmdk", 2);
  open_and_compare(text_in(*state, "%s:one.vmdk", path), NULL, 1);
  open_and_compare(text_in(*state, "%s:disks/two.vmdk", path), NULL, 2);
  open_and_compare(text_in(*state, "%s:two.vmdk", path), NULL, 2);
}

static void no_such_member(void** state) {
  const char* path = one_disk(*state);

  assert_status(try_member(path, "missing.vmdk"), VMDK_ERR_NOT_FOUND);
  assert_contains(vmdk_last_error()->message, "missing.vmdk");
  assert_status(try_open(text_in(*state, "%s:missing.vmdk", path), NULL), VMDK_ERR_NOT_FOUND);
  assert_contains(vmdk_last_error()->message, "missing.vmdk");
  assert_status(try_member(path, ""), VMDK_ERR_NOT_FOUND);
  assert_status(try_member(path, "machine.ovf"), VMDK_ERR_NOT_VMDK);
  assert_status(try_open(text_in(*state, "%s:x", path_in(*state, "missing.ova")), NULL),
                VMDK_ERR_NOT_FOUND);
}

static void the_same_name_in_two_directories(void** state) {
  struct bytes tar = {NULL, 0};
  const char* path;

  tar_add(&tar, "a/disk.vmdk", stream_disk(1), NULL);
  tar_add(&tar, "b/disk.vmdk", stream_disk(2), NULL);
  tar_end(&tar);
  path = put_file(*state, "two.ova", tar);
  assert_status(try_member(path, "disk.vmdk"), VMDK_ERR_NOT_FOUND);
  open_and_compare(path, "a/disk.vmdk", 1);
  open_and_compare(path, "b/disk.vmdk", 2);
}

/* A file whose own name has a colon is not taken for FILE:MEMBER. */
static void a_colon_in_the_name(void** state) {
  const char* path = path_in(*state, "a:b.ova");

  assert_int_equal(rename(one_disk(*state), path), 0);
  open_and_compare(path, NULL, 1);
  open_and_compare(path, "machine-disk1.vmdk", 1);
  open_and_compare(text_in(*state, "%s:machine-disk1.vmdk", path), NULL, 1);
}

static void no_disk_in_it(void** state) {
  struct bytes tar = {NULL, 0};

  tar_add(&tar, "machine.ovf", bytes_text("<Envelope/>"), NULL);
  tar_end(&tar);
  assert_status(try_open(put_file(*state, "no.ova", tar), NULL), VMDK_ERR_NOT_VMDK);
  assert_contains(vmdk_last_error()->message, "no.ova");
}

static void a_descriptor_and_its_extent(void** state) {
  struct descriptor text = {0};
  struct bytes tar = {NULL, 0};
  const char* path;

  text.type = "monolithicFlat";
  text.extents = "RW 300 FLAT \"disk-flat.vmdk\" 0\n";
  tar_add(&tar, "d/disk.vmdk", descriptor_bytes(&text), NULL);
  tar_add(&tar, "d/disk-flat.vmdk", pattern_bytes(3, 0, SIZE), NULL);
  tar_add(&tar, "disk-flat.vmdk", pattern_bytes(4, 0, SIZE), NULL);
  tar_end(&tar);
  path = put_file(*state, "flat.tar", tar);
  open_and_compare(path, NULL, 3);
  open_and_compare(path, "d/disk-flat.vmdk", 3);
}

/* Members lead to other members of the same tar and nowhere else. */
static void names_stay_inside(void** state) {
  static const char* const names[] = {"../canary", "/canary", "@",
                                      "../../../../../../../../canary"};
  size_t i;

  for (i = 0; i < COUNT(names); ++i) {
    struct descriptor text = {0};
    struct bytes tar = {NULL, 0};
    vmdk_open_options options = default_options();
    const char *path, *canary = put_file(*state, "canary", pattern_bytes(66, 0, SIZE));
    vmdk_status status;
    text.extents =
        text_in(*state, "RW 300 FLAT \"%s\" 0\n", names[i][0] == '@' ? canary : names[i]);
    tar_add(&tar, "disk.vmdk", descriptor_bytes(&text), NULL);
    tar_end(&tar);
    path = put_file(*state, "in/disk.ova", tar);
    status = try_open(path, NULL);
    assert_true(status == VMDK_ERR_NOT_FOUND || status == VMDK_ERR_PATH_DENIED);
    options.paths = VMDK_PATHS_ANY;
    status = try_open(path, &options);
    assert_true(status == VMDK_ERR_NOT_FOUND || status == VMDK_ERR_PATH_DENIED);
  }
}

static void damaged_header(void** state) {
  struct bytes tar = {NULL, 0};
  size_t second;

  tar_add(&tar, "a.vmdk", stream_disk(1), NULL);
  tar_add(&tar, "b.vmdk", stream_disk(2), &second);
  tar_end(&tar);
  tar.data[second] ^= 1;
  assert_status(try_member(put_file(*state, "bad.ova", tar), "a.vmdk"), VMDK_ERR_CORRUPT);
  assert_contains(vmdk_last_error()->message, "bad.ova");
  assert_contains(vmdk_last_error()->message, text_in(*state, "%lu", (unsigned long)second));
}

static void truncated(void** state) {
  struct bytes tar = {NULL, 0};

  tar_add(&tar, "a.vmdk", stream_disk(1), NULL);
  bytes_resize(&tar, tar.size - 1024);
  assert_status(try_open(put_file(*state, "cut.ova", tar), NULL), VMDK_ERR_CORRUPT);
  assert_contains(vmdk_last_error()->message, "cut.ova");
}

/* Some writers leave out the blocks of zeros at the end. */
static void without_end(void** state) {
  struct bytes tar = {NULL, 0};

  tar_add(&tar, "a.vmdk", stream_disk(1), NULL);
  open_and_compare(put_file(*state, "open.ova", tar), NULL, 1);
}

static void a_size_that_cannot_be(void** state) {
  static const char* const sizes[] = {"77777777777", "-0000000001", "0000000009x", "8"};
  size_t i;

  for (i = 0; i < COUNT(sizes); ++i) {
    struct bytes tar = {NULL, 0};
    size_t header;
    tar_add(&tar, "a.vmdk", stream_disk(1), &header);
    tar_end(&tar);
    memset(tar.data + header + 124, 0, 12);
    memcpy(tar.data + header + 124, sizes[i], strlen(sizes[i]));
    tar_sign(&tar, header);
    assert_status(try_open(put_file(*state, "bad.ova", tar), NULL), VMDK_ERR_CORRUPT);
  }
}

static void pax(void** state) {
  char longest[400];
  struct bytes tar = {NULL, 0};
  const char* path;
  size_t i;

  for (i = 0; i < sizeof(longest); ++i) longest[i] = i % 40 == 39 ? '/' : 'p';
  strcpy(longest + sizeof(longest) - 12, "/disk1.vmdk");
  tar_add_special(&tar, 'g', "global", "16 comment=hello\n", 17);
  tar_add_pax(&tar, "path", longest);
  tar_add(&tar, "short1", stream_disk(1), NULL);
  tar_add_pax(&tar, "path", "d\xc3\xafsk2.vmdk");
  tar_add(&tar, "short2", stream_disk(2), NULL);
  tar_end(&tar);
  path = put_file(*state, "pax.ova", tar);
  open_and_compare(path, longest, 1);
  open_and_compare(path, "disk1.vmdk", 1);
  open_and_compare(path, "d\xc3\xafsk2.vmdk", 2);
  assert_status(try_member(path, "short1"), VMDK_ERR_NOT_FOUND);
}

static void pax_size(void** state) {
  struct bytes tar = {NULL, 0}, disk = stream_disk(1);
  const char* size = text_in(*state, "%lu", (unsigned long)disk.size);
  size_t header;

  tar_add_pax(&tar, "size", size);
  tar_add(&tar, "a.vmdk", disk, &header);
  memcpy(tar.data + header + 124, "00000000000", 12);
  tar_sign(&tar, header);
  tar_add(&tar, "b.txt", bytes_text("b"), NULL);
  tar_end(&tar);
  open_and_compare(put_file(*state, "pax.ova", tar), NULL, 1);
}

static void damaged_pax(void** state) {
  static const char* const records[] = {"path=x\n", "99 path=x\n", "3 p", "0 path=x\n",
                                        "11 size=12x\n"};
  size_t i;

  for (i = 0; i < COUNT(records); ++i) {
    struct bytes tar = {NULL, 0};
    tar_add_special(&tar, 'x', "PaxHeaders/x", records[i], strlen(records[i]));
    tar_add(&tar, "a.vmdk", stream_disk(1), NULL);
    tar_end(&tar);
    assert_status(try_open(put_file(*state, "bad.ova", tar), NULL), VMDK_ERR_CORRUPT);
  }
}

static void gnu_long_name(void** state) {
  char longest[300];
  struct bytes tar = {NULL, 0};
  const char* path;

  memset(longest, 'g', sizeof(longest));
  strcpy(longest + sizeof(longest) - 6, ".vmdk");
  tar_add_long_name(&tar, longest);
  tar_add(&tar, "cut", stream_disk(1), NULL);
  tar_add(&tar, "b.vmdk", stream_disk(2), NULL);
  tar_end(&tar);
  path = put_file(*state, "gnu.ova", tar);
  open_and_compare(path, longest, 1);
  open_and_compare(path, "b.vmdk", 2);
  assert_status(try_member(path, "cut"), VMDK_ERR_NOT_FOUND);
}

static void base_256(void** state) {
  struct bytes tar = {NULL, 0}, disk = stream_disk(1);
  size_t header, size = disk.size, i;

  tar_add(&tar, "a.vmdk", disk, &header);
  tar_end(&tar);
  memset(tar.data + header + 124, 0, 12);
  tar.data[header + 124] = 0x80;
  for (i = 0; i < 4; ++i) tar.data[header + 135 - i] = (unsigned char)(size >> (8 * i));
  tar_sign(&tar, header);
  open_and_compare(put_file(*state, "binary.ova", bytes_copy(&tar)), NULL, 1);
  memset(tar.data + header + 125, 0xff, 11);
  tar_sign(&tar, header);
  assert_status(try_open(put_file(*state, "huge.ova", tar), NULL), VMDK_ERR_CORRUPT);
}

static void directories_and_links(void** state) {
  struct bytes tar = {NULL, 0};
  const char* path;

  tar_add_special(&tar, '5', "disks/", NULL, 0);
  tar_add_special(&tar, '2', "link.vmdk", NULL, 0);
  tar_add(&tar, "disks/a.vmdk", stream_disk(1), NULL);
  tar_end(&tar);
  path = put_file(*state, "links.ova", tar);
  open_and_compare(path, NULL, 1);
  assert_status(try_member(path, "link.vmdk"), VMDK_ERR_NOT_FOUND);
  assert_status(try_member(path, "disks"), VMDK_ERR_NOT_FOUND);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(the_only_disk),
      TEST(several_need_a_name),
      TEST(no_such_member),
      TEST(the_same_name_in_two_directories),
      TEST(a_colon_in_the_name),
      TEST(no_disk_in_it),
      TEST(a_descriptor_and_its_extent),
      TEST(names_stay_inside),
      TEST(damaged_header),
      TEST(truncated),
      TEST(without_end),
      TEST(a_size_that_cannot_be),
      TEST(pax),
      TEST(pax_size),
      TEST(damaged_pax),
      TEST(gnu_long_name),
      TEST(base_256),
      TEST(directories_and_links),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
