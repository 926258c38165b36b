// The programs' allocator is jemalloc: the tensors of a step have the sizes of those of the step before, and get their
// blocks, where glibc joins what was freed and cuts it anew.

extern "C" {
/// What jemalloc reads when it starts. Freed pages stay with the process, for the next step needs them; they are huge
/// ones where the system has any, for weights and states of many megabytes are read once a step, and looking up their
/// small pages takes as long as a tenth of it. One arena: few threads allocate, and jemalloc 5.3 crashes where there is
/// no memory for another one.
extern const char* const malloc_conf;
const char* const malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always,narenas:1";
}
