// The kernels for double: one body for both precisions.

#include <math.h>

#include "unroll_kernels.h"

#define REAL double
#define NAME(function) function##_f64

#include "body_activations.h"
#include "body_gru.h"
#include "body_lstm.h"
#include "body_products.h"
#include "body_rnn.h"
