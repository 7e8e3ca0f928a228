/* Preloaded: kills its process, or fails, at the SHIM_AT-th write, fsync, rename, link, unlink or
truncation below the folder SHIM_MATCH.

SHIM_MODE  before: killed instead of the call; torn: half of a write is done first; after: the call
           is done first; a number: the call fails with that errno, and so does every later one.
SHIM_LOG   a file to which every such call is appended, one line each: its kind and path.
SHIM_JUMP  seconds by which the clock of the day jumps at every look, forth and back. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long count = 0;

enum { GO, FAIL, TORN, AFTER };

static void end(void) { syscall(SYS_kill, syscall(SYS_getpid), SIGKILL); }

static int look(const char *kind, const char *path) {
    const char *match = getenv("SHIM_MATCH"), *log = getenv("SHIM_LOG");
    const char *at = getenv("SHIM_AT"), *mode = getenv("SHIM_MODE");
    if (!match || strncmp(path, match, strlen(match))) return GO;
    count++;
    if (log) {
        char line[5000];
        int n = snprintf(line, sizeof line, "%s %s\n", kind, path);
        int fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        syscall(SYS_write, fd, line, n);
        syscall(SYS_close, fd);
    }
    if (!at || !mode || count < atol(at)) return GO;
    if (atoi(mode)) { errno = atoi(mode); return FAIL; }
    if (count > atol(at)) return GO;
    if (!strcmp(mode, "torn")) return TORN;
    if (!strcmp(mode, "after")) return AFTER;
    end();
    return GO;
}

static int look_at(const char *kind, int fd) {
    char name[64], path[4097];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, path, sizeof path - 1);
    if (n < 0) return GO;
    path[n] = 0;
    return look(kind, path);
}

#define REAL(type, name, ...) \
    type (*real)(__VA_ARGS__) = (type (*)(__VA_ARGS__)) dlsym(RTLD_NEXT, name)
#define ACT(found, call)            \
    {                               \
        if (found == FAIL) return -1; \
        __typeof__(call) done = call; \
        if (found != GO) end();       \
        return done;                  \
    }

ssize_t write(int fd, const void *data, size_t n) {
    REAL(ssize_t, "write", int, const void *, size_t);
    int found = look_at("write", fd);
    ACT(found, real(fd, data, found == TORN ? n / 2 : n))
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    int found = look_at("pwrite", fd);
    ACT(found, real(fd, data, found == TORN ? n / 2 : n, at))
}
ssize_t pwrite64(int fd, const void *data, size_t n, off_t at) { return pwrite(fd, data, n, at); }
int fsync(int fd) {
    REAL(int, "fsync", int);
    int found = look_at("fsync", fd);
    ACT(found, real(fd))
}
int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    int found = look_at("fsync", fd);
    ACT(found, real(fd))
}
int ftruncate(int fd, off_t n) {
    REAL(int, "ftruncate", int, off_t);
    int found = look_at("truncate", fd);
    ACT(found, real(fd, n))
}
int ftruncate64(int fd, off_t n) { return ftruncate(fd, n); }
int rename(const char *a, const char *b) {
    REAL(int, "rename", const char *, const char *);
    int found = look("rename", b);
    ACT(found, real(a, b))
}
int link(const char *a, const char *b) {
    REAL(int, "link", const char *, const char *);
    int found = look("link", b);
    ACT(found, real(a, b))
}
int unlink(const char *a) {
    REAL(int, "unlink", const char *);
    int found = look("unlink", a);
    ACT(found, real(a))
}

static long jump(void) {
    static long looks = 0;
    const char *by = getenv("SHIM_JUMP");
    return by ? (looks++ % 2 ? -atol(by) : atol(by)) : 0;
}
int clock_gettime(clockid_t clock, struct timespec *t) {
    int done = syscall(SYS_clock_gettime, clock, t);
    if (!done && clock == CLOCK_REALTIME) t->tv_sec += jump();
    return done;
}
int gettimeofday(struct timeval *t, void *zone) {
    (void) zone;
    struct timespec now;
    int done = clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return done;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
