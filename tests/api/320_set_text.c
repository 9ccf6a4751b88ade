/* SPDX-License-Identifier: MIT */
/* vmdk_set_text(): the new descriptor is the old one byte for byte but for the key, and is there at
 * once or not at all. */
#define _XOPEN_SOURCE 700 /* lstat, readlink, getuid */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"
#include "support/recording_io.h"

#define SECTOR 512u
#define HEAD \
  "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType=\"vmfs\"\n"
#define LINE "RW 8 ZERO\nRW 8 VMFS \"x.bin\"\n"

static vmdk_disk* open_to_write(const vmdk_io* io, const char* name) {
  vmdk_open_options options = default_options();

  options.flags = VMDK_OPEN_WRITE;
  options.io = io;
  return open_disk(name, &options);
}

/* ---- Texts ---- */

static void test_edits(void** state) {
  static const struct {
    const char *before, *key, *value, *after;
  } cases[] = {
      /* Replaced. */
      {"ddb.a = \"1\"\n", "ddb.a", "2", "ddb.a = \"2\"\n"},
      {"ddb.a = \"1\"\n", "ddb.a", "", "ddb.a = \"\"\n"},
      {"ddb.a = \"1\"\n", "DDB.A", "long value", "ddb.a = \"long value\"\n"},
      {"ddb.a=1\n", "ddb.a", "2", "ddb.a=\"2\"\n"},
      {" \tddb.a\t =\t \"1\" \t\nddb.b = \"x\"\n", "ddb.a", "2",
       " \tddb.a\t =\t \"2\"\nddb.b = \"x\"\n"},
      {"ddb.a = \"1\"\r\nddb.b = \"x\"\r\n", "ddb.a", "2", "ddb.a = \"2\"\r\nddb.b = \"x\"\r\n"},
      {"ddb.a = \"1\"", "ddb.a", "22", "ddb.a = \"22\""},
      {"ddb.a = \"1\"\n\n\n# end\n", "ddb.a", "a=b # c", "ddb.a = \"a=b # c\"\n\n\n# end\n"},
      {"ddb.a = \"1\"\nddb.b = \"2\"\nddb.a = \"3\"\n", "ddb.a", "4",
       "ddb.a = \"1\"\nddb.b = \"2\"\nddb.a = \"4\"\n"},
      /* Inserted. */
      {"ddb.a = \"1\"\n", "ddb.b", "2", "ddb.a = \"1\"\nddb.b = \"2\"\n"},
      {"ddb.a = \"1\"\n# end\n", "ddb.b", "2", "ddb.a = \"1\"\nddb.b = \"2\"\n# end\n"},
      {"ddb.a = \"1\"", "ddb.b", "2", "ddb.a = \"1\"\nddb.b = \"2\"\n"},
      {"# DDB\n", "ddb.b", "2", "# DDB\nddb.b = \"2\"\n"},
      {"# DDB", "ddb.B-c_0.x", "2", "# DDB\nddb.B-c_0.x = \"2\"\n"},
      {"", "ddb.b", "2", "ddb.b = \"2\"\n"},
      {"ddb.a = \"1\"\n", "ddb.comment", "gr\xc3\xbc\xc3\x9f dich",
       "ddb.a = \"1\"\nddb.comment = \"gr\xc3\xbc\xc3\x9f dich\"\n"},
      /* Removed. */
      {"ddb.a = \"1\"\nddb.b = \"2\"\n", "ddb.a", NULL, "ddb.b = \"2\"\n"},
      {"ddb.a = \"1\"\r\nddb.b = \"2\"\r\n", "ddb.b", NULL, "ddb.a = \"1\"\r\n"},
      {"ddb.a = \"1\"\nddb.b = \"2\"", "ddb.b", NULL, "ddb.a = \"1\"\n"},
      {"ddb.a = 1\nddb.b = 2\nDDB.A = 3\n\n", "ddb.a", NULL, "ddb.b = 2\n\n"},
      {"ddb.a = \"1\"\n", "ddb.b", NULL, "ddb.a = \"1\"\n"},
      {"# ddb.a = \"1\"\n", "ddb.a", NULL, "# ddb.a = \"1\"\n"},
  };
  static const char* const fronts[] = {"", "\xef\xbb\xbf"};
  size_t i, f;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    for (f = 0; f < COUNT(fronts); ++f) {
      char before[512], after[512];
      struct recording_io io;
      vmdk_disk* disk;
      struct bytes got;

      recording_io_init(&io);
      (void)snprintf(before, sizeof(before), "%s" HEAD LINE "%s", fronts[f], cases[i].before);
      (void)snprintf(after, sizeof(after), "%s" HEAD LINE "%s", fronts[f], cases[i].after);
      store_put(&io.store, "disk.vmdk", bytes_text(before));
      store_put(&io.store, "x.bin", pattern_bytes(1, 0, 8 * SECTOR));
      disk = open_to_write(&io.io, "disk.vmdk");
      assert_ok(vmdk_set_text(disk, cases[i].key, cases[i].value));
      got = store_get(&io.store, "disk.vmdk");
      if (got.size != strlen(after) || memcmp(got.data, after, got.size) != 0)
        fail_msg("case %zu:\n%.*s", i, (int)got.size, (const char*)got.data);
      bytes_free(&got);
      /* The handle knows it. */
      if (cases[i].value != NULL)
        assert_string_equal(text_of(disk, 0, cases[i].key), cases[i].value);
      else
        assert_status(vmdk_get_text(disk, 0, cases[i].key, NULL, 0, &got.size), VMDK_ERR_NOT_FOUND);
      assert_int_equal(info_of(disk, 0).cid, 0x12345678);
      /* Again, and nothing is written. */
      io.writes = 0;
      assert_ok(vmdk_set_text(disk, cases[i].key, cases[i].value));
      assert_int_equal(io.writes, 0);
      assert_ok(vmdk_close(disk));
      assert_int_equal(store_names(&io.store), 2);
      disk = open_to_write(&io.io, "disk.vmdk");
      if (cases[i].value != NULL)
        assert_string_equal(text_of(disk, 0, cases[i].key), cases[i].value);
      /* And the first write still finds its content ID. */
      assert_ok(vmdk_set_text(disk, "ddb.other", "v"));
      assert_ok(vmdk_write_at(disk, "a", 1, 8 * SECTOR));
      assert_int_not_equal(info_of(disk, 0).cid, 0x12345678);
      assert_ok(vmdk_set_text(disk, "ddb.other", NULL));
      assert_ok(vmdk_close(disk));
      assert_int_equal(io.wrong, 0);
      assert_int_equal(recording_io_open_files(&io), 0);
      recording_io_free(&io);
    }
  }
}

static void test_refused(void** state) {
  static char huge[5000];
  static const struct {
    const char *key, *value;
  } cases[] = {
      {"CID", "12345678"},
      {"createType", "vmfs"},
      {"parentFileNameHint", "x"},
      {"ddb.", "x"},
      {"ddb", "x"},
      {"", "x"},
      {"@path", "x"},
      {"ddb.a b", "x"},
      {"ddb.a=b", "x"},
      {"ddb.a\n", "x"},
      {"ddb.\xc3\xbc", "x"},
      {"xddb.a", "x"},
      {"ddb.a", "say \"x\""},
      {"ddb.a", "two\nlines"},
      {"ddb.a", "\r"},
      {"ddb.a", "tab\t"},
      {"ddb.a", "\x7f"},
      {"ddb.a", "not \xff UTF-8"},
      {"ddb.a", huge},
      {"createType", NULL},
      {"ddb.a b", NULL},
  };
  struct recording_io io;
  vmdk_disk* disk;
  uint64_t hash;
  size_t i;

  (void)state;
  memset(huge, 'x', sizeof(huge) - 1);
  recording_io_init(&io);
  store_put(&io.store, "disk.vmdk", bytes_text(HEAD LINE "ddb.a = \"1\"\n"));
  store_put(&io.store, "x.bin", pattern_bytes(1, 0, 8 * SECTOR));
  hash = store_hash(&io.store);
  disk = open_to_write(&io.io, "disk.vmdk");
  for (i = 0; i < COUNT(cases); ++i) {
    assert_status(vmdk_set_text(disk, cases[i].key, cases[i].value), VMDK_ERR_INVALID_ARGUMENT);
    assert_true(is_clean_line(vmdk_last_error()->message));
  }
  assert_status(vmdk_set_text(disk, NULL, "x"), VMDK_ERR_INVALID_ARGUMENT);
  assert_string_equal(text_of(disk, 0, "ddb.a"), "1");
  assert_ok(vmdk_close(disk));
  assert_true(store_hash(&io.store) == hash);
  recording_io_free(&io);
}

/* A value that the descriptor's code page may not have. */
static void test_code_page(void** state) {
  static const struct {
    const char *line, *option;
    vmdk_status status;
  } cases[] = {
      {"", NULL, VMDK_OK},
      {"encoding=\"UTF-8\"\n", NULL, VMDK_OK},
      {"encoding=\"utf-8\"\n", NULL, VMDK_OK},
      {"encoding=\"GBK\"\n", NULL, VMDK_ERR_INVALID_ARGUMENT},
      {"encoding=\"windows-1252\"\n", NULL, VMDK_ERR_INVALID_ARGUMENT},
      {"encoding=\"GBK\"\n", "UTF-8", VMDK_OK},
      {"", "GBK", VMDK_ERR_INVALID_ARGUMENT},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_open_options options = default_options();
    struct recording_io io;
    vmdk_disk* disk;
    char text[512];

    recording_io_init(&io);
    (void)snprintf(text, sizeof(text), HEAD "%s" LINE, cases[i].line);
    store_put(&io.store, "disk.vmdk", bytes_text(text));
    store_put(&io.store, "x.bin", pattern_bytes(1, 0, 8 * SECTOR));
    options.flags = VMDK_OPEN_WRITE;
    options.io = &io.io;
    options.encoding = cases[i].option;
    disk = open_disk("disk.vmdk", &options);
    assert_status(vmdk_set_text(disk, "ddb.a", "\xc3\xa9"), cases[i].status);
    if (cases[i].status == VMDK_OK) assert_string_equal(text_of(disk, 0, "ddb.a"), "\xc3\xa9");
    assert_ok(vmdk_set_text(disk, "ddb.a", "ascii"));
    assert_ok(vmdk_close(disk));
    recording_io_free(&io);
  }
}

/* ---- Inside an extent ---- */

/* A monolithicSparse file whose descriptor has a room of that many sectors; what the text leaves of
 * it holds `rest`. */
static void put_embedded(struct recording_io* io, size_t sectors, const char* text, int rest) {
  struct sparse sparse = {0};
  struct descriptor any = {0};
  struct bytes filler = {NULL, 0}, file;

  while (filler.size + 5 * SECTOR < sectors * SECTOR) bytes_print(&filler, "# %0508d\n", 0);
  bytes_append(&filler, "", 1);
  any.more = (const char*)filler.data;
  sparse.sectors = 1024;
  sparse.grains = "D.D";
  sparse.seed = 1;
  sparse.descriptor = &any;
  file = hosted_bytes(&sparse, NULL);
  assert_true((file.data[36] | file.data[37] << 8) >= (int)sectors);
  bytes_set64(&file, 36, sectors);
  memset(file.data + SECTOR, rest, sectors * SECTOR);
  assert_true(strlen(text) <= sectors * SECTOR);
  memcpy(file.data + SECTOR, text, strlen(text));
  if (strlen(text) < sectors * SECTOR) file.data[SECTOR + strlen(text)] = 0;
  store_put(&io->store, "disk.vmdk", file);
  bytes_free(&filler);
}

#define SPARSE_HEAD                                                                                \
  "# Disk "                                                                                        \
  "DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType=\"monolithicSparse\"\n" \
  "RW 1024 SPARSE \"disk.vmdk\"\n"

static void check_data(vmdk_disk* disk) {
  static unsigned char model[1024 * SECTOR];
  struct sparse sparse = {0};

  sparse.sectors = 1024;
  sparse.grains = "D.D";
  sparse.seed = 1;
  model_put(model, sizeof(model), &sparse);
  assert_content(disk, model, sizeof(model), sizeof(model));
}

static void test_embedded(void** state) {
  static const int rests[] = {0, 'x'};
  static const size_t lengths[] = {0, 1, 300, 400, 700, 1200, 2000, 3300};
  size_t r, i;

  (void)state;
  for (r = 0; r < COUNT(rests); ++r) {
    struct recording_io io;
    vmdk_disk* disk;
    uint64_t size, room = 8 * SECTOR;
    struct bytes before, after;

    recording_io_init(&io);
    put_embedded(&io, 8, SPARSE_HEAD "ddb.z = \"last\"\n", rests[r]);
    before = store_get(&io.store, "disk.vmdk");
    size = before.size;
    disk = open_to_write(&io.io, "disk.vmdk");
    for (i = 0; i < 2 * COUNT(lengths); ++i) {
      /* Longer and longer, then back. */
      size_t length = lengths[i < COUNT(lengths) ? i : 2 * COUNT(lengths) - 1 - i];
      char value[4000], text[8000];
      memset(value, 'a' + (int)i, length);
      value[length] = 0;
      (void)snprintf(text, sizeof(text), SPARSE_HEAD "ddb.z = \"last\"\nddb.v = \"%s\"\n", value);
      assert_ok(vmdk_set_text(disk, "ddb.v", value));
      assert_string_equal(text_of(disk, 0, "ddb.v"), value);
      after = store_get(&io.store, "disk.vmdk");
      assert_int_equal(after.size, size);
      assert_same_bytes(after.data, before.data, SECTOR); /* the header points home again */
      assert_same_bytes(after.data + SECTOR, text, strlen(text) + 1);
      assert_same_bytes(after.data + SECTOR + room, before.data + SECTOR + room,
                        after.size - SECTOR - (size_t)room);
      bytes_free(&after);
      {
        vmdk_open_options options = default_options();
        vmdk_disk* other;
        options.io = &io.io;
        other = open_disk("disk.vmdk", &options);
        assert_string_equal(text_of(other, 0, "ddb.v"), value);
        assert_string_equal(text_of(other, 0, "@descriptor"), text);
        assert_ok(vmdk_close(other));
      }
    }
    check_data(disk);
    assert_ok(vmdk_set_text(disk, "ddb.v", NULL));
    assert_ok(vmdk_write_at(disk, "a", 1, 70000));
    assert_ok(vmdk_set_text(disk, "ddb.v", "between a write and its flush, more than a sector"));
    assert_ok(vmdk_flush(disk));
    assert_ok(vmdk_close(disk));
    disk = open_to_write(&io.io, "disk.vmdk");
    {
      char byte = 0;
      assert_ok(vmdk_read_at(disk, &byte, 1, 70000));
      assert_int_equal(byte, 'a');
    }
    assert_ok(vmdk_close(disk));
    bytes_free(&before);
    recording_io_free(&io);
  }
}

/* To the last byte of the room, and not one more. */
static void test_full_room(void** state) {
  struct recording_io io;
  size_t room = 4 * SECTOR, fixed = strlen(SPARSE_HEAD "ddb.v = \"\"\n"), most = room - fixed;
  char value[4 * SECTOR];
  vmdk_disk* disk;
  uint64_t hash;

  (void)state;
  recording_io_init(&io);
  put_embedded(&io, 4, SPARSE_HEAD, 0);
  disk = open_to_write(&io.io, "disk.vmdk");
  memset(value, 'v', sizeof(value));
  value[most + 1] = 0;
  hash = store_hash(&io.store);
  assert_status(vmdk_set_text(disk, "ddb.v", value), VMDK_ERR_LIMIT);
  assert_true(store_hash(&io.store) == hash);
  value[most] = 0;
  assert_ok(vmdk_set_text(disk, "ddb.v", value));
  assert_string_equal(text_of(disk, 0, "ddb.v"), value);
  assert_status(vmdk_set_text(disk, "ddb.w", ""), VMDK_ERR_LIMIT);
  assert_ok(vmdk_close(disk));
  disk = open_to_write(&io.io, "disk.vmdk");
  assert_string_equal(text_of(disk, 0, "ddb.v"), value);
  assert_ok(vmdk_write_at(disk, "a", 1, 0));
  value[most - 1] = 0;
  assert_ok(vmdk_set_text(disk, "ddb.v", value));
  assert_ok(vmdk_close(disk));
  disk = open_to_write(&io.io, "disk.vmdk");
  assert_string_equal(text_of(disk, 0, "ddb.v"), value);
  assert_ok(vmdk_close(disk));
  recording_io_free(&io);
}

/* ---- Without what it needs, and failures ---- */

static void test_no_rename(void** state) {
  struct recording_io io;
  vmdk_disk* disk;
  uint64_t hash;

  (void)state;
  recording_io_init(&io);
  store_put(&io.store, "disk.vmdk", bytes_text(HEAD LINE "ddb.a = \"1\"\n"));
  store_put(&io.store, "x.bin", pattern_bytes(1, 0, 8 * SECTOR));
  io.io.rename = NULL;
  hash = store_hash(&io.store);
  disk = open_to_write(&io.io, "disk.vmdk");
  assert_status(vmdk_set_text(disk, "ddb.a", "22"), VMDK_ERR_UNSUPPORTED);
  assert_contains(vmdk_last_error()->message, "rename");
  assert_string_equal(text_of(disk, 0, "ddb.a"), "1");
  assert_true(store_hash(&io.store) == hash);
  assert_ok(vmdk_write_at(disk, "a", 1, 8 * SECTOR));
  assert_ok(vmdk_close(disk));
  recording_io_free(&io);
}

/* Each call fails once: the old text or the new one, and nothing left over. */
static void test_failures(void** state) {
  static const int errors[] = {EIO, ENOSPC};
  size_t e;
  int embedded;

  (void)state;
  for (embedded = 0; embedded < 2; ++embedded) {
    for (e = 0; e < COUNT(errors); ++e) {
      int failed = 1;
      long n;
      for (n = 1; failed; ++n) {
        struct recording_io io;
        vmdk_disk* disk;
        vmdk_status status;
        const char* now;
        char value[1500];

        memset(value, 'n', sizeof(value));
        value[sizeof(value) - 1] = 0;
        recording_io_init(&io);
        if (embedded) {
          put_embedded(&io, 8, SPARSE_HEAD "ddb.a = \"old\"\n", 0);
        } else {
          store_put(&io.store, "disk.vmdk", bytes_text(HEAD LINE "ddb.a = \"old\"\n"));
          store_put(&io.store, "x.bin", pattern_bytes(1, 0, 8 * SECTOR));
        }
        disk = open_to_write(&io.io, "disk.vmdk");
        recording_io_fail(&io, CALL_CHANGES | CALL_OPEN | CALL_READ, n, 1, errors[e]);
        status = vmdk_set_text(disk, "ddb.a", value);
        failed = io.failed > 0;
        recording_io_fail(&io, 0, 0, 0, 0);
        assert_int_equal(status != VMDK_OK, failed);
        if (!failed) assert_string_equal(text_of(disk, 0, "ddb.a"), value);
        status = vmdk_close(disk);
        if (status != VMDK_OK) assert_int_equal(status, VMDK_ERR_POISONED);
        disk = open_to_write(&io.io, "disk.vmdk");
        now = text_of(disk, 0, "ddb.a");
        assert_true(strcmp(now, "old") == 0 || strcmp(now, value) == 0);
        if (embedded) check_data(disk);
        assert_ok(vmdk_set_text(disk, "ddb.a", "again"));
        assert_string_equal(text_of(disk, 0, "ddb.a"), "again");
        assert_ok(vmdk_close(disk));
        assert_int_equal(store_names(&io.store), embedded ? 1 : 2);
        assert_int_equal(recording_io_open_files(&io), 0);
        assert_int_equal(io.wrong, 0);
        recording_io_free(&io);
      }
      assert_true(n > 4);
    }
  }
}

/* ---- Local files ---- */

static const char* put_local(struct folder* folder) {
  put_file(folder, "x.bin", pattern_bytes(1, 0, 8 * SECTOR));
  return put_text(folder, "real.vmdk", HEAD LINE "ddb.a = \"1\"\n");
}

static void test_link_stays(void** state) {
  struct folder* folder = *state;
  const char *real = put_local(folder), *path = put_symlink(folder, "disk.vmdk", "real.vmdk");
  vmdk_disk* disk;
  struct stat st, after;

  assert_int_equal(chmod(real, 0640), 0);
  assert_int_equal(stat(real, &st), 0);
  disk = open_to_write(NULL, path);
  assert_ok(vmdk_set_text(disk, "ddb.a", "new"));
  /* The new file is locked as the old one was. */
  assert_status(try_open(path, NULL), VMDK_ERR_LOCKED);
  assert_ok(vmdk_set_text(disk, "ddb.a", "newer"));
  assert_ok(vmdk_write_at(disk, "a", 1, 8 * SECTOR));
  assert_ok(vmdk_close(disk));
  assert_int_equal(lstat(path, &after), 0);
  assert_true(S_ISLNK(after.st_mode));
  assert_int_equal(lstat(real, &after), 0);
  assert_true(S_ISREG(after.st_mode));
  assert_int_equal(after.st_mode & 07777, 0640);
  assert_int_equal(after.st_uid, st.st_uid);
  disk = open_disk(path, NULL);
  assert_string_equal(text_of(disk, 0, "ddb.a"), "newer");
  assert_int_not_equal(info_of(disk, 0).cid, 0x12345678);
  assert_ok(vmdk_close(disk));
}

/* A descriptor that somebody has put another file in the place of is not overwritten. */
static void test_replaced_meanwhile(void** state) {
  struct folder* folder = *state;
  const char* real = put_local(folder);
  vmdk_disk* disk = open_to_write(NULL, real);
  struct bytes bytes;

  assert_int_equal(rename(put_text(folder, "other", "something else"), real), 0);
  assert_status(vmdk_set_text(disk, "ddb.a", "new"), VMDK_ERR_IO);
  assert_contains(vmdk_last_error()->message, "replaced");
  bytes = read_file(real);
  assert_int_equal(bytes.size, 14);
  bytes_free(&bytes);
  assert_string_equal(text_of(disk, 0, "ddb.a"), "1");
  assert_ok(vmdk_close(disk));
}

static void test_no_access(void** state) {
  struct folder* folder = *state;
  const char* real = put_local(folder);
  vmdk_disk* disk = open_to_write(NULL, real);

  if (getuid() == 0) {
    assert_ok(vmdk_close(disk));
    skip(); /* who may do everything */
  }
  assert_int_equal(chmod(folder_path(folder), 0500), 0);
  assert_status(vmdk_set_text(disk, "ddb.a", "new"), VMDK_ERR_ACCESS);
  assert_int_equal(chmod(folder_path(folder), 0700), 0);
  assert_string_equal(text_of(disk, 0, "ddb.a"), "1");
  assert_ok(vmdk_set_text(disk, "ddb.a", "new"));
  assert_ok(vmdk_close(disk));
}

/* The keys of a link stand before those of its parents. */
static void test_chain(void** state) {
  struct recording_io io;
  vmdk_snapshot_options options;
  vmdk_create_options create;
  vmdk_open_options open = default_options();
  vmdk_disk* disk;
  uint32_t keys;
  char key[64];
  size_t size;

  (void)state;
  recording_io_init(&io);
  memset(&create, 0, sizeof(create));
  create.struct_size = sizeof(create);
  create.capacity = MIB;
  create.io = &io.io;
  assert_ok(vmdk_create("base.vmdk", &create));
  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  open.io = &io.io;
  options.open = &open;
  assert_ok(vmdk_snapshot("base.vmdk", "child.vmdk", &options));
  disk = open_to_write(&io.io, "child.vmdk");
  keys = info_of(disk, 0).key_count;
  assert_ok(vmdk_set_text(disk, "ddb.toolsVersion", "12"));
  assert_int_equal(info_of(disk, 0).key_count, keys + 1);
  assert_ok(vmdk_get_key(disk, 0, keys, key, sizeof(key), &size));
  assert_string_equal(key, "ddb.toolsVersion");
  assert_status(vmdk_get_text(disk, 1, "ddb.toolsVersion", NULL, 0, &size), VMDK_ERR_NOT_FOUND);
  assert_ok(vmdk_set_text(disk, "ddb.adapterType", "ide"));
  assert_int_equal(info_of(disk, 0).adapter, VMDK_ADAPTER_IDE);
  assert_int_equal(info_of(disk, 1).adapter, VMDK_ADAPTER_LSILOGIC);
  assert_ok(vmdk_set_text(disk, "ddb.adapterType", NULL));
  assert_int_equal(info_of(disk, 0).adapter, VMDK_ADAPTER_LSILOGIC);
  assert_ok(vmdk_close(disk));
  recording_io_free(&io);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_edits),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_code_page),
      cmocka_unit_test(test_embedded),
      cmocka_unit_test(test_full_room),
      cmocka_unit_test(test_no_rename),
      cmocka_unit_test(test_failures),
      cmocka_unit_test_setup_teardown(test_link_stays, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(test_replaced_meanwhile, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(test_no_access, folder_setup, folder_teardown),
      cmocka_unit_test(test_chain),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
