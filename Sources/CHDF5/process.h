// What the process that asks and the one that reads say to each other, but for the messages.

#ifndef HDF5_PROCESS_H
#define HDF5_PROCESS_H

#include <stdint.h>
#include <stdlib.h>

// The name under which a program reads a file, and its end of the socket.
#define UNROLL_HDF5_NAME "unroll-reads-hdf5"
enum { UNROLL_HDF5_SOCKET = 0 };

// Whether constructors are told how the program was started: musl's are not.
#if defined(__GLIBC__) || defined(__APPLE__) || defined(__BIONIC__)
#define UNROLL_HDF5_CAN_SERVE 1
#else
#define UNROLL_HDF5_CAN_SERVE 0
#endif

// What is asked. The name of the library's file, the attributes' names, each with a 0 behind it, and the file follow.
typedef struct {
  int64_t library_bytes, attribute_bytes, file_bytes, data_limit, memory_limit, seconds;
} unroll_hdf5_order;

#endif
