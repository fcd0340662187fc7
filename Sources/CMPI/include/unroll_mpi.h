// What Unroll needs of MPI, as a table of functions that a small library gives (Shim/unroll_mpi.c): MPI's names
// are macros, or handles that every implementation makes otherwise, so that only a compiler with its
// header can call it. No function here waits: whoever calls looks again, and between two looks can see whether
// a rank has died.

#ifndef UNROLL_MPI_H
#define UNROLL_MPI_H

#include <stdint.h>

// What Swift wants to know of pointers, and mpicc's compiler may not understand.
#ifdef __clang__
#pragma clang assume_nonnull begin
#define UNROLL_OR_NULL _Nullable
#define UNROLL_NOT_NULL _Nonnull
#else
#define UNROLL_OR_NULL
#define UNROLL_NOT_NULL
#endif

// The number of this interface. It changes with every change of this file.
enum { UNROLL_MPI_INTERFACE = 1 };

// Which of a job's two ways of numbers: a shard's numbers to who sums them, sums to all.
enum { UNROLL_MPI_PARTS, UNROLL_MPI_SUMS };

// What both sides see of a job; the library's own part follows it.
typedef struct {
  int32_t rank, count;
  int32_t host_count;  // the ranks that this one can share memory with, itself included
  int32_t *finished;   // the slots that the last look found finished
} unroll_mpi_job;

// Functions return 0, or MPI's error, where nothing else is said. They may be called from several threads,
// one at a time.
typedef struct {
  int32_t interface;  // UNROLL_MPI_INTERFACE; what follows may be otherwise with another number

  // Begins; -1 if this MPI cannot be called from several threads.
  int32_t (*start)(unroll_mpi_job *UNROLL_OR_NULL *UNROLL_NOT_NULL job);
  // Begins to wait for all ranks.
  int32_t (*meet)(unroll_mpi_job *job);
  // Ends; all ranks call it.
  void (*stop)(unroll_mpi_job *job);
  // Ends all ranks at once.
  void (*abort)(int32_t code);
  // The implementation's name and version, `size` bytes at most; before the start, too.
  void (*version)(char *text, int32_t size);

  // Allocates requests, all MPI_REQUEST_NULL; 0 if there is no memory.
  int32_t (*reserve)(unroll_mpi_job *job, int32_t count);
  int32_t (*send)(unroll_mpi_job *job, int32_t slot, int32_t way, const float *values, int64_t count,
                  int32_t to, int32_t tag);
  int32_t (*receive)(unroll_mpi_job *job, int32_t slot, int32_t way, float *values, int64_t count,
                     int32_t from, int32_t tag);
  // How many of the first `count` requests have finished since the last look; negative: MPI's error.
  int32_t (*look)(unroll_mpi_job *job, int32_t count);

  // Begins to gather `size` bytes of every rank, in the order of ranks.
  int32_t (*gather)(unroll_mpi_job *job, const void *UNROLL_OR_NULL mine,
                    void *UNROLL_OR_NULL all, int64_t size);
  // Begins to gather bytes whose sizes and places differ.
  int32_t (*gather_sizes)(unroll_mpi_job *job, const void *UNROLL_OR_NULL mine,
                          void *UNROLL_OR_NULL all, const int32_t *sizes, const int32_t *places);
  // Begins to give rank 0's bytes to all.
  int32_t (*broadcast)(unroll_mpi_job *job, void *UNROLL_OR_NULL bytes, int64_t size);
  // Whether what meet, gather, gather_sizes or broadcast has begun has finished: 1, 0, or -1 for MPI's error.
  int32_t (*has_talked)(unroll_mpi_job *job);

  // Rank 0 tells the others that it cannot go on.
  void (*say_ended)(unroll_mpi_job *job);
  // Whether rank 0 has said so.
  int32_t (*has_ended)(unroll_mpi_job *job);
} unroll_mpi_functions;

// The table of a library, from the address of its function `unroll_mpi_table`.
const unroll_mpi_functions *unroll_mpi_functions_at(void *address);

// Opens memory of this host by its name: new, or made by another process; negative on failure. It is
// here because Swift does not see functions with any number of arguments.
int32_t unroll_host_memory_open(const char *name, int32_t is_new);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif

#endif
