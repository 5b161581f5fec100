#pragma once
/* As every C module here: modules whose libc types differ cannot be imported together. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/status.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <string.h>

/* The macros of slice.h, which Swift does not see. The pointer is good as long as the slice stays where it is. */
static inline const uint8_t *trousseau_slice_bytes(const grpc_slice *slice) { return GRPC_SLICE_START_PTR(*slice); }
static inline size_t trousseau_slice_length(const grpc_slice *slice) { return GRPC_SLICE_LENGTH(*slice); }

/* The slices of a buffer that was received, which belong to the buffer; NULL if it was compressed by its sender. */
static inline grpc_slice *trousseau_buffer_slices(grpc_byte_buffer *buffer, size_t *count) {
    if (buffer->type != GRPC_BB_RAW || buffer->data.raw.compression != GRPC_COMPRESS_NONE) return NULL;
    *count = buffer->data.raw.slice_buffer.count;
    return buffer->data.raw.slice_buffer.slices;
}
