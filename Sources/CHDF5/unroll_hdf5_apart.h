// Reading an HDF5 file in a process of its own: libhdf5 is not made for files that somebody made up, and
// there are such that crash it, send it round for ever, or make it ask for far more than they hold. The
// process has a limit of memory and of time; what it reads comes back through a pipe, message by message.

#ifndef UNROLL_HDF5_APART_H
#define UNROLL_HDF5_APART_H

#include "unroll_hdf5.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

// What the reading process is about.
typedef struct {
  const void *bytes;
  size_t count;
  // The text attributes of the root that are wanted.
  const char *const *attributes;
  int32_t attribute_count;
  // The most bytes that all datasets, that libhdf5 itself, and the most seconds of its work.
  int64_t data_limit, memory_limit, seconds;
  int pipe;
} unroll_hdf5_task;

// MARK: In the reading process.

static inline int32_t unroll_hdf5_put(const unroll_hdf5_task *task, const void *bytes, size_t count) {
  const char *next = bytes;
  while (count > 0) {
    const ssize_t written = write(task->pipe, next, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) _exit(1);
    next += written;
    count -= (size_t)written;
  }
  return 0;
}

static inline void unroll_hdf5_tell(const unroll_hdf5_task *task, unroll_hdf5_message message,
                                    const char *name) {
  message.name_bytes = (int64_t)strlen(name);
  unroll_hdf5_put(task, &message, sizeof message);
  unroll_hdf5_put(task, name, (size_t)message.name_bytes);
}

// The last message of a file that cannot be read.
static inline void unroll_hdf5_give_up(const unroll_hdf5_task *task, int32_t why, const char *name) {
  unroll_hdf5_message message = {0};
  message.what = why;
  unroll_hdf5_tell(task, message, name);
  _exit(0);
}

// The image is read where it is: all that "copy" it get the same bytes.
static inline void *unroll_hdf5_same(size_t size, H5FD_file_image_op_t operation, void *task) {
  (void)size, (void)operation;
  return (void *)((const unroll_hdf5_task *)task)->bytes;
}
static inline void *unroll_hdf5_no_copy(void *to, const void *from, size_t size,
                                        H5FD_file_image_op_t operation, void *task) {
  (void)from, (void)size, (void)operation, (void)task;
  return to;
}
static inline void *unroll_hdf5_no_growth(void *bytes, size_t size, H5FD_file_image_op_t operation,
                                          void *task) {
  (void)bytes, (void)size, (void)operation, (void)task;
  return NULL;
}
static inline herr_t unroll_hdf5_no_free(void *bytes, H5FD_file_image_op_t operation, void *task) {
  (void)bytes, (void)operation, (void)task;
  return 0;
}
static inline void *unroll_hdf5_same_task(void *task) { return task; }
static inline herr_t unroll_hdf5_keep_task(void *task) {
  (void)task;
  return 0;
}

static inline hid_t unroll_hdf5_open(const unroll_hdf5_task *task) {
  H5FD_file_image_callbacks_t callbacks = {
      unroll_hdf5_same,    unroll_hdf5_no_copy,   unroll_hdf5_no_growth,
      unroll_hdf5_no_free, unroll_hdf5_same_task, unroll_hdf5_keep_task,
      (void *)task,
  };
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state(0);
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (H5Pset_fapl_core(access, 1 << 16, 0) < 0 ||
      H5Pset_file_image_callbacks(access, &callbacks) < 0 ||
      H5Pset_file_image(access, (void *)task->bytes, task->count) < 0) {
    return -1;
  }
  return H5Fopen("image", H5F_ACC_RDONLY, access);
}

// Sends a dataset's numbers, so many rows at a time; whole chunks, so that none is unpacked twice.
static inline int32_t unroll_hdf5_send(const unroll_hdf5_task *task, hid_t set, hid_t space,
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
  const hid_t type = unroll_hdf5_type(facts->kind, facts->element_size, facts->is_signed);
  hsize_t start[UNROLL_HDF5_AXES] = {0}, size[UNROLL_HDF5_AXES];
  for (int i = 0; i < facts->rank; ++i) size[i] = (hsize_t)facts->sizes[i];
  int32_t status = 0;
  for (int64_t row = 0; row < rows && status == 0; row += slab) {
    hid_t part = H5S_ALL;
    const int64_t count = rows - row < slab ? rows - row : slab;
    if (facts->rank > 0) {
      start[0] = (hsize_t)row;
      size[0] = (hsize_t)count;
      part = H5Screate_simple(facts->rank, size, NULL);
      H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, size, NULL);
    }
    status = H5Dread(set, type, part, facts->rank > 0 ? space : H5S_ALL, H5P_DEFAULT, room) < 0
                 ? -1
                 : unroll_hdf5_put(task, room, (size_t)(count * row_bytes));
    if (facts->rank > 0) H5Sclose(part);
  }
  free(room);
  return status;
}

// Reads a dataset and sends it, if it holds numbers.
static inline void unroll_hdf5_read(unroll_hdf5_task *task, hid_t file, const char *name) {
  unroll_hdf5_message facts = {0};
  const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
  const hid_t space = H5Dget_space(set), type = H5Dget_type(set), plan = H5Dget_create_plist(set);
  hsize_t sizes[UNROLL_HDF5_AXES], chunk[UNROLL_HDF5_AXES];
  facts.rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
  if (type < 0 || plan < 0 || facts.rank < 0 || facts.rank > UNROLL_HDF5_AXES ||
      H5Sget_simple_extent_dims(space, sizes, NULL) < 0) {
    unroll_hdf5_give_up(task, UNROLL_HDF5_NOT_DESCRIBED, name);
  }
  const H5T_class_t kind = H5Tget_class(type);
  // Text, compounds, and datasets without a shape are no weights.
  if ((kind == H5T_INTEGER || kind == H5T_ENUM || kind == H5T_FLOAT) &&
      H5Sget_simple_extent_type(space) != H5S_NULL) {
    const H5D_layout_t layout = H5Pget_layout(plan);
    if (layout == H5D_VIRTUAL || H5Pget_external_count(plan) != 0) {
      unroll_hdf5_give_up(task, UNROLL_HDF5_ELSEWHERE, name);
    }
    facts.kind = kind == H5T_FLOAT ? UNROLL_HDF5_REAL : UNROLL_HDF5_INTEGER;
    facts.element_size = kind == H5T_FLOAT && H5Tget_size(type) <= 4 ? 4 : 8;
    facts.is_signed = kind == H5T_ENUM || H5Tget_sign(type) == H5T_SGN_2;
    facts.data_bytes = facts.element_size;
    int64_t chunk_bytes = (int64_t)H5Tget_size(type), chunk_rows = 1;
    for (int i = 0; i < facts.rank; ++i) {
      facts.sizes[i] = sizes[i] > INT64_MAX ? INT64_MAX : (int64_t)sizes[i];
      if (__builtin_mul_overflow(facts.data_bytes, facts.sizes[i], &facts.data_bytes)) {
        unroll_hdf5_give_up(task, UNROLL_HDF5_IMPOSSIBLE, name);
      }
    }
    if (layout == H5D_CHUNKED) {
      const int axes = H5Pget_chunk(plan, UNROLL_HDF5_AXES, chunk);
      for (int i = 0; i < axes && i < UNROLL_HDF5_AXES; ++i) {
        if (chunk[i] > INT32_MAX ||
            __builtin_mul_overflow(chunk_bytes, (int64_t)chunk[i], &chunk_bytes)) {
          unroll_hdf5_give_up(task, UNROLL_HDF5_IMPOSSIBLE, name);
        }
      }
      if (axes > 0) chunk_rows = (int64_t)chunk[0];
    }
    task->data_limit -= facts.data_bytes;
    if (task->data_limit < 0 || chunk_bytes > task->data_limit + facts.data_bytes) {
      unroll_hdf5_give_up(task, UNROLL_HDF5_TOO_LARGE, name);
    }
    unroll_hdf5_tell(task, facts, name);
    if (unroll_hdf5_send(task, set, space, &facts, chunk_rows) != 0) _exit(UNROLL_HDF5_NOT_READ);
  }
  H5Pclose(plan);
  H5Tclose(type);
  H5Sclose(space);
  H5Dclose(set);
}

static inline herr_t unroll_hdf5_visited(hid_t file, const char *name, const H5O_info_t *info,
                                         void *task) {
  if (info->type == H5O_TYPE_DATASET) unroll_hdf5_read(task, file, name);
  return 0;
}

// A text attribute of the root; NULL if there is none, or it is longer than the file.
static inline char *unroll_hdf5_text(const unroll_hdf5_task *task, hid_t file, const char *name) {
  if (H5Aexists(file, name) <= 0) return NULL;
  const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
  if (attribute < 0) return NULL;
  const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
  char *result = NULL;
  if (type >= 0 && space >= 0 && H5Tget_class(type) == H5T_STRING &&
      H5Sget_simple_extent_npoints(space) == 1) {
    const hid_t memory = H5Tcopy(H5T_C_S1);
    H5Tset_cset(memory, H5Tget_cset(type));
    if (H5Tis_variable_str(type) > 0) {
      H5Tset_size(memory, H5T_VARIABLE);
      if (H5Aread(attribute, memory, &result) < 0) result = NULL;
    } else if (H5Tget_size(type) <= task->count) {
      result = calloc(H5Tget_size(type) + 1, 1);
      H5Tset_size(memory, H5Tget_size(type) + 1);
      if (result && H5Aread(attribute, memory, result) < 0) result = NULL;
    }
    H5Tclose(memory);
  }
  return result && strlen(result) <= task->count ? result : NULL;
}

// Holds this process to its limits, and makes it end where the other would catch a signal.
static inline void unroll_hdf5_confine(const unroll_hdf5_task *task) {
  const int signals[] = {SIGINT, SIGTERM, SIGPIPE, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGXCPU};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; ++i) signal(signals[i], SIG_DFL);
  struct rlimit limit = {0, 0};
  setrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = limit.rlim_max = (rlim_t)task->seconds;
  setrlimit(RLIMIT_CPU, &limit);
#ifdef __linux__
  // What the process that asked has of its own counts as well.
  long long pages = 0;
  FILE *const statistics = fopen("/proc/self/statm", "r");
  if (!statistics) return;
  const int found = fscanf(statistics, "%*d %*d %*d %*d %*d %lld", &pages);
  fclose(statistics);
  if (found != 1) return;
  limit.rlim_cur = limit.rlim_max =
      (rlim_t)(pages * sysconf(_SC_PAGESIZE) + task->memory_limit);
  setrlimit(RLIMIT_DATA, &limit);
#endif
}

static inline void unroll_hdf5_serve(unroll_hdf5_task *task) {
  unroll_hdf5_confine(task);
  const hid_t file = unroll_hdf5_open(task);
  if (file < 0) unroll_hdf5_give_up(task, UNROLL_HDF5_NOT_WHOLE, "");
  unroll_hdf5_message message = {0};
  for (int32_t i = 0; i < task->attribute_count; ++i) {
    const char *const text = unroll_hdf5_text(task, file, task->attributes[i]);
    if (!text) continue;
    message.what = UNROLL_HDF5_TEXT;
    message.data_bytes = (int64_t)strlen(text);
    unroll_hdf5_tell(task, message, task->attributes[i]);
    unroll_hdf5_put(task, text, (size_t)message.data_bytes);
  }
  if (H5Ovisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, unroll_hdf5_visited, task) < 0) {
    unroll_hdf5_give_up(task, UNROLL_HDF5_NOT_LISTED, "");
  }
  message.what = UNROLL_HDF5_END;
  message.data_bytes = 0;
  unroll_hdf5_tell(task, message, "");
}

// MARK: In the process that asks.

// Starts the reading process; returns it, or a negative number, and the end of the pipe to read from.
static inline pid_t unroll_hdf5_start(unroll_hdf5_task task, int *output) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    task.pipe = ends[1];
    unroll_hdf5_serve(&task);
    _exit(0);
  }
  close(ends[1]);
  if (child < 0) close(ends[0]);
  *output = ends[0];
  return child;
}

// Takes bytes from the pipe; 0 if all came.
static inline int32_t unroll_hdf5_take(int output, void *to, size_t count) {
  char *next = to;
  while (count > 0) {
    const ssize_t got = read(output, next, count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -1;
    next += got;
    count -= (size_t)got;
  }
  return 0;
}

// Ends the reading process, which may end by itself if it has fallen silent; returns its exit code, or
// 128 and its signal.
static inline int32_t unroll_hdf5_stop(pid_t child, int output, int32_t is_silent) {
  int status = 0;
  close(output);
  for (int tries = 0; is_silent && tries < 300; ++tries) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (ended < 0 && errno != EINTR) return 0;
    usleep(10000);
  }
  kill(child, SIGKILL);
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return 0;
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
