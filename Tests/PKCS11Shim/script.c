#include "shim.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum action { RETURN, DIE, DROP, LOGOUT, DELAY, HANG };

struct rule {
    int function; /* -1: any */
    unsigned long first, last, calls;
    enum action action;
    unsigned long argument;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rule rules[64];
static int rule_count;
static struct shim_settings settings;
static struct stat seen;
static unsigned long generation;
static CK_RV dead = CKR_OK;

static const char *const names[] = {
#define X(name) #name,
    SHIM_FUNCTIONS(X)
#undef X
};

static int parse_function(const char *word) {
    for (int i = 0; i < SHIM_FUNCTION_COUNT; i++)
        if (strcmp(word, names[i]) == 0) return i;
    if (strcmp(word, "*") == 0) return -1;
    return -2;
}

static void parse_range(const char *word, struct rule *rule) {
    char *end;
    rule->first = 1;
    rule->last = ~0UL;
    if (strcmp(word, "*") == 0) return;
    rule->first = rule->last = strtoul(word, &end, 10);
    if (*end == '+') rule->last = ~0UL;
    if (*end == '-') rule->last = strtoul(end + 1, NULL, 10);
}

static int parse_action(const char *word, enum action *action) {
    static const char *const words[] = {"return", "die", "drop", "logout", "delay", "hang"};
    for (int i = 0; i < 6; i++)
        if (strcmp(word, words[i]) == 0) {
            *action = (enum action)i;
            return 1;
        }
    return 0;
}

static int parse_setting(const char *name, const char *a, const char *b) {
    unsigned long number = strtoul(a, NULL, 0);
    if (strcmp(name, "iv") == 0) {
        settings.iv = strcmp(a, "written") == 0    ? IV_WRITTEN
                      : strcmp(a, "appended") == 0 ? IV_APPENDED
                      : strcmp(a, "fixed") == 0    ? IV_FIXED
                                                   : IV_CALLER;
    } else if (strcmp(name, "zeros") == 0) {
        settings.zeros = 1;
    } else if (strcmp(name, "hide") == 0 && settings.hidden_count < SHIM_MAX_SETTINGS) {
        settings.hidden[settings.hidden_count++] = number;
    } else if (strcmp(name, "refuse") == 0 && settings.refused_count < SHIM_MAX_SETTINGS) {
        settings.refused[settings.refused_count++] = number;
    } else if (strcmp(name, "flags") == 0 && settings.flags_count < SHIM_MAX_SETTINGS) {
        settings.flags[settings.flags_count].mechanism = number;
        settings.flags[settings.flags_count++].flags = strtoul(b, NULL, 0);
    } else if (strcmp(name, "keywrap") == 0 && settings.keywrap_count < SHIM_MAX_SETTINGS) {
        settings.keywraps[settings.keywrap_count].mechanism = number;
        settings.keywraps[settings.keywrap_count++].kind =
            strcmp(b, "pkcs7") == 0 ? KEYWRAP_PKCS7 : KEYWRAP_RFC5649;
    } else if (strcmp(name, "tokenflags") == 0) {
        settings.token_flags = number;
    } else if (strcmp(name, "slots") == 0) {
        settings.slots = number;
    } else if (strcmp(name, "slotcount") == 0) {
        settings.slot_count = number;
    } else if (strcmp(name, "rotate") == 0) {
        settings.rotate = 1;
    } else {
        return 0;
    }
    return 1;
}

static void parse_line(char *line) {
    char word[5][64] = {{0}};
    int count = sscanf(line, "%63s %63s %63s %63s %63s", word[0], word[1], word[2], word[3], word[4]);
    if (count <= 0 || word[0][0] == '#') return;
    if (strcmp(word[0], "set") == 0 && parse_setting(word[1], word[2], word[3])) return;
    if (strcmp(word[0], "at") == 0 && rule_count < 64) {
        struct rule *rule = &rules[rule_count];
        memset(rule, 0, sizeof *rule);
        rule->function = parse_function(word[1]);
        parse_range(word[2], rule);
        rule->argument = strtoul(word[4], NULL, 0);
        if (rule->function != -2 && parse_action(word[3], &rule->action)) {
            rule_count++;
            return;
        }
    }
    /* A test with a misspelt script must not pass. */
    fprintf(stderr, "PKCS11Shim: cannot read: %s", line);
    abort();
}

/* Reads the script if it is another one than before. With the lock held. */
static void refresh(void) {
    const char *path = getenv("PKCS11SHIM_SCRIPT");
    struct stat now;
    memset(&now, 0, sizeof now);
    if (path != NULL && stat(path, &now) != 0) memset(&now, 0, sizeof now);
    if (now.st_ino == seen.st_ino && now.st_size == seen.st_size && now.st_mtim.tv_sec == seen.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == seen.st_mtim.tv_nsec)
        return;
    seen = now;
    generation++;
    rule_count = 0;
    memset(&settings, 0, sizeof settings);
    FILE *file = now.st_ino == 0 ? NULL : fopen(path, "re");
    if (file != NULL) {
        char line[512];
        while (fgets(line, sizeof line, file) != NULL) parse_line(line);
        fclose(file);
    }
    shim_count(SHIM_SCRIPTS, 1);
}

static void wait_milliseconds(unsigned long milliseconds) {
    struct timespec time = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000};
    while (nanosleep(&time, &time) != 0) {}
}

static void hang(void) {
    unsigned long since = generation;
    shim_count(SHIM_HANGING, 1);
    while (generation == since) {
        pthread_mutex_unlock(&lock);
        wait_milliseconds(5);
        pthread_mutex_lock(&lock);
        refresh();
    }
    shim_count(SHIM_HANGING, -1);
}

static void end_login(CK_SESSION_HANDLE session) {
    if (session != 0) (void)shim_real->C_Logout(session);
}

static int applies(const struct rule *rule, enum shim_function function) {
    return rule->function == -1 || rule->function == (int)function;
}

int shim_gate(enum shim_function function, CK_SESSION_HANDLE session, CK_RV *code) {
    int answered = 0, drop = 0, logout = 0;
    unsigned long delay = 0;
    shim_count(function, 1);
    pthread_mutex_lock(&lock);
    refresh();
    if (dead != CKR_OK && function != SHIM_C_Initialize && function != SHIM_C_Finalize) {
        *code = dead;
        answered = 1;
    }
    for (int i = 0; i < rule_count; i++)
        if (applies(&rules[i], function)) rules[i].calls++;
    for (int i = 0; i < rule_count && !answered; i++) {
        struct rule *rule = &rules[i];
        if (!applies(rule, function) || rule->calls < rule->first || rule->calls > rule->last) continue;
        shim_count(SHIM_FAULTS, 1);
        switch (rule->action) {
        case DIE: dead = rule->argument; /* and as below */
        case RETURN:
            *code = rule->argument;
            answered = 1;
            break;
        case DROP: drop = 1; break;
        case LOGOUT: logout = 1; break;
        case DELAY: delay += rule->argument; break;
        case HANG:
            hang();
            i = rule_count; /* Another script by now. */
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    if (delay > 0) wait_milliseconds(delay);
    if (drop) shim_exclusively(shim_sessions_drop, session);
    if (logout) shim_exclusively(end_login, session);
    return answered;
}

void shim_revive(void) {
    pthread_mutex_lock(&lock);
    dead = CKR_OK;
    pthread_mutex_unlock(&lock);
}

struct shim_settings shim_settings_now(void) {
    pthread_mutex_lock(&lock);
    refresh();
    struct shim_settings copy = settings;
    pthread_mutex_unlock(&lock);
    return copy;
}

int shim_has(const CK_MECHANISM_TYPE *list, int count, CK_MECHANISM_TYPE mechanism) {
    for (int i = 0; i < count; i++)
        if (list[i] == mechanism) return 1;
    return 0;
}

enum shim_keywrap shim_keywrap_of(const struct shim_settings *settings, CK_MECHANISM_TYPE mechanism) {
    for (int i = 0; i < settings->keywrap_count; i++)
        if (settings->keywraps[i].mechanism == mechanism) return settings->keywraps[i].kind;
    return KEYWRAP_NONE;
}
