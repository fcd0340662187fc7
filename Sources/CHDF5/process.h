// The protocol between the parent and the reading process, except for the messages.

#ifndef HDF5_PROCESS_H
#define HDF5_PROCESS_H

#include <stdint.h>
#include <stdlib.h>

// The argv[0] of a reading process, and the number of its socket descriptor.
#define UNROLL_HDF5_NAME "unroll-reads-hdf5"
enum { UNROLL_HDF5_SOCKET = 0 };

// Whether constructors receive argc and argv; musl does not pass them.
#if defined(__GLIBC__) || defined(__APPLE__) || defined(__BIONIC__)
#define UNROLL_HDF5_CAN_SERVE 1
#else
#define UNROLL_HDF5_CAN_SERVE 0
#endif

// The header of a request. The library's path, the attributes' names (each terminated by 0) and the file follow.
typedef struct {
  int64_t library_bytes, attribute_bytes, file_bytes, data_limit, memory_limit, seconds;
} unroll_hdf5_order;

#endif
