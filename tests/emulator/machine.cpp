// Runs translated kernels: the invocations of a workgroup are fibres, which take turns in shuffled order from one
// barrier to the next; workgroups follow each other in shuffled order. Every access to workgroup and storage memory
// is held against those before it. Reads jobs from the file named first, writes results into the second.
//
// A word's accesses conflict if they are of different invocations, one writes, and no barrier for that kind of
// memory lies between; for storage also if they are of different workgroups of one dispatch. Found from
// what each word remembers of its last writer and readers, so that no order of turns hides a race.
#include "shim.hpp"

#include <csetjmp>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

static const u32 MOST_INVOCATIONS = 1024, STACK = 256 << 10, MOST_FAULTS = 12, MOST_LANES = 128, LANE_WORDS = 64;
static const uint16_t SEVERAL = 0xffff;
static const u32 POISON = 0xffffdead; // a NaN, and an integer that no kernel writes

enum State { READY, AT_BARRIER, AT_EXCHANGE, DONE };
struct Fibre {
    State state;
    u32 index, kinds, site, line, path, exchanges, turns;
    bool begun;
    jmp_buf place;
    ucontext_t start;
    char* stack;
    u32 words[2][LANE_WORDS]; // what it hands to its subgroup, one exchange and the next
};

Builtins builtins;
Region bound[32];
Region uniform;
static Fibre fibres[MOST_INVOCATIONS];
static Fibre* current;
static const Kernel* running;
static jmp_buf scheduler;
static bool abandoned; // flow was not uniform: nothing sensible can follow
static uint64_t random_state;

static u32 draw(u32 below) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (u32)(random_state >> 32) % below;
}

static void shuffle(std::vector<u32>& order) {
    for (u32 i = (u32)order.size(); i > 1; i--) std::swap(order[i - 1], order[draw(i)]);
}

// ---- faults: a line each, with the kernel's number and places in its text as {line} ----

static std::vector<std::string> faults;
static std::vector<std::string> known; // kinds and places: each is told once

static void fault(const char* kind, const char* name, u32 line, const char* format, ...) {
    char text[600], key[200];
    snprintf(key, sizeof key, "%s %s %u", kind, name, line);
    for (auto& k : known) if (k == key) return;
    known.push_back(key);
    if (faults.size() >= MOST_FAULTS) return;
    int n = snprintf(text, sizeof text, "%u|%s: invocation %u of workgroup %u,%u,%u ", (u32)(running - kernels), kind, current ? current->index : 0,
                     builtins.workgroup.e[0], builtins.workgroup.e[1], builtins.workgroup.e[2]);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + n, sizeof text - n, format, arguments);
    va_end(arguments);
    faults.push_back(text);
}

void beyond(u32 index, u32 count, u32 line) {
    fault("out of bounds", "variable", line, "takes element %d of %u of its own at {%u}", (i32)index, count, line);
}

// ---- memory ----

// Now, the start of this workgroup, and of this dispatch, in barriers: of workgroup memory, of storage.
static u32 shared_now, shared_first, storage_now, storage_first, dispatch_first, dispatch_number;

Place element(Place array, u32 index, u32 stride, u32 count, u32 line) {
    if (!array.region) return array;
    if (count == 0) count = array_length(array, stride);
    if (index < count) return Place{array.region, array.offset + index * stride};
    fault("out of bounds", array.region->name, line, "takes element %d of the %u of %s at {%u}", (i32)index, count, array.region->name, line);
    return Place{nullptr, 0};
}

static void race(const Region& r, u32 word, const char* does, u32 line, const char* did, u32 by, u32 then) {
    char who[40];
    if (by == SEVERAL) snprintf(who, sizeof who, "others");
    else snprintf(who, sizeof who, "invocation %u", by);
    fault("race", r.name, line, "%s word %u of %s at {%u}, which %s %s at {%u} with no barrier between", does, word, r.name, line, who, did, then);
}

static void race_between_workgroups(const Region& r, u32 word, const char* does, u32 line, const char* did, u32 then) {
    fault("race", r.name, line, "%s word %u of %s at {%u}, which another workgroup %s at {%u}", does, word, r.name, line, did, then);
}

static bool of_other_workgroup(const Region& r, u32 epoch) {
    return r.written && epoch >= dispatch_first && epoch < storage_first;
}

static void note_read(const Region& r, u32 word, u32 line) {
    Shadow& s = r.shadows[word];
    u32 now = r.written ? storage_now : shared_now;
    uint16_t me = (uint16_t)current->index;
    bool written = r.written ? r.written[word] : s.write_epoch >= shared_first;
    if (!written) fault("uninitialised", r.name, line, "reads word %u of %s at {%u}, which nothing has written", word, r.name, line);
    if (s.write_epoch == now && s.writer != me) race(r, word, "reads", line, "wrote", s.writer, s.write_line);
    else if (of_other_workgroup(r, s.write_epoch)) race_between_workgroups(r, word, "reads", line, "wrote", s.write_line);
    if (s.read_epoch != now) {
        if (of_other_workgroup(r, s.read_epoch)) s.read_by_others = dispatch_number;
        s.read_epoch = now;
        s.reader = me;
        s.read_line = line;
    } else if (s.reader != me) {
        s.reader = SEVERAL;
    }
}

static void note_write(const Region& r, u32 word, u32 line) {
    Shadow& s = r.shadows[word];
    u32 now = r.written ? storage_now : shared_now;
    uint16_t me = (uint16_t)current->index;
    if (s.write_epoch == now && s.writer != me) race(r, word, "writes", line, "wrote", s.writer, s.write_line);
    else if (of_other_workgroup(r, s.write_epoch)) race_between_workgroups(r, word, "writes", line, "wrote", s.write_line);
    if (s.read_epoch == now && s.reader != me) race(r, word, "writes", line, "read", s.reader, s.read_line);
    else if (r.written && (s.read_by_others == dispatch_number || of_other_workgroup(r, s.read_epoch)))
        race_between_workgroups(r, word, "writes", line, "read", s.read_line);
    s.write_epoch = now;
    s.writer = me;
    s.write_line = line;
    if (r.written) r.written[word] = 1;
}

static bool inside(Place p, u32 count, u32 line) {
    if (!p.region) return false; // told already
    if ((uint64_t)p.offset + 4ull * count <= p.region->bytes) return true;
    fault("out of bounds", p.region->name, line, "reaches byte %u of the %u of %s at {%u}", p.offset + 4 * count, p.region->bytes, p.region->name, line);
    return false;
}

void load_words(Place p, u32 count, void* into, u32 line) {
    if (!inside(p, count, line)) { memset(into, 0, 4 * count); return; }
    u32 first = p.offset / 4;
    if (p.region->shadows) for (u32 i = 0; i < count; i++) note_read(*p.region, first + i, line);
    memcpy(into, p.region->words + first, 4 * count);
}

void store_words(Place p, u32 count, const void* from, u32 line) {
    if (!inside(p, count, line)) return;
    u32 first = p.offset / 4;
    for (u32 i = 0; i < count; i++) note_write(*p.region, first + i, line);
    memcpy(p.region->words + first, from, 4 * count);
}

// ---- fibres ----

u32 local_index() { return current->index; }

static u32 longest; // turns of all loops that an invocation of the job made at most
void turn() { if (++current->turns > longest) longest = current->turns; }

static void fibre_main() {
    for (;;) {
        running->entry();
        current->state = DONE;
        if (!_setjmp(current->place)) _longjmp(scheduler, 1);
    }
}

static void __attribute__((noinline)) resume(Fibre& f) {
    current = &f;
    if (_setjmp(scheduler)) return;
    if (f.begun) _longjmp(f.place, 1);
    f.begun = true;
    getcontext(&f.start);
    if (!f.stack) f.stack = (char*)malloc(STACK);
    f.start.uc_stack.ss_sp = f.stack;
    f.start.uc_stack.ss_size = STACK;
    f.start.uc_link = nullptr;
    makecontext(&f.start, fibre_main, 0);
    setcontext(&f.start);
}

static void __attribute__((noinline)) wait(State state, u32 kinds, u32 site, u32 line) {
    current->state = state;
    current->kinds = kinds;
    current->site = site;
    current->line = line;
    if (!_setjmp(current->place)) _longjmp(scheduler, 1);
}

void barrier(u32 kinds, u32 site, u32 line) { wait(AT_BARRIER, kinds, site, line); }
u32 enter(u32 site) { u32 path = current->path; current->path = path * 31 + site + 1; return path; }
void leave(u32 path) { current->path = path; }

void exchange(const void* mine, u32 count, u32 site, u32 line) {
    memcpy(current->words[current->exchanges++ % 2], mine, 4 * count);
    wait(AT_EXCHANGE, 0, site, line);
}

void collect(void* into, u32 count, u32 lane, u32 line) {
    u32 width = builtins.subgroup;
    if (lane >= width) { fault("out of bounds", "lane", line, "takes lane %u of a subgroup of %u at {%u}", lane, width, line); lane = 0; }
    memcpy(into, fibres[current->index / width * width + lane].words[(current->exchanges - 1) % 2], 4 * count);
}

// Whether fibres first .. end all wait for the same; otherwise says so.
static bool together(u32 first, u32 end, const char* what) {
    for (u32 i = first; i < end; i++) {
        Fibre &a = fibres[first], &b = fibres[i];
        if (a.state == b.state && a.site == b.site && a.path == b.path) continue;
        Fibre& waiting = a.state == AT_BARRIER || a.state == AT_EXCHANGE ? a : b;
        Fibre& other = &waiting == &a ? b : a;
        current = &waiting;
        if (other.state == DONE) fault("non-uniform", what, waiting.line, "waits at the %s at {%u}, which invocation %u never reaches", what, waiting.line, other.index);
        else fault("non-uniform", what, waiting.line, "waits at the %s at {%u}, but invocation %u at {%u}", what, waiting.line, other.index, other.line);
        return false;
    }
    return true;
}

// After a turn of each: lets subgroups whose lanes all wait go on, else all, past a barrier. False at the end.
static bool release(u32 count) {
    bool exchanged = false, waiting = false;
    for (u32 first = 0; first < count; first += builtins.subgroup) {
        u32 end = first + builtins.subgroup < count ? first + builtins.subgroup : count;
        bool exchanges = false;
        for (u32 i = first; i < end; i++) exchanges |= fibres[i].state == AT_EXCHANGE;
        if (!exchanges) continue;
        if (!together(first, end, "subgroup operation")) { abandoned = true; return false; }
        for (u32 i = first; i < end; i++) fibres[i].state = READY;
        exchanged = true;
    }
    if (exchanged) return true;
    for (u32 i = 0; i < count; i++) waiting |= fibres[i].state == AT_BARRIER;
    if (!waiting) return false;
    if (!together(0, count, "barrier")) { abandoned = true; return false; }
    if (fibres[0].kinds & WORKGROUP) shared_now++;
    if (fibres[0].kinds & STORAGE) storage_now++;
    for (u32 i = 0; i < count; i++) fibres[i].state = READY;
    return true;
}

static void run_workgroup(const Kernel& kernel) {
    running = &kernel;
    shared_first = ++shared_now;
    storage_first = ++storage_now;
    std::vector<u32> order(kernel.size);
    for (u32 i = 0; i < kernel.size; i++) {
        Fibre& f = fibres[i];
        f.state = READY;
        f.index = i;
        f.path = f.exchanges = f.turns = 0;
        order[i] = i;
    }
    do {
        shuffle(order);
        for (u32 i : order) if (fibres[i].state == READY) resume(fibres[i]);
    } while (release(kernel.size));
    if (abandoned) for (u32 i = 0; i < kernel.size; i++) fibres[i].begun = false;
}

static void run_dispatch(const Kernel& kernel, const u32* grid) {
    dispatch_first = ++storage_now;
    dispatch_number++;
    builtins.workgroups = {{grid[0], grid[1], grid[2]}};
    std::vector<u32> order(grid[0] * grid[1] * grid[2]);
    for (u32 i = 0; i < order.size(); i++) order[i] = i;
    shuffle(order);
    for (u32 i : order) {
        builtins.workgroup = {{i % grid[0], i / grid[0] % grid[1], i / grid[0] / grid[1]}};
        run_workgroup(kernel);
        if (abandoned) return;
    }
}

// ---- jobs ----

struct Buffer { std::vector<u32> words; std::vector<Shadow> shadows; std::vector<uint8_t> written; };

// One op: its buffers, its dispatches. The layout is `machine.rs`'s.
static const u32* run_job(const u32* in, FILE* out) {
    faults.clear();
    known.clear();
    longest = 0;
    abandoned = false;
    random_state = 0x9E3779B97F4A7C15ull + *in++;
    std::vector<Buffer> buffers(*in++);
    for (auto& b : buffers) {
        u32 words = *in++, given = *in++;
        b.words.assign(words, POISON);
        b.shadows.assign(words, Shadow{});
        b.written.assign(words, (uint8_t)given);
        if (given) { std::copy(in, in + words, b.words.begin()); in += words; }
    }
    for (u32 dispatches = *in++; dispatches > 0; dispatches--) {
        const Kernel& kernel = kernels[*in++];
        const u32* grid = in;
        builtins.subgroup = in[3];
        in += 4;
        std::vector<u32> params(in + 1, in + 1 + in[0]);
        in += 1 + in[0];
        uniform = Region{"params", params.data(), nullptr, nullptr, (u32)params.size() * 4};
        u32 bindings = *in++;
        for (u32 i = 0; i < bindings; i++, in += 3) {
            Buffer& b = buffers[in[0]];
            u32 first = in[1] / 4;
            bound[i] = Region{"", b.words.data() + first, b.shadows.data() + first, b.written.data() + first, in[2]};
        }
        kernel.name_bindings();
        if (!abandoned) run_dispatch(kernel, grid);
    }
    std::string text;
    for (auto& f : faults) text += f + "\n";
    u32 length = (u32)text.size();
    text.resize((length + 3) / 4 * 4);
    fwrite(&length, 4, 1, out);
    fwrite(text.data(), 1, text.size(), out);
    fwrite(&longest, 4, 1, out);
    for (u32 outputs = *in++; outputs > 0; outputs--) {
        Buffer& b = buffers[*in++];
        fwrite(b.words.data(), 4, b.words.size(), out);
    }
    return in;
}

int main(int, char** arguments) {
    alarm(900); // an endless loop ends
    FILE* file = fopen(arguments[1], "rb");
    FILE* out = fopen(arguments[2], "wb");
    if (!file || !out) return 2;
    fseek(file, 0, SEEK_END);
    std::vector<u32> jobs(ftell(file) / 4);
    rewind(file);
    if (fread(jobs.data(), 4, jobs.size(), file) != jobs.size()) return 2;
    for (const u32* in = jobs.data(); in < jobs.data() + jobs.size();) in = run_job(in, out);
    return fclose(out) ? 2 : 0;
}
