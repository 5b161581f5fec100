#pragma once
/* As every C module here: modules whose libc types differ cannot be imported together. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

/* Macros that Swift does not import. */
static inline void *trousseau_secure_malloc(size_t n) { return CRYPTO_secure_malloc(n, __FILE__, __LINE__); }
static inline void trousseau_secure_clear_free(void *p, size_t n) { CRYPTO_secure_clear_free(p, n, __FILE__, __LINE__); }
static inline int trousseau_evp_pkey_public_key(void) { return EVP_PKEY_PUBLIC_KEY; }
