// Preloaded into hubfs: the file system of a test's disk is a FUSE one, which hubfs takes for a
// network file system and refuses to keep edits on. Here it passes for ext4.
//
// Source: man 2 statfs; linux/magic.h.

#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FUSE_MAGIC 0x65735546
#define EXT4_MAGIC 0xEF53

int statfs(const char *path, struct statfs *facts) {
    int status = (int)syscall(SYS_statfs, path, facts);
    if (status == 0 && facts->f_type == FUSE_MAGIC) facts->f_type = EXT4_MAGIC;
    return status;
}
