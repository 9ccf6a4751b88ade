/* SPDX-License-Identifier: MIT */
/* Looking at bytes without opening: vmdk_probe() and vmdk_list_references(). */
#include "support/archive.h"
#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"
#include "support/memory_io.h"

/* Probes a copy that ends where the bytes end, for a sanitizer to see what lies beyond. */
static vmdk_probe_result probe(const void* bytes, size_t size) {
  unsigned char* copy = allocate(size);
  vmdk_probe_result result;

  if (size > 0) memcpy(copy, bytes, size);
  memset(&result, 0xee, sizeof(result));
  result.struct_size = sizeof(result);
  assert_ok(vmdk_probe(copy, size, &result));
  assert_int_equal(result.struct_size, sizeof(result));
  assert_in_range(result.kind, VMDK_FILE_KIND_UNKNOWN, VMDK_FILE_KIND_TAR);
  assert_in_range(result.type, VMDK_TYPE_UNKNOWN, VMDK_TYPE_CUSTOM);
  assert_int_equal(result.flags & ~0xfu, 0);
  free(copy);
  return result;
}

static vmdk_probe_result probe_and_free(struct bytes bytes) {
  vmdk_probe_result result = probe(bytes.data, bytes.size);

  bytes_free(&bytes);
  return result;
}

static struct bytes magic(uint64_t value) {
  struct bytes bytes = {NULL, 0};

  bytes_set64(&bytes, 0, value);
  bytes_resize(&bytes, 4096);
  return bytes;
}

static struct sparse a_sparse(const struct descriptor* text) {
  struct sparse sparse = {0};

  sparse.sectors = 2048;
  sparse.grains = "DD.D";
  sparse.descriptor = text;
  return sparse;
}

static const struct descriptor embedded = {
    "monolithicSparse", 1, 0, NULL, NULL, "RW 2048 SPARSE \"disk.vmdk\"\n", NULL};
static const struct descriptor packed = {
    "streamOptimized", 1, 2, "parent.vmdk", NULL, "RW 2048 SPARSE \"disk.vmdk\"\n", NULL};
static const struct descriptor split = {
    "twoGbMaxExtentFlat",
    1,
    0,
    NULL,
    NULL,
    "RW 100 FLAT \"disk-f001.vmdk\" 0\nRDONLY 28 FLAT \"disk-f002.vmdk\" 0\nRW 2 ZERO\n",
    NULL};

static struct bytes a_tar(void) {
  struct bytes tar = {NULL, 0};

  tar_add(&tar, "a.ovf", bytes_text("<Envelope/>"), NULL);
  tar_end(&tar);
  return tar;
}

static void nothing(void** state) {
  vmdk_probe_result result;

  (void)state;
  memset(&result, 0, sizeof(result));
  result.struct_size = sizeof(result);
  assert_ok(vmdk_probe(NULL, 0, &result));
  assert_int_equal(result.kind, VMDK_FILE_KIND_EMPTY);
  assert_true(result.capacity == 0);
  assert_int_equal(probe("", 0).kind, VMDK_FILE_KIND_EMPTY);
  assert_int_equal(probe("\0", 1).kind, VMDK_FILE_KIND_UNKNOWN);
}

static void every_kind(void** state) {
  struct sparse plain = a_sparse(&embedded), compressed = a_sparse(&packed), bare = a_sparse(NULL);
  vmdk_probe_result result;

  (void)state;
  result = probe_and_free(descriptor_bytes(&split));
  assert_int_equal(result.kind, VMDK_FILE_KIND_DESCRIPTOR);
  assert_int_equal(result.type, VMDK_TYPE_SPLIT_FLAT);
  assert_int_equal(result.flags, VMDK_PROBE_HAS_DESCRIPTOR);
  assert_true(result.capacity == 130 * 512);

  result = probe_and_free(hosted_bytes(&plain, NULL));
  assert_int_equal(result.kind, VMDK_FILE_KIND_SPARSE);
  assert_int_equal(result.type, VMDK_TYPE_MONOLITHIC_SPARSE);
  assert_int_equal(result.flags, VMDK_PROBE_HAS_DESCRIPTOR);
  assert_true(result.capacity == MIB);

  result = probe_and_free(stream_bytes(&compressed, NULL));
  assert_int_equal(result.kind, VMDK_FILE_KIND_SPARSE);
  assert_int_equal(result.type, VMDK_TYPE_STREAM_OPTIMIZED);
  assert_int_equal(result.flags,
                   VMDK_PROBE_HAS_DESCRIPTOR | VMDK_PROBE_COMPRESSED | VMDK_PROBE_HAS_PARENT);
  assert_true(result.capacity == MIB);

  result = probe_and_free(hosted_bytes(&bare, NULL));
  assert_int_equal(result.kind, VMDK_FILE_KIND_SPARSE);
  assert_int_equal(result.type, VMDK_TYPE_UNKNOWN);
  assert_int_equal(result.flags, 0);
  assert_true(result.capacity == MIB);

  result = probe_and_free(cowd_bytes(&bare, NULL));
  assert_int_equal(result.kind, VMDK_FILE_KIND_COWD);
  assert_true(result.capacity == MIB);

  bare.grain_sectors = 8;
  result = probe_and_free(se_bytes(&bare));
  assert_int_equal(result.kind, VMDK_FILE_KIND_SE_SPARSE);
  assert_true(result.capacity == MIB);

  assert_int_equal(probe_and_free(magic(0xf61972a2)).kind, VMDK_FILE_KIND_TRACKING);
  assert_int_equal(probe_and_free(magic(0x766d646b)).kind, VMDK_FILE_KIND_UNFINISHED);
  assert_int_equal(probe_and_free(magic(0x12345678)).kind, VMDK_FILE_KIND_UNKNOWN);
  assert_int_equal(probe_and_free(pattern_bytes(1, 0, 70000)).kind, VMDK_FILE_KIND_UNKNOWN);
  assert_int_equal(probe_and_free(a_tar()).kind, VMDK_FILE_KIND_TAR);
  result = probe_and_free(
      bytes_text("# Disk DescriptorFile\nversion=4\nencryptionKeys=\"vmware:key\"\nRW 8 ZERO\n"));
  assert_int_equal(result.kind, VMDK_FILE_KIND_ENCRYPTED);
}

/* With bytes_needed of them there is nothing more to learn. */
static void bytes_needed(void** state) {
  struct sparse plain = a_sparse(&embedded), compressed = a_sparse(&packed);
  struct bytes files[3];
  size_t i;

  (void)state;
  files[0] = hosted_bytes(&plain, NULL);
  files[1] = stream_bytes(&compressed, NULL);
  files[2] = descriptor_bytes(&split);
  for (i = 0; i < COUNT(files); ++i) {
    vmdk_probe_result whole = probe(files[i].data, files[i].size), part;
    assert_true(whole.bytes_needed <= files[i].size);
    part = probe(files[i].data, (size_t)whole.bytes_needed);
    assert_memory_equal(&whole, &part, sizeof(whole));
    if (whole.kind == VMDK_FILE_KIND_SPARSE) {
      part = probe(files[i].data, (size_t)whole.bytes_needed - 1);
      assert_int_not_equal(part.flags & VMDK_PROBE_INCOMPLETE, 0);
      part = probe(files[i].data, 512);
      assert_int_not_equal(part.flags & VMDK_PROBE_INCOMPLETE, 0);
      assert_true(part.bytes_needed == whole.bytes_needed);
      assert_true(part.capacity == whole.capacity);
      part = probe(files[i].data, 100);
      assert_int_equal(part.kind, VMDK_FILE_KIND_SPARSE);
      assert_int_not_equal(part.flags & VMDK_PROBE_INCOMPLETE, 0);
      assert_true(part.bytes_needed > 100);
    }
    bytes_free(&files[i]);
  }
}

static int go_on(void* user, uint32_t kind, const char* name) {
  (void)user;
  (void)kind;
  return strlen(name) > 1000000;
}

/* Every beginning of every kind, and with each of the first bytes changed: no crash, nothing read
 * beyond. */
static void every_prefix(void** state) {
  struct sparse plain = a_sparse(&embedded), compressed = a_sparse(&packed), bare = a_sparse(NULL);
  struct bytes files[8];
  size_t i, size, at;

  (void)state;
  files[0] = descriptor_bytes(&split);
  files[1] = hosted_bytes(&plain, NULL);
  files[2] = stream_bytes(&compressed, NULL);
  files[3] = cowd_bytes(&bare, NULL);
  files[4] = se_bytes(&bare);
  files[5] = a_tar();
  files[6] = magic(0xf61972a2);
  files[7] = bytes_text(
      "\xef\xbb\xbf# Disk DescriptorFile\r\nversion=1\r\nRW 8 FLAT \"\" 0\r\nRW "
      "99999999999999999999 SPARSE\r\n"
      "parentCID=zz\r\nRW\r\n=\r\nRW 18014398509481984 ZERO\r\nRW 18014398509481984 ZERO\r\n");
  for (i = 0; i < COUNT(files); ++i) {
    for (size = 0; size <= 2048 && size <= files[i].size; ++size) {
      unsigned char* copy = allocate(size);
      if (size > 0) memcpy(copy, files[i].data, size);
      (void)probe(copy, size);
      (void)vmdk_list_references(copy, size, go_on, NULL);
      free(copy);
    }
    for (at = 0; at < 600 && at < files[i].size; ++at) {
      static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
      unsigned char before = files[i].data[at];
      size_t value;
      for (value = 0; value < COUNT(values); ++value) {
        files[i].data[at] = values[value];
        size = files[i].size < 4096 ? files[i].size : 4096;
        (void)probe(files[i].data, size);
        (void)vmdk_list_references(files[i].data, size, go_on, NULL);
      }
      files[i].data[at] = before;
    }
    bytes_free(&files[i]);
  }
}

/* -- References ----------------------------------------------------------- */

struct seen {
  char text[4096];
  int calls, stop_after;
};

static int take(void* user, uint32_t kind, const char* name) {
  static const char* const kinds[] = {"extent", "parent", "tracking"};
  struct seen* seen = user;
  size_t length = strlen(seen->text);

  assert_in_range(kind, VMDK_REFERENCE_EXTENT, VMDK_REFERENCE_TRACKING);
  (void)snprintf(seen->text + length, sizeof(seen->text) - length, "%s %s\n", kinds[kind], name);
  return ++seen->calls == seen->stop_after;
}

static vmdk_status list(const char* text, struct seen* seen) {
  size_t size = strlen(text);
  char* copy = allocate(size);
  vmdk_status status;

  memset(seen->text, 0, sizeof(seen->text));
  seen->calls = 0;
  memcpy(copy, text, size);
  status = vmdk_list_references(copy, size, take, seen);
  free(copy);
  return status;
}

#define BEGIN "# Disk DescriptorFile\nversion=1\nCID=1\n"

static void references(void** state) {
  struct seen seen = {{0}, 0, 0};

  (void)state;
  assert_ok(list(BEGIN
                 "parentCID=2\nparentFileNameHint=\"../base/x.vmdk\"\nRW 8 FLAT \"/etc/passwd\" 0\n"
                 "RW 8 ZERO\nRW 8 SPARSE \"a \"b\".vmdk\"\nNOACCESS 8 FLAT \"c\" "
                 "0\nchangeTrackPath=\"x-ctk.vmdk\"\n",
                 &seen));
  assert_string_equal(seen.text,
                      "parent ../base/x.vmdk\nextent /etc/passwd\nextent a \"b\".vmdk\nextent c\n"
                      "tracking x-ctk.vmdk\n");
  assert_ok(list(BEGIN "RW 8 ZERO\n", &seen));
  assert_int_equal(seen.calls, 0);
  /* The names of another code page come as UTF-8. */
  assert_ok(list(BEGIN "encoding=\"GBK\"\nRW 8 FLAT \"\xb4\xc5\xc5\xcc\" 0\n", &seen));
  assert_string_equal(seen.text, "extent \xe7\xa3\x81\xe7\x9b\x98\n");
}

static void parent_extents_tracking_in_this_order(void** state) {
  struct seen seen = {{0}, 0, 0};

  (void)state;
  assert_ok(list(BEGIN "changeTrackPath=\"x-ctk.vmdk\"\nRW 8 FLAT \"a\" "
                       "0\nparentCID=2\nparentFileNameHint=\"p.vmdk\"\n"
                       "RW 8 FLAT \"b\" 0\n",
                 &seen));
  assert_string_equal(seen.text, "parent p.vmdk\nextent a\nextent b\ntracking x-ctk.vmdk\n");
}

static void embedded_references(void** state) {
  struct sparse compressed = a_sparse(&packed), bare = a_sparse(NULL);
  struct bytes file = stream_bytes(&compressed, NULL);
  struct seen seen = {{0}, 0, 0};

  (void)state;
  assert_ok(vmdk_list_references(file.data, file.size, take, &seen));
  assert_string_equal(seen.text, "parent parent.vmdk\nextent disk.vmdk\n");
  bytes_free(&file);
  file = hosted_bytes(&bare, NULL);
  assert_status(vmdk_list_references(file.data, file.size, take, &seen), VMDK_ERR_NOT_VMDK);
  bytes_free(&file);
}

static void cancelled(void** state) {
  const char* text = BEGIN "RW 8 FLAT \"a\" 0\nRW 8 FLAT \"b\" 0\nRW 8 FLAT \"c\" 0\n";
  struct seen seen = {{0}, 0, 1};

  (void)state;
  for (seen.stop_after = 1; seen.stop_after <= 3; ++seen.stop_after) {
    assert_status(list(text, &seen), VMDK_ERR_CANCELLED);
    assert_int_equal(seen.calls, seen.stop_after);
  }
  assert_ok(list(text, &seen));
  assert_int_equal(seen.calls, 3);
}

static void no_references(void** state) {
  static const struct {
    const char* text;
    vmdk_status status;
  } cases[] = {
      {"", VMDK_ERR_NOT_VMDK},
      {"hello", VMDK_ERR_NOT_VMDK},
      {"KDMV", VMDK_ERR_NOT_VMDK},
      {"<Envelope/>", VMDK_ERR_NOT_VMDK},
      {BEGIN "encryptionKeys=\"x\"\nRW 8 FLAT \"a\" 0\n", VMDK_ERR_ENCRYPTED},
      {BEGIN "RW x FLAT \"a\" 0\n", VMDK_ERR_CORRUPT},
      {BEGIN "RW 8 FLAT\n", VMDK_ERR_CORRUPT},
      {BEGIN "RW 8 UNHEARDOF \"a\" 0\n", VMDK_ERR_UNSUPPORTED},
      {"# Disk DescriptorFile\nversion=9\n", VMDK_ERR_UNSUPPORTED},
      {BEGIN "createType=\"unheardOf\"\n", VMDK_ERR_UNSUPPORTED},
  };
  struct seen seen = {{0}, 0, 0};
  struct bytes large;
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_status status = list(cases[i].text, &seen);
    if (status != cases[i].status) print_error("\"%s\": %d\n", cases[i].text, (int)status);
    assert_int_equal(status, cases[i].status);
    assert_true(is_clean_line(vmdk_last_error()->message));
  }
  assert_status(vmdk_list_references(NULL, 0, take, &seen), VMDK_ERR_NOT_VMDK);
  large = bytes_text(BEGIN);
  i = large.size;
  bytes_resize(&large, 16 * MIB + 1);
  memset(large.data + i, '#', large.size - i);
  assert_status(vmdk_list_references(large.data, large.size, take, &seen), VMDK_ERR_LIMIT);
  bytes_free(&large);
}

/* What vmdk_open() asks for is what was listed, as it stands or by other spellings of it. */
static void nothing_else_is_opened(void** state) {
  struct descriptor text = {0};
  struct memory_io memory;
  struct memory_name* asked;
  vmdk_open_options options = default_options();

  (void)state;
  memory_init(&memory);
  text.extents = "RW 8 FLAT \"a.bin\" 0\nRW 8 FLAT \"b.bin\" 0\n";
  text.more = "changeTrackPath=\"d-ctk.vmdk\"\n";
  memory_put(&memory, "d.vmdk", descriptor_bytes(&text));
  memory_put(&memory, "a.bin", pattern_bytes(1, 0, 4096));
  memory_put(&memory, "b.bin", pattern_bytes(1, 0, 4096));
  memory_put(&memory, "d-ctk.vmdk", pattern_bytes(1, 0, 4096));
  options.io = &memory.io;
  assert_ok(try_open("d.vmdk", &options));
  for (asked = memory.names; asked != NULL; asked = asked->next)
    assert_true(strcmp(asked->name, "d.vmdk") == 0 || strcmp(asked->name, "a.bin") == 0 ||
                strcmp(asked->name, "b.bin") == 0);
  memory_free(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing),
      cmocka_unit_test(every_kind),
      cmocka_unit_test(bytes_needed),
      cmocka_unit_test(every_prefix),
      cmocka_unit_test(references),
      cmocka_unit_test(parent_extents_tracking_in_this_order),
      cmocka_unit_test(embedded_references),
      cmocka_unit_test(cancelled),
      cmocka_unit_test(no_references),
      cmocka_unit_test(nothing_else_is_opened),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
