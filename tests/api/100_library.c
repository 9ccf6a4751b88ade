/* SPDX-License-Identifier: MIT */
/* Version, names of statuses, and the detail of the last failure. */
#include <pthread.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"

/* The first test of this program: nothing has failed yet on this thread. */
static void last_error_is_empty_at_first(void** state) {
  const vmdk_error* error = vmdk_last_error();

  (void)state;
  assert_non_null(error);
  assert_int_equal(error->struct_size, sizeof(vmdk_error));
  assert_int_equal(error->status, VMDK_OK);
  assert_int_equal(error->os_error, 0);
  assert_int_equal(error->link, UINT32_MAX);
  assert_int_equal(error->extent, UINT32_MAX);
  assert_int_equal(error->reserved, 0);
  assert_true(error->offset == UINT64_MAX);
  assert_string_equal(error->message, "");
  assert_string_equal(error->hint, "");
}

static void version_is_that_of_the_header(void** state) {
  char text[64];

  (void)state;
  (void)snprintf(text, sizeof(text), "%d.%d.%d", VMDK_VERSION_MAJOR, VMDK_VERSION_MINOR,
                 VMDK_VERSION_PATCH);
  assert_string_equal(vmdk_version_string(), text);
  assert_int_equal(vmdk_version_number(),
                   VMDK_VERSION_MAJOR * 1000000 + VMDK_VERSION_MINOR * 1000 + VMDK_VERSION_PATCH);
}

static void every_status_has_a_name(void** state) {
  vmdk_status i, j;

  (void)state;
  for (i = VMDK_OK; i <= VMDK_ERR_INTERNAL; ++i) {
    assert_non_null(vmdk_status_string(i));
    assert_true(strlen(vmdk_status_string(i)) > 0);
    assert_true(is_clean_line(vmdk_status_string(i)));
    assert_string_not_equal(vmdk_status_string(i), "unknown status");
    for (j = VMDK_OK; j < i; ++j)
      assert_string_not_equal(vmdk_status_string(i), vmdk_status_string(j));
  }
  assert_string_equal(vmdk_status_string(VMDK_ERR_CORRUPT), "corrupt image");
}

static void unknown_statuses_have_a_name(void** state) {
  static const vmdk_status numbers[] = {-1, VMDK_ERR_INTERNAL + 1, 1000, INT32_MIN, INT32_MAX};
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(numbers); ++i)
    assert_string_equal(vmdk_status_string(numbers[i]), "unknown status");
}

static void a_failure_fills_the_detail(void** state) {
  const char* path = path_in(*state, "missing.vmdk");
  const vmdk_error* error;

  assert_status(try_open(path, NULL), VMDK_ERR_NOT_FOUND);
  error = vmdk_last_error();
  assert_int_equal(error->struct_size, sizeof(vmdk_error));
  assert_int_equal(error->status, VMDK_ERR_NOT_FOUND);
  assert_int_not_equal(error->os_error, 0);
  assert_contains(error->message, "missing.vmdk");
  assert_int_equal(error->reserved, 0);
}

static void the_next_failure_replaces_all_of_it(void** state) {
  const vmdk_error* error;

  assert_status(try_open(path_in(*state, "missing.vmdk"), NULL), VMDK_ERR_NOT_FOUND);
  assert_int_not_equal(vmdk_last_error()->os_error, 0);
  assert_status(try_open(NULL, NULL), VMDK_ERR_INVALID_ARGUMENT);
  error = vmdk_last_error();
  assert_int_equal(error->status, VMDK_ERR_INVALID_ARGUMENT);
  assert_int_equal(error->os_error, 0);
  assert_lacks(error->message, "missing.vmdk");
  assert_true(strlen(error->message) > 0);
}

static void success_does_not_change_it(void** state) {
  struct descriptor text = {0};
  vmdk_error before;
  vmdk_disk* disk;
  vmdk_probe_result probe;
  char byte;

  text.extents = "RW 16 ZERO\n";
  (void)put_file(*state, "zero.vmdk", descriptor_bytes(&text));
  assert_status(try_open(path_in(*state, "missing.vmdk"), NULL), VMDK_ERR_NOT_FOUND);
  before = *vmdk_last_error();
  disk = open_disk(path_in(*state, "zero.vmdk"), NULL);
  assert_ok(vmdk_read_at(disk, &byte, 1, 0));
  (void)info_of(disk, 0);
  (void)run_at(disk, 0, 1);
  (void)text_of(disk, 0, "CID");
  assert_ok(vmdk_close(disk));
  memset(&probe, 0, sizeof(probe));
  probe.struct_size = sizeof(probe);
  assert_ok(vmdk_probe("x", 1, &probe));
  assert_ok(vmdk_close(NULL));
  assert_memory_equal(&before, vmdk_last_error(), sizeof(before));
}

struct other {
  vmdk_status at_first, status;
  int same_pointer;
  const vmdk_error* outer;
};

static void* fail_elsewhere(void* argument) {
  struct other* other = argument;
  vmdk_disk* disk;

  other->at_first = vmdk_last_error()->status;
  (void)vmdk_open(NULL, NULL, &disk);
  other->status = vmdk_last_error()->status;
  other->same_pointer = vmdk_last_error() == other->outer;
  return NULL;
}

static void each_thread_has_its_own(void** state) {
  struct other other;
  vmdk_error before;
  pthread_t thread;

  assert_status(try_open(path_in(*state, "missing.vmdk"), NULL), VMDK_ERR_NOT_FOUND);
  before = *vmdk_last_error();
  memset(&other, 0, sizeof(other));
  other.outer = vmdk_last_error();
  assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &other), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(other.at_first, VMDK_OK);
  assert_int_equal(other.status, VMDK_ERR_INVALID_ARGUMENT);
  assert_false(other.same_pointer);
  assert_memory_equal(&before, vmdk_last_error(), sizeof(before));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(last_error_is_empty_at_first),
      cmocka_unit_test(version_is_that_of_the_header),
      cmocka_unit_test(every_status_has_a_name),
      cmocka_unit_test(unknown_statuses_have_a_name),
      cmocka_unit_test_setup_teardown(a_failure_fills_the_detail, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(the_next_failure_replaces_all_of_it, folder_setup,
                                      folder_teardown),
      cmocka_unit_test_setup_teardown(success_does_not_change_it, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(each_thread_has_its_own, folder_setup, folder_teardown),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
