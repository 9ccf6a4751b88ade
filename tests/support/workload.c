/* SPDX-License-Identifier: MIT */
#include "support/workload.h"

#include <inttypes.h>

#include "support/image.h"

#define UNIT WORKLOAD_UNIT
#define CAPACITY WORKLOAD_CAPACITY
#define SECTORS (CAPACITY / 512)

/* ---- Kinds ---- */

const struct kind kinds[] = {
    {"sparse", {LAYER_SPARSE}},
    {"sparse with zero grains", {LAYER_SPARSE_ZERO}},
    {"sparse without redundant tables", {LAYER_SINGLE_TABLES}},
    {"sparse without tables", {LAYER_NO_TABLES}},
    {"split sparse", {LAYER_SPLIT_SPARSE}},
    {"flat", {LAYER_FLAT}},
    {"split flat", {LAYER_SPLIT_FLAT}},
    {"COWD", {LAYER_COWD}},
    {"COWD, 4 KiB", {LAYER_COWD_4K}},
    {"COWD without tables", {LAYER_COWD_NO_TABLES}},
    {"mixture", {LAYER_MIXTURE}},
    {"sparse on flat", {LAYER_FLAT, LAYER_SPARSE}},
    {"sparse on sparse, 64 KiB", {LAYER_SPARSE_64K, LAYER_SPARSE}},
    {"sparse, 64 KiB, on COWD", {LAYER_COWD, LAYER_SPARSE_64K}},
    {"split sparse with parent", {LAYER_SPARSE, LAYER_SPLIT_SPARSE}},
    {"COWD on sparse", {LAYER_SPARSE, LAYER_COWD}},
    {"three deep", {LAYER_SPLIT_FLAT, LAYER_COWD_4K, LAYER_SPARSE_ZERO}},
};
const size_t kind_count = COUNT(kinds);

/* The parts of LAYER_MIXTURE, in sectors. */
enum { MIX_FLAT = 2048, MIX_SPARSE = 1024, MIX_ZERO = 128 };
#define MIX_REST (SECTORS - MIX_FLAT - MIX_SPARSE - MIX_ZERO)

static int is_by_hand(enum layer layer) { return layer >= LAYER_SINGLE_TABLES; }

int kind_may_miss_tables(const struct kind* kind) {
  return kind->layers[0] == LAYER_NO_TABLES || kind->layers[0] == LAYER_COWD_NO_TABLES;
}

int kind_is_read_only(const struct kind* kind, uint64_t offset, uint64_t size) {
  const uint64_t begin = (MIX_FLAT + MIX_SPARSE) * UINT64_C(512), end = begin + MIX_ZERO * 512;

  return kind->layers[0] == LAYER_MIXTURE && offset < end && offset + size > begin;
}

int kind_is_created(const struct kind* kind) { return !is_by_hand(kind->layers[0]); }

struct recipe {
  uint32_t type, flags;
  uint64_t grain, split;
};

static struct recipe recipe_of(enum layer layer) {
  struct recipe recipe = {VMDK_TYPE_MONOLITHIC_SPARSE, 0, UNIT, 0};

  switch (layer) {
    case LAYER_SPARSE_64K:
      recipe.grain = 64 * KIB;
      break;
    case LAYER_SPARSE_ZERO:
      recipe.flags = VMDK_CREATE_ZERO_GRAINS;
      break;
    case LAYER_SPLIT_SPARSE:
      recipe.type = VMDK_TYPE_SPLIT_SPARSE;
      recipe.split = MIB;
      break;
    case LAYER_FLAT:
      recipe.type = VMDK_TYPE_MONOLITHIC_FLAT;
      recipe.grain = 0;
      break;
    case LAYER_SPLIT_FLAT:
      recipe.type = VMDK_TYPE_SPLIT_FLAT;
      recipe.grain = 0;
      recipe.split = MIB;
      break;
    case LAYER_COWD:
    case LAYER_COWD_4K:
      recipe.type = VMDK_TYPE_VMFS_SPARSE;
      recipe.grain = layer == LAYER_COWD ? 512 : UNIT;
      break;
    default:
      break;
  }
  return recipe;
}

static const char* const create_keys[] = {"ddb.longContentID", "0123456789abcdef01234567a0a0a0a0",
                                          "ddb.uuid",
                                          "60 00 C2 91 00 01 02 03-04 05 06 07 08 09 0a 0b", NULL};

vmdk_status create_layer(enum layer layer, const vmdk_io* io, const char* name) {
  struct recipe recipe = recipe_of(layer);
  vmdk_create_options options;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.type = recipe.type;
  options.capacity = CAPACITY;
  options.grain_bytes = recipe.grain;
  options.split_bytes = recipe.split;
  options.flags = recipe.flags;
  options.cid = 0xa0a0a0a0;
  options.keys = create_keys;
  options.io = io;
  return vmdk_create(name, &options);
}

static vmdk_status snapshot_layer(enum layer layer, const vmdk_io* io, const char* parent,
                                  const char* name) {
  struct recipe recipe = recipe_of(layer);
  vmdk_open_options open = workload_options(io, 0);
  vmdk_snapshot_options options;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.open = &open;
  if (layer != LAYER_NONE) {
    options.type = recipe.type;
    options.grain_bytes = recipe.grain;
    options.flags = recipe.flags;
  }
  return vmdk_snapshot(parent, name, &options);
}

static void put_by_hand(struct store* store, enum layer layer, const char* name) {
  struct descriptor descriptor = {0};
  struct sparse sparse = {0};
  struct layout layout;
  struct bytes bytes;
  char lines[256];
  size_t tables;

  descriptor.more = "ddb.adapterType = \"lsilogic\"\n";
  descriptor.extents = lines;
  sparse.sectors = SECTORS;
  sparse.grain_sectors = UNIT / 512;
  sparse.grains = "";
  (void)snprintf(lines, sizeof(lines), "RW %u SPARSE \"%s\"\n", (unsigned)SECTORS, name);
  switch (layer) {
    case LAYER_SINGLE_TABLES:
    case LAYER_NO_TABLES:
      descriptor.type = "monolithicSparse";
      sparse.descriptor = &descriptor;
      sparse.without_redundant = layer == LAYER_SINGLE_TABLES;
      bytes = hosted_bytes(&sparse, &layout);
      if (layer == LAYER_NO_TABLES) {
        for (tables = 0; tables < 2; ++tables) {
          bytes_set32(&bytes, (size_t)layout.directory + tables * 4, 0);
          bytes_set32(&bytes, (size_t)layout.redundant_directory + tables * 4, 0);
        }
      }
      store_put(store, name, bytes);
      break;
    case LAYER_COWD_NO_TABLES:
      descriptor.type = "vmfsSparse";
      sparse.grain_sectors = 1;
      (void)snprintf(lines, sizeof(lines), "RW %u VMFSSPARSE \"hand-delta.vmdk\"\n",
                     (unsigned)SECTORS);
      bytes = cowd_bytes(&sparse, &layout);
      bytes_resize(&bytes, (size_t)layout.directory);
      bytes_resize(&bytes, (size_t)layout.tables);
      bytes_set32(&bytes, 28, (uint32_t)(layout.tables / 512));
      store_put(store, "hand-delta.vmdk", bytes);
      store_put(store, name, descriptor_bytes(&descriptor));
      break;
    case LAYER_MIXTURE:
      (void)snprintf(lines, sizeof(lines),
                     "RW %d FLAT \"hand-a.vmdk\" 0\nRW %d SPARSE \"hand-b.vmdk\"\nRW %d ZERO\n"
                     "RW %u FLAT \"hand-c.vmdk\" 8\n",
                     MIX_FLAT, MIX_SPARSE, MIX_ZERO, (unsigned)MIX_REST);
      sparse.sectors = MIX_SPARSE;
      store_put(store, "hand-b.vmdk", hosted_bytes(&sparse, NULL));
      bytes = bytes_text("");
      bytes_resize(&bytes, MIX_FLAT * 512);
      store_put(store, "hand-a.vmdk", bytes_copy(&bytes));
      bytes_resize(&bytes, (size_t)(MIX_REST + 8) * 512);
      store_put(store, "hand-c.vmdk", bytes);
      store_put(store, name, descriptor_bytes(&descriptor));
      break;
    default:
      abort();
  }
}

static const char* const layer_names[WORKLOAD_LAYERS] = {"base.vmdk", "one.vmdk", "two.vmdk",
                                                         "three.vmdk"};

/* Ranges that a new layer gets content in: the base, what stands above something, and the top. */
static const struct {
  unsigned where;
  uint64_t offset, size;
} first_content[] = {
    {1, 8 * UNIT, 8 * UNIT}, {1, CAPACITY - 1536, 1536}, {2, 13 * UNIT + 1000, 3000},
    {7, 0, 2 * UNIT},        {7, 5 * UNIT, UNIT},        {7, MIB - UNIT, 2 * UNIT},
};

static int fill_layer(const struct kind* kind, unsigned layer, const vmdk_io* io, const char* name,
                      struct disk_model* model) {
  vmdk_open_options options = workload_options(io, VMDK_OPEN_WRITE);
  int top = layer + 1 == WORKLOAD_LAYERS || kind->layers[layer + 1] == LAYER_NONE;
  unsigned where = (layer == 0 && !top ? 1u : 0u) | (layer > 0 ? 2u : 0u) | (top ? 4u : 0u);
  vmdk_disk* disk = NULL;
  vmdk_status status = vmdk_open(name, &options, &disk);
  size_t i;

  for (i = 0; i < COUNT(first_content) && status == VMDK_OK; ++i) {
    uint64_t offset = first_content[i].offset;
    size_t size = (size_t)first_content[i].size;
    unsigned char* data = allocate(size);
    pattern_fill(100 + layer, offset, data, size);
    if ((first_content[i].where & where) != 0) {
      status = vmdk_write_at(disk, data, size, offset);
      model_write(model, 0, offset, size, data, 1);
    }
    free(data);
  }
  if (status != VMDK_OK) {
    (void)vmdk_close(disk);
    return 0;
  }
  return vmdk_close(disk) == VMDK_OK;
}

void make_nothing(const struct kind* kind, struct made* made) {
  memset(made, 0, sizeof(*made));
  made->kind = kind;
  store_init(&made->store);
  (void)snprintf(made->name, sizeof(made->name), "%s", layer_names[0]);
}

int make_kind(const struct kind* kind, struct made* made) {
  struct recording_io io;
  unsigned layer;
  int good = 1;

  recording_io_init(&io);
  made->kind = kind;
  model_init(&made->model, CAPACITY);
  for (layer = 0; good && layer < WORKLOAD_LAYERS && kind->layers[layer] != LAYER_NONE; ++layer) {
    const char* name = layer_names[layer];
    if (layer > 0)
      good = snapshot_layer(kind->layers[layer], &io.io, layer_names[layer - 1], name) == VMDK_OK;
    else if (is_by_hand(kind->layers[0]))
      put_by_hand(&io.store, kind->layers[0], name);
    else
      good = create_layer(kind->layers[0], &io.io, name) == VMDK_OK;
    good = good && fill_layer(kind, layer, &io.io, name, &made->model);
    (void)snprintf(made->name, sizeof(made->name), "%s", name);
  }
  if (!good)
    print_error("%s cannot be made: %s: %s\n", kind->name,
                vmdk_status_string(vmdk_last_error()->status), vmdk_last_error()->message);
  store_clone(&io.store, &made->store);
  recording_io_free(&io);
  return good ? 0 : -1;
}

void made_free(struct made* made) {
  store_free(&made->store);
  model_free(&made->model);
}

/* ---- Steps ---- */

const struct step step_pool[] = {
    {OP_WRITE, 0, UNIT},                     /* stored */
    {OP_WRITE, UNIT + 100, 700},             /* stored, not aligned */
    {OP_WRITE, 8 * UNIT, UNIT},              /* new */
    {OP_WRITE, 9 * UNIT + 300, 1000},        /* new, filled from below */
    {OP_WRITE, 7 * UNIT + 1024, 2 * UNIT},   /* across three */
    {OP_WRITE, MIB - 600, 1300},             /* across two extents */
    {OP_WRITE, 2 * MIB - 700, 3 * UNIT},     /* across two tables */
    {OP_WRITE, CAPACITY - 700, 700},         /* the end */
    {OP_ZERO, 0, 2 * UNIT},                  /* stored */
    {OP_ZERO, 5 * UNIT + 100, 600},          /* stored, in part */
    {OP_ZERO, 12 * UNIT - 300, UNIT + 1000}, /* absent */
    {OP_DISCARD, 0, 6 * UNIT},
    {OP_FLUSH, 0, 0},
    {OP_REOPEN, 0, 0},
    {OP_SET_TEXT, 0, 5},
    {OP_SET_TEXT, 0, 900},
    {OP_SNAPSHOT, 0, 0},
};
const size_t step_pool_size = COUNT(step_pool);

static struct step random_range(const struct kind* kind, uint64_t* random, enum op op) {
  struct step step;

  do {
    /* Near the places where something begins, more often than elsewhere. */
    static const uint64_t places[] = {0, 0, 8 * UNIT, MIB, 2 * MIB, CAPACITY};
    uint64_t most = next_random(random) % 3 == 0 ? 20 * UNIT : 2 * UNIT, near;
    near = places[next_random(random) % COUNT(places)] + next_random(random) % (16 * UNIT);
    near = near > 4 * UNIT ? near - 4 * UNIT : 0;
    step.op = op;
    step.size = 1 + next_random(random) % most;
    step.offset = near;
    switch (next_random(random) % 3) {
      case 0:
        step.offset -= step.offset % 512;
        step.size += 511 - (step.size + 511) % 512;
        break;
      case 1:
        step.offset -= step.offset % UNIT;
        step.size += UNIT - 1 - (step.size + UNIT - 1) % UNIT;
        break;
      default:
        break;
    }
    if (step.offset >= CAPACITY) step.offset = CAPACITY - 512;
    if (step.size > CAPACITY - step.offset) step.size = CAPACITY - step.offset;
  } while (kind_is_read_only(kind, step.offset, step.size));
  return step;
}

struct step random_step(const struct kind* kind, uint64_t* random) {
  struct step step = {OP_FLUSH, 0, 0};
  uint64_t dice = next_random(random) % 100;

  if (dice < 50) return random_range(kind, random, OP_WRITE);
  if (dice < 62) return random_range(kind, random, OP_ZERO);
  if (dice < 76) return random_range(kind, random, OP_DISCARD);
  if (dice < 88) return step;
  step.op = dice < 94 ? OP_REOPEN : dice < 99 ? OP_SET_TEXT : OP_SNAPSHOT;
  if (step.op == OP_SET_TEXT) step.size = next_random(random) % 4 * 300;
  return step;
}

const char* step_text(const struct step* step) {
  static const char* const names[] = {"write",    "zero",     "discard", "flush", "reopen",
                                      "set_text", "snapshot", "create",  "close"};
  static char text[64];

  (void)snprintf(text, sizeof(text), "%s %" PRIu64 "+%" PRIu64, names[step->op], step->offset,
                 step->size);
  return text;
}

/* ---- Looking ---- */

vmdk_open_options workload_options(const vmdk_io* io, uint32_t flags) {
  static vmdk_limits limits;
  vmdk_open_options options = default_options();

  limits = default_limits();
  limits.max_table_bytes = 256 * KIB;
  options.io = io;
  options.flags = flags;
  options.limits = &limits;
  options.cache_bytes = 64 * KIB;
  return options;
}

/* How many sectors from `sector` on are to be looked at, at most `most`; 0: skip this one. */
static uint64_t span_at(const struct disk_model* model, uint64_t sector, uint64_t most, int all) {
  uint64_t left = model->size / MODEL_SECTOR - sector, span = 0;

  if (most > left) most = left;
  if (all) return most;
  while (span < most && model_touched(model, sector + span)) ++span;
  return span;
}

int check_content(vmdk_disk* disk, struct disk_model* model, struct content_check* check) {
  static unsigned char buffer[128 * MODEL_SECTOR];
  uint64_t sector, span, i;
  vmdk_status status;

  check->changed = 0;
  for (sector = 0; sector < model->size / MODEL_SECTOR; sector += span) {
    span = span_at(model, sector, sizeof(buffer) / MODEL_SECTOR, check->all);
    if (span == 0) {
      span = 1;
      continue;
    }
    if (check->on_library != NULL) check->on_library(LIBRARY_LOOKS);
    status = vmdk_read_at(disk, buffer, (size_t)span * MODEL_SECTOR, sector * MODEL_SECTOR);
    if (check->on_library != NULL) check->on_library(LIBRARY_LEFT);
    if (status != VMDK_OK) {
      (void)snprintf(check->why, sizeof(check->why), "sector %" PRIu64 " cannot be read: %.120s",
                     sector, vmdk_last_error()->message);
      return 0;
    }
    for (i = 0; i < span; ++i) {
      const unsigned char* found = buffer + i * MODEL_SECTOR;
      if (sector + i - check->skip < check->skip_size) continue;
      if (!model_allows(model, sector + i, found, check->floor, check->last)) {
        const unsigned char* wanted = model_value_at(model, sector + i, check->last);
        size_t at = 0;
        while (at < MODEL_SECTOR - 1 && found[at] == wanted[at]) ++at;
        (void)snprintf(check->why, sizeof(check->why),
                       "sector %" PRIu64
                       " holds what it may not: 0x%02x at %zu, the newest is "
                       "0x%02x",
                       sector + i, found[at], at, wanted[at]);
        return 0;
      }
      if (memcmp(found, model_value_at(model, sector + i, check->compare), MODEL_SECTOR) != 0)
        check->changed = 1;
      if (check->learn != 0) model_found(model, check->learn, sector + i, found);
    }
  }
  return 1;
}

void store_to_folder(const struct store* store, const char* folder) {
  size_t i;

  for (i = 0; i < store->count; ++i) {
    struct bytes bytes;
    char path[1024];
    FILE* file;
    if (store->files[i].name == NULL) continue;
    bytes = store_get(store, store->files[i].name);
    (void)snprintf(path, sizeof(path), "%s/%s", folder, store->files[i].name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes.data, 1, bytes.size, file) != bytes.size) abort();
    if (fclose(file) != 0) abort();
    bytes_free(&bytes);
  }
}

/* ---- Running ---- */

const vmdk_io* run_io(const struct run* run) { return run->folder != NULL ? NULL : &run->io.io; }

const vmdk_io* run_raw_io(const struct run* run) {
  return run->folder != NULL ? raw_local_files() : &run->io.io;
}

static void problem(struct run* run, const char* format, ...) __attribute__((format(printf, 2, 3)));

static void problem(struct run* run, const char* format, ...) {
  va_list list;

  if (run->problem[0] != 0) return;
  va_start(list, format);
  (void)vsnprintf(run->problem, sizeof(run->problem), format, list);
  va_end(list);
}

/* Looking at the disk must not fail because calls are made to. */
static unsigned pause_faults(struct run* run) {
  unsigned calls = run->io.fail_calls;

  run->io.fail_calls = 0;
  return calls;
}

static void go_on_with_faults(struct run* run, unsigned calls) { run->io.fail_calls = calls; }

/* A call into the library, one of the run or one that only looks. */
#define CALL(run, call) (enter((run), LIBRARY_WORKS), leave((run), (call)))
#define LOOK(run, call) (enter((run), LIBRARY_LOOKS), leave((run), (call)))

static void enter(const struct run* run, enum library entered) {
  if (run->on_library != NULL) run->on_library(entered);
}

static vmdk_status leave(const struct run* run, vmdk_status status) {
  if (run->on_library != NULL) run->on_library(LIBRARY_LEFT);
  return status;
}

static unsigned last_step(const struct run* run) { return run->done_count - 1; }

unsigned run_saved(const struct run* run, unsigned step) {
  while (step > 0 && !run->done[step].saved) --step;
  return step;
}

static struct raw_result look(struct run* run) {
  unsigned calls = pause_faults(run);
  struct raw_result result;

  raw_check(run_raw_io(run), run->disks[run->current].name, kind_may_miss_tables(run->made->kind),
            &result);
  go_on_with_faults(run, calls);
  if (result.damage[0] != 0) problem(run, "step %u: %s", last_step(run), result.damage);
  run->done[last_step(run)].text = result.text;
  return result;
}

/* What the disk holds must be allowed, and is what it holds from now on. */
static void learn(struct run* run, vmdk_disk* disk, unsigned floor, int all) {
  unsigned calls = pause_faults(run);
  struct content_check check = {0};

  check.floor = floor;
  check.last = check.learn = last_step(run);
  check.all = all;
  check.on_library = run->on_library;
  if (!check_content(disk, &run->disks[run->current].model, &check))
    problem(run, "step %u: %s", last_step(run), check.why);
  go_on_with_faults(run, calls);
}

/* A call of the library has given `status`. */
static int note(struct run* run, vmdk_status status, const char* what) {
  if (status == VMDK_OK) return 1;
  ++run->failures;
  if (run->first_failure == VMDK_OK) run->first_failure = status;
  if (!run->may_fail || status == VMDK_ERR_INTERNAL || status == VMDK_ERR_CORRUPT ||
      !is_clean_line(vmdk_last_error()->message))
    problem(run, "step %u: %s gives \"%s\": %s", last_step(run), what, vmdk_status_string(status),
            vmdk_last_error()->message);
  return 0;
}

void run_open(struct run* run) {
  vmdk_open_options options = workload_options(run_io(run), VMDK_OPEN_WRITE);
  struct session* session;
  vmdk_status status;

  if (run->problem[0] != 0) return;
  status = CALL(run, vmdk_open(run->disks[run->current].name, &options, &run->disk));
  if (!note(run, status, "vmdk_open")) {
    if (run->disk != NULL) problem(run, "vmdk_open fails and gives a disk");
    return;
  }
  if (run->session_count == run->session_room) {
    run->session_room = run->session_room == 0 ? 8 : 2 * run->session_room;
    run->sessions = realloc(run->sessions, run->session_room * sizeof(*run->sessions));
    if (run->sessions == NULL) abort();
  }
  session = run->sessions + run->session_count++;
  memset(session, 0, sizeof(*session));
  if (run->clean) {
    session->step = last_step(run);
    session->before = session->marks = look(run);
  } else { /* what counts is what was there before all that may be lost */
    *session = session[-1];
    session->marks = look(run);
  }
  session->disk = run->current;
  session->begin = run->io.log.count;
  session->closed = 0;
  learn(run, run->disk, run->clean ? last_step(run) : run_saved(run, last_step(run)), 0);
  run->clean = 0;
}

static void begin(struct run* run, const struct made* made, const char* folder, int record) {
  memset(run, 0, sizeof(*run));
  run->made = made;
  run->folder = folder;
  run->clean = 1;
  recording_io_init_from(&run->io, &made->store);
  run->io.recording = record;
  run->disk_count = 1;
  run->done_room = 16;
  run->done = allocate(run->done_room * sizeof(*run->done));
  memset(run->done, 0, sizeof(*run->done));
  run->done[0].saved = 1;
  run->done_count = 1;
}

void run_begin(struct run* run, const struct made* made, const char* folder, int record) {
  struct run_disk* disk = run->disks;

  begin(run, made, folder, record);
  (void)snprintf(disk->name, sizeof(disk->name), "%s%s%s", folder != NULL ? folder : "",
                 folder != NULL ? "/" : "", made->name);
  if (made->model.size == 0) {
    model_init(&disk->model, CAPACITY);
  } else {
    model_clone(&made->model, &disk->model);
    (void)look(run);
  }
}

static struct done* begin_step(struct run* run, const struct step* step) {
  struct done* done;

  if (run->done_count == run->done_room) {
    run->done_room *= 2;
    run->done = realloc(run->done, run->done_room * sizeof(*run->done));
    if (run->done == NULL) abort();
  }
  done = run->done + run->done_count++;
  memset(done, 0, sizeof(*done));
  done->step = *step;
  done->begin = run->io.log.count;
  done->text = done[-1].text;
  done->disk = run->current;
  return done;
}

static void end_step(struct run* run) {
  run->done[last_step(run)].end = run->io.log.count;
  run->done[last_step(run)].disk = run->current;
}

void run_create(struct run* run) {
  static const struct step step = {OP_CREATE, 0, 0};
  struct done* done = begin_step(run, &step);

  done->status =
      CALL(run, create_layer(run->made->kind->layers[0], run_io(run), run->disks[0].name));
  end_step(run);
  if (note(run, done->status, "vmdk_create")) {
    run->disks[0].there = run->io.log.count;
    done->saved = 1;
    (void)look(run);
  } else if (store_names(&run->io.store) != 0) {
    problem(run, "vmdk_create has failed and left a file");
  }
}

static void close_disk(struct run* run) {
  static const struct step step = {OP_CLOSE, 0, 0};
  struct done* done = begin_step(run, &step);
  struct session* session = run->sessions + run->session_count - 1;
  char why[256];

  done->status = CALL(run, vmdk_close(run->disk));
  run->disk = NULL;
  done->saved = run->clean = note(run, done->status, "vmdk_close");
  end_step(run);
  session->after = look(run);
  session->closed = 1;
  if (run->clean && !raw_is_clean(&session->after, &session->marks, why, sizeof(why)))
    problem(run, "step %u: after closing %s", last_step(run), why);
}

static void change_data(struct run* run, struct done* done) {
  struct disk_model* model = &run->disks[run->current].model;
  const struct step* step = &done->step;
  unsigned number = last_step(run);
  unsigned char* data = NULL;

  if (step->op == OP_WRITE) {
    data = allocate((size_t)step->size);
    pattern_fill(1000 + number, step->offset, data, (size_t)step->size);
    done->status = CALL(run, vmdk_write_at(run->disk, data, (size_t)step->size, step->offset));
  } else if (step->op == OP_ZERO) {
    done->status = CALL(run, vmdk_zero_at(run->disk, step->size, step->offset));
  } else {
    done->status = CALL(run, vmdk_discard_at(run->disk, step->size, step->offset));
  }
  model_write(model, number, step->offset, step->size, data, done->status == VMDK_OK);
  free(data);
  if (!note(run, done->status, step_text(step))) learn(run, run->disk, number, 0);
}

static void set_text(struct run* run, struct done* done) {
  size_t size = (size_t)done->step.size, names = store_names(&run->io.store);
  char* value = allocate(size + 1);

  memset(value, 'a' + (int)(run->done_count % 26), size);
  value[size] = 0;
  done->status = CALL(run, vmdk_set_text(run->disk, "ddb.note", size > 0 ? value : NULL));
  free(value);
  if (!note(run, done->status, "vmdk_set_text") && store_names(&run->io.store) != names)
    problem(run, "step %u: a change of the text that failed has left a file", last_step(run));
  (void)look(run);
}

static void make_snapshot(struct run* run, const struct step* step) {
  struct run_disk *parent = run->disks + run->current, *child = run->disks + run->disk_count;
  struct done* done = begin_step(run, step);
  size_t names = store_names(&run->io.store);

  memset(child, 0, sizeof(*child));
  (void)snprintf(child->name, sizeof(child->name), "%s%ssnap%u.vmdk",
                 run->folder != NULL ? run->folder : "", run->folder != NULL ? "/" : "",
                 last_step(run));
  done->status = CALL(run, snapshot_layer(LAYER_NONE, run_io(run), parent->name, child->name));
  if (note(run, done->status, "vmdk_snapshot")) {
    model_clone(&parent->model, &child->model);
    child->there = run->io.log.count;
    run->current = run->disk_count++;
    (void)look(run);
  } else if (store_names(&run->io.store) != names) {
    problem(run, "step %u: a snapshot that failed has left a file", last_step(run));
  }
  end_step(run);
}

void run_step(struct run* run, const struct step* step) {
  struct done* done;

  if (run->problem[0] == 0 && run->disk == NULL) run_open(run);
  if (run->problem[0] != 0 || run->disk == NULL) return;
  if (step->op == OP_REOPEN || step->op == OP_SNAPSHOT || step->op == OP_CLOSE) {
    close_disk(run);
    if (step->op == OP_SNAPSHOT && run->clean && run->disk_count < WORKLOAD_DISKS)
      make_snapshot(run, step);
    if (step->op != OP_CLOSE) run_open(run);
    return;
  }
  done = begin_step(run, step);
  if (step->op == OP_FLUSH) {
    done->status = CALL(run, vmdk_flush(run->disk));
    done->saved = note(run, done->status, "vmdk_flush");
  } else if (step->op == OP_SET_TEXT) {
    set_text(run, done);
  } else {
    change_data(run, done);
  }
  end_step(run);
}

void run_end(struct run* run) {
  vmdk_open_options options = workload_options(run_io(run), 0);
  vmdk_disk* disk = NULL;

  if (run->disk != NULL) close_disk(run);
  (void)pause_faults(run);
  if (run->problem[0] == 0 &&
      LOOK(run, vmdk_open(run->disks[run->current].name, &options, &disk)) != VMDK_OK)
    problem(run, "at the end: %s", vmdk_last_error()->message);
  if (run->problem[0] == 0)
    learn(run, disk, run->clean ? last_step(run) : run_saved(run, last_step(run)), 1);
  (void)LOOK(run, vmdk_close(disk));
  if (run->problem[0] == 0) (void)look(run);
  if (recording_io_open_files(&run->io) != 0) problem(run, "files are left open");
  if (run->io.wrong != 0) problem(run, "%ld calls of the vmdk_io made no sense", run->io.wrong);
}

void run_free(struct run* run) {
  unsigned i;

  if (run->disk != NULL) (void)LOOK(run, vmdk_close(run->disk));
  for (i = 0; i < run->disk_count; ++i) model_free(&run->disks[i].model);
  recording_io_free(&run->io);
  free(run->sessions);
  free(run->done);
}

size_t add_kind_tests(struct CMUnitTest* tests, CMUnitTestFunction test, const char* only) {
  size_t i, count = 0;

  for (i = 0; i < kind_count; ++i) {
    if (only != NULL && strcmp(only, kinds[i].name) != 0) continue;
    memset(tests + count, 0, sizeof(*tests));
    tests[count].name = kinds[i].name;
    tests[count].test_func = test;
    tests[count++].initial_state = (void*)(uintptr_t)(kinds + i);
  }
  return count;
}
