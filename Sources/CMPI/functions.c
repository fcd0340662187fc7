// Helpers for functions that cannot be called from Swift.

#include "unroll_mpi.h"
#include <fcntl.h>
#include <sys/mman.h>

const unroll_mpi_functions *unroll_mpi_functions_at(void *address) {
  return ((const unroll_mpi_functions *(*)(void))address)();
}

int32_t unroll_host_memory_open(const char *name, int32_t is_new) {
#ifdef __ANDROID__
  // Android has no named shared memory.
  (void)name, (void)is_new;
  return -1;
#else
  return shm_open(name, is_new ? O_RDWR | O_CREAT | O_EXCL : O_RDWR, 0600);
#endif
}
