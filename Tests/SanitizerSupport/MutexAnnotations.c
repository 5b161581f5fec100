#include "SanitizerSupport.h"

/* Swift 6.3's Synchronization.Mutex takes a free lock in code of ours, which ThreadSanitizer sees; but waiting for a lock
 * that is held happens in libswiftSynchronization, which is not built for it. Each Mutex for which two threads competed
 * would be reported as a race. These functions stand in front of the library's and say what they do. */
#if __has_feature(thread_sanitizer)

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

extern void __tsan_acquire(void *address);
extern void __tsan_release(void *address);

typedef __attribute__((swiftcall)) void lock_function(uint32_t thread, __attribute__((swift_context)) void *mutex);
typedef __attribute__((swiftcall)) void unlock_function(__attribute__((swift_context)) void *mutex);

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

lock_function lock_slow __asm__(LOCK_SLOW);
unlock_function unlock_slow __asm__(UNLOCK_SLOW);

static lock_function *next_lock;
static unlock_function *next_unlock;

/* Before any thread exists. Without the library's functions the results would mean nothing. */
__attribute__((constructor)) static void find_functions(void) {
    next_lock = (lock_function *)dlsym(RTLD_NEXT, LOCK_SLOW);
    next_unlock = (unlock_function *)dlsym(RTLD_NEXT, UNLOCK_SLOW);
    if (next_lock == NULL || next_unlock == NULL) abort();
}

__attribute__((swiftcall)) void lock_slow(uint32_t thread, __attribute__((swift_context)) void *mutex) {
    next_lock(thread, mutex);
    __tsan_acquire(mutex);
}

__attribute__((swiftcall)) void unlock_slow(__attribute__((swift_context)) void *mutex) {
    __tsan_release(mutex);
    next_unlock(mutex);
}

#endif
