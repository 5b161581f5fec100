#pragma once
/* What Swift's Glibc module leaves out: interfaces behind _GNU_SOURCE, and macros with arguments. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

/* Locks all present and future pages of the process as they are touched. 0, or -1 with errno. */
int trousseau_mlockall_onfault(void);

/* SO_PEERCRED of a connected Unix socket. 0, or -1 with errno. */
int trousseau_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid);

/* No core dump, and no ptrace by others of the same user. 0, or -1 with errno. */
int trousseau_forbid_dumps(void);

/* Whether the process may be dumped and traced: 0 after trousseau_forbid_dumps. -1 with errno. */
int trousseau_is_dumpable(void);

/* Raises RLIMIT_MEMLOCK's soft limit to the hard one; that limit in bytes, UINT64_MAX when there is none. 0, or -1 with
 * errno. */
int trousseau_raise_memory_lock_limit(uint64_t *bytes);

/* 1 if this process may lock memory beyond RLIMIT_MEMLOCK, 0 if not. Tried rather than looked up: inside a user
 * namespace CAP_IPC_LOCK is shown as held but counts for nothing. Lowers the soft limit for the moment of the trial. */
int trousseau_may_exceed_memory_lock_limit(void);

/* epoll_ctl(2) with an identifier of the caller's: epoll_event is a packed structure that Swift does not import. `how` is
 * EPOLL_CTL_…, `events` EPOLL…. 0, or -1 with errno. */
int trousseau_epoll_control(int epoll, int how, int fd, uint32_t events, uint64_t identifier);

/* epoll_wait(2): at most `limit` (up to 64) identifiers and their events. How many, or -1 with errno. */
int trousseau_epoll_wait(int epoll, uint64_t *identifiers, uint32_t *events, int limit, int milliseconds);

/* What trousseau_epoll_control and trousseau_epoll_wait take and give. */
enum {
    TROUSSEAU_EPOLLIN = EPOLLIN,
    TROUSSEAU_EPOLLHUP = EPOLLHUP | EPOLLRDHUP | EPOLLERR,
};
static const uint32_t TROUSSEAU_EPOLLET = EPOLLET;

/* Gives back the pages of the program's and its libraries' code and constants that are in memory: start-up has touched
 * many that serving never does. They are read again from their files when they are used, and locked then if all memory
 * is (`relock`). Only segments that are never written are touched, under the dynamic linker's own lock, so that nothing
 * is loaded or unloaded meanwhile. Also gives free heap memory back. Returns the number of bytes looked at. */
size_t trousseau_give_back_start_pages(int relock);

/* At most so many arenas for malloc: each thread would get one of its own, which keeps its own free memory. Call it
 * before there are threads. */
void trousseau_limit_malloc_arenas(int count);
