// The thread pool. It runs one job at a time: a function of a range of indices. Each thread first takes its own
// indices, which are the same in every job of one size, so that its caches still hold what it wrote in the job before;
// then it takes indices that other threads have not begun. The calling thread takes part, and never waits for a
// thread that sleeps.

#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sched.h>
#include <signal.h>

#include "float_mode.h"
#include "unroll_machine.h"

enum { MOST_THREADS = 256, MOST_PIECES = 1024, SPINS = 4000 };

static struct {
  pthread_mutex_t busy;  ///< held by the thread whose job runs
  pthread_mutex_t sleep_lock;
  pthread_cond_t wake;
  int started;
  void (*body)(void *, ptrdiff_t, int);
  void *context;
  unroll_float_mode mode;  ///< the caller's
  ptrdiff_t count;
  int workers;  ///< those numbered 1 ... workers take part
  ptrdiff_t pieces;  ///< runs of indices, each taken by one thread
  _Atomic unsigned char taken[MOST_PIECES];
  /// 32 bits: the job's number. 1 bit: whether workers may still join. 31 bits: the workers inside.
  _Atomic uint64_t door;
  _Atomic int sleepers;
} pool = {.busy = PTHREAD_MUTEX_INITIALIZER,
          .sleep_lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER};

static const uint64_t OPEN = (uint64_t)1 << 31;
static _Thread_local int forced_threads;
static _Thread_local int inside;
static _Atomic int process_threads;

static void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void take_piece(ptrdiff_t piece, int worker) {
  if (atomic_exchange(&pool.taken[piece], 1)) return;
  const ptrdiff_t last = pool.count * (piece + 1) / pool.pieces;
  for (ptrdiff_t index = pool.count * piece / pool.pieces; index < last; ++index) {
    pool.body(pool.context, index, worker);
  }
}

static void take_pieces(int worker) {
  const ptrdiff_t threads = pool.workers + 1;
  for (ptrdiff_t piece = worker; piece < pool.pieces; piece += threads) take_piece(piece, worker);
  for (ptrdiff_t piece = 0; piece < pool.pieces; ++piece) {
    if (!atomic_load_explicit(&pool.taken[piece], memory_order_relaxed)) take_piece(piece, worker);
  }
}

static void *work(void *argument) {
  const int worker = (int)(intptr_t)argument;
  inside = 1;
  uint64_t last = 0;
  for (;;) {
    // The next job often follows within microseconds: spin for a while before sleeping.
    uint64_t door = atomic_load(&pool.door);
    for (int i = 0; i < SPINS && ((door >> 32) == last || !(door & OPEN)); ++i) {
      pause_briefly();
      door = atomic_load(&pool.door);
    }
    if ((door >> 32) == last || !(door & OPEN)) {
      pthread_mutex_lock(&pool.sleep_lock);
      atomic_fetch_add(&pool.sleepers, 1);
      while (door = atomic_load(&pool.door), (door >> 32) == last || !(door & OPEN)) {
        pthread_cond_wait(&pool.wake, &pool.sleep_lock);
      }
      atomic_fetch_sub(&pool.sleepers, 1);
      pthread_mutex_unlock(&pool.sleep_lock);
    }
    last = door >> 32;
    int joined = 0;
    while ((door >> 32) == last && (door & OPEN)) {
      if (atomic_compare_exchange_weak(&pool.door, &door, door + 1)) {
        joined = 1;
        break;
      }
    }
    if (!joined) continue;
    if (worker <= pool.workers) {
      unroll_set_float_mode(pool.mode);
      take_pieces(worker);
    }
    atomic_fetch_sub(&pool.door, 1);
  }
  return 0;
}

static void start_workers(int threads) {
  if (pool.started >= threads - 1) return;
  // Workers block all signals: the program's own threads handle them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (pool.started < threads - 1) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    const int failed =
        pthread_create(&thread, &attributes, work, (void *)(intptr_t)(pool.started + 1));
    pthread_attr_destroy(&attributes);
    if (failed) break;  // fewer threads do the same work
    pool.started += 1;
  }
  pthread_sigmask(SIG_SETMASK, &before, 0);
}

void unroll_parallel(ptrdiff_t count, int threads, void (*body)(void *, ptrdiff_t, int), void *context) {
  if (count < 2 || inside || threads < 2 || pthread_mutex_trylock(&pool.busy) != 0) {
    for (ptrdiff_t index = 0; index < count; ++index) body(context, index, 0);
    return;
  }
  if (threads > MOST_THREADS) threads = MOST_THREADS;
  start_workers(threads);
  inside = 1;
  pool.body = body;
  pool.context = context;
  pool.mode = unroll_get_float_mode();
  pool.count = count;
  pool.workers = threads - 1;
  pool.pieces = count < MOST_PIECES ? count : MOST_PIECES;
  for (ptrdiff_t piece = 0; piece < pool.pieces; ++piece) {
    atomic_store_explicit(&pool.taken[piece], 0, memory_order_relaxed);
  }
  const uint64_t number = ((atomic_load(&pool.door) >> 32) + 1) & 0xffffffff;
  atomic_store(&pool.door, number << 32 | OPEN);
  if (atomic_load(&pool.sleepers) > 0) {
    pthread_mutex_lock(&pool.sleep_lock);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.sleep_lock);
  }
  take_pieces(0);
  // Close the job and wait for the workers inside. A worker may have lost its core to another process, so that this
  // thread yields after a while.
  uint64_t door = atomic_fetch_and(&pool.door, ~OPEN) & ~OPEN;
  for (int i = 0; door & (OPEN - 1); ++i) {
    if (i < SPINS) {
      pause_briefly();
    } else {
      sched_yield();
    }
    door = atomic_load(&pool.door);
  }
  inside = 0;
  pthread_mutex_unlock(&pool.busy);
}

// The child of a fork has the forking thread only: the pool's other threads are gone, and their locks would stay locked.
// The child starts with an empty pool. Thread-local settings stay as they are.
static void begin_anew_in_child(void) {
  pool.busy = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
  pool.sleep_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
  pool.wake = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
  pool.started = 0;
  atomic_store(&pool.door, 0);
  atomic_store(&pool.sleepers, 0);
}

// Registered when the library is loaded, so that no fork comes before.
__attribute__((constructor)) static void watch_for_forks(void) {
  (void)pthread_atfork(0, 0, begin_anew_in_child);
}

static int limited(long count) {
  return count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : (int)count;
}

static long cores_of(long quota, long period) {
  return quota > 0 && period > 0 ? (quota + period - 1) / period : 0;
}

// The quota of one control group in cores, rounded up; 0 if it has none.
static long quota_of(const char *group) {
  char path[4200];
  long quota = 0, period = 0;
  snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  if (fscanf(file, "%ld %ld", &quota, &period) != 2) quota = 0;
  fclose(file);
  return cores_of(quota, period);
}

// The same for cgroup v1.
static long quota_of_first_version(void) {
  long quota = 0, period = 0;
  FILE *file = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r");
  if (!file) return 0;
  if (fscanf(file, "%ld", &quota) != 1) quota = 0;
  fclose(file);
  if ((file = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r"))) {
    if (fscanf(file, "%ld", &period) != 1) period = 0;
    fclose(file);
  }
  return cores_of(quota, period);
}

// The least quota of the process's control group and its ancestors; 0 if there is none.
static long quota_of_groups(void) {
  char line[4096];
  char *group = 0;
  FILE *file = fopen("/proc/self/cgroup", "r");
  while (file && !group && fgets(line, sizeof line, file)) {
    if (strncmp(line, "0::/", 4) == 0) group = line + 3;
  }
  if (file) fclose(file);
  if (!group) return quota_of_first_version();
  group[strcspn(group, "\n")] = 0;
  long least = 0;
  for (;;) {
    const long quota = quota_of(group);
    if (quota > 0 && (least == 0 || quota < least)) least = quota;
    if (!*group) break;
    *strrchr(group, '/') = 0;
  }
  return least > 0 ? least : quota_of_first_version();
}

int unroll_bound_cores(int process) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(process, sizeof set, &set) == 0) return CPU_COUNT(&set);
#else
  (void)process;
#endif
  return 0;
}

int unroll_available_cores(void) {
  const int bound = unroll_bound_cores(0);
  const long cores = bound > 0 ? bound : sysconf(_SC_NPROCESSORS_ONLN);
  const long quota = quota_of_groups();
  return limited(quota > 0 && quota < cores ? quota : cores);
}

int unroll_thread_count(void) {
  if (inside) return 1;
  if (forced_threads > 0) return forced_threads;
  int count = atomic_load_explicit(&process_threads, memory_order_relaxed);
  if (count == 0) {
    const char *text = getenv("UNROLL_THREADS");
    char *end = 0;
    const long asked = text ? strtol(text, &end, 10) : 0;
    const int found = asked > 0 && *end == 0 ? limited(asked) : unroll_available_cores();
    // What another thread has set meanwhile stays.
    if (atomic_compare_exchange_strong(&process_threads, &count, found)) count = found;
  }
  return count;
}

void unroll_set_thread_count(int count) {
  atomic_store(&process_threads, count > 0 ? limited(count) : 0);
}

int unroll_force_thread_count(int count) {
  const int before = forced_threads;
  forced_threads = count > 0 ? limited(count) : 0;
  return before;
}
