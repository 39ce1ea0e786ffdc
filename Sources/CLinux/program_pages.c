#define _GNU_SOURCE 1
#include "clinux.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

/* Whether the dynamic linker has written into the code: those pages exist nowhere else. */
static int has_changed_code(const struct dl_phdr_info *module) {
    for (int i = 0; i < module->dlpi_phnum; i++) {
        if (module->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
        const ElfW(Dyn) *entry =
            (const ElfW(Dyn) *)(module->dlpi_addr + module->dlpi_phdr[i].p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++) {
            if (entry->d_tag == DT_TEXTREL) return 1;
            if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)) return 1;
        }
    }
    return 0;
}

static int leave_code(struct dl_phdr_info *module, size_t size, void *page_bytes) {
    (void)size;
    uintptr_t mask = *(const uintptr_t *)page_bytes - 1;
    if (has_changed_code(module)) return 0;
    for (int i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &module->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X) || (part->p_flags & PF_W)) continue;
        uintptr_t start = module->dlpi_addr + part->p_vaddr;
        uintptr_t end = (start + part->p_memsz + mask) & ~mask;
        start &= ~mask;
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void hubfs_leave_program_pages(void) {
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)dl_iterate_phdr(leave_code, &page_bytes);
}
