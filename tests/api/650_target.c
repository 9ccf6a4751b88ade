/* SPDX-License-Identifier: MIT */
/* vmdk_check_target(): what is told, to whom, and when nothing is. unit.target has every rule. */
#include <errno.h>

#include "support/archive.h"
#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"
#include "support/memory_io.h"

#define SECTORS 300

/* What was told. */
struct told {
  int calls;
  int stop_at; /* call that stops; 0 = none */
  char reasons[2000], hints[2000];
};

static void append(char* to, size_t room, const char* text) {
  size_t used = strlen(to);

  assert_true(used + strlen(text) + 2 < room);
  (void)snprintf(to + used, room - used, "%s\n", text);
}

static int take(void* user, const char* reason, const char* hint) {
  struct told* told = user;

  assert_true(*reason != '\0' && is_clean_line(reason) && is_clean_line(hint));
  append(told->reasons, sizeof(told->reasons), reason);
  append(told->hints, sizeof(told->hints), hint);
  return ++told->calls == told->stop_at;
}

static struct told ask(vmdk_disk* disk, uint32_t target) {
  struct told told;

  memset(&told, 0, sizeof(told));
  assert_ok(vmdk_check_target(disk, target, take, &told));
  return told;
}

static void assert_good(vmdk_disk* disk, uint32_t target) {
  struct told told = ask(disk, target);

  if (told.calls != 0) fail_msg("target %u: %s", (unsigned)target, told.reasons);
}

/* One reason with `reason` in it. */
static void assert_refused(vmdk_disk* disk, uint32_t target, const char* reason, const char* hint) {
  struct told told = ask(disk, target);

  assert_int_equal(told.calls, 1);
  assert_contains(told.reasons, reason);
  assert_contains(told.hints, hint);
}

static const char* create(struct folder* folder, const char* name, uint32_t type, uint32_t adapter,
                          uint32_t flags) {
  const char* path = path_in(folder, name);
  vmdk_create_options options;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.type = type;
  options.capacity = 3 * MIB;
  options.adapter = adapter;
  options.flags = flags;
  if (vmdk_create(path, &options) != VMDK_OK) fail_msg("%s: %s", path, vmdk_last_error()->message);
  return path;
}

static struct bytes stream(void) {
  struct descriptor text = {0};
  struct sparse sparse = {0};

  text.type = "streamOptimized";
  text.extents = "RW 300 SPARSE \"disk.vmdk\"\n";
  text.more = "ddb.adapterType = \"lsilogic\"\n";
  sparse.sectors = SECTORS;
  sparse.grains = "D.D";
  sparse.seed = 1;
  sparse.descriptor = &text;
  return stream_bytes(&sparse, NULL);
}

static void arguments(void** state) {
  vmdk_disk* disk = open_disk(create(*state, "disk.vmdk", VMDK_TYPE_MONOLITHIC_SPARSE, 0, 0), NULL);
  static const uint32_t none[] = {VMDK_TARGET_NONE, VMDK_TARGET_AWS + 1, UINT32_MAX};
  struct told told;
  size_t i;

  memset(&told, 0, sizeof(told));
  assert_status(vmdk_check_target(NULL, VMDK_TARGET_OVA, take, &told), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_check_target(disk, VMDK_TARGET_OVA, NULL, &told), VMDK_ERR_INVALID_ARGUMENT);
  for (i = 0; i < COUNT(none); ++i) {
    assert_status(vmdk_check_target(disk, none[i], take, &told), VMDK_ERR_INVALID_ARGUMENT);
    assert_contains(vmdk_last_error()->message, "target");
  }
  assert_int_equal(told.calls, 0);
  assert_ok(vmdk_check_target(disk, VMDK_TARGET_QEMU, take, NULL)); /* is not called */
  assert_ok(vmdk_close(disk));
}

static void good_disks(void** state) {
  static const struct {
    uint32_t target, type;
  } cases[] = {
      {VMDK_TARGET_WORKSTATION, VMDK_TYPE_MONOLITHIC_SPARSE},
      {VMDK_TARGET_WORKSTATION, VMDK_TYPE_SPLIT_SPARSE},
      {VMDK_TARGET_WORKSTATION, VMDK_TYPE_MONOLITHIC_FLAT},
      {VMDK_TARGET_WORKSTATION, VMDK_TYPE_SPLIT_FLAT},
      {VMDK_TARGET_FUSION, VMDK_TYPE_MONOLITHIC_SPARSE},
      {VMDK_TARGET_ESXI, VMDK_TYPE_VMFS},
      {VMDK_TARGET_ESXI, VMDK_TYPE_VMFS_THIN},
      {VMDK_TARGET_ESXI, VMDK_TYPE_VMFS_SPARSE},
      {VMDK_TARGET_VIRTUALBOX, VMDK_TYPE_MONOLITHIC_SPARSE},
      {VMDK_TARGET_VIRTUALBOX, VMDK_TYPE_VMFS},
      {VMDK_TARGET_QEMU, VMDK_TYPE_MONOLITHIC_SPARSE},
      {VMDK_TARGET_QEMU, VMDK_TYPE_SPLIT_FLAT},
      {VMDK_TARGET_QEMU, VMDK_TYPE_VMFS_SPARSE},
  };
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_disk* disk = open_disk(
        create(*state, text_in(*state, "%u.vmdk", (unsigned)i), cases[i].type, 0, 0), NULL);
    assert_good(disk, cases[i].target);
    assert_ok(vmdk_close(disk));
  }
}

static vmdk_create_options for_target(uint32_t target) {
  vmdk_create_options options;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.capacity = 3 * MIB;
  options.target = target;
  return options;
}

static void creates_for_a_target(void** state) {
  uint32_t target;

  for (target = VMDK_TARGET_WORKSTATION; target <= VMDK_TARGET_QEMU; ++target) {
    const char* path = path_in(*state, text_in(*state, "%u.vmdk", (unsigned)target));
    vmdk_create_options options = for_target(target);
    vmdk_disk* disk;

    assert_ok(vmdk_create(path, &options));
    disk = open_disk(path, NULL);
    assert_good(disk, target);
    assert_int_equal(info_of(disk, 0).type,
                     target == VMDK_TARGET_ESXI ? VMDK_TYPE_VMFS : VMDK_TYPE_MONOLITHIC_SPARSE);
    assert_ok(vmdk_close(disk));
  }
}

static void refuses_beforehand(void** state) {
  const char* path = path_in(*state, "disk.vmdk");
  vmdk_create_options options = for_target(VMDK_TARGET_ESXI);

  options.type = VMDK_TYPE_MONOLITHIC_SPARSE;
  assert_status(vmdk_create(path, &options), VMDK_ERR_UNSUPPORTED);
  assert_contains(vmdk_last_error()->message, "disk.vmdk: its extents are hosted sparse");
  assert_contains(vmdk_last_error()->hint, "leave the type");

  options = for_target(VMDK_TARGET_WORKSTATION);
  options.adapter = VMDK_ADAPTER_NVME;
  assert_status(vmdk_create(path, &options), VMDK_ERR_UNSUPPORTED);
  assert_contains(vmdk_last_error()->message, "\"nvme\"");
  options.adapter = VMDK_ADAPTER_IDE;
  options.capacity = (uint64_t)9 << 40;
  assert_status(vmdk_create(path, &options), VMDK_ERR_UNSUPPORTED);
  assert_contains(vmdk_last_error()->message, "8 TiB");

  options = for_target(VMDK_TARGET_VIRTUALBOX);
  options.flags = VMDK_CREATE_ZERO_GRAINS;
  assert_status(vmdk_create(path, &options), VMDK_ERR_UNSUPPORTED);
  assert_contains(vmdk_last_error()->message, "version 2");

  options = for_target(VMDK_TARGET_AWS + 1);
  assert_status(vmdk_create(path, &options), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(try_open(path, NULL), VMDK_ERR_NOT_FOUND);
}

static void streams(void** state) {
  struct bytes bytes = stream();
  vmdk_open_options recover = default_options();
  vmdk_disk* disk = open_disk(put_file(*state, "good.vmdk", bytes_copy(&bytes)), NULL);
  size_t size = bytes.size;

  assert_good(disk, VMDK_TARGET_OVA);
  assert_good(disk, VMDK_TARGET_AWS);
  assert_refused(disk, VMDK_TARGET_WORKSTATION, "compressed", "--target workstation");
  assert_ok(vmdk_close(disk));

  bytes_resize(&bytes, size + 127 * 512);
  disk = open_disk(put_file(*state, "padded.vmdk", bytes_copy(&bytes)), NULL);
  assert_refused(disk, VMDK_TARGET_OVA, "behind its end-of-stream marker", "--target ova");
  assert_good(disk, VMDK_TARGET_AWS);
  assert_ok(vmdk_close(disk));

  bytes_resize(&bytes, size - 512);
  recover.flags = VMDK_OPEN_RECOVER;
  disk = open_disk(put_file(*state, "cut.vmdk", bytes), &recover);
  assert_refused(disk, VMDK_TARGET_OVA, "does not end with an end-of-stream marker", "convert");
  assert_ok(vmdk_close(disk));
}

static void in_an_ova(void** state) {
  struct bytes tar = {NULL, 0};
  vmdk_disk* disk;

  tar_add(&tar, "machine.ovf", bytes_text("<Envelope/>"), NULL);
  tar_add(&tar, "disk.vmdk", stream(), NULL);
  tar_end(&tar);
  disk = open_disk(put_file(*state, "machine.ova", tar), NULL);
  assert_good(disk, VMDK_TARGET_OVA);
  assert_refused(disk, VMDK_TARGET_ESXI, "compressed", "--target esxi");
  assert_ok(vmdk_close(disk));
}

static void several_reasons(void** state) {
  vmdk_disk* disk = open_disk(create(*state, "disk.vmdk", VMDK_TYPE_MONOLITHIC_SPARSE,
                                     VMDK_ADAPTER_PVSCSI, VMDK_CREATE_ZERO_GRAINS),
                              NULL);
  struct told told = ask(disk, VMDK_TARGET_ESXI);
  int stop;

  assert_int_equal(told.calls, 2);
  assert_contains(told.reasons, "hosted sparse");
  assert_contains(told.reasons, "\"pvscsi\"");
  assert_contains(told.hints, "vmdk convert SRC DST --target esxi");
  assert_contains(told.hints, "vmdk ddb DISK adapterType=lsilogic");
  assert_refused(disk, VMDK_TARGET_VIRTUALBOX, "version 2", "--target virtualbox");
  assert_refused(disk, VMDK_TARGET_FUSION, "\"pvscsi\"", "ddb");

  for (stop = 1; stop <= 2; ++stop) {
    memset(&told, 0, sizeof(told));
    told.stop_at = stop;
    assert_status(vmdk_check_target(disk, VMDK_TARGET_ESXI, take, &told), VMDK_ERR_CANCELLED);
    assert_int_equal(told.calls, stop);
  }
  assert_int_equal(ask(disk, VMDK_TARGET_ESXI).calls, 2);
  assert_ok(vmdk_close(disk));
}

static void chains(void** state) {
  const char* base = create(*state, "base.vmdk", VMDK_TYPE_MONOLITHIC_SPARSE, 0, 0);
  const char* child = path_in(*state, "child.vmdk");
  vmdk_disk* disk;

  assert_ok(vmdk_snapshot(base, child, NULL));
  disk = open_disk(child, NULL);
  assert_good(disk, VMDK_TARGET_WORKSTATION);
  assert_good(disk, VMDK_TARGET_QEMU);
  assert_refused(disk, VMDK_TARGET_VIRTUALBOX, "ddb.uuid.parent", "convert");
  assert_contains(ask(disk, VMDK_TARGET_OVA).reasons, "rests on a parent");
  assert_contains(ask(disk, VMDK_TARGET_AWS).reasons, "rests on a parent");
  assert_ok(vmdk_close(disk));
}

static void kinds_of_esx(void** state) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  vmdk_disk* disk;

  text.type = "seSparse";
  text.extents = "RW 64 SESPARSE \"data.vmdk\"\n";
  sparse.sectors = 64;
  sparse.grains = "D.D";
  (void)put_file(*state, "data.vmdk", se_bytes(&sparse));
  disk = open_disk(put_file(*state, "se.vmdk", descriptor_bytes(&text)), NULL);
  assert_good(disk, VMDK_TARGET_ESXI);
  assert_refused(disk, VMDK_TARGET_WORKSTATION, "seSparse", "--target workstation");
  assert_refused(disk, VMDK_TARGET_FUSION, "seSparse", "--target fusion");
  assert_refused(disk, VMDK_TARGET_VIRTUALBOX, "VMFS", "--target virtualbox");
  assert_refused(disk, VMDK_TARGET_QEMU, "read only", "--target qemu");
  assert_ok(vmdk_close(disk));
}

static void end_that_cannot_be_read(void** state) {
  vmdk_open_options options = default_options();
  struct memory_io memory;
  struct told told;
  vmdk_disk* disk;

  (void)state;
  memset(&told, 0, sizeof(told));
  memory_init(&memory);
  memory_put(&memory, "disk.vmdk", stream());
  options.io = &memory.io;
  disk = open_disk("disk.vmdk", &options);
  memory.fail_calls = MEMORY_READ;
  memory.fail_at = memory.calls + 1;
  memory.fail_with = EIO;
  assert_status(vmdk_check_target(disk, VMDK_TARGET_OVA, take, &told), VMDK_ERR_IO);
  assert_contains(vmdk_last_error()->message, "disk.vmdk");
  assert_int_equal(told.calls, 0);
  assert_ok(vmdk_close(disk));
  assert_int_equal(memory_leaks(&memory), 0);
  memory_free(&memory);
}

/* Uses the disk while it is told of it. */
static int write_meanwhile(void* user, const char* reason, const char* hint) {
  (void)reason;
  (void)hint;
  return vmdk_write_at(user, "data", 4, 0) != VMDK_OK;
}

static void is_not_locked(void** state) {
  vmdk_open_options options = default_options();
  vmdk_disk* disk;

  options.flags = VMDK_OPEN_WRITE;
  disk = open_disk(create(*state, "disk.vmdk", VMDK_TYPE_MONOLITHIC_SPARSE, 0, 0), &options);
  assert_ok(vmdk_check_target(disk, VMDK_TARGET_OVA, write_meanwhile, disk));
  assert_ok(vmdk_close(disk));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(arguments, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(good_disks, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(creates_for_a_target, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(refuses_beforehand, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(streams, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(in_an_ova, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(several_reasons, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(chains, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(kinds_of_esx, folder_setup, folder_teardown),
      cmocka_unit_test(end_that_cannot_be_read),
      cmocka_unit_test_setup_teardown(is_not_locked, folder_setup, folder_teardown),
  };
  return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
