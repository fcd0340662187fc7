// Writes HDF5 files into an image in memory; no other file is opened.

#include "functions.h"

int64_t unroll_hdf5_create(void) {
  H5.Eset_auto2(H5_DEFAULT, NULL, NULL);
  const hid_t access = H5.Pcreate(H5.P_CLS_FILE_ACCESS_ID_g);
  H5.Pset_fapl_core(access, 1 << 16, 0);
  const hid_t file = H5.Fcreate("image", H5F_ACC_TRUNC, H5_DEFAULT, access);
  H5.Pclose(access);
  return file;
}

void unroll_hdf5_close(int64_t file) { H5.Fclose(file); }

int32_t unroll_hdf5_write(int64_t file, const char *name, int32_t rank, const int64_t *sizes,
                          int32_t kind, int32_t size, int32_t is_signed, const void *data) {
  hsize_t axes[UNROLL_HDF5_AXES];
  if (rank > UNROLL_HDF5_AXES) return -1;
  for (int i = 0; i < rank; ++i) axes[i] = (hsize_t)sizes[i];
  const hid_t type = hdf5_memory_type(kind, size, is_signed);
  const hid_t space = rank ? H5.Screate_simple(rank, axes, NULL) : H5.Screate(H5S_SCALAR);
  const hid_t links = H5.Pcreate(H5.P_CLS_LINK_CREATE_ID_g);
  H5.Pset_create_intermediate_group(links, 1);
  const hid_t set = H5.Dcreate2(file, name, type, space, links, H5_DEFAULT, H5_DEFAULT);
  const int32_t status =
      set >= 0 && H5.Dwrite(set, type, H5_DEFAULT, H5_DEFAULT, H5_DEFAULT, data) >= 0 ? 0 : -1;
  if (set >= 0) H5.Dclose(set);
  H5.Pclose(links);
  H5.Sclose(space);
  return status;
}

int32_t unroll_hdf5_group(int64_t file, const char *name) {
  const hid_t links = H5.Pcreate(H5.P_CLS_LINK_CREATE_ID_g);
  H5.Pset_create_intermediate_group(links, 1);
  hid_t group = H5.Gcreate2(file, name, links, H5_DEFAULT, H5_DEFAULT);
  if (group < 0) group = H5.Gopen2(file, name, H5_DEFAULT);
  H5.Pclose(links);
  if (group < 0) return -1;
  H5.Gclose(group);
  return 0;
}

int32_t unroll_hdf5_set_text(int64_t file, const char *object, const char *name, const char *text) {
  const hid_t type = H5.Tcopy(H5.T_C_S1_g), space = H5.Screate(H5S_SCALAR);
  H5.Tset_size(type, H5T_VARIABLE);
  H5.Tset_cset(type, H5T_CSET_UTF8);
  const hid_t attribute = H5.Acreate_by_name(file, object, name, type, space, H5_DEFAULT,
                                             H5_DEFAULT, H5_DEFAULT);
  const int32_t status = attribute >= 0 && H5.Awrite(attribute, type, &text) >= 0 ? 0 : -1;
  if (attribute >= 0) H5.Aclose(attribute);
  H5.Sclose(space);
  H5.Tclose(type);
  return status;
}

int64_t unroll_hdf5_image(int64_t file, void *out, size_t capacity) {
  if (H5.Fflush(file, H5F_SCOPE_GLOBAL) < 0) return -1;
  return H5.Fget_file_image(file, out, out ? capacity : 0);
}
