#ifndef HUBFS_CLINUX_H
#define HUBFS_CLINUX_H
#define _GNU_SOURCE 1
#endif
