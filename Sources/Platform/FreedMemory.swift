import CLinux

/// Gives back to the system what was freed between blocks that are still in use: after work that
/// had many small objects, which leave no large piece at the end of the heap.
///
/// Takes milliseconds, and other threads' allocations wait. Source: man 3 malloc_trim.
package func returnFreedMemory() { hubfs_trim_malloc() }

/// Gives back the pages of the program, when a part of its work is done that will not come again: they are
/// most of what a process holds that has just begun. What is used later comes back by itself, 16 pages at
/// once.
///
/// Costs half a millisecond, most of it when pages come back. Other threads may run meanwhile.
package func returnProgramPages() { hubfs_leave_program_pages() }
