// Options of jemalloc, where it is the allocator: it reads this variable by name before main.
//
// Freed memory returns to the system within a second. So a burst of calls, or a stranger's flood,
// leaves nothing behind, and resident memory is the memory in use.
extern "C" const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";
