// Dropout whose mask is a function of a counter: the same for any number of threads, and again in the backward pass, so
// that no mask is ever stored. Integers decide; every instruction set has the same bits.

#ifndef UNROLL_DROPOUT_H
#define UNROLL_DROPOUT_H

#include "../vector/vector.h"
#include "unroll_dense.h"
#include "unroll_machine.h"

enum { MASK_BLOCKS = 16, MASK_WORDS = 64, MASK_PIECE = 16384 };

// Philox4x32-10 (Salmon et al. 2011) of 16 counters that follow `first`; word w of block b goes to
// words[4 b + w].
static void philox_words(uint32_t *words, uint64_t first, const unroll_dropout *dropout) {
  enum { BLOCKS = MASK_BLOCKS };
  uint32_t c0[BLOCKS], c1[BLOCKS], c2[BLOCKS], c3[BLOCKS];
  for (int b = 0; b < BLOCKS; ++b) {
    const uint64_t counter = first + (uint64_t)b;
    c0[b] = (uint32_t)counter;
    c1[b] = (uint32_t)(counter >> 32) ^ (dropout->stream << 16);
    c2[b] = (uint32_t)dropout->step;
    c3[b] = (uint32_t)(dropout->step >> 32);
  }
  uint32_t k0 = (uint32_t)dropout->seed, k1 = (uint32_t)(dropout->seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int b = 0; b < BLOCKS; ++b) {
      const uint64_t p = (uint64_t)c0[b] * 0xD2511F53u, q = (uint64_t)c2[b] * 0xCD9E8D57u;
      c0[b] = (uint32_t)(q >> 32) ^ c1[b] ^ k0;
      c1[b] = (uint32_t)q;
      c2[b] = (uint32_t)(p >> 32) ^ c3[b] ^ k1;
      c3[b] = (uint32_t)p;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int b = 0; b < BLOCKS; ++b) {
    words[4 * b] = c0[b];
    words[4 * b + 1] = c1[b];
    words[4 * b + 2] = c2[b];
    words[4 * b + 3] = c3[b];
  }
}

INLINE uint32_t drop_threshold(const unroll_dropout *dropout) {
  return (uint32_t)(dropout->rate * 4294967296.0);
}

// Which of the numbers first ..< first + count are kept: 1, or 0.
static void keep_mask(uint8_t *kept, ptrdiff_t first, ptrdiff_t count,
                       const unroll_dropout *dropout) {
  const uint32_t threshold = drop_threshold(dropout);
  uint32_t words[MASK_WORDS];
  for (ptrdiff_t i = first / 4 * 4; i < first + count; i += MASK_WORDS) {
    philox_words(words, (uint64_t)i / 4, dropout);
    for (ptrdiff_t j = i < first ? first : i; j < first + count && j < i + MASK_WORDS; ++j) {
      kept[j - first] = words[j - i] >= threshold;
    }
  }
}

typedef struct {
  real *values;
  ptrdiff_t count;
  const unroll_dropout *dropout;
} drop_job;

static void drop_piece(void *context, ptrdiff_t index, int worker) {
  (void)worker;
  const drop_job *job = context;
  const unroll_dropout *dropout = job->dropout;
  const ptrdiff_t period = dropout->period > 0 ? dropout->period : job->count;
  const ptrdiff_t first = index * MASK_PIECE, end = first + MASK_PIECE;
  const ptrdiff_t last = end < period ? end : period;
  const real factor = (real)(1 / (1 - dropout->rate));
  const uint32_t threshold = drop_threshold(dropout);
  uint32_t words[MASK_WORDS];
  for (ptrdiff_t i = first; i < last; i += MASK_WORDS) {
    philox_words(words, (uint64_t)i / 4, dropout);
    for (real *values = job->values + i; values < job->values + job->count; values += period) {
      if (last - i >= MASK_WORDS) {  // a constant count
        for (ptrdiff_t j = 0; j < MASK_WORDS; ++j) {
          values[j] = words[j] >= threshold ? values[j] * factor : 0;
        }
      } else {
        for (ptrdiff_t j = 0; j < last - i; ++j) {
          values[j] = words[j] >= threshold ? values[j] * factor : 0;
        }
      }
    }
  }
}

static void drop_values(void *values, ptrdiff_t count, const unroll_dropout *dropout, int threads) {
  drop_job job = {values, count, dropout};
  const ptrdiff_t period = dropout->period > 0 ? dropout->period : count;
  unroll_parallel((period + MASK_PIECE - 1) / MASK_PIECE, threads, drop_piece, &job);
}

#endif
