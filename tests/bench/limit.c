/* SPDX-License-Identifier: MIT */
/* What the machine does with no VMDK reader in the way, and a stopwatch. bench.py builds this.
 *
 *   limit time [-c CPU] COMMAND...
 *       run it, on one processor if asked; prints its wall time, its processor time and its peak
 *       of resident memory
 *   limit touch MIB
 *       touch that much memory and let it go
 *   limit open FILE...
 *       open each, read 16 KiB of the first, a sector of the others
 *   limit all FILE
 *       pread every byte, 1 MiB at a time
 *   limit data FILE
 *       the same, holes skipped
 *   limit copy FILE OUT
 *       the same, and write it to OUT
 *   limit rand FILE COUNT STEP THREADS
 *       preads of 4 KiB, STEP bytes apart, modulo the size
 *   limit fill OUT SIZE BLOCK
 *       write a file from first byte to last
 *   limit randw OUT COUNT STEP SIZE
 *       writes of 4 KiB, STEP bytes apart, modulo the size, in place
 *   limit alloc OUT COUNT STEP SIZE
 *       the same into grains of 64 KiB that are not there yet, with the least a sparse format asks
 *       for: the data at the end of the file, and one entry in each of two tables
 *   limit inflate STREAM THREADS [OUT]
 *       inflate every grain of a streamOptimized disk, and write it to OUT; tables in front, grains
 *       in order, as qemu-img makes it
 *   limit randz STREAM COUNT STEP THREADS
 *       as rand; each read fetches and inflates one grain, and keeps nothing
 *   limit deflate RAW LEVEL THREADS [OUT]
 *       deflate every grain of 64 KiB that is not zero, and write the records of a stream to OUT,
 *       in no order and with nothing around them
 *   limit libyal info|read|rand COUNT STEP FILE...
 *       a peer: libyal's libvmdk, where it is installed; the files are a disk and its parents
 *
 * Build: cc -O2 -o limit limit.c -ldeflate -lpthread -ldl
 *    or: cc -O2 -DUSE_ZLIB -o limit limit.c -lz -lpthread -ldl
 * For Linux on little-endian machines. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef USE_ZLIB
#include <zlib.h>
#else
#include <libdeflate.h>
#endif

enum { SECTOR = 512, PAGE = 4096, GRAIN = 64 << 10, MIB = 1 << 20, BATCH = 16, MARKER = 12 };

static void die(const char* what) {
  fprintf(stderr, "limit: %s: %s\n", what, errno ? strerror(errno) : "not as expected");
  exit(1);
}

static void* allocate(size_t size) {
  void* memory = NULL;
  if (posix_memalign(&memory, PAGE, size) != 0) die("memory");
  memset(memory, 0x5a, size);
  return memory;
}

static int open_file(const char* name, int flags) {
  int fd = open(name, flags | O_CLOEXEC, 0644);
  if (fd < 0) die(name);
  return fd;
}

static uint64_t size_of(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) die("fstat");
  return (uint64_t)st.st_size;
}

static void read_fully(int fd, void* buffer, size_t size, uint64_t offset) {
  for (char* to = buffer; size > 0;) {
    ssize_t got = pread(fd, to, size, (off_t)offset);
    if (got <= 0) die("pread");
    to += got;
    size -= (size_t)got;
    offset += (uint64_t)got;
  }
}

static void write_fully(int fd, const void* buffer, size_t size, uint64_t offset) {
  for (const char* from = buffer; size > 0;) {
    ssize_t put = pwrite(fd, from, size, (off_t)offset);
    if (put <= 0) die("pwrite");
    from += put;
    size -= (size_t)put;
    offset += (uint64_t)put;
  }
}

static uint64_t number(const char* text) { return strtoull(text, NULL, 10); }

/* -- The stopwatch */

extern char** environ;

static int run_timed(int argc, char** argv) {
  int first = 2;
  if (argc > 4 && !strcmp(argv[2], "-c")) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)atoi(argv[3]), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) die("sched_setaffinity");
    first = 4;
  }
  if (first >= argc) return 2;
  struct timespec begin, end;
  struct rusage usage;
  pid_t child;
  int status;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  errno = posix_spawnp(&child, argv[first], NULL, NULL, argv + first, environ);
  if (errno != 0) die(argv[first]);
  if (wait4(child, &status, 0, &usage) != child) die("wait4");
  clock_gettime(CLOCK_MONOTONIC, &end);
  double wall = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9;
  double busy = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
  printf("\ntime %.6f %.6f %ld\n", wall, busy, usage.ru_maxrss);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* -- Plain files */

static void open_all(int count, char** names) {
  char buffer[16384];
  for (int i = 0; i < count; i++) {
    int fd = open_file(names[i], O_RDONLY);
    if (pread(fd, buffer, i == 0 ? sizeof buffer : SECTOR, 0) <= 0) die(names[i]);
  }
}

static void read_file(const char* name, int skip, const char* out_name) {
  int fd = open_file(name, O_RDONLY),
      out = out_name ? open_file(out_name, O_RDWR | O_CREAT | O_TRUNC) : -1;
  uint64_t size = size_of(fd), offset = 0;
  char* buffer = allocate(MIB);
  if (out >= 0 && ftruncate(out, (off_t)size) != 0) die(out_name);
  while (offset < size) {
    uint64_t end = size;
    if (skip) {
      off_t data = lseek(fd, (off_t)offset, SEEK_DATA);
      if (data < 0) break; /* nothing but a hole is left */
      offset = (uint64_t)data;
      end = (uint64_t)lseek(fd, data, SEEK_HOLE);
    }
    while (offset < end) {
      size_t piece = end - offset < MIB ? (size_t)(end - offset) : MIB;
      read_fully(fd, buffer, piece, offset);
      if (out >= 0) write_fully(out, buffer, piece, offset);
      offset += piece;
    }
  }
}

static void fill_file(const char* name, uint64_t size, uint64_t block) {
  int fd = open_file(name, O_RDWR | O_CREAT | O_TRUNC);
  char* buffer = allocate(block);
  for (uint64_t offset = 0; offset < size; offset += block)
    write_fully(fd, buffer, size - offset < block ? (size_t)(size - offset) : (size_t)block,
                offset);
}

static void write_scattered(const char* name, uint64_t count, uint64_t step, uint64_t size) {
  int fd = open_file(name, O_RDWR | O_CREAT);
  char* buffer = allocate(PAGE);
  if (size_of(fd) < size && ftruncate(fd, (off_t)size) != 0) die(name);
  for (uint64_t i = 0; i < count; i++) write_fully(fd, buffer, PAGE, i * step % size);
}

static void write_new_grains(const char* name, uint64_t count, uint64_t step, uint64_t size) {
  int fd = open_file(name, O_RDWR | O_CREAT | O_TRUNC);
  char* buffer = allocate(PAGE);
  uint64_t grains = size / GRAIN + 1, tables = MIB + grains * 8,
           end = tables / GRAIN * GRAIN + GRAIN;
  uint64_t* where = allocate(grains * sizeof *where);
  memset(where, 0, grains * sizeof *where);
  if (ftruncate(fd, (off_t)end) != 0) die(name);
  for (uint64_t i = 0; i < count; i++) {
    uint64_t offset = i * step % size, grain = offset / GRAIN;
    int fresh = where[grain] == 0;
    if (fresh) where[grain] = end;
    write_fully(fd, buffer, PAGE, where[grain] + offset % GRAIN);
    if (!fresh) continue;
    uint32_t entry = (uint32_t)(end / SECTOR);
    write_fully(fd, &entry, sizeof entry, MIB + grain * 4);
    write_fully(fd, &entry, sizeof entry, MIB + (grains + grain) * 4);
    end += GRAIN;
  }
  if (ftruncate(fd, (off_t)end) != 0) die(name);
}

/* -- Threads that share the work */

struct grain {
  uint64_t disk, file,
      bytes; /* offset on the disk, of the record in the file, and of what follows it */
};

static struct {
  int fd, out;
  uint64_t size, count, step;
  struct grain* grains;
  int64_t* grain_at; /* by number of the grain on the disk; -1: not stored */
  uint64_t grain_bytes;
  int level;
  atomic_uint_fast64_t next, end; /* of the work that is taken, of what is written */
} job = {.out = -1};

static void run_threads(unsigned count, void* (*work)(void*)) {
  pthread_t others[64];
  if (count < 1 || count > 64) die("number of threads");
  for (unsigned i = 1; i < count; i++)
    if ((errno = pthread_create(&others[i], NULL, work, NULL)) != 0) die("pthread_create");
  work(NULL);
  for (unsigned i = 1; i < count; i++) pthread_join(others[i], NULL);
}

static void* read_scattered(void* unused) {
  char* buffer = allocate(PAGE);
  uint64_t begin;
  while ((begin = atomic_fetch_add(&job.next, 64)) < job.count)
    for (uint64_t i = begin; i < begin + 64 && i < job.count; i++)
      read_fully(job.fd, buffer, PAGE, i * job.step % job.size);
  free(buffer);
  return unused;
}

/* -- Compressed grains */

static uint32_t le32(const void* at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static uint64_t le64(const void* at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static void open_stream(const char* name) {
  unsigned char header[SECTOR];
  job.fd = open_file(name, O_RDONLY);
  uint64_t file_size = size_of(job.fd);
  read_fully(job.fd, header, SECTOR, 0);
  uint64_t entries = le32(header + 44), gd = le64(header + 56);
  job.size = le64(header + 12) * SECTOR;
  job.grain_bytes = le64(header + 20) * SECTOR;
  errno = 0;
  if (le32(header) != 0x564d444b || gd == UINT64_MAX || entries == 0 || job.grain_bytes == 0)
    die(name);
  uint64_t grains = (job.size + job.grain_bytes - 1) / job.grain_bytes,
           tables = (grains + entries - 1) / entries;
  uint32_t *directory = allocate(tables * 4), *table = allocate(entries * 4);
  job.grains = allocate((grains + 1) * sizeof *job.grains);
  job.grain_at = allocate((grains + 1) * sizeof *job.grain_at);
  job.count = 0;
  read_fully(job.fd, directory, tables * 4, gd * SECTOR);
  for (uint64_t i = 0; i < grains; i++) {
    if (i % entries == 0 && directory[i / entries] != 0)
      read_fully(job.fd, table, entries * 4, (uint64_t)directory[i / entries] * SECTOR);
    uint32_t sector = directory[i / entries] != 0 ? table[i % entries] : 0;
    job.grain_at[i] = sector > 1 ? (int64_t)job.count : -1;
    if (sector > 1)
      job.grains[job.count++] = (struct grain){i * job.grain_bytes, (uint64_t)sector * SECTOR, 0};
  }
  for (uint64_t i = 0; i < job.count; i++) {
    uint64_t end = i + 1 < job.count ? job.grains[i + 1].file : file_size;
    if (end <= job.grains[i].file) die(name);
    job.grains[i].bytes = end - job.grains[i].file;
  }
  free(directory);
  free(table);
}

struct codec {
#ifdef USE_ZLIB
  z_stream stream;
#else
  struct libdeflate_decompressor* state;
#endif
};

static void codec_init(struct codec* codec) {
#ifdef USE_ZLIB
  memset(codec, 0, sizeof *codec);
  if (inflateInit(&codec->stream) != Z_OK) die("zlib");
#else
  if ((codec->state = libdeflate_alloc_decompressor()) == NULL) die("libdeflate");
#endif
}

static void inflate_record(struct codec* codec, const unsigned char* record, void* out) {
  size_t packed = le32(record + 8);
#ifdef USE_ZLIB
  codec->stream.next_in = (unsigned char*)record + MARKER;
  codec->stream.avail_in = (uInt)packed;
  codec->stream.next_out = out;
  codec->stream.avail_out = (uInt)job.grain_bytes;
  if (inflateReset(&codec->stream) != Z_OK || inflate(&codec->stream, Z_FINISH) != Z_STREAM_END)
    die("inflate");
#else
  size_t got = 0;
  if (libdeflate_zlib_decompress(codec->state, record + MARKER, packed, out, job.grain_bytes,
                                 &got) != LIBDEFLATE_SUCCESS)
    die("inflate");
#endif
}

static void* inflate_all(void* unused) {
  struct codec codec;
  unsigned char *records = NULL, *plain = allocate(job.grain_bytes);
  size_t room = 0;
  uint64_t begin;
  codec_init(&codec);
  while ((begin = atomic_fetch_add(&job.next, BATCH)) < job.count) {
    uint64_t end = begin + BATCH < job.count ? begin + BATCH : job.count;
    size_t size =
        (size_t)(job.grains[end - 1].file + job.grains[end - 1].bytes - job.grains[begin].file);
    if (size > room) {
      free(records);
      records = allocate(room = size);
    }
    read_fully(job.fd, records, size, job.grains[begin].file);
    for (uint64_t i = begin; i < end; i++) {
      const struct grain* grain = &job.grains[i];
      inflate_record(&codec, records + (grain->file - job.grains[begin].file), plain);
      if (job.out >= 0)
        write_fully(job.out, plain,
                    job.size - grain->disk < job.grain_bytes ? (size_t)(job.size - grain->disk)
                                                             : (size_t)job.grain_bytes,
                    grain->disk);
    }
  }
  return unused;
}

static uint64_t scattered_count;

static void* inflate_scattered(void* unused) {
  struct codec codec;
  unsigned char *record = allocate(2 * job.grain_bytes + MIB), *plain = allocate(job.grain_bytes);
  char* page = allocate(PAGE);
  uint64_t begin;
  codec_init(&codec);
  while ((begin = atomic_fetch_add(&job.next, 64)) < scattered_count)
    for (uint64_t i = begin; i < begin + 64 && i < scattered_count; i++) {
      uint64_t offset = i * job.step % job.size;
      int64_t at = job.grain_at[offset / job.grain_bytes];
      if (at < 0) {
        memset(page, 0, PAGE);
        continue;
      }
      const struct grain* grain = &job.grains[at];
      size_t most = 2 * job.grain_bytes;
      read_fully(job.fd, record, grain->bytes < most ? (size_t)grain->bytes : most, grain->file);
      inflate_record(&codec, record, plain);
      memcpy(page, plain + offset % job.grain_bytes, PAGE);
    }
  return unused;
}

/* -- Compressing */

struct encoder {
#ifdef USE_ZLIB
  z_stream stream;
#else
  struct libdeflate_compressor* state;
#endif
};

static void encoder_init(struct encoder* encoder) {
#ifdef USE_ZLIB
  memset(encoder, 0, sizeof *encoder);
  if (deflateInit(&encoder->stream, job.level < 9 ? job.level : 9) != Z_OK) die("zlib");
#else
  if ((encoder->state = libdeflate_alloc_compressor(job.level)) == NULL) die("libdeflate");
#endif
}

static size_t deflate_grain(struct encoder* encoder, const void* grain, void* out, size_t room) {
#ifdef USE_ZLIB
  encoder->stream.next_in = (unsigned char*)grain;
  encoder->stream.avail_in = GRAIN;
  encoder->stream.next_out = out;
  encoder->stream.avail_out = (uInt)room;
  if (deflateReset(&encoder->stream) != Z_OK || deflate(&encoder->stream, Z_FINISH) != Z_STREAM_END)
    die("deflate");
  return encoder->stream.total_out;
#else
  size_t size = libdeflate_zlib_compress(encoder->state, grain, GRAIN, out, room);
  errno = 0;
  if (size == 0) die("deflate");
  return size;
#endif
}

/* Returns how many bytes of `out` are filled. */
static size_t encode_record(struct encoder* encoder, const void* grain, uint64_t offset,
                            unsigned char* out, size_t room) {
  uint64_t sector = offset / SECTOR;
  uint32_t packed = (uint32_t)deflate_grain(encoder, grain, out + MARKER, room - MARKER);
  memcpy(out, &sector, sizeof sector);
  memcpy(out + 8, &packed, sizeof packed);
  size_t used = MARKER + packed, size = (used + SECTOR - 1) / SECTOR * SECTOR;
  memset(out + used, 0, size - used);
  return size;
}

static int is_hole(uint64_t begin, uint64_t end) {
  off_t data = lseek(job.fd, (off_t)begin, SEEK_DATA);
  return data < 0 ? errno == ENXIO : (uint64_t)data >= end;
}

static void* deflate_all(void* unused) {
  enum { ROOM = 2 * GRAIN }; /* more than a record takes */
  struct encoder encoder;
  char* grains = allocate(BATCH * GRAIN);
  unsigned char* records = allocate(BATCH * ROOM);
  uint64_t number;
  encoder_init(&encoder);
  while ((number = atomic_fetch_add(&job.next, BATCH)) < job.count) {
    uint64_t begin = number * GRAIN, end = begin + BATCH * GRAIN;
    size_t size = 0, used = 0;
    if (is_hole(begin, end)) continue;
    size = (size_t)((end < job.size ? end : job.size) - begin);
    read_fully(job.fd, grains, size, begin);
    memset(grains + size, 0, BATCH * GRAIN - size);
    for (size_t at = 0; at < size; at += GRAIN)
      if (grains[at] != 0 || memcmp(grains + at, grains + at + 1, GRAIN - 1) != 0)
        used += encode_record(&encoder, grains + at, begin + at, records + used, ROOM);
    if (job.out >= 0) write_fully(job.out, records, used, atomic_fetch_add(&job.end, used));
  }
  return unused;
}

/* -- libyal's libvmdk, by its public functions */

static void* yal_library;

static void* yal(const char* name) {
  void* function = dlsym(yal_library, name);
  errno = 0;
  if (function == NULL) die(name);
  return function;
}

static int run_libyal(const char* mode, uint64_t count, uint64_t step, int files, char** names) {
  if ((yal_library = dlopen("libvmdk.so.1", RTLD_NOW)) == NULL) return 77;
  int (*initialize)(void**, void**) = (int (*)(void**, void**))yal("libvmdk_handle_initialize");
  int (*open_disk)(void*, const char*, int, void**) =
      (int (*)(void*, const char*, int, void**))yal("libvmdk_handle_open");
  int (*open_extents)(void*, void**) =
      (int (*)(void*, void**))yal("libvmdk_handle_open_extent_data_files");
  int (*set_parent)(void*, void*, void**) =
      (int (*)(void*, void*, void**))yal("libvmdk_handle_set_parent_handle");
  int (*get_size)(void*, uint64_t*, void**) =
      (int (*)(void*, uint64_t*, void**))yal("libvmdk_handle_get_media_size");
  ssize_t (*read_at)(void*, void*, size_t, int64_t, void**) = (ssize_t(*)(
      void*, void*, size_t, int64_t, void**))yal("libvmdk_handle_read_buffer_at_offset");
  void *child = NULL, *disk = NULL;
  for (int i = files - 1; i >= 0; i--) {
    disk = NULL;
    if (initialize(&disk, NULL) != 1 || open_disk(disk, names[i], 1, NULL) != 1 ||
        open_extents(disk, NULL) != 1)
      die(names[i]);
    if (child != NULL && set_parent(disk, child, NULL) != 1) die(names[i]);
    child = disk;
  }
  uint64_t size = 0;
  if (get_size(disk, &size, NULL) != 1) die("media size");
  char* buffer = allocate(MIB);
  if (!strcmp(mode, "read"))
    for (uint64_t offset = 0; offset < size; offset += MIB) {
      size_t piece = size - offset < MIB ? (size_t)(size - offset) : MIB;
      if (read_at(disk, buffer, piece, (int64_t)offset, NULL) != (ssize_t)piece) die("read");
    }
  if (!strcmp(mode, "rand"))
    for (uint64_t i = 0; i < count; i++)
      if (read_at(disk, buffer, PAGE, (int64_t)(i * step % size), NULL) != PAGE) die("read");
  return 0;
}

int main(int argc, char** argv) {
  const char* mode = argc > 2 ? argv[1] : "";
  if (!strcmp(mode, "time")) return run_timed(argc, argv);
  if (!strcmp(mode, "touch")) {
    free(allocate((size_t)number(argv[2]) * MIB));
  } else if (!strcmp(mode, "open")) {
    open_all(argc - 2, argv + 2);
  } else if (!strcmp(mode, "all") || !strcmp(mode, "data")) {
    read_file(argv[2], mode[0] == 'd', NULL);
  } else if (!strcmp(mode, "copy") && argc == 4) {
    read_file(argv[2], 1, argv[3]);
  } else if (!strcmp(mode, "fill") && argc == 5 && number(argv[4]) > 0) {
    fill_file(argv[2], number(argv[3]), number(argv[4]));
  } else if (!strcmp(mode, "randw") && argc == 6 && number(argv[5]) > 0) {
    write_scattered(argv[2], number(argv[3]), number(argv[4]), number(argv[5]));
  } else if (!strcmp(mode, "alloc") && argc == 6 && number(argv[5]) > 0) {
    write_new_grains(argv[2], number(argv[3]), number(argv[4]), number(argv[5]));
  } else if (!strcmp(mode, "rand") && argc == 6) {
    job.fd = open_file(argv[2], O_RDONLY);
    job.size = size_of(job.fd) / PAGE * PAGE;
    job.count = number(argv[3]);
    job.step = number(argv[4]);
    run_threads((unsigned)number(argv[5]), read_scattered);
  } else if (!strcmp(mode, "inflate") && argc >= 4) {
    open_stream(argv[2]);
    if (argc > 4) job.out = open_file(argv[4], O_RDWR | O_CREAT | O_TRUNC);
    if (job.out >= 0 && ftruncate(job.out, (off_t)job.size) != 0) die(argv[4]);
    run_threads((unsigned)number(argv[3]), inflate_all);
  } else if (!strcmp(mode, "deflate") && argc >= 5) {
    job.fd = open_file(argv[2], O_RDONLY);
    job.size = size_of(job.fd);
    job.count = (job.size + GRAIN - 1) / GRAIN;
    job.level = (int)number(argv[3]);
    if (argc > 5) job.out = open_file(argv[5], O_RDWR | O_CREAT | O_TRUNC);
    run_threads((unsigned)number(argv[4]), deflate_all);
  } else if (!strcmp(mode, "randz") && argc == 6) {
    open_stream(argv[2]);
    scattered_count = number(argv[3]);
    job.step = number(argv[4]);
    run_threads((unsigned)number(argv[5]), inflate_scattered);
  } else if (!strcmp(mode, "libyal") && argc >= 6) {
    return run_libyal(argv[2], number(argv[3]), number(argv[4]), argc - 5, argv + 5);
  } else {
    fprintf(stderr, "usage: see the top of limit.c\n");
    return 2;
  }
  return 0;
}
