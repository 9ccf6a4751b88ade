/* SPDX-License-Identifier: MIT */
/* Disks of every kind that can be written, and sequences of steps on them: what a disk may hold
 * after each step is kept in a model, and where in the log of a recording_io it began and ended. */
#ifndef VMDK_TEST_WORKLOAD_H
#define VMDK_TEST_WORKLOAD_H

#include <vmdk/vmdk.h>

#include "support/check.h"
#include "support/disk_model.h"
#include "support/raw_check.h"
#include "support/recording_io.h"

#define WORKLOAD_UNIT 4096u
#define WORKLOAD_CAPACITY (UINT64_C(4227) * 512) /* 2 MiB, 64 KiB and three sectors */
#define WORKLOAD_DISKS 8u
#define WORKLOAD_LAYERS 4u

/* ---- Kinds ---- */

enum layer {
  LAYER_NONE,
  LAYER_SPARSE, /* grains of 4 KiB, as all without another size in their name */
  LAYER_SPARSE_64K,
  LAYER_SPARSE_ZERO, /* entries may say "zero" */
  LAYER_SPLIT_SPARSE,
  LAYER_FLAT,
  LAYER_SPLIT_FLAT,
  LAYER_COWD, /* grains of 512 bytes */
  LAYER_COWD_4K,
  LAYER_SINGLE_TABLES, /* hosted sparse, without redundant tables */
  LAYER_NO_TABLES,     /* hosted sparse, all directory entries 0 */
  LAYER_COWD_NO_TABLES,
  LAYER_MIXTURE /* FLAT, SPARSE, ZERO, FLAT */
};

struct kind {
  const char* name;
  enum layer layers[WORKLOAD_LAYERS]; /* the base first */
};

extern const struct kind kinds[];
extern const size_t kind_count;

int kind_may_miss_tables(const struct kind* kind);
/* Does the range touch what cannot be written? */
int kind_is_read_only(const struct kind* kind, uint64_t offset, uint64_t size);
/* 1: with vmdk_create() and vmdk_snapshot() alone. */
int kind_is_created(const struct kind* kind);

/* A disk of the kind with some content, closed. */
struct made {
  const struct kind* kind;
  struct store store;
  struct disk_model model;
  char name[64];
};

/* Gives 0, or prints what failed. */
int make_kind(const struct kind* kind, struct made* made);
/* The same without any file: for run_create(). */
void make_nothing(const struct kind* kind, struct made* made);
void made_free(struct made* made);

/* vmdk_create() of a base layer, which must not be made by hand. */
vmdk_status create_layer(enum layer layer, const vmdk_io* io, const char* name);

/* ---- Steps ---- */

enum op {
  OP_WRITE,
  OP_ZERO,
  OP_DISCARD,
  OP_FLUSH,
  OP_REOPEN,
  OP_SET_TEXT,
  OP_SNAPSHOT,
  OP_CREATE, /* of run_create() */
  OP_CLOSE
};

struct step {
  enum op op;
  uint64_t offset, size; /* OP_SET_TEXT: `size` is the length of the value; 0 = remove */
};

/* The steps that short sequences are made of. */
extern const struct step step_pool[];
extern const size_t step_pool_size;

struct step random_step(const struct kind* kind, uint64_t* random);
const char* step_text(const struct step* step);

/* ---- Running them ---- */

enum library {
  LIBRARY_LEFT,
  LIBRARY_WORKS, /* does what the steps say */
  LIBRARY_LOOKS  /* lets a test see what is there: is not to be disturbed */
};

struct run_disk {
  char name[1024];
  struct disk_model model;
  size_t there; /* the place in the log from which on it must be there */
};

/* From opening to closing a disk. */
struct session {
  unsigned disk, step; /* `step`: the last one before it */
  size_t begin;        /* the place in the log */
  int closed;          /* well or not: `after` is set */
  struct raw_result before, after;
  struct raw_result marks; /* at its beginning, also after one that was not closed well */
};

struct done {
  struct step step;
  unsigned disk; /* after it */
  vmdk_status status;
  size_t begin, end; /* places in the log */
  int saved;         /* what was written before is durable from the end on */
  uint64_t text;     /* hash of the descriptor after it */
};

struct run {
  const struct made* made;
  const char* folder; /* local files lie there; NULL: in `io` */
  struct recording_io io;
  int may_fail;                     /* calls may fail; else each failure is a problem */
  void (*on_library)(enum library); /* around each call of the library; may be NULL */
  int clean;                        /* the last closing saved everything */
  char problem[512];                /* the first one; empty: none */
  vmdk_disk* disk;
  unsigned current;
  struct run_disk disks[WORKLOAD_DISKS];
  unsigned disk_count;
  struct session* sessions;
  unsigned session_count, session_room;
  struct done* done; /* [0] stands for what was before */
  unsigned done_count, done_room;
  unsigned failures;
  vmdk_status first_failure;
};

/* `folder`: where `made` has been put as files; NULL: in memory. */
void run_begin(struct run* run, const struct made* made, const char* folder, int record);
/* After make_nothing(): creates the base. */
void run_create(struct run* run);
/* run_step() does it where the disk is not open. */
void run_open(struct run* run);
void run_step(struct run* run, const struct step* step);
/* Closes, and looks at what is there then. */
void run_end(struct run* run);
void run_free(struct run* run);

/* The last step up to `step` that brought everything to stable storage. */
unsigned run_saved(const struct run* run, unsigned step);

/* The callbacks to open its disks with; NULL: the local file system. */
const vmdk_io* run_io(const struct run* run);
/* The same for raw_check(). */
const vmdk_io* run_raw_io(const struct run* run);

/* ---- Looking ---- */

vmdk_open_options workload_options(const vmdk_io* io, uint32_t flags);

struct content_check {
  unsigned floor, last;     /* as for model_allows() */
  int all;                  /* also what no step touched */
  unsigned learn;           /* the step as which what is found becomes what is there; 0: not */
  unsigned compare;         /* the step to compare with */
  uint64_t skip, skip_size; /* sectors that are left out */
  void (*on_library)(enum library); /* as in struct run */
  int changed;                      /* result: it differs from that */
  char why[256];                    /* result, if it fails */
};

/* Reads and compares; gives 0 if something is there that may not be. */
int check_content(vmdk_disk* disk, struct disk_model* model, struct content_check* check);

/* Adds a test for each kind, or for the one of that name, to as many as MOST_KIND_TESTS; the kind
 * is its initial state. Gives how many. */
enum { MOST_KIND_TESTS = 32 };
size_t add_kind_tests(struct CMUnitTest* tests, CMUnitTestFunction test, const char* only);

/* Puts the files of a store into a folder. */
void store_to_folder(const struct store* store, const char* folder);

#endif
