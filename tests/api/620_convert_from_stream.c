/* SPDX-License-Identifier: MIT */
/* vmdk_convert_from_stream(), vmdk_convert_stream(): streams and raw bytes that come in order,
 * whole ones and broken ones. */
#include <errno.h>
#include <inttypes.h>

#include "support/archive.h"
#include "support/check.h"
#include "support/conversion.h"
#include "support/image.h"

#define SECTOR 512u
#define GRAINS "D.0DDD....0DDDDDD.D0DD0DDDDDDDDDDDDD"
#define SECTORS (UINT64_C(40) * 128 + 37)

/* ---- Streams ---- */

enum shape { SHAPE_OTHERS, SHAPE_QEMU, SHAPE_OURS, SHAPE_OURS_SMALL, SHAPES };

struct stream {
  const char* name;
  struct bytes bytes;
  unsigned char* model;
  uint64_t size;
};

static struct stream make_stream(struct folder* folder, enum shape shape, uint64_t sectors,
                                 const char* grains) {
  static const char* const names[] = {"another writer's", "QEMU's", "ours",
                                      "ours, of 4 KiB grains"};
  struct stream stream;
  struct source source;

  memset(&stream, 0, sizeof(stream));
  stream.name = names[shape];
  source = make_source(folder, shape == SHAPE_QEMU ? "streamOptimized of QEMU" : "streamOptimized",
                       sectors, grains);
  stream.size = source.size;
  stream.model = source.model;
  if (shape == SHAPE_OTHERS || shape == SHAPE_QEMU) {
    stream.bytes = read_file(source.path);
  } else {
    vmdk_create_options create = fixed_create_options(VMDK_TYPE_STREAM_OPTIMIZED);
    vmdk_convert_options options = options_for(&create, 1);
    vmdk_disk* disk = source_open(&source);
    struct collector collector;
    if (shape == SHAPE_OURS_SMALL) create.grain_bytes = 4096;
    memset(&collector, 0, sizeof(collector));
    assert_ok(vmdk_convert_to_stream(disk, collect, &collector, &options));
    assert_ok(vmdk_close(disk));
    stream.bytes = collector.bytes;
  }
  return stream;
}

static void stream_free(struct stream* stream) {
  bytes_free(&stream->bytes);
  free(stream->model);
}

/* A new folder to convert to. */
static struct folder* new_folder(void) {
  void* folder;

  assert_int_equal(folder_setup(&folder), 0);
  return folder;
}

static void free_folder(struct folder* folder) {
  void* state = folder;

  (void)folder_teardown(&state);
}

static void every_stream_to_every_kind(void** state) {
  static const size_t steps[] = {0, 1, 511, 65536};
  size_t i, j, k;

  for (i = 0; i < SHAPES; ++i) {
    struct stream stream = make_stream(*state, (enum shape)i, SECTORS, GRAINS);
    for (j = 0; j < destination_count; ++j) {
      for (k = 0; k < COUNT(steps); ++k) {
        struct folder* folder = new_folder();
        vmdk_create_options create = fixed_create_options(destinations[j].type);
        vmdk_convert_options options = options_for(&create, (unsigned)(k % 4));
        const char* path = path_in(folder, "disk.vmdk");
        struct feed feed = feed_of(&stream.bytes, steps[k]);
        if (steps[k] == 1 && j % 5 != 0) {
          free_folder(folder);
          continue;
        }
        if (vmdk_convert_from_stream(feed_next, &feed, path, &options) != VMDK_OK)
          fail_msg("%s to %s: %s", stream.name, destinations[j].name, vmdk_last_error()->message);
        assert_int_equal(feed.at, feed.size);
        assert_disk_is(path, destinations + j, stream.model, stream.size, stream.size);
        if (destinations[j].in_order) {
          struct bytes file = read_file(path);
          struct collector collector;
          memset(&collector, 0, sizeof(collector));
          feed = feed_of(&stream.bytes, 70000);
          feed.random = 3;
          assert_ok(vmdk_convert_stream(feed_next, &feed, collect, &collector, &options));
          assert_int_equal(collector.bytes.size, file.size);
          assert_same_bytes(collector.bytes.data, file.data, file.size);
          bytes_free(&collector.bytes);
          bytes_free(&file);
        }
        free_folder(folder);
      }
    }
    stream_free(&stream);
  }
}

static void every_size(void** state) {
  static const uint64_t sizes[] = {1, 127, 128, 129, 383, 65535, 65536, 65537, 131073};
  static const char* const contents[] = {"", "D", ".D", "DDDDDDDD"};
  static const uint32_t types[] = {VMDK_TYPE_RAW, VMDK_TYPE_STREAM_OPTIMIZED,
                                   VMDK_TYPE_MONOLITHIC_SPARSE};
  size_t i, j, k, l, m;

  for (i = 0; i < COUNT(sizes); ++i) {
    for (j = 0; j < COUNT(contents); ++j) {
      for (k = 0; k < SHAPES; ++k) {
        if (sizes[i] > 1000 && (j + k) % 4 != 2) continue;
        if ((i + j + k) % sampling() != 0) continue;
        struct stream stream = make_stream(*state, (enum shape)k, sizes[i], contents[j]);
        for (l = 0; l < COUNT(types); ++l) {
          struct folder* folder = new_folder();
          vmdk_create_options create = create_options(types[l]);
          vmdk_convert_options options = options_for(&create, 2);
          const char* path = path_in(folder, "disk.vmdk");
          struct feed feed = feed_of(&stream.bytes, 0);
          for (m = 0; destinations[m].type != types[l]; ++m) continue;
          assert_ok(vmdk_convert_from_stream(feed_next, &feed, path, &options));
          assert_disk_is(path, destinations + m, stream.model, stream.size, stream.size);
          free_folder(folder);
        }
        stream_free(&stream);
      }
    }
  }
}

/* What is taken over, and a larger capacity. */
static void keys_and_capacity(void** state) {
  struct stream stream = make_stream(*state, SHAPE_OTHERS, 20000, "D.D");
  size_t i;

  for (i = 0; i < destination_count; ++i) {
    struct folder* folder = new_folder();
    vmdk_create_options create = create_options(destinations[i].type);
    vmdk_convert_options options = options_for(&create, 2);
    const char* path = path_in(folder, "disk.vmdk");
    struct feed feed = feed_of(&stream.bytes, 0);
    vmdk_disk* disk;
    create.capacity = stream.size - 1;
    assert_status(vmdk_convert_from_stream(feed_next, &feed, path, &options),
                  VMDK_ERR_INVALID_ARGUMENT);
    assert_int_equal(count_entries(folder), 0);
    create.capacity = stream.size + 1000000;
    feed = feed_of(&stream.bytes, 0);
    assert_ok(vmdk_convert_from_stream(feed_next, &feed, path, &options));
    assert_disk_is(path, destinations + i, stream.model, stream.size,
                   (stream.size + 1000000 + 511) / 512 * 512);
    if (destinations[i].type != VMDK_TYPE_RAW) {
      disk = open_disk(path, NULL);
      assert_int_equal(info_of(disk, 0).adapter, VMDK_ADAPTER_IDE);
      assert_int_equal(info_of(disk, 0).hardware_version, 9);
      assert_string_equal(text_of(disk, 0, "ddb.toolsVersion"), "10341");
      assert_int_not_equal(info_of(disk, 0).cid, 0x11111111);
      assert_ok(vmdk_close(disk));
    }
    free_folder(folder);
  }
  stream_free(&stream);
}

/* ---- The order of grains ---- */

/* A stream with its grains out of order goes where it can be written out of order. */
static void grains_out_of_order(void** state) {
  static const char grains[] = "EDD.ED.DEDD";
  size_t i, j;

  for (i = 0; i < 2; ++i) {
    struct stream stream = make_stream(*state, i == 0 ? SHAPE_OTHERS : SHAPE_QEMU, 1500, grains);
    for (j = 0; j < destination_count; ++j) {
      struct folder* folder = new_folder();
      vmdk_create_options create = create_options(destinations[j].type);
      vmdk_convert_options options = options_for(&create, 3);
      const char* path = path_in(folder, "disk.vmdk");
      struct feed feed = feed_of(&stream.bytes, 0);
      struct watcher watcher;
      if (destinations[j].type == VMDK_TYPE_STREAM_OPTIMIZED) {
        assert_status(vmdk_convert_from_stream(feed_next, &feed, path, &options),
                      VMDK_ERR_UNSUPPORTED);
        assert_contains(vmdk_last_error()->message, "order");
        assert_int_equal(count_entries(folder), 0);
      } else {
        /* As promised of progress, though not of what the guest sees. */
        watch(&watcher, &options, TOLD_PROGRESS, NULL, stream.size, stream.size);
        assert_ok(vmdk_convert_from_stream(feed_next, &feed, path, &options));
        assert_watched(&watcher, TOLD_PROGRESS);
        assert_disk_is(path, destinations + j, stream.model, stream.size, stream.size);
        watcher_free(&watcher);
      }
      free_folder(folder);

      folder = new_folder();
      options = options_for(&create, 3);
      feed = feed_of(&stream.bytes, 0);
      watch(&watcher, &options, TOLD_CONTENT, stream.model, stream.size, stream.size);
      assert_status(
          vmdk_convert_from_stream(feed_next, &feed, path_in(folder, "disk.vmdk"), &options),
          VMDK_ERR_UNSUPPORTED);
      assert_contains(vmdk_last_error()->message, "order");
      assert_int_equal(count_entries(folder), 0);
      watcher_free(&watcher);
      free_folder(folder);
    }
    {
      /* Sent raw, it has to be in order, too. */
      vmdk_create_options create = create_options(VMDK_TYPE_RAW);
      vmdk_convert_options options = options_for(&create, 3);
      struct feed feed = feed_of(&stream.bytes, 0);
      struct collector collector;
      memset(&collector, 0, sizeof(collector));
      assert_status(vmdk_convert_stream(feed_next, &feed, collect, &collector, &options),
                    VMDK_ERR_UNSUPPORTED);
      bytes_free(&collector.bytes);
    }
    stream_free(&stream);
  }
}

/* ---- Broken ones ---- */

/* Converts to raw; what comes of it if it is good. */
static vmdk_status to_raw(const struct bytes* bytes, size_t step, struct bytes* out) {
  vmdk_create_options create = create_options(VMDK_TYPE_RAW);
  vmdk_convert_options options = options_for(&create, 1);
  struct feed feed = feed_of(bytes, step);
  struct collector collector;
  vmdk_status status;

  memset(&collector, 0, sizeof(collector));
  status = vmdk_convert_stream(feed_next, &feed, collect, &collector, &options);
  *out = collector.bytes;
  if (status != VMDK_OK) {
    assert_true(is_clean_line(vmdk_last_error()->message));
    assert_contains(vmdk_last_error()->message, "input stream");
  }
  return status;
}

/* Cut anywhere, it is never taken for a whole one. */
static void cut_streams(void** state) {
  size_t i, size, step;

  for (i = 0; i < SHAPES; ++i) {
    struct stream stream = make_stream(*state, (enum shape)i, 300, "D.D");
    for (size = 0; size < stream.bytes.size; size += step) {
      struct bytes part = {stream.bytes.data, size}, out;
      vmdk_status status = to_raw(&part, 0, &out);
      size_t left = stream.bytes.size - size, j;
      /* All that QEMU's has behind its last grain are zeros that mean nothing. */
      int whole = i == SHAPE_QEMU;
      for (j = size; whole && j < stream.bytes.size; ++j) whole = stream.bytes.data[j] == 0;
      if (status == VMDK_OK && whole) {
        assert_int_equal(out.size, stream.size);
        assert_same_bytes(out.data, stream.model, out.size);
      } else if (size == 0) {
        assert_true(status == VMDK_ERR_NOT_VMDK || status == VMDK_ERR_CORRUPT);
      } else if (status != VMDK_ERR_CORRUPT) {
        if (!whole || status == VMDK_OK)
          fail_msg("%s cut at %zu of %zu: %s", stream.name, size, stream.bytes.size,
                   vmdk_status_string(status));
      } else {
        assert_true(strpbrk(vmdk_last_error()->message, "0123456789") != NULL);
      }
      bytes_free(&out);
      step = left < 1100 || size % SECTOR == 511 ? 1 : left < 4 * SECTOR ? 7 : 257;
    }
    stream_free(&stream);
  }
}

static void what_follows(void** state) {
  static const size_t zeros[] = {1, 511, 512, 513, 10240, 1000000};
  size_t i, j;

  for (i = 0; i < SHAPES; ++i) {
    struct stream stream = make_stream(*state, (enum shape)i, 1300, "DD.DDDDDD");
    for (j = 0; j < COUNT(zeros); ++j) {
      struct bytes longer = bytes_copy(&stream.bytes), out;
      bytes_resize(&longer, stream.bytes.size + zeros[j]);
      if (to_raw(&longer, 0, &out) != VMDK_OK)
        fail_msg("%s and %zu zeros: %s", stream.name, zeros[j], vmdk_last_error()->message);
      assert_int_equal(out.size, stream.size);
      assert_same_bytes(out.data, stream.model, out.size);
      bytes_free(&out);
      longer.data[longer.size - 1] = 1;
      assert_status(to_raw(&longer, 0, &out), VMDK_ERR_CORRUPT);
      assert_true(strpbrk(vmdk_last_error()->message, "0123456789") != NULL);
      bytes_free(&out);
      bytes_free(&longer);
    }
    {
      /* Another stream behind it. */
      struct bytes two = bytes_copy(&stream.bytes), out;
      bytes_append(&two, stream.bytes.data, stream.bytes.size);
      assert_status(to_raw(&two, 0, &out), VMDK_ERR_CORRUPT);
      bytes_free(&out);
      bytes_free(&two);
    }
    stream_free(&stream);
  }
}

/* Bytes have other values: that is an error, or the disk is the same. */
static void changed_bytes(void** state) {
  static const unsigned char flips[] = {0x01, 0x80, 0xff};
  size_t i, at, step;
  unsigned long refused = 0, same = 0;

  for (i = 0; i < SHAPES; ++i) {
    struct stream stream = make_stream(*state, (enum shape)i, 300, "D.D");
    for (at = 0; at < stream.bytes.size; at += step) {
      const unsigned char flip = flips[at % COUNT(flips)];
      struct bytes out;
      vmdk_status status;
      stream.bytes.data[at] ^= flip;
      status = to_raw(&stream.bytes, 0, &out);
      if (status == VMDK_OK) {
        ++same;
        if (out.size != stream.size || memcmp(out.data, stream.model, out.size) != 0)
          fail_msg("%s: byte %zu changed by 0x%02x gives another disk", stream.name, at, flip);
      } else {
        ++refused;
        if (status != VMDK_ERR_CORRUPT && status != VMDK_ERR_NOT_VMDK &&
            status != VMDK_ERR_UNSUPPORTED && status != VMDK_ERR_LIMIT &&
            status != VMDK_ERR_ENCRYPTED)
          fail_msg("%s: byte %zu: %s", stream.name, at, vmdk_last_error()->message);
      }
      bytes_free(&out);
      stream.bytes.data[at] ^= flip;
      /* Headers, tables and what stands at the end whole; samples of the rest. */
      step = at < 2 * SECTOR || stream.bytes.size - at < 8 * SECTOR ? 1 : at % SECTOR < 16 ? 5 : 41;
      step *= sampling();
    }
    stream_free(&stream);
  }
  print_message("%lu refused, %lu the same\n", refused, same);
}

/* Damage of a kind that one byte cannot do. */
static void broken_streams(void** state) {
  struct stream stream = make_stream(*state, SHAPE_OURS, 700, "DD.DDD");
  struct bytes out;

  {
    /* A grain twice. */
    struct bytes two = {NULL, 0};
    const size_t first = 65536;
    size_t size = 12 + (size_t)(stream.bytes.data[first + 8] | stream.bytes.data[first + 9] << 8 |
                                stream.bytes.data[first + 10] << 16);
    size = (size + SECTOR - 1) / SECTOR * SECTOR;
    bytes_append(&two, stream.bytes.data, first + size);
    bytes_append(&two, stream.bytes.data + first, stream.bytes.size - first);
    assert_status(to_raw(&two, 0, &out), VMDK_ERR_CORRUPT);
    bytes_free(&out);
    bytes_free(&two);
    /* One is left out, and what follows is where it was. */
    two = bytes_copy(&stream.bytes);
    memmove(two.data + first, two.data + first + size, two.size - first - size);
    bytes_resize(&two, two.size - size);
    assert_status(to_raw(&two, 0, &out), VMDK_ERR_CORRUPT);
    bytes_free(&out);
    bytes_free(&two);
  }
  stream_free(&stream);
}

/* Damaged grains are told, and zeros in their place. */
static void lost_grains(void** state) {
  static const uint32_t types[] = {VMDK_TYPE_RAW, VMDK_TYPE_STREAM_OPTIMIZED,
                                   VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_SPLIT_FLAT};
  size_t i, j, k;

  for (i = 0; i < SHAPES; ++i) {
    for (j = 0; j < COUNT(types); ++j) {
      struct stream stream = make_stream(*state, (enum shape)i, 1300, "DDDDDDDDDDD");
      vmdk_disk* disk = open_disk(put_file(*state, "x.vmdk", bytes_copy(&stream.bytes)), NULL);
      const uint64_t grain = info_of(disk, 0).grain_bytes;
      const uint64_t lost[] = {0, 1, 4, 9};
      struct folder* folder = new_folder();
      vmdk_create_options create = create_options(types[j]);
      vmdk_convert_options options = options_for(&create, (unsigned)(1 + j));
      const char* path = path_in(folder, "disk.vmdk");
      struct feed feed;
      struct watcher watcher;
      size_t to;

      for (to = 0; destinations[to].type != types[j]; ++to) continue;
      for (k = 0; k < COUNT(lost); ++k) {
        const vmdk_run run = run_at(disk, lost[k] * grain, SECTOR);
        stream.bytes.data[run.file_offset + 300] ^= 0x55;
        memset(stream.model + lost[k] * grain, 0, (size_t)grain);
      }
      assert_ok(vmdk_close(disk));
      feed = feed_of(&stream.bytes, 0);
      assert_status(vmdk_convert_from_stream(feed_next, &feed, path, &options), VMDK_ERR_CORRUPT);
      assert_int_equal(count_entries(folder), 0);
      feed = feed_of(&stream.bytes, 0);
      watch(&watcher, &options, TOLD_LOST | TOLD_CONTENT | TOLD_PROGRESS, stream.model, stream.size,
            stream.size);
      assert_ok(vmdk_convert_from_stream(feed_next, &feed, path, &options));
      assert_watched(&watcher, TOLD_CONTENT | TOLD_PROGRESS);
      assert_int_equal(watcher.lost_count, 3);
      assert_true(watcher.lost[0].offset == 0 && watcher.lost[0].size == 2 * grain);
      assert_true(watcher.lost[1].offset == 4 * grain && watcher.lost[1].size == grain);
      assert_true(watcher.lost[2].offset == 9 * grain && watcher.lost[2].size == grain);
      assert_disk_is(path, destinations + to, stream.model, stream.size, stream.size);
      watcher_free(&watcher);
      free_folder(folder);
      stream_free(&stream);
    }
  }
}

/* ---- What is no stream ---- */

static void other_things(void** state) {
  struct source sparse = make_source(*state, "monolithicSparse", 300, "D");
  struct bytes sparse_bytes = read_file(sparse.path);
  struct descriptor text = {0};
  struct bytes tar = {NULL, 0}, child = {NULL, 0};
  struct sparse stream = {0};
  struct {
    const char* name;
    struct bytes bytes;
    vmdk_status status, or_else;
  } cases[9];
  size_t count = 0, i;

  memset(cases, 0, sizeof(cases));
  cases[count].name = "nothing";
  cases[count].bytes = bytes_text("");
  cases[count].status = VMDK_ERR_NOT_VMDK;
  cases[count++].or_else = VMDK_ERR_CORRUPT;
  cases[count].name = "text";
  cases[count].bytes = bytes_text("Hello, this is no disk.\n");
  cases[count++].status = VMDK_ERR_NOT_VMDK;
  cases[count].name = "data";
  cases[count].bytes = pattern_bytes(1, 0, 200000);
  cases[count++].status = VMDK_ERR_NOT_VMDK;
  cases[count].name = "zeros";
  bytes_resize(&cases[count].bytes, 200000);
  cases[count++].status = VMDK_ERR_NOT_VMDK;
  cases[count].name = "a sparse disk";
  cases[count].bytes = sparse_bytes;
  cases[count++].status = VMDK_ERR_UNSUPPORTED;
  cases[count].name = "a descriptor";
  text.extents = "RW 300 FLAT \"x\" 0\n";
  cases[count].bytes = descriptor_bytes(&text);
  cases[count++].status = VMDK_ERR_UNSUPPORTED;
  cases[count].name = "COWD";
  stream.sectors = 300;
  stream.grains = "D";
  cases[count].bytes = cowd_bytes(&stream, NULL);
  cases[count++].status = VMDK_ERR_UNSUPPORTED;
  cases[count].name = "an OVA";
  tar_add(&tar, "box.ovf", bytes_text("<Envelope/>"), NULL);
  tar_end(&tar);
  cases[count].bytes = tar;
  cases[count].status = VMDK_ERR_NOT_VMDK;
  cases[count++].or_else = VMDK_ERR_UNSUPPORTED;
  cases[count].name = "a child";
  text.type = "streamOptimized";
  text.extents = "RW 300 SPARSE \"x.vmdk\"\n";
  text.parent = 0x12345678;
  text.hint = "base.vmdk";
  stream.descriptor = &text;
  child = stream_bytes(&stream, NULL);
  cases[count].bytes = child;
  cases[count++].status = VMDK_ERR_UNSUPPORTED;
  for (i = 0; i < count; ++i) {
    struct folder* folder = new_folder();
    struct feed feed = feed_of(&cases[i].bytes, 100);
    vmdk_status status =
        vmdk_convert_from_stream(feed_next, &feed, path_in(folder, "disk.vmdk"), NULL);
    if (status == VMDK_OK || (status != cases[i].status && status != cases[i].or_else))
      fail_msg("%s: %s: %s", cases[i].name, vmdk_status_string(status), vmdk_last_error()->message);
    assert_true(is_clean_line(vmdk_last_error()->message));
    assert_int_equal(count_entries(folder), 0);
    bytes_free(&cases[i].bytes);
    free_folder(folder);
  }
  source_free(&sparse);
}

/* ---- Sources that fail ---- */

static void sources_that_fail(void** state) {
  static const int errors[] = {EIO, ECONNRESET, EINTR};
  size_t i, j;
  long n;

  for (i = 0; i <= SHAPES; ++i) {
    const int raw = i == SHAPES;
    struct stream stream = make_stream(*state, raw ? SHAPE_OURS : (enum shape)i, 700, "DD.DDD");
    struct bytes plain = {stream.model, (size_t)stream.size};
    for (j = 0; j < destination_count; ++j) {
      for (n = 1;; n += n < 40 ? 1 : 7) {
        struct folder* folder = new_folder();
        vmdk_create_options create = create_options(destinations[j].type);
        vmdk_convert_options options = options_for(&create, (unsigned)(1 + j % 3));
        struct feed feed = feed_of(raw ? &plain : &stream.bytes, 3000);
        vmdk_status status;
        feed.fail_at = n;
        feed.fail_with = errors[(size_t)n % COUNT(errors)];
        if (raw) {
          options.flags = VMDK_CONVERT_FROM_RAW;
          if (n % 2 == 0 || destinations[j].type == VMDK_TYPE_STREAM_OPTIMIZED)
            create.capacity = stream.size;
        }
        status = vmdk_convert_from_stream(feed_next, &feed, path_in(folder, "disk.vmdk"), &options);
        if (feed.calls >= n) {
          assert_int_equal(status, VMDK_ERR_IO);
          assert_int_equal(vmdk_last_error()->os_error, feed.fail_with);
          assert_int_equal(feed.calls, n);
          assert_int_equal(count_entries(folder), 0);
        } else {
          assert_int_equal(status, VMDK_OK);
        }
        free_folder(folder);
        if (status == VMDK_OK) break;
      }
      assert_true(n > 5);
    }
    stream_free(&stream);
  }
}

static int too_much(void* user, void* buffer, size_t size, size_t* out_size) {
  (void)user;
  (void)buffer;
  *out_size = size + 1;
  return 0;
}

static void sources_that_lie(void** state) {
  vmdk_convert_options options = convert_options();
  struct collector collector;

  memset(&collector, 0, sizeof(collector));
  assert_status(vmdk_convert_stream(too_much, NULL, collect, &collector, NULL),
                VMDK_ERR_INVALID_ARGUMENT);
  options.flags = VMDK_CONVERT_FROM_RAW;
  assert_status(vmdk_convert_from_stream(too_much, NULL, path_in(*state, "disk.vmdk"), &options),
                VMDK_ERR_INVALID_ARGUMENT);
  assert_int_equal(count_entries(*state), 0);
}

static void what_is_told(void** state) {
  size_t i, j;
  long n;

  for (i = 0; i <= SHAPES; ++i) {
    const int raw = i == SHAPES;
    struct stream stream = make_stream(*state, raw ? SHAPE_OURS : (enum shape)i, SECTORS, GRAINS);
    struct bytes plain = {stream.model, (size_t)stream.size};
    for (j = 0; j < destination_count; ++j) {
      const unsigned told =
          TOLD_PROGRESS | TOLD_CONTENT | TOLD_LOST | (destinations[j].in_order ? TOLD_OUTPUT : 0u);
      if ((i + j) % sampling() != 0) continue;
      for (n = 0;; n += n < 4 ? 1 : 4 * (long)sampling() - 3) {
        struct folder* folder = new_folder();
        vmdk_create_options create = create_options(destinations[j].type);
        vmdk_convert_options options = options_for(&create, (unsigned)(1 + n % 3));
        const char* path = path_in(folder, "disk.vmdk");
        struct feed feed = feed_of(raw ? &plain : &stream.bytes, 50000);
        struct watcher watcher;
        vmdk_status status;
        if (raw) options.flags = VMDK_CONVERT_FROM_RAW;
        watch(&watcher, &options, told, stream.model, stream.size, stream.size);
        if (raw && (n % 2 == 1 || destinations[j].type == VMDK_TYPE_STREAM_OPTIMIZED))
          create.capacity = stream.size;
        if (raw && create.capacity == 0) watcher.total = UINT64_MAX;
        watcher.cancel = TOLD_PROGRESS | TOLD_CONTENT;
        watcher.cancel_at = n;
        status = vmdk_convert_from_stream(feed_next, &feed, path, &options);
        assert_string_equal(watcher.wrong, "");
        assert_int_equal(watcher.calls_after, 0);
        if (watcher.cancelled) {
          assert_int_equal(status, VMDK_ERR_CANCELLED);
          assert_int_equal(count_entries(folder), 0);
        } else {
          if (status != VMDK_OK) fail_msg("%s", vmdk_last_error()->message);
          assert_watched(&watcher, told & ~(unsigned)TOLD_LOST);
          if (destinations[j].in_order) {
            struct bytes file = read_file(path);
            assert_int_equal(watcher.output.bytes.size, file.size);
            assert_same_bytes(watcher.output.bytes.data, file.data, file.size);
            bytes_free(&file);
          }
        }
        watcher_free(&watcher);
        free_folder(folder);
        if (n > 0 && status == VMDK_OK) break;
      }
      assert_true(n > 2);
    }
    stream_free(&stream);
  }
}

/* ---- Raw bytes ---- */

static void raw_bytes(void** state) {
  static const size_t sizes[] = {1, 511, 512, 513, 65536, 65537, 1000000, 2640001};
  static const size_t steps[] = {0, 1, 999, 4096};
  size_t i, j, k;

  (void)state;
  for (i = 0; i < COUNT(sizes); ++i) {
    struct bytes bytes = pattern_bytes(4, 0, sizes[i]), whole = bytes_copy(&bytes);
    const uint64_t rounded = (sizes[i] + 511) / 512 * 512;
    bytes_resize(&whole, (size_t)rounded);
    if (sizes[i] > 400000) memset(bytes.data + 100000, 0, 250000);
    memcpy(whole.data, bytes.data, bytes.size);
    for (j = 0; j < destination_count; ++j) {
      for (k = 0; k < 2 * COUNT(steps); ++k) {
        const int told = k % 2 != 0;
        struct folder* folder = new_folder();
        vmdk_create_options create = create_options(destinations[j].type);
        vmdk_convert_options options = options_for(&create, (unsigned)(k % 3));
        const char* path = path_in(folder, "disk.vmdk");
        struct feed feed = feed_of(&bytes, steps[k / 2]);
        options.flags = VMDK_CONVERT_FROM_RAW;
        if (told) create.capacity = sizes[i];
        if (steps[k / 2] == 1 && sizes[i] > 70000) {
          free_folder(folder);
          continue;
        }
        if (vmdk_convert_from_stream(feed_next, &feed, path, &options) != VMDK_OK)
          fail_msg("%zu bytes to %s: %s", sizes[i], destinations[j].name,
                   vmdk_last_error()->message);
        assert_disk_is(path, destinations + j, whole.data, rounded, rounded);
        if (destinations[j].one_file) assert_int_equal(count_entries(folder), 1);
        free_folder(folder);
      }
    }
    bytes_free(&bytes);
    bytes_free(&whole);
  }
}

static void raw_bytes_of_another_number(void** state) {
  size_t i, j;

  (void)state;
  for (i = 0; i < destination_count; ++i) {
    for (j = 0; j < 4; ++j) {
      struct bytes bytes = pattern_bytes(4, 0, 100000);
      struct folder* folder = new_folder();
      vmdk_create_options create = create_options(destinations[i].type);
      vmdk_convert_options options = options_for(&create, 2);
      struct feed feed = feed_of(&bytes, 1000);
      options.flags = VMDK_CONVERT_FROM_RAW;
      create.capacity = j == 0 ? 99999 : j == 1 ? 99328 : j == 2 ? 100001 : 10000000;
      assert_status(
          vmdk_convert_from_stream(feed_next, &feed, path_in(folder, "disk.vmdk"), &options),
          VMDK_ERR_CORRUPT);
      assert_true(is_clean_line(vmdk_last_error()->message));
      assert_int_equal(count_entries(folder), 0);
      free_folder(folder);
      bytes_free(&bytes);
    }
  }
}

/* From a function to a function. */
static void raw_to_sink(void** state) {
  struct bytes bytes = pattern_bytes(4, 0, 700001), whole = bytes_copy(&bytes);
  size_t i;

  (void)state;
  bytes_resize(&whole, 700416);
  for (i = 0; i < 4; ++i) {
    const int stream = i % 2 == 0, told = i / 2 != 0;
    vmdk_create_options create =
        create_options(stream ? VMDK_TYPE_STREAM_OPTIMIZED : VMDK_TYPE_RAW);
    vmdk_convert_options options = options_for(&create, 2);
    struct feed feed = feed_of(&bytes, 1000);
    struct collector collector;
    memset(&collector, 0, sizeof(collector));
    options.flags = VMDK_CONVERT_FROM_RAW;
    if (told) create.capacity = bytes.size;
    if (stream && !told) {
      assert_status(vmdk_convert_stream(feed_next, &feed, collect, &collector, &options),
                    VMDK_ERR_INVALID_ARGUMENT);
      assert_contains(vmdk_last_error()->message, "capacity");
      assert_int_equal(collector.calls, 0);
    } else {
      assert_ok(vmdk_convert_stream(feed_next, &feed, collect, &collector, &options));
      if (stream) {
        assert_stream_is(&collector.bytes, whole.data, whole.size, whole.size);
      } else {
        assert_int_equal(collector.bytes.size, whole.size);
        assert_same_bytes(collector.bytes.data, whole.data, whole.size);
      }
    }
    bytes_free(&collector.bytes);
  }
  bytes_free(&bytes);
  bytes_free(&whole);
}

static void nothing_at_all(void** state) {
  size_t i;

  (void)state;
  for (i = 0; i < destination_count; ++i) {
    struct bytes bytes = {NULL, 0};
    struct folder* folder = new_folder();
    vmdk_create_options create = create_options(destinations[i].type);
    vmdk_convert_options options = options_for(&create, 2);
    struct feed feed = feed_of(&bytes, 0);
    options.flags = VMDK_CONVERT_FROM_RAW;
    assert_status(
        vmdk_convert_from_stream(feed_next, &feed, path_in(folder, "disk.vmdk"), &options),
        VMDK_ERR_CORRUPT);
    assert_int_equal(count_entries(folder), 0);
    free_folder(folder);
  }
}

/* ---- Recompressing, replacing, arguments ---- */

static void recompressing(void** state) {
  struct stream stream = make_stream(*state, SHAPE_OTHERS, SECTORS, GRAINS);
  struct bytes last = bytes_copy(&stream.bytes);
  static const uint32_t levels[] = {1, VMDK_COMPRESSION_STORED, 12, 6};
  static const uint64_t grains[] = {0, 0, 4096, 0};
  size_t i;

  for (i = 0; i < COUNT(levels); ++i) {
    vmdk_create_options create = fixed_create_options(VMDK_TYPE_STREAM_OPTIMIZED);
    vmdk_convert_options options = options_for(&create, 2);
    struct feed feed = feed_of(&last, 0);
    struct collector collector;
    memset(&collector, 0, sizeof(collector));
    options.compression = levels[i];
    create.grain_bytes = grains[i];
    assert_ok(vmdk_convert_stream(feed_next, &feed, collect, &collector, &options));
    assert_stream_is(&collector.bytes, stream.model, stream.size, stream.size);
    bytes_free(&last);
    last = collector.bytes;
  }
  bytes_free(&last);
  stream_free(&stream);
}

static void existing_files(void** state) {
  struct stream stream = make_stream(*state, SHAPE_OURS, 700, "DD.DDD");
  size_t i, j;

  for (i = 0; i < destination_count; ++i) {
    for (j = 0; j < 2; ++j) {
      struct bytes plain = {stream.model, (size_t)stream.size};
      struct folder* folder = new_folder();
      vmdk_create_options create = create_options(destinations[i].type);
      vmdk_convert_options options = options_for(&create, 2);
      const char* path = put_text(folder, "disk.vmdk", "not to be lost");
      struct feed feed = feed_of(j == 0 ? &stream.bytes : &plain, 0);
      struct bytes old;
      if (j == 1) options.flags = VMDK_CONVERT_FROM_RAW;
      assert_status(vmdk_convert_from_stream(feed_next, &feed, path, &options), VMDK_ERR_EXISTS);
      assert_int_equal(count_entries(folder), 1);
      old = read_file(path);
      assert_int_equal(old.size, 14);
      bytes_free(&old);
      options.flags |= VMDK_CONVERT_REPLACE;
      feed = feed_of(j == 0 ? &stream.bytes : &plain, 0);
      if (!destinations[i].one_file) {
        assert_status(vmdk_convert_from_stream(feed_next, &feed, path, &options),
                      VMDK_ERR_INVALID_ARGUMENT);
      } else {
        struct feed failing = feed;
        failing.fail_at = 2;
        failing.fail_with = EIO;
        failing.step = 10000;
        assert_status(vmdk_convert_from_stream(feed_next, &failing, path, &options), VMDK_ERR_IO);
        old = read_file(path);
        assert_int_equal(old.size, 14);
        bytes_free(&old);
        assert_ok(vmdk_convert_from_stream(feed_next, &feed, path, &options));
        assert_disk_is(path, destinations + i, stream.model, stream.size, stream.size);
      }
      assert_int_equal(count_entries(folder), 1);
      free_folder(folder);
    }
  }
  stream_free(&stream);
}

static void arguments(void** state) {
  struct bytes bytes = pattern_bytes(1, 0, 1000);
  struct feed feed = feed_of(&bytes, 0);
  struct collector collector;
  const char* path = path_in(*state, "disk.vmdk");
  vmdk_convert_options options = convert_options();
  size_t i;

  memset(&collector, 0, sizeof(collector));
  assert_status(vmdk_convert_from_stream(NULL, NULL, path, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_convert_from_stream(feed_next, &feed, NULL, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_convert_stream(NULL, NULL, collect, &collector, NULL),
                VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_convert_stream(feed_next, &feed, NULL, NULL, NULL), VMDK_ERR_INVALID_ARGUMENT);
  options.flags = VMDK_CONVERT_EXACT;
  assert_status(vmdk_convert_from_stream(feed_next, &feed, path, &options),
                VMDK_ERR_INVALID_ARGUMENT);
  options.flags = VMDK_CONVERT_REPLACE;
  assert_status(vmdk_convert_stream(feed_next, &feed, collect, &collector, &options),
                VMDK_ERR_INVALID_ARGUMENT);
  options.flags = VMDK_CONVERT_FROM_RAW;
  for (i = 0; i < destination_count; ++i) {
    vmdk_create_options create = create_options(destinations[i].type);
    if (destinations[i].in_order) continue;
    create.capacity = 1000;
    options.create = &create;
    assert_status(vmdk_convert_stream(feed_next, &feed, collect, &collector, &options),
                  VMDK_ERR_INVALID_ARGUMENT);
    options.create = NULL;
  }
  assert_int_equal(feed.calls, 0);
  assert_int_equal(collector.calls, 0);
  assert_int_equal(count_entries(*state), 0);
  bytes_free(&bytes);
}

static void sinks_that_fail(void** state) {
  struct stream stream = make_stream(*state, SHAPE_OTHERS, 700, "DD.DDD");
  static const uint32_t types[] = {VMDK_TYPE_STREAM_OPTIMIZED, VMDK_TYPE_RAW};
  size_t i;
  long n;

  for (i = 0; i < COUNT(types); ++i) {
    for (n = 1;; ++n) {
      vmdk_create_options create = create_options(types[i]);
      vmdk_convert_options options = options_for(&create, 1 + (unsigned)(n % 3));
      struct feed feed = feed_of(&stream.bytes, 0);
      struct collector collector;
      vmdk_status status;
      memset(&collector, 0, sizeof(collector));
      collector.fail_at = n;
      collector.fail_with = n % 2 == 0 ? EPIPE : ENOSPC;
      status = vmdk_convert_stream(feed_next, &feed, collect, &collector, &options);
      bytes_free(&collector.bytes);
      if (collector.calls < n) {
        assert_int_equal(status, VMDK_OK);
        break;
      }
      assert_int_equal(status, n % 2 == 0 ? VMDK_ERR_IO : VMDK_ERR_NO_SPACE);
      assert_int_equal(collector.calls, n);
    }
    assert_true(n > 3);
  }
  stream_free(&stream);
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(every_stream_to_every_kind),
      IN_FOLDER(every_size),
      IN_FOLDER(keys_and_capacity),
      IN_FOLDER(grains_out_of_order),
      IN_FOLDER(cut_streams),
      IN_FOLDER(what_follows),
      IN_FOLDER(changed_bytes),
      IN_FOLDER(broken_streams),
      IN_FOLDER(lost_grains),
      IN_FOLDER(other_things),
      IN_FOLDER(sources_that_fail),
      IN_FOLDER(sources_that_lie),
      IN_FOLDER(what_is_told),
      IN_FOLDER(raw_bytes),
      IN_FOLDER(raw_bytes_of_another_number),
      IN_FOLDER(raw_to_sink),
      IN_FOLDER(nothing_at_all),
      IN_FOLDER(recompressing),
      IN_FOLDER(existing_files),
      IN_FOLDER(arguments),
      IN_FOLDER(sinks_that_fail),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
