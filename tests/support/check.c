/* SPDX-License-Identifier: MIT */
#include "support/check.h"

void check_status(vmdk_status got, vmdk_status wanted, const char* what, const char* file,
                  int line) {
  const vmdk_error* error = vmdk_last_error();

  if (got == wanted) return;
  print_error("%s\n  gives %d (%s), not %d (%s)\n", what, (int)got, vmdk_status_string(got),
              (int)wanted, vmdk_status_string(wanted));
  if (got != VMDK_OK) print_error("  message: %s\n  hint: %s\n", error->message, error->hint);
  _fail(file, line);
}

void check_contains(const char* text, const char* part, int wanted, const char* file, int line) {
  if ((strstr(text, part) != NULL) == wanted) return;
  print_error("\"%s\" %s \"%s\"\n", text, wanted ? "does not contain" : "contains", part);
  _fail(file, line);
}

void check_bytes(const void* a, const void* b, size_t size, const char* file, int line) {
  const unsigned char *left = a, *right = b;
  size_t i;

  if (size == 0 || memcmp(a, b, size) == 0) return;
  for (i = 0; left[i] == right[i]; ++i) {
  }
  print_error("of %zu bytes the one at %zu differs: 0x%02x and 0x%02x\n", size, i, left[i],
              right[i]);
  _fail(file, line);
}

int is_clean_line(const char* text) {
  const unsigned char* at = (const unsigned char*)text;

  while (*at != 0) {
    size_t more = 0, i;
    if (*at < 0x20 || *at == 0x7f) return 0;
    if (*at >= 0x80) {
      if (*at < 0xc2 || *at > 0xf4) return 0;
      more = *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : 1;
      if (*at == 0xc2 && at[1] < 0xa0) return 0;
      if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f)) return 0;
      if ((*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f)) return 0;
      for (i = 1; i <= more; ++i)
        if ((at[i] & 0xc0) != 0x80) return 0;
    }
    at += 1 + more;
  }
  return 1;
}

vmdk_open_options default_options(void) {
  vmdk_open_options options;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  return options;
}

vmdk_limits default_limits(void) {
  vmdk_limits limits;

  memset(&limits, 0, sizeof(limits));
  limits.struct_size = sizeof(limits);
  return limits;
}

vmdk_disk* open_disk(const char* path, const vmdk_open_options* options) {
  vmdk_disk* disk = NULL;

  assert_ok(vmdk_open(path, options, &disk));
  assert_non_null(disk);
  return disk;
}

vmdk_status try_open(const char* path, const vmdk_open_options* options) {
  vmdk_disk* disk = NULL;
  vmdk_status status = vmdk_open(path, options, &disk);

  if (status == VMDK_OK)
    assert_non_null(disk);
  else
    assert_null(disk);
  (void)vmdk_close(disk);
  return status;
}

vmdk_info info_of(vmdk_disk* disk, uint32_t link) {
  vmdk_info info;

  memset(&info, 0xee, sizeof(info));
  info.struct_size = sizeof(info);
  assert_ok(vmdk_get_link_info(disk, link, &info));
  return info;
}

vmdk_extent_info extent_of(vmdk_disk* disk, uint32_t link, uint32_t index) {
  vmdk_extent_info info;

  memset(&info, 0xee, sizeof(info));
  info.struct_size = sizeof(info);
  assert_ok(vmdk_get_extent(disk, link, index, &info));
  return info;
}

vmdk_run run_at(vmdk_disk* disk, uint64_t offset, uint64_t size) {
  vmdk_run run;

  memset(&run, 0xee, sizeof(run));
  run.struct_size = sizeof(run);
  assert_ok(vmdk_map_at(disk, offset, size, &run));
  return run;
}

const char* text_of(vmdk_disk* disk, uint32_t link, const char* key) {
  static char text[65536];
  size_t size = 0;

  assert_ok(vmdk_get_text(disk, link, key, text, sizeof(text), &size));
  assert_int_equal(size, strlen(text) + 1);
  return text;
}

void* allocate(size_t size) {
  void* memory = malloc(size > 0 ? size : 1);

  if (memory == NULL) abort();
  return memory;
}

uint64_t next_random(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

void assert_content(vmdk_disk* disk, const unsigned char* model, uint64_t size, size_t step) {
  unsigned char* buffer = allocate(step);
  uint64_t offset;

  for (offset = 0; offset < size; offset += step) {
    size_t piece = size - offset < step ? (size_t)(size - offset) : step;
    assert_ok(vmdk_read_at(disk, buffer, piece, offset));
    assert_same_bytes(buffer, model + offset, piece);
  }
  free(buffer);
}

void assert_random_reads(vmdk_disk* disk, const unsigned char* model, uint64_t size, uint64_t seed,
                         int rounds, size_t most) {
  /* Two bytes more, to see that nothing is written beside the range. */
  unsigned char* buffer = allocate(most + 2);
  uint64_t state = seed * 2 + 1;
  int i;

  for (i = 0; i < rounds; ++i) {
    uint64_t offset = next_random(&state) % size;
    uint64_t left = size - offset;
    /* Small ones as often as large ones. */
    size_t room = i % 2 == 0 && most > 700 ? 700 : most;
    size_t piece = (size_t)(next_random(&state) % (left < room ? left + 1 : room + 1));
    buffer[0] = 0xa5;
    buffer[piece + 1] = 0x5a;
    assert_ok(vmdk_read_at(disk, buffer + 1, piece, offset));
    if (piece > 0 && memcmp(buffer + 1, model + offset, piece) != 0)
      print_error("%zu bytes at offset %llu:\n", piece, (unsigned long long)offset);
    assert_same_bytes(buffer + 1, model + offset, piece);
    assert_int_equal(buffer[0], 0xa5);
    assert_int_equal(buffer[piece + 1], 0x5a);
  }
  free(buffer);
}
