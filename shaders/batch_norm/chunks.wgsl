// What both passes of batch norm over x [N, C] share: which rows and channels an invocation has, and how sums over
// rows are put together from parts. A part is of n rows: PLAIN true, two sums a and b; false, their mean a and the sum b of
// squared distances from it, joined by Chan's formula (Chan, Golub & LeVeque 1979).
// A workgroup owns COLUMNS neighbouring vectors T of channels, and the rows of one chunk; of several, if the TEAM that
// shares a chunk of a column is less than all who have the column. A member takes every TEAM-th row.
// Grid: blocks of columns times chunks, folded into two dimensions. Shared: 48 WORKGROUP bytes.

const WORKGROUP: u32 = 64u;
const COLUMNS: u32 = 4u;
const TEAM: u32 = 16u;
const SIDE_BY_SIDE: u32 = WORKGROUP / COLUMNS / TEAM; // chunks of a workgroup
const AHEAD: u32 = 4u; // rows read at once
const PLAIN: bool = true;
alias T = vec4<f32>;

// C counts vectors; a chunk has `chunk` rows, the last one fewer
struct Params { rows: u32, C: u32, chunk: u32, chunks: u32, epsilon: f32 }
@group(1) @binding(0) var<uniform> params: Params;

struct Part { n: f32, a: T, b: T }

var<workgroup> team_parts: array<Part, WORKGROUP>;

struct Place { column: u32, chunk: u32, member: u32, begin: u32, end: u32 }

fn place_of(wid: vec3<u32>, groups: vec3<u32>, lid: u32) -> Place {
    let blocks = (params.C + COLUMNS - 1u) / COLUMNS;
    let id = wid.y * groups.x + wid.x;
    let column = id % blocks * COLUMNS + lid % COLUMNS;
    let chunk = id / blocks * SIDE_BY_SIDE + lid / (COLUMNS * TEAM);
    let begin = min(chunk * params.chunk, params.rows);
    let end = min(begin + params.chunk, params.rows);
    return Place(column, chunk, lid / COLUMNS % TEAM, begin, end);
}

// A part of no rows adds nothing.
fn add(one: Part, other: Part) -> Part {
    let n = one.n + other.n;
    if PLAIN { return Part(n, one.a + other.a, one.b + other.b); }
    let share = other.n / max(n, 1.0);
    let distance = other.a - one.a;
    return Part(n, one.a + distance * share, one.b + other.b + distance * distance * (one.n * share));
}

// The parts of a team's members put together by a tree; each member gets the result.
fn over_team(own: Part, lid: u32) -> Part {
    if TEAM == 1u { return own; }
    let member = lid / COLUMNS % TEAM;
    team_parts[lid] = own;
    for (var half = TEAM / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if member < half { team_parts[lid] = add(team_parts[lid], team_parts[lid + half * COLUMNS]); }
    }
    workgroupBarrier();
    return team_parts[lid - member * COLUMNS];
}
