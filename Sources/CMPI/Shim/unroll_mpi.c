// Calls MPI for Unroll. `./run mpi` compiles this file with mpicc into a library, which the command loads when
// a launcher has started several processes.

#include "../include/unroll_mpi.h"
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENDED = 1 };

typedef struct {
  unroll_mpi_job seen;
  MPI_Comm parts, sums, collectives;  // shards' values to the summing ranks; sums to all ranks; collective operations
  MPI_Request *requests;
  int capacity;
  MPI_Request pending;  // the single outstanding request of `collectives`
} mpi_job;

static mpi_job *own(unroll_mpi_job *job) { return (mpi_job *)job; }

static int32_t start(unroll_mpi_job **out) {
  int provided = 0, error;
  mpi_job *const m = calloc(1, sizeof *m);
  if (!m) return MPI_ERR_NO_MEM;
  *out = &m->seen;
  m->pending = MPI_REQUEST_NULL;
  if ((error = MPI_Init_thread(0, 0, MPI_THREAD_SERIALIZED, &provided)) != MPI_SUCCESS) return error;
  if (provided < MPI_THREAD_SERIALIZED) return -1;
  MPI_Comm_rank(MPI_COMM_WORLD, &m->seen.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &m->seen.count);
  MPI_Comm *all[] = {&m->parts, &m->sums, &m->collectives};
  for (int i = 0; i < 3; ++i) {
    if ((error = MPI_Comm_dup(MPI_COMM_WORLD, all[i])) != MPI_SUCCESS) return error;
    MPI_Comm_set_errhandler(*all[i], MPI_ERRORS_RETURN);
  }
  MPI_Comm host;
  error = MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
  if (error != MPI_SUCCESS) return error;
  MPI_Comm_size(host, &m->seen.host_count);
  MPI_Comm_free(&host);
  return 0;
}

static int32_t barrier(unroll_mpi_job *job) { return MPI_Ibarrier(own(job)->collectives, &own(job)->pending); }

static void stop(unroll_mpi_job *job) {
  free(own(job)->requests);
  free(job->finished);
  MPI_Finalize();
  free(job);
}

static void abort_all(int32_t code) { MPI_Abort(MPI_COMM_WORLD, code); }

static void version(char *text, int32_t size) {
  char all[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(all, &length);
  snprintf(text, (size_t)size, "%.*s", length, all);
}

static int32_t reserve(unroll_mpi_job *job, int32_t count) {
  mpi_job *const m = own(job);
  if (count > m->capacity) {
    free(m->requests);
    free(job->finished);
    m->requests = malloc(sizeof(MPI_Request) * (size_t)count);
    job->finished = malloc(sizeof(int32_t) * (size_t)count);
    m->capacity = m->requests && job->finished ? count : 0;
  }
  for (int i = 0; i < m->capacity; ++i) m->requests[i] = MPI_REQUEST_NULL;
  return m->capacity >= count;
}

static MPI_Comm comm(mpi_job *m, int32_t channel) { return channel == UNROLL_MPI_PARTS ? m->parts : m->sums; }

static int32_t send(unroll_mpi_job *job, int32_t slot, int32_t channel, const float *values,
                    int64_t count, int32_t to, int32_t tag) {
  mpi_job *const m = own(job);
  return MPI_Isend(values, (int)count, MPI_FLOAT, to, tag, comm(m, channel), &m->requests[slot]);
}

static int32_t receive(unroll_mpi_job *job, int32_t slot, int32_t channel, float *values,
                       int64_t count, int32_t from, int32_t tag) {
  mpi_job *const m = own(job);
  return MPI_Irecv(values, (int)count, MPI_FLOAT, from, tag, comm(m, channel), &m->requests[slot]);
}

static int32_t poll_requests(unroll_mpi_job *job, int32_t count) {
  int done = 0;
  const int error =
      MPI_Testsome(count, own(job)->requests, &done, job->finished, MPI_STATUSES_IGNORE);
  if (error != MPI_SUCCESS) return -1;
  return done == MPI_UNDEFINED ? 0 : done;
}

static int32_t gather(unroll_mpi_job *job, const void *mine, void *all, int64_t size) {
  return MPI_Iallgather(mine, (int)size, MPI_BYTE, all, (int)size, MPI_BYTE, own(job)->collectives,
                        &own(job)->pending);
}

static int32_t gather_sizes(unroll_mpi_job *job, const void *mine, void *all, const int32_t *sizes,
                            const int32_t *places) {
  return MPI_Iallgatherv(mine, sizes[job->rank], MPI_BYTE, all, sizes, places, MPI_BYTE,
                         own(job)->collectives, &own(job)->pending);
}

static int32_t broadcast(unroll_mpi_job *job, void *bytes, int64_t size) {
  return MPI_Ibcast(bytes, (int)size, MPI_BYTE, 0, own(job)->collectives, &own(job)->pending);
}

static int32_t is_complete(unroll_mpi_job *job) {
  int is_finished = 0;
  const int error = MPI_Test(&own(job)->pending, &is_finished, MPI_STATUS_IGNORE);
  return error == MPI_SUCCESS ? is_finished : -1;
}

static void announce_abort(unroll_mpi_job *job) {
  for (int rank = 1; rank < job->count; ++rank) {
    MPI_Request request;
    MPI_Isend(&job->rank, 1, MPI_INT, rank, ENDED, own(job)->collectives, &request);
    MPI_Request_free(&request);
  }
}

static int32_t is_abort_announced(unroll_mpi_job *job) {
  int is_there = 0;
  MPI_Iprobe(0, ENDED, own(job)->collectives, &is_there, MPI_STATUS_IGNORE);
  return is_there;
}

// The only exported symbol of this library.
const unroll_mpi_functions *unroll_mpi_table(void) {
  static const unroll_mpi_functions table = {
      .interface = UNROLL_MPI_INTERFACE,
      .start = start,
      .barrier = barrier,
      .stop = stop,
      .abort = abort_all,
      .version = version,
      .reserve = reserve,
      .send = send,
      .receive = receive,
      .poll = poll_requests,
      .gather = gather,
      .gather_sizes = gather_sizes,
      .broadcast = broadcast,
      .is_complete = is_complete,
      .announce_abort = announce_abort,
      .is_abort_announced = is_abort_announced,
  };
  return &table;
}
