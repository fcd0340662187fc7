// What Unroll needs of HDF5: a file's image in memory is made here, and read in a process of its own. libhdf5
// is not linked: its functions are looked up in the library that the caller has loaded.

#ifndef UNROLL_HDF5_H
#define UNROLL_HDF5_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { UNROLL_HDF5_AXES = 32, UNROLL_HDF5_OTHER = 0, UNROLL_HDF5_INTEGER = 1, UNROLL_HDF5_REAL = 2 };

// MARK: The library.

// The version of a loaded libhdf5: major, minor, release; -1 if it does not say.
int32_t unroll_hdf5_version(void *library, uint32_t version[3]);

// Looks up everything in a loaded libhdf5 of version 1.10.3 or newer, once, before anything else is
// called. Returns NULL, or the name of what it does not have.
const char *unroll_hdf5_load(void *library);

// MARK: Writing, into an image in memory.

int64_t unroll_hdf5_create(void);
void unroll_hdf5_close(int64_t file);

// Makes a dataset and the groups on its path.
int32_t unroll_hdf5_write(int64_t file, const char *name, int32_t rank, const int64_t *sizes,
                          int32_t kind, int32_t size, int32_t is_signed, const void *data);

// Makes a group and those on its path; one that is there stays.
int32_t unroll_hdf5_group(int64_t file, const char *name);

int32_t unroll_hdf5_set_text(int64_t file, const char *object, const char *name, const char *text);

// Copies the file's bytes, at most `capacity` of them; returns how many there are, negative on failure.
int64_t unroll_hdf5_image(int64_t file, void *out, size_t capacity);

// MARK: Reading, in a process of its own.

// What a message of the reading process holds, or why it cannot go on.
enum {
  UNROLL_HDF5_DATASET,
  UNROLL_HDF5_TEXT,
  UNROLL_HDF5_END,
  UNROLL_HDF5_NOT_WHOLE,
  UNROLL_HDF5_NOT_LISTED,
  UNROLL_HDF5_NOT_DESCRIBED,
  UNROLL_HDF5_ELSEWHERE,
  UNROLL_HDF5_IMPOSSIBLE,
  UNROLL_HDF5_TOO_LARGE,
  UNROLL_HDF5_NOT_READ,
  UNROLL_HDF5_BEGUN,
};

// A message: its name and its bytes follow. Of a dataset, the elements are float (kind REAL, size 4),
// double (REAL, 8), int64_t or uint64_t (INTEGER).
typedef struct {
  int32_t what, rank, kind, element_size, is_signed, reserved;
  int64_t sizes[UNROLL_HDF5_AXES];
  int64_t name_bytes, data_bytes;
} unroll_hdf5_message;

// What the reading process is about.
typedef struct {
  // The program to run, of which this library must be a part; NULL for the one that runs here.
  const char *program;
  // The file that libhdf5 was loaded from.
  const char *library;
  const void *bytes;
  size_t count;
  // The names of the root's text attributes that are wanted, each with a 0 behind it.
  const void *attributes;
  int64_t attribute_bytes;
  // The most bytes that all datasets, that libhdf5 itself, and the most seconds of its work.
  int64_t data_limit, memory_limit, seconds;
} unroll_hdf5_task;

// Whether this code is part of the program, and not of a library that it has loaded.
int32_t unroll_hdf5_is_in_program(void);

// Starts the reading process and sends it the file; returns it, or a negative number, and the end of the socket to
// read from. Its first message says that it has begun. No signal is raised, and no state of this process changes.
pid_t unroll_hdf5_start(const unroll_hdf5_task *task, int *socket);

// Takes bytes from the socket; 0 if all came.
int32_t unroll_hdf5_take(int socket, void *to, size_t count);

// Ends the reading process, which may end by itself if it has fallen silent; returns its exit code, or
// 128 and its signal.
int32_t unroll_hdf5_stop(pid_t child, int socket, int32_t is_silent);

#endif
