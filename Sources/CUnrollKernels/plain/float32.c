// The kernels for float: one body for both precisions.

#include <math.h>

#include "unroll_kernels.h"

#define REAL float
#define NAME(function) function##_f32

#include "activations.h"
#include "gru.h"
#include "lstm.h"
#include "products.h"
#include "rnn.h"
