#pragma once
/* As every C module here: modules whose libc types differ cannot be imported together. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <microhttpd.h>
#include <stddef.h>

/* libmicrohttpd is loaded when it is wanted and not linked: Debian's brings GnuTLS and six more libraries, 2.8 MB of
 * resident memory that a plugin without metrics need not have. */
struct trousseau_mhd {
    void *start;
    void (*stop)(struct MHD_Daemon *);
    enum MHD_Result (*lookup)(struct MHD_Connection *, enum MHD_ValueKind, const char *, size_t, const char **, size_t *);
    struct MHD_Response *(*make_response)(size_t, void *, enum MHD_ResponseMemoryMode);
    enum MHD_Result (*add_header)(struct MHD_Response *, const char *, const char *);
    enum MHD_Result (*queue_response)(struct MHD_Connection *, unsigned int, struct MHD_Response *);
    void (*destroy_response)(struct MHD_Response *);
};

/* Loads the library for as long as the process lives. NULL, or what is wrong. */
static inline const char *trousseau_mhd_load(struct trousseau_mhd *library) {
    void *handle = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
    if (!handle) return dlerror();
    const struct { const char *name; void *place; } functions[] = {
        {"MHD_start_daemon", &library->start},
        {"MHD_stop_daemon", &library->stop},
        {"MHD_lookup_connection_value_n", &library->lookup},
        {"MHD_create_response_from_buffer", &library->make_response},
        {"MHD_add_response_header", &library->add_header},
        {"MHD_queue_response", &library->queue_response},
        {"MHD_destroy_response", &library->destroy_response},
    };
    for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
        void *function = dlsym(handle, functions[index].name);
        if (!function) return dlerror();
        *(void **)functions[index].place = function;
    }
    return NULL;
}

/* MHD_start_daemon, which is variadic, on a listening socket and with one thread of its own. The socket is the daemon's,
 * also when NULL is returned for want of anything but the thread. */
static inline struct MHD_Daemon *trousseau_mhd_start(
    const struct trousseau_mhd *library, int listener, unsigned int connections, size_t connection_memory,
    unsigned int timeout_seconds, MHD_AccessHandlerCallback answer, void *context) {
    struct MHD_Daemon *(*start)(
        unsigned int, uint16_t, MHD_AcceptPolicyCallback, void *, MHD_AccessHandlerCallback, void *, ...) =
        (struct MHD_Daemon *(*)(
            unsigned int, uint16_t, MHD_AcceptPolicyCallback, void *, MHD_AccessHandlerCallback, void *, ...))
            library->start;
    return start(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, answer, context,
        MHD_OPTION_LISTEN_SOCKET, listener,
        MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_memory,
        MHD_OPTION_CONNECTION_TIMEOUT, timeout_seconds,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)512 * 1024,
        MHD_OPTION_END);
}
