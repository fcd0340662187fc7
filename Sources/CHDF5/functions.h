// The part of libhdf5's ABI that Unroll uses, declared here so that building does not need its headers. It is the
// same from 1.10.3 to 2.0, except for the name of one function. Structs whose layout differs between releases
// (H5O_info_t, H5L_info_t) are not used.
//
// Source: the public headers of HDF5 1.10.8. The tests of HDF5 files have run with 1.10.8, 1.12.2, 1.14.6
// and 2.0.0.

#ifndef HDF5_FUNCTIONS_H
#define HDF5_FUNCTIONS_H

#include "unroll_hdf5.h"

// An identifier: 64 bits from 1.10 on.
typedef int64_t hid_t;
typedef unsigned long long hsize_t;

enum {
  H5_DEFAULT = 0,  // H5P_DEFAULT, H5E_DEFAULT, H5S_ALL
  H5_INDEX_NAME = 0,
  H5_ITER_NATIVE = 2,
  H5D_CHUNKED = 2,
  H5D_VIRTUAL = 3,
  H5F_ACC_RDONLY = 0,
  H5F_ACC_TRUNC = 2,
  H5F_SCOPE_GLOBAL = 1,
  H5I_DATASET = 5,
  H5O_INFO_BASIC = 1,
  H5S_SCALAR = 0,
  H5S_NULL = 2,
  H5S_SELECT_SET = 0,
  H5T_CSET_UTF8 = 1,
  H5T_INTEGER = 0,
  H5T_FLOAT = 1,
  H5T_STRING = 3,
  H5T_ENUM = 8,
  H5T_SGN_2 = 1,
};
#define H5T_VARIABLE SIZE_MAX

// The callbacks of a file image; unchanged since 1.8.9.
typedef struct {
  void *(*allocate)(size_t size, int operation, void *task);
  void *(*copy)(void *to, const void *from, size_t size, int operation, void *task);
  void *(*resize)(void *bytes, size_t size, int operation, void *task);
  int (*release)(void *bytes, int operation, void *task);
  void *(*copy_task)(void *task);
  int (*release_task)(void *task);
  void *task;
} hdf5_image_callbacks;

// The callback for each object of a file; the layout of `information` differs between releases.
typedef int (*hdf5_visitor)(hid_t file, const char *name, const void *information, void *task);

// Every function: its name without "H5", result and arguments. A flag that is `unsigned` here was a bool
// in some releases; only 0 is passed.
#define HDF5_FUNCTIONS(FUNCTION)                                                                    \
  FUNCTION(open, int, (void))                                                                       \
  FUNCTION(Aclose, int, (hid_t attribute))                                                          \
  FUNCTION(Acreate_by_name, hid_t, (hid_t file, const char *object, const char *name, hid_t type,   \
                                    hid_t space, hid_t creation, hid_t access, hid_t links))        \
  FUNCTION(Aexists, int, (hid_t object, const char *name))                                          \
  FUNCTION(Aget_space, hid_t, (hid_t attribute))                                                    \
  FUNCTION(Aget_type, hid_t, (hid_t attribute))                                                     \
  FUNCTION(Aopen, hid_t, (hid_t object, const char *name, hid_t access))                            \
  FUNCTION(Aread, int, (hid_t attribute, hid_t type, void *out))                                    \
  FUNCTION(Awrite, int, (hid_t attribute, hid_t type, const void *value))                           \
  FUNCTION(Dclose, int, (hid_t set))                                                                \
  FUNCTION(Dcreate2, hid_t, (hid_t file, const char *name, hid_t type, hid_t space, hid_t links,    \
                             hid_t creation, hid_t access))                                         \
  FUNCTION(Dget_create_plist, hid_t, (hid_t set))                                                   \
  FUNCTION(Dget_space, hid_t, (hid_t set))                                                          \
  FUNCTION(Dget_type, hid_t, (hid_t set))                                                           \
  FUNCTION(Dread, int, (hid_t set, hid_t type, hid_t memory, hid_t space, hid_t transfer,           \
                        void *out))                                                                 \
  FUNCTION(Dwrite, int, (hid_t set, hid_t type, hid_t memory, hid_t space, hid_t transfer,          \
                         const void *values))                                                       \
  FUNCTION(Eset_auto2, int, (hid_t stack, void *function, void *data))                              \
  FUNCTION(Fclose, int, (hid_t file))                                                               \
  FUNCTION(Fcreate, hid_t, (const char *name, unsigned flags, hid_t creation, hid_t access))        \
  FUNCTION(Fflush, int, (hid_t object, int scope))                                                  \
  FUNCTION(Fget_file_image, ssize_t, (hid_t file, void *out, size_t capacity))                      \
  FUNCTION(Fopen, hid_t, (const char *name, unsigned flags, hid_t access))                          \
  FUNCTION(Gclose, int, (hid_t group))                                                              \
  FUNCTION(Gcreate2, hid_t, (hid_t file, const char *name, hid_t links, hid_t creation,             \
                             hid_t access))                                                         \
  FUNCTION(Gopen2, hid_t, (hid_t file, const char *name, hid_t access))                             \
  FUNCTION(Iget_type, int, (hid_t object))                                                          \
  FUNCTION(Oclose, int, (hid_t object))                                                             \
  FUNCTION(Oopen, hid_t, (hid_t file, const char *name, hid_t links))                               \
  FUNCTION(PLset_loading_state, int, (unsigned mask))                                               \
  FUNCTION(Pclose, int, (hid_t list))                                                               \
  FUNCTION(Pcreate, hid_t, (hid_t list_class))                                                      \
  FUNCTION(Pget_chunk, int, (hid_t list, int capacity, hsize_t *sizes))                             \
  FUNCTION(Pget_external_count, int, (hid_t list))                                                  \
  FUNCTION(Pget_layout, int, (hid_t list))                                                          \
  FUNCTION(Pset_create_intermediate_group, int, (hid_t list, unsigned makes))                       \
  FUNCTION(Pset_fapl_core, int, (hid_t list, size_t increment, unsigned writes))                    \
  FUNCTION(Pset_file_image, int, (hid_t list, void *bytes, size_t count))                           \
  FUNCTION(Pset_file_image_callbacks, int, (hid_t list, hdf5_image_callbacks *callbacks))           \
  FUNCTION(Sclose, int, (hid_t space))                                                              \
  FUNCTION(Screate, hid_t, (int kind))                                                              \
  FUNCTION(Screate_simple, hid_t, (int rank, const hsize_t *sizes, const hsize_t *limits))          \
  FUNCTION(Sget_simple_extent_dims, int, (hid_t space, hsize_t *sizes, hsize_t *limits))            \
  FUNCTION(Sget_simple_extent_ndims, int, (hid_t space))                                            \
  FUNCTION(Sget_simple_extent_npoints, long long, (hid_t space))                                    \
  FUNCTION(Sget_simple_extent_type, int, (hid_t space))                                             \
  FUNCTION(Sselect_hyperslab, int, (hid_t space, int operation, const hsize_t *start,               \
                                    const hsize_t *stride, const hsize_t *count,                    \
                                    const hsize_t *block))                                          \
  FUNCTION(Tclose, int, (hid_t type))                                                               \
  FUNCTION(Tcopy, hid_t, (hid_t type))                                                              \
  FUNCTION(Tget_class, int, (hid_t type))                                                           \
  FUNCTION(Tget_cset, int, (hid_t type))                                                            \
  FUNCTION(Tget_sign, int, (hid_t type))                                                            \
  FUNCTION(Tget_size, size_t, (hid_t type))                                                         \
  FUNCTION(Tis_variable_str, int, (hid_t type))                                                     \
  FUNCTION(Tset_cset, int, (hid_t type, int cset))                                                  \
  FUNCTION(Tset_size, int, (hid_t type, size_t size))

// Identifiers that the library stores in variables; valid after H5open.
#define HDF5_VARIABLES(VARIABLE)     \
  VARIABLE(P_CLS_FILE_ACCESS_ID_g)   \
  VARIABLE(P_CLS_LINK_CREATE_ID_g)   \
  VARIABLE(T_C_S1_g)                 \
  VARIABLE(T_NATIVE_DOUBLE_g)        \
  VARIABLE(T_NATIVE_FLOAT_g)         \
  VARIABLE(T_NATIVE_INT64_g)         \
  VARIABLE(T_NATIVE_UINT64_g)

// The resolved symbols: H5.Fopen is the function H5Fopen.
struct hdf5_library {
#define HDF5_MEMBER(name, result, arguments) result(*name) arguments;
  HDF5_FUNCTIONS(HDF5_MEMBER)
#undef HDF5_MEMBER
#define HDF5_MEMBER(name) hid_t name;
  HDF5_VARIABLES(HDF5_MEMBER)
#undef HDF5_MEMBER
  // H5Ovisit3 (1.12 and newer) or H5Ovisit2 (1.10.3 and newer).
  int (*Ovisit)(hid_t object, int index, int order, hdf5_visitor visitor, void *task,
                unsigned fields);
};
extern struct hdf5_library unroll_hdf5_library;
#define H5 unroll_hdf5_library

// Returns the in-memory type for a message's elements.
static inline hid_t hdf5_memory_type(int32_t kind, int32_t size, int32_t is_signed) {
  if (kind == UNROLL_HDF5_REAL) return size == 8 ? H5.T_NATIVE_DOUBLE_g : H5.T_NATIVE_FLOAT_g;
  return is_signed ? H5.T_NATIVE_INT64_g : H5.T_NATIVE_UINT64_g;
}

#endif
