// What Unroll needs of HDF5, as functions: most of HDF5's names are macros, which Swift does not see.
// Files are images in memory, read-only; nothing here opens another file.

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

// A dataset: its axes, what its elements are, and how many bytes each takes.
typedef struct {
  int32_t rank, kind, element_size, is_signed;
  int64_t sizes[UNROLL_HDF5_AXES];
  // The bytes of a chunk; 0 if there are none.
  int64_t chunk_bytes;
  // Whether the numbers stand in other files.
  int32_t is_elsewhere;
} unroll_hdf5_dataset;

static inline int64_t unroll_hdf5_open(const void *bytes, size_t count) {
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state(0);
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  hid_t file = -1;
  if (H5Pset_fapl_core(access, 1 << 16, 0) >= 0 &&
      H5Pset_file_image(access, (void *)bytes, count) >= 0) {
    file = H5Fopen("image", H5F_ACC_RDONLY, access);
  }
  H5Pclose(access);
  return file;
}

static inline void unroll_hdf5_close(int64_t file) { H5Fclose(file); }

typedef void (*unroll_hdf5_found)(void *context, const char *name, int32_t is_dataset);

typedef struct {
  unroll_hdf5_found found;
  void *context;
} unroll_hdf5_visit_context;

static inline herr_t unroll_hdf5_visited(hid_t object, const char *name, const H5O_info_t *info,
                                         void *context) {
  const unroll_hdf5_visit_context *visit = context;
  (void)object;
  visit->found(visit->context, name, info->type == H5O_TYPE_DATASET);
  return 0;
}

// Calls `found` with every object's path; negative if the file is damaged.
static inline int32_t unroll_hdf5_visit(int64_t file, unroll_hdf5_found found, void *context) {
  unroll_hdf5_visit_context visit = {found, context};
  return H5Ovisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, unroll_hdf5_visited, &visit) < 0 ? -1 : 0;
}

static inline int32_t unroll_hdf5_describe(int64_t file, const char *name,
                                           unroll_hdf5_dataset *result) {
  memset(result, 0, sizeof *result);
  const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
  if (set < 0) return -1;
  const hid_t space = H5Dget_space(set), type = H5Dget_type(set), plan = H5Dget_create_plist(set);
  int32_t status = -1;
  hsize_t sizes[UNROLL_HDF5_AXES], chunk[UNROLL_HDF5_AXES];
  if (space >= 0 && type >= 0 && plan >= 0) {
    result->rank = H5Sget_simple_extent_ndims(space);
    if (result->rank >= 0 && result->rank <= UNROLL_HDF5_AXES &&
        H5Sget_simple_extent_dims(space, sizes, NULL) >= 0) {
      for (int i = 0; i < result->rank; ++i) {
        result->sizes[i] = sizes[i] > INT64_MAX ? -1 : (int64_t)sizes[i];
      }
      const H5T_class_t kind = H5Tget_class(type);
      result->kind = kind == H5T_INTEGER || kind == H5T_ENUM ? UNROLL_HDF5_INTEGER
                     : kind == H5T_FLOAT                     ? UNROLL_HDF5_REAL
                                                             : UNROLL_HDF5_OTHER;
      result->element_size = (int32_t)H5Tget_size(type);
      result->is_signed = kind == H5T_ENUM || H5Tget_sign(type) == H5T_SGN_2;
      const H5D_layout_t layout = H5Pget_layout(plan);
      result->is_elsewhere = layout == H5D_VIRTUAL || H5Pget_external_count(plan) != 0;
      if (layout == H5D_CHUNKED) {
        const int axes = H5Pget_chunk(plan, UNROLL_HDF5_AXES, chunk);
        double bytes = result->element_size;
        for (int i = 0; i < axes && i < UNROLL_HDF5_AXES; ++i) bytes *= (double)chunk[i];
        result->chunk_bytes = bytes > 9e18 ? INT64_MAX : (int64_t)bytes;
      }
      status = 0;
    }
  }
  if (plan >= 0) H5Pclose(plan);
  if (type >= 0) H5Tclose(type);
  if (space >= 0) H5Sclose(space);
  H5Dclose(set);
  return status;
}

// The numbers as float (kind REAL, 4 bytes), double (REAL, 8), int64_t or uint64_t (INTEGER).
static inline hid_t unroll_hdf5_type(int32_t kind, int32_t size, int32_t is_signed) {
  if (kind == UNROLL_HDF5_REAL) return size == 8 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
  return is_signed ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64;
}

static inline int32_t unroll_hdf5_read(int64_t file, const char *name, void *out, int32_t kind,
                                       int32_t size, int32_t is_signed) {
  const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
  if (set < 0) return -1;
  const herr_t status = H5Dread(set, unroll_hdf5_type(kind, size, is_signed), H5S_ALL, H5S_ALL,
                                H5P_DEFAULT, out);
  H5Dclose(set);
  return status < 0 ? -1 : 0;
}

// A text attribute of an object, to be freed; NULL if there is none, or it is longer than the limit.
static inline char *unroll_hdf5_text(int64_t file, const char *object, const char *name,
                                     size_t limit) {
  if (H5Aexists_by_name(file, object, name, H5P_DEFAULT) <= 0) return NULL;
  const hid_t attribute = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
  if (attribute < 0) return NULL;
  const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
  char *result = NULL;
  if (type >= 0 && space >= 0 && H5Tget_class(type) == H5T_STRING &&
      H5Sget_simple_extent_npoints(space) == 1) {
    const hid_t memory = H5Tcopy(H5T_C_S1);
    H5Tset_cset(memory, H5Tget_cset(type));
    if (H5Tis_variable_str(type) > 0) {
      char *text = NULL;
      H5Tset_size(memory, H5T_VARIABLE);
      if (H5Aread(attribute, memory, &text) >= 0 && text) {
        if (strlen(text) <= limit) result = strdup(text);
        H5Dvlen_reclaim(memory, space, H5P_DEFAULT, &text);
      }
    } else {
      const size_t size = H5Tget_size(type);
      if (size <= limit) {
        result = calloc(size + 1, 1);
        H5Tset_size(memory, size + 1);
        if (result && H5Aread(attribute, memory, result) < 0) {
          free(result);
          result = NULL;
        }
      }
    }
    H5Tclose(memory);
  }
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  H5Aclose(attribute);
  return result;
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
