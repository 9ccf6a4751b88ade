/* SPDX-License-Identifier: MIT */
/* Which files a descriptor can lead to: one table of names, tried as the file of an extent and as a
 * parent. */
#define _XOPEN_SOURCE 700
#include <unistd.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"

#define SIZE 4096
#define INSIDE 1u
#define OUTSIDE 66u /* the canary: its content must never be seen */

#define DENIED VMDK_ERR_PATH_DENIED
#define NOT_FOUND VMDK_ERR_NOT_FOUND
#define EITHER (-1) /* the library may choose */

/* The disk is in "in"; '@' stands for the folder above, "%" for very long names. */
static const struct path_case {
  const char* name;
  vmdk_status beneath, any, rooted; /* rooted: with "out" in vmdk_open_options::roots */
  int outside;                      /* leads to the canary */
  int hinted;                       /* an option would allow it, and the hint says which */
} cases[] = {
    {"data", VMDK_OK, VMDK_OK, VMDK_OK, 0, 0},
    {"./data", VMDK_OK, VMDK_OK, VMDK_OK, 0, 0},
    {"sub/data", VMDK_OK, VMDK_OK, VMDK_OK, 0, 0},
    {"sub//data", VMDK_OK, VMDK_OK, VMDK_OK, 0, 0},
    {"sub\\data", VMDK_OK, VMDK_OK, VMDK_OK, 0, 0},
    {"sub/../data", VMDK_OK, VMDK_OK, VMDK_OK, 0, 0},
    {"@/in/data", VMDK_OK, VMDK_OK, VMDK_OK, 0, 0},
    {"../in/data", VMDK_OK, VMDK_OK, VMDK_OK, 0, 0},
    {"link-inside", VMDK_OK, VMDK_OK, VMDK_OK, 0, 0},
    {"link-up-inside", VMDK_OK, VMDK_OK, VMDK_OK, 0, 0},
    {"directory-inside/data", VMDK_OK, VMDK_OK, VMDK_OK, 0, 0},
    {"hard-link", VMDK_OK, VMDK_OK, VMDK_OK, 0, 0},
    {"@/out/canary", DENIED, VMDK_OK, VMDK_OK, 1, 1},
    {"@/in/../out/canary", DENIED, VMDK_OK, VMDK_OK, 1, 1},
    {"../out/canary", DENIED, VMDK_OK, VMDK_OK, 1, 1},
    {"./../out/canary", DENIED, VMDK_OK, VMDK_OK, 1, 1},
    {"sub/../../out/canary", DENIED, VMDK_OK, VMDK_OK, 1, 1},
    {"..//out/canary", DENIED, VMDK_OK, VMDK_OK, 1, 1},
    {"..\\out\\canary", DENIED, VMDK_OK, VMDK_OK, 1, 0},
    {"../in-twin/canary", DENIED, VMDK_OK, DENIED, 1, 1},
    {"link-out", DENIED, VMDK_OK, EITHER, 1, 1},
    {"link-out-absolute", DENIED, VMDK_OK, EITHER, 1, 1},
    {"link-to-link-out", DENIED, VMDK_OK, EITHER, 1, 1},
    {"directory-out/canary", DENIED, VMDK_OK, EITHER, 1, 1},
    {"link-dangling", NOT_FOUND, NOT_FOUND, NOT_FOUND, 0, 0},
    {"link-dangling-out", DENIED, NOT_FOUND, EITHER, 0, 0},
    {"loop", DENIED, DENIED, DENIED, 0, 0},
    {"loop/other", DENIED, DENIED, DENIED, 0, 0},
    {"pipe", DENIED, DENIED, DENIED, 0, 0},
    {"socket", DENIED, DENIED, DENIED, 0, 0},
    {"sub", DENIED, DENIED, DENIED, 0, 0},
    {"link-to-zero", DENIED, DENIED, DENIED, 0, 0},
    {"/dev/zero", DENIED, DENIED, DENIED, 0, 0},
    {"/proc/self/maps", DENIED, EITHER, DENIED, 0, 0},
    {"link-to-root/etc/hostname", DENIED, EITHER, DENIED, 0, 0},
    {"data/", DENIED, DENIED, DENIED, 0, 0},
    {".", DENIED, DENIED, DENIED, 0, 0},
    {"..", DENIED, DENIED, DENIED, 0, 0},
    {"/", DENIED, DENIED, DENIED, 0, 0},
    {"da\001ta", DENIED, DENIED, DENIED, 0, 0},
    {"data\033[2J", DENIED, DENIED, DENIED, 0, 0},
    {"data\177", DENIED, DENIED, DENIED, 0, 0},
    {"%", DENIED, DENIED, DENIED, 0, 0},
    {"missing", NOT_FOUND, NOT_FOUND, NOT_FOUND, 0, 0},
    {"data/other", NOT_FOUND, NOT_FOUND, NOT_FOUND, 0, 0},
    {"~/other", NOT_FOUND, NOT_FOUND, NOT_FOUND, 0, 0},
    {"$HOME/other", NOT_FOUND, NOT_FOUND, NOT_FOUND, 0, 0},
    {"file:data", NOT_FOUND, NOT_FOUND, NOT_FOUND, 0, 0},
};

/* What a name leads to: a flat file, or a disk to be a parent. */
static void put_target(struct folder* folder, const char* name, int parent, uint32_t seed) {
  struct descriptor text = {0};
  struct sparse sparse = {0};

  if (!parent) {
    (void)put_file(folder, name, pattern_bytes(seed, 0, SIZE));
    return;
  }
  text.type = "monolithicSparse";
  text.extents = "RW 8 SPARSE \"data\"\n";
  sparse.sectors = SIZE / 512;
  sparse.grain_sectors = 8;
  sparse.grains = "D";
  sparse.seed = seed;
  sparse.descriptor = &text;
  (void)put_file(folder, name, hosted_bytes(&sparse, NULL));
}

/* No file beside the disk is called "canary": it would be taken for one that was moved. */
static void put_targets(struct folder* folder, int parent) {
  put_target(folder, "in/data", parent, INSIDE);
  put_target(folder, "in/sub/data", parent, INSIDE);
  put_target(folder, "out/canary", parent, OUTSIDE);
  put_target(folder, "in-twin/canary", parent, OUTSIDE);
  (void)put_symlink(folder, "in/link-inside", "sub/data");
  (void)put_symlink(folder, "in/sub/link", "../data");
  (void)put_symlink(folder, "in/link-up-inside", "sub/link");
  (void)put_symlink(folder, "in/directory-inside", "sub");
  (void)put_hard_link(folder, "in/hard-link", "in/sub/data");
  (void)put_symlink(folder, "in/link-out", "../out/canary");
  (void)put_symlink(folder, "in/link-out-absolute", path_in(folder, "out/canary"));
  (void)put_symlink(folder, "in/link-to-link-out", "link-out");
  (void)put_symlink(folder, "in/directory-out", "../out");
  (void)put_symlink(folder, "in/link-dangling", "nowhere");
  (void)put_symlink(folder, "in/link-dangling-out", "../out/nowhere");
  (void)put_symlink(folder, "in/loop", "loop");
  (void)put_fifo(folder, "in/pipe");
  (void)put_socket(folder, "in/socket");
  (void)put_symlink(folder, "in/link-to-zero", "/dev/zero");
  (void)put_symlink(folder, "in/link-to-root", "/proc/self/root");
}

static const char* name_of(struct folder* folder, const struct path_case* test) {
  static char longest[5001];

  if (test->name[0] == '@') return text_in(folder, "%s%s", folder_path(folder), test->name + 1);
  if (test->name[0] != '%') return test->name;
  memset(longest, 'a', sizeof(longest) - 1);
  return longest;
}

static const char* put_disk(struct folder* folder, const char* name, int parent) {
  struct descriptor text = {0};
  struct sparse delta = {0};

  if (!parent) {
    text.extents = text_in(folder, "RW 8 FLAT \"%s\" 0\n", name);
    return put_file(folder, "in/disk.vmdk", descriptor_bytes(&text));
  }
  text.cid = 0x22222222;
  text.parent = 0x11111111;
  text.hint = name;
  text.extents = "RW 8 SPARSE \"delta\"\n";
  delta.sectors = SIZE / 512;
  delta.grain_sectors = 8;
  delta.grains = "";
  (void)put_file(folder, "in/delta", hosted_bytes(&delta, NULL));
  return put_file(folder, "in/disk.vmdk", descriptor_bytes(&text));
}

static void try_case(struct folder* folder, const struct path_case* test, int parent,
                     vmdk_status wanted, const vmdk_open_options* options, const char* how) {
  const char *name = name_of(folder, test), *path = put_disk(folder, name, parent);
  unsigned char content[SIZE], own[SIZE];
  vmdk_disk* disk = NULL;
  vmdk_status status = vmdk_open(path, options, &disk), read = VMDK_OK;
  const vmdk_error* error = vmdk_last_error();
  int allowed = wanted == VMDK_OK || wanted == EITHER;

  if (wanted == NOT_FOUND && parent) wanted = VMDK_ERR_PARENT_MISSING;
  if (wanted != EITHER && status != wanted) {
    print_error("\"%.80s\" as %s, %s: gives %d, not %d\n  %s\n", name,
                parent ? "a parent" : "an extent", how, (int)status, (int)wanted,
                status == VMDK_OK ? "" : error->message);
    fail();
  }
  if (status == VMDK_OK) {
    read = vmdk_read_at(disk, content, sizeof(content), 0);
    assert_ok(vmdk_close(disk));
    assert_true(allowed);
    if (wanted == EITHER && !test->outside) return;
    assert_ok(read);
    pattern_fill(test->outside ? OUTSIDE : INSIDE, 0, own, sizeof(own));
    assert_same_bytes(content, own, sizeof(own));
    return;
  }
  assert_null(disk);
  assert_true(is_clean_line(error->message));
  assert_true(is_clean_line(error->hint));
}

static void try_all(struct folder* folder, int parent) {
  size_t i;

  (void)alarm(200); /* a FIFO that blocks */
  put_targets(folder, parent);
  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_open_options options = default_options();
    const char* roots[2] = {NULL, NULL};
    try_case(folder, &cases[i], parent, cases[i].beneath, NULL, "by default");
    options.paths = VMDK_PATHS_ANY;
    try_case(folder, &cases[i], parent, cases[i].any, &options, "with VMDK_PATHS_ANY");
    options.paths = VMDK_PATHS_BENEATH;
    roots[0] = path_in(folder, "out");
    options.roots = roots;
    try_case(folder, &cases[i], parent, cases[i].rooted, &options, "with a root");
  }
  (void)alarm(0);
}

static void extents(void** state) { try_all(*state, 0); }

static void parents(void** state) { try_all(*state, 1); }

/* What is refused is said as the descriptor has it, with the option that would allow it. */
static void try_messages(struct folder* folder, int parent) {
  int bad = 0;
  size_t i;

  put_targets(folder, parent);
  for (i = 0; i < COUNT(cases); ++i) {
    const char* name = name_of(folder, &cases[i]);
    const vmdk_error* error = vmdk_last_error();
    if (!cases[i].hinted) continue;
    assert_status(try_open(put_disk(folder, name, parent), NULL), DENIED);
    if (strstr(error->message, name) == NULL) {
      print_error("the message does not name \"%s\": %s\n", name, error->message);
      ++bad;
    }
    if (strstr(error->hint, "vmdk_open_options::roots") == NULL &&
        strstr(error->hint, "VMDK_PATHS_ANY") == NULL) {
      print_error("the hint for \"%s\" names no option: \"%s\"\n", name, error->hint);
      ++bad;
    }
  }
  assert_int_equal(bad, 0);
}

static void messages_of_extents(void** state) { try_messages(*state, 0); }

static void messages_of_parents(void** state) { try_messages(*state, 1); }

/* A root that the hint proposes must be the one that helps. */
static void the_hint_helps(void** state) {
  const char *path, *roots[2];
  vmdk_open_options options = default_options();

  put_target(*state, "elsewhere/out/canary", 1, OUTSIDE);
  path = put_disk(*state, path_in(*state, "elsewhere/out/canary"), 1);
  assert_status(try_open(path, NULL), DENIED);
  assert_contains(vmdk_last_error()->hint, path_in(*state, "elsewhere/out"));
  roots[0] = path_in(*state, "elsewhere/out");
  roots[1] = NULL;
  options.roots = roots;
  assert_ok(try_open(path, &options));
}

static void no_name_at_all(void** state) {
  assert_status(try_open(put_disk(*state, "", 0), NULL), DENIED);
  assert_status(try_open(put_disk(*state, "", 1), NULL), VMDK_ERR_PARENT_MISSING);
}

/* What names a file can be anything: the rule is the same for every type of extent. */
static void every_type_of_extent(void** state) {
  static const char* const types[] = {"FLAT",     "VMFS",    "SPARSE", "VMFSSPARSE",
                                      "SESPARSE", "VMFSRDM", "VMFSRAW"};
  struct descriptor text = {0};
  size_t i;

  (void)put_text(*state, "out/secret", "# Disk DescriptorFile\nCANARY = \"CANARY\"\nRW CANARY\n");
  for (i = 0; i < COUNT(types); ++i) {
    text.extents = text_in(*state, "RW 8 %s \"../out/secret\"\n", types[i]);
    assert_status(try_open(put_file(*state, "in/disk.vmdk", descriptor_bytes(&text)), NULL),
                  DENIED);
    assert_contains(vmdk_last_error()->message, "../out/secret");
    assert_lacks(vmdk_last_error()->message, "CANARY");
    assert_lacks(vmdk_last_error()->hint, "CANARY");
  }
}

/* A file that is found is no way to show what is in it, if it is not allowed. */
static void messages_show_nothing_of_outside(void** state) {
  (void)put_text(*state, "out/secret", "# Disk DescriptorFile\nCID=CANARY\nRW CANARY\n");
  assert_status(try_open(put_disk(*state, "../out/secret", 1), NULL), DENIED);
  assert_lacks(vmdk_last_error()->message, "CANARY");
  assert_lacks(vmdk_last_error()->hint, "CANARY");
}

/* "or below the directory of the file that was opened": a parent in a folder below names a file
 * above it. */
static void up_to_the_opened_file(void** state) {
  struct descriptor text = {0};
  unsigned char content[SIZE], own[SIZE];
  const char* path;
  vmdk_disk* disk;

  put_target(*state, "in/data", 0, INSIDE);
  text.extents = "RW 8 FLAT \"../data\" 0\n";
  (void)put_file(*state, "in/base/base.vmdk", descriptor_bytes(&text));
  path = put_disk(*state, "base/base.vmdk", 1);
  disk = open_disk(path, NULL);
  pattern_fill(INSIDE, 0, own, sizeof(own));
  assert_ok(vmdk_read_at(disk, content, sizeof(content), 0));
  assert_same_bytes(content, own, sizeof(own));
  assert_ok(vmdk_close(disk));
  /* Opened by itself it may not. */
  assert_status(try_open(path_in(*state, "in/base/base.vmdk"), NULL), DENIED);
}

/* A parent in an allowed directory has its own files beside it. */
static void a_parent_in_a_root(void** state) {
  struct descriptor text = {0};
  const char *path, *roots[2];
  vmdk_open_options options = default_options();
  unsigned char content[SIZE], own[SIZE];
  vmdk_disk* disk;

  put_target(*state, "out/data", 0, OUTSIDE);
  text.extents = "RW 8 FLAT \"data\" 0\n";
  (void)put_file(*state, "out/base.vmdk", descriptor_bytes(&text));
  path = put_disk(*state, path_in(*state, "out/base.vmdk"), 1);
  assert_status(try_open(path, NULL), DENIED);
  assert_contains(vmdk_last_error()->hint, path_in(*state, "out"));
  roots[0] = path_in(*state, "out");
  roots[1] = NULL;
  options.roots = roots;
  disk = open_disk(path, &options);
  pattern_fill(OUTSIDE, 0, own, sizeof(own));
  assert_ok(vmdk_read_at(disk, content, sizeof(content), 0));
  assert_same_bytes(content, own, sizeof(own));
  assert_ok(vmdk_close(disk));
}

static void roots_that_are_none(void** state) {
  const char *path = put_disk(*state, "data", 0), *roots[2];
  vmdk_open_options options = default_options();

  put_target(*state, "in/data", 0, INSIDE);
  roots[1] = NULL;
  options.roots = roots;
  roots[0] = path_in(*state, "missing");
  assert_status(try_open(path, &options), NOT_FOUND);
  assert_contains(vmdk_last_error()->message, "missing");
  roots[0] = path_in(*state, "in/data");
  assert_int_not_equal(try_open(path, &options), VMDK_OK);
  roots[0] = NULL;
  assert_ok(try_open(path, &options));
}

/* The root "/x/ou" does not allow "/x/out". */
static void roots_are_whole_components(void** state) {
  const char *path, *roots[2];
  vmdk_open_options options = default_options();

  put_targets(*state, 0);
  (void)put_directory(*state, "ou");
  path = put_disk(*state, path_in(*state, "out/canary"), 0);
  roots[0] = path_in(*state, "ou");
  roots[1] = NULL;
  options.roots = roots;
  assert_status(try_open(path, &options), DENIED);
  roots[0] = path_in(*state, "out/");
  assert_ok(try_open(path, &options));
  roots[0] = path_in(*state, "ou/../out");
  assert_ok(try_open(path, &options));
  roots[0] = folder_path(*state);
  assert_ok(try_open(path, &options));
}

/* A file cannot be extent and descriptor at once, nor in two links of a chain. */
static void no_file_twice(void** state) {
  struct descriptor text = {0};

  (void)put_disk(*state, "disk.vmdk", 0);
  assert_status(try_open(path_in(*state, "in/disk.vmdk"), NULL), VMDK_ERR_CORRUPT);
  put_target(*state, "in/data", 0, INSIDE);
  (void)put_hard_link(*state, "in/same", "in/data");
  text.extents = "RW 8 FLAT \"data\" 0\nRW 8 FLAT \"same\" 0\n";
  /* The same data twice does no harm. */
  assert_ok(try_open(put_file(*state, "in/twice.vmdk", descriptor_bytes(&text)), NULL));
  (void)put_disk(*state, "disk-too.vmdk", 1);
  (void)put_hard_link(*state, "in/disk-too.vmdk", "in/disk.vmdk");
  assert_status(try_open(path_in(*state, "in/disk.vmdk"), NULL), VMDK_ERR_CORRUPT);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(extents),
      TEST(parents),
      TEST(messages_of_extents),
      TEST(messages_of_parents),
      TEST(the_hint_helps),
      TEST(no_name_at_all),
      TEST(every_type_of_extent),
      TEST(messages_show_nothing_of_outside),
      TEST(up_to_the_opened_file),
      TEST(a_parent_in_a_root),
      TEST(roots_that_are_none),
      TEST(roots_are_whole_components),
      TEST(no_file_twice),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
