/* SPDX-License-Identifier: MIT */
/* A directory for one test, removed with all that is in it when the test ends. */
#ifndef VMDK_TEST_FOLDER_H
#define VMDK_TEST_FOLDER_H

#include "support/bytes.h"

/* For cmocka: *state becomes the folder. */
int folder_setup(void** state);
int folder_teardown(void** state);

struct folder;

const char* folder_path(const struct folder* folder);

/* The full path of a name in it. Kept until the test ends. */
const char* path_in(struct folder* folder, const char* name);

/* A text made with printf(). Kept until the test ends. */
const char* text_in(struct folder* folder, const char* format, ...)
    __attribute__((format(printf, 2, 3)));

/* Each makes something in it and gives its full path. Directories on the way are made, too. */
const char* put_file(struct folder* folder, const char* name,
                     struct bytes bytes); /* frees the bytes */
const char* put_text(struct folder* folder, const char* name, const char* text);
const char* put_directory(struct folder* folder, const char* name);
const char* put_symlink(struct folder* folder, const char* name, const char* target);
const char* put_hard_link(struct folder* folder, const char* name, const char* existing);
const char* put_fifo(struct folder* folder, const char* name);
const char* put_socket(struct folder* folder, const char* name);

/* All of a file. Free the bytes. */
struct bytes read_file(const char* path);

/* Open descriptors of this process. */
int count_descriptors(void);

#endif
