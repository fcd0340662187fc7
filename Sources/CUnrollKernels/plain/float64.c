// The kernels for double: one body for both precisions.

#include <math.h>

#include "unroll_kernels.h"

#define REAL double
#define NAME(function) function##_f64

#include "activations.h"
#include "gru.h"
#include "lstm.h"
#include "products.h"
#include "rnn.h"
