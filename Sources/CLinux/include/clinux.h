// Linux calls that Swift cannot import: variadics, function-like macros, and what Glibc hides
// behind _GNU_SOURCE. No logic; each wrapper says why it is here. System headers stay out of this
// file, or their types would exist twice in Swift: here and in Glibc.
#ifndef HUBFS_CLINUX_H
#define HUBFS_CLINUX_H

#include <stddef.h>
#include <stdint.h>

/// Ranks of the locks this thread holds, one bit each. Swift has no thread-local variables.
uint64_t *_Nonnull hubfs_held_lock_ranks(void);

/// pthread_setname_np for the calling thread; hidden behind _GNU_SOURCE. 15 characters count.
void hubfs_set_thread_name(const char *_Nonnull name);

/// fallocate; hidden behind _GNU_SOURCE. Answers -1 and sets errno.
int hubfs_fallocate(int fd, int mode, int64_t offset, int64_t length);

/// lseek with SEEK_DATA or SEEK_HOLE; the constants are hidden behind _GNU_SOURCE.
int64_t hubfs_seek_data(int fd, int64_t offset);
int64_t hubfs_seek_hole(int fd, int64_t offset);

/// syncfs; hidden behind _GNU_SOURCE. Answers -1 and sets errno.
int hubfs_syncfs(int fd);

/// statfs; its structure and constants are not in Swift's Glibc module. Sizes in bytes. Answers -1
/// and sets errno.
int hubfs_statfs(const char *_Nonnull path, int64_t *_Nonnull kind, uint64_t *_Nonnull total,
                 uint64_t *_Nonnull available);

/// posix_spawn_file_actions_addclosefrom_np; hidden behind _GNU_SOURCE. `actions` is a
/// posix_spawn_file_actions_t. Answers an errno, 0 if it went well.
int hubfs_spawn_close_from(void *_Nonnull actions, int lowest_fd);

/// fork; Swift's Glibc module forbids it, for programs with threads. Answers -1 and sets errno.
int hubfs_fork(void);

/// unshare; hidden behind _GNU_SOURCE. Answers -1 and sets errno.
int hubfs_unshare(int flags);

/// prctl with PR_SET_PDEATHSIG; variadic. Answers -1 and sets errno.
int hubfs_set_parent_death_signal(int signal);

/// mallopt with M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD; malloc.h is not in Swift's
/// Glibc module. The last two in bytes.
void hubfs_limit_malloc(int arena_count_max, int mmap_threshold, int trim_threshold);

/// malloc_trim, from the same header.
void hubfs_trim_malloc(void);

/// Takes the code of the program and its libraries out of the process's memory. What is used again comes
/// from their files, which the kernel has in its page cache as a rule. Code that the dynamic linker has
/// changed stays. Sources: man 3 dl_iterate_phdr, man 2 madvise (MADV_DONTNEED), man 5 elf.
void hubfs_leave_program_pages(void);

/// ioctl is variadic.
int hubfs_ioctl_pointer(int fd, unsigned long request, void *_Nullable argument);

/// major and minor are function-like macros.
uint32_t hubfs_major(uint64_t device);
uint32_t hubfs_minor(uint64_t device);

/// CRC32C (Castagnoli) of `count` bytes, continued from `crc`; 0 starts. Written in C for the
/// processor's CRC32 instruction, which Swift offers no intrinsic for.
uint32_t hubfs_crc32c(uint32_t crc, const void *_Nullable bytes, size_t count);

#endif
