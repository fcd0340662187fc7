// Functions of whole arrays.

// out[i] = f(in[i]) for tanh, sigmoid or exp, as unroll_kernels.h numbers them.
void NAME(function)(REAL *out, const REAL *in, ptrdiff_t count, int32_t kind) {
  if (kind == UNROLL_TANH) {
    FOR_VECTORS(count, NAME(store_part)(out + j, NAME(tanh)(NAME(load_part)(in + j, n)), n);)
  } else if (kind == UNROLL_SIGMOID) {
    FOR_VECTORS(count, NAME(store_part)(out + j, NAME(sigmoid)(NAME(load_part)(in + j, n)), n);)
  } else {
    FOR_VECTORS(count, NAME(store_part)(out + j, NAME(exp)(NAME(load_part)(in + j, n)), n);)
  }
}
