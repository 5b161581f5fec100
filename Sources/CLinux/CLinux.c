#include "CLinux.h"

#include <link.h>
#include <malloc.h>
#include <string.h>

int trousseau_mlockall_onfault(void) { return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT); }

int trousseau_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -1;
    if (size != sizeof peer) {
        errno = EPROTO;
        return -1;
    }
    *pid = peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}

int trousseau_forbid_dumps(void) {
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) return -1;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int trousseau_is_dumpable(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0); }

int trousseau_raise_memory_lock_limit(uint64_t *bytes) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return -1;
    if (limit.rlim_cur != limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) return -1;
    }
    *bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
    return 0;
}

int trousseau_may_exceed_memory_lock_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return 0;
    const struct rlimit none = {0, limit.rlim_max};
    const size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return 0;
    int locked = 0;
    if (setrlimit(RLIMIT_MEMLOCK, &none) == 0) {
        locked = mlock(page, size) == 0;
        setrlimit(RLIMIT_MEMLOCK, &limit);
    }
    munmap(page, size);
    return locked;
}

int trousseau_epoll_control(int epoll, int how, int fd, uint32_t events, uint64_t identifier) {
    struct epoll_event event = {.events = events, .data = {.u64 = identifier}};
    return epoll_ctl(epoll, how, fd, &event);
}

int trousseau_epoll_wait(int epoll, uint64_t *identifiers, uint32_t *events, int limit, int milliseconds) {
    struct epoll_event ready[64];
    const int count = epoll_wait(epoll, ready, limit < 64 ? limit : 64, milliseconds);
    for (int i = 0; i < count; i++) {
        identifiers[i] = ready[i].data.u64;
        events[i] = ready[i].events;
    }
    return count;
}

struct give_back {
    int relock;
    size_t page;
    size_t bytes;
};

static int give_back_segments(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    struct give_back *work = context;
    /* The vDSO is the kernel's own memory, not a file's. */
    if (object->dlpi_name != NULL && strstr(object->dlpi_name, "linux-vdso") != NULL) return 0;
    /* Code with relocations in it is memory of this process, not the file's: giving it back would lose them. */
    for (int i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
        const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++) {
            if (entry->d_tag == DT_TEXTREL) return 0;
            if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0) return 0;
        }
    }
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) continue;
        const uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(uintptr_t)(work->page - 1);
        const uintptr_t end =
            (object->dlpi_addr + segment->p_vaddr + segment->p_filesz + work->page - 1) & ~(uintptr_t)(work->page - 1);
        /* Locked pages cannot be given back. */
        munlock((void *)start, end - start);
        madvise((void *)start, end - start, MADV_DONTNEED);
        if (work->relock) mlock2((void *)start, end - start, MLOCK_ONFAULT);
        work->bytes += end - start;
    }
    return 0;
}

size_t trousseau_give_back_start_pages(int relock) {
    struct give_back work = {relock, (size_t)sysconf(_SC_PAGESIZE), 0};
    dl_iterate_phdr(give_back_segments, &work);
    malloc_trim(0);
    return work.bytes;
}

void trousseau_limit_malloc_arenas(int count) { mallopt(M_ARENA_MAX, count); }
