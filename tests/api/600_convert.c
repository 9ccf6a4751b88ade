/* SPDX-License-Identifier: MIT */
/* vmdk_convert(): from every kind to every kind, what is taken over, that it is done wholly or not
 * at all, and what is told on the way. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "support/check.h"
#include "support/conversion.h"
#include "support/image.h"

#define SECTOR 512u
#define GRAINS "D.0EDD....0DDDDDD.E0DD0DDDDDDDDDDEDD"
#define SECTORS (UINT64_C(40) * 128 + 37)

/* Two folders: for what is converted, and for what comes out. */
struct places {
  struct folder *from, *to;
};

static struct places make_places(void) {
  struct places places;
  void* folder;

  assert_int_equal(folder_setup(&folder), 0);
  places.from = folder;
  assert_int_equal(folder_setup(&folder), 0);
  places.to = folder;
  return places;
}

static void free_places(struct places* places) {
  void *from = places->from, *to = places->to;

  (void)folder_teardown(&from);
  (void)folder_teardown(&to);
}

static const struct destination* destination_of(uint32_t type) {
  size_t i;

  for (i = 0; destinations[i].type != type; ++i) continue;
  return destinations + i;
}

static struct bytes bytes_of_file(struct places* places, const char* name) {
  return read_file(path_in(places->to, name));
}

/* Sends it to a function, too. */
static void send(vmdk_disk* disk, vmdk_convert_options* options, const struct bytes* file) {
  struct collector collector;

  memset(&collector, 0, sizeof(collector));
  assert_ok(vmdk_convert_to_stream(disk, collect, &collector, options));
  assert_int_equal(collector.bytes.size, file->size);
  assert_same_bytes(collector.bytes.data, file->data, file->size);
  bytes_free(&collector.bytes);
}

/* ---- Content ---- */

static void convert_and_compare(const struct source* source, vmdk_disk* disk,
                                const struct destination* to, vmdk_create_options* create,
                                unsigned threads) {
  struct places places = make_places();
  vmdk_convert_options options = options_for(create, threads);
  const char* path = path_in(places.to, "disk.vmdk");
  uint64_t capacity = create->capacity != 0 ? (create->capacity + 511) / 512 * 512 : source->size;

  if (vmdk_convert(disk, path, &options) != VMDK_OK)
    fail_msg("%s to %s: %s", source->name, to->name, vmdk_last_error()->message);
  assert_disk_is(path, to, source->model, source->size, capacity);
  if (to->one_file) assert_int_equal(count_entries(places.to), 1);
  if (to->in_order && create->cid != 0) {
    struct bytes file = read_file(path);
    send(disk, &options, &file);
    bytes_free(&file);
  }
  free_places(&places);
}

static void every_kind_to_every_kind(void** state) {
  size_t i, j;

  (void)state;
  for (i = 0; i < source_kind_count; ++i) {
    struct places places = make_places();
    struct source source = make_source(places.from, source_kinds[i], SECTORS, GRAINS);
    vmdk_disk* disk = source_open(&source);
    assert_content(disk, source.model, source.size, 100000);
    for (j = 0; j < destination_count; ++j) {
      vmdk_create_options create = fixed_create_options(destinations[j].type);
      convert_and_compare(&source, disk, destinations + j, &create, (unsigned)(j % 3));
    }
    assert_ok(vmdk_close(disk));
    source_free(&source);
    free_places(&places);
  }
}

static void every_size(void** state) {
  static const uint64_t sizes[] = {1, 2, 127, 128, 129, 383, 384, 1000, 65537};
  static const char* const contents[] = {"", "D", ".D", "DDDDDDDD", "D0E.D000D"};
  static const char* const kinds[] = {"monolithicSparse", "raw", "streamOptimized of QEMU"};
  size_t i, j, k, l;

  (void)state;
  for (i = 0; i < COUNT(sizes); ++i) {
    for (j = 0; j < COUNT(contents); ++j) {
      for (k = 0; k < COUNT(kinds); ++k) {
        struct places places = make_places();
        struct source source = make_source(places.from, kinds[k], sizes[i], contents[j]);
        vmdk_disk* disk = source_open(&source);
        for (l = 0; l < destination_count; ++l) {
          vmdk_create_options create = fixed_create_options(destinations[l].type);
          if (sizes[i] > 1000 && j != 4) continue;
          if ((i + j + k + l) % sampling() != 0) continue;
          convert_and_compare(&source, disk, destinations + l, &create, 2);
        }
        assert_ok(vmdk_close(disk));
        source_free(&source);
        free_places(&places);
      }
    }
  }
}

static void every_grain(void** state) {
  static const uint32_t types[] = {VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_SPLIT_SPARSE,
                                   VMDK_TYPE_VMFS_SPARSE, VMDK_TYPE_STREAM_OPTIMIZED};
  static const char* const kinds[] = {"monolithicSparse", "seSparse", "streamOptimized", "raw",
                                      "COWD above vmfs"};
  size_t i, j;
  uint64_t grain;

  (void)state;
  for (i = 0; i < COUNT(kinds); ++i) {
    struct places places = make_places();
    struct source source = make_source(places.from, kinds[i], SECTORS, GRAINS);
    vmdk_disk* disk = source_open(&source);
    for (j = 0; j < COUNT(types); ++j) {
      for (grain = 512; grain <= MIB; grain *= 2) {
        vmdk_create_options create = fixed_create_options(types[j]);
        if (grain < 4096 && types[j] != VMDK_TYPE_VMFS_SPARSE) continue;
        if ((i + j + grain / 4096) % sampling() != 0) continue;
        create.grain_bytes = grain;
        convert_and_compare(&source, disk, destination_of(types[j]), &create, 2);
      }
    }
    assert_ok(vmdk_close(disk));
    source_free(&source);
    free_places(&places);
  }
}

/* More capacity than the source has: zeros behind. */
static void larger_disks(void** state) {
  static const uint64_t more[] = {1, 512, 100 * 512 + 1, 3 * MIB};
  static const char* const kinds[] = {"monolithicFlat", "monolithicSparse", "streamOptimized"};
  size_t i, j, k;

  (void)state;
  for (i = 0; i < COUNT(kinds); ++i) {
    struct places places = make_places();
    struct source source = make_source(places.from, kinds[i], 300, "D0D");
    vmdk_disk* disk = source_open(&source);
    for (j = 0; j < destination_count; ++j) {
      for (k = 0; k < COUNT(more); ++k) {
        vmdk_create_options create = fixed_create_options(destinations[j].type);
        create.capacity = source.size + more[k];
        convert_and_compare(&source, disk, destinations + j, &create, 2);
      }
      {
        vmdk_create_options create = create_options(destinations[j].type);
        vmdk_convert_options options = options_for(&create, 1);
        create.capacity = source.size - 512;
        assert_status(vmdk_convert(disk, path_in(places.to, "disk.vmdk"), &options),
                      VMDK_ERR_INVALID_ARGUMENT);
        assert_contains(vmdk_last_error()->message, "153088");
        assert_contains(vmdk_last_error()->message, "153600");
        assert_int_equal(count_entries(places.to), 0);
      }
    }
    assert_ok(vmdk_close(disk));
    source_free(&source);
    free_places(&places);
  }
}

static void many_parts(void** state) {
  static const uint32_t types[] = {VMDK_TYPE_SPLIT_SPARSE, VMDK_TYPE_SPLIT_FLAT};
  struct places places = make_places();
  struct source source = make_source(places.from, "sparse above a stream", SECTORS, GRAINS);
  vmdk_disk* disk = source_open(&source);
  size_t i;
  uint64_t part;

  (void)state;
  for (i = 0; i < COUNT(types); ++i) {
    for (part = 64 * KIB; part <= 4 * MIB; part *= 4) {
      vmdk_create_options create = fixed_create_options(types[i]);
      create.split_bytes = part;
      convert_and_compare(&source, disk, destination_of(types[i]), &create, 3);
    }
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&places);
}

/* Reads the pages that put_holes() has written. */
static void assert_pages(const char* path, uint32_t flags, const uint64_t* pages, size_t count,
                         uint64_t size) {
  vmdk_open_options options = default_options();
  unsigned char page[4096], wanted[4096];
  vmdk_disk* disk;
  size_t i;

  options.flags = flags;
  disk = open_disk(path, &options);
  assert_true(info_of(disk, 0).capacity == size);
  assert_true(info_of(disk, 0).stored_bytes < 16 * MIB);
  for (i = 0; i < count; ++i) {
    size_t part = size - pages[i] < sizeof(page) ? (size_t)(size - pages[i]) : sizeof(page);
    assert_ok(vmdk_read_at(disk, page, part, pages[i]));
    pattern_fill(5, pages[i], wanted, part);
    assert_same_bytes(page, wanted, part);
  }
  assert_ok(vmdk_close(disk));
}

/* Beyond 2 GiB: parts, and holes that stay holes. */
static void large_disks(void** state) {
  static const uint64_t pages[] = {0,           2147483648u - 4096, 2146435072u - 4096,
                                   2146435072u, 4294967296u,        5 * 1024 * MIB - 3584};
  const uint64_t size = 5 * 1024 * MIB + 512;
  struct places places = make_places();
  const char* path = put_holes(places.from, "disk.img", size, pages, COUNT(pages));
  vmdk_open_options open = default_options();
  vmdk_disk* disk;
  size_t i;

  (void)state;
  assert_non_null(path);
  open.flags = VMDK_OPEN_RAW;
  disk = open_disk(path, &open);
  for (i = 0; i < destination_count; ++i) {
    vmdk_create_options create = create_options(destinations[i].type);
    vmdk_convert_options options = options_for(&create, 2);
    const char* out = text_in(places.to, "%s/%u.vmdk", folder_path(places.to), (unsigned)i);
    create.preallocate = destinations[i].sparse ? 0 : VMDK_PREALLOCATE_NONE;
    assert_ok(vmdk_convert(disk, out, &options));
    assert_pages(out, destinations[i].type == VMDK_TYPE_RAW ? VMDK_OPEN_RAW : 0, pages,
                 COUNT(pages), size);
    /* And from there to raw. */
    if (destinations[i].type == VMDK_TYPE_SPLIT_SPARSE ||
        destinations[i].type == VMDK_TYPE_SPLIT_FLAT) {
      vmdk_disk* parts = open_disk(out, NULL);
      const char* back = text_in(places.to, "%s/%u.img", folder_path(places.to), (unsigned)i);
      assert_int_equal(info_of(parts, 0).extent_count, 3);
      create = create_options(VMDK_TYPE_RAW);
      assert_ok(vmdk_convert(parts, back, &options));
      assert_pages(back, VMDK_OPEN_RAW, pages, COUNT(pages), size);
      assert_ok(vmdk_close(parts));
    }
  }
  assert_ok(vmdk_close(disk));
  free_places(&places);
}

/* ---- What is taken over ---- */

static void keys_are_taken_over(void** state) {
  size_t i;

  (void)state;
  for (i = 0; i < destination_count; ++i) {
    struct places places = make_places();
    struct source source = make_source(places.from, "monolithicSparse", 20000, "D");
    vmdk_disk *disk = source_open(&source), *made;
    vmdk_create_options create = create_options(destinations[i].type);
    vmdk_convert_options options = options_for(&create, 1);
    const char* path = path_in(places.to, "disk.vmdk");
    vmdk_info info;
    if (destinations[i].type != VMDK_TYPE_RAW) {
      assert_ok(vmdk_convert(disk, path, &options));
      made = open_disk(path, NULL);
      info = info_of(made, 0);
      assert_int_equal(info.adapter, VMDK_ADAPTER_IDE);
      assert_int_equal(info.hardware_version, 9);
      assert_int_equal(info.heads, 16);
      assert_int_equal(info.sectors, 63);
      assert_int_equal(info.cylinders, 20000 / 16 / 63);
      assert_string_equal(text_of(made, 0, "ddb.toolsVersion"), "10341");
      assert_int_not_equal(info.cid, info_of(disk, 0).cid);
      assert_int_equal(strlen(text_of(made, 0, "ddb.longContentID")), 32);
      assert_int_equal(strtoul(text_of(made, 0, "ddb.longContentID") + 24, NULL, 16), info.cid);
      assert_int_equal(strlen(text_of(made, 0, "ddb.uuid")), 47);
      assert_int_equal(info.parent_cid, 0xffffffff);
      assert_ok(vmdk_close(made));
    }
    assert_ok(vmdk_close(disk));
    source_free(&source);
    free_places(&places);
  }
}

static void other_adapter_and_keys(void** state) {
  static const char* const keys[] = {"ddb.toolsVersion", "2147483647", "ddb.comment", "hello",
                                     NULL};
  size_t i;

  (void)state;
  for (i = 0; i + 1 < destination_count; ++i) {
    struct places places = make_places();
    struct source source = make_source(places.from, "monolithicSparse", 20000, "D");
    vmdk_disk *disk = source_open(&source), *made;
    vmdk_create_options create = create_options(destinations[i].type);
    vmdk_convert_options options = options_for(&create, 1);
    const char* path = path_in(places.to, "disk.vmdk");
    create.adapter = VMDK_ADAPTER_PVSCSI;
    create.hardware_version = 21;
    create.keys = keys;
    assert_ok(vmdk_convert(disk, path, &options));
    made = open_disk(path, NULL);
    assert_int_equal(info_of(made, 0).adapter, VMDK_ADAPTER_PVSCSI);
    assert_int_equal(info_of(made, 0).hardware_version, 21);
    assert_int_equal(info_of(made, 0).heads, 64);
    assert_string_equal(text_of(made, 0, "ddb.toolsVersion"), "2147483647");
    assert_string_equal(text_of(made, 0, "ddb.comment"), "hello");
    assert_ok(vmdk_close(made));
    assert_ok(vmdk_close(disk));
    source_free(&source);
    free_places(&places);
  }
}

/* A geometry that no disk of this size has is not handed on. */
static void geometries_of_others(void** state) {
  static const struct {
    const char *cylinders, *heads, *sectors;
    int taken;
  } cases[] = {
      {"19", "16", "63", 1},   {"1", "64", "32", 1},     {"0", "16", "63", 0},
      {"19", "0", "63", 0},    {"19", "16", "0", 0},     {"19", "256", "63", 0},
      {"10", "16", "64", 0},   {"1305", "255", "63", 0}, {"99999999999999", "16", "63", 0},
      {"many", "16", "63", 0},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    struct places places = make_places();
    struct descriptor text = {0};
    const char* path = path_in(places.to, "disk.vmdk");
    vmdk_disk *disk, *made;
    text.extents = "RW 20000 ZERO\n";
    text.more = text_in(places.from,
                        "ddb.adapterType = \"ide\"\nddb.geometry.cylinders = \"%s\"\n"
                        "ddb.geometry.heads = \"%s\"\nddb.geometry.sectors = \"%s\"\n",
                        cases[i].cylinders, cases[i].heads, cases[i].sectors);
    disk = open_disk(put_file(places.from, "disk.vmdk", descriptor_bytes(&text)), NULL);
    assert_ok(vmdk_convert(disk, path, NULL));
    made = open_disk(path, NULL);
    assert_string_equal(text_of(made, 0, "ddb.geometry.cylinders"),
                        cases[i].taken ? cases[i].cylinders : "19");
    assert_string_equal(text_of(made, 0, "ddb.geometry.heads"),
                        cases[i].taken ? cases[i].heads : "16");
    assert_string_equal(text_of(made, 0, "ddb.geometry.sectors"),
                        cases[i].taken ? cases[i].sectors : "63");
    assert_ok(vmdk_close(made));
    assert_ok(vmdk_close(disk));
    free_places(&places);
  }
}

/* A raw disk says nothing of itself. */
static void keys_of_raw_disks(void** state) {
  struct places places = make_places();
  struct source source = make_source(places.from, "raw", 300, "D");
  vmdk_disk *disk = source_open(&source), *made;
  const char* path = path_in(places.to, "disk.vmdk");

  (void)state;
  assert_ok(vmdk_convert(disk, path, NULL));
  made = open_disk(path, NULL);
  assert_int_equal(info_of(made, 0).type, VMDK_TYPE_MONOLITHIC_SPARSE);
  assert_int_equal(info_of(made, 0).adapter, VMDK_ADAPTER_LSILOGIC);
  assert_int_equal(info_of(made, 0).hardware_version, 4);
  assert_ok(vmdk_close(made));
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&places);
}

/* ---- The same bytes ---- */

static void the_same_bytes_twice(void** state) {
  static const unsigned threads[] = {1, 1, 2, 3, 4, 8, 64, 0};
  static const char* const kinds[] = {"monolithicSparse", "streamOptimized", "sparse above flat",
                                      "raw"};
  size_t i, j, k;

  (void)state;
  for (i = 0; i < COUNT(kinds); ++i) {
    for (j = i % sampling(); j < destination_count; j += sampling()) {
      struct places from = make_places();
      struct source source = make_source(from.from, kinds[i], SECTORS, GRAINS);
      vmdk_disk* disk = source_open(&source);
      struct bytes first = {NULL, 0};
      for (k = 0; k < COUNT(threads); ++k) {
        struct places places = make_places();
        vmdk_create_options create = fixed_create_options(destinations[j].type);
        vmdk_convert_options options = options_for(&create, threads[k]);
        struct bytes all;
        assert_ok(vmdk_convert(disk, path_in(places.to, "disk.vmdk"), &options));
        all = all_files(places.to);
        if (k == 0) {
          first = all;
        } else {
          assert_int_equal(all.size, first.size);
          assert_same_bytes(all.data, first.data, all.size);
          bytes_free(&all);
        }
        free_places(&places);
      }
      bytes_free(&first);
      assert_ok(vmdk_close(disk));
      source_free(&source);
      free_places(&from);
    }
  }
}

static void identities_are_new(void** state) {
  struct places places = make_places();
  struct source source = make_source(places.from, "monolithicSparse", 300, "D");
  vmdk_disk *disk = source_open(&source), *one, *two;
  vmdk_create_options create = create_options(VMDK_TYPE_STREAM_OPTIMIZED);
  vmdk_convert_options options = options_for(&create, 1);
  char uuid[64], id[64];

  (void)state;
  assert_ok(vmdk_convert(disk, path_in(places.to, "1.vmdk"), &options));
  assert_ok(vmdk_convert(disk, path_in(places.to, "2.vmdk"), &options));
  one = open_disk(path_in(places.to, "1.vmdk"), NULL);
  two = open_disk(path_in(places.to, "2.vmdk"), NULL);
  assert_int_not_equal(info_of(one, 0).cid, info_of(two, 0).cid);
  (void)snprintf(uuid, sizeof(uuid), "%s", text_of(one, 0, "ddb.uuid"));
  (void)snprintf(id, sizeof(id), "%s", text_of(one, 0, "ddb.longContentID"));
  assert_string_not_equal(uuid, text_of(two, 0, "ddb.uuid"));
  assert_string_not_equal(id, text_of(two, 0, "ddb.longContentID"));
  assert_ok(vmdk_close(one));
  assert_ok(vmdk_close(two));
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&places);
}

/* More compression is not larger, and every level is good. */
static void levels(void** state) {
  struct places places = make_places();
  struct source source = make_source(places.from, "raw", SECTORS, GRAINS);
  vmdk_disk* disk = source_open(&source);
  size_t sizes[14];
  unsigned i;

  (void)state;
  for (i = 0; i <= 13; ++i) {
    vmdk_create_options create = fixed_create_options(VMDK_TYPE_STREAM_OPTIMIZED);
    vmdk_convert_options options = options_for(&create, 2);
    const char* path = text_in(places.to, "%s/%u.vmdk", folder_path(places.to), i);
    struct bytes file;
    options.compression = i == 13 ? VMDK_COMPRESSION_STORED : i;
    assert_ok(vmdk_convert(disk, path, &options));
    file = read_file(path);
    assert_stream_is(&file, source.model, source.size, source.size);
    sizes[i] = file.size;
    bytes_free(&file);
  }
  assert_int_equal(sizes[0], sizes[6]);
  assert_true(sizes[12] <= sizes[1]);
  assert_true(sizes[1] < sizes[13]);
  /* Grains stored as they are, not much more. */
  assert_true(sizes[13] < source.size + 128 * 1024 + 2 * 65536);
  {
    vmdk_convert_options options = convert_options();
    options.compression = 13;
    assert_status(vmdk_convert(disk, path_in(places.to, "x"), &options), VMDK_ERR_INVALID_ARGUMENT);
    options.compression = 254;
    assert_status(vmdk_convert(disk, path_in(places.to, "x"), &options), VMDK_ERR_INVALID_ARGUMENT);
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&places);
}

/* ---- What is told ---- */

static void what_is_told(void** state) {
  size_t i, j, k;

  (void)state;
  for (i = 0; i < source_kind_count; ++i) {
    struct places from = make_places();
    struct source source = make_source(from.from, source_kinds[i], SECTORS, GRAINS);
    vmdk_disk* disk = source_open(&source);
    for (j = i % sampling(); j < destination_count; j += sampling()) {
      for (k = 0; k < 2; ++k) {
        struct places places = make_places();
        const unsigned told = TOLD_PROGRESS | TOLD_LOST | (k == 0 ? TOLD_CONTENT : 0u) |
                              (destinations[j].in_order ? TOLD_OUTPUT : 0u);
        vmdk_create_options create = create_options(destinations[j].type);
        vmdk_convert_options options = options_for(&create, (unsigned)(1 + k * 3));
        struct watcher watcher;
        if (k == 1) create.capacity = source.size + 70000;
        watch(&watcher, &options, told, source.model, source.size,
              k == 0 ? source.size : (source.size + 70000 + 511) / 512 * 512);
        assert_ok(vmdk_convert(disk, path_in(places.to, "disk.vmdk"), &options));
        assert_watched(&watcher, told & ~(unsigned)TOLD_LOST);
        assert_int_equal(watcher.lost_count, 0);
        if (destinations[j].in_order) {
          struct bytes file = bytes_of_file(&places, "disk.vmdk");
          assert_int_equal(watcher.output.bytes.size, file.size);
          assert_same_bytes(watcher.output.bytes.data, file.data, file.size);
          bytes_free(&file);
        }
        watcher_free(&watcher);
        free_places(&places);
      }
    }
    assert_ok(vmdk_close(disk));
    source_free(&source);
    free_places(&from);
  }
}

/* Each call ends it once: nothing is left. */
static void cancelling(void** state) {
  static const unsigned kinds[] = {TOLD_PROGRESS, TOLD_CONTENT, TOLD_OUTPUT};
  struct places from = make_places();
  struct source source = make_source(from.from, "streamOptimized", SECTORS, GRAINS);
  vmdk_disk* disk = source_open(&source);
  size_t i, j;
  unsigned threads;
  long n;

  (void)state;
  for (i = 0; i < destination_count; ++i) {
    for (j = 0; j < COUNT(kinds); ++j) {
      if (kinds[j] == TOLD_OUTPUT && !destinations[i].in_order) continue;
      if ((i + j) % sampling() != 0) continue;
      for (threads = 1; threads <= 4; threads += 3) {
        for (n = 1;; n += n < 4 ? 1 : (long)sampling()) {
          struct places places = make_places();
          vmdk_create_options create = create_options(destinations[i].type);
          vmdk_convert_options options = options_for(&create, threads);
          struct watcher watcher;
          vmdk_status status;
          watch(&watcher, &options, kinds[j], source.model, source.size, source.size);
          watcher.cancel = kinds[j];
          watcher.cancel_at = n;
          status = vmdk_convert(disk, path_in(places.to, "disk.vmdk"), &options);
          if (watcher.cancelled) {
            /* A function for the output fails with an errno value; the others ask to stop. */
            if (kinds[j] == TOLD_OUTPUT) {
              assert_int_equal(status, VMDK_ERR_IO);
              assert_int_equal(vmdk_last_error()->os_error, EPIPE);
            } else {
              assert_int_equal(status, VMDK_ERR_CANCELLED);
            }
            assert_int_equal(count_entries(places.to), 0);
          } else {
            assert_int_equal(status, VMDK_OK);
          }
          assert_string_equal(watcher.wrong, "");
          assert_int_equal(watcher.calls_after, 0);
          watcher_free(&watcher);
          free_places(&places);
          if (status == VMDK_OK) break;
        }
        assert_true(n > 2);
      }
    }
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&from);
}

/* ---- Damaged sources ---- */

/* What cannot be read of a source: these ranges. */
struct damage {
  uint64_t offset, size;
};

/* A stream, some of whose grains do not inflate. */
static struct source damaged_stream(struct folder* folder, const struct damage* damage,
                                    size_t count) {
  struct source source = make_source(folder, "streamOptimized", SECTORS, GRAINS);
  vmdk_disk* disk = source_open(&source);
  struct bytes file = read_file(source.path);
  size_t i;
  uint64_t at;

  for (i = 0; i < count; ++i)
    for (at = damage[i].offset; at < damage[i].offset + damage[i].size; at += 65536) {
      const vmdk_run run = run_at(disk, at, SECTOR);
      assert_int_equal(run.kind, VMDK_RUN_DATA);
      file.data[run.file_offset + 2000] ^= 0x40;
    }
  assert_ok(vmdk_close(disk));
  source.path = put_file(folder, "disk.vmdk", file);
  return source;
}

/* A sparse disk, some of whose entries lead outside the file. */
static struct source damaged_entries(struct folder* folder, const struct damage* damage,
                                     size_t count) {
  struct source source = make_source(folder, "monolithicSparse", SECTORS, GRAINS);
  struct bytes file = read_file(source.path);
  size_t i;
  uint64_t at, directory = 0;

  for (i = 0; i < 8; ++i) directory |= (uint64_t)file.data[56 + i] << (8 * i);
  for (i = 0; i < count; ++i)
    for (at = damage[i].offset; at < damage[i].offset + damage[i].size; at += 65536)
      bytes_set32(&file, (size_t)((directory + 1) * SECTOR + at / 65536 * 4), 0x7fffff00);
  source.path = put_file(folder, "disk.vmdk", file);
  return source;
}

static const struct damage damages[][5] = {
    {{0, 65536}, {0, 0}},
    {{3 * 65536, 2 * 65536}, {0, 0}},
    {{0, 65536}, {3 * 65536, 65536}, {11 * 65536, 6 * 65536}, {35 * 65536, 65536}, {0, 0}},
};

static void lost_ranges(void** state) {
  static struct source (*const makers[])(struct folder*, const struct damage*, size_t) = {
      damaged_stream, damaged_entries};
  static const uint32_t types[] = {VMDK_TYPE_RAW, VMDK_TYPE_STREAM_OPTIMIZED, VMDK_TYPE_SPLIT_FLAT,
                                   VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_VMFS_SPARSE};
  size_t i, j, k, l;

  (void)state;
  for (i = 0; i < COUNT(makers) * COUNT(damages); ++i) {
    const struct damage* damage = damages[i / COUNT(makers)];
    for (j = 0; j < COUNT(types); ++j) {
      if ((i + j) % sampling() != 0) continue;
      for (k = 1; k <= 4; k += 3) {
        struct places places = make_places();
        vmdk_create_options create = create_options(types[j]);
        vmdk_convert_options options = options_for(&create, (unsigned)k);
        const char* path = path_in(places.to, "disk.vmdk");
        struct watcher watcher;
        struct source source;
        vmdk_disk* disk;
        size_t count = 0;
        while (damage[count].size != 0) ++count;
        source = makers[i % COUNT(makers)](places.from, damage, count);
        disk = source_open(&source);

        /* Without the function, or when it says so, the conversion ends with that failure. */
        for (l = 0; l < 2; ++l) {
          options = options_for(&create, (unsigned)k);
          if (l == 1) {
            watch(&watcher, &options, TOLD_LOST, NULL, source.size, source.size);
            watcher.cancel = TOLD_LOST;
            watcher.cancel_at = 1;
          }
          assert_status(vmdk_convert(disk, path, &options), VMDK_ERR_CORRUPT);
          assert_contains(vmdk_last_error()->message, "disk.vmdk");
          assert_true(vmdk_last_error()->offset >= damage[0].offset &&
                      vmdk_last_error()->offset < damage[0].offset + damage[0].size);
          assert_int_equal(count_entries(places.to), 0);
          if (l == 1) {
            assert_string_equal(watcher.wrong, "");
            assert_int_equal(watcher.lost_count, 1);
            watcher_free(&watcher);
          }
        }

        for (l = 0; l < count; ++l)
          memset(source.model + damage[l].offset, 0,
                 (size_t)(damage[l].size < source.size - damage[l].offset
                              ? damage[l].size
                              : source.size - damage[l].offset));
        options = options_for(&create, (unsigned)k);
        watch(&watcher, &options, TOLD_LOST | TOLD_CONTENT | TOLD_PROGRESS, source.model,
              source.size, source.size);
        assert_ok(vmdk_convert(disk, path, &options));
        assert_watched(&watcher, TOLD_CONTENT | TOLD_PROGRESS);
        assert_int_equal(watcher.lost_count, count);
        for (l = 0; l < count; ++l) {
          assert_true(watcher.lost[l].offset == damage[l].offset);
          assert_true(watcher.lost[l].size == damage[l].size);
        }
        assert_contains(watcher.last_message, "disk.vmdk");
        assert_disk_is(path, destination_of(types[j]), source.model, source.size, source.size);
        watcher_free(&watcher);
        assert_ok(vmdk_close(disk));
        source_free(&source);
        free_places(&places);
      }
    }
  }
}

/* A file of which some bytes cannot be read. */
struct broken {
  vmdk_io io;
  const unsigned char* bytes;
  uint64_t size;
  const struct damage* damage; /* ends with size 0 */
};

static int broken_open(void* user, const char* name, uint32_t flags, void** out_file) {
  *out_file = user;
  return strcmp(name, "disk.img") == 0 && flags == 0 ? 0 : ENOENT;
}

static void broken_close(void* user, void* file) {
  (void)user;
  (void)file;
}

static int broken_read(void* user, void* file, uint64_t offset, void* buffer, size_t size) {
  const struct broken* broken = user;
  const struct damage* damage;

  (void)file;
  for (damage = broken->damage; damage->size != 0; ++damage)
    if (offset < damage->offset + damage->size && damage->offset < offset + size) return EIO;
  if (offset > broken->size || size > broken->size - offset) return EINVAL;
  memcpy(buffer, broken->bytes + offset, size);
  return 0;
}

static int broken_size(void* user, void* file, uint64_t* out_size) {
  (void)file;
  *out_size = ((const struct broken*)user)->size;
  return 0;
}

static void unreadable_places(void** state) {
  static const uint32_t types[] = {VMDK_TYPE_RAW, VMDK_TYPE_STREAM_OPTIMIZED,
                                   VMDK_TYPE_MONOLITHIC_FLAT, VMDK_TYPE_MONOLITHIC_SPARSE};
  static const struct damage damage[] = {
      {4096, 8192}, {70000, 10}, {65536 * 16 - 1, 2}, {SECTORS * SECTOR - 1, 1}, {0, 0}};
  static const struct damage told[] = {
      {4096, 8192}, {69632, 4096}, {65536 * 16 - 4096, 8192}, {SECTORS * SECTOR - 2560, 2560}};
  size_t i, j, k;

  (void)state;
  for (i = 0; i < COUNT(types) * 2; ++i) {
    struct places places = make_places();
    struct bytes all = pattern_bytes(1, 0, SECTORS * SECTOR), model = bytes_copy(&all);
    vmdk_create_options create = create_options(types[i / 2]);
    vmdk_convert_options options = options_for(&create, (unsigned)(1 + i % 2 * 3));
    vmdk_open_options open = default_options();
    const char* path = path_in(places.to, "disk.vmdk");
    struct watcher watcher;
    struct broken broken;
    vmdk_disk* disk;

    memset(&broken, 0, sizeof(broken));
    broken.io.struct_size = sizeof(broken.io);
    broken.io.user = &broken;
    broken.io.open = broken_open;
    broken.io.close = broken_close;
    broken.io.read_at = broken_read;
    broken.io.get_size = broken_size;
    broken.bytes = all.data;
    broken.size = all.size;
    broken.damage = damage;
    open.flags = VMDK_OPEN_RAW;
    open.io = &broken.io;
    disk = open_disk("disk.img", &open);

    assert_status(vmdk_convert(disk, path, &options), VMDK_ERR_IO);
    assert_contains(vmdk_last_error()->message, "disk.img");
    assert_int_equal(vmdk_last_error()->os_error, EIO);
    assert_int_equal(count_entries(places.to), 0);

    for (j = 0; j < COUNT(told); ++j) memset(model.data + told[j].offset, 0, (size_t)told[j].size);
    watch(&watcher, &options, TOLD_LOST | TOLD_CONTENT, model.data, model.size, model.size);
    assert_ok(vmdk_convert(disk, path, &options));
    assert_watched(&watcher, TOLD_CONTENT);
    assert_int_equal(watcher.lost_count, COUNT(told));
    for (k = 0; k < COUNT(told); ++k) {
      assert_true(watcher.lost[k].offset == told[k].offset);
      assert_true(watcher.lost[k].size == told[k].size);
    }
    assert_disk_is(path, destination_of(types[i / 2]), model.data, model.size, model.size);
    watcher_free(&watcher);
    assert_ok(vmdk_close(disk));
    bytes_free(&all);
    bytes_free(&model);
    free_places(&places);
  }
}

/* ---- Names ---- */

static void existing_files(void** state) {
  static const struct {
    uint32_t type;
    const char* name;
  } cases[] = {
      {VMDK_TYPE_MONOLITHIC_SPARSE, "disk.vmdk"},
      {VMDK_TYPE_STREAM_OPTIMIZED, "disk.vmdk"},
      {VMDK_TYPE_RAW, "disk.vmdk"},
      {VMDK_TYPE_MONOLITHIC_FLAT, "disk.vmdk"},
      {VMDK_TYPE_MONOLITHIC_FLAT, "disk-flat.vmdk"},
      {VMDK_TYPE_SPLIT_SPARSE, "disk-s001.vmdk"},
      {VMDK_TYPE_SPLIT_SPARSE, "disk-s002.vmdk"},
      {VMDK_TYPE_SPLIT_FLAT, "disk-f002.vmdk"},
      {VMDK_TYPE_VMFS_SPARSE, "disk-delta.vmdk"},
      {VMDK_TYPE_VMFS, "disk-flat.vmdk"},
  };
  struct places from = make_places();
  struct source source = make_source(from.from, "monolithicSparse", SECTORS, GRAINS);
  vmdk_disk* disk = source_open(&source);
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    struct places places = make_places();
    vmdk_create_options create = create_options(cases[i].type);
    vmdk_convert_options options = options_for(&create, 2);
    const char* path = path_in(places.to, "disk.vmdk");
    const struct destination* to = destination_of(cases[i].type);
    struct bytes old;
    struct watcher watcher;

    if (strstr(to->name, "twoGb") != NULL) create.split_bytes = 2 * MIB;
    (void)put_text(places.to, cases[i].name, "not to be lost");
    assert_status(vmdk_convert(disk, path, &options), VMDK_ERR_EXISTS);
    assert_contains(vmdk_last_error()->message, cases[i].name);
    assert_int_equal(count_entries(places.to), 1);
    old = bytes_of_file(&places, cases[i].name);
    assert_int_equal(old.size, 14);
    bytes_free(&old);

    options.flags = VMDK_CONVERT_REPLACE;
    if (!to->one_file) {
      assert_status(vmdk_convert(disk, path, &options), VMDK_ERR_INVALID_ARGUMENT);
      assert_int_equal(count_entries(places.to), 1);
    } else {
      /* What was there stays until the new one is complete. */
      watch(&watcher, &options, TOLD_PROGRESS, NULL, source.size, source.size);
      watcher.cancel = TOLD_PROGRESS;
      watcher.cancel_at = 2;
      assert_status(vmdk_convert(disk, path, &options), VMDK_ERR_CANCELLED);
      assert_int_equal(count_entries(places.to), 1);
      old = bytes_of_file(&places, cases[i].name);
      assert_int_equal(old.size, 14);
      assert_memory_equal(old.data, "not to be lost", 14);
      bytes_free(&old);
      watcher_free(&watcher);
      options.on_progress = NULL;
      assert_ok(vmdk_convert(disk, path, &options));
      assert_int_equal(count_entries(places.to), 1);
      assert_disk_is(path, to, source.model, source.size, source.size);
      /* Nothing to replace. */
      assert_ok(vmdk_convert(disk, path_in(places.to, "new.vmdk"), &options));
    }
    free_places(&places);
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&from);
}

/* The source itself, while it is open: only without a lock. */
static void replacing_the_source(void** state) {
  static const uint32_t types[] = {VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_STREAM_OPTIMIZED,
                                   VMDK_TYPE_RAW};
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(types); ++i) {
    struct places places = make_places();
    struct source source = make_source(places.to, "monolithicSparse", SECTORS, GRAINS);
    struct bytes before = read_file(source.path), after;
    vmdk_disk* disk = source_open(&source);
    vmdk_create_options create = create_options(types[i]);
    vmdk_convert_options options = options_for(&create, 2);

    options.flags = VMDK_CONVERT_REPLACE;
    assert_status(vmdk_convert(disk, source.path, &options), VMDK_ERR_LOCKED);
    assert_int_equal(count_entries(places.to), 1);
    after = read_file(source.path);
    assert_int_equal(after.size, before.size);
    assert_same_bytes(after.data, before.data, after.size);
    bytes_free(&before);
    bytes_free(&after);
    assert_ok(vmdk_close(disk));

    source.open.flags = VMDK_OPEN_NO_LOCK;
    disk = source_open(&source);
    assert_ok(vmdk_convert(disk, source.path, &options));
    assert_content(disk, source.model, source.size, 100000);
    assert_ok(vmdk_close(disk));
    assert_disk_is(source.path, destination_of(types[i]), source.model, source.size, source.size);
    assert_int_equal(count_entries(places.to), 1);
    source_free(&source);
    free_places(&places);
  }
}

static void bad_places(void** state) {
  struct places places = make_places();
  struct source source = make_source(places.from, "monolithicSparse", 300, "D");
  vmdk_disk* disk = source_open(&source);
  size_t i;

  (void)state;
  for (i = 0; i < destination_count; ++i) {
    vmdk_create_options create = create_options(destinations[i].type);
    vmdk_convert_options options = options_for(&create, 2);
    assert_status(vmdk_convert(disk, path_in(places.to, "none/disk.vmdk"), &options),
                  VMDK_ERR_NOT_FOUND);
    if (destinations[i].type == VMDK_TYPE_RAW) continue;
    assert_status(vmdk_convert(disk, path_in(places.to, "a\"b.vmdk"), &options),
                  VMDK_ERR_INVALID_ARGUMENT);
    assert_int_equal(count_entries(places.to), 0);
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&places);
}

/* ---- Arguments ---- */

static int refuse_output(void* user, const void* data, size_t size) {
  (void)user;
  (void)data;
  (void)size;
  return 0;
}

static void wrong_options(void** state) {
  const struct {
    const char* part; /* of the message */
    uint32_t type;
    uint64_t grain, split;
    uint32_t preallocate, adapter, flags, cid, target, convert_flags, threads;
    vmdk_status status;
  } cases[] = {
      {"grain", VMDK_TYPE_MONOLITHIC_FLAT, 65536, 0, 0, 0, 0, 0, 0, 0, 0,
       VMDK_ERR_INVALID_ARGUMENT},
      {"grain", VMDK_TYPE_RAW, 65536, 0, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {"grain", VMDK_TYPE_STREAM_OPTIMIZED, 2048, 0, 0, 0, 0, 0, 0, 0, 0,
       VMDK_ERR_INVALID_ARGUMENT},
      {"grain", VMDK_TYPE_STREAM_OPTIMIZED, 2 * MIB, 0, 0, 0, 0, 0, 0, 0, 0,
       VMDK_ERR_INVALID_ARGUMENT},
      {"grain", VMDK_TYPE_STREAM_OPTIMIZED, 65535, 0, 0, 0, 0, 0, 0, 0, 0,
       VMDK_ERR_INVALID_ARGUMENT},
      {"grain", VMDK_TYPE_MONOLITHIC_SPARSE, 12288, 0, 0, 0, 0, 0, 0, 0, 0,
       VMDK_ERR_INVALID_ARGUMENT},
      {"split", VMDK_TYPE_STREAM_OPTIMIZED, 0, 65536, 0, 0, 0, 0, 0, 0, 0,
       VMDK_ERR_INVALID_ARGUMENT},
      {"split", VMDK_TYPE_RAW, 0, 65536, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {"parts of 65537", VMDK_TYPE_SPLIT_SPARSE, 0, 65537, 0, 0, 0, 0, 0, 0, 0,
       VMDK_ERR_INVALID_ARGUMENT},
      {"beforehand", VMDK_TYPE_STREAM_OPTIMIZED, 0, 0, VMDK_PREALLOCATE_ZEROS, 0, 0, 0, 0, 0, 0,
       VMDK_ERR_INVALID_ARGUMENT},
      {"preallocate", VMDK_TYPE_MONOLITHIC_FLAT, 0, 0, 99, 0, 0, 0, 0, 0, 0,
       VMDK_ERR_INVALID_ARGUMENT},
      {"adapter", 0, 0, 0, 0, 99, 0, 0, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {"flags", 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {"zero", VMDK_TYPE_STREAM_OPTIMIZED, 0, 0, 0, 0, VMDK_CREATE_ZERO_GRAINS, 0, 0, 0, 0,
       VMDK_ERR_INVALID_ARGUMENT},
      {"cid", 0, 0, 0, 0, 0, 0, 0xffffffff, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {"target", 0, 0, 0, 0, 0, 0, 0, 99, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {"flags", 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, VMDK_ERR_UNSUPPORTED},
      {"means nothing", 0, 0, 0, 0, 0, 0, 0, 0, VMDK_CONVERT_FROM_RAW, 0,
       VMDK_ERR_INVALID_ARGUMENT},
      {"means nothing", 0, 0, 0, 0, 0, 0, 0, 0, VMDK_CONVERT_EXACT, 0, VMDK_ERR_INVALID_ARGUMENT},
      {"type", VMDK_TYPE_SE_SPARSE, 0, 0, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {"", VMDK_TYPE_VMFS_RDM, 0, 0, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {"", VMDK_TYPE_CUSTOM, 0, 0, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {"type", 1000, 0, 0, 0, 0, 0, 0, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
  };
  struct places places = make_places();
  struct source source = make_source(places.from, "monolithicSparse", 300, "D");
  vmdk_disk* disk = source_open(&source);
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_create_options create = create_options(cases[i].type);
    vmdk_convert_options options = options_for(&create, cases[i].threads);
    vmdk_status status;
    create.grain_bytes = cases[i].grain;
    create.split_bytes = cases[i].split;
    create.preallocate = cases[i].preallocate;
    create.adapter = cases[i].adapter;
    create.flags = cases[i].flags;
    create.cid = cases[i].cid;
    create.target = cases[i].target;
    options.flags = cases[i].convert_flags;
    status = vmdk_convert(disk, path_in(places.to, "disk.vmdk"), &options);
    if (status != cases[i].status)
      fail_msg("case %zu (%s) gives %s: %s", i, cases[i].part, vmdk_status_string(status),
               status == VMDK_OK ? "" : vmdk_last_error()->message);
    assert_contains(vmdk_last_error()->message, cases[i].part);
    assert_true(is_clean_line(vmdk_last_error()->message));
    assert_int_equal(count_entries(places.to), 0);
  }
  for (i = 0; i < destination_count; ++i) {
    vmdk_create_options create = create_options(destinations[i].type);
    vmdk_convert_options options = options_for(&create, 1);
    if (destinations[i].in_order) continue;
    options.on_output = refuse_output;
    assert_status(vmdk_convert(disk, path_in(places.to, "disk.vmdk"), &options),
                  VMDK_ERR_INVALID_ARGUMENT);
    assert_contains(vmdk_last_error()->message, "on_output");
    assert_int_equal(count_entries(places.to), 0);
  }
  {
    /* A key that cannot stand in a descriptor. */
    static const char* const keys[] = {"ddb.a", "x\ny", NULL};
    vmdk_create_options create = create_options(0);
    vmdk_convert_options options = options_for(&create, 1);
    create.keys = keys;
    assert_status(vmdk_convert(disk, path_in(places.to, "disk.vmdk"), &options),
                  VMDK_ERR_INVALID_ARGUMENT);
    assert_int_equal(count_entries(places.to), 0);
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&places);
}

static void null_pointers(void** state) {
  struct places places = make_places();
  struct source source = make_source(places.from, "monolithicSparse", 300, "D");
  vmdk_disk* disk = source_open(&source);
  const char* path = path_in(places.to, "disk.vmdk");

  (void)state;
  assert_status(vmdk_convert(NULL, path, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_convert(disk, NULL, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_convert(disk, "", NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_int_equal(count_entries(places.to), 0);
  assert_ok(vmdk_convert(disk, path, NULL));
  assert_disk_is(path, destination_of(VMDK_TYPE_MONOLITHIC_SPARSE), source.model, source.size,
                 source.size);
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&places);
}

/* Structures of callers with an older or a newer header. */
static void struct_sizes(void** state) {
  struct places places = make_places();
  struct source source = make_source(places.from, "monolithicSparse", 300, "D");
  vmdk_disk* disk = source_open(&source);
  const char* path = path_in(places.to, "disk.vmdk");
  union {
    vmdk_convert_options options;
    unsigned char bytes[sizeof(vmdk_convert_options) + 64];
  } convert;
  union {
    vmdk_create_options options;
    unsigned char bytes[sizeof(vmdk_create_options) + 64];
  } create;
  uint32_t size;

  (void)state;
  memset(&convert, 0, sizeof(convert));
  memset(&create, 0, sizeof(create));
  for (size = 0; size < 4; ++size) {
    convert.options.struct_size = size;
    assert_status(vmdk_convert(disk, path, &convert.options), VMDK_ERR_INVALID_ARGUMENT);
    convert.options.struct_size = sizeof(convert.options);
    convert.options.create = &create.options;
    create.options.struct_size = size;
    assert_status(vmdk_convert(disk, path, &convert.options), VMDK_ERR_INVALID_ARGUMENT);
    convert.options.create = NULL;
  }
  assert_int_equal(count_entries(places.to), 0);
  convert.options.flags = VMDK_CONVERT_REPLACE;
  create.options.struct_size = sizeof(create.options);
  create.options.type = VMDK_TYPE_RAW;
  for (size = 8; size <= sizeof(convert); size += 8) {
    /* What lies behind the size that is said is not looked at. */
    memset(convert.bytes + 8, 0, sizeof(convert) - 8);
    if (size > offsetof(vmdk_convert_options, create)) convert.options.create = &create.options;
    if (size < sizeof(convert)) memset(convert.bytes + size, 0xee, sizeof(convert) - size);
    convert.options.struct_size = size;
    assert_ok(vmdk_convert(disk, path, &convert.options));
  }
  memset(convert.bytes + 8, 0, sizeof(convert) - 8);
  convert.options.struct_size = sizeof(convert);
  convert.bytes[sizeof(vmdk_convert_options) + 3] = 1;
  assert_status(vmdk_convert(disk, path, &convert.options), VMDK_ERR_UNSUPPORTED);
  convert.options.struct_size = sizeof(convert.options);
  convert.options.create = &create.options;
  create.options.struct_size = sizeof(create);
  assert_ok(vmdk_convert(disk, path, &convert.options));
  create.bytes[sizeof(create) - 1] = 1;
  assert_status(vmdk_convert(disk, path, &convert.options), VMDK_ERR_UNSUPPORTED);
  assert_int_equal(count_entries(places.to), 1);
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&places);
}

/* A source that was opened to write shows what was written. */
static void sources_that_were_written(void** state) {
  struct places places = make_places();
  struct source source = make_source(places.from, "monolithicSparse", SECTORS, GRAINS);
  unsigned char data[3000];
  vmdk_disk* disk;
  size_t i;

  (void)state;
  source.open.flags = VMDK_OPEN_WRITE;
  disk = source_open(&source);
  pattern_fill(9, 0, data, sizeof(data));
  assert_ok(vmdk_write_at(disk, data, sizeof(data), 100000));
  memcpy(source.model + 100000, data, sizeof(data));
  for (i = 0; i < destination_count; ++i) {
    vmdk_create_options create = fixed_create_options(destinations[i].type);
    convert_and_compare(&source, disk, destinations + i, &create, 2);
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&places);
}

/* Nothing stays open, and the disk can be converted again and again. */
static void descriptors_are_closed(void** state) {
  struct places from = make_places();
  struct source source = make_source(from.from, "twoGbMaxExtentSparse", SECTORS, GRAINS);
  vmdk_disk* disk = source_open(&source);
  const int before = count_descriptors();
  size_t i;

  (void)state;
  for (i = 0; i < destination_count; ++i) {
    struct places places = make_places();
    vmdk_create_options create = create_options(destinations[i].type);
    vmdk_convert_options options = options_for(&create, 4);
    assert_ok(vmdk_convert(disk, path_in(places.to, "disk.vmdk"), &options));
    assert_int_equal(count_descriptors(), before);
    assert_status(vmdk_convert(disk, path_in(places.to, "disk.vmdk"), &options), VMDK_ERR_EXISTS);
    assert_int_equal(count_descriptors(), before);
    free_places(&places);
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&from);
}

/* A file system without room: the limit of a file's size stands for it. */
static void no_room(void** state) {
  struct places from = make_places();
  struct source source = make_source(from.from, "monolithicSparse", SECTORS, GRAINS);
  vmdk_disk* disk = source_open(&source);
  struct rlimit limit, small;
  size_t i;

  (void)state;
  assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  small = limit;
  small.rlim_cur = 600000;
  for (i = 0; i < destination_count; ++i) {
    struct places places = make_places();
    vmdk_create_options create = create_options(destinations[i].type);
    vmdk_convert_options options = options_for(&create, 2);
    vmdk_status status;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    status = vmdk_convert(disk, path_in(places.to, "disk.vmdk"), &options);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    if (status != VMDK_ERR_IO && status != VMDK_ERR_NO_SPACE)
      fail_msg("%s: %s", destinations[i].name, vmdk_status_string(status));
    assert_int_equal(count_entries(places.to), 0);
    free_places(&places);
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
  free_places(&from);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_to_every_kind),
      cmocka_unit_test(every_size),
      cmocka_unit_test(every_grain),
      cmocka_unit_test(larger_disks),
      cmocka_unit_test(many_parts),
      cmocka_unit_test(large_disks),
      cmocka_unit_test(keys_are_taken_over),
      cmocka_unit_test(other_adapter_and_keys),
      cmocka_unit_test(geometries_of_others),
      cmocka_unit_test(keys_of_raw_disks),
      cmocka_unit_test(the_same_bytes_twice),
      cmocka_unit_test(identities_are_new),
      cmocka_unit_test(levels),
      cmocka_unit_test(what_is_told),
      cmocka_unit_test(cancelling),
      cmocka_unit_test(lost_ranges),
      cmocka_unit_test(unreadable_places),
      cmocka_unit_test(existing_files),
      cmocka_unit_test(replacing_the_source),
      cmocka_unit_test(bad_places),
      cmocka_unit_test(wrong_options),
      cmocka_unit_test(null_pointers),
      cmocka_unit_test(struct_sizes),
      cmocka_unit_test(sources_that_were_written),
      cmocka_unit_test(descriptors_are_closed),
      cmocka_unit_test(no_room),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
