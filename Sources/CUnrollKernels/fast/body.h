// All of one level for one element type. The level file defines REAL, REAL_BITS, INTEGER, NAME
// and what vector.h asks for.

#include "vector.h"
#include "math.h"
#include "product.h"
#include "transposed.h"
#include "cells.h"
#include "panels.h"
#include "normalize.h"
#include "dropout.h"
#include "zoneout.h"
#include "sequence.h"
#include "sequence_backward.h"
#include "columns.h"
#include "narrow.h"
#include "narrow_backward.h"
#include "layer.h"
#if REAL_BITS == 32
#include "half_weights.h"
#endif
#include "tiny.h"
#include "single.h"
#include "step.h"
#include "dense.h"
#include "arrays.h"
#include "peak.h"
