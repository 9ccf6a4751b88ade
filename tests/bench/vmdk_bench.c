/* SPDX-License-Identifier: MIT */
/* The jobs that tests/bench/bench.py times, through the public API.
 *
 *   vmdk_bench info FILE
 *       open, get the info, close
 *   vmdk_bench read [OPTIONS] FILE
 *       the whole disk from first byte to last, --block bytes (1M) at a time
 *   vmdk_bench data [OPTIONS] FILE
 *       the same, skipping what the map says is zero or absent
 *   vmdk_bench rand [OPTIONS] FILE
 *       --count reads (100000) of --block bytes (4096), --step bytes apart (a stride that visits
 *       each page once), modulo the capacity
 *   vmdk_bench map FILE
 *       walk the whole map
 *   vmdk_bench fill [OPTIONS] FILE
 *       write the whole disk from first byte to last, flush
 *   vmdk_bench write [OPTIONS] FILE
 *       as rand, but writes, then a flush
 *   vmdk_bench create [OPTIONS] FILE
 *       create FILE of --size bytes
 *
 * Options: --block N, --count N, --step N, --readers N (threads that share the reads of rand),
 * --threads N (vmdk_open_options::threads), --cache N (vmdk_open_options::cache_bytes), --size N.
 * Prints: mode, seconds inside, bytes, operations, and by how many KiB the peak of the resident
 * memory grew. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <vmdk/vmdk.h>

struct job {
  const char *mode, *file;
  uint64_t block, count, step, cache, size;
  unsigned readers, threads;
  vmdk_disk* disk;
  uint64_t capacity;
  atomic_uint_fast64_t next;
  uint64_t bytes, operations;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static long peak_kib(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

static void check(vmdk_status status) {
  if (status == VMDK_OK) return;
  fprintf(stderr, "vmdk_bench: %s\n", vmdk_last_error()->message);
  exit(1);
}

static void* allocate(size_t size) {
  void* memory = NULL;
  if (posix_memalign(&memory, 4096, size) != 0) {
    fprintf(stderr, "vmdk_bench: out of memory\n");
    exit(1);
  }
  memset(memory, 0x5a, size);
  return memory;
}

static void read_all(struct job* job, int skip) {
  char* buffer = allocate(job->block);
  uint64_t offset = 0;
  while (offset < job->capacity) {
    uint64_t end = job->capacity;
    if (skip) {
      vmdk_run run = {.struct_size = sizeof run};
      check(vmdk_map_at(job->disk, offset, job->capacity - offset, &run));
      end = offset + run.size;
      if (run.kind != VMDK_RUN_DATA) offset = end;
    }
    while (offset < end) {
      uint64_t size = end - offset < job->block ? end - offset : job->block;
      check(vmdk_read_at(job->disk, buffer, (size_t)size, offset));
      offset += size;
      job->bytes += size;
      job->operations++;
    }
  }
  free(buffer);
}

static void* read_some(void* argument) {
  struct job* job = argument;
  char* buffer = allocate(job->block);
  uint64_t begin;
  while ((begin = atomic_fetch_add(&job->next, 64)) < job->count)
    for (uint64_t i = begin; i < begin + 64 && i < job->count; i++)
      check(vmdk_read_at(job->disk, buffer, (size_t)job->block,
                         i * job->step % (job->capacity / job->block * job->block)));
  free(buffer);
  return NULL;
}

static void read_scattered(struct job* job) {
  pthread_t others[64];
  for (unsigned i = 1; i < job->readers; i++)
    if (pthread_create(&others[i], NULL, read_some, job) != 0) exit(1);
  read_some(job);
  for (unsigned i = 1; i < job->readers; i++) pthread_join(others[i], NULL);
  job->operations = job->count;
  job->bytes = job->count * job->block;
}

static void fill(struct job* job) {
  char* buffer = allocate(job->block);
  for (uint64_t offset = 0; offset < job->capacity; job->operations++) {
    uint64_t size = job->capacity - offset < job->block ? job->capacity - offset : job->block;
    check(vmdk_write_at(job->disk, buffer, (size_t)size, offset));
    offset += size;
  }
  check(vmdk_flush(job->disk));
  job->bytes = job->capacity;
  free(buffer);
}

static void write_scattered(struct job* job) {
  char* buffer = allocate(job->block);
  for (uint64_t i = 0; i < job->count; i++)
    check(vmdk_write_at(job->disk, buffer, (size_t)job->block,
                        i * job->step % (job->capacity / job->block * job->block)));
  check(vmdk_flush(job->disk));
  job->operations = job->count;
  job->bytes = job->count * job->block;
  free(buffer);
}

static void create(const struct job* job) {
  vmdk_create_options options = {.struct_size = sizeof options, .capacity = job->size};
  check(vmdk_create(job->file, &options));
}

static void walk_map(struct job* job) {
  for (uint64_t offset = 0; offset < job->capacity; job->operations++) {
    vmdk_run run = {.struct_size = sizeof run};
    check(vmdk_map_at(job->disk, offset, job->capacity - offset, &run));
    offset += run.size;
    if (run.kind == VMDK_RUN_DATA) job->bytes += run.size;
  }
}

static uint64_t number(const char* text) {
  char* end = NULL;
  uint64_t value = strtoull(text, &end, 10);
  if (*end == 'k')
    value <<= 10;
  else if (*end == 'M')
    value <<= 20;
  else if (*end == 'G')
    value <<= 30;
  return value;
}

static void parse(int argc, char** argv, struct job* job) {
  if (argc < 3) {
    fprintf(stderr, "usage: vmdk_bench info|read|data|rand|map|fill|write|create [OPTIONS] FILE\n");
    exit(2);
  }
  job->mode = argv[1];
  job->file = argv[argc - 1];
  for (int i = 2; i + 2 < argc; i += 2) {
    uint64_t value = number(argv[i + 1]);
    if (!strcmp(argv[i], "--block"))
      job->block = value;
    else if (!strcmp(argv[i], "--count"))
      job->count = value;
    else if (!strcmp(argv[i], "--step"))
      job->step = value;
    else if (!strcmp(argv[i], "--cache"))
      job->cache = value;
    else if (!strcmp(argv[i], "--size"))
      job->size = value;
    else if (!strcmp(argv[i], "--readers") && value >= 1 && value <= 64)
      job->readers = (unsigned)value;
    else if (!strcmp(argv[i], "--threads"))
      job->threads = (unsigned)value;
    else {
      fprintf(stderr, "vmdk_bench: %s %s is not understood\n", argv[i], argv[i + 1]);
      exit(2);
    }
  }
  if (job->block == 0)
    job->block = strcmp(job->mode, "rand") && strcmp(job->mode, "write") ? 1 << 20 : 4096;
}

int main(int argc, char** argv) {
  struct job job = {.count = 100000, .step = 663605248, .readers = 1};
  parse(argc, argv, &job);
  long before = peak_kib();
  double begin = now();
  vmdk_open_options options = {
      .struct_size = sizeof options, .threads = job.threads, .cache_bytes = job.cache};
  if (!strcmp(job.mode, "create")) {
    create(&job);
    printf("%s %.6f s 0 bytes 1 operations %ld KiB\n", job.mode, now() - begin,
           peak_kib() - before);
    return 0;
  }
  if (!strcmp(job.mode, "fill") || !strcmp(job.mode, "write")) options.flags = VMDK_OPEN_WRITE;
  check(vmdk_open(job.file, &options, &job.disk));
  vmdk_info info = {.struct_size = sizeof info};
  check(vmdk_get_info(job.disk, &info));
  job.capacity = info.capacity;
  if (!strcmp(job.mode, "read"))
    read_all(&job, 0);
  else if (!strcmp(job.mode, "data"))
    read_all(&job, 1);
  else if (!strcmp(job.mode, "rand") && job.capacity >= job.block)
    read_scattered(&job);
  else if (!strcmp(job.mode, "map"))
    walk_map(&job);
  else if (!strcmp(job.mode, "fill"))
    fill(&job);
  else if (!strcmp(job.mode, "write") && job.capacity >= job.block)
    write_scattered(&job);
  check(vmdk_close(job.disk));
  printf("%s %.6f s %llu bytes %llu operations %ld KiB\n", job.mode, now() - begin,
         (unsigned long long)job.bytes, (unsigned long long)job.operations, peak_kib() - before);
  return 0;
}
