/* SPDX-License-Identifier: MIT */
/* What vmdk_open() takes and refuses, and that nothing stays open behind it. */
#define _XOPEN_SOURCE 700
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"
#include "support/messages.h"

#define SIZE (MIB)
#define SECTORS (SIZE / 512)

static const char* put_flat_disk(struct folder* folder, const char* name, const char* data,
                                 uint32_t seed) {
  struct descriptor text = {0};

  text.type = "monolithicFlat";
  text.extents = text_in(folder, "RW %lu FLAT \"%s\" 0\n", (unsigned long)SECTORS, data);
  (void)put_file(folder, data, pattern_bytes(seed, 0, SIZE));
  return put_file(folder, name, descriptor_bytes(&text));
}

static const char* put_sparse_disk(struct folder* folder, const char* name, const char* grains,
                                   uint32_t seed) {
  struct descriptor text = {0};
  struct sparse sparse = {0};

  text.type = "monolithicSparse";
  text.extents = text_in(folder, "RW %lu SPARSE \"%s\"\n", (unsigned long)SECTORS, name);
  sparse.sectors = SECTORS;
  sparse.grains = grains;
  sparse.seed = seed;
  sparse.descriptor = &text;
  return put_file(folder, name, hosted_bytes(&sparse, NULL));
}

/* A child of "base.vmdk" that holds its second grain. */
static const char* put_child(struct folder* folder, const char* name, const char* hint,
                             uint32_t parent) {
  struct descriptor text = {0};
  struct sparse sparse = {0};

  text.type = "monolithicSparse";
  text.cid = 0x22222222;
  text.parent = parent;
  text.hint = hint;
  text.extents = text_in(folder, "RW %lu SPARSE \"%s\"\n", (unsigned long)SECTORS, name);
  sparse.sectors = SECTORS;
  sparse.grains = ".D";
  sparse.seed = 8;
  sparse.descriptor = &text;
  return put_file(folder, name, hosted_bytes(&sparse, NULL));
}

static void assert_pattern(vmdk_disk* disk, uint32_t seed) {
  struct bytes model = pattern_bytes(seed, 0, SIZE);

  assert_true(info_of(disk, 0).capacity == SIZE);
  assert_content(disk, model.data, SIZE, 100000);
  bytes_free(&model);
}

static void null_arguments(void** state) {
  const char* path = put_flat_disk(*state, "disk.vmdk", "disk-flat.vmdk", 1);
  vmdk_disk *disk = (vmdk_disk*)&disk, *open;
  vmdk_run run = {0};
  vmdk_info info = {0};
  vmdk_extent_info extent = {0};
  vmdk_probe_result probe = {0};
  size_t size = 77;
  char buffer[16];

  run.struct_size = sizeof(run);
  info.struct_size = sizeof(info);
  extent.struct_size = sizeof(extent);
  probe.struct_size = sizeof(probe);
  assert_status(vmdk_open(NULL, NULL, &disk), VMDK_ERR_INVALID_ARGUMENT);
  assert_null(disk);
  assert_status(vmdk_open(path, NULL, NULL), VMDK_ERR_INVALID_ARGUMENT);
  open = open_disk(path, NULL);

  assert_status(vmdk_read_at(NULL, buffer, 1, 0), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_read_at(NULL, buffer, 0, 0), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_read_at(open, NULL, 1, 0), VMDK_ERR_INVALID_ARGUMENT);
  assert_ok(vmdk_read_at(open, NULL, 0, 0));
  assert_status(vmdk_map_at(NULL, 0, 1, &run), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_map_at(open, 0, 1, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_map_at(open, 0, 0, &run), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_get_info(NULL, &info), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_get_info(open, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_get_link_info(NULL, 0, &info), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_get_link_info(open, 0, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_get_extent(NULL, 0, 0, &extent), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_get_extent(open, 0, 0, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_get_text(NULL, 0, "CID", buffer, sizeof(buffer), &size),
                VMDK_ERR_INVALID_ARGUMENT);
  assert_int_equal(size, 0);
  assert_status(vmdk_get_text(open, 0, NULL, buffer, sizeof(buffer), &size),
                VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_get_text(open, 0, "CID", NULL, sizeof(buffer), &size),
                VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_get_text(open, 0, "CID", buffer, sizeof(buffer), NULL),
                VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_get_key(NULL, 0, 0, buffer, sizeof(buffer), &size), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_get_key(open, 0, 0, NULL, sizeof(buffer), &size), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_get_key(open, 0, 0, buffer, sizeof(buffer), NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_probe(NULL, 1, &probe), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_probe("x", 1, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_list_references("x", 1, NULL, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_ok(vmdk_close(open));
}

static void close_of_null_does_nothing(void** state) {
  (void)state;
  assert_ok(vmdk_close(NULL));
}

static void a_failure_gives_null(void** state) {
  vmdk_disk* disk = (vmdk_disk*)&disk;

  assert_status(vmdk_open(path_in(*state, "missing.vmdk"), NULL, &disk), VMDK_ERR_NOT_FOUND);
  assert_null(disk);
}

static void a_descriptor(void** state) {
  vmdk_disk* disk = open_disk(put_flat_disk(*state, "disk.vmdk", "disk-flat.vmdk", 1), NULL);

  assert_pattern(disk, 1);
  assert_int_equal(info_of(disk, 0).flags & VMDK_INFO_EMBEDDED, 0);
  assert_ok(vmdk_close(disk));
}

static void an_embedded_descriptor(void** state) {
  vmdk_disk* disk = open_disk(put_sparse_disk(*state, "disk.vmdk", "DDDDDDDDDDDDDDDD", 2), NULL);

  assert_pattern(disk, 2);
  assert_int_not_equal(info_of(disk, 0).flags & VMDK_INFO_EMBEDDED, 0);
  assert_ok(vmdk_close(disk));
}

static void a_bare_data_file(void** state) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  vmdk_disk* disk;

  (void)put_flat_disk(*state, "disk.vmdk", "disk-flat.vmdk", 3);
  disk = open_disk(path_in(*state, "disk-flat.vmdk"), NULL);
  assert_pattern(disk, 3);
  assert_string_equal(text_of(disk, 0, "@path"), path_in(*state, "disk.vmdk"));
  assert_ok(vmdk_close(disk));

  text.type = "twoGbMaxExtentSparse";
  text.extents = "RW 2048 SPARSE \"split-s001.vmdk\"\n";
  sparse.sectors = SECTORS;
  sparse.grains = "DDDDDDDDDDDDDDDD";
  sparse.seed = 4;
  (void)put_file(*state, "split.vmdk", descriptor_bytes(&text));
  disk = open_disk(put_file(*state, "split-s001.vmdk", hosted_bytes(&sparse, NULL)), NULL);
  assert_pattern(disk, 4);
  assert_ok(vmdk_close(disk));
}

static void a_bare_data_file_without_descriptor(void** state) {
  const char* path = put_file(*state, "disk-flat.vmdk", pattern_bytes(1, 0, SIZE));

  assert_status(try_open(path, NULL), VMDK_ERR_NOT_FOUND);
  assert_contains(vmdk_last_error()->message, "disk-flat.vmdk");
  assert_contains(vmdk_last_error()->message, "disk.vmdk");
}

/* The descriptor still names the file as it was called before. */
static void a_renamed_file(void** state) {
  const char* now = path_in(*state, "other name.vmdk");
  vmdk_disk* disk;

  assert_int_equal(rename(put_sparse_disk(*state, "disk.vmdk", "DDDDDDDDDDDDDDDD", 5), now), 0);
  disk = open_disk(now, NULL);
  assert_pattern(disk, 5);
  assert_ok(vmdk_close(disk));
}

static void a_path_with_links_and_dots(void** state) {
  vmdk_disk* disk;

  (void)put_flat_disk(*state, "real/disk.vmdk", "real/disk-flat.vmdk", 6);
  (void)put_file(*state, "real/flat.bin", pattern_bytes(6, 0, SIZE));
  (void)put_text(*state, "real/disk.vmdk",
                 "# Disk DescriptorFile\nversion=1\nRW 2048 FLAT \"flat.bin\" 0\n");
  (void)put_symlink(*state, "link", "real");
  disk = open_disk(path_in(*state, "link/../real/./disk.vmdk"), NULL);
  assert_pattern(disk, 6);
  assert_ok(vmdk_close(disk));
  disk = open_disk(path_in(*state, "link/disk.vmdk"), NULL);
  assert_pattern(disk, 6);
  assert_ok(vmdk_close(disk));
}

static void a_relative_path(void** state) {
  char* before = getcwd(NULL, 0);
  vmdk_disk* disk;

  (void)put_flat_disk(*state, "disk.vmdk", "disk-flat.vmdk", 7);
  assert_non_null(before);
  assert_int_equal(chdir(folder_path(*state)), 0);
  disk = open_disk("disk.vmdk", NULL);
  assert_int_equal(chdir(before), 0);
  free(before);
  assert_pattern(disk, 7);
  assert_ok(vmdk_close(disk));
}

static void refused_files(void** state) {
  struct bytes noise = pattern_bytes(9, 0, 5000), tracking = {NULL, 0}, unfinished = {NULL, 0};
  static const struct {
    const char* name;
    vmdk_status status;
    const char* says;
  } cases[] = {
      {"raw.img", VMDK_ERR_NOT_VMDK, "raw"},
      {"raw.vmdk", VMDK_ERR_NOT_VMDK, "raw"},
      {"empty.vmdk", VMDK_ERR_NOT_VMDK, "empty"},
      {"one.vmdk", VMDK_ERR_NOT_VMDK, "one.vmdk"},
      {"magic.vmdk", VMDK_ERR_CORRUPT, "magic.vmdk"},
      {"directory.vmdk", VMDK_ERR_NOT_VMDK, "directory"},
      {"pipe.vmdk", VMDK_ERR_NOT_VMDK, "FIFO"},
      {"socket.vmdk", VMDK_ERR_NOT_VMDK, "socket"},
      {"missing.vmdk", VMDK_ERR_NOT_FOUND, "missing.vmdk"},
      {"missing/disk.vmdk", VMDK_ERR_NOT_FOUND, "missing/disk.vmdk"},
      {"raw.vmdk/disk.vmdk", VMDK_ERR_NOT_FOUND, "disk.vmdk"},
      {"dangling.vmdk", VMDK_ERR_NOT_FOUND, "dangling.vmdk"},
      {"tracking.vmdk", VMDK_ERR_NOT_VMDK, "change-tracking"},
      {"unfinished.vmdk", VMDK_ERR_NOT_VMDK, "incomplete"},
      {"no-extents.vmdk", VMDK_ERR_CORRUPT, "no extents"},
      {"encrypted.vmdk", VMDK_ERR_ENCRYPTED, "encrypted"},
  };
  size_t i;

  (void)put_file(*state, "raw.img", bytes_copy(&noise));
  (void)put_file(*state, "raw.vmdk", noise);
  (void)put_text(*state, "empty.vmdk", "");
  (void)put_text(*state, "one.vmdk", "x");
  (void)put_text(*state, "magic.vmdk", "KDMV and nothing of what should follow");
  (void)put_directory(*state, "directory.vmdk");
  (void)put_fifo(*state, "pipe.vmdk");
  (void)put_socket(*state, "socket.vmdk");
  (void)put_symlink(*state, "dangling.vmdk", "nowhere");
  bytes_set32(&tracking, 0, 0xf61972a2);
  bytes_resize(&tracking, 4096);
  (void)put_file(*state, "tracking.vmdk", tracking);
  bytes_set32(&unfinished, 0, 0x766d646b);
  bytes_resize(&unfinished, 4096);
  (void)put_file(*state, "unfinished.vmdk", unfinished);
  (void)put_text(*state, "no-extents.vmdk", "# Disk DescriptorFile\nversion=1\nCID=1\n");
  (void)put_text(
      *state, "encrypted.vmdk",
      "# Disk DescriptorFile\nversion=4\nencoding=\"UTF-8\"\nencryptionKeys=\"vmware:key/list/x\"\n"
      "createType=\"monolithicSparse\"\nRW 2048 SPARSE \"x.vmdk\"\n");
  /* A FIFO that blocks would be noticed by this. */
  (void)alarm(120);
  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_status status = try_open(path_in(*state, cases[i].name), NULL);
    if (status != cases[i].status)
      print_error("%s: %s\n", cases[i].name, vmdk_last_error()->message);
    assert_int_equal(status, cases[i].status);
    assert_contains(vmdk_last_error()->message, cases[i].says);
  }
  (void)alarm(0);
  assert_status(try_open("", NULL), VMDK_ERR_NOT_FOUND);
}

static void access_refused_by_the_system(void** state) {
  const char* path = put_sparse_disk(*state, "disk.vmdk", "D", 1);

  assert_int_equal(chmod(path, 0), 0);
  if (access(path, R_OK) == 0) skip(); /* root may read all */
  assert_status(try_open(path, NULL), VMDK_ERR_ACCESS);
  assert_int_not_equal(vmdk_last_error()->os_error, 0);
}

static void missing_extent(void** state) {
  const char* path = put_flat_disk(*state, "disk.vmdk", "disk-flat.vmdk", 1);

  assert_int_equal(unlink(path_in(*state, "disk-flat.vmdk")), 0);
  assert_status(try_open(path, NULL), VMDK_ERR_NOT_FOUND);
  assert_contains(vmdk_last_error()->message, "disk-flat.vmdk");
  assert_int_equal(vmdk_last_error()->link, 0);
  assert_int_equal(vmdk_last_error()->extent, 0);
}

static void short_extent(void** state) {
  const char* path = put_flat_disk(*state, "disk.vmdk", "disk-flat.vmdk", 1);

  assert_int_equal(truncate(path_in(*state, "disk-flat.vmdk"), (off_t)SIZE - 1), 0);
  assert_status(try_open(path, NULL), VMDK_ERR_CORRUPT);
  assert_contains(vmdk_last_error()->message, "1048576");
  assert_contains(vmdk_last_error()->message, "1048575");
}

static void parents(void** state) {
  unsigned char* model = allocate(SIZE);
  const char* child;
  vmdk_disk* disk;
  size_t i;

  (void)put_sparse_disk(*state, "base.vmdk", "DDDDDDDDDDDDDDDD", 7);
  child = put_child(*state, "child.vmdk", "base.vmdk", 0x11111111);
  pattern_fill(7, 0, model, SIZE);
  pattern_fill(8, 64 * KIB, model + 64 * KIB, 64 * KIB);
  disk = open_disk(child, NULL);
  assert_int_equal(info_of(disk, 0).chain_length, 2);
  assert_content(disk, model, SIZE, 65536);
  assert_ok(vmdk_close(disk));

  assert_status(try_open(put_child(*state, "wrong.vmdk", "base.vmdk", 0x12345678), NULL),
                VMDK_ERR_PARENT_CHANGED);
  assert_contains(vmdk_last_error()->message, "12345678");
  assert_contains(vmdk_last_error()->message, "11111111");
  assert_status(try_open(put_child(*state, "orphan.vmdk", "gone.vmdk", 0x11111111), NULL),
                VMDK_ERR_PARENT_MISSING);
  assert_contains(vmdk_last_error()->message, "gone.vmdk");
  assert_status(try_open(put_child(*state, "silent.vmdk", NULL, 0x11111111), NULL),
                VMDK_ERR_PARENT_MISSING);
  assert_status(try_open(put_child(*state, "self.vmdk", "self.vmdk", 0x22222222), NULL),
                VMDK_ERR_CORRUPT);
  for (i = 0; i < 2; ++i) {
    static const char* const names[] = {"wrong.vmdk", "orphan.vmdk"};
    vmdk_open_options options = default_options();
    options.flags = VMDK_OPEN_NO_PARENT;
    disk = open_disk(path_in(*state, names[i]), &options);
    assert_int_equal(info_of(disk, 0).chain_length, 1);
    assert_int_not_equal(info_of(disk, 0).flags & VMDK_INFO_HAS_PARENT, 0);
    memset(model, 0, SIZE);
    pattern_fill(8, 64 * KIB, model + 64 * KIB, 64 * KIB);
    assert_content(disk, model, SIZE, 65536);
    assert_ok(vmdk_close(disk));
  }
  free(model);
}

static void options_without_meaning(void** state) {
  const char* path = put_flat_disk(*state, "disk.vmdk", "disk-flat.vmdk", 1);
  static const uint32_t unknown[] = {0x20, 0x40, 0x80000000u};
  vmdk_open_options options;
  size_t i;

  for (i = 0; i < COUNT(unknown); ++i) {
    options = default_options();
    options.flags = unknown[i] | VMDK_OPEN_RECOVER;
    assert_status(try_open(path, &options), VMDK_ERR_UNSUPPORTED);
  }
  options = default_options();
  options.flags = VMDK_OPEN_WRITE | VMDK_OPEN_RECOVER;
  assert_status(try_open(path, &options), VMDK_ERR_INVALID_ARGUMENT);
  options = default_options();
  options.flags = VMDK_OPEN_NO_PARENT | VMDK_OPEN_RECOVER;
  assert_ok(try_open(path, &options));
  options = default_options();
  options.paths = 2;
  assert_status(try_open(path, &options), VMDK_ERR_INVALID_ARGUMENT);
  options = default_options();
  options.threads = 65;
  assert_status(try_open(path, &options), VMDK_ERR_INVALID_ARGUMENT);
  options = default_options();
  options.threads = 64;
  assert_ok(try_open(path, &options));
  options = default_options();
  options.member = "disk.vmdk";
  assert_status(try_open(path, &options), VMDK_ERR_NOT_FOUND);
}

static void options_are_copied(void** state) {
  const char* path = put_flat_disk(*state, "in/disk.vmdk", "x", 1);
  char root[4096], encoding[16] = "UTF-8";
  const char* roots[2];
  vmdk_limits limits = default_limits();
  vmdk_open_options options = default_options();
  struct descriptor text = {0};
  vmdk_disk* disk;

  (void)put_file(*state, "out/flat.bin", pattern_bytes(3, 0, SIZE));
  text.extents = text_in(*state, "RW 2048 FLAT \"%s\" 0\n", path_in(*state, "out/flat.bin"));
  (void)put_file(*state, "in/disk.vmdk", descriptor_bytes(&text));
  (void)snprintf(root, sizeof(root), "%s", path_in(*state, "out"));
  roots[0] = root;
  roots[1] = NULL;
  options.roots = roots;
  options.limits = &limits;
  options.encoding = encoding;
  limits.max_open_files = 8;
  disk = open_disk(path, &options);
  memset(root, 0xff, sizeof(root));
  memset(roots, 0xff, sizeof(roots));
  memset(encoding, 0xff, sizeof(encoding));
  memset(&limits, 0xff, sizeof(limits));
  memset(&options, 0xff, sizeof(options));
  assert_pattern(disk, 3);
  assert_ok(vmdk_close(disk));
}

static void nothing_stays_open(void** state) {
  const char *good = put_flat_disk(*state, "disk.vmdk", "disk-flat.vmdk", 1), *child, *wrong;
  int before = count_descriptors(), i;

  (void)put_sparse_disk(*state, "base.vmdk", "D", 7);
  child = put_child(*state, "child.vmdk", "base.vmdk", 0x11111111);
  wrong = put_child(*state, "wrong.vmdk", "base.vmdk", 0x12345678);
  for (i = 0; i < 200; ++i) {
    vmdk_open_options options = default_options();
    options.threads = i % 10 == 0 ? 4 : 1;
    assert_ok(try_open(good, &options));
    assert_ok(try_open(child, NULL));
    assert_status(try_open(wrong, NULL), VMDK_ERR_PARENT_CHANGED);
    assert_status(try_open(path_in(*state, "missing.vmdk"), NULL), VMDK_ERR_NOT_FOUND);
  }
  assert_int_equal(count_descriptors(), before);
}

static void the_same_disk_twice(void** state) {
  const char* path = put_flat_disk(*state, "disk.vmdk", "disk-flat.vmdk", 1);
  vmdk_disk *one = open_disk(path, NULL), *two = open_disk(path, NULL);

  assert_ok(vmdk_close(one));
  assert_pattern(two, 1);
  assert_ok(vmdk_close(two));
}

/* A disk of many extents, 4 KiB each. */
static const char* put_many_extents(struct folder* folder, unsigned count) {
  struct bytes text = bytes_text(
      "# Disk DescriptorFile\nversion=1\nCID=11111111\nparentCID=ffffffff\n"
      "createType=\"twoGbMaxExtentFlat\"\n");
  unsigned i;

  for (i = 0; i < count; ++i) {
    char line[64], name[32];
    (void)snprintf(name, sizeof(name), "disk-f%04u.vmdk", i + 1);
    (void)snprintf(line, sizeof(line), "RW 8 FLAT \"%s\" 0\n", name);
    bytes_append(&text, line, strlen(line));
    (void)put_file(folder, name, pattern_bytes(11, (uint64_t)i * 4096, 4096));
  }
  return put_file(folder, "disk.vmdk", text);
}

static void more_extents_than_descriptors(void** state) {
  const unsigned count = 1500;
  const uint64_t size = (uint64_t)count * 4096;
  const char* path = put_many_extents(*state, count);
  struct bytes model = pattern_bytes(11, 0, (size_t)size);
  vmdk_open_options options = default_options();
  vmdk_limits limits = default_limits();
  struct rlimit before, low;
  vmdk_disk* disk;

  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = 64;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  limits.max_open_files = 32;
  options.limits = &limits;
  disk = open_disk(path, &options);
  assert_int_equal(info_of(disk, 0).extent_count, count);
  assert_content(disk, model.data, size, 10000);
  assert_random_reads(disk, model.data, size, 3, 500, 20000);
  assert_ok(vmdk_close(disk));
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  bytes_free(&model);
}

/* Replaces the data file of the last extent while its descriptor is closed, and expects an error.
 */
static void assert_replacement_is_noticed(struct folder* folder,
                                          int (*replace)(struct folder*, const char*)) {
  const unsigned count = 40;
  const char *path = put_many_extents(folder, count), *victim = path_in(folder, "disk-f0040.vmdk");
  vmdk_open_options options = default_options();
  vmdk_limits limits = default_limits();
  unsigned char buffer[4096], own[4096];
  vmdk_disk* disk;
  unsigned i;
  int replaced;

  limits.max_open_files = 8;
  options.limits = &limits;
  disk = open_disk(path, &options);
  /* The others take its turn. */
  for (i = 0; i < count - 1; ++i)
    assert_ok(vmdk_read_at(disk, buffer, sizeof(buffer), (uint64_t)i * 4096));
  replaced = replace(folder, victim);
  if (replaced) {
    assert_status(vmdk_read_at(disk, buffer, sizeof(buffer), (uint64_t)(count - 1) * 4096),
                  VMDK_ERR_IO);
    assert_contains(vmdk_last_error()->message, "disk-f0040.vmdk");
    assert_int_equal(vmdk_last_error()->extent, count - 1);
    pattern_fill(11, 0, own, sizeof(own));
    assert_ok(vmdk_read_at(disk, buffer, sizeof(buffer), 0));
    assert_same_bytes(buffer, own, sizeof(own));
  }
  assert_ok(vmdk_close(disk));
  if (!replaced) skip();
}

static int rename_over(struct folder* folder, const char* victim) {
  return rename(put_file(folder, "foreign", pattern_bytes(99, 0, 4096)), victim) == 0;
}

static int remove_it(struct folder* folder, const char* victim) {
  (void)folder;
  return unlink(victim) == 0;
}

/* File systems give the number of a removed file to the next one that is made. */
static int make_another_of_the_same_number(struct folder* folder, const char* victim) {
  struct stat before, after;
  int i;

  if (stat(victim, &before) != 0 || unlink(victim) != 0) return 0;
  for (i = 0; i < 200; ++i) {
    const char* foreign =
        put_file(folder, text_in(folder, "foreign%d", i), pattern_bytes(99, 0, 4096));
    if (stat(foreign, &after) != 0) return 0;
    if (after.st_ino == before.st_ino) return rename(foreign, victim) == 0;
  }
  return 0;
}

static int link_to_foreign(struct folder* folder, const char* victim) {
  const char* foreign = put_file(folder, "foreign", pattern_bytes(99, 0, 4096));
  return unlink(victim) == 0 && symlink(foreign, victim) == 0;
}

static int fifo_in_its_place(struct folder* folder, const char* victim) {
  if (unlink(victim) != 0) return 0;
  (void)put_fifo(folder, "disk-f0040.vmdk");
  return 1;
}

static void replaced_by_rename(void** state) { assert_replacement_is_noticed(*state, rename_over); }

static void removed(void** state) { assert_replacement_is_noticed(*state, remove_it); }

static void replaced_with_the_same_number(void** state) {
  assert_replacement_is_noticed(*state, make_another_of_the_same_number);
}

static void replaced_by_a_link(void** state) {
  assert_replacement_is_noticed(*state, link_to_foreign);
}

static void replaced_by_a_fifo(void** state) {
  (void)alarm(120);
  assert_replacement_is_noticed(*state, fifo_in_its_place);
  (void)alarm(0);
}

/* Files stay what they were opened as, wherever their names lead later. */
static void moved_while_open(void** state) {
  const char* path = put_flat_disk(*state, "disk.vmdk", "disk-flat.vmdk", 1);
  vmdk_disk* disk = open_disk(path, NULL);

  assert_int_equal(unlink(path), 0);
  assert_int_equal(unlink(path_in(*state, "disk-flat.vmdk")), 0);
  assert_pattern(disk, 1);
  assert_ok(vmdk_close(disk));
}

static void shortened_while_open(void** state) {
  const char* path = put_flat_disk(*state, "disk.vmdk", "disk-flat.vmdk", 1);
  vmdk_disk* disk = open_disk(path, NULL);
  unsigned char buffer[4096], own[4096];

  assert_int_equal(truncate(path_in(*state, "disk-flat.vmdk"), 8192), 0);
  assert_status(vmdk_read_at(disk, buffer, sizeof(buffer), 6000), VMDK_ERR_CORRUPT);
  assert_ok(vmdk_read_at(disk, buffer, sizeof(buffer), 4096));
  pattern_fill(1, 4096, own, sizeof(own));
  assert_same_bytes(buffer, own, sizeof(own));
  assert_ok(vmdk_close(disk));
}

static void nothing_is_written(void** state) {
  const char* path = put_sparse_disk(*state, "disk.vmdk", "DDDD", 2);
  struct bytes before = read_file(path), after;
  char byte;
  vmdk_disk* disk;

  assert_int_equal(chmod(path, 0444), 0);
  disk = open_disk(path, NULL);
  assert_ok(vmdk_read_at(disk, &byte, 1, 0));
  assert_ok(vmdk_close(disk));
  after = read_file(path);
  assert_int_equal(before.size, after.size);
  assert_same_bytes(before.data, after.data, before.size);
  bytes_free(&before);
  bytes_free(&after);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(null_arguments),
      TEST(close_of_null_does_nothing),
      TEST(a_failure_gives_null),
      TEST(a_descriptor),
      TEST(an_embedded_descriptor),
      TEST(a_bare_data_file),
      TEST(a_bare_data_file_without_descriptor),
      TEST(a_renamed_file),
      TEST(a_path_with_links_and_dots),
      TEST(a_relative_path),
      TEST(refused_files),
      TEST(access_refused_by_the_system),
      TEST(missing_extent),
      TEST(short_extent),
      TEST(parents),
      TEST(options_without_meaning),
      TEST(options_are_copied),
      TEST(nothing_stays_open),
      TEST(the_same_disk_twice),
      TEST(more_extents_than_descriptors),
      TEST(replaced_by_rename),
      TEST(removed),
      TEST(replaced_with_the_same_number),
      TEST(replaced_by_a_link),
      TEST(replaced_by_a_fifo),
      TEST(moved_while_open),
      TEST(shortened_while_open),
      TEST(nothing_is_written),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
