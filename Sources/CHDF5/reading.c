// Reads an HDF5 file in a separate process. libhdf5 is not safe for untrusted files: crafted files make it crash, loop
// for ever or allocate far more memory than they contain. The process has limits of memory and time. It receives the
// file through a socket and sends back messages (process.c starts it).

#include "functions.h"
#include "process.h"
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

// The state of the reader, global because libhdf5's callbacks use it.
typedef struct {
  void *bytes;
  size_t count;
  int64_t data_limit, memory_limit;
} reading;

static int32_t put(const void *bytes, size_t count) {
  const char *next = bytes;
  while (count > 0) {
    const ssize_t written = write(UNROLL_HDF5_SOCKET, next, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) _exit(1);
    next += written;
    count -= (size_t)written;
  }
  return 0;
}

static void tell(unroll_hdf5_message message, const char *name) {
  message.name_bytes = (int64_t)strlen(name);
  put(&message, sizeof message);
  put(name, (size_t)message.name_bytes);
}

// Sends the last message for a file that cannot be read.
static void give_up(int32_t why, const char *name) {
  unroll_hdf5_message message = {0};
  message.what = why;
  tell(message, name);
  _exit(0);
}

// The image is not copied: all users share the same bytes.
static void *same(size_t size, int operation, void *task) {
  (void)size, (void)operation;
  return ((const reading *)task)->bytes;
}
static void *no_copy(void *to, const void *from, size_t size, int operation, void *task) {
  (void)from, (void)size, (void)operation, (void)task;
  return to;
}
static void *no_growth(void *bytes, size_t size, int operation, void *task) {
  (void)bytes, (void)size, (void)operation, (void)task;
  return NULL;
}
static int no_free(void *bytes, int operation, void *task) {
  (void)bytes, (void)operation, (void)task;
  return 0;
}
static void *same_task(void *task) { return task; }
static int keep_task(void *task) {
  (void)task;
  return 0;
}

static hid_t open_image(const reading *task) {
  hdf5_image_callbacks callbacks = {
      same, no_copy, no_growth, no_free, same_task, keep_task, (void *)task,
  };
  H5.Eset_auto2(H5_DEFAULT, NULL, NULL);
  H5.PLset_loading_state(0);
  const hid_t access = H5.Pcreate(H5.P_CLS_FILE_ACCESS_ID_g);
  if (H5.Pset_fapl_core(access, 1 << 16, 0) < 0 ||
      H5.Pset_file_image_callbacks(access, &callbacks) < 0 ||
      H5.Pset_file_image(access, task->bytes, task->count) < 0) {
    return -1;
  }
  return H5.Fopen("image", H5F_ACC_RDONLY, access);
}

// Sends a dataset in blocks of rows. A block consists of whole chunks, so that no chunk is decompressed twice.
static int32_t send_dataset(const reading *task, hid_t set, hid_t space,
                            const unroll_hdf5_message *facts, int64_t chunk_rows) {
  if (facts->data_bytes == 0) return 0;
  const int64_t rows = facts->rank > 0 ? facts->sizes[0] : 1;
  const int64_t row_bytes = facts->data_bytes / rows;
  int64_t slab = (1 << 20) / row_bytes / chunk_rows * chunk_rows;
  if (slab < chunk_rows) slab = chunk_rows;
  if (slab > task->memory_limit / 2 / row_bytes) slab = task->memory_limit / 2 / row_bytes;
  if (slab < 1) slab = 1;
  if (slab > rows) slab = rows;
  char *const room = malloc((size_t)(slab * row_bytes));
  if (!room) return -1;
  const hid_t type = hdf5_memory_type(facts->kind, facts->element_size, facts->is_signed);
  hsize_t start[UNROLL_HDF5_AXES] = {0}, size[UNROLL_HDF5_AXES];
  for (int i = 0; i < facts->rank; ++i) size[i] = (hsize_t)facts->sizes[i];
  int32_t status = 0;
  for (int64_t row = 0; row < rows && status == 0; row += slab) {
    hid_t part = H5_DEFAULT;
    const int64_t count = rows - row < slab ? rows - row : slab;
    if (facts->rank > 0) {
      start[0] = (hsize_t)row;
      size[0] = (hsize_t)count;
      part = H5.Screate_simple(facts->rank, size, NULL);
      H5.Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, size, NULL);
    }
    status = H5.Dread(set, type, part, facts->rank > 0 ? space : H5_DEFAULT, H5_DEFAULT, room) < 0
                 ? -1
                 : put(room, (size_t)(count * row_bytes));
    if (facts->rank > 0) H5.Sclose(part);
  }
  free(room);
  return status;
}

// Reads a dataset and sends it if it is numeric.
static void read_dataset(reading *task, hid_t set, const char *name) {
  unroll_hdf5_message facts = {0};
  const hid_t space = H5.Dget_space(set), type = H5.Dget_type(set), plan = H5.Dget_create_plist(set);
  hsize_t sizes[UNROLL_HDF5_AXES], chunk[UNROLL_HDF5_AXES];
  facts.rank = space < 0 ? -1 : H5.Sget_simple_extent_ndims(space);
  if (type < 0 || plan < 0 || facts.rank < 0 || facts.rank > UNROLL_HDF5_AXES ||
      H5.Sget_simple_extent_dims(space, sizes, NULL) < 0) {
    give_up(UNROLL_HDF5_NOT_DESCRIBED, name);
  }
  const int kind = H5.Tget_class(type);
  // Text, compounds and datasets without a dataspace are not weights.
  if ((kind == H5T_INTEGER || kind == H5T_ENUM || kind == H5T_FLOAT) &&
      H5.Sget_simple_extent_type(space) != H5S_NULL) {
    const int layout = H5.Pget_layout(plan);
    if (layout == H5D_VIRTUAL || H5.Pget_external_count(plan) != 0) {
      give_up(UNROLL_HDF5_ELSEWHERE, name);
    }
    facts.kind = kind == H5T_FLOAT ? UNROLL_HDF5_REAL : UNROLL_HDF5_INTEGER;
    facts.element_size = kind == H5T_FLOAT && H5.Tget_size(type) <= 4 ? 4 : 8;
    facts.is_signed = kind == H5T_ENUM || H5.Tget_sign(type) == H5T_SGN_2;
    facts.data_bytes = facts.element_size;
    int64_t chunk_bytes = (int64_t)H5.Tget_size(type), chunk_rows = 1;
    for (int i = 0; i < facts.rank; ++i) {
      facts.sizes[i] = sizes[i] > INT64_MAX ? INT64_MAX : (int64_t)sizes[i];
      if (__builtin_mul_overflow(facts.data_bytes, facts.sizes[i], &facts.data_bytes)) {
        give_up(UNROLL_HDF5_IMPOSSIBLE, name);
      }
    }
    if (layout == H5D_CHUNKED) {
      const int axes = H5.Pget_chunk(plan, UNROLL_HDF5_AXES, chunk);
      for (int i = 0; i < axes && i < UNROLL_HDF5_AXES; ++i) {
        if (chunk[i] > INT32_MAX ||
            __builtin_mul_overflow(chunk_bytes, (int64_t)chunk[i], &chunk_bytes)) {
          give_up(UNROLL_HDF5_IMPOSSIBLE, name);
        }
      }
      if (axes > 0) chunk_rows = (int64_t)chunk[0];
    }
    task->data_limit -= facts.data_bytes;
    if (task->data_limit < 0 || chunk_bytes > task->data_limit + facts.data_bytes) {
      give_up(UNROLL_HDF5_TOO_LARGE, name);
    }
    tell(facts, name);
    if (send_dataset(task, set, space, &facts, chunk_rows) != 0) _exit(UNROLL_HDF5_NOT_READ);
  }
  H5.Pclose(plan);
  H5.Tclose(type);
  H5.Sclose(space);
}

static int visited(hid_t file, const char *name, const void *information, void *task) {
  (void)information;
  const hid_t object = H5.Oopen(file, name, H5_DEFAULT);
  if (object < 0) give_up(UNROLL_HDF5_NOT_DESCRIBED, name);
  if (H5.Iget_type(object) == H5I_DATASET) read_dataset(task, object, name);
  H5.Oclose(object);
  return 0;
}

// Returns a text attribute of the root; NULL if it does not exist or is longer than the file.
static char *read_text(const reading *task, hid_t file, const char *name) {
  if (H5.Aexists(file, name) <= 0) return NULL;
  const hid_t attribute = H5.Aopen(file, name, H5_DEFAULT);
  if (attribute < 0) return NULL;
  const hid_t type = H5.Aget_type(attribute), space = H5.Aget_space(attribute);
  char *result = NULL;
  if (type >= 0 && space >= 0 && H5.Tget_class(type) == H5T_STRING &&
      H5.Sget_simple_extent_npoints(space) == 1) {
    const hid_t memory = H5.Tcopy(H5.T_C_S1_g);
    H5.Tset_cset(memory, H5.Tget_cset(type));
    if (H5.Tis_variable_str(type) > 0) {
      H5.Tset_size(memory, H5T_VARIABLE);
      if (H5.Aread(attribute, memory, &result) < 0) result = NULL;
    } else if (H5.Tget_size(type) <= task->count) {
      result = calloc(H5.Tget_size(type) + 1, 1);
      H5.Tset_size(memory, H5.Tget_size(type) + 1);
      if (result && H5.Aread(attribute, memory, result) < 0) result = NULL;
    }
    H5.Tclose(memory);
  }
  return result && strlen(result) <= task->count ? result : NULL;
}

// Restores the default signal actions, since ignored signals are inherited, and applies the resource limits.
static void confine(const reading *task, int64_t seconds) {
  const int signals[] = {SIGINT, SIGTERM, SIGPIPE, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGXCPU};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; ++i) signal(signals[i], SIG_DFL);
  struct rlimit limit = {0, 0};
  setrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = limit.rlim_max = (rlim_t)seconds;
  setrlimit(RLIMIT_CPU, &limit);
#ifdef __linux__
  long long pages = 0;
  FILE *const statistics = fopen("/proc/self/statm", "r");
  if (!statistics) return;
  const int found = fscanf(statistics, "%*d %*d %*d %*d %*d %lld", &pages);
  fclose(statistics);
  if (found != 1) return;
  limit.rlim_cur = limit.rlim_max = (rlim_t)(pages * sysconf(_SC_PAGESIZE) + task->memory_limit);
  setrlimit(RLIMIT_DATA, &limit);
#endif
}

// Receives `count` bytes from the socket, with a 0 appended to terminate text.
static char *take(int64_t count) {
  char *const room = count >= 0 ? malloc((size_t)count + 1) : NULL;
  if (!room || unroll_hdf5_take(UNROLL_HDF5_SOCKET, room, (size_t)count) != 0) _exit(1);
  room[count] = 0;
  return room;
}

static void serve(void) {
  unroll_hdf5_order order;
  if (unroll_hdf5_take(UNROLL_HDF5_SOCKET, &order, sizeof order) != 0) _exit(1);
  const char *const library = take(order.library_bytes), *attribute = take(order.attribute_bytes);
  reading task = {
      .count = (size_t)order.file_bytes,
      .data_limit = order.data_limit,
      .memory_limit = order.memory_limit,
  };
  task.bytes = take(order.file_bytes);
  void *const loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!loaded || unroll_hdf5_load(loaded)) _exit(1);
  unroll_hdf5_message message = {0};
  message.what = UNROLL_HDF5_BEGUN;
  tell(message, "");
  // Exclude the memory that the file and libhdf5 use so far.
  confine(&task, order.seconds);
  const hid_t file = open_image(&task);
  if (file < 0) give_up(UNROLL_HDF5_NOT_WHOLE, "");
  const char *const end = attribute + order.attribute_bytes;
  for (; attribute < end; attribute += strlen(attribute) + 1) {
    const char *const text = read_text(&task, file, attribute);
    if (!text) continue;
    message.what = UNROLL_HDF5_TEXT;
    message.data_bytes = (int64_t)strlen(text);
    tell(message, attribute);
    put(text, (size_t)message.data_bytes);
  }
  if (H5.Ovisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, visited, &task, H5O_INFO_BASIC) < 0) {
    give_up(UNROLL_HDF5_NOT_LISTED, "");
  }
  message.what = UNROLL_HDF5_END;
  message.data_bytes = 0;
  tell(message, "");
}

#if UNROLL_HDF5_CAN_SERVE
// A program that contains this file becomes the reader if it is started with this name, which only process.c uses.
// Priority 101 is the lowest available to programs: this runs before C++ constructors, which the reader does not
// need.
__attribute__((constructor(101))) static void serve_if_asked(int count, char **words) {
  if (count != 1 || !words || !words[0] || strcmp(words[0], UNROLL_HDF5_NAME) != 0) return;
  serve();
  _exit(0);
}
#endif
