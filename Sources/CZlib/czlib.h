// The system's zlib: the checksums of .npz members, and their deflate compression.

#ifndef UNROLL_ZLIB_H
#define UNROLL_ZLIB_H

#include <zlib.h>

#endif
