#pragma once
/* As every C module here: modules whose libc types differ cannot be imported together. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <curl/curl.h>
#include <dlfcn.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* libcurl is loaded when a backend wants it and not linked: with what it brings (TLS, HTTP/2, LDAP, Kerberos, SSH) it is
 * megabytes of memory that a plugin without Vault need not have. Variadic functions are void pointers, for Swift. */
struct trousseau_curl {
    CURLcode (*global_init_mem)(
        long, curl_malloc_callback, curl_free_callback, curl_realloc_callback, curl_strdup_callback,
        curl_calloc_callback);
    curl_version_info_data *(*version_info)(CURLversion);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *);
    void *easy_setopt;
    void *easy_getinfo;
    const char *(*easy_strerror)(CURLcode);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_cleanup)(CURLM *);
    CURLMcode (*multi_add_handle)(CURLM *, CURL *);
    CURLMcode (*multi_remove_handle)(CURLM *, CURL *);
    CURLMcode (*multi_perform)(CURLM *, int *);
    CURLMcode (*multi_poll)(CURLM *, struct curl_waitfd *, unsigned int, int, int *);
    CURLMcode (*multi_wakeup)(CURLM *);
    CURLMsg *(*multi_info_read)(CURLM *, int *);
    void *multi_setopt;
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
    /* Of the TLS library that libcurl itself uses; NULL when that is not OpenSSL. */
    uint64_t (*set_tls_options)(SSL_CTX *, uint64_t);
};

/* libcurl's own memory holds tokens and plaintext for a moment, in requests and in header lists: it is wiped when it is
 * given back. */
static inline void trousseau_wiping_free(void *memory) {
    if (!memory) return;
    explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}
static inline void *trousseau_wiping_realloc(void *memory, size_t size) {
    if (!memory) return malloc(size);
    size_t old = malloc_usable_size(memory);
    if (size > 0 && size <= old && size >= old / 2) return memory;
    void *copy = malloc(size);
    if (!copy) return NULL;
    memcpy(copy, memory, old < size ? old : size);
    trousseau_wiping_free(memory);
    return copy;
}

/* Loads the library for as long as the process lives. NULL, or what is wrong. */
static inline const char *trousseau_curl_load(struct trousseau_curl *library) {
    void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!handle) return dlerror();
    const struct { const char *name; void *place; } functions[] = {
        {"curl_global_init_mem", &library->global_init_mem},
        {"curl_version_info", &library->version_info},
        {"curl_easy_init", &library->easy_init},
        {"curl_easy_cleanup", &library->easy_cleanup},
        {"curl_easy_setopt", &library->easy_setopt},
        {"curl_easy_getinfo", &library->easy_getinfo},
        {"curl_easy_strerror", &library->easy_strerror},
        {"curl_multi_init", &library->multi_init},
        {"curl_multi_cleanup", &library->multi_cleanup},
        {"curl_multi_add_handle", &library->multi_add_handle},
        {"curl_multi_remove_handle", &library->multi_remove_handle},
        {"curl_multi_perform", &library->multi_perform},
        {"curl_multi_poll", &library->multi_poll},
        {"curl_multi_wakeup", &library->multi_wakeup},
        {"curl_multi_info_read", &library->multi_info_read},
        {"curl_multi_setopt", &library->multi_setopt},
        {"curl_slist_append", &library->slist_append},
        {"curl_slist_free_all", &library->slist_free_all},
    };
    for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
        void *function = dlsym(handle, functions[index].name);
        if (!function) return dlerror();
        *(void **)functions[index].place = function;
    }
    /* Found among what libcurl itself depends on. */
    void *function = dlsym(handle, "SSL_CTX_set_options");
    *(void **)&library->set_tls_options = function;
    if (library->global_init_mem(
            CURL_GLOBAL_SSL, malloc, trousseau_wiping_free, trousseau_wiping_realloc, strdup, calloc) != CURLE_OK)
        return "curl_global_init_mem failed";
    return NULL;
}

/* curl_easy_setopt and its like, one for each type of value. */
static inline CURLcode trousseau_curl_set_number(
    const struct trousseau_curl *library, CURL *transfer, CURLoption option, long value) {
    return ((CURLcode(*)(CURL *, CURLoption, ...))library->easy_setopt)(transfer, option, value);
}
static inline CURLcode trousseau_curl_set_pointer(
    const struct trousseau_curl *library, CURL *transfer, CURLoption option, const void *value) {
    return ((CURLcode(*)(CURL *, CURLoption, ...))library->easy_setopt)(transfer, option, value);
}
static inline CURLcode trousseau_curl_set_text(
    const struct trousseau_curl *library, CURL *transfer, CURLoption option, const char *value) {
    return ((CURLcode(*)(CURL *, CURLoption, ...))library->easy_setopt)(transfer, option, value);
}
static inline CURLcode trousseau_curl_set_receiver(
    const struct trousseau_curl *library, CURL *transfer, size_t (*receiver)(char *, size_t, size_t, void *)) {
    return ((CURLcode(*)(CURL *, CURLoption, ...))library->easy_setopt)(transfer, CURLOPT_WRITEFUNCTION, receiver);
}
static inline CURLMcode trousseau_curl_set_pool(
    const struct trousseau_curl *library, CURLM *transfers, CURLMoption option, long value) {
    return ((CURLMcode(*)(CURLM *, CURLMoption, ...))library->multi_setopt)(transfers, option, value);
}
static inline long trousseau_curl_get_number(const struct trousseau_curl *library, CURL *transfer, CURLINFO info) {
    long value = 0;
    ((CURLcode(*)(CURL *, CURLINFO, ...))library->easy_getinfo)(transfer, info, &value);
    return value;
}
/* The text belongs to the transfer; NULL when there is none. */
static inline const char *trousseau_curl_get_text(
    const struct trousseau_curl *library, CURL *transfer, CURLINFO info) {
    char *value = NULL;
    ((CURLcode(*)(CURL *, CURLINFO, ...))library->easy_getinfo)(transfer, info, &value);
    return value;
}
static inline void *trousseau_curl_get_owner(const struct trousseau_curl *library, CURL *transfer) {
    void *value = NULL;
    ((CURLcode(*)(CURL *, CURLINFO, ...))library->easy_getinfo)(transfer, CURLINFO_PRIVATE, &value);
    return value;
}

static inline CURLcode trousseau_curl_result(const CURLMsg *message) { return message->data.result; }

/* OpenSSL decrypts answers into buffers of its own: let it wipe them. */
static inline CURLcode trousseau_curl_wipe_tls(CURL *transfer, void *context, void *library) {
    (void)transfer;
    const struct trousseau_curl *functions = (const struct trousseau_curl *)library;
    if (functions->set_tls_options) functions->set_tls_options((SSL_CTX *)context, SSL_OP_CLEANSE_PLAINTEXT);
    return CURLE_OK;
}
static inline void trousseau_curl_set_wiping(const struct trousseau_curl *library, CURL *transfer) {
    CURLcode (*set)(CURL *, CURLoption, ...) = (CURLcode(*)(CURL *, CURLoption, ...))library->easy_setopt;
    set(transfer, CURLOPT_SSL_CTX_DATA, library);
    set(transfer, CURLOPT_SSL_CTX_FUNCTION, trousseau_curl_wipe_tls);
}
