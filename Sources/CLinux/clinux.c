#define _GNU_SOURCE 1
#include "clinux.h"

#include <spawn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "hubfs needs 64-bit file offsets");

uint64_t *hubfs_held_lock_ranks(void) {
    static _Thread_local uint64_t ranks;
    return &ranks;
}

void hubfs_set_thread_name(const char *name) {
    (void)pthread_setname_np(pthread_self(), name);
}

int hubfs_syncfs(int fd) { return syncfs(fd); }

int hubfs_fallocate(int fd, int mode, int64_t offset, int64_t length) {
    return fallocate(fd, mode, offset, length);
}

int64_t hubfs_seek_data(int fd, int64_t offset) { return lseek(fd, offset, SEEK_DATA); }
int64_t hubfs_seek_hole(int fd, int64_t offset) { return lseek(fd, offset, SEEK_HOLE); }

int hubfs_statfs(const char *path, int64_t *kind, uint64_t *total, uint64_t *available) {
    struct statfs facts;
    int status = statfs(path, &facts);
    if (status == 0) {
        *kind = facts.f_type;
        *total = (uint64_t)facts.f_blocks * facts.f_bsize;
        *available = (uint64_t)facts.f_bavail * facts.f_bsize;
    }
    return status;
}

void hubfs_limit_malloc(int arena_count_max, int mmap_threshold, int trim_threshold) {
    (void)mallopt(M_ARENA_MAX, arena_count_max);
    (void)mallopt(M_MMAP_THRESHOLD, mmap_threshold);
    (void)mallopt(M_TRIM_THRESHOLD, trim_threshold);
}

void hubfs_trim_malloc(void) { (void)malloc_trim(0); }

int hubfs_ioctl_pointer(int fd, unsigned long request, void *argument) {
    return ioctl(fd, request, argument);
}

uint32_t hubfs_major(uint64_t device) { return major(device); }
uint32_t hubfs_minor(uint64_t device) { return minor(device); }

int hubfs_fork(void) { return fork(); }
int hubfs_unshare(int flags) { return unshare(flags); }

int hubfs_set_parent_death_signal(int signal) {
    return prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0UL, 0UL, 0UL);
}

int hubfs_spawn_close_from(void *actions, int lowest_fd) {
    return posix_spawn_file_actions_addclosefrom_np(actions, lowest_fd);
}
