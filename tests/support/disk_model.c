/* SPDX-License-Identifier: MIT */
#include "support/disk_model.h"

#include "support/check.h"

struct model_value {
  struct model_value* older;
  unsigned step;
  int sure;
  unsigned char bytes[MODEL_SECTOR];
};

static const unsigned char zeros[MODEL_SECTOR];

void model_init(struct disk_model* model, uint64_t size) {
  uint64_t count = size / MODEL_SECTOR;

  model->size = size;
  model->sectors = calloc((size_t)count, sizeof(*model->sectors));
  if (model->sectors == NULL) abort();
}

static void free_values(struct model_value* value) {
  while (value != NULL) {
    struct model_value* older = value->older;
    free(value);
    value = older;
  }
}

void model_free(struct disk_model* model) {
  uint64_t sector;

  for (sector = 0; sector < model->size / MODEL_SECTOR; ++sector)
    free_values(model->sectors[sector]);
  free(model->sectors);
  memset(model, 0, sizeof(*model));
}

static struct model_value* push(struct disk_model* model, uint64_t sector, unsigned step,
                                const unsigned char* bytes, int sure) {
  struct model_value* value = allocate(sizeof(*value));

  value->older = model->sectors[sector];
  value->step = step;
  value->sure = sure;
  memcpy(value->bytes, bytes, MODEL_SECTOR);
  model->sectors[sector] = value;
  return value;
}

void model_clone(const struct disk_model* model, struct disk_model* copy) {
  uint64_t sector;

  model_init(copy, model->size);
  for (sector = 0; sector < model->size / MODEL_SECTOR; ++sector)
    if (model->sectors[sector] != NULL)
      (void)push(copy, sector, 0, model->sectors[sector]->bytes, 1);
}

/* A part of a sector is written over each value it may have; the oldest of these decides. */
static void write_part(struct disk_model* model, unsigned step, uint64_t sector, size_t from,
                       size_t size, const unsigned char* data, int sure) {
  const struct model_value *newest = model->sectors[sector], *old = newest;
  unsigned char bytes[MODEL_SECTOR];
  int first = 1;

  for (;; old = old->older) {
    memcpy(bytes, old != NULL ? old->bytes : zeros, MODEL_SECTOR);
    memcpy(bytes + from, data, size);
    (void)push(model, sector, step, bytes, first && sure);
    first = 0;
    if (old == NULL || old->sure) return;
  }
}

void model_write(struct disk_model* model, unsigned step, uint64_t offset, uint64_t size,
                 const unsigned char* data, int sure) {
  while (size > 0) {
    size_t from = (size_t)(offset % MODEL_SECTOR);
    size_t piece = MODEL_SECTOR - from < size ? MODEL_SECTOR - from : (size_t)size;
    const unsigned char* bytes = data != NULL ? data : zeros;
    if (piece == MODEL_SECTOR)
      (void)push(model, offset / MODEL_SECTOR, step, bytes, sure);
    else
      write_part(model, step, offset / MODEL_SECTOR, from, piece, bytes, sure);
    if (data != NULL) data += piece;
    offset += piece;
    size -= piece;
  }
}

void model_found(struct disk_model* model, unsigned step, uint64_t sector,
                 const unsigned char* bytes) {
  const struct model_value* newest = model->sectors[sector];

  if (newest != NULL && newest->sure && memcmp(newest->bytes, bytes, MODEL_SECTOR) == 0) return;
  (void)push(model, sector, step, bytes, 1);
}

int model_allows(const struct disk_model* model, uint64_t sector, const unsigned char* bytes,
                 unsigned floor, unsigned last) {
  const struct model_value* value = model->sectors[sector];

  for (; value != NULL; value = value->older) {
    if (value->step > last) continue;
    if (memcmp(value->bytes, bytes, MODEL_SECTOR) == 0) return 1;
    if (value->step <= floor && value->sure) return 0;
  }
  return memcmp(bytes, zeros, MODEL_SECTOR) == 0;
}

const unsigned char* model_value_at(const struct disk_model* model, uint64_t sector,
                                    unsigned last) {
  const struct model_value* value = model->sectors[sector];

  while (value != NULL && value->step > last) value = value->older;
  return value != NULL ? value->bytes : zeros;
}

int model_touched(const struct disk_model* model, uint64_t sector) {
  return model->sectors[sector] != NULL;
}

void model_read(const struct disk_model* model, uint64_t offset, uint64_t size, unsigned char* to) {
  while (size > 0) {
    size_t from = (size_t)(offset % MODEL_SECTOR);
    size_t piece = MODEL_SECTOR - from < size ? MODEL_SECTOR - from : (size_t)size;
    memcpy(to, model_value_at(model, offset / MODEL_SECTOR, (unsigned)-1) + from, piece);
    to += piece;
    offset += piece;
    size -= piece;
  }
}

void model_forget(struct disk_model* model) {
  uint64_t sector;

  for (sector = 0; sector < model->size / MODEL_SECTOR; ++sector) {
    struct model_value* newest = model->sectors[sector];
    if (newest == NULL) continue;
    free_values(newest->older);
    newest->older = NULL;
    newest->step = 0;
  }
}
