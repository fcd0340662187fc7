// Files that other programs may shorten while they are mapped. The system then has no contents for the pages
// beyond the new end, and whoever reads one gets SIGBUS. A program that asks for it ends with a sentence.

#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "unroll_mapped_files.h"

enum { MOST_FILES = 128, MOST_PATH = 1024 };

static struct {
  /// 0: the place is free. Set last and cleared first, because the handler reads without a lock.
  _Atomic uintptr_t start;
  size_t size;
  char path[MOST_PATH];
} files[MOST_FILES];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void unroll_note_mapping(const void *start, size_t size, const char *path) {
  pthread_mutex_lock(&lock);
  for (int i = 0; i < MOST_FILES; ++i) {
    if (atomic_load(&files[i].start) != 0) continue;
    files[i].size = size;
    strncpy(files[i].path, path, MOST_PATH - 1);
    atomic_store(&files[i].start, (uintptr_t)start);
    break;
  }
  pthread_mutex_unlock(&lock);
}

void unroll_forget_mapping(const void *start) {
  pthread_mutex_lock(&lock);
  for (int i = 0; i < MOST_FILES; ++i) {
    if (atomic_load(&files[i].start) != (uintptr_t)start) continue;
    atomic_store(&files[i].start, 0);
    break;
  }
  pthread_mutex_unlock(&lock);
}

// Only what a handler may call: write and _exit.
static void say(const char *text) {
  const ssize_t written = write(STDERR_FILENO, text, strlen(text));
  (void)written;
}

static void handle(int number, siginfo_t *info, void *context) {
  (void)context;
  const uintptr_t place = (uintptr_t)info->si_addr;
  for (int i = 0; i < MOST_FILES; ++i) {
    const uintptr_t start = atomic_load(&files[i].start);
    if (start == 0 || place < start || place - start >= files[i].size) continue;
    say("Error: ");
    say(files[i].path);
    say(": another program shortened the file while it was in use; restore it and run the command again\n");
    _exit(1);
  }
  // Something else: end as if there were no handler.
  signal(number, SIG_DFL);
}

void unroll_report_shortened_files(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  (void)sigaction(SIGBUS, &action, 0);
}
