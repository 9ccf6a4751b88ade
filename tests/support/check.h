/* SPDX-License-Identifier: MIT */
/* What every test of the C functions begins with: cmocka, and assertions that show
 * vmdk_last_error(). */
#ifndef VMDK_TEST_CHECK_H
#define VMDK_TEST_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vmdk/vmdk.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)
#define KIB ((uint64_t)1 << 10)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The test fails unless `call` gives this status. */
#define assert_status(call, wanted) check_status((call), (wanted), #call, __FILE__, __LINE__)
#define assert_ok(call) assert_status(call, VMDK_OK)

/* The test fails unless `text` contains `part`. */
#define assert_contains(text, part) check_contains((text), (part), 1, __FILE__, __LINE__)
#define assert_lacks(text, part) check_contains((text), (part), 0, __FILE__, __LINE__)

/* Like assert_memory_equal(), but says only where the first difference is. */
#define assert_same_bytes(a, b, size) check_bytes((a), (b), (size), __FILE__, __LINE__)

void check_status(vmdk_status got, vmdk_status wanted, const char* what, const char* file,
                  int line);
void check_contains(const char* text, const char* part, int wanted, const char* file, int line);
void check_bytes(const void* a, const void* b, size_t size, const char* file, int line);

/* Is it one line of well-formed UTF-8 without control characters? */
int is_clean_line(const char* text);

/* Options with nothing but their size set. */
vmdk_open_options default_options(void);
vmdk_limits default_limits(void);

/* Opens what must open. */
vmdk_disk* open_disk(const char* path, const vmdk_open_options* options);

/* Opens what must not: gives the status. A disk that opens all the same is closed. */
vmdk_status try_open(const char* path, const vmdk_open_options* options);

vmdk_info info_of(vmdk_disk* disk, uint32_t link);
vmdk_extent_info extent_of(vmdk_disk* disk, uint32_t link, uint32_t index);
vmdk_run run_at(vmdk_disk* disk, uint64_t offset, uint64_t size);

/* The text in a buffer that the next call overwrites. */
const char* text_of(vmdk_disk* disk, uint32_t link, const char* key);

/* malloc() that cannot fail. */
void* allocate(size_t size);

/* Pseudo-random numbers; the state must not be 0. */
uint64_t next_random(uint64_t* state);

/* Reads everything, in pieces of `step`, and compares. */
void assert_content(vmdk_disk* disk, const unsigned char* model, uint64_t size, size_t step);

/* Reads `rounds` random ranges of up to `most` bytes and compares. */
void assert_random_reads(vmdk_disk* disk, const unsigned char* model, uint64_t size, uint64_t seed,
                         int rounds, size_t most);

#endif
