// The MPI functions that Unroll uses, as a table exported by a small library (Shim/unroll_mpi.c). MPI's names are
// macros or handles whose types depend on the implementation, so only code compiled with its header can call it. No
// function here blocks: callers poll, so that they can detect the death of a rank.

#ifndef UNROLL_MPI_H
#define UNROLL_MPI_H

#include <stdint.h>

// Nullability annotations for Swift, which mpicc's compiler may not support.
#ifdef __clang__
#pragma clang assume_nonnull begin
#define UNROLL_OR_NULL _Nullable
#define UNROLL_NOT_NULL _Nonnull
#else
#define UNROLL_OR_NULL
#define UNROLL_NOT_NULL
#endif

// The version of this interface; incremented with every change of a declaration in this file.
enum { UNROLL_MPI_INTERFACE = 1 };

// The communicators of a job: shards' values to the summing ranks, and sums to all ranks.
enum { UNROLL_MPI_PARTS, UNROLL_MPI_SUMS };

// The public part of a job; the library's private part follows it.
typedef struct {
  int32_t rank, count;
  int32_t host_count;  // the number of ranks that can share memory with this one, including itself
  int32_t *finished;   // the slots completed at the last poll
} unroll_mpi_job;

// Unless stated otherwise, functions return 0 or an MPI error code. They may be called from several threads,
// one at a time.
typedef struct {
  int32_t interface;  // UNROLL_MPI_INTERFACE; the rest of the table is valid only if it matches

  // Initialises MPI; -1 if this MPI cannot be called from several threads.
  int32_t (*start)(unroll_mpi_job *UNROLL_OR_NULL *UNROLL_NOT_NULL job);
  // Starts a barrier.
  int32_t (*barrier)(unroll_mpi_job *job);
  // Finalizes MPI; collective.
  void (*stop)(unroll_mpi_job *job);
  // Terminates all ranks immediately.
  void (*abort)(int32_t code);
  // Writes the implementation's name and version, at most `size` bytes; allowed before the start.
  void (*version)(char *text, int32_t size);

  // Allocates requests, all MPI_REQUEST_NULL; 0 if there is no memory.
  int32_t (*reserve)(unroll_mpi_job *job, int32_t count);
  int32_t (*send)(unroll_mpi_job *job, int32_t slot, int32_t channel, const float *values, int64_t count,
                  int32_t to, int32_t tag);
  int32_t (*receive)(unroll_mpi_job *job, int32_t slot, int32_t channel, float *values, int64_t count,
                     int32_t from, int32_t tag);
  // Returns how many of the first `count` requests completed since the last poll; negative for an MPI error.
  int32_t (*poll)(unroll_mpi_job *job, int32_t count);

  // Starts gathering `size` bytes of every rank, in rank order.
  int32_t (*gather)(unroll_mpi_job *job, const void *UNROLL_OR_NULL mine,
                    void *UNROLL_OR_NULL all, int64_t size);
  // Starts gathering bytes with a size and offset per rank.
  int32_t (*gather_sizes)(unroll_mpi_job *job, const void *UNROLL_OR_NULL mine,
                          void *UNROLL_OR_NULL all, const int32_t *sizes, const int32_t *places);
  // Starts a broadcast of rank 0's bytes.
  int32_t (*broadcast)(unroll_mpi_job *job, void *UNROLL_OR_NULL bytes, int64_t size);
  // Returns whether the last barrier, gather or broadcast has completed: 1, 0, or -1 for an MPI error.
  int32_t (*is_complete)(unroll_mpi_job *job);

  // Announces from rank 0 that the job is aborted.
  void (*announce_abort)(unroll_mpi_job *job);
  // Returns whether rank 0 has announced an abort.
  int32_t (*is_abort_announced)(unroll_mpi_job *job);
} unroll_mpi_functions;

// Returns the table of a library, given the address of its function `unroll_mpi_table`.
const unroll_mpi_functions *unroll_mpi_functions_at(void *address);

// Opens named shared memory of this host, new or existing; negative on failure. Wraps shm_open, which Swift cannot call
// because it is variadic.
int32_t unroll_host_memory_open(const char *name, int32_t is_new);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif

#endif
