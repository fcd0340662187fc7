// What Unroll needs of MPI, as functions: its names are macros or handles that every implementation makes
// otherwise, which Swift does not see. Nothing here waits: whoever calls looks again, and between two
// looks can see whether a rank has died.

#ifndef UNROLL_MPI_H
#define UNROLL_MPI_H

#include <mpi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { UNROLL_MPI_ENDED = 1 };

typedef struct {
  int rank, count;
  int host_count;  // the ranks that this one can share memory with, itself included
  MPI_Comm parts, sums, talk;  // a shard's numbers to who sums them; sums to all; everything else
  MPI_Request *requests;
  int *finished;
  int capacity;
  MPI_Request talking;  // the one request of `talk`
} unroll_mpi;

// Which of a job's two ways of numbers.
enum { UNROLL_MPI_PARTS, UNROLL_MPI_SUMS };

// Begins; 0, or MPI's error. Calls may come from several threads, one at a time.
static inline int unroll_mpi_start(unroll_mpi *m) {
  int provided = 0, error;
  memset(m, 0, sizeof *m);
  m->talking = MPI_REQUEST_NULL;
  if ((error = MPI_Init_thread(0, 0, MPI_THREAD_SERIALIZED, &provided)) != MPI_SUCCESS) return error;
  if (provided < MPI_THREAD_SERIALIZED) return -1;
  MPI_Comm_rank(MPI_COMM_WORLD, &m->rank);
  MPI_Comm_size(MPI_COMM_WORLD, &m->count);
  MPI_Comm *all[] = {&m->parts, &m->sums, &m->talk};
  for (int i = 0; i < 3; ++i) {
    if ((error = MPI_Comm_dup(MPI_COMM_WORLD, all[i])) != MPI_SUCCESS) return error;
    MPI_Comm_set_errhandler(*all[i], MPI_ERRORS_RETURN);
  }
  MPI_Comm host;
  error = MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
  if (error != MPI_SUCCESS) return error;
  MPI_Comm_size(host, &m->host_count);
  MPI_Comm_free(&host);
  return 0;
}

// What this thread has written before is seen by whoever sees what it does next, and the other way round.
static inline void unroll_mpi_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

// Begins to wait for all ranks.
static inline int unroll_mpi_meet(unroll_mpi *m) { return MPI_Ibarrier(m->talk, &m->talking); }

// Ends; all ranks call it.
static inline void unroll_mpi_stop(unroll_mpi *m) {
  free(m->requests);
  free(m->finished);
  MPI_Finalize();
}

// Ends all ranks at once.
static inline void unroll_mpi_abort(int code) { MPI_Abort(MPI_COMM_WORLD, code); }

// The implementation's name and version, `size` bytes at most.
static inline void unroll_mpi_version(char *text, int size) {
  char all[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(all, &length);
  snprintf(text, (size_t)size, "%.*s", length, all);
}

// Room for requests, all of them none; 0 if there is no memory.
static inline int unroll_mpi_reserve(unroll_mpi *m, int count) {
  if (count > m->capacity) {
    free(m->requests);
    free(m->finished);
    m->requests = malloc(sizeof(MPI_Request) * (size_t)count);
    m->finished = malloc(sizeof(int) * (size_t)count);
    m->capacity = m->requests && m->finished ? count : 0;
  }
  for (int i = 0; i < m->capacity; ++i) m->requests[i] = MPI_REQUEST_NULL;
  return m->capacity >= count;
}

static inline int unroll_mpi_send(unroll_mpi *m, int slot, int way, const float *values, int64_t count,
                                  int to, int tag) {
  return MPI_Isend(values, (int)count, MPI_FLOAT, to, tag,
                   way == UNROLL_MPI_PARTS ? m->parts : m->sums, &m->requests[slot]);
}

static inline int unroll_mpi_receive(unroll_mpi *m, int slot, int way, float *values, int64_t count,
                                     int from, int tag) {
  return MPI_Irecv(values, (int)count, MPI_FLOAT, from, tag,
                   way == UNROLL_MPI_PARTS ? m->parts : m->sums, &m->requests[slot]);
}

// How many of the first `count` requests have finished since the last look, their slots in
// `finished`; negative: MPI's error.
static inline int unroll_mpi_look(unroll_mpi *m, int count) {
  int done = 0;
  const int error = MPI_Testsome(count, m->requests, &done, m->finished, MPI_STATUSES_IGNORE);
  if (error != MPI_SUCCESS) return -1;
  return done == MPI_UNDEFINED ? 0 : done;
}

// Begins to gather `size` bytes of every rank, in the order of ranks.
static inline int unroll_mpi_gather(unroll_mpi *m, const void *mine, void *all, int64_t size) {
  return MPI_Iallgather(mine, (int)size, MPI_BYTE, all, (int)size, MPI_BYTE, m->talk, &m->talking);
}

// Begins to gather bytes whose sizes and places differ.
static inline int unroll_mpi_gather_sizes(unroll_mpi *m, const void *mine, void *all,
                                          const int32_t *sizes, const int32_t *places) {
  return MPI_Iallgatherv(mine, sizes[m->rank], MPI_BYTE, all, sizes, places, MPI_BYTE, m->talk,
                         &m->talking);
}

// Begins to give rank 0's bytes to all.
static inline int unroll_mpi_broadcast(unroll_mpi *m, void *bytes, int64_t size) {
  return MPI_Ibcast(bytes, (int)size, MPI_BYTE, 0, m->talk, &m->talking);
}

// Whether what has been begun on `talk` has finished: 1, 0, or -1 for MPI's error.
static inline int unroll_mpi_has_talked(unroll_mpi *m) {
  int is_finished = 0;
  const int error = MPI_Test(&m->talking, &is_finished, MPI_STATUS_IGNORE);
  return error == MPI_SUCCESS ? is_finished : -1;
}

// Rank 0 tells the others that it cannot go on.
static inline void unroll_mpi_say_ended(unroll_mpi *m) {
  for (int rank = 1; rank < m->count; ++rank) {
    MPI_Request request;
    MPI_Isend(&m->rank, 1, MPI_INT, rank, UNROLL_MPI_ENDED, m->talk, &request);
    MPI_Request_free(&request);
  }
}

// Whether rank 0 has said so.
static inline int unroll_mpi_has_ended(unroll_mpi *m) {
  int is_there = 0;
  MPI_Iprobe(0, UNROLL_MPI_ENDED, m->talk, &is_there, MPI_STATUS_IGNORE);
  return is_there;
}

#endif
