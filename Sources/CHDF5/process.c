// Starts the reading process by executing the current program again. A plain fork would copy one of several threads,
// and locks held by the others would never be released.

// Needed for dladdr.
#define _GNU_SOURCE

#include "process.h"
#include "unroll_hdf5.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __APPLE__
#include <crt_externs.h>
#include <mach-o/dyld.h>
#define environ (*_NSGetEnviron())
enum { SOCKET_FLAGS = 0, SEND_FLAGS = 0 };
#else
#include <sys/auxv.h>
extern char **environ;
enum { SOCKET_FLAGS = SOCK_CLOEXEC, SEND_FLAGS = MSG_NOSIGNAL };
#endif

int32_t unroll_hdf5_is_in_program(void) {
#if UNROLL_HDF5_CAN_SERVE
  Dl_info here, program;
#ifdef __APPLE__
  const void *const start = _dyld_get_image_header(0);
#else
  // The program headers are part of the program's own image.
  const void *const start = (const void *)getauxval(AT_PHDR);
#endif
  return start && dladdr((const void *)&unroll_hdf5_is_in_program, &here) && dladdr(start, &program) &&
         here.dli_fbase == program.dli_fbase;
#else
  return 0;
#endif
}

// Returns the path of the running program.
static const char *own_program(void) {
#ifdef __APPLE__
  static char path[4096];
  uint32_t size = sizeof path;
  return _NSGetExecutablePath(path, &size) == 0 ? path : "";
#else
  // Valid even if the file has been replaced.
  return "/proc/self/exe";
#endif
}

// Sends bytes without raising SIGPIPE if the reader has exited. Messages that it sent before can still be received.
static void send_all(int socket, const void *bytes, size_t count) {
  const char *next = bytes;
  while (count > 0) {
    const ssize_t sent = send(socket, next, count, SEND_FLAGS);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;
    next += sent;
    count -= (size_t)sent;
  }
}

// Creates a socket pair with descriptors of at least 3 that other processes do not inherit.
static int open_pair(int ends[2]) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCKET_FLAGS, 0, pair) != 0) return -1;
  // If this process has no standard streams, new descriptors may have their numbers.
  for (int i = 0; i < 2; ++i) ends[i] = fcntl(pair[i], F_DUPFD_CLOEXEC, 3);
  const int problem = errno;
  for (int i = 0; i < 2; ++i) close(pair[i]);
  if (ends[0] >= 0 && ends[1] >= 0) {
#ifdef __APPLE__
    const int on = 1;
    setsockopt(ends[0], SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    return 0;
  }
  for (int i = 0; i < 2; ++i) {
    if (ends[i] >= 0) close(ends[i]);
  }
  errno = problem;
  return -1;
}

pid_t unroll_hdf5_start(const unroll_hdf5_task *task, int *socket) {
  int ends[2];
  if (open_pair(ends) != 0) return -1;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, ends[1], UNROLL_HDF5_SOCKET);
  // Unblock all signals, so that signals blocked by this thread can end the child.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  char name[] = UNROLL_HDF5_NAME;
  char *words[] = {name, NULL};
  pid_t child = -1;
  const int problem = posix_spawn(&child, task->program ? task->program : own_program(), &actions,
                                  &attributes, words, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (problem != 0) {
    close(ends[0]);
    errno = problem;
    return -1;
  }
  const unroll_hdf5_order order = {
      (int64_t)strlen(task->library), task->attribute_bytes, (int64_t)task->count,
      task->data_limit,               task->memory_limit,    task->seconds,
  };
  send_all(ends[0], &order, sizeof order);
  send_all(ends[0], task->library, (size_t)order.library_bytes);
  send_all(ends[0], task->attributes, (size_t)order.attribute_bytes);
  send_all(ends[0], task->bytes, task->count);
  *socket = ends[0];
  return child;
}

int32_t unroll_hdf5_take(int socket, void *to, size_t count) {
  char *next = to;
  while (count > 0) {
    const ssize_t got = read(socket, next, count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -1;
    next += got;
    count -= (size_t)got;
  }
  return 0;
}

int32_t unroll_hdf5_stop(pid_t child, int socket, int32_t is_silent) {
  int status = 0;
  close(socket);
  for (int tries = 0; is_silent && tries < 300; ++tries) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (ended < 0 && errno != EINTR) return 0;
    usleep(10000);
  }
  kill(child, SIGKILL);
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return 0;
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
