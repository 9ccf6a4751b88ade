/* SPDX-License-Identifier: MIT */
#include "support/recording_io.h"

#include <errno.h>

#include "support/check.h"

struct stored_page {
  long uses;
  uint64_t hash; /* 0 = not known */
  unsigned char bytes[STORE_PAGE];
};

struct recording_handle {
  struct recording_handle* next;
  uint32_t file;
  int writable;
};

static char* copy_text(const char* text) {
  char* copy = allocate(strlen(text) + 1);

  return strcpy(copy, text);
}

static void* grow(void* array, size_t count, size_t* room, size_t each) {
  if (count < *room) return array;
  *room = *room == 0 ? 8 : *room * 2;
  array = realloc(array, *room * each);
  if (array == NULL) abort();
  return array;
}

/* ---- Content ---- */

static void drop_page(struct stored_page* page) {
  if (--page->uses == 0) free(page);
}

static struct stored_content* new_content(void) {
  struct stored_content* content = allocate(sizeof(*content));

  memset(content, 0, sizeof(*content));
  content->uses = 1;
  return content;
}

static void drop_content(struct stored_content* content) {
  size_t i;

  if (--content->uses > 0) return;
  for (i = 0; i < content->count; ++i) drop_page(content->slots[i].page);
  free(content->slots);
  free(content);
}

/* The content of a file, for it alone. */
static struct stored_content* own_content(struct stored_file* file) {
  struct stored_content *old = file->content, *content;
  size_t i;

  if (old->uses == 1) return old;
  content = new_content();
  content->size = old->size;
  content->count = content->room = old->count;
  content->slots = allocate(old->count * sizeof(*old->slots));
  for (i = 0; i < old->count; ++i) {
    content->slots[i] = old->slots[i];
    ++content->slots[i].page->uses;
  }
  --old->uses;
  file->content = content;
  return content;
}

/* The first slot at or behind a page. */
static size_t slot_at(const struct stored_content* content, uint64_t index) {
  size_t low = 0, high = content->count;

  if (high > 0 && content->slots[high - 1].index < index) return high;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (content->slots[middle].index < index)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* The bytes of a page, to be changed. */
static unsigned char* own_page(struct stored_content* content, uint64_t index) {
  size_t at = slot_at(content, index);
  struct stored_slot* slot;

  if (at == content->count || content->slots[at].index != index) {
    struct stored_page* page = allocate(sizeof(*page));
    memset(page, 0, sizeof(*page));
    page->uses = 1;
    content->slots = grow(content->slots, content->count, &content->room, sizeof(*content->slots));
    memmove(content->slots + at + 1, content->slots + at,
            (content->count - at) * sizeof(*content->slots));
    content->slots[at].index = index;
    content->slots[at].page = page;
    ++content->count;
  }
  slot = content->slots + at;
  if (slot->page->uses > 1) {
    struct stored_page* page = allocate(sizeof(*page));
    memcpy(page, slot->page, sizeof(*page));
    page->uses = 1;
    --slot->page->uses;
    slot->page = page;
  }
  slot->page->hash = 0;
  return slot->page->bytes;
}

static void remove_slots(struct stored_content* content, size_t from, size_t to) {
  size_t i;

  for (i = from; i < to; ++i) drop_page(content->slots[i].page);
  if (to < content->count)
    memmove(content->slots + from, content->slots + to,
            (content->count - to) * sizeof(*content->slots));
  content->count -= to - from;
}

static void clear_content(struct stored_content* content, uint64_t offset, uint64_t size) {
  uint64_t end = offset + size;
  size_t at = slot_at(content, offset / STORE_PAGE);

  while (at < content->count && content->slots[at].index * STORE_PAGE < end) {
    uint64_t index = content->slots[at].index, begin = index * STORE_PAGE;
    uint64_t from = offset > begin ? offset - begin : 0;
    uint64_t to = end - begin < STORE_PAGE ? end - begin : STORE_PAGE;
    if (from == 0 && to == STORE_PAGE) {
      remove_slots(content, at, at + 1);
    } else {
      memset(own_page(content, index) + from, 0, (size_t)(to - from));
      ++at;
    }
  }
}

static void resize_content(struct stored_content* content, uint64_t size) {
  if (size < content->size) clear_content(content, size, content->size - size);
  content->size = size;
}

/* ---- Files ---- */

void store_init(struct store* store) {
  memset(store, 0, sizeof(*store));
  store->next_number = 1;
}

void store_free(struct store* store) {
  size_t i;

  for (i = 0; i < store->count; ++i) {
    free(store->files[i].name);
    drop_content(store->files[i].content);
  }
  free(store->files);
  memset(store, 0, sizeof(*store));
}

void store_clone(const struct store* store, struct store* copy) {
  size_t i;

  *copy = *store;
  copy->room = store->count;
  copy->files = allocate(store->count * sizeof(*store->files));
  for (i = 0; i < store->count; ++i) {
    copy->files[i] = store->files[i];
    if (store->files[i].name != NULL) copy->files[i].name = copy_text(store->files[i].name);
    ++copy->files[i].content->uses;
  }
}

long store_find(const struct store* store, const char* name) {
  size_t i;

  for (i = 0; i < store->count; ++i)
    if (store->files[i].name != NULL && strcmp(store->files[i].name, name) == 0) return (long)i;
  return -1;
}

long store_find_number(const struct store* store, uint32_t number) {
  size_t i;

  for (i = 0; i < store->count; ++i)
    if (store->files[i].number == number) return (long)i;
  return -1;
}

static long add_file(struct store* store, const char* name, uint32_t number) {
  struct stored_file* file;

  store->files = grow(store->files, store->count, &store->room, sizeof(*store->files));
  file = store->files + store->count++;
  file->name = copy_text(name);
  file->number = number;
  file->content = new_content();
  if (number >= store->next_number) store->next_number = number + 1;
  return (long)store->count - 1;
}

static void unlink_file(struct store* store, long file) {
  free(store->files[file].name);
  store->files[file].name = NULL;
}

void store_put(struct store* store, const char* name, struct bytes bytes) {
  long old = store_find(store, name), file;

  if (old >= 0) unlink_file(store, old);
  file = add_file(store, name, store->next_number);
  if (bytes.size > 0) store_write(store, file, 0, bytes.data, bytes.size);
  bytes_free(&bytes);
}

struct bytes store_get(const struct store* store, const char* name) {
  struct bytes bytes = {NULL, 0};
  long file = store_find(store, name);

  if (file < 0) abort();
  bytes_resize(&bytes, (size_t)store_size(store, file));
  store_read(store, file, 0, bytes.data, bytes.size);
  return bytes;
}

size_t store_names(const struct store* store) {
  size_t i, names = 0;

  for (i = 0; i < store->count; ++i) names += store->files[i].name != NULL ? 1u : 0u;
  return names;
}

uint64_t store_size(const struct store* store, long file) {
  return store->files[file].content->size;
}

void store_read(const struct store* store, long file, uint64_t offset, void* to, size_t size) {
  const struct stored_content* content = store->files[file].content;
  unsigned char* out = to;
  size_t at = slot_at(content, offset / STORE_PAGE);

  while (size > 0) {
    uint64_t index = offset / STORE_PAGE;
    size_t from = (size_t)(offset % STORE_PAGE);
    size_t piece = STORE_PAGE - from < size ? STORE_PAGE - from : size;
    if (at < content->count && content->slots[at].index == index) {
      memcpy(out, content->slots[at].page->bytes + from, piece);
      ++at;
    } else {
      memset(out, 0, piece);
    }
    out += piece;
    offset += piece;
    size -= piece;
  }
}

void store_write(struct store* store, long file, uint64_t offset, const void* from, size_t size) {
  struct stored_content* content = own_content(store->files + file);
  const unsigned char* in = from;

  if (offset + size > content->size) content->size = offset + size;
  while (size > 0) {
    size_t begin = (size_t)(offset % STORE_PAGE);
    size_t piece = STORE_PAGE - begin < size ? STORE_PAGE - begin : size;
    memcpy(own_page(content, offset / STORE_PAGE) + begin, in, piece);
    in += piece;
    offset += piece;
    size -= piece;
  }
}

void store_resize(struct store* store, long file, uint64_t size) {
  resize_content(own_content(store->files + file), size);
}

void store_clear(struct store* store, long file, uint64_t offset, uint64_t size) {
  clear_content(own_content(store->files + file), offset, size);
}

static uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * UINT64_C(0x9fb21c651e98df25);
  return hash ^ (hash >> 29);
}

static uint64_t hash_bytes(uint64_t hash, const unsigned char* bytes, size_t size) {
  uint64_t word;
  size_t i;

  for (i = 0; i + sizeof(word) <= size; i += sizeof(word)) {
    memcpy(&word, bytes + i, sizeof(word));
    hash = mix(hash, word);
  }
  for (; i < size; ++i) hash = mix(hash, bytes[i]);
  return hash;
}

static uint64_t page_hash(struct stored_page* page) {
  static const unsigned char zeros[STORE_PAGE];

  if (page->hash == 0)
    page->hash = memcmp(page->bytes, zeros, STORE_PAGE) == 0
                     ? 1
                     : hash_bytes(2, page->bytes, STORE_PAGE) | 2;
  return page->hash;
}

/* The order of the files does not matter. */
uint64_t store_hash(const struct store* store) {
  uint64_t sum = 0;
  size_t i, j;

  for (i = 0; i < store->count; ++i) {
    const struct stored_file* file = store->files + i;
    uint64_t hash;
    if (file->name == NULL) continue;
    hash = hash_bytes(3, (const unsigned char*)file->name, strlen(file->name));
    hash = mix(hash, file->content->size);
    for (j = 0; j < file->content->count; ++j) {
      uint64_t page = page_hash(file->content->slots[j].page);
      if (page != 1) hash = mix(mix(hash, file->content->slots[j].index), page);
    }
    sum += hash;
  }
  return sum;
}

/* ---- The log ---- */

void recording_free(struct recording* recording) {
  size_t i;

  for (i = 0; i < recording->count; ++i) {
    free(recording->records[i].data);
    free(recording->records[i].name);
    free(recording->records[i].to);
  }
  free(recording->records);
  memset(recording, 0, sizeof(*recording));
}

void store_apply(struct store* store, const struct record* record) {
  long file = store_find_number(store, record->file), other;

  if (record->kind == RECORDED_CREATE) {
    (void)add_file(store, record->name, record->file);
    return;
  }
  if (file < 0) return;
  switch (record->kind) {
    case RECORDED_WRITE:
      store_write(store, file, record->offset, record->data, (size_t)record->size);
      break;
    case RECORDED_SIZE:
      store_resize(store, file, record->size);
      break;
    case RECORDED_PUNCH:
      store_clear(store, file, record->offset, record->size);
      break;
    case RECORDED_REMOVE:
      unlink_file(store, file);
      break;
    case RECORDED_RENAME:
      other = store_find(store, record->to);
      if (other >= 0 && other != file) unlink_file(store, other);
      free(store->files[file].name);
      store->files[file].name = copy_text(record->to);
      break;
    case RECORDED_SYNC:
    case RECORDED_CREATE:
      break;
  }
}

static int is_name(enum recorded kind) {
  return kind == RECORDED_CREATE || kind == RECORDED_REMOVE || kind == RECORDED_RENAME;
}

void recording_rebuild(const struct store* before, const struct recording* recording, size_t count,
                       int durable, struct store* out) {
  size_t i, j;

  store_clone(before, out);
  for (i = 0; i < count; ++i) {
    const struct record* record = recording->records + i;
    int lost = 0;
    if (durable && !is_name(record->kind)) {
      lost = 1;
      for (j = i + 1; j < count && lost; ++j)
        lost = recording->records[j].kind != RECORDED_SYNC ||
               recording->records[j].file != record->file;
    }
    if (!lost) store_apply(out, record);
  }
}

static struct record* add_record(struct recording_io* io, enum recorded kind, uint32_t file) {
  struct record* record;

  if (!io->recording) return NULL;
  io->log.records = grow(io->log.records, io->log.count, &io->log.room, sizeof(*io->log.records));
  record = io->log.records + io->log.count++;
  memset(record, 0, sizeof(*record));
  record->kind = kind;
  record->file = file;
  return record;
}

/* ---- The vmdk_io ---- */

static void enter(struct recording_io* io) {
  if (io->on_call != NULL) io->on_call(1);
  (void)pthread_mutex_lock(&io->mutex);
}

static int leave(struct recording_io* io, int error) {
  (void)pthread_mutex_unlock(&io->mutex);
  if (io->on_call != NULL) io->on_call(0);
  return error;
}

/* Counts a call; gives the errno value it must fail with, or 0. */
static int count_call(struct recording_io* io, unsigned call) {
  if ((io->fail_calls & call) == 0) return 0;
  ++io->calls;
  if (io->fail_at == 0 || io->calls < io->fail_at) return 0;
  if (io->fail_once && io->calls > io->fail_at) return 0;
  if (++io->failed == 1) io->failed_call = call;
  return io->fail_with;
}

/* The index of the file of a handle; -1 if it is none, or a change is not allowed. */
static long file_of(struct recording_io* io, const void* handle, int change) {
  const struct recording_handle* at;

  for (at = io->handles; at != NULL; at = at->next)
    if (at == handle && (!change || at->writable)) return store_find_number(&io->store, at->file);
  ++io->wrong;
  return -1;
}

static int recording_open(void* user, const char* name, uint32_t flags, void** out_file) {
  struct recording_io* io = user;
  struct recording_handle* handle;
  long file;
  int error;

  enter(io);
  error = count_call(io, CALL_OPEN);
  if (error != 0) return leave(io, error);
  file = store_find(&io->store, name);
  if ((flags & ~(VMDK_FILE_WRITE | VMDK_FILE_CREATE)) != 0) ++io->wrong;
  if ((flags & VMDK_FILE_CREATE) != 0) {
    struct record* record;
    if (file >= 0) return leave(io, EEXIST);
    file = add_file(&io->store, name, io->store.next_number);
    record = add_record(io, RECORDED_CREATE, io->store.files[file].number);
    if (record != NULL) record->name = copy_text(name);
  }
  if (file < 0) return leave(io, ENOENT);
  handle = allocate(sizeof(*handle));
  handle->next = io->handles;
  handle->file = io->store.files[file].number;
  handle->writable = (flags & (VMDK_FILE_WRITE | VMDK_FILE_CREATE)) != 0;
  io->handles = handle;
  *out_file = handle;
  return leave(io, 0);
}

static void recording_close(void* user, void* file) {
  struct recording_io* io = user;
  struct recording_handle** at;

  enter(io);
  for (at = &io->handles; *at != NULL && *at != file;) at = &(*at)->next;
  if (*at == NULL) {
    ++io->wrong;
  } else {
    struct recording_handle* handle = *at;
    *at = handle->next;
    free(handle);
  }
  (void)leave(io, 0);
}

static int recording_read_at(void* user, void* handle, uint64_t offset, void* buffer, size_t size) {
  struct recording_io* io = user;
  long file;
  int error;

  enter(io);
  error = count_call(io, CALL_READ);
  file = file_of(io, handle, 0);
  if (file < 0) return leave(io, EBADF);
  if (error != 0) return leave(io, error);
  if (offset > store_size(&io->store, file) || size > store_size(&io->store, file) - offset) {
    ++io->wrong;
    return leave(io, EIO);
  }
  store_read(&io->store, file, offset, buffer, size);
  return leave(io, 0);
}

static int recording_write_at(void* user, void* handle, uint64_t offset, const void* buffer,
                              size_t size) {
  struct recording_io* io = user;
  struct record* record;
  long file;
  int error;

  enter(io);
  error = count_call(io, CALL_WRITE);
  file = file_of(io, handle, 1);
  if (file < 0) return leave(io, EBADF);
  ++io->writes;
  if (error != 0) {
    uint64_t end = (offset + size / 2) / 512 * 512;
    size = io->fail_short && end > offset ? (size_t)(end - offset) : 0;
  }
  if (size == 0) return leave(io, error);
  store_write(&io->store, file, offset, buffer, size);
  record = add_record(io, RECORDED_WRITE, io->store.files[file].number);
  if (record != NULL) {
    record->offset = offset;
    record->size = size;
    record->data = allocate(size);
    memcpy(record->data, buffer, size);
  }
  return leave(io, error);
}

static int recording_get_size(void* user, void* handle, uint64_t* out_size) {
  struct recording_io* io = user;
  long file;
  int error;

  enter(io);
  error = count_call(io, CALL_GET_SIZE);
  file = file_of(io, handle, 0);
  if (file < 0) return leave(io, EBADF);
  if (error == 0) *out_size = store_size(&io->store, file);
  return leave(io, error);
}

/* Of the calls that change a stretch of a file. */
static int change(struct recording_io* io, void* handle, unsigned call, enum recorded kind,
                  uint64_t offset, uint64_t size) {
  struct record* record;
  long file;
  int error;

  enter(io);
  error = count_call(io, call);
  file = file_of(io, handle, 1);
  if (file < 0) return leave(io, EBADF);
  if (error != 0) return leave(io, error);
  if (kind == RECORDED_PUNCH &&
      (offset > store_size(&io->store, file) || size > store_size(&io->store, file) - offset)) {
    ++io->wrong;
    return leave(io, EINVAL);
  }
  if (kind == RECORDED_PUNCH) store_clear(&io->store, file, offset, size);
  if (kind == RECORDED_SIZE) store_resize(&io->store, file, size);
  if (kind == RECORDED_SYNC) ++io->syncs;
  record = add_record(io, kind, io->store.files[file].number);
  if (record != NULL) {
    record->offset = offset;
    record->size = size;
  }
  return leave(io, 0);
}

static int recording_set_size(void* user, void* file, uint64_t size) {
  return change(user, file, CALL_SET_SIZE, RECORDED_SIZE, 0, size);
}

static int recording_sync(void* user, void* file) {
  return change(user, file, CALL_SYNC, RECORDED_SYNC, 0, 0);
}

static int recording_punch(void* user, void* file, uint64_t offset, uint64_t size) {
  return change(user, file, CALL_PUNCH, RECORDED_PUNCH, offset, size);
}

static int recording_remove(void* user, const char* name) {
  struct recording_io* io = user;
  struct record* record;
  long file;
  int error;

  enter(io);
  error = count_call(io, CALL_REMOVE);
  if (error != 0) return leave(io, error);
  file = store_find(&io->store, name);
  if (file < 0) return leave(io, ENOENT);
  record = add_record(io, RECORDED_REMOVE, io->store.files[file].number);
  if (record != NULL) record->name = copy_text(name);
  unlink_file(&io->store, file);
  return leave(io, 0);
}

static int recording_rename(void* user, const char* from, const char* to, uint32_t flags) {
  struct recording_io* io = user;
  struct record made, *record;
  long file;
  int error;

  enter(io);
  error = count_call(io, CALL_RENAME);
  if (error != 0) return leave(io, error);
  if ((flags & ~VMDK_FILE_REPLACE) != 0) ++io->wrong;
  file = store_find(&io->store, from);
  if (file < 0) return leave(io, ENOENT);
  if ((flags & VMDK_FILE_REPLACE) == 0 && store_find(&io->store, to) >= 0) return leave(io, EEXIST);
  memset(&made, 0, sizeof(made));
  made.kind = RECORDED_RENAME;
  made.file = io->store.files[file].number;
  made.name = copy_text(from);
  made.to = copy_text(to);
  store_apply(&io->store, &made);
  record = add_record(io, RECORDED_RENAME, made.file);
  if (record != NULL) {
    *record = made;
  } else {
    free(made.name);
    free(made.to);
  }
  return leave(io, 0);
}

static void init(struct recording_io* io) {
  memset(io, 0, sizeof(*io));
  io->io.struct_size = sizeof(io->io);
  io->io.user = io;
  io->io.open = recording_open;
  io->io.close = recording_close;
  io->io.read_at = recording_read_at;
  io->io.write_at = recording_write_at;
  io->io.get_size = recording_get_size;
  io->io.set_size = recording_set_size;
  io->io.sync = recording_sync;
  io->io.remove = recording_remove;
  io->io.rename = recording_rename;
  io->io.punch = recording_punch;
  io->fail_calls = CALL_ANY;
  io->fail_with = EIO;
  (void)pthread_mutex_init(&io->mutex, NULL);
}

void recording_io_init(struct recording_io* io) {
  init(io);
  store_init(&io->store);
}

void recording_io_init_from(struct recording_io* io, const struct store* store) {
  init(io);
  store_clone(store, &io->store);
}

void recording_io_free(struct recording_io* io) {
  while (io->handles != NULL) {
    struct recording_handle* handle = io->handles;
    io->handles = handle->next;
    free(handle);
  }
  store_free(&io->store);
  recording_free(&io->log);
  (void)pthread_mutex_destroy(&io->mutex);
}

void recording_io_fail(struct recording_io* io, unsigned calls, long n, int once, int with) {
  io->fail_calls = calls;
  io->fail_at = n;
  io->fail_once = once;
  io->fail_with = with;
  io->calls = 0;
  io->failed = 0;
  io->failed_call = 0;
}

long recording_io_open_files(struct recording_io* io) {
  const struct recording_handle* handle;
  long count = 0;

  (void)pthread_mutex_lock(&io->mutex);
  for (handle = io->handles; handle != NULL; handle = handle->next) ++count;
  (void)pthread_mutex_unlock(&io->mutex);
  return count;
}
