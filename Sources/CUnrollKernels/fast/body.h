// All of one level for one element type. The level file defines REAL, REAL_BITS, INTEGER, NAME
// and what vector.h asks for.

#include "vector.h"
#include "math.h"
#include "product.h"
#include "cells.h"
#include "sequence.h"
#include "narrow.h"
#include "layer.h"
