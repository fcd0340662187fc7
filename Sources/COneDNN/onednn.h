// The one routine of the system's oneDNN that Unroll calls, and the switch for the threads that
// oneDNN's OpenMP would otherwise start beside ours.

#ifndef UNROLL_ONEDNN_H
#define UNROLL_ONEDNN_H

#include <oneapi/dnnl/dnnl.h>

/// OpenMP's own: the number of threads that the calling thread's next parallel region may use.
void omp_set_num_threads(int count);

#endif
