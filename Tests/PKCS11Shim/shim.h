#pragma once
#include <p11-kit/pkcs11.h>
#include <stdint.h>

/* Every function that is counted and can be disturbed; the others go straight to the real module. */
#define SHIM_FUNCTIONS(X)                                                                                      \
    X(C_Initialize) X(C_Finalize) X(C_GetInfo) X(C_GetSlotList) X(C_GetTokenInfo) X(C_GetMechanismInfo)         \
    X(C_OpenSession) X(C_CloseSession) X(C_CloseAllSessions) X(C_GetSessionInfo) X(C_Login) X(C_Logout)         \
    X(C_CreateObject) X(C_DestroyObject) X(C_GetAttributeValue) X(C_FindObjectsInit) X(C_FindObjects)           \
    X(C_FindObjectsFinal) X(C_EncryptInit) X(C_Encrypt) X(C_DecryptInit) X(C_Decrypt) X(C_GenerateKey)          \
    X(C_WrapKey) X(C_UnwrapKey)

enum shim_function {
#define X(name) SHIM_##name,
    SHIM_FUNCTIONS(X)
#undef X
    SHIM_FUNCTION_COUNT
};

enum shim_gauge {
    SHIM_OPEN_SESSIONS = SHIM_FUNCTION_COUNT, /* now */
    SHIM_MOST_SESSIONS,                       /* at once, ever */
    SHIM_OPEN_FINDS,
    SHIM_OBJECTS,   /* session objects */
    SHIM_EMPTY_IVS, /* AES-GCM operations that were begun without an IV */
    SHIM_HANGING,   /* calls */
    SHIM_FAULTS,    /* actions that took place */
    SHIM_SCRIPTS,   /* times that a script was read */
    SHIM_COUNTER_COUNT
};

enum shim_iv { IV_CALLER, IV_WRITTEN, IV_APPENDED, IV_FIXED };
enum shim_keywrap { KEYWRAP_NONE, KEYWRAP_RFC5649, KEYWRAP_PKCS7 };

#define SHIM_MAX_SETTINGS 8

struct shim_settings {
    enum shim_iv iv;
    int zeros;
    CK_FLAGS token_flags;
    unsigned long slots;
    unsigned long slot_count;
    int rotate;
    CK_MECHANISM_TYPE hidden[SHIM_MAX_SETTINGS], refused[SHIM_MAX_SETTINGS];
    struct { CK_MECHANISM_TYPE mechanism; CK_FLAGS flags; } flags[SHIM_MAX_SETTINGS];
    struct { CK_MECHANISM_TYPE mechanism; enum shim_keywrap kind; } keywraps[SHIM_MAX_SETTINGS];
    int hidden_count, refused_count, flags_count, keywrap_count;
};

/* The real module. */
extern CK_FUNCTION_LIST_PTR shim_real;

/* Counters, in memory that is shared with whoever reads the file. */
void shim_count(int counter, int64_t change);
void shim_gauge_set(int counter, int64_t value);

/* Counts a call and does what the script says: 1 when *code is to be returned instead of making the call. */
int shim_gate(enum shim_function function, CK_SESSION_HANDLE session, CK_RV *code);
struct shim_settings shim_settings_now(void);
enum shim_keywrap shim_keywrap_of(const struct shim_settings *settings, CK_MECHANISM_TYPE mechanism);
int shim_has(const CK_MECHANISM_TYPE *list, int count, CK_MECHANISM_TYPE mechanism);
/* While no call is in the real module. */
void shim_exclusively(void (*body)(CK_SESSION_HANDLE), CK_SESSION_HANDLE session);
/* After C_Finalize: what died is alive again. */
void shim_revive(void);

/* Sessions, their searches, objects and operations. */
struct shim_operation {
    enum shim_keywrap keywrap;
    CK_OBJECT_HANDLE key;
    enum shim_iv iv_kind;
    CK_BYTE_PTR caller_iv;
    unsigned long caller_iv_length;
    CK_BYTE iv[16];
    unsigned long iv_length;
};
void shim_session_opened(CK_SESSION_HANDLE session, CK_SLOT_ID slot);
void shim_session_closed(CK_SESSION_HANDLE session);
void shim_sessions_closed(CK_SLOT_ID slot, int all);
void shim_sessions_drop(CK_SESSION_HANDLE any);
void shim_find(CK_SESSION_HANDLE session, int active);
void shim_object_made(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object);
void shim_object_gone(CK_OBJECT_HANDLE object);
void shim_operation_set(CK_SESSION_HANDLE session, const struct shim_operation *operation);
struct shim_operation shim_operation_take(CK_SESSION_HANDLE session);

/* Functions that do more than to pass on. */
CK_RV shim_encrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key);
CK_RV shim_encrypt(
    CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR output, CK_ULONG_PTR output_length);
CK_RV shim_decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key);
CK_RV shim_decrypt(
    CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR output, CK_ULONG_PTR output_length);
CK_RV shim_keywrap_encrypt(
    CK_SESSION_HANDLE session, enum shim_keywrap kind, CK_OBJECT_HANDLE key, CK_BYTE_PTR data, CK_ULONG length,
    CK_BYTE_PTR output, CK_ULONG_PTR output_length);
CK_RV shim_keywrap_decrypt(
    CK_SESSION_HANDLE session, enum shim_keywrap kind, CK_OBJECT_HANDLE key, CK_BYTE_PTR data, CK_ULONG length,
    CK_BYTE_PTR output, CK_ULONG_PTR output_length);
