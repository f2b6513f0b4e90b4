// Sums and maxima over the invocations that share a row, a team: `team` neighbouring invocations (a power of two)
// of a workgroup of at most 256. Every invocation of the workgroup calls together, and every member gets its
// team's result. Up to 16 members first fold every 16th value, then all fold what these have: two barriers instead
// of a tree's eight, and the order is fixed, so that the same values always give the same bits. Calls may follow
// each other at once: each array's readers are a barrier away from its next writers. Shared: 2 KiB.

const LOWEST: f32 = -3.4028234e38; // below every finite value: where a maximum starts

var<workgroup> team_values: array<f32, 256>;
var<workgroup> team_parts: array<f32, 256>;

fn team_sum(value: f32, lid: u32, team: u32) -> f32 {
    if team == 1u { return value; }
    let parts = min(team, 16u);
    let first = lid - lid % team;
    team_values[lid] = value;
    workgroupBarrier();
    if lid - first < parts {
        var part = 0.0;
        for (var k = 0u; k < team; k += parts) { part += team_values[lid + k]; }
        team_parts[lid] = part;
    }
    workgroupBarrier();
    var sum = 0.0;
    for (var k = 0u; k < parts; k++) { sum += team_parts[first + k]; }
    return sum;
}

fn team_max(value: f32, lid: u32, team: u32) -> f32 {
    if team == 1u { return value; }
    let parts = min(team, 16u);
    let first = lid - lid % team;
    team_values[lid] = value;
    workgroupBarrier();
    if lid - first < parts {
        var part = team_values[lid];
        for (var k = parts; k < team; k += parts) { part = max(part, team_values[lid + k]); }
        team_parts[lid] = part;
    }
    workgroupBarrier();
    var highest = team_parts[first];
    for (var k = 1u; k < parts; k++) { highest = max(highest, team_parts[first + k]); }
    return highest;
}
