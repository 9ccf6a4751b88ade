/* SPDX-License-Identifier: MIT */
/* What a disk may hold: for each sector every value it had, with the step that gave it. Steps are
 * numbered from 1; what was there before has the number 0. */
#ifndef VMDK_TEST_DISK_MODEL_H
#define VMDK_TEST_DISK_MODEL_H

#include <stddef.h>
#include <stdint.h>

#define MODEL_SECTOR 512u

struct model_value;
struct disk_model {
  uint64_t size;                /* whole sectors */
  struct model_value** sectors; /* newest first; NULL = zeros since ever */
};

/* All zeros. */
void model_init(struct disk_model* model, uint64_t size);
void model_free(struct disk_model* model);
/* What it holds now, as what was there before. */
void model_clone(const struct disk_model* model, struct disk_model* copy);

/* A step has written; `data` NULL: zeros. `sure` 0: the step failed, so perhaps not. */
void model_write(struct disk_model* model, unsigned step, uint64_t offset, uint64_t size,
                 const unsigned char* data, int sure);

/* A sector was found to hold this. */
void model_found(struct disk_model* model, unsigned step, uint64_t sector,
                 const unsigned char* bytes);

/* May the sector hold these bytes, if everything up to the step `floor` is there, and of the later
 * steps up to `last` anything may be? */
int model_allows(const struct disk_model* model, uint64_t sector, const unsigned char* bytes,
                 unsigned floor, unsigned last);

/* The newest value that a step up to `last` gave; 512 bytes, valid as long as the model. */
const unsigned char* model_value_at(const struct disk_model* model, uint64_t sector, unsigned last);

/* Was any value ever given? */
int model_touched(const struct disk_model* model, uint64_t sector);

/* The newest values. */
void model_read(const struct disk_model* model, uint64_t offset, uint64_t size, unsigned char* to);

/* Forgets all but the newest values. */
void model_forget(struct disk_model* model);

#endif
