#pragma once
/* As every C module here: modules whose libc types differ cannot be imported together. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* Macros that Swift does not import. */
static inline void *trousseau_secure_malloc(size_t n) { return CRYPTO_secure_malloc(n, __FILE__, __LINE__); }
static inline void trousseau_secure_clear_free(void *p, size_t n) { CRYPTO_secure_clear_free(p, n, __FILE__, __LINE__); }
/* LeakSanitizer does not look into the secure heap, which is a mapping of its own: pointers that lie only there, such as
 * those of libcrypto's random generators to their ciphers, would be leaks to it. Tells it, while the whole heap of so many
 * bytes is free. Without that sanitizer the symbol is not there. */
extern void __lsan_register_root_region(const void *start, size_t size) __attribute__((weak));
static inline void trousseau_show_secure_heap(size_t size) {
    if (__lsan_register_root_region == NULL) return;
    void *heap = trousseau_secure_malloc(size);
    if (heap == NULL) return;
    __lsan_register_root_region(heap, size);
    trousseau_secure_clear_free(heap, size);
}
static inline int trousseau_bio_flush(BIO *bio) { return (int)BIO_flush(bio); }
static inline int trousseau_bio_cipher_status(BIO *bio) { return (int)BIO_get_cipher_status(bio); }
static inline long trousseau_bio_memory(BIO *bio, char **data) { return BIO_get_mem_data(bio, data); }
static inline int trousseau_cms_recipient_count(CMS_ContentInfo *cms) { return sk_CMS_RecipientInfo_num(CMS_get0_RecipientInfos(cms)); }
static inline CMS_RecipientInfo *trousseau_cms_recipient(CMS_ContentInfo *cms, int index) { return sk_CMS_RecipientInfo_value(CMS_get0_RecipientInfos(cms), index); }
static inline void trousseau_free(void *p) { OPENSSL_free(p); }
static inline unsigned long trousseau_rfc2253(void) { return XN_FLAG_RFC2253; }
static inline int trousseau_evp_pkey_public_key(void) { return EVP_PKEY_PUBLIC_KEY; }
