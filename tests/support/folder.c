/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include "support/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/check.h"

struct text {
  struct text* next;
  char value[];
};

struct folder {
  char* path;
  struct text* texts;
};

static void must(int ok, const char* what, const char* path) {
  if (ok) return;
  fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
  abort();
}

int folder_setup(void** state) {
  struct folder* folder = allocate(sizeof(*folder));
  const char* parent = getenv("TMPDIR");
  char path[PATH_MAX], *real;

  (void)snprintf(path, sizeof(path), "%s/vmdk-test-XXXXXX",
                 parent != NULL && *parent != 0 ? parent : "/tmp");
  must(mkdtemp(path) != NULL, "mkdtemp", path);
  real = realpath(path, NULL);
  must(real != NULL, "realpath", path);
  folder->path = real;
  folder->texts = NULL;
  *state = folder;
  return 0;
}

static int remove_entry(const char* path, const struct stat* st, int kind, struct FTW* at) {
  (void)st;
  (void)kind;
  (void)at;
  return remove(path);
}

int folder_teardown(void** state) {
  struct folder* folder = *state;

  (void)nftw(folder->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  while (folder->texts != NULL) {
    struct text* text = folder->texts;
    folder->texts = text->next;
    free(text);
  }
  free(folder->path);
  free(folder);
  return 0;
}

const char* folder_path(const struct folder* folder) { return folder->path; }

const char* text_in(struct folder* folder, const char* format, ...) {
  struct bytes bytes = {NULL, 0};
  struct text* text;
  va_list list;

  va_start(list, format);
  bytes_vprint(&bytes, format, list);
  va_end(list);
  text = allocate(sizeof(*text) + bytes.size + 1);
  if (bytes.size > 0) memcpy(text->value, bytes.data, bytes.size);
  text->value[bytes.size] = 0;
  bytes_free(&bytes);
  text->next = folder->texts;
  folder->texts = text;
  return text->value;
}

const char* path_in(struct folder* folder, const char* name) {
  return text_in(folder, "%s/%s", folder->path, name);
}

/* The path of something to be made: makes the directories it lies in. */
static const char* place_for(struct folder* folder, const char* name) {
  const char* path = path_in(folder, name);
  char *copy = allocate(strlen(path) + 1), *slash;

  strcpy(copy, path);
  for (slash = strchr(copy + strlen(folder->path) + 1, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = 0;
    must(mkdir(copy, 0777) == 0 || errno == EEXIST, "mkdir", copy);
    *slash = '/';
  }
  free(copy);
  return path;
}

const char* put_file(struct folder* folder, const char* name, struct bytes bytes) {
  const char* path = place_for(folder, name);
  FILE* file = fopen(path, "wb");

  must(file != NULL, "fopen", path);
  must(bytes.size == 0 || fwrite(bytes.data, 1, bytes.size, file) == bytes.size, "fwrite", path);
  must(fclose(file) == 0, "fclose", path);
  bytes_free(&bytes);
  return path;
}

const char* put_text(struct folder* folder, const char* name, const char* text) {
  return put_file(folder, name, bytes_text(text));
}

const char* put_directory(struct folder* folder, const char* name) {
  const char* path = place_for(folder, name);

  must(mkdir(path, 0777) == 0 || errno == EEXIST, "mkdir", path);
  return path;
}

const char* put_symlink(struct folder* folder, const char* name, const char* target) {
  const char* path = place_for(folder, name);

  must(symlink(target, path) == 0, "symlink", path);
  return path;
}

const char* put_hard_link(struct folder* folder, const char* name, const char* existing) {
  const char* path = place_for(folder, name);

  must(link(path_in(folder, existing), path) == 0, "link", path);
  return path;
}

const char* put_fifo(struct folder* folder, const char* name) {
  const char* path = place_for(folder, name);

  must(mkfifo(path, 0666) == 0, "mkfifo", path);
  return path;
}

const char* put_socket(struct folder* folder, const char* name) {
  const char* path = place_for(folder, name);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address;

  must(fd >= 0, "socket", path);
  memset(&address, 0, sizeof(address));
  address.sun_family = AF_UNIX;
  must(strlen(path) < sizeof(address.sun_path), "path too long for a socket:", path);
  strcpy(address.sun_path, path);
  must(bind(fd, (const struct sockaddr*)&address, sizeof(address)) == 0, "bind", path);
  (void)close(fd);
  return path;
}

struct bytes read_file(const char* path) {
  struct bytes bytes = {NULL, 0};
  unsigned char piece[65536];
  FILE* file = fopen(path, "rb");
  size_t got;

  must(file != NULL, "fopen", path);
  while ((got = fread(piece, 1, sizeof(piece), file)) > 0) bytes_append(&bytes, piece, got);
  (void)fclose(file);
  return bytes;
}

int count_descriptors(void) {
  DIR* directory = opendir("/proc/self/fd");
  int count = 0;

  must(directory != NULL, "opendir", "/proc/self/fd");
  while (readdir(directory) != NULL) ++count;
  (void)closedir(directory);
  return count;
}
