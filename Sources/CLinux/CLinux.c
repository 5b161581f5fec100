#include "CLinux.h"

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
