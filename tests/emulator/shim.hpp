// What a translated kernel needs: WGSL's types and built-in functions, and memory that watches its users.
// `machine.cpp` has the rest: invocations, barriers, faults.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

typedef uint32_t u32;
typedef int32_t i32;
typedef float f32;

// ---- values: laid out as WGSL lays them out in memory ----

template <class T, int N> struct alignas(N == 3 ? 4 : 4 * N) vec { T e[N]; };
template <int C, int R> struct mat { vec<f32, R> e[C]; };
template <class T, int N> struct arr { T e[N]; };

#define EACH(expression) vec<T, N> r; for (int i = 0; i < N; i++) r.e[i] = expression; return r;
#define OPERATOR(op) \
    template <class T, int N> static inline vec<T, N> operator op(const vec<T, N>& a, const vec<T, N>& b) { EACH(a.e[i] op b.e[i]) }
OPERATOR(+) OPERATOR(-) OPERATOR(*) OPERATOR(&) OPERATOR(|) OPERATOR(^)
#define COMPARISON(op) \
    template <class T, int N> static inline vec<bool, N> operator op(const vec<T, N>& a, const vec<T, N>& b) { \
        vec<bool, N> r; for (int i = 0; i < N; i++) r.e[i] = a.e[i] op b.e[i]; return r; }
COMPARISON(==) COMPARISON(!=) COMPARISON(<) COMPARISON(<=) COMPARISON(>) COMPARISON(>=)
template <class T, int N> static inline vec<T, N> operator*(const vec<T, N>& a, T b) { EACH(a.e[i] * b) }
template <class T, int N> static inline vec<T, N> operator*(T a, const vec<T, N>& b) { EACH(a * b.e[i]) }
template <class T, int N> static inline vec<T, N> operator-(const vec<T, N>& a) { EACH(-a.e[i]) }
template <class T, int N> static inline vec<T, N> operator~(const vec<T, N>& a) { EACH(~a.e[i]) }
template <int N> static inline vec<bool, N> operator!(const vec<bool, N>& a) { vec<bool, N> r; for (int i = 0; i < N; i++) r.e[i] = !a.e[i]; return r; }
template <class T, int N> static inline vec<T, N> splat(T x) { EACH(x) }

template <int C, int R> static inline mat<C, R> operator+(const mat<C, R>& a, const mat<C, R>& b) { mat<C, R> r; for (int c = 0; c < C; c++) r.e[c] = a.e[c] + b.e[c]; return r; }
template <int C, int R> static inline mat<C, R> operator-(const mat<C, R>& a, const mat<C, R>& b) { mat<C, R> r; for (int c = 0; c < C; c++) r.e[c] = a.e[c] - b.e[c]; return r; }
template <int C, int R> static inline mat<C, R> operator*(const mat<C, R>& a, f32 b) { mat<C, R> r; for (int c = 0; c < C; c++) r.e[c] = a.e[c] * b; return r; }
template <int C, int R> static inline mat<C, R> operator*(f32 a, const mat<C, R>& b) { return b * a; }
template <int C, int R> static inline vec<f32, R> operator*(const mat<C, R>& a, const vec<f32, C>& b) {
    vec<f32, R> r = a.e[0] * b.e[0]; for (int c = 1; c < C; c++) r = r + a.e[c] * b.e[c]; return r; }
template <int C, int R> static inline vec<f32, C> operator*(const vec<f32, R>& a, const mat<C, R>& b) {
    vec<f32, C> r; for (int c = 0; c < C; c++) { r.e[c] = 0; for (int i = 0; i < R; i++) r.e[c] += a.e[i] * b.e[c].e[i]; } return r; }
template <int C, int R, int K> static inline mat<C, R> operator*(const mat<K, R>& a, const mat<C, K>& b) { mat<C, R> r; for (int c = 0; c < C; c++) r.e[c] = a * b.e[c]; return r; }

// ---- operators that C++ leaves undefined where WGSL does not ----

static inline f32 divide(f32 a, f32 b) { return a / b; }
static inline u32 divide(u32 a, u32 b) { return b ? a / b : a; }
static inline i32 divide(i32 a, i32 b) { return b == 0 || (a == INT32_MIN && b == -1) ? a : a / b; }
static inline f32 modulo(f32 a, f32 b) { return fmodf(a, b); }
static inline u32 modulo(u32 a, u32 b) { return b ? a % b : 0; }
static inline i32 modulo(i32 a, i32 b) { return b == 0 || b == -1 ? 0 : a % b; }
static inline u32 shift_left(u32 a, u32 b) { return a << (b & 31); }
static inline i32 shift_left(i32 a, u32 b) { return (i32)((u32)a << (b & 31)); }
static inline u32 shift_right(u32 a, u32 b) { return a >> (b & 31); }
static inline i32 shift_right(i32 a, u32 b) { return a >> (b & 31); }
#define PAIRWISE(name, B) template <class T, int N> static inline vec<T, N> name(const vec<T, N>& a, const vec<B, N>& b) { EACH(name(a.e[i], b.e[i])) }
PAIRWISE(divide, T) PAIRWISE(modulo, T) PAIRWISE(shift_left, u32) PAIRWISE(shift_right, u32)

template <class To, class From> struct Conversion { static To of(From x) { return (To)x; } };
template <class From> struct Conversion<bool, From> { static bool of(From x) { return x != From(0); } };
template <> struct Conversion<u32, f32> { static u32 of(f32 x) { return x > 0 ? (x < 4294967296.0f ? (u32)x : 0xffffffffu) : 0; } };
template <> struct Conversion<i32, f32> { static i32 of(f32 x) { return x >= 2147483648.0f ? INT32_MAX : x >= -2147483648.0f ? (i32)x : x < 0 ? INT32_MIN : 0; } };
template <class To, class From, int N> struct Conversion<vec<To, N>, vec<From, N>> {
    static vec<To, N> of(const vec<From, N>& x) { vec<To, N> r; for (int i = 0; i < N; i++) r.e[i] = Conversion<To, From>::of(x.e[i]); return r; } };
template <class To, class From> static inline To convert(const From& x) { return Conversion<To, From>::of(x); }
template <class To, class From> static inline To bits(const From& x) { To r; memcpy(&r, &x, sizeof r); return r; }
template <class T> static inline T choose(bool c, const T& yes, const T& no) { return c ? yes : no; }
template <class T, int N> static inline vec<T, N> choose(const vec<bool, N>& c, const vec<T, N>& yes, const vec<T, N>& no) { EACH(c.e[i] ? yes.e[i] : no.e[i]) }

// ---- built-in functions: `f_` and naga's name ----

#define UNARY(name, expression) \
    static inline f32 f_##name(f32 x) { return expression; } \
    template <int N> static inline vec<f32, N> f_##name(const vec<f32, N>& x) { vec<f32, N> r; for (int i = 0; i < N; i++) r.e[i] = f_##name(x.e[i]); return r; }
UNARY(Cos, cosf(x)) UNARY(Sin, sinf(x)) UNARY(Tan, tanf(x)) UNARY(Cosh, coshf(x)) UNARY(Sinh, sinhf(x)) UNARY(Tanh, tanhf(x))
UNARY(Ceil, ceilf(x)) UNARY(Floor, floorf(x)) UNARY(Round, nearbyintf(x)) UNARY(Trunc, truncf(x)) UNARY(Fract, x - floorf(x))
UNARY(Exp, expf(x)) UNARY(Exp2, exp2f(x)) UNARY(Log, logf(x)) UNARY(Log2, log2f(x)) UNARY(Sqrt, sqrtf(x))
UNARY(InverseSqrt, 1.0f / sqrtf(x)) UNARY(Saturate, x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x) UNARY(Abs, fabsf(x))
UNARY(Sign, (f32)((x > 0.0f) - (x < 0.0f)))
static inline i32 f_Abs(i32 x) { return x < 0 ? (i32)(0u - (u32)x) : x; }
static inline u32 f_Abs(u32 x) { return x; }
static inline i32 f_Sign(i32 x) { return (x > 0) - (x < 0); }
#define BINARY(name, expression) \
    template <class T> static inline T f_##name(T a, T b) { return expression; } \
    template <class T, int N> static inline vec<T, N> f_##name(const vec<T, N>& a, const vec<T, N>& b) { EACH(f_##name(a.e[i], b.e[i])) }
BINARY(Min, b < a ? b : a) BINARY(Max, a < b ? b : a) BINARY(Pow, powf(a, b)) BINARY(Step, b < a ? 0.0f : 1.0f)
#define TERNARY(name, expression) \
    template <class T> static inline T f_##name(T a, T b, T c) { return expression; } \
    template <class T, int N> static inline vec<T, N> f_##name(const vec<T, N>& a, const vec<T, N>& b, const vec<T, N>& c) { EACH(f_##name(a.e[i], b.e[i], c.e[i])) }
TERNARY(Clamp, f_Min(f_Max(a, b), c)) TERNARY(Fma, a * b + c) TERNARY(Mix, a * (1.0f - c) + b * c)
template <class T, int N> static inline T f_Dot(const vec<T, N>& a, const vec<T, N>& b) { T r = 0; for (int i = 0; i < N; i++) r += a.e[i] * b.e[i]; return r; }
template <int C, int R> static inline mat<R, C> f_Transpose(const mat<C, R>& a) { mat<R, C> r; for (int c = 0; c < C; c++) for (int i = 0; i < R; i++) r.e[i].e[c] = a.e[c].e[i]; return r; }
template <class S> static inline S f_Frexp(f32 x) { int e; S r; r.m0 = frexpf(x, &e); r.m1 = e; return r; }
template <int N> static inline bool f_All(const vec<bool, N>& x) { for (int i = 0; i < N; i++) if (!x.e[i]) return false; return true; }
template <int N> static inline bool f_Any(const vec<bool, N>& x) { for (int i = 0; i < N; i++) if (x.e[i]) return true; return false; }
static inline bool f_All(bool x) { return x; }
static inline bool f_Any(bool x) { return x; }
static inline u32 f_CountOneBits(u32 x) { return __builtin_popcount(x); }
static inline u32 f_CountLeadingZeros(u32 x) { return x ? __builtin_clz(x) : 32; }
static inline u32 f_CountTrailingZeros(u32 x) { return x ? __builtin_ctz(x) : 32; }
static inline u32 f_FirstTrailingBit(u32 x) { return x ? __builtin_ctz(x) : 0xffffffffu; }
static inline u32 f_FirstLeadingBit(u32 x) { return x ? 31 - __builtin_clz(x) : 0xffffffffu; }
static inline vec<u32, 4> f_Unpack4xU8(u32 x) { return {{x & 255, x >> 8 & 255, x >> 16 & 255, x >> 24}}; }
static inline vec<f32, 4> f_Unpack4x8unorm(u32 x) { vec<f32, 4> r; for (int i = 0; i < 4; i++) r.e[i] = (f32)(x >> 8 * i & 255) / 255.0f; return r; }

// ---- an invocation's own variables and values, indexed with care ----

void beyond(u32 index, u32 count, u32 line); // reports it
template <template <class, int> class A, class T, int N> static inline T* at(A<T, N>* a, u32 i, u32 line) {
    static T nowhere;
    if (i < (u32)N) return &a->e[i];
    beyond(i, N, line);
    return &nowhere;
}
template <int C, int R> static inline vec<f32, R>* at(mat<C, R>* a, u32 i, u32 line) {
    static vec<f32, R> nowhere;
    if (i < (u32)C) return &a->e[i];
    beyond(i, C, line);
    return &nowhere;
}
template <template <class, int> class A, class T, int N> static inline T pick(const A<T, N>& a, u32 i, u32 line) { return *at(const_cast<A<T, N>*>(&a), i, line); }
template <int C, int R> static inline vec<f32, R> pick(const mat<C, R>& a, u32 i, u32 line) { return *at(const_cast<mat<C, R>*>(&a), i, line); }

// ---- memory that invocations share ----

// Who touched a word last, and when: time is counted in barriers.
struct Shadow { u32 write_epoch, read_epoch, write_line, read_line, read_by_others; uint16_t writer, reader; };

struct Region {
    const char* name;
    u32* words;
    Shadow* shadows; // none for uniforms
    uint8_t* written; // none for workgroup memory, whose shadows tell
    u32 bytes;
};

template <u32 BYTES> struct Shared : Region {
    u32 memory[BYTES / 4];
    Shadow seen[BYTES / 4];
    explicit Shared(const char* n) : Region{n, memory, seen, nullptr, BYTES}, memory{}, seen{} {}
};

struct Place { Region* region; u32 offset; };

// Element `index` of an array of `count` (0: as many as there is room for) elements `stride` bytes apart.
Place element(Place array, u32 index, u32 stride, u32 count, u32 line);
static inline Place member(Place p, u32 offset) { if (p.region) p.offset += offset; return p; }
static inline u32 array_length(Place p, u32 stride) { return (p.region->bytes - p.offset) / stride; }
void load_words(Place p, u32 count, void* into, u32 line);
void store_words(Place p, u32 count, const void* from, u32 line);
template <class T> static inline T load(Place p, u32 line) { T r; load_words(p, sizeof(T) / 4, &r, line); return r; }
template <class T> static inline void store(Place p, const T& x, u32 line) { store_words(p, sizeof(T) / 4, &x, line); }

// ---- invocations ----

enum { STORAGE = 1, WORKGROUP = 2 };
void barrier(u32 kinds, u32 site, u32 line);
// Around a call of a function with a barrier: the same barrier reached by two ways is two barriers.
u32 enter(u32 site);
void leave(u32 path);
// Hands in `count` words and waits for the subgroup; then the words of `lane`.
void exchange(const void* mine, u32 count, u32 site, u32 line);
void collect(void* into, u32 count, u32 lane, u32 line);
template <class T> static inline T gather(const T& mine, u32 lane, u32 site, u32 line) {
    T r;
    exchange(&mine, sizeof(T) / 4, site, line);
    collect(&r, sizeof(T) / 4, lane, line);
    return r;
}

struct Builtins { vec<u32, 3> workgroup, workgroups; u32 subgroup; };
extern Builtins builtins;
u32 local_index();
void turn(); // of a loop

struct Kernel { void (*entry)(); void (*name_bindings)(); u32 size; };
extern const Kernel kernels[];
extern Region bound[32]; // group 0
extern Region uniform;   // group 1
