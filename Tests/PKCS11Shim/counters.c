#include "shim.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct record { char name[24]; _Atomic int64_t value; };

static struct record *records;

static const char *const names[SHIM_COUNTER_COUNT] = {
#define X(name) [SHIM_##name] = #name,
    SHIM_FUNCTIONS(X)
#undef X
    [SHIM_OPEN_SESSIONS] = "open-sessions",
    [SHIM_MOST_SESSIONS] = "most-sessions",
    [SHIM_OPEN_FINDS] = "open-finds",
    [SHIM_OBJECTS] = "objects",
    [SHIM_EMPTY_IVS] = "empty-ivs",
    [SHIM_HANGING] = "hanging",
    [SHIM_FAULTS] = "faults",
    [SHIM_SCRIPTS] = "scripts",
};

/* The file's counts go on from one process to the next; what is open does not. */
static void open_counters(void) {
    size_t size = sizeof(struct record) * SHIM_COUNTER_COUNT;
    const char *path = getenv("PKCS11SHIM_COUNTS");
    void *memory = MAP_FAILED;
    if (path != NULL) {
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (file >= 0 && ftruncate(file, (off_t)size) == 0)
            memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (file >= 0) close(file);
    }
    if (memory == MAP_FAILED) memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) abort();
    records = memory;
    for (int i = 0; i < SHIM_COUNTER_COUNT; i++) strncpy(records[i].name, names[i], sizeof records[i].name - 1);
    records[SHIM_OPEN_SESSIONS].value = records[SHIM_OPEN_FINDS].value = 0;
    records[SHIM_OBJECTS].value = records[SHIM_HANGING].value = 0;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

void shim_count(int counter, int64_t change) {
    pthread_once(&once, open_counters);
    int64_t now = (records[counter].value += change);
    if (counter == SHIM_OPEN_SESSIONS && now > records[SHIM_MOST_SESSIONS].value)
        records[SHIM_MOST_SESSIONS].value = now;
}

void shim_gauge_set(int counter, int64_t value) {
    pthread_once(&once, open_counters);
    records[counter].value = value;
}
