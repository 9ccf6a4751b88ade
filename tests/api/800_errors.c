/* SPDX-License-Identifier: MIT */
/* Texts of failures and messages: one clean line each, whatever the image holds. */
#include "support/archive.h"
#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"
#include "support/messages.h"

#define BEGIN "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"

/* Escapes of a terminal, a bell, a C1 control character, bytes that are no UTF-8, a reversal of the
 * text. */
#define HOSTILE                 \
  "\033[2J\007\001\177\302\233" \
  "31m\xff\xfe\xc0\xaf\xed\xa0\x80\x80"

static void assert_clean_error(void) {
  const vmdk_error* error = vmdk_last_error();

  assert_int_not_equal(error->status, VMDK_OK);
  assert_true(strlen(error->message) > 0);
  assert_true(memchr(error->message, 0, sizeof(error->message)) != NULL);
  assert_true(memchr(error->hint, 0, sizeof(error->hint)) != NULL);
  if (!is_clean_line(error->message) || !is_clean_line(error->hint)) {
    const unsigned char* at = (const unsigned char*)error->message;
    for (; *at != 0; ++at) print_error(*at >= 0x20 && *at < 0x7f ? "%c" : "\\x%02x", *at);
    print_error("\n");
    fail();
  }
}

static void hostile_descriptors(void** state) {
  static const char* const lines[] = {
      "RW 8 FLAT \"" HOSTILE "\" 0\n",
      "RW 8 FLAT \"/" HOSTILE "/x\" 0\n",
      "RW 8 FLAT \"../" HOSTILE "\" 0\n",
      "RW 8 FLAT \"\xff\xfe\" 0\n",
      "RW 8 FLAT \"\302\233\" 0\n",
      "RW 8 SPARSE \"" HOSTILE "\"\n",
      "RW " HOSTILE " FLAT \"x\" 0\n",
      "RW 8 " HOSTILE " \"x\"\n",
      "RW 8 FLAT " HOSTILE "\n",
      "WRONG 8 FLAT \"" HOSTILE "\" 0\n",
      "RW 8 ZERO\ncreateType=\"" HOSTILE "\"\n",
      "RW 8 ZERO\ncreateType=\"vsan" HOSTILE "\"\n",
      "RW 8 FLAT \"vsan://" HOSTILE "\" 0\n",
      "RW 8 ZERO\nencoding=\"" HOSTILE "\"\nRW 8 FLAT \"x\xff\" 0\n",
  };
  size_t i;

  for (i = 0; i < COUNT(lines); ++i) {
    const char* path = put_text(*state, "disk.vmdk", text_in(*state, "%s%s", BEGIN, lines[i]));
    assert_int_not_equal(try_open(path, NULL), VMDK_OK);
    assert_clean_error();
    assert_contains(vmdk_last_error()->message, "disk.vmdk");
  }
}

static void hostile_header_keys(void** state) {
  static const char* const texts[] = {
      "# Disk DescriptorFile\nversion=" HOSTILE "\nRW 8 ZERO\n",
      "# Disk DescriptorFile\nversion=1\nCID=" HOSTILE "\nRW 8 ZERO\n",
      "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=" HOSTILE "\nRW 8 ZERO\n",
      "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=2\nparentFileNameHint=\"" HOSTILE
      "\"\nRW 8 ZERO\n",
      "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=2\nparentFileNameHint=\"/" HOSTILE
      "/\xff\"\nRW 8 ZERO\n",
      ("# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=2\nparentFileNameHint=\"missing "
       "\xff\xfe\"\nRW 8 ZERO\n"),
  };
  size_t i;

  for (i = 0; i < COUNT(texts); ++i) {
    assert_int_not_equal(try_open(put_text(*state, "disk.vmdk", texts[i]), NULL), VMDK_OK);
    assert_clean_error();
    assert_contains(vmdk_last_error()->message, "disk.vmdk");
  }
}

/* Names that the caller gives are shown, too. */
static void hostile_paths(void** state) {
  static const char* const names[] = {"a\nb.vmdk", "\033]0;x\007.vmdk", "\xff\xfe.vmdk",
                                      "line\r\nbreak.vmdk"};
  struct sparse sparse = {0};
  size_t i;

  sparse.sectors = 128;
  sparse.grains = "D";
  for (i = 0; i < COUNT(names); ++i) {
    assert_status(try_open(path_in(*state, names[i]), NULL), VMDK_ERR_NOT_FOUND);
    assert_clean_error();
    assert_status(try_open(put_text(*state, names[i], "nothing"), NULL), VMDK_ERR_NOT_VMDK);
    assert_clean_error();
    assert_status(try_open(put_file(*state, names[i], hosted_bytes(&sparse, NULL)), NULL),
                  VMDK_ERR_NOT_FOUND);
    assert_clean_error();
  }
}

static void hostile_members(void** state) {
  struct bytes tar = {NULL, 0};
  struct descriptor text = {0};
  vmdk_open_options options = default_options();
  const char* path;

  text.extents = "RW 8 ZERO\n";
  tar_add(&tar, "one" HOSTILE, descriptor_bytes(&text), NULL);
  tar_add(&tar, "two\nlines", descriptor_bytes(&text), NULL);
  tar_end(&tar);
  path = put_file(*state, "disk.ova", tar);
  assert_status(try_open(path, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_clean_error();
  options.member = "no\nsuch" HOSTILE;
  assert_status(try_open(path, &options), VMDK_ERR_NOT_FOUND);
  assert_clean_error();
}

/* What is printed of a key that the caller made up. */
static void hostile_keys(void** state) {
  vmdk_disk* disk = open_disk(put_text(*state, "disk.vmdk", BEGIN "RW 8 ZERO\n"), NULL);
  size_t size;

  assert_status(vmdk_get_text(disk, 0, "no\nkey" HOSTILE, NULL, 0, &size), VMDK_ERR_NOT_FOUND);
  assert_clean_error();
  assert_ok(vmdk_close(disk));
}

static void long_names_are_cut(void** state) {
  char name[3000];
  size_t length;
  int shift;

  /* Characters of several bytes, at every phase. */
  for (shift = 0; shift < 4; ++shift) {
    memset(name, 'x', sizeof(name));
    for (length = (size_t)shift; length + 5 < sizeof(name); length += 4)
      memcpy(name + length, "\xf0\x9f\x98\x80", 4);
    for (length = 200; length + 1 < sizeof(name); length += 201) name[length] = '/';
    name[sizeof(name) - 1] = 0;
    assert_int_not_equal(try_open(path_in(*state, name), NULL), VMDK_OK);
    assert_int_equal(strlen(vmdk_last_error()->message) > 700, 1);
    assert_true(strlen(vmdk_last_error()->message) < sizeof(vmdk_last_error()->message));
  }
  for (shift = 0; shift < 4; ++shift) {
    for (length = 0; length + 3 < 400; length += 3) memcpy(name + length, "\xe7\xa3\x81", 3);
    name[length] = 0;
    assert_int_not_equal(
        try_open(put_text(*state, "disk.vmdk",
                          text_in(*state, BEGIN "RW 8 FLAT \"/%.*s/%s\" 0\n", shift, "xxxx", name)),
                 NULL),
        VMDK_OK);
    assert_clean_error();
  }
  /* A path whose characters are all of four bytes: cut between two of them. */
  for (shift = 0; shift < 4; ++shift) {
    size_t at = 0;
    memset(name, 'x', (size_t)shift);
    for (at = (size_t)shift; at + 5 < 1200; at += 4) {
      memcpy(name + at, "\xf0\x9f\x98\x80", 4);
      if (at / 4 % 50 == 49) name[at++ + 4] = '/';
    }
    name[at] = 0;
    assert_int_not_equal(try_open(path_in(*state, name), NULL), VMDK_OK);
    assert_clean_error();
  }
}

/* Messages that are no failures obey the same rules. */
static void hostile_messages(void** state) {
  static const char* const directories[] = {"plain", "two\nlines", "\033[2J", "\xff\xfe"};
  size_t i;

  for (i = 0; i < COUNT(directories); ++i) {
    struct descriptor text = {0};
    struct sparse sparse = {0};
    struct messages messages;
    vmdk_open_options options = default_options();
    vmdk_disk* disk;
    messages_init(&messages);
    messages_attach(&messages, &options);
    text.type = "monolithicSparse";
    text.extents = "RW 128 SPARSE \"disk.vmdk\"\n";
    sparse.sectors = 128;
    sparse.grains = "D";
    sparse.unclean = 1;
    sparse.descriptor = &text;
    disk = open_disk(put_file(*state, text_in(*state, "%s/disk.vmdk", directories[i]),
                              hosted_bytes(&sparse, NULL)),
                     &options);
    assert_int_equal(messages.warnings, 1);
    assert_contains(messages.text, "disk.vmdk");
    assert_int_equal(messages.unclean, 0);
    assert_ok(vmdk_close(disk));
    messages_free(&messages);
  }
}

/* A name that is no UTF-8, of a file that is there. */
static void messages_of_foreign_names(void** state) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  struct messages messages;
  vmdk_open_options options = default_options();

  messages_init(&messages);
  messages_attach(&messages, &options);
  text.extents = "RW 128 SPARSE \"data\xff\xfe\302\233\"\n";
  sparse.sectors = 128;
  sparse.grains = "D";
  sparse.unclean = 1;
  (void)put_file(*state, "data\xff\xfe\302\233", hosted_bytes(&sparse, NULL));
  assert_ok(try_open(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), &options));
  assert_true(messages.warnings >= 1);
  assert_int_equal(messages.unclean, 0);
  messages_free(&messages);
}

static void the_place_is_told(void** state) {
  struct descriptor text = {0};
  const vmdk_error* error = vmdk_last_error();

  (void)put_file(*state, "a", pattern_bytes(1, 0, 4096));
  text.extents = "RW 8 FLAT \"a\" 0\nRW 8 FLAT \"missing\" 0\n";
  assert_status(try_open(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), NULL),
                VMDK_ERR_NOT_FOUND);
  assert_int_equal(error->link, 0);
  assert_int_equal(error->extent, 1);
  assert_contains(error->message, "missing");

  (void)put_file(*state, "base.vmdk", descriptor_bytes(&text));
  text.cid = 2;
  text.parent = 0x11111111;
  text.hint = "base.vmdk";
  text.extents = "RW 8 ZERO\n";
  assert_status(try_open(put_file(*state, "child.vmdk", descriptor_bytes(&text)), NULL),
                VMDK_ERR_NOT_FOUND);
  assert_int_equal(error->link, 1);
  assert_int_equal(error->extent, 1);

  /* What has no place says so. */
  assert_status(try_open(path_in(*state, "no.vmdk"), NULL), VMDK_ERR_NOT_FOUND);
  assert_int_equal(error->link, UINT32_MAX);
  assert_int_equal(error->extent, UINT32_MAX);
  assert_true(error->offset == UINT64_MAX);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(hostile_descriptors), TEST(hostile_header_keys),
      TEST(hostile_paths),       TEST(hostile_members),
      TEST(hostile_keys),        TEST(long_names_are_cut),
      TEST(hostile_messages),    TEST(messages_of_foreign_names),
      TEST(the_place_is_told),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
