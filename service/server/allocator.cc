// How the program's allocator works where it is jemalloc, which reads this by name before main.
//
// Memory that was freed goes back to the system within a second, so that what a burst of calls or a
// stranger's flood took is not kept, and resident memory says what is in use.
extern "C" const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";
