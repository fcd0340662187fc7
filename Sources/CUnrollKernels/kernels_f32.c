// The kernels for float: one body for both precisions.

#include <math.h>

#include "unroll_kernels.h"

#define REAL float
#define NAME(function) function##_f32

#include "body_activations.h"
#include "body_gru.h"
#include "body_lstm.h"
#include "body_products.h"
#include "body_rnn.h"
