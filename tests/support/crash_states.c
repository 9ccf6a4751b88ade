/* SPDX-License-Identifier: MIT */
#include "support/crash_states.h"

#include <inttypes.h>

#include "support/check.h"

#define SECTOR 512u
#define UNIT WORKLOAD_UNIT

/* ---- Checking a state ---- */

/* Where a state stands in its run. */
struct moment {
  unsigned completed, last,
      floor; /* steps: the last complete one, the last begun one, what is safe */
};

static struct moment moment_at(const struct run* run, size_t place) {
  struct moment moment = {0, 0, 0};
  unsigned step;

  for (step = 0; step < run->done_count; ++step) {
    if (run->done[step].end <= place) moment.completed = moment.last = step;
    if (run->done[step].begin < place) moment.last = step;
  }
  moment.floor = run_saved(run, moment.completed);
  return moment;
}

static const struct session* session_of(const struct run* run, unsigned disk, size_t place) {
  const struct session* session = NULL;
  unsigned i;

  for (i = 0; i < run->session_count; ++i)
    if (run->sessions[i].disk == disk && run->sessions[i].begin <= place)
      session = run->sessions + i;
  return session;
}

/* Is this the text after one of the steps that may have been the last to change it? */
static int text_is_allowed(const struct run* run, const struct moment* moment, unsigned disk,
                           uint64_t text) {
  unsigned step = moment->last + 1;

  while (step-- > 0) {
    const struct done* done = run->done + step;
    if (done->disk == disk && done->text == text) return 1;
    /* Later steps cannot bring back what was before a change that succeeded. */
    if (step <= moment->completed && done->status == VMDK_OK &&
        (done->step.op == OP_SET_TEXT || done->step.op == OP_SNAPSHOT))
      return 0;
  }
  return 0;
}

static int check_structures(const struct run* run, const struct moment* moment,
                            const struct raw_result* raw, unsigned disk, size_t place, char* why,
                            size_t size) {
  const struct session* session = session_of(run, disk, place);
  const struct done* done = run->done + moment->completed;
  size_t i;

  if (raw->damage[0] != 0) {
    (void)snprintf(why, size, "damage: %s", raw->damage);
    return 0;
  }
  if (!text_is_allowed(run, moment, disk, raw->text)) {
    (void)snprintf(why, size, "the descriptor is neither the old one nor the new one");
    return 0;
  }
  for (i = 0; session != NULL && i < raw->extents; ++i) {
    const struct raw_extent* extent = raw->extent + i;
    if (extent->unclean || extent->tables == session->before.extent[i].tables) continue;
    if (session->closed && extent->tables == session->after.extent[i].tables) continue;
    (void)snprintf(why, size, "extent %zu has changed tables, but is not marked as in use", i);
    return 0;
  }
  if (moment->last == moment->completed && done->step.op == OP_CLOSE && done->saved &&
      !raw_is_clean(raw, &session->marks, why, size))
    return 0;
  return 1;
}

/* Writes to each extent what it has. */
static vmdk_status touch_extents(vmdk_disk* disk) {
  vmdk_info info = info_of(disk, 0);
  vmdk_status status = VMDK_OK;
  uint32_t i;

  for (i = 0; i < info.extent_count && status == VMDK_OK; ++i) {
    vmdk_extent_info extent = extent_of(disk, 0, i);
    unsigned char sector[SECTOR];
    if (extent.kind == VMDK_EXTENT_ZERO) continue;
    status = vmdk_read_at(disk, sector, SECTOR, extent.offset);
    if (status == VMDK_OK) status = vmdk_write_at(disk, sector, SECTOR, extent.offset);
  }
  return status;
}

/* Writes to a disk after a crash: the result must be clean, and what was there before stay. */
static int write_on(const vmdk_io* io, const struct run* run, unsigned number,
                    struct content_check* check, char* why, size_t size) {
  static const uint64_t places[] = {0,          8 * UNIT,           20 * UNIT,
                                    MIB - UNIT, 2 * MIB - 2 * UNIT, 12 * UNIT};
  static unsigned turn;
  const uint64_t offset = places[turn++ % COUNT(places)];
  vmdk_open_options options = workload_options(io, VMDK_OPEN_WRITE);
  unsigned char wanted[4 * UNIT], got[4 * UNIT];
  const char* name = run->disks[number].name;
  struct raw_result raw;
  char text[300];
  vmdk_disk* disk = NULL;
  vmdk_status status = vmdk_open(name, &options, &disk);

  if (status == VMDK_OK) status = vmdk_read_at(disk, wanted, sizeof(wanted), offset);
  if (status == VMDK_OK) {
    pattern_fill(9999, offset, wanted + 100, UNIT);
    status = vmdk_write_at(disk, wanted + 100, UNIT, offset + 100);
  }
  if (status == VMDK_OK) {
    memset(wanted + 2 * UNIT, 0, 2 * UNIT);
    status = vmdk_discard_at(disk, UNIT, offset + 2 * UNIT);
  }
  if (status == VMDK_OK) status = vmdk_flush(disk);
  if (status == VMDK_OK) status = vmdk_zero_at(disk, UNIT, offset + 3 * UNIT);
  if (status == VMDK_OK) {
    pattern_fill(9998, offset, wanted + 2 * UNIT, 1000);
    status = vmdk_write_at(disk, wanted + 2 * UNIT, 1000, offset + 2 * UNIT);
  }
  if (status == VMDK_OK) status = touch_extents(disk);
  if (status == VMDK_OK) {
    status = vmdk_close(disk);
    disk = NULL;
  }
  options.flags = 0;
  if (status == VMDK_OK) status = vmdk_open(name, &options, &disk);
  if (status == VMDK_OK) status = vmdk_read_at(disk, got, sizeof(got), offset);
  if (status != VMDK_OK) (void)snprintf(why, size, "writing on: %s", vmdk_last_error()->message);
  if (status == VMDK_OK && memcmp(wanted, got, sizeof(got)) != 0) {
    (void)snprintf(why, size, "writing on at %" PRIu64 ": is not what was written", offset);
    status = VMDK_ERR_INTERNAL;
  }
  check->skip = offset / SECTOR;
  check->skip_size = sizeof(got) / SECTOR;
  if (status == VMDK_OK &&
      !check_content(disk, (struct disk_model*)&run->disks[number].model, check)) {
    (void)snprintf(why, size, "writing on: %s", check->why);
    status = VMDK_ERR_INTERNAL;
  }
  (void)vmdk_close(disk);
  if (status != VMDK_OK) return 0;
  raw_check(io, name, kind_may_miss_tables(run->made->kind), &raw);
  if (raw_is_clean(&raw, NULL, text, sizeof(text))) return 1;
  (void)snprintf(why, size, "writing on: %s", text);
  return 0;
}

static int check_disk(const struct run* run, struct recording_io* io, const struct moment* moment,
                      unsigned number, size_t place, int on, char* why, size_t size) {
  const struct run_disk* at = run->disks + number;
  const struct session* session = session_of(run, number, place);
  vmdk_open_options options = workload_options(&io->io, 0);
  struct content_check check;
  struct raw_result raw;
  vmdk_disk* disk = NULL;
  int good;

  memset(&check, 0, sizeof(check));
  if (store_find(&io->store, at->name) < 0) {
    (void)snprintf(why, size, "%s is not there", at->name);
    return place < at->there;
  }
  raw_check(&io->io, at->name, kind_may_miss_tables(run->made->kind), &raw);
  if (!check_structures(run, moment, &raw, number, place, why, size)) return 0;
  if (vmdk_open(at->name, &options, &disk) != VMDK_OK) {
    (void)snprintf(why, size, "cannot be opened: %s", vmdk_last_error()->message);
    return 0;
  }
  check.floor = moment->floor;
  check.last = moment->last;
  check.all = on;
  check.compare = session != NULL ? session->step : 0;
  good = check_content(disk, (struct disk_model*)&at->model, &check);
  (void)vmdk_close(disk);
  if (!good) {
    (void)snprintf(why, size, "%s", check.why);
    return 0;
  }
  if (session != NULL && check.changed && raw.cid == session->before.cid) {
    (void)snprintf(why, size, "the content has changed, but not the CID");
    return 0;
  }
  return !on || write_on(&io->io, run, number, &check, why, size);
}

int check_state(const struct run* run, const struct store* store, size_t place, int on, char* why,
                size_t size) {
  struct moment moment = moment_at(run, place);
  unsigned one = run->done[moment.completed].disk, two = run->done[moment.last].disk;
  struct recording_io io;
  int good = 1;

  recording_io_init_from(&io, store);
  /* What is written to one of them must not change what lies below the other. */
  if (two != one) good = check_disk(run, &io, &moment, two, place, on, why, size);
  if (good) good = check_disk(run, &io, &moment, one, place, on && two == one, why, size);
  if (good && (io.wrong != 0 || io.handles != NULL)) {
    (void)snprintf(why, size, "calls of the vmdk_io made no sense");
    good = 0;
  }
  recording_io_free(&io);
  return good;
}

/* Makes the model what the disk holds. */
static int learn_content(vmdk_disk* disk, struct disk_model* model) {
  unsigned char bytes[MODEL_SECTOR];
  uint64_t sector;

  for (sector = 0; sector < model->size / MODEL_SECTOR; ++sector) {
    if (!model_touched(model, sector)) continue;
    if (vmdk_read_at(disk, bytes, sizeof(bytes), sector * MODEL_SECTOR) != VMDK_OK) return 0;
    model_found(model, 0, sector, bytes);
  }
  return 1;
}

/* ---- Building the states ---- */

enum choice {
  SKIPPED,
  WHOLE,
  HEAD,         /* the first half of its sectors */
  TAIL,         /* the second half */
  SCATTERED,    /* any of them */
  LENGTH_ZEROS, /* the file is as long as it makes it, what is new are zeros */
  LENGTH_STALE, /* ... or what was on the medium before */
  CLIPPED       /* the file is not longer */
};

/* A record that changes the content of a file, in whole sectors as they were when it was made. */
struct change {
  const struct record* record;
  uint64_t offset, size; /* of RECORDED_SIZE: `size` is the new one */
  unsigned char* data;   /* NULL: RECORDED_SIZE */
  uint64_t length;       /* of the file before */
};

struct builder {
  const struct run* run;
  const struct crash_options* options;
  struct crash_count* count;
  struct store synced;
  struct change* changes; /* one for each record; of names and syncs without meaning */
  size_t* pending;        /* places in `changes` */
  unsigned char* choices; /* for each of them */
  size_t pending_count;
  size_t place;
  uint64_t random;
  uint64_t* seen; /* a hash table */
  size_t seen_count, seen_room;
  char* why;
  size_t why_size;
};

static struct change* expand(const struct run* run) {
  const struct recording* log = &run->io.log;
  struct change* changes = calloc(log->count + 1, sizeof(*changes));
  struct store store;
  size_t i;

  if (changes == NULL) abort();
  store_clone(&run->made->store, &store);
  for (i = 0; i < log->count; ++i) {
    const struct record* record = log->records + i;
    struct change* change = changes + i;
    long file = store_find_number(&store, record->file);
    change->record = record;
    if (file >= 0) change->length = store_size(&store, file);
    store_apply(&store, record);
    change->size = record->size;
    if (record->kind == RECORDED_WRITE || record->kind == RECORDED_PUNCH) {
      uint64_t end = (record->offset + record->size + SECTOR - 1) / SECTOR * SECTOR;
      change->offset = record->offset / SECTOR * SECTOR;
      if (end > store_size(&store, file)) end = store_size(&store, file);
      change->size = end - change->offset;
      change->data = allocate((size_t)change->size);
      store_read(&store, file, change->offset, change->data, (size_t)change->size);
    }
  }
  store_free(&store);
  return changes;
}

static void write_change(struct store* store, long file, const struct change* change, uint64_t from,
                         uint64_t to) {
  if (from < to)
    store_write(store, file, change->offset + from, change->data + from, (size_t)(to - from));
}

static void fill(struct store* store, long file, uint64_t from, uint64_t to, int value) {
  unsigned char* bytes = allocate((size_t)(to - from));

  memset(bytes, value, (size_t)(to - from));
  store_write(store, file, from, bytes, (size_t)(to - from));
  free(bytes);
}

static void apply_change(struct store* store, const struct change* change, enum choice choice,
                         uint64_t* random) {
  long file = store_find_number(store, change->record->file);
  uint64_t half = (change->size / SECTOR + 1) / 2 * SECTOR, at, length;

  if (file < 0 || choice == SKIPPED) return;
  if (change->data == NULL) {
    store_resize(store, file, change->size);
    return;
  }
  if (half > change->size) half = change->size;
  length = store_size(store, file);
  switch (choice) {
    case WHOLE:
      write_change(store, file, change, 0, change->size);
      break;
    case HEAD:
      write_change(store, file, change, 0, half);
      break;
    case TAIL:
      write_change(store, file, change, half, change->size);
      break;
    case SCATTERED:
      for (at = 0; at < change->size; at += SECTOR)
        if (next_random(random) % 2 == 0)
          write_change(store, file, change, at,
                       change->size - at < SECTOR ? change->size : at + SECTOR);
      break;
    case LENGTH_ZEROS:
    case LENGTH_STALE:
      if (change->offset + change->size > length)
        fill(store, file, length, change->offset + change->size, choice == LENGTH_STALE ? 0xdb : 0);
      break;
    case CLIPPED:
      if (length > change->offset)
        write_change(
            store, file, change, 0,
            length - change->offset < change->size ? length - change->offset : change->size);
      break;
    case SKIPPED:
      break;
  }
}

/* Is it new? */
static int remember(struct builder* builder, uint64_t key) {
  size_t i;

  if (key == 0) key = 1;
  if (builder->seen_count * 2 >= builder->seen_room) {
    size_t room = builder->seen_room;
    uint64_t* old = builder->seen;
    builder->seen_room = room == 0 ? 1024 : room * 2;
    builder->seen = calloc(builder->seen_room, sizeof(*builder->seen));
    if (builder->seen == NULL) abort();
    builder->seen_count = 0;
    for (i = 0; i < room; ++i)
      if (old[i] != 0) (void)remember(builder, old[i]);
    free(old);
  }
  for (i = (size_t)(key % builder->seen_room); builder->seen[i] != 0;
       i = (i + 1) % builder->seen_room)
    if (builder->seen[i] == key) return 0;
  builder->seen[i] = key;
  ++builder->seen_count;
  return 1;
}

static void explain(const struct builder* builder) {
  static const char* const names[] = {"is lost",      "is there",     "head",  "tail",
                                      "some sectors", "length alone", "stale", "not longer"};
  static const char* const kinds_of[] = {"write", "set_size", "punch", "sync"};
  const struct moment moment = moment_at(builder->run, builder->place);
  char text[512];
  size_t used = strlen(builder->why), i;

  (void)snprintf(text, sizeof(text), "; after %zu calls, in step %u (%s)", builder->place,
                 moment.last, step_text(&builder->run->done[moment.last].step));
  (void)snprintf(builder->why + used, builder->why_size - used, "%s", text);
  for (i = 0; i < builder->pending_count; ++i) {
    const struct record* record = builder->changes[builder->pending[i]].record;
    used = strlen(builder->why);
    (void)snprintf(builder->why + used, builder->why_size - used,
                   "; #%zu %s file %u %" PRIu64 "+%" PRIu64 " %s", builder->pending[i],
                   kinds_of[record->kind], (unsigned)record->file, record->offset, record->size,
                   names[builder->choices[i]]);
  }
}

/* A run that begins with a state, and what a crash can leave of that. */
static int crash_again(struct builder* builder, const struct store* store) {
  static const struct step steps[] = {{OP_WRITE, 7 * UNIT + 1024, 2 * UNIT},
                                      {OP_DISCARD, 0, 2 * UNIT},
                                      {OP_FLUSH, 0, 0},
                                      {OP_WRITE, 20 * UNIT + 100, 5000}};
  const struct moment moment = moment_at(builder->run, builder->place);
  const struct run_disk* at = builder->run->disks + builder->run->done[moment.completed].disk;
  struct crash_options options = *builder->options;
  struct recording_io io;
  vmdk_open_options open;
  vmdk_disk* disk = NULL;
  struct made made;
  struct run run;
  size_t i;
  int good;

  if (store_find(store, at->name) < 0) return 1;
  made.kind = builder->run->made->kind;
  store_clone(store, &made.store);
  model_clone(&at->model, &made.model);
  (void)snprintf(made.name, sizeof(made.name), "%.63s", at->name);
  recording_io_init_from(&io, store);
  open = workload_options(&io.io, 0);
  good = vmdk_open(made.name, &open, &disk) == VMDK_OK;
  good = good && learn_content(disk, &made.model);
  (void)vmdk_close(disk);
  recording_io_free(&io);
  run_begin(&run, &made, NULL, 1);
  for (i = 0; good && i < COUNT(steps); ++i) run_step(&run, steps + i);
  run_end(&run);
  options.again = options.write_on = 0;
  if (!good || run.problem[0] != 0) {
    (void)snprintf(builder->why, builder->why_size, "a run after a crash: %s", run.problem);
    good = 0;
  } else {
    good = check_crashes(&run, &options, builder->count, builder->why, builder->why_size);
  }
  run_free(&run);
  made_free(&made);
  return good;
}

/* Builds the state of the choices as they are, and checks it if it is a new one. */
static int try_state(struct builder* builder) {
  struct moment moment = moment_at(builder->run, builder->place);
  uint64_t random = builder->random | 1;
  struct store store;
  int good = 1, on, again;
  size_t i;

  store_clone(&builder->synced, &store);
  for (i = 0; i < builder->pending_count; ++i)
    apply_change(&store, builder->changes + builder->pending[i], builder->choices[i], &random);
  if (remember(builder, store_hash(&store) ^ moment.completed * UINT64_C(0x9e3779b97f4a7c15))) {
    ++builder->count->states;
    on =
        builder->options->write_on != 0 && builder->count->states % builder->options->write_on == 0;
    builder->count->written_on += on ? 1u : 0u;
    again = builder->options->again != 0 && builder->count->states % builder->options->again == 0;
    good = check_state(builder->run, &store, builder->place, on, builder->why, builder->why_size);
    if (good && again) good = crash_again(builder, &store);
    if (!good) explain(builder);
  } else {
    ++builder->count->same;
  }
  store_free(&store);
  return good;
}

static void choose_all(struct builder* builder, enum choice choice) {
  memset(builder->choices, (int)choice, builder->pending_count);
}

/* All combinations of whole calls, or some of them. */
static int try_subsets(struct builder* builder) {
  size_t count = builder->pending_count, i, j;

  if (count <= builder->options->exhaustive) {
    for (i = 0; i < (size_t)1 << count; ++i) {
      for (j = 0; j < count; ++j) builder->choices[j] = i >> j & 1 ? WHOLE : SKIPPED;
      if (!try_state(builder)) return 0;
    }
    return 1;
  }
  for (i = 0; i < 2 + 2 * count + builder->options->random; ++i) {
    if (i >= 2 + 2 * count) {
      for (j = 0; j < count; ++j)
        builder->choices[j] = next_random(&builder->random) >> 20 & 1 ? WHOLE : SKIPPED;
    } else {
      choose_all(builder, i % 2 == 0 ? WHOLE : SKIPPED);
      if (i >= 2) builder->choices[(i - 2) / 2] = i % 2 == 0 ? SKIPPED : WHOLE;
    }
    if (!try_state(builder)) return 0;
  }
  return 1;
}

/* One call in part, the others whole or lost. */
static int try_parts(struct builder* builder) {
  static const unsigned char parts[] = {HEAD,         TAIL,         SCATTERED, SCATTERED,
                                        LENGTH_ZEROS, LENGTH_STALE, CLIPPED};
  size_t i, j;
  int others;

  for (i = 0; i < builder->pending_count; ++i) {
    const struct change* change = builder->changes + builder->pending[i];
    int longer = change->offset + change->size > change->length;
    if (change->data == NULL) continue;
    for (j = 0; j < COUNT(parts); ++j) {
      if (parts[j] <= SCATTERED ? change->size <= SECTOR : !longer) continue;
      for (others = 0; others < 2; ++others) {
        choose_all(builder, others ? WHOLE : SKIPPED);
        builder->choices[i] = parts[j];
        (void)next_random(&builder->random);
        if (!try_state(builder)) return 0;
      }
    }
  }
  return 1;
}

/* The next record: what it makes durable is durable from now on. */
static void go_on(struct builder* builder) {
  const struct change* change = builder->changes + builder->place;
  const struct record* record = change->record;
  size_t i, kept = 0;

  switch (record->kind) {
    case RECORDED_WRITE:
    case RECORDED_SIZE:
    case RECORDED_PUNCH:
      builder->pending[builder->pending_count++] = builder->place;
      break;
    case RECORDED_SYNC:
      for (i = 0; i < builder->pending_count; ++i) {
        const struct change* old = builder->changes + builder->pending[i];
        if (old->record->file == record->file)
          apply_change(&builder->synced, old, WHOLE, NULL);
        else
          builder->pending[kept++] = builder->pending[i];
      }
      builder->pending_count = kept;
      break;
    case RECORDED_CREATE:
    case RECORDED_REMOVE:
    case RECORDED_RENAME:
      store_apply(&builder->synced, record);
      break;
  }
  ++builder->place;
}

int check_crashes(const struct run* run, const struct crash_options* options,
                  struct crash_count* count, char* why, size_t size) {
  const size_t records = run->io.log.count;
  struct builder builder;
  size_t i;
  int good;

  memset(&builder, 0, sizeof(builder));
  builder.run = run;
  builder.options = options;
  builder.count = count;
  builder.why = why;
  builder.why_size = size;
  builder.random = 88172645463325252u + records;
  builder.changes = expand(run);
  builder.pending = allocate((records + 1) * sizeof(*builder.pending));
  builder.choices = allocate(records + 1);
  store_clone(&run->made->store, &builder.synced);
  why[0] = 0;
  good = try_subsets(&builder);
  while (good && builder.place < records) {
    go_on(&builder);
    good = try_subsets(&builder) && try_parts(&builder);
  }
  for (i = 0; i < records; ++i) free(builder.changes[i].data);
  free(builder.changes);
  free(builder.pending);
  free(builder.choices);
  free(builder.seen);
  store_free(&builder.synced);
  return good;
}
