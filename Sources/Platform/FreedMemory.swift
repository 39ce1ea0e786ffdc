import CLinux

/// Gives back to the system what was freed between blocks that are still in use: after work that
/// had many small objects, which leave no large piece at the end of the heap.
///
/// Takes milliseconds, and other threads' allocations wait. Source: man 3 malloc_trim.
package func returnFreedMemory() { hubfs_trim_malloc() }
