// HDF5 for Unroll: files are written into an image in memory and read in a separate process. libhdf5 is not linked;
// its symbols are resolved in a library that the caller has loaded.

#ifndef UNROLL_HDF5_H
#define UNROLL_HDF5_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { UNROLL_HDF5_AXES = 32, UNROLL_HDF5_OTHER = 0, UNROLL_HDF5_INTEGER = 1, UNROLL_HDF5_REAL = 2 };

// MARK: The library.

// Returns the version of a loaded libhdf5: major, minor, release; -1 if unknown.
int32_t unroll_hdf5_version(void *library, uint32_t version[3]);

// Resolves all symbols in a loaded libhdf5 of version 1.10.3 or newer; must be called first. Returns NULL, or the name
// of a missing symbol.
const char *unroll_hdf5_load(void *library);

// MARK: Writing into an image in memory.

int64_t unroll_hdf5_create(void);
void unroll_hdf5_close(int64_t file);

// Creates a dataset and the groups on its path.
int32_t unroll_hdf5_write(int64_t file, const char *name, int32_t rank, const int64_t *sizes,
                          int32_t kind, int32_t size, int32_t is_signed, const void *data);

// Creates a group and the groups on its path; existing groups are kept.
int32_t unroll_hdf5_group(int64_t file, const char *name);

int32_t unroll_hdf5_set_text(int64_t file, const char *object, const char *name, const char *text);

// Copies at most `capacity` bytes of the file; returns the size of the file, negative on failure.
int64_t unroll_hdf5_image(int64_t file, void *out, size_t capacity);

// MARK: Reading in a separate process.

// The contents of a message from the reading process, or the reason why it failed.
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

// A message, followed by its name and data. The elements of a dataset are float (kind REAL, size 4),
// double (REAL, 8), int64_t or uint64_t (INTEGER).
typedef struct {
  int32_t what, rank, kind, element_size, is_signed, reserved;
  int64_t sizes[UNROLL_HDF5_AXES];
  int64_t name_bytes, data_bytes;
} unroll_hdf5_message;

// A request to the reading process.
typedef struct {
  // The program to execute, which must contain this library; NULL for the running program.
  const char *program;
  // The path of the loaded libhdf5.
  const char *library;
  const void *bytes;
  size_t count;
  // The names of the root's text attributes to read, each terminated by 0.
  const void *attributes;
  int64_t attribute_bytes;
  // The limits: bytes of all datasets, bytes of memory for libhdf5, and seconds.
  int64_t data_limit, memory_limit, seconds;
} unroll_hdf5_task;

// Returns whether this code is linked into the program, and not part of a library that the program loaded.
int32_t unroll_hdf5_is_in_program(void);

// Starts the reading process and sends it the file. Returns its process identifier, or a negative number, and the
// socket to read from. Its first message is BEGUN. Raises no signal and changes no state of this process.
pid_t unroll_hdf5_start(const unroll_hdf5_task *task, int *socket);

// Receives bytes from the socket; returns 0 if all arrived.
int32_t unroll_hdf5_take(int socket, void *to, size_t count);

// Kills the reading process, after waiting up to 3 s if it has fallen silent; returns its exit code, or 128 plus its
// signal.
int32_t unroll_hdf5_stop(pid_t child, int socket, int32_t is_silent);

#endif
