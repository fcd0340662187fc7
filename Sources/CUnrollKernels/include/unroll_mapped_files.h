// Mapped files by name, so that a program can say which one another program has shortened.

#ifndef UNROLL_MAPPED_FILES_H
#define UNROLL_MAPPED_FILES_H

#include <stddef.h>

/// Notes that a file of this path is mapped here.
void unroll_note_mapping(const void *start, size_t size, const char *path);
/// Forgets a mapping, before it is unmapped.
void unroll_forget_mapping(const void *start);
/// Installs a handler of SIGBUS for the whole process: if a noted file became shorter, it writes a sentence to
/// standard error and ends the process with exit code 1.
void unroll_report_shortened_files(void);

#endif
