#include "PKCS11Shim.h"
#include "shim.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CK_FUNCTION_LIST_PTR shim_real;

static CK_FUNCTION_LIST list;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/*
 * Calls hold it for reading; what closes sessions behind the caller's back holds it for writing, since SoftHSM crashes
 * when a session ends under a call.
 */
static pthread_rwlock_t calls = PTHREAD_RWLOCK_INITIALIZER;

#define PASS(call)                                                            \
    do {                                                                      \
        pthread_rwlock_rdlock(&calls);                                        \
        code = (call);                                                        \
        pthread_rwlock_unlock(&calls);                                        \
    } while (0)

void shim_exclusively(void (*body)(CK_SESSION_HANDLE), CK_SESSION_HANDLE session) {
    pthread_rwlock_wrlock(&calls);
    body(session);
    pthread_rwlock_unlock(&calls);
}

#define GATE(name, session)                                                   \
    CK_RV code;                                                               \
    if (shim_gate(SHIM_##name, session, &code)) return code

/* The real module's number of a slot; ~0 when there is none. */
static CK_SLOT_ID real_slot(CK_SLOT_ID slot) {
    struct shim_settings settings = shim_settings_now();
    if (slot < settings.slots) return ~0UL;
    slot -= settings.slots;
    CK_SLOT_ID all[64];
    CK_ULONG count = 64;
    if (!settings.rotate || shim_real->C_GetSlotList(CK_TRUE, all, &count) != CKR_OK) return slot;
    for (CK_ULONG i = 0; i < count; i++)
        if (all[i] == slot) return all[(i + 1) % count];
    return slot;
}

/* NSS takes its parameters in a field that it has put before pReserved. */
struct nss_arguments { CK_C_INITIALIZE_ARGS standard; void *reserved; };

static CK_RV initialize(void *arguments) {
    GATE(C_Initialize, 0);
    struct nss_arguments own;
    char *parameters = getenv("PKCS11SHIM_PARAMETERS");
    if (parameters != NULL) {
        memset(&own, 0, sizeof own);
        if (arguments != NULL) own.standard = *(CK_C_INITIALIZE_ARGS *)arguments;
        own.standard.pReserved = parameters;
        arguments = &own;
    }
    PASS(shim_real->C_Initialize(arguments));
    return code;
}

static CK_RV finalize(void *reserved) {
    GATE(C_Finalize, 0);
    PASS(shim_real->C_Finalize(reserved));
    if (code == CKR_OK) shim_sessions_closed(0, 1);
    shim_revive();
    return code;
}

static CK_RV get_info(CK_INFO_PTR info) {
    GATE(C_GetInfo, 0);
    PASS(shim_real->C_GetInfo(info));
    return code;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count) {
    GATE(C_GetSlotList, 0);
    PASS(shim_real->C_GetSlotList(present, slots, count));
    if (code == CKR_OK && slots != NULL)
        for (CK_ULONG i = 0; i < *count; i++) slots[i] += shim_settings_now().slots;
    if (code == CKR_OK && shim_settings_now().slot_count != 0) *count = shim_settings_now().slot_count;
    return code;
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info) {
    GATE(C_GetTokenInfo, 0);
    PASS(shim_real->C_GetTokenInfo(real_slot(slot), info));
    if (code == CKR_OK) info->flags |= shim_settings_now().token_flags;
    return code;
}

static CK_RV get_mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info) {
    GATE(C_GetMechanismInfo, 0);
    struct shim_settings settings = shim_settings_now();
    if (shim_has(settings.hidden, settings.hidden_count, type)) return CKR_MECHANISM_INVALID;
    PASS(shim_real->C_GetMechanismInfo(real_slot(slot), type, info));
    if (shim_keywrap_of(&settings, type) != KEYWRAP_NONE) {
        info->flags = CKF_ENCRYPT | CKF_DECRYPT;
        code = CKR_OK;
    }
    for (int i = 0; i < settings.flags_count; i++)
        if (settings.flags[i].mechanism == type) {
            info->flags = settings.flags[i].flags;
            code = CKR_OK;
        }
    return code;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                          CK_SESSION_HANDLE_PTR session) {
    GATE(C_OpenSession, 0);
    slot = real_slot(slot);
    PASS(shim_real->C_OpenSession(slot, flags, application, notify, session));
    if (code == CKR_OK) shim_session_opened(*session, slot);
    return code;
}

static CK_RV close_session(CK_SESSION_HANDLE session) {
    GATE(C_CloseSession, session);
    PASS(shim_real->C_CloseSession(session));
    if (code == CKR_OK) shim_session_closed(session);
    return code;
}

static CK_RV close_all_sessions(CK_SLOT_ID slot) {
    GATE(C_CloseAllSessions, 0);
    slot = real_slot(slot);
    PASS(shim_real->C_CloseAllSessions(slot));
    if (code == CKR_OK) shim_sessions_closed(slot, 0);
    return code;
}

static CK_RV get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR info) {
    GATE(C_GetSessionInfo, session);
    PASS(shim_real->C_GetSessionInfo(session, info));
    return code;
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE_PTR pin, CK_ULONG length) {
    GATE(C_Login, session);
    PASS(shim_real->C_Login(session, user, pin, length));
    return code;
}

static CK_RV logout(CK_SESSION_HANDLE session) {
    GATE(C_Logout, session);
    PASS(shim_real->C_Logout(session));
    return code;
}

static CK_RV create_object(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                           CK_OBJECT_HANDLE_PTR object) {
    GATE(C_CreateObject, session);
    PASS(shim_real->C_CreateObject(session, template, count, object));
    if (code == CKR_OK) shim_object_made(session, *object);
    return code;
}

static CK_RV destroy_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
    GATE(C_DestroyObject, session);
    PASS(shim_real->C_DestroyObject(session, object));
    if (code == CKR_OK) shim_object_gone(object);
    return code;
}

static CK_RV get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                                 CK_ULONG count) {
    GATE(C_GetAttributeValue, session);
    PASS(shim_real->C_GetAttributeValue(session, object, template, count));
    return code;
}

static CK_RV find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count) {
    GATE(C_FindObjectsInit, session);
    PASS(shim_real->C_FindObjectsInit(session, template, count));
    if (code == CKR_OK) shim_find(session, 1);
    return code;
}

static CK_RV find_objects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects, CK_ULONG most, CK_ULONG_PTR count) {
    GATE(C_FindObjects, session);
    PASS(shim_real->C_FindObjects(session, objects, most, count));
    return code;
}

static CK_RV find_objects_final(CK_SESSION_HANDLE session) {
    GATE(C_FindObjectsFinal, session);
    PASS(shim_real->C_FindObjectsFinal(session));
    if (code == CKR_OK) shim_find(session, 0);
    return code;
}

static CK_RV encrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    GATE(C_EncryptInit, session);
    PASS(shim_encrypt_init(session, mechanism, key));
    return code;
}

static CK_RV encrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR output,
                     CK_ULONG_PTR output_length) {
    GATE(C_Encrypt, session);
    PASS(shim_encrypt(session, data, length, output, output_length));
    return code;
}

static CK_RV decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    GATE(C_DecryptInit, session);
    PASS(shim_decrypt_init(session, mechanism, key));
    return code;
}

static CK_RV decrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR output,
                     CK_ULONG_PTR output_length) {
    GATE(C_Decrypt, session);
    PASS(shim_decrypt(session, data, length, output, output_length));
    return code;
}

static CK_RV generate_key(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR template,
                          CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
    GATE(C_GenerateKey, session);
    PASS(shim_real->C_GenerateKey(session, mechanism, template, count, key));
    return code;
}

static CK_RV wrap_key(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping,
                      CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR length) {
    GATE(C_WrapKey, session);
    PASS(shim_real->C_WrapKey(session, mechanism, wrapping, key, wrapped, length));
    return code;
}

static CK_RV unwrap_key(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping,
                        CK_BYTE_PTR wrapped, CK_ULONG length, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                        CK_OBJECT_HANDLE_PTR key) {
    GATE(C_UnwrapKey, session);
    PASS(shim_real->C_UnwrapKey(session, mechanism, unwrapping, wrapped, length, template, count, key));
    if (code == CKR_OK) shim_object_made(session, *key);
    return code;
}

static void load(void) {
    const char *path = getenv("PKCS11SHIM_MODULE");
    void *module = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = module == NULL ? NULL : (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
    if (get == NULL || get(&shim_real) != CKR_OK) {
        fprintf(stderr, "PKCS11Shim: no module at PKCS11SHIM_MODULE: %s\n", path == NULL ? "not set" : dlerror());
        abort();
    }
    list = *shim_real;
    /* Nobody asks for 3.0 functions through this list. */
    list.version.major = 2;
    list.version.minor = 40;
    list.C_GetFunctionList = C_GetFunctionList;
    list.C_Initialize = initialize;
    list.C_Finalize = finalize;
    list.C_GetInfo = get_info;
    list.C_GetSlotList = get_slot_list;
    list.C_GetTokenInfo = get_token_info;
    list.C_GetMechanismInfo = get_mechanism_info;
    list.C_OpenSession = open_session;
    list.C_CloseSession = close_session;
    list.C_CloseAllSessions = close_all_sessions;
    list.C_GetSessionInfo = get_session_info;
    list.C_Login = login;
    list.C_Logout = logout;
    list.C_CreateObject = create_object;
    list.C_DestroyObject = destroy_object;
    list.C_GetAttributeValue = get_attribute_value;
    list.C_FindObjectsInit = find_objects_init;
    list.C_FindObjects = find_objects;
    list.C_FindObjectsFinal = find_objects_final;
    list.C_EncryptInit = encrypt_init;
    list.C_Encrypt = encrypt;
    list.C_DecryptInit = decrypt_init;
    list.C_Decrypt = decrypt;
    list.C_GenerateKey = generate_key;
    list.C_WrapKey = wrap_key;
    list.C_UnwrapKey = unwrap_key;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out) {
    if (out == NULL) return CKR_ARGUMENTS_BAD;
    pthread_once(&once, load);
    *out = &list;
    return CKR_OK;
}
