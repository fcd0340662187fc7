// What every machine of the target's kind has: SSE2 on x86-64, NEON on arm64.

#ifndef UNROLL_ISA_H
#define UNROLL_ISA_H

#define VECTOR_BYTES 16
#define TILE_ROWS 6
#if defined(__aarch64__)
#define FUSED 1
#define TILE_VECTORS 4
#else
#define FUSED 0
#define TILE_VECTORS 2
#endif

#endif
