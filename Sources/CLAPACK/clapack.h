// The system's LAPACK through its C interface: eigenvalues, singular values, QR, linear equations.

#ifndef UNROLL_CLAPACK_H
#define UNROLL_CLAPACK_H

#include <lapacke.h>

#endif
