/* SPDX-License-Identifier: MIT */
/* Texts of a descriptor: vmdk_get_text() and vmdk_get_key(). */
#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"

static vmdk_disk* open_text(struct folder* folder, const char* text) {
  return open_disk(put_text(folder, "disk.vmdk", text), NULL);
}

#define BEGIN \
  "# Disk DescriptorFile\nversion=1\nCID=1234abcd\nparentCID=ffffffff\ncreateType=\"custom\"\n"
#define END "RW 8 ZERO\n"

static void two_calls(void** state) {
  vmdk_disk* disk = open_text(*state, BEGIN END);
  size_t size = 99;
  char buffer[9];

  assert_ok(vmdk_get_text(disk, 0, "CID", NULL, 0, &size));
  assert_int_equal(size, 9);
  memset(buffer, 'x', sizeof(buffer));
  size = 99;
  assert_ok(vmdk_get_text(disk, 0, "CID", buffer, sizeof(buffer), &size));
  assert_int_equal(size, 9);
  assert_string_equal(buffer, "1234abcd");
  /* A buffer of size 0 is never written to. */
  buffer[0] = 'y';
  assert_ok(vmdk_get_text(disk, 0, "CID", buffer, 0, &size));
  assert_int_equal(buffer[0], 'y');
  assert_ok(vmdk_get_key(disk, 0, 1, NULL, 0, &size));
  assert_int_equal(size, 4);
  assert_ok(vmdk_get_key(disk, 0, 1, buffer, sizeof(buffer), &size));
  assert_string_equal(buffer, "CID");
  assert_ok(vmdk_close(disk));
}

static void a_buffer_that_is_too_small(void** state) {
  vmdk_disk* disk = open_text(*state, BEGIN END);
  char buffer[16], before[16];
  size_t size, room;

  memset(before, 'x', sizeof(before));
  for (room = 1; room < 9; ++room) {
    memset(buffer, 'x', sizeof(buffer));
    size = 0;
    assert_status(vmdk_get_text(disk, 0, "CID", buffer, room, &size), VMDK_ERR_OUT_OF_RANGE);
    assert_int_equal(size, 9);
    assert_memory_equal(buffer, before, sizeof(buffer));
  }
  size = 0;
  assert_status(vmdk_get_key(disk, 0, 0, buffer, 7, &size), VMDK_ERR_OUT_OF_RANGE);
  assert_int_equal(size, 8);
  assert_memory_equal(buffer, before, sizeof(buffer));
  /* More room than needed: the rest is left alone. */
  assert_ok(vmdk_get_text(disk, 0, "CID", buffer, sizeof(buffer), &size));
  assert_memory_equal(buffer + 9, before + 9, sizeof(buffer) - 9);
  assert_ok(vmdk_close(disk));
}

static void failures(void** state) {
  static const char* const bad[] = {"@",          "@none",        "@extent",     "@extent.",
                                    "@extent.x",  "@extent.-1",   "@extent.0x0", "@extent. 0",
                                    "@extent.0 ", "@descriptor2", "@paths"};
  static const char* const absent[] = {
      "", "none", "ddb.none", "CI", "CIDs", "RW", "# Disk DescriptorFile", " CID"};
  vmdk_disk* disk = open_text(*state, BEGIN END);
  char buffer[64] = "untouched";
  size_t size, i;

  for (i = 0; i < COUNT(bad); ++i) {
    size = 99;
    assert_status(vmdk_get_text(disk, 0, bad[i], buffer, sizeof(buffer), &size),
                  VMDK_ERR_INVALID_ARGUMENT);
    assert_int_equal(size, 0);
  }
  for (i = 0; i < COUNT(absent); ++i) {
    size = 99;
    assert_status(vmdk_get_text(disk, 0, absent[i], buffer, sizeof(buffer), &size),
                  VMDK_ERR_NOT_FOUND);
    assert_int_equal(size, 0);
    assert_contains(vmdk_last_error()->message, absent[i]);
  }
  assert_status(vmdk_get_text(disk, 0, "@extent.1", buffer, sizeof(buffer), &size),
                VMDK_ERR_OUT_OF_RANGE);
  assert_status(vmdk_get_text(disk, 0, "@extent.4294967296", buffer, sizeof(buffer), &size),
                VMDK_ERR_OUT_OF_RANGE);
  assert_int_equal(size, 0);
  assert_status(vmdk_get_text(disk, 1, "CID", buffer, sizeof(buffer), &size),
                VMDK_ERR_OUT_OF_RANGE);
  assert_status(vmdk_get_text(disk, 1, "@path", buffer, sizeof(buffer), &size),
                VMDK_ERR_OUT_OF_RANGE);
  size = 99;
  assert_status(vmdk_get_key(disk, 0, 4, buffer, sizeof(buffer), &size), VMDK_ERR_OUT_OF_RANGE);
  assert_int_equal(size, 0);
  assert_status(vmdk_get_key(disk, 1, 0, buffer, sizeof(buffer), &size), VMDK_ERR_OUT_OF_RANGE);
  assert_string_equal(buffer, "untouched");
  assert_ok(vmdk_close(disk));
}

static void keys_in_any_case(void** state) {
  vmdk_disk* disk = open_text(*state, BEGIN END "ddb.AdapterType = \"ide\"\n");

  assert_string_equal(text_of(disk, 0, "createtype"), "custom");
  assert_string_equal(text_of(disk, 0, "CREATETYPE"), "custom");
  assert_string_equal(text_of(disk, 0, "DDB.adaptertype"), "ide");
  assert_string_equal(text_of(disk, 0, "cid"), "1234abcd");
  assert_ok(vmdk_close(disk));
}

static void special_keys(void** state) {
  const char* text = BEGIN "RW 8 FLAT \"flat\" 0\nRW 8 ZERO\nRW 8 FLAT \"./sub/flat\" 0\n";
  vmdk_disk* disk;

  (void)put_file(*state, "flat", pattern_bytes(1, 0, 4096));
  (void)put_file(*state, "sub/flat", pattern_bytes(1, 0, 4096));
  disk = open_text(*state, text);
  assert_string_equal(text_of(disk, 0, "@descriptor"), text);
  assert_string_equal(text_of(disk, 0, "@path"), path_in(*state, "disk.vmdk"));
  assert_string_equal(text_of(disk, 0, "@extent.0"), path_in(*state, "flat"));
  assert_string_equal(text_of(disk, 0, "@extent.1"), "");
  assert_contains(text_of(disk, 0, "@extent.2"), "sub/flat");
  assert_ok(vmdk_close(disk));
}

static void an_embedded_descriptor(void** state) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  struct bytes expected;
  const char* got;
  vmdk_disk* disk;

  text.type = "monolithicSparse";
  text.extents = "RW 128 SPARSE \"disk.vmdk\"\n";
  expected = descriptor_bytes(&text);
  sparse.sectors = 128;
  sparse.grains = "D";
  sparse.descriptor = &text;
  disk = open_disk(put_file(*state, "disk.vmdk", hosted_bytes(&sparse, NULL)), NULL);
  got = text_of(disk, 0, "@descriptor");
  assert_int_equal(strlen(got), expected.size); /* without the zeros behind it */
  assert_same_bytes(got, expected.data, expected.size);
  assert_string_equal(text_of(disk, 0, "@extent.0"), path_in(*state, "disk.vmdk"));
  bytes_free(&expected);
  assert_ok(vmdk_close(disk));
}

static void values(void** state) {
  vmdk_disk* disk = open_text(*state, BEGIN
                              "plain = value of words \n"
                              "quoted = \" blanks stay \"\n"
                              "empty = \"\"\n"
                              "nothing =\n"
                              "equals = \"a=b\"\n"
                              "  indented=\"1\"\r\n" END);

  assert_string_equal(text_of(disk, 0, "plain"), "value of words");
  assert_string_equal(text_of(disk, 0, "quoted"), " blanks stay ");
  assert_string_equal(text_of(disk, 0, "empty"), "");
  assert_string_equal(text_of(disk, 0, "nothing"), "");
  assert_string_equal(text_of(disk, 0, "equals"), "a=b");
  assert_string_equal(text_of(disk, 0, "indented"), "1");
  assert_ok(vmdk_close(disk));
}

static void all_keys_in_order(void** state) {
  static const char* const keys[] = {"version", "CID",   "parentCID", "createType",
                                     "zebra",   "Apple", "ddb.b",     "ddb.a"};
  vmdk_disk* disk = open_text(*state, BEGIN "zebra=1\nApple=2\n" END
                                            "# comment = none\nddb.b = \"3\"\nddb.a=\"4\"\n"
                                            "zebra=5\nAPPLE=6\nddb.a = \"7\"\n");
  uint32_t count = info_of(disk, 0).key_count, i;

  assert_int_equal(count, COUNT(keys));
  for (i = 0; i < count; ++i) {
    char buffer[64];
    size_t size;
    assert_ok(vmdk_get_key(disk, 0, i, buffer, sizeof(buffer), &size));
    assert_int_equal(size, strlen(buffer) + 1);
    /* The same key may be spelled as it is the first or the last time. */
    if (i == 5)
      assert_true(strcmp(buffer, "Apple") == 0 || strcmp(buffer, "APPLE") == 0);
    else
      assert_string_equal(buffer, keys[i]);
    assert_ok(vmdk_get_text(disk, 0, buffer, NULL, 0, &size));
  }
  assert_ok(vmdk_close(disk));
}

struct coded {
  const char* encoding; /* as the descriptor says */
  const char* override;
  const char *bytes, *utf8;
};

static const struct coded codings[] = {
    {"UTF-8", NULL, "\xe7\xa3\x81\xe7\x9b\x98", "\xe7\xa3\x81\xe7\x9b\x98"},
    {"GBK", NULL, "\xb4\xc5\xc5\xcc", "\xe7\xa3\x81\xe7\x9b\x98"},
    {"Shift_JIS", NULL, "\x83\x66\x83\x42\x83\x58\x83\x4e",
     "\xe3\x83\x87\xe3\x82\xa3\xe3\x82\xb9\xe3\x82\xaf"},
    {"windows-1252", NULL,
     "Gr\xfc\xdf"
     "e",
     "Gr\xc3\xbc\xc3\x9f"
     "e"},
    {"Big5", NULL, "\xba\xcf\xba\xd0", "\xe7\xa3\x81\xe7\xa2\x9f"},
    {"windows-949-2000", NULL, "\xb5\xf0\xbd\xba\xc5\xa9", "\xeb\x94\x94\xec\x8a\xa4\xed\x81\xac"},
    {"windows-1252", "GBK", "\xb4\xc5\xc5\xcc", "\xe7\xa3\x81\xe7\x9b\x98"},
    {NULL, "GBK", "\xb4\xc5\xc5\xcc", "\xe7\xa3\x81\xe7\x9b\x98"},
    {"GBK", "UTF-8", "\xe7\xa3\x81\xe7\x9b\x98", "\xe7\xa3\x81\xe7\x9b\x98"},
};

/* Values, the descriptor and the names of files come as UTF-8; the file is found by its name in
 * UTF-8. */
static void encodings(void** state) {
  size_t i;

  for (i = 0; i < COUNT(codings); ++i) {
    const struct coded* c = &codings[i];
    struct descriptor text = {0};
    vmdk_open_options options = default_options();
    const char* name = text_in(*state, "%s %u.bin", c->utf8, (unsigned)i);
    vmdk_disk* disk;
    (void)put_file(*state, name, pattern_bytes(1, 0, 4096));
    text.encoding = c->encoding;
    text.extents = text_in(*state, "RW 8 FLAT \"%s %u.bin\" 0\n", c->bytes, (unsigned)i);
    text.more = text_in(*state, "ddb.comment = \"%s!\"\n", c->bytes);
    options.encoding = c->override;
    disk = open_disk(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), &options);
    assert_string_equal(text_of(disk, 0, "ddb.comment"), text_in(*state, "%s!", c->utf8));
    assert_string_equal(text_of(disk, 0, "@extent.0"), path_in(*state, name));
    assert_contains(text_of(disk, 0, "@descriptor"), name);
    assert_ok(vmdk_close(disk));
  }
}

static void an_unknown_code_page(void** state) {
  const char* path = put_text(*state, "disk.vmdk", BEGIN "encoding=\"UTF-8\"\n" END);
  vmdk_open_options options = default_options();
  vmdk_status status;

  options.encoding = "no-such-code-page";
  status = try_open(path, &options);
  assert_true(status == VMDK_OK || status == VMDK_ERR_INVALID_ARGUMENT ||
              status == VMDK_ERR_UNSUPPORTED);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(two_calls),    TEST(a_buffer_that_is_too_small), TEST(failures), TEST(keys_in_any_case),
      TEST(special_keys), TEST(an_embedded_descriptor),     TEST(values),   TEST(all_keys_in_order),
      TEST(encodings),    TEST(an_unknown_code_page),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
