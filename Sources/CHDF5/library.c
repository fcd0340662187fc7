// Resolves the symbols of a loaded libhdf5.

#include "functions.h"
#include <dlfcn.h>
#include <string.h>

struct hdf5_library unroll_hdf5_library;

int32_t unroll_hdf5_version(void *library, uint32_t version[3]) {
  int (*get)(unsigned *, unsigned *, unsigned *) =
      (int (*)(unsigned *, unsigned *, unsigned *))dlsym(library, "H5get_libversion");
  return get && get(&version[0], &version[1], &version[2]) >= 0 ? 0 : -1;
}

const char *unroll_hdf5_load(void *library) {
#define LOOK_UP(name, result, arguments) \
  if (!(H5.name = (result(*) arguments)dlsym(library, "H5" #name))) return "H5" #name;
  HDF5_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
  void *visit = dlsym(library, "H5Ovisit3");
  if (!visit) visit = dlsym(library, "H5Ovisit2");
  if (!visit) return "H5Ovisit3";
  H5.Ovisit = (int (*)(hid_t, int, int, hdf5_visitor, void *, unsigned))visit;
  // The variables are set by H5open.
  if (H5.open() < 0) return "H5open that succeeds";
  const hid_t *value;
#define LOOK_UP(name)                                                       \
  if (!(value = (const hid_t *)dlsym(library, "H5" #name))) return "H5" #name; \
  H5.name = *value;
  HDF5_VARIABLES(LOOK_UP)
#undef LOOK_UP
  return NULL;
}
