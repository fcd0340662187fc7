// Dropout whose mask is a function of a counter: the same for any number of threads, and again on
// the way back, so that no mask is ever stored. Integers decide; every level has the same bits.

#include "unroll_dense.h"
#include "unroll_machine.h"

enum { BLOCKS = 16, PIECE = 16384 };

// Philox4x32-10 (Salmon et al. 2011) of 16 counters that follow `first`; word w of block b goes to
// words[4 b + w].
static void philox_words(uint32_t *words, uint64_t first, const unroll_dropout *dropout) {
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

void unroll_mask(uint8_t *kept, ptrdiff_t first, ptrdiff_t count, const unroll_dropout *dropout) {
  const uint32_t threshold = (uint32_t)(dropout->rate * 4294967296.0);
  uint32_t words[4 * BLOCKS];
  const ptrdiff_t begin = first / 4 * 4;
  for (ptrdiff_t i = begin; i < first + count; i += 4 * BLOCKS) {
    philox_words(words, (uint64_t)i / 4, dropout);
    for (ptrdiff_t j = i < first ? first : i; j < first + count && j < i + 4 * BLOCKS; ++j) {
      kept[j - first] = words[j - i] >= threshold;
    }
  }
}

#define DEFINE(REAL, TYPE)                                                                        \
  typedef struct {                                                                                \
    REAL *values;                                                                                 \
    ptrdiff_t count;                                                                              \
    const unroll_dropout *dropout;                                                                \
  } job_##TYPE;                                                                                   \
                                                                                                  \
  static void piece_##TYPE(void *context, ptrdiff_t index) {                                      \
    const job_##TYPE *job = context;                                                              \
    const unroll_dropout *dropout = job->dropout;                                                 \
    const ptrdiff_t period = dropout->period > 0 ? dropout->period : job->count;                  \
    const ptrdiff_t first = index * PIECE;                                                        \
    const ptrdiff_t last = first + PIECE < period ? first + PIECE : period;                       \
    const REAL factor = (REAL)(1 / (1 - dropout->rate));                                          \
    const uint32_t threshold = (uint32_t)(dropout->rate * 4294967296.0);                          \
    uint32_t words[4 * BLOCKS];                                                                   \
    for (ptrdiff_t i = first; i < last; i += 4 * BLOCKS) {                                        \
      philox_words(words, (uint64_t)i / 4, dropout);                                              \
      const ptrdiff_t n = last - i < 4 * BLOCKS ? last - i : 4 * BLOCKS;                          \
      for (REAL *values = job->values + i; values < job->values + job->count;                     \
           values += period) {                                                                    \
        for (ptrdiff_t j = 0; j < n; ++j) {                                                       \
          values[j] = words[j] >= threshold ? values[j] * factor : 0;                             \
        }                                                                                         \
      }                                                                                           \
    }                                                                                             \
  }                                                                                               \
                                                                                                  \
  void unroll_drop_##TYPE(REAL *values, ptrdiff_t count, const unroll_dropout *dropout) {         \
    job_##TYPE job = {values, count, dropout};                                                    \
    const ptrdiff_t period = dropout->period > 0 ? dropout->period : count;                       \
    unroll_parallel((period + PIECE - 1) / PIECE, piece_##TYPE, &job);                            \
  }

DEFINE(float, f32)
DEFINE(double, f64)
