/* SPDX-License-Identifier: MIT */
/* dlopen LIBVMDK_SO: a thread loads the library, makes a call fail, reads the
   error and unloads the library; then it must be gone from the process. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <vmdk/vmdk.h>

typedef vmdk_status open_fn(const char*, const vmdk_open_options*, vmdk_disk**);
typedef const vmdk_error* last_error_fn(void);

static const char* library;

static int is_mapped(void) {
  char line[4096];
  int found = 0;
  FILE* maps = fopen("/proc/self/maps", "r");
  if (maps == NULL) return -1;
  while (fgets(line, sizeof line, maps) != NULL) {
    if (strstr(line, "libvmdk.so") != NULL) found = 1;
  }
  fclose(maps);
  return found;
}

/* ISO C has no cast from an object pointer to a function pointer. */
static int find(void* handle, const char* name, void* out_function) {
  void* symbol = dlsym(handle, name);
  if (symbol == NULL) return 0;
  memcpy(out_function, &symbol, sizeof symbol);
  return 1;
}

/* Returns NULL, or what went wrong. */
static void* load_and_fail(void* unused) {
  static char wrong[4096];
  open_fn* open_disk = NULL;
  last_error_fn* last_error = NULL;
  vmdk_disk* disk = NULL;
  vmdk_status status;
  void* handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  (void)unused;
  if (handle == NULL) {
    snprintf(wrong, sizeof wrong, "dlopen: %s", dlerror());
    return wrong;
  }
  if (!find(handle, "vmdk_open", &open_disk) || !find(handle, "vmdk_last_error", &last_error)) {
    return "a function is missing";
  }
  status = open_disk("no such file.vmdk", NULL, &disk);
  if (status != VMDK_ERR_NOT_FOUND || disk != NULL) {
    snprintf(wrong, sizeof wrong, "vmdk_open returned %d", (int)status);
    return wrong;
  }
  if (last_error()->status != status || last_error()->message[0] == '\0') {
    return "vmdk_last_error() does not tell the failure";
  }
  if (is_mapped() != 1) return "/proc/self/maps does not show the library while it is loaded";
  if (dlclose(handle) != 0) {
    snprintf(wrong, sizeof wrong, "dlclose: %s", dlerror());
    return wrong;
  }
  return NULL;
}

int main(int argc, char** argv) {
  int round;
  if (argc != 2) {
    fprintf(stderr, "usage: dlopen LIBVMDK_SO\n");
    return 2;
  }
  library = argv[1];
  if (is_mapped() < 0) {
    printf("skipped: no /proc/self/maps\n");
    return 77;
  }
  for (round = 1; round <= 3; ++round) {
    pthread_t thread;
    void* wrong = NULL;
    if (pthread_create(&thread, NULL, load_and_fail, NULL) != 0) return 2;
    pthread_join(thread, &wrong);
    if (wrong != NULL) {
      printf("round %d: %s\n", round, (const char*)wrong);
      return 1;
    }
    if (is_mapped() != 0) {
      printf("round %d: the library is still loaded after dlclose\n", round);
      return 1;
    }
  }
  printf("loaded and unloaded %d times\n", round - 1);
  return 0;
}
