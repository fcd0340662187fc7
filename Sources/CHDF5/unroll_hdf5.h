// What Unroll needs of HDF5, as functions: most of HDF5's names are macros, which Swift does not see.
// Files are images in memory; nothing here opens another file. What reads runs in a process of its own
// (unroll_hdf5_apart.h).

#ifndef UNROLL_HDF5_H
#define UNROLL_HDF5_H

#define H5_USE_110_API 1
// Debian keeps the serial library's headers in a folder of their own.
#if __has_include(<hdf5/serial/hdf5.h>)
#include <hdf5/serial/hdf5.h>
#else
#include <hdf5.h>
#endif
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { UNROLL_HDF5_AXES = 32, UNROLL_HDF5_OTHER = 0, UNROLL_HDF5_INTEGER = 1, UNROLL_HDF5_REAL = 2 };

// What a message of the reading process holds, or why it cannot go on.
enum {
  UNROLL_HDF5_DATASET,
  UNROLL_HDF5_TEXT,
  UNROLL_HDF5_END,
  UNROLL_HDF5_NOT_WHOLE,
  UNROLL_HDF5_NOT_LISTED,
  UNROLL_HDF5_NOT_DESCRIBED,
  UNROLL_HDF5_ELSEWHERE,
  UNROLL_HDF5_IMPOSSIBLE,
  UNROLL_HDF5_TOO_LARGE,
  UNROLL_HDF5_NOT_READ,
};

// A message: its name and its bytes follow. Of a dataset, the elements are float (kind REAL, size 4),
// double (REAL, 8), int64_t or uint64_t (INTEGER).
typedef struct {
  int32_t what, rank, kind, element_size, is_signed, reserved;
  int64_t sizes[UNROLL_HDF5_AXES];
  int64_t name_bytes, data_bytes;
} unroll_hdf5_message;

static inline void unroll_hdf5_close(int64_t file) { H5Fclose(file); }

// The type in memory of what a message describes.
static inline hid_t unroll_hdf5_type(int32_t kind, int32_t size, int32_t is_signed) {
  if (kind == UNROLL_HDF5_REAL) return size == 8 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
  return is_signed ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64;
}

// MARK: Writing, into an image in memory.

static inline int64_t unroll_hdf5_create(void) {
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(access, 1 << 16, 0);
  const hid_t file = H5Fcreate("image", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  H5Pclose(access);
  return file;
}

// Makes a dataset and the groups on its path.
static inline int32_t unroll_hdf5_write(int64_t file, const char *name, int32_t rank,
                                        const int64_t *sizes, int32_t kind, int32_t size,
                                        int32_t is_signed, const void *data) {
  hsize_t axes[UNROLL_HDF5_AXES];
  if (rank > UNROLL_HDF5_AXES) return -1;
  for (int i = 0; i < rank; ++i) axes[i] = (hsize_t)sizes[i];
  const hid_t type = unroll_hdf5_type(kind, size, is_signed);
  const hid_t space = rank ? H5Screate_simple(rank, axes, NULL) : H5Screate(H5S_SCALAR);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t set = H5Dcreate2(file, name, type, space, links, H5P_DEFAULT, H5P_DEFAULT);
  const int32_t status =
      set >= 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0 ? 0 : -1;
  if (set >= 0) H5Dclose(set);
  H5Pclose(links);
  H5Sclose(space);
  return status;
}

// Makes a group and those on its path; one that is there stays.
static inline int32_t unroll_hdf5_group(int64_t file, const char *name) {
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  hid_t group = H5Gcreate2(file, name, links, H5P_DEFAULT, H5P_DEFAULT);
  if (group < 0) group = H5Gopen2(file, name, H5P_DEFAULT);
  H5Pclose(links);
  if (group < 0) return -1;
  H5Gclose(group);
  return 0;
}

static inline int32_t unroll_hdf5_set_text(int64_t file, const char *object, const char *name,
                                           const char *text) {
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  const hid_t attribute = H5Acreate_by_name(file, object, name, type, space, H5P_DEFAULT,
                                            H5P_DEFAULT, H5P_DEFAULT);
  const int32_t status = attribute >= 0 && H5Awrite(attribute, type, &text) >= 0 ? 0 : -1;
  if (attribute >= 0) H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
  return status;
}

// Copies the file's bytes, at most `capacity` of them; returns how many there are, negative on failure.
static inline int64_t unroll_hdf5_image(int64_t file, void *out, size_t capacity) {
  if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0) return -1;
  return H5Fget_file_image(file, out, out ? capacity : 0);
}

#endif
