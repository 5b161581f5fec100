#include "shim.h"

#include <pthread.h>
#include <string.h>

struct session {
    CK_SESSION_HANDLE handle;
    CK_SLOT_ID slot;
    int is_open, finds;
    struct shim_operation operation;
};

struct object { CK_SESSION_HANDLE session; CK_OBJECT_HANDLE handle; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct session sessions[4096];
static struct object objects[4096];

/* With the lock held; NULL when it is not known. */
static struct session *find(CK_SESSION_HANDLE handle) {
    for (int i = 0; i < 4096; i++)
        if (sessions[i].is_open && sessions[i].handle == handle) return &sessions[i];
    return NULL;
}

static void forget(struct session *session) {
    for (int i = 0; i < 4096; i++)
        if (objects[i].handle != 0 && objects[i].session == session->handle) {
            objects[i].handle = 0;
            shim_count(SHIM_OBJECTS, -1);
        }
    if (session->finds) shim_count(SHIM_OPEN_FINDS, -1);
    memset(session, 0, sizeof *session);
    shim_count(SHIM_OPEN_SESSIONS, -1);
}

void shim_session_opened(CK_SESSION_HANDLE handle, CK_SLOT_ID slot) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < 4096; i++)
        if (!sessions[i].is_open) {
            sessions[i] = (struct session){.handle = handle, .slot = slot, .is_open = 1};
            shim_count(SHIM_OPEN_SESSIONS, 1);
            break;
        }
    pthread_mutex_unlock(&lock);
}

void shim_session_closed(CK_SESSION_HANDLE handle) {
    pthread_mutex_lock(&lock);
    struct session *session = find(handle);
    if (session != NULL) forget(session);
    pthread_mutex_unlock(&lock);
}

void shim_sessions_closed(CK_SLOT_ID slot, int all) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < 4096; i++)
        if (sessions[i].is_open && (all || sessions[i].slot == slot)) forget(&sessions[i]);
    pthread_mutex_unlock(&lock);
}

void shim_sessions_drop(CK_SESSION_HANDLE any) {
    (void)any;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < 4096; i++)
        if (sessions[i].is_open) {
            (void)shim_real->C_CloseSession(sessions[i].handle);
            forget(&sessions[i]);
        }
    pthread_mutex_unlock(&lock);
}

void shim_find(CK_SESSION_HANDLE handle, int active) {
    pthread_mutex_lock(&lock);
    struct session *session = find(handle);
    if (session != NULL && session->finds != active) {
        session->finds = active;
        shim_count(SHIM_OPEN_FINDS, active ? 1 : -1);
    }
    pthread_mutex_unlock(&lock);
}

void shim_object_made(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < 4096; i++)
        if (objects[i].handle == 0) {
            objects[i] = (struct object){session, object};
            shim_count(SHIM_OBJECTS, 1);
            break;
        }
    pthread_mutex_unlock(&lock);
}

void shim_object_gone(CK_OBJECT_HANDLE object) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < 4096; i++)
        if (objects[i].handle == object) {
            objects[i].handle = 0;
            shim_count(SHIM_OBJECTS, -1);
        }
    pthread_mutex_unlock(&lock);
}

void shim_operation_set(CK_SESSION_HANDLE handle, const struct shim_operation *operation) {
    pthread_mutex_lock(&lock);
    struct session *session = find(handle);
    if (session != NULL) session->operation = *operation;
    pthread_mutex_unlock(&lock);
}

struct shim_operation shim_operation_take(CK_SESSION_HANDLE handle) {
    struct shim_operation operation;
    memset(&operation, 0, sizeof operation);
    pthread_mutex_lock(&lock);
    struct session *session = find(handle);
    if (session != NULL) {
        operation = session->operation;
        memset(&session->operation, 0, sizeof session->operation);
    }
    pthread_mutex_unlock(&lock);
    return operation;
}
